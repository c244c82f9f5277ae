"""The provider's settlement file of a day: each capture and refund with its fee, as CSV in major units.

A day is one of UTC. A file is made when it is asked for: that of a day that has not ended tells what was so far.
"""

import csv
import io
import secrets
from datetime import UTC, datetime, timedelta

from kit.values.money import exponent
from simulators.payment_provider.books import Body, Books
from simulators.payment_provider.errors import invalid

COLUMNS = (
    "transaction_id",
    "kind",
    "payment_reference",
    "reference",
    "operation_id",
    "amount",
    "fee",
    "currency",
    "occurred_at",
)
# Where the provider's minor unit is not that of ISO 4217.
_PLACES = {"ISK": 2, "UGX": 2, "MGA": 0}


def movement(
    kind: str,
    intent_id: str,
    currency: str,
    created: int,
    amount: int,
    metadata: dict[str, str],
    reference: str = "",
) -> Body:
    """Money that moved; `reference` is of a refund or dispute. Only a capture costs a fee."""
    # A capture carries the caller's id as the name of its amount, a refund as a value.
    named = [name for name, value in metadata.items() if value == str(amount)]
    return {
        "transaction_id": f"txn_{secrets.token_hex(12)}",
        "kind": kind,
        "payment_reference": intent_id,
        "reference": reference,
        "operation_id": metadata.get("operation_id") or (named[0] if named else ""),
        "amount": amount,
        "fee": amount * 14 // 1000 + 25 if kind == "capture" else 0,
        "currency": currency.upper(),
        "created": created,
    }


def file_of(books: Books, day: str) -> str:
    """The CSV of a day (YYYY-MM-DD). Raises a refusal for anything else."""
    try:
        begin = datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise invalid("A day is written as YYYY-MM-DD.", param="day") from None
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    end = begin + timedelta(days=1)
    for found in books.movements(int(begin.timestamp()), int(end.timestamp())):
        major = {name: _major(found[name], found["currency"]) for name in ("amount", "fee")}
        occurred_at = datetime.fromtimestamp(found["created"], UTC).isoformat()
        writer.writerow({**found, **major, "occurred_at": occurred_at})
    return file.getvalue()


def _major(amount: int, currency: str) -> str:
    places = _PLACES.get(currency, exponent(currency))
    whole, part = divmod(amount, 10**places)
    return f"{whole}.{part:0{places}d}" if places else str(whole)

"""SQL of reconciliation: settlement files, their lines, and where a provider's books and ours differ."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.domain.model import Kind
from services.payments.domain.reconciling import (
    TOLD,
    Booked,
    DifferenceKind,
    DifferenceState,
    Judged,
    Verdict,
)
from services.payments.domain.settlement_file import Line, LineKind

SETTLED_LATER = "told later"
_TOLD = sorted(kind.value for kind in TOLD)


@dataclass(frozen=True, slots=True)
class Settlement:
    """A file and where its work stands."""

    number: int
    settlement_id: str
    upload_id: str
    provider: str
    day: date
    file_name: str
    digest: bytes
    bytes: int
    actor: str
    state: str
    reason: str
    detail: str
    received_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the lines of a settlement, and the fees in them."""

    verdicts: Mapping[str, int]
    missing: int
    fees: Sequence[Money]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that a provider and we do not agree on. `expected` is ours, `found` theirs."""

    number: int
    difference_id: str
    provider: str
    day: date
    kind: DifferenceKind
    state: DifferenceState
    settlement_id: str
    transaction_id: str
    operation_id: str
    order_id: str
    expected: Money | None
    found: Money | None
    found_at: datetime
    closed_at: datetime | None
    closed_by: str
    reason: str


_SETTLEMENT = ", ".join(Settlement.__dataclass_fields__)
_DIFFERENCE = """number, difference_id, provider, day, kind, state, settlement_id, transaction_id,
    coalesce(operation_id, '') AS operation_id, order_id, expected_minor, expected_currency, found_minor,
    found_currency, found_at, closed_at, closed_by, reason"""
_LINE = """number, transaction_id, kind, payment_reference, reference, operation_id, amount_minor, fee_minor,
    currency, occurred_at"""

# -- files ------------------------------------------------------------------------------------------------


async def keep_content(tx: AsyncConnection, upload_id: str, nth: int, content: bytes) -> None:
    """One portion of a file."""
    query = text("INSERT INTO settlement_content (upload_id, nth, content) VALUES (:upload_id, :nth, :content)")
    await tx.execute(query, {"upload_id": upload_id, "nth": nth, "content": content})


async def content(tx: AsyncConnection, upload_id: str, nth: int) -> bytes | None:
    """A portion, counted from 0; None after the last."""
    query = text("SELECT content FROM settlement_content WHERE upload_id = :upload_id AND nth = :nth")
    value = (await tx.execute(query, {"upload_id": upload_id, "nth": nth})).scalar_one_or_none()
    return None if value is None else bytes(value)


async def forget_content(tx: AsyncConnection, upload_id: str) -> None:
    """A file that nothing more is to be done with."""
    query = text("DELETE FROM settlement_content WHERE upload_id = :upload_id")
    await tx.execute(query, {"upload_id": upload_id})


async def forget_orphans(tx: AsyncConnection, before: datetime) -> None:
    """Files that began to come before an instant, and whose sender or receiver then died."""
    query = text(
        """DELETE FROM settlement_content AS c WHERE recorded_at < :before
             AND NOT EXISTS (SELECT FROM settlement AS s WHERE s.upload_id = c.upload_id)"""
    )
    await tx.execute(query, {"before": before})


# -- settlements ------------------------------------------------------------------------------------------


async def add(tx: AsyncConnection, new: Settlement) -> Settlement | None:
    """The new one; None when its file was taken before."""
    query = text(
        f"""INSERT INTO settlement
                (settlement_id, upload_id, provider, day, file_name, digest, bytes, actor, received_at)
            VALUES (:settlement_id, :upload_id, :provider, :day, :file_name, :digest, :bytes, :actor, :received_at)
            ON CONFLICT (provider, digest) WHERE state <> 'failed' DO NOTHING RETURNING {_SETTLEMENT}"""
    )
    row = (await tx.execute(query, asdict(new))).first()
    return Settlement(**row._mapping) if row else None


async def of_file(tx: AsyncConnection, provider: str, digest: bytes) -> Settlement | None:
    """The settlement that a file came to."""
    query = text(
        f"""SELECT {_SETTLEMENT} FROM settlement
            WHERE provider = :provider AND digest = :digest AND state <> 'failed'"""
    )
    row = (await tx.execute(query, {"provider": provider, "digest": digest})).first()
    return Settlement(**row._mapping) if row else None


async def get(tx: AsyncConnection, settlement_id: str) -> Settlement | None:
    """One; None if there is none."""
    query = text(f"SELECT {_SETTLEMENT} FROM settlement WHERE settlement_id = :id")
    row = (await tx.execute(query, {"id": settlement_id})).first()
    return Settlement(**row._mapping) if row else None


async def newest(tx: AsyncConnection, provider: str, before: int, limit: int) -> list[Settlement]:
    """Newest first, those with a number below one."""
    query = text(
        f"""SELECT {_SETTLEMENT} FROM settlement
            WHERE number < :before AND (:provider = '' OR provider = :provider)
            ORDER BY number DESC LIMIT :limit"""
    )
    rows = await tx.execute(query, {"before": before, "provider": provider, "limit": limit})
    return [Settlement(**row._mapping) for row in rows.all()]


async def counts(tx: AsyncConnection, settlement_ids: Sequence[str]) -> dict[str, Counts]:
    """Of these settlements."""
    values = {"ids": list(settlement_ids)}
    lines = await tx.execute(
        text(
            """SELECT settlement_id, verdict, currency, count(*) AS lines, sum(fee_minor) AS fees
               FROM settlement_line WHERE settlement_id = ANY(:ids) GROUP BY 1, 2, 3 ORDER BY 3"""
        ),
        values,
    )
    missing = await tx.execute(
        text(
            """SELECT settlement_id, count(*) AS missing FROM settlement_difference
               WHERE settlement_id = ANY(:ids) AND kind = 'missing' AND state <> 'closed' GROUP BY 1"""
        ),
        values,
    )
    verdicts: dict[str, dict[str, int]] = {one: {} for one in settlement_ids}
    fees: dict[str, dict[str, int]] = {one: {} for one in settlement_ids}
    for row in lines.all():
        of, paid = verdicts[row.settlement_id], fees[row.settlement_id]
        of[row.verdict] = of.get(row.verdict, 0) + row.lines
        paid[row.currency] = paid.get(row.currency, 0) + int(row.fees)
    gone = {row.settlement_id: row.missing for row in missing.all()}
    return {
        one: Counts(verdicts[one], gone.get(one, 0), [Money(minor, code) for code, minor in fees[one].items()])
        for one in settlement_ids
    }


# -- the work ---------------------------------------------------------------------------------------------


async def take_turn(tx: AsyncConnection) -> bool:
    """Of several replicas one works, until its transaction ends."""
    query = text("SELECT pg_try_advisory_xact_lock(hashtext('settlements'))")
    return bool((await tx.execute(query)).scalar_one())


async def next_unfinished(tx: AsyncConnection) -> Settlement | None:
    """The oldest that is not done."""
    query = text(
        f"""SELECT {_SETTLEMENT} FROM settlement WHERE state IN ('received', 'running')
            ORDER BY number LIMIT 1"""
    )
    row = (await tx.execute(query)).first()
    return Settlement(**row._mapping) if row else None


async def start(tx: AsyncConnection, settlement_id: str, now: datetime) -> None:
    """received -> running."""
    query = text("UPDATE settlement SET state = 'running', started_at = :now WHERE settlement_id = :id")
    await tx.execute(query, {"id": settlement_id, "now": now})


async def end(
    tx: AsyncConnection, settlement_id: str, state: str, now: datetime, reason: str = "", detail: str = ""
) -> None:
    """-> done or failed."""
    query = text(
        """UPDATE settlement SET state = :state, ended_at = :now, reason = :reason, detail = :detail
           WHERE settlement_id = :id"""
    )
    await tx.execute(query, {"id": settlement_id, "state": state, "now": now, "reason": reason, "detail": detail})


async def add_lines(tx: AsyncConnection, settlement_id: str, provider: str, lines: Sequence[Line]) -> None:
    """Those that no file has told yet."""
    query = text(
        f"""INSERT INTO settlement_line (settlement_id, provider, {_LINE})
            VALUES (:settlement_id, :provider, :number, :transaction_id, :kind, :payment_reference, :reference,
                    :operation_id, :amount_minor, :fee_minor, :currency, :occurred_at)
            ON CONFLICT (provider, transaction_id) DO NOTHING"""
    )
    common = {"settlement_id": settlement_id, "provider": provider}
    if lines:
        await tx.execute(query, [common | asdict(line) for line in lines])


async def told_before(tx: AsyncConnection, provider: str, lines: Sequence[Line]) -> dict[str, Line]:
    """What is known of the transactions of these lines, by their ids."""
    query = text(f"SELECT {_LINE} FROM settlement_line WHERE provider = :provider AND transaction_id = ANY(:ids)")
    rows = await tx.execute(query, {"provider": provider, "ids": [line.transaction_id for line in lines]})
    return {row.transaction_id: _line(row) for row in rows.all()}


async def unjudged(tx: AsyncConnection, settlement_id: str, limit: int) -> list[Line]:
    """Some lines of a settlement; all of a payment, if one of it."""
    query = text(
        f"""SELECT {_LINE} FROM settlement_line
            WHERE settlement_id = :id AND verdict = '' AND together <= (
                SELECT max(together) FROM (
                    SELECT together FROM settlement_line WHERE settlement_id = :id AND verdict = ''
                    ORDER BY together LIMIT :limit) AS first)
            ORDER BY number"""
    )
    rows = await tx.execute(query, {"id": settlement_id, "limit": limit})
    return [_line(row) for row in rows.all()]


async def forget_unjudged(tx: AsyncConnection, settlement_id: str) -> None:
    """Of a file that failed: when it is sent again, it brings them again."""
    query = text("DELETE FROM settlement_line WHERE settlement_id = :id AND verdict = ''")
    await tx.execute(query, {"id": settlement_id})


async def extra_lines(tx: AsyncConnection, provider: str) -> list[Line]:
    """Lines that a person has to look at because we knew nothing of them."""
    query = text(
        f"""SELECT {_LINE} FROM settlement_line AS l WHERE provider = :provider AND verdict = 'extra'
              AND EXISTS (SELECT FROM settlement_difference AS d
                          WHERE d.provider = l.provider AND d.transaction_id = l.transaction_id
                            AND d.state <> 'closed')
            ORDER BY occurred_at, transaction_id"""
    )
    return [_line(row) for row in (await tx.execute(query, {"provider": provider})).all()]


async def booked_for(tx: AsyncConnection, provider: str, lines: Sequence[Line]) -> list[Booked]:
    """Operations that these lines may mean."""
    query = text(
        """SELECT o.operation_id, o.kind, t.provider_payment_id, o.provider_reference, o.amount_minor, o.currency,
                  EXISTS (SELECT FROM settlement_line AS l WHERE l.matched_id = o.operation_id) AS matched
           FROM (SELECT operation_id FROM operation WHERE operation_id = ANY(:operation_ids)
                 UNION
                 SELECT of.operation_id FROM tender AS paid JOIN operation AS of USING (order_id)
                 WHERE paid.provider = :provider AND paid.provider_payment_id = ANY(:payments)
                   AND paid.provider_payment_id <> '') AS meant
           JOIN operation AS o USING (operation_id) JOIN tender AS t USING (tender_id)
           WHERE o.provider = :provider AND o.kind = ANY(:kinds) AND o.state = 'succeeded'"""
    )
    values = {
        "provider": provider,
        "kinds": _TOLD,
        "operation_ids": sorted({line.operation_id for line in lines if line.operation_id}),
        "payments": sorted({line.payment_reference for line in lines if line.payment_reference}),
    }
    return [Booked(row[0], Kind(row[1]), *row[2:]) for row in (await tx.execute(query, values)).all()]


async def judge(tx: AsyncConnection, settlement: Settlement, judged: Sequence[Judged], now: datetime) -> None:
    """Writes what became of lines, and what of it a person has to look at."""
    rows = [
        {
            "provider": settlement.provider,
            "transaction_id": one.line.transaction_id,
            "verdict": one.verdict.value,
            "matched_id": one.operation.operation_id if one.operation else None,
        }
        for one in judged
    ]
    if not rows:
        return
    await tx.execute(
        text(
            """UPDATE settlement_line SET verdict = :verdict, matched_id = :matched_id
               WHERE provider = :provider AND transaction_id = :transaction_id"""
        ),
        rows,
    )
    await _close_told(tx, settlement.provider, [one for one in judged if one.operation], now)
    differing = [one for one in judged if one.verdict not in (Verdict.MATCHED, Verdict.FEE)]
    if differing:
        await tx.execute(_ADD_DIFFERENCE, [_difference_values(settlement, one, now) for one in differing])


async def _close_told(tx: AsyncConnection, provider: str, matched: Sequence[Judged], now: datetime) -> None:
    """What was missing there, or here, and is not any more."""
    values = {
        "now": now,
        "reason": SETTLED_LATER,
        "provider": provider,
        "operation_ids": [one.operation.operation_id for one in matched if one.operation],
        "transaction_ids": [one.line.transaction_id for one in matched],
    }
    for which in (
        "kind = 'missing' AND operation_id = ANY(:operation_ids)",
        "kind = 'extra' AND provider = :provider AND transaction_id = ANY(:transaction_ids)",
    ):
        query = text(
            f"""UPDATE settlement_difference SET state = 'closed', closed_at = :now, reason = :reason
                WHERE state <> 'closed' AND {which}"""
        )
        await tx.execute(query, {name: value for name, value in values.items() if f":{name}" in query.text})


_ADD_DIFFERENCE = text(
    """INSERT INTO settlement_difference
           (difference_id, provider, day, kind, state, settlement_id, transaction_id, operation_id, order_id,
            expected_minor, expected_currency, found_minor, found_currency, found_at)
       VALUES (:difference_id, :provider, :day, :kind, 'open', :settlement_id, :transaction_id,
               CAST(:operation_id AS text),
               coalesce((SELECT order_id FROM operation WHERE operation_id = CAST(:operation_id AS text)), ''),
               :expected_minor, :expected_currency, :found_minor, :found_currency, :now)
       ON CONFLICT (provider, transaction_id, kind) WHERE transaction_id <> '' DO NOTHING"""
)


def _difference_values(settlement: Settlement, one: Judged, now: datetime) -> dict[str, Any]:
    ours = one.operation
    return {
        "difference_id": new_id("sdf"),
        "provider": settlement.provider,
        "day": settlement.day,
        "kind": one.verdict.value,
        "settlement_id": settlement.settlement_id,
        "transaction_id": one.line.transaction_id,
        "operation_id": ours.operation_id if ours else None,
        "expected_minor": ours.amount_minor if ours else None,
        "expected_currency": ours.currency if ours else "",
        "found_minor": one.line.amount_minor,
        "found_currency": one.line.currency,
        "now": now,
    }


async def add_missing(
    tx: AsyncConnection, settlement: Settlement, begin: datetime, end: datetime, now: datetime
) -> None:
    """Operations of the day that no line of any file has: they are waited for."""
    query = text(
        """INSERT INTO settlement_difference
               (difference_id, provider, day, kind, state, settlement_id, operation_id, order_id, expected_minor,
                expected_currency, found_at)
           SELECT 'sdf_' || replace(gen_random_uuid()::text, '-', ''), :provider, :day, 'missing', 'waiting',
                  :settlement_id, o.operation_id, o.order_id, o.amount_minor, o.currency, :now
           FROM operation AS o
           WHERE o.provider = :provider AND o.kind = ANY(:kinds) AND o.state = 'succeeded'
             AND o.settled_at >= :begin AND o.settled_at < :end
             AND NOT EXISTS (SELECT FROM settlement_line AS l WHERE l.matched_id = o.operation_id)
           ORDER BY o.settled_at, o.operation_id
           ON CONFLICT (operation_id) WHERE kind = 'missing' DO NOTHING"""
    )
    await tx.execute(
        query,
        {
            "provider": settlement.provider,
            "kinds": _TOLD,
            "day": settlement.day,
            "settlement_id": settlement.settlement_id,
            "begin": begin,
            "end": end,
            "now": now,
        },
    )


async def waiting_days(tx: AsyncConnection) -> list[tuple[str, date, bool]]:
    """Provider and day of what is waited for, and whether the file of a later day has been worked."""
    query = text(
        """SELECT d.provider, d.day, EXISTS (SELECT FROM settlement AS s WHERE s.provider = d.provider
                                             AND s.day > d.day AND s.state = 'done') AS later
           FROM (SELECT DISTINCT provider, day FROM settlement_difference WHERE state = 'waiting') AS d"""
    )
    return [(row.provider, row.day, row.later) for row in (await tx.execute(query)).all()]


async def wait_no_longer(tx: AsyncConnection, provider: str, day: date) -> None:
    """waiting -> open, of a day."""
    query = text(
        """UPDATE settlement_difference SET state = 'open'
           WHERE state = 'waiting' AND provider = :provider AND day = :day"""
    )
    await tx.execute(query, {"provider": provider, "day": day})


# -- the work list ----------------------------------------------------------------------------------------


async def differences(
    tx: AsyncConnection,
    states: Sequence[DifferenceState],
    provider: str,
    settlement_id: str,
    before: int,
    limit: int,
) -> list[Difference]:
    """Newest first, those with a number below one; what is empty does not matter."""
    query = text(
        f"""SELECT {_DIFFERENCE} FROM settlement_difference
            WHERE number < :before AND (CAST(:states AS text[]) = '{{}}' OR state = ANY(CAST(:states AS text[])))
              AND (:provider = '' OR provider = :provider)
              AND (:settlement_id = '' OR settlement_id = :settlement_id)
            ORDER BY number DESC LIMIT :limit"""
    )
    values = {
        "states": [state.value for state in states],
        "provider": provider,
        "settlement_id": settlement_id,
        "before": before,
        "limit": limit,
    }
    return [_difference(row) for row in (await tx.execute(query, values)).all()]


async def lock_difference(tx: AsyncConnection, difference_id: str) -> Difference | None:
    """One under its lock; None if there is none."""
    query = text(f"SELECT {_DIFFERENCE} FROM settlement_difference WHERE difference_id = :id FOR UPDATE")
    row = (await tx.execute(query, {"id": difference_id})).first()
    return _difference(row) if row else None


async def close_difference(tx: AsyncConnection, closed: Difference) -> None:
    """Writes who closed it, and why; the caller holds its lock."""
    query = text(
        """UPDATE settlement_difference
           SET state = 'closed', closed_at = :closed_at, closed_by = :closed_by, reason = :reason
           WHERE difference_id = :id"""
    )
    values = {"closed_at": closed.closed_at, "closed_by": closed.closed_by, "reason": closed.reason}
    await tx.execute(query, {"id": closed.difference_id, **values})


def _line(row: Row[Any]) -> Line:
    return Line(**{**row._mapping, "kind": LineKind(row.kind)})


def _difference(row: Row[Any]) -> Difference:
    values = dict(row._mapping)
    expected, found = (
        (values.pop(f"{side}_minor"), values.pop(f"{side}_currency")) for side in ("expected", "found")
    )
    return Difference(
        **{**values, "kind": DifferenceKind(row.kind), "state": DifferenceState(row.state)},
        expected=Money(*expected) if expected[0] is not None else None,
        found=Money(*found) if found[0] is not None else None,
    )

"""What became of every row: counted once, written down when it was not placed, told at the end.

Rows read are the sum of rows placed, already placed, waiting for the customer, refused, rejected, unknown and
outside the dates.
"""

import csv
import json
import math
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.replay.reading import Fault, SourceOrder


class Kind(StrEnum):
    """What can become of an order; each row of the file ends in exactly one of them."""

    PLACED = "placed"
    ALREADY_PLACED = "already placed"
    ACTION_REQUIRED = "waiting for the customer"
    REFUSED = "refused"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    OUTSIDE = "outside the dates"


# Those that a second look finds in the file of rejected rows.
_WRITTEN_DOWN = (Kind.REFUSED, Kind.REJECTED, Kind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one order. `line_details` says more about the rows it names (row number: text)."""

    kind: Kind
    reason: str = ""
    detail: str = ""
    seconds: float = 0.0
    line_details: Mapping[int, str] = field(default_factory=dict)


class Accounts:
    """Sums over all orders; the seconds of each order placed are all that grows, eight bytes each."""

    def __init__(self) -> None:
        self.rows_read = 0
        self.orders: Counter[Kind] = Counter()
        self.rows: Counter[Kind] = Counter()
        self.refused_orders: Counter[str] = Counter()
        self.refused_rows: Counter[str] = Counter()
        self.rejected_rows: Counter[str] = Counter()
        self.unknown_orders: Counter[str] = Counter()
        self._seconds = array("d")

    @property
    def orders_read(self) -> int:
        return self.orders.total()

    @property
    def rows_without_account(self) -> int:
        """0, or there is a defect here."""
        return self.rows_read - self.rows.total()

    def add(self, order: SourceOrder, outcome: Outcome, *, is_rest: bool = False) -> None:
        """One order; the rest of one that was counted already brings only rows."""
        count = len(order.rows)
        self.orders[outcome.kind] += not is_rest
        self.rows[outcome.kind] += count
        if outcome.kind is Kind.REJECTED:
            self.rejected_rows.update(order.faults[row.number].reason for row in order.rows)
        elif outcome.kind is Kind.REFUSED:
            self.refused_orders[outcome.reason] += 1
            self.refused_rows[outcome.reason] += count
        elif outcome.kind is Kind.UNKNOWN:
            self.unknown_orders[outcome.reason] += 1
        elif outcome.kind is Kind.PLACED:
            self._seconds.append(outcome.seconds)

    def percentile_ms(self, share: float) -> float:
        """Milliseconds from the first request to the outcome of the orders placed; nearest rank, 0 without any."""
        if not self._seconds:
            return 0.0
        ranked = sorted(self._seconds)
        return round(ranked[math.ceil(share * len(ranked)) - 1] * 1000, 1)


class RejectedFile:
    """The rows that were not placed, as they stand in the source, each with its reason."""

    COLUMNS = ("replay_row", "replay_order", "replay_reason", "replay_detail")

    def __init__(self, path: Path, header: Sequence[str], encoding: str) -> None:
        self.path = path
        # Rows of orders may name customers: for their owner only.
        path.touch(mode=0o600)
        path.chmod(0o600)
        self._file: TextIO = path.open("w", encoding=encoding, errors="surrogateescape", newline="")
        self._writer = csv.writer(self._file)
        # Ours first: a row that is broken may have any number of cells.
        self._writer.writerow([*self.COLUMNS, *header])

    def __enter__(self) -> "RejectedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, order: SourceOrder, outcome: Outcome) -> None:
        """Every row of the order, if it belongs here."""
        if outcome.kind not in _WRITTEN_DOWN:
            return
        for row in order.rows:
            said = order.faults.get(row.number) or Fault(
                outcome.reason, outcome.line_details.get(row.number, outcome.detail)
            )
            self._writer.writerow([row.number, order.number, said.reason, said.detail, *row.cells])
        self._file.flush()


def as_json(accounts: Accounts, seconds: float, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The report for programs: orders and rows by what became of them."""
    return {
        **facts,
        "seconds": round(seconds, 3),
        "orders_per_second": rate(accounts, seconds),
        "placement_p50_ms": accounts.percentile_ms(0.50),
        "placement_p99_ms": accounts.percentile_ms(0.99),
        "orders_read": accounts.orders_read,
        "rows_read": accounts.rows_read,
        "orders": {_name(kind): accounts.orders[kind] for kind in Kind},
        "rows": {_name(kind): accounts.rows[kind] for kind in Kind},
        "refused_orders": dict(accounts.refused_orders.most_common()),
        "refused_rows": dict(accounts.refused_rows.most_common()),
        "rejected_rows": dict(accounts.rejected_rows.most_common()),
        "unknown_orders": dict(accounts.unknown_orders.most_common()),
        "rows_without_account": accounts.rows_without_account,
    }


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Replaces the file."""
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def show(console: Console, accounts: Accounts, seconds: float) -> None:
    """The report for people."""
    table = Table("", "orders", "rows", box=None, pad_edge=False, header_style="dim")
    for column in table.columns[1:]:
        column.justify = "right"
    for kind in Kind:
        if accounts.rows[kind] or kind is Kind.PLACED:
            table.add_row(f"[bold]{kind}[/]", f"{accounts.orders[kind]:,}", f"{accounts.rows[kind]:,}")
            for reason, orders, rows in _reasons(accounts, kind):
                table.add_row(f"  {escape(reason)}", orders, rows)
    table.add_row("[bold]read[/]", f"{accounts.orders_read:,}", f"{accounts.rows_read:,}")
    console.print(table)
    console.print(
        f"\n{seconds:.1f} s, {rate(accounts, seconds):.1f} orders/s; "
        f"placement p50 {accounts.percentile_ms(0.50):.0f} ms, p99 {accounts.percentile_ms(0.99):.0f} ms"
    )


def _reasons(accounts: Accounts, kind: Kind) -> list[tuple[str, str, str]]:
    if kind is Kind.REFUSED:
        rows = accounts.refused_rows
        return [(why, f"{n:,}", f"{rows[why]:,}") for why, n in accounts.refused_orders.most_common()]
    if kind is Kind.REJECTED:
        return [(why, "", f"{n:,}") for why, n in accounts.rejected_rows.most_common()]
    if kind is Kind.UNKNOWN:
        return [(why, f"{n:,}", "") for why, n in accounts.unknown_orders.most_common()]
    return []


def rate(accounts: Accounts, seconds: float) -> float:
    """Orders whose outcome the system gave, a second."""
    sent = accounts.orders_read - accounts.orders[Kind.REJECTED] - accounts.orders[Kind.OUTSIDE]
    return round(sent / seconds, 2) if seconds else 0.0


def _name(kind: Kind) -> str:
    return kind.value.replace(" ", "_")

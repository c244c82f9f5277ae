"""What the requests about transfers ask for, as values, and what they may say whatever the state of stock."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.inventory.domain import validation
from services.inventory.domain.lanes import Window
from services.inventory.domain.transfers import Outcome, Quantity, Receipt, Settlement
from services.inventory.domain.validation import MAX_LINES, MAX_QUANTITY, Problem


@dataclass(frozen=True, slots=True)
class RequestTransfer:
    """Units to move; without a lane the one that arrives first."""

    request_id: str
    origin_id: str
    destination_id: str
    lines: tuple[Quantity, ...]
    lane_id: str
    expected: Window | None
    actor: str
    reason: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class DispatchTransfer:
    """What was found and leaves; no lines means everything."""

    request_id: str
    transfer_id: str
    lines: tuple[Quantity, ...]
    declare_not_found: bool
    expected: Window | None
    actor: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class ReceiveTransfer:
    """What arrived."""

    request_id: str
    transfer_id: str
    lines: tuple[Receipt, ...]
    actor: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class SettleTransfer:
    """What became of missing units."""

    request_id: str
    transfer_id: str
    lines: tuple[Settlement, ...]
    actor: str
    as_of: datetime


@dataclass(frozen=True, slots=True)
class CancelTransfer:
    """A transfer that is not wanted any more."""

    request_id: str
    transfer_id: str
    actor: str
    reason: str
    as_of: datetime


Command = RequestTransfer | DispatchTransfer | ReceiveTransfer | SettleTransfer | CancelTransfer


def check(command: Command) -> Iterator[Problem]:
    """What is wrong with it, in field order."""
    if isinstance(command, RequestTransfer):
        yield from _check_request(command)
        return
    yield from validation.identifier("transfer_id", command.transfer_id)
    if isinstance(command, DispatchTransfer):
        # 0: looked for and not found.
        yield from _check_lines(command.lines, least=0, required=False)
        yield from _check_window(command.expected)
    elif isinstance(command, ReceiveTransfer):
        yield from _check_lines(command.lines)
        for i, receipt in enumerate(command.lines):
            if not 0 <= receipt.damaged <= receipt.quantity:
                yield Problem(f"lines[{i}].damaged", "not between 0 and the quantity that arrived")
    elif isinstance(command, SettleTransfer):
        yield from _check_lines(command.lines)
        for i, settlement in enumerate(command.lines):
            lost = settlement.outcome is Outcome.LOST
            yield from validation.text(f"lines[{i}].reason", settlement.reason, required=lost)
    else:
        yield from validation.text("reason", command.reason)
    yield from validation.text("actor", command.actor, required=True)


def _check_request(command: RequestTransfer) -> Iterator[Problem]:
    yield from validation.name("origin_id", command.origin_id)
    yield from validation.name("destination_id", command.destination_id)
    if command.origin_id == command.destination_id:
        yield Problem("destination_id", "the units are there already")
    yield from _check_lines(command.lines)
    yield from validation.name("lane_id", command.lane_id) if command.lane_id else ()
    yield from _check_window(command.expected)
    yield from validation.text("actor", command.actor, required=True)
    yield from validation.text("reason", command.reason)


def _check_lines(
    lines: Sequence[Quantity | Receipt | Settlement], *, least: int = 1, required: bool = True
) -> Iterator[Problem]:
    if not (1 if required else 0) <= len(lines) <= MAX_LINES:
        yield Problem("lines", f"1 to {MAX_LINES} are needed")
    for i, line in enumerate(lines):
        yield from validation.sku(f"lines[{i}].sku", line.sku)
        if not least <= line.quantity <= MAX_QUANTITY:
            yield Problem(f"lines[{i}].quantity", f"not between {least} and {MAX_QUANTITY}")


def _check_window(window: Window | None) -> Iterator[Problem]:
    if window is not None and window.start >= window.end:
        yield Problem("expected.end", "not after expected.start")

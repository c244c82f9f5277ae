"""The money of an order that waits longer than an authorisation holds: its means was kept at the acceptance.

It is authorised some time before the first of its works begins; until then the order is not released.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import holds
from services.orders.domain.model import Decision, Happening, HoldKind, Order
from services.orders.domain.states import UNDONE, OrderState

# What `payment_outcome` says of it. LET_GO: declined, and it goes on all the same because somebody decided so.
AUTHORIZED, SAVED, LET_GO = "authorized", "saved", "let_go"
DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt. `next_try_at`: of a decline; None when it waits for somebody."""

    name: str
    reason: str
    next_try_at: datetime | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """From when on an order is to be paid; None while nothing of it has a date. `held`: a decline holds it."""

    state: OrderState
    authorise_from: datetime | None
    held: bool


def is_kept(order: Order) -> bool:
    """Whether its means was kept, and nothing is authorised yet."""
    return order.payment_outcome == SAVED


def due(order: Order, as_of: datetime) -> Due:
    """So long before its first work begins as its life cycle says; now, where something of it does not wait."""
    begins = [begin for work in order.fulfilments if (begin := _begin(order, work.fulfilment_id, as_of))]
    ahead = timedelta(seconds=order.life_cycle.authorise_ahead_seconds)
    return Due(
        order.state,
        max(min(begins) - ahead, as_of) if begins else None,
        any(one.kind is HoldKind.PAYMENT for one in holds.open_holds(order)),
    )


def _begin(order: Order, fulfilment_id: str, as_of: datetime) -> datetime | None:
    """When the work may begin; None while a hold without a date keeps it."""
    dates = [one.until for one in holds.open_holds(order) if one.fulfilment_id == fulfilment_id]
    dated = [one for one in dates if one is not None]
    return max([*dated, as_of]) if len(dated) == len(dates) else None


def record(order: Order, outcome: Outcome) -> Decision:
    """The money is there, or is tried for again, or holds the order; or it goes on without.

    FailedPrecondition / NOT_ACCEPTED. Told of an order that is undone, or was paid before, nothing changes.
    """
    _check(outcome)
    if order.state in UNDONE or order.payment_outcome in (AUTHORIZED, LET_GO):
        return Decision(order)
    if not is_kept(order):
        raise FailedPrecondition(
            "NOT_ACCEPTED",
            "no means was kept for the order",
            state=order.state.value,
            payment=order.payment_outcome,
        )
    if outcome.name == DECLINED:
        return _declined(order, outcome)
    paid = replace(order, payment_outcome=outcome.name, updated_at=outcome.as_of)
    met = holds.meet(paid, HoldKind.PAYMENT, "", outcome.as_of)
    text = "The money of the order is authorised."
    if outcome.name == LET_GO:
        text = "The order goes on although its money was declined: so it was decided."
    told = Happening(f"order.payment_{outcome.name}", text, outcome.as_of, {"payment": outcome.name})
    return replace(met, happenings=(told, *met.happenings))


def _declined(order: Order, outcome: Outcome) -> Decision:
    again = outcome.next_try_at
    then = f"; tried again {holds.moment(again)}" if again else ""
    facts = {"reason": outcome.reason, "next_try_at": again.isoformat() if again else None}
    text = f"The money of the order was declined ({outcome.reason}){then}."
    declined = replace(order, updated_at=outcome.as_of)
    told = Happening("order.payment_declined", text, outcome.as_of, facts)
    if again or due(order, outcome.as_of).held:
        return Decision(declined, (told,))
    hold = holds.begin(order, HoldKind.PAYMENT, f"its money was declined: {outcome.reason}", outcome.as_of)
    held = replace(declined, holds=(*order.holds, hold))
    return Decision(held, (told, holds.told_of_beginning(held, hold)))


def _check(outcome: Outcome) -> None:
    names: Sequence[str] = (AUTHORIZED, DECLINED, LET_GO)
    if outcome.name not in names:
        raise InvalidArgument("outcome", f"one of {', '.join(names)}")
    if outcome.name == DECLINED and not outcome.reason:
        raise InvalidArgument("reason", "a decline has a reason")
    if outcome.next_try_at and outcome.next_try_at <= outcome.as_of:
        raise InvalidArgument("next_try_at", "it is still to come")

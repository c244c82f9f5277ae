"""Other content for an order in cooling-off: proposed, then applied whole or refused (SPEC ORD-7).

While it is proposed the order stands as it was, and is held. What it needs more of stock, room and money is had
before it is applied; what it needs less of is given back after.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from kit.errors import FailedPrecondition, InvalidArgument
from services.orders.domain import changes, fraud, holds, joining
from services.orders.domain.amending import TOO_LATE, applied, begun, check_open, find, having
from services.orders.domain.fraud_policy import Band, FraudCheck
from services.orders.domain.fulfilment import moved
from services.orders.domain.model import (
    Change,
    ChangeKind,
    ChangeRefusal,
    Content,
    Decision,
    Fulfilment,
    Happening,
    Hold,
    HoldKind,
    Leg,
    Order,
    OrderChange,
    Units,
    Wanted,
    Window,
)
from services.orders.domain.plan import check_legs, counted, counted_ranges, place, unit_facts, units_in_words
from services.orders.domain.ranges import merged, whole
from services.orders.domain.states import (
    CHANGE_MOVES,
    OPEN_FULFILMENT,
    ChangeState,
    FulfilmentState,
    OrderState,
    UnitState,
    move,
)

# What the story of the order is told, and does.
PROPOSED = "order.change_proposed"
# Why the work of a point was cancelled, as its event tells.
REPLACED = "order_changed"
EXPIRED = "CHANGE_EXPIRED"


def content_of(order: Order, wanted: Wanted) -> Content:
    """What the order is once the change is applied: who sells it, and how it is paid, stay."""
    return replace(
        order.content,
        lines=wanted.lines,
        total=wanted.total,
        mode=wanted.mode,
        quote_id=wanted.quote_id,
        standard_shipping=wanted.standard_shipping,
    )


def are_texts_alone(order: Order, wanted: Wanted) -> bool:
    """Whether nothing differs but what is written for somebody: then there is nothing to plan or to pay."""
    same = replace(content_of(order, wanted), quote_id=order.content.quote_id) == order.content
    return wanted.other_texts and not wanted.other_address and same and not _lacks_units(order)


def change_texts(order: Order, actor: str, roles: Sequence[str], as_of: datetime) -> Decision:
    """Other texts for an order in cooling-off, at once: nothing is begun before. The caller writes them."""
    _check_in_cooling_off(order)
    changes.check_in_time(order, Change.LINES, roles)
    after = replace(having(order, applied(order, ChangeKind.CONTENT, actor, as_of)), updated_at=as_of)
    facts = {"change_id": after.changes[-1].change_id}
    text = "What is put on its units, or the gift message, was changed."
    return Decision(after, (Happening("order.texts_changed", text, as_of, facts, actor=actor),))


def _check_in_cooling_off(order: Order) -> None:
    check_open(order)
    if order.state is not OrderState.VALIDATED:
        raise FailedPrecondition(TOO_LATE, "too late: only in cooling-off", state=order.state.value)


def propose(order: Order, wanted: Wanted, actor: str, roles: Sequence[str], as_of: datetime) -> Decision:
    """An order in cooling-off is to become something else. Its content has been checked."""
    _check_in_cooling_off(order)
    if not all(one.settled for one in order.changes):
        raise FailedPrecondition("CHANGE_OPEN", "stock and money do not follow another change yet")
    for one in [Change.LINES, Change.ADDRESS] if wanted.other_address else [Change.LINES]:
        changes.check_in_time(order, one, roles)
    content = content_of(order, wanted)
    _check_taken(order, content)
    differs = content != order.content or wanted.other_address or wanted.other_texts
    if not differs and not _lacks_units(order):
        raise InvalidArgument("lines", "nothing of the order would change", reason="NOTHING_CHANGES")
    change = replace(begun(order, ChangeKind.CONTENT, ChangeState.PROPOSED, actor, as_of), wanted=wanted)
    hold = holds.begin(order, HoldKind.CHANGE, "it is being changed", as_of)
    after = replace(having(order, change), holds=(*order.holds, hold), updated_at=as_of)
    units = [Units(line.line_number, line.sku, line.quantity) for line in wanted.lines]
    text = f"A change was asked for: {units_in_words(units)} for {wanted.total}, instead of {order.content.total}."
    facts = {"change_id": change.change_id}
    return Decision(after, (Happening(PROPOSED, text, as_of, facts, actor=actor),))


def _check_taken(order: Order, content: Content) -> None:
    """What was taken along is sold: only what is sent becomes something else that is sent."""
    if content.taken != order.content.taken:
        raise InvalidArgument("lines", "what was taken along stays as it is", reason="TAKEN_ALONG")
    if not order.content.sent:
        raise FailedPrecondition(TOO_LATE, "too late: all of it was taken along", state=order.state.value)
    if not content.sent:
        raise InvalidArgument("lines", "without what is sent, the order is cancelled and not changed")


def _lacks_units(order: Order) -> bool:
    return any(one.state is UnitState.CANCELLED for one in order.ranges)


def apply(
    order: Order,
    change_id: str,
    legs: Sequence[Leg],
    promise: Window | None,
    decision_id: str,
    as_of: datetime,
    check: FraudCheck | None = None,
    onward: Leg | None = None,
) -> Decision:
    """proposed -> applied: the order is what was asked for, on a new plan. Unchanged when it was refused before.

    Cooling-off goes on as it began. `check`: what the fraud rules say of what it becomes; they may ask for a
    review, or refuse the change.
    """
    change = find(order, change_id)
    if change.wanted is None or change.state is not ChangeState.PROPOSED:
        return Decision(order)
    content = content_of(order, change.wanted)
    legs = joining.new_work(replace(order, content=content, fulfilments=()), legs, onward)
    check_legs(content, legs)
    if promise is None:
        raise InvalidArgument("promise", "a changed order has a promise to keep")
    new = tuple(whole(line.line_number, line.quantity) for line in content.sent)
    if counted(unit for leg in legs for unit in leg.lines) != counted_ranges(new):
        raise InvalidArgument("legs", "the plan does not cover the lines exactly", reason="PLAN_MISMATCH")
    if check and check.band is Band.REFUSE:
        return _suspected(order, change, check, as_of)
    before = replace(order, content=content, ranges=merged((*order.taken_ranges, *new)))
    ranges, created = place(before, legs, UnitState.RECORDED, decision_id)
    replaced = tuple(_replaced(one) for one in order.fulfilments)
    settling = replace(_decided(change, ChangeState.APPLIED, as_of), settled=False)
    after = replace(
        having(order, settling),
        content=content,
        ranges=ranges,
        fulfilments=(*replaced, *created),
        promise=promise,
        promise_changes=(),
        late_since=None,
        updated_at=as_of,
    )
    # From here on nothing but stock and money that follow lets it go on.
    held = (replace(one, until=None) if _is_of_change(one) else one for one in after.holds)
    after = replace(after, holds=(*held, *holds.of_legs(after, legs, created, as_of)))
    told = _told(order, after, change, created, as_of)
    if fraud.asks_for_review(order, check):
        review = holds.begin(after, HoldKind.FRAUD, fraud.REVIEW_REASON, as_of)
        after = replace(after, holds=(*after.holds, review))
        told = (*told, holds.told_of_beginning(after, review))
    checked = (fraud.told(check),) if check else ()
    return Decision(replace(after, fraud=fraud.of_changed(order, check)), (*told, *checked), created)


def _suspected(order: Order, change: OrderChange, check: FraudCheck, as_of: datetime) -> Decision:
    """What it would become is refused, as an order that is placed so would be; what it is was let pass."""
    refused = refuse(order, change.change_id, ChangeRefusal(fraud.REFUSAL.reason, fraud.REFUSAL.detail), as_of)
    return replace(refused, happenings=(fraud.told(check), *refused.happenings))


def refuse(order: Order, change_id: str, refusal: ChangeRefusal, as_of: datetime) -> Decision:
    """proposed -> refused: the order stands as it was, and is no longer held for it."""
    if not refusal.reason:
        raise InvalidArgument("refusal.reason", "a refusal has a reason")
    change = find(order, change_id)
    if change.state is not ChangeState.PROPOSED:
        return Decision(order)
    refused = replace(_decided(change, ChangeState.REFUSED, as_of), refusal=refusal)
    after = replace(having(order, refused), updated_at=as_of)
    met = holds.meet(after, HoldKind.CHANGE, "", as_of)
    return replace(met, happenings=(_told_refused(change, refusal, as_of), *met.happenings))


def overtaken(decision: Decision, now: datetime) -> Decision:
    """The decision, without a proposed change whose order went on, was cancelled, or waited long enough for it.

    What was had for it is given back by the story, which is told when it wants to apply it.
    """
    order = decision.order
    for change in order.changes:
        if change.state is not ChangeState.PROPOSED:
            continue
        plans_again = change.kind is ChangeKind.PLAN_AGAIN
        stands = order.state is (OrderState.RELEASED if plans_again else OrderState.VALIDATED)
        if stands and (plans_again or any(map(_is_of_change, order.holds))):
            continue
        refusal = (
            ChangeRefusal(EXPIRED, "it was not decided in time")
            if stands
            else ChangeRefusal(TOO_LATE, f"the order is {order.state.value}")
        )
        refused = replace(_decided(change, ChangeState.REFUSED, now), refusal=refusal, settled=not stands)
        told = _told_refused(change, refusal, now)
        return replace(decision, order=having(order, refused), happenings=(*decision.happenings, told))
    return decision


def _is_of_change(hold: Hold) -> bool:
    return hold.kind is HoldKind.CHANGE and hold.ended_at is None


def _decided(change: OrderChange, state: ChangeState, as_of: datetime) -> OrderChange:
    after = move("change", CHANGE_MOVES, change.state, state)
    return replace(change, state=after, decided_at=as_of, wanted=None)


def _replaced(work: Fulfilment) -> Fulfilment:
    """It waits for nothing: what was reserved for it to come is given back."""
    return replace(moved(work, FulfilmentState.CANCELLED), awaited=()) if work.state in OPEN_FULFILMENT else work


def _told(
    before: Order, after: Order, change: OrderChange, created: Sequence[Fulfilment], as_of: datetime
) -> tuple[Happening, ...]:
    promise, total = after.promise, after.content.total
    assert promise is not None, "it was checked"
    facts = {
        "change_id": change.change_id,
        "total_minor": total.amount_minor,
        "currency": total.currency,
        "promise": {"start": promise.start.isoformat(), "end": promise.end.isoformat()},
        "fulfilments": [
            {"fulfilment_id": one.fulfilment_id, "point_id": one.point_id, "lines": unit_facts(one.lines)}
            for one in created
        ],
    }
    units = units_in_words([line for one in created for line in one.lines])
    text = f"The order was changed: {units} for {total}, delivery promised until {promise.end:%-d %b %Y %H:%M %Z}."
    stopped = (
        Happening(
            "fulfilment.cancelled",
            f"The work of {now.point_id} was replaced.",
            as_of,
            {"reason": REPLACED},
            fulfilment=now,
        )
        for was, now in zip(before.fulfilments, after.fulfilments, strict=False)
        if was.state is not now.state
    )
    return Happening("order.changed", text, as_of, facts, actor=change.actor), *stopped


def _told_refused(change: OrderChange, refusal: ChangeRefusal, as_of: datetime) -> Happening:
    facts = {"change_id": change.change_id, "reason": refusal.reason}
    text = f"The change was refused: {refusal.reason}. The order stands as it was."
    return Happening("order.change_refused", text, as_of, facts, actor=change.actor)

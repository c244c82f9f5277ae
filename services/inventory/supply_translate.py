"""Between the messages of SupplyService and the domain's values. No rules: an odd value is passed on."""

from collections.abc import Iterable, Sequence
from datetime import date

from kit.errors import InvalidArgument
from kit.times import field_or_none, from_proto, to_proto
from oms.inventory.v1 import supply_service_pb2 as pb
from services.inventory import translate as t
from services.inventory.domain import future_holds, validation
from services.inventory.domain.future_holds import (
    FutureLine,
    FutureReservation,
    FutureShortfall,
    Share,
    Source,
    SourceKind,
)
from services.inventory.domain.preorder import Preorder, PreorderFigure
from services.inventory.domain.supply import (
    ExpectedDelivery,
    ExpectedKind,
    ExpectedState,
    FutureRules,
    Prospect,
    PutOutcome,
)
from services.inventory.future import FutureFigures
from services.inventory.supply_answers import DeliveryView

_KINDS = {
    pb.EXPECTED_KIND_ON_ORDER: ExpectedKind.ON_ORDER,
    pb.EXPECTED_KIND_IN_TRANSIT: ExpectedKind.IN_TRANSIT,
    pb.EXPECTED_KIND_SUPPLIER: ExpectedKind.SUPPLIER,
}
_KINDS_OUT = {kind: number for number, kind in _KINDS.items()}
_STATES = {
    pb.EXPECTED_STATE_EXPECTED: ExpectedState.EXPECTED,
    pb.EXPECTED_STATE_RECEIVED: ExpectedState.RECEIVED,
    pb.EXPECTED_STATE_CANCELLED: ExpectedState.CANCELLED,
}
_STATES_OUT = {state: number for number, state in _STATES.items()}
OUTCOMES = {
    PutOutcome.CREATED: pb.PUT_OUTCOME_CREATED,
    PutOutcome.CHANGED: pb.PUT_OUTCOME_CHANGED,
    PutOutcome.UNCHANGED: pb.PUT_OUTCOME_UNCHANGED,
    PutOutcome.STALE: pb.PUT_OUTCOME_STALE,
    PutOutcome.ENDED: pb.PUT_OUTCOME_ENDED,
}


# -- deliveries -------------------------------------------------------------------------------------------


def delivery_in(message: pb.ExpectedDelivery, field: str) -> ExpectedDelivery:
    """From the wire, without what is only answered. `field` is its place in the request."""
    return ExpectedDelivery(
        delivery_id=message.delivery_id,
        sku=message.sku,
        point_id=message.point_id,
        kind=_kind_in(message.kind, f"{field}.kind"),
        quantity=message.quantity,
        from_date=_date_in(message.from_date, f"{field}.from_date"),
        until_date=_date_in(message.until_date, f"{field}.until_date"),
        document=message.document,
        source=message.source,
        source_sequence=message.source_sequence,
        source_updated_at=field_or_none(message, "source_updated_at"),
    )


def delivery_out(view: DeliveryView) -> pb.ExpectedDelivery:
    """To the wire."""
    one = view.delivery
    return pb.ExpectedDelivery(
        delivery_id=one.delivery_id,
        document=one.document,
        sku=one.sku,
        point_id=one.point_id,
        kind=_KINDS_OUT[one.kind],
        quantity=one.quantity,
        from_date=one.from_date.isoformat(),
        until_date=one.until_date.isoformat(),
        source=one.source,
        source_sequence=one.source_sequence,
        source_updated_at=to_proto(one.source_updated_at) if one.source_updated_at else None,
        state=_STATES_OUT[one.state],
        received=one.received,
        held=view.held,
        overdue=view.overdue,
        cancel_reason=one.cancel_reason,
    )


def states_in(numbers: Sequence["pb.ExpectedState.ValueType"]) -> list[ExpectedState]:
    """From the wire."""
    for i, number in enumerate(numbers):
        if number not in _STATES:
            raise InvalidArgument(f"states[{i}]", "not a state of a delivery")
    return [_STATES[number] for number in numbers]


def shares_out(found: Iterable[Share]) -> list[pb.FutureShare]:
    """To the wire."""
    return [pb.FutureShare(reservation_id=one.reservation_id, quantity=one.quantity) for one in found]


def _kind_in(number: "pb.ExpectedKind.ValueType", field: str) -> ExpectedKind:
    if number not in _KINDS:
        raise InvalidArgument(field, "a kind is required")
    return _KINDS[number]


def _date_in(value: str, field: str) -> date:
    if not validation.is_date(value):
        raise InvalidArgument(field, "not a date of ISO 8601, for example 2027-01-02")
    return date.fromisoformat(value)


# -- rules and figures ------------------------------------------------------------------------------------


def rules_in(message: pb.FutureRules) -> FutureRules:
    """From the wire."""
    return FutureRules(
        kinds=tuple(_kind_in(kind, f"rules.kinds[{i}]") for i, kind in enumerate(message.kinds)),
        longest_promise_days=message.longest_promise_days,
        grace_days=message.grace_days,
        protection=tuple(t.rule_in(rule, f"rules.protection[{i}]") for i, rule in enumerate(message.protection)),
    )


def rules_out(rules: FutureRules) -> pb.FutureRules:
    """To the wire."""
    return pb.FutureRules(
        kinds=[_KINDS_OUT[kind] for kind in rules.kinds],
        longest_promise_days=rules.longest_promise_days,
        grace_days=rules.grace_days,
        protection=[t.rule_out(rule) for rule in rules.protection],
    )


def figures_out(figures: FutureFigures, *, explain: bool) -> pb.FutureAvailability:
    """To the wire."""
    return pb.FutureAvailability(
        sku=figures.sku,
        available_now=figures.available_now,
        future=[_window_out(one) for one in figures.prospects if one.available],
        preorder=sum(one.available for one in figures.preorders),
        zero_reason=figures.zero_reason,
        release_date=figures.release_date,
        under_embargo=figures.under_embargo,
        preorders=[_offer_out(one) for one in figures.preorders if not one.zero_reason],
        inputs=[_input_out(one) for one in figures.prospects] if explain else (),
        preorder_inputs=[_preorder_input_out(one) for one in figures.preorders] if explain else (),
    )


def _window_out(one: Prospect) -> pb.FutureWindow:
    return pb.FutureWindow(
        delivery_id=one.delivery.delivery_id,
        point_id=one.delivery.point_id,
        kind=_KINDS_OUT[one.delivery.kind],
        from_date=one.delivery.from_date.isoformat(),
        until_date=one.delivery.until_date.isoformat(),
        quantity=one.available,
    )


def _offer_out(one: PreorderFigure) -> pb.PreorderWindow:
    return pb.PreorderWindow(
        preorder_id=one.preorder.preorder_id,
        quantity=one.available,
        closes_at=to_proto(one.preorder.closes_at),
        release_at=to_proto(one.preorder.release_at),
    )


def _input_out(one: Prospect) -> pb.FutureInput:
    return pb.FutureInput(
        delivery_id=one.delivery.delivery_id,
        point_id=one.delivery.point_id,
        kind=_KINDS_OUT[one.delivery.kind],
        from_date=one.delivery.from_date.isoformat(),
        until_date=one.delivery.until_date.isoformat(),
        expected=one.delivery.quantity,
        received=one.delivery.received,
        held=one.held,
        protected=one.protected.quantity,
        protection_rule=one.protected.rule,
        available=one.available,
        zero_reason=one.zero_reason,
    )


def _preorder_input_out(one: PreorderFigure) -> pb.PreorderInput:
    return pb.PreorderInput(
        preorder_id=one.preorder.preorder_id,
        quantity=one.preorder.quantity,
        held=one.held,
        converted=one.preorder.converted,
        available=one.available,
        zero_reason=one.zero_reason,
    )


# -- pre-orders -------------------------------------------------------------------------------------------


def preorder_in(message: pb.Preorder, field: str) -> Preorder:
    """From the wire, without what is only answered. `field` is its place in the request."""
    for name in ("opens_at", "closes_at", "release_at"):
        if not message.HasField(name):
            raise InvalidArgument(f"{field}.{name}", "an instant is required")
    return Preorder(
        preorder_id=message.preorder_id,
        sku=message.sku,
        channel_id=message.channel_id,
        quantity=message.quantity,
        opens_at=from_proto(message.opens_at),
        closes_at=from_proto(message.closes_at),
        release_at=from_proto(message.release_at),
    )


def preorder_out(one: Preorder, held: int) -> pb.Preorder:
    """To the wire."""
    return pb.Preorder(
        preorder_id=one.preorder_id,
        sku=one.sku,
        channel_id=one.channel_id,
        quantity=one.quantity,
        opens_at=to_proto(one.opens_at),
        closes_at=to_proto(one.closes_at),
        release_at=to_proto(one.release_at),
        held=held,
        converted=one.converted,
    )


# -- reservations -----------------------------------------------------------------------------------------


def lines_in(messages: Sequence[pb.FutureLine]) -> tuple[FutureLine, ...]:
    """From the wire."""
    found = []
    for i, message in enumerate(messages):
        if message.WhichOneof("of") is None:
            raise InvalidArgument(f"lines[{i}].delivery_id", "a delivery or a pre-order is required")
        kind = SourceKind.DELIVERY if message.HasField("delivery_id") else SourceKind.PREORDER
        found.append(FutureLine(Source(kind, message.delivery_id or message.preorder_id), message.quantity))
    return tuple(found)


def lines_out(lines: Iterable[FutureLine]) -> list[pb.FutureLine]:
    """To the wire."""
    return [
        pb.FutureLine(
            **_named(line.source),
            quantity=line.quantity,
        )
        for line in lines
    ]


def reservation_out(reservation: FutureReservation | None) -> pb.FutureReservation | None:
    """To the wire, one line for each source."""
    life = t.reservation_out(reservation.life) if reservation else None
    if reservation is None or life is None:
        return None
    return pb.FutureReservation(
        reservation_id=life.reservation_id,
        channel_id=life.channel_id,
        state=life.state,
        expires_at=life.expires_at if life.HasField("expires_at") else None,
        lines=lines_out(future_holds.lines_of(reservation.held())),
    )


def shortfalls_out(shortfalls: Iterable[FutureShortfall]) -> list[pb.FutureShortfall]:
    """To the wire."""
    return [
        pb.FutureShortfall(
            **_named(one.source),
            requested=one.requested,
            available=one.available,
            zero_reason=one.zero_reason,
        )
        for one in shortfalls
    ]


def difference_out(source: Source, open_units: int, held: int) -> pb.SupplyDifference:
    """To the wire."""
    return pb.SupplyDifference(
        **_named(source),
        open=open_units,
        held=held,
    )


def _named(source: Source) -> dict[str, str]:
    return {f"{source.kind}_id": source.source_id}

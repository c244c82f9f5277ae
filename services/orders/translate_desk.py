"""The desk of customer service between messages and records."""

from kit import times
from kit.values.money import Money
from oms.orders.v1 import desk_service_pb2 as pb
from services.orders import translate as to
from services.orders import wire
from services.orders.desk_store import Blocked, Reason, Totals
from services.orders.domain.desk import Act, Effect, MovedUnits, Possible, Wish


def to_wish(message: pb.ActWish) -> Wish:
    """From the wire. InvalidArgument / wish.act for an act that there is not."""
    return Wish(
        wire.one_of(Act, message.act, "wish.act"),
        message.target_id,
        tuple(to.to_units(message.lines)),
        message.reason,
        times.field_or_none(message, "until"),
        message.choice,
        message.point_id,
        wire.to_money(message, "amount"),
        message.reason_code,
    )


def from_possible(one: Possible) -> pb.PossibleAct:
    """To the wire."""
    return pb.PossibleAct(
        act=one.act.value,
        target_id=one.target_id,
        refusal_reason=one.refusal.reason if one.refusal else "",
        refusal=one.refusal_text,
        effect=_from_effect(one.effect) if one.effect else None,
        limit=wire.from_money(one.limit) if one.limit else None,
    )


def _from_effect(one: Effect) -> pb.ActEffect:
    return pb.ActEffect(
        sentences=one.sentences,
        state=to.from_order_state(one.state),
        units=[_from_moved(each) for each in one.units],
        no_longer_due=wire.from_money(one.no_longer_due),
        refunded=wire.from_money(one.refunded),
    )


def _from_moved(one: MovedUnits) -> pb.MovedUnits:
    return pb.MovedUnits(
        line_number=one.line_number,
        sku=one.sku,
        quantity=one.quantity,
        from_state=one.before.value,
        to_state=one.after.value,
        point_id=one.point_id,
    )


def from_blocked(one: Blocked) -> pb.BlockedOrder:
    """To the wire."""
    return pb.BlockedOrder(
        order_id=one.order_id,
        channel_id=one.channel_id,
        channel_order_number=one.channel_order_number,
        brands=one.brands,
        state=to.from_order_state(one.state),
        fine_status=one.fine_status,
        total=wire.from_money(Money(one.total_minor, one.currency)),
        placed_at=times.to_proto(one.placed_at),
        promise=wire.from_window(one.promise),
        current_promise=wire.from_window(one.current_promise),
        urgent_at=times.to_proto(one.urgent_at),
        reasons=[_from_reason(each) for each in one.reasons],
        point_ids=one.point_ids,
    )


def _from_reason(one: Reason) -> pb.BlockReason:
    return pb.BlockReason(
        reason=one.reason,
        detail=one.detail,
        since=times.to_proto(one.since),
        due_at=wire.from_instant(one.due_at),
        then=one.then,
        hold_id=one.hold_id,
        fulfilment_id=one.fulfilment_id,
        refund_id=one.refund_id,
    )


def from_totals(one: Totals) -> pb.CustomerTotals:
    """To the wire."""
    return pb.CustomerTotals(
        orders=one.orders,
        open_orders=one.open_orders,
        cancelled_orders=one.cancelled_orders,
        late_orders=one.late_orders,
        missed_appointments=one.missed_appointments,
        failed_deliveries=one.failed_deliveries,
        ordered_units=one.ordered_units,
        kept_units=one.kept_units,
        returned_units=one.returned_units,
        money=[
            pb.CustomerMoney(
                ordered=wire.from_money(Money(each.ordered_minor, each.currency)),
                captured=wire.from_money(Money(each.captured_minor, each.currency)),
                refunded=wire.from_money(Money(each.refunded_minor, each.currency)),
                kept=wire.from_money(Money(max(0, each.captured_minor - each.refunded_minor), each.currency)),
            )
            for each in one.money
        ],
    )

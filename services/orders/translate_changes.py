"""Protobuf messages of changes to domain records and back."""

from collections.abc import Iterable
from dataclasses import replace

from kit.values.money import Money
from oms.orders.v1 import change_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2
from services.orders.amending import Proposal
from services.orders.domain.dues import due_minor
from services.orders.domain.model import (
    Address,
    ChangeKind,
    ChangeRefusal,
    DeliveryOption,
    Wanted,
)
from services.orders.domain.planning_again import leaving
from services.orders.domain.planning_again import wanted as planned_again
from services.orders.domain.states import HELD_UNITS
from services.orders.translate import (
    from_change,
    from_fulfilment,
    from_mode,
    line_facts,
    to_line,
    to_mode,
    to_refusal,
)
from services.orders.wire import from_instant, from_money, to_money, to_window


def to_address(message: orders.Address) -> Address:
    """From the wire."""
    return Address(message.name, tuple(message.street_lines), message.postcode, message.city, message.country)


def to_wanted(message: pb.ProposeChangeRequest) -> Wanted:
    """What the order is to become."""
    return Wanted(
        lines=tuple(sorted(map(to_line, message.lines), key=lambda line: line.line_number)),
        total=Money(message.total.amount_minor, message.total.currency),
        mode=to_mode(message.mode),
        quote_id=message.quote_id,
        standard_shipping=to_money(message, "standard_shipping"),
        accepts_later=message.accepts_later,
    )


def to_change_refusal(message: pb.RefuseChangeRequest) -> ChangeRefusal:
    """Why not, and what could be had instead."""
    refusal = to_refusal(message.refusal)
    return ChangeRefusal(refusal.reason, refusal.detail, refusal.lines, to_options(message.options))


def to_options(messages: Iterable[orders.ChangeOption]) -> tuple[DeliveryOption, ...]:
    """Those that say when."""
    return tuple(
        DeliveryOption(
            to_mode(one.mode),
            window,
            to_money(one, "price"),
            one.parcels,
            one.point_id,
        )
        for i, one in enumerate(messages)
        if (window := to_window(one.window, f"options[{i}].window"))
    )


def from_proposal(one: Proposal) -> pb.GetProposalResponse:
    """Without a name or a street; what was decided already has nothing to carry out."""
    content, wanted = one.order.content, one.change.wanted
    held = {units.fulfilment_id for units in one.order.ranges if units.state in HELD_UNITS}
    lines = tuple(line for line in wanted.lines if not line.taken_at_point_id) if wanted else ()
    if one.change.kind is ChangeKind.PLAN_AGAIN:
        units = planned_again(one.order, one.change)
        lines = tuple(
            replace(line, quantity=count) for line in content.lines if (count := units[line.line_number])
        )
    return pb.GetProposalResponse(
        change=from_change(one.change),
        destination=type_pb2.Destination(country=one.country, postcode=one.postcode),
        mode=from_mode(wanted.mode) if wanted else type_pb2.DELIVERY_MODE_UNSPECIFIED,
        quote_id=wanted.quote_id if wanted else "",
        total=from_money(wanted.total) if wanted else None,
        lines=map(line_facts, lines),
        accepts_later=wanted.accepts_later if wanted else False,
        due=from_money(Money(due_minor(one.order), content.total.currency)),
        fulfilments=[from_fulfilment(work) for work in one.order.fulfilments if work.fulfilment_id in held],
        cooling_off_until=from_instant(one.order.cooling_off_until),
        leaving_fulfilment_ids=[work.fulfilment_id for work in leaving(one.order, one.change.point_id)],
    )

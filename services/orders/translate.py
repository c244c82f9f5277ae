"""Protobuf messages of orders to domain records and back; money and holds have modules of their own."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Literal

from kit import times
from kit.errors import InvalidArgument
from kit.values.money import Money
from oms.orders.v1 import change_service_pb2 as change_pb
from oms.orders.v1 import orders_service_pb2 as pb
from oms.type.v1 import type_pb2
from services.orders.domain.model import (
    AUTHORISE_AHEAD_SECONDS,
    LOSS_DECISION_SECONDS,
    Address,
    Buyer,
    CaptureMoment,
    Competition,
    Content,
    Customer,
    CustomerChoice,
    DeliveryMode,
    DeliveryOption,
    DiscountShare,
    Fallback,
    Fulfilment,
    GoodwillCap,
    LatenessRule,
    Leg,
    LifeCycle,
    Line,
    LostParcel,
    Order,
    OrderChange,
    PaymentTerms,
    PersonalText,
    PromiseChange,
    Refusal,
    RefusedLine,
    SalesChannel,
    Trade,
    Units,
)
from services.orders.domain.pricing import taken_minor
from services.orders.domain.states import FulfilmentState, OrderState
from services.orders.domain.status import labels
from services.orders.reading import Obligation, TimelineEntry
from services.orders.store import View
from services.orders.translate_appointment import from_appointment
from services.orders.translate_collection import from_collection, from_locker, from_put_back, from_units
from services.orders.translate_collection import from_terms as from_collection_terms
from services.orders.translate_collection import to_terms as to_collection_terms
from services.orders.translate_documents import to_terms
from services.orders.translate_fraud import from_check, from_policy, to_policy
from services.orders.translate_holds import from_change_rule, from_hold, from_hold_rule, from_label, to_rules
from services.orders.translate_money import from_charge, from_payment, from_refund, to_payment
from services.orders.translate_notifications import from_rule as from_notification_rule
from services.orders.translate_notifications import to_rules as to_notification_rules
from services.orders.translate_parcels import from_parcel
from services.orders.translate_trial import from_terms, from_trial
from services.orders.translate_trial import to_terms as to_trial_terms
from services.orders.wire import from_instant, from_money, from_window, one_of, to_money, to_window

# -- to the domain ----------------------------------------------------------------------------------------


def to_channel(message: pb.SalesChannel) -> SalesChannel:
    return SalesChannel(
        message.channel_id,
        message.name,
        message.currency,
        tuple(message.brands),
        message.life_cycle_id,
        tuple(Trade(one.name, one.life_cycle_id) for one in message.trades),
        to_terms(message.documents),
        tuple(message.till_payments),
    )


def to_life_cycle(message: pb.LifeCycle) -> LifeCycle:
    return LifeCycle(
        message.life_cycle_id,
        message.version,
        message.cooling_off_seconds,
        message.offer_seconds,
        message.payment_action_seconds,
        message.reroute_limit,
        message.promise_tolerance_seconds,
        tuple(LatenessRule(one.late_seconds, one.fee_basis_points) for one in message.lateness_rules),
        one_of(CaptureMoment, message.capture_at or CaptureMoment.SHIPMENT, "life_cycle.capture_at"),
        tuple(GoodwillCap(one.role, one.currency, one.amount_minor) for one in message.goodwill_caps),
        *to_rules(message),
        message.prepare_ahead_seconds,
        message.lost_after_days,
        one_of(LostParcel, message.lost_parcel or LostParcel.ASK, "life_cycle.lost_parcel"),
        message.loss_decision_seconds or LOSS_DECISION_SECONDS,
        _to_competition(message),
        to_policy(message),
        to_trial_terms(message),
        message.authorise_ahead_seconds or AUTHORISE_AHEAD_SECONDS,
        to_notification_rules(message),
        to_collection_terms(message),
        message.consolidates,
    )


def _to_competition(message: pb.LifeCycle) -> Competition | None:
    if not message.HasField("competition"):
        return None
    one = message.competition
    fallback = one_of(Fallback, one.fallback or Fallback.PLANNED, "life_cycle.competition.fallback")
    return Competition(tuple(one.rings), one.ring_seconds, fallback)


_MODES = {type_pb2.DeliveryMode.Value(f"DELIVERY_MODE_{mode.name}"): mode for mode in DeliveryMode}
_MODE_NUMBERS = {mode: number for number, mode in _MODES.items()}


def to_mode(number: "type_pb2.DeliveryMode.ValueType") -> DeliveryMode | Literal[""]:
    """Empty when it was left out."""
    return _MODES.get(number, "")


def from_mode(mode: DeliveryMode | Literal[""]) -> "type_pb2.DeliveryMode.ValueType":
    """To the wire."""
    return _MODE_NUMBERS[mode] if mode else type_pb2.DELIVERY_MODE_UNSPECIFIED


def to_content(message: pb.OrderContent) -> Content:
    return Content(
        channel_id=message.channel_id,
        channel_order_number=message.channel_order_number,
        lines=tuple(to_line(line) for line in message.lines),
        total=Money(message.total.amount_minor, message.total.currency),
        mode=to_mode(message.mode),
        quote_id=message.quote_id,
        payment=to_payment(message.payment),
        source_placed_at=times.field_or_none(message, "source_placed_at"),
        basket_id=message.basket_id,
        standard_shipping=to_money(message, "standard_shipping"),
        trade=message.trade,
        booking_id=message.booking_id,
        may_wait=message.may_wait,
        collect_at_point_id=message.collect_at_point_id,
    )


def to_buyer(message: pb.OrderContent) -> Buyer:
    who, where = message.customer, message.ship_to
    return Buyer(
        Customer(who.customer_id, who.name, who.email, who.phone, who.language, tuple(who.notify_by)),
        Address(where.name, tuple(where.street_lines), where.postcode, where.city, where.country),
        to_texts(message.lines),
        message.gift_message,
    )


def to_line(message: pb.OrderLine) -> Line:
    return Line(
        line_number=message.line_number,
        sku=message.sku,
        brand=message.brand,
        title=message.title,
        quantity=message.quantity,
        net_minor=message.net_minor,
        tax_minor=message.tax_minor,
        tax_rate_basis_points=message.tax_rate_basis_points,
        shipping_minor=message.shipping_minor,
        discounts=tuple(DiscountShare(one.code, one.amount_minor) for one in message.discounts),
        taken_at_point_id=message.taken_at_point_id,
        personalisations=tuple(one.name for one in message.personalisations),
        allow_substitutes=message.allow_substitutes,
    )


def to_texts(lines: Iterable[pb.OrderLine]) -> tuple[PersonalText, ...]:
    """What is to be put on the units of lines, in the order of their numbers."""
    ordered = sorted(lines, key=lambda line: line.line_number)
    return tuple(
        PersonalText(line.line_number, one.name, one.text) for line in ordered for one in line.personalisations
    )


def to_legs(messages: Iterable[pb.PlannedLeg]) -> list[Leg]:
    return [_to_leg(one, f"legs[{i}]") for i, one in enumerate(messages)]


def to_onward(
    message: pb.AcceptOrderRequest | pb.RerouteUnitsRequest | change_pb.ApplyChangeRequest,
) -> Leg | None:
    """What goes on from a hub; None where nothing meets."""
    return _to_leg(message.onward, "onward") if message.HasField("onward") else None


def _to_leg(one: pb.PlannedLeg, path: str) -> Leg:
    return Leg(
        point_id=one.point_id,
        carrier_id=one.carrier_id,
        service_id=one.service_id,
        lines=tuple(to_units(one.lines)),
        window=to_window(one.window, f"{path}.window"),
        hand_over_by=times.field_or_none(one, "hand_over_by"),
        latest_start=times.field_or_none(one, "latest_start"),
        next_hand_over_by=times.field_or_none(one, "next_hand_over_by"),
        next_window=to_window(one.next_window, f"{path}.next_window"),
        hand_over_from=times.field_or_none(one, "hand_over_from"),
        waits_until=times.field_or_none(one, "waits_until"),
        via_point_id=one.via_point_id,
        plain_lines=tuple(one.plain_lines),
    )


def to_units(messages: Iterable[pb.PlannedLine]) -> list[Units]:
    return [Units(one.line_number, one.sku, one.quantity, one.supply_id) for one in messages]


def to_refusal(message: pb.Refusal) -> Refusal:
    lines = tuple(
        RefusedLine(one.line_number, one.sku, one.requested, one.available, one.reason) for one in message.lines
    )
    return Refusal(message.reason, message.detail, lines)


def to_order_state(number: pb.OrderState.ValueType) -> OrderState | None:
    """None when it is unspecified."""
    if number == pb.ORDER_STATE_UNSPECIFIED:
        return None
    if number not in pb.OrderState.values():
        raise InvalidArgument("state", "there is no such state")
    return OrderState[pb.OrderState.Name(number).removeprefix("ORDER_STATE_")]


def to_fulfilment_states(numbers: Sequence[pb.FulfilmentState.ValueType]) -> list[FulfilmentState]:
    states = []
    for i, number in enumerate(numbers):
        if number == pb.FULFILMENT_STATE_UNSPECIFIED or number not in pb.FulfilmentState.values():
            raise InvalidArgument(f"states[{i}]", "there is no such state")
        states.append(FulfilmentState[pb.FulfilmentState.Name(number).removeprefix("FULFILMENT_STATE_")])
    return states


def from_obligation(one: Obligation) -> pb.Obligation:
    """To the wire."""

    def money(minor: int | None) -> type_pb2.Money | None:
        return None if minor is None else type_pb2.Money(amount_minor=minor, currency=one.currency)

    return pb.Obligation(
        order_id=one.order_id,
        state=from_order_state(one.state),
        driven=one.driven,
        in_flux=one.in_flux,
        units=[pb.ObligedUnits(sku=sku, point_id=at, quantity=quantity) for sku, at, quantity in one.units],
        captured=money(one.captured_minor),
        refunded=money(one.refunded_minor),
        prepared_at=one.prepared_at,
        awaited=[pb.AwaitedSupply(supply_id=supply_id, quantity=count) for supply_id, count in one.awaited],
    )


# -- from the domain --------------------------------------------------------------------------------------


def from_order_state(state: OrderState) -> pb.OrderState.ValueType:
    return pb.OrderState.Value(f"ORDER_STATE_{state.name}")


def from_fulfilment_state(state: FulfilmentState) -> pb.FulfilmentState.ValueType:
    return pb.FulfilmentState.Value(f"FULFILMENT_STATE_{state.name}")


def from_life_cycle(one: LifeCycle) -> pb.LifeCycle:
    return pb.LifeCycle(
        life_cycle_id=one.life_cycle_id,
        version=one.version,
        cooling_off_seconds=one.cooling_off_seconds,
        offer_seconds=one.offer_seconds,
        payment_action_seconds=one.payment_action_seconds,
        reroute_limit=one.reroute_limit,
        promise_tolerance_seconds=one.promise_tolerance_seconds,
        lateness_rules=[
            pb.LatenessRule(late_seconds=rule.late_seconds, fee_basis_points=rule.fee_basis_points)
            for rule in one.lateness_rules
        ],
        capture_at=one.capture_at.value,
        goodwill_caps=[
            pb.GoodwillCap(role=cap.role, currency=cap.currency, amount_minor=cap.amount_minor)
            for cap in one.goodwill_caps
        ],
        hold_rules=[from_hold_rule(rule) for rule in one.hold_rules],
        change_rules=[from_change_rule(rule) for rule in one.change_rules],
        labels=[from_label(label) for label in one.labels],
        prepare_ahead_seconds=one.prepare_ahead_seconds,
        lost_after_days=one.lost_after_days,
        lost_parcel=one.lost_parcel.value,
        loss_decision_seconds=one.loss_decision_seconds,
        competition=_from_competition(one.competition),
        fraud=from_policy(one.fraud),
        trial=from_terms(one),
        authorise_ahead_seconds=one.authorise_ahead_seconds,
        notifications=[from_notification_rule(rule) for rule in one.notifications],
        collection=from_collection_terms(one),
        consolidates=one.consolidates,
    )


def _from_competition(one: Competition | None) -> pb.Competition | None:
    if one is None:
        return None
    return pb.Competition(rings=one.rings, ring_seconds=one.ring_seconds, fallback=one.fallback.value)


def from_address(one: Address) -> pb.Address:
    return pb.Address(
        name=one.name,
        street_lines=one.street_lines,
        postcode=one.postcode,
        city=one.city,
        country=one.country,
    )


def from_view(view: View) -> pb.Order:
    one = view.order
    return pb.Order(
        order_id=one.order_id,
        state=from_order_state(one.state),
        customer_status=view.customer_status,
        fine_status=view.fine_status,
        content=_from_content(one.content, view.buyer),
        life_cycle=from_life_cycle(one.life_cycle),
        placed_at=from_instant(one.placed_at),
        promise=from_window(one.promise),
        cooling_off_until=from_instant(one.cooling_off_until),
        refusal=from_refusal(one.refusal) if one.refusal else None,
        ranges=[
            pb.LineRange(
                line_number=units.line_number,
                from_unit=units.from_unit,
                to_unit=units.to_unit,
                state=units.state.value,
                fulfilment_id=units.fulfilment_id,
            )
            for units in one.ranges
        ],
        fulfilments=[from_fulfilment(work) for work in one.fulfilments],
        next_action_url=one.next_action_url,
        cancellation_reason=one.cancellation_reason,
        updated_at=from_instant(one.updated_at),
        current_promise=from_window(one.current_promise),
        promise_changes=[_from_promise_change(change) for change in one.promise_changes],
        late_since=from_instant(one.late_since),
        compensation=_from_compensation(one),
        charge=from_charge(one),
        payment_failed_since=from_instant(view.payment_failed_since),
        refunds=[from_refund(each) for each in one.refunds],
        holds=[from_hold(each) for each in one.holds],
        customer_labels=[from_label(label) for label in labels(one)],
        undecided_loss_since=from_instant(view.undecided_loss_since),
        unclaimed_since=from_instant(one.unclaimed_since),
        appointment=from_appointment(one.appointment),
        fraud=from_check(one.fraud),
        changes=[from_change(each) for each in one.changes],
        trial=from_trial(one.trial),
        choices=[from_choice(each) for each in one.choices],
        erased_at=from_instant(one.erased_at),
    )


def from_change(one: OrderChange) -> pb.OrderChange:
    """Without what was asked for: an applied one is the order."""
    refusal = one.refusal
    return pb.OrderChange(
        change_id=one.change_id,
        kind=one.kind.value,
        state=one.state.value,
        asked_at=from_instant(one.asked_at),
        actor=one.actor,
        decided_at=from_instant(one.decided_at),
        settled=one.settled,
        refusal=from_refusal(Refusal(refusal.reason, refusal.detail, refusal.lines)) if refusal else None,
        options=[from_option(option) for option in (refusal.options if refusal else ())],
        point_id=one.point_id,
    )


def from_option(option: DeliveryOption) -> pb.ChangeOption:
    """To the wire."""
    return pb.ChangeOption(
        mode=from_mode(option.mode),
        window=from_window(option.window),
        price=from_money(option.price) if option.price else None,
        parcels=option.parcels,
        point_id=option.point_id,
    )


def from_choice(one: CustomerChoice) -> pb.CustomerChoice:
    """What the customer was asked."""
    return pb.CustomerChoice(
        choice_id=one.choice_id,
        fulfilment_id=one.fulfilment_id,
        point_id=one.point_id,
        reason=one.reason,
        lines=from_units(one.units),
        options=map(from_option, one.options),
        asked_at=from_instant(one.asked_at),
        until=from_instant(one.until),
        kind=one.kind,
        chosen_point_id=one.chosen_point_id,
        decided_at=from_instant(one.decided_at),
        actor=one.actor,
    )


def _from_compensation(one: Order) -> type_pb2.Money | None:
    if not one.compensation_minor:
        return None
    return from_money(Money(one.compensation_minor, one.content.total.currency))


def _from_promise_change(one: PromiseChange) -> pb.PromiseChange:
    return pb.PromiseChange(
        at=from_instant(one.at),
        window=from_window(one.window),
        parcels=[
            pb.ParcelPromise(
                fulfilment_id=parcel.fulfilment_id, window=from_window(parcel.window), cause=parcel.cause.value
            )
            for parcel in one.parcels
        ],
    )


def from_facts(view: View) -> pb.OrderFacts:
    """What a workflow may know: no name, no street."""
    one: Order = view.order
    content = one.content
    return pb.OrderFacts(
        order_id=one.order_id,
        channel_id=content.channel_id,
        destination=from_destination(view),
        mode=from_mode(content.mode),
        quote_id=content.quote_id,
        basket_id=content.basket_id,
        booking_id=content.booking_id,
        may_wait=content.may_wait,
        total=from_money(content.total),
        payment=_payment_fact(content.payment, view.buyer),
        lines=_line_facts(content.sent),
        taken=_taken_facts(content),
        life_cycle=from_life_cycle(
            replace(one.life_cycle, cooling_off_seconds=one.cooling_off_seconds, fraud=None, notifications=())
        ),
        placed_at=from_instant(one.placed_at),
    )


def from_destination(view: View) -> type_pb2.Destination:
    """Where it goes, as coarse as planning needs it; or is collected, with whatever is known of its customer."""
    where, point_id = view.buyer.ship_to, view.order.content.collect_at_point_id
    if point_id and not (where.country and where.postcode):
        return type_pb2.Destination(point_id=point_id)
    return type_pb2.Destination(country=where.country, postcode=where.postcode, point_id=point_id)


def _line_facts(lines: Iterable[Line]) -> list[pb.LineFacts]:
    return [line_facts(line) for line in lines]


def line_facts(line: Line) -> pb.LineFacts:
    """With the names of what is put on it, and no text."""
    return pb.LineFacts(
        line_number=line.line_number,
        sku=line.sku,
        quantity=line.quantity,
        personalisations=line.personalisations,
    )


def _taken_facts(content: Content) -> pb.TakenFacts | None:
    taken = content.taken
    if not taken:
        return None
    return pb.TakenFacts(
        point_id=taken[0].taken_at_point_id,
        lines=_line_facts(taken),
        amount=from_money(Money(taken_minor(taken), content.total.currency)),
    )


def _from_content(content: Content, buyer: Buyer) -> pb.OrderContent:
    who = buyer.customer
    return pb.OrderContent(
        channel_id=content.channel_id,
        channel_order_number=content.channel_order_number,
        customer=pb.Customer(
            customer_id=who.customer_id,
            name=who.name,
            email=who.email,
            phone=who.phone,
            language=who.language,
            notify_by=who.notify_by,
        ),
        ship_to=from_address(buyer.ship_to),
        lines=[_from_line(line, buyer) for line in content.lines],
        total=from_money(content.total),
        mode=from_mode(content.mode),
        quote_id=content.quote_id,
        payment=from_payment(content.payment),
        source_placed_at=from_instant(content.source_placed_at),
        basket_id=content.basket_id,
        standard_shipping=from_money(content.standard_shipping) if content.standard_shipping else None,
        trade=content.trade,
        booking_id=content.booking_id,
        may_wait=content.may_wait,
        collect_at_point_id=content.collect_at_point_id,
        gift_message=buyer.gift_message,
    )


def _payment_fact(one: PaymentTerms, buyer: Buyer) -> pb.PaymentTerms:
    """With the customer's id: of means that only their owner may use, and of a credit note that gives back."""
    message = from_payment(one)
    message.customer_ref = buyer.customer.customer_id
    return message


def _from_line(line: Line, buyer: Buyer) -> pb.OrderLine:
    texts = {one.name: one.text for one in buyer.personalisations if one.line_number == line.line_number}
    return pb.OrderLine(
        line_number=line.line_number,
        sku=line.sku,
        brand=line.brand,
        title=line.title,
        quantity=line.quantity,
        net_minor=line.net_minor,
        tax_minor=line.tax_minor,
        tax_rate_basis_points=line.tax_rate_basis_points,
        shipping_minor=line.shipping_minor,
        discounts=[pb.DiscountShare(code=one.code, amount_minor=one.amount_minor) for one in line.discounts],
        taken_at_point_id=line.taken_at_point_id,
        personalisations=[
            pb.Personalisation(name=name, text=texts.get(name, "")) for name in line.personalisations
        ],
        allow_substitutes=line.allow_substitutes,
    )


def from_refusal(one: Refusal) -> pb.Refusal:
    return pb.Refusal(
        reason=one.reason,
        detail=one.detail,
        lines=[
            pb.RefusedLine(
                line_number=line.line_number,
                sku=line.sku,
                requested=line.requested,
                available=line.available,
                reason=line.reason,
            )
            for line in one.lines
        ],
    )


def from_fulfilment(one: Fulfilment) -> pb.Fulfilment:
    return pb.Fulfilment(
        fulfilment_id=one.fulfilment_id,
        order_id=one.order_id,
        point_id=one.point_id,
        carrier_id=one.carrier_id,
        service_id=one.service_id,
        state=from_fulfilment_state(one.state),
        lines=[
            pb.FulfilmentLine(
                line_number=line.line_number,
                sku=line.sku,
                quantity=line.quantity,
                title=line.title,
                personalisations=line.personalisations,
                ordered_sku=line.ordered_sku,
            )
            for line in one.lines
        ],
        window=from_window(one.window),
        hand_over_by=from_instant(one.hand_over_by),
        offer_deadline=from_instant(one.offer_deadline),
        refusal_reason=one.refusal_reason,
        parcel=from_parcel(one.parcel) if one.parcel else None,
        round=one.round,
        decision_id=one.decision_id,
        latest_start=from_instant(one.latest_start),
        next_hand_over_by=from_instant(one.next_hand_over_by),
        next_window=from_window(one.next_window),
        start_missed_at=from_instant(one.start_missed_at),
        hand_over_from=from_instant(one.hand_over_from),
        replaces=one.replaces,
        unclaimed_since=from_instant(one.unclaimed_since),
        taken=one.taken,
        awaited=[
            pb.AwaitedUnits(
                line_number=units.line_number,
                sku=units.sku,
                quantity=units.quantity,
                supply_id=units.supply_id,
                due_at=from_instant(units.due_at),
            )
            for units in one.awaited
        ],
        personalising_since=from_instant(one.personalising_since),
        personalised_at=from_instant(one.personalised_at),
        collected=one.is_collected,
        collection=from_collection(one.collection) if one.collection else None,
        picking=from_picking(one),
        put_back=from_put_back(one.put_back),
        joins=one.joins,
        consolidates=one.consolidates,
        locker=from_locker(one),
    )


def from_picking(one: Fulfilment) -> pb.Picking | None:
    """None unless somebody picks it now."""
    if one.picking is None or one.state != FulfilmentState.ACCEPTED:
        return None
    return pb.Picking(
        pick_list_id=one.picking.pick_list_id,
        slot=one.picking.slot,
        actor=one.picking.actor,
        since=from_instant(one.picking.since),
    )


def from_entry(entry: TimelineEntry) -> pb.TimelineEntry:
    return pb.TimelineEntry(
        entry_id=entry.entry_id,
        at=from_instant(entry.at),
        kind=entry.kind,
        text=entry.text,
        actor=entry.actor,
        fulfilment_id=entry.fulfilment_id,
        data_json=json.dumps(entry.data),
    )

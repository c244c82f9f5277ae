"""Between protos and the domain. Translates, never judges; what cannot be a domain value names its field."""

from collections.abc import Iterable
from datetime import UTC, date, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kit import times
from kit.errors import InvalidArgument
from kit.values.money import Money
from oms.inventory.v1 import inventory_service_pb2 as inventory_pb
from oms.promise.v1 import promise_service_pb2 as pb
from oms.type.v1 import type_pb2
from services.promise.domain import network as n
from services.promise.domain import plans as p
from services.promise.domain.listing import Listed, ListedOption
from services.promise.domain.modes import TERMS
from services.promise.domain.takings import LegPlace

MODES = {type_pb2.DeliveryMode.Value(f"DELIVERY_MODE_{mode.name}"): mode for mode in n.Mode}
MODES_BACK = {mode: number for number, mode in MODES.items()}
POINT_TYPES = {
    type_pb2.POINT_TYPE_WAREHOUSE: n.PointType.WAREHOUSE,
    type_pb2.POINT_TYPE_STORE: n.PointType.STORE,
    type_pb2.POINT_TYPE_SUPPLIER: n.PointType.SUPPLIER,
    type_pb2.POINT_TYPE_PARTNER: n.PointType.PARTNER,
}
POINT_TYPES_BACK = {point_type: number for number, point_type in POINT_TYPES.items()}


# -- inventory's feed -----------------------------------------------------------------------------------------


def to_item(item: inventory_pb.Item) -> n.Item:
    """What planning needs of an item."""
    shortest, middle, longest = sorted((item.length_millimetres, item.width_millimetres, item.height_millimetres))
    return n.Item(
        sku=item.sku,
        brand=item.brand,
        weight_grams=item.weight_grams,
        longest_side_millimetres=longest,
        other_sides_millimetres=(middle, shortest),
        tags=frozenset(item.tags),
        prices={one.channel_id: _to_money(one.price) for one in item.prices},
        release_date=date.fromisoformat(item.release_date) if item.release_date else None,
        personalisations={
            one.name: n.Personalisation(one.capability, one.work_minutes, one.required)
            for one in item.personalisations
        },
    )


def to_point(point: inventory_pb.StockPoint) -> n.Point:
    """What planning needs of a point."""
    return n.Point(
        point_id=point.point_id,
        type=POINT_TYPES[point.type],
        position=_position(point.position),
        country=point.country,
        subdivision=point.subdivision,
        postcode=point.postcode,
        time_zone=point.time_zone,
        openings=tuple(n.Opening(o.weekday, o.opens_minute, o.closes_minute) for o in point.opening_hours),
        closed_dates=frozenset(date.fromisoformat(day) for day in point.closed_dates),
        open_on_public_holidays=point.open_on_public_holidays,
        collections=tuple(n.Collection(c.carrier_id, c.weekday, c.cut_off_minute) for c in point.collections),
        capabilities=frozenset(point.capabilities),
        handling_minutes=point.handling_minutes,
        brands=frozenset(point.brands),
        daily_capacity=point.daily_capacity,
    )


# -- requests -------------------------------------------------------------------------------------------------


def to_carriers(carriers: Iterable[pb.Carrier]) -> list[n.Carrier]:
    """Carriers with their services, zones ascending as given."""
    return [
        n.Carrier(
            carrier.carrier_id,
            tuple(
                _to_service(service, f"carriers[{i}].services[{j}]") for j, service in enumerate(carrier.services)
            ),
            carrier.name,
            tuple(_to_pause(pause, f"carriers[{i}].pauses[{j}]") for j, pause in enumerate(carrier.pauses)),
        )
        for i, carrier in enumerate(carriers)
    ]


def _to_pause(pause: pb.CarrierPause, where: str) -> n.CarrierPause:
    from_at = times.field_or_none(pause, "from_at")
    if from_at is None:
        raise InvalidArgument(f"{where}.from_at", "a beginning is required")
    return n.CarrierPause(from_at, times.field_or_none(pause, "until_at"), pause.point_id, pause.reason)


def _to_service(service: pb.CarrierService, where: str) -> n.CarrierService:
    return n.CarrierService(
        service_id=service.service_id,
        name=service.name,
        mode=_to_mode(service.mode, f"{where}.mode"),
        max_weight_grams=service.max_weight_grams,
        max_length_millimetres=service.max_length_millimetres,
        delivery_weekdays=tuple(sorted(set(service.delivery_weekdays))),
        delivery_from_minute=service.delivery_from_minute,
        delivery_until_minute=service.delivery_until_minute,
        zones=tuple(
            n.ZoneTerms(
                zone_id=zone.zone_id,
                transit_days_min=zone.transit_days_min,
                transit_days_max=zone.transit_days_max,
                rates=tuple(n.RateStep(rate.up_to_grams, _to_money(rate.price)) for rate in zone.rates),
                customer_price=_to_money(zone.customer_price),
            )
            for zone in service.zones
        ),
        carbon_legs=tuple(
            n.CarbonLeg(leg.transport, leg.kilometres, leg.grams_per_tonne_kilometre)
            for leg in service.carbon_legs
        ),
        carbon_factor=service.carbon_factor,
        surcharge_basis_points=service.surcharge_basis_points,
        max_width_millimetres=service.max_width_millimetres,
        max_height_millimetres=service.max_height_millimetres,
        max_girth_millimetres=service.max_girth_millimetres,
        max_distance_kilometres=service.max_distance_kilometres,
        one_shipment=service.one_shipment,
        volumetric_divisor=service.volumetric_divisor,
    )


def to_box(box: pb.Box) -> n.Box:
    """A box."""
    return n.Box(
        box_id=box.box_id,
        name=box.name,
        length_millimetres=box.length_millimetres,
        width_millimetres=box.width_millimetres,
        height_millimetres=box.height_millimetres,
        max_weight_grams=box.max_weight_grams,
        tare_grams=box.tare_grams,
        cost=_to_money(box.cost),
        wall_millimetres=box.wall_millimetres,
        fill_percent=box.fill_percent or 100,
        point_ids=tuple(sorted(set(box.point_ids))),
    )


def to_zone(zone: pb.Zone) -> n.Zone:
    """A zone."""
    return n.Zone(zone.zone_id, zone.country, tuple(zone.postcode_prefixes), zone.time_zone)


def to_area(area: pb.PostcodeArea) -> n.PostcodeArea:
    """A postcode area."""
    return n.PostcodeArea(area.country, area.prefix, _position(area.position), area.subdivision)


def to_quote_question(request: pb.QuoteRequest) -> n.PlanRequest:
    """What all modes of a quote have in common."""
    return n.PlanRequest(
        channel_id=request.channel_id,
        destination=_to_destination(request.destination),
        lines=_to_lines(request.lines),
        mode=n.Mode.HOME_STANDARD,
        now=times.field_or_now(request, "as_of"),
        not_before=times.field_or_none(request, "not_before"),
        cooling_off_until=times.field_or_none(request, "cooling_off_until"),
        may_consolidate=request.may_consolidate,
        may_wait=request.may_wait,
    )


def to_listing_question(request: pb.QuoteListingRequest) -> n.PlanRequest:
    """One unit of each article."""
    return n.PlanRequest(
        channel_id=request.channel_id,
        destination=_to_destination(request.destination),
        lines=tuple(n.BasketLine(place, sku, 1) for place, sku in enumerate(request.skus, start=1)),
        mode=n.Mode.HOME_STANDARD,
        now=times.field_or_now(request, "as_of"),
        not_before=times.field_or_none(request, "not_before"),
        cooling_off_until=times.field_or_none(request, "cooling_off_until"),
        may_wait=request.may_wait,
    )


def to_appointment(appointment: pb.Appointment, field: str) -> n.Appointment:
    """A time at which the customer is there."""
    start = times.field_or_none(appointment.window, "start")
    end = times.field_or_none(appointment.window, "end")
    if start is None or end is None:
        raise InvalidArgument(f"{field}.window", "a start and an end are required")
    return n.Appointment(n.Window(start, end), appointment.service_id)


def to_plan_request(request: pb.PlanOrderRequest) -> n.PlanRequest:
    """The question of a routing."""
    return n.PlanRequest(
        channel_id=request.channel_id,
        destination=_to_destination(request.destination),
        lines=_to_lines(request.lines),
        mode=_to_mode(request.mode, "mode"),
        now=times.field_or_now(request, "as_of"),
        not_before=times.field_or_none(request, "not_before"),
        promised_until=times.field_or_none(request, "promised_until"),
        exclusions=tuple(n.ExcludedPoint(e.point_id, e.reason, e.sku) for e in request.excluded_points),
        overlays=tuple(n.StockOverlay(o.sku, o.point_id, o.free) for o in request.overlays),
        own_holds=tuple(n.OwnHold(h.sku, h.point_id, h.quantity) for h in request.own_holds),
        appointment=(
            to_appointment(request.appointment, "appointment") if request.HasField("appointment") else None
        ),
        may_consolidate=request.may_consolidate,
        may_wait=request.may_wait,
        supply_overlays=tuple(
            n.SupplyOverlay(o.sku, o.point_id, o.supply_id, o.units) for o in request.supply_overlays
        ),
        check_required=request.check_required,
        joins=n.WaitingHub(request.joins.point_id, request.joins.carrier_id, request.joins.service_id)
        if request.HasField("joins")
        else None,
    )


def to_places(legs: Iterable[pb.LegPlace]) -> list[LegPlace]:
    """Legs as they were planned."""
    places: list[LegPlace] = []
    for leg in legs:
        units: dict[int, int] = {}
        for line in leg.lines:
            units[line.line_number] = units.get(line.line_number, 0) + line.quantity
        places.append(LegPlace(leg.point_id, units, leg.decision_id))
    return places


def plan_order_content(request: pb.PlanOrderRequest) -> bytes:
    """What makes two requests the same: everything but the id and the moment of asking."""
    content = pb.PlanOrderRequest()
    content.CopyFrom(request)
    content.ClearField("request_id")
    # A workflow task that is run again asks the same question at a later moment.
    content.ClearField("as_of")
    content.ClearField("not_before")
    return content.SerializeToString(deterministic=True)


def _to_mode(mode: type_pb2.DeliveryMode.ValueType, field: str) -> n.Mode:
    if mode not in MODES:
        raise InvalidArgument(field, "a delivery mode is required")
    return MODES[mode]


def _to_money(money: type_pb2.Money) -> Money:
    return Money(money.amount_minor, money.currency)


def _position(position: type_pb2.Position) -> n.Position:
    return n.Position(position.latitude, position.longitude)


def _to_destination(destination: type_pb2.Destination) -> n.Destination:
    return n.Destination(destination.country, destination.postcode, destination.point_id)


def _to_lines(lines: Iterable[pb.BasketLine]) -> tuple[n.BasketLine, ...]:
    return tuple(
        n.BasketLine(line.line_number, line.sku, line.quantity, tuple(sorted(set(line.personalisations))))
        for line in lines
    )


# -- answers --------------------------------------------------------------------------------------------------


def carrier_proto(carrier: n.Carrier) -> pb.Carrier:
    """A carrier as it was put."""
    return pb.Carrier(
        carrier_id=carrier.carrier_id,
        name=carrier.name,
        pauses=[
            pb.CarrierPause(
                from_at=times.to_proto(pause.from_at),
                until_at=times.to_proto(pause.until_at) if pause.until_at else None,
                point_id=pause.point_id,
                reason=pause.reason,
            )
            for pause in carrier.pauses
        ],
        services=[
            pb.CarrierService(
                service_id=service.service_id,
                name=service.name,
                mode=MODES_BACK[service.mode],
                max_weight_grams=service.max_weight_grams,
                max_length_millimetres=service.max_length_millimetres,
                delivery_weekdays=service.delivery_weekdays,
                delivery_from_minute=service.delivery_from_minute,
                delivery_until_minute=service.delivery_until_minute,
                zones=[_zone_terms_proto(zone) for zone in service.zones],
                carbon_legs=[
                    pb.CarbonLeg(
                        transport=leg.transport,
                        kilometres=leg.kilometres,
                        grams_per_tonne_kilometre=leg.grams_per_tonne_kilometre,
                    )
                    for leg in service.carbon_legs
                ],
                carbon_factor=service.carbon_factor,
                surcharge_basis_points=service.surcharge_basis_points,
                max_width_millimetres=service.max_width_millimetres,
                max_height_millimetres=service.max_height_millimetres,
                max_girth_millimetres=service.max_girth_millimetres,
                max_distance_kilometres=service.max_distance_kilometres,
                one_shipment=service.one_shipment,
                volumetric_divisor=service.volumetric_divisor,
            )
            for service in carrier.services
        ],
    )


def box_proto(box: n.Box) -> pb.Box:
    """A box as it was put."""
    return pb.Box(
        box_id=box.box_id,
        name=box.name,
        length_millimetres=box.length_millimetres,
        width_millimetres=box.width_millimetres,
        height_millimetres=box.height_millimetres,
        max_weight_grams=box.max_weight_grams,
        tare_grams=box.tare_grams,
        cost=money_proto(box.cost),
        wall_millimetres=box.wall_millimetres,
        fill_percent=box.fill_percent,
        point_ids=box.point_ids,
    )


def _zone_terms_proto(zone: n.ZoneTerms) -> pb.ZoneTerms:
    return pb.ZoneTerms(
        zone_id=zone.zone_id,
        transit_days_min=zone.transit_days_min,
        transit_days_max=zone.transit_days_max,
        rates=[pb.RateStep(up_to_grams=rate.up_to_grams, price=money_proto(rate.price)) for rate in zone.rates],
        customer_price=money_proto(zone.customer_price),
    )


def mode_proto(mode: n.Mode) -> type_pb2.DeliveryMode.ValueType:
    """A mode."""
    return MODES_BACK[mode]


def money_proto(money: Money) -> type_pb2.Money:
    """An amount."""
    return type_pb2.Money(amount_minor=money.amount_minor, currency=money.currency)


def stock_view_proto(view: n.StockView) -> pb.StockView:
    """How fresh the stock was."""
    return pb.StockView(sequence=view.sequence, as_of=stamp(view.as_of), stale=view.stale)


def quote_proto(quote: p.Quote) -> pb.QuoteResponse:
    """What can be promised."""
    return pb.QuoteResponse(
        quote_id=quote.quote_id,
        options=[option_proto(option) for option in quote.options],
        not_offered=[_not_offered(refused) for refused in quote.not_offered],
        stock=stock_view_proto(quote.stock),
    )


def _not_offered(refused: p.NotOffered) -> pb.NotOffered:
    return pb.NotOffered(mode=MODES_BACK[refused.mode], reason=refused.reason, detail=refused.detail)


def listing_proto(items: Iterable[Listed], view: n.StockView) -> pb.QuoteListingResponse:
    """A page of articles."""
    return pb.QuoteListingResponse(
        items=[
            pb.ListedItem(
                sku=item.sku,
                options=[_listed_option(option) for option in item.options],
                not_offered=[_not_offered(refused) for refused in item.not_offered],
            )
            for item in items
        ],
        stock=stock_view_proto(view),
    )


def _listed_option(option: ListedOption) -> pb.ListedOption:
    return pb.ListedOption(
        mode=MODES_BACK[option.mode],
        window=_window(option.window),
        order_before=stamp(option.order_before),
        price=money_proto(option.price),
        carbon=_carbon(option.carbon),
        point_id=option.point_id,
        waits_until=stamp(option.waits_until) if option.waits_until else None,
        release_date=_day(option.release_date),
    )


def option_proto(option: p.DeliveryOption) -> pb.DeliveryOption:
    """A way to have the whole basket."""
    return pb.DeliveryOption(
        mode=MODES_BACK[option.mode],
        window=_window(option.plan.window),
        order_before=stamp(option.plan.order_before),
        price=money_proto(option.plan.price),
        parcels=option.plan.parcels,
        carbon=_carbon(option.plan.carbon),
        plan=plan_proto(option.plan),
        point_id=option.point_id,
        appointment=_appointment(option.appointment) if option.appointment else None,
        waits_until=stamp(option.plan.waits_until) if option.plan.waits_until else None,
        release_date=_day(option.plan.release_date),
    )


def _day(found: date | None) -> str:
    return found.isoformat() if found else ""


def _appointment(appointment: n.Appointment) -> pb.Appointment:
    return pb.Appointment(window=_window(appointment.window), service_id=appointment.service_id)


def plan_proto(plan: p.Plan) -> pb.Plan:
    """One way to fulfil."""
    return pb.Plan(
        legs=[leg_proto(leg) for leg in plan.legs],
        window=_window(plan.window),
        total_cost_minor=plan.total_cost_minor,
        costs=[pb.CostComponent(name=cost.name, amount_minor=cost.amount_minor) for cost in plan.costs],
        carbon=_carbon(plan.carbon),
        price=money_proto(plan.price),
        onward=leg_proto(plan.onward) if plan.onward else None,
    )


def unplanned_proto(decision: p.Decision) -> list[pb.UnplannedLine]:
    """Units without a place."""
    return [
        pb.UnplannedLine(
            line_number=u.line_number,
            sku=u.sku,
            quantity=u.quantity,
            reason=u.reason,
            missing_fields=u.missing_fields,
        )
        for u in decision.outcome.unplanned
    ]


def plan_order_proto(decision: p.Decision) -> pb.PlanOrderResponse:
    """The answer that a decision gives to its order. What it collects at a store is sent to that store."""
    answer = pb.PlanOrderResponse(
        decision_id=decision.decision_id,
        plans=[plan_proto(plan) for plan in decision.outcome.plans],
        unplanned=unplanned_proto(decision),
        quote_broken=decision.quote_broken,
        new_options=[option_proto(option) for option in decision.new_options],
    )
    if TERMS[decision.request.mode].is_collected:
        for leg in (leg for plan in answer.plans for leg in plan.legs if leg.carrier_id):
            leg.via_point_id = decision.request.destination.point_id
    return answer


def leg_proto(leg: p.Leg) -> pb.Leg:
    """A leg."""
    return pb.Leg(
        point_id=leg.point_id,
        carrier_id=leg.carrier_id,
        service_id=leg.service_id,
        lines=[
            pb.LegLine(
                line_number=ln.line_number,
                sku=ln.sku,
                quantity=ln.quantity,
                supply_id=ln.supply_id,
                plain=ln.plain,
            )
            for ln in leg.lines
        ],
        window=_window(leg.window),
        hand_over_by=stamp(leg.hand_over_by),
        weight_grams=leg.weight_grams,
        shipping_cost_minor=leg.shipping_cost_minor,
        carbon=_carbon(leg.carbon),
        distance_kilometres=leg.distance_kilometres,
        parcels=leg.parcels,
        chargeable_grams=leg.chargeable_grams,
        boxes=[pb.LegBox(box_id=box_id, count=count) for box_id, count in leg.boxes],
        packaging_cost_minor=leg.packaging_cost_minor,
        latest_start=stamp(leg.latest_start) if leg.latest_start else None,
        next_hand_over_by=stamp(leg.next_hand_over_by) if leg.next_hand_over_by else None,
        next_window=_window(leg.next_window) if leg.next_window else None,
        via_point_id=leg.via_point_id,
        waits_until=stamp(leg.waits_until) if leg.waits_until else None,
        release_date=_day(leg.release_date),
        hand_over_from=stamp(leg.hand_over_from) if leg.hand_over_from else None,
    )


def _window(window: n.Window) -> type_pb2.Window:
    return type_pb2.Window(start=stamp(window.start), end=stamp(window.end))


def _carbon(carbon: n.Carbon) -> type_pb2.Carbon:
    return type_pb2.Carbon(grams_co2e=carbon.grams_co2e, factor=carbon.factor)


def stamp(instant: datetime) -> Timestamp:
    """An instant."""
    return times.to_proto(instant.astimezone(UTC))

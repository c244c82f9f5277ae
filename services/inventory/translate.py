"""Between the messages of oms.inventory.v1 and the domain's values. No rules: an odd value is passed on."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime

from kit.errors import InvalidArgument
from kit.times import field_or_none, to_proto
from kit.values.money import Money
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.type.v1 import type_pb2 as types
from services.inventory.domain.bundles import Part
from services.inventory.domain.catalogue import (
    Activation,
    BufferRule,
    Channel,
    ChannelPrice,
    Collection,
    Exclusion,
    Item,
    OpeningHours,
    Personalisation,
    PointType,
    Purpose,
    StockPoint,
    Version,
)
from services.inventory.domain.explaining import Availability
from services.inventory.domain.holds import HoldLine, HoldMove, Reservation, ReservationState, Shortfall
from services.inventory.domain.ledger import Balance, Cause, Movement

_POINT_TYPES = {
    types.POINT_TYPE_WAREHOUSE: PointType.WAREHOUSE,
    types.POINT_TYPE_STORE: PointType.STORE,
    types.POINT_TYPE_SUPPLIER: PointType.SUPPLIER,
    types.POINT_TYPE_PARTNER: PointType.PARTNER,
}
_POINT_TYPES_OUT = {kind: number for number, kind in _POINT_TYPES.items()}
_PURPOSES = {
    pb.STOCK_PURPOSE_SHIP: Purpose.SHIP,
    pb.STOCK_PURPOSE_COLLECT: Purpose.COLLECT,
    pb.STOCK_PURPOSE_SHOW: Purpose.SHOW,
}
_PURPOSES_OUT = {purpose: number for number, purpose in _PURPOSES.items()}
SETTING_KINDS = {
    pb.SETTING_KIND_ITEM: "item",
    pb.SETTING_KIND_POINT: "point",
    pb.SETTING_KIND_CHANNEL: "channel",
}
STATES = {
    ReservationState.HELD: pb.RESERVATION_STATE_HELD,
    ReservationState.CONFIRMED: pb.RESERVATION_STATE_CONFIRMED,
    ReservationState.CLOSED: pb.RESERVATION_STATE_CLOSED,
    ReservationState.EXPIRED: pb.RESERVATION_STATE_EXPIRED,
}


# -- items ------------------------------------------------------------------------------------------------


def item_in(message: pb.Item) -> Item:
    """From the wire."""
    return Item(
        sku=message.sku,
        gtin=message.gtin,
        title=message.title,
        brand=message.brand,
        category_path=tuple(message.category_path),
        weight_grams=message.weight_grams,
        length_millimetres=message.length_millimetres,
        width_millimetres=message.width_millimetres,
        height_millimetres=message.height_millimetres,
        tags=tuple(message.tags),
        prices=_prices_in(message.prices),
        release_date=message.release_date,
        reference=message.reference,
        format=message.format,
        parts=tuple(Part(part.sku, part.quantity) for part in message.parts),
        personalisations=tuple(
            Personalisation(
                field.name,
                field.max_characters,
                _prices_in(field.surcharges),
                field.required,
                field.capability,
                field.work_minutes,
            )
            for field in message.personalisations
        ),
        substitutes=tuple(message.substitutes),
    )


def _prices_in(prices: Iterable[pb.ChannelPrice]) -> tuple[ChannelPrice, ...]:
    return tuple(
        ChannelPrice(price.channel_id, Money(price.price.amount_minor, price.price.currency)) for price in prices
    )


def _prices_out(prices: Iterable[ChannelPrice]) -> list[pb.ChannelPrice]:
    return [
        pb.ChannelPrice(
            channel_id=price.channel_id,
            price=types.Money(amount_minor=price.price.amount_minor, currency=price.price.currency),
        )
        for price in prices
    ]


def item_out(item: Item) -> pb.Item:
    """To the wire."""
    return pb.Item(
        sku=item.sku,
        gtin=item.gtin,
        title=item.title,
        brand=item.brand,
        category_path=item.category_path,
        weight_grams=item.weight_grams,
        length_millimetres=item.length_millimetres,
        width_millimetres=item.width_millimetres,
        height_millimetres=item.height_millimetres,
        tags=item.tags,
        prices=_prices_out(item.prices),
        release_date=item.release_date,
        reference=item.reference,
        format=item.format,
        parts=[pb.BundlePart(sku=part.sku, quantity=part.quantity) for part in item.parts],
        personalisations=[
            pb.PersonalisationField(
                name=field.name,
                max_characters=field.max_characters,
                surcharges=_prices_out(field.surcharges),
                required=field.required,
                capability=field.capability,
                work_minutes=field.work_minutes,
            )
            for field in item.personalisations
        ],
        substitutes=item.substitutes,
    )


# -- points -----------------------------------------------------------------------------------------------


def point_in(message: pb.StockPoint, field: str) -> StockPoint:
    """From the wire. `field` is its place in the request."""
    if message.type not in _POINT_TYPES:
        raise InvalidArgument(f"{field}.type", "a type is required")
    if not message.HasField("position"):
        raise InvalidArgument(f"{field}.position", "a position is required")
    return StockPoint(
        point_id=message.point_id,
        name=message.name,
        type=_POINT_TYPES[message.type],
        latitude=message.position.latitude,
        longitude=message.position.longitude,
        country=message.country,
        time_zone=message.time_zone,
        gln=message.gln,
        subdivision=message.subdivision,
        postcode=message.postcode,
        city=message.city,
        opening_hours=tuple(
            OpeningHours(hours.weekday, hours.opens_minute, hours.closes_minute) for hours in message.opening_hours
        ),
        closed_dates=tuple(message.closed_dates),
        open_on_public_holidays=message.open_on_public_holidays,
        collections=tuple(
            Collection(visit.carrier_id, visit.weekday, visit.cut_off_minute) for visit in message.collections
        ),
        capabilities=tuple(message.capabilities),
        daily_capacity=message.daily_capacity,
        handling_minutes=message.handling_minutes,
        ownership=message.ownership or "owned",
        brands=tuple(message.brands),
    )


def point_out(point: StockPoint) -> pb.StockPoint:
    """To the wire."""
    return pb.StockPoint(
        point_id=point.point_id,
        name=point.name,
        type=_POINT_TYPES_OUT[point.type],
        gln=point.gln,
        position=types.Position(latitude=point.latitude, longitude=point.longitude),
        country=point.country,
        subdivision=point.subdivision,
        postcode=point.postcode,
        city=point.city,
        time_zone=point.time_zone,
        opening_hours=[
            pb.OpeningHours(
                weekday=hours.weekday, opens_minute=hours.opens_minute, closes_minute=hours.closes_minute
            )
            for hours in point.opening_hours
        ],
        closed_dates=point.closed_dates,
        open_on_public_holidays=point.open_on_public_holidays,
        collections=[
            pb.Collection(carrier_id=visit.carrier_id, weekday=visit.weekday, cut_off_minute=visit.cut_off_minute)
            for visit in point.collections
        ],
        capabilities=point.capabilities,
        daily_capacity=point.daily_capacity,
        handling_minutes=point.handling_minutes,
        ownership=point.ownership,
        brands=point.brands,
    )


# -- channels ---------------------------------------------------------------------------------------------


def channel_in(message: pb.Channel, field: str) -> Channel:
    """From the wire. `field` is its place in the request. Activated for everything is an activated point."""
    activations = [
        Activation(
            one.point_id, frozenset(_purpose_in(each, f"{field}.activations[{i}]") for each in one.purposes)
        )
        for i, one in enumerate(message.activations)
    ]
    whole = [one.point_id for one in activations if one.purposes == frozenset(Purpose)]
    return Channel(
        channel_id=message.channel_id,
        name=message.name,
        currency=message.currency,
        activated_points=(*message.activated_points, *whole),
        exclusions=tuple(
            _exclusion_in(exclusion, f"{field}.exclusions[{i}]") for i, exclusion in enumerate(message.exclusions)
        ),
        safety_stock=tuple(
            rule_in(rule, f"{field}.safety_stock[{i}]") for i, rule in enumerate(message.safety_stock)
        ),
        activations=tuple(one for one in activations if one.point_id not in whole),
        routing_buffers=tuple(
            rule_in(rule, f"{field}.routing_buffers[{i}]") for i, rule in enumerate(message.routing_buffers)
        ),
        brands=tuple(message.brands),
    )


def _purpose_in(number: int, field: str) -> Purpose:
    if number not in _PURPOSES:
        raise InvalidArgument(field, "not a purpose")
    return _PURPOSES[pb.StockPurpose.ValueType(number)]


def purpose_in(number: int) -> Purpose | None:
    """From the wire; None for whatever sells."""
    return _purpose_in(number, "purpose") if number else None


def _exclusion_in(message: pb.Exclusion, field: str) -> Exclusion:
    return Exclusion(
        sku=message.sku,
        category=message.category,
        tag=message.tag,
        brand=message.brand,
        point_id=message.point_id,
        point_type=_point_type_in(message.point_type, field),
        reason=message.reason,
        from_at=field_or_none(message, "from_at"),
        until_at=field_or_none(message, "until_at"),
    )


def rule_in(message: pb.SafetyStockRule, field: str) -> BufferRule:
    """From the wire. `field` is its place in the request."""
    return BufferRule(
        sku=message.sku,
        category=message.category,
        point_id=message.point_id,
        point_type=_point_type_in(message.point_type, field),
        quantity=message.quantity,
        percent=message.percent,
    )


def _point_type_in(number: int, field: str) -> PointType | None:
    if number and number not in _POINT_TYPES:
        raise InvalidArgument(f"{field}.point_type", "not a type of point")
    return _POINT_TYPES.get(types.PointType.ValueType(number))


def channel_out(channel: Channel) -> pb.Channel:
    """To the wire."""
    return pb.Channel(
        channel_id=channel.channel_id,
        name=channel.name,
        currency=channel.currency,
        activated_points=channel.activated_points,
        exclusions=[_exclusion_out(exclusion) for exclusion in channel.exclusions],
        safety_stock=[rule_out(rule) for rule in channel.safety_stock],
        activations=[
            pb.Activation(point_id=one.point_id, purposes=purposes_out(one.purposes))
            for one in channel.activations
        ],
        routing_buffers=[rule_out(rule) for rule in channel.routing_buffers],
        brands=channel.brands,
    )


def purposes_out(purposes: Iterable[Purpose]) -> list[pb.StockPurpose.ValueType]:
    """To the wire, in one order."""
    return sorted(_PURPOSES_OUT[one] for one in purposes)


def _exclusion_out(exclusion: Exclusion) -> pb.Exclusion:
    return pb.Exclusion(
        sku=exclusion.sku,
        category=exclusion.category,
        tag=exclusion.tag,
        brand=exclusion.brand,
        point_id=exclusion.point_id,
        point_type=_point_type_out(exclusion.point_type),
        reason=exclusion.reason,
        from_at=to_proto(exclusion.from_at) if exclusion.from_at else None,
        until_at=to_proto(exclusion.until_at) if exclusion.until_at else None,
    )


def rule_out(rule: BufferRule) -> pb.SafetyStockRule:
    """To the wire."""
    return pb.SafetyStockRule(
        sku=rule.sku,
        category=rule.category,
        point_id=rule.point_id,
        point_type=_point_type_out(rule.point_type),
        quantity=rule.quantity,
        percent=rule.percent,
    )


def _point_type_out(kind: PointType | None) -> types.PointType.ValueType:
    return _POINT_TYPES_OUT[kind] if kind else types.POINT_TYPE_UNSPECIFIED


def version_out(version: Version) -> pb.SettingVersion:
    """To the wire."""
    return pb.SettingVersion(
        version=version.version,
        recorded_at=to_proto(version.recorded_at),
        actor=version.actor,
        content_json=version.content,
    )


# -- stock ------------------------------------------------------------------------------------------------


def cause_in(message: pb.Cause) -> Cause:
    """From the wire."""
    return Cause(message.cause, message.actor, message.source)


def cause_out(cause: Cause) -> pb.Cause:
    """To the wire."""
    return pb.Cause(cause=cause.cause, actor=cause.actor, source=cause.source)


def balance_out(balance: Balance) -> pb.Balance:
    """To the wire."""
    return pb.Balance(
        sku=balance.sku,
        point_id=balance.point_id,
        on_hand=balance.on_hand,
        reserved=balance.reserved,
        unavailable=balance.unavailable,
        short=balance.short,
    )


def movement_out(movement_id: int, movement: Movement, recorded_at: datetime) -> pb.Movement:
    """To the wire."""
    return pb.Movement(
        movement_id=movement_id,
        sku=movement.position.sku,
        point_id=movement.position.point_id,
        on_hand_delta=movement.on_hand,
        reserved_delta=movement.reserved,
        unavailable_delta=movement.unavailable,
        short_delta=movement.short,
        cause=cause_out(movement.cause),
        reservation_id=movement.reservation_id,
        recorded_at=to_proto(recorded_at),
    )


def availability_out(figure: Availability) -> pb.Availability:
    """To the wire."""
    return pb.Availability(
        sku=figure.sku,
        available_now=figure.available_now,
        zero_reason=figure.zero_reason,
        points=[
            pb.PointAvailability(
                point_id=point.point_id,
                on_hand=point.on_hand,
                reserved=point.reserved,
                unavailable=point.unavailable,
                safety_stock=point.safety_stock,
                available=point.available,
                safety_stock_rule=point.safety_stock_rule,
                barred=point.barred,
                limited_by=point.limited_by,
            )
            for point in figure.points
        ],
        inputs=pb.ImageInputs(**asdict(figure.inputs)) if figure.inputs else None,
    )


# -- reservations -----------------------------------------------------------------------------------------


def lines_in(messages: Iterable[pb.HoldLine]) -> tuple[HoldLine, ...]:
    """From the wire."""
    return tuple(HoldLine(line.sku, line.point_id, line.quantity) for line in messages)


def lines_out(lines: Iterable[HoldLine]) -> list[pb.HoldLine]:
    """To the wire."""
    return [pb.HoldLine(sku=line.sku, point_id=line.point_id, quantity=line.quantity) for line in lines]


def moves_in(messages: Iterable[pb.HoldMove]) -> tuple[HoldMove, ...]:
    """From the wire."""
    return tuple(HoldMove(move.sku, move.from_point_id, move.to_point_id, move.quantity) for move in messages)


def reservation_out(reservation: Reservation | None) -> pb.Reservation | None:
    """To the wire."""
    if reservation is None:
        return None
    return pb.Reservation(
        reservation_id=reservation.reservation_id,
        channel_id=reservation.channel_id,
        state=STATES[reservation.state],
        expires_at=to_proto(reservation.expires_at) if reservation.expires_at else None,
        lines=lines_out(reservation.lines),
    )


def shortfalls_out(shortfalls: Iterable[Shortfall]) -> list[pb.Shortfall]:
    """To the wire."""
    return [
        pb.Shortfall(
            sku=shortfall.sku,
            point_id=shortfall.point_id,
            requested=shortfall.requested,
            available=shortfall.available,
            free=shortfall.free,
        )
        for shortfall in shortfalls
    ]

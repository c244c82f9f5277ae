"""Between the messages of oms.inventory.v1 and the domain's values. No rules: an odd value is passed on."""

from collections.abc import Iterable
from datetime import datetime

from kit.errors import InvalidArgument
from kit.times import to_proto
from kit.values.money import Money
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.type.v1 import type_pb2 as types
from services.inventory.domain.catalogue import (
    Channel,
    ChannelPrice,
    Collection,
    Exclusion,
    Item,
    OpeningHours,
    PointType,
    SafetyStockRule,
    StockPoint,
)
from services.inventory.domain.holds import HoldLine, HoldMove, Reservation, ReservationState, Shortfall
from services.inventory.domain.image import Availability
from services.inventory.domain.ledger import Balance, Cause, Movement
from services.inventory.watch import StockMessage, StockPosition

_POINT_TYPES = {
    types.POINT_TYPE_WAREHOUSE: PointType.WAREHOUSE,
    types.POINT_TYPE_STORE: PointType.STORE,
    types.POINT_TYPE_SUPPLIER: PointType.SUPPLIER,
    types.POINT_TYPE_PARTNER: PointType.PARTNER,
}
_POINT_TYPES_OUT = {kind: number for number, kind in _POINT_TYPES.items()}
_STATES = {
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
        prices=tuple(
            ChannelPrice(price.channel_id, Money(price.price.amount_minor, price.price.currency))
            for price in message.prices
        ),
    )


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
        prices=[
            pb.ChannelPrice(
                channel_id=price.channel_id,
                price=types.Money(amount_minor=price.price.amount_minor, currency=price.price.currency),
            )
            for price in item.prices
        ],
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
    """From the wire. `field` is its place in the request."""
    return Channel(
        channel_id=message.channel_id,
        name=message.name,
        currency=message.currency,
        activated_points=tuple(message.activated_points),
        exclusions=tuple(
            Exclusion(exclusion.sku, exclusion.category, exclusion.reason) for exclusion in message.exclusions
        ),
        safety_stock=tuple(
            _rule_in(rule, f"{field}.safety_stock[{i}]") for i, rule in enumerate(message.safety_stock)
        ),
    )


def _rule_in(message: pb.SafetyStockRule, field: str) -> SafetyStockRule:
    if message.point_type and message.point_type not in _POINT_TYPES:
        raise InvalidArgument(f"{field}.point_type", "not a type of point")
    return SafetyStockRule(
        sku=message.sku,
        category=message.category,
        point_id=message.point_id,
        point_type=_POINT_TYPES.get(message.point_type),
        quantity=message.quantity,
    )


def channel_out(channel: Channel) -> pb.Channel:
    """To the wire."""
    return pb.Channel(
        channel_id=channel.channel_id,
        name=channel.name,
        currency=channel.currency,
        activated_points=channel.activated_points,
        exclusions=[
            pb.Exclusion(sku=exclusion.sku, category=exclusion.category, reason=exclusion.reason)
            for exclusion in channel.exclusions
        ],
        safety_stock=[
            pb.SafetyStockRule(
                sku=rule.sku,
                category=rule.category,
                point_id=rule.point_id,
                point_type=(
                    _POINT_TYPES_OUT[rule.point_type] if rule.point_type else types.POINT_TYPE_UNSPECIFIED
                ),
                quantity=rule.quantity,
            )
            for rule in channel.safety_stock
        ],
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
            )
            for point in figure.points
        ],
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
        state=_STATES[reservation.state],
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


# -- the feed ---------------------------------------------------------------------------------------------


def message_out(message: StockMessage) -> pb.WatchStockResponse:
    """To the wire, without the instant of sending."""
    return pb.WatchStockResponse(
        sequence=message.sequence,
        snapshot=message.snapshot,
        snapshot_complete=message.snapshot_complete,
        items=[item_out(item) for item in message.items],
        points=[point_out(point) for point in message.points],
        channels=[channel_out(channel) for channel in message.channels],
        positions=[_position_out(position) for position in message.positions],
    )


def _position_out(position: StockPosition) -> pb.StockPosition:
    return pb.StockPosition(
        sku=position.sku,
        point_id=position.point_id,
        free=position.free,
        channels=[
            pb.ChannelTerms(channel_id=channel_id, safety_stock=safety_stock)
            for channel_id, safety_stock in position.channels
        ],
    )

"""A hand-made network for tests: small, in France, every figure easy to say."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from kit.values.money import Money
from services.promise.domain import network as n
from services.promise.domain.geography import Geography
from services.promise.domain.rulesets import PreparationCost, Ruleset
from services.promise.domain.snapshot import Snapshot
from services.promise.stock_rows import Block, ChannelTerms, Terms

# A Monday, 10:00 in Paris.
NOW = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
PARIS = n.Position(48.8566, 2.3522)
LILLE = n.Position(50.6292, 3.0573)
LYON = n.Position(45.7640, 4.8357)
TO_PARIS = n.Destination("FR", "75011")
CHANNEL = "web"
WEEK = (1, 2, 3, 4, 5, 6, 7)
WORKDAYS = (1, 2, 3, 4, 5)


def euros(minor: int) -> Money:
    return Money(minor, "EUR")


def no_holidays(_day: date, _country: str, _subdivision: str) -> bool:
    return False


def openings(weekdays: tuple[int, ...] = WEEK, opens: int = 0, closes: int = 1440) -> tuple[n.Opening, ...]:
    return tuple(n.Opening(weekday, opens, closes) for weekday in weekdays)


def collections(carrier_id: str, cut_off: int, weekdays: tuple[int, ...] = WEEK) -> tuple[n.Collection, ...]:
    return tuple(n.Collection(carrier_id, weekday, cut_off) for weekday in weekdays)


def point(point_id: str, **values: Any) -> n.Point:
    """Open day and night, collected by `post` every day at 17:00; a warehouse in Lille."""
    given: dict[str, Any] = {
        "type": n.PointType.WAREHOUSE,
        "position": LILLE,
        "country": "FR",
        "time_zone": "Europe/Paris",
        "openings": openings(),
        "collections": collections("post", 17 * 60),
        "capabilities": frozenset({n.SHIP_FROM_STORE}),
    }
    return n.Point(point_id, **(given | values))


def terms(zone_id: str = "FR", **values: Any) -> n.ZoneTerms:
    given: dict[str, Any] = {
        "transit_days_min": 1,
        "transit_days_max": 2,
        "rates": (n.RateStep(1_000, euros(500)), n.RateStep(30_000, euros(900))),
        "customer_price": euros(490),
    }
    return n.ZoneTerms(zone_id, **(given | values))


def service(service_id: str = "home", **values: Any) -> n.CarrierService:
    given: dict[str, Any] = {
        "mode": n.Mode.HOME_STANDARD,
        "max_weight_grams": 30_000,
        "max_length_millimetres": 2_000,
        "delivery_weekdays": WEEK,
        "delivery_from_minute": 8 * 60,
        "delivery_until_minute": 18 * 60,
        "zones": (terms(),),
        "carbon_legs": (n.CarbonLeg("road", 0, 100.0),),
        "carbon_factor": "test road 1",
    }
    return n.CarrierService(service_id, **(given | values))


FRANCE = n.Zone("FR", "FR", ("",), "Europe/Paris")
PARIS_AREA = n.PostcodeArea("FR", "75", PARIS, "FR-75")


def ruleset(**values: Any) -> Ruleset:
    given: dict[str, Any] = {
        "ruleset_id": "default",
        "version": 1,
        "currency": "EUR",
        "split_cost_minor": 300,
        "preparation_costs": (
            PreparationCost(n.PointType.STORE, 200),
            PreparationCost(n.PointType.WAREHOUSE, 100),
        ),
        "distance_cost_minor_per_kilometre": 0.0,
        "lateness_cost_minor_per_day": 0,
        "max_parcels": 3,
        "alternatives": 3,
    }
    return Ruleset(**(given | values))


def stock(free: Mapping[str, Mapping[str, int]], safety_stock: int = 0) -> dict[str, dict[str, n.StockPosition]]:
    """SKU -> point -> free units, all sellable on CHANNEL."""
    return {
        sku: {point_id: n.StockPosition(units, {CHANNEL: safety_stock}) for point_id, units in by_point.items()}
        for sku, by_point in free.items()
    }


def coming(
    supply_id: str, units: int, due_at: datetime, purposes: frozenset[str] = frozenset({n.SHIP, n.COLLECT})
) -> n.Coming:
    """A delivery of which CHANNEL may promise so much."""
    return n.Coming(supply_id, {CHANNEL: n.ComingUnits(units, due_at, purposes)})


def with_coming(network: Snapshot, **deliveries: Mapping[str, tuple[n.Coming, ...]]) -> Snapshot:
    """The network with deliveries to come: by SKU, by point."""
    return replace(network, stock=replace(network.stock, coming=deliveries))


def block(*positions: tuple[str, str, n.StockPosition]) -> Block:
    """Positions as the feed tells them: SKU, point, position. Their find rates are told elsewhere."""
    ordered = sorted(positions, key=lambda one: one[0])
    rows = Counter(sku for sku, _, _ in ordered)
    return Block(
        skus=list(rows),
        rows=list(rows.values()),
        point_ids=[point_id for _, point_id, _ in ordered],
        terms=[_shared(position) for _, _, position in ordered],
        points_of=np.arange(len(ordered), dtype=np.uint32),
        terms_of=np.arange(len(ordered), dtype=np.uint32),
        free=np.array([position.free for _, _, position in ordered], np.int64),
        daily_thousandths=np.array([round(p.facts.daily_sales * 1_000) for _, _, p in ordered], np.int64),
    )


def _shared(position: n.StockPosition) -> Terms:
    channels = (
        ChannelTerms(
            channel_id,
            safety_stock,
            position.routing_buffers.get(channel_id, 0),
            position.purposes.get(channel_id, frozenset()),
        )
        for channel_id, safety_stock in position.safety_stock.items()
    )
    return Terms(tuple(channels), position.facts.markdown_date, position.facts.markdown_percent)


def snapshot(
    points: list[n.Point],
    positions: Mapping[str, Mapping[str, n.StockPosition]],
    carriers: list[n.Carrier] | None = None,
    items: list[n.Item] | None = None,
    is_holiday: n.IsHoliday = no_holidays,
    zones: tuple[n.Zone, ...] = (FRANCE,),
    areas: tuple[n.PostcodeArea, ...] = (PARIS_AREA,),
) -> Snapshot:
    """Items weigh 400 g unless given."""
    known = items if items is not None else [n.Item(sku, "maison", 400, 300) for sku in positions]
    return Snapshot(
        stock=n.StockSlice(
            view=n.StockView(7, NOW, stale=False),
            items={item.sku: item for item in known},
            points={p.point_id: p for p in points},
            positions=positions,
        ),
        carriers=tuple(carriers if carriers is not None else [n.Carrier("post", (service(),))]),
        geography=Geography(zones, areas),
        is_holiday=is_holiday,
    )


def basket(*units: tuple[str, int]) -> tuple[n.BasketLine, ...]:
    return tuple(n.BasketLine(i + 1, sku, quantity) for i, (sku, quantity) in enumerate(units))


def request(*units: tuple[str, int], **values: Any) -> n.PlanRequest:
    given: dict[str, Any] = {
        "channel_id": CHANNEL,
        "destination": TO_PARIS,
        "lines": basket(*units),
        "mode": n.Mode.HOME_STANDARD,
        "now": NOW,
    }
    return n.PlanRequest(**(given | values))

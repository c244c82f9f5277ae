"""Baskets and a network to route them over: the same for every run, whoever asks.

Baskets come from a file of real orders (the columns of the UCI data set "Online Retail"), or, without one, are
drawn with about as many lines and units as there: half of them have up to 14 lines, one in ten more than 50.
"""

import csv
import gzip
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

from kit.values.money import Money
from services.promise.domain import network as n
from services.promise.domain.calendars import Calendars
from services.promise.domain.geography import Geography
from services.promise.domain.rulesets import PreparationCost, Ruleset
from services.promise.domain.snapshot import Snapshot

# A Tuesday in November, 10:00 in Paris.
NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
CHANNEL = "web"
DESTINATION = n.Destination("FR", "69003")
RULESET = Ruleset(
    ruleset_id="benchmark",
    version=1,
    currency="EUR",
    split_cost_minor=400,
    preparation_costs=(PreparationCost(n.PointType.WAREHOUSE, 120), PreparationCost(n.PointType.STORE, 220)),
    distance_cost_minor_per_kilometre=0.15,
    lateness_cost_minor_per_day=500,
    max_parcels=8,
    alternatives=3,
)

Basket = Mapping[str, int]


def baskets(file: Path | None, count: int, seed: int = 1) -> list[Basket]:
    """Units by SKU of so many orders, drawn evenly from the file."""
    found = list(_from_file(file)) if file else list(_drawn(Random(seed), count))
    return found if len(found) <= count else [found[i * len(found) // count] for i in range(count)]


def _from_file(file: Path) -> Iterator[Basket]:
    orders: dict[str, dict[str, int]] = {}
    with gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else file.open() as lines:
        for row in csv.DictReader(lines):
            quantity = int(row["quantity"])
            if quantity > 0:
                basket = orders.setdefault(row["invoice_no"], {})
                basket[row["stock_code"]] = basket.get(row["stock_code"], 0) + quantity
    yield from orders.values()


def _drawn(random: Random, count: int) -> Iterator[Basket]:
    for _ in range(count):
        lines = min(600, max(1, round(random.lognormvariate(math.log(14), 1.2))))
        skus = random.sample(range(3_000), lines)
        yield {f"SKU-{sku}": max(1, round(random.lognormvariate(math.log(3), 1.3))) for sku in skus}


def network(baskets: Sequence[Basket], points: int = 60, seed: int = 7) -> Snapshot:
    """Shelf stock: three warehouses have nine articles in ten, a store one in three and few of each.

    So most baskets of more than a few lines are whole nowhere. A warehouse has some hundred units of an article,
    or enough for its largest order.
    """
    random = Random(seed)
    known = [_point(random, number) for number in range(points)]
    largest: dict[str, int] = {}
    for basket in baskets:
        for sku, units in basket.items():
            largest[sku] = max(units, largest.get(sku, 0))
    items = {sku: n.Item(sku, "", max(20, round(random.lognormvariate(5.3, 0.8))), 300) for sku in sorted(largest)}
    positions = {
        sku: {
            point.point_id: n.StockPosition(units, {CHANNEL: 0})
            for point in known
            if (units := _shelf(random, point.type, largest[sku]))
        }
        for sku in items
    }
    stock = n.StockSlice(
        view=n.StockView(1, NOW, stale=False),
        items=items,
        points={point.point_id: point for point in known},
        positions=positions,
    )
    area = n.PostcodeArea("FR", "69", n.Position(45.76, 4.84), "FR-69")
    geography = Geography([n.Zone("FR", "FR", ("",), "Europe/Paris")], [area])
    return Snapshot(stock, _carriers(), geography, _no_holiday, Calendars())


def only(snapshot: Snapshot, basket: Basket) -> Snapshot:
    """What a question about one basket gets to see."""
    stock = snapshot.stock
    seen = n.StockSlice(
        stock.view,
        {sku: stock.items[sku] for sku in basket},
        stock.points,
        {sku: stock.positions[sku] for sku in basket},
    )
    return Snapshot(seen, snapshot.carriers, snapshot.geography, snapshot.is_holiday, snapshot.calendars)


def question(basket: Basket) -> n.PlanRequest:
    """Where to send it from."""
    lines = tuple(n.BasketLine(i + 1, sku, units) for i, (sku, units) in enumerate(basket.items()))
    return n.PlanRequest(CHANNEL, DESTINATION, lines, n.Mode.HOME_STANDARD, NOW)


def _no_holiday(_day: date, _country: str, _subdivision: str) -> bool:
    return False


def _point(random: Random, number: int) -> n.Point:
    is_store = number >= 3
    opens, closes = (9 * 60, 19 * 60) if is_store else (6 * 60, 22 * 60)
    carriers = ("post", "van", "freight") if not is_store else random.choice((("post",), ("post", "van")))
    cut_off = random.choice((14, 16, 17)) * 60
    return n.Point(
        point_id=f"p{number:02}",
        type=n.PointType.STORE if is_store else n.PointType.WAREHOUSE,
        position=n.Position(43 + random.random() * 7, random.random() * 6),
        country="FR",
        time_zone="Europe/Paris",
        openings=tuple(n.Opening(day, opens, closes) for day in range(1, 7)),
        collections=tuple(n.Collection(carrier, day, cut_off) for carrier in carriers for day in range(1, 6)),
        capabilities=frozenset({n.SHIP_FROM_STORE}),
        handling_minutes=random.choice((60, 120, 240)),
    )


def _shelf(random: Random, point: n.PointType, largest: int) -> int:
    if point is n.PointType.WAREHOUSE:
        return max(largest, round(random.lognormvariate(6, 1))) if random.random() < 0.9 else 0
    return random.randint(1, 48) if random.random() < 0.35 else 0


# Up to grams, cents.
_POST = ((500, 520), (1_000, 610), (2_000, 720), (5_000, 990), (10_000, 1_390), (20_000, 1_890), (30_000, 2_490))
_VAN = ((5_000, 1_150), (15_000, 1_390), (40_000, 1_990), (100_000, 3_490))
# Up to kilograms, euros.
_PALLETS = (
    *((50, 32), (100, 45), (200, 62), (300, 79), (500, 99), (750, 125), (1_000, 149), (1_500, 199), (2_000, 245)),
    *((3_000, 330), (5_000, 480), (10_000, 790), (20_000, 1_290)),
)
_FREIGHT = tuple((kilograms * 1_000, euros * 100) for kilograms, euros in _PALLETS)


def _carriers() -> tuple[n.Carrier, ...]:
    return (
        n.Carrier("post", (_service("post-home", _POST, 2),)),
        n.Carrier("van", (_service("van-home", _VAN, 3),)),
        n.Carrier("freight", (_service("pallets", _FREIGHT, 4),)),
    )


def _service(service_id: str, rates: Sequence[tuple[int, int]], transit_days: int) -> n.CarrierService:
    steps = tuple(n.RateStep(grams, Money(cents, "EUR")) for grams, cents in rates)
    return n.CarrierService(
        service_id=service_id,
        mode=n.Mode.HOME_STANDARD,
        max_weight_grams=rates[-1][0],
        max_length_millimetres=2_000,
        delivery_weekdays=(1, 2, 3, 4, 5, 6),
        delivery_from_minute=8 * 60,
        delivery_until_minute=20 * 60,
        zones=(n.ZoneTerms("FR", 1, transit_days, steps, Money(490, "EUR")),),
    )

"""Where points keep their articles, laid out from areas of categories. Reads no file and knows no service."""

from collections.abc import Iterator, Mapping, Sequence

from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.inventory.v1 import merchandising_service_pb2 as merchandising


def locations(
    point: inventory.StockPoint, items: Sequence[inventory.Item], areas: Mapping[str, Sequence[str]]
) -> Iterator[merchandising.PositionFacts]:
    """A location for each article that the point may have; `areas`: their categories, in the order of the walk."""
    kept = [item for item in items if not item.parts and (not point.brands or item.brand in point.brands)]
    walk: dict[str, int] = {}
    for area, categories in areas.items():
        shelves: dict[str, int] = {}
        for item in (one for category in categories for one in kept if _is_in(one, category)):
            shelf = shelves.setdefault(_model(item), len(shelves) + 1)
            location = f"{area}-{shelf:02}"
            yield merchandising.PositionFacts(
                sku=item.sku,
                point_id=point.point_id,
                source="retailers/demo",
                location=merchandising.ShelfLocation(
                    location=location, walk_order=walk.setdefault(location, len(walk) + 1)
                ),
            )


def _is_in(item: inventory.Item, category: str) -> bool:
    named = category.split("/")
    return list(item.category_path[: len(named)]) == named


def _model(item: inventory.Item) -> str:
    """What its colours and sizes have in common: `ODRS-ALIZE` of `ODRS-ALIZE-NV-36`."""
    return "-".join(item.sku.split("-")[:2])

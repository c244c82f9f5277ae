"""From inventory's feed to what the replica keeps. Translates, never judges."""

from collections.abc import Iterable
from datetime import date

import numpy as np

from kit import times
from oms.inventory.v1 import inventory_service_pb2 as pb
from services.promise.domain import network as n
from services.promise.replica import Change
from services.promise.stock_rows import Block, ChannelTerms, FindRates, Terms
from services.promise.translate import to_item, to_point

_PURPOSES = {
    pb.STOCK_PURPOSE_SHIP: n.SHIP,
    pb.STOCK_PURPOSE_COLLECT: n.COLLECT,
    pb.STOCK_PURPOSE_SHOW: n.SHOW,
}


def to_change(message: pb.WatchStockResponse) -> Change:
    """One message, whole."""
    return Change(
        sequence=message.sequence,
        items=tuple(to_item(item) for item in message.items),
        points=tuple(to_point(point) for point in message.points),
        channels=tuple(channel.channel_id for channel in message.channels),
        positions=to_block(message.stock) if message.HasField("stock") else None,
        categories={item.sku: "/".join(item.category_path) for item in message.items},
        find_rates=to_find_rates(message.find_rates.rows) if message.HasField("find_rates") else None,
        coming={(one.sku, one.point_id): to_coming(one.deliveries) for one in message.coming},
        is_snapshot=message.snapshot,
        completes_snapshot=message.snapshot_complete,
        sent_at=times.field_or_none(message, "sent_at"),
    )


def to_block(block: pb.StockBlock) -> Block:
    """Positions, column by column; rows without sales when none has any."""
    rows = len(block.point_indexes)
    sales = np.fromiter(block.daily_sales_thousandths, np.int64)
    return Block(
        skus=block.skus,
        rows=block.rows,
        point_ids=block.point_ids,
        terms=[_to_terms(one) for one in block.terms],
        points_of=np.fromiter(block.point_indexes, np.uint32, rows),
        terms_of=np.fromiter(block.terms_indexes, np.uint32, rows),
        free=np.fromiter(block.free, np.int64, rows),
        daily_thousandths=sales if len(sales) else np.zeros(rows, np.int64),
    )


def _to_terms(terms: pb.PositionTerms) -> Terms:
    day = terms.markdown_from_date
    return Terms(
        tuple(
            ChannelTerms(
                one.channel_id,
                one.safety_stock,
                one.routing_buffer,
                frozenset(_PURPOSES[purpose] for purpose in one.purposes),
            )
            for one in terms.channels
        ),
        date.fromisoformat(day) if day else None,
        (terms.markdown_basis_points + 50) // 100,
    )


def to_coming(deliveries: Iterable[pb.ComingDelivery]) -> tuple[n.Coming, ...]:
    """What comes to a position."""
    return tuple(
        n.Coming(
            delivery.delivery_id,
            {
                one.channel_id: n.ComingUnits(
                    one.units,
                    times.from_proto(one.due_at),
                    frozenset(_PURPOSES[purpose] for purpose in one.purposes),
                )
                for one in delivery.channels
            },
        )
        for delivery in deliveries
    )


def to_find_rates(rows: Iterable[pb.FindRateRow]) -> FindRates:
    """By category and point, as shares."""
    return {(row.category, row.point_id): [one / 10_000 for one in row.basis_points] for row in rows}

"""From the stock feed to its wire. No rules."""

from collections import Counter
from collections.abc import Sequence

from kit import times
from oms.inventory.v1 import inventory_service_pb2 as pb
from services.inventory.domain.facts import Markdown
from services.inventory.domain.picks import RateRow
from services.inventory.translate import channel_out, item_out, point_out, purposes_out
from services.inventory.watch import ChannelTerms, StockMessage, StockPosition
from services.inventory.watch_coming import ComingStock


def message_out(message: StockMessage) -> pb.WatchStockResponse:
    """To the wire, without the instant of sending."""
    return pb.WatchStockResponse(
        sequence=message.sequence,
        snapshot=message.snapshot,
        snapshot_complete=message.snapshot_complete,
        items=[item_out(item) for item in message.items],
        points=[point_out(point) for point in message.points],
        channels=[channel_out(channel) for channel in message.channels],
        stock=_block_out(message.positions) if message.positions else None,
        coming=[_coming_out(one) for one in message.coming],
        find_rates=None if message.find_rates is None else _find_rates_out(message.find_rates),
    )


def _coming_out(coming: ComingStock) -> pb.ComingStock:
    return pb.ComingStock(
        sku=coming.sku,
        point_id=coming.point_id,
        deliveries=[
            pb.ComingDelivery(
                delivery_id=delivery.delivery_id,
                channels=[
                    pb.ComingUnits(
                        channel_id=one.channel_id,
                        units=one.units,
                        due_at=times.to_proto(one.due_at),
                        purposes=purposes_out(one.purposes),
                    )
                    for one in delivery.channels
                ],
            )
            for delivery in coming.deliveries
        ],
    )


def _find_rates_out(rows: Sequence[RateRow]) -> pb.FindRateTable:
    return pb.FindRateTable(
        rows=[
            pb.FindRateRow(category=row.category, point_id=row.point_id, basis_points=row.basis_points)
            for row in rows
        ]
    )


def _block_out(positions: Sequence[StockPosition]) -> pb.StockBlock:
    """In the order of their SKUs; each point and each terms once."""
    ordered = sorted(positions, key=lambda one: one.sku)
    points: dict[str, int] = {}
    terms: dict[tuple[tuple[ChannelTerms, ...], Markdown | None], int] = {}
    rows = Counter(one.sku for one in ordered)
    sales = [one.facts.daily_thousandths for one in ordered]
    point_indexes = [points.setdefault(one.point_id, len(points)) for one in ordered]
    terms_indexes = [terms.setdefault((one.channels, one.facts.markdown), len(terms)) for one in ordered]
    return pb.StockBlock(
        skus=rows,
        rows=rows.values(),
        point_ids=points,
        terms=[_terms_out(*one) for one in terms],
        point_indexes=point_indexes,
        terms_indexes=terms_indexes,
        free=[one.free for one in ordered],
        daily_sales_thousandths=sales if any(sales) else (),
    )


def _terms_out(channels: Sequence[ChannelTerms], markdown: Markdown | None) -> pb.PositionTerms:
    return pb.PositionTerms(
        channels=[
            pb.ChannelTerms(
                channel_id=one.channel_id,
                safety_stock=one.safety_stock,
                routing_buffer=one.routing_buffer,
                purposes=purposes_out(one.purposes),
            )
            for one in channels
        ],
        markdown_from_date=markdown.from_date.isoformat() if markdown else "",
        markdown_basis_points=(markdown.basis_points or 0) if markdown else 0,
    )

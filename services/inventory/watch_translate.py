"""From the stock feed to its wire. No rules."""

from collections.abc import Sequence

from oms.inventory.v1 import inventory_service_pb2 as pb
from services.inventory.domain.picks import RateRow
from services.inventory.translate import channel_out, item_out, point_out, purposes_out
from services.inventory.watch import StockMessage, StockPosition


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
        find_rates=None if message.find_rates is None else _find_rates_out(message.find_rates),
    )


def _find_rates_out(rows: Sequence[RateRow]) -> pb.FindRateTable:
    return pb.FindRateTable(
        rows=[
            pb.FindRateRow(category=row.category, point_id=row.point_id, basis_points=row.basis_points)
            for row in rows
        ]
    )


def _position_out(position: StockPosition) -> pb.StockPosition:
    markdown = position.facts.markdown
    return pb.StockPosition(
        sku=position.sku,
        point_id=position.point_id,
        free=position.free,
        channels=[
            pb.ChannelTerms(
                channel_id=terms.channel_id,
                safety_stock=terms.safety_stock,
                routing_buffer=terms.routing_buffer,
                purposes=purposes_out(terms.purposes),
            )
            for terms in position.channels
        ],
        daily_sales_thousandths=position.facts.daily_thousandths,
        markdown_from_date=markdown.from_date.isoformat() if markdown else "",
        markdown_basis_points=(markdown.basis_points or 0) if markdown else 0,
    )

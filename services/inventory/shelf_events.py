"""What is told of shelves: ids and quantities only. Long lists of lines are left out: `line_count` tells."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from kit.outbox import Event
from services.inventory.answers import TillAnswer
from services.inventory.domain.business_day import AdjustmentReport
from services.inventory.domain.counts import Count
from services.inventory.domain.receiving import Receipt

MAX_LINES_TOLD = 500


def till_recorded(kind: str, answer: TillAnswer, receipt: str, happened_at: datetime) -> Event:
    """The till sold units (`kind` sale) or took some back (return); `short`: reserved units that are missing."""
    balance = answer.balance
    data = {
        "sku": balance.sku,
        "point_id": balance.point_id,
        "receipt": receipt,
        **asdict(answer.effect),
        "on_hand": balance.on_hand,
        "short": balance.short,
    }
    return _at_point(f"oms.inventory.till_{kind}.recorded", balance.point_id, happened_at, data)


def adjustments_reported(report: AdjustmentReport, short: int) -> Event:
    """A business day was closed: the stock master takes the lines, or reads the report."""
    data = {
        "report_id": report.report_id,
        "point_id": report.point_id,
        "business_date": report.business_date.isoformat(),
        "line_count": report.line_count,
        "units": report.units,
        "short": short,
        "lines": _told([asdict(line) for line in report.lines]),
    }
    return _at_point("oms.inventory.adjustments.reported", report.point_id, report.created_at, data)


def receipt_recorded(receipt: Receipt) -> Event:
    """Goods arrived. `differences` counts the lines that are over, short or damaged."""
    data = {
        "receipt_id": receipt.receipt_id,
        "point_id": receipt.point_id,
        "reference": receipt.reference,
        "line_count": len(receipt.lines),
        "differences": sum(line.differs for line in receipt.lines),
        "lines": _told([asdict(line) for line in receipt.lines]),
    }
    return _at_point("oms.inventory.receipt.recorded", receipt.point_id, receipt.recorded_at, data)


def count_closed(count: Count, short: int, now: datetime) -> Event:
    """A count was closed; `lines` are those that differed."""
    differing = [line for line in count.lines if line.difference]
    data = {
        "count_id": count.count_id,
        "point_id": count.point_id,
        "line_count": count.line_count,
        "differences": len(differing),
        "units": sum(line.adjusted or 0 for line in count.lines),
        "short": short,
        "lines": _told(
            [
                {
                    "sku": line.sku,
                    "counted": line.counted,
                    "difference": line.difference,
                    "adjusted": line.adjusted,
                }
                for line in differing
            ]
        ),
    }
    return _at_point("oms.inventory.count.closed", count.point_id, now, data)


def _told(lines: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    return lines if len(lines) <= MAX_LINES_TOLD else []


def _at_point(kind: str, point_id: str, at: datetime, data: dict[str, Any]) -> Event:
    return Event(type=kind, subject=f"point/{point_id}", order_id="", occurred_at=at, data=data)

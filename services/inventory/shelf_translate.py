"""Between the messages of a shelf and the domain's values. No rules: an odd value is passed on."""

from collections.abc import Iterable
from datetime import date, datetime

from kit.errors import InvalidArgument
from kit.times import field_or_none, to_proto
from oms.inventory.v1 import inventory_service_pb2 as pb
from oms.inventory.v1 import shelf_service_pb2 as shelf
from services.inventory.domain.business_day import AdjustmentReport
from services.inventory.domain.counts import Count, CountLine, CountState
from services.inventory.domain.declarations import Declaration, Ending, Reason
from services.inventory.domain.holds import ShortReason
from services.inventory.domain.receiving import Receipt, ReceiptLine
from services.inventory.domain.shelf_commands import CountedLine
from services.inventory.domain.till import Effect
from services.inventory.paging import Key

_REASONS = {
    Reason.BEING_SOLD: pb.DECLARATION_REASON_BEING_SOLD,
    Reason.NOT_FOUND: pb.DECLARATION_REASON_NOT_FOUND,
    Reason.DAMAGED: pb.DECLARATION_REASON_DAMAGED,
    Reason.PACKED: pb.DECLARATION_REASON_PACKED,
    Reason.OTHER: pb.DECLARATION_REASON_OTHER,
}
_REASONS_IN = {number: reason for reason, number in _REASONS.items()}
_ENDINGS = {
    Ending.SNAPSHOT: pb.DECLARATION_END_SNAPSHOT,
    Ending.RELEASED: pb.DECLARATION_END_RELEASED,
    Ending.TILL_SALE: pb.DECLARATION_END_TILL_SALE,
    Ending.END_OF_DAY: pb.DECLARATION_END_END_OF_DAY,
    Ending.COUNT: pb.DECLARATION_END_COUNT,
}
_COUNT_STATES = {
    CountState.OPEN: shelf.COUNT_STATE_OPEN,
    CountState.CLOSED: shelf.COUNT_STATE_CLOSED,
    CountState.CANCELLED: shelf.COUNT_STATE_CANCELLED,
}


def reason_in(number: int, word: str) -> Reason:
    """The reason that was sent, or else the one that the cause's word means."""
    if number == pb.DECLARATION_REASON_UNSPECIFIED:
        return Reason.of(word)
    if number not in _REASONS_IN:
        raise InvalidArgument("reason", "not a reason")
    return _REASONS_IN[pb.DeclarationReason.ValueType(number)]


def short_reasons_in(reasons: Iterable[pb.ShortReason]) -> tuple[ShortReason, ...] | None:
    """None when none is said: a request without them is the same as before there were any."""
    found = [ShortReason(one.sku, one.point_id, one.quantity, reason_in(one.reason, "")) for one in reasons]
    return tuple(found) or None


def declaration_out(one: Declaration) -> pb.Declaration:
    """To the wire."""
    return pb.Declaration(
        declaration_id=one.declaration_id,
        sku=one.sku,
        point_id=one.point_id,
        quantity=one.quantity,
        remaining=one.remaining,
        reason=_REASONS[one.reason],
        actor=one.actor,
        source=one.source,
        declared_at=to_proto(one.declared_at),
        ended_at=to_proto(one.ended_at) if one.ended_at else None,
        ended_by=_ENDINGS[one.ended_by] if one.ended_by else pb.DECLARATION_END_UNSPECIFIED,
    )


def effect_out(effect: Effect) -> shelf.TillEffect:
    """To the wire."""
    return shelf.TillEffect(
        taken=effect.taken, declared=effect.declared, known=effect.known, unknown=effect.unknown
    )


def date_in(value: str) -> date | None:
    """An ISO date; empty for none."""
    if not value:
        return None
    try:
        found = date.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.isoformat() != value:
        raise InvalidArgument("business_date", "not a date of ISO 8601, for example 2027-01-02")
    return found


def report_out(report: AdjustmentReport) -> shelf.AdjustmentReport:
    """To the wire."""
    return shelf.AdjustmentReport(
        report_id=report.report_id,
        point_id=report.point_id,
        business_date=report.business_date.isoformat(),
        created_at=to_proto(report.created_at),
        declared_until=to_proto(report.declared_until),
        line_count=report.line_count,
        units=report.units,
        lines=[
            shelf.AdjustmentLine(
                sku=line.sku,
                reason=_REASONS[line.reason],
                declaration_id=line.declaration_id,
                declared=line.declared,
                quantity=line.quantity,
            )
            for line in report.lines
        ],
    )


def receipt_lines_in(lines: Iterable[shelf.ReceiptLine]) -> tuple[ReceiptLine, ...]:
    """From the wire."""
    return tuple(
        ReceiptLine(line.sku, line.expected if line.HasField("expected") else None, line.received, line.damaged)
        for line in lines
    )


def receipt_out(receipt: Receipt) -> shelf.Receipt:
    """To the wire."""
    return shelf.Receipt(
        receipt_id=receipt.receipt_id,
        point_id=receipt.point_id,
        reference=receipt.reference,
        actor=receipt.actor,
        received_at=to_proto(receipt.received_at),
        recorded_at=to_proto(receipt.recorded_at),
        lines=[
            shelf.ReceiptLine(sku=line.sku, expected=line.expected, received=line.received, damaged=line.damaged)
            for line in receipt.lines
        ],
    )


def counted_in(lines: Iterable[shelf.CountedLine]) -> tuple[CountedLine, ...]:
    """From the wire."""
    return tuple(
        CountedLine(line.sku, line.counted, line.damaged, field_or_none(line, "counted_at")) for line in lines
    )


def count_out(count: Count) -> shelf.Count:
    """To the wire. A count is blind: what the books say is shown once it is closed."""
    closed = count.state is CountState.CLOSED
    return shelf.Count(
        count_id=count.count_id,
        point_id=count.point_id,
        state=_COUNT_STATES[count.state],
        opened_by=count.opened_by,
        opened_at=to_proto(count.opened_at),
        ended_at=to_proto(count.ended_at) if count.ended_at else None,
        ended_by=count.ended_by,
        line_count=count.line_count,
        lines=[_count_line_out(line, closed=closed) for line in count.lines],
    )


def _count_line_out(line: CountLine, *, closed: bool) -> shelf.CountLine:
    return shelf.CountLine(
        sku=line.sku,
        counted=line.counted,
        damaged=line.damaged,
        counted_at=to_proto(line.counted_at) if line.counted_at else None,
        counted_by=line.counted_by,
        expected=line.expected if closed else None,
        moved=line.moved,
        difference=line.difference,
        adjusted=line.adjusted,
    )


def instant_key(key: Key) -> tuple[datetime, str] | None:
    """A place in a list that is ordered by instant and id; None for its beginning."""
    text, name = str(key[0]), str(key[1])
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise _no_cursor() from None
    if instant.tzinfo is None:
        raise _no_cursor()
    return instant, name


def date_key(key: Key) -> date | None:
    """A place in a list that is ordered by date; None for its beginning."""
    text = str(key[0])
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise _no_cursor() from None


def _no_cursor() -> InvalidArgument:
    return InvalidArgument("page.cursor", "not a cursor of this list")

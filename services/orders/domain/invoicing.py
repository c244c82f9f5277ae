"""Which tax documents an order calls for, by the money that was taken and given back (SPEC ORD-12, PAY-7).

At any instant the documents of an order come to what was captured less what was refunded, for each tax rate: they
are apportioned as captures and refunds are (decision 8). Each document has a cause, and a cause has one document.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from kit.values.allocation import share
from services.orders.domain import substituting
from services.orders.domain.document import Document, DocumentContent, DocumentKind, DocumentLine
from services.orders.domain.dues import charged_fee_minor, charged_units
from services.orders.domain.model import (
    DiscountShare,
    Fulfilment,
    Line,
    Order,
    Refund,
    RefundKind,
    TaxPart,
    UnitRange,
)
from services.orders.domain.money_back import (
    Parts,
    amount_of,
    given_up,
    less,
    parts_of_fee,
    parts_of_units,
    summed,
)
from services.orders.domain.ranges import LineRange, in_fulfilment, without
from services.orders.domain.states import (
    UNDONE,
    CaptureState,
    OrderState,
    RefundState,
    UnitState,
)
from services.orders.domain.substituting import Article

# (line number, from, to)
Triple = tuple[int, int, int]


def is_touched(before: Order, after: Order) -> bool:
    """Whether a change may call for a document: money came, was given back, or the order was undone."""
    return _money(before) != _money(after)


def bills(order: Order, issued: Sequence[Document]) -> list[DocumentContent]:
    """What was taken and not billed yet: the parcels that brought it, or the whole order."""
    taken = order.taken
    if order.state == OrderState.REFUSED or (order.state in UNDONE and not taken):
        return []
    causes = {one.content.cause for one in issued}
    due: list[DocumentContent] = []
    if taken:
        receipt = _bill(order, f"receipt/{order.order_id}", order.taken_ranges, 0)
        due.append(replace(receipt, kind=DocumentKind.SALES_RECEIPT, point_id=taken.point_id))
    if order.charge and order.charge.state == CaptureState.CAPTURED:
        due.append(_bill(order, f"order/{order.order_id}", charged_units(order), charged_fee_minor(order)))
    else:
        due += [bill for work in order.sent if (bill := _bill_of_parcel(order, work))]
    return [one for one in due if one.cause not in causes and one.amount_minor]


def credits(before: Order, order: Order, issued: Sequence[Document]) -> list[DocumentContent]:
    """What was given back and not credited yet, never more than was billed. `issued`: with the newest bills.

    A refund that comes before its goods are billed, as of an order that its channel was paid for, waits for that.
    """
    billed = [one.content for one in issued if one.content.kind != DocumentKind.CREDIT_NOTE]
    notes = [one.content for one in issued if one.content.kind == DocumentKind.CREDIT_NOTE]
    causes = {one.cause for one in notes}
    due: list[DocumentContent] = []
    for refund in (_billed_part(order, one, billed) for one in order.refunds):
        is_new = _cause_of(refund) not in causes and _is_given_back(order, refund)
        if is_new and _covers(_books(billed, [*notes, *due]), refund.taxes):
            due.append(_credit(order, refund))
    if order.state == OrderState.CANCELLED and before.state != OrderState.CANCELLED:
        due += _rest(before, order, billed, [*notes, *due])
    return [_correcting(one, issued) for one in due]


def _money(order: Order) -> object:
    return (
        order.charge and order.charge.state,
        order.state == OrderState.CANCELLED,
        [(one.fulfilment_id, one.parcel.capture_state) for one in order.fulfilments if one.parcel],
        [(one.refund_id, one.state) for one in order.refunds],
    )


# -- bills ------------------------------------------------------------------------------------------------


def _bill_of_parcel(order: Order, work: Fulfilment) -> DocumentContent | None:
    """None for a parcel that brought nothing. One that was given up before its money came keeps the fee alone."""
    parcel = work.parcel
    if parcel is None or not parcel.amount_minor or not _is_paid(order, parcel.capture_state):
        return None
    gone = given_up(order)
    units = [one for one in in_fulfilment(order.ranges, work.fulfilment_id) if one not in gone]
    return _bill(order, f"parcel/{parcel.parcel_id}", units, parcel.shipping_minor)


def _is_paid(order: Order, state: CaptureState) -> bool:
    by_channel = order.payment_outcome == "paid_by_channel"
    return state == CaptureState.CAPTURED or (by_channel and state == CaptureState.NOT_NEEDED)


def _bill(order: Order, cause: str, units: Iterable[LineRange], fee_minor: int) -> DocumentContent:
    content = order.content
    return DocumentContent(
        kind=DocumentKind.INVOICE,
        order_id=order.order_id,
        channel_id=content.channel_id,
        point_id="",
        cause=cause,
        currency=content.total.currency,
        lines=_lines(order, map(_triple, units)),
        shipping=_told(summed(parts_of_fee(content.lines, fee_minor))),
    )


# -- credit notes -----------------------------------------------------------------------------------------


def _cause_of(refund: Refund) -> str:
    return f"refund/{refund.refund_id}"


def _is_given_back(order: Order, refund: Refund) -> bool:
    """By itself, or with the whole order."""
    with_the_order = refund.state == RefundState.SUPERSEDED and order.state == OrderState.CANCELLED
    return refund.state == RefundState.SUCCEEDED or with_the_order


def _billed_part(order: Order, refund: Refund, billed: Sequence[DocumentContent]) -> Refund:
    """What of a refund was billed; all of it, but for units that were cancelled before their bill came.

    Their channel was paid for them: nothing of ours was captured.
    """
    units = tuple(
        LineRange(one.line_number, one.from_unit, one.to_unit, UnitState.CANCELLED) for one in refund.units
    )
    unbilled = without(units, [one for bill in billed for one in _units(bill)])
    if not unbilled or refund.kind != RefundKind.CANCELLED_UNITS:
        return refund
    rest = without(units, map(_triple, unbilled))
    fee_minor = refund.shipping_minor if any(bill.shipping for bill in billed) else 0
    parts = summed([*parts_of_units(order.content.lines, rest), *parts_of_fee(order.content.lines, fee_minor)])
    return replace(
        refund,
        units=tuple(UnitRange(*_triple(one)) for one in rest),
        shipping_minor=fee_minor,
        taxes=_told(parts),
        amount_minor=amount_of(parts.values()),
    )


def _credit(order: Order, refund: Refund) -> DocumentContent:
    """What a refund gave back, as it was decided; what it says of no unit and no fee is an adjustment."""
    units = [(one.line_number, one.from_unit, one.to_unit) for one in refund.units]
    lines = _lines(order, units)
    rest = _minus(summed(refund.taxes), [line.part for line in lines])
    fee = _fee_within(order, refund.shipping_minor, rest)
    return _credit_note(order, _cause_of(refund), lines, fee, _minus(rest, fee.values()))


def _fee_within(order: Order, fee_minor: int, rest: Parts) -> Parts:
    """The delivery fee: what is left beside the goods, but for rates whose goods bring less than was billed."""
    if not fee_minor:
        return {}
    beside = {rate: part for rate, part in rest.items() if part.gross_minor >= 0}
    is_fee = amount_of(beside.values()) == fee_minor
    return beside if is_fee else summed(parts_of_fee(order.content.lines, fee_minor))


def _rest(
    before: Order, order: Order, billed: Sequence[DocumentContent], notes: Sequence[DocumentContent]
) -> list[DocumentContent]:
    """All that stands of an order that was undone, but for what refunds of their own are still to give back."""
    own = [_credit(order, one) for one in order.refunds if _is_to_come(before, one)]
    gone = [*notes, *(one for one in own if _covers(_books(billed, notes), one.totals))]
    books = _books(billed, gone)
    if not amount_of(books.values()):
        return []
    units = without(
        tuple(LineRange(*one, UnitState.CANCELLED) for bill in billed for one in _units(bill)),
        [one for note in gone for one in _units(note)],
    )
    lines = _lines(order, map(_triple, units))
    fee = _minus(_fee(billed), _fee(gone).values())
    adjustments = _minus(_minus(books, [line.part for line in lines]), fee.values())
    return [_credit_note(order, f"cancellation/{order.order_id}", lines, fee, adjustments)]


def _is_to_come(before: Order, refund: Refund) -> bool:
    """A cancellation gave all money back; an order that just found no unit gives it back by its refunds alone."""
    if refund.state == RefundState.FAILED:
        return before.state != OrderState.CANCELLING
    return refund.state == RefundState.PENDING


def _credit_note(
    order: Order, cause: str, lines: tuple[DocumentLine, ...], fee: Parts, adjustments: Parts
) -> DocumentContent:
    return DocumentContent(
        kind=DocumentKind.CREDIT_NOTE,
        order_id=order.order_id,
        channel_id=order.content.channel_id,
        point_id="",
        cause=cause,
        currency=order.content.total.currency,
        lines=lines,
        shipping=_told(fee),
        adjustments=_told(adjustments),
    )


def _correcting(note: DocumentContent, issued: Sequence[Document]) -> DocumentContent:
    """With the numbers of the bills that it takes back from: all of them, when it is of no unit and no fee."""
    bills = [one for one in issued if one.content.kind != DocumentKind.CREDIT_NOTE]
    chosen = [
        one.number
        for one in bills
        if _overlap(_units(note), _units(one.content)) or (note.shipping and one.content.shipping)
    ]
    return replace(note, corrects=tuple(chosen or [one.number for one in bills]))


def _books(billed: Iterable[DocumentContent], notes: Iterable[DocumentContent]) -> Parts:
    """What documents come to, by rate."""
    return _minus(summed(part for one in billed for part in one.totals), [p for one in notes for p in one.totals])


def _fee(contents: Iterable[DocumentContent]) -> Parts:
    return summed(part for one in contents for part in one.shipping)


def _covers(books: Parts, parts: Iterable[TaxPart]) -> bool:
    parts = tuple(parts)
    return bool(parts) and all(
        part.tax_rate_basis_points in books and part.gross_minor <= books[part.tax_rate_basis_points].gross_minor
        for part in parts
    )


# -- lines and parts --------------------------------------------------------------------------------------


def _lines(order: Order, units: Iterable[Triple]) -> tuple[DocumentLine, ...]:
    """Units as a document tells them: those of one article that follow each other in one line."""
    by_number = {line.line_number: line for line in order.content.lines}
    given = substituting.given(order)
    return tuple(
        _line(by_number[number], start, end, article)
        for number, first, last in _joined(units)
        for start, end, article in substituting.articles(by_number[number], first, last, given.get(number, ()))
    )


def _line(line: Line, start: int, end: int, article: Article) -> DocumentLine:
    (part,) = parts_of_units([line], (LineRange(line.line_number, start, end, UnitState.RECORDED),))
    shares = [
        DiscountShare(one.code, share(one.amount_minor, line.quantity, start, end)) for one in line.discounts
    ]
    return DocumentLine(
        line_number=line.line_number,
        sku=article.sku,
        title=article.title,
        from_unit=start,
        to_unit=end,
        net_minor=part.net_minor,
        tax_rate_basis_points=part.tax_rate_basis_points,
        tax_minor=part.tax_minor,
        discounts=tuple(one for one in shares if one.amount_minor),
    )


def _joined(units: Iterable[Triple]) -> list[Triple]:
    joined: list[Triple] = []
    for number, start, end in sorted(units):
        if joined and joined[-1][0] == number and joined[-1][2] == start:
            joined[-1] = (number, joined[-1][1], end)
        else:
            joined.append((number, start, end))
    return joined


def _units(content: DocumentContent) -> list[Triple]:
    return [(line.line_number, line.from_unit, line.to_unit) for line in content.lines]


def _triple(one: LineRange) -> Triple:
    return one.line_number, one.from_unit, one.to_unit


def _overlap(some: Iterable[Triple], others: Sequence[Triple]) -> bool:
    return any(a[0] == b[0] and a[1] < b[2] and b[1] < a[2] for a in some for b in others)


def _minus(parts: Parts, taken: Iterable[TaxPart]) -> Parts:
    for part in taken:
        parts = less(parts, part)
    return parts


def _told(parts: Parts) -> tuple[TaxPart, ...]:
    """Those that say something, by rate."""
    return tuple(parts[rate] for rate in sorted(parts) if parts[rate].net_minor or parts[rate].tax_minor)

"""Tax documents: invoices, credit notes and sales receipts, what they say and how they are numbered (SPEC ORD-12).

Which of them an order calls for is in invoicing.py. None holds personal data: the order's buyer is whom it is for.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from kit.errors import InvalidArgument
from services.orders.domain.model import DiscountShare, DocumentTerms, TaxPart
from services.orders.domain.money_back import amount_of, summed

_SERIES = re.compile(r"[A-Z0-9]([A-Z0-9-]{0,18}[A-Z0-9])?")
_MAX_SELLER_LINES = 12


class DocumentKind(StrEnum):
    """What it is; a credit note takes back what the others say."""

    INVOICE = "invoice"
    CREDIT_NOTE = "credit_note"
    SALES_RECEIPT = "sales_receipt"


_MARKS = {DocumentKind.INVOICE: "INV", DocumentKind.CREDIT_NOTE: "CN", DocumentKind.SALES_RECEIPT: "SR"}


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """Units [from_unit, to_unit) of a line, with what they bear of its amounts."""

    line_number: int
    sku: str
    title: str
    from_unit: int
    to_unit: int
    net_minor: int
    tax_rate_basis_points: int
    tax_minor: int
    # Already deducted from the net.
    discounts: tuple[DiscountShare, ...] = ()

    @property
    def quantity(self) -> int:
        """How many units."""
        return self.to_unit - self.from_unit

    @property
    def part(self) -> TaxPart:
        """Its amounts."""
        return TaxPart(self.tax_rate_basis_points, self.net_minor, self.tax_minor)


@dataclass(frozen=True, slots=True)
class DocumentContent:
    """What a document says. The amounts of a credit note are above zero too: its kind says that they come off.

    `shipping`: of the delivery fee. `adjustments`: amounts of no unit; goodwill when they are above zero, and what
    was credited before when they are below. `corrects`: the numbers of what a credit note takes back.
    """

    kind: DocumentKind
    order_id: str
    channel_id: str
    # Of a sales receipt.
    point_id: str
    # "parcel/...", "order/...", "refund/...", "cancellation/..."; of an order each is once.
    cause: str
    currency: str
    lines: tuple[DocumentLine, ...]
    shipping: tuple[TaxPart, ...]
    adjustments: tuple[TaxPart, ...] = ()
    corrects: tuple[str, ...] = ()

    @property
    def totals(self) -> tuple[TaxPart, ...]:
        """One a rate."""
        whole = summed([*(line.part for line in self.lines), *self.shipping, *self.adjustments])
        return tuple(whole[rate] for rate in sorted(whole))

    @property
    def amount_minor(self) -> int:
        """Net and tax of all rates."""
        return amount_of(self.totals)


@dataclass(frozen=True, slots=True)
class Seller:
    """Who issues it, as it is printed."""

    name: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """Issued: nothing of it ever changes. `issued_on` and `year` are the seller's."""

    number: str
    series: str
    year: int
    sequence: int
    issued_at: datetime
    issued_on: date
    seller: Seller
    content: DocumentContent


def series_of(terms: DocumentTerms, content: DocumentContent) -> str:
    """A sales receipt is of its point's series, anything else of its channel's."""
    if content.kind != DocumentKind.SALES_RECEIPT:
        return terms.series or _from_id(content.channel_id)
    named = [one.series for one in terms.points if one.point_id == content.point_id]
    return named[0] if named else _from_id(content.point_id)


def zone_of(terms: DocumentTerms) -> tzinfo:
    """Whose days and years count."""
    return ZoneInfo(terms.time_zone) if terms.time_zone else UTC


def number_of(series: str, kind: DocumentKind, year: int, sequence: int) -> str:
    """For example "WEB-FR-INV-2026-000042": from its end it is read one way only, so no two are alike."""
    return f"{series}-{_MARKS[kind]}-{year}-{sequence:06d}"


def check_terms(path: str, terms: DocumentTerms) -> None:
    """Raises InvalidArgument, naming the field."""
    if terms.series:
        _check_series(f"{path}.series", terms.series)
    if terms.time_zone and not _is_zone(terms.time_zone):
        raise InvalidArgument(f"{path}.time_zone", "a zone of the IANA database, such as Europe/Paris")
    if terms.seller_lines and not terms.seller_name:
        raise InvalidArgument(f"{path}.seller_name", "a seller has a name")
    if len(terms.seller_lines) > _MAX_SELLER_LINES:
        raise InvalidArgument(f"{path}.seller_lines", f"at most {_MAX_SELLER_LINES} lines")
    _check_points(f"{path}.points", [one.point_id for one in terms.points])
    for i, one in enumerate(terms.points):
        _check_series(f"{path}.points[{i}].series", one.series)


def _check_points(path: str, point_ids: Sequence[str]) -> None:
    for i, point_id in enumerate(point_ids):
        if not point_id or point_id in point_ids[:i]:
            raise InvalidArgument(f"{path}[{i}].point_id", "a point is named once")


def _check_series(path: str, series: str) -> None:
    if not _SERIES.fullmatch(series):
        raise InvalidArgument(path, "1 to 20 upper-case letters, digits and hyphens, no hyphen at an end")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        # Unknown, no name of a zone at all, or that of a folder of the database.
        return False
    return True


def _from_id(id_: str) -> str:
    """Ids that are alike but for case and signs share a series: it stays gapless, whoever draws from it."""
    return re.sub(r"[^A-Z0-9]+", "-", id_.upper()).strip("-") or "S"

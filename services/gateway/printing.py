"""What goes on and into a parcel, as PDF: the label and the packing slip. Draws what it is told, asks nobody.

Letters of all languages of Europe (Latin, Greek, Cyrillic); a letter that the font lacks is drawn as a box.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from fastapi import Response
from reportlab.graphics.barcode.code128 import Code128
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import simpleSplit
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

Language = Literal["en", "fr"]

MEDIA_TYPE = "application/pdf"
PDF_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "To print",
        "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}
LABEL_SIZE = (100 * mm, 150 * mm)
_MARGIN = 6 * mm
# Lines of a page of A4, when none of them is broken into more than two.
_ROWS = 20
_SHEET_ROWS = 22
# Of a slip with a message, which has room for it.
_ROWS_BESIDE_MESSAGE = 14
_PLAIN, _BOLD = "Roboto", "Roboto-Bold"
# The function code that begins a GS1-128 barcode, as Code128 of the library takes it; then the key of an SSCC.
_FNC1, _SSCC_KEY = "\xf1", "00"
# To what part of its size a text is made smaller before it is broken into lines.
_SMALLEST = 0.75
# GS1 General Specifications, 5.5: a quiet zone of ten modules, a height of 32 mm for logistic labels.
_MODULE, _HEIGHT = 0.495 * mm, 32 * mm

_WORDS = {
    "from": ("From", "Expéditeur"),
    "to": ("To", "Destinataire"),
    "order": ("Order", "Commande"),
    "weight": ("Weight", "Poids"),
    "slip": ("Packing slip", "Bon de livraison"),
    "article": ("Article", "Article"),
    "units": ("Units", "Quantité"),
    "instead_of": ("instead of", "à la place de"),
    "thanks": ("Thank you for your order.", "Merci de votre commande."),
    "page": ("Page", "Page"),
}


@dataclass(frozen=True, slots=True)
class Party:
    """Who sends or receives, line by line as on an envelope; the name first."""

    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Label:
    """What a carrier's label says. `sscc`: 18 digits. `weight_grams`: of the closed parcel."""

    sender: Party
    receiver: Party
    carrier: str
    service: str
    order_number: str
    weight_grams: int
    sscc: str


@dataclass(frozen=True, slots=True)
class SlipLine:
    """Units of an article."""

    title: str
    sku: str
    quantity: int
    # The title of what was ordered, where this is given instead of it.
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class Slip:
    """What is in a parcel, without any price: it may be a gift."""

    sender: Party
    receiver: Party
    order_number: str
    lines: Sequence[SlipLine]
    # What the customer writes to whoever unpacks it.
    message: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sheet. `share`: of its width; figures stand at its right."""

    title: str
    share: float
    is_figure: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table on A4. `facts` stand below the title, `below` under the last row, each with a line to write on."""

    title: str
    facts: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]
    below: Sequence[str] = ()


def pdf_response(content: bytes, name: str) -> Response:
    """Shown by a browser, kept by nobody."""
    headers = {"Content-Disposition": f'inline; filename="{name}.pdf"', "Cache-Control": "no-store"}
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


def label_pdf(label: Label, language: Language) -> bytes:
    """One page of 100 x 150 mm for a label printer: who, what way, and the SSCC as a GS1-128 barcode."""
    word = _words(language)

    def draw(canvas: Canvas) -> None:
        width, height = LABEL_SIZE
        inner = width - 2 * _MARGIN
        y = height - _MARGIN
        y = _text(canvas, _MARGIN, y, inner, label.carrier, _BOLD, 20)
        y = _text(canvas, _MARGIN, y, inner, label.service, _PLAIN, 11)
        y = _rule(canvas, y, width)
        y = _text(canvas, _MARGIN, y, inner, word("from"), _BOLD, 7)
        y = _text(canvas, _MARGIN, y, inner, ", ".join(label.sender.lines), _PLAIN, 9)
        y = _rule(canvas, y, width)
        y = _text(canvas, _MARGIN, y, inner, word("to"), _BOLD, 7)
        for line in label.receiver.lines:
            y = _text(canvas, _MARGIN, y, inner, line, _BOLD, 14)
        y = _rule(canvas, y, width)
        kilograms = f"{label.weight_grams / 1000:.3f}".replace(".", "," if language == "fr" else ".")
        facts = f"{word('order')} {label.order_number}   {word('weight')} {kilograms} kg"
        _text(canvas, _MARGIN, y, inner, facts, _PLAIN, 9)
        barcode = Code128(
            f"{_FNC1}{_SSCC_KEY}{label.sscc}",
            barWidth=_MODULE,
            barHeight=_HEIGHT,
            quiet=True,
            lquiet=10 * _MODULE,
            rquiet=10 * _MODULE,
        )
        barcode.drawOn(canvas, (width - barcode.width) / 2, _MARGIN + 6 * mm)
        canvas.setFont(_PLAIN, 12)
        canvas.drawCentredString(width / 2, _MARGIN, f"({_SSCC_KEY}) {label.sscc}")

    return _document(LABEL_SIZE, f"{word('order')} {label.order_number}", [draw])


def slip_pdf(slip: Slip, language: Language) -> bytes:
    """As many pages of A4 as the lines need: what is in the parcel, and no price."""
    word = _words(language)
    rows = _ROWS_BESIDE_MESSAGE if slip.message else _ROWS
    parts = [slip.lines[first : first + rows] for first in range(0, len(slip.lines), rows)]
    pages = [
        lambda canvas, number=number, part=part: _slip_page(canvas, slip, part, number, len(parts), language)
        for number, part in enumerate(parts, start=1)
    ]
    return _document(A4, f"{word('slip')} {slip.order_number}", pages)


def _slip_page(
    canvas: Canvas, slip: Slip, lines: Sequence[SlipLine], number: int, of: int, language: Language
) -> None:
    word = _words(language)
    width, height = A4
    left, right = 20 * mm, width - 20 * mm
    half = (right - left) / 2 - 5 * mm
    y = height - 20 * mm
    y = _text(canvas, left, y, right - left, word("slip"), _BOLD, 20)
    y = _text(canvas, left, y, right - left, f"{word('order')} {slip.order_number}", _PLAIN, 12) - 6 * mm
    lowest = y
    for x, title, party in ((left, word("from"), slip.sender), (left + half + 10 * mm, word("to"), slip.receiver)):
        at = _text(canvas, x, y, half, title, _BOLD, 9)
        for line in party.lines:
            at = _text(canvas, x, at, half, line, _PLAIN, 12)
        lowest = min(lowest, at)
    y = lowest - 8 * mm
    _text(canvas, left, y, half, word("article"), _BOLD, 10)
    canvas.drawRightString(right, y - 10, word("units"))
    y -= 7 * mm
    for one in lines:
        canvas.setLineWidth(0.3)
        canvas.line(left, y + 1 * mm, right, y + 1 * mm)
        canvas.setFont(_BOLD, 12)
        canvas.drawRightString(right, y - 12, str(one.quantity))
        title = f"{one.title} ({word('instead_of')} {one.instead_of})" if one.instead_of else one.title
        below = _text(canvas, left, y, right - left - 20 * mm, title, _PLAIN, 12)
        y = _text(canvas, left, below, right - left - 20 * mm, one.sku, _PLAIN, 8) - 2 * mm
    if number == of:
        _text(canvas, left, y - 6 * mm, right - left, slip.message or word("thanks"), _PLAIN, 12)
    if of > 1:
        canvas.setFont(_PLAIN, 9)
        canvas.drawRightString(right, 12 * mm, f"{word('page')} {number} / {of}")


def sheet_pdf(sheet: Sheet, language: Language) -> bytes:
    """As many pages of A4 as the rows need."""
    parts = [sheet.rows[first : first + _SHEET_ROWS] for first in range(0, max(1, len(sheet.rows)), _SHEET_ROWS)]
    pages = [
        lambda canvas, number=number, part=part: _sheet_page(canvas, sheet, part, number, len(parts), language)
        for number, part in enumerate(parts, start=1)
    ]
    return _document(A4, sheet.title, pages)


def _sheet_page(
    canvas: Canvas, sheet: Sheet, rows: Sequence[Sequence[str]], number: int, of: int, language: Language
) -> None:
    word = _words(language)
    width, height = A4
    left, right = 15 * mm, width - 15 * mm
    y = _text(canvas, left, height - 15 * mm, right - left, sheet.title, _BOLD, 18)
    for fact in sheet.facts:
        y = _text(canvas, left, y, right - left, fact, _PLAIN, 10)
    y = _sheet_row(canvas, sheet.columns, [one.title for one in sheet.columns], left, right, y - 4 * mm, _BOLD)
    for row in rows:
        canvas.setLineWidth(0.3)
        canvas.line(left, y + 0.5 * mm, right, y + 0.5 * mm)
        y = _sheet_row(canvas, sheet.columns, row, left, right, y - 0.5 * mm, _PLAIN) - 1 * mm
    if number == of:
        for text in sheet.below:
            y = _text(canvas, left, y - 10 * mm, 60 * mm, text, _PLAIN, 10)
            canvas.line(left + 62 * mm, y + 2 * mm, right, y + 2 * mm)
    if of > 1:
        canvas.setFont(_PLAIN, 9)
        canvas.drawRightString(right, 10 * mm, f"{word('page')} {number} / {of}")


def _sheet_row(
    canvas: Canvas,
    columns: Sequence[Column],
    cells: Sequence[str],
    left: float,
    right: float,
    y: float,
    font: str,
) -> float:
    """Where the next row begins: below the longest of its cells."""
    whole, lowest = right - left, y
    for column, cell in zip(columns, cells, strict=True):
        room = whole * column.share - 2 * mm
        if column.is_figure:
            canvas.setFont(font, _fitting(cell, font, 10, room, 0))
            canvas.drawRightString(left + room, y - 10, cell)
            below = y - 13.5
        else:
            below = _text(canvas, left, y, room, cell, font, 10)
        lowest = min(lowest, below)
        left += whole * column.share
    return lowest


def _document(size: tuple[float, float], title: str, pages: Sequence[Callable[[Canvas], None]]) -> bytes:
    _load_fonts()
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=size, invariant=True)
    canvas.setTitle(title)
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


@cache
def _load_fonts() -> None:
    for name, file in ((_PLAIN, "Roboto-Regular.ttf"), (_BOLD, "Roboto-Bold.ttf")):
        pdfmetrics.registerFont(TTFont(name, str(files("font_roboto") / "files" / file)))


def _words(language: Language) -> Callable[[str], str]:
    return lambda name: _WORDS[name][language == "fr"]


def _text(canvas: Canvas, x: float, y: float, width: float, text: str, font: str, size: float) -> float:
    """A text from `y` down, smaller and then in several lines where it is too long; where the next one begins."""
    size = _fitting(text, font, size, width, size * _SMALLEST)
    for line in simpleSplit(text, font, size, width) or [""]:
        # One word alone may still be too long.
        canvas.setFont(font, _fitting(line, font, size, width, 0))
        canvas.drawString(x, y - size, line)
        y -= size * 1.35
    return y


def _fitting(text: str, font: str, size: float, width: float, smallest: float) -> float:
    needed = pdfmetrics.stringWidth(text, font, size)
    return size if needed <= width else max(size * width / needed, smallest)


def _rule(canvas: Canvas, y: float, width: float) -> float:
    canvas.setLineWidth(0.8)
    canvas.line(_MARGIN, y - 1 * mm, width - _MARGIN, y - 1 * mm)
    return y - 3 * mm

"""The same few charts in the terminal, of block characters, and as an SVG file of our own making."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from cli.client import Json
from kit.values.money import exponent

MAX_ROWS = 15
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LIVE, _CANDIDATE, _INK, _PAPER = "#5b6b7b", "#d9792b", "#22272c", "#ffffff"
_WIDTH, _LABEL_WIDTH, _VALUE_WIDTH, _BAR, _GAP, _TITLE = 900, 220, 110, 11, 8, 34


@dataclass(frozen=True, slots=True)
class Row:
    """One thing under both rulesets."""

    label: str
    live: float
    candidate: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Rows of one measure; `decimals` of its values are written."""

    title: str
    rows: Sequence[Row]
    decimals: int = 0

    @property
    def largest(self) -> float:
        """The longest bar stands for it."""
        return max((max(row.live, row.candidate) for row in self.rows), default=0) or 1

    def written(self, value: float) -> str:
        """As it stands beside its bar."""
        return f"{value:,.{self.decimals}f}"


def names(simulation: Json) -> tuple[str, str]:
    """The ruleset in force and the candidate, told apart also when they have one id."""
    live = simulation["live"]
    candidate = simulation["setup"]["ruleset"]["ruleset_id"] or "without an id"
    return f"{live['ruleset_id']} version {live['version']}, in force", f"{candidate}, candidate"


def charts(simulation: Json) -> list[Chart]:
    """What is drawn of a result."""
    result, currency = simulation["result"], simulation["live"]["currency"]
    live, candidate = result["live"], result["candidate"]
    decimals = exponent(currency)
    costs = [
        Row(name, live[f"{name}_minor"] / 10**decimals, candidate[f"{name}_minor"] / 10**decimals)
        for name in ("shipping", "preparation")
    ]
    points = [
        Row(point["point_id"], point["live"]["parcels"], point["candidate"]["parcels"])
        for point in result["points"]
    ]
    return [
        Chart(f"real cost, {currency}", costs, decimals),
        Chart("parcels by point", _most(points)),
        Chart("orders by promised days", _histogram(result, "promise_days", "D+{}")),
        Chart("orders by parcels", _histogram(result, "parcels", "{}")),
    ]


def _most(rows: Sequence[Row]) -> list[Row]:
    """The largest; the others as one."""
    ranked = sorted(rows, key=lambda row: (-max(row.live, row.candidate), row.label))
    if len(ranked) <= MAX_ROWS:
        return ranked
    rest = ranked[MAX_ROWS - 1 :]
    others = Row(f"{len(rest)} others", sum(row.live for row in rest), sum(row.candidate for row in rest))
    return [*ranked[: MAX_ROWS - 1], others]


def _histogram(result: Json, name: str, label: str) -> list[Row]:
    """Orders by value; the values beyond the last row as one."""
    sides = [{bar["value"]: bar["orders"] for bar in result[f"{side}_{name}"]} for side in ("live", "candidate")]
    values = sorted(sides[0].keys() | sides[1].keys())
    rows = [Row(label.format(value), *(side.get(value, 0) for side in sides)) for value in values]
    if len(rows) <= MAX_ROWS:
        return rows
    rest = rows[MAX_ROWS - 1 :]
    others = Row(f"{rest[0].label} and more", sum(row.live for row in rest), sum(row.candidate for row in rest))
    return [*rows[: MAX_ROWS - 1], others]


# -- the terminal -----------------------------------------------------------------------------------------


def lines(chart: Chart, width: int) -> Iterator[tuple[str, str, str]]:
    """Label, bar and value, two lines a row: the ruleset in force, then the candidate."""
    for row in chart.rows:
        yield row.label, bar(row.live, chart.largest, width), chart.written(row.live)
        yield "", bar(row.candidate, chart.largest, width), chart.written(row.candidate)


def bar(value: float, largest: float, width: int) -> str:
    """Blocks in eighths of a character; a value that is not 0 has at least one."""
    eighths = round(max(0.0, value) / largest * width * 8)
    if value > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return _EIGHTHS[8] * full + (_EIGHTHS[rest] if rest else "")


# -- SVG --------------------------------------------------------------------------------------------------


def svg(simulation: Json) -> str:
    """A whole file."""
    drawn = charts(simulation)
    height = _TITLE + sum(_TITLE + len(chart.rows) * (2 * _BAR + _GAP) + _GAP for chart in drawn)
    live, candidate = names(simulation)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" '
        f'viewBox="0 0 {_WIDTH} {height}" font-family="sans-serif" font-size="12" fill="{_INK}">',
        f'<rect width="{_WIDTH}" height="{height}" fill="{_PAPER}"/>',
        *_key(10, live, _LIVE),
        *_key(_WIDTH // 2, candidate, _CANDIDATE),
    ]
    top = _TITLE
    for chart in drawn:
        parts += _svg_chart(chart, top)
        top += _TITLE + len(chart.rows) * (2 * _BAR + _GAP) + _GAP
    return "\n".join([*parts, "</svg>", ""])


def _key(left: int, text: str, colour: str) -> Iterator[str]:
    yield f'<rect x="{left}" y="12" width="12" height="12" fill="{colour}"/>'
    yield f'<text x="{left + 18}" y="22">{escape(text)}</text>'


def _svg_chart(chart: Chart, top: int) -> Iterator[str]:
    yield f'<text x="10" y="{top + 22}" font-size="14" font-weight="bold">{escape(chart.title)}</text>'
    room = _WIDTH - _LABEL_WIDTH - _VALUE_WIDTH
    y = top + _TITLE
    for row in chart.rows:
        yield f'<text x="{_LABEL_WIDTH - 8}" y="{y + _BAR + 4}" text-anchor="end">{escape(row.label)}</text>'
        for value, colour in ((row.live, _LIVE), (row.candidate, _CANDIDATE)):
            length = max(0.0, value) / chart.largest * room
            yield f'<rect x="{_LABEL_WIDTH}" y="{y}" width="{length:.1f}" height="{_BAR - 1}" fill="{colour}"/>'
            at = _LABEL_WIDTH + length + 5
            yield f'<text x="{at:.1f}" y="{y + _BAR - 2}" font-size="10">{chart.written(value)}</text>'
            y += _BAR
        y += _GAP

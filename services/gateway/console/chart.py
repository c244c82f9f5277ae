"""Where the lines of a chart go: pure geometry, drawn as SVG by the template `chart.html`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

WIDTH, HEIGHT = 960, 320
_LEFT, _RIGHT, _TOP, _BOTTOM = 130, 36, 16, 40
_GRID_LINES = 4
_MOST_TICKS = 8
# Beyond so many days a dot for each would only be a thicker line.
_MOST_DOTS = 45


@dataclass(frozen=True, slots=True)
class Series:
    """A line: what it is, and a value for each day, or None where there is none. `style`: how it is drawn."""

    name: str
    values: Sequence[float | None]
    style: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on an axis, and what it stands for."""

    at: float
    value: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A day on the axis."""

    at: float
    day: date


@dataclass(frozen=True, slots=True)
class Drawn:
    """A line as SVG takes it, and the places of its dots."""

    name: str
    style: str
    points: str
    dots: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn."""

    width: int
    height: int
    left: int
    right: int
    bottom: int
    grid: Sequence[Mark]
    ticks: Sequence[Tick]
    lines: Sequence[Drawn]


def chart_of(days: Sequence[date], series: Sequence[Series], step: int = 0, left: int = _LEFT) -> Chart:
    """Lines over days, from zero to a round figure above the greatest value, or by these steps.

    `left`: room for what the steps are called.
    """
    step = step or round_step(max((value or 0 for one in series for value in one.values), default=0))
    top = step * _GRID_LINES
    floor = HEIGHT - _BOTTOM

    def x(index: int) -> float:
        if len(days) == 1:
            return (left + WIDTH - _RIGHT) / 2
        return round(left + (WIDTH - left - _RIGHT) * index / (len(days) - 1), 1)

    def y(value: float) -> float:
        return round(floor - (floor - _TOP) * value / top, 1)

    every = -(-len(days) // _MOST_TICKS)
    lines = []
    for one in series:
        places = [(x(index), y(value)) for index, value in enumerate(one.values) if value is not None]
        points = " ".join(f"{across},{down}" for across, down in places)
        lines.append(Drawn(one.name, one.style or one.name, points, places if len(days) <= _MOST_DOTS else ()))
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=left,
        right=WIDTH - _RIGHT,
        bottom=floor,
        grid=[Mark(y(step * number), step * number) for number in range(_GRID_LINES + 1)],
        ticks=[Tick(x(index), day) for index, day in enumerate(days) if index % every == 0],
        lines=lines,
    )


def round_step(greatest: float) -> int:
    """1, 2 or 5 times a power of ten, of which so many as there are grid lines reach the greatest value."""
    magnitude = 1
    while True:
        for times in (1, 2, 5):
            if magnitude * times * _GRID_LINES >= greatest:
                return magnitude * times
        magnitude *= 10

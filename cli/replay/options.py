"""What the options of `oms replay` mean. Raises Wrong, naming the option and what it wants; reads no file."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from cli.replay.items import Stocking
from cli.replay.placing import Destination, Sale
from cli.replay.reading import DEFAULT_COLUMNS, Terms

_DESTINATION = re.compile(r"(?:(?P<name>[^=]*)=)?(?P<country>[A-Z]{2}) (?P<postcode>[A-Za-z0-9 -]{1,16})")


class Wrong(Exception):
    """The options, the file or the system do not go together; no order was sent."""


@dataclass(frozen=True)
class Job:
    """What one run is to do."""

    path: Path
    mapped: dict[str, str]
    encoding: str
    delimiter: str
    terms: Terms
    sale: Sale
    stocking: Stocking | None
    since: datetime | None
    until: datetime | None
    limit: int
    rate: float
    concurrency: int
    patience_seconds: float
    rejected: Path
    report: Path | None


def mapping(settings: Sequence[str]) -> dict[str, str]:
    """Keys of --map with the columns they were given."""
    found: dict[str, str] = {}
    for setting in settings:
        key, equals, column = setting.partition("=")
        if key not in DEFAULT_COLUMNS or not equals:
            raise Wrong(f"--map {setting}: KEY=COLUMN, where KEY is one of {', '.join(DEFAULT_COLUMNS)}")
        found[key] = column.strip()
    return found


def destinations(settings: Sequence[str]) -> dict[str, Destination]:
    """By the country that the file names; "" serves all others."""
    found: dict[str, Destination] = {}
    for setting in settings:
        parts = _DESTINATION.fullmatch(setting.strip())
        if not parts:
            raise Wrong(f"--ship-to {setting}: a country (ISO 3166) and a postcode, for example 'FR 75011'")
        found[(parts["name"] or "").strip()] = Destination(parts["country"], parts["postcode"].strip())
    return found


def stocking(source: str, at: str, stock: int, weight_grams: int, brand: str) -> Stocking:
    """What created items get. Stock needs points, and points stock."""
    point_ids = tuple(dict.fromkeys(point.strip() for point in at.split(",") if point.strip()))
    if stock and not point_ids:
        raise Wrong("--stock needs --at: the points that receive the stock")
    if point_ids and not stock:
        raise Wrong("--at needs --stock: how many units each of the points receives")
    return Stocking(source, point_ids, stock, weight_grams, brand)


def codes(text: str) -> frozenset[str]:
    """A list of SKUs; how they are written does not tell them apart."""
    return frozenset(code.strip().upper() for code in text.split(",") if code.strip())


def basis_points(percent: float) -> int:
    """Percent as basis points: 5.5 is 550."""
    points = round(percent * 100)
    if abs(points - percent * 100) > 1e-6:
        raise Wrong(f"--tax-rate {percent}: at most two decimals")
    return points


def zone(name: str) -> ZoneInfo:
    """An IANA time zone."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise Wrong(f"--time-zone {name}: not an IANA time zone such as Europe/London") from None


def moment(option: str, text: str, zone: ZoneInfo) -> datetime | None:
    """An instant; a date or a time without an offset is in the zone of the file."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        raise Wrong(f"{option} {text}: a date or an instant in ISO 8601") from None
    return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC) if found else None


def encoding(name: str) -> str:
    """A name that Python knows."""
    try:
        "".encode(name)
    except LookupError:
        raise Wrong(f"--encoding {name}: no such encoding") from None
    return name


def delimiter(text: str) -> str:
    """One character."""
    found = "\t" if text == "\\t" else text
    if len(found) != 1:
        raise Wrong(f"--delimiter {text}: one character, or \\t")
    return found


def writable(option: str, path: Path) -> Path:
    """A file that can be written when the time comes."""
    place = path if path.exists() else path.parent
    if path.is_dir() or not place.exists() or not os.access(place, os.W_OK):
        raise Wrong(f"{option} {path}: it cannot be written")
    return path

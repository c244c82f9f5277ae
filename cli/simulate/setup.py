"""What the options of `oms simulate` mean. Raises Wrong, naming the option and what it wants; sends nothing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.client import Json
from cli.replay import options
from cli.replay.options import Wrong

# Keys of --map with the column each has in the UCI data set "Online Retail", once its names are in lower case.
DEFAULT_COLUMNS = {
    "order": "invoice_no",
    "sku": "stock_code",
    "quantity": "quantity",
    "date": "invoice_date",
    "country": "country",
    "postcode": "",
}
_REQUIRED = ("order", "sku", "quantity")
_UNKNOWN_ITEMS = re.compile(r"skip|assume (?P<grams>[0-9]{1,7})")


@dataclass(frozen=True)
class FileOptions:
    """How a file of orders is to be understood, as typed."""

    channel: str
    mode: str
    mapped: Sequence[str]
    ship_to: Sequence[str]
    time_zone: str
    date_format: str
    encoding: str
    delimiter: str
    not_articles: str


def candidate(path: Path | None, draft_of: str) -> Json:
    """The ruleset in its text form, or the name of one whose draft it is."""
    if (path is None) == (not draft_of):
        raise Wrong("give --ruleset FILE or --draft RULESET")
    if path is None:
        return {"draft_of": draft_of}
    try:
        return {"text": path.read_text(encoding="utf-8")}
    except (OSError, UnicodeError) as error:
        raise Wrong(f"--ruleset {path}: it cannot be read: {error}") from None


def orders_file(typed: FileOptions) -> Json:
    """How the file is to be understood, as it is sent; without its id."""
    columns = _columns(typed.mapped)
    destinations = options.destinations(typed.ship_to)
    if not typed.channel:
        raise Wrong("--channel: needed with --orders: what sold them")
    if not destinations and not columns["postcode"]:
        raise Wrong("--ship-to: needed with --orders, unless --map postcode=COLUMN names where they go")
    return {
        "channel_id": typed.channel,
        "mode": typed.mode,
        "columns": {
            "order": columns["order"],
            "sku": columns["sku"],
            "quantity": columns["quantity"],
            "placed_at": columns["date"],
            "country": columns["country"],
            "postcode": columns["postcode"],
        },
        "destinations": [
            {"name": name, "destination": {"country": where.country, "postcode": where.postcode}}
            for name, where in destinations.items()
        ],
        "time_zone": options.zone(typed.time_zone).key,
        "date_format": typed.date_format,
        "delimiter": options.delimiter(typed.delimiter),
        "encoding": options.encoding(typed.encoding),
        "not_articles": sorted(options.codes(typed.not_articles)),
    }


def assumed_items(unknown_items: str, units: int, percent: int, seed: int) -> Json | None:
    """What `--unknown-items` says; None when they are not shipped."""
    parts = _UNKNOWN_ITEMS.fullmatch(unknown_items.strip())
    if not parts:
        raise Wrong(f"--unknown-items {unknown_items}: skip, or 'assume GRAMS', for example 'assume 300'")
    if parts["grams"] is None:
        return None
    return {"weight_grams": int(parts["grams"]), "units": units, "percent": percent, "seed": seed}


def moments(from_: str, to: str, time_zone: str) -> Json:
    """The time of the orders; a date without an offset is in the zone given."""
    zone = options.zone(time_zone)
    found: dict[str, Any] = {
        "from_at": options.moment("--from", from_, zone),
        "until_at": options.moment("--to", to, zone),
    }
    return {name: instant.isoformat() for name, instant in found.items() if instant}


def _columns(settings: Sequence[str]) -> dict[str, str]:
    found = dict(DEFAULT_COLUMNS)
    for setting in settings:
        key, equals, column = setting.partition("=")
        if key not in DEFAULT_COLUMNS or not equals:
            raise Wrong(f"--map {setting}: KEY=COLUMN, where KEY is one of {', '.join(DEFAULT_COLUMNS)}")
        if key in _REQUIRED and not column.strip():
            raise Wrong(f"--map {setting}: {key} cannot be left out")
        found[key] = column.strip()
    return found

"""What a simulation is asked, and the job that it is. Owns which setups make sense; plans nothing."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.promise.domain.compared import Result
from services.promise.domain.network import Destination, Mode
from services.promise.domain.rulesets import Ruleset

DEFAULT_LISTED = 50
MAX_LISTED = 500
MAX_DESTINATIONS = 500
MAX_CODES = 500
MAX_ASSUMED_UNITS = 1_000_000
_MAX_TEXT = 200
_TEXT = f"must be one line of at most {_MAX_TEXT} characters"


class State(StrEnum):
    """Where a job stands."""

    RECEIVED = "received"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


UNFINISHED = (State.RECEIVED, State.RUNNING)


class StockSource(StrEnum):
    """Which stock the orders are planned on."""

    RECORDED = "recorded"
    PRESENT = "present"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class OrderColumns:
    """Names of columns; empty: the file has none."""

    order: str = ""
    sku: str = ""
    quantity: str = ""
    placed_at: str = ""
    country: str = ""
    postcode: str = ""


@dataclass(frozen=True, slots=True)
class NamedDestination:
    """Where orders go whose country the file writes so; an empty name serves all others."""

    name: str
    destination: Destination


@dataclass(frozen=True, slots=True)
class OrdersFile:
    """How a file of order lines is to be understood."""

    file_id: str
    channel_id: str
    mode: Mode
    columns: OrderColumns
    destinations: tuple[NamedDestination, ...] = ()
    time_zone: str = "UTC"
    date_format: str = ""
    delimiter: str = ","
    encoding: str = "utf-8"
    not_articles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AssumedItems:
    """Weight and stock of articles that the system does not know."""

    weight_grams: int
    units: int
    percent: int
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Setup:
    """What to simulate. `orders` is None for those that the system recorded."""

    candidate: Ruleset
    stock: StockSource
    name: str = ""
    from_at: datetime | None = None
    until_at: datetime | None = None
    max_orders: int = 0
    orders: OrdersFile | None = None
    stock_file_id: str = ""
    deplete: bool = False
    assumed_items: AssumedItems | None = None
    listed_orders: int = DEFAULT_LISTED


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Bytes that are kept as `upload_id`."""

    file_id: str
    file_name: str
    upload_id: str
    gzip: bool
    bytes: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """A job. `number` is the order in which jobs are worked; `live` is what the candidate is compared with."""

    simulation_id: str
    number: int
    setup: Setup
    live: Ruleset
    actor: str
    state: State
    reason: str
    detail: str
    planned: int
    total: int
    received_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    result: Result | None = field(default=None)


class Problem(NamedTuple):
    """What is wrong with a setup: the field as the caller wrote it, and the rule."""

    field: str
    detail: str
    reason: str = "INVALID_FIELD"


def problems(setup: Setup, live: Ruleset) -> Iterator[Problem]:
    """All that is wrong with a setup, whatever exists; its ruleset's own figures aside."""
    if setup.candidate.currency != live.currency:
        detail = f"must be {live.currency} like the ruleset in force: amounts are compared"
        yield Problem("ruleset.currency", detail, "OTHER_CURRENCY")
    if not is_text(setup.name):
        yield Problem("name", _TEXT)
    if setup.from_at and setup.until_at and setup.from_at >= setup.until_at:
        yield Problem("until_at", "must be after from_at")
    if setup.max_orders < 0:
        yield Problem("max_orders", "must be 0 or more")
    if not 1 <= setup.listed_orders <= MAX_LISTED:
        yield Problem("listed_orders", f"must be from 1 to {MAX_LISTED}, or 0 for {DEFAULT_LISTED}")
    yield from _stock_problems(setup)
    if setup.orders is not None:
        yield from _file_problems(setup.orders)
    if setup.assumed_items is not None:
        yield from _assumed_problems(setup, setup.assumed_items)


def _stock_problems(setup: Setup) -> Iterator[Problem]:
    if setup.stock is StockSource.RECORDED:
        if setup.orders is not None:
            yield Problem("stock", "orders of a file have no recorded stock: present or file")
        if setup.deplete:
            yield Problem("deplete", "each recorded order saw its own stock: only with stock present or file")
    if (setup.stock is StockSource.FILE) != bool(setup.stock_file_id):
        yield Problem("stock_file_id", "needed when stock is file, and only then")


def _file_problems(orders: OrdersFile) -> Iterator[Problem]:
    where = "orders"
    if not orders.file_id:
        yield Problem(f"{where}.file_id", "is required")
    if not orders.channel_id:
        yield Problem(f"{where}.channel_id", "is required")
    columns = orders.columns
    for name in ("order", "sku", "quantity"):
        if not getattr(columns, name):
            yield Problem(f"{where}.columns.{name}", "is required")
    for name in columns.__slots__:
        if not is_text(getattr(columns, name)):
            yield Problem(f"{where}.columns.{name}", _TEXT)
    if columns.postcode and not columns.country:
        yield Problem(f"{where}.columns.country", "is required where there is a postcode")
    if not columns.postcode and not orders.destinations:
        yield Problem(f"{where}.destinations", "at least one is required where no column holds a postcode")
    yield from _destination_problems(orders, f"{where}.destinations")
    if not _is_zone(orders.time_zone):
        yield Problem(f"{where}.time_zone", "must be an IANA time zone")
    if not is_text(orders.date_format):
        yield Problem(f"{where}.date_format", _TEXT)
    if len(orders.delimiter) != 1 or orders.delimiter in '"\r\n\0':
        yield Problem(f"{where}.delimiter", "must be one character")
    if not _is_encoding(orders.encoding):
        yield Problem(f"{where}.encoding", "no such encoding of text")
    if len(orders.not_articles) > MAX_CODES or not all(map(is_text, orders.not_articles)):
        yield Problem(f"{where}.not_articles", f"at most {MAX_CODES}, and each {_TEXT}")


def _destination_problems(orders: OrdersFile, where: str) -> Iterator[Problem]:
    if len(orders.destinations) > MAX_DESTINATIONS:
        yield Problem(where, f"at most {MAX_DESTINATIONS}")
    seen: set[str] = set()
    for i, one in enumerate(orders.destinations):
        if one.name in seen:
            yield Problem(f"{where}[{i}].name", f"{one.name or 'the empty name'} stands twice")
        seen.add(one.name)
        if not is_text(one.name):
            yield Problem(f"{where}[{i}].name", _TEXT)
        if not is_country(one.destination.country):
            yield Problem(
                f"{where}[{i}].destination.country", "must be an ISO 3166-1 code of two upper case letters"
            )
        if not one.destination.postcode or not is_text(one.destination.postcode):
            yield Problem(f"{where}[{i}].destination.postcode", "a postcode is required")


def _assumed_problems(setup: Setup, assumed: AssumedItems) -> Iterator[Problem]:
    where = "assumed_items"
    if setup.orders is None:
        yield Problem(where, "only with orders of a file: what was recorded is of articles that are known")
    if assumed.weight_grams < 1:
        yield Problem(f"{where}.weight_grams", "must be 1 gram or more")
    if not 1 <= assumed.units <= MAX_ASSUMED_UNITS:
        yield Problem(f"{where}.units", f"must be from 1 to {MAX_ASSUMED_UNITS}")
    if not 1 <= assumed.percent <= 100:
        yield Problem(f"{where}.percent", "must be from 1 to 100")


def is_text(value: str) -> bool:
    """One line, for people and for the database."""
    return len(value) <= _MAX_TEXT and not any(ord(character) < 32 for character in value)


def is_country(code: str) -> bool:
    """Whether it looks like an ISO 3166-1 alpha-2 code."""
    return len(code) == 2 and code.isascii() and code.isalpha() and code.isupper()


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return bool(name)


def _is_encoding(name: str) -> bool:
    try:
        # Not every codec is one of text.
        codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return True

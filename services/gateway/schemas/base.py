"""The small types that every schema is made of, and the shapes of pages."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

# No NUL (PostgreSQL refuses it) and no other control character (a log or a label would suffer).
ONE_LINE = r"^[^\x00-\x1f\x7f]*$"
_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
_SERIES = r"^[A-Z0-9]([A-Z0-9-]*[A-Z0-9])?$"
_WORD = r"^[a-z][a-z0-9_]*$"
_DATED = re.compile(r"\d{4}-\d\d-\d\d[Tt ]")
_CURSOR = r"^[\x21-\x7e]+$"
MAX_INT32 = 2**31 - 1
# Ten thousand million units of a currency: sums of several thousand lines still fit 64 bits.
MAX_AMOUNT = 10**12
MAX_QUANTITY = 10**9
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class Sent(BaseModel):
    """A body that callers send: nothing is coerced, nothing unknown passes."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)


class Asked(BaseModel):
    """Query parameters: text by nature; unknown ones are refused, so that a misspelt filter is not ignored."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Shown(BaseModel):
    """A body that we answer; what a service adds later is left out until it is named here."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


def example(value: dict[str, Any]) -> ConfigDict:
    """What a body of a schema may look like, for its description and for tests."""
    return ConfigDict(json_schema_extra={"examples": [value]})


def _iso_text(value: object) -> object:
    # A number, and a text that is one, would be taken for seconds since 1970.
    if not (isinstance(value, str) and _DATED.match(value)):
        raise ValueError("an instant is text in ISO 8601")
    return value


def _storable(value: datetime) -> datetime:
    if not _EARLIEST <= value < _LATEST:
        raise ValueError("the instant lies outside of 1970 to 2199")
    return value


def _is_day(value: str) -> str:
    # ValueError for the 31st of February.
    date.fromisoformat(value)
    return value


def one_of_each(values: list[str]) -> list[str]:
    if len(set(values)) != len(values):
        raise ValueError("the same value stands twice")
    return values


Instant = Annotated[
    AwareDatetime,
    Field(strict=False, examples=["2026-03-02T09:30:00Z"]),
    BeforeValidator(_iso_text),
    AfterValidator(_storable),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-02T09:30:00Z"]}),
]
Day = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
        examples=["2026-12-04"],
        json_schema_extra={"format": "date"},
        description="A day, ISO 8601; of a point, in its zone",
    ),
    AfterValidator(_is_day),
]
Text = Annotated[str, Field(max_length=200, pattern=ONE_LINE)]
RequiredText = Annotated[str, Field(min_length=1, max_length=200, pattern=ONE_LINE)]
LongText = Annotated[str, Field(min_length=1, max_length=1_000, pattern=ONE_LINE)]
Id = Annotated[str, Field(min_length=1, max_length=64, pattern=_ID)]
LongId = Annotated[str, Field(min_length=1, max_length=200, pattern=_ID)]
Sku = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9._/-]+$")]
# Of stored value; longer than a code is, since people type spaces and hyphens.
Code = Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[0-9A-Za-z -]+$")]
# A form sends what was not filled in as an empty text.
Blank = BeforeValidator(lambda value: value or None)
Series = Annotated[str, Field(min_length=1, max_length=20, pattern=_SERIES, examples=["ACME-WEB"])]
Word = Annotated[str, Field(min_length=1, max_length=64, pattern=_WORD)]
# How a customer may have the goods. An order is placed with those that end at an address (orders.py).
DeliveryMode = Literal[
    "home_standard",
    "home_express",
    "same_day",
    "white_glove",
    "appointment",
    "relay_point",
    "locker",
    "click_and_collect",
    "ship_to_store",
    "e_reservation",
    "store_locker",
]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", examples=["FR"], description="ISO 3166-1 alpha-2")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["EUR"], description="ISO 4217")]
Postcode = Annotated[str, Field(max_length=16, pattern=r"^[A-Za-z0-9 -]*$", examples=["69002"])]
Amount = Annotated[int, Field(ge=0, le=MAX_AMOUNT, description="Minor units of the currency: cents for EUR")]
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY)]
Count = Annotated[int, Field(ge=0, le=MAX_QUANTITY)]
Grams = Annotated[int, Field(ge=0, le=MAX_INT32)]
Skus = Annotated[list[Sku], Field(max_length=500), AfterValidator(one_of_each)]
Cursor = Annotated[
    str | None,
    Field(min_length=1, max_length=500, pattern=_CURSOR, description="`next_cursor` of the page before"),
]
PageSize = Annotated[int, Field(ge=1, le=500, description="Rows of a page, at most")]


class Paged(Asked):
    """Which page of a list."""

    cursor: Cursor = None
    size: PageSize = 50

    @property
    def page(self) -> dict[str, Any]:
        """As a PageRequest."""
        return {"cursor": self.cursor or "", "size": self.size}


Row = TypeVar("Row")


class Page(Shown, Generic[Row]):
    """One page of a list; `next_cursor` is null on the last one."""

    items: list[Row]
    next_cursor: str | None = None


class Listed(Shown, Generic[Row]):
    """A whole list."""

    items: list[Row]


class Money(Sent):
    """An amount in minor units of its currency."""

    amount_minor: Amount
    currency: Currency


class MoneyView(Shown):
    """An amount in minor units of its currency."""

    amount_minor: int = Field(examples=[4990])
    currency: str = Field(examples=["EUR"])


class WindowView(Shown):
    """A half-open interval of instants."""

    start: datetime
    end: datetime


class Changed(Shown):
    """How many rows really changed; 0 when everything was so already."""

    changed: int

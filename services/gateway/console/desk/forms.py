"""What people fill in before an act, and how it is read. Errors name the field and its rule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from kit.errors import InvalidArgument
from kit.values.money import exponent

Body = TypeVar("Body", bound=BaseModel)
Kind = Literal["text", "choice", "instant", "units", "money", "content", "ids"]

# An order has at most 2,000 lines, and content four fields of each.
MAX_FIELDS = 8_100
_UNITS = "units."


@dataclass(frozen=True, slots=True)
class Field:
    """One thing to fill in. `units` and `content` have an input for each line of the order.

    `choices`: (value, words) pairs; those of a field without any come from the order.
    """

    name: str
    label: str
    kind: Kind = "text"
    required: bool = True
    hint: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    most: int = 1_000


@dataclass(frozen=True, slots=True)
class Values:
    """What was filled in, as it was sent."""

    sent: Mapping[str, str]
    currency: str

    def text(self, name: str) -> str:
        """Without blanks around it."""
        return self.sent.get(name, "").strip()

    def lines(self) -> list[dict[str, int]]:
        """Line numbers and quantities, of those that are not zero. InvalidArgument names the line."""
        found = []
        for name, value in self.sent.items():
            if name.startswith(_UNITS) and value.strip() not in ("", "0"):
                number = _number(name.removeprefix(_UNITS), name)
                found.append({"line_number": number, "quantity": _number(value.strip(), f"line {number}")})
        return found

    def number(self, name: str) -> int:
        """A whole number."""
        return _number(self.text(name), name)

    def minor(self, name: str) -> int | None:
        """An amount as people write it, in minor units; None when it was left out."""
        written = self.text(name).replace(",", ".")
        if not written:
            return None
        places = exponent(self.currency)
        try:
            minor = Decimal(written).scaleb(places)
        except InvalidOperation:
            raise InvalidArgument(name, f"an amount in {self.currency}, as 12.50") from None
        if not minor.is_finite() or minor != minor.to_integral_value() or not 0 <= minor < 10**12:
            raise InvalidArgument(name, f"an amount in {self.currency} with at most {places} decimals")
        return int(minor)

    def money(self, name: str) -> dict[str, Any] | None:
        """The same with the order's currency."""
        minor = self.minor(name)
        return None if minor is None else {"amount_minor": minor, "currency": self.currency}

    def instant(self, name: str) -> datetime | None:
        """An instant of a date and time field, in UTC as every instant on these pages; None without."""
        written = self.text(name)
        if not written:
            return None
        try:
            return datetime.fromisoformat(written).replace(tzinfo=UTC)
        except ValueError:
            raise InvalidArgument(name, "a date and a time") from None


def check(fields: Sequence[Field], values: Values) -> None:
    """Raises InvalidArgument, naming the field, for what has to be said and was not, or is no choice."""
    for field in fields:
        if field.kind == "units":
            if field.required and not values.lines():
                raise InvalidArgument(field.name, "say how many units of which line")
        elif field.kind != "content":
            _check_one(field, values.text(field.name))


def _check_one(field: Field, said: str) -> None:
    if field.required and not said:
        raise InvalidArgument(field.name, f"{field.label.lower()} has to be said")
    if len(said) > field.most:
        raise InvalidArgument(field.name, f"at most {field.most} characters")
    if said and field.choices and said not in dict(field.choices):
        raise InvalidArgument(field.name, "one of the choices")


def body(kind: type[Body], /, **values: Any) -> Body:
    """As the REST face would have been sent it. InvalidArgument names the first field that is wrong."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InvalidArgument(".".join(map(str, first["loc"])) or "form", first["msg"]) from None


def _number(text: str, field: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise InvalidArgument(field, "a whole number, without anything else")
    return int(text)

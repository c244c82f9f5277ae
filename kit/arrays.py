"""Lists as PostgreSQL arrays, written whole.

Statements here take whole columns as arrays, so lists are the dearest thing that the driver writes: element by
element, with a regular expression for each text. The literals follow PostgreSQL's manual, 8.15.6.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any

from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import Dumper

_WRITE: dict[type, Callable[[Any], str]] = {
    str: lambda value: '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"',
    int: int.__repr__,
    bool: lambda value: "t" if value else "f",
    bytes: lambda value: f'"\\\\x{value.hex()}"',
    datetime: lambda value: f'"{value.isoformat()}"',
    date: date.isoformat,
    type(None): lambda _: "NULL",
}


def write(values: Iterable[Any]) -> str:
    """The array literal of texts, whole numbers, truths, bytes, instants, days and nulls; TypeError for others."""
    return "{" + ",".join([_writer(type(value))(value) for value in values]) + "}"


def _writer(kind: type) -> Callable[[Any], str]:
    """Of the type or, for an enumeration, of what it is made of."""
    if kind not in _WRITE:
        known = next((base for base in kind.__mro__ if base in _WRITE), None)
        if known is None:
            raise TypeError(f"no array is made of {kind.__name__}")
        _WRITE[kind] = _WRITE[known]
    return _WRITE[kind]


class ArrayDumper(Dumper):
    """For psycopg. The statement says the type, by a cast or by what the array is compared with."""

    oid = 0

    def dump(self, obj: list[Any]) -> Buffer | None:
        return write(obj).encode()


def use_for(connection: AsyncConnection[Any]) -> None:
    """From now on the connection writes its lists so."""
    connection.adapters.register_dumper(list, ArrayDumper)

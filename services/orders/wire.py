"""What all messages of orders share: requests and their ids, pages, money, instants. One rule: text is text."""

import base64
import binascii
import functools
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kit import telemetry, times
from kit.errors import InvalidArgument
from kit.values.money import Money
from oms.orders.v1 import orders_service_pb2 as pb
from oms.type.v1 import type_pb2
from services.orders.changing import Asked
from services.orders.domain.model import Reach, Window
from services.orders.reading import Position

Word = TypeVar("Word", bound=StrEnum)
Servicer = TypeVar("Servicer")
Request = TypeVar("Request", bound=Message)
Reply = TypeVar("Reply")

MAX_ID_LENGTH = 255
MAX_PAGE = 500

# -- every request ----------------------------------------------------------------------------------------


def check_text(message: Message, path: str = "") -> None:
    """Raises InvalidArgument, naming the field, for what no database column can hold."""
    for field, value in message.ListFields():
        name = f"{path}{field.name}"
        items = list(value) if field.is_repeated else [value]
        for i, item in enumerate(items):
            where = f"{name}[{i}]" if field.is_repeated else name
            if isinstance(item, str):
                _check_string(field, item, where)
            elif isinstance(item, Timestamp):
                _check_instant(item, where)
            elif isinstance(item, Message):
                # Errors name the fields of the content as its sender does.
                check_text(item, "" if where == "content" else f"{where}.")


def _check_string(field: FieldDescriptor, value: str, where: str) -> None:
    if "\x00" in value:
        raise InvalidArgument(where, "text does not hold the character U+0000")
    if field.name.endswith(("_id", "_key", "_code", "_number")) and len(value) > MAX_ID_LENGTH:
        raise InvalidArgument(where, f"at most {MAX_ID_LENGTH} characters")


def _check_instant(value: Timestamp, where: str) -> None:
    # The last years are left to the deadlines that are counted from it.
    if not datetime(1970, 1, 1, tzinfo=UTC).timestamp() <= value.seconds < 253_000_000_000:
        raise InvalidArgument(where, "an instant is in the years 1970 to 9986")
    if not 0 <= value.nanos < 1_000_000_000:
        raise InvalidArgument(where, "nanos are 0 to 999,999,999")


def checked(
    rpc: Callable[[Servicer, Request, Any], Awaitable[Reply]],
) -> Callable[[Servicer, Request, Any], Awaitable[Reply]]:
    """An RPC that refuses text that is no text, and says on the trace which order it is about."""

    @functools.wraps(rpc)
    async def answer(self: Servicer, request: Request, context: Any) -> Reply:
        check_text(request)
        if order_id := getattr(request, "order_id", ""):
            with telemetry.about_order(order_id):
                return await rpc(self, request, context)
        return await rpc(self, request, context)

    return answer


def asked(request: Message) -> Asked:
    """The request's id, what makes two requests the same (all but its id, instants and rights), and the reach."""
    content = type(request)()
    content.CopyFrom(request)
    for name in ("request_id", "as_of", "occurred_at", "next_try_at", "reach", "roles"):
        if name in request.DESCRIPTOR.fields_by_name:
            content.ClearField(name)
    kind = request.DESCRIPTOR.full_name.encode()
    return Asked(
        getattr(request, "request_id", ""),
        kind + b"\0" + content.SerializeToString(deterministic=True),
        to_reach(getattr(request, "reach", pb.Reach())),
    )


def to_reach(message: pb.Reach) -> Reach:
    return Reach(frozenset(message.point_ids), frozenset(message.brands))


# -- pages ------------------------------------------------------------------------------------------------


def to_page(message: type_pb2.PageRequest) -> tuple[int, Position | None]:
    """The size, and where the page before ended."""
    if not 0 <= message.size <= MAX_PAGE:
        raise InvalidArgument("page.size", f"1 to {MAX_PAGE}")
    return message.size or 50, _to_position(message.cursor) if message.cursor else None


def to_id_page(message: type_pb2.PageRequest) -> tuple[int, str]:
    """The size, and the id that the page before ended with."""
    if not 0 <= message.size <= MAX_PAGE:
        raise InvalidArgument("page.size", f"1 to {MAX_PAGE}")
    return message.size or 50, message.cursor


def from_page(positions: Sequence[Position], size: int) -> type_pb2.PageInfo:
    """How to go on after a page that holds these."""
    if len(positions) < size:
        return type_pb2.PageInfo()
    at, id_ = positions[-1]
    raw = json.dumps([at.astimezone(UTC).isoformat(), id_]).encode()
    return type_pb2.PageInfo(next_cursor=base64.urlsafe_b64encode(raw).decode().rstrip("="))


def _to_position(cursor: str) -> Position:
    try:
        at, id_ = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        position = datetime.fromisoformat(at), str(id_)
    except (ValueError, TypeError, binascii.Error) as error:
        raise InvalidArgument("page.cursor", "this cursor was not given by a page") from error
    if position[0].tzinfo is None or "\x00" in position[1]:
        raise InvalidArgument("page.cursor", "this cursor was not given by a page")
    return position


# -- values -----------------------------------------------------------------------------------------------


def one_of(words: type[Word], value: str, path: str) -> Word:
    if value not in set(words):
        raise InvalidArgument(path, f"one of {', '.join(words)}")
    return words(value)


def to_money(message: Message, field: str) -> Money | None:
    """None when it is absent."""
    money = getattr(message, field)
    return Money(money.amount_minor, money.currency) if message.HasField(field) else None


def to_window(message: type_pb2.Window, path: str) -> Window | None:
    """None when it is absent; half a window is an error."""
    if not message.HasField("start") and not message.HasField("end"):
        return None
    start, end = times.field_or_none(message, "start"), times.field_or_none(message, "end")
    if start is None or end is None or start > end:
        raise InvalidArgument(path, "a window has a start and, not before it, an end")
    return Window(start, end)


def from_instant(instant: datetime | None) -> Timestamp | None:
    return times.to_proto(instant) if instant else None


def from_window(window: Window | None) -> type_pb2.Window | None:
    if window is None:
        return None
    return type_pb2.Window(start=times.to_proto(window.start), end=times.to_proto(window.end))


def from_money(money: Money) -> type_pb2.Money:
    return type_pb2.Money(amount_minor=money.amount_minor, currency=money.currency)

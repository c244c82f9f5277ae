"""Between protobuf messages and plain values, by the message's own description. Knows no message by name.

Enums are their short lower-case names ("home_standard" for DELIVERY_MODE_HOME_STANDARD), absent messages and
unspecified enums None, instants aware datetimes.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel

from kit.times import from_proto, to_proto

M = TypeVar("M", bound=Message)
V = TypeVar("V", bound=BaseModel)


def plain(message: Message) -> dict[str, Any]:
    """Every field of the message as plain values."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.is_repeated:
            found[field.name] = [_plain_value(field, one) for one in value]
        elif _is_absent(message, field):
            found[field.name] = None
        else:
            found[field.name] = _plain_value(field, value)
    return found


def shown(message: Message, model: type[V], **more: Any) -> V:
    """The message as a view of ours; `more` replaces or adds fields."""
    return model.model_validate({**plain(message), **more})


def message(kind: type[M], values: Mapping[str, Any]) -> M:
    """A message from plain values; None is left out. KeyError for a name that the message does not have."""
    made = kind()
    _fill(made, values)
    return made


def sent(kind: type[M], model: BaseModel, **more: Any) -> M:
    """A message from a request model of ours; `more` replaces or adds fields."""
    return message(kind, {**model.model_dump(), **more})


def enum_name(enum: EnumDescriptor, number: int) -> str | None:
    """The short name of an enum's value; None for unspecified."""
    if number == 0:
        return None
    return enum.values_by_number[number].name.removeprefix(_prefix(enum)).lower()


def enum_names(enum: EnumDescriptor) -> set[str]:
    """Every short name but unspecified."""
    return {name for number in enum.values_by_number if (name := enum_name(enum, number))}


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values_by_number[0].name.removesuffix("UNSPECIFIED")


def _is_absent(message: Message, field: Any) -> bool:
    may_be = field.message_type is not None or field.containing_oneof is not None
    return may_be and not message.HasField(field.name)


def _plain_value(field: Any, value: Any) -> Any:
    if field.enum_type is not None:
        return enum_name(field.enum_type, value)
    if isinstance(value, Timestamp):
        return from_proto(value)
    return plain(value) if isinstance(value, Message) else value


def _fill(made: Message, values: Mapping[str, Any]) -> None:
    fields = made.DESCRIPTOR.fields_by_name
    for name, value in values.items():
        field = fields[name]
        if value is None:
            continue
        if field.is_repeated:
            target = getattr(made, name)
            if field.message_type is None:
                target.extend(_wire_value(field, one) for one in value)
            else:
                for one in value:
                    _fill(target.add(), one)
        elif field.message_type is None:
            setattr(made, name, _wire_value(field, value))
        elif field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
            getattr(made, name).CopyFrom(to_proto(value))
        else:
            target = getattr(made, name)
            target.SetInParent()
            _fill(target, value)


def _wire_value(field: Any, value: Any) -> Any:
    if field.enum_type is None:
        return value
    return field.enum_type.values_by_name[_prefix(field.enum_type) + value.upper()].number

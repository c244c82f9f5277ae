"""Instants between Python and protobuf. A naive datetime never enters or leaves."""

from datetime import UTC, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp


def now() -> datetime:
    """The present, in UTC. For the edges (rpc, sweeps); the domain is told."""
    return datetime.now(UTC)


def to_proto(instant: datetime) -> Timestamp:
    """An aware datetime as a Timestamp."""
    if instant.tzinfo is None:
        raise ValueError("a naive datetime is not an instant")
    stamp = Timestamp()
    stamp.FromDatetime(instant.astimezone(UTC))
    return stamp


def from_proto(stamp: Timestamp) -> datetime:
    """A Timestamp as an aware datetime in UTC."""
    return stamp.ToDatetime(UTC)


def field_or_now(message: Message, field: str) -> datetime:
    """The Timestamp in `field`, or the present when the caller left it out."""
    return from_proto(getattr(message, field)) if message.HasField(field) else now()


def field_or_none(message: Message, field: str) -> datetime | None:
    """The Timestamp in `field`, or None when it is absent."""
    return from_proto(getattr(message, field)) if message.HasField(field) else None

"""Instants between Python and protobuf. A naive datetime never enters or leaves."""

from datetime import UTC, datetime, timedelta

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The present, in UTC. For the edges (rpc, sweeps); the domain is told."""
    return datetime.now(UTC)


def to_proto(instant: datetime) -> Timestamp:
    """An aware datetime as a Timestamp."""
    if instant.tzinfo is None:
        raise ValueError("a naive datetime is not an instant")
    # By hand: every message has instants, and protobuf's own conversion is many times slower.
    since = instant - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


def from_proto(stamp: Timestamp) -> datetime:
    """A Timestamp as an aware datetime in UTC."""
    return _EPOCH + timedelta(seconds=stamp.seconds, microseconds=stamp.nanos // 1000)


def field_or_now(message: Message, field: str) -> datetime:
    """The Timestamp in `field`, or the present when the caller left it out."""
    return from_proto(getattr(message, field)) if message.HasField(field) else now()


def field_or_none(message: Message, field: str) -> datetime | None:
    """The Timestamp in `field`, or None when it is absent."""
    return from_proto(getattr(message, field)) if message.HasField(field) else None

"""Between the messages of the stories and the protos."""

from datetime import datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kit.times import from_proto, to_proto
from oms.type.v1 import type_pb2 as types
from workflows.messages import Amount

# A call that takes longer than this is tried again; the request id makes that harmless.
CALL_SECONDS = 5.0
# Money goes through a provider: the payments service itself gives up before this.
PROVIDER_CALL_SECONDS = 15.0


def instant(text: str) -> Timestamp:
    """ISO 8601 text as a Timestamp."""
    return to_proto(datetime.fromisoformat(text))


def instant_or_none(text: str) -> Timestamp | None:
    """None of empty text."""
    return instant(text) if text else None


def text(stamp: Timestamp) -> str:
    """A Timestamp as ISO 8601 text."""
    return from_proto(stamp).isoformat()


def text_or_empty(message: Message, field: str) -> str:
    """The Timestamp in `field`, or empty when it is absent."""
    return text(getattr(message, field)) if message.HasField(field) else ""


def money(amount: Amount) -> types.Money:
    """An amount for the wire."""
    return types.Money(amount_minor=amount.amount_minor, currency=amount.currency)


def amount(value: types.Money) -> Amount:
    """An amount from the wire."""
    return Amount(value.amount_minor, value.currency)

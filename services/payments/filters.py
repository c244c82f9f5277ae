"""What of the history is asked for, between the wire and us; and cursors of lists that are ordered by a number."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import TypeVar

from kit import times
from kit.errors import InvalidArgument
from oms.payments.v1 import payments_service_pb2 as pb
from services.payments.domain.model import Kind, MeansKind, State
from services.payments.history_store import Filter

T = TypeVar("T")
_MOST_VALUES = 100
_KINDS = {int(pb.OperationKind.Value(f"OPERATION_KIND_{kind.name}")): kind for kind in Kind}
_STATES = {int(pb.OperationState.Value(f"OPERATION_STATE_{state.name}")): state for state in State}
BEYOND_ALL = 2**63 - 1


def read_filter(wanted: pb.OperationFilter) -> Filter:
    """Raises InvalidArgument, naming the field."""
    return Filter(
        since=times.field_or_none(wanted, "from"),
        until=times.field_or_none(wanted, "until"),
        order_id=_texts("order_ids", wanted.order_ids),
        channel_id=_texts("channel_ids", wanted.channel_ids),
        point_id=_texts("point_ids", wanted.point_ids),
        provider=_texts("providers", wanted.providers),
        tender_kind=_texts("tender_kinds", wanted.tender_kinds, [kind.value for kind in MeansKind]),
        kind=_known("kinds", wanted.kinds, _KINDS),
        state=_known("states", wanted.states, _STATES),
        currency=_texts("currencies", wanted.currencies),
    )


def _texts(field: str, values: Sequence[str], known: Sequence[str] = ()) -> Sequence[str]:
    if len(values) > _MOST_VALUES:
        raise InvalidArgument(f"filter.{field}", f"at most {_MOST_VALUES} values")
    for value in values:
        if "\x00" in value:
            raise InvalidArgument(f"filter.{field}", "no NUL")
        if known and value not in known:
            raise InvalidArgument(f"filter.{field}", f"one of {', '.join(known)}")
    return list(dict.fromkeys(values))


def _known(field: str, numbers: Sequence[int], known: Mapping[int, T]) -> Sequence[T]:
    if not set(numbers) <= known.keys():
        raise InvalidArgument(f"filter.{field}", "not a value of this field")
    return [known[number] for number in dict.fromkeys(numbers)]


def number_cursor(number: int) -> str:
    """Where a page ended in a list that is ordered by a number."""
    return base64.urlsafe_b64encode(str(number).encode()).decode()


def read_number_cursor(cursor: str) -> int:
    """The number before which the page begins."""
    if not cursor:
        return BEYOND_ALL
    try:
        number = int(base64.urlsafe_b64decode(cursor.encode()).decode())
    except (ValueError, binascii.Error):
        number = -1
    if not 0 <= number <= BEYOND_ALL:
        raise InvalidArgument("page.cursor", "not a cursor of this list")
    return number

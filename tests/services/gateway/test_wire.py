"""Between messages and plain values: nothing is lost on the way."""

from datetime import UTC, datetime

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from services.gateway.wire import message, plain

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-(2**63), 2**63 - 1)
instants = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
modes = st.sampled_from([None, "home_standard", "home_express"])


@given(texts, numbers, st.none() | instants, modes, st.lists(texts, max_size=3), st.none() | texts)
def test_what_goes_in_comes_out(
    text: str, number: int, at: datetime | None, mode: str | None, streets: list[str], token: str | None
) -> None:
    values = {
        "idempotency_key": text,
        "placed_at": at,
        "content": {
            "total": {"amount_minor": number, "currency": "EUR"},
            "mode": mode,
            "ship_to": {"street_lines": streets},
            "payment": {"payment_method_token": token},
            "lines": [{"line_number": 1, "quantity": number, "discounts": [{"code": text}]}],
        },
    }
    made = plain(message(orders.RecordOrderRequest, values))
    assert made["idempotency_key"] == text
    assert made["placed_at"] == at
    content = made["content"]
    assert content["total"] == {"amount_minor": number, "currency": "EUR"}
    assert content["mode"] == mode
    assert content["ship_to"]["street_lines"] == streets
    assert content["payment"]["payment_method_token"] == token
    assert content["payment"]["paid_by_channel_reference"] is None
    assert content["lines"][0]["discounts"][0]["code"] == text
    assert content["customer"] is None


def test_an_empty_message_is_still_there() -> None:
    assert message(orders.GetOrderResponse, {"order": {}}).HasField("order")


def test_a_name_that_the_message_does_not_have_is_a_defect() -> None:
    with pytest.raises(KeyError):
        message(orders.GetOrderRequest, {"id": "x"})


def test_an_unspecified_enum_is_nothing() -> None:
    assert plain(inventory.SafetyStockRule())["point_type"] is None
    assert plain(inventory.SafetyStockRule(point_type=types.POINT_TYPE_STORE))["point_type"] == "store"


def test_an_instant_is_aware() -> None:
    shown = plain(types.Window(start=Timestamp(seconds=1)))
    assert shown["start"] == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
    assert shown["end"] is None

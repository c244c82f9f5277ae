"""Filters, endpoints and the retry schedule."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kit.errors import InvalidArgument
from services.relay import domain, routes
from tests.services.relay.builders import NOW, endpoint, event


def test_an_endpoint_without_filters_wants_everything() -> None:
    assert domain.wants(endpoint(), event(1))


@pytest.mark.parametrize(
    ("patterns", "wanted"),
    [
        (["oms.orders.order.validated"], True),
        (["oms.orders.*"], True),
        (["oms.*"], True),
        (["oms.payments.*", "oms.orders.order.*"], True),
        (["oms.orders.order"], False),
        (["oms.orders.fulfilment.*"], False),
        (["oms.order.*"], False),
    ],
)
def test_event_types_match_exactly_or_by_prefix(patterns: list[str], wanted: bool) -> None:
    assert domain.wants(endpoint(event_types=patterns), event(1)) is wanted


def test_a_channel_filter_lets_only_its_channels_through() -> None:
    chosen = endpoint(channel_ids=["app-fr"])
    assert not domain.wants(chosen, event(1))
    assert domain.wants(chosen, event(1, data={"channel_id": "app-fr"}))
    assert not domain.wants(chosen, event(1, data={}))


def test_a_changed_promise_goes_to_its_channel_and_wakes_no_workflow() -> None:
    for kind in ("oms.orders.order.promise_changed", "oms.orders.compensation.due"):
        told = event(1, type=kind, data={"channel_id": "app-fr"})
        assert domain.wants(endpoint(event_types=[kind], channel_ids=["app-fr"]), told)
        assert kind not in routes.WAKING


def test_events_of_one_order_share_a_line_and_those_of_no_order_that_of_what_they_are_about() -> None:
    assert domain.line_of(event(1)) == domain.line_of(event(2))
    of_web = [domain.line_of(event(number, order_id="", subject="channel/web")) for number in (1, 2)]
    assert of_web[0] == of_web[1] != domain.line_of(event(3, order_id="", subject="channel/app"))


def test_a_delivery_is_given_up_after_about_three_days() -> None:
    at, tries = NOW, 0
    while (again := domain.next_attempt(tries + 1, at)) is not None:
        assert again > at
        at, tries = again, tries + 1
    assert tries == len(domain.RETRY_AFTER)
    assert timedelta(days=2.5) < at - NOW < timedelta(days=3.5)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com/hook",
        "ftp://example.com",
        "https://",
        "https://user:secret@example.com",
        "https://example.com/#part",
        "https://example.com:port/",
        "https://exam ple.com/",
        "https://example.com/\x00",
        "https://exämple.com/",
        "http://[::1",
        "https://example.com/" + "a" * 2048,
    ],
)
def test_a_wrong_url_is_named(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        domain.check_endpoint(url, [], [])
    assert caught.value.facts["field"] == "url"


@pytest.mark.parametrize("url", ["http://localhost:8080", "https://example.com/a?b=c", "http://[::1]:80/x"])
def test_an_http_url_is_taken(url: str) -> None:
    domain.check_endpoint(url, ["oms.orders.*", "oms.orders.order.closed"], ["web-fr"])


def test_a_wrong_filter_is_named_with_its_place() -> None:
    with pytest.raises(InvalidArgument) as caught:
        domain.check_endpoint("https://example.com", ["oms.orders.*", "oms.*.closed"], [])
    assert caught.value.facts["field"] == "event_types[1]"
    with pytest.raises(InvalidArgument) as caught:
        domain.check_endpoint("https://example.com", [], ["web fr"])
    assert caught.value.facts["field"] == "channel_ids[0]"
    with pytest.raises(InvalidArgument) as caught:
        domain.check_endpoint("https://example.com", ["oms.*"] * 101, [])
    assert caught.value.facts["field"] == "event_types"


@given(st.text())
def test_any_text_as_a_url_is_taken_or_refused_by_name(url: str) -> None:
    refused = None
    try:
        domain.check_endpoint(url, [], [])
    except InvalidArgument as error:
        refused = error.facts["field"]
    assert refused in (None, "url")


def test_only_sources_that_can_wake_somebody_are_read_for_signals() -> None:
    assert {"orders", "payments", "booking", "inventory"} == routes.WAKING_SOURCES


def test_what_is_told_of_stock_to_come_wakes_the_order_that_waits_and_no_basket() -> None:
    served = "oms.inventory.expected.served"
    assert routes.workflow_of(served, "reservation/ord_1", "ord_1") == "order/ord_1"
    assert routes.workflow_of(served, "reservation/bsk_1", "") == ""
    assert routes.workflow_of("oms.inventory.expected.received", "expected_delivery/po-1", "") == ""
    assert routes.workflow_of("oms.orders.fulfilment.picked", "fulfilment/ful_1", "ord_1") == "fulfilment/ful_1"
    assert routes.workflow_of("oms.orders.order.refund_requested", "refund/rfd_1", "ord_1") == "refund/rfd_1"

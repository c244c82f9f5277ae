"""How amounts, windows and orders look on a terminal."""

import io

import pytest
from rich.console import Console

from cli import show
from cli.client import Json

AMOUNT = {"amount_minor": 7390, "currency": "EUR"}


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def text_of(thing: object) -> str:
    out = io.StringIO()
    Console(file=out, width=140).print(thing)
    return out.getvalue()


def test_a_window_of_one_day_names_the_day_once() -> None:
    one_day = {"start": "2026-11-25T08:00:00Z", "end": "2026-11-25T18:00:00Z"}
    assert show.window(one_day) == "Wed 25 Nov 08:00 to 18:00 UTC"
    two_days = {"start": "2026-11-25T08:00:00Z", "end": "2026-11-26T18:00:00Z"}
    assert show.window(two_days) == "Wed 25 Nov 08:00 to Thu 26 Nov 18:00 UTC"
    assert show.window(None) == "-"


def test_money_is_shown_in_its_currency() -> None:
    assert show.money(AMOUNT) == "73.90 EUR"
    assert show.money(None) == "-"
    paid = {"status": "closed", "authorized": AMOUNT, "captured": AMOUNT, "voided": None, "refunded": None}
    assert "captured 73.90  voided 0.00  refunded 0.00 EUR" in show.payment(paid)


def test_a_promise_that_changed_is_shown_with_what_was_given_and_why() -> None:
    given = {"start": "2026-11-25T08:00:00Z", "end": "2026-11-25T18:00:00Z"}
    now = {"start": "2026-11-27T08:00:00Z", "end": "2026-11-27T18:00:00Z"}
    order: Json = {
        "id": "ord_1",
        "status": "released",
        "fine_status": "prepared",
        "customer_status": "validated",
        "channel_id": "web-fr",
        "channel_order_number": "W-1",
        "placed_at": "2026-11-23T08:00:00Z",
        "mode": "home_standard",
        "total": AMOUNT,
        "refusal": None,
        "cancellation_reason": None,
        "promise": given,
        "current_promise": given,
        "promise_changes": [],
        "late_since": None,
        "compensation": None,
    }
    kept = text_of(show.header(order))
    assert not [word for word in ("expected", "late since", "due to") if word in kept]
    change = {"at": now["start"], "window": now, "parcels": [{"cause": "hand_over_missed"}]}
    late = order | {
        "current_promise": now,
        "promise_changes": [change],
        "late_since": "2026-11-24T19:00:00Z",
        "compensation": {"amount_minor": 490, "currency": "EUR"},
    }
    shown = text_of(show.header(late))
    assert "Wed 25 Nov 08:00 to 18:00 UTC" in shown
    assert "Fri 27 Nov 08:00 to 18:00 UTC (hand over missed)" in shown
    assert "Tue 24 Nov 19:00 UTC" in shown
    assert "4.90 EUR" in shown
    met = {
        "status": "booked",
        "slot": {"slot_id": "paris.20261207"},
        "booking_id": "bkg_1",
        "refusal": "SLOT_FULL",
    }
    assert "booked: paris.20261207 (bkg_1), not moved: SLOT_FULL" in text_of(
        show.header(order | {"appointment": met})
    )
    assert (show.expected(order), show.expected(late)) == ("Wed 25 Nov 18:00 UTC", "[red]Fri 27 Nov 18:00 UTC[/]")


def test_units_of_a_line_are_counted_from_one_and_grouped_by_state() -> None:
    units = [(0, 2, "delivered"), (2, 3, "cancelled"), (3, 5, "delivered")]
    order: Json = {
        "total": AMOUNT,
        "lines": [
            {
                "line_number": 1,
                "sku": "S-1",
                "title": "Dress [blue]",
                "quantity": 5,
                "net_minor": 6000,
                "tax_minor": 900,
                "shipping_minor": 490,
            }
        ],
        "units": [
            {"line_number": 1, "from_unit": first, "to_unit": last, "state": state} for first, last, state in units
        ],
    }
    shown = text_of(show.lines(order))
    assert "1 to 2, 4 to 5 delivered; 3 cancelled" in shown
    assert "Dress [blue]" in shown


def test_what_waits_for_stock_says_when_it_is_expected_and_not_what_becomes_of_it_then() -> None:
    hold: Json = {
        "hold_id": "hld_1",
        "kind": "stock",
        "reason": "it waits for 2 x AUB-TEE-NAVY-M of po-4711-1",
        "until": "2026-11-25T23:00:00Z",
        "default": "wait",
        "ended_at": None,
        "fulfilment_id": "ful_1",
    }
    told = show.hold(hold)
    assert told.startswith("hld_1 stock: it waits for 2 x AUB-TEE-NAVY-M of po-4711-1 (expected ")
    assert told.endswith(", work ful_1)")
    assert "then" not in told


@pytest.mark.parametrize(
    ("since", "done", "told"),
    [
        (None, None, "picked (to personalise)"),
        ("2026-11-25T08:00:00Z", None, "picked (being personalised)"),
        ("2026-11-25T08:00:00Z", "2026-11-25T09:00:00Z", "picked (personalised)"),
    ],
)
def test_how_far_a_personalisation_is_stands_beside_the_work(
    since: str | None, done: str | None, told: str
) -> None:
    work: Json = {
        "point_id": "st-lyon",
        "carrier_id": "hexagone",
        "service_id": "home",
        "status": "picked",
        "lines": [{"quantity": 1, "personalisations": ["engraved_name"]}],
        "hand_over_by": "2026-11-26T17:00:00Z",
        "parcel": None,
        "personalising_since": since,
        "personalised_at": done,
    }
    assert told in text_of(show.fulfilments({"fulfilments": [work]}))

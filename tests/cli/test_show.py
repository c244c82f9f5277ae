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

"""`oms slots`, as a person types it, against answers of the gateway's shape."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

WINDOW = {"start": "2026-12-07T07:00:00Z", "end": "2026-12-07T11:00:00Z"}
SLOT = {
    "id": "paris.20261207",
    "service_id": "rendez-vous",
    "window": WINDOW,
    "left": 2,
    "capacity": 3,
    "price": {"amount_minor": 900, "currency": "EUR"},
    "bookable_until": "2026-12-05T23:00:00Z",
}
BOOKING = {
    "id": "bkg_1",
    "status": "held",
    "slot_id": "paris.20261207",
    "window": WINDOW,
    "order_id": None,
    "moves": 1,
    "misses": 0,
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as found:
        yield found


def typed(state: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["slots", *words, "--state", str(state)], env={"COLUMNS": "200"})
    return result.exit_code, result.output


def test_slots_of_a_place_are_told_with_what_is_left(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/delivery-slots"] = (200, {"items": [SLOT, {**SLOT, "price": None}]})
    code, output = typed(tmp_path, "list", "--to", "FR 75011", "--from", "2026-12-01", "--days", "7")
    assert code == 0
    query = "from_date=2026-12-01&until_date=2026-12-07&only_open=true&country=FR&postcode=75011"
    assert gateway.asked[0].path.endswith(query)
    first, second = output.splitlines()[1:]
    assert "paris.20261207" in first
    assert "9.00 EUR" in first
    assert "9.00 EUR" not in second
    assert typed(tmp_path, "list", "--to", "FR")[0] == 2


def test_patterns_are_listed_and_written_from_a_file(gateway: CannedGateway, tmp_path: Path) -> None:
    file = tmp_path / "patterns.yaml"
    file.write_text("- {pattern_id: paris, weekdays: [1, 2], capacity: 3, valid_from: 2026-12-01}\n")
    gateway.answers["PUT", "/v1/slot-patterns"] = (200, {"changed": 1})
    assert typed(tmp_path, "put", str(file)) == (0, "1 of 1 changed\n")
    (sent,) = gateway.asked[0].body["patterns"]
    assert sent == {"pattern_id": "paris", "weekdays": [1, 2], "capacity": 3, "valid_from": "2026-12-01"}
    file.write_text("pattern_id: paris")
    assert typed(tmp_path, "put", str(file))[0] == 2
    pattern = {
        **sent,
        "version": 2,
        "carrier_id": "vallier",
        "service_id": "rendez-vous",
        "country": "FR",
        "postcode_prefixes": ["75"],
        "from_minute": 480,
        "until_minute": 720,
        "lead_days": 6,
    }
    gateway.answers["GET", "/v1/slot-patterns"] = (200, {"items": [pattern]})
    code, output = typed(tmp_path, "patterns", "--carrier", "vallier")
    assert code == 0
    assert output.splitlines()[1].split() == [
        "paris", "2", "vallier", "rendez-vous", "FR", "75", "mon", "tue", "08:00-12:00", "3", "6",
    ]  # fmt: skip


def test_a_full_slot_tells_what_can_be_had_instead(gateway: CannedGateway, tmp_path: Path) -> None:
    path = "/v1/delivery-slots/paris.20261207/holds"
    gateway.answers["POST", path] = (201, BOOKING)
    words = ("hold", "paris.20261207", "--to", "FR 75011", "--channel", "web-fr")
    code, output = typed(tmp_path, *words)
    assert (code, gateway.asked[0].body) == (0, {"channel_id": "web-fr", "country": "FR", "postcode": "75011"})
    assert "bkg_1" in output
    full = {"reason": "SLOT_FULL", "detail": "full", "alternatives": [{**SLOT, "id": "paris.20261208"}]}
    gateway.answers["POST", path] = (409, full)
    code, output = typed(tmp_path, *words)
    assert code == 1
    assert "instead: paris.20261208" in output


def test_bookings_are_listed_moved_and_told_how_they_went(gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["GET", "/v1/bookings"] = (200, {"items": [{**BOOKING, "order_id": "ord_1"}]})
    code, output = typed(tmp_path, "bookings", "--order", "ord_1", "--status", "held")
    assert code == 0
    assert gateway.asked[0].path.endswith("size=50&order_id=ord_1&status=held")
    assert output.splitlines()[1].split()[-3:] == ["ord_1", "1", "0"]
    gateway.answers["POST", "/v1/orders/ord_1/appointment"] = (202, {"status": "moving"})
    assert typed(tmp_path, "move", "ord_1", "paris.20261208") == (0, "moving\n")
    assert gateway.asked[-1].body == {"slot_id": "paris.20261208"}
    for act, status in (("release", "released"), ("kept", "kept"), ("missed", "missed")):
        gateway.answers["POST", f"/v1/bookings/bkg_1/{act}"] = (200, {"status": status})
        assert typed(tmp_path, act, "bkg_1") == (0, f"{status}\n")
    assert gateway.asked[-1].body == {"reason": "not_at_home"}

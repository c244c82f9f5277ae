"""`oms life-cycles` and `oms order reviews` in front of a gateway with canned answers."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from cli import show
from cli.main import app
from tests.cli.gateway import CannedGateway, serving

FASHION: dict[str, Any] = {
    "life_cycle_id": "fashion",
    "version": 3,
    "cooling_off_seconds": 1800,
    "offer_seconds": 3600,
    "payment_action_seconds": 900,
    "reroute_limit": 5,
    "capture_at": "shipment",
    "hold_rules": [],
    "labels": [{"status": "shipped", "language": "fr", "text": "En route"}],
    "fraud": {"review_at": 50, "rules": [{"name": "a", "weight": 50, "reason": "b", "no_email": {}}]},
}


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[CannedGateway]:
    with serving(tmp_path) as gateway:
        gateway.answers["GET", "/v1/life-cycles/fashion"] = 200, FASHION
        yield gateway


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--state", str(state)])


def test_life_cycles_are_listed_and_shown_as_text(tmp_path: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", "/v1/life-cycles"] = 200, {"items": [FASHION]}
    assert "fashion" in oms(tmp_path, "life-cycles", "list").output
    told = oms(tmp_path, "life-cycles", "show", "fashion@3")
    assert "version=3" in str(gateway.asked[-1])
    text = yaml.safe_load(told.stdout)
    assert (text["life_cycle_id"], text["fraud"]["rules"][0]["no_email"]) == ("fashion", {})
    assert not {"version", "hold_rules"} & set(text), "what is empty, or given by publishing, is left out"


def test_what_was_shown_can_be_published(tmp_path: Path, gateway: CannedGateway) -> None:
    file = tmp_path / "fashion.yaml"
    file.write_text(oms(tmp_path, "life-cycles", "show", "fashion").stdout)
    gateway.answers["PUT", "/v1/life-cycles/fashion"] = 200, FASHION | {"version": 4}
    assert "fashion: version 4" in oms(tmp_path, "life-cycles", "publish", str(file)).output
    body = gateway.asked[-1].body
    assert body is not None
    assert body["fraud"] == FASHION["fraud"]
    assert not {"life_cycle_id", "version"} & set(body)


def test_a_refused_file_names_its_field(tmp_path: Path, gateway: CannedGateway) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("life_cycle_id: fashion\noffer_seconds: 0\n")
    errors = [{"field": "offer_seconds", "rule": "INVALID_ARGUMENT", "detail": "at least 1"}]
    gateway.answers["PUT", "/v1/life-cycles/fashion"] = 422, {"reason": "INVALID_ARGUMENT", "errors": errors}
    told = oms(tmp_path, "life-cycles", "publish", str(file))
    assert told.exit_code == 1
    assert "offer_seconds: at least 1" in told.output
    for text in ("[]", "offer_seconds: 1", "a: [", ""):
        file.write_text(text)
        assert oms(tmp_path, "life-cycles", "publish", str(file)).exit_code == 1, text


def test_two_life_cycles_are_compared_published_or_not(tmp_path: Path, gateway: CannedGateway) -> None:
    file = tmp_path / "fashion.yaml"
    file.write_text(yaml.safe_dump(FASHION | {"offer_seconds": 7200}))
    told = oms(tmp_path, "life-cycles", "diff", "fashion", str(file)).output
    assert "-offer_seconds: 3600" in told
    assert "+offer_seconds: 7200" in told
    assert "nothing differs" in oms(tmp_path, "life-cycles", "diff", "fashion", "fashion").output
    assert oms(tmp_path, "life-cycles", "diff", "fashion@x", "fashion").exit_code == 1


def test_reviews_are_listed_with_their_reasons(tmp_path: Path, gateway: CannedGateway) -> None:
    since = (datetime.now(UTC) - timedelta(minutes=90)).isoformat()
    review = {
        "order_id": "ord_1",
        "channel_id": "web-fr",
        "total": {"amount_minor": 5000, "currency": "EUR"},
        "hold": {"hold_id": "hld_1", "since": since, "until": "2100-01-01T00:00:00Z", "default": "cancel"},
        "fraud": {"score": 60, "hits": [{"reason": "many units"}, {"reason": "new here"}]},
    }
    gateway.answers["GET", "/v1/reviews"] = 200, {"items": [review]}
    told = oms(tmp_path, "order", "reviews", "--channel", "web-fr").output
    assert "channel_id=web-fr" in str(gateway.asked[-1])
    for word in ("ord_1", "hld_1", "1 h 30 min", "50.00 EUR", "60", "many units; new here"):
        assert word in told


def test_the_terminals_language_chooses_the_customers_words(monkeypatch: pytest.MonkeyPatch) -> None:
    order = {"customer_status": "shipped", "customer_labels": {"fr": "En route"}}
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert show.customer_words(order) == "shipped"
    monkeypatch.setenv("LANG", "fr_FR.UTF-8")
    assert show.customer_words(order) == "En route"
    monkeypatch.setenv("LC_ALL", "C")
    assert show.customer_words(order) == "shipped"

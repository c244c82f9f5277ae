"""`oms order notifications` in front of a gateway with canned answers."""

from pathlib import Path

from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import serving

LOG = "/v1/orders/ord_1/notifications"
FAILED = {
    "id": "ntf_1",
    "milestone": "shipped",
    "way": "sms",
    "state": "failed",
    "reason": "http_422",
    "attempts": 2,
    "settled_at": "2026-12-01T10:00:00Z",
    "next_try_at": None,
}


def oms(state: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["order", "notifications", *arguments, "--state", str(state)])


def test_what_a_customer_was_told_is_listed_and_sent_again(tmp_path: Path) -> None:
    with serving(tmp_path) as gateway:
        gateway.answers["GET", LOG] = 200, {"items": [FAILED]}
        listed = oms(tmp_path, "list", "ord_1")
        assert listed.exit_code == 0, listed.output
        for word in ("ntf_1", "shipped", "sms", "failed", "http_422"):
            assert word in listed.output
        due = FAILED | {"state": "due", "settled_at": None}
        gateway.answers["POST", f"{LOG}/ntf_1/resend"] = 202, due
        assert "shipped by sms: due" in oms(tmp_path, "resend", "ord_1", "ntf_1").output
        problem = {"status": 409, "reason": "NOT_TRUE_ANY_MORE", "title": "Conflict", "detail": "it was undone"}
        gateway.answers["POST", f"{LOG}/ntf_1/resend"] = 409, problem
        assert oms(tmp_path, "resend", "ord_1", "ntf_1").exit_code == 1

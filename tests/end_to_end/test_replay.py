"""`oms replay` on every process: a dirty file placed, interrupted, killed and resumed; every row accounted for."""

import csv
import json
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.client import Api, Json, wait_for
from cli.main import app
from tests.stack import SharedStack

# Its cooling-off is long: no store is offered this work while other tests look at stores.
CHANNEL = "web-fr"
EXCERPT = Path(__file__).parents[1] / "cli" / "data" / "orders.csv"
REJECTED = {
    "RETURN_NOT_SUPPORTED": 2,
    "ORDER_REJECTED": 3,
    "BAD_QUANTITY": 2,
    "NOT_AN_ARTICLE": 3,
    "BAD_DATE": 1,
    "BAD_SKU": 2,
    "BAD_PRICE": 2,
    "ROWS_DISAGREE": 2,
    "ORDER_NUMBER_MISSING": 1,
    "UNREADABLE_ROW": 2,
    "ORDER_NOT_CONTIGUOUS": 2,
}
PLACED = 23
STOCK = 500


class Replay:
    """One source, replayed as often as a test likes."""

    def __init__(self, stack: SharedStack, folder: Path, source: str) -> None:
        self.source = source
        self.report_file = folder / "report.json"
        self.rejected_file = folder / "rejected.csv"
        self._words = [
            *("replay", str(EXCERPT), "--channel", CHANNEL, "--currency", "EUR", "--ship-to", "FR 75011"),
            *("--create-items", "--stock", str(STOCK), "--at", "wh-orleans", "--source", source),
            *("--time-zone", "Europe/Paris", "--payment-token", "pm_card_visa", "--tax-rate", "20"),
            *("--report", str(self.report_file), "--rejected", str(self.rejected_file)),
            *("--state", str(stack.state)),
        ]

    def start(self, *words: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "cli.main", *self._words, *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, *words: str) -> Result:
        """In this process: it starts sooner."""
        return CliRunner().invoke(app, [*self._words, *words])

    def report(self) -> Json:
        found: Json = json.loads(self.report_file.read_text())
        assert found["rows_without_account"] == 0
        assert sum(found["rows"].values()) == found["rows_read"]
        return found


def orders_numbered(api: Api, number: str) -> list[Json]:
    return list(api.rows("/v1/orders", "customer_service", channel_id=CHANNEL, channel_order_number=number))


def wait_placed(api: Api, number: str) -> None:
    """Until the order is there and the next ones are on their way."""
    wait_for(f"order {number}", lambda: next(iter(orders_numbered(api, number)), None), 60)


def source_orders() -> dict[str, list[dict[str, str]]]:
    """The rows of the file by order, read by other means than the command's."""
    found: dict[str, list[dict[str, str]]] = defaultdict(list)
    with EXCERPT.open(encoding="latin-1", newline="") as file:
        for row in csv.DictReader(file):
            found[row["invoice_no"]].append(row)
    return found


def test_a_replay_interrupted_and_killed_goes_on_and_places_each_order_once(
    stack: SharedStack, api: Api, tmp_path: Path
) -> None:
    replay = Replay(stack, tmp_path, "interrupted")
    began = datetime.now(UTC)

    slow = replay.start("--rate", "5", "--concurrency", "3")
    wait_placed(api, "W1003")
    slow.send_signal(signal.SIGINT)
    said, _ = slow.communicate(timeout=60)
    assert slow.returncode == 130, said
    assert "Stopped before the end" in said
    first = replay.report()
    assert first["interrupted"]
    assert 3 <= first["orders"]["placed"] < PLACED
    assert first["orders"]["unknown"] == 0, "what was in flight was waited for"

    slow = replay.start("--rate", "5", "--concurrency", "3")
    wait_placed(api, "W1012")
    slow.kill()
    slow.communicate(timeout=60)

    done = replay.run()
    assert done.exit_code == 0, done.output
    last = replay.report()
    assert last["orders"]["placed"] + last["orders"]["already_placed"] == PLACED
    assert last["orders"]["already_placed"] >= first["orders"]["placed"]
    assert last["refused_orders"] == {"STOCK_UNAVAILABLE": 1}, "80,000 units of which there are 500"
    assert last["rejected_rows"] == REJECTED
    assert last["rows_read"] == 104
    with replay.rejected_file.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        written = [(row["replay_order"], row["replay_reason"]) for row in csv.DictReader(file)]
    assert Counter(reason for _, reason in written) == Counter(REJECTED | last["refused_rows"])
    assert ("W1008", "STOCK_UNAVAILABLE") in written

    _assert_as_in_the_source(api, began)
    (mugs,) = api.get("/v1/stock/balances", "supply_chain", sku=["Z-MUG-04"])["items"]
    sold = sum(int(row["quantity"]) for row in _placed_rows(api) if row["stock_code"] == "Z-MUG-04")
    assert (mugs["on_hand"], mugs["reserved"]) == (STOCK, sold), "received once, held once"

    again = replay.run()
    assert again.exit_code == 0, again.output
    assert replay.report()["orders"]["already_placed"] == PLACED
    assert replay.report()["orders"]["placed"] == replay.report()["items_created"] == 0


def test_nothing_is_sent_when_file_options_and_system_do_not_fit(
    stack: SharedStack, api: Api, tmp_path: Path
) -> None:
    replay = Replay(stack, tmp_path, "misfits")
    for words, said in (
        (("--currency", "GBP"), "the orders of web-fr are in EUR, the prices of the file in GBP"),
        (("--channel", "web-xx"), "there is no channel web-xx; there are app-fr, "),
        (("--at", "st-montpellier"), "--at st-montpellier: web-fr does not sell the stock of such a point"),
        (("--map", "price=total"), "no column 'total' for price"),
    ):
        refused = replay.run(*words)
        assert refused.exit_code == 2, refused.output
        assert said in refused.stderr
    tags = [tag for item in api.rows("/v1/items", "supply_chain", size=500) for tag in item["tags"]]
    assert "replay:misfits" not in tags
    assert not replay.report_file.exists()


def _placed_rows(api: Api) -> list[dict[str, str]]:
    """Rows of the source whose orders stand, under any source name."""
    found = []
    for number, rows in source_orders().items():
        for order in orders_numbered(api, number) if number else ():
            if order["status"] != "refused":
                found += rows
    return found


def _assert_as_in_the_source(api: Api, began: datetime) -> None:
    """Each order of the file that stands, stands once, with the units, the money and the date of the file."""
    standing = 0
    for number, rows in source_orders().items():
        orders = orders_numbered(api, number) if number else []
        assert len(orders) <= 1, f"{number} was placed twice"
        if not orders or orders[0]["status"] == "refused":
            continue
        standing += 1
        order = api.get(f"/v1/orders/{orders[0]['id']}", "customer_service")
        articles = [row for row in rows if row["stock_code"] not in ("POST", "DOT")]
        assert [(line["sku"], line["quantity"]) for line in order["lines"]] == [
            (row["stock_code"], int(row["quantity"])) for row in articles
        ]
        paid = sum(int(row["quantity"]) * Decimal(row["unit_price"]) * 100 for row in rows)
        assert order["total"] == {"amount_minor": paid, "currency": "EUR"}
        assert (
            sum(line["net_minor"] + line["tax_minor"] + line["shipping_minor"] for line in order["lines"]) == paid
        )
        taken = min(datetime.fromisoformat(row["invoice_date"]) for row in rows) - timedelta(hours=1)
        assert datetime.fromisoformat(order["source_placed_at"]) == taken.replace(tzinfo=UTC)
        assert began - timedelta(seconds=1) <= datetime.fromisoformat(order["placed_at"]) <= datetime.now(UTC)
    assert standing == PLACED

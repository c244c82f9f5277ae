"""Sending orders of a file: to a gateway that answers late, not at all, twice or no, over real connections."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cli.client import AsyncApi
from cli.replay.placing import Destination, Placer, Sale, body_of, key_of
from cli.replay.reading import Group, Row, SourceOrder, Terms, columns, read
from cli.replay.report import Kind, Outcome
from cli.replay.sending import Sender
from services.gateway.schemas.orders import OrderPlacement
from tests.http_server import HttpServer

HEADER = (
    "invoice_no",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "unit_price",
    "customer_id",
    "country",
)
BEGAN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SALE = Sale("spring.csv", "web-fr", "EUR", {"": Destination("FR", "75011"), "Germany": Destination("DE", "10115")})


def order(*rows: str, number: str = "W1") -> SourceOrder:
    """Of rows `sku,quantity,price[,country]`."""
    cells = []
    for place, text in enumerate(rows, 2):
        sku, quantity, price, country = [*text.split(","), "France"][:4]
        cells.append(Row(place, [number, sku, "Vase", quantity, "2019-03-04T09:12:00", price, "41", country]))
    where = columns(HEADER, {})
    return read(Group(number, cells), where, Terms("EUR", ZoneInfo("Europe/Paris")), frozenset())


# -- what is sent -----------------------------------------------------------------------------------------


def test_an_order_is_sent_as_the_file_has_it_and_fits_the_schema_of_the_gateway() -> None:
    body = body_of(order("VASE,2,1.50", "POST,1,5.40", "VASE,1,0"), SALE)
    assert OrderPlacement.model_validate_json(json.dumps(body))
    assert [(line["sku"], line["quantity"], line["net_minor"]) for line in body["lines"]] == [
        ("VASE", 2, 300),
        ("VASE", 1, 0),
    ]
    assert [line["shipping_minor"] for line in body["lines"]] == [540, 0]
    assert body["total"] == {"amount_minor": 840, "currency": "EUR"}
    assert body["source_placed_at"] == "2019-03-04T08:12:00+00:00"
    assert (body["channel_order_number"], body["customer"]) == ("W1", {"customer_id": "41"})
    assert body["payment"] == {"paid_by_channel_reference": "W1"}


def test_tax_is_within_the_prices_and_the_customer_pays_what_the_file_says() -> None:
    sale = Sale("s", "web-fr", "EUR", SALE.destinations, tax_rate_basis_points=2000, payment_token="pm_card_visa")
    body = body_of(order("VASE,1,0.99"), sale)
    (line,) = body["lines"]
    assert (line["net_minor"], line["tax_minor"], line["tax_rate_basis_points"]) == (83, 16, 2000)
    assert body["total"]["amount_minor"] == 99
    assert body["payment"] == {"payment_method_token": "pm_card_visa"}


def test_a_country_of_the_file_goes_to_its_own_destination() -> None:
    assert body_of(order("VASE,1,1,Germany"), SALE)["ship_to"]["postcode"] == "10115"
    assert body_of(order("VASE,1,1,Spain"), SALE)["ship_to"]["postcode"] == "75011"


def test_the_key_is_of_source_and_number_and_of_nothing_else() -> None:
    keys = {key_of("a", "bc"), key_of("ab", "c"), key_of("a", "b")}
    assert len(keys) == 3
    assert key_of("a", "bc") in keys


# -- what is answered -------------------------------------------------------------------------------------


@dataclass
class Reply:
    """One scripted answer; a status of 0 cuts the connection."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """One request as it came."""

    method: str
    path: str
    key: str
    body: dict[str, Any]


class Gateway:
    """Answers what it was told to, in turn; the last answer again and again."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []
        self.asked: list[Asked] = []
        self.noticed: Callable[[], object] = lambda: None
        self._server = HttpServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        self.noticed()
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            def _reply(self) -> None:
                content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                key = self.headers.get("Idempotency-Key", "")
                reply = gateway.answer(Asked(self.command, self.path, key, json.loads(content or b"{}")))
                if not reply.status:
                    self.connection.close()
                    return
                body = json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Type": "application/json"}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = _reply

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    opened = Gateway()
    yield opened
    opened.close()


VALIDATED = Reply(201, {"id": "ord_1", "status": "validated"})
REPLAYED = Reply(201, {"id": "ord_1", "status": "validated"}, {"Idempotent-Replayed": "true"})
RECORDED = Reply(202, {"id": "ord_1", "status": "recorded"})


def seen(status: str, placed_at: str = "2026-11-23T12:00:05Z", **more: Any) -> Reply:
    return Reply(200, {"id": "ord_1", "status": status, "placed_at": placed_at, **more})


async def place(gateway: Gateway, what: SourceOrder, patience_seconds: float = 20) -> Outcome:
    async with AsyncApi(gateway.url, lambda *_: "token", 1) as api:
        return await Placer(Sender(api, patience_seconds), SALE, BEGAN).place(what)


async def test_an_order_that_is_accepted_is_placed(gateway: Gateway) -> None:
    gateway.replies = [VALIDATED]
    assert (await place(gateway, order("VASE,1,1"))).kind is Kind.PLACED
    (asked,) = gateway.asked
    assert (asked.method, asked.path, asked.key) == ("POST", "/v1/orders", key_of("spring.csv", "W1"))


async def test_an_order_of_an_earlier_run_was_placed_already(gateway: Gateway) -> None:
    gateway.replies = [REPLAYED]
    assert (await place(gateway, order("VASE,1,1"))).kind is Kind.ALREADY_PLACED


@pytest.mark.parametrize("trouble", [Reply(0), Reply(503), Reply(500), Reply(429, headers={"Retry-After": "0"})])
async def test_a_lost_answer_is_asked_for_with_the_same_key_and_is_no_refusal(
    gateway: Gateway, trouble: Reply
) -> None:
    gateway.replies = [trouble, REPLAYED, seen("validated")]
    assert (await place(gateway, order("VASE,1,1"))).kind is Kind.PLACED
    first, again, _ = gateway.asked
    assert first == again


async def test_a_lost_answer_about_an_order_of_an_earlier_run_does_not_count_it_as_new(gateway: Gateway) -> None:
    gateway.replies = [Reply(503), REPLAYED, seen("validated", "2026-11-23T11:59:00Z")]
    assert (await place(gateway, order("VASE,1,1"))).kind is Kind.ALREADY_PLACED


async def test_an_outcome_that_is_still_to_come_is_followed(gateway: Gateway) -> None:
    gateway.replies = [RECORDED, seen("recorded"), Reply(503), seen("recorded"), seen("validated")]
    assert (await place(gateway, order("VASE,1,1"))).kind is Kind.PLACED
    assert [one.path for one in gateway.asked[1:]] == ["/v1/orders/ord_1"] * 4


async def test_a_refusal_that_comes_later_is_a_refusal_with_its_lines(gateway: Gateway) -> None:
    lines = [{"line_number": 2, "sku": "LAMP", "requested": 3, "available": 1, "reason": "NO_STOCK"}]
    refusal = {"reason": "STOCK_UNAVAILABLE", "detail": "not enough stock for these lines", "lines": lines}
    gateway.replies = [RECORDED, seen("refused", refusal=refusal)]
    outcome = await place(gateway, order("VASE,1,1", "POST,1,5", "LAMP,3,1"))
    assert (outcome.kind, outcome.reason) == (Kind.REFUSED, "STOCK_UNAVAILABLE")
    assert outcome.line_details == {4: "NO_STOCK: 1 of 3 can be had"}, "the row of the line, not its number"


async def test_a_refusal_names_the_row_of_the_field(gateway: Gateway) -> None:
    errors = [{"field": "lines[1].quantity", "rule": "less_than_equal", "detail": "too many"}]
    gateway.replies = [Reply(422, {"reason": "INVALID_REQUEST", "detail": "the request", "errors": errors})]
    outcome = await place(gateway, order("VASE,1,1", "LAMP,3,1"))
    assert (outcome.kind, outcome.reason) == (Kind.REFUSED, "INVALID_REQUEST")
    assert outcome.line_details == {3: "lines[1].quantity: too many"}
    assert len(gateway.asked) == 1


async def test_an_order_that_waits_for_its_customer_is_neither_placed_nor_refused(gateway: Gateway) -> None:
    gateway.replies = [Reply(202, {"id": "ord_1", "status": "action_required"})]
    assert (await place(gateway, order("VASE,1,1"))).kind is Kind.ACTION_REQUIRED


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ([Reply(503, {"reason": "UNAVAILABLE"})], "UNAVAILABLE"),
        ([Reply(502)], "HTTP_502"),
        ([Reply(0)], "CONNECTION"),
        ([RECORDED, seen("recorded")], "STILL_RECORDED"),
    ],
)
async def test_when_patience_ends_the_outcome_is_unknown(
    gateway: Gateway, replies: list[Reply], reason: str
) -> None:
    gateway.replies = replies
    outcome = await place(gateway, order("VASE,1,1"), patience_seconds=0.5)
    assert (outcome.kind, outcome.reason) == (Kind.UNKNOWN, reason)


async def test_who_is_told_to_stop_gives_up_sooner(gateway: Gateway) -> None:
    gateway.replies = [Reply(503)]
    async with AsyncApi(gateway.url, lambda *_: "token", 1) as api:
        sender = Sender(api, patience_seconds=3600, stop_seconds=0.1)
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        gateway.noticed = lambda: loop.call_soon_threadsafe(asked.set)
        placing = asyncio.create_task(Placer(sender, SALE, BEGAN).place(order("VASE,1,1")))
        await asked.wait()
        sender.stop()
        assert (await asyncio.wait_for(placing, 20)).kind is Kind.UNKNOWN


async def test_a_token_that_is_no_longer_taken_is_renewed(gateway: Gateway) -> None:
    gateway.replies = [Reply(401), VALIDATED]
    tokens = iter(("old", "new"))
    async with AsyncApi(gateway.url, lambda *_: next(tokens), 1) as api:
        outcome = await Placer(Sender(api, 20), SALE, BEGAN).place(order("VASE,1,1"))
    assert outcome.kind is Kind.PLACED
    assert next(tokens, None) is None

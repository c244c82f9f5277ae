"""Personal data stays where it belongs: planted, then looked for wherever it must not be."""

import copy
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import pytest_asyncio
from google.protobuf.message import Message
from psycopg import sql
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from cli.client import Api, Json, Problem
from cli.people import Shop
from deploy.local.processes import GRPC_SERVICES
from kit import temporal
from tests.end_to_end.conftest import PLANTED_WORDS, Delivered
from tests.end_to_end.hooks import Receiver
from tests.otlp import Collector, Span
from tests.stack import SharedStack

# The one table that is for it.
HOME = ("orders", "order_customer")


def planted_in(content: bytes | str) -> list[str]:
    """The planted words that stand in it."""
    found = content if isinstance(content, bytes) else content.encode()
    return [word for word in PLANTED_WORDS if word.encode() in found]


@pytest_asyncio.fixture
async def client(stack: SharedStack) -> Client:
    return await temporal.connect(stack.addresses["temporal"], "default", stack.stack.keys.codec_keys)


@pytest.fixture(scope="module", autouse=True)
def _mishaps(stack: SharedStack, delivered: Delivered) -> None:
    """Requests that go wrong, full of personal data: errors like to quote what they were given."""
    with Api.of(stack.gateway_url, stack.state) as api:
        shop = Shop(api, delivered.content["channel_id"])
        for key, content in _wrong_orders(delivered.content):
            with pytest.raises(Problem) as refused:
                shop.place(content, key)
            assert not planted_in(str(refused.value.body))


def _wrong_orders(right: Json) -> Iterator[tuple[str, Json]]:
    content = copy.deepcopy(right)
    content["total"]["amount_minor"] += 1
    yield "wrong-total", content
    content = copy.deepcopy(right)
    content["customer"]["nickname"] = content["customer"]["name"]
    yield "unknown-field", content
    content = copy.deepcopy(right)
    content["ship_to"]["city"] = content["customer"]["email"] + "\x00"
    yield "bad-character", content
    content = copy.deepcopy(right)
    content["payment"] = {"payment_method_token": "pm_card_chargeDeclined"}
    yield "declined", content


async def test_no_history_holds_personal_data_not_even_decrypted(
    stack: SharedStack, client: Client, delivered: Delivered
) -> None:
    codec = client.data_converter.payload_codec
    assert codec is not None
    histories, decrypted = 0, 0
    async for execution in client.list_workflows():
        history = await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()
        histories += 1
        for event in history.events:
            assert not planted_in(event.SerializeToString()), execution.id
            for payload in await codec.decode(list(_payloads(event))):
                assert not planted_in(payload.data), (execution.id, event.event_type)
                decrypted += delivered.sku.encode() in payload.data
        described = await client.get_workflow_handle(execution.id).describe()
        assert not planted_in(described.raw_description.SerializeToString())
    assert histories >= 2
    assert decrypted  # so it was really looked inside
    for file in stack.state.glob("temporal.db*"):
        assert not planted_in(file.read_bytes()), file.name


def _payloads(message: Message) -> Iterator[Payload]:
    """Every payload inside a message, however deep."""
    if isinstance(message, Payload):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.is_repeated:
            entries: Any = value.values() if hasattr(value, "values") else value
            for entry in entries:
                if isinstance(entry, Message):
                    yield from _payloads(entry)
        else:
            yield from _payloads(value)


def test_no_log_holds_personal_data(stack: SharedStack, delivered: Delivered) -> None:
    files = sorted(stack.logs.iterdir())
    assert {"gateway.log", "orders.log", "postgres.log", "temporal.log"} <= {file.name for file in files}
    assert {file.name: planted_in(file.read_bytes()) for file in files if planted_in(file.read_bytes())} == {}


def test_no_trace_or_metric_holds_personal_data(collector: Collector, spans: list[Span]) -> None:
    assert spans
    assert collector.metrics
    assert [planted_in(message) for message in collector.raw if planted_in(message)] == []


def test_only_one_table_of_one_service_holds_personal_data(stack: SharedStack, delivered: Delivered) -> None:
    """Outboxes, ledgers, decisions, deliveries, stored requests and answers: all of them."""
    holding, events = set(), 0
    for service in GRPC_SERVICES:
        url = stack.database_url(service).replace("postgresql+psycopg://", "postgresql://")
        with psycopg.connect(url) as connection:
            tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
            for (table,) in tables:
                query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
                rows = [str(row) for (row,) in connection.execute(query)]
                events += table == "outbox" and sum(delivered.order_id in row for row in rows)
                if any(planted_in(row) for row in rows):
                    holding.add((service, table))
    assert holding == {HOME}
    assert events > 5


def test_no_webhook_holds_personal_data(hooks: Receiver, delivered: Delivered) -> None:
    assert hooks.hooks
    assert [hook for hook in hooks.hooks if planted_in(hook.body + str(hook.headers).encode())] == []

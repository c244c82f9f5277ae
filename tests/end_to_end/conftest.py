"""What the tests on the full system share: the API, a receiver of webhooks, and one order that was delivered."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from cli.client import Api, Json
from cli.people import Buyer, Office, Shop
from tests.end_to_end.hooks import Receiver, running_receiver
from tests.end_to_end.journeys import CHANNEL, deliver, well_stocked
from tests.otlp import Collector, Span
from tests.stack import SharedStack

# Words that stand nowhere else, each a part of what a shop knows of a person.
PLANTED = Buyer(
    name="Zephyrine Quillfeather",
    email="zephyrine.quillfeather@example.net",
    phone="+33 1 99 00 87 65",
    street="77 impasse du Griffon Bleu",
)
PLANTED_WORDS = ("Quillfeather", "quillfeather", "Zephyrine", "zephyrine", "99 00 87 65", "Griffon Bleu")


@dataclass(frozen=True)
class Delivered:
    """One order that went the whole way in one parcel, for all tests that only look."""

    order: Json
    content: Json
    payment: Json
    sku: str

    @property
    def order_id(self) -> str:
        return str(self.order["id"])


@pytest.fixture
def api(stack: SharedStack) -> Iterator[Api]:
    """The gateway, with tokens for everyone."""
    with Api.of(stack.gateway_url, stack.state) as opened:
        yield opened


@pytest.fixture
def shop(api: Api) -> Shop:
    """The channel with the short cooling-off."""
    return Shop(api, CHANNEL)


@pytest.fixture
def office(api: Api) -> Office:
    """Who sees everything."""
    return Office(api)


@pytest.fixture(scope="session")
def hooks(stack: SharedStack) -> Iterator[Receiver]:
    """A webhook endpoint of a shop, registered for everything before any order is placed."""
    with running_receiver() as receiver, Api.of(stack.gateway_url, stack.state) as api:
        created = api.post("/v1/webhook-endpoints", "operator", {"url": receiver.url})
        receiver.endpoint_id, receiver.secret = created["id"], created["secret"]
        yield receiver


@pytest.fixture(scope="session")
def delivered(stack: SharedStack, hooks: Receiver) -> Delivered:
    """The planted buyer's order, delivered and closed."""
    with Api.of(stack.gateway_url, stack.state) as api:
        shop = Shop(api, CHANNEL)
        sku = well_stocked(shop)
        promise = shop.promise([(sku, 1)], PLANTED)
        content = shop.order_content([(sku, 1)], PLANTED, shipping_minor=490, quote_id=promise["quote_id"])
        placed = shop.place(content)
        assert placed["status"] == "validated"
        order = deliver(api, placed["id"])
        payment = Office(api).payment(placed["id"])
        assert payment is not None
        return Delivered(order, content, payment, sku)


@pytest.fixture(scope="session")
def spans(collector: Collector, delivered: Delivered) -> list[Span]:
    """Every span that is about the delivered order: its own trace, and those of the people who worked on it."""
    return collector.settled(lambda span: span.attributes.get("order.id") == delivered.order_id)


@pytest.fixture(scope="session")
def trace(collector: Collector, spans: list[Span]) -> list[Span]:
    """The trace that the placement of the delivered order began."""
    [placement] = [span for span in spans if span.name == "POST /v1/orders"]
    return collector.find(lambda span: span.trace_id == placement.trace_id)

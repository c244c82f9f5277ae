"""An order is placed by REST, and its customer reads of it in his mailbox: over every process."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from cli.client import Api
from cli.people import Buyer, Shop
from tests.end_to_end.journeys import deliver, well_stocked
from tests.end_to_end.test_journey import oms
from tests.stack import SharedStack

ADDRESS = "told.once@example.net"


@pytest.fixture
def inbox(stack: SharedStack) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    with httpx.Client(base_url=f"http://{stack.addresses['messages']}") as http:
        yield lambda to: http.get("/inbox", params={"to": to}).raise_for_status().json()["messages"]


def test_a_customer_reads_what_becomes_of_his_order_once_each_with_a_link(
    stack: SharedStack, api: Api, shop: Shop, inbox: Callable[[str], list[dict[str, Any]]]
) -> None:
    content = shop.order_content([(well_stocked(shop), 1)], Buyer(email=ADDRESS), shipping_minor=490)
    content["customer"] |= {"language": "fr", "notify_by": ["mail"]}
    order_id = shop.place(content)["id"]
    deliver(api, order_id)
    deadline = time.monotonic() + 30
    while len(inbox(ADDRESS)) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    number = content["channel_order_number"]
    mails = inbox(ADDRESS)[::-1]
    assert [one["subject"] for one in mails] == [
        f"Commande {number} : confirmée",
        f"Commande {number} : elle est en route",
        f"Commande {number} : livrée",
    ]
    assert len({one["key"] for one in mails}) == 3
    for mail in mails:
        assert f"{stack.gateway_url}/track/{order_id}." in mail["text"]
        assert mail["sender"] == "Ondelle et Cairn <orders@shop.example>"
    log = api.get(f"/v1/orders/{order_id}/notifications", "customer_service")["items"]
    assert [(one["milestone"], one["way"], one["state"]) for one in log] == [
        ("accepted", "mail", "sent"),
        ("shipped", "mail", "sent"),
        ("delivered", "mail", "sent"),
    ]
    assert ADDRESS not in str(log)
    listed = oms(stack, "order", "notifications", "list", order_id)
    assert listed.output.count("sent") == 3, listed.output

"""Every endpoint against its own description, with the real services behind it: whatever is sent, no answer is a
defect, each answer is described, and a refused request is told which field is wrong."""

from typing import Any

import httpx
import requests
from hypothesis import settings
from schemathesis import Case

from tests.services.gateway.contract import FIXED, check, everything, gateway, schema, session
from tests.services.gateway.house import House

__all__ = ["everything", "gateway", "session"]
_RANDOM = schema(coverage=False)


# Carriers nest so deep that random ones take a second each to make: the attack tries their boundaries.
@_RANDOM.exclude(method="PUT", path="/v1/carriers").parametrize()  # type: ignore[untyped-decorator]
@settings(FIXED, max_examples=8)
def test_an_endpoint_keeps_its_promises(
    case: Case[Any], gateway: House, everything: dict[str, str], session: requests.Session
) -> None:
    check(case, gateway, everything, session)


def test_the_example_of_an_order_is_recorded(gateway: House, everything: dict[str, str]) -> None:
    page = httpx.get(f"{gateway.url}/v1/orders?channel_order_number=W-100234", headers=everything).json()
    assert page["items"][-1]["status"] == "recorded", "nobody works here: it waits"


def test_the_example_of_an_adjustment_moved_stock(gateway: House, everything: dict[str, str]) -> None:
    page = httpx.get(f"{gateway.url}/v1/stock/movements?sku=AUB-TEE-NAVY-M", headers=everything).json()
    assert (page["items"][0]["on_hand_delta"], page["items"][0]["cause"]["actor"]) == (12, "tester")

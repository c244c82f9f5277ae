"""Refunds and held money over REST: who asks, what is passed on, what is told."""

import httpx
import pytest

from kit.errors import PermissionDenied
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from tests.services.gateway.fakes import REFUND, World
from tests.services.gateway.tokens import Issuer

REFUNDS = "/v1/orders/ord_1/refunds"
KEY = {"Idempotency-Key": "key-1"}
GIFT = {"kind": "goodwill", "amount": {"amount_minor": 500, "currency": "EUR"}, "reason_code": "gesture"}


@pytest.fixture
def service(issuer: Issuer, world: World) -> dict[str, str]:
    """Customer service, and an order to give money of."""
    world.add_order("ord_1", "web-fr").refunds.append(REFUND)
    return issuer.bearer(Role.CUSTOMER_SERVICE, Role.STORE, subject="carol", stores=["store-lyon"])


async def test_a_refund_is_asked_with_who_asks_and_in_which_roles(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    body = {"kind": "goods", "lines": [{"line_number": 1, "quantity": 2}], "reason_code": "lost", "reason": "gone"}
    answer = await http.post(REFUNDS, json=body, headers=service | KEY)
    assert answer.status_code == 202
    told = answer.json()
    assert (told["id"], told["state"], told["failure"]) == ("rfd_1", "pending", None)
    assert told["taxes"] == [{"tax_rate_basis_points": 2000, "net_minor": 4167, "tax_minor": 833}]
    await http.post(REFUNDS, json=body, headers=service | KEY)
    first, second = world.calls("RequestRefund")
    assert first.request_id == second.request_id
    assert [(one.line_number, one.quantity) for one in first.lines] == [(1, 2)]
    assert (first.kind, first.reason_code, first.reason, first.actor) == ("goods", "lost", "gone", "carol")
    assert list(first.roles) == ["customer_service", "store"]
    assert not first.HasField("amount")
    await http.post(REFUNDS, json=GIFT, headers=service | KEY)
    assert world.calls("RequestRefund")[-1].amount.amount_minor == 500


@pytest.mark.parametrize(
    "change",
    [
        {"whole": True},
        {"amount": None},
        {"amount": {"amount_minor": 500}},
        {"kind": "cancelled_units"},
        {"reason_code": "because"},
    ],
)
async def test_a_refund_that_says_too_much_or_too_little_is_refused(
    http: httpx.AsyncClient, service: dict[str, str], world: World, change: dict[str, object]
) -> None:
    answer = await http.post(REFUNDS, json=GIFT | change, headers=service | KEY)
    assert answer.status_code == 422
    assert world.calls("RequestRefund") == []
    assert (await http.post(REFUNDS, json=GIFT, headers=service)).status_code == 422, "no key"


async def test_goodwill_over_the_cap_says_what_the_cap_is(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    world.failures["RequestRefund"] = [
        PermissionDenied("GOODWILL_OVER_CAP", "up to 10.00", cap_minor=1000, given_minor=600, currency="EUR")
    ]
    answer = await http.post(REFUNDS, json=GIFT, headers=service | KEY)
    assert (answer.status_code, answer.json()["reason"]) == (403, "GOODWILL_OVER_CAP")
    assert answer.json()["facts"] == {"cap_minor": "1000", "given_minor": "600", "currency": "EUR"}


async def test_refunds_of_an_order_are_listed_and_tried_again(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    (row,) = (await http.get(REFUNDS, headers=service)).json()["items"]
    assert (row["id"], row["units"]) == ("rfd_1", [{"line_number": 1, "from_unit": 0, "to_unit": 1}])
    assert (await http.post(f"{REFUNDS}/rfd_1/retry", headers=service)).status_code == 202
    (asked,) = world.calls("RetryRefund")
    assert (asked.order_id, asked.refund_id, asked.actor) == ("ord_1", "rfd_1", "carol")


async def test_money_of_a_whole_order_is_tried_again_or_let_go(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    assert (await http.post("/v1/orders/ord_1/capture-retry", headers=service)).status_code == 204
    body = {"reason": "paid by transfer"}
    assert (await http.post("/v1/orders/ord_1/capture-override", json=body, headers=service)).status_code == 204
    (retried,), (decided,) = world.calls("RetryCapture"), world.calls("RecordCapture")
    assert (retried.order_id, retried.fulfilment_id) == ("ord_1", "")
    assert (decided.order_id, decided.capture_state, decided.actor) == ("ord_1", "overridden", "carol")


async def test_money_of_a_parcel_is_tried_again_or_the_parcel_given_up(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    world.add_work("ful_1", "store-paris")
    assert (await http.post("/v1/fulfilments/ful_1/capture-retry", headers=service)).status_code == 200
    body = {"reason": "stolen card"}
    assert (await http.post("/v1/fulfilments/ful_1/give-up", json=body, headers=service)).status_code == 200
    (given_up,) = world.calls("GiveUpParcel")
    assert (given_up.reason, given_up.actor, given_up.reach) == ("stolen card", "carol", orders.Reach())


async def test_money_of_another_brand_does_not_exist(
    http: httpx.AsyncClient, issuer: Issuer, service: dict[str, str], world: World
) -> None:
    stranger = issuer.bearer(Role.FINANCE, brands=["Rivage"])
    for method, path, body in (
        ("GET", REFUNDS, None),
        ("POST", REFUNDS, GIFT),
        ("POST", f"{REFUNDS}/rfd_1/retry", None),
        ("POST", "/v1/orders/ord_1/capture-retry", None),
        ("POST", "/v1/orders/ord_1/capture-override", {"reason": "mine"}),
    ):
        answer = await http.request(method, path, json=body, headers=stranger | KEY)
        assert (answer.status_code, answer.json()["reason"]) == (404, "ORDER_NOT_FOUND"), path
    assert {name for name, _ in world.asked} == {"GetOrder"}


async def test_orders_whose_money_cannot_be_had_are_asked_for(
    http: httpx.AsyncClient, service: dict[str, str], world: World
) -> None:
    (row,) = (await http.get("/v1/orders?payment_failed=true", headers=service)).json()["items"]
    assert row["payment_failed_since"] is None
    assert world.calls("ListOrders")[-1].payment_failed

"""The console: login, pages, and what each role sees on them."""

import re
import time

import httpx
import pytest
from fastapi import FastAPI

from kit.errors import Unavailable
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from services.gateway.console.session import COOKIE
from tests.services.gateway.bodies import PARAMETERS
from tests.services.gateway.fakes import REFUND, WINDOW, World
from tests.services.gateway.tokens import NOW, Issuer, ed25519, sign

ORDER = PARAMETERS["order_id"]


@pytest.fixture
def filled(world: World) -> World:
    world.add_order(ORDER, "web-fr")
    return world


async def sign_in(http: httpx.AsyncClient, token: str, next: str = "") -> httpx.Response:
    answer = await http.post("/console/login", data={"token": token, "next": next})
    # The cookie's path is kept by hand: httpx holds cookies back from other hosts.
    if COOKIE in answer.cookies:
        http.cookies.set(COOKIE, answer.cookies[COOKIE])
    return answer


async def test_a_page_asks_for_a_login_and_then_is_shown(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    sent_away = await http.get("/console/orders")
    assert (sent_away.status_code, sent_away.headers["location"]) == (303, "/console?next=/console/orders")
    login = await http.get(sent_away.headers["location"])
    assert 'name="next" value="/console/orders"' in login.text

    answer = await sign_in(http, f" {issuer.token(Role.CUSTOMER_SERVICE)}\n", "/console/orders")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/orders")
    page = await http.get("/console/orders")
    assert page.status_code == 200
    assert f"/console/orders/{ORDER}" in page.text
    assert "customer service" in page.text
    assert "50.00 EUR" in page.text


async def test_a_late_order_says_since_when_what_is_expected_and_what_it_gives(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE))
    words = ("Now expected", "Late since", "Due to the customer", "2.45 EUR")
    in_time = await http.get(f"/console/orders/{ORDER}")
    assert not [word for word in words if word in in_time.text]
    order = filled.placed[ORDER]
    order.current_promise.CopyFrom(WINDOW)
    order.late_since.CopyFrom(WINDOW.start)
    order.compensation.CopyFrom(types.Money(amount_minor=245, currency="EUR"))
    order.promise_changes.add(at=WINDOW.start, window=WINDOW)
    late = await http.get(f"/console/orders/{ORDER}")
    assert [word for word in words if word in late.text] == list(words)


async def test_an_order_says_what_was_taken_along_and_from_where(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE))
    order = filled.placed[ORDER]
    order.content.lines[0].taken_at_point_id = "store-lyon"
    along = order.fulfilments.add(fulfilment_id="ful_9", point_id="store-lyon", taken=True)
    along.state = orders.FULFILMENT_STATE_DELIVERED
    along.hand_over_by.CopyFrom(WINDOW.start)
    page = (await http.get(f"/console/orders/{ORDER}")).text
    assert "taken along from store-lyon" in page
    assert "ful_9, taken along" in page
    assert "Hand over by" not in page


async def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    http: httpx.AsyncClient, issuer: Issuer, app: FastAPI
) -> None:
    cookie = (await sign_in(http, issuer.token(Role.FINANCE))).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/console" in cookie
    # As long as its token, which was signed when the tests began.
    left = NOW + 3600 - time.time()
    assert abs(int(re.search(r"max-age=(\d+)", cookie)[1]) - left) < 5  # type: ignore[index]
    assert "secure" not in cookie
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://gateway.test") as safe:
        over_tls = await safe.post("/console/login", data={"token": issuer.token(Role.FINANCE)})
    assert "secure" in over_tls.headers["set-cookie"].lower()


async def test_a_token_that_does_not_hold_gets_no_cookie(http: httpx.AsyncClient, issuer: Issuer) -> None:
    for token in ("", "junk", sign(ed25519()), sign(issuer.key, exp=1)):
        answer = await sign_in(http, token)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "not valid" in answer.text


async def test_another_site_cannot_sign_someone_in(http: httpx.AsyncClient, issuer: Issuer) -> None:
    answer = await http.post(
        "/console/login",
        data={"token": issuer.token(Role.OPERATOR)},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("next", ["https://evil.example", "//evil.example", "/v1/orders", "/console/\\evil"])
async def test_a_login_leads_nowhere_else(http: httpx.AsyncClient, issuer: Issuer, next: str) -> None:
    assert (await sign_in(http, issuer.token(Role.OPERATOR), next)).headers["location"] == "/console"


async def test_signing_out_forgets_the_token(http: httpx.AsyncClient, issuer: Issuer) -> None:
    await sign_in(http, issuer.token(Role.OPERATOR))
    answer = await http.post("/console/logout")
    assert answer.status_code == 303
    assert f'{COOKIE}=""' in answer.headers["set-cookie"]
    assert "max-age=0" in answer.headers["set-cookie"].lower()


async def test_an_expired_cookie_leads_to_the_login(http: httpx.AsyncClient, issuer: Issuer) -> None:
    http.cookies.set(COOKIE, sign(issuer.key, exp=1, roles=["operator"]))
    assert (await http.get("/console/orders")).status_code == 303


async def test_a_role_without_pages_is_told_so(http: httpx.AsyncClient, issuer: Issuer) -> None:
    await sign_in(http, issuer.token(Role.CARRIER))
    home = await http.get("/console")
    assert "no page for your role" in home.text
    assert 'href="/console/orders"' not in home.text
    refused = await http.get("/console/orders")
    assert refused.status_code == 403
    assert "Role not allowed" in refused.text


async def test_an_order_page_holds_what_the_role_may_see(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    filled.placed[ORDER].refunds.append(REFUND)
    sees = {  # personal data, money
        Role.CHANNEL: (True, False),
        Role.CUSTOMER_SERVICE: (True, True),
        Role.SUPPLY_CHAIN: (False, False),
        Role.FINANCE: (False, True),
        Role.OPERATOR: (False, False),
    }
    for role, (personal, money) in sees.items():
        http.cookies.clear()
        await sign_in(http, issuer.token(role))
        page = await http.get(f"/console/orders/{ORDER}")
        assert page.status_code == 200
        assert "The order was validated." in page.text
        assert ("Plantée" in page.text) == personal, role
        for part in ("payment", "refunds", "payment-tasks"):
            assert (f'id="{part}"' in page.text) == money, (role, part)
    assert len(filled.calls("GetPayment")) == 2


async def test_an_order_of_another_channel_is_not_found(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    await sign_in(http, issuer.token(Role.CHANNEL, channels=["marketplace"]))
    page = await http.get(f"/console/orders/{ORDER}")
    assert page.status_code == 404
    assert "Order not found" in page.text
    assert page.headers["content-type"].startswith("text/html")


async def test_what_customers_wrote_is_escaped(http: httpx.AsyncClient, issuer: Issuer, filled: World) -> None:
    filled.placed[ORDER].content.customer.name = "<script>alert(1)</script>"
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE))
    page = await http.get(f"/console/orders/{ORDER}")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


async def test_a_list_is_filtered_and_goes_on(http: httpx.AsyncClient, issuer: Issuer, filled: World) -> None:
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE))
    page = await http.get("/console/orders?status=validated&cursor=abc")
    assert "/console/orders?status=validated&amp;cursor=more" in page.text
    assert "First page" in page.text
    assert (await http.get("/console/orders?status=lost")).status_code == 422


async def test_a_service_that_is_away_is_told_as_a_page(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    away = Unavailable("UNREACHABLE", "orders is away; ask again")
    filled.failures["ListOrders"] = [away, away]
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE))
    page = await http.get("/console/orders")
    assert (page.status_code, "orders is away" in page.text) == (503, True)


@pytest.mark.parametrize("path", ["/console", "/docs"])
async def test_pages_load_nothing_from_elsewhere(http: httpx.AsyncClient, path: str) -> None:
    page = await http.get(path)
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page.text)
    assert "<script" not in page.text


async def test_the_style_sheet_is_served(http: httpx.AsyncClient) -> None:
    style = await http.get("/console/style.css")
    assert style.headers["content-type"].startswith("text/css")


async def test_the_description_shows_every_endpoint(http: httpx.AsyncClient, app: FastAPI) -> None:
    page = (await http.get("/docs")).text
    for path in app.openapi()["paths"]:
        assert f"<code>{path}</code>" in page

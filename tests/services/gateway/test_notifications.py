"""What customers were told, over REST: who sees it, and who has it sent again."""

import httpx

from kit.errors import FailedPrecondition
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

LOG = "/v1/orders/ord_1/notifications"


async def test_customer_service_and_the_channel_see_what_the_customer_was_told(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order("ord_1", "web-fr")
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    mail, sms = (await http.get(LOG, headers=service)).json()["items"]
    assert mail == {
        "id": "ntf_1",
        "order_id": "ord_1",
        "milestone": "shipped",
        "subject": "ful_1",
        "way": "mail",
        "state": "sent",
        "reason": None,
        "attempts": 1,
        "happened_at": "2026-11-20T12:00:00Z",
        "next_try_at": None,
        "settled_at": "2026-11-20T12:00:00Z",
        "resends": 0,
        "resent_by": None,
    }
    assert (sms["way"], sms["state"], sms["reason"]) == ("sms", "failed", "http_422")
    own = issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"])
    assert (await http.get(LOG, headers=own)).status_code == 200
    other = issuer.bearer(Role.CHANNEL, subject="market", channels=["market"])
    assert (await http.get(LOG, headers=other)).status_code == 404


async def test_customer_service_has_it_sent_again_each_time_it_asks(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order("ord_1", "web-fr")
    service = issuer.bearer(Role.CUSTOMER_SERVICE, subject="carol")
    again = await http.post(f"{LOG}/ntf_1/resend", headers=service | {"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()["state"], again.json()["resent_by"]) == (202, "due", "carol")
    await http.post(f"{LOG}/ntf_1/resend", headers=service | {"Idempotency-Key": "k1"})
    await http.post(f"{LOG}/ntf_1/resend", headers=service)
    first, repeated, another = (one.request_id for one in world.calls("ResendNotification"))
    assert first == repeated != another
    world.failures["ResendNotification"] = [FailedPrecondition("NOT_TRUE_ANY_MORE", "it was undone")]
    refused = await http.post(f"{LOG}/ntf_1/resend", headers=service)
    assert (refused.status_code, refused.json()["reason"]) == (409, "NOT_TRUE_ANY_MORE")
    channel = issuer.bearer(Role.CHANNEL, subject="web", channels=["web-fr"])
    assert (await http.post(f"{LOG}/ntf_1/resend", headers=channel)).status_code == 403

"""The desk of customer service in the browser: its queue, its acts, its customers, and what it keeps to itself."""

import re

import httpx
import pytest

from kit.errors import FailedPrecondition, PermissionDenied
from oms.orders.v1 import desk_service_pb2 as desk
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from services.gateway.access import ACCESS
from services.gateway.auth import Role
from services.gateway.console.desk.acts import ACTS
from tests.services.gateway.bodies import PARAMETERS
from tests.services.gateway.fakes import HOLD, REFUND, WINDOW, World
from tests.services.gateway.test_console import sign_in
from tests.services.gateway.tokens import Issuer

ORDER = PARAMETERS["order_id"]
HERE = f"/console/service/orders/{ORDER}"
# What is filled in for each act, and what it is about.
FILLED: dict[str, tuple[str, dict[str, str], str]] = {
    "cancel": ("", {"reason": "no longer wanted"}, "RequestCancellation"),
    "cancel_lines": ("", {"units.1": "1", "reason": "one too many"}, "CancelLines"),
    "change_address": (
        "",
        {"name": "Zoé", "street_1": "1 rue Neuve", "postcode": "69001", "city": "Lyon", "country": "FR"},
        "ChangeAddress",
    ),
    "change_content": (
        "",
        {"quantity.1": "1", "net.1": "25.00", "tax.1": "5", "shipping.1": "4,90", "accepts_later": "yes"},
        "ProposeChange",
    ),
    "move_appointment": ("", {"slot_id": "lyon-morning.20261207"}, "RequestAppointmentMove"),
    "plan_again": ("ful_1", {"reason": "flooded"}, "PlanAgain"),
    "place_hold": ("", {"reason": "calls back", "until": "2100-01-02T10:30", "choice": "cancel"}, "PlaceHold"),
    "release_hold": ("hld_1", {}, "ReleaseHold"),
    "extend_hold": ("hld_1", {"until": "2100-01-02T10:30"}, "ExtendHold"),
    "refuse_hold": ("hld_1", {"reason": "stolen card"}, "RefuseHold"),
    "assign": ("ful_1", {"point_id": "store-lyon"}, "AssignWork"),
    "retry_capture": ("ful_1", {}, "RetryCapture"),
    "override_capture": ("ful_1", {"reason": "paid by transfer"}, "RecordCapture"),
    "give_up": ("ful_1", {"reason": "never paid"}, "GiveUpParcel"),
    "declare_lost": ("ful_1", {"choice": "lost", "reason": "file 4711"}, "DeclareParcelLost"),
    "decide_loss": ("ful_1", {"choice": "reship"}, "DecideLostParcel"),
    "refund": ("", {"units.1": "1", "reason_code": "damaged"}, "RequestRefund"),
    "goodwill": ("", {"amount": "5.00"}, "RequestRefund"),
    "retry_refund": ("rfd_1", {}, "RetryRefund"),
    "payment_link": ("", {"hours": "72"}, "SendPaymentLink"),
    "resolve_task": ("ptk_1", {"resolution": "by_hand", "reference": "transfer 17"}, "ResolveTask"),
    "resend_notification": ("ntf_2", {}, "ResendNotification"),
}


@pytest.fixture
def filled(world: World) -> World:
    order = world.add_order(ORDER, "web-fr")
    order.holds.append(HOLD)
    order.refunds.append(REFUND)
    order.appointment.CopyFrom(
        orders.Appointment(
            booking_id="bkg_1",
            state="booked",
            slot=orders.AppointmentSlot(slot_id="s", date="2026-12-07", window=WINDOW),
        )
    )
    order.content.customer.customer_id = "c-1"
    order.fulfilments.append(world.add_work("ful_1", "store-lyon").fulfilment)
    return world


@pytest.fixture
async def at_desk(http: httpx.AsyncClient, issuer: Issuer, filled: World) -> httpx.AsyncClient:
    await sign_in(http, issuer.token(Role.CUSTOMER_SERVICE, subject="carla"))
    return http


def key_of(page: str) -> str:
    return re.search(r'name="key" value="([^"]+)"', page)[1]  # type: ignore[index]


async def test_the_queue_says_why_since_when_and_what_happens_by_itself(
    at_desk: httpx.AsyncClient, filled: World
) -> None:
    page = await at_desk.get("/console/service?reason=held_manual&channel_id=web-fr&point_id=store-lyon&text=W-1")
    assert page.status_code == 200
    assert (
        "Held by a person: the customer calls back; is cancelled by itself on Fri 20 Nov 2026, 13:00 UTC"
        in page.text
    )
    assert f'href="{HERE}"' in page.text
    assert "Held by a person <span>3</span>" in page.text
    (asked,) = filled.calls("ListBlockedOrders")
    assert (asked.reason, asked.channel_ids, asked.point_id, asked.text) == (
        "held_manual",
        ["web-fr"],
        "store-lyon",
        "W-1",
    )
    assert "script" not in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "Payment tasks" in (await at_desk.get("/console/service")).text


async def test_an_e_mail_address_is_searched_for_and_stands_in_no_address(
    at_desk: httpx.AsyncClient, filled: World
) -> None:
    mail = "zoe@example.org"
    found = await at_desk.post("/console/service", data={"text": mail, "reason": ""})
    assert (found.status_code, filled.calls("ListBlockedOrders")[-1].text) == (200, mail)
    customer = await at_desk.post("/console/service/customers", data={"who": mail})
    assert (customer.status_code, filled.calls("GetCustomer")[-1].email) == (200, mail)
    for page in (found.text, customer.text):
        assert not [link for link in re.findall(r'(?:href|action)="([^"]*)"', page) if "example" in link]
    assert (await at_desk.get("/console/service", params={"text": mail})).status_code == 422
    number = await at_desk.post("/console/service", data={"text": "W-1", "brand": "Aubier"})
    assert (number.status_code, number.headers["location"]) == (303, "/console/service?brand=Aubier&text=W-1")


async def test_a_customer_is_found_by_an_order_or_an_id(at_desk: httpx.AsyncClient, filled: World) -> None:
    async def leads_to(who: str) -> str:
        answer = await at_desk.post("/console/service/customers", data={"who": who})
        assert answer.status_code == 303
        return answer.headers["location"]

    assert await leads_to(ORDER) == await leads_to("W-1") == f"{HERE}/customer"
    page = (await at_desk.get(f"{HERE}/customer")).text
    assert "Zoé Plantée" in page
    assert "2 kept of 3" in page
    assert "Open issues" in page
    filled.placed.clear()
    assert await leads_to("c 81") == "/console/service/customers/c%2081"
    await at_desk.get("/console/service/customers/c%2081")
    assert filled.calls("GetCustomer")[-1].customer_id == "c 81"
    assert (await at_desk.get("/console/service/customers/nobody")).status_code == 404


async def test_the_order_offers_what_may_be_done_and_says_why_not(
    at_desk: httpx.AsyncClient, filled: World
) -> None:
    filled.acts = [
        desk.PossibleAct(act="release_hold", target_id="hld_1"),
        desk.PossibleAct(
            act="change_content", refusal_reason="TOO_LATE_TO_CHANGE", refusal="too late: only in cooling-off"
        ),
        desk.PossibleAct(act="goodwill", limit=types.Money(amount_minor=2000, currency="EUR")),
    ]
    page = (await at_desk.get(HERE)).text
    assert f'href="{HERE}/acts/cancel"' in page
    assert f'href="{HERE}/acts/release_hold?target=hld_1"' in page
    assert "manual hold: the customer calls back" in page
    assert f'href="{HERE}/acts/change_content"' not in page
    assert "too late: only in cooling-off" in page
    assert "up to 20.00 EUR" in page
    # The task that is open at payments, and one timeline with what the planner decided.
    assert f'href="{HERE}/acts/resolve_task?target=ptk_1"' in page
    assert "The order was validated." in page
    assert f'href="{HERE}/decisions/dec_1"' in page
    assert "The planner chose 1 parcel: store-lyon" in page
    assert "It is not split" in (await at_desk.get(f"{HERE}/decisions/dec_1")).text
    assert "script" not in page


async def test_what_a_role_has_no_right_to_is_not_offered_nor_done(
    http: httpx.AsyncClient, issuer: Issuer, filled: World
) -> None:
    await sign_in(http, issuer.token(Role.SUPPLY_CHAIN))
    filled.acts = [desk.PossibleAct(act="release_hold", target_id="hld_1")]
    page = (await http.get(HERE)).text
    assert "acts/release_hold" in page
    assert "acts/cancel" not in page
    assert "Plantée" not in page
    for name, act in ACTS.items():
        target, values, _ = FILLED[name]
        answer = await http.post(f"{HERE}/acts/{name}", data=values | {"target": target, "step": "do"})
        assert (answer.status_code == 403) == (Role.SUPPLY_CHAIN not in ACCESS[act.endpoint]), name
    assert (await http.get(f"{HERE}/customer")).status_code == 403
    assert (await http.post("/console/service/customers", data={"who": "a@b.c"})).status_code == 403


async def test_an_act_is_confirmed_with_what_will_happen_and_then_done_once(
    at_desk: httpx.AsyncClient, filled: World
) -> None:
    page = (await at_desk.get(f"{HERE}/acts/cancel")).text
    assert "Line 1: 2 of SKU-1, now held at store-lyon, are then cancelled." in page
    assert "2 held units are free to be sold again." in page
    assert "50.00 EUR is no longer due" in page
    assert not filled.calls("RequestCancellation")
    body = {"reason": "no longer wanted", "key": key_of(page), "step": "do"}
    for _ in range(2):
        done = await at_desk.post(f"{HERE}/acts/cancel", data=body)
        assert (done.status_code, done.headers["location"]) == (303, f"{HERE}?done=cancel")
    first, second = filled.calls("RequestCancellation")
    assert first == second
    assert (first.actor, first.reason, first.roles) == ("carla", "no longer wanted", ["customer_service"])
    assert "Cancel the order: asked for" in (await at_desk.get(f"{HERE}?done=cancel")).text
    elsewhere = await at_desk.post(f"{HERE}/acts/cancel", data=body, headers={"Sec-Fetch-Site": "cross-site"})
    assert (elsewhere.status_code, len(filled.calls("RequestCancellation"))) == (401, 2)


async def test_what_is_filled_in_is_shown_again_before_it_is_done(
    at_desk: httpx.AsyncClient, filled: World
) -> None:
    page = (await at_desk.get(f"{HERE}/acts/goodwill")).text
    assert "See what will happen" in page
    body = {"amount": "5.00", "reason": "sorry", "key": key_of(page)}
    looked = await at_desk.post(f"{HERE}/acts/goodwill", data=body | {"step": "look"})
    assert 'type="hidden" name="amount" value="5.00"' in looked.text
    assert key_of(looked.text) == body["key"]
    asked = filled.calls("PreviewActs")[-1].wish
    assert (asked.act, asked.amount.amount_minor, asked.amount.currency) == ("goodwill", 500, "EUR")
    assert not filled.calls("RequestRefund")
    await at_desk.post(f"{HERE}/acts/goodwill", data=body | {"step": "do"})
    (refund,) = filled.calls("RequestRefund")
    assert (refund.kind, refund.amount.amount_minor, refund.reason_code) == ("goodwill", 500, "gesture")


async def test_a_refused_act_says_why_and_keeps_what_was_filled_in(
    at_desk: httpx.AsyncClient, filled: World
) -> None:
    late = FailedPrecondition("TOO_LATE_TO_CANCEL", "too late to cancel: a parcel has left")
    filled.failures["RequestCancellation"] = [late]
    body = {"reason": "no longer", "step": "do", "key": "key_1"}
    answer = await at_desk.post(f"{HERE}/acts/cancel", data=body)
    assert answer.status_code == 409
    assert "Not done. too late to cancel: a parcel has left" in answer.text
    assert 'value="no longer"' in answer.text
    filled.failures.clear()
    filled.failures["RequestRefund"] = [PermissionDenied("GOODWILL_OVER_CAP", "up to 20.00 EUR", field="amount")]
    over = await at_desk.post(f"{HERE}/acts/goodwill", data={"amount": "99", "step": "do"})
    assert (over.status_code, "amount: up to 20.00 EUR" in over.text) == (403, True)
    filled.failures.clear()
    filled.acts = [desk.PossibleAct(act="cancel", refusal_reason="TOO_LATE_TO_CANCEL", refusal="it has left")]
    gone = await at_desk.get(f"{HERE}/acts/cancel")
    assert (gone.status_code, "it has left" in gone.text, "<button name" in gone.text) == (409, True, False)


@pytest.mark.parametrize(
    ("act", "values", "says"),
    [
        ("cancel", {}, "reason: reason has to be said"),
        ("goodwill", {"amount": "5.001"}, "amount: an amount in EUR with at most 2 decimals"),
        ("goodwill", {"amount": "much"}, "amount: an amount in EUR, as 12.50"),
        ("cancel_lines", {"units.1": "-1"}, "line 1: a whole number"),
        ("cancel_lines", {"units.1": "0"}, "units: say how many units"),
        ("declare_lost", {"choice": "eaten", "reason": "x"}, "choice: one of the choices"),
        ("extend_hold", {"until": "tomorrow"}, "until: a date and a time"),
        ("place_hold", {"reason": "x" * 1_001, "choice": "release"}, "reason: at most 1000 characters"),
        ("payment_link", {"hours": "99999"}, "hours: Input should be less than"),
    ],
)
async def test_what_is_filled_in_wrongly_names_the_field(
    at_desk: httpx.AsyncClient, filled: World, act: str, values: dict[str, str], says: str
) -> None:
    target = FILLED[act][0]
    before = len(filled.asked)
    answer = await at_desk.post(f"{HERE}/acts/{act}", data=values | {"target": target, "step": "do"})
    assert answer.status_code == 422
    assert says in answer.text
    assert not {name for name, _ in filled.asked[before:]} & {one[2] for one in FILLED.values()}


@pytest.mark.parametrize("name", ACTS)
async def test_every_act_is_asked_for_and_done_by_its_endpoint(
    at_desk: httpx.AsyncClient, filled: World, name: str
) -> None:
    target, values, call = FILLED[name]
    asked = await at_desk.get(f"{HERE}/acts/{name}", params={"target": target} if target else {})
    assert asked.status_code == 200, asked.text
    assert ACTS[name].says.split(".")[0].split("'")[0] in asked.text
    body = values | {"target": target, "key": key_of(asked.text)}
    if ACTS[name].looks:
        assert (await at_desk.post(f"{HERE}/acts/{name}", data=body | {"step": "look"})).status_code == 200
    done = await at_desk.post(f"{HERE}/acts/{name}", data=body | {"step": "do"})
    assert done.status_code == (200 if name == "payment_link" else 303), done.text
    (sent,) = filled.calls(call)
    assert sent.actor == "carla"
    if name == "change_content":
        (line,) = sent.lines
        assert (line.quantity, line.net_minor, line.tax_minor, line.shipping_minor) == (1, 2500, 500, 490)
        assert (sent.total.amount_minor, sent.accepts_later) == (3490, True)
    if name == "payment_link":
        assert "http://shop.example/pay/x" in done.text


async def test_other_texts_are_filled_in_where_they_were_and_the_rest_stays(
    at_desk: httpx.AsyncClient, filled: World
) -> None:
    content = filled.placed[ORDER].content
    content.gift_message = "Joyeux Noël"
    content.lines[0].sku = "SKU-1"
    content.lines[0].personalisations.add(name="engraved_name", text="Zoé")
    page = (await at_desk.get(f"{HERE}/acts/change_content")).text
    assert 'name="text.1.engraved_name" maxlength="1000" autocomplete="off" value="Zoé"' in page
    assert 'value="Joyeux Noël"' in page
    lines = FILLED["change_content"][1]
    for sent, text, message in (
        ({"text.1.engraved_name": "Léa", "gift_message": "Bonne fête"}, "Léa", "Bonne fête"),
        ({"gift_message": ""}, "Zoé", ""),
    ):
        body = lines | sent | {"key": key_of(page), "step": "do"}
        done = await at_desk.post(f"{HERE}/acts/change_content", data=body)
        assert done.status_code == 303, done.text
        asked = filled.calls("ProposeChange")[-1]
        assert asked.lines[0].personalisations[0].text == text
        assert (asked.gift_message, asked.HasField("gift_message")) == (message, True)


async def test_nothing_of_another_order_is_acted_on(at_desk: httpx.AsyncClient, filled: World) -> None:
    for name in ("release_hold", "give_up", "resolve_task", "resend_notification"):
        values = FILLED[name][1]
        answer = await at_desk.post(f"{HERE}/acts/{name}", data=values | {"target": "of_another", "step": "do"})
        assert answer.status_code == 404, name
    assert (await at_desk.get(f"{HERE}/acts/explode")).status_code == 404
    for target in ("", "hld_1"):
        assert (await at_desk.get(f"{HERE}/acts/assign", params={"target": target})).status_code == 404
    assert not {name for name, _ in filled.asked} & {
        "ReleaseHold",
        "GiveUpParcel",
        "ResolveTask",
        "ResendNotification",
    }


async def test_the_order_says_what_its_customer_was_told(
    at_desk: httpx.AsyncClient, filled: World, issuer: Issuer
) -> None:
    page = (await at_desk.get(HERE)).text
    assert "sent, Fri 20 Nov 2026, 12:00 UTC" in page
    assert "not sent, Fri 20 Nov 2026, 12:00 UTC: http 422" in page
    assert f'href="{HERE}/acts/resend_notification?target=ntf_2"' in page
    await sign_in(at_desk, issuer.token(Role.SUPPLY_CHAIN))
    assert "What the customer was told" not in (await at_desk.get(HERE)).text


async def test_a_payment_that_was_declined_is_offered_a_link(at_desk: httpx.AsyncClient, filled: World) -> None:
    assert "acts/payment_link" not in (await at_desk.get(HERE)).text
    filled.placed[ORDER].holds[0].kind = "payment"
    assert "acts/payment_link" in (await at_desk.get(HERE)).text

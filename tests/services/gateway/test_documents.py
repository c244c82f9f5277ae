"""Tax documents over REST and in the console: who sees which, what is asked of the service, what is printed."""

import csv
import io

import httpx
import pytest

from kit.errors import Unavailable
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from tests.services.gateway.bodies import PARAMETERS
from tests.services.gateway.fake_documents import INVOICE, NOTE
from tests.services.gateway.fakes import World
from tests.services.gateway.test_console import sign_in
from tests.services.gateway.tokens import Issuer

ORDER = PARAMETERS["order_id"]
PATH = f"/v1/documents/{INVOICE.number}"


@pytest.fixture
def finance(issuer: Issuer, world: World) -> dict[str, str]:
    """Finance, and the order whose documents there are."""
    content = world.add_order(ORDER, "web-fr").content
    content.customer.CopyFrom(orders.Customer(name="Zoé Plantée"))
    content.ship_to.CopyFrom(
        orders.Address(name="Z. P.", street_lines=["7 impasse <b>"], postcode="69002", city="Lyon", country="FR")
    )
    return issuer.bearer(Role.FINANCE)


async def test_a_document_is_told_with_its_totals_and_its_buyer(
    http: httpx.AsyncClient, finance: dict[str, str]
) -> None:
    told = (await http.get(PATH, headers=finance)).json()
    assert (told["number"], told["kind"], told["issued_on"]) == (INVOICE.number, "invoice", "2026-11-20")
    assert told["total"] == {"amount_minor": 126_000, "currency": "EUR"}
    (line,) = told["lines"]
    assert (line["quantity"], line["gross_minor"], line["discounts"][0]["code"]) == (2, 125_000, "TEN")
    assert [part["gross_minor"] for part in told["totals"]] == [1_000, 125_000]
    assert (told["point_id"], told["buyer"]["name"], told["buyer"]["address"]["city"]) == (
        None,
        "Zoé Plantée",
        "Lyon",
    )


async def test_a_document_says_which_means_its_money_is_in_their_order_of_use(
    http: httpx.AsyncClient, finance: dict[str, str]
) -> None:
    told = (await http.get(PATH, headers=finance)).json()
    assert [(one["kind"], one["amount"]["amount_minor"]) for one in told["tenders"]] == [
        ("stored_value_code", 6_000),
        ("cash", 120_000),
    ]
    page = (await http.get(f"{PATH}/page", headers=finance)).text
    assert page.index("Gift card, credit note or voucher") < page.index("Cash") < page.index("1,200.00\u00a0EUR")


async def test_whom_the_buyer_does_not_concern_does_not_find_the_document(
    http: httpx.AsyncClient, finance: dict[str, str], issuer: Issuer
) -> None:
    own = issuer.bearer(Role.CHANNEL, channels=["web-fr"])
    assert (await http.get(PATH, headers=own)).json()["buyer"]["name"] == "Zoé Plantée"
    other = issuer.bearer(Role.CHANNEL, channels=["app-fr"])
    for path in (PATH, f"{PATH}/page"):
        hidden = await http.get(path, headers=other)
        unknown = await http.get(path.replace("000001", "000009"), headers=finance)
        assert (hidden.status_code, hidden.json()["reason"]) == (404, "DOCUMENT_NOT_FOUND")
        assert unknown.status_code == 404
    assert (await http.get(f"/v1/orders/{ORDER}/documents", headers=other)).status_code == 404
    assert (await http.get("/v1/documents", headers=own)).status_code == 403


async def test_a_buyer_who_was_erased_leaves_the_document_as_it_is(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    world.placed[ORDER].content.ClearField("customer")
    world.placed[ORDER].content.ClearField("ship_to")
    told = (await http.get(PATH, headers=finance)).json()
    assert (told["buyer"], told["total"]["amount_minor"]) == (None, 126_000)
    assert "Not shown, or erased" in (await http.get(f"{PATH}/page", headers=finance)).text


async def test_every_filter_reaches_the_service(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    query = {
        "from": "2026-11-01T00:00:00Z",
        "until": "2026-12-01T00:00:00Z",
        "kind": ["invoice", "credit_note"],
        "series": "WEB-FR",
        "channel_id": "web-fr",
        "size": "7",
    }
    answer = await http.get("/v1/documents", params=query, headers=finance)
    assert answer.json()["items"][0]["corrects"] == [INVOICE.number]
    assert answer.json()["next_cursor"] == "more"
    (asked,) = world.calls("ListDocuments")
    assert (getattr(asked, "from").seconds, asked.until.seconds) == (1_793_491_200, 1_796_083_200)
    assert (list(asked.kinds), list(asked.series)) == (["invoice", "credit_note"], ["WEB-FR"])
    assert (list(asked.channel_ids), asked.page.size) == (["web-fr"], 7)


async def test_the_documents_of_an_order_are_all_there(http: httpx.AsyncClient, finance: dict[str, str]) -> None:
    answer = await http.get(f"/v1/orders/{ORDER}/documents", headers=finance)
    assert [one["number"] for one in answer.json()["items"]] == [NOTE.number, INVOICE.number]


async def test_a_file_has_a_row_for_each_rate_and_adds_up(
    http: httpx.AsyncClient, finance: dict[str, str], world: World
) -> None:
    answer = await http.get("/v1/documents/export", params={"kind": "invoice"}, headers=finance)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    told = [(row["number"], row["tax_rate_basis_points"], row["gross_minor"]) for row in rows]
    assert told == [
        (NOTE.number, "550", "-1000"),
        (INVOICE.number, "550", "1000"),
        (INVOICE.number, "2000", "125000"),
    ]
    assert rows[0]["corrects"] == INVOICE.number
    world.failures["ListDocuments"] = [Unavailable("DATABASE_UNAVAILABLE", "away"), Unavailable("AWAY", "away")]
    assert (await http.get("/v1/documents/export", headers=finance)).status_code == 503


@pytest.mark.parametrize(
    ("query", "accepted", "words"),
    [
        ("", "", ("Invoice", "20 November 2026", "1,250.00\u00a0EUR", "5.5\u00a0%", "Delivery")),
        ("", "de-DE, fr;q=0.8, en;q=0.5", ("Facture", "20 novembre 2026", "1\u202f250,00\u00a0EUR", "5,5\u00a0%")),
        ("?lang=fr", "en", ("Facture", "Livraison", "Réglé")),
        ("?lang=en", "fr-FR", ("Invoice", "Taken")),
    ],
)
async def test_a_page_is_printed_in_the_language_that_is_asked_for(
    http: httpx.AsyncClient, finance: dict[str, str], query: str, accepted: str, words: tuple[str, ...]
) -> None:
    answer = await http.get(f"{PATH}/page{query}", headers=finance | {"Accept-Language": accepted})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert [word for word in words if word not in answer.text] == []
    for safe in ("A &lt;coat&gt;", "Acme &lt;SA&gt;", "7 impasse &lt;b&gt;", INVOICE.number):
        assert safe in answer.text
    assert (await http.get(f"{PATH}/page?lang=de", headers=finance)).status_code == 422


async def test_the_console_leads_from_an_order_to_its_documents(
    http: httpx.AsyncClient, finance: dict[str, str], issuer: Issuer
) -> None:
    await sign_in(http, issuer.token(Role.FINANCE))
    page = await http.get(f"/console/orders/{ORDER}")
    assert f'href="/console/documents/{INVOICE.number}"' in page.text
    assert "Zoé Plantée" in (await http.get(f"/console/documents/{INVOICE.number}")).text
    await sign_in(http, issuer.token(Role.SUPPLY_CHAIN))
    assert "Documents" not in (await http.get(f"/console/orders/{ORDER}")).text
    assert (await http.get(f"/console/documents/{INVOICE.number}")).status_code == 403


async def test_who_issues_the_documents_of_a_channel_reaches_the_service(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    terms = {
        "series": "ACME",
        "time_zone": "Europe/Paris",
        "seller_name": "Acme SA",
        "seller_lines": ["1 rue de la Paix"],
        "points": [{"point_id": "st-lyon", "series": "LYON"}],
    }
    channel = {"channel_id": "web-fr", "name": "Web", "currency": "EUR", "life_cycle_id": "std"}
    planner = issuer.bearer(Role.SUPPLY_CHAIN)
    for given, series in ((terms, "ACME"), ({}, "")):
        body = {"channels": [channel | {"documents": given}]}
        answer = await http.put("/v1/channels", json=body, headers=planner)
        assert answer.status_code == 200, answer.text
        sent = world.calls("PutSalesChannels")[-1].channels[0].documents
        assert sent.series == series
    sent = world.calls("PutSalesChannels")[0].channels[0].documents
    assert (sent.time_zone, sent.seller_name, sent.points[0].series) == ("Europe/Paris", "Acme SA", "LYON")

"""Pick lists and manifests over REST: whose they are, what orders is asked, in which order one walks, on paper."""

import httpx
import pypdfium2
import pytest

from kit.errors import FailedPrecondition, Unavailable
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from tests.services.gateway.fake_store_work import pick_list, pick_work
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

LISTS, LIST = "/v1/points/store-lyon/pick-lists", "/v1/pick-lists/pkl_1"
MANIFESTS, MANIFEST = "/v1/points/store-lyon/manifests", "/v1/manifests/man_1"


@pytest.fixture
def anna(issuer: Issuer) -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.token(Role.STORE, subject='anna', stores=['store-lyon'])}"}


@pytest.fixture
def paul(issuer: Issuer) -> dict[str, str]:
    """Of another store."""
    return {"Authorization": f"Bearer {issuer.token(Role.STORE, subject='paul', stores=['store-paris'])}"}


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf)).split())


async def test_a_list_is_walked_by_location_and_each_unit_has_the_container_of_the_work_that_leaves_first(
    http: httpx.AsyncClient, anna: dict[str, str], world: World
) -> None:
    world.pick_list = pick_list(
        pick_work("A", 16, ("SKU-9", 1), ("SKU-1", 2)),
        pick_work("B", 9, ("SKU-1", 1)),
        pick_work("C", 8, ("SKU-1", 4), is_open=False),
    )
    answer = await http.post(LISTS, headers=anna, json={"size": 3})
    assert answer.status_code == 201, answer.text
    listed = answer.json()
    assert [(one["sku"], one["location"], one["quantity"]) for one in listed["articles"]] == [
        ("SKU-1", "A-03-2", 3),
        ("SKU-9", None, 1),
    ], "what has no location comes last"
    assert listed["articles"][0]["shares"] == [
        {"slot": "B", "fulfilment_id": "ful_b", "line_number": 1, "quantity": 1, "substitutes": []},
        {"slot": "A", "fulfilment_id": "ful_a", "line_number": 2, "quantity": 2, "substitutes": []},
    ]
    assert [(one["slot"], one["status"], one["is_open"]) for one in listed["works"]] == [
        ("A", "accepted", True),
        ("B", "accepted", True),
        ("C", "picked", False),
    ]
    (asked,) = world.calls("OpenPickList")
    assert (asked.point_id, asked.size, asked.actor, list(asked.reach.point_ids)) == (
        "store-lyon",
        3,
        "anna",
        ["store-lyon"],
    )


async def test_a_list_is_walked_without_locations_while_inventory_is_away(
    http: httpx.AsyncClient, anna: dict[str, str], world: World
) -> None:
    away = [Unavailable("UNREACHABLE", "away") for _ in range(2)]
    world.failures = {"ListPositionFacts": list(away), "ListItems": list(away)}
    found = (await http.get(LIST, headers=anna)).json()
    assert {(one["location"], one["gtin"]) for one in found["articles"]} == {(None, None)}


async def test_what_was_found_goes_to_orders_by_article_with_its_reason(
    http: httpx.AsyncClient, anna: dict[str, str], world: World
) -> None:
    found = [{"sku": "SKU-1", "quantity": 2, "reason": "other", "note": "torn"}, {"sku": "SKU-2", "quantity": 1}]
    done = await http.post(f"{LIST}/finish", headers=anna, json={"found": found})
    assert done.json()["left_over"] == [{"sku": "SKU-1", "quantity": 1}]
    (asked,) = world.calls("FinishPickList")
    assert [(one.sku, one.quantity, one.reason, one.note) for one in asked.found] == [
        ("SKU-1", 2, "other", "torn"),
        ("SKU-2", 1, "", ""),
    ]
    wrong = await http.post(f"{LIST}/finish", headers=anna, json={"found": [found[0] | {"reason": "eaten"}]})
    assert wrong.status_code == 422


@pytest.fixture
def pears(world: World) -> list[dict[str, object]]:
    """Of two works on the list, the one in A takes something else."""
    world.substitutes = {"SKU-1": ["PEARS", "SKU-2"]}
    world.pick_list = pick_list(
        pick_work("A", 16, ("SKU-1", 2), takes_others=True), pick_work("B", 9, ("SKU-1", 1))
    )
    return [{"fulfilment_id": "ful_a", "line_number": 1, "sku": "PEARS", "quantity": 1}]


async def test_each_share_says_what_may_be_given_instead_of_it(
    http: httpx.AsyncClient, anna: dict[str, str], world: World, pears: list[dict[str, object]]
) -> None:
    (article,) = (await http.get(LIST, headers=anna)).json()["articles"]
    assert [
        (one["slot"], [(other["sku"], other["free"]) for other in one["substitutes"]]) for one in article["shares"]
    ] == [("B", []), ("A", [("PEARS", 1), ("SKU-2", 1)])]
    world.failures["GetAvailability"] = [Unavailable("UNREACHABLE", "away") for _ in range(2)]
    (article,) = (await http.get(LIST, headers=anna)).json()["articles"]
    assert [one["substitutes"] for one in article["shares"]] == [[], []], "picking goes on without them"


async def test_what_is_given_instead_is_laid_aside_for_its_work_before_the_list_is_finished(
    http: httpx.AsyncClient, anna: dict[str, str], world: World, pears: list[dict[str, object]]
) -> None:
    body = {"found": [{"sku": "SKU-1", "quantity": 2}], "substituted": pears}
    assert (await http.post(f"{LIST}/finish", headers=anna, json=body)).status_code == 200
    (held,), (asked,) = world.calls("HoldBasket"), world.calls("FinishPickList")
    assert (held.basket_id, held.channel_id, held.lines[0].point_id) == ("pick.ful_a", "web-fr", "store-lyon")
    (given,) = asked.substituted
    assert (given.fulfilment_id, given.units.sku, given.units.quantity) == ("ful_a", "PEARS", 1)
    names = [name for name, _ in world.asked]
    assert names.index("HoldBasket") < names.index("FinishPickList")
    # Its work was not picked with them, as one that was cancelled meanwhile: nobody takes the basket over.
    assert [one.basket_id for one in world.calls("ReleaseBasket")] == ["pick.ful_a"]
    line = world.pick_list.works[0].fulfilment.lines.add()
    line.CopyFrom(orders.FulfilmentLine(line_number=1, sku="PEARS", quantity=1, ordered_sku="SKU-1"))
    assert (await http.post(f"{LIST}/finish", headers=anna, json=body)).status_code == 200
    first, second = world.calls("HoldBasket")
    assert first.request_id == second.request_id, "once more is the same act"
    assert len(world.calls("ReleaseBasket")) == 1, "the work has it"


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"sku": "PLUMS"}, 409, "NOT_PERMITTED"),
        ({"sku": "SKU-2", "quantity": 2}, 409, "SUBSTITUTE_NOT_FREE"),
        ({"fulfilment_id": "ful_none"}, 422, "INVALID_FIELD"),
    ],
)
async def test_what_may_not_be_given_on_a_walk_is_refused_and_nothing_is_picked(
    http: httpx.AsyncClient,
    anna: dict[str, str],
    world: World,
    pears: list[dict[str, object]],
    change: dict[str, object],
    status: int,
    said: str,
) -> None:
    body = {"found": [{"sku": "SKU-1", "quantity": 1}], "substituted": [pears[0] | change]}
    answer = await http.post(f"{LIST}/finish", headers=anna, json=body)
    assert (answer.status_code, said in answer.text) == (status, True)
    assert world.calls("FinishPickList") == []


async def test_what_was_laid_aside_is_put_back_when_the_list_is_refused(
    http: httpx.AsyncClient, anna: dict[str, str], world: World, pears: list[dict[str, object]]
) -> None:
    world.failures["FinishPickList"] = [FailedPrecondition("PICK_LIST_CLOSED", "the list is closed")]
    body = {"found": [{"sku": "SKU-1", "quantity": 2}], "substituted": pears}
    assert (await http.post(f"{LIST}/finish", headers=anna, json=body)).status_code == 409
    assert [one.basket_id for one in world.calls("ReleaseBasket")] == ["pick.ful_a"]


async def test_the_lists_and_manifests_of_another_store_are_not_there(
    http: httpx.AsyncClient, paul: dict[str, str], issuer: Issuer, world: World
) -> None:
    for path in (LIST, f"{LIST}/print", MANIFEST, f"{MANIFEST}/print"):
        assert (await http.get(path, headers=paul)).status_code == 404
    for path in (f"{LIST}/put-back", f"{LIST}/finish"):
        assert (
            await http.post(path, headers=paul, json={"found": []} if "finish" in path else {})
        ).status_code == 404
    for path, body in ((LISTS, {}), (MANIFESTS, {"carrier_id": "colisvite"})):
        assert (await http.get(path, headers=paul)).status_code == 403
        assert (await http.post(path, headers=paul, json=body)).status_code == 403
    nobody = {"Authorization": f"Bearer {issuer.token(Role.STORE, stores=[])}"}
    told = (await http.get(LIST, headers=nobody)).json()
    assert told == (await http.get(LIST, headers=paul)).json(), "word for word as if it did not exist"
    assert (await http.get(MANIFEST, headers=nobody)).json() == (await http.get(MANIFEST, headers=paul)).json()
    assert not world.calls("OpenPickList") + world.calls("CloseManifest")


async def test_customer_service_sees_who_picks_what_and_picks_nothing(
    http: httpx.AsyncClient, issuer: Issuer
) -> None:
    service = {"Authorization": f"Bearer {issuer.token(Role.CUSTOMER_SERVICE)}"}
    (listed,) = (await http.get(LISTS, headers=service)).json()["items"]
    assert listed["actor"] == "anna"
    assert (await http.post(f"{LIST}/put-back", headers=service, json={})).status_code == 403


async def test_a_list_and_a_manifest_are_printed(http: httpx.AsyncClient, anna: dict[str, str]) -> None:
    paper = await http.get(f"{LIST}/print", headers=anna, params={"lang": "fr"})
    assert paper.headers["content-type"] == "application/pdf"
    text = text_of(paper.content)
    for part in ("Liste de prélèvement", "A-03-2", "Title of SKU-1", "B: 1 A: 2", "A: W-A"):
        assert part in text
    text = text_of((await http.get(f"{MANIFEST}/print", headers=anna)).content)
    for part in ("Manifest 41", "030123450000000017", "6A12345678901", "0.640 kg", "colisvite", "signature"):
        assert part in text


async def test_a_manifest_says_what_left_and_what_stays(
    http: httpx.AsyncClient, anna: dict[str, str], world: World
) -> None:
    closed = (await http.post(MANIFESTS, headers=anna, json={"carrier_id": "colisvite"})).json()
    assert (closed["manifest"]["number"], closed["left"]) == (41, 0)
    assert closed["kept"] == [{"fulfilment_id": "ful_2", "reason": "ON_HOLD", "detail": "the order is held"}]
    (asked,) = world.calls("CloseManifest")
    assert (asked.point_id, asked.carrier_id, asked.actor) == ("store-lyon", "colisvite", "anna")
    assert [one["id"] for one in (await http.get(MANIFESTS, headers=anna)).json()["items"]] == ["man_1"]


async def test_a_pick_says_why_units_are_missing(
    http: httpx.AsyncClient, anna: dict[str, str], world: World
) -> None:
    world.add_work("ful_1", "store-lyon")
    body = {
        "found": [{"line_number": 1, "quantity": 1}],
        "missing": [{"line_number": 1, "reason": "damaged", "note": "a hole"}],
    }
    assert (await http.post("/v1/fulfilments/ful_1/pick", headers=anna, json=body)).status_code == 200
    (asked,) = world.calls("RecordPick")
    assert [(one.line_number, one.reason, one.note) for one in asked.missing] == [(1, "damaged", "a hole")]


async def test_an_article_is_found_by_its_code(
    http: httpx.AsyncClient, anna: dict[str, str], world: World
) -> None:
    found = await http.get("/v1/items", headers=anna, params={"gtin": "4006381333931"})
    assert [one["sku"] for one in found.json()["items"]] == ["SKU-1"]
    (asked,) = world.calls("ListItems")
    assert list(asked.gtins) == ["4006381333931"]
    assert (await http.get("/v1/items", headers=anna, params={"gtin": "A"})).status_code == 422

"""Something else instead of what a pick lacks: who permits it, and that it is laid aside before orders is told."""

from typing import Any

import httpx
import pytest

from kit.errors import FailedPrecondition
from oms.inventory.v1 import basket_service_pb2 as baskets
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

WORK = "/v1/fulfilments/ful_1"
PICK = {"found": [{"line_number": 1, "quantity": 1}]}
PEARS = {"line_number": 1, "sku": "PEARS", "quantity": 1}


@pytest.fixture
def lyon(issuer: Issuer, world: World) -> dict[str, str]:
    found = world.add_work("ful_1", "store-lyon")
    found.substitutable.append(1)
    world.substitutes = {"SKU-1": ["PEARS", "SKU-2"]}
    return issuer.bearer(Role.STORE, subject="anna", stores=["store-lyon"])


async def pick(http: httpx.AsyncClient, headers: dict[str, str], *instead: dict[str, Any]) -> httpx.Response:
    return await http.post(f"{WORK}/pick", json=PICK | {"substituted": list(instead)}, headers=headers)


async def test_units_are_laid_aside_before_the_pick_tells_of_them(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    assert (await pick(http, lyon, PEARS)).status_code == 200
    (held,), (picked,) = world.calls("HoldBasket"), world.calls("RecordPick")
    line = baskets.BasketLine(sku="PEARS", quantity=1, point_id="store-lyon")
    assert (held.channel_id, held.basket_id, list(held.lines)) == ("web-fr", "pick.ful_1", [line])
    given = orders.SubstitutedUnits(line_number=1, sku="PEARS", quantity=1, title="PEARS")
    assert list(picked.substituted) == [given]
    names = [name for name, _ in world.asked]
    assert names.index("HoldBasket") < names.index("RecordPick")
    await pick(http, lyon, PEARS)
    assert world.calls("HoldBasket")[1].request_id == held.request_id, "once more is the same act"


@pytest.mark.parametrize(
    ("instead", "status", "said"),
    [
        ({**PEARS, "sku": "PLUMS"}, 409, "NOT_PERMITTED"),
        ({**PEARS, "sku": "SKU-2", "quantity": 2}, 409, "SUBSTITUTE_NOT_FREE"),
        ({**PEARS, "line_number": 9}, 422, "INVALID_FIELD"),
        ({**PEARS, "quantity": 0}, 422, "INVALID"),
    ],
)
async def test_what_may_not_be_given_or_is_not_free_is_refused_and_nothing_is_picked(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World, instead: dict[str, Any], status: int, said: str
) -> None:
    answer = await pick(http, lyon, instead)
    assert answer.status_code == status
    assert said in answer.text
    assert world.calls("RecordPick") == []


async def test_what_was_laid_aside_is_put_back_when_the_pick_is_refused(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    world.failures["RecordPick"] = [
        FailedPrecondition("SUBSTITUTES_NOT_ALLOWED", "the customer takes nothing else")
    ]
    answer = await pick(http, lyon, PEARS)
    assert (answer.status_code, answer.json()["reason"]) == (409, "SUBSTITUTES_NOT_ALLOWED")
    assert [one.basket_id for one in world.calls("ReleaseBasket")] == ["pick.ful_1"]


async def test_a_store_is_told_what_it_may_give_and_how_many_are_free(
    http: httpx.AsyncClient, lyon: dict[str, str], world: World
) -> None:
    told = (await http.get(f"{WORK}/substitutes", headers=lyon)).json()
    assert [(one["line_number"], one["sku"], one["free"]) for one in told["substitutes"]] == [
        (1, "PEARS", 1),
        (1, "SKU-2", 1),
    ]
    del world.work["ful_1"].substitutable[:]
    assert (await http.get(f"{WORK}/substitutes", headers=lyon)).json() == {"substitutes": []}

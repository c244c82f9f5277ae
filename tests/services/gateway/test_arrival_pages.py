"""The page of what comes to a hub, without a browser: what it shows, what its form does, and who may see it."""

import httpx
import pytest

from kit.errors import FailedPrecondition
from services.gateway.auth import Role
from tests.services.gateway.fakes import World
from tests.services.gateway.test_console import sign_in
from tests.services.gateway.tokens import Issuer

LYON = "/console/store/store-lyon"
ARRIVALS = f"{LYON}/arrivals"
FORM = {"work": "ful_1", "key": "k1", "here.1": "1", "damaged.1": "1"}


@pytest.fixture
async def henri(http: httpx.AsyncClient, issuer: Issuer) -> httpx.AsyncClient:
    """Signed in at the hub."""
    await sign_in(http, issuer.token(Role.STORE, subject="henri", stores=["store-lyon"]))
    return http


async def test_a_hub_sees_what_comes_and_says_what_was_there(henri: httpx.AsyncClient, world: World) -> None:
    assert f'href="{ARRIVALS}"' in (await henri.get(LYON)).text, "the work list leads there"
    page = (await henri.get(ARRIVALS, headers={"Accept-Language": "fr"})).text
    assert "Arrivages" in page
    assert "rangez les articles en stock" in page, "its order was cancelled"
    assert 'name="here.1"' in page
    done = await henri.post(ARRIVALS, data=FORM)
    assert (done.status_code, done.headers["location"]) == (303, f"{ARRIVALS}?done=receive")
    (asked,) = world.calls("ReceiveParcel")
    (units,) = asked.units
    assert (asked.fulfilment_id, asked.actor, units.quantity, units.damaged) == ("ful_1", "henri", 1, 1)
    assert list(asked.reach.point_ids) == ["store-lyon"]


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"here.1": "many"}, 422), ({"work": ""}, 422), ({"here.x": "1"}, 422), ({"damaged.1": "-1"}, 422)],
)
async def test_what_is_no_number_is_told_and_nothing_is_done(
    henri: httpx.AsyncClient, world: World, changed: dict[str, str], status: int
) -> None:
    told = await henri.post(ARRIVALS, data=FORM | changed)
    assert told.status_code == status, told.text
    assert 'role="alert"' in told.text
    assert world.calls("ReceiveParcel") == []


async def test_a_parcel_that_somebody_else_received_is_told(henri: httpx.AsyncClient, world: World) -> None:
    world.failures["ReceiveParcel"] = [FailedPrecondition("NOT_ON_ITS_WAY", "the parcel is delivered")]
    told = await henri.post(ARRIVALS, data=FORM)
    assert told.status_code == 409
    assert "received already" in told.text


async def test_another_hub_is_nobody_elses(henri: httpx.AsyncClient, world: World) -> None:
    assert (await henri.get("/console/store/store-paris/arrivals")).status_code == 403
    assert (await henri.post("/console/store/store-paris/arrivals", data=FORM)).status_code == 403
    assert world.calls("ReceiveParcel") == []

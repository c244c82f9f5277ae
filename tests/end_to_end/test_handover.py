"""A warehouse of others does the work of a point: nobody touches the order, and it is shipped and paid."""

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from cli.client import Api
from cli.main import app
from cli.people import Office, Shop
from tests.end_to_end.conftest import PLANTED
from tests.end_to_end.journeys import article, carry
from tests.stack import SharedStack

SYSTEM, POINT = "demo-warehouse", "wh-orleans"


def oms(stack: SharedStack, *words: str) -> Result:
    return CliRunner().invoke(app, ["handovers", *words, "--state", str(stack.state)])


@pytest.fixture
def switched_on(stack: SharedStack) -> Iterator[None]:
    """The warehouse takes the work of its point while the test runs; before and after, people do."""
    assert oms(stack, "enable", SYSTEM).exit_code == 0
    yield
    assert oms(stack, "disable", SYSTEM).exit_code == 0


def most_elsewhere(figures: dict[str, int]) -> int:
    return max((figure for point, figure in figures.items() if point != POINT), default=0)


@pytest.mark.usefixtures("switched_on")
def test_an_order_goes_through_the_warehouse_without_a_hand(
    stack: SharedStack, api: Api, shop: Shop, office: Office
) -> None:
    def needs_the_warehouse(figures: dict[str, int]) -> bool:
        return 0 < most_elsewhere(figures) < 5 and figures.get(POINT, 0) > 10

    sku, figures = article(shop, needs_the_warehouse)
    wanted = most_elsewhere(figures) + 1
    placed = shop.place(shop.order_content([(sku, wanted)], PLANTED, shipping_minor=490))

    def shipped(order: dict[str, object]) -> bool:
        return order["customer_status"] == "shipped"

    order = shop.wait(placed["id"], "the shipment", shipped, seconds=90)
    [work] = order["fulfilments"]
    assert (work["point_id"], work["parcel"]["tracking_code"][:3]) == (POINT, "WMS")
    carry(api, work)
    shop.wait_status(placed["id"], "closed")
    payment = office.payment(placed["id"])
    assert payment is not None
    assert payment["captured"]["amount_minor"] == order["total"]["amount_minor"]
    assert office.moved(sku, placed["id"]) == {"on_hand": -wanted, "reserved": 0, "unavailable": 0, "short": 0}
    told = oms(stack, "show", work["id"])
    assert f"{work['id']} of {placed['id']} at {SYSTEM}: shipped" in told.output
    assert placed["id"] not in oms(stack, "list", "--alert").output

"""The demo retailer goes into the real services, once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from kit import rpc
from kit.times import to_proto
from oms.inventory.v1 import inventory_service_pb2 as inventory_pb
from oms.inventory.v1 import merchandising_service_pb2 as merchandising_pb
from oms.inventory.v1 import supply_service_pb2 as supply_pb
from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceStub
from oms.inventory.v1.merchandising_service_pb2_grpc import MerchandisingServiceStub
from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceStub
from oms.promise.v1 import promise_service_pb2 as promise_pb
from oms.promise.v1 import ruleset_service_pb2 as rules_pb
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub
from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceStub
from oms.type.v1 import type_pb2 as types
from retailers.demo.load import load, load_when_there
from tests.conftest import MakeDatabase
from tests.end_to_end.proxy import Fault, running_proxies
from tests.processes import running

MONDAY = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


@pytest.fixture
async def services(
    make_database: MakeDatabase, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[Mapping[str, str]]:
    """Addresses of inventory, promise and orders with empty databases."""
    addresses = {name: f"127.0.0.1:{unused_tcp_port_factory()}" for name in ("inventory", "promise", "orders")}
    async with AsyncExitStack() as stack:
        for name, address in addresses.items():
            environment = {
                "OMS_DATABASE_URL": make_database(name).url,
                "OMS_INVENTORY_ADDRESS": addresses["inventory"],
                "OMS_IDENTITY_KEY": "a key of tests",
                "OMS_GS1_COMPANY_PREFIX": "9520417",
                "OMS_LINK_KEYS": "test",
                "OMS_PUBLIC_URL": "https://shop.test",
            }
            await stack.enter_async_context(running(f"services.{name}", address, environment))
        yield addresses


async def test_it_is_loaded_once_and_can_be_sold(services: Mapping[str, str]) -> None:
    first = await load(**services)
    assert first.things["items"] == 292
    assert first.changed > 288
    second = await load(**services)
    assert second.changed == 0
    assert str(second).endswith("nothing changed")

    async with rpc.connect(services["inventory"]) as channel:
        stub = InventoryServiceStub(channel)
        excluded, sold = (
            await stub.GetAvailability(
                inventory_pb.GetAvailabilityRequest(
                    channel_id="web-fr", skus=["OGLV-NOROIT-NR-8", "CPAN-FONTE-RG-24"]
                )
            )
        ).availabilities
        assert excluded.available_now == 0
        assert excluded.zero_reason
        assert sold.available_now > 0

        supply = SupplyServiceStub(channel)
        sofa, coat, bowl, loafers = (
            await supply.GetFutureAvailability(
                supply_pb.GetFutureAvailabilityRequest(
                    channel_id="web-fr",
                    skus=["CFAU-VELOURS-TC", "OCOT-BREHAT-CM-44", "CASS-GRES-NV", "OSHO-DUNE-CM-44"],
                )
            )
        ).availabilities
        assert [one.quantity for one in sofa.future] == [11], "one is protected, what is too far away is not shown"
        assert [one.quantity for one in coat.future] == [28, 2]
        assert not bowl.future, "the channel did not opt into units at the supplier"
        assert loafers.release_date == "2027-03-15"

        merchandising = MerchandisingServiceStub(channel)
        (said,) = (
            await merchandising.ListPositionFacts(
                merchandising_pb.ListPositionFactsRequest(skus=["OCOT-BREHAT-CM-44"], point_ids=["st-lyon"])
            )
        ).facts
        assert (said.plan.target_quantity, said.markdown.from_date) == (6, "2027-01-13")
        assert (said.location.location, said.location.walk_order) == ("C-03", 12)
        (cover,) = (
            await merchandising.ListCover(
                merchandising_pb.ListCoverRequest(skus=["OCOT-BREHAT-CM-44"], point_ids=["st-lyon"])
            )
        ).covers
        assert cover.rate_source == merchandising_pb.RATE_SOURCE_IMPORTED

    async with rpc.connect(services["promise"]) as channel:
        (rules,) = (await RulesetServiceStub(channel).ListRulesets(rules_pb.ListRulesetsRequest())).rulesets
        assert (rules.ruleset_id, rules.in_force.ruleset.version) == ("default", 1)
        assert rules.in_force.published_by == "retailers/demo"
        quotes = PromiseServiceStub(channel)
        for country, postcode in (("FR", "67000"), ("FR", "20090"), ("BE", "1000"), ("DE", "10115")):
            quote = await quotes.Quote(_basket(country, postcode))
            assert types.DELIVERY_MODE_HOME_STANDARD in [option.mode for option in quote.options], postcode
        overseas = await quotes.Quote(_basket("FR", "97400"))
        assert not overseas.options
        loafers_ordered = await quotes.Quote(_basket("FR", "67000", "OSHO-DUNE-CM-44"))
        assert {option.release_date for option in loafers_ordered.options} == {"2027-03-15"}
        # More than all shops have: the days of deliveries are counted from the load.
        coats = _basket("FR", "67000", "OCOT-BREHAT-CM-44", 25)
        coats.ClearField("as_of")
        coats.may_wait = True
        coats_ordered = await quotes.Quote(coats)
        (later,) = [one for one in coats_ordered.options if one.mode == types.DELIVERY_MODE_HOME_STANDARD]
        assert later.HasField("waits_until")
        assert [line.supply_id for leg in later.plan.legs for line in leg.lines] == ["demo-po-1002-1"]


async def test_a_service_that_is_away_is_waited_for(
    services: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with running_proxies({"orders": int(services["orders"].rpartition(":")[2])}) as lines:
        lines["orders"].suffer(Fault(refuses=True))
        loading = asyncio.create_task(
            load_when_there(services["inventory"], services["promise"], f"127.0.0.1:{lines['orders'].port}")
        )
        async with asyncio.timeout(30):
            while "UNREACHABLE" not in capsys.readouterr().out:  # noqa: ASYNC110 - the line tells nobody
                await asyncio.sleep(0.05)
        lines["orders"].heal()
        await loading
    assert (await load(**services)).changed == 0


def _basket(
    country: str, postcode: str, sku: str = "ODRS-ALIZE-NV-38", quantity: int = 1
) -> promise_pb.QuoteRequest:
    return promise_pb.QuoteRequest(
        channel_id="web-fr",
        destination=types.Destination(country=country, postcode=postcode),
        lines=[promise_pb.BasketLine(line_number=1, sku=sku, quantity=quantity)],
        as_of=to_proto(MONDAY),
    )

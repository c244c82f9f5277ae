"""The whole process but its environment: a real gRPC server, fed by a real inventory server made of a list."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc, times
from kit.errors import Conflict, InvalidArgument, NotFound, Unavailable
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceServicer,
    add_InventoryServiceServicer_to_server,
)
from oms.promise.v1 import decision_service_pb2 as decisions_pb
from oms.promise.v1 import promise_service_pb2 as pb
from oms.promise.v1 import ruleset_service_pb2 as rules_pb
from oms.promise.v1.decision_service_pb2_grpc import DecisionServiceStub, add_DecisionServiceServicer_to_server
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub, add_PromiseServiceServicer_to_server
from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceStub, add_RulesetServiceServicer_to_server
from oms.type.v1 import type_pb2
from services.promise.decisions import Decisions
from services.promise.decisions_rpc import DecisionRpc
from services.promise.follower import StockFollower
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import StockReplica
from services.promise.rpc import PromiseRpc
from services.promise.rulesets import Rulesets
from services.promise.rulesets_rpc import RulesetRpc
from services.promise.service import PromiseService
from tests.services.promise.network import NOW

if TYPE_CHECKING:
    from oms.promise.v1.decision_service_pb2_grpc import DecisionServiceAsyncStub
    from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceAsyncStub
    from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceAsyncStub

HEARTBEAT_SECONDS = 0.05


def euros(minor: int) -> type_pb2.Money:
    return type_pb2.Money(amount_minor=minor, currency="EUR")


def stock_block(sku: str, point_id: str, free: int) -> inv.StockBlock:
    terms = inv.PositionTerms(channels=[inv.ChannelTerms(channel_id="web", safety_stock=1)])
    return inv.StockBlock(
        skus=[sku],
        rows=[1],
        point_ids=[point_id],
        terms=[terms],
        point_indexes=[0],
        terms_indexes=[0],
        free=[free],
    )


def stock_point(point_id: str) -> inv.StockPoint:
    return inv.StockPoint(
        point_id=point_id,
        type=type_pb2.POINT_TYPE_STORE,
        position=type_pb2.Position(latitude=50.63, longitude=3.06),
        country="FR",
        subdivision="FR-59",
        time_zone="Europe/Paris",
        opening_hours=[inv.OpeningHours(weekday=day, opens_minute=540, closes_minute=1140) for day in range(1, 7)],
        closed_dates=["2026-06-03"],
        collections=[inv.Collection(carrier_id="post", weekday=day, cut_off_minute=1020) for day in range(1, 6)],
        capabilities=["ship_from_store"],
        handling_minutes=60,
    )


SNAPSHOT = [
    inv.WatchStockResponse(
        sequence=10,
        snapshot=True,
        items=[
            inv.Item(
                sku="x", weight_grams=400, length_millimetres=100, width_millimetres=300, height_millimetres=50
            )
        ],
        points=[stock_point("lille")],
        channels=[inv.Channel(channel_id="web", currency="EUR")],
    ),
    inv.WatchStockResponse(sequence=10, snapshot=True, snapshot_complete=True, stock=stock_block("x", "lille", 3)),
]


@dataclass
class ListedInventory(InventoryServiceServicer):
    """Streams a snapshot, then a list of changes as it grows, with heartbeats. Can hang up or fall silent."""

    snapshot: list[inv.WatchStockResponse] = field(default_factory=lambda: list(SNAPSHOT))
    changes: list[inv.WatchStockResponse] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    hang_up: asyncio.Event = field(default_factory=asyncio.Event)
    is_silent: bool = False
    goes_back_to: int = 0

    async def WatchStock(
        self, request: inv.WatchStockRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[inv.WatchStockResponse]:
        self.asked.append(request.after_sequence)
        sent = request.after_sequence
        if not sent:
            for message in self.snapshot:
                yield message
            sent = self.snapshot[-1].sequence
        while not self.hang_up.is_set():
            for change in [c for c in self.changes if c.sequence > sent]:
                yield change
                sent = change.sequence
            if not self.is_silent:
                sent = self.goes_back_to or sent
                yield inv.WatchStockResponse(sequence=sent, sent_at=times.to_proto(times.now()))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.hang_up.wait(), HEARTBEAT_SECONDS)
        self.hang_up.clear()
        await context.abort(grpc.StatusCode.UNAVAILABLE, "hung up")

    def change(self, sequence: int, stock: inv.StockBlock) -> None:
        """A change of stock, sent to whoever watches."""
        self.changes.append(inv.WatchStockResponse(sequence=sequence, stock=stock))


def an_inventory() -> ListedInventory:
    return ListedInventory()  # type: ignore[abstract] # The replica asks nothing but WatchStock.


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition; the time-out of the test is its own."""
    while not condition():  # noqa: ASYNC110 - what is awaited has no event.
        await asyncio.sleep(0.01)


async def listen(listed: ListedInventory, port: int = 0) -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_InventoryServiceServicer_to_server(listed, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    return server, bound


@dataclass
class Running:
    inventory: ListedInventory
    inventory_server: grpc.aio.Server
    inventory_port: int
    replica: StockReplica
    stub: "PromiseServiceAsyncStub"
    rulesets: "RulesetServiceAsyncStub"
    decisions: "DecisionServiceAsyncStub"


@pytest_asyncio.fixture
async def running(promise_db: AsyncEngine) -> AsyncIterator[Running]:
    listed = an_inventory()
    inventory_server, port = await listen(listed)
    to_inventory = rpc.connect(f"127.0.0.1:{port}")
    replica = StockReplica(stale_after_seconds=0.5)
    follower = StockFollower(to_inventory, replica, silence_seconds=0.5, backoff_seconds=(0.02, 0.1))
    following = asyncio.create_task(follower.run())
    server = rpc.build_server()
    service = PromiseService(promise_db, replica, is_public_holiday)
    add_PromiseServiceServicer_to_server(PromiseRpc(service), server)
    add_DecisionServiceServicer_to_server(DecisionRpc(Decisions(promise_db, service)), server)
    add_RulesetServiceServicer_to_server(RulesetRpc(Rulesets(promise_db)), server)
    own_port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = rpc.connect(f"127.0.0.1:{own_port}")
    stubs = PromiseServiceStub(channel), RulesetServiceStub(channel), DecisionServiceStub(channel)
    yield Running(listed, inventory_server, port, replica, *stubs)
    following.cancel()
    await channel.close(None)
    await to_inventory.close(None)
    await server.stop(None)
    await inventory_server.stop(None)


async def put_terms(running: Running) -> None:
    stub = running.stub
    zone = pb.ZoneTerms(
        zone_id="FR",
        transit_days_min=1,
        transit_days_max=2,
        rates=[pb.RateStep(up_to_grams=30_000, price=euros(600))],
        customer_price=euros(490),
    )
    home = pb.CarrierService(
        service_id="home",
        mode=type_pb2.DELIVERY_MODE_HOME_STANDARD,
        max_weight_grams=30_000,
        max_length_millimetres=1_500,
        delivery_weekdays=[1, 2, 3, 4, 5],
        delivery_from_minute=480,
        delivery_until_minute=1080,
        zones=[zone],
        carbon_legs=[
            pb.CarbonLeg(transport="van", kilometres=30, grams_per_tonne_kilometre=680.0),
            pb.CarbonLeg(transport="truck", grams_per_tonne_kilometre=90.0),
        ],
        carbon_factor="road 1",
        max_width_millimetres=600,
        max_height_millimetres=400,
        max_girth_millimetres=3_000,
        max_distance_kilometres=900,
        volumetric_divisor=5_000,
    )
    begins, ends = (times.to_proto(NOW - timedelta(days=days)) for days in (9, 1))
    strike = pb.CarrierPause(from_at=begins, until_at=ends, reason="strike")
    carrier = pb.Carrier(carrier_id="post", name="Post", services=[home], pauses=[strike])
    assert (await stub.PutCarriers(pb.PutCarriersRequest(carriers=[carrier]))).changed == 1
    listed = await stub.ListCarriers(pb.ListCarriersRequest())
    assert list(listed.carriers) == [carrier]
    await stub.PutGeography(
        pb.PutGeographyRequest(
            zones=[pb.Zone(zone_id="FR", country="FR", postcode_prefixes=[""], time_zone="Europe/Paris")],
            areas=[
                pb.PostcodeArea(
                    country="FR", prefix="75", position=type_pb2.Position(latitude=48.85, longitude=2.35)
                )
            ],
        )
    )
    rules = rules_pb.Ruleset(
        currency="EUR",
        split_cost_minor=300,
        preparation_costs=[rules_pb.PointTypeCost(point_type=type_pb2.POINT_TYPE_STORE, cost_minor=200)],
        distance_cost_minor_per_kilometre=0.1,
        max_parcels=3,
        alternatives=2,
    )
    content = rules_pb.RulesetContent(ruleset=rules)
    publish = rules_pb.PublishRulesetRequest(content=content, actor="tester", reason="for a test")
    published = (await running.rulesets.PublishRuleset(publish)).version.ruleset
    assert (published.ruleset_id, published.version) == ("default", 1)


def plan_order(request_id: str = "r1", quantity: int = 1, **values: Any) -> pb.PlanOrderRequest:
    given: dict[str, Any] = {
        "order_id": "ord_1",
        "channel_id": "web",
        "destination": type_pb2.Destination(country="FR", postcode="75011"),
        "lines": [pb.BasketLine(line_number=1, sku="x", quantity=quantity)],
        "mode": type_pb2.DELIVERY_MODE_HOME_STANDARD,
        "as_of": times.to_proto(NOW),
    }
    return pb.PlanOrderRequest(request_id=request_id, **(given | values))


async def test_boxes_are_put_listed_and_told_of_a_plan_over_the_wire(running: Running) -> None:
    await put_terms(running)
    await until(lambda: running.replica.is_ready)
    box = pb.Box(
        box_id="S",
        name="Small",
        length_millimetres=320,
        width_millimetres=310,
        height_millimetres=150,
        max_weight_grams=8_000,
        tare_grams=150,
        cost=euros(25),
        wall_millimetres=5,
        point_ids=["lille", "paris"],
    )
    assert (await running.stub.PutBoxes(pb.PutBoxesRequest(boxes=[box]))).changed == 1
    box.fill_percent = 100  # As when it is left out.
    assert list((await running.stub.ListBoxes(pb.ListBoxesRequest())).boxes) == [box]
    asked = pb.ChooseBoxRequest(point_id="lille", units=[pb.UnitsToPack(sku="x", quantity=1)])
    assert (await running.stub.ChooseBox(asked)) == pb.ChooseBoxResponse(boxes=[box], box_id="S")
    asked.point_id = "lyon"
    assert (await running.stub.ChooseBox(asked)) == pb.ChooseBoxResponse()
    plan = (await running.stub.PlanOrder(plan_order())).plans[0]
    (leg,) = plan.legs
    assert list(leg.boxes) == [pb.LegBox(box_id="S", count=1)]
    # 330 x 320 x 160 mm at 5000 cm3 by kilogram, of an article of 400 g.
    assert (leg.weight_grams, leg.chargeable_grams, leg.packaging_cost_minor) == (550, 3_380, 25)
    assert {cost.name: cost.amount_minor for cost in plan.costs}["packaging"] == 25


async def test_a_basket_is_quoted_planned_and_its_decision_read_over_the_wire(running: Running) -> None:
    await put_terms(running)
    await until(lambda: running.replica.is_ready)
    asked = plan_order()
    quote = await running.stub.Quote(
        pb.QuoteRequest(
            channel_id="web",
            destination=asked.destination,
            lines=asked.lines,
            as_of=asked.as_of,
            not_before=times.to_proto(NOW + timedelta(minutes=30)),
        )
    )
    (option,) = quote.options
    assert option.price == euros(490)
    assert (option.parcels, option.carbon.factor) == (1, "road 1")
    # Collected at 17:00 in Paris, an hour of work, half an hour of cooling-off: order before 15:30.
    assert times.from_proto(option.order_before) == NOW.replace(hour=13, minute=30)
    assert (quote.not_offered[0].mode, quote.not_offered[0].reason) == (
        type_pb2.DELIVERY_MODE_HOME_EXPRESS,
        "NO_CARRIER",
    )
    assert not quote.stock.stale

    asked.quote_id = quote.quote_id
    answer = await running.stub.PlanOrder(asked)
    assert not answer.quote_broken
    assert answer.plans[0].window == option.window
    assert answer.plans[0].legs[0].lines[0] == pb.LegLine(line_number=1, sku="x", quantity=1)
    assert sum(cost.amount_minor for cost in answer.plans[0].costs) == answer.plans[0].total_cost_minor

    found = await running.decisions.GetDecision(decisions_pb.GetDecisionRequest(decision_id=answer.decision_id))
    decision = found.decision
    assert decision.plans == answer.plans
    assert list(decision.seen) == [decisions_pb.SeenStock(sku="x", point_id="lille", available=2)]
    assert decision.proved_optimal
    assert (decision.mode, decision.time_zone) == (type_pb2.DELIVERY_MODE_HOME_STANDARD, "Europe/Paris")
    assert (len(decision.inputs_hash), decision.terms_version > 0) == (64, True)
    (known,) = decision.points
    assert (known.point_id, known.type, known.can_send) == ("lille", type_pb2.POINT_TYPE_STORE, True)
    assert (decision.quote_id, decision.quoted) == (quote.quote_id, option)

    listed = await running.decisions.ListDecisions(decisions_pb.ListDecisionsRequest(order_id="ord_1"))
    for large in ("seen", "points", "rejected"):
        decision.ClearField(large)
    assert list(listed.decisions) == [decision]
    asked_why = decisions_pb.ExplainDecisionRequest(decision_id=answer.decision_id, why_not_point_id="lille")
    told = (await running.decisions.ExplainDecision(asked_why)).explanation
    assert (told.decision_id, told.order_id) == (answer.decision_id, "ord_1")
    assert [part.name for part in told.sections][:3] == ["why_not", "chosen", "quote"]
    (used,) = told.sections[0].sentences
    assert (used.text, dict(used.facts)) == ("lille is used.", {"point_id": "lille", "verdict": "used"})
    assert await running.stub.PlanOrder(asked) == answer


async def test_errors_carry_their_reason_and_field_over_the_wire(running: Running) -> None:
    await until(lambda: running.replica.is_ready)
    await put_terms(running)
    with pytest.raises(InvalidArgument) as bad_quantity:
        await running.stub.PlanOrder(plan_order(quantity=0))
    assert bad_quantity.value.facts["field"] == "lines[0].quantity"
    with pytest.raises(InvalidArgument) as bad_mode:
        await running.stub.PlanOrder(plan_order(mode=type_pb2.DELIVERY_MODE_UNSPECIFIED))
    assert bad_mode.value.facts["field"] == "mode"
    await running.stub.PlanOrder(plan_order())
    with pytest.raises(Conflict) as conflict:
        await running.stub.PlanOrder(plan_order(quantity=2))
    assert conflict.value.reason == "IDEMPOTENCY_CONFLICT"
    hour = times.to_proto(NOW + timedelta(hours=1))
    later = plan_order(as_of=hour, not_before=hour)
    assert (await running.stub.PlanOrder(later)).plans, "the moment of asking is not content"
    with pytest.raises(NotFound) as missing:
        await running.decisions.GetDecision(decisions_pb.GetDecisionRequest(decision_id="dec_0"))
    assert missing.value.reason == "DECISION_NOT_FOUND"
    modeless = pb.Carrier(carrier_id="a", services=[pb.CarrierService(service_id="a")])
    with pytest.raises(InvalidArgument) as bad_service:
        await running.stub.PutCarriers(pb.PutCarriersRequest(carriers=[modeless]))
    assert bad_service.value.facts["field"] == "carriers[0].services[0].mode"
    begins = times.to_proto(NOW)
    for pause, wrong in (
        (pb.CarrierPause(reason="strike"), "from_at"),
        (pb.CarrierPause(from_at=begins, until_at=begins), "until_at"),
    ):
        with pytest.raises(InvalidArgument) as bad_pause:
            await running.stub.PutCarriers(
                pb.PutCarriersRequest(carriers=[pb.Carrier(carrier_id="a", pauses=[pause])])
            )
        assert bad_pause.value.facts["field"] == f"carriers[0].pauses[0].{wrong}"


async def test_changes_of_stock_reach_the_planner(running: Running) -> None:
    await put_terms(running)
    await until(lambda: running.replica.is_ready)
    running.inventory.change(11, stock_block("x", "lille", 1))
    await until(lambda: running.replica.resume_after == 11)
    answer = await running.stub.PlanOrder(plan_order())
    assert not answer.plans
    assert [(u.quantity, u.reason) for u in answer.unplanned] == [(1, "NO_STOCK")]
    status = await running.stub.GetReplicaStatus(pb.GetReplicaStatusRequest())
    assert (status.positions, status.stock.sequence, status.stock.stale) == (1, 11, False)
    assert 0 <= status.lag_milliseconds < 5_000


async def test_a_feed_that_hangs_up_is_resumed_where_it_was(running: Running) -> None:
    await until(lambda: running.replica.is_ready)
    running.inventory.change(11, stock_block("x", "lille", 9))
    await until(lambda: running.replica.resume_after == 11)
    running.inventory.change(12, stock_block("x", "lille", 8))
    running.inventory.hang_up.set()
    await until(lambda: running.replica.resume_after == 12 and not running.replica.view().stale)
    assert running.inventory.asked[0] == 0
    assert running.inventory.asked[-1] in (11, 12)
    assert running.replica.slice(["x"]).positions["x"]["lille"].free == 8


async def test_an_inventory_that_goes_away_leaves_a_stale_replica_and_is_found_again(running: Running) -> None:
    await put_terms(running)
    await until(lambda: running.replica.is_ready)
    await running.inventory_server.stop(None)
    await until(lambda: running.replica.view().stale)
    assert (await running.stub.PlanOrder(plan_order())).plans, "what is known still serves"
    listed = an_inventory()
    listed.change(20, stock_block("x", "lille", 2))
    server, _ = await listen(listed, running.inventory_port)
    await until(lambda: running.replica.resume_after == 20 and not running.replica.view().stale)
    assert listed.asked[0] == 10
    await server.stop(None)


async def test_a_feed_that_falls_silent_is_stale_and_asked_again(running: Running) -> None:
    await until(lambda: running.replica.is_ready)
    running.inventory.is_silent = True
    await until(lambda: running.replica.view().stale)
    await until(lambda: len(running.inventory.asked) >= 2)
    running.inventory.is_silent = False
    await until(lambda: not running.replica.view().stale)


async def test_a_feed_whose_numbers_went_back_is_read_anew(running: Running) -> None:
    await until(lambda: running.replica.is_ready)
    running.inventory.change(50, stock_block("x", "lille", 9))
    await until(lambda: running.replica.resume_after == 50)
    # A restored database: it knows nothing of 50.
    running.inventory.goes_back_to = 12
    running.inventory.snapshot = [
        inv.WatchStockResponse(
            sequence=12, snapshot=True, snapshot_complete=True, stock=stock_block("x", "lille", 5)
        )
    ]
    running.inventory.changes = []
    running.inventory.hang_up.set()
    await until(lambda: running.replica.resume_after == 12)
    assert running.inventory.asked[-2:] == [50, 0]
    assert running.replica.slice(["x"]).positions["x"]["lille"].free == 5


async def test_before_the_first_snapshot_the_answer_is_to_ask_again(promise_db: AsyncEngine) -> None:
    service = PromiseService(promise_db, StockReplica(), is_public_holiday)
    assert not service.is_ready
    server = rpc.build_server()
    add_PromiseServiceServicer_to_server(PromiseRpc(service), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = rpc.connect(f"127.0.0.1:{port}")
    with pytest.raises(Unavailable) as caught:
        await PromiseServiceStub(channel).PlanOrder(plan_order())
    assert caught.value.reason == "STOCK_UNKNOWN"
    assert caught.value.retryable
    await channel.close(None)
    await server.stop(None)

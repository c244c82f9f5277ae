"""Starts a world: the services, the relay's signals and a worker in one process, on real servers."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import grpc
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from kit import db, rpc, temporal
from kit.feed import Bell
from kit.outbox import OutboxRpc
from kit.times import now
from oms.booking.v1.booking_service_pb2_grpc import BookingServiceStub, add_BookingServiceServicer_to_server
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.inventory.v1 import supply_service_pb2 as sup
from oms.inventory.v1.basket_service_pb2_grpc import BasketServiceStub, add_BasketServiceServicer_to_server
from oms.inventory.v1.inventory_service_pb2_grpc import (
    InventoryServiceStub,
    add_InventoryServiceServicer_to_server,
)
from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceStub, add_ShelfServiceServicer_to_server
from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceStub, add_SupplyServiceServicer_to_server
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1.change_service_pb2_grpc import ChangeServiceStub, add_ChangeServiceServicer_to_server
from oms.orders.v1.collection_service_pb2_grpc import (
    CollectionServiceStub,
    add_CollectionServiceServicer_to_server,
)
from oms.orders.v1.consolidation_service_pb2_grpc import (
    ConsolidationServiceStub,
    add_ConsolidationServiceServicer_to_server,
)
from oms.orders.v1.offers_service_pb2_grpc import OffersServiceStub, add_OffersServiceServicer_to_server
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub, add_OrdersServiceServicer_to_server
from oms.orders.v1.tracking_service_pb2_grpc import TrackingServiceStub, add_TrackingServiceServicer_to_server
from oms.orders.v1.trial_service_pb2_grpc import TrialServiceStub, add_TrialServiceServicer_to_server
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub, add_OutboxServiceServicer_to_server
from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceStub, add_PaymentsServiceServicer_to_server
from oms.payments.v1.stored_value_service_pb2_grpc import (
    StoredValueServiceStub,
    add_StoredValueServiceServicer_to_server,
)
from oms.promise.v1 import promise_service_pb2 as prm
from oms.promise.v1 import ruleset_service_pb2 as rules
from oms.promise.v1.allocation_service_pb2_grpc import add_AllocationServiceServicer_to_server
from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceStub, add_CapacityServiceServicer_to_server
from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceStub, add_PromiseServiceServicer_to_server
from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceStub, add_RulesetServiceServicer_to_server
from oms.type.v1 import type_pb2 as types
from services.booking.patterns import Patterns
from services.booking.rpc import BookingRpc
from services.booking.service import BookingService
from services.inventory.baskets import Baskets
from services.inventory.baskets_rpc import BasketRpc
from services.inventory.business_days import BusinessDays
from services.inventory.counting import Counting
from services.inventory.future import FutureService
from services.inventory.rpc import InventoryRpc
from services.inventory.service import InventoryService
from services.inventory.shelf import Shelf
from services.inventory.shelf_rpc import ShelfRpc
from services.inventory.supply import SupplyService
from services.inventory.supply_rpc import SupplyRpc
from services.inventory.watch import StockWatch
from services.orders.amending import Amending
from services.orders.appointing import Appointments
from services.orders.changes_rpc import ChangesRpc
from services.orders.codes import Codes
from services.orders.collecting import Collecting
from services.orders.collecting_rpc import CollectionRpc
from services.orders.consolidating import Consolidating
from services.orders.consolidation_rpc import ConsolidationRpc
from services.orders.depositing import Depositing
from services.orders.holding import Holding
from services.orders.identities import Identities
from services.orders.labelling import Labels
from services.orders.offers_rpc import OffersRpc
from services.orders.refunding import Refunds
from services.orders.rpc import OrdersRpc
from services.orders.service import OrdersService
from services.orders.tracking import Tracking
from services.orders.tracking_rpc import TrackingRpc
from services.orders.trying import Trying
from services.orders.trying_rpc import TrialRpc
from services.payments.providers import Provider
from services.payments.providers.stored_value import StoredValueProvider
from services.payments.providers.stripe import StripeProvider
from services.payments.providers.till import TillProvider
from services.payments.rpc import PaymentsRpc
from services.payments.service import PaymentsService
from services.payments.stored_value import StoredValueService
from services.payments.stored_value_codes import CodeBook
from services.payments.stored_value_rpc import StoredValueRpc
from services.promise.allocation_rpc import AllocationRpc
from services.promise.capacities import Capacities
from services.promise.capacities_rpc import CapacityRpc
from services.promise.follower import StockFollower
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import StockReplica
from services.promise.rpc import PromiseRpc
from services.promise.rulesets import Rulesets
from services.promise.rulesets_rpc import RulesetRpc
from services.promise.service import PromiseService
from services.relay.domain import Event
from services.relay.following import Follower, Source
from services.relay.signals import Signals
from tests.conftest import MakeDatabase
from tests.simulators.payment_provider import API_KEY, WEBHOOK_SECRET, RunningProvider
from tests.workflows.faults import Faults
from tests.workflows.world import (
    ACROSS,
    BESIDE,
    FAR,
    MET,
    MID,
    NEAR,
    RING_SECONDS,
    SHIPPING_MINOR,
    World,
    until,
)
from workflows.worker import build_worker

CODEC_KEYS = "test:" + "A" * 43
# The life cycle of each: cooling-off, and when money is taken.
LIFE_CYCLES = {
    "quick": (0, "shipment"),
    "slow": (3600, "shipment"),
    "at-preparation": (0, "preparation"),
    "at-order": (0, "order"),
    "at-order-slow": (3600, "order"),
    "competing": (0, "shipment"),
    "for-a-person": (0, "shipment"),
    "in-time": (0, "shipment"),
    "paid-early": (0, "shipment"),
    "judged": (0, "shipment"),
    "judged-briefly": (0, "shipment"),
    "at-home": (0, "trial"),
    "meeting": (0, "shipment"),
    "meeting-slowly": (3600, "shipment"),
}
# Those in which points compete: how many each ring asks, and what becomes of work that nobody takes.
COMPETITIONS = {
    "competing": orders.Competition(rings=[2, 1], ring_seconds=RING_SECONDS, fallback="planned"),
    "for-a-person": orders.Competition(rings=[2], ring_seconds=RING_SECONDS, fallback="customer_service"),
}
CHANNELS = {
    "web": "quick",
    "slow": "slow",
    "market": "quick",
    "prepared": "at-preparation",
    "prepaid": "at-order",
    "prepaid-slow": "at-order-slow",
    "contest": "competing",
    "asked": "for-a-person",
    "in-time": "in-time",
    "paid-early": "paid-early",
    "judged": "judged",
    "judged-briefly": "judged-briefly",
    "tried": "at-home",
    "till": "quick",
    "meeting": "meeting",
    "meeting-slowly": "meeting-slowly",
}
# Two units are reviewed, three are refused.
JUDGED = orders.FraudPolicy(
    rules=[
        orders.FraudRule(
            name=f"over-{units}", weight=50, reason="many units", units_over=orders.UnitsOver(quantity=units)
        )
        for units in (1, 2)
    ],
    review_at=50,
    refuse_at=100,
)
CAP_MINOR = 1000
EVERY_DAY = range(1, 8)
_POSITIONS = {
    NEAR: (48.86, 2.38),
    MID: (47.90, 1.90),
    FAR: (43.30, 5.37),
    BESIDE: (48.84, 2.30),
    ACROSS: (48.90, 2.25),
}
# Enough for hundreds of orders at once: the pool of a production service is smaller, and there are more of them.
_POOL_SIZE = 12


class _Heard(Signals):
    """The relay's, which notes what the stories were told."""

    def __init__(self, told: set[tuple[str, str]], gather_seconds: float, *rest: Any) -> None:
        super().__init__(*rest)
        self._told = told
        self.gather_seconds = gather_seconds

    async def take(self, source: str, after: int, events: Sequence[Event]) -> None:
        await super().take(source, after, events)
        self._told.update((event.order_id, event.type) for event in events)


@asynccontextmanager
async def running(
    make_database: MakeDatabase,
    temporal_address: str,
    provider: RunningProvider,
    gather_seconds: float = Signals.gather_seconds,
) -> AsyncIterator[World]:
    """Starts it all, with the network loaded, and stops it.

    `gather_seconds`: for how long the relay gathers events before it tells the stories of them, all at once.
    """
    async with AsyncExitStack() as stack:
        engines = {}
        for name in ("inventory", "promise", "orders", "payments", "booking", "relay"):
            database = make_database(name)
            database.clean()
            engines[name] = db.connect(database.url, pool_size=_POOL_SIZE)
            stack.push_async_callback(engines[name].dispose)
        bells = {name: Bell() for name in engines}

        async def watch(as_of: datetime) -> None:
            service = OrdersService(engines["orders"], bells["orders"], Identities("a key of tests"))
            while await service.watch_promises(as_of, 100) == 100:
                pass

        channel = await _serve(stack, engines, bells, provider)
        client = await temporal.connect(temporal_address, "default", CODEC_KEYS)
        clock = TimeSkipper(client, config=TimeSkippingConfig(enabled=False))
        faults = Faults()
        task_queue = f"test-{uuid4().hex[:8]}"
        worker = build_worker(
            client,
            inventory=channel,
            promise=channel,
            orders=channel,
            payments=channel,
            booking=channel,
            task_queue=task_queue,
            interceptors=(faults,),
        )
        await stack.enter_async_context(worker)
        told: set[tuple[str, str]] = set()
        for name in ("orders", "payments", "booking", "inventory"):
            source = Source(name, OutboxServiceStub(await _outbox(stack, engines[name], bells[name], name)))
            signals = _Heard(told, gather_seconds, engines["relay"], client, task_queue)
            _in_background(stack, Follower(engines["relay"], engines["relay"], source, signals).run())
        world = World(
            client=client,
            clock=clock,
            task_queue=task_queue,
            faults=faults,
            provider=provider,
            inventory=InventoryServiceStub(channel),
            baskets=BasketServiceStub(channel),
            shelf=ShelfServiceStub(channel),
            supply=SupplyServiceStub(channel),
            promise=PromiseServiceStub(channel),
            rulesets=RulesetServiceStub(channel),
            capacity=CapacityServiceStub(channel),
            orders=OrdersServiceStub(channel),
            changes=ChangeServiceStub(channel),
            tracking=TrackingServiceStub(channel),
            trials=TrialServiceStub(channel),
            collections=CollectionServiceStub(channel),
            consolidation=ConsolidationServiceStub(channel),
            offers=OffersServiceStub(channel),
            payments=PaymentsServiceStub(channel),
            stored_value=StoredValueServiceStub(channel),
            booking=BookingServiceStub(channel),
            watch=watch,
            lockers=lambda banks: Depositing(engines["orders"], bells["orders"], Codes(["a key of tests"]), banks),
            told=told,
        )
        await _load(world)
        yield world


async def _serve(
    stack: AsyncExitStack,
    engines: Mapping[str, db.AsyncEngine],
    bells: Mapping[str, Bell],
    provider: RunningProvider,
) -> grpc.aio.Channel:
    """All services behind one port."""
    stripe = StripeProvider(
        url=provider.url,
        api_key=API_KEY,
        webhook_secret=WEBHOOK_SECRET,
        return_url="http://shop.example/back",
        timeout_seconds=5,
    )
    stack.push_async_callback(stripe.close)
    replica = StockReplica()
    server = rpc.build_server()
    inventory = InventoryService(engines["inventory"], bells["inventory"])
    add_InventoryServiceServicer_to_server(
        InventoryRpc(inventory, StockWatch(engines["inventory"], bells["inventory"])), server
    )
    baskets = BasketRpc(Baskets(engines["inventory"], bells["inventory"]), inventory)
    add_BasketServiceServicer_to_server(baskets, server)
    of_inventory = engines["inventory"], bells["inventory"]
    shelf = ShelfRpc(Shelf(*of_inventory), BusinessDays(*of_inventory), Counting(*of_inventory))
    add_ShelfServiceServicer_to_server(shelf, server)
    supply = SupplyRpc(SupplyService(*of_inventory), FutureService(*of_inventory))
    add_SupplyServiceServicer_to_server(supply, server)
    promise = PromiseService(engines["promise"], replica, is_public_holiday)
    add_PromiseServiceServicer_to_server(PromiseRpc(promise), server)
    add_AllocationServiceServicer_to_server(AllocationRpc(promise), server)
    add_CapacityServiceServicer_to_server(CapacityRpc(Capacities(engines["promise"], replica)), server)
    add_RulesetServiceServicer_to_server(RulesetRpc(Rulesets(engines["promise"])), server)
    of_orders = engines["orders"], bells["orders"]
    tracking = Tracking(*of_orders, {})
    holding = Holding(*of_orders)
    identities = Identities("a key of tests")
    orders_service = OrdersService(*of_orders, identities)
    orders_rpc = OrdersRpc(orders_service, Refunds(*of_orders), holding, tracking, Appointments(*of_orders))
    add_OrdersServiceServicer_to_server(orders_rpc, server)
    add_OffersServiceServicer_to_server(OffersRpc(orders_service), server)
    add_TrackingServiceServicer_to_server(TrackingRpc(tracking, Labels(engines["orders"], "9520417")), server)
    add_ChangeServiceServicer_to_server(ChangesRpc(Amending(*of_orders, identities)), server)
    add_TrialServiceServicer_to_server(TrialRpc(Trying(*of_orders)), server)
    codes = Codes(["a key of tests"])
    depositing = Depositing(*of_orders, codes, {})
    collecting = Collecting(*of_orders, codes, Identities("a key of tests"))
    add_CollectionServiceServicer_to_server(CollectionRpc(collecting, depositing), server)
    add_ConsolidationServiceServicer_to_server(ConsolidationRpc(Consolidating(*of_orders)), server)
    of_codes = engines["payments"], bells["payments"], CodeBook("a key of tests")
    stored_value = StoredValueProvider(*of_codes)
    providers: dict[str, Provider] = {"stripe": stripe, "stored_value": stored_value, "till": TillProvider()}
    payments = PaymentsService(engines["payments"], bells["payments"], providers, "stripe")
    add_PaymentsServiceServicer_to_server(PaymentsRpc(payments), server)
    add_StoredValueServiceServicer_to_server(StoredValueRpc(StoredValueService(*of_codes)), server)
    bookings = BookingService(engines["booking"], bells["booking"])
    add_BookingServiceServicer_to_server(BookingRpc(bookings, Patterns(engines["booking"])), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stack.push_async_callback(server.stop, 0)
    channel = await stack.enter_async_context(rpc.connect(f"127.0.0.1:{port}"))
    _in_background(stack, rpc.periodically("expire_bookings", 0.2, lambda: bookings.expire(now())))
    _in_background(stack, StockFollower(channel, replica).run())
    _in_background(stack, rpc.periodically("lapse_holds", 0.5, lambda: holding.lapse_holds(now(), 100)))

    async def refresh() -> bool:
        await promise.refresh_terms()
        return promise.is_ready

    await until(refresh, "promise ready")
    return channel


async def _outbox(stack: AsyncExitStack, engine: db.AsyncEngine, bell: Bell, name: str) -> grpc.aio.Channel:
    """Each source's outbox on a port of its own, as in production."""
    server = rpc.build_server()
    add_OutboxServiceServicer_to_server(OutboxRpc(engine, bell, f"/{name}"), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stack.push_async_callback(server.stop, 0)
    return await stack.enter_async_context(rpc.connect(f"127.0.0.1:{port}"))


def _in_background(stack: AsyncExitStack, job: Any) -> None:
    task = asyncio.ensure_future(job)

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)


async def _load(world: World) -> None:
    await _load_points(world)
    await _load_carrier(world)
    await _load_channels(world)


async def _load_points(world: World) -> None:
    """Three points, ever farther from the customer; open and collected every day, so that plans never wait.

    The nearest cannot engrave, and is the one at which parcels may meet.
    """
    points = [
        inv.StockPoint(
            point_id=point,
            name=point,
            type=types.POINT_TYPE_WAREHOUSE,
            position=types.Position(latitude=latitude, longitude=longitude),
            country="FR",
            postcode="75001",
            city="Paris",
            time_zone="Europe/Paris",
            opening_hours=[inv.OpeningHours(weekday=day, opens_minute=0, closes_minute=1440) for day in EVERY_DAY],
            open_on_public_holidays=True,
            collections=[inv.Collection(carrier_id="VAN", weekday=day, cut_off_minute=1080) for day in EVERY_DAY],
            capabilities=[
                "ship_from_store",
                "click_and_collect",
                "e_reservation",
                "locker",
                "consolidation" if point == NEAR else "engraving",
            ],
            handling_minutes=10,
            ownership="owned",
        )
        for point, (latitude, longitude) in _POSITIONS.items()
    ]
    await world.inventory.PutStockPoints(inv.PutStockPointsRequest(points=points))


async def _load_channels(world: World) -> None:
    """By the life cycles above; customer service may give 10.00 as goodwill."""
    await world.inventory.PutChannels(
        inv.PutChannelsRequest(
            channels=[
                inv.Channel(channel_id=name, name=name, currency="EUR", activated_points=list(_POSITIONS))
                for name in CHANNELS
            ]
        )
    )
    may_promise = sup.FutureRules(kinds=[sup.EXPECTED_KIND_ON_ORDER], longest_promise_days=60)
    for name in ("web", "slow"):
        await world.supply.PutFutureRules(sup.PutFutureRulesRequest(channel_id=name, rules=may_promise))
    cap = orders.GoodwillCap(role="customer_service", currency="EUR", amount_minor=CAP_MINOR)
    brief = orders.HoldRule(kind="fraud", seconds=1, default="cancel", roles=["customer_service"])
    for name, (cooling_off, capture_at) in LIFE_CYCLES.items():
        await world.orders.PublishLifeCycle(
            orders.PublishLifeCycleRequest(
                life_cycle=orders.LifeCycle(
                    life_cycle_id=name,
                    cooling_off_seconds=cooling_off,
                    offer_seconds=3600,
                    payment_action_seconds=900,
                    reroute_limit=3,
                    # Work is given out at once, but for those that wait until it must begin.
                    prepare_ahead_seconds=0 if name in ("in-time", "paid-early") else 30 * 86_400,
                    authorise_ahead_seconds=90 * 86_400 if name == "paid-early" else 0,
                    capture_at=capture_at,
                    lost_after_days=30 if capture_at == "trial" else 0,
                    goodwill_caps=[cap],
                    competition=COMPETITIONS.get(name),
                    fraud=JUDGED if name.startswith("judged") else None,
                    hold_rules=[brief] if name == "judged-briefly" else [],
                    consolidates=name.startswith("meeting"),
                )
            )
        )
    await world.orders.PutSalesChannels(
        orders.PutSalesChannelsRequest(
            channels=[
                orders.SalesChannel(
                    channel_id=name,
                    name=name,
                    currency="EUR",
                    life_cycle_id=life_cycle,
                    till_payments=["cash", "till_card"] if name == "till" else [],
                )
                for name, life_cycle in CHANNELS.items()
            ]
        )
    )


async def _load_carrier(world: World) -> None:
    """One van that comes and delivers every day, and a ruleset that prefers near points."""
    await world.promise.PutGeography(
        prm.PutGeographyRequest(
            zones=[prm.Zone(zone_id="FR", country="FR", postcode_prefixes=[""], time_zone="Europe/Paris")],
            areas=[
                prm.PostcodeArea(
                    country="FR", prefix="75", position=types.Position(latitude=48.86, longitude=2.35)
                )
            ],
        )
    )
    van = prm.CarrierService(
        service_id="VAN-HOME",
        name="Van",
        mode=types.DELIVERY_MODE_HOME_STANDARD,
        max_weight_grams=30_000_000,
        max_length_millimetres=3000,
        delivery_weekdays=list(EVERY_DAY),
        delivery_from_minute=480,
        delivery_until_minute=1080,
        zones=[
            prm.ZoneTerms(
                zone_id="FR",
                transit_days_min=1,
                transit_days_max=2,
                rates=[prm.RateStep(up_to_grams=30_000_000, price=types.Money(amount_minor=500, currency="EUR"))],
                customer_price=types.Money(amount_minor=SHIPPING_MINOR, currency="EUR"),
            )
        ],
        carbon_legs=[prm.CarbonLeg(transport="road", grams_per_tonne_kilometre=100)],
        carbon_factor="test 1",
    )
    met = prm.CarrierService()
    met.CopyFrom(van)
    met.service_id, met.mode, met.one_shipment = MET, types.DELIVERY_MODE_APPOINTMENT, True
    shuttle = prm.CarrierService()
    shuttle.CopyFrom(van)
    shuttle.service_id, shuttle.mode = "VAN-SHUTTLE", types.DELIVERY_MODE_SHIP_TO_STORE
    shuttle.zones[0].rates[0].price.amount_minor = 10
    await world.promise.PutCarriers(
        prm.PutCarriersRequest(carriers=[prm.Carrier(carrier_id="VAN", name="Van", services=[van, met, shuttle])])
    )
    near_first = rules.Ruleset(
        currency="EUR",
        split_cost_minor=300,
        distance_cost_minor_per_kilometre=1,
        max_wait_days=30,
        consolidation=rules.Consolidation(cost_minor=5, wait_days=5),
    )
    await world.rulesets.PublishRuleset(
        rules.PublishRulesetRequest(
            content=rules.RulesetContent(ruleset=near_first), actor="tests", reason="the world begins"
        )
    )

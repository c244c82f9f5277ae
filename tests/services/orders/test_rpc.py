"""The process itself over gRPC: answers, errors that name the field, health and events."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2, health_pb2_grpc

from kit import rpc
from kit.errors import OmsError
from kit.values.ids import derived_id
from oms.orders.v1 import orders_service_pb2 as pb
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from oms.outbox.v1 import outbox_service_pb2 as outbox_pb
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub
from oms.type.v1 import type_pb2
from tests.conftest import MakeDatabase

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
numbers = count()


def stamp(instant: datetime = NOW) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(instant)
    return made


@pytest.fixture(scope="module")
def address(make_database: MakeDatabase) -> Iterator[str]:
    """`python -m services.orders`, as it runs everywhere."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {
        **os.environ,
        "OMS_LISTEN": listen,
        "OMS_DATABASE_URL": make_database("orders").url,
        "OMS_IDENTITY_KEY": "a key of tests",
        "OMS_GS1_COMPANY_PREFIX": "9520417",
        "OMS_LINK_KEYS": "test",
        "OMS_PUBLIC_URL": "https://shop.test",
        "PYTHONPATH": os.pathsep.join(["protos/gen", "."]),
    }
    root = Path(__file__).parents[3]
    process = subprocess.Popen([sys.executable, "-m", "services.orders"], env=environment, cwd=root)
    try:
        yield listen
    finally:
        process.terminate()
        assert process.wait(timeout=15) == 0


class Orders:
    """The stubs, and a channel to sell through."""

    def __init__(self, channel: Any) -> None:
        self.stub: Any = OrdersServiceStub(channel)
        self.outbox: Any = OutboxServiceStub(channel)
        self.health: Any = health_pb2_grpc.HealthStub(channel)

    async def is_serving(self) -> bool:
        try:
            answer = await self.health.Check(health_pb2.HealthCheckRequest())
        except OmsError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@pytest_asyncio.fixture
async def orders(address: str) -> AsyncIterator[Orders]:
    async with rpc.connect(address) as channel:
        made = Orders(channel)
        async with asyncio.timeout(30):
            while not await made.is_serving():  # noqa: ASYNC110 - another process can only be asked again
                await asyncio.sleep(0.05)
        life_cycle = pb.LifeCycle(
            life_cycle_id="standard", cooling_off_seconds=60, offer_seconds=600, payment_action_seconds=900
        )
        await made.stub.PublishLifeCycle(pb.PublishLifeCycleRequest(life_cycle=life_cycle))
        sales = pb.SalesChannel(channel_id="web", name="Web", currency="EUR", life_cycle_id="standard")
        await made.stub.PutSalesChannels(pb.PutSalesChannelsRequest(channels=[sales]))
        yield made


def content() -> pb.OrderContent:
    return pb.OrderContent(
        channel_id="web",
        customer=pb.Customer(name="Zoé Plantée", email="zoe@example.org"),
        ship_to=pb.Address(
            name="Zoé", street_lines=["7 impasse du Secret"], postcode="69002", city="Lyon", country="FR"
        ),
        lines=[
            pb.OrderLine(
                line_number=1,
                sku="SKU-1",
                brand="maison",
                title="Vase",
                quantity=2,
                net_minor=5000,
                tax_minor=1000,
                tax_rate_basis_points=2000,
                shipping_minor=490,
                discounts=[pb.DiscountShare(code="WELCOME", amount_minor=500)],
            )
        ],
        total=type_pb2.Money(amount_minor=6490, currency="EUR"),
        mode=type_pb2.DELIVERY_MODE_HOME_EXPRESS,
        quote_id="quo_1",
        payment=pb.PaymentTerms(payment_method_token="pm_card_visa"),
        source_placed_at=stamp(NOW - timedelta(days=30)),
    )


def key() -> str:
    return f"key-{next(numbers)}"


async def record(orders: Orders) -> pb.RecordOrderResponse:
    request = pb.RecordOrderRequest(idempotency_key=key(), content=content(), placed_at=stamp())
    response: pb.RecordOrderResponse = await orders.stub.RecordOrder(request)
    return response


def acceptance(order_id: str, **changes: Any) -> pb.AcceptOrderRequest:
    leg = pb.PlannedLeg(
        point_id="store-lyon",
        carrier_id="colis",
        service_id="express",
        lines=[pb.PlannedLine(line_number=1, sku="SKU-1", quantity=2)],
        hand_over_by=stamp(NOW + timedelta(hours=5)),
    )
    promise = type_pb2.Window(start=stamp(NOW + timedelta(days=1)), end=stamp(NOW + timedelta(days=2)))
    chosen = {"legs": [leg], "promise": promise, "payment": "authorized", "as_of": stamp(), **changes}
    return pb.AcceptOrderRequest(request_id=key(), order_id=order_id, **chosen)


async def error_of(call: Awaitable[Any]) -> OmsError:
    with pytest.raises(OmsError) as caught:
        await call
    return caught.value


# -- one order --------------------------------------------------------------------------------------------


async def test_an_order_goes_the_whole_way_over_grpc(orders: Orders) -> None:
    stub, placed = orders.stub, await record(orders)
    order_id = placed.order.order_id
    accepted = await stub.AcceptOrder(acceptance(order_id))
    assert accepted.state == pb.ORDER_STATE_VALIDATED
    work = accepted.fulfilments[0].fulfilment_id
    released = await stub.ReleaseOrder(pb.ReleaseOrderRequest(request_id=key(), order_id=order_id))
    assert released.state == pb.ORDER_STATE_RELEASED

    def of(request_type: Any, **fields: Any) -> Any:
        return request_type(request_id=key(), fulfilment_id=work, as_of=stamp(), **fields)

    offered = await stub.OfferFulfilment(of(pb.OfferFulfilmentRequest))
    assert offered.offer_deadline == stamp(NOW + timedelta(seconds=600))
    await stub.AcceptOffer(of(pb.AcceptOfferRequest, actor="anna"))
    lapsed = await stub.LapseOffer(of(pb.LapseOfferRequest))
    assert lapsed.state == pb.FULFILMENT_STATE_ACCEPTED
    found = [pb.PlannedLine(line_number=1, sku="SKU-1", quantity=2)]
    await stub.RecordPick(of(pb.RecordPickRequest, found=found))
    packed = await stub.CloseParcel(of(pb.CloseParcelRequest, weight_grams=1200))
    assert packed.fulfilment.parcel.amount.amount_minor == 6490
    paid = await stub.RecordCapture(of(pb.RecordCaptureRequest, capture_state="captured"))
    assert (paid.state, paid.fulfilment.parcel.capture_state) == (pb.FULFILMENT_STATE_PACKED, "captured")
    gone = await stub.HandOver(of(pb.HandOverRequest))
    scan = pb.RecordCarrierEventRequest(
        request_id=key(),
        carrier_id="colis",
        tracking_code=gone.fulfilment.parcel.tracking_code,
        status="delivered",
        occurred_at=stamp(),
    )
    assert not (await stub.RecordCarrierEvent(scan)).duplicate
    scan.occurred_at.CopyFrom(stamp(NOW + timedelta(minutes=1)))
    assert (await stub.RecordCarrierEvent(scan)).duplicate
    closed = await stub.CloseOrder(pb.CloseOrderRequest(request_id=key(), order_id=order_id))
    assert closed.state == pb.ORDER_STATE_CLOSED
    order = (await stub.GetOrder(pb.GetOrderRequest(order_id=order_id))).order
    assert order.customer_status == "delivered"
    sent = content()
    sent.payment.payment_method_token = ""
    assert order.content == sent, "but for the token, which is forgotten"
    assert [(one.from_unit, one.to_unit, one.state) for one in order.ranges] == [(0, 2, "delivered")]
    assert order.fulfilments[0].state == pb.FULFILMENT_STATE_DELIVERED
    timeline = await stub.GetTimeline(pb.GetTimelineRequest(order_id=order_id))
    assert timeline.entries[-1].kind == "order.closed"
    label = await stub.GetFulfilment(pb.GetFulfilmentRequest(fulfilment_id=work))
    assert label.ship_to.street_lines == ["7 impasse du Secret"]


async def test_a_promise_that_nobody_kept_is_told_by_the_process_itself(orders: Orders) -> None:
    rules = [pb.LatenessRule(late_seconds=3600, fee_basis_points=5000)]
    strict = pb.LifeCycle(
        life_cycle_id="strict", offer_seconds=600, payment_action_seconds=900, lateness_rules=rules
    )
    kept = await orders.stub.PublishLifeCycle(pb.PublishLifeCycleRequest(life_cycle=strict))
    assert list(kept.life_cycle.lateness_rules) == rules
    sales = pb.SalesChannel(channel_id="late", name="Late", currency="EUR", life_cycle_id="strict")
    await orders.stub.PutSalesChannels(pb.PutSalesChannelsRequest(channels=[sales]))
    sent = content()
    sent.channel_id = "late"
    request = pb.RecordOrderRequest(idempotency_key=key(), content=sent, placed_at=stamp())
    order_id = (await orders.stub.RecordOrder(request)).order.order_id
    placed, day = datetime.now(UTC) - timedelta(hours=12), timedelta(days=1)
    promise = type_pb2.Window(start=stamp(placed + day), end=stamp(placed + 2 * day))
    later = type_pb2.Window(start=stamp(placed + 2 * day), end=stamp(placed + 3 * day))
    accept = acceptance(order_id, promise=promise, as_of=stamp(placed))
    leg = accept.legs[0]
    leg.window.CopyFrom(promise)
    leg.hand_over_by.CopyFrom(stamp(placed + timedelta(hours=5)))
    leg.latest_start.CopyFrom(stamp(placed + timedelta(hours=4)))
    leg.next_hand_over_by.CopyFrom(stamp(placed + timedelta(hours=29)))
    leg.next_window.CopyFrom(later)
    accepted = await orders.stub.AcceptOrder(accept)
    assert accepted.fulfilments[0].next_window == later

    async with asyncio.timeout(30):
        # another process can only be asked again
        while not (late := (await orders.stub.ListOrders(pb.ListOrdersRequest(late=True))).orders):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert [one.order_id for one in late] == [order_id]
    order = (await orders.stub.GetOrder(pb.GetOrderRequest(order_id=order_id))).order
    assert (order.promise, order.current_promise) == (promise, later)
    (change,) = order.promise_changes
    assert [(one.window, one.cause) for one in change.parcels] == [(later, "hand_over_missed")]
    assert order.compensation == type_pb2.Money(amount_minor=245, currency="EUR")
    assert order.fulfilments[0].HasField("start_missed_at")
    events = (await orders.outbox.PullEvents(outbox_pb.PullEventsRequest(limit=1000))).events
    told = [event.type.removeprefix("oms.orders.") for event in events if event.order_id == order_id]
    assert told[-3:] == ["fulfilment.start_missed", "order.promise_changed", "compensation.due"]


async def test_a_leg_that_says_half_of_what_a_miss_means_names_the_field(orders: Orders) -> None:
    order_id = (await record(orders)).order.order_id
    for at, window, field in (
        (NOW + timedelta(hours=29), None, "legs[0].next_window"),
        (NOW, type_pb2.Window(start=stamp(), end=stamp()), "legs[0].next_hand_over_by"),
    ):
        request = acceptance(order_id)
        request.legs[0].next_hand_over_by.CopyFrom(stamp(at))
        if window:
            request.legs[0].next_window.CopyFrom(window)
        error = await error_of(orders.stub.AcceptOrder(request))
        assert error.facts["field"] == field


async def test_a_reach_is_held_to_and_is_no_part_of_the_content(orders: Orders) -> None:
    stub, order_id = orders.stub, (await record(orders)).order.order_id
    work = (await stub.AcceptOrder(acceptance(order_id))).fulfilments[0].fulfilment_id
    await stub.ReleaseOrder(pb.ReleaseOrderRequest(request_id=key(), order_id=order_id))
    await stub.OfferFulfilment(pb.OfferFulfilmentRequest(request_id=key(), fulfilment_id=work))
    lyon, nice = pb.Reach(point_ids=["store-lyon"], brands=["maison"]), pb.Reach(point_ids=["store-nice"])

    async def accept(reach: pb.Reach | None) -> Any:
        request = pb.AcceptOfferRequest(request_id=f"accept-{work}", fulfilment_id=work, reach=reach)
        return await stub.AcceptOffer(request)

    assert (await error_of(accept(nice))).reason == "FULFILMENT_NOT_FOUND"
    first = await accept(lyon)
    assert await accept(None) == first
    assert (await error_of(accept(nice))).reason == "FULFILMENT_NOT_FOUND"


async def test_a_picker_says_line_numbers_and_need_not_know_skus(orders: Orders) -> None:
    stub, order_id = orders.stub, (await record(orders)).order.order_id
    work = (await stub.AcceptOrder(acceptance(order_id))).fulfilments[0].fulfilment_id
    await stub.ReleaseOrder(pb.ReleaseOrderRequest(request_id=key(), order_id=order_id))
    await stub.OfferFulfilment(pb.OfferFulfilmentRequest(request_id=key(), fulfilment_id=work))
    await stub.AcceptOffer(pb.AcceptOfferRequest(request_id=key(), fulfilment_id=work))

    async def pick(*found: pb.PlannedLine) -> Any:
        return await stub.RecordPick(pb.RecordPickRequest(request_id=key(), fulfilment_id=work, found=found))

    one = pb.PlannedLine(line_number=1, quantity=1)
    unknown = await error_of(pick(one, pb.PlannedLine(line_number=9, quantity=1)))
    assert (unknown.code, unknown.facts["field"]) == ("INVALID_ARGUMENT", "found[1].line_number")
    [line] = (await pick(one)).fulfilment.lines
    assert (line.line_number, line.sku, line.quantity) == (1, "SKU-1", 1)


async def test_a_workflow_is_told_ids_and_amounts_and_no_person(orders: Orders) -> None:
    placed = await record(orders)
    facts = placed.facts
    assert facts.order_id == placed.order.order_id
    assert facts.destination == type_pb2.Destination(country="FR", postcode="69002")
    assert facts.mode == type_pb2.DELIVERY_MODE_HOME_EXPRESS
    assert facts.payment.payment_method_token == "pm_card_visa"
    assert facts.life_cycle.version == 1
    assert "Zo" not in str(facts)
    unstarted = await orders.stub.ListUnstarted(
        pb.ListUnstartedRequest(recorded_before=stamp(datetime.now(UTC) + timedelta(minutes=1)), limit=500)
    )
    assert facts in unstarted.orders


async def test_the_id_of_an_order_is_known_before_it_is_recorded(orders: Orders) -> None:
    request = pb.RecordOrderRequest(idempotency_key="known", content=content())
    first = await orders.stub.RecordOrder(request)
    again = await orders.stub.RecordOrder(request)
    assert first.order.order_id == derived_id("ord", "web", "known")
    assert (first.existed, again.existed) == (False, True)
    assert again.order == first.order


async def test_a_request_repeated_later_gives_the_first_answer(orders: Orders) -> None:
    request = acceptance((await record(orders)).order.order_id)
    first = await orders.stub.AcceptOrder(request)
    request.as_of.CopyFrom(stamp(NOW + timedelta(minutes=5)))
    assert await orders.stub.AcceptOrder(request) == first
    request.payment = "paid_by_channel"
    error = await error_of(orders.stub.AcceptOrder(request))
    assert (error.reason, error.facts["field"]) == ("IDEMPOTENCY_CONFLICT", "request_id")


async def test_one_request_id_is_not_used_for_two_things(orders: Orders) -> None:
    order_id = (await record(orders)).order.order_id
    await orders.stub.RequestCancellation(pb.RequestCancellationRequest(request_id="twice", order_id=order_id))
    error = await error_of(
        orders.stub.CompleteCancellation(pb.CompleteCancellationRequest(request_id="twice", order_id=order_id))
    )
    assert error.reason == "IDEMPOTENCY_CONFLICT"


# -- errors -----------------------------------------------------------------------------------------------


def changed(path: str, value: Any) -> pb.RecordOrderRequest:
    """A good placement with one field replaced."""
    request = pb.RecordOrderRequest(idempotency_key=key(), content=content())
    target: Any = request.content
    *parents, last = path.split(".")
    for parent in parents:
        target = target.lines[0] if parent == "line" else getattr(target, parent)
    setattr(target, last, value)
    return request


@pytest.mark.parametrize(
    ("path", "value", "field", "reason"),
    [
        ("channel_id", "nowhere", "channel_id", "UNKNOWN_CHANNEL"),
        ("line.quantity", -1, "lines[0].quantity", "RETURN_NOT_SUPPORTED"),
        ("line.tax_minor", 2000, "lines[0].tax_minor", "TAX_MISMATCH"),
        ("total.amount_minor", 1, "total", "TOTAL_MISMATCH"),
        ("total.currency", "USD", "total.currency", "CURRENCY_MISMATCH"),
        ("mode", 0, "mode", "INVALID_FIELD"),
        ("mode", 99, "mode", "INVALID_FIELD"),
        ("ship_to.country", "France", "ship_to.country", "INVALID_FIELD"),
        ("line.title", "a\x00b", "lines[0].title", "INVALID_FIELD"),
        ("customer.name", "\x00", "customer.name", "INVALID_FIELD"),
        ("channel_order_number", "9" * 256, "channel_order_number", "INVALID_FIELD"),
        ("gift_message", "x" * 301, "gift_message", "INVALID_FIELD"),
        ("gift_message", "two\nlines", "gift_message", "INVALID_FIELD"),
    ],
)
async def test_a_bad_placement_names_the_field(
    orders: Orders, path: str, value: Any, field: str, reason: str
) -> None:
    error = await error_of(orders.stub.RecordOrder(changed(path, value)))
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", reason)
    assert error.facts["field"] == field


async def test_a_gift_message_is_kept_with_the_order(orders: Orders) -> None:
    sent = content()
    sent.gift_message = "é" * 300
    recorded = await orders.stub.RecordOrder(pb.RecordOrderRequest(idempotency_key=key(), content=sent))
    read = await orders.stub.GetOrder(pb.GetOrderRequest(order_id=recorded.order.order_id))
    assert read.order.content.gift_message == sent.gift_message


async def test_other_content_under_a_key_names_the_field(orders: Orders) -> None:
    request = pb.RecordOrderRequest(idempotency_key=key(), content=content())
    await orders.stub.RecordOrder(request)
    request.content.ship_to.city = "Villeurbanne"
    error = await error_of(orders.stub.RecordOrder(request))
    assert (error.code, error.reason) == ("ALREADY_EXISTS", "IDEMPOTENCY_CONFLICT")
    assert error.facts["field"] == "ship_to.city"


async def test_bad_questions_name_the_field(orders: Orders) -> None:
    order_id = (await record(orders)).order.order_id
    stub = orders.stub
    for call, field in (
        (stub.RecordOrder(pb.RecordOrderRequest(content=content())), "idempotency_key"),
        (stub.GetOrder(pb.GetOrderRequest(order_id="\x00")), "order_id"),
        (stub.GetOrder(pb.GetOrderRequest(order_id="ord_none")), "order_id"),
        (stub.ListOrders(pb.ListOrdersRequest(page=type_pb2.PageRequest(size=501))), "page.size"),
        (stub.ListOrders(pb.ListOrdersRequest(page=type_pb2.PageRequest(cursor="???"))), "page.cursor"),
        (stub.ListOrders(pb.ListOrdersRequest(page=type_pb2.PageRequest(cursor="WzEsMl0"))), "page.cursor"),
        (stub.ListWork(pb.ListWorkRequest(states=[pb.FULFILMENT_STATE_UNSPECIFIED])), "states[0]"),
        (stub.ListWorkMarks(pb.ListWorkMarksRequest()), "point_ids"),
        (stub.ListWorkMarks(pb.ListWorkMarksRequest(point_ids=["store-lyon"] * 1001)), "point_ids"),
        (stub.ListUnstarted(pb.ListUnstartedRequest(limit=501)), "limit"),
        (stub.AcceptOrder(acceptance(order_id, legs=[])), "legs"),
        (stub.AcceptOrder(acceptance(order_id, payment="promised")), "payment"),
        (stub.AcceptOrder(acceptance(order_id, promise=type_pb2.Window(end=stamp()))), "promise"),
        (stub.AcceptOrder(acceptance(order_id, as_of=Timestamp(seconds=2**60))), "as_of"),
        (stub.ReleaseOrder(pb.ReleaseOrderRequest(order_id=order_id)), "request_id"),
        (stub.RecordCarrierEvent(pb.RecordCarrierEventRequest(request_id="e", carrier_id="c")), "status"),
        (stub.PublishLifeCycle(pb.PublishLifeCycleRequest()), "life_cycle.life_cycle_id"),
    ):
        error = await error_of(call)
        assert error.facts["field"] == field


async def test_what_the_state_forbids_is_a_failed_precondition(orders: Orders) -> None:
    order_id = (await record(orders)).order.order_id
    error = await error_of(orders.stub.ReleaseOrder(pb.ReleaseOrderRequest(request_id=key(), order_id=order_id)))
    assert (error.code, error.reason) == ("FAILED_PRECONDITION", "ILLEGAL_TRANSITION")
    assert error.facts["state"] == "recorded"
    error = await error_of(orders.stub.CloseOrder(pb.CloseOrderRequest(request_id=key(), order_id=order_id)))
    assert error.reason == "NOT_FINISHED"


# -- lists and events -------------------------------------------------------------------------------------


async def test_pages_hold_every_order_once(orders: Orders) -> None:
    wanted = {(await record(orders)).order.order_id for _ in range(3)}
    seen: list[str] = []
    cursor = ""
    while True:
        page = type_pb2.PageRequest(size=2, cursor=cursor)
        response = await orders.stub.ListOrders(pb.ListOrdersRequest(page=page))
        seen += [order.order_id for order in response.orders]
        assert not any(order.ranges or order.fulfilments for order in response.orders)
        if not (cursor := response.page.next_cursor):
            break
    assert wanted <= set(seen)
    assert len(seen) == len(set(seen))


async def test_events_are_pulled_in_order_and_a_waiting_reader_is_woken(orders: Orders) -> None:
    async def pull(after: int, wait_milliseconds: int = 0) -> Any:
        request = outbox_pb.PullEventsRequest(
            after_sequence=after, limit=1000, wait_milliseconds=wait_milliseconds
        )
        return (await orders.outbox.PullEvents(request)).events

    before = await pull(0)
    last = before[-1].sequence if before else 0
    waiting = asyncio.create_task(pull(last, 20_000))
    placed = await record(orders)
    woken = await asyncio.wait_for(waiting, 5)
    # Deadlines of other orders here may have passed meanwhile.
    events = [*woken, *await pull(last)]
    event = next(one for one in events if one.subject == f"order/{placed.order.order_id}")
    assert (event.type, event.source) == ("oms.orders.order.recorded", "/orders")
    assert json.loads(event.data_json)["lines"] == [{"line_number": 1, "sku": "SKU-1", "quantity": 2}]
    assert "Zo" not in event.data_json


async def test_an_order_says_what_the_other_services_must_know_of_it(orders: Orders) -> None:
    stub, order_id = orders.stub, (await record(orders)).order.order_id
    other = (await record(orders)).order.order_id

    async def obligation() -> pb.Obligation:
        asked = pb.ListObligationsRequest(order_ids=[order_id, "ord_nobody"])
        one: pb.Obligation
        [one] = (await stub.ListObligations(asked)).obligations
        return one

    placing = await obligation()
    assert (placing.driven, placing.in_flux, list(placing.units)) == (True, True, [])
    work = (await stub.AcceptOrder(acceptance(order_id))).fulfilments[0].fulfilment_id
    accepted = await obligation()
    assert (accepted.in_flux, accepted.captured.amount_minor) == (False, 0)
    assert accepted.HasField("refunded")
    assert accepted.refunded.amount_minor == 0
    held = [pb.ObligedUnits(sku="SKU-1", point_id="store-lyon", quantity=2)]
    assert list(accepted.units) == held, "an accepted order's units are held where they are prepared"

    await stub.ReleaseOrder(pb.ReleaseOrderRequest(request_id=key(), order_id=order_id))
    await stub.OfferFulfilment(pb.OfferFulfilmentRequest(request_id=key(), fulfilment_id=work))
    await stub.RefuseOffer(pb.RefuseOfferRequest(request_id=key(), fulfilment_id=work, reason="no_staff"))
    refused = await obligation()
    assert (refused.in_flux, list(refused.units)) == (True, []), "its units look for another place"

    pages, cursor = list[str](), ""
    while not pages or cursor:
        page = await stub.ListObligations(
            pb.ListObligationsRequest(page=type_pb2.PageRequest(size=1, cursor=cursor))
        )
        pages += [one.order_id for one in page.obligations]
        cursor = page.page.next_cursor
    assert pages == sorted(set(pages))
    assert {order_id, other} <= set(pages)

    refusal = pb.Refusal(reason="PAYMENT_DECLINED", detail="declined")
    await stub.RefuseOrder(pb.RefuseOrderRequest(request_id=key(), order_id=other, refusal=refusal))
    everything = pb.ListObligationsRequest(page=type_pb2.PageRequest(size=500))
    still_open = {one.order_id for one in (await stub.ListObligations(everything)).obligations}
    assert (order_id in still_open, other in still_open) == (True, False)
    too_many = await error_of(stub.ListObligations(pb.ListObligationsRequest(order_ids=["x"] * 501)))
    assert too_many.facts["field"] == "order_ids"


async def test_an_order_waits_for_a_delivery_and_is_told_what_became_of_it(orders: Orders) -> None:
    stub, order_id = orders.stub, (await record(orders)).order.order_id
    wanted = acceptance(order_id)
    due_at = Timestamp(seconds=wanted.legs[0].hand_over_by.seconds)
    wanted.legs[0].waits_until.CopyFrom(due_at)
    wanted.legs[0].lines[0].supply_id = "po-1"
    await stub.AcceptOrder(wanted)
    one = (await stub.GetOrder(pb.GetOrderRequest(order_id=order_id))).order
    (awaited,) = one.fulfilments[0].awaited
    assert (awaited.sku, awaited.quantity, awaited.supply_id, awaited.due_at) == ("SKU-1", 2, "po-1", due_at)
    assert [(hold.kind, hold.default, hold.until) for hold in one.holds][1:] == [("stock", "wait", due_at)]
    told = pb.RecordSupplyRequest(
        request_id=key(), order_id=order_id, supply_id="po-1", outcome="lost", quantity=2, reason="supply_short"
    )
    reply = await stub.RecordSupply(told)
    assert reply.state == pb.ORDER_STATE_VALIDATED
    (share,) = reply.shares
    assert (share.point_id, share.emptied, share.lines[0].quantity) == ("store-lyon", True, 2)
    assert share.window == one.fulfilments[0].window
    told.outcome, told.request_id = "eaten", key()
    assert (await error_of(stub.RecordSupply(told))).facts["field"] == "outcome"

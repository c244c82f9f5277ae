"""Parcels on their way over gRPC: what is passed on, and errors that name the field."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import rpc, times
from kit.errors import FailedPrecondition, InvalidArgument, NotFound, OmsError
from kit.values import gs1
from oms.orders.v1 import orders_service_pb2 as pb
from oms.orders.v1 import tracking_service_pb2 as trk
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub, add_OrdersServiceServicer_to_server
from oms.orders.v1.tracking_service_pb2_grpc import TrackingServiceStub, add_TrackingServiceServicer_to_server
from services.orders.appointing import Appointments
from services.orders.holding import Holding
from services.orders.labelling import Labels
from services.orders.refunding import Refunds
from services.orders.rpc import OrdersRpc
from services.orders.tracking_rpc import TrackingRpc
from tests.services.orders.builders import NOON, Shop, leg


@pytest_asyncio.fixture
async def stubs(shop: Shop, orders_db: AsyncEngine) -> AsyncIterator[tuple[Any, Any]]:
    server = rpc.build_server()
    parts = orders_db, shop.service._bell
    face = OrdersRpc(shop.service, Refunds(*parts), Holding(*parts), shop.tracking, Appointments(*parts))
    add_OrdersServiceServicer_to_server(face, server)
    add_TrackingServiceServicer_to_server(TrackingRpc(shop.tracking, Labels(orders_db, "9520417")), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with rpc.connect(f"127.0.0.1:{port}") as channel:
        yield OrdersServiceStub(channel), TrackingServiceStub(channel)
    await server.stop(0)


async def sent(shop: Shop) -> tuple[str, str]:
    order_id, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.pack(work)
    await shop.service.hand_over(shop.asked(), work, "T1", "anna", NOON)
    return order_id, work


def lost(work: str, request_id: str = "r1", **changes: Any) -> trk.DeclareParcelLostRequest:
    known = {"cause": "lost", "reason": "the claims desk says so", "actor": "carol", **changes}
    return trk.DeclareParcelLostRequest(
        request_id=request_id, fulfilment_id=work, as_of=times.to_proto(NOON), **known
    )


async def test_a_lost_parcel_is_shown_with_all_that_is_known_of_it(shop: Shop, stubs: tuple[Any, Any]) -> None:
    orders, tracking = stubs
    order_id, work = await sent(shop)
    failed = pb.RecordCarrierEventRequest(
        request_id="e1",
        carrier_id="colis",
        tracking_code="T1",
        status="delivery_failed",
        reason="refused",
        occurred_at=times.to_proto(NOON),
    )
    await orders.RecordCarrierEvent(failed)
    parcel = (await tracking.DeclareParcelLost(lost(work))).fulfilment.parcel
    assert (parcel.failed_deliveries, parcel.failure_reason) == (1, "refused")
    assert (parcel.loss.source, parcel.loss.decision) == ("service", "")
    assert times.from_proto(parcel.loss.decide_by) == NOON + timedelta(days=3)
    assert (await tracking.DeclareParcelLost(lost(work))).fulfilment.state == pb.FULFILMENT_STATE_LOST, "a repeat"
    (order,) = (await orders.ListOrders(pb.ListOrdersRequest(undecided_loss=True))).orders
    assert (order.order_id, times.from_proto(order.undecided_loss_since)) == (order_id, NOON)
    decision = trk.DecideLostParcelRequest(request_id="r2", fulfilment_id=work, decision="reship", actor="carol")
    assert (await tracking.DecideLostParcel(decision)).fulfilment.parcel.loss.decision == "reship"
    order = (await orders.GetOrder(pb.GetOrderRequest(order_id=order_id))).order
    assert [(one.state, one.fulfilment_id) for one in order.ranges] == [("unplaced", work)]
    assert not order.HasField("undecided_loss_since")


async def test_a_proof_keeps_that_somebody_signed_and_the_name_of_a_picture(
    shop: Shop, stubs: tuple[Any, Any]
) -> None:
    orders, _ = stubs
    await sent(shop)
    proof = pb.DeliveryProof(signed=True, photo_reference="pod-1")
    scan = pb.RecordCarrierEventRequest(
        request_id="e1", carrier_id="colis", tracking_code="T1", status="delivered", proof=proof
    )
    assert (await orders.RecordCarrierEvent(scan)).fulfilment.parcel.proof == proof
    scan.proof.signed = False
    with pytest.raises(OmsError) as caught:
        await orders.RecordCarrierEvent(scan)
    assert caught.value.reason == "IDEMPOTENCY_CONFLICT"


async def test_errors_name_the_field(shop: Shop, stubs: tuple[Any, Any]) -> None:
    _, tracking = stubs
    _, work = await sent(shop)
    with pytest.raises(InvalidArgument) as cause:
        await tracking.DeclareParcelLost(lost(work, cause="stolen"))
    assert cause.value.facts["field"] == "cause"
    with pytest.raises(InvalidArgument) as decision:
        await tracking.DecideLostParcel(trk.DecideLostParcelRequest(request_id="r", fulfilment_id=work))
    assert decision.value.facts["field"] == "decision"
    with pytest.raises(FailedPrecondition) as early:
        await tracking.DecideLostParcel(
            trk.DecideLostParcelRequest(request_id="r", fulfilment_id=work, decision="refund")
        )
    assert early.value.reason == "NOT_LOST"
    with pytest.raises(NotFound) as elsewhere:
        await tracking.DeclareParcelLost(lost(work, reach=pb.Reach(point_ids=["store-nice"])))
    assert elsewhere.value.reason == "FULFILMENT_NOT_FOUND"
    with pytest.raises(NotFound) as nobody:
        await tracking.ReceiveCarrierEvents(trk.ReceiveCarrierEventsRequest(carrier_id="colis", payload=b"{}"))
    assert nobody.value.reason == "CARRIER_UNKNOWN"


async def test_a_long_wait_is_paid_two_days_ahead_unless_its_life_cycle_says_otherwise(
    stubs: tuple[Any, Any],
) -> None:
    orders, _ = stubs
    for said, meant in ((0, 172_800), (3_600, 3_600)):
        wanted = pb.LifeCycle(
            life_cycle_id="lc", offer_seconds=1, payment_action_seconds=1, authorise_ahead_seconds=said
        )
        answer = await orders.PublishLifeCycle(pb.PublishLifeCycleRequest(life_cycle=wanted))
        assert answer.life_cycle.authorise_ahead_seconds == meant


async def test_a_life_cycle_says_what_becomes_of_lost_parcels(shop: Shop, stubs: tuple[Any, Any]) -> None:
    orders, _ = stubs

    async def publish(**changes: Any) -> pb.LifeCycle:
        wanted = pb.LifeCycle(life_cycle_id="lc", offer_seconds=1, payment_action_seconds=1, **changes)
        answer = await orders.PublishLifeCycle(pb.PublishLifeCycleRequest(life_cycle=wanted))
        published: pb.LifeCycle = answer.life_cycle
        return published

    silent = await publish()
    assert (silent.lost_after_days, silent.lost_parcel, silent.loss_decision_seconds) == (0, "ask", 259_200)
    ruled = await publish(lost_after_days=7, lost_parcel="reship", loss_decision_seconds=60)
    assert (ruled.version, ruled.lost_after_days, ruled.lost_parcel) == (2, 7, "reship")
    for changes, field in (
        ({"lost_after_days": 366}, "lost_after_days"),
        ({"lost_after_days": -1}, "lost_after_days"),
        ({"lost_parcel": "maybe"}, "lost_parcel"),
        ({"loss_decision_seconds": -1}, "loss_decision_seconds"),
    ):
        with pytest.raises(InvalidArgument) as caught:
            await publish(**changes)
        assert caught.value.facts["field"] == f"life_cycle.{field}"


async def test_a_parcel_has_one_code_from_the_first_time_it_is_asked_for(
    shop: Shop, stubs: tuple[Any, Any]
) -> None:
    works = [(await shop.release(key, leg((1, 2))))[1][0] for key in ("k1", "k2")]

    async def code(work: str, *points: str) -> str:
        asked = trk.LabelParcelRequest(fulfilment_id=work, reach=pb.Reach(point_ids=points))
        return str((await stubs[1].LabelParcel(asked)).sscc)

    with pytest.raises(FailedPrecondition, match="NOT_PACKED"):
        await code(works[0])
    for work in works:
        await shop.pack(work, captured=False)
    # Two printers at once are one parcel.
    first, again = await asyncio.gather(code(works[0]), code(works[0], "store-lyon"))
    other = await code(works[1])
    assert first == again == await code(works[0])
    assert other != first
    for one in (first, other):
        assert (len(one), one[1:8], one[-1]) == (18, "9520417", gs1.check_digit(one[:-1]))
    with pytest.raises(NotFound, match="FULFILMENT_NOT_FOUND"):
        await code(works[0], "store-paris")
    with pytest.raises(NotFound, match="FULFILMENT_NOT_FOUND"):
        await code("ful_none")

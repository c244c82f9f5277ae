"""Starts workflows that are missing: an order recorded when Temporal or the gateway was away."""

import logging
from datetime import timedelta

import grpc
from temporalio.client import Client

from kit import failpoints, telemetry
from kit.times import now, to_proto
from oms.orders.v1 import orders_service_pb2 as pb
from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceStub
from workflows.starting import ensure_started

# Younger orders are being placed by the gateway that recorded them.
PATIENCE = timedelta(seconds=10)
_log = logging.getLogger(__name__)


async def sweep(orders: grpc.aio.Channel, client: Client, patience: timedelta = PATIENCE) -> int:
    """One turn; returns how many workflows it started."""
    reply = await OrdersServiceStub(orders).ListUnstarted(
        pb.ListUnstartedRequest(recorded_before=to_proto(now() - patience)), timeout=10
    )
    started = 0
    for facts in reply.orders:
        with telemetry.about_order(facts.order_id):
            started += await ensure_started(client, facts)
            failpoints.reach("started")
    if started:
        _log.warning("started %s missing workflows", started)
    return started

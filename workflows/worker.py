"""The process that runs the stories: `python -m workflows.worker`."""

import grpc
import uvloop
from temporalio.client import Client
from temporalio.worker import Interceptor, Worker

from kit import rpc, telemetry, temporal
from kit.settings import Settings
from workflows import sweeper
from workflows.activities.booking import BookingActivities
from workflows.activities.changes import ChangeActivities
from workflows.activities.collecting import CollectionActivities
from workflows.activities.interceptor import AroundActivities
from workflows.activities.inventory import InventoryActivities
from workflows.activities.offers import OfferActivities
from workflows.activities.orders import OrderActivities
from workflows.activities.payments import PaymentActivities
from workflows.activities.promise import PromiseActivities
from workflows.activities.supply import SupplyActivities
from workflows.appointment import AppointmentMoveWorkflow, MissedAppointmentWorkflow
from workflows.fulfilment import FulfilmentWorkflow
from workflows.order import OrderWorkflow
from workflows.refund import RefundWorkflow
from workflows.restocking import PutBackWorkflow, RestockWorkflow
from workflows.sandbox import sandbox

_SWEEP_SECONDS = 5
STORIES = (
    OrderWorkflow,
    FulfilmentWorkflow,
    RefundWorkflow,
    RestockWorkflow,
    PutBackWorkflow,
    AppointmentMoveWorkflow,
    MissedAppointmentWorkflow,
)


class WorkerSettings(Settings):
    """Where everything is."""

    temporal_address: str
    temporal_namespace: str = "default"
    codec_keys: str
    inventory_address: str
    promise_address: str
    orders_address: str
    payments_address: str
    booking_address: str


def build_worker(
    client: Client,
    *,
    inventory: grpc.aio.Channel,
    promise: grpc.aio.Channel,
    orders: grpc.aio.Channel,
    payments: grpc.aio.Channel,
    booking: grpc.aio.Channel,
    task_queue: str = temporal.TASK_QUEUE,
    interceptors: tuple[Interceptor, ...] = (),
) -> Worker:
    """A worker with all stories and steps. The sandbox is on."""
    steps = (
        InventoryActivities(inventory),
        SupplyActivities(inventory, orders),
        PromiseActivities(promise),
        OrderActivities(orders),
        OfferActivities(orders, promise),
        CollectionActivities(orders, promise),
        ChangeActivities(orders),
        PaymentActivities(payments),
        BookingActivities(booking),
    )
    return Worker(
        client,
        task_queue=task_queue,
        workflows=STORIES,
        activities=[
            step
            for group in steps
            for name in dir(group)
            if hasattr(step := getattr(group, name), "__temporal_activity_definition")
        ],
        workflow_runner=sandbox(),
        interceptors=[AroundActivities(), *interceptors],
        max_concurrent_local_activities=200,
        max_concurrent_activities=200,
    )


async def run(settings: WorkerSettings) -> None:
    """Polls until told to stop; health is SERVING while it does."""
    client = await temporal.connect(settings.temporal_address, settings.temporal_namespace, settings.codec_keys)
    orders = rpc.connect(settings.orders_address)
    worker = build_worker(
        client,
        inventory=rpc.connect(settings.inventory_address),
        promise=rpc.connect(settings.promise_address),
        orders=orders,
        payments=rpc.connect(settings.payments_address),
        booking=rpc.connect(settings.booking_address),
    )

    async def sweep() -> None:
        await rpc.periodically("start_missing", _SWEEP_SECONDS, lambda: sweeper.sweep(orders, client))

    await rpc.serve(
        settings.listen,
        lambda server: None,
        background=[worker.run, sweep],
        ready=lambda: worker.is_running,
    )


if __name__ == "__main__":
    telemetry.start("worker")
    uvloop.run(run(WorkerSettings()))

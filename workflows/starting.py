"""How an order's workflow is named and started: used by the gateway at placement and by the sweeper.

The workflow's id is derived from the order's, so starting twice is starting once.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from temporalio.client import (
    Client,
    RPCTimeoutOrCancelledError,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
)
from temporalio.common import (
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from kit.temporal import TASK_QUEUE
from kit.times import from_proto
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from workflows import search_attributes
from workflows.messages import (
    Amount,
    Competition,
    LifeCycle,
    Line,
    OrderInput,
    Placement,
    Taken,
    Tender,
    TenderShare,
)

ORDER_WORKFLOW = "OrderWorkflow"
PLACED_UPDATE = "placed"

_TENDER_KINDS = {
    "payment_method_token": "payment_method",
    "provider_authorisation_id": "provider_authorisation",
    "paid_by_channel_reference": "paid_by_channel",
    "stored_value_code": "stored_value",
    "cash": "cash",
    "till_card": "till_card",
}
# What keeps the outcome of a placement from us. RPCTimeoutOrCancelledError is the client's word for our own
# time-out, RuntimeError a lazy client that finds no server.
_LEFT_ALONE = (
    TimeoutError,
    RPCTimeoutOrCancelledError,
    WorkflowAlreadyStartedError,
    WorkflowUpdateFailedError,
    RPCError,
    RuntimeError,
)
_log = logging.getLogger(__name__)


def order_workflow_id(order_id: str) -> str:
    """The id of the workflow that drives an order; also the subject of the order's events."""
    return f"order/{order_id}"


async def place(
    client: Client, facts: orders.OrderFacts, wait: timedelta, task_queue: str = TASK_QUEUE
) -> Placement | None:
    """Starts the order's workflow, or joins it, and waits for the outcome of placement.

    None when the outcome did not come within `wait`, or when the workflow ended before: the order says the rest.
    """
    start: WithStartWorkflowOperation[Any, str] = WithStartWorkflowOperation(
        ORDER_WORKFLOW,
        _input(facts),
        id=order_workflow_id(facts.order_id),
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        search_attributes=_search_attributes(facts),
    )
    # Nobody else asks for it; its failure would be reported as nobody's.
    started = asyncio.ensure_future(start.workflow_handle())
    started.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        async with asyncio.timeout(wait.total_seconds()):
            placement: Placement = await client.execute_update_with_start_workflow(
                PLACED_UPDATE,
                start_workflow_operation=start,
                id=f"placed/{facts.order_id}",
                result_type=Placement,
            )
            return placement
    except _LEFT_ALONE as error:
        # The order is recorded: whatever kept the answer from us, the sweeper and the workflow go on.
        _log.info("placement of %s goes on by itself: %s", facts.order_id, type(error).__name__)
        return None
    finally:
        started.cancel()


async def ensure_started(client: Client, facts: orders.OrderFacts, task_queue: str = TASK_QUEUE) -> bool:
    """Starts the order's workflow if it never was; says whether it did."""
    try:
        await client.start_workflow(
            ORDER_WORKFLOW,
            _input(facts),
            id=order_workflow_id(facts.order_id),
            task_queue=task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=_search_attributes(facts),
        )
    except WorkflowAlreadyStartedError:
        return False
    return True


def _search_attributes(facts: orders.OrderFacts) -> TypedSearchAttributes:
    return TypedSearchAttributes(
        [
            SearchAttributePair(search_attributes.ORDER_ID, facts.order_id),
            SearchAttributePair(search_attributes.CHANNEL, facts.channel_id),
        ]
    )


def _share(one: orders.PaymentShare, facts: orders.OrderFacts) -> TenderShare:
    return TenderShare(_tender(one, facts), Amount(one.amount_minor, facts.total.currency))


def _tender(one: orders.PaymentTerms | orders.PaymentShare, facts: orders.OrderFacts) -> Tender:
    kind = one.WhichOneof("kind") or ""
    if not kind:
        # A till of the store takes the money, once the customer is there.
        return Tender("", "", facts.payment.customer_ref)
    named = getattr(one, kind)
    if isinstance(named, orders.TillReceipt):
        return Tender(_TENDER_KINDS[kind], named.reference, facts.payment.customer_ref, named.point_id)
    return Tender(_TENDER_KINDS[kind], named, facts.payment.customer_ref)


def _competition(life_cycle: orders.LifeCycle) -> Competition | None:
    if not life_cycle.HasField("competition"):
        return None
    return Competition(list(life_cycle.competition.rings), life_cycle.competition.ring_seconds)


def _lines(facts: Iterable[orders.LineFacts]) -> list[Line]:
    return [
        Line(line.line_number, line.sku, line.quantity, personalisations=list(line.personalisations))
        for line in facts
    ]


def _taken(facts: orders.OrderFacts) -> Taken | None:
    if not facts.HasField("taken"):
        return None
    taken = facts.taken
    amount = Amount(taken.amount.amount_minor, taken.amount.currency)
    return Taken(taken.point_id, _lines(taken.lines), amount)


def _input(facts: orders.OrderFacts) -> OrderInput:
    return OrderInput(
        order_id=facts.order_id,
        channel_id=facts.channel_id,
        country=facts.destination.country,
        postcode=facts.destination.postcode,
        mode=types.DeliveryMode.Name(facts.mode),
        quote_id=facts.quote_id,
        total=Amount(facts.total.amount_minor, facts.total.currency),
        tender=_tender(facts.payment, facts),
        first=[_share(one, facts) for one in facts.payment.first],
        save_means=facts.payment.save_means,
        lines=_lines(facts.lines),
        life_cycle=LifeCycle(
            cooling_off_seconds=facts.life_cycle.cooling_off_seconds,
            offer_seconds=facts.life_cycle.offer_seconds,
            payment_action_seconds=facts.life_cycle.payment_action_seconds,
            reroute_limit=facts.life_cycle.reroute_limit,
            capture_at=facts.life_cycle.capture_at or "shipment",
            competition=_competition(facts.life_cycle),
            trial_days=facts.life_cycle.trial.days,
            consolidates=facts.life_cycle.consolidates,
        ),
        placed_at=from_proto(facts.placed_at).isoformat(),
        basket_id=facts.basket_id,
        booking_id=facts.booking_id,
        taken=_taken(facts),
        may_wait=facts.may_wait,
        collect_at=facts.destination.point_id,
    )

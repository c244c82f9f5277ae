"""Goods that are tried at home: customers say what comes back, and people take it back."""

from kit.times import now
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1 import trial_service_pb2 as trials
from services.gateway import access, reading
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, OrderId, new_act_id, router
from services.gateway.schemas.trials import GivenBack, TrialDecision, TriedOrder
from services.gateway.wire import message, plain

trials_router = router("trials")


@trials_router.post("/orders/{order_id}/trial")
async def decide_trial(
    order_id: OrderId, body: TrialDecision, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> TriedOrder:
    """Say what comes back of what the customer has; all else is kept. Said again, it replaces what was said.

    409 NO_TRIAL, TRIAL_NOT_BEGUN while something is still to arrive, TRIAL_OVER, or NOT_AT_HOME with the line and
    how many units of it the customer has.
    """
    order = await reading.visible_order(clients, caller, order_id)
    access.check_speaks_for(caller, order.content.channel_id)
    values = {
        "request_id": new_act_id(f"decide-trial/{order_id}", caller, key),
        "order_id": order_id,
        "actor": caller.subject,
        **body.model_dump(),
    }
    answer = await clients.act(clients.trials.DecideTrial, message(trials.DecideTrialRequest, values))
    return TriedOrder.model_validate(plain(answer) | {"order_id": order_id})


@trials_router.post("/orders/{order_id}/trial/returns")
async def give_units_back(
    order_id: OrderId, body: GivenBack, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> TriedOrder:
    """Take units back, announced or not: at a point, where they go to stock, or by a carrier's first scan.

    A store takes back at its own point only. 409 NO_TRIAL, TRIAL_OVER or NOT_AT_HOME, as for the decision.
    """
    access.check_point(caller, body.point_id or "")
    found = await clients.read(clients.orders.GetOrder, orders.GetOrderRequest(order_id=order_id))
    access.check_brands(caller, (line.brand for line in found.order.content.lines))
    current = now()
    values = {
        "request_id": new_act_id(f"give-units-back/{order_id}", caller, key),
        "order_id": order_id,
        "actor": caller.subject,
        "lines": body.model_dump()["lines"],
        "point_id": body.point_id,
        # What another clock puts ahead of ours happens now.
        "as_of": min(body.returned_at or current, current),
    }
    answer = await clients.act(clients.trials.GiveUnitsBack, message(trials.GiveUnitsBackRequest, values))
    return TriedOrder.model_validate(plain(answer) | {"order_id": order_id})

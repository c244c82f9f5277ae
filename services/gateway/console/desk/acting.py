"""How an act is done from the desk: one page that says what will come of it, one handler that does it.

It is asked for with a form, shown with its consequences, and done by the code of its REST endpoint under the key
of that page: sent twice, it is done once.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from kit.errors import NotFound, OmsError
from kit.values.ids import new_id
from kit.values.money import Money
from oms.orders.v1 import desk_service_pb2 as pb
from oms.orders.v1 import notification_service_pb2 as notifications
from oms.orders.v1 import offers_service_pb2 as offers
from oms.orders.v1 import orders_service_pb2 as orders
from oms.payments.v1 import payments_service_pb2 as payments
from services.gateway import access, reading
from services.gateway.access import ACCESS
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.console.desk import sentences
from services.gateway.console.desk.acts import ACTS, Act, Doing, about, targets_of
from services.gateway.console.desk.forms import MAX_FIELDS, Field, Values, check
from services.gateway.guard import ClientsAre
from services.gateway.routes import booking
from services.gateway.routes.common import OrderId
from services.gateway.schemas.booking import SlotFilters
from services.gateway.schemas.payments import PaymentLinkView
from services.gateway.wire import enum_name, message

act_router = APIRouter(route_class=session.PageRoute, include_in_schema=False)

ActName = Annotated[str, Path(max_length=40, pattern=r"^[a-z_]+$")]
Target = Annotated[str, Query(max_length=100, pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")]
_PATH = "/console/service/orders/{order_id}/acts/{act}"
# Beside what is filled in.
_OURS = ("key", "step", "target")


@act_router.get(_PATH)
async def ask(
    request: Request, clients: ClientsAre, order_id: OrderId, act: ActName, target: Target = ""
) -> Response:
    """What the act does, and what it has to be told."""
    doing, chosen = await _begin(request, clients, order_id, act, target, {})
    prefilled = replace(doing, values=Values(_prefilled(doing.order, chosen), doing.values.currency))
    return await _shown(prefilled, chosen)


@act_router.post(_PATH)
async def answer(request: Request, clients: ClientsAre, order_id: OrderId, act: ActName) -> Response:
    """`step` is `look`: what would come of it. Else it is done, once for a key, and the order is shown."""
    session.check_same_site(request)
    async with request.form(max_files=0, max_fields=MAX_FIELDS) as form:
        sent = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    doing, chosen = await _begin(request, clients, order_id, act, sent.get("target", ""), sent)
    try:
        check(chosen.fields, doing.values)
        if sent.get("step") == "look":
            return await _shown(doing, chosen, looked=True)
        outcome = await chosen.do(doing)
    except OmsError as error:
        return await _shown(doing, chosen, error=error)
    if isinstance(outcome, PaymentLinkView):
        return templates.page(request, "desk/link.html", link=outcome, order_id=order_id)
    return RedirectResponse(f"/console/service/orders/{order_id}?done={chosen.name}", 303)


async def _begin(
    request: Request, clients: Clients, order_id: str, name: str, target_id: str, sent: dict[str, str]
) -> tuple[Doing, Act]:
    """NotFound for no such act, order or thing of it, PermissionDenied without the rights of its endpoint."""
    caller = session.caller_of(request)
    act = ACTS.get(name)
    if act is None:
        raise NotFound("ACT_NOT_FOUND", "there is no such act")
    access.check_role(caller, ACCESS[act.endpoint])
    order = await reading.visible_order(clients, caller, order_id)
    if target_id and target_id not in targets_of(order, await _elsewhere(clients, act, order_id)):
        raise NotFound("TARGET_NOT_FOUND", "the order has nothing of this id")
    values = Values({each: sent[each] for each in sent if each not in _OURS}, order.content.total.currency)
    return Doing(request, clients, caller, order, target_id, values, sent.get("key") or new_id("key")), act


async def _elsewhere(clients: Clients, act: Act, order_id: str) -> list[str]:
    """What the act may be about that does not stand in the order."""
    if act.name == "resolve_task":
        tasks = await clients.read(clients.payments.ListTasks, payments.ListTasksRequest(order_id=order_id))
        return [one.task_id for one in tasks.tasks]
    if act.name == "resend_notification":
        asked = notifications.ListNotificationsRequest(order_id=order_id)
        log = await clients.read(clients.notifications.ListNotifications, asked)
        return [one.notification_id for one in log.notifications]
    return []


# -- what is shown --------------------------------------------------------------------------------------------


async def _shown(doing: Doing, act: Act, *, looked: bool = False, error: OmsError | None = None) -> Response:
    """`looked`: as it was filled in, with what would come of it, to be confirmed."""
    fields = await _choices(doing, act.fields)
    seen: pb.PossibleAct | None = None
    if error is None:
        try:
            seen = await _preview(doing, act, doing.values if looked else Values({}, doing.values.currency))
        except OmsError as wrong:
            error = wrong
    refused = seen.refusal if seen else ""
    confirms = not refused and (not act.looks or (looked and error is None))
    return templates.page(
        doing.request,
        "desk/act.html",
        error.http_status if error else 409 if refused else 200,
        act=act,
        fields=fields,
        order=reading.order_view(doing.order, doing.caller),
        target=doing.target_id,
        about=about(doing.order, doing.target_id),
        values=doing.values,
        told=_told(doing, seen) if seen and confirms else [],
        tells=sentences.tells(seen.effect) if seen and confirms else [],
        room=Money(seen.limit.amount_minor, seen.limit.currency) if seen and seen.HasField("limit") else None,
        refused=refused,
        # What was filled in may be filled in otherwise; else nothing helps.
        is_final=bool(refused) and not looked,
        is_fixed=looked and confirms,
        confirms=confirms,
        error=error,
        key=doing.key,
    )


async def _preview(doing: Doing, act: Act, values: Values) -> pb.PossibleAct | None:
    """What orders says of it; None of an act that it knows nothing of."""
    if act.wished is None:
        return None
    asked = message(
        pb.PreviewActsRequest,
        {
            "order_id": doing.order_id,
            "roles": sorted(doing.caller.roles),
            "wish": {"act": act.name, "target_id": doing.target_id, **act.wished(values)},
        },
    )
    return (await doing.clients.read(doing.clients.desk.PreviewActs, asked)).acts[0]


def _told(doing: Doing, seen: pb.PossibleAct) -> list[str]:
    before = enum_name(orders.OrderState.DESCRIPTOR, doing.order.state) or ""
    after = enum_name(orders.OrderState.DESCRIPTOR, seen.effect.state)
    return sentences.effect(seen.effect, before, after) if seen.HasField("effect") else []


async def _choices(doing: Doing, fields: tuple[Field, ...]) -> list[Field]:
    """The fields, with what an order offers to choose from: points that were offered the work, open slots."""
    return [
        replace(field, choices=await _choices_of(doing, field))
        if field.kind == "choice" and not field.choices
        else field
        for field in fields
    ]


async def _choices_of(doing: Doing, field: Field) -> tuple[tuple[str, str], ...]:
    if field.name == "point_id":
        work = next((one for one in doing.order.fulfilments if one.fulfilment_id == doing.target_id), None)
        if work is None:
            raise NotFound("TARGET_NOT_FOUND", "the order has no work of this id")
        asked = offers.ListOffersRequest(fulfilment_id=doing.target_id)
        offered = (await doing.clients.read(doing.clients.offers.ListOffers, asked)).offers
        points = dict.fromkeys((work.point_id, *(one.point_id for one in offered)))
        return tuple((point_id, point_id) for point_id in points)
    where = doing.order.content.ship_to
    with suppress(OmsError):
        found = await booking.list_slots(
            SlotFilters(country=where.country or None, postcode=where.postcode or None), doing.clients
        )
        return tuple(
            (one.id, f"{one.date}, {one.window.start:%H:%M} to {one.window.end:%H:%M} UTC, {one.left} left")
            for one in found.items
        )
    return ()


def _prefilled(order: orders.Order, act: Act) -> dict[str, str]:
    """What is known of the answer: the address as it is, the lines as they are."""
    to = order.content.ship_to
    streets = dict(zip(("street_1", "street_2", "street_3"), to.street_lines, strict=False))
    known = {"name": to.name, **streets, "postcode": to.postcode, "city": to.city, "country": to.country}
    wanted = {field.name for field in act.fields}
    usual = {"hours": "72"} if "hours" in wanted else {}
    usual |= {"gift_message": order.content.gift_message} if "gift_message" in wanted else {}
    return usual | (
        {name: value for name, value in known.items() if name in wanted} if "street_1" in wanted else {}
    )

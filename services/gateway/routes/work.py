"""The work of points, and what carriers say of their parcels. A point's people act for their own point only."""

import asyncio
from collections.abc import Mapping
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import BaseModel

from kit import telemetry
from kit.errors import FailedPrecondition, InvalidArgument
from oms.inventory.v1 import inventory_service_pb2 as inventory
from oms.orders.v1 import orders_service_pb2 as orders
from oms.orders.v1 import tracking_service_pb2 as tracking
from oms.promise.v1 import promise_service_pb2 as promise
from services.gateway import access, claims, printing, substituting
from services.gateway.auth import Caller, Role
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.places import places_of
from services.gateway.reading import fulfilment_values
from services.gateway.routes.common import (
    FulfilmentId,
    OptionalKey,
    PointId,
    RequiredKey,
    act_id,
    new_act_id,
    router,
)
from services.gateway.schemas.base import Page
from services.gateway.schemas.documents import Language
from services.gateway.schemas.network_views import BoxView
from services.gateway.schemas.offers import OfferAnswer
from services.gateway.schemas.work import (
    CaptureOverride,
    CarrierEvent,
    CarrierEventView,
    FulfilmentDetail,
    FulfilmentView,
    HandOver,
    OfferRefusal,
    Pack,
    PackingBoxes,
    ParcelGivenUp,
    Pick,
    SpoiledUnits,
    Substitutes,
    WorkFilters,
)
from services.gateway.walking import items_of
from services.gateway.wire import enum_name, message, plain, sent, shown

work_router = router("store work")
carriers_router = router("carrier events")

_NOBODY_ELSE: frozenset[Role] = frozenset()
_PICKED = ("picked", "ready", "packed", "handed_over", "delivered", "lost", "damaged", "returning", "returned")


@work_router.get("/points/{point_id}/work")
async def list_work(
    point_id: PointId, filters: Annotated[WorkFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[FulfilmentView]:
    """List a point's work, the first parcel to leave first."""
    access.check_point(caller, point_id)
    values = {"point_ids": [point_id], "states": filters.status, "page": filters.page}
    found = await clients.read(clients.orders.ListWork, message(orders.ListWorkRequest, values))
    mine = await _of_brands(clients, caller, list(found.fulfilments))
    return Page(items=[_view(one) for one in mine], next_cursor=found.page.next_cursor or None)


@work_router.get("/fulfilments/{fulfilment_id}")
async def read(fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre) -> FulfilmentDetail:
    """Read one preparation order, with the address for its label."""
    mine = access.points_worked(caller, access.SERVICE) or ()
    asked = orders.GetFulfilmentRequest(fulfilment_id=fulfilment_id, point_ids=sorted(mine))
    found = await clients.read(clients.orders.GetFulfilment, asked)
    access.check_fulfilment(caller, found, access.SERVICE)
    more = {
        "ship_to": plain(found.ship_to) if found.HasField("ship_to") else None,
        "texts": [plain(one) for one in found.texts],
        "channel_id": found.channel_id,
        "brands": list(found.brands),
        "channel_order_number": found.channel_order_number or None,
        "customer_name": found.customer_name or None,
        "gift_message": found.gift_message or None,
        "hub_point_id": found.hub_point_id or None,
        "substitutable": list(found.substitutable),
    }
    return FulfilmentDetail.model_validate(fulfilment_values(found.fulfilment) | more)


@work_router.get("/fulfilments/{fulfilment_id}/label", responses=printing.PDF_RESPONSES, response_class=Response)
async def print_label(
    fulfilment_id: FulfilmentId,
    request: Request,
    caller: CallerIs,
    clients: ClientsAre,
    lang: Language = "en",
) -> Response:
    """Print the label of a closed parcel: 100 x 150 mm, with its SSCC as GS1-128. 409 NOT_PACKED before."""
    found = await read(fulfilment_id, caller, clients)
    asked = tracking.LabelParcelRequest(
        fulfilment_id=fulfilment_id, reach=access.reach(caller, fulfilment_id, access.SERVICE)
    )
    label = printing.Label(
        sender=await _sender(request, clients, found),
        receiver=await _receiver(request, clients, found),
        carrier=found.carrier_id,
        service=found.service_id,
        order_number=_order_number(found),
        weight_grams=found.parcel.weight_grams if found.parcel else 0,
        sscc=(await clients.act(clients.tracking.LabelParcel, asked)).sscc,
    )
    return printing.pdf_response(printing.label_pdf(label, lang), f"label-{fulfilment_id}")


@work_router.get(
    "/fulfilments/{fulfilment_id}/packing-slip", responses=printing.PDF_RESPONSES, response_class=Response
)
async def print_slip(
    fulfilment_id: FulfilmentId,
    request: Request,
    caller: CallerIs,
    clients: ClientsAre,
    lang: Language = "en",
) -> Response:
    """Print what is in a parcel, without prices. 409 NOT_PICKED before it is known."""
    found = await read(fulfilment_id, caller, clients)
    if found.status not in _PICKED or (found.ship_to is None and found.hub_point_id is None):
        raise FailedPrecondition("NOT_PICKED", "a packing slip says what was picked", state=found.status)
    ordered = await items_of(clients, sorted({one.ordered_sku for one in found.lines if one.ordered_sku}))
    slip = printing.Slip(
        sender=await _sender(request, clients, found),
        receiver=await _receiver(request, clients, found),
        order_number=_order_number(found),
        lines=[
            printing.SlipLine(one.title or one.sku, one.sku, one.quantity, _title(ordered, one.ordered_sku))
            for one in found.lines
        ],
        message=found.gift_message or "",
    )
    return printing.pdf_response(printing.slip_pdf(slip, lang), f"packing-slip-{fulfilment_id}")


@work_router.post("/fulfilments/{fulfilment_id}/accept")
async def accept(
    fulfilment_id: FulfilmentId,
    caller: CallerIs,
    clients: ClientsAre,
    body: OfferAnswer | None = None,
    key: OptionalKey = None,
) -> FulfilmentView:
    """Take offered work. 409 OFFER_GONE says what came first; STOCK_NOT_THERE: its units cannot be held here."""
    reach = access.reach(caller, fulfilment_id, _NOBODY_ELSE)
    request = orders.AcceptOfferRequest(
        request_id=_answer_id("accept", fulfilment_id, reach, caller, body, key),
        fulfilment_id=fulfilment_id,
        actor=caller.subject,
        reach=reach,
        point_id=body.point_id if body else "",
    )
    answer = await clients.act(clients.orders.AcceptOffer, request)
    if not answer.HasField("claim"):
        return _done(answer.fulfilment)
    with telemetry.about_order(answer.claim.order_id):
        return _done(await claims.settle(clients, answer.claim))


@work_router.post("/fulfilments/{fulfilment_id}/refuse")
async def refuse(
    fulfilment_id: FulfilmentId,
    body: OfferRefusal,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> FulfilmentView:
    """Do not take offered work, and say why; its units go elsewhere."""
    reach = access.reach(caller, fulfilment_id, _NOBODY_ELSE)
    request = orders.RefuseOfferRequest(
        request_id=_answer_id("refuse", fulfilment_id, reach, caller, body, key),
        fulfilment_id=fulfilment_id,
        reason=body.reason,
        actor=caller.subject,
        reach=reach,
        point_id=body.point_id,
    )
    return _done((await clients.act(clients.orders.RefuseOffer, request)).fulfilment)


@work_router.post("/fulfilments/{fulfilment_id}/pick")
async def pick(
    fulfilment_id: FulfilmentId, body: Pick, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Say what was found of every line; the rest is short, with its reason, and goes elsewhere.

    Another article may be given instead of missing units where the customer allows it and the item permits it;
    it is held at once. 409 PICKED_BY_ANOTHER while it is on somebody else's pick list; SUBSTITUTES_NOT_ALLOWED,
    NOT_PERMITTED, SUBSTITUTE_NOT_FREE, NOT_SUBSTITUTED.
    """
    request_id = act_id("pick", fulfilment_id, caller, body, key)
    request = orders.RecordPickRequest(
        request_id=request_id,
        fulfilment_id=fulfilment_id,
        found=[sent(orders.PlannedLine, one) for one in body.found],
        missing=[sent(orders.MissingUnits, one) for one in body.missing],
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, _NOBODY_ELSE),
    )
    if not body.substituted:
        return _done((await clients.act(clients.orders.RecordPick, request)).fulfilment)
    lacking = substituting.lacking(await read(fulfilment_id, caller, clients))
    request.substituted.extend(await substituting.laid_aside(clients, lacking, body.substituted, request_id))
    try:
        return _done((await clients.act(clients.orders.RecordPick, request)).fulfilment)
    except (FailedPrecondition, InvalidArgument):
        await substituting.put_back(clients, lacking, request_id)
        raise


@work_router.get("/fulfilments/{fulfilment_id}/substitutes")
async def list_substitutes(fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre) -> Substitutes:
    """Which other articles may be given instead of missing units, and how many of each are free at the point."""
    found = await read(fulfilment_id, caller, clients)
    return Substitutes(substitutes=await substituting.offered(clients, found))


@work_router.post("/fulfilments/{fulfilment_id}/personalisation-begin")
async def begin_personalisation(
    fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Begin to put on the picked units what was ordered; nobody else can have them from here on.

    409 NOT_PICKED, ALREADY_BEGUN, ON_HOLD, NOT_CAPTURED where money is taken at the pick, CANCELLED.
    """
    request = orders.BeginPersonalisationRequest(
        request_id=act_id("personalisation-begin", fulfilment_id, caller, None, key),
        fulfilment_id=fulfilment_id,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, _NOBODY_ELSE),
    )
    return _done((await clients.act(clients.orders.BeginPersonalisation, request)).fulfilment)


@work_router.post("/fulfilments/{fulfilment_id}/personalisation-complete")
async def complete_personalisation(
    fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Say that all is put on the units: they may be packed. 409 NOT_BEGUN before it was begun."""
    request = orders.CompletePersonalisationRequest(
        request_id=act_id("personalisation-complete", fulfilment_id, caller, None, key),
        fulfilment_id=fulfilment_id,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, _NOBODY_ELSE),
    )
    return _done((await clients.act(clients.orders.CompletePersonalisation, request)).fulfilment)


@work_router.get("/fulfilments/{fulfilment_id}/boxes")
async def list_packing_boxes(fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre) -> PackingBoxes:
    """List the boxes of the point, and which of them is the smallest that holds the work."""
    return await boxes_for(clients, await read(fulfilment_id, caller, clients))


async def boxes_for(clients: Clients, found: FulfilmentView) -> PackingBoxes:
    """In what it can be packed. Unavailable while nothing is known of its articles."""
    units = [promise.UnitsToPack(sku=line.sku, quantity=line.quantity) for line in found.lines]
    asked = promise.ChooseBoxRequest(point_id=found.point_id, units=units)
    chosen = await clients.read(clients.promise.ChooseBox, asked)
    return PackingBoxes(suggested=chosen.box_id or None, boxes=[shown(box, BoxView) for box in chosen.boxes])


@work_router.post("/fulfilments/{fulfilment_id}/personalisation-spoiled")
async def report_spoiled(
    fulfilment_id: FulfilmentId,
    body: SpoiledUnits,
    caller: CallerIs,
    clients: ClientsAre,
    key: RequiredKey,
) -> FulfilmentView:
    """Say which units were damaged while something was put on them; they are planned anew.

    Said twice with one key they are the same units. 409 NOT_BEGUN, CANCELLED, PAID_ALREADY where money is taken
    before the pack: then replace them from the shelf.
    """
    request = orders.ReportSpoiledRequest(
        request_id=new_act_id(f"personalisation-spoiled/{fulfilment_id}", caller, key),
        fulfilment_id=fulfilment_id,
        spoiled=[sent(orders.PlannedLine, one) for one in body.spoiled],
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, _NOBODY_ELSE),
    )
    return _done((await clients.act(clients.orders.ReportSpoiled, request)).fulfilment)


@work_router.post("/fulfilments/{fulfilment_id}/pack")
async def pack(
    fulfilment_id: FulfilmentId, body: Pack, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Close the parcel; its amount is captured now."""
    request = orders.CloseParcelRequest(
        request_id=act_id("pack", fulfilment_id, caller, body, key),
        fulfilment_id=fulfilment_id,
        weight_grams=body.weight_grams,
        box_id=body.box_id,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, _NOBODY_ELSE),
    )
    return _done((await clients.act(clients.orders.CloseParcel, request)).fulfilment)


@work_router.post("/fulfilments/{fulfilment_id}/hand-over")
async def hand_over(
    fulfilment_id: FulfilmentId,
    caller: CallerIs,
    clients: ClientsAre,
    body: HandOver | None = None,
    key: OptionalKey = None,
) -> FulfilmentView:
    """Give the parcel to the carrier. 409 NOT_CAPTURED before its money is sure, CANCELLED if that was first."""
    sent_body = body or HandOver()
    request = orders.HandOverRequest(
        request_id=act_id("hand-over", fulfilment_id, caller, sent_body, key),
        fulfilment_id=fulfilment_id,
        tracking_code=sent_body.tracking_code,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, _NOBODY_ELSE),
    )
    return _done((await clients.act(clients.orders.HandOver, request)).fulfilment)


@work_router.post("/fulfilments/{fulfilment_id}/capture-override")
async def capture_override(
    fulfilment_id: FulfilmentId,
    body: CaptureOverride,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> FulfilmentView:
    """Let a parcel leave though its capture failed, and say why."""
    request = orders.RecordCaptureRequest(
        request_id=act_id("capture-override", fulfilment_id, caller, body, key),
        fulfilment_id=fulfilment_id,
        capture_state="overridden",
        reason=body.reason,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, access.MONEY),
    )
    return _done((await clients.act(clients.orders.RecordCapture, request)).fulfilment)


@work_router.post("/fulfilments/{fulfilment_id}/capture-retry")
async def capture_retry(
    fulfilment_id: FulfilmentId, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> FulfilmentView:
    """Try now for a parcel's money. 409 CAPTURE_NOT_FAILED when it has not failed."""
    request = orders.RetryCaptureRequest(
        request_id=new_act_id(f"capture-retry/{fulfilment_id}", caller, key),
        fulfilment_id=fulfilment_id,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, access.MONEY),
    )
    return _done((await clients.act(clients.orders.RetryCapture, request)).fulfilment)


@work_router.post("/fulfilments/{fulfilment_id}/give-up")
async def give_up(
    fulfilment_id: FulfilmentId,
    body: ParcelGivenUp,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> FulfilmentView:
    """Cancel the units of a parcel whose money could not be captured. 409 CAPTURE_NOT_FAILED for any other."""
    request = orders.GiveUpParcelRequest(
        request_id=act_id("give-up", fulfilment_id, caller, body, key),
        fulfilment_id=fulfilment_id,
        reason=body.reason,
        actor=caller.subject,
        reach=access.reach(caller, fulfilment_id, access.MONEY),
    )
    return _done((await clients.act(clients.orders.GiveUpParcel, request)).fulfilment)


@carriers_router.post("/carrier-events")
async def carrier_event(body: CarrierEvent, clients: ClientsAre) -> CarrierEventView:
    """Say what a carrier's scan told. Repeated and late events are taken calmly."""
    values = body.model_dump()
    request = message(orders.RecordCarrierEventRequest, {"request_id": values.pop("event_id"), **values})
    answer = await clients.act(clients.orders.RecordCarrierEvent, request)
    return CarrierEventView.model_validate(
        {
            "fulfilment_id": answer.fulfilment.fulfilment_id,
            "status": enum_name(orders.FulfilmentState.DESCRIPTOR, answer.fulfilment.state),
            "duplicate": answer.duplicate,
        }
    )


async def _sender(request: Request, clients: Clients, found: FulfilmentDetail) -> printing.Party:
    return await _party(request, clients, found.point_id)


async def _party(request: Request, clients: Clients, point_id: str) -> printing.Party:
    place = await places_of(request, clients).one(point_id)
    return printing.Party((place.name, f"{place.postcode} {place.city}".strip(), place.country))


async def _receiver(request: Request, clients: Clients, found: FulfilmentDetail) -> printing.Party:
    if found.hub_point_id:
        return await _party(request, clients, found.hub_point_id)
    to = found.ship_to
    if to is None:
        return printing.Party(())
    return printing.Party((to.name, *to.street_lines, f"{to.postcode} {to.city}", to.country))


def _order_number(found: FulfilmentDetail) -> str:
    """The channel's own, which the customer knows."""
    return found.channel_order_number or found.order_id


def _title(items: Mapping[str, inventory.Item], sku: str) -> str:
    """For people; empty of no article."""
    return items[sku].title or sku if sku in items else sku


async def _of_brands(clients: Clients, caller: Caller, work: list[orders.Fulfilment]) -> list[orders.Fulfilment]:
    """The work with a line of the caller's brands. A page may come short; its cursor goes on all the same."""
    brands = access.brands_seen(caller)
    if brands is None:
        return work
    asked = [orders.GetFulfilmentRequest(fulfilment_id=one.fulfilment_id) for one in work]
    found = await asyncio.gather(*(clients.read(clients.orders.GetFulfilment, one) for one in asked))
    return [mine for mine, one in zip(work, found, strict=True) if brands & set(one.brands)]


def _answer_id(
    action: str,
    fulfilment_id: str,
    reach: orders.Reach,
    caller: Caller,
    body: BaseModel | None,
    key: str | None,
) -> str:
    """Several points may be offered the same work: one account that answers for another point acts anew."""
    return act_id(action, "/".join((fulfilment_id, *reach.point_ids)), caller, body, key)


def _view(fulfilment: orders.Fulfilment) -> FulfilmentView:
    return FulfilmentView.model_validate(fulfilment_values(fulfilment))


def _done(fulfilment: orders.Fulfilment) -> FulfilmentView:
    # The caller named a fulfilment; only the answer tells which order the act was about.
    with telemetry.about_order(fulfilment.order_id):
        return _view(fulfilment)

"""CollectionService over gRPC: translates, and nothing else."""

from typing import Any

from kit import times
from kit.errors import InvalidArgument
from oms.orders.v1 import collection_service_pb2 as pb
from oms.orders.v1.collection_service_pb2_grpc import CollectionServiceServicer
from oms.type.v1 import type_pb2
from services.orders import translate as to
from services.orders import translate_changes as changes
from services.orders import wire
from services.orders.changing import Asked
from services.orders.collecting import Collecting
from services.orders.collecting_store import NoShows
from services.orders.depositing import Depositing
from services.orders.domain import choosing
from services.orders.domain.collecting import AtCounter
from services.orders.domain.model import CustomerChoice
from services.orders.translate_collection import from_units
from services.orders.wire import from_instant

_MAX_PUT_BACKS = 500


class CollectionRpc(CollectionServiceServicer):
    """Its calls."""

    def __init__(self, collecting: Collecting, depositing: Depositing) -> None:
        self._collecting = collecting
        self._depositing = depositing

    @wire.checked
    async def MarkReady(self, request: pb.MarkReadyRequest, context: Any) -> pb.MarkReadyResponse:
        asked, as_of = wire.asked(request), _as_of(request)
        if not request.at_counter:
            await self._depositing.tell_code(asked, request.fulfilment_id, as_of)
        done = await self._collecting.mark_ready(
            asked, request.fulfilment_id, request.shelf, request.actor, as_of, at_counter=request.at_counter
        )
        return pb.MarkReadyResponse(fulfilment=to.from_fulfilment(done))

    @wire.checked
    async def Collect(self, request: pb.CollectRequest, context: Any) -> pb.CollectResponse:
        who = AtCounter(None, request.document_kind, request.collected_by, tuple(to.to_units(request.lines)))
        done = await self._collecting.collect(
            _without_code(request), request.fulfilment_id, request.code, who, request.actor, _as_of(request)
        )
        return pb.CollectResponse(fulfilment=to.from_fulfilment(done))

    @wire.checked
    async def FindByCode(self, request: pb.FindByCodeRequest, context: Any) -> pb.FindByCodeResponse:
        found = await self._collecting.find_by_code(wire.to_reach(request.reach), request.code, _as_of(request))
        return pb.FindByCodeResponse(fulfilment=to.from_fulfilment(found))

    @wire.checked
    async def UnlockCollection(
        self, request: pb.UnlockCollectionRequest, context: Any
    ) -> pb.UnlockCollectionResponse:
        done = await self._collecting.unlock(
            wire.asked(request), request.fulfilment_id, request.actor, _as_of(request)
        )
        return pb.UnlockCollectionResponse(fulfilment=to.from_fulfilment(done))

    @wire.checked
    async def ExtendCollection(
        self, request: pb.ExtendCollectionRequest, context: Any
    ) -> pb.ExtendCollectionResponse:
        keep_until = times.field_or_none(request, "keep_until")
        if keep_until is None:
            raise InvalidArgument("keep_until", "say until when it is kept")
        done = await self._collecting.extend(
            wire.asked(request), request.fulfilment_id, keep_until, request.actor, _as_of(request)
        )
        return pb.ExtendCollectionResponse(fulfilment=to.from_fulfilment(done))

    @wire.checked
    async def ConfirmPutBack(self, request: pb.ConfirmPutBackRequest, context: Any) -> pb.ConfirmPutBackResponse:
        done = await self._collecting.confirm_put_back(
            wire.asked(request), request.fulfilment_id, request.actor, _as_of(request)
        )
        return pb.ConfirmPutBackResponse(fulfilment=to.from_fulfilment(done))

    @wire.checked
    async def SetCollectionDates(
        self, request: pb.SetCollectionDatesRequest, context: Any
    ) -> pb.SetCollectionDatesResponse:
        closings = [times.from_proto(one) for one in request.closings]
        done = await self._collecting.set_dates(
            wire.asked(request), request.fulfilment_id, closings, _as_of(request)
        )
        return pb.SetCollectionDatesResponse(fulfilment=to.from_fulfilment(done))

    @wire.checked
    async def GetCollectionCodes(
        self, request: pb.GetCollectionCodesRequest, context: Any
    ) -> pb.GetCollectionCodesResponse:
        found = await self._collecting.codes(request.order_id)
        return pb.GetCollectionCodesResponse(
            codes=[
                pb.CollectionCode(
                    fulfilment_id=work.fulfilment_id,
                    point_id=work.point_id,
                    code=code,
                    keep_until=from_instant(work.collection.keep_until) if work.collection else None,
                    compartment=work.compartment,
                )
                for work, code in found
            ]
        )

    @wire.checked
    async def ListPutBacks(self, request: pb.ListPutBacksRequest, context: Any) -> pb.ListPutBacksResponse:
        if not 0 <= request.size <= _MAX_PUT_BACKS:
            raise InvalidArgument("size", f"1 to {_MAX_PUT_BACKS}")
        found = await self._collecting.list_put_backs(wire.to_reach(request.reach), request.size or 100)
        return pb.ListPutBacksResponse(fulfilments=[to.from_fulfilment(one) for one in found])

    @wire.checked
    async def AskCustomer(self, request: pb.AskCustomerRequest, context: Any) -> pb.AskCustomerResponse:
        choice_id = await self._collecting.ask(
            wire.asked(request),
            request.order_id,
            request.fulfilment_id,
            to.to_units(request.lines),
            request.reason,
            changes.to_options(request.options),
            _as_of(request),
        )
        return pb.AskCustomerResponse(choice_id=choice_id)

    @wire.checked
    async def Choose(self, request: pb.ChooseRequest, context: Any) -> pb.ChooseResponse:
        made = await self._collecting.choose(
            wire.asked(request),
            request.order_id,
            request.choice_id,
            request.kind,
            request.point_id,
            changes.to_address(request.ship_to) if request.HasField("ship_to") else None,
            request.actor,
            _as_of(request),
        )
        return pb.ChooseResponse(choice=to.from_choice(made))

    @wire.checked
    async def GetChoice(self, request: pb.GetChoiceRequest, context: Any) -> pb.GetChoiceResponse:
        choice, lines, view = await self._collecting.choice(request.order_id, request.choice_id)
        where = view.buyer.ship_to
        at_store = type_pb2.Destination(point_id=choice.chosen_point_id)
        to_home = type_pb2.Destination(country=where.country, postcode=where.postcode)
        return pb.GetChoiceResponse(
            choice=to.from_choice(choice),
            lines=from_units(lines),
            destination=to_home if choice.kind == choosing.DELIVERY else at_store,
            mode=to.from_mode(_mode(choice, view.order.content.mode)),
        )

    @wire.checked
    async def GetNoShows(self, request: pb.GetNoShowsRequest, context: Any) -> pb.GetNoShowsResponse:
        if request.order_id:
            found = [await self._collecting.no_shows_of_customer(request.order_id)]
        else:
            since, until = times.field_or_none(request, "since"), times.field_or_none(request, "until")
            found = await self._collecting.no_shows(request.point_ids, since, until)
        return pb.GetNoShowsResponse(no_shows=map(_from_no_shows, found))


def _mode(choice: CustomerChoice, mode: Any) -> Any:
    """Of what was chosen: it comes as it was offered."""
    if choice.kind == choosing.REFUND:
        return mode
    return next((one.mode for one in choice.options if one.point_id == choice.chosen_point_id), mode)


def _from_no_shows(one: NoShows) -> pb.NoShows:
    return pb.NoShows(point_id=one.point_id, ended=one.ended, no_shows=one.no_shows)


def _without_code(request: pb.CollectRequest) -> Asked:
    """A digest that is kept tells nobody a code that has so few letters."""
    kept = pb.CollectRequest()
    kept.CopyFrom(request)
    kept.ClearField("code")
    return wire.asked(kept)


def _as_of(request: Any) -> Any:
    return times.field_or_now(request, "as_of")

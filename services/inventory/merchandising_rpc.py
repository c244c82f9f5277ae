"""MerchandisingService over gRPC: translates requests and answers, and nothing else."""

from kit import times
from oms.inventory.v1 import merchandising_service_pb2 as pb
from oms.inventory.v1.merchandising_service_pb2_grpc import MerchandisingServiceServicer
from services.inventory import merchandising_translate as m
from services.inventory import paging
from services.inventory.domain.ledger import Position
from services.inventory.domain.picks import WINDOW_DAYS
from services.inventory.merchandising import Merchandising, RatesAsked

_NO_NUMBER = 2**63 - 1


class MerchandisingRpc(MerchandisingServiceServicer):
    """The servicer. Errors of the use cases pass through; kit.rpc answers them."""

    def __init__(self, merchandising: Merchandising) -> None:
        self._merchandising = merchandising

    async def PutPositionFacts(
        self, request: pb.PutPositionFactsRequest, context: object
    ) -> pb.PutPositionFactsResponse:
        records = [m.record_in(one, f"facts[{i}]") for i, one in enumerate(request.facts)]
        as_of = times.field_or_now(request, "as_of")
        results = await self._merchandising.put_facts(records, request.actor, as_of)
        return pb.PutPositionFactsResponse(results=[m.result_out(one) for one in results])

    async def ListPositionFacts(
        self, request: pb.ListPositionFactsRequest, context: object
    ) -> pb.ListPositionFactsResponse:
        asked = paging.read(request.page, ["", ""])
        found = await self._merchandising.list_facts(
            request.skus, request.point_ids, Position(*map(str, asked.after)), asked.size + 1
        )
        rows, page = paging.split(asked, found, lambda row: row[0])
        return pb.ListPositionFactsResponse(facts=[m.facts_out(*row) for row in rows], page=page)

    async def ListFactVersions(
        self, request: pb.ListFactVersionsRequest, context: object
    ) -> pb.ListFactVersionsResponse:
        asked = paging.read(request.page, [_NO_NUMBER])
        found = await self._merchandising.list_versions(
            request.sku, request.point_id, int(asked.after[0]), asked.size + 1
        )
        rows, page = paging.split(asked, found, lambda row: [row[0]])
        return pb.ListFactVersionsResponse(versions=[m.version_out(fact) for _, fact in rows], page=page)

    async def ListCover(self, request: pb.ListCoverRequest, context: object) -> pb.ListCoverResponse:
        asked = paging.read(request.page, ["", ""])
        found = await self._merchandising.list_cover(
            request.skus,
            request.point_ids,
            Position(*map(str, asked.after)),
            asked.size + 1,
            times.field_or_now(request, "as_of"),
        )
        rows, page = paging.split(asked, found, lambda one: [one.sku, one.point_id])
        return pb.ListCoverResponse(covers=[m.cover_out(one) for one in rows], page=page)

    async def ListFindRates(self, request: pb.ListFindRatesRequest, context: object) -> pb.ListFindRatesResponse:
        asked = paging.read(request.page, ["", 0])
        wanted = RatesAsked(
            request.point_ids,
            request.category,
            [m.depth_in(number, f"depths[{i}]") for i, number in enumerate(request.depths)],
            request.window_days or WINDOW_DAYS,
        )
        found = await self._merchandising.list_find_rates(wanted, times.field_or_now(request, "as_of"))
        # A rate leans on all that was picked, so that all are worked out, and a page of them is shown.
        left = [one for one in found if (one.point_id, m.DEPTHS[one.depth]) > tuple(asked.after)]
        rows, page = paging.split(asked, left, lambda one: [one.point_id, m.DEPTHS[one.depth]])
        return pb.ListFindRatesResponse(rates=[m.find_rate_out(one) for one in rows], page=page)

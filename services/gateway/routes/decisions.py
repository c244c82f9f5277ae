"""Routing decisions: the record of each, and what it says to a person."""

from typing import Annotated

from fastapi import Path, Query

from kit.errors import NotFound
from oms.promise.v1 import decision_service_pb2 as pb
from services.gateway import reading
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OrderId, router
from services.gateway.schemas.base import Page, Paged
from services.gateway.schemas.decisions import (
    DecisionView,
    ExplanationFilters,
    ExplanationView,
    SectionView,
    SeenFilters,
    SentenceView,
    WholeDecisionView,
)
from services.gateway.wire import message, shown

decisions_router = router("decisions")
DecisionId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


@decisions_router.get("/orders/{order_id}/decisions")
async def of_order(
    order_id: OrderId, page: Annotated[Paged, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[DecisionView]:
    """List what was decided for an order, oldest first: placement, and each time that it was planned again."""
    await reading.check_visible(clients, caller, order_id)
    request = message(pb.ListDecisionsRequest, {"order_id": order_id, "page": page.page})
    found = await clients.read(clients.decisions.ListDecisions, request)
    return Page(
        items=[shown(one, DecisionView) for one in found.decisions],
        next_cursor=found.page.next_cursor or None,
    )


@decisions_router.get("/decisions/{decision_id}")
async def read(
    decision_id: DecisionId, filters: Annotated[SeenFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> WholeDecisionView:
    """Read everything that a decision saw, dropped and chose; its stock in pages."""
    request = message(
        pb.GetDecisionRequest, {"decision_id": decision_id, "page": filters.page, "skus": filters.sku}
    )
    found = await clients.read(clients.decisions.GetDecision, request)
    await _check_visible(clients, caller, decision_id, found.decision.order_id)
    return shown(found.decision, WholeDecisionView, next_cursor=found.page.next_cursor or None)


@decisions_router.get("/decisions/{decision_id}/explanation")
async def explain(
    decision_id: DecisionId, filters: Annotated[ExplanationFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> ExplanationView:
    """Read a decision in sentences: why split, why not nearer, what it saw and cost, how good it is."""
    request = pb.ExplainDecisionRequest(decision_id=decision_id, why_not_point_id=filters.why_not or "")
    found = (await clients.check(clients.decisions.ExplainDecision, request)).explanation
    await _check_visible(clients, caller, decision_id, found.order_id)
    return ExplanationView(
        decision_id=found.decision_id,
        order_id=found.order_id,
        sections=[_section(one) for one in found.sections],
    )


def _section(section: pb.ExplanationSection) -> SectionView:
    return SectionView(
        name=section.name,
        sentences=[SentenceView(code=one.code, text=one.text, facts=dict(one.facts)) for one in section.sentences],
    )


async def _check_visible(clients: Clients, caller: Caller, decision_id: str, order_id: str) -> None:
    """A decision is seen by who may see its order; for others it does not exist."""
    try:
        await reading.check_visible(clients, caller, order_id)
    except NotFound:
        # Word for word what promise says of a decision that does not exist.
        raise NotFound(
            "DECISION_NOT_FOUND", f"there is no decision {decision_id}", decision_id=decision_id
        ) from None

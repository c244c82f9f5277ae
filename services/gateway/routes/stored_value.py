"""Gift cards, credit notes and loyalty vouchers. A code stands in bodies only, never in an address."""

from typing import Annotated

from fastapi import Path, Query

from oms.payments.v1 import stored_value_service_pb2 as pb
from services.gateway import access
from services.gateway.clients import Clients
from services.gateway.guard import CallerIs, ClientsAre
from services.gateway.routes.common import OptionalKey, new_act_id, router
from services.gateway.schemas.base import Page, Paged
from services.gateway.schemas.stored_value import (
    Reasoned,
    StoredValueAdjustment,
    StoredValueFilters,
    StoredValueIssue,
    StoredValueLineView,
    StoredValueQuestion,
    StoredValueView,
    StoredValueWithCode,
    StoredValueWorth,
)
from services.gateway.wire import message, sent, shown

stored_value_router = router("stored value")

InstrumentId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


@stored_value_router.post("/stored-value", status_code=201)
async def issue(
    body: StoredValueIssue, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> StoredValueWithCode:
    """Issue a gift card, a credit note or a voucher. Its code is shown this once."""
    access.check_every_brand(caller)
    more = {"request_id": new_act_id("stored_value.issue", caller, key), "actor": caller.subject}
    answer = await clients.act(
        clients.stored_value.IssueStoredValue, sent(pb.IssueStoredValueRequest, body, **more)
    )
    return _with_code(answer.stored_value, answer.code)


@stored_value_router.get("/stored-value")
async def list_stored_value(
    filters: Annotated[StoredValueFilters, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[StoredValueView]:
    """List cards, notes and vouchers, newest first."""
    access.check_every_brand(caller)
    values = {
        "kind": filters.kind,
        "customer_ref": filters.customer_ref,
        "state": filters.state,
        "page": filters.page,
    }
    found = await clients.read(clients.stored_value.ListStoredValue, message(pb.ListStoredValueRequest, values))
    return Page(items=[_view(one) for one in found.stored_values], next_cursor=found.page.next_cursor or None)


@stored_value_router.post("/stored-value/check")
async def check(body: StoredValueQuestion, caller: CallerIs, clients: ClientsAre) -> StoredValueWorth:
    """Ask what a code would pay at a channel, so that a checkout can ask for the rest by another means."""
    access.check_speaks_for(caller, body.channel_id)
    found = await clients.act(clients.stored_value.CheckStoredValue, sent(pb.CheckStoredValueRequest, body))
    return shown(found, StoredValueWorth, refusal=found.refusal or None)


@stored_value_router.get("/stored-value/{instrument_id}")
async def read(instrument_id: InstrumentId, caller: CallerIs, clients: ClientsAre) -> StoredValueView:
    """Read one by its id."""
    access.check_every_brand(caller)
    request = pb.GetStoredValueRequest(instrument_id=instrument_id)
    return _view((await clients.read(clients.stored_value.GetStoredValue, request)).stored_value)


@stored_value_router.get("/stored-value/{instrument_id}/movements")
async def movements(
    instrument_id: InstrumentId, page: Annotated[Paged, Query()], caller: CallerIs, clients: ClientsAre
) -> Page[StoredValueLineView]:
    """List what happened to it, oldest first."""
    access.check_every_brand(caller)
    request = message(pb.ListStoredValueLinesRequest, {"instrument_id": instrument_id, "page": page.page})
    found = await clients.read(clients.stored_value.ListStoredValueLines, request)
    lines = [shown(line, StoredValueLineView) for line in found.lines]
    return Page(items=lines, next_cursor=found.page.next_cursor or None)


@stored_value_router.post("/stored-value/{instrument_id}/freeze")
async def freeze(
    instrument_id: InstrumentId, body: Reasoned, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> StoredValueView:
    """Stop it from paying further orders; what orders hold of it stays good."""
    access.check_every_brand(caller)
    request_id = new_act_id("stored_value.freeze", caller, key)
    return await _freeze(clients, instrument_id, body, caller.subject, request_id, frozen=True)


@stored_value_router.post("/stored-value/{instrument_id}/unfreeze")
async def unfreeze(
    instrument_id: InstrumentId, body: Reasoned, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> StoredValueView:
    """Let it pay again."""
    access.check_every_brand(caller)
    request_id = new_act_id("stored_value.unfreeze", caller, key)
    return await _freeze(clients, instrument_id, body, caller.subject, request_id, frozen=False)


@stored_value_router.post("/stored-value/{instrument_id}/adjust")
async def adjust(
    instrument_id: InstrumentId,
    body: StoredValueAdjustment,
    caller: CallerIs,
    clients: ClientsAre,
    key: OptionalKey = None,
) -> StoredValueView:
    """Correct what it is worth, by more or less; never below what orders hold of it."""
    access.check_every_brand(caller)
    more = {
        "request_id": new_act_id("stored_value.adjust", caller, key),
        "instrument_id": instrument_id,
        "actor": caller.subject,
    }
    request = sent(pb.AdjustStoredValueRequest, body, **more)
    return _view((await clients.act(clients.stored_value.AdjustStoredValue, request)).stored_value)


@stored_value_router.post("/stored-value/{instrument_id}/code")
async def new_code(
    instrument_id: InstrumentId, body: Reasoned, caller: CallerIs, clients: ClientsAre, key: OptionalKey = None
) -> StoredValueWithCode:
    """Give it another code, shown this once; the former one opens nothing any more."""
    access.check_every_brand(caller)
    request = pb.RenewStoredValueCodeRequest(
        request_id=new_act_id("stored_value.code", caller, key),
        instrument_id=instrument_id,
        reason=body.reason,
        actor=caller.subject,
    )
    answer = await clients.act(clients.stored_value.RenewStoredValueCode, request)
    return _with_code(answer.stored_value, answer.code)


async def _freeze(
    clients: Clients, instrument_id: str, body: Reasoned, actor: str, request_id: str, *, frozen: bool
) -> StoredValueView:
    request = pb.FreezeStoredValueRequest(
        request_id=request_id, instrument_id=instrument_id, frozen=frozen, reason=body.reason, actor=actor
    )
    return _view((await clients.act(clients.stored_value.FreezeStoredValue, request)).stored_value)


def _view(found: pb.StoredValue) -> StoredValueView:
    return shown(found, StoredValueView, id=found.instrument_id)


def _with_code(found: pb.StoredValue, code: str) -> StoredValueWithCode:
    return shown(found, StoredValueWithCode, id=found.instrument_id, code=code or None)

"""One act on many orders from the desk: chosen with a form, tried, begun once for a key, and followed to its end.

It is tried and done by the code of its REST endpoints, under their rights.
"""

from typing import Annotated, Any, get_args

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from kit.errors import InvalidArgument, OmsError
from kit.values.ids import new_id
from services.gateway import access
from services.gateway.auth import Caller
from services.gateway.console import session, templates
from services.gateway.console.desk.forms import Field, Values, body, check
from services.gateway.guard import ClientsAre
from services.gateway.routes import bulk
from services.gateway.routes.bulk import BulkId
from services.gateway.schemas.base import Asked, Cursor, Id
from services.gateway.schemas.bulk import BulkActionView, BulkRequest, BulkResultsAsked
from services.gateway.schemas.holds import HoldKind
from services.gateway.schemas.orders import OrderStatus

bulk_router = APIRouter(route_class=session.PageRoute, include_in_schema=False)

_HOME = "/console/service/bulk"
_SIZE = 100
_FLAGS = {"late": "Late", "payment_failed": "Money not captured", "unclaimed": "Nobody took the work"}
_RELEASE, _CANCEL = ("release_hold", "let them go on: release the hold"), ("cancel", "cancel them")
_ELSEWHERE = ("plan_again", "have them done elsewhere")


class BulkAsked(Asked):
    """What is chosen already."""

    channel_id: Id | None = None
    held_for: HoldKind | None = None
    late: bool = False
    payment_failed: bool = False
    unclaimed: bool = False
    point_id: Id | None = None


@bulk_router.get(_HOME)
async def ask(request: Request, asked: Annotated[BulkAsked, Query()]) -> Response:
    """What is to be done with which orders."""
    caller = session.caller_of(request)
    access.check_every_order(caller)
    chosen = asked.model_dump(exclude_defaults=True)
    return _page(request, caller, {name: "yes" if value is True else value for name, value in chosen.items()})


@bulk_router.post(_HOME)
async def answer(request: Request, clients: ClientsAre) -> Response:
    """`step` is `do`: it is begun, once for a key, and followed; `change`: the form again. Else it is tried."""
    session.check_same_site(request)
    caller = session.caller_of(request)
    async with request.form(max_files=0, max_fields=20) as form:
        sent = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    key = sent.pop("key", "") or new_id("key")
    step = sent.pop("step", "")
    if step == "change":
        return _page(request, caller, sent, key=key)
    is_trial = step != "do"
    try:
        check(_fields(caller), Values(sent, ""))
        wish = _wish(Values(sent, ""), is_trial=is_trial)
        found = await bulk.act(wish, caller, clients, key)
    except OmsError as error:
        return _page(request, caller, sent, key=key, error=error)
    if is_trial:
        return _page(request, caller, sent, key=key, tried=found)
    return RedirectResponse(f"{_HOME}/{found.id}", 303)


@bulk_router.get(f"{_HOME}/{{bulk_id}}")
async def follow(
    request: Request, clients: ClientsAre, bulk_id: BulkId, cursor: Annotated[Cursor, Query()] = None
) -> Response:
    """How far it is, and what came of each order."""
    caller = session.caller_of(request)
    found = await bulk.read(bulk_id, caller, clients)
    results = await bulk.results(bulk_id, BulkResultsAsked(cursor=cursor, size=_SIZE), caller, clients)
    return templates.page(request, "desk/bulk_action.html", found=found, results=results, cursor=cursor)


@bulk_router.get(f"{_HOME}/{{bulk_id}}/results.csv")
async def results_csv(request: Request, clients: ClientsAre, bulk_id: BulkId) -> Response:
    """What came of each order as a file."""
    return await bulk.results_csv(bulk_id, session.caller_of(request), clients)


@bulk_router.post(f"{_HOME}/{{bulk_id}}/stop")
async def stop(request: Request, clients: ClientsAre, bulk_id: BulkId) -> Response:
    """Orders that were not decided on yet are left as they are."""
    session.check_same_site(request)
    await bulk.stop(bulk_id, session.caller_of(request), clients)
    return RedirectResponse(f"{_HOME}/{bulk_id}", 303)


# -- what is filled in ----------------------------------------------------------------------------------------


def _fields(caller: Caller) -> tuple[Field, ...]:
    acts = (_RELEASE, _ELSEWHERE, _CANCEL) if caller.roles & access.SERVICE else (_RELEASE, _ELSEWHERE)
    return (
        Field("act", "What is to be done", "choice", choices=acts),
        Field("reason", "Reason", required=False, hint="Stands in the timeline of each; needed to cancel"),
        Field("channel_id", "Channel", required=False, most=64),
        Field("status", "Status", "choice", required=False, choices=_choices(OrderStatus)),
        Field(
            "held_for",
            "Held for",
            "choice",
            required=False,
            choices=_choices(HoldKind),
            hint="Needed to let them go on: these holds are released",
        ),
        Field(
            "point_id",
            "Work at",
            required=False,
            most=64,
            hint="A point; done elsewhere is what it has not begun, and without a point what waits for stock",
        ),
        *(Field(*words, "choice", required=False, choices=(("yes", "only these"),)) for words in _FLAGS.items()),
        Field("order_ids", "Only these orders", "ids", required=False, hint="Their ids, one a line", most=100_000),
    )


def _wish(values: Values, *, is_trial: bool) -> BulkRequest:
    """As the REST face would have been sent it: the holds that choose orders are those that are released."""
    act, held_for = values.text("act"), values.text("held_for")
    if act == "release_hold" and not held_for:
        raise InvalidArgument("held_for", "say which holds are released")
    chosen: dict[str, Any] = {
        name: values.text(name) or None for name in ("channel_id", "status", "held_for", "point_id")
    }
    chosen |= {name: bool(values.text(name)) for name in _FLAGS}
    return body(
        BulkRequest,
        act=act,
        hold_kind=held_for if act == "release_hold" else None,
        reason=values.text("reason"),
        filter={**chosen, "order_ids": values.text("order_ids").split()},
        dry_run=is_trial,
    )


def _choices(kinds: object) -> tuple[tuple[str, str], ...]:
    return tuple((name, _words(name)) for name in get_args(kinds))


def _words(name: str) -> str:
    return name.replace("_", " ")


def _page(
    request: Request,
    caller: Caller,
    sent: dict[str, str],
    *,
    key: str = "",
    tried: BulkActionView | None = None,
    error: OmsError | None = None,
) -> Response:
    """The form as it was filled in; with what was tried, it is only to be confirmed."""
    return templates.page(
        request,
        "desk/bulk.html",
        error.http_status if error else 200,
        fields=_fields(caller),
        values=Values(sent, ""),
        tried=tried,
        error=error,
        key=key or new_id("key"),
    )

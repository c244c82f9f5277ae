"""What all pages of a store share: how a form is read, and how a page is shown to its reader."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from fastapi import Request, Response
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData

from kit import times
from kit.errors import InvalidArgument, OmsError
from services.gateway import access
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.console.store import words
from services.gateway.places import Place, places_of

Body = TypeVar("Body", bound=BaseModel)

# In the order of the work. A status that is none of these is not work any more.
STEPS = ("offered", "accepted", "picked", "packed")
# Why units of a pick are missing, and why units on a shelf cannot be sold.
MISSING_REASONS = ("not_found", "damaged", "being_sold", "other")
# Says to the page's worker that it may show the page again while there is no network.
_KEEP_HEADER = "X-Keep-Offline"


# -- forms ------------------------------------------------------------------------------------------------


def text(form: FormData, name: str) -> str:
    """A field without the blanks around it; empty when there is none."""
    value = form.get(name, "")
    return value.strip() if isinstance(value, str) else ""


def number(value: str, field: str) -> int:
    """Raises InvalidArgument for what is no whole number."""
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise InvalidArgument(field, "a whole number, without anything else")
    return int(value)


def said_of(form: FormData, line: int, found: int) -> Mapping[str, str]:
    """Why units of a line are missing, as the form says it; nothing where all of them were found."""
    wanted = text(form, f"wanted.{line}")
    reason = text(form, f"reason.{line}")
    if not reason or (wanted and found >= number(wanted, f"wanted.{line}")):
        return {}
    return {"reason": reason, "note": text(form, f"note.{line}")}


def body(kind: type[Body], **values: Any) -> Body:
    """What the REST face takes. Raises InvalidArgument, naming the field."""
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise InvalidArgument(".".join(map(str, first["loc"])), first["msg"]) from None


# -- pages ------------------------------------------------------------------------------------------------


def page(
    request: Request,
    template: str,
    status: int = 200,
    *,
    place: Place | None = None,
    keep: bool = False,
    error: OmsError | None = None,
    **values: Any,
) -> Response:
    """A page of a store. `keep`: it may be shown again without network, for it holds no address."""
    language = language_of(request)
    now = times.now()

    def clock(instant: datetime) -> str:
        return words.clock(instant, now, place.zone if place else ZoneInfo("UTC"), language)

    response = templates.page(
        request,
        template,
        status,
        scripts=True,
        language=language,
        words=words.words_in(language),
        steps=STEPS,
        place=place,
        clock=clock,
        now=now,
        error=error,
        problem=words.problem_in(language, error.reason, error.detail) if error else "",
        **values,
    )
    if keep:
        response.headers[_KEEP_HEADER] = "1"
    return response


def language_of(request: Request) -> words.Language:
    """Of who looks at the page."""
    return words.language_of(request.headers.get("accept-language", ""))


async def own_place(request: Request, clients: Clients, point_id: str) -> Place:
    """The point, if its work is the caller's. PermissionDenied / POINT_NOT_ALLOWED, NotFound / POINT_NOT_FOUND."""
    access.check_point(session.caller_of(request), point_id, frozenset())
    return await places_of(request, clients).one(point_id)

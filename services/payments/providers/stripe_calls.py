"""A call to Stripe through its official SDK: its key, and its errors as a refusal or a lost answer."""

import logging
from collections.abc import AsyncIterator, Awaitable
from typing import Any, TypeVar

import stripe

from services.payments.domain.model import Operation
from services.payments.providers import AnswerLost

_log = logging.getLogger(__name__)

T = TypeVar("T")


class Refused(Exception):
    """The provider said no: nothing was done."""

    def __init__(self, code: str, reference: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.reference = reference


async def ask(call: Awaitable[T]) -> T:
    """Turns the SDK's errors into a refusal or a lost answer; nothing of theirs goes further."""
    try:
        return await call
    except stripe.CardError as error:
        details = (error.json_body or {}).get("error", {}) if isinstance(error.json_body, dict) else {}
        intent = details.get("payment_intent") or details.get("setup_intent") or {}
        code = details.get("decline_code") or error.code or "card_declined"
        raise Refused(code, intent.get("id", "")) from None
    except stripe.InvalidRequestError as error:
        raise Refused(error.code or "invalid_request") from None
    except stripe.StripeError as error:
        headers = {name.lower(): value for name, value in (error.headers or {}).items()}
        ended = (error.http_status or 0) >= 500 and headers.get("idempotent-replayed") == "true"
        kind = type(error).__name__
        level = logging.WARNING if isinstance(error, stripe.APIConnectionError | stripe.APIError) else 40
        _log.log(level, "no answer from the provider: %s, status %s", kind, error.http_status)
        raise AnswerLost(kind, ended=ended) from None


async def found(call: Awaitable[T]) -> T | None:
    """What is read, or None when there is no such thing. A read that is refused otherwise is no answer."""
    try:
        return await ask(call)
    except Refused as refusal:
        if refusal.code == "resource_missing":
            return None
        raise AnswerLost(f"not readable: {refusal.code}") from None


async def listed(call: Awaitable[stripe.ListObject[Any]]) -> AsyncIterator[dict[str, Any]]:
    """What a list holds, page after page."""
    page = await found(call)
    while page is not None:
        for thing in page.data:
            yield thing.to_dict()
        page = await found(page.next_page_async()) if page.has_more else None


async def made_by(operation: Operation, call: Awaitable[stripe.ListObject[Any]]) -> dict[str, Any] | None:
    """The one in a list that an operation made."""
    async for thing in listed(call):
        if operation_of(thing) == operation.operation_id:
            return thing
    return None


def key(operation: Operation, part: str = "") -> stripe.RequestOptions:
    """The idempotency key of an operation's attempt; `part` names one of the calls that it takes."""
    attempt = "" if operation.attempt == 1 else f"/{operation.attempt}"
    return {"idempotency_key": f"{operation.operation_id}{attempt}{part and '/' + part}"}


def metadata(operation: Operation) -> dict[str, str]:
    """By which what an operation made is found again."""
    return {"order_id": operation.order_id, "operation_id": operation.operation_id}


def operation_of(thing: dict[str, Any]) -> str:
    """The operation that made it, or an empty text."""
    return str((thing.get("metadata") or {}).get("operation_id", ""))

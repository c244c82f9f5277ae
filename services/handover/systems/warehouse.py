"""A warehouse system with preparation orders over HTTP and messages signed after Standard Webhooks."""

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

import httpx
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, TypeAdapter, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from kit.errors import InvalidArgument, Unauthenticated
from services.handover.domain.model import Kind, Message
from services.handover.systems import Connection, PreparationOrder, Rejected, SystemAway

TIMEOUT_SECONDS = 5.0
_MAX = 2**31 - 1
_PATH = "/v1/preparation-orders"
# Its answers that may be others a moment later.
_PASSING = frozenset({401, 403, 408, 425, 429})
_REASONS = frozenset({"not_found", "damaged", "no_staff", "no_time", "other"})
_log = logging.getLogger(__name__)

_Id = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\x21-\x7e]+$")]


def _plausible(instant: datetime) -> datetime:
    """One that every clock and database can hold in any zone."""
    if not 2000 <= instant.year <= 2999:
        raise ValueError("not an instant of our time")
    return instant


class _Found(BaseModel):
    line_number: int = Field(ge=1, le=_MAX)
    quantity: int = Field(ge=0, le=2**53)


class _Data(BaseModel):
    reason: str = ""
    lines: list[_Found] = Field(default_factory=list, max_length=10_000)
    weight_grams: int = Field(default=0, ge=0, le=_MAX)
    tracking_code: str = Field(default="", max_length=100, pattern=r"^[\x20-\x7e]*$")


class _Posted(BaseModel):
    message_id: _Id
    type: Literal[
        "preparation.acknowledged",
        "preparation.refused",
        "preparation.picked",
        "preparation.packed",
        "preparation.shipped",
    ]
    occurred_at: Annotated[AwareDatetime, AfterValidator(_plausible)]
    preparation_id: _Id
    data: _Data = Field(default_factory=_Data)


_STATUS = TypeAdapter(list[_Posted])


class Warehouse:
    """One system of this kind."""

    def __init__(self, connection: Connection, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Calls it with the connection's key, and believes what is signed with its secret."""
        self._signer = Webhook(connection.webhook_secret)
        self._http = httpx.AsyncClient(
            base_url=connection.url,
            timeout=timeout_seconds,
            # A redirect would carry an address elsewhere.
            follow_redirects=False,
            headers={"authorization": f"Bearer {connection.api_key}", "user-agent": "oms-handover"},
        )

    async def prepare(self, order: PreparationOrder) -> None:
        """POST; 409 says that it has an order of this id, which is ours."""
        answer = await self._call("POST", "", _body(order))
        if answer.status_code != 409 and answer.is_client_error:
            raise Rejected(_code_of(answer))

    async def cancel(self, fulfilment_id: str) -> bool:
        """POST .../cancel."""
        answer = await self._call("POST", f"/{fulfilment_id}/cancel")
        if answer.status_code == 404:
            return True
        if not answer.is_success:
            raise SystemAway(_code_of(answer))
        outcome = _json(answer).get("outcome")
        if outcome not in ("cancelled", "too_late"):
            raise SystemAway("ANSWER_NOT_UNDERSTOOD")
        return bool(outcome == "cancelled")

    async def messages(self, fulfilment_id: str) -> Sequence[Message] | None:
        """GET."""
        answer = await self._call("GET", f"/{fulfilment_id}")
        if answer.status_code == 404:
            return None
        if not answer.is_success:
            raise SystemAway(_code_of(answer))
        try:
            return [_message(one) for one in _STATUS.validate_python(_json(answer).get("messages"))]
        except ValidationError:
            raise SystemAway("ANSWER_NOT_UNDERSTOOD") from None

    def read(self, payload: bytes, headers: Mapping[str, str]) -> Sequence[Message]:
        """One message; its signature covers id, time and body."""
        try:
            self._signer.verify(payload, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            raise Unauthenticated("SIGNATURE_INVALID", "the signature does not prove the message") from None
        try:
            return [_message(_Posted.model_validate_json(payload))]
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(map(str, first["loc"])) or "payload"
            raise InvalidArgument(field, str(first["msg"])) from None

    async def close(self) -> None:
        """Ends its connections."""
        await self._http.aclose()

    async def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        try:
            answer = await self._http.request(method, f"{_PATH}{path}", json=body)
        except httpx.HTTPError as error:
            # Its text may quote what was sent.
            _log.info("no answer: %s", type(error).__name__)
            raise SystemAway("NO_ANSWER") from None
        if answer.is_server_error or answer.is_redirect or answer.status_code in _PASSING:
            raise SystemAway(f"HTTP_{answer.status_code}")
        return answer


def _body(order: PreparationOrder) -> dict[str, Any]:
    return {
        "id": order.fulfilment_id,
        "site": order.point_id,
        "order_reference": order.order_id,
        "carrier": order.carrier_id,
        "carrier_service": order.service_id,
        "start_by": _text(order.start_by),
        "hand_over_by": _text(order.hand_over_by),
        "lines": [
            {"line_number": one.line_number, "sku": one.sku, "title": one.title, "quantity": one.quantity}
            for one in order.lines
        ],
        "ship_to": {
            "name": order.ship_to.name,
            "street_lines": list(order.ship_to.street_lines),
            "postcode": order.ship_to.postcode,
            "city": order.ship_to.city,
            "country": order.ship_to.country,
        },
    }


def _message(posted: _Posted) -> Message:
    kind = Kind(posted.type.removeprefix("preparation."))
    refusal = posted.data.reason if posted.data.reason in _REASONS else "other"
    return Message(
        message_id=posted.message_id,
        fulfilment_id=posted.preparation_id,
        kind=kind,
        occurred_at=posted.occurred_at,
        found=tuple((one.line_number, one.quantity) for one in posted.data.lines) if kind is Kind.PICKED else (),
        weight_grams=posted.data.weight_grams if kind is Kind.PACKED else 0,
        tracking_code=posted.data.tracking_code if kind is Kind.SHIPPED else "",
        refusal=refusal if kind is Kind.REFUSED else "",
    )


def _code_of(answer: httpx.Response) -> str:
    """Only its own word for why: a sentence might repeat what it was sent."""
    error = _json(answer).get("error")
    code = error.get("code") if isinstance(error, dict) else None
    known = isinstance(code, str) and code.replace("_", "").isalnum() and code.isascii() and len(code) <= 60
    return str(code).upper() if known else f"HTTP_{answer.status_code}"


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(instant: datetime | None) -> str | None:
    return instant.isoformat() if instant else None

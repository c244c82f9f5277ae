"""A carrier that speaks JSON over HTTP and signs what it posts (signatures.py); simulators/carrier is one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

import httpx
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from kit.errors import InvalidArgument
from services.orders import signatures
from services.orders.carriers import CarrierAway
from services.orders.domain.model import Proof
from services.orders.domain.parcels import CarrierStatus, Scan

# What a code means to us; any other (a label was printed, a parcel was sorted) tells nothing that we keep.
_STATUSES: Mapping[str, CarrierStatus] = {
    "PICKED_UP": CarrierStatus.IN_TRANSIT,
    "IN_TRANSIT": CarrierStatus.IN_TRANSIT,
    "OUT_FOR_DELIVERY": CarrierStatus.OUT_FOR_DELIVERY,
    "NOT_DELIVERED": CarrierStatus.DELIVERY_FAILED,
    "DELIVERED": CarrierStatus.DELIVERED,
    "LOST": CarrierStatus.LOST,
    "DAMAGED": CarrierStatus.DAMAGED,
    "RETURN_STARTED": CarrierStatus.RETURNING,
    "RETURNED": CarrierStatus.RETURNED,
}
_REASONS = {"ABSENT": "recipient_absent", "REFUSED": "refused", "BAD_ADDRESS": "address_incomplete"}


class _Event(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    id: str = Field(min_length=1, max_length=200)
    tracking_code: str = Field(min_length=1, max_length=200)
    code: str = Field(max_length=40)
    occurred_at: AwareDatetime
    reason: str | None = Field(None, max_length=40)
    signed_by: str | None = None
    photo: str | None = Field(None, max_length=255)


class _Events(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    events: list[_Event] = Field(max_length=500)


class SignedJsonCarrier:
    """One carrier at its address."""

    def __init__(self, *, url: str, api_key: str, webhook_secret: str, timeout_seconds: float = 8) -> None:
        self._secret = webhook_secret.encode()
        self._http = httpx.AsyncClient(
            base_url=url, timeout=timeout_seconds, headers={"Authorization": f"Bearer {api_key}"}
        )

    def read(self, payload: bytes, signature: str, now: datetime) -> Sequence[Scan]:
        """The scans of what was posted."""
        signatures.check(self._secret, payload, signature, now)
        try:
            return _scans(_Events.model_validate_json(payload))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"]) or "events"
            raise InvalidArgument(where, "not of the format of the carrier") from error

    async def scans(self, tracking_code: str) -> Sequence[Scan]:
        """All that the carrier knows of a parcel."""
        try:
            answer = await self._http.get(f"/shipments/{quote(tracking_code, safe='')}/events")
            if answer.status_code == httpx.codes.NOT_FOUND:
                return []
            answer.raise_for_status()
            return _scans(_Events.model_validate_json(answer.content))
        except (httpx.HTTPError, ValidationError) as error:
            raise CarrierAway(type(error).__name__) from error

    async def close(self) -> None:
        """Ends its connections."""
        await self._http.aclose()


def _scans(told: _Events) -> list[Scan]:
    return [_scan(one, _STATUSES[one.code]) for one in told.events if one.code in _STATUSES]


def _scan(event: _Event, status: CarrierStatus) -> Scan:
    has_reason = status in (CarrierStatus.DELIVERY_FAILED, CarrierStatus.RETURNING) and event.reason
    has_proof = status == CarrierStatus.DELIVERED and (event.signed_by or event.photo)
    return Scan(
        event_id=event.id,
        tracking_code=event.tracking_code,
        status=status,
        occurred_at=event.occurred_at,
        reason=_REASONS.get(event.reason or "", "other") if has_reason else "",
        proof=Proof(bool(event.signed_by), event.photo or "") if has_proof else None,
    )

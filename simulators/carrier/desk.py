"""What the carriers do: announce a shipment, and let something happen to it."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Literal

from fastapi import HTTPException
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from simulators.carrier.books import Body, Books
from simulators.carrier.faults import Faults
from simulators.carrier.webhooks import Webhooks

Code = Literal[
    "PRE_ADVICE",
    "PICKED_UP",
    "IN_TRANSIT",
    "OUT_FOR_DELIVERY",
    "NOT_DELIVERED",
    "DELIVERED",
    "LOST",
    "DAMAGED",
    "RETURN_STARTED",
    "RETURNED",
]
Reason = Literal["ABSENT", "REFUSED", "BAD_ADDRESS", "OTHER"]
_JOURNEY: tuple[Code, ...] = ("PICKED_UP", "IN_TRANSIT", "OUT_FOR_DELIVERY")


class Announcement(BaseModel):
    """A parcel that is to be carried. The same reference and content announce one shipment."""

    model_config = ConfigDict(extra="forbid")

    reference: str = Field(min_length=1, max_length=100)
    service: str = Field(default="", max_length=100)
    weight_grams: int = Field(ge=0, le=1_000_000)


class Happening(BaseModel):
    """Something that happens to a parcel. Who signed is the carrier's to know, and so in its events."""

    model_config = ConfigDict(extra="forbid")

    code: Code
    reason: Reason | None = None
    signed_by: str | None = None
    photo: str | None = None
    occurred_at: AwareDatetime | None = None


class Fate(BaseModel):
    """How a whole journey ends."""

    model_config = ConfigDict(extra="forbid")

    fate: Literal["delivered", "absent_once", "refused", "lost", "damaged"]


# What happens to a parcel of this fate.
_FATES: dict[str, tuple[Happening, ...]] = {
    "delivered": (Happening(code="DELIVERED", signed_by="A. Neighbour", photo="pod-1"),),
    "absent_once": (
        Happening(code="NOT_DELIVERED", reason="ABSENT"),
        Happening(code="OUT_FOR_DELIVERY"),
        Happening(code="DELIVERED", signed_by="A. Neighbour"),
    ),
    "refused": (
        Happening(code="NOT_DELIVERED", reason="REFUSED"),
        Happening(code="RETURN_STARTED", reason="REFUSED"),
        Happening(code="RETURNED"),
    ),
    "lost": (Happening(code="LOST"),),
    "damaged": (Happening(code="DAMAGED"),),
}


class Desk:
    """All carriers' people."""

    def __init__(self, books: Books, faults: Faults, webhooks: Webhooks) -> None:
        self._books = books
        self._faults = faults
        self._webhooks = webhooks

    def announce(self, carrier: str, announcement: Announcement) -> tuple[Body, bool]:
        """The shipment with its tracking code, and whether it is new. 409 for a reference with other content."""
        wanted = announcement.model_dump()
        if known := self._books.shipment_of(carrier, announcement.reference):
            if {name: known[name] for name in wanted} != wanted:
                raise HTTPException(409, "the reference was announced with other content")
            return known, False
        tracking_code = f"{carrier[:2].upper()}{secrets.randbelow(10**12):012d}"
        shipment = wanted | {"tracking_code": tracking_code}
        self._books.add_shipment(carrier, shipment)
        self.happen(carrier, tracking_code, Happening(code="PRE_ADVICE"))
        return shipment, True

    def shipment(self, carrier: str, tracking_code: str) -> Body:
        """With its last event. 404 when there is none."""
        found = self._books.shipment(carrier, tracking_code)
        if found is None:
            raise HTTPException(404, "no such shipment")
        return found | {"status": self._books.events(carrier, tracking_code)[-1]["code"]}

    def events(self, carrier: str, tracking_code: str) -> list[Body]:
        """What happened to a shipment. 404 when there is none."""
        self.shipment(carrier, tracking_code)
        return self._books.events(carrier, tracking_code)

    def happen(self, carrier: str, tracking_code: str, happening: Happening) -> Body:
        """Recorded, and posted as the faults want it."""
        now = time.time()
        occurred_at = happening.occurred_at or datetime.fromtimestamp(now, UTC)
        if ahead := self._faults.take("clock_ahead", tracking_code):
            occurred_at += timedelta(seconds=ahead.seconds)
        event = {
            "id": f"evt_{secrets.token_hex(12)}",
            "tracking_code": tracking_code,
            **happening.model_dump(exclude_none=True),
            "occurred_at": occurred_at.isoformat(),
        }
        self._books.add_event(carrier, event)
        if not self._faults.take("silent", tracking_code):
            self._post(carrier, tracking_code, event, now)
        return event

    def play(self, carrier: str, tracking_code: str, fate: Fate) -> list[Body]:
        """The whole journey at once."""
        steps = [*(Happening(code=code) for code in _JOURNEY), *_FATES[fate.fate]]
        return [self.happen(carrier, tracking_code, step) for step in steps]

    def _post(self, carrier: str, tracking_code: str, event: Body, now: float) -> None:
        if self._faults.take("out_of_order", tracking_code):
            self._books.add_post(carrier, event, None)
            return
        delay = self._faults.take("delayed", tracking_code)
        due_at = now + (delay.seconds if delay else 0)
        copies = 2 if self._faults.take("duplicate", tracking_code) else 1
        for _ in range(copies):
            self._books.add_post(carrier, event, due_at)
        self._books.release_posts(carrier, tracking_code, due_at + 1e-3)
        self._webhooks.ring()

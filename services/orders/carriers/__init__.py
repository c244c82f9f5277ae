"""Carriers behind one small interface: a carrier is one file here. Translates; decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from services.orders.domain.parcels import Scan


class CarrierAway(Exception):
    """The carrier does not answer; it may be asked again later."""


class Carrier(Protocol):
    """What a carrier's own format becomes. Who signed for a parcel does not pass."""

    def read(self, payload: bytes, signature: str, now: datetime) -> Sequence[Scan]:
        """The scans of what was posted. BadSignature; InvalidArgument for what is not of the carrier's format."""

    async def scans(self, tracking_code: str) -> Sequence[Scan]:
        """All scans of a parcel, oldest first; none of one that it does not know. CarrierAway."""

    async def close(self) -> None:
        """Ends its connections."""

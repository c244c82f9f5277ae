"""Erasing who bought: what an order must be for it, and for how long the law lets a buyer be kept.

Lines, money, units and the timeline stay: they hold no personal data.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from kit.errors import FailedPrecondition
from services.orders.domain.model import Decision, Fulfilment, Happening, HoldKind, Order
from services.orders.domain.states import ENDED, RefundState

# Money that is still to reach the customer, or somebody has to see to.
UNDONE_REFUNDS = (RefundState.PENDING, RefundState.FAILED)
# Of orders that are in the way, so many are named.
_NAMED = 20
_RETENTION = re.compile(r"[1-9]\d{0,4}(,[A-Z]{2}=[1-9]\d{0,4})*")


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days something is kept, and where it is for another time: by the country of the destination."""

    days: int
    by_country: Mapping[str, int] = field(default_factory=dict)

    def of(self, country: str) -> timedelta:
        """How long, for an order that went there."""
        return timedelta(days=self.by_country.get(country, self.days))

    @property
    def shortest(self) -> timedelta:
        """What was changed later than so long ago is kept wherever it went."""
        return timedelta(days=min((self.days, *self.by_country.values())))

    @classmethod
    def parse(cls, text: str) -> "Retention":
        """Of "1095" or "1095,DE=730,FR=1825". Raises ValueError."""
        if not _RETENTION.fullmatch(text):
            raise ValueError("days, and those of countries: 1095 or 1095,DE=730")
        days, *countries = text.split(",")
        by_country = (one.split("=") for one in countries)
        return cls(int(days), {country: int(each) for country, each in by_country})


def is_open(one: Order) -> bool:
    """Whether its customer may still have to be asked, told or paid."""
    return one.state not in ENDED or any(refund.state in UNDONE_REFUNDS for refund in one.refunds)


def erase(one: Order, cause: str, actor: str, as_of: datetime) -> Decision:
    """Nothing is known of its buyer any more. `cause`: "asked_for" or "kept_long_enough".

    Already erased, nothing happens. FailedPrecondition / ORDERS_OPEN.
    """
    if one.erased_at:
        return Decision(one)
    if is_open(one):
        raise orders_open([one.order_id])
    why = "it was asked for" if cause == "asked_for" else "it was kept long enough"
    told = Happening(
        "order.erased", f"Who bought it was erased: {why}.", as_of, facts={"cause": cause}, actor=actor
    )
    return Decision(replace(_without_words(one), erased_at=as_of, updated_at=as_of), (told,))


def orders_open(order_ids: list[str]) -> FailedPrecondition:
    """Says which orders are in the way, the first of them."""
    named = ", ".join(order_ids[:_NAMED]) + (" and more" if len(order_ids) > _NAMED else "")
    return FailedPrecondition(
        "ORDERS_OPEN",
        f"orders that are not closed, or not refunded yet, need their customer: {named}",
        orders=len(order_ids),
        order_ids=",".join(order_ids[:_NAMED]),
    )


def _without_words(one: Order) -> Order:
    """What people wrote may say whom they wrote of."""
    return replace(
        one,
        cancellation_reason="",
        refusal=replace(one.refusal, detail="") if one.refusal else None,
        holds=tuple(replace(hold, reason="") if hold.kind is HoldKind.MANUAL else hold for hold in one.holds),
        refunds=tuple(replace(refund, reason="") for refund in one.refunds),
        fulfilments=tuple(_without_picture(work) for work in one.fulfilments),
    )


def _without_picture(work: Fulfilment) -> Fulfilment:
    """A carrier's picture of a delivery shows somebody's door, or name."""
    parcel = work.parcel
    if parcel is None or parcel.proof is None or not parcel.proof.photo_reference:
        return work
    return replace(work, parcel=replace(parcel, proof=replace(parcel.proof, photo_reference="")))

"""The kinds of orders that a crowd places, as data: what the people around each of them mean to do."""

from dataclasses import dataclass, field

from cli.client import Json

_ALWAYS = 1000


@dataclass(frozen=True)
class Kind:
    """`weight` is how often it comes, of the sum of all. The rest is what differs from an order without a turn.

    The customer cancels when the order, or a fulfilment of it, has the status `cancels_when`. `refusals`: so many
    offers are refused. `finds_less`: a picker misses one unit. `approves`: the customer confirms the payment.
    `overrides`: finance lets the parcel leave though its capture failed. `from_basket`: the units were laid aside.
    """

    name: str
    weight: int
    cancels_when: str = ""
    refusals: int = 0
    finds_less: bool = False
    approves: bool = False
    overrides: bool = False
    from_basket: bool = False
    is_declined: bool = False
    payment: Json = field(default_factory=lambda: {"payment_method_token": "pm_card_visa"})

    @property
    def is_paid_by_channel(self) -> bool:
        """Whether no provider of ours has a part in it."""
        return "paid_by_channel_reference" in self.payment


_BY_CHANNEL = {"paid_by_channel_reference": "till-4711"}

KINDS = (
    Kind("straight", 50),
    Kind("from a basket", 5, from_basket=True),
    Kind("refused once", 8, refusals=1),
    Kind("found less", 10, finds_less=True),
    Kind("cancelled at once", 3, cancels_when="placed"),
    Kind("cancelled in cooling-off", 5, cancels_when="validated"),
    Kind("cancelled when released", 3, cancels_when="released"),
    Kind("cancelled when packed", 3, cancels_when="packed"),
    Kind("refused by every point", 2, refusals=_ALWAYS),
    Kind("declined", 2, is_declined=True, payment={"payment_method_token": "pm_card_visa_chargeDeclined"}),
    Kind("approved", 3, approves=True, payment={"payment_method_token": "pm_card_authenticationRequired"}),
    Kind("overridden", 2, overrides=True, payment={"payment_method_token": "pm_card_captureDeclined"}),
    Kind("paid by its channel", 3, payment=_BY_CHANNEL),
    Kind("paid by its channel, refused by every point", 1, refusals=_ALWAYS, payment=_BY_CHANNEL),
)

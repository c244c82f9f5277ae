"""What orders of one person, place or means of payment are known by: keyed digests, never the data itself."""

import hashlib
import hmac
from collections.abc import Mapping

from services.orders.domain.fraud_policy import Trait
from services.orders.domain.model import Buyer, Content, PaymentTerms

_TOKENS = ("payment_method_token", "stored_value_code")


class Identities:
    """Knows the key of the digests; without it, nobody can try out addresses on them."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def of(self, content: Content, buyer: Buyer) -> Mapping[Trait, list[bytes]]:
        """The digests of each trait that the order has."""
        customer, where = buyer.customer, buyer.ship_to
        street = _plain(" ".join(where.street_lines))
        known = {
            Trait.CUSTOMER: [customer.customer_id],
            Trait.EMAIL: [_plain(customer.email)],
            Trait.ADDRESS: [f"{where.country} {_plain(where.postcode)} {street}" if street else ""],
            Trait.PAYMENT: _tokens(content.payment),
        }
        return {
            trait: [self._digest(trait, value) for value in values if value]
            for trait, values in known.items()
            if any(values)
        }

    def of_email(self, email: str) -> list[bytes]:
        """By which orders with this e-mail address are known; nothing for what is none."""
        return [self._digest(Trait.EMAIL, _plain(email))] if "@" in email else []

    def of_customer_id(self, customer_id: str) -> list[bytes]:
        """By which orders of this customer of the channels are known."""
        return [self._digest(Trait.CUSTOMER, customer_id)] if customer_id else []

    def _digest(self, trait: Trait, value: str) -> bytes:
        return hmac.digest(self._key, f"{trait}\0{value}".encode(), hashlib.sha256)


def _tokens(payment: PaymentTerms) -> list[str]:
    """Each once. An authorisation or a reference of the channel is of one order only."""
    means = [(payment.kind, payment.value), *((one.kind, one.value) for one in payment.first)]
    return sorted({value for kind, value in means if kind in _TOKENS})


def _plain(text: str) -> str:
    """As two people would write the same: without case, and with only letters and digits apart."""
    return " ".join("".join(one if one.isalnum() or one in "@+._-" else " " for one in text.casefold()).split())

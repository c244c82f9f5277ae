"""The money of an order: whether a channel's amounts hold together, and what each unit bears.

Channels own prices and taxes. Amounts are checked and apportioned here, never recomputed.
"""

from collections.abc import Iterable, Sequence

from kit.errors import InvalidArgument
from kit.values.allocation import share
from kit.values.money import Money, is_currency
from services.orders.domain import collection_terms, texts
from services.orders.domain.appointments import check_content
from services.orders.domain.milestones import check_wishes
from services.orders.domain.model import (
    AT_A_TILL,
    Address,
    Buyer,
    Content,
    Line,
    PaymentShare,
    PaymentTerms,
    SalesChannel,
)
from services.orders.domain.ranges import LineRange

BASIS_POINTS = 10_000
MAX_LINES = 2_000
MAX_GIFT_MESSAGE_LENGTH = 300
# Above it an amount no longer fits the database's integers.
MAX_QUANTITY = 1_000_000_000


def check(content: Content, buyer: Buyer, channel: SalesChannel) -> None:
    """Raises InvalidArgument, naming the field, unless the order can be recorded for this channel."""
    _check_payment(content, channel)
    check_wishes(buyer.customer.language, buyer.customer.notify_by)
    check_change(content, buyer, channel)
    _check_covered(content)


def check_change(content: Content, buyer: Buyer, channel: SalesChannel) -> None:
    """The same for what an order is to become: how it was paid when it was placed is no part of that."""
    if not content.mode:
        raise InvalidArgument("mode", "the delivery mode is required")
    check_content(content)
    collection_terms.check_content(content, buyer)
    if content.sent and not content.is_collected:
        check_address(buyer.ship_to)
    if content.trade and content.trade not in {one.name for one in channel.trades}:
        raise InvalidArgument("trade", "the channel has no such trade", reason="UNKNOWN_TRADE")
    if not content.lines:
        raise InvalidArgument("lines", "an order has at least one line")
    if len(content.lines) > MAX_LINES:
        raise InvalidArgument("lines", f"an order has at most {MAX_LINES} lines", maximum=MAX_LINES)
    seen: set[int] = set()
    for i, line in enumerate(content.lines):
        if line.line_number in seen:
            raise InvalidArgument(f"lines[{i}].line_number", "a line number is used once in an order")
        seen.add(line.line_number)
        _check_line(f"lines[{i}]", line, channel)
    _check_taken(content.lines)
    texts.check(content.lines, buyer)
    if len(buyer.gift_message) > MAX_GIFT_MESSAGE_LENGTH or not buyer.gift_message.isprintable():
        raise InvalidArgument("gift_message", f"one line of at most {MAX_GIFT_MESSAGE_LENGTH} characters")
    _check_total(content, channel)
    _check_standard_shipping(content)


def goods_minor(lines: Iterable[Line], ranges: Iterable[LineRange]) -> int:
    """What these units bear of their lines' net and tax, exact to the minor unit in any partition."""
    by_number = {line.line_number: line for line in lines}
    total = 0
    for one in ranges:
        line = by_number[one.line_number]
        total += share(line.net_minor + line.tax_minor, line.quantity, one.from_unit, one.to_unit)
    return total


def shipping_minor(lines: Iterable[Line]) -> int:
    """The delivery fee of the whole order, tax included."""
    return sum(line.shipping_minor for line in lines)


def taken_minor(lines: Iterable[Line]) -> int:
    """What lines that are taken along come to: net and tax."""
    return sum(line.net_minor + line.tax_minor for line in lines)


def payable_minor(lines: Iterable[Line]) -> int:
    """What the lines come to: net, tax and shipping."""
    return sum(line.net_minor + line.tax_minor + line.shipping_minor for line in lines)


def _check_payment(content: Content, channel: SalesChannel) -> None:
    payment = content.payment
    if content.is_paid_in_store:
        if payment.kind or payment.first:
            raise InvalidArgument("payment", "an e-reservation is paid at a till of the store: no payment here")
        return
    if not payment.kind:
        raise InvalidArgument("payment", "say how the order is paid")
    if not payment.value:
        raise InvalidArgument(f"payment.{payment.kind}", "a token or reference is required")
    check_shares(content)
    _check_tills(payment, channel)
    if payment.save_means and payment.kind in AT_A_TILL:
        raise InvalidArgument("payment.save_means", "what a till has taken cannot be authorised again")


def _check_tills(payment: PaymentTerms, channel: SalesChannel) -> None:
    """What tills have taken is of channels that allow it, and each receipt is used once."""
    seen: set[tuple[str, str, str]] = set()
    means: list[tuple[str, PaymentShare | PaymentTerms]] = [
        (f"payment.first[{number}]", one) for number, one in enumerate(payment.first)
    ]
    for path, one in [*means, ("payment", payment)]:
        if one.kind not in AT_A_TILL:
            continue
        field, receipt = f"{path}.{one.kind}", (one.kind, one.point_id, one.value)
        if one.kind not in channel.till_payments:
            raise InvalidArgument(
                field,
                f"the channel takes no {_TILL_WORDS[one.kind]}",
                reason="TENDER_NOT_ALLOWED",
                allowed=", ".join(channel.till_payments),
            )
        if not one.point_id:
            raise InvalidArgument(f"{field}.point_id", "the store of the till is required")
        if receipt in seen:
            raise InvalidArgument(field, "a receipt of a till is used once", reason="RECEIPT_USED_TWICE")
        seen.add(receipt)


_TILL_WORDS = {"cash": "cash", "till_card": "card at a till"}


def _check_covered(content: Content) -> None:
    """What the means itself pays is the rest of the order; a till says how much it has taken."""
    payment = content.payment
    rest = content.total.amount_minor - sum(one.amount_minor for one in payment.first)
    is_said = payment.amount_minor or payment.kind in AT_A_TILL
    if is_said and payment.amount_minor != rest:
        paid = content.total.amount_minor - rest + payment.amount_minor
        raise InvalidArgument(
            "payment.amount_minor",
            f"the means of payment come to {Money(paid, content.total.currency)}, the total says {content.total}",
            reason="TENDERS_MISMATCH",
            expected_minor=rest,
            amount_minor=payment.amount_minor,
        )


def check_address(address: Address) -> None:
    """Raises InvalidArgument, naming the field, for an address that no parcel arrives at."""
    country = address.country
    if not (len(country) == 2 and country.isascii() and country.isalpha() and country.isupper()):
        raise InvalidArgument("ship_to.country", "the country is two upper case letters (ISO 3166-1 alpha-2)")
    for name, value in (
        ("name", address.name),
        ("street_lines", "".join(address.street_lines)),
        ("city", address.city),
    ):
        if not value.strip():
            raise InvalidArgument(f"ship_to.{name}", "a parcel needs it to arrive")


def _check_line(path: str, line: Line, channel: SalesChannel) -> None:
    if line.line_number < 1:
        raise InvalidArgument(f"{path}.line_number", "line numbers start at 1")
    if not line.sku:
        raise InvalidArgument(f"{path}.sku", "the SKU is required")
    if channel.brands and line.brand not in channel.brands:
        raise InvalidArgument(f"{path}.brand", "the channel does not sell this brand", reason="BRAND_NOT_ALLOWED")
    if line.quantity < 0:
        raise InvalidArgument(
            f"{path}.quantity", "a negative quantity is a return, not an order", reason="RETURN_NOT_SUPPORTED"
        )
    if not 1 <= line.quantity <= MAX_QUANTITY:
        raise InvalidArgument(f"{path}.quantity", f"the quantity is 1 to {MAX_QUANTITY}")
    for name, amount in _amounts(line):
        if amount < 0:
            raise InvalidArgument(f"{path}.{name}", "an amount is not negative")
    if line.tax_rate_basis_points > BASIS_POINTS:
        raise InvalidArgument(f"{path}.tax_rate_basis_points", "a tax rate is at most 10000 basis points")
    _check_tax(path, line)


def _check_taken(lines: Sequence[Line]) -> None:
    """What is taken along leaves one store, and nobody carries it."""
    points = {line.taken_at_point_id for line in lines if line.taken_at_point_id}
    for i, line in enumerate(lines):
        if line.taken_at_point_id and len(points) > 1:
            raise InvalidArgument(
                f"lines[{i}].taken_at_point_id",
                "what is taken along is taken from one store",
                reason="TAKEN_FROM_TWO_POINTS",
            )
        if line.taken_at_point_id and line.shipping_minor:
            raise InvalidArgument(f"lines[{i}].shipping_minor", "what is taken along has no delivery fee")


def _amounts(line: Line) -> Sequence[tuple[str, int]]:
    return (
        ("net_minor", line.net_minor),
        ("tax_minor", line.tax_minor),
        ("tax_rate_basis_points", line.tax_rate_basis_points),
        ("shipping_minor", line.shipping_minor),
        *((f"discounts[{i}].amount_minor", one.amount_minor) for i, one in enumerate(line.discounts)),
    )


def _check_tax(path: str, line: Line) -> None:
    # A channel may round each unit's tax, up or down, and then the line's.
    tolerance_minor = line.quantity + 1
    off = abs(line.tax_minor * BASIS_POINTS - line.net_minor * line.tax_rate_basis_points)
    if off > tolerance_minor * BASIS_POINTS:
        raise InvalidArgument(
            f"{path}.tax_minor",
            "the tax is not the rate on net, even with each unit rounded",
            reason="TAX_MISMATCH",
            tax_minor=line.tax_minor,
            expected_minor=(line.net_minor * line.tax_rate_basis_points + BASIS_POINTS // 2) // BASIS_POINTS,
        )


def _check_total(content: Content, channel: SalesChannel) -> None:
    total = content.total
    if not is_currency(total.currency):
        raise InvalidArgument("total.currency", "the currency is three upper case letters (ISO 4217)")
    if total.currency != channel.currency:
        raise InvalidArgument(
            "total.currency",
            f"the channel's orders are in {channel.currency}",
            reason="CURRENCY_MISMATCH",
            expected=channel.currency,
        )
    payable = payable_minor(content.lines)
    if payable != total.amount_minor:
        raise InvalidArgument(
            "total",
            f"the lines come to {Money(payable, total.currency)}, the total says {total}",
            reason="TOTAL_MISMATCH",
            expected_minor=payable,
            total_minor=total.amount_minor,
        )


def _check_standard_shipping(content: Content) -> None:
    standard = content.standard_shipping
    if standard is None:
        return
    if standard.currency != content.total.currency:
        raise InvalidArgument(
            "standard_shipping.currency",
            f"the order is in {content.total.currency}",
            reason="CURRENCY_MISMATCH",
            expected=content.total.currency,
        )
    if standard.amount_minor < 0:
        raise InvalidArgument("standard_shipping.amount_minor", "an amount is not negative")


def check_shares(content: Content) -> None:
    """What other means pay first is less than the order: names the field."""
    paid = 0
    for number, one in enumerate(content.payment.first):
        field = f"payment.first[{number}]"
        if not one.kind or not one.value:
            raise InvalidArgument(field, "say which means pays, by its token or code")
        if one.amount_minor <= 0:
            raise InvalidArgument(f"{field}.amount_minor", "an amount above 0 is required")
        paid += one.amount_minor
        if paid >= content.total.amount_minor:
            raise InvalidArgument(f"{field}.amount_minor", "the other means must be left something to pay")
    if content.payment.first and content.payment.kind == "paid_by_channel_reference":
        raise InvalidArgument("payment.first", "what its channel was paid has no other means")

"""Telling one content from another: what makes two placements the same order."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from services.orders.domain.model import Buyer, Content, PaymentTerms

_SECRET = ("payment_method_token", "stored_value_code")


def normal(content: Content) -> Content:
    """Lines in the order of their numbers: a line is named by its number, not by its place in a message."""
    return replace(content, lines=tuple(sorted(content.lines, key=lambda line: line.line_number)))


def forget_means(content: Content) -> Content:
    """Without what could pay again: tokens and codes. Whether content is the same, its digest still says."""
    payment = content.payment
    first = tuple(replace(one, value="") if one.kind in _SECRET else one for one in payment.first)
    value = "" if payment.kind in _SECRET else payment.value
    return replace(content, payment=replace(payment, value=value, first=first))


def first_difference(first: tuple[Buyer, Content], sent: tuple[Buyer, Content]) -> str:
    """The path of the first field of `sent` that differs from what was recorded first; empty if none does."""
    for recorded, new in zip(first, sent, strict=True):
        if path := _difference(recorded, new, ""):
            return path
    return ""


def _difference(one: Any, other: Any, path: str) -> str:
    if one == other:
        return ""
    if isinstance(one, Content) and isinstance(other, Content):
        return _fields(normal(one), other, path)
    if isinstance(one, PaymentTerms) and isinstance(other, PaymentTerms):
        if one.kind != other.kind:
            return path
        if (one.value, one.point_id) != (other.value, other.point_id):
            return f"{path}.{other.kind}"
        return _fields(one, other, path)
    if is_dataclass(one):
        return _fields(one, other, path)
    if isinstance(one, tuple) and len(one) == len(other):
        return _items(one, other, path)
    return path


def _fields(one: Any, other: Any, path: str) -> str:
    for field in fields(one):
        inner = f"{path}.{field.name}" if path else field.name
        if found := _difference(getattr(one, field.name), getattr(other, field.name), inner):
            return found
    return ""


def _items(one: tuple[Any, ...], other: tuple[Any, ...], path: str) -> str:
    # Lines are met by number, and named by their place in what was sent.
    place = range(len(other))
    if all(hasattr(item, "line_number") for item in other):
        place_of = sorted(place, key=lambda i: other[i].line_number)
    else:
        place_of = list(place)
    for recorded, i in zip(one, place_of, strict=True):
        if found := _difference(recorded, other[i], f"{path}[{i}]"):
            return found
    return ""

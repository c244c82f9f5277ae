"""An order of the file as the channel sends it, and what became of it.

The key is derived from source and order number: sent again, by a retry or by a later run, it is the same order.
What the file does not say is left empty, or said to be missing where an order must have it.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

from cli.client import Json
from cli.replay.reading import SourceOrder
from cli.replay.report import Kind, Outcome
from cli.replay.sending import NoAnswer, Sender, reason_of
from deploy.local.tokens import Scope
from kit.values.ids import derived_id

# An address needs a name, a street and a city, which files of order lines do not have.
_NOT_IN_SOURCE = "(not in the source)"
_REPLAYED_HEADER = "Idempotent-Replayed"
_LINE_FIELD = re.compile(r"lines\[(\d+)\]")
_BASIS_POINTS = 10_000
_FIRST_LOOK_SECONDS = 0.1
_LONGEST_LOOK_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Destination:
    """Where parcels go, as coarse as planning needs it."""

    country: str
    postcode: str


@dataclass(frozen=True, slots=True)
class Sale:
    """What the options say of every order. No `payment_token` means that the channel was paid."""

    source: str
    channel_id: str
    currency: str
    # By the country that the file names; "" is for all others.
    destinations: Mapping[str, Destination]
    mode: str = "home_standard"
    brand: str = ""
    payment_token: str = field(default="", repr=False)
    tax_rate_basis_points: int = 0


def key_of(source: str, number: str) -> str:
    """The idempotency key of an order: the same for the same source and number, in every run."""
    return derived_id("replay", source, number)


def body_of(order: SourceOrder, sale: Sale) -> Json:
    """The order as `POST /v1/orders` takes it. What the customer paid is what the file says: tax is within it."""
    articles = order.articles
    lines = [
        {
            "line_number": number,
            "sku": line.sku,
            "brand": sale.brand,
            "title": line.title,
            "quantity": line.quantity,
            **_net_and_tax(line.amount_minor, sale.tax_rate_basis_points),
            "shipping_minor": order.delivery_minor if number == 1 else 0,
        }
        for number, line in enumerate(articles, 1)
    ]
    first = articles[0]
    where = sale.destinations.get(first.country) or sale.destinations[""]
    body = {
        "channel_id": sale.channel_id,
        "channel_order_number": order.number,
        "customer": {"customer_id": first.customer},
        "ship_to": {
            "name": _NOT_IN_SOURCE,
            "street_lines": [_NOT_IN_SOURCE],
            "postcode": where.postcode,
            "city": _NOT_IN_SOURCE,
            "country": where.country,
        },
        "lines": lines,
        "total": {
            "amount_minor": sum(line.amount_minor for line in order.lines),
            "currency": sale.currency,
        },
        "mode": sale.mode,
        "payment": _payment(order, sale),
    }
    if order.taken_at:
        body["source_placed_at"] = order.taken_at.isoformat()
    return body


class Placer:
    """Places orders and follows each until its outcome is known, within the sender's patience."""

    def __init__(self, sender: Sender, sale: Sale, began: datetime) -> None:
        """`began`: when this run began, by the gateway's clock."""
        self._sender = sender
        self._sale = sale
        self._began = began
        self._scope = Scope(channels=(sale.channel_id,))

    async def place(self, order: SourceOrder) -> Outcome:
        """What became of the order. Never raises for what the system answers or fails to answer."""
        since, deadline = time.monotonic(), self._sender.deadline()
        try:
            found = await self._place(order, deadline)
        except NoAnswer as silence:
            detail = "it may have been placed; another run tells"
            return Outcome(Kind.UNKNOWN, silence.reason, detail, time.monotonic() - since)
        return Outcome(found.kind, found.reason, found.detail, time.monotonic() - since, found.line_details)

    async def _place(self, order: SourceOrder, deadline: float) -> Outcome:
        answered = await self._sender.send(
            deadline,
            "POST",
            "/v1/orders",
            "channel",
            self._scope,
            json=body_of(order, self._sale),
            headers={"Idempotency-Key": key_of(self._sale.source, order.number)},
        )
        answer = answered.answer
        if answer.status_code >= HTTPStatus.BAD_REQUEST:
            body = answer.json() if "json" in answer.headers.get("content-type", "") else {}
            return _refused(order, reason_of(answer), str(body.get("detail", "")), body)
        existed = _REPLAYED_HEADER in answer.headers
        found: Json = answer.json()
        if found["status"] == "recorded" or (existed and answered.attempts > 1):
            found = await self._follow(found["id"], deadline)
            existed = existed and datetime.fromisoformat(found["placed_at"]) < self._began
        if found["status"] == "refused":
            return _refused(order, found["refusal"]["reason"], found["refusal"]["detail"], found["refusal"])
        if found["status"] == "action_required":
            return Outcome(Kind.ACTION_REQUIRED)
        return Outcome(Kind.ALREADY_PLACED if existed else Kind.PLACED)

    async def _follow(self, order_id: str, deadline: float) -> Json:
        """The order once its outcome is known. Raises NoAnswer at the deadline."""
        pause = _FIRST_LOOK_SECONDS
        while True:
            answered = await self._sender.send(deadline, "GET", f"/v1/orders/{order_id}", "channel", self._scope)
            if answered.answer.status_code >= HTTPStatus.BAD_REQUEST:
                raise NoAnswer(reason_of(answered.answer))
            order: Json = answered.answer.json()
            if order["status"] != "recorded":
                return order
            if self._sender.is_over(deadline):
                raise NoAnswer("STILL_RECORDED")
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_LOOK_SECONDS)


def _net_and_tax(paid_minor: int, rate_basis_points: int) -> dict[str, int]:
    whole = _BASIS_POINTS + rate_basis_points
    net = (paid_minor * _BASIS_POINTS + whole // 2) // whole
    return {"net_minor": net, "tax_minor": paid_minor - net, "tax_rate_basis_points": rate_basis_points}


def _payment(order: SourceOrder, sale: Sale) -> dict[str, str]:
    if sale.payment_token:
        return {"payment_method_token": sale.payment_token}
    return {"paid_by_channel_reference": order.number}


def _refused(order: SourceOrder, reason: str, detail: str, body: Mapping[str, Any]) -> Outcome:
    """With more about the lines that the refusal names."""
    articles, details = order.articles, dict[int, str]()
    for line in body.get("lines") or ():
        row = articles[line["line_number"] - 1].row
        details[row] = f"{line['reason']}: {line['available']} of {line['requested']} can be had"
    for error in body.get("errors") or ():
        said = f"{error['field']}: {error.get('detail') or error['rule']}"
        if named := _LINE_FIELD.match(error["field"]):
            details[articles[int(named[1])].row] = said
        elif error.get("detail") != detail:
            detail = f"{detail} ({said})"
    return Outcome(Kind.REFUSED, reason, detail, line_details=details)

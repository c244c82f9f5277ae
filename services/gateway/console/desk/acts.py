"""The acts of the desk as data: what each is called, asks, says and does.

Each does what an endpoint does, by that endpoint's own code and rights. Whether it may be done is for the services
to say: nothing here decides.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from kit.times import from_proto
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway.auth import Caller
from services.gateway.clients import Clients
from services.gateway.console.desk.forms import Field, Values, body
from services.gateway.routes import (
    changes,
    holds,
    notifications,
    offers,
    payment_tasks,
    payments,
    refunds,
    tracking,
    work,
)
from services.gateway.routes import orders as placed
from services.gateway.schemas.booking import AppointmentMove
from services.gateway.schemas.changes import AddressChange, ContentChange, Elsewhere, LinesCancellation
from services.gateway.schemas.holds import HoldExtension, HoldPlacement, HoldRefusal, HoldRelease
from services.gateway.schemas.offers import Assignment
from services.gateway.schemas.orders import Cancellation
from services.gateway.schemas.payment_tasks import ResolveTask
from services.gateway.schemas.payments import SendLink
from services.gateway.schemas.refunds import RefundRequest
from services.gateway.schemas.work import CaptureOverride, LostParcelDecision, ParcelGivenUp, ParcelLost
from services.gateway.wire import plain


@dataclass(frozen=True, slots=True)
class Doing:
    """Who does it to what, with what was filled in. `key`: the same one does it once."""

    request: Request
    clients: Clients
    caller: Caller
    order: orders.Order
    target_id: str
    values: Values
    key: str

    @property
    def order_id(self) -> str:
        """Of the order."""
        return self.order.order_id


Do = Callable[[Doing], Awaitable[object]]
# What PreviewActs is told of it, beside the act and what it is about.
Wished = Callable[[Values], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Act:
    """One act.

    `endpoint`: whose rights it needs, and whose code does it. `says`: what it does, before anything is filled in.
    `wished`: None for an act that orders knows no preview of. `looks`: what is filled in decides what comes of it,
    so that it is shown again, with that, before it is done.
    """

    name: str
    label: str
    endpoint: tuple[str, str]
    says: str
    do: Do
    fields: tuple[Field, ...] = ()
    wished: Wished | None = None
    looks: bool = False
    is_grave: bool = False


_WHY = Field("reason", "Reason", hint="Stands in the timeline, with your name")
_NOTE = Field("reason", "Reason", required=False, hint="Stands in the timeline, with your name")
_REASONS = (
    ("withdrawal", "withdrawal: no longer wanted"),
    ("damaged", "damaged"),
    ("not_as_described", "not as described"),
    ("lost", "lost"),
    ("late", "late"),
    ("price_adjustment", "price adjustment"),
    ("gesture", "gesture"),
    ("other", "other"),
)


def _said(*names: str) -> Wished:
    """The preview is told these fields as they stand."""
    return lambda values: {name: values.text(name) for name in names}


# -- what each does -----------------------------------------------------------------------------------------


async def _cancel(on: Doing) -> object:
    wish = body(Cancellation, reason=on.values.text("reason"))
    return await placed.cancel(on.order_id, wish, on.caller, on.clients, on.key)


async def _cancel_lines(on: Doing) -> object:
    wish = body(LinesCancellation, lines=on.values.lines(), reason=on.values.text("reason"))
    return await changes.cancel_lines(on.order_id, wish, on.caller, on.clients, on.key)


async def _change_address(on: Doing) -> object:
    wish = body(AddressChange, ship_to=_address(on.values), accepts_later=bool(on.values.text("accepts_later")))
    return await changes.change_address(on.order_id, wish, on.caller, on.clients, on.request, on.key)


def _address(values: Values) -> dict[str, Any]:
    named = {name: values.text(name) for name in ("name", "postcode", "city", "country")}
    streets = [text for name in ("street_1", "street_2", "street_3") if (text := values.text(name))]
    return {**named, "street_lines": streets}


async def _change_content(on: Doing) -> object:
    lines = [_priced(plain(line), on.values) for line in on.order.content.lines]
    kept = [line for line in lines if line["quantity"]]
    minor = sum(line["net_minor"] + line["tax_minor"] + line["shipping_minor"] for line in kept)
    content = plain(on.order.content)
    wish = body(
        ContentChange,
        lines=kept,
        total={"amount_minor": minor, "currency": on.values.currency},
        mode=content["mode"] or "home_standard",
        standard_shipping=content["standard_shipping"],
        accepts_later=bool(on.values.text("accepts_later")),
        gift_message=on.values.text("gift_message") if "gift_message" in on.values.sent else None,
    )
    return await changes.change_content(on.order_id, wish, on.caller, on.clients, on.request, on.key)


def _priced(line: dict[str, Any], values: Values) -> dict[str, Any]:
    """The line with the quantity and the amounts that were filled in; prices are the channel's, not ours."""
    number = line["line_number"]
    if line["taken_at_point_id"] or f"quantity.{number}" not in values.sent:
        return line
    texts = {one["name"]: f"text.{number}.{one['name']}" for one in line["personalisations"]}
    changed = {
        "personalisations": [
            {"name": name, "text": values.text(sent)} if (sent := texts[name]) in values.sent else one
            for one in line["personalisations"]
            if (name := one["name"])
        ],
        "quantity": values.number(f"quantity.{number}"),
        "net_minor": values.minor(f"net.{number}") or 0,
        "tax_minor": values.minor(f"tax.{number}") or 0,
        "shipping_minor": values.minor(f"shipping.{number}") or 0,
    }
    return line | changed


async def _move_appointment(on: Doing) -> object:
    wish = body(AppointmentMove, slot_id=on.values.text("slot_id"))
    return await placed.move_appointment(on.order_id, wish, on.caller, on.clients, on.key)


async def _plan_again(on: Doing) -> object:
    points = {one.fulfilment_id: one.point_id for one in on.order.fulfilments}
    wish = body(Elsewhere, point_id=points.get(on.target_id), reason=on.values.text("reason"))
    return await changes.plan_again(on.order_id, on.caller, on.clients, on.request, wish, on.key)


async def _place_hold(on: Doing) -> object:
    until = on.values.instant("until")
    wish = body(
        HoldPlacement,
        reason=on.values.text("reason"),
        default=on.values.text("choice") or "release",
        **({"until": until.isoformat()} if until else {}),
    )
    return await holds.place_hold(on.order_id, wish, on.caller, on.clients, on.key)


async def _release_hold(on: Doing) -> object:
    wish = body(HoldRelease, reason=on.values.text("reason"))
    return await holds.release_hold(on.order_id, on.target_id, on.caller, on.clients, wish, on.key)


async def _extend_hold(on: Doing) -> object:
    until = on.values.instant("until")
    wish = body(HoldExtension, until=until.isoformat() if until else "", reason=on.values.text("reason"))
    return await holds.extend_hold(on.order_id, on.target_id, wish, on.caller, on.clients, on.key)


async def _refuse_hold(on: Doing) -> object:
    wish = body(HoldRefusal, reason=on.values.text("reason"))
    return await holds.refuse_hold(on.order_id, on.target_id, wish, on.caller, on.clients, on.key)


async def _assign(on: Doing) -> object:
    wish = body(Assignment, point_id=on.values.text("point_id"))
    return await offers.assign(on.target_id, wish, on.caller, on.clients, on.key)


async def _retry_capture(on: Doing) -> object:
    if on.target_id:
        return await work.capture_retry(on.target_id, on.caller, on.clients, on.key)
    return await refunds.retry_capture(on.order_id, on.caller, on.clients, on.key)


async def _override_capture(on: Doing) -> object:
    wish = body(CaptureOverride, reason=on.values.text("reason"))
    if on.target_id:
        return await work.capture_override(on.target_id, wish, on.caller, on.clients, on.key)
    return await refunds.override_capture(on.order_id, wish, on.caller, on.clients, on.key)


async def _give_up(on: Doing) -> object:
    wish = body(ParcelGivenUp, reason=on.values.text("reason"))
    return await work.give_up(on.target_id, wish, on.caller, on.clients, on.key)


async def _declare_lost(on: Doing) -> object:
    wish = body(ParcelLost, cause=on.values.text("choice"), reason=on.values.text("reason"))
    return await tracking.declare_lost(on.target_id, wish, on.caller, on.clients, on.key)


async def _decide_loss(on: Doing) -> object:
    wish = body(LostParcelDecision, decision=on.values.text("choice"))
    return await tracking.decide(on.target_id, wish, on.caller, on.clients, on.key)


async def _refund(on: Doing) -> object:
    lines, fee = on.values.lines(), on.values.money("amount")
    what: dict[str, Any] = {"kind": "goods", "whole": True}
    if lines:
        what = {"kind": "goods", "lines": lines}
    elif fee:
        what = {"kind": "delivery_fee", "amount": fee}
    return await _give_back(on, what, on.values.text("reason_code"))


async def _goodwill(on: Doing) -> object:
    return await _give_back(on, {"kind": "goodwill", "amount": on.values.money("amount")}, "gesture")


async def _give_back(on: Doing, what: Mapping[str, Any], reason_code: str) -> object:
    wish = body(RefundRequest, **what, reason_code=reason_code, reason=on.values.text("reason"))
    return await refunds.request_refund(on.order_id, wish, on.key, on.caller, on.clients)


async def _retry_refund(on: Doing) -> object:
    return await refunds.retry_refund(on.order_id, on.target_id, on.caller, on.clients, on.key)


async def _send_link(on: Doing) -> object:
    wish = body(SendLink, hours=on.values.number("hours"))
    return await payments.send_link(on.order_id, wish, on.caller, on.clients, on.key)


async def _resolve_task(on: Doing) -> object:
    said = {name: on.values.text(name) for name in ("resolution", "reference", "note")}
    wish = body(ResolveTask, **said)
    return await payment_tasks.resolve_task(on.target_id, wish, on.caller, on.clients, on.key)


async def _resend(on: Doing) -> object:
    return await notifications.resend_notification(on.order_id, on.target_id, on.caller, on.clients, on.key)


# -- what previews are told -----------------------------------------------------------------------------------


def _wished_lines(values: Values) -> Mapping[str, Any]:
    return {"lines": values.lines(), "reason": values.text("reason")}


def _wished_refund(values: Values) -> Mapping[str, Any]:
    amount = None if values.lines() else values.money("amount")
    return {"lines": values.lines(), "amount": amount, **_said("reason", "reason_code")(values)}


def _wished_goodwill(values: Values) -> Mapping[str, Any]:
    return {"amount": values.money("amount"), "reason": values.text("reason")}


def _wished_until(values: Values) -> Mapping[str, Any]:
    return {"until": values.instant("until"), **_said("reason", "choice")(values)}


# -- the table ------------------------------------------------------------------------------------------------

_ORDER = "/v1/orders/{order_id}"
_WORK = "/v1/fulfilments/{fulfilment_id}"
_LATER = Field(
    "accepts_later",
    "A later delivery",
    "choice",
    required=False,
    choices=(("yes", "is accepted by the customer"),),
    hint="Without it, a change that would bring the order later is refused",
)

ACTS: Mapping[str, Act] = {
    one.name: one
    for one in (
        Act(
            "cancel",
            "Cancel the order",
            ("POST", f"{_ORDER}/cancel"),
            "The whole order is cancelled: work stops, the stock that is held for it is free again, and its "
            "money is released or given back. A hand-over that happens meanwhile wins.",
            _cancel,
            (_WHY,),
            _said("reason"),
            is_grave=True,
        ),
        Act(
            "cancel_lines",
            "Cancel units",
            ("POST", f"{_ORDER}/lines/cancel"),
            "Units that are not wanted are cancelled, all that you name or none; their stock and money follow.",
            _cancel_lines,
            (Field("units", "Units to cancel", "units"), _NOTE),
            _wished_lines,
            looks=True,
            is_grave=True,
        ),
        Act(
            "change_address",
            "Change the address",
            ("PATCH", f"{_ORDER}/address"),
            "Within its postcode the address is written at once. Elsewhere the order is planned again, which may "
            "be refused; it then stands as it was.",
            _change_address,
            (
                Field("name", "Name", most=200),
                Field("street_1", "Street", most=200),
                Field("street_2", "More of the address", required=False, most=200),
                Field("street_3", "More of the address", required=False, most=200),
                Field("postcode", "Postcode", most=16),
                Field("city", "City", most=200),
                Field("country", "Country", hint="Two letters, for example FR", most=2),
                _LATER,
            ),
            _said(),
        ),
        Act(
            "change_content",
            "Change quantities or texts",
            ("PUT", f"{_ORDER}/content"),
            "The order becomes what you fill in, at the channel's prices, with a new plan; or the change is "
            "refused, and the order stands as it was. A difference is authorised or released.",
            _change_content,
            (
                Field("content", "Lines, with amounts for the whole quantity", "content"),
                Field("gift_message", "Gift message", required=False, hint="Empty: none", most=300),
                _LATER,
            ),
            _said(),
        ),
        Act(
            "move_appointment",
            "Move the appointment",
            ("POST", f"{_ORDER}/appointment"),
            "The carrier comes at another time; that is the new promise once the slot is booked.",
            _move_appointment,
            (Field("slot_id", "Slot", "choice"),),
            _said(),
        ),
        Act(
            "plan_again",
            "Have it done elsewhere",
            ("POST", f"{_ORDER}/plan-again"),
            "Other points are looked for that have the units now: what its point has not begun, or what is waited "
            "for, goes there. Where there is none, it stays as it is.",
            _plan_again,
            (_NOTE,),
            _said("reason"),
        ),
        Act(
            "place_hold",
            "Hold the order",
            ("POST", f"{_ORDER}/holds"),
            "Nothing more of it is offered, prepared or handed over until somebody lets it go on, or its date "
            "comes.",
            _place_hold,
            (
                _WHY,
                Field("until", "Until", "instant", required=False, hint="UTC; without it somebody must end it"),
                Field(
                    "choice",
                    "And then",
                    "choice",
                    choices=(("release", "it goes on"), ("cancel", "it is cancelled")),
                ),
            ),
            _wished_until,
        ),
        Act(
            "release_hold",
            "Let it go on",
            ("POST", f"{_ORDER}/holds/{{hold_id}}/release"),
            "This hold ends now. The order goes on when no other one holds it.",
            _release_hold,
            (_NOTE,),
            _said("reason"),
        ),
        Act(
            "extend_hold",
            "Another date",
            ("POST", f"{_ORDER}/holds/{{hold_id}}/extend"),
            "What happens by itself happens then.",
            _extend_hold,
            (Field("until", "Until", "instant", hint="UTC, still to come"), _NOTE),
            _wished_until,
        ),
        Act(
            "refuse_hold",
            "Decide against the order",
            ("POST", f"{_ORDER}/holds/{{hold_id}}/refuse"),
            "The order is cancelled because of this hold.",
            _refuse_hold,
            (_WHY,),
            _said("reason"),
            is_grave=True,
        ),
        Act(
            "assign",
            "Give the work to a point",
            ("POST", f"{_WORK}/assign"),
            "The point has the work, and the stock goes to it. It can no longer refuse.",
            _assign,
            (Field("point_id", "Point", "choice"),),
            _said("point_id"),
        ),
        Act(
            "retry_capture",
            "Try for the money again",
            ("POST", f"{_WORK}/capture-retry"),
            "The provider is asked for the money now.",
            _retry_capture,
            (),
            _said(),
        ),
        Act(
            "override_capture",
            "Ship without the money",
            ("POST", f"{_WORK}/capture-override"),
            "It may leave though its money was not captured. Nobody asks for the money any more.",
            _override_capture,
            (_WHY,),
            _said("reason"),
            is_grave=True,
        ),
        Act(
            "give_up",
            "Give the parcel up",
            ("POST", f"{_WORK}/give-up"),
            "The units of the parcel whose money cannot be had are cancelled; their stock is free again.",
            _give_up,
            (_WHY,),
            _said("reason"),
            is_grave=True,
        ),
        Act(
            "declare_lost",
            "Declare the parcel lost",
            ("POST", f"{_WORK}/declare-lost"),
            "The parcel does not arrive. Its units are sent again or refunded, as the life cycle says or a person "
            "decides.",
            _declare_lost,
            (
                Field("choice", "It is", "choice", choices=(("lost", "lost"), ("damaged", "damaged"))),
                Field("reason", "How it is known", hint="For example the carrier's file number"),
            ),
            _said("reason", "choice"),
            looks=True,
            is_grave=True,
        ),
        Act(
            "decide_loss",
            "Decide about the lost parcel",
            ("POST", f"{_WORK}/decide"),
            "Its units are sent again, or refunded. This is decided once.",
            _decide_loss,
            (
                Field(
                    "choice",
                    "Its units",
                    "choice",
                    choices=(("reship", "are sent again"), ("refund", "are refunded")),
                ),
            ),
            _said("choice"),
            looks=True,
        ),
        Act(
            "refund",
            "Refund",
            ("POST", f"{_ORDER}/refunds"),
            "Money goes back the way it came: for the units that you name, for an amount of the delivery fee, or, "
            "when you name neither, for all that is left.",
            _refund,
            (
                Field("units", "Units to refund", "units", required=False),
                Field("amount", "Or of the delivery fee", "money", required=False),
                Field("reason_code", "Why", "choice", choices=_REASONS),
                Field("reason", "In words", required=False, most=200),
            ),
            _wished_refund,
            looks=True,
        ),
        Act(
            "goodwill",
            "Goodwill gesture",
            ("POST", f"{_ORDER}/refunds"),
            "An amount goes back to the customer; what was bought stays with him.",
            _goodwill,
            (
                Field("amount", "Amount", "money"),
                Field("reason", "In words", required=False, most=200),
            ),
            _wished_goodwill,
            looks=True,
        ),
        Act(
            "retry_refund",
            "Try the refund again",
            ("POST", f"{_ORDER}/refunds/{{refund_id}}/retry"),
            "The provider is asked again to give the money back.",
            _retry_refund,
            (),
            _said(),
        ),
        Act(
            "payment_link",
            "Payment link",
            ("POST", f"{_ORDER}/payment-links"),
            "A link is made by which the customer pays what was declined or has ended. Whoever has it may pay.",
            _send_link,
            (Field("hours", "Valid for hours", hint="1 to 1440"),),
        ),
        Act(
            "resolve_task",
            "Bring the payment task to an end",
            ("POST", "/v1/payment-tasks/{task_id}/resolve"),
            "It is written down how the money was given back, or the provider is asked again.",
            _resolve_task,
            (
                Field(
                    "resolution",
                    "How",
                    "choice",
                    choices=(
                        ("retry", "ask the provider again"),
                        ("credit_note", "by a credit note"),
                        ("by_hand", "by hand"),
                        ("answered", "the dispute was answered"),
                        ("accepted", "the dispute is not contested"),
                    ),
                ),
                Field("reference", "Reference", required=False, most=200),
                Field("note", "Note", required=False, most=200),
            ),
        ),
        Act(
            "resend_notification",
            "Send the message again",
            ("POST", f"{_ORDER}/notifications/{{notification_id}}/resend"),
            "The customer is told once more, in the words of what the order is now, to the address that it has "
            "now. What is not true any more is not sent.",
            _resend,
        ),
    )
}


def targets_of(order: orders.Order, elsewhere: list[str]) -> set[str]:
    """What an act on this order may be about, beside the order itself: nothing of another order.

    `elsewhere`: what is of this order and does not stand in it.
    """
    return {
        *(one.hold_id for one in order.holds),
        *(one.fulfilment_id for one in order.fulfilments),
        *(one.refund_id for one in order.refunds),
        *elsewhere,
    }


def about(order: orders.Order, target_id: str) -> str:
    """The target in words; empty for the order itself."""
    for hold in order.holds:
        if hold.hold_id == target_id:
            until = f", until {from_proto(hold.until):%d %b %Y, %H:%M} UTC" if hold.HasField("until") else ""
            return f"{hold.kind.replace('_', ' ')} hold: {hold.reason}{until}"
    for each in order.fulfilments:
        if each.fulfilment_id == target_id:
            return f"the work of {each.point_id}"
    for refund in order.refunds:
        if refund.refund_id == target_id:
            return f"the refund for {refund.reason_code.replace('_', ' ')}"
    return ""

"""The words of notifications: texts/ in the customer's language, filled with what the order is when it is sent.

`texts/<language>.yaml` has a subject, a text and an SMS for each milestone; mail.txt and mail.html are
around it.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import Any
from zoneinfo import ZoneInfo

import yaml
from jinja2 import Environment, StrictUndefined, Template

from kit.values.money import Money
from services.orders.codes import Codes
from services.orders.domain.milestones import Milestone
from services.orders.domain.model import Buyer, Fulfilment, Order, Window
from services.orders.domain.notifications import Notification
from services.orders.domain.states import FulfilmentState, OrderState, UnitState
from services.orders.domain.status import customer_status
from services.orders.links import Links
from services.orders.messaging import formats
from services.orders.store import View

LANGUAGES = ("en", "fr")
# Of whom it is not known which he reads, by where the goods go; elsewhere it is the first of LANGUAGES.
_FRENCH = frozenset(["FR", "MC", "LU", "GP", "MQ", "GF", "RE", "YT", "PM", "BL", "MF", "NC", "PF", "WF"])
LINK_LASTS = timedelta(days=90)
_NOT_A_PARCEL = (FulfilmentState.CANCELLED, FulfilmentState.REFUSED, FulfilmentState.LAPSED, FulfilmentState.SHORT)
# All that the words of a milestone may name beside it; what does not apply is empty.
_NAMES = (
    "promise",
    "promise_short",
    "changeable_until",
    "action_url",
    "carrier",
    "tracking_code",
    "delivered_on",
    "failure",
    "loss_decision",
    "amount",
    "due",
    "due_short",
    "trial_ends",
    "trial_ends_short",
    "trial_due",
    "code",
    "compartment",
    "keep_until",
    "keep_until_short",
    "choose_until",
    "choose_until_short",
)

_PLAIN = Environment(autoescape=False, undefined=StrictUndefined, keep_trailing_newline=True)
_HTML = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)


@dataclass(frozen=True, slots=True)
class Letter:
    """What a customer reads: a mail with both its faces, or an SMS in letters of GSM 03.38."""

    language: str
    subject: str = field(repr=False)
    text: str = field(repr=False)
    html: str = field(repr=False)
    sms: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Words:
    subject: Template
    text: Template
    sms: Template
    # Whose units are listed: "all", "parcel", "units" (of the facts), "kept", or none.
    lines: str


@dataclass(frozen=True, slots=True)
class _Language:
    milestones: Mapping[Milestone, _Words]
    statuses: Mapping[str, str]
    around: Mapping[str, Template]


@lru_cache(maxsize=len(LANGUAGES))
def _language(name: str) -> _Language:
    known = yaml.safe_load(_file(f"{name}.yaml"))
    return _Language(
        {
            Milestone(milestone): _Words(
                subject=_PLAIN.from_string(words["subject"]),
                text=_PLAIN.from_string(words["text"]),
                sms=_PLAIN.from_string(words["sms"]),
                lines=words.get("lines", ""),
            )
            for milestone, words in known.pop("milestones").items()
        },
        known.pop("statuses"),
        {part: _PLAIN.from_string(text) for part, text in known.items()},
    )


@lru_cache(maxsize=2)
def _mail(face: str) -> Template:
    return (_HTML if face == "html" else _PLAIN).from_string(_file(f"mail.{face}"))


def _file(name: str) -> str:
    return resources.files("services.orders.messaging").joinpath("texts", name).read_text(encoding="utf-8")


def language_of(buyer: Buyer) -> str:
    """In which the customer is written to: his own, if there are words in it."""
    if buyer.customer.language in LANGUAGES:
        return buyer.customer.language
    return "fr" if buyer.ship_to.country in _FRENCH else LANGUAGES[0]


def write(one: Notification, view: View, shop: str, links: Links, codes: Codes, now: datetime) -> Letter:
    """The words of a notification about this order. `shop`: as customers know it."""
    order, buyer = view.order, view.buyer
    language = language_of(buyer)
    words, known = _language(language).milestones[one.milestone], _language(language)
    names = _names(one, order, buyer, language, codes, now) | {
        "shop": _line(shop),
        "number": _line(order.content.channel_order_number or order.order_id),
        "name": _line(buyer.customer.name or buyer.ship_to.name),
        "status": _status(order, language),
        "link": links.url(order.order_id, now + LINK_LASTS),
    }
    paragraphs = [_line(part) for part in words.text.render(names).split("\n\n")]
    around = {part: template.render(names) for part, template in known.around.items() if part != "units"}
    whole = {
        **around,
        "language": language,
        "subject": _line(words.subject.render(names)),
        "paragraphs": [part for part in paragraphs if part],
        "units": [
            known.around["units"].render(
                names | {"quantity": quantity, "title": _line(title), "instead_of": _line(instead_of)}
            )
            for title, quantity, instead_of in _units(words.lines, one, order)
        ],
        "link": names["link"],
        "action_url": names["action_url"],
    }
    return Letter(
        language,
        subject=whole["subject"],
        text=_mail("txt").render(whole),
        html=_mail("html").render(whole),
        sms=formats.gsm(words.sms.render(names)),
    )


# Spaces that keep an amount and its currency on one line stay.
_SPACES = re.compile(r"[^\S\u00a0\u202f]+")


def _line(text: str) -> str:
    return _SPACES.sub(" ", text).strip()


def _status(order: Order, language: str) -> str:
    """In the words of the life cycle, or the usual ones."""
    status = customer_status(order)
    labels = {one.status: one.text for one in order.life_cycle.labels if one.language == language}
    return labels.get(status) or _language(language).statuses.get(status, status)


# -- what the words name ----------------------------------------------------------------------------------


def _names(
    one: Notification, order: Order, buyer: Buyer, language: str, codes: Codes, now: datetime
) -> dict[str, Any]:
    zone = formats.zone_of(buyer.ship_to.country)
    work = next((each for each in order.fulfilments if each.fulfilment_id == one.facts.get("work")), None)
    names: dict[str, Any] = dict.fromkeys(_NAMES, "")
    names |= {
        "total": formats.money(order.content.total, language),
        "parcels": sum(each.state not in _NOT_A_PARCEL for each in order.sent),
        "is_late": bool(one.facts.get("late")),
        "is_partly_taken": bool(order.taken),
        "is_damaged": bool(work and work.state is FulfilmentState.DAMAGED),
        "is_collected": order.content.is_collected,
        "is_paid_in_store": order.content.is_paid_in_store,
        "is_for_locker": order.content.is_for_locker,
    }
    if promise := _promise(order, work):
        names["promise"] = formats.window(promise.start, promise.end, zone, language)
        names["promise_short"] = formats.window(promise.start, promise.end, zone, language, is_short=True)
    until = order.cooling_off_until
    if order.state is OrderState.VALIDATED and until and until > now:
        names["changeable_until"] = formats.moment(until, zone, language)
    if one.milestone is Milestone.PAYMENT_NEEDED:
        names["action_url"] = order.next_action_url
    refund = next((each for each in order.refunds if each.refund_id == one.subject), None)
    if refund:
        names["amount"] = formats.money(Money(refund.amount_minor, refund.currency), language)
    if one.facts.get("due_at"):
        due = datetime.fromisoformat(one.facts["due_at"])
        names |= {"due": formats.day(due, zone, language)}
        names |= {"due_short": formats.day(due, zone, language, is_short=True)}
    names |= _of_collection(work, codes, zone, language) | _of_question(one, order, zone, language)
    return names | _of_parcel(work, zone, language) | _of_trial(order, zone, language)


def _promise(order: Order, work: Fulfilment | None) -> Window | None:
    """What was told last: of the parcel where it is about one, else of the order."""
    if work is None:
        return order.current_promise
    for change in reversed(order.promise_changes):
        for parcel in change.parcels:
            if parcel.fulfilment_id == work.fulfilment_id:
                return parcel.window
    return work.window


def _of_parcel(work: Fulfilment | None, zone: ZoneInfo, language: str) -> dict[str, Any]:
    if work is None or work.parcel is None:
        return {}
    parcel = work.parcel
    return {
        "carrier": work.carrier_id.replace("-", " ").replace("_", " ").title(),
        "tracking_code": parcel.tracking_code,
        "delivered_on": formats.day(parcel.delivered_at, zone, language) if parcel.delivered_at else "",
        "failure": parcel.failure_reason,
        "loss_decision": parcel.loss.decision if parcel.loss else "",
    }


def _of_collection(work: Fulfilment | None, codes: Codes, zone: ZoneInfo, language: str) -> dict[str, Any]:
    if work is None or work.collection is None:
        return {}
    keep_until = work.collection.keep_until
    return {
        "code": codes.of(work),
        "compartment": work.compartment,
        "keep_until": formats.moment(keep_until, zone, language),
        "keep_until_short": formats.moment(keep_until, zone, language, is_short=True),
    }


def _of_question(one: Notification, order: Order, zone: ZoneInfo, language: str) -> dict[str, Any]:
    asked = next((each for each in order.choices if each.choice_id == one.facts.get("choice_id")), None)
    if asked is None:
        return {}
    return {
        "choose_until": formats.moment(asked.until, zone, language),
        "choose_until_short": formats.moment(asked.until, zone, language, is_short=True),
    }


def _of_trial(order: Order, zone: ZoneInfo, language: str) -> dict[str, Any]:
    trial = order.trial
    if trial is None:
        return {}
    due = Money(order.charge.amount_minor, order.content.total.currency) if order.charge else None
    return {
        "trial_ends": formats.moment(trial.ends_at, zone, language),
        "trial_ends_short": formats.moment(trial.ends_at, zone, language, is_short=True),
        "trial_due": formats.money(due, language) if due else "",
    }


def _units(which: str, one: Notification, order: Order) -> Sequence[tuple[str, int, str]]:
    """Titles and quantities of what is listed, in the order of the lines; and instead of what it is given."""
    titles = {line.line_number: line.title or line.sku for line in order.content.lines}
    if which in ("parcel", "given"):
        work = next((each for each in order.fulfilments if each.fulfilment_id == one.facts.get("work")), None)
        return [
            (line.title or line.sku, line.quantity, titles[line.line_number])
            if line.ordered_sku
            else (titles[line.line_number], line.quantity, "")
            for line in sorted(work.lines if work else (), key=lambda line: line.line_number)
            if which == "parcel" or line.ordered_sku
        ]
    counted: Counter[int] = Counter()
    if which == "all":
        for each in order.ranges:
            counted[each.line_number] += each.quantity if each.state is not UnitState.CANCELLED else 0
    elif which == "units":
        for said in one.facts.get("lines", ()):
            counted[said["line_number"]] += said["quantity"]
    elif which == "kept" and order.trial:
        for kept in order.trial.kept:
            counted[kept.line_number] += kept.to_unit - kept.from_unit
    return [
        (titles[number], quantity, "")
        for number, quantity in sorted(counted.items())
        if quantity and number in titles
    ]

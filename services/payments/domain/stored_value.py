"""Stored value: gift cards, credit notes and loyalty vouchers are one mechanism with different terms.

An instrument's value lies in two accounts of its own, `available` and `held`. Each movement is one line that
debits an account and credits another: the books balance line by line, and balance and held are sums of lines.

    issue       debit issued     credit available       (a credit note for what comes back: debit spent, converted)
    hold        debit available  credit held            an order is authorised
    give back   debit held       credit available       the authorisation, or its rest, is let go
    spend       debit held       credit spent           captured
    refund      debit spent      credit available
    convert     debit held       credit converted       let go, and the instrument can no longer take it back
    expire      debit available  credit lapsed          at its end, or the rest of a voucher that was used
    adjust      debit adjusted   credit available       or the other way round

Freezing, and a new code, move nothing and are lines of 0. Amounts are minor units of the instrument's currency.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class InstrumentKind(StrEnum):
    """What the customer calls it; the terms decide what it can do."""

    GIFT_CARD = "gift_card"
    CREDIT_NOTE = "credit_note"
    LOYALTY_VOUCHER = "loyalty_voucher"


class InstrumentState(StrEnum):
    """What it can be used for now; the first that is true, in this order."""

    FROZEN = "frozen"
    EXPIRED = "expired"
    USED_UP = "used_up"
    ACTIVE = "active"


class Act(StrEnum):
    """What a line is about."""

    ISSUE = "issue"
    HOLD = "hold"
    GIVE_BACK = "give_back"
    SPEND = "spend"
    REFUND = "refund"
    CONVERT = "convert"
    EXPIRE = "expire"
    ADJUST = "adjust"
    FREEZE = "freeze"
    UNFREEZE = "unfreeze"
    NEW_CODE = "new_code"


class Account(StrEnum):
    """Where value lies. AVAILABLE and HELD are the instrument's own; NONE for a line that moves nothing."""

    AVAILABLE = "available"
    HELD = "held"
    ISSUED = "issued"
    SPENT = "spent"
    CONVERTED = "converted"
    LAPSED = "lapsed"
    ADJUSTED = "adjusted"
    NONE = ""


class Refusal(StrEnum):
    """Why an instrument does not pay: a decline code. NOT_FOUND says nothing about which codes there are."""

    NONE = ""
    NOT_FOUND = "stored_value_not_found"
    TOO_MANY_ATTEMPTS = "stored_value_too_many_attempts"
    FROZEN = "stored_value_frozen"
    EXPIRED = "stored_value_expired"
    WRONG_CURRENCY = "stored_value_wrong_currency"
    NOT_FOR_CHANNEL = "stored_value_not_for_channel"
    NOT_FOR_CUSTOMER = "stored_value_not_for_customer"
    INSUFFICIENT = "stored_value_insufficient"
    EXCEEDS_HOLD = "stored_value_exceeds_hold"
    EXCEEDS_SPENT = "stored_value_exceeds_spent"


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed when it was issued. Empty `channels`: all; empty `customer_ref`: whoever has the code."""

    kind: InstrumentKind
    currency: str
    issued: int
    valid_until: datetime | None
    channels: tuple[str, ...]
    single_use: bool
    customer_ref: str
    cause: str
    actor: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """One card, note or voucher: balance >= held >= 0. `balance` is what it is still worth, held or not."""

    instrument_id: str
    terms: Terms
    issued_at: datetime
    # Of its code; empty while it has none.
    last_four: str = ""
    balance: int = 0
    held: int = 0
    # Something of it has been spent.
    used: bool = False
    frozen: bool = False

    @property
    def available(self) -> int:
        """What may be held or taken now."""
        return self.balance - self.held

    def ended(self, now: datetime) -> bool:
        """Whether its time is over; the instant itself is outside."""
        return self.terms.valid_until is not None and self.terms.valid_until <= now

    def state(self, now: datetime) -> InstrumentState:
        """What it can be used for now."""
        if self.frozen:
            return InstrumentState.FROZEN
        if self.ended(now):
            return InstrumentState.EXPIRED
        return InstrumentState.ACTIVE if self.balance else InstrumentState.USED_UP


@dataclass(frozen=True, slots=True)
class Hold:
    """What an order holds on an instrument: authorized = held + spent + given back; spent >= refunded."""

    hold_id: str
    instrument_id: str
    # The authorisation that made it.
    operation_id: str
    order_id: str
    authorized: int
    held: int
    held_at: datetime
    spent: int = 0
    refunded: int = 0


@dataclass(frozen=True, slots=True)
class Why:
    """Who moves it, for what, when: the part of a line that is the same for every act."""

    cause: str
    actor: str
    now: datetime
    order_id: str = ""
    hold_id: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One movement, never changed."""

    instrument_id: str
    act: Act
    amount_minor: int
    debit: Account
    credit: Account
    why: Why


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody would pay with it."""

    amount_minor: int
    currency: str
    channel_id: str
    customer_ref: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """An instrument after an act, the lines of it, what the order holds, and a credit note that was made."""

    instrument: Instrument
    lines: tuple[Line, ...]
    hold: Hold | None = None
    note: Instrument | None = None


def issue(instrument_id: str, terms: Terms, why: Why, source: Account = Account.ISSUED) -> Change:
    """A new instrument, worth what was issued."""
    return _move(
        Instrument(instrument_id, terms, why.now), Act.ISSUE, terms.issued, source, Account.AVAILABLE, why
    )


def refusal(of: Instrument, wish: Wish) -> Refusal:
    """Why it does not pay this; NONE when it does. A voucher that an order holds is nobody else's."""
    terms = of.terms
    in_use = terms.single_use and (of.used or of.held > 0)
    reasons = (
        (Refusal.FROZEN, of.frozen),
        (Refusal.EXPIRED, of.ended(wish.now)),
        (Refusal.WRONG_CURRENCY, wish.currency != terms.currency),
        (Refusal.NOT_FOR_CHANNEL, bool(terms.channels) and wish.channel_id not in terms.channels),
        (Refusal.NOT_FOR_CUSTOMER, bool(terms.customer_ref) and wish.customer_ref != terms.customer_ref),
        (Refusal.INSUFFICIENT, in_use or wish.amount_minor > of.available),
    )
    return next((reason for reason, true in reasons if true), Refusal.NONE)


def hold(of: Instrument, amount: int, operation_id: str, why: Why) -> Change:
    """Keeps the amount for an order; the caller has asked `refusal`. `why` names the hold."""
    made = Hold(why.hold_id, of.instrument_id, operation_id, why.order_id, amount, amount, why.now)
    return replace(_move(of, Act.HOLD, amount, Account.AVAILABLE, Account.HELD, why), hold=made)


def spend(of: Instrument, held: Hold, amount: int, why: Why) -> Change | Refusal:
    """Takes what is held."""
    if amount > held.held:
        return Refusal.EXCEEDS_HOLD
    after = replace(held, held=held.held - amount, spent=held.spent + amount)
    change = _move(replace(of, used=True), Act.SPEND, amount, Account.HELD, Account.SPENT, why)
    return replace(_lapse_rest(change, why), hold=after)


def give_back(of: Instrument, held: Hold, note_id: str, why: Why) -> Change:
    """Lets go of all that is still held, if anything: to the instrument, or to a new credit note."""
    amount = held.held
    after = replace(held, held=0)
    if amount == 0:
        return Change(of, (), after)
    if takes_back(of, why.now):
        return replace(_move(of, Act.GIVE_BACK, amount, Account.HELD, Account.AVAILABLE, why), hold=after)
    change = _move(of, Act.CONVERT, amount, Account.HELD, Account.CONVERTED, why)
    change = _lapse_rest(change, why)
    note = issue(note_id, _note_for(of, amount, why), why, Account.CONVERTED)
    return Change(change.instrument, (*change.lines, *note.lines), after, note.instrument)


def refund(of: Instrument, held: Hold, amount: int, note_id: str, why: Why) -> Change | Refusal:
    """Gives back what was spent: to the instrument, or to a new credit note."""
    if amount > held.spent - held.refunded:
        return Refusal.EXCEEDS_SPENT
    after = replace(held, refunded=held.refunded + amount)
    if takes_back(of, why.now):
        return replace(_move(of, Act.REFUND, amount, Account.SPENT, Account.AVAILABLE, why), hold=after)
    note = issue(note_id, _note_for(of, amount, why), why, Account.SPENT)
    return Change(of, note.lines, after, note.instrument)


def takes_back(of: Instrument, now: datetime) -> bool:
    """Whether value that comes back is of use on it: not after its end, nor on a voucher that was used."""
    return not of.ended(now) and not (of.terms.single_use and of.used)


def expire(of: Instrument, why: Why) -> Change:
    """At its end: what no order holds is lost. What an order holds was taken in time and stays good."""
    return _move(of, Act.EXPIRE, of.available, Account.AVAILABLE, Account.LAPSED, why)


def adjust(of: Instrument, delta: int, why: Why) -> Change | Refusal:
    """A person corrects its worth, by a positive or negative amount; what is held is not touched."""
    if delta > 0:
        if of.ended(why.now):
            return Refusal.EXPIRED
        if not takes_back(of, why.now):
            return Refusal.INSUFFICIENT
        return _move(of, Act.ADJUST, delta, Account.ADJUSTED, Account.AVAILABLE, why)
    if -delta > of.available:
        return Refusal.INSUFFICIENT
    return _move(of, Act.ADJUST, -delta, Account.AVAILABLE, Account.ADJUSTED, why)


def freeze(of: Instrument, why: Why, *, frozen: bool) -> Change:
    """Stops it from paying further orders, or lets it again. Nothing is written when it is so already."""
    if of.frozen == frozen:
        return Change(of, ())
    act = Act.FREEZE if frozen else Act.UNFREEZE
    return Change(replace(of, frozen=frozen), (_mark(of, act, why),))


def new_code(of: Instrument, last_four: str, why: Why) -> Change:
    """From now on it goes by another code."""
    return Change(replace(of, last_four=last_four), (_mark(of, Act.NEW_CODE, why),))


def balance_of(line: Line) -> tuple[int, int]:
    """What the line does to its instrument: changes of balance and of held."""
    own = (Account.AVAILABLE, Account.HELD)
    balance = line.amount_minor * ((line.credit in own) - (line.debit in own))
    held = line.amount_minor * ((line.credit is Account.HELD) - (line.debit is Account.HELD))
    return balance, held


def _move(of: Instrument, act: Act, amount: int, debit: Account, credit: Account, why: Why) -> Change:
    line = Line(of.instrument_id, act, amount, debit, credit, why)
    balance, held = balance_of(line)
    return Change(replace(of, balance=of.balance + balance, held=of.held + held), (line,))


def _mark(of: Instrument, act: Act, why: Why) -> Line:
    return Line(of.instrument_id, act, 0, Account.NONE, Account.NONE, why)


def _lapse_rest(change: Change, why: Why) -> Change:
    """A voucher is used at once: when its order has taken what it wanted, the rest is lost."""
    of = change.instrument
    if not (of.terms.single_use and of.used and of.held == 0 and of.available):
        return change
    lapsed = expire(of, why)
    return Change(lapsed.instrument, (*change.lines, *lapsed.lines))


def _note_for(of: Instrument, amount: int, why: Why) -> Terms:
    return Terms(
        kind=InstrumentKind.CREDIT_NOTE,
        currency=of.terms.currency,
        issued=amount,
        valid_until=None,
        channels=of.terms.channels,
        single_use=False,
        customer_ref=of.terms.customer_ref,
        cause=f"for/{of.instrument_id}",
        actor=why.actor,
    )

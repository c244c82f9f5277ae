"""Use cases of stored value: issue, look, check, freeze, adjust, a new code, and the end. One method per RPC.

What orders do with an instrument is in providers/stored_value.py: it is a provider of payments like any other.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from sqlalchemy.exc import IntegrityError

from kit import db, outbox, requests, times
from kit.db import AsyncConnection, AsyncEngine
from kit.errors import FailedPrecondition, InvalidArgument, NotFound, TooManyRequests
from kit.feed import Bell
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments import stored_value_store as store
from services.payments.domain import codes, rules
from services.payments.domain import stored_value as domain
from services.payments.domain.stored_value import (
    Change,
    Instrument,
    InstrumentKind,
    Line,
    Refusal,
    Terms,
    Why,
    Wish,
)
from services.payments.stored_value_codes import CodeBook
from services.payments.stored_value_events import events_of

_LONGEST_TEXT = 200
_MOST_CHANNELS = 100
_Decide = Callable[[Instrument, Why], Change]


@dataclass(frozen=True, slots=True)
class Issue:
    """A new instrument. `code`: of a card that was printed before; empty for a new one."""

    request_id: str
    kind: InstrumentKind
    amount: Money
    valid_until: datetime | None
    channels: tuple[str, ...]
    single_use: bool
    customer_ref: str
    cause: str
    actor: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Steer:
    """An act of a person on one instrument."""

    request_id: str
    instrument_id: str
    cause: str
    actor: str


@dataclass(frozen=True, slots=True)
class Worth:
    """What a code would pay now: `available`, or nothing and why not."""

    instrument: Instrument
    available: int
    refusal: Refusal


class StoredValueService:
    """Every RPC of stored value."""

    def __init__(
        self, engine: AsyncEngine, bell: Bell, code_book: CodeBook, clock: Callable[[], datetime] = times.now
    ) -> None:
        self._engine = engine
        self._bell = bell
        self._codes = code_book
        self._clock = clock

    async def issue(self, asked: Issue) -> tuple[Instrument, str]:
        """The instrument and its code. A repeat gives the instrument as it stands, and no code: it was shown."""
        now = self._clock()
        code = _check_issue(asked)
        terms = Terms(
            kind=asked.kind,
            currency=asked.amount.currency,
            issued=asked.amount.amount_minor,
            valid_until=asked.valid_until,
            channels=asked.channels,
            single_use=asked.single_use,
            customer_ref=asked.customer_ref,
            cause=asked.cause,
            actor=asked.actor,
        )
        digest = self._codes.digest(code).hex() if code else ""
        content = _content("issue", {**asdict(asked), "code": digest})
        try:
            async with self._engine.begin() as tx:
                if (first := await requests.first_answer(tx, asked.request_id, content)) is not None:
                    return await _existing(tx, str(first["instrument_id"])), ""
                if asked.valid_until is not None and asked.valid_until <= now:
                    raise InvalidArgument("valid_until", "must lie ahead")
                shown = code or self._codes.fresh()
                issued = await self._issue(tx, terms, shown, now)
                await requests.remember(tx, asked.request_id, {"instrument_id": issued.instrument_id})
        except IntegrityError as error:
            raise _taken(error) from None
        self._bell.ring()
        return issued, shown

    async def get(self, instrument_id: str) -> Instrument:
        """Raises NotFound / STORED_VALUE_NOT_FOUND."""
        async with db.single(self._engine).connect() as tx:
            return await _existing(tx, instrument_id)

    async def listed(self, wanted: store.Wanted, size: int) -> tuple[Sequence[Instrument], bool]:
        """A page, newest first, and whether there are more."""
        async with db.single(self._engine).connect() as tx:
            rows = await store.list_instruments(tx, wanted, size + 1)
        return rows[:size], len(rows) > size

    async def lines(self, instrument_id: str, after: int, size: int) -> tuple[Sequence[tuple[int, Line]], bool]:
        """A page of its lines with their numbers, oldest first, and whether there are more."""
        async with db.single(self._engine).connect() as tx:
            await _existing(tx, instrument_id)
            rows = await store.lines_of(tx, instrument_id, after, size + 1)
        return rows[:size], len(rows) > size

    async def freeze(self, asked: Steer, *, frozen: bool) -> Instrument:
        """Stops it from paying further orders, or lets it again. What orders hold stays good."""
        verb = "freeze" if frozen else "unfreeze"
        return await self._steer(verb, asked, lambda of, why: domain.freeze(of, why, frozen=frozen))

    async def adjust(self, asked: Steer, delta: Money) -> Instrument:
        """Corrects its worth. Raises STORED_VALUE_INSUFFICIENT (with `available_minor`), STORED_VALUE_EXPIRED."""
        rules.check_amount(replace(delta, amount_minor=abs(delta.amount_minor)))

        def decide(of: Instrument, why: Why) -> Change:
            if delta.currency != of.terms.currency:
                raise InvalidArgument(
                    "amount.currency",
                    f"it is in {of.terms.currency}",
                    reason="CURRENCY_MISMATCH",
                    expected=of.terms.currency,
                )
            change = domain.adjust(of, delta.amount_minor, why)
            if isinstance(change, Refusal):
                raise _refused(of, change)
            return change

        return await self._steer("adjust", asked, decide, asdict(delta))

    async def new_code(self, asked: Steer) -> tuple[Instrument, str]:
        """Another code; the former one opens nothing any more. A repeat shows no code."""
        async with self._engine.begin() as tx:
            first, of = await _locked(tx, "new_code", asked, {})
            if first is not None:
                return of, ""
            shown = self._codes.fresh()
            code = codes.read(shown)
            change = domain.new_code(of, code[-4:], self._why(asked))
            await store.give_code(tx, change.instrument, self._codes.digest(code))
            await store.save(tx, change)
            await requests.remember(tx, asked.request_id, {})
        return change.instrument, shown

    async def check(self, typed: str, channel_id: str, customer_ref: str, currency: str) -> Worth:
        """What a code would pay at this channel. Raises STORED_VALUE_NOT_FOUND, TOO_MANY_ATTEMPTS."""
        if not channel_id:
            raise InvalidArgument("channel_id", "a channel is required")
        if not typed:
            raise InvalidArgument("code", "a code is required")
        now = self._clock()
        async with self._engine.begin() as tx:
            found = await self._codes.find(tx, typed, channel_id, now)
        if found is Refusal.TOO_MANY_ATTEMPTS:
            raise TooManyRequests(
                "TOO_MANY_ATTEMPTS", "too many wrong codes from this channel; try again in a minute"
            )
        if isinstance(found, Refusal):
            raise NotFound("STORED_VALUE_NOT_FOUND", "no stored value goes by this code", field="code")
        wish = Wish(1, currency or found.terms.currency, channel_id, customer_ref, now)
        why_not = domain.refusal(found, wish)
        return Worth(found, 0 if why_not else found.available, why_not)

    async def expire(self, as_of: datetime, limit: int = 100) -> int:
        """Ends those whose time is over by then; of how many, at most `limit`. Forgets old guesses."""
        async with self._engine.begin() as tx:
            ended = await store.take_ended(tx, as_of, limit)
            for of in ended:
                change = domain.expire(of, Why("end of validity", "payments", as_of))
                await store.save(tx, change)
                await outbox.write(tx, events_of(change))
            await store.forget_failures(tx, self._clock())
        if ended:
            self._bell.ring()
        return len(ended)

    async def wrong_totals(self) -> Sequence[store.WrongTotal]:
        """Totals that are not what the lines say; there should be none."""
        async with db.single(self._engine).connect() as tx:
            return await store.wrong_totals(tx)

    async def _issue(self, tx: AsyncConnection, terms: Terms, shown: str, now: datetime) -> Instrument:
        code = codes.read(shown)
        change = domain.issue(new_id("svl"), terms, Why(terms.cause, terms.actor, now))
        change = replace(change, instrument=replace(change.instrument, last_four=code[-4:]))
        await store.insert_instrument(tx, change.instrument, self._codes.digest(code))
        await store.save(tx, change, is_new=True)
        await outbox.write(tx, events_of(change))
        return change.instrument

    async def _steer(
        self, verb: str, asked: Steer, decide: _Decide, more: dict[str, object] | None = None
    ) -> Instrument:
        async with self._engine.begin() as tx:
            first, of = await _locked(tx, verb, asked, more or {})
            if first is not None:
                return of
            change = decide(of, self._why(asked))
            await store.save(tx, change)
            await requests.remember(tx, asked.request_id, {})
        return change.instrument

    def _why(self, asked: Steer) -> Why:
        return Why(asked.cause, asked.actor, self._clock())


async def _locked(
    tx: AsyncConnection, verb: str, asked: Steer, more: dict[str, object]
) -> tuple[object | None, Instrument]:
    """What was answered before, and the instrument under its lock."""
    _check_text("reason", asked.cause)
    _check_text("actor", asked.actor)
    first = await requests.first_answer(tx, asked.request_id, _content(verb, {**asdict(asked), **more}))
    of = await store.lock(tx, asked.instrument_id)
    if of is None:
        raise _not_found(asked.instrument_id)
    return first, of


async def _existing(tx: AsyncConnection, instrument_id: str) -> Instrument:
    found = await store.read(tx, instrument_id)
    if found is None:
        raise _not_found(instrument_id)
    return found


def _check_issue(asked: Issue) -> str:
    """The code of a printed card, as it is read; names the field that is wrong."""
    rules.check_amount(asked.amount)
    if asked.single_use and asked.kind is not InstrumentKind.LOYALTY_VOUCHER:
        raise InvalidArgument("single_use", "only a loyalty voucher is used up at once: its rest would be lost")
    if len(asked.channels) > _MOST_CHANNELS or len(set(asked.channels)) < len(asked.channels):
        raise InvalidArgument("channels", f"at most {_MOST_CHANNELS}, each once")
    for channel_id in asked.channels:
        _check_text("channels", channel_id)
    if asked.customer_ref:
        _check_text("customer_ref", asked.customer_ref)
    _check_text("reason", asked.cause)
    _check_text("actor", asked.actor)
    code = codes.read(asked.code)
    if asked.code and not code:
        raise InvalidArgument("code", "sixteen characters of which the last is the check character")
    return code


def _check_text(field: str, value: str) -> None:
    if not 0 < len(value) <= _LONGEST_TEXT or "\x00" in value:
        raise InvalidArgument(field, f"1 to {_LONGEST_TEXT} characters")


def _content(verb: str, asked: dict[str, object]) -> bytes:
    return json.dumps(["stored_value", verb, asked], sort_keys=True, default=str).encode()


def _refused(of: Instrument, refusal: Refusal) -> FailedPrecondition:
    detail = "its time is over" if refusal is Refusal.EXPIRED else "not that much is free on it"
    return FailedPrecondition(
        refusal.upper(), detail, instrument_id=of.instrument_id, available_minor=of.available
    )


def _taken(error: IntegrityError) -> Exception:
    if "stored_value_code_digest_key" not in str(error.orig):
        return error
    return FailedPrecondition("STORED_VALUE_CODE_TAKEN", "another goes by this code already", field="code")


def _not_found(instrument_id: str) -> NotFound:
    return NotFound("STORED_VALUE_NOT_FOUND", "there is no such stored value", instrument_id=instrument_id)

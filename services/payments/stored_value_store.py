"""All SQL of stored value. Locks: the instrument's row; holds and lines hang on it. Decides nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, case, delete, func, literal, not_, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.payments.domain.stored_value import (
    Account,
    Act,
    Change,
    Hold,
    Instrument,
    InstrumentKind,
    InstrumentState,
    Line,
    Terms,
    Why,
)
from services.payments.stored_value_tables import guess, hold, instrument, line

_OWN = (Account.AVAILABLE, Account.HELD)


# -- instruments ------------------------------------------------------------------------------------------


async def read(tx: AsyncConnection, instrument_id: str) -> Instrument | None:
    """As it stands."""
    row = (await tx.execute(select(instrument).where(instrument.c.instrument_id == instrument_id))).first()
    return _instrument(row) if row else None


async def lock(tx: AsyncConnection, instrument_id: str) -> Instrument | None:
    """Under its lock: whoever comes next waits."""
    query = select(instrument).where(instrument.c.instrument_id == instrument_id).with_for_update()
    row = (await tx.execute(query)).first()
    return _instrument(row) if row else None


async def lock_coded(tx: AsyncConnection, digest: bytes) -> Instrument | None:
    """The one that goes by this code, under its lock."""
    query = select(instrument).where(instrument.c.code_digest == digest).with_for_update()
    row = (await tx.execute(query)).first()
    return _instrument(row) if row else None


async def read_coded(tx: AsyncConnection, digest: bytes) -> Instrument | None:
    """The one that goes by this code, as it stands."""
    row = (await tx.execute(select(instrument).where(instrument.c.code_digest == digest))).first()
    return _instrument(row) if row else None


async def insert_instrument(tx: AsyncConnection, new: Instrument, digest: bytes | None = None) -> None:
    """Adds it; `digest` of its code, if it has one."""
    await tx.execute(insert(instrument), {**_values(new), "code_digest": digest})


async def give_code(tx: AsyncConnection, of: Instrument, digest: bytes) -> None:
    """From now on it goes by this code and no other; the caller holds its lock."""
    change = update(instrument).where(instrument.c.instrument_id == of.instrument_id)
    await tx.execute(change.values(code_digest=digest, last_four=of.last_four))


async def save(tx: AsyncConnection, change: Change, *, is_new: bool = False) -> None:
    """Writes an act: the instrument (locked, unless it is new), the hold, the note and the lines."""
    of = change.instrument
    if not is_new:
        moved = {"balance": of.balance, "held": of.held, "used": of.used, "frozen": of.frozen}
        await tx.execute(update(instrument).where(instrument.c.instrument_id == of.instrument_id).values(**moved))
    if change.note:
        await insert_instrument(tx, change.note)
    if change.hold:
        values = _hold_values(change.hold)
        totals = {name: values[name] for name in ("held", "spent", "refunded")}
        await tx.execute(
            insert(hold).values(**values).on_conflict_do_update(index_elements=[hold.c.hold_id], set_=totals)
        )
    if change.lines:
        await tx.execute(insert(line), [_line_values(one) for one in change.lines])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which instruments, judged at `now`; what is empty does not matter."""

    now: datetime
    kind: InstrumentKind | None = None
    customer_ref: str = ""
    state: InstrumentState | None = None
    # The last row of the page before.
    after: tuple[datetime, str] | None = None


async def list_instruments(tx: AsyncConnection, wanted: Wanted, limit: int) -> list[Instrument]:
    """A page, newest first."""
    position = (instrument.c.issued_at, instrument.c.instrument_id)
    query: Select[Any] = select(instrument).order_by(*(column.desc() for column in position)).limit(limit)
    if wanted.kind:
        query = query.where(instrument.c.kind == wanted.kind)
    if wanted.customer_ref:
        query = query.where(instrument.c.customer_ref == wanted.customer_ref)
    if wanted.state:
        query = query.where(_in_state(wanted.state, wanted.now))
    if wanted.after:
        query = query.where(tuple_(*position) < tuple_(*map(literal, wanted.after)))
    return [_instrument(row) for row in (await tx.execute(query)).all()]


async def take_ended(tx: AsyncConnection, now: datetime, limit: int) -> list[Instrument]:
    """Those whose time is over and that no order holds entirely, locked; others' are left to them."""
    query = (
        select(instrument)
        .where(instrument.c.valid_until <= now, instrument.c.balance > instrument.c.held)
        .order_by(instrument.c.valid_until)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_instrument(row) for row in (await tx.execute(query)).all()]


def _in_state(state: InstrumentState, now: datetime) -> Any:
    """As `Instrument.state` says it."""
    frozen = instrument.c.frozen
    ended = func.coalesce(instrument.c.valid_until <= now, False)
    match state:
        case InstrumentState.FROZEN:
            return frozen
        case InstrumentState.EXPIRED:
            return and_(not_(frozen), ended)
        case InstrumentState.USED_UP:
            return and_(not_(frozen), not_(ended), instrument.c.balance == 0)
        case InstrumentState.ACTIVE:
            return and_(not_(frozen), not_(ended), instrument.c.balance > 0)


# -- holds and lines --------------------------------------------------------------------------------------


async def read_hold(tx: AsyncConnection, hold_id: str) -> Hold | None:
    """What an order holds."""
    row = (await tx.execute(select(hold).where(hold.c.hold_id == hold_id))).first()
    return Hold(**row._mapping) if row else None


async def holds_between(tx: AsyncConnection, since: datetime, until: datetime, limit: int) -> list[Hold]:
    """Made in this time, the oldest first."""
    query = select(hold).where(hold.c.held_at.between(since, until)).order_by(hold.c.held_at, hold.c.hold_id)
    return [Hold(**row._mapping) for row in (await tx.execute(query.limit(limit))).all()]


async def lines_of(tx: AsyncConnection, instrument_id: str, after: int, limit: int) -> list[tuple[int, Line]]:
    """A page of an instrument's lines with their numbers, oldest first."""
    query = select(line).where(line.c.instrument_id == instrument_id, line.c.id > after).order_by(line.c.id)
    return [(row.id, _line(row)) for row in (await tx.execute(query.limit(limit))).all()]


# -- guesses ----------------------------------------------------------------------------------------------


async def failures(tx: AsyncConnection, channel_id: str, minute: datetime) -> int:
    """How many wrong codes the channel has tried in this minute."""
    query = select(guess.c.failures).where(guess.c.channel_id == channel_id, guess.c.minute == minute)
    return int((await tx.execute(query)).scalar() or 0)


async def count_failure(tx: AsyncConnection, channel_id: str, minute: datetime) -> None:
    """Another wrong code."""
    first = insert(guess).values(channel_id=channel_id, minute=minute, failures=1)
    keys = [guess.c.channel_id, guess.c.minute]
    await tx.execute(first.on_conflict_do_update(index_elements=keys, set_={"failures": guess.c.failures + 1}))


async def forget_failures(tx: AsyncConnection, before: datetime) -> None:
    """Those of minutes that are over."""
    await tx.execute(delete(guess).where(guess.c.minute < before - timedelta(minutes=1)))


# -- checking ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WrongTotal:
    """A total of an instrument or a hold that is not what the lines say."""

    subject: str
    total: str
    cached_minor: int
    ledger_minor: int


async def wrong_totals(tx: AsyncConnection) -> list[WrongTotal]:
    """Balances, what is held, and what each order holds, against the lines. There should be none."""
    into = {"balance": line.c.credit.in_(_OWN), "held": line.c.credit == Account.HELD}
    out_of = {"balance": line.c.debit.in_(_OWN), "held": line.c.debit == Account.HELD}
    of_instrument = {name: _total(into[name]) - _total(out_of[name]) for name in into}
    of_hold = {
        "held": _total(into["held"]) - _total(out_of["held"]),
        "spent": _total(line.c.act == Act.SPEND),
        "refunded": _total(and_(line.c.debit == Account.SPENT, line.c.credit == Account.AVAILABLE)),
    }
    by_instrument = (
        select(instrument.c.instrument_id.label("subject"), *_beside(instrument.c, of_instrument))
        .outerjoin(line, line.c.instrument_id == instrument.c.instrument_id)
        .group_by(instrument.c.instrument_id)
    )
    by_hold = (
        select(hold.c.hold_id.label("subject"), *_beside(hold.c, of_hold))
        .outerjoin(line, line.c.hold_id == hold.c.hold_id)
        .group_by(hold.c.hold_id)
    )
    found = []
    for query, totals in ((by_instrument, of_instrument), (by_hold, of_hold)):
        wrong = query.having(or_(*(_column(query, name) != total for name, total in totals.items())))
        for row in (await tx.execute(wrong.order_by("subject"))).all():
            found += [
                WrongTotal(row.subject, name, cached, said)
                for name in totals
                if (cached := int(getattr(row, name))) != (said := int(getattr(row, f"lines_{name}")))
            ]
    return found


def _total(where: Any) -> Any:
    return func.coalesce(func.sum(case((where, line.c.amount_minor), else_=0)), 0)


def _beside(columns: Any, totals: dict[str, Any]) -> list[Any]:
    return [*(columns[name] for name in totals), *(total.label(f"lines_{name}") for name, total in totals.items())]


def _column(query: Select[Any], name: str) -> Any:
    return next(column for column in query.selected_columns if column.name == name)


# -- rows and objects -------------------------------------------------------------------------------------


def _values(of: Instrument) -> dict[str, Any]:
    terms = {name: getattr(of.terms, name) for name in Terms.__slots__}
    own = {name: getattr(of, name) for name in Instrument.__slots__ if name != "terms"}
    return {**terms, **own, "channels": list(of.terms.channels)}


def _instrument(row: Row[Any]) -> Instrument:
    values = dict(row._mapping)
    del values["code_digest"]
    terms = {name: values.pop(name) for name in Terms.__slots__}
    terms |= {"kind": InstrumentKind(terms["kind"]), "channels": tuple(terms["channels"])}
    return Instrument(terms=Terms(**terms), **values)


def _hold_values(of: Hold) -> dict[str, Any]:
    return {name: getattr(of, name) for name in Hold.__slots__}


def _line_values(of: Line) -> dict[str, Any]:
    return {
        "instrument_id": of.instrument_id,
        "act": of.act,
        "amount_minor": of.amount_minor,
        "debit": of.debit,
        "credit": of.credit,
        "order_id": of.why.order_id,
        "hold_id": of.why.hold_id or None,
        "cause": of.why.cause,
        "actor": of.why.actor,
        "recorded_at": of.why.now,
    }


def _line(row: Row[Any]) -> Line:
    why = Why(row.cause, row.actor, row.recorded_at, row.order_id, row.hold_id or "")
    return Line(row.instrument_id, Act(row.act), row.amount_minor, Account(row.debit), Account(row.credit), why)

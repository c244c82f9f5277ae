"""Looks at hand-overs that are due: sends, acts on what was said, asks the silent, stops what has ended.

A look is claimed in one transaction, made outside of any, and written in another. A process that dies between
leaves a claim that runs out; the look is then made again. Nothing in it is done twice: a system knows a
preparation order by its id, orders an act by the message that it is made of.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from opentelemetry import metrics
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import failpoints, outbox, telemetry, times
from kit.errors import OmsError, TooManyRequests
from kit.feed import Bell
from kit.values.ids import new_id
from services.handover import store
from services.handover.domain.agreeing import Answer, Judgement, judge, state_after
from services.handover.domain.model import (
    ENDED_WORK,
    OPEN,
    SILENCES,
    Alert,
    AlertKind,
    Handover,
    Kind,
    Message,
    MessageState,
    State,
    Work,
)
from services.handover.domain.silence import acknowledge_by
from services.handover.orders import Found, Orders
from services.handover.systems import OtherSystem, Rejected, SystemAway
from services.handover.turn import Turn

_LOOK_SECONDS = 10.0
# Longer than any look takes, its outcome included.
_CLAIM_FOR = timedelta(seconds=_LOOK_SECONDS + 5)
_PARALLEL, _PARALLEL_PER_SYSTEM = 32, 8
_LOOK_AGAIN_SECONDS = 1.0
# What a message waits for may have been lost on its way: the system is asked soon.
_GAP = timedelta(seconds=30)
_log = logging.getLogger(__name__)
_alerts = metrics.get_meter("oms.handover").create_counter(
    "oms.handover.alerts", description="Alerts raised, by kind and system"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A hand-over that this process alone looks at until the claim runs out."""

    claim: str
    handover: Handover


class Advancer:
    """The looks. Replicas share the work through claims."""

    def __init__(
        self,
        engine: AsyncEngine,
        orders: Orders,
        systems: Mapping[str, OtherSystem],
        bell: Bell,
        *,
        poll_every: timedelta,
    ) -> None:
        """`poll_every`: how long a system is listened to before it is asked."""
        self._engine = engine
        self._orders = orders
        self._systems = systems
        self._bell = bell
        self._poll_every = poll_every

    async def run(self) -> None:
        """Looks for ever."""
        in_the_air: set[asyncio.Task[None]] = set()
        try:
            while True:
                if len(in_the_air) >= _PARALLEL:
                    await asyncio.wait(in_the_air, return_when=asyncio.FIRST_COMPLETED)
                for claimed in await self._wait_for_due(_PARALLEL - len(in_the_air)):
                    task = asyncio.create_task(self._look(claimed, times.now()))
                    in_the_air.add(task)
                    task.add_done_callback(in_the_air.discard)
        finally:
            for task in in_the_air:
                task.cancel()

    async def look_at_due(self, as_of: datetime) -> int:
        """Looks at what is due at `as_of`, once; returns at how many."""
        claimed = await self._claim(as_of, _PARALLEL)
        await asyncio.gather(*(self._look(one, as_of) for one in claimed))
        return len(claimed)

    async def _wait_for_due(self, limit: int) -> Sequence[Claimed]:
        async def claim() -> Sequence[Claimed]:
            return await self._claim(times.now(), limit)

        try:
            return await self._bell.wait_for(claim, _LOOK_AGAIN_SECONDS) if limit > 0 else ()
        except Exception as error:
            # The text of a database error may quote a row: its class is enough.
            _log.warning("hand-overs interrupted: %s", type(error).__name__)
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            return ()

    async def _claim(self, as_of: datetime, limit: int) -> list[Claimed]:
        claim = new_id("clm")
        with failpoints.acting("claim"):
            async with self._engine.begin() as tx:
                found = await store.claim_due(tx, claim, as_of, as_of + _CLAIM_FOR, limit, _PARALLEL_PER_SYSTEM)
                return [Claimed(claim, one) for one in found]

    async def _look(self, claimed: Claimed, as_of: datetime) -> None:
        with failpoints.acting("advance"), telemetry.about_order(claimed.handover.order_id):
            began = time.monotonic()
            try:
                turn = await self._read(claimed.handover, as_of)
                await self._go(turn)
                turn.find_silence()
                await self._write(claimed.claim, turn, as_of + timedelta(seconds=time.monotonic() - began))
            # The claim runs out and the look is made again.
            except (store.ClaimLost, SQLAlchemyError) as error:
                _log.warning("%s not looked at: %s", claimed.handover.fulfilment_id, type(error).__name__)
            except Exception:
                _log.exception("defect")
        self._bell.ring()

    async def _read(self, handover: Handover, as_of: datetime) -> Turn:
        async with self._engine.begin() as tx:
            systems = {one.system_id: one for one in await store.list_systems(tx)}
            heard = await store.read_messages(tx, handover.fulfilment_id)
            alerts = await store.list_alerts(tx, [handover.fulfilment_id])
        known = alerts.get(handover.fulfilment_id, [])
        return Turn(handover, systems[handover.system_id], heard, known, as_of)

    async def _write(self, claim: str, turn: Turn, now: datetime) -> None:
        after = turn.close(now)
        async with self._engine.begin() as tx:
            await store.save(tx, claim, after, now)
            await store.add_messages(tx, turn.polled, turn.now)
            for heard in turn.changed.values():
                await store.save_message(tx, heard)
            await store.close_alerts(tx, turn.answered(), "", "", turn.now)
            raised = [one for one in turn.raised if await store.raise_alert(tx, one)]
            await outbox.write(tx, [_event(after, one) for one in raised])
        for one in raised:
            _alerts.add(1, {"kind": one.kind.value, "system": after.system_id})

    # -- one look -----------------------------------------------------------------------------------------

    async def _go(self, turn: Turn) -> None:
        """As far as it comes: what was reached before a failure is kept."""
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                system = self._systems.get(turn.handover.system_id)
                if system is None:
                    raise SystemAway("NO_CONNECTION")
                await self._advance(turn, system)
        except SystemAway as away:
            turn.failure = away.reason
        except TimeoutError:
            turn.failure = "TIMED_OUT"
        except OmsError as error:
            if not _may_pass(error):
                _log.exception("defect")
            turn.failure = error.reason

    async def _advance(self, turn: Turn, system: OtherSystem) -> None:
        found = await self._orders.find(turn.handover.fulfilment_id)
        if turn.handover.state is State.TO_SEND:
            await self._send(turn, system, found)
        work = await self._act_on_messages(turn, found.work)
        if _is_to_be_asked(turn):
            await self._ask(turn, system, work)
            work = await self._act_on_messages(turn, work)
        if turn.handover.state in OPEN and work in ENDED_WORK:
            turn.end(work)
        if turn.handover.state is State.TO_CANCEL:
            await self._cancel(turn, system)

    async def _send(self, turn: Turn, system: OtherSystem, found: Found) -> None:
        """Sends work that is offered. Once it may have arrived it is stopped, not forgotten, when it has ended."""
        first = turn.handover.attempts == 1
        if found.work in ENDED_WORK or (first and found.work is not Work.OFFERED):
            if first:
                turn.become(State.WITHDRAWN)
            else:
                turn.stop()
            return
        try:
            await system.prepare(found.order)
        except Rejected as rejected:
            turn.alert(AlertKind.REJECTED, f"It takes no such preparation order: {rejected.reason}.")
            refusal = Message("rejected", turn.handover.fulfilment_id, Kind.REFUSED, turn.now, refusal="other")
            turn.learn([refusal])
        turn.handover = replace(
            turn.handover,
            sent_at=turn.now,
            acknowledge_by=acknowledge_by(
                turn.handover.created_at, turn.handover.acknowledge_by, found.order.start_by
            ),
            ship_by=found.order.hand_over_by,
            poll_at=turn.now + self._poll_every,
        )
        turn.become(State.SENT)

    async def _ask(self, turn: Turn, system: OtherSystem, work: Work) -> None:
        told = await system.messages(turn.handover.fulfilment_id)
        turn.handover = replace(turn.handover, poll_at=turn.now + self._poll_every)
        if told is not None:
            turn.learn(told)
            turn.handover = replace(turn.handover, heard_at=turn.now)
        elif not turn.heard and turn.handover.state is State.SENT and work not in ENDED_WORK:
            # It has lost what it was sent.
            turn.become(State.TO_SEND)
            turn.failure = "UNKNOWN_TO_SYSTEM"

    async def _cancel(self, turn: Turn, system: OtherSystem) -> None:
        if await system.cancel(turn.handover.fulfilment_id):
            turn.become(State.CANCELLED)
        else:
            turn.become(State.TOO_LATE)
            turn.alert(AlertKind.TOO_LATE, "It could not stop any more: what was cancelled will be shipped.")

    # -- messages -----------------------------------------------------------------------------------------

    async def _act_on_messages(self, turn: Turn, work: Work) -> Work:
        for heard in turn.waiting():
            work = await self._act_on(turn, heard.message, work)
        return work

    async def _act_on(self, turn: Turn, message: Message, work: Work) -> Work:
        """Does what a message asks for, as far as orders agrees; the work after it."""
        judgement = judge(message, work, turn.said_before(message))
        if judgement.answer is Answer.WAIT:
            turn.settle(message, MessageState.WAITING, "OUT_OF_ORDER")
            turn.ask_again_by(turn.now + _GAP)
        elif judgement.answer is Answer.CONTRADICTION:
            _contradict(turn, message, judgement.alert or AlertKind.CONTRADICTION, judgement.text)
        elif judgement.answer is Answer.NOTHING:
            turn.settle(message, MessageState.SUPERSEDED)
            turn.become(state_after(turn.handover.state, message, work))
        else:
            return await self._carry_out(turn, message, judgement, work)
        return work

    async def _carry_out(self, turn: Turn, message: Message, judgement: Judgement, work: Work) -> Work:
        before = work
        try:
            for step in judgement.steps:
                work = await self._orders.act(turn.handover, step, message)
        except OmsError as error:
            if _may_pass(error):
                turn.settle(message, MessageState.WAITING, error.reason)
                raise
            if error.reason == "NOT_CAPTURED":
                _wait_for_money(turn, message, error)
                return work
            if error.reason == "NOT_PERSONALISED":
                # The people of the point say over REST that all is put on the units.
                turn.settle(message, MessageState.WAITING, error.reason)
                return work
            now = (await self._orders.find(message.fulfilment_id)).work
            if now is not before:
                # Somebody else was first: it is judged again, by what is so now.
                return await self._act_on(turn, message, now)
            _contradict(turn, message, AlertKind.CONTRADICTION, f"Orders does not take it: {error.detail}.")
            return work
        turn.settle(message, MessageState.DONE)
        turn.become(state_after(turn.handover.state, message, work))
        return work


def _contradict(turn: Turn, message: Message, kind: AlertKind, text: str) -> None:
    turn.settle(message, MessageState.CONTRADICTING, text)
    turn.alert(kind, text, message.message_id)


def _wait_for_money(turn: Turn, message: Message, error: OmsError) -> None:
    """The parcel has left, and is kept in sight until its money is there or a person lets it go."""
    turn.settle(message, MessageState.WAITING, error.reason)
    if error.facts.get("capture_state") == "failed":
        turn.alert(AlertKind.SHIPPED_UNPAID, "It shipped a parcel whose money could not be captured.")


def _is_to_be_asked(turn: Turn) -> bool:
    poll_at = turn.handover.poll_at
    return turn.handover.state in OPEN - {State.TO_SEND} and poll_at is not None and poll_at <= turn.now


def _may_pass(error: OmsError) -> bool:
    return error.retryable or isinstance(error, TooManyRequests)


def _event(handover: Handover, alert: Alert) -> outbox.Event:
    what = "silent" if alert.kind in SILENCES else "alerted"
    data = {
        "order_id": handover.order_id,
        "channel_id": handover.channel_id,
        "fulfilment_id": handover.fulfilment_id,
        "point_id": handover.point_id,
        "system_id": handover.system_id,
        "alert_id": alert.alert_id,
        "kind": alert.kind.value,
    }
    subject = f"handover/{handover.fulfilment_id}"
    return outbox.Event(f"oms.handover.handover.{what}", subject, handover.order_id, alert.raised_at, data)

"""One look at a hand-over: what was read of it, and what is to be written when the look is over. Knows no SQL."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from kit.values.ids import derived_id
from services.handover.domain import silence
from services.handover.domain.model import (
    UNANSWERED,
    Alert,
    AlertKind,
    Handover,
    Heard,
    Kind,
    Message,
    MessageState,
    State,
    System,
    Work,
    moved,
)

_RANK = {kind: rank for rank, kind in enumerate(Kind)}


@dataclass
class Turn:
    """Collects what one look finds. `now` is when it began."""

    handover: Handover
    system: System
    heard: list[Heard]
    alerts: list[Alert]
    now: datetime
    polled: list[Message] = field(default_factory=list)
    changed: dict[str, Heard] = field(default_factory=dict)
    raised: list[Alert] = field(default_factory=list)
    failure: str = ""
    progressed: bool = False

    # -- messages -----------------------------------------------------------------------------------------

    def waiting(self) -> list[Heard]:
        """What was not acted on yet, in the order of the work."""
        found = [one for one in self.heard if one.state is MessageState.WAITING]
        return sorted(found, key=lambda one: _RANK[one.message.kind])

    def said_before(self, message: Message) -> Message | None:
        """Another message of the same kind that was acted on."""
        settled = (MessageState.DONE, MessageState.SUPERSEDED)
        same = (one.message for one in self.heard if one.message.kind is message.kind and one.state in settled)
        return next(same, None)

    def learn(self, messages: Sequence[Message]) -> None:
        """What the system told when it was asked."""
        known = {one.message.message_id for one in self.heard}
        for message in messages:
            if message.fulfilment_id == self.handover.fulfilment_id and message.message_id not in known:
                known.add(message.message_id)
                self.polled.append(message)
                self.heard.append(Heard(message, self.now))

    def settle(self, message: Message, state: MessageState, reason: str = "") -> None:
        """What became of a message."""
        index = next(i for i, one in enumerate(self.heard) if one.message.message_id == message.message_id)
        before = self.heard[index]
        self.heard[index] = after = replace(before, state=state, reason=reason)
        if after != before:
            self.changed[message.message_id] = after
        self.progressed |= after.state is not before.state

    # -- the hand-over ------------------------------------------------------------------------------------

    def become(self, state: State) -> None:
        """Moves it on, if it is not there."""
        if state is not self.handover.state:
            self.handover = replace(self.handover, state=moved(self.handover.state, state))
            self.progressed = True

    def end(self, work: Work) -> None:
        """The work is nobody's to prepare any more: the system has to stop."""
        if work is Work.LAPSED and self.handover.state in UNANSWERED:
            self.alert(AlertKind.NOT_ACKNOWLEDGED, "It did not answer before the offer of the work ended.")
        self.stop()

    def stop(self) -> None:
        """The system is asked to stop, and should answer."""
        self.become(State.TO_CANCEL)
        self.handover = replace(self.handover, ended_at=self.now)

    def ask_again_by(self, at: datetime) -> None:
        """It is asked for what it said, at this time at the latest."""
        poll_at = min(at, self.handover.poll_at or at)
        self.handover = replace(self.handover, poll_at=poll_at)

    # -- alerts -------------------------------------------------------------------------------------------

    def alert(self, kind: AlertKind, text: str, cause: str = "") -> None:
        """Raised once for each cause."""
        alert_id = derived_id("alt", self.handover.fulfilment_id, kind, cause)
        if alert_id not in {one.alert_id for one in (*self.alerts, *self.raised)}:
            self.raised.append(Alert(alert_id, self.handover.fulfilment_id, kind, text, self.now))

    def find_silence(self) -> None:
        """What is awaited and has not come in time."""
        missed = silence.missed_at(self.handover, self.system)
        if missed and missed[1] <= self.now:
            what = missed[0].removeprefix("not_")
            self.alert(missed[0], f"It has not {what} the work by {missed[1]:%-d %b %Y %H:%M %Z}.")

    def answered(self) -> list[str]:
        """Silences that are over: their alerts need nobody any more."""
        state, over = self.handover.state, set()
        if state not in UNANSWERED | {State.TO_CANCEL, State.CANCELLED, State.TOO_LATE}:
            over.add(AlertKind.NOT_ACKNOWLEDGED)
        if state in (State.CANCELLED, State.TOO_LATE):
            over.add(AlertKind.NOT_CANCELLED)
        if state is State.SHIPPED:
            over |= {AlertKind.NOT_SHIPPED, AlertKind.SHIPPED_UNPAID}
        return [one.alert_id for one in self.alerts if one.kind in over and one.closed_at is None]

    # -- the end of the look ------------------------------------------------------------------------------

    def close(self, now: datetime) -> Handover:
        """As it is to be written, with the time of the next look; `now` is when this one ended."""
        waits = bool(self.failure or self.waiting())
        attempts = (1 if self.progressed else self.handover.attempts) if waits else 0
        kinds = {one.kind for one in (*self.alerts, *self.raised)}
        again_at = silence.retry_at(attempts, now) if waits else None
        after = replace(self.handover, attempts=attempts, last_error=self.failure)
        return replace(after, due_at=silence.next_look(after, self.system, kinds, again_at))

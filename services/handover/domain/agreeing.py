"""What a message means for work that is in a state: which steps are asked of orders, or why none is.

Orders decides each race; this only says what to ask, so that a message may come twice, late or before its like.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.handover.domain.model import ENDED_WORK, MOVES, AlertKind, Kind, Message, State, Work


class Step(StrEnum):
    """What is asked of orders."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    PICK = "pick"
    CLOSE = "close"
    HAND_OVER = "hand_over"


class Answer(StrEnum):
    """What to do with a message."""

    ACT = "act"
    # What comes before it is still to come.
    WAIT = "wait"
    # It is so already, or it does not matter any more.
    NOTHING = "nothing"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer, the steps of ACT, and the alert of a CONTRADICTION with a sentence for people."""

    answer: Answer
    steps: tuple[Step, ...] = ()
    alert: AlertKind | None = None
    text: str = ""


_WAY = (Work.PLANNED, Work.OFFERED, Work.ACCEPTED, Work.PICKED, Work.PACKED, Work.HANDED_OVER, Work.DELIVERED)
# What leads to a state, and the state that it needs.
_LEADS: Mapping[Kind, tuple[Work, Work, Step]] = {
    Kind.ACKNOWLEDGED: (Work.ACCEPTED, Work.OFFERED, Step.ACCEPT),
    Kind.PICKED: (Work.PICKED, Work.ACCEPTED, Step.PICK),
    Kind.PACKED: (Work.PACKED, Work.PICKED, Step.CLOSE),
    Kind.SHIPPED: (Work.HANDED_OVER, Work.PACKED, Step.HAND_OVER),
}
_STATES: Mapping[Kind, State] = {
    Kind.ACKNOWLEDGED: State.ACKNOWLEDGED,
    Kind.REFUSED: State.REFUSED,
    Kind.PICKED: State.PICKED,
    Kind.PACKED: State.PACKED,
    Kind.SHIPPED: State.SHIPPED,
}
_NOTHING, _WAIT = Judgement(Answer.NOTHING), Judgement(Answer.WAIT)


def judge(message: Message, work: Work, said_before: Message | None) -> Judgement:
    """What a message asks for; `said_before` is another of its kind that was acted on."""
    if said_before and said_before.content != message.content:
        return _contradicts(f"It says {message.kind} again, and something else than before.")
    if work in ENDED_WORK:
        return _judge_after_end(message, work)
    if message.kind is Kind.REFUSED:
        if work is Work.OFFERED:
            return Judgement(Answer.ACT, (Step.REFUSE,))
        return _WAIT if work is Work.PLANNED else _contradicts(f"It refuses work that is {_words(work)}.")
    becomes, needs, step = _LEADS[message.kind]
    if _WAY.index(work) >= _WAY.index(becomes):
        return _NOTHING
    if work is needs:
        return Judgement(Answer.ACT, (step,))
    if message.kind is Kind.PICKED and work is Work.OFFERED:
        # Who has picked has taken the work; what was found says all that an acknowledgement would.
        return Judgement(Answer.ACT, (Step.ACCEPT, Step.PICK))
    return _WAIT


def _judge_after_end(message: Message, work: Work) -> Judgement:
    if message.kind is not Kind.SHIPPED:
        return _NOTHING
    text = f"It shipped work that is {_words(work)}: the parcel is on its way without an order for it."
    return Judgement(Answer.CONTRADICTION, alert=AlertKind.SHIPPED_AFTER_END, text=text)


def state_after(state: State, message: Message, work: Work) -> State:
    """How far a hand-over has come when orders has agreed with a message, whoever asked it to; never backwards."""
    after = State.SHORT if message.nothing_found else _STATES[message.kind]
    agreed = {State.REFUSED: True, State.SHORT: work is Work.SHORT}.get(after, work not in ENDED_WORK)
    return after if agreed and after in MOVES[state] else state


def _contradicts(text: str) -> Judgement:
    return Judgement(Answer.CONTRADICTION, alert=AlertKind.CONTRADICTION, text=text)


def _words(work: Work) -> str:
    return work.replace("_", " ")

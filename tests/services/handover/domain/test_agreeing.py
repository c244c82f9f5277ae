"""What a message means, in whatever order and however often messages come."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.handover.domain.agreeing import Answer, Step, judge, state_after
from services.handover.domain.model import (
    ENDED_WORK,
    MOVES,
    AlertKind,
    Handover,
    Kind,
    Message,
    State,
    System,
    Work,
    moved,
)
from services.handover.domain.silence import acknowledge_by, missed_at, next_look, retry_at

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DOES = {
    Step.ACCEPT: (Work.OFFERED, Work.ACCEPTED),
    Step.REFUSE: (Work.OFFERED, Work.REFUSED),
    Step.PICK: (Work.ACCEPTED, Work.PICKED),
    Step.CLOSE: (Work.PICKED, Work.PACKED),
    Step.HAND_OVER: (Work.PACKED, Work.HANDED_OVER),
}
WAY = [Kind.ACKNOWLEDGED, Kind.PICKED, Kind.PACKED, Kind.SHIPPED]


def said(kind: Kind, number: int = 1, **more: object) -> Message:
    found = ((1, 2),) if kind is Kind.PICKED else ()
    return Message(f"msg_{kind}_{number}", "ful_1", kind, NOON, **{"found": found, **more})  # type: ignore[arg-type]


@given(some.permutations([said(kind, number) for kind in WAY for number in (1, 2)]))
def test_every_order_of_messages_ends_the_same_with_each_step_done_once(messages: list[Message]) -> None:
    work, state, done, waiting = Work.OFFERED, State.SENT, [], []
    for message in messages:
        waiting.append(message)
        for one in sorted(waiting, key=lambda each: WAY.index(each.kind)):
            judgement = judge(one, work, said_before=None)
            assert judgement.answer is not Answer.CONTRADICTION
            if judgement.answer is Answer.WAIT:
                continue
            for step in judgement.steps:
                needs, work_after = DOES[step]
                assert work is needs
                work = work_after
                done.append(step)
            state = state_after(state, one, work)
            waiting.remove(one)
    assert (work, state, waiting) == (Work.HANDED_OVER, State.SHIPPED, [])
    assert done == [Step.ACCEPT, Step.PICK, Step.CLOSE, Step.HAND_OVER]


@given(some.sampled_from(Kind), some.sampled_from(Work))
def test_nothing_is_asked_of_work_that_has_ended_and_only_a_shipment_alarms(kind: Kind, work: Work) -> None:
    judgement = judge(said(kind), work, None)
    for step in judgement.steps[:1]:
        assert DOES[step][0] is work
    if work in ENDED_WORK:
        expected = AlertKind.SHIPPED_AFTER_END if kind is Kind.SHIPPED else None
        assert (judgement.steps, judgement.alert) == ((), expected)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (said(Kind.PICKED), said(Kind.PICKED, 2, found=((1, 1),))),
        (said(Kind.SHIPPED, tracking_code="A"), said(Kind.SHIPPED, 2, tracking_code="B")),
        (said(Kind.PACKED, weight_grams=1), said(Kind.PACKED, 2, weight_grams=2)),
    ],
)
def test_two_answers_that_differ_contradict_each_other(first: Message, second: Message) -> None:
    assert judge(second, Work.HANDED_OVER, first).alert is AlertKind.CONTRADICTION
    assert judge(second, Work.HANDED_OVER, None).answer is Answer.NOTHING


@given(some.sampled_from(State), some.sampled_from(Kind), some.sampled_from(Work))
def test_a_hand_over_never_goes_back(state: State, kind: Kind, work: Work) -> None:
    after = state_after(state, said(kind), work)
    assert after is state or after in MOVES[state]


def test_an_illegal_move_is_a_defect() -> None:
    with pytest.raises(ValueError, match="shipped"):
        moved(State.SHIPPED, State.SENT)


def test_a_latest_start_that_had_passed_asks_for_nothing() -> None:
    hour = timedelta(hours=1)
    assert acknowledge_by(NOON, NOON + hour, NOON - hour) == NOON + hour
    assert acknowledge_by(NOON, NOON + hour, NOON + hour / 2) == NOON + hour / 2
    assert acknowledge_by(NOON, NOON + hour, None) == NOON + hour


def test_the_next_look_is_the_earliest_of_what_is_awaited() -> None:
    system = System("wms", "WMS", ("wh",), True, 600, 3600)
    one = Handover(1, "ful_1", "ord_1", "web", "wms", "wh", State.SENT, NOON, NOON + timedelta(hours=1))
    missed = NOON + timedelta(hours=1, minutes=10)
    assert missed_at(one, system) == (AlertKind.NOT_ACKNOWLEDGED, missed)
    assert next_look(one, system, (), None) == missed
    assert next_look(one, system, {AlertKind.NOT_ACKNOWLEDGED}, None) is None
    assert next_look(one, system, (), NOON) == NOON
    asked = replace(one, poll_at=NOON)
    assert next_look(asked, system, (), None) == NOON
    assert next_look(asked, system, (), NOON + timedelta(seconds=5)) == NOON + timedelta(seconds=5)
    assert retry_at(1, NOON) == NOON + timedelta(seconds=1)
    assert retry_at(1000, NOON) == NOON + timedelta(minutes=5)

"""The doctor's judgement: what counts as a difference, what as not known, and what it is worth as an exit code."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import httpx

from cli.client import Api, Json
from cli.doctor import CHECKS, DIFFERENT, HEALTHY, UNKNOWN, Examination, examine

NONE: Json = {"checked": 7, "differences": [], "notes": [], "next_cursor": None}


def page(*differences: Json, **changes: Any) -> Json:
    return {**NONE, "differences": list(differences), **changes}


def differs(found: str = "3", order_id: str | None = "ord_1", subject: str = "ord_1") -> Json:
    return {"kind": "HOLD_DIFFERS", "subject": subject, "expected": "2", "found": found, "order_id": order_id}


class Told(Api):
    """A gateway that answers each check with what was told it, one look after the other; else that all is well."""

    def __init__(self, **answers: Sequence[Json | Exception]) -> None:
        self._answers = {check: list(waiting) for check, waiting in answers.items()}
        self.asked: dict[str, list[Json]] = defaultdict(list)

    def get(self, path: str, role: str, scope: Any = None, **parameters: Any) -> Json:
        assert role == "operator"
        check = path.removeprefix("/v1/checks/")
        self.asked[check].append(parameters)
        answer = waiting.pop(0) if (waiting := self._answers.get(check)) else NONE
        if isinstance(answer, Exception):
            raise answer
        return answer


def judged(api: Api, looks: int = 2) -> Examination:
    return examine(api, looks=looks, pause=lambda _seconds: None)


def test_when_nothing_differs_nobody_is_looked_at_twice() -> None:
    api = Told()
    examination = judged(api)
    assert (examination.differences, examination.exit_code) == ([], HEALTHY)
    assert examination.checked == dict.fromkeys(CHECKS, 7)
    assert {check: len(asked) for check, asked in api.asked.items()} == dict.fromkeys(CHECKS, 1)


def test_a_difference_counts_when_it_is_seen_again_the_same() -> None:
    api = Told(orders=[page(differs()), page(differs())])
    examination = judged(api)
    assert [(one.kind, one.expected, one.found) for one in examination.differences] == [("HOLD_DIFFERS", "2", "3")]
    assert examination.exit_code == DIFFERENT
    assert api.asked["orders"] == [{}, {"order_id": ["ord_1"]}], "only the suspect is looked at again"


def test_what_is_on_its_way_is_no_difference() -> None:
    gone, moved = [page(differs()), page()], [page(differs("3")), page(differs("4"))]
    assert judged(Told(orders=gone)).differences == []
    assert judged(Told(orders=moved)).differences == []
    assert judged(Told(orders=[page(differs()), page(differs()), page()]), looks=3).differences == []


def test_another_difference_of_the_same_order_that_came_meanwhile_is_not_one_that_stayed() -> None:
    later = page(differs(subject="ord_1: other"))
    assert judged(Told(orders=[page(differs()), later])).differences == []


def test_events_that_wait_ever_longer_are_the_same_that_waited_before() -> None:
    waits = [page(differs(f"3, the oldest {seconds} s", None, "signals of orders")) for seconds in (61, 64)]
    [difference] = judged(Told(events=waits)).differences
    assert difference.found == "3, the oldest 64 s"


def test_every_page_is_read() -> None:
    api = Told(holds=[page(next_cursor="more"), page(differs())])
    assert judged(api, looks=1).checked["holds"] == 14
    assert api.asked["holds"] == [{}, {"cursor": "more"}]


def test_many_suspects_are_asked_about_in_questions_of_bounded_length() -> None:
    many = page(*(differs(order_id=f"ord_{number}", subject=f"ord_{number}") for number in range(120)))
    api = Told(orders=[many, many])
    judged(api)
    assert [len(asked["order_id"]) for asked in api.asked["orders"][1:]] == [50, 50, 20]


def test_what_could_not_be_asked_is_named_and_is_not_healthy() -> None:
    api = Told(events=[httpx.ConnectError("connection refused")])
    examination = judged(api)
    assert examination.unknown == {"events": "connection refused"}
    assert set(examination.checked) == set(CHECKS) - {"events"}
    assert examination.exit_code == UNKNOWN


def test_a_difference_weighs_more_than_what_is_not_known() -> None:
    api = Told(orders=[page(differs()), page(differs())], events=[httpx.ReadTimeout("timed out")])
    assert judged(api).exit_code == DIFFERENT


def test_a_suspect_that_cannot_be_looked_at_again_is_neither_accused_nor_cleared() -> None:
    api = Told(orders=[page(differs()), httpx.ReadTimeout("timed out")])
    examination = judged(api, looks=3)
    assert (examination.differences, set(examination.unknown)) == ([], {"orders"})
    assert examination.exit_code == UNKNOWN

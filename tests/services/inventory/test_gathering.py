"""What comes together shares a transaction; what goes wrong for one goes wrong for nobody else."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from services.inventory.gathering import Gathering


@dataclass
class Desk:
    """Carries out batches of words, one step at a time, and remembers them."""

    failing: frozenset[str] = frozenset()
    batches: list[list[str]] = field(default_factory=list)
    again: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry_out(self, commands: Sequence[str], /, *, again: bool) -> Sequence[str | Exception]:
        self.batches.append(list(commands))
        self.again += commands if again else []
        await self.gate.wait()
        if len(commands) > 1 and self.failing.intersection(commands):
            raise ConnectionError("the whole transaction is lost")
        return [ValueError(one) if one in self.failing else one.upper() for one in commands]

    def gathering(self, *, most: int = 10, patience_seconds: float = 60) -> Gathering[str, str]:
        return Gathering(
            self.carry_out, lambda word: [word[0]], most=most, at_once=2, patience_seconds=patience_seconds
        )

    async def has_begun(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.batches) < count:  # noqa: ASYNC110 - a list tells nobody
                await asyncio.sleep(0.001)


async def submitted(gathering: Gathering[str, str], *words: str) -> list["asyncio.Task[str]"]:
    tasks = [asyncio.create_task(gathering.submit(word)) for word in words]
    await asyncio.sleep(0)  # each runs up to its wait
    return tasks


async def test_what_comes_alone_is_carried_out_at_once_and_what_comes_meanwhile_together() -> None:
    desk = Desk()
    tasks = await submitted(desk.gathering(), "a", "b", "c", "d")
    await asyncio.sleep(0)
    assert desk.batches == [["a"]]
    desk.gate.set()
    assert await asyncio.gather(*tasks) == ["A", "B", "C", "D"]
    assert desk.batches == [["a"], ["b", "c", "d"]]


async def test_a_transaction_takes_so_many() -> None:
    desk = Desk()
    tasks = await submitted(desk.gathering(most=2), *"abcdef")
    desk.gate.set()
    await asyncio.gather(*tasks)
    assert desk.batches == [["a"], ["b", "c"], ["d", "e"], ["f"]]


async def test_a_transaction_that_waits_lets_another_run_beside_it_but_not_any_number() -> None:
    desk = Desk()
    gathering = desk.gathering(patience_seconds=0.01)
    tasks = await submitted(gathering, *"abc")
    await desk.has_begun(2)
    assert desk.batches == [["a"], ["b", "c"]]
    await asyncio.sleep(0.03)  # longer than anyone's patience
    tasks += await submitted(gathering, "d")
    assert len(desk.batches) == 2
    desk.gate.set()
    assert await asyncio.gather(*tasks) == ["A", "B", "C", "D"]
    assert desk.batches[2:] == [["d"]]


async def test_commands_of_one_name_are_never_together_and_keep_their_order() -> None:
    desk = Desk()
    tasks = await submitted(desk.gathering(), "x", "a1", "b1", "a2", "c1", "a3", "b2")
    desk.gate.set()
    await asyncio.gather(*tasks)
    assert desk.batches == [["x"], ["a1", "b1", "c1"], ["a2", "b2"], ["a3"]]


async def test_when_all_fail_together_each_is_carried_out_by_itself() -> None:
    desk = Desk(failing=frozenset({"b"}))
    tasks = await submitted(desk.gathering(), *"xabc")
    desk.gate.set()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [answers[0], answers[1], answers[3]] == ["X", "A", "C"]
    assert isinstance(answers[2], ValueError)
    assert desk.batches == [["x"], ["a", "b", "c"], ["a"], ["b"], ["c"]]
    assert desk.again == ["a", "b", "c"]


async def test_nothing_is_tried_again_for_a_caller_that_went_away() -> None:
    desk = Desk(failing=frozenset({"b"}))
    first, gone, last, wrong = await submitted(desk.gathering(), *"xacb")
    desk.gate.set()
    await first
    gone.cancel()
    assert await last == "C"
    with pytest.raises(ValueError, match="b"):
        await wrong
    assert desk.again == ["c", "b"]


async def test_a_caller_that_goes_away_keeps_nobody_else_from_an_answer() -> None:
    desk = Desk()
    first, gone, last = await submitted(desk.gathering(), *"abc")
    gone.cancel()
    desk.gate.set()
    assert (await first, await last) == ("A", "C")
    with pytest.raises(asyncio.CancelledError):
        await gone

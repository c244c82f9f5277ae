"""Every process dies at every boundary of its own, in the middle of orders of every kind: nothing is lost.

The points are dealt to rounds. In a round each process has several armed at once, so that it dies again and again
while the others do too; then no order may be stuck, no unit held, no money taken twice, no webhook out of order.
"""

import pytest

from tests.end_to_end.crowd import Crowd
from tests.end_to_end.hooks import Receiver
from tests.end_to_end.points import POINTS, left_out
from tests.stack import SharedStack

pytestmark = pytest.mark.attack

ROUNDS = 5
# Orders of every kind are placed so often before a point counts as never reached.
_WAVES = 3
# Each death costs seconds, a worker's ten: longer than it takes on an idle machine, by far.
_WAVE_SECONDS = 400


@pytest.mark.timeout(900)
@pytest.mark.parametrize("number", range(ROUNDS))
async def test_every_process_dies_at_its_boundaries(stack: SharedStack, hooks: Receiver, number: int) -> None:
    armed = [(process, point) for process, points in POINTS.items() for point in points[number::ROUNDS]]
    for process, point in armed:
        stack.arm(process, point)
    try:
        async with Crowd(stack, hooks, seed=number, customers=8) as crowd:
            for _ in range(_WAVES):
                await crowd.place_each_kind()
                await crowd.finish(_WAVE_SECONDS)
                if not any(stack.is_armed(*one) for one in armed):
                    break
            await crowd.verify()
    except BaseException as error:
        error.add_note(f"died at: {', '.join(f'{a} {b}' for a, b in armed if not stack.is_armed(a, b))}")
        error.add_note(f"away: {', '.join(stack.away()) or 'nobody'}")
        raise
    finally:
        missed = [one for one in armed if stack.disarm(*one)]
    assert not missed, f"nobody came to {missed}"


async def test_no_boundary_is_left_out(stack: SharedStack, hooks: Receiver) -> None:
    async with Crowd(stack, hooks, seed=ROUNDS, customers=8) as crowd:
        await crowd.place_each_kind()
        await crowd.finish()
        await crowd.verify()
    reached = {process: stack.reached(process) for process in POINTS}
    assert {process: left_out(process, points) for process, points in reached.items()} == {
        process: [] for process in POINTS
    }
    assert {process: sorted(set(points) - reached[process]) for process, points in POINTS.items()} == {
        process: [] for process in POINTS
    }

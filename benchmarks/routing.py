"""Where orders ship from: how often the plan is proved the best, how far it may be off, how long it takes.

Baskets over 60 points with shelf stock (shelves.py), planned one after the other by the whole engine in this
process, which collects garbage as the planner's does. The exact solver gets the same candidates; it is asked for
some of the baskets that split.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import exact, shelves
from benchmarks.figures import Result, result
from benchmarks.meter import reading
from benchmarks.system import System
from kit import garbage
from services.promise.domain import engine
from services.promise.domain.plans import Outcome
from services.promise.domain.search import search
from services.promise.domain.snapshot import Snapshot

_WARM_UP = 50
_COMPARED = 60
_SOLVER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class _Planned:
    basket: shelves.Basket
    outcome: Outcome
    seconds: float

    @property
    def lines(self) -> int:
        return len(self.basket)

    @property
    def is_split(self) -> bool:
        return bool(self.outcome.plans) and len(self.outcome.plans[0].legs) > 1

    @property
    def gap(self) -> float:
        cost = self.outcome.plans[0].total_cost_minor if self.outcome.plans else 0
        return (cost - self.outcome.least_cost_minor) / cost if cost else 0.0


async def measure(_system: System, count: int, orders: Path | None) -> list[Result]:
    """So many baskets of the file, or drawn ones."""
    baskets = shelves.baskets(orders, count)
    network = shelves.network(baskets)
    for basket in baskets[:_WARM_UP]:
        _plan(network, basket)
    garbage.settle_down()
    with reading() as taken:
        planned = [_plan(network, basket) for basket in baskets]
        ratios = _against_the_solver(network, [one.basket for one in planned if one.is_split])
    small = [one for one in planned if one.lines <= 10]
    middle = [one for one in planned if one.lines <= 50]
    large = [one for one in planned if one.lines > 50]
    return [
        result("route_proved_share_10", [_proved(small)], taken.load),
        result("route_proved_share_50", [_proved(middle)], taken.load),
        result("route_proved_share_large", [_proved(large)], taken.load),
        result("route_gap_p95_percent", [100 * _p95([one.gap for one in large])], taken.load),
        result("route_median_ms", [1000 * statistics.median(one.seconds for one in planned)], taken.load),
        result("route_max_ms", [1000 * max(one.seconds for one in planned)], taken.load),
        result("route_vs_mip_ratio", ratios, taken.load),
        result("route_split_share", [sum(one.is_split for one in planned) / len(planned)], taken.load),
        result("route_baskets", [len(planned)], taken.load),
    ]


def _plan(network: Snapshot, basket: shelves.Basket) -> _Planned:
    seen, question = shelves.only(network, basket), shelves.question(basket)
    begun = time.perf_counter()
    outcome = engine.plan(seen, question, shelves.RULESET)
    return _Planned(basket, outcome, time.perf_counter() - begun)


def _against_the_solver(network: Snapshot, baskets: Sequence[shelves.Basket]) -> list[float]:
    """The search's time over the solver's, of baskets drawn evenly; a wrong answer ends the run."""
    ratios: list[float] = []
    for basket in baskets[:: max(1, len(baskets) // _COMPARED)]:
        rows, demand = engine.search_question(
            shelves.only(network, basket), shelves.question(basket), shelves.RULESET
        )
        begun = time.perf_counter()
        answer = search(rows, demand, shelves.RULESET, engine.BUDGET_STEPS, must_be_whole=True)
        seconds = time.perf_counter() - begun
        try:
            best = exact.solve(rows, demand, shelves.RULESET, _SOLVER_SECONDS)
        except TimeoutError:
            ratios.append(seconds / _SOLVER_SECONDS)
            continue
        cost = answer.found[0].cost
        if best.cost is None or cost < best.cost or (answer.proved and cost != best.cost):
            raise AssertionError(f"the engine says {cost}, the solver {best.cost}, of {dict(basket)}")
        ratios.append(seconds / best.seconds)
    return ratios


def _proved(planned: Sequence[_Planned]) -> float:
    return sum(one.outcome.proved_optimal for one in planned) / max(1, len(planned))


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * len(values))] if values else 0.0

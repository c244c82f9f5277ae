"""The planning question as a mixed integer programme, solved by HiGHS: what the engine's answers are held against.

The same candidates, rate steps, capacities and costs; another method. Whole demands only.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import highspy
from highspy.highs import highs_linear_expression

from services.promise.domain.grid import Demand, Row
from services.promise.domain.rulesets import Ruleset

Sum = highs_linear_expression


@dataclass(frozen=True, slots=True)
class Exact:
    """The least cost, or None when not all can be served; and how long the solver took (building not counted)."""

    cost: int | None
    seconds: float


def solve(rows: Sequence[Row], demand: Demand, ruleset: Ruleset, limit_seconds: float = 60.0) -> Exact:
    """TimeoutError when the solver does not come to an end."""
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    model.silent()
    for option, value in (("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.5)):
        model.setOptionValue(option, value)
    model.setOptionValue("time_limit", limit_seconds)
    legs = [_Leg(model, row.within(demand.units), demand) for row in rows]
    legs = [leg for leg in legs if leg.takes]
    if not legs:
        return Exact(None, 0.0)
    for i, units in enumerate(demand.units):
        holders = [leg.takes[i] for leg in legs if i in leg.takes]
        if units and not holders:
            return Exact(None, 0.0)
        if holders:
            model.addConstr(_sum(holders) == units)
    for point_id in {leg.row.candidate.point.point_id for leg in legs}:
        model.addConstr(_sum([leg.used for leg in legs if leg.row.candidate.point.point_id == point_id]) <= 1)
    model.addConstr(_sum([leg.used for leg in legs]) <= ruleset.max_parcels)
    late = model.addVariable(0, highspy.kHighsInf)
    is_split = model.addBinary()
    model.addConstr(_sum([leg.used for leg in legs]) - (len(legs) - 1) * is_split <= 1)
    for leg in legs:
        model.addConstr(late - leg.row.candidate.lateness_cost * leg.used >= 0)
        if ruleset.min_split_value_minor:
            worth = _sum([demand.values[i] * taken for i, taken in leg.takes.items()])
            least = ruleset.min_split_value_minor
            model.addConstr(worth - least * leg.used - least * is_split >= -least)
    split = ruleset.split_cost_minor
    cost = _sum([leg.cost(split) for leg in legs]) + late - split
    begun = time.perf_counter()
    model.minimize(cost)
    if model.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
        # HiGHS 1.16 says so of some questions that have an answer, unless it may not simplify them first.
        model.setOptionValue("presolve", "off")
        model.run()
    seconds = time.perf_counter() - begun
    status = model.getModelStatus()
    if status == highspy.HighsModelStatus.kTimeLimit:
        raise TimeoutError(f"HiGHS did not come to an end in {limit_seconds} s")
    if status != highspy.HighsModelStatus.kOptimal:
        return Exact(None, seconds)
    return Exact(round(model.getInfo().objective_function_value), seconds)


class _Leg:
    """The variables of one candidate: whether it is used, its rate step, and the units that it takes by SKU."""

    def __init__(self, model: highspy.Highs, row: Row, demand: Demand) -> None:
        self.row = row
        self.used = model.addBinary()
        self.takes = {
            i: model.addVariable(0, units, type=highspy.HighsVarType.kInteger)
            for i, units in enumerate(row.capacity)
            if units
        }
        most = sum(units * weight for units, weight in zip(row.capacity, demand.weights, strict=True))
        useful = sum(step.up_to_grams < most for step in row.candidate.steps) + 1
        self.steps = [(step, model.addBinary()) for step in row.candidate.steps[:useful]]
        for i, taken in self.takes.items():
            model.addConstr(taken - row.capacity[i] * self.used <= 0)
        model.addConstr(_sum([chosen for _, chosen in self.steps]) - self.used == 0)
        if self.takes:
            weight = _sum([demand.weights[i] * taken for i, taken in self.takes.items()])
            model.addConstr(weight - _sum([step.up_to_grams * chosen for step, chosen in self.steps]) <= 0)

    def cost(self, split: int) -> Sum:
        """Its part of the plan's cost."""
        shipping = [step.cost_minor * chosen for step, chosen in self.steps]
        units = [self.row.unit_costs[i] * taken for i, taken in self.takes.items() if self.row.unit_costs[i]]
        return _sum([(self.row.candidate.fixed_cost + split) * self.used, *shipping, *units])


def _sum(terms: Sequence[Sum | highspy.highs.highs_var]) -> Sum:
    return highspy.Highs.qsum(terms)

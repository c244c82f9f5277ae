"""The planning question as a mixed integer programme, solved by HiGHS: what the engine's answers are held against.

The same candidates, rate steps, capacities and costs; another method. Whole demands only.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np
from highspy.highs import highs_linear_expression

from services.promise.domain.filling import filling_by_weight
from services.promise.domain.grid import Demand, Row
from services.promise.domain.rulesets import Ruleset

Sum = highs_linear_expression


@dataclass(frozen=True, slots=True)
class Exact:
    """The least cost, or None when not all can be served; and how long the solver took (building not counted)."""

    cost: int | None
    seconds: float


def solve(
    rows: Sequence[Row], demand: Demand, ruleset: Ruleset, limit_seconds: float = 60.0, *, simplify: bool = True
) -> Exact:
    """TimeoutError when the solver does not come to an end.

    `simplify`: HiGHS 1.16 simplifies some questions into others, and then answers more than the least cost.
    """
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    model.silent()
    for option, value in (("threads", 1), ("mip_rel_gap", 0.0), ("mip_abs_gap", 0.5)):
        model.setOptionValue(option, value)
    model.setOptionValue("time_limit", limit_seconds)
    if not simplify:
        model.setOptionValue("presolve", "off")
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
    """The variables of one candidate: whether it is used, its parcels, and the units that it takes by SKU."""

    def __init__(self, model: highspy.Highs, row: Row, demand: Demand) -> None:
        self.row = row
        self.used = model.addBinary()
        self.takes = {
            i: model.addVariable(0, units, type=highspy.HighsVarType.kInteger)
            for i, units in enumerate(row.capacity)
            if units
        }
        filling = row.filling or filling_by_weight(row.candidate.steps, np.array(demand.weights, np.int64))
        useful = filling.first(np.array(row.capacity, np.int64)) + 1
        self.chosen = [(cost, model.addBinary()) for cost in filling.costs[:useful]]
        choices = [chosen for _, chosen in self.chosen]
        for i, taken in self.takes.items():
            fitting = [chosen for chosen, fits in zip(choices, filling.fits[:useful, i], strict=True) if fits]
            model.addConstr(taken - row.capacity[i] * _sum(fitting) <= 0)
        model.addConstr(_sum(choices) - self.used == 0)
        for sizes, limits in zip(filling.sizes.tolist(), filling.limits[:useful].T.tolist(), strict=True):
            # In whole numbers as small as can be, for the solver counts in fractions.
            unit = math.gcd(*(sizes[i] for i in self.takes)) or 1
            most = sum(sizes[i] * row.capacity[i] for i in self.takes)
            load = _sum([sizes[i] // unit * taken for i, taken in self.takes.items()])
            rooms = [min(most, limit) // unit for limit in limits]
            model.addConstr(load - _sum([room * chosen for room, chosen in zip(rooms, choices, strict=True)]) <= 0)

    def cost(self, split: int) -> Sum:
        """Its part of the plan's cost."""
        shipping = [cost * chosen for cost, chosen in self.chosen]
        units = [self.row.unit_costs[i] * taken for i, taken in self.takes.items() if self.row.unit_costs[i]]
        return _sum([(self.row.candidate.fixed_cost + split) * self.used, *shipping, *units])


def _sum(terms: Sequence[Sum | highspy.highs.highs_var]) -> Sum:
    return highspy.Highs.qsum(terms)

"""Decisions made of a hand-made network, as the service makes them."""

from dataclasses import replace
from datetime import timedelta

from services.promise.domain import engine, recording
from services.promise.domain.network import PlanRequest
from services.promise.domain.plans import Decision
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.snapshot import Snapshot

STOCK_AGE = timedelta(seconds=4)


def decide(seen: Snapshot, asked: PlanRequest, rules: Ruleset, budget_steps: int = 150_000) -> Decision:
    outcome = engine.plan(seen, asked, rules, budget_steps)
    record = recording.record(seen, asked, rules, outcome, terms_version=7)
    view = replace(seen.stock.view, as_of=asked.now - STOCK_AGE)
    return Decision("dec_1", "ord_1", asked, "", rules.ruleset_id, rules.version, view, outcome, record=record)

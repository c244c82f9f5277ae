"""Units that join what waits for them at a hub: after a refusal, a silence or a short pick (SPEC RTE-8, RTE-9)."""

from dataclasses import replace
from typing import Any

from services.promise.domain import engine, takings
from services.promise.domain import network as n
from services.promise.domain.explaining import explain
from services.promise.domain.plans import Outcome
from tests.services.promise.domain.decided import decide
from tests.services.promise.domain.test_consolidating import JOINING, hub, lyon, paris, post, shop, to_points
from tests.services.promise.domain.test_personalising import NAME, engraved
from tests.services.promise.domain.test_personalising_at_a_hub import able
from tests.services.promise.domain.test_personalising_at_a_hub import shop as engravers
from tests.services.promise.network import collections, request, ruleset, service, stock, terms

HUB = n.WaitingHub("hub", "post", "home")


def asked(*units: tuple[str, int], **values: Any) -> n.PlanRequest:
    return request(*(units or (("b", 1),)), **({"joins": HUB} | values))


def legs(outcome: Outcome) -> dict[str, str]:
    return {leg.point_id: leg.via_point_id for leg in outcome.plans[0].legs}


def test_they_go_to_the_hub_though_it_would_be_cheaper_without() -> None:
    assert legs(engine.plan(shop(), asked(joins=None), JOINING)) == {"lyon": ""}
    outcome = engine.plan(shop(), asked(), JOINING)
    assert (legs(outcome), outcome.proved_optimal) == ({"lyon": "hub"}, True)
    onward = outcome.plans[0].onward
    assert onward is not None
    assert (onward.service_id, onward.hand_over_by) == ("home", paris(17, day=3))


def test_what_the_hub_has_itself_joins_there_too() -> None:
    outcome = engine.plan(shop(), asked(("a", 1)), JOINING)
    assert legs(outcome) == {"hub": "hub"}
    assert outcome.plans[0].legs[0].carrier_id == ""
    both = engine.plan(shop(), asked(("a", 1), ("b", 1)), JOINING)
    assert legs(both) == {"hub": "hub", "lyon": "hub"}


def test_where_not_all_of_them_can_go_there_they_are_planned_as_ever() -> None:
    dear = terms(transit_days_max=1)
    for network, question in (
        (shop(carriers=post(service())), asked()),
        (shop(hub(collections=collections("other", 17 * 60)), lyon()), asked()),
        (shop(), asked(joins=replace(HUB, service_id="gone"))),
        (shop(), asked(joins=replace(HUB, point_id="closed"))),
        (shop(carriers=post(service(), to_points(max_weight_grams=1, zones=(dear,)))), asked()),
    ):
        assert legs(engine.plan(network, question, JOINING)) == {"lyon": ""}
    assert legs(engine.plan(shop(), asked(), ruleset())) == {"lyon": ""}
    partly = engine.plan(shop(), asked(("b", 6)), JOINING)
    assert legs(partly) == {"lyon": ""}
    assert [one.quantity for one in partly.unplanned] == [1]


def test_they_are_engraved_at_a_hub_that_can() -> None:
    network = engravers(able(), lyon())
    joins = n.WaitingHub("able", "post", "home")
    outcome = engine.plan(network, replace(engraved(NAME), joins=joins), JOINING)
    assert legs(outcome) == {"lyon": "able"}
    assert [line.plain for line in outcome.plans[0].legs[0].lines] == [True]


def test_a_point_that_is_ruled_out_sends_none_of_them() -> None:
    network = shop(hub(), lyon(), replace(lyon(), point_id="lille"))
    spare = stock({"b": {"lyon": 1, "lille": 1}})
    network = replace(network, stock=replace(network.stock, positions=spare))
    excluded = asked(exclusions=(n.ExcludedPoint("lyon", "refused"),))
    assert legs(engine.plan(network, excluded, JOINING)) == {"lille": "hub"}


def test_the_place_of_the_hub_is_taken_already_and_it_is_told_why_they_go_there() -> None:
    decision = decide(shop(), asked(), JOINING)
    assert [one.place.point_id for one in takings.of_best_plan(decision)] == ["lyon"]
    told = [sentence.code for section in explain(decision).sections for sentence in section.sentences]
    assert "JOINED_OTHERS" in told

"""What a decision says about meeting at a hub, in the words that a person reads; and the same made again."""

from dataclasses import replace

from services.promise.domain import explaining, replaying
from services.promise.domain import network as n
from services.promise.domain.plans import Decision
from services.promise.domain.replaying import Verdict
from services.promise.domain.rulesets import Consolidation
from tests.services.promise.domain.decided import decide
from tests.services.promise.domain.test_consolidating import (
    BOTH,
    JOINING,
    asked,
    hub,
    lyon,
    only_by_hub,
    post,
    shop,
    to_points,
)
from tests.services.promise.network import collections, point, request, service, stock


def section(decision: Decision, name: str) -> list[str]:
    told = explaining.explain(decision)
    return [sentence.text for part in told.sections if part.name == name for sentence in part.sentences]


def test_what_meets_and_goes_on_is_told_leg_by_leg() -> None:
    whole, own, sent, onward = section(decide(shop(), asked(), JOINING), "chosen")
    assert whole.startswith(
        "The order (2 units) ships from 2 points by home delivery and arrives Thu 4 Jun 2026 08:00"
    )
    assert own == "hub adds 1 x a of its own."
    assert sent == (
        "lyon (warehouse, 557 km) sends 1 x b to hub, with post inbound in 1 parcel, handed over by "
        "Mon 1 Jun 2026 17:00 (Europe/Paris), carriage 2.00 EUR; "
        "it is there by Tue 2 Jun 2026 18:00 (Europe/Paris)."
    )
    assert onward == (
        "hub (warehouse, 204 km) joins them and sends all of it on, with post home in 1 parcel, handed over by "
        "Wed 3 Jun 2026 17:00 (Europe/Paris), carriage 5.00 EUR."
    )


def test_it_says_what_was_saved_and_what_joining_costs() -> None:
    decision = decide(shop(), asked(), JOINING)
    assert section(decision, "consolidation") == [
        "Its parcels meet at hub: sent without a hub it would cost 15.00 EUR, 5.50 EUR more."
    ]
    assert "0.50 EUR is for joining parcels at the hub." in section(decision, "cost")
    assert section(decision, "split")[0].startswith("It comes from several points because no single point")


def test_it_says_what_other_hubs_would_have_cost_and_why_they_were_not_used() -> None:
    far, shut = point("far", capabilities=frozenset({n.CONSOLIDATION})), point("shut")
    shut = replace(shut, capabilities=frozenset({n.CONSOLIDATION}), collections=collections("other", 60))
    network = shop(hub(), lyon(), replace(far, postcode="59000"), shut)
    told = section(decide(network, asked(), JOINING), "consolidation")
    assert told[1:] == [
        "Sent by way of far with home it would cost 13.00 EUR.",
        "No service takes all of it on from shut in time.",
    ]


def test_it_says_why_nothing_was_joined() -> None:
    dear = replace(JOINING, consolidation=Consolidation(1_000, 2))
    assert section(decide(shop(), asked(), dear), "consolidation") == [
        "Sent by way of hub with home it would cost at least 16.00 EUR."
    ]
    cut_off = decide(shop(carriers=post(service())), asked(), JOINING)
    assert section(cut_off, "consolidation") == ["Not all of it could be sent by way of hub with home in time."]
    none = decide(shop(point("hub"), lyon()), asked(), JOINING)
    assert section(none, "consolidation") == ["No point is able to join its parcels."]
    assert section(decide(shop(), request(*BOTH), JOINING), "consolidation") == []
    assert section(decide(shop(), asked(("a", 2)), JOINING), "consolidation") == []


def test_what_could_only_be_sent_by_way_of_a_hub_is_said() -> None:
    assert section(decide(only_by_hub(), asked(), JOINING), "consolidation") == [
        "Its parcels meet at hub: without a hub fewer units could be sent."
    ]


def test_made_again_the_decision_is_the_same_and_the_hub_is_used() -> None:
    empty = hub(capabilities=frozenset({n.CONSOLIDATION}))
    network = shop(empty, lyon(), point("lille"), carriers=post(service(), to_points()))
    network = replace(
        network, stock=replace(network.stock, positions=stock({"a": {"lille": 5}, "b": {"lyon": 5}}))
    )
    decision = decide(network, asked(), JOINING)
    assert decision.outcome.plans[0].onward is not None
    assert {point.point_id for point in decision.record.points} == {"hub", "lille", "lyon"}
    again = decide(replaying.snapshot_of(decision, network), replaying.question(decision), JOINING)
    assert again.outcome.plans == decision.outcome.plans
    assert again.outcome.consolidating == decision.outcome.consolidating
    assert replaying.why_not(decision, "hub", network, JOINING).verdict is Verdict.USED

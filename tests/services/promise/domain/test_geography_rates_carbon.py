"""Prefixes, distances, rate steps, carbon and rulesets' arithmetic."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.promise.domain import carbon, rates
from services.promise.domain import network as n
from services.promise.domain.geography import Geography, distance_kilometres
from services.promise.domain.rates import Step, parcel_cost, with_surcharge
from tests.services.promise.network import LILLE, LYON, NOW, PARIS, euros, ruleset, service, terms


def zone(zone_id: str, *prefixes: str, country: str = "FR") -> n.Zone:
    return n.Zone(zone_id, country, prefixes, "Europe/Paris")


def test_the_longest_prefix_wins() -> None:
    map_ = Geography(
        [zone("france", ""), zone("north", "59", "62"), zone("lille", "59000"), zone("uk", "", country="GB")], []
    )

    def names(postcode: str) -> list[str]:
        return [z.zone_id for z in map_.zones(n.Destination("FR", postcode))]

    assert names("59 000") == ["lille"]
    assert names("59100") == ["north"]
    assert names("69001") == ["france"]
    assert map_.zones(n.Destination("ES", "28001")) == []


def test_postcodes_match_whatever_their_case_and_spaces() -> None:
    map_ = Geography([zone("london", "SW1", country="GB")], [n.PostcodeArea("GB", "sw", PARIS)])
    there = n.Destination("GB", "sw1a 1aa")
    assert map_.zones(there)
    assert map_.area(there) is not None


def test_a_destination_outside_every_area_has_no_place() -> None:
    assert Geography([], [n.PostcodeArea("FR", "75", PARIS)]).area(n.Destination("FR", "59000")) is None


def test_paris_to_lille_and_lyon_is_as_on_the_map() -> None:
    assert distance_kilometres(PARIS, LILLE) == pytest.approx(204, abs=2)
    assert distance_kilometres(PARIS, LYON) == pytest.approx(392, abs=2)
    assert distance_kilometres(PARIS, PARIS) == 0
    antipode = n.Position(-PARIS.latitude, PARIS.longitude - 180)
    assert distance_kilometres(PARIS, antipode) == pytest.approx(20_015, abs=1)


def test_the_first_step_that_takes_the_weight_is_paid() -> None:
    steps = (Step(500, 400), Step(1_000, 600))
    assert [parcel_cost(steps, grams) for grams in (0, 500, 501, 1_000)] == [400, 400, 600, 600]
    with pytest.raises(ValueError, match="no rate"):
        parcel_cost(steps, 1_001)


def test_steps_end_at_the_services_own_limit() -> None:
    sold = service(max_weight_grams=800)
    given_rates = tuple(
        n.RateStep(grams, euros(price)) for grams, price in ((500, 400), (1_000, 600), (2_000, 900))
    )
    assert rates.steps_of(sold, terms(rates=given_rates)) == (Step(500, 400), Step(800, 600))


def test_steps_of_one_price_are_one_step() -> None:
    given_rates = tuple(
        n.RateStep(grams, euros(price)) for grams, price in ((500, 400), (1_000, 400), (2_000, 900))
    )
    assert rates.steps_of(service(), terms(rates=given_rates)) == (Step(1_000, 400), Step(2_000, 900))


def test_half_a_cent_of_surcharge_is_rounded_up() -> None:
    assert with_surcharge(500, 1_250) == 563
    assert with_surcharge(500, 0) == 500


@given(st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 500)), min_size=1), st.integers(1, 12_000))
def test_steps_rise_strictly(raw: list[tuple[int, int]], limit: int) -> None:
    weights = sorted({grams for grams, _ in raw})
    prices = sorted(price for _, price in raw)[: len(weights)]
    given_rates = tuple(n.RateStep(grams, euros(price)) for grams, price in zip(weights, prices, strict=True))
    steps = rates.steps_of(service(max_weight_grams=limit), terms(rates=given_rates))
    assert [s.up_to_grams for s in steps] == sorted({s.up_to_grams for s in steps})
    assert [s.cost_minor for s in steps] == sorted({s.cost_minor for s in steps})
    assert steps[-1].up_to_grams == min(limit, weights[-1])


def test_carbon_is_tonne_kilometres_times_the_factor() -> None:
    parcel = carbon.of_parcel(service(carbon_legs=(n.CarbonLeg("road", 0, 150.0),)), 2_000, 500.0)
    assert parcel == n.Carbon(150, "test road 1")
    assert carbon.total([parcel, parcel, n.Carbon(10, "air 2")]) == n.Carbon(310, "test road 1; air 2")


def test_each_part_of_the_way_has_its_own_factor() -> None:
    legs = (n.CarbonLeg("van", 30, 600.0), n.CarbonLeg("rail", 0, 20.0), n.CarbonLeg("van", 20, 700.0))
    # 2 kg over 30 km at 600, 450 km at 20 and 20 km at 700 grams a tonne-kilometre.
    assert carbon.of_parcel(service(carbon_legs=legs), 2_000, 500.0).grams_co2e == 36 + 18 + 28
    # Next door it is driven to the depot all the same.
    assert carbon.of_parcel(service(carbon_legs=legs), 2_000, 3.0).grams_co2e == 36 + 28
    assert carbon.of_parcel(service(carbon_legs=()), 2_000, 500.0) == n.NO_CARBON


def test_a_day_begun_is_a_day_late() -> None:
    rules = ruleset(lateness_cost_minor_per_day=200)
    late = [
        timedelta(0),
        timedelta(seconds=1),
        timedelta(days=1),
        timedelta(days=1, seconds=1),
        timedelta(days=-3),
    ]
    assert [rules.lateness_cost(NOW + by, NOW) for by in late] == [0, 200, 200, 400, 0]
    assert rules.lateness_cost(NOW, None) == 0

"""The channel image: STK-4, STK-17."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.buffers import BufferRules
from services.inventory.domain.catalogue import BufferRule, Exclusion, ItemTerms, PointTerms, PointType, Purpose
from services.inventory.domain.exclusions import Exclusions
from services.inventory.domain.explaining import Inputs, availability
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Balance

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
PAN = ItemTerms(("home", "kitchen", "pans"), "Cairn", frozenset({"fragile", "new"}))
LYON = PointTerms(PointType.STORE)
ORLEANS = PointTerms(PointType.WAREHOUSE)
POINTS = {"LYON": LYON, "ORLEANS": ORLEANS}


def terms(
    *exclusions: Exclusion,
    keep: int = 0,
    points: dict[str, PointTerms] | None = None,
    brands: frozenset[str] = frozenset(),
    now: datetime = NOON,
) -> Terms:
    return Terms(
        "web",
        brands,
        {"PAN": PAN},
        POINTS if points is None else points,
        Exclusions(exclusions),
        BufferRules([BufferRule(quantity=keep)]),
        BufferRules([BufferRule(quantity=2)]),
        now,
    )


def balances(lyon: int = 9, orleans: int = 5) -> list[Balance]:
    return [Balance("PAN", "LYON", on_hand=lyon), Balance("PAN", "ORLEANS", on_hand=orleans)]


def figure(rules: Terms, purpose: Purpose | None = None) -> int:
    return availability(rules, "PAN", {"PAN": balances()}, explain=False, purpose=purpose).available_now


def test_a_shortage_at_one_point_never_eats_the_stock_of_another() -> None:
    stock = [Balance("PAN", "LYON", on_hand=1, unavailable=1), Balance("PAN", "ORLEANS", on_hand=5)]
    found = availability(terms(keep=2), "PAN", {"PAN": stock}, explain=True)
    assert found.available_now == 3
    assert [(point.point_id, point.available) for point in found.points] == [("LYON", 0), ("ORLEANS", 3)]


def test_a_routing_buffer_does_not_lower_the_figure() -> None:
    rules = terms()
    assert rules.routing_buffer(balances()[0]).quantity == 2
    assert figure(rules) == 14


# -- exclusions -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "exclusion",
    [
        Exclusion(sku="PAN"),
        Exclusion(category="home/kitchen"),
        Exclusion(category="pans"),
        Exclusion(tag="fragile"),
        Exclusion(brand="Cairn"),
        Exclusion(brand="Cairn", tag="new", category="home", sku="PAN"),
    ],
)
def test_an_exclusion_of_the_item_is_an_explicit_zero(exclusion: Exclusion) -> None:
    found = availability(terms(exclusion), "PAN", {"PAN": balances()}, explain=False)
    assert (found.available_now, found.zero_reason) == (0, "EXCLUDED")


@pytest.mark.parametrize(
    "exclusion",
    [
        Exclusion(sku="POT"),
        Exclusion(category="kitchen/pans"),
        Exclusion(tag="old"),
        Exclusion(brand="Ondelle"),
        Exclusion(brand="Cairn", tag="old"),
        Exclusion(sku="PAN", category="garden"),
    ],
)
def test_an_exclusion_fits_only_if_all_that_it_names_fits(exclusion: Exclusion) -> None:
    assert figure(terms(exclusion)) == 14


@pytest.mark.parametrize(
    ("exclusion", "left"),
    [
        (Exclusion(point_type=PointType.STORE), 5),
        (Exclusion(brand="Cairn", point_type=PointType.STORE), 5),
        (Exclusion(brand="Ondelle", point_type=PointType.STORE), 14),
        (Exclusion(sku="PAN", point_id="ORLEANS"), 9),
        (Exclusion(tag="fragile", point_id="PARIS"), 14),
    ],
)
def test_an_exclusion_at_points_leaves_the_others(exclusion: Exclusion, left: int) -> None:
    found = availability(terms(exclusion), "PAN", {"PAN": balances()}, explain=True)
    assert (found.available_now, found.zero_reason) == (left, "")


def test_an_exclusion_gives_its_reason() -> None:
    assert terms(Exclusion(sku="PAN", reason="recall")).zero_reason("PAN") == "EXCLUDED: recall"
    at_stores = Exclusion(point_type=PointType.STORE, reason="inventory week")
    (lyon, orleans) = availability(terms(at_stores), "PAN", {"PAN": balances()}, explain=True).points
    assert (lyon.barred, orleans.barred) == ("EXCLUDED: inventory week", "")


def test_an_exclusion_is_in_force_from_its_first_instant_and_before_its_last() -> None:
    exclusion = Exclusion(sku="PAN", from_at=NOON, until_at=NOON + HOUR)
    instants = [NOON - timedelta(microseconds=1), NOON, NOON + HOUR - timedelta(microseconds=1), NOON + HOUR]
    rules = terms(exclusion)
    assert [figure(rules.at(now)) for now in instants] == [14, 0, 0, 14]


def test_an_open_end_never_ends() -> None:
    assert figure(terms(Exclusion(sku="PAN", from_at=NOON), now=NOON + 10_000 * HOUR)) == 0
    assert figure(terms(Exclusion(sku="PAN", until_at=NOON), now=NOON - 10_000 * HOUR)) == 0


def test_an_unknown_item_is_an_explicit_zero() -> None:
    assert availability(terms(), "GHOST", {}, explain=True).zero_reason == "UNKNOWN_ITEM"


# -- brands and purposes ----------------------------------------------------------------------------------


def test_a_channel_shows_only_the_brands_that_it_sells() -> None:
    found = availability(terms(brands=frozenset({"Ondelle"})), "PAN", {"PAN": balances()}, explain=False)
    assert (found.available_now, found.zero_reason) == (0, "BRAND_NOT_SOLD")
    assert figure(terms(brands=frozenset({"Cairn", "Ondelle"}))) == 14


def test_a_point_gives_only_the_brands_that_it_carries() -> None:
    rules = terms(points={"LYON": PointTerms(PointType.STORE, brands=frozenset({"Ondelle"})), "ORLEANS": ORLEANS})
    found = availability(rules, "PAN", {"PAN": balances()}, explain=True)
    assert found.available_now == 5
    assert found.points[0].barred == "BRAND_NOT_CARRIED"


def test_each_purpose_counts_the_points_that_are_activated_for_it() -> None:
    rules = terms(
        points={
            "LYON": PointTerms(PointType.STORE, frozenset({Purpose.COLLECT, Purpose.SHOW})),
            "ORLEANS": PointTerms(PointType.WAREHOUSE, frozenset({Purpose.SHIP})),
        }
    )
    purposes = (None, Purpose.SHIP, Purpose.COLLECT, Purpose.SHOW)
    assert [figure(rules, purpose) for purpose in purposes] == [14, 5, 9, 9]


def test_what_is_only_shown_cannot_be_sold() -> None:
    rules = terms(points={"LYON": PointTerms(PointType.STORE, frozenset({Purpose.SHOW}))})
    assert [figure(rules, purpose) for purpose in (None, Purpose.SHOW)] == [0, 9]
    assert rules.barred("PAN", "LYON") == "NOT_ACTIVATED"


def test_a_point_that_is_not_activated_gives_nothing() -> None:
    assert terms().barred("PAN", "MARS") == "NOT_ACTIVATED"


# -- the figure -------------------------------------------------------------------------------------------

quantities = st.integers(0, 20)
exclusions = st.sampled_from([(), (Exclusion(sku="PAN"),), (Exclusion(point_type=PointType.STORE),)])


@given(st.lists(st.tuples(quantities, quantities, quantities), min_size=2, max_size=2), quantities, exclusions)
def test_the_figure_is_the_first_input_less_the_other_four(
    stocks: list[tuple[int, int, int]], keep: int, excluded: tuple[Exclusion, ...]
) -> None:
    stock = [
        Balance("PAN", point_id, on_hand, reserved, unavailable)
        for point_id, (on_hand, reserved, unavailable) in zip(POINTS, stocks, strict=True)
    ]
    rules = terms(*excluded, keep=keep)
    found = availability(rules, "PAN", {"PAN": stock}, explain=True)
    free = [max(0, on_hand - reserved - unavailable - keep) for on_hand, reserved, unavailable in stocks]
    barred = [bool(rules.barred("PAN", point_id)) for point_id in POINTS]
    expected = [0 if out else units for units, out in zip(free, barred, strict=True)]
    assert found.available_now == sum(expected) == sum(point.available for point in found.points)
    took = found.inputs or Inputs()
    assert took.physical == sum(on_hand for on_hand, _, _ in stocks)
    assert min(took.reserved, took.excluded, took.unavailable, took.safety_stock) >= 0
    deducted = took.reserved + took.excluded + took.unavailable + took.safety_stock
    assert found.available_now == took.physical - deducted

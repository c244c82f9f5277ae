"""The figures that are kept of an image are those that are counted anew, whatever the rules."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain.buffers import BufferRules
from services.inventory.domain.bundles import Part, spread
from services.inventory.domain.catalogue import BufferRule, Exclusion, ItemTerms, PointTerms, PointType, Purpose
from services.inventory.domain.exclusions import Exclusions
from services.inventory.domain.explaining import availability
from services.inventory.domain.figures import Figures, Stock, bundle_figures, figures
from services.inventory.domain.holds import HoldLine, opened, reserve
from services.inventory.domain.image import Terms
from services.inventory.domain.ledger import Balance, Book, Cause
from services.inventory.domain.pauses import Pause, Pauses
from tests.services.inventory.shop import NOON

POINT_IDS = ("LYON", "PARIS", "ORLEANS")
ITEMS = {
    "PAN": ItemTerms(("home", "kitchen"), "Cairn", frozenset({"new"})),
    "POT": ItemTerms(("home", "kitchen"), "Cairn", frozenset({"new"})),
    "SOFA": ItemTerms(("home",), "Dune", frozenset()),
    "SET": ItemTerms(("home", "sets"), "Cairn", frozenset({"new"}), (Part("PAN", 1), Part("SOFA", 2))),
}
_any_of = st.sampled_from
_skus = _any_of(["", "PAN", "SOFA"])
_categories = _any_of(["", "kitchen", "home/kitchen", "home"])
_points = _any_of(["", "LYON", "PARIS"])
_types = _any_of([None, PointType.STORE])
_instants = _any_of([None, NOON - timedelta(hours=1), NOON, NOON + timedelta(hours=1)])

_exclusions = st.builds(
    Exclusion,
    sku=_skus,
    category=_categories,
    tag=_any_of(["", "new"]),
    brand=_any_of(["", "Dune"]),
    point_id=_points,
    point_type=_types,
    reason=_any_of(["", "recall"]),
    from_at=_instants,
    until_at=_instants,
)
_rules = st.builds(
    BufferRule,
    sku=_skus,
    category=_categories,
    point_id=_points,
    point_type=_types,
    quantity=st.integers(0, 3),
) | st.builds(BufferRule, sku=_skus, point_id=_points, percent=st.integers(1, 100))
_pauses = st.builds(
    lambda sku, point_id, channel_id, begun: Pause("pau", point_id, sku, channel_id, "flood", NOON, begun=begun),
    _skus,
    _points,
    _any_of(["", "web", "app"]),
    st.booleans(),
)
_activations = st.dictionaries(
    _any_of(POINT_IDS),
    st.builds(
        PointTerms,
        _any_of([PointType.STORE, PointType.WAREHOUSE]),
        st.frozensets(_any_of(list(Purpose)), min_size=1),
        st.frozensets(_any_of(["Cairn", "Dune"]), max_size=1),
    ),
)
_terms = st.builds(
    lambda brands, points, exclusions, buffers, pauses, as_told: Terms(
        "web",
        brands,
        ITEMS,
        points,
        Exclusions(exclusions),
        BufferRules(buffers),
        BufferRules([]),
        NOON,
        Pauses(pauses),
        as_told,
    ),
    st.frozensets(_any_of(["Cairn", "Dune"]), max_size=1),
    _activations,
    st.lists(_exclusions, max_size=3),
    st.lists(_rules, max_size=4),
    st.lists(_pauses, max_size=2),
    st.booleans(),
)
_terms_of_sets = _terms.filter(lambda terms: bool(terms.points) and not terms.zero_reason("SET"))
_counts = st.tuples(st.integers(0, 12), st.integers(0, 4), st.integers(0, 4))


@given(_terms, st.sampled_from(["PAN", "POT", "SOFA"]), st.dictionaries(_any_of(POINT_IDS), _counts))
def test_kept_figures_are_the_counted_ones_for_each_purpose(
    terms: Terms, sku: str, stock: dict[str, tuple[int, int, int]]
) -> None:
    balances = [Balance(sku, point_id, *counts) for point_id, counts in stock.items()]

    def counted(purpose: Purpose | None = None) -> int:
        return availability(terms, sku, {sku: balances}, explain=False, purpose=purpose).available_now

    kept = figures(terms.openings(sku), [(one.point_id, one.on_hand, one.free) for one in balances])
    assert kept == Figures(
        counted(), counted(Purpose.SHIP), counted(Purpose.COLLECT), counted(Purpose.SHOW), terms.zero_reason(sku)
    )


_stocks = st.fixed_dictionaries({sku: st.dictionaries(_any_of(POINT_IDS), _counts) for sku in ("PAN", "SOFA")})
Stocks = dict[str, dict[str, tuple[int, int, int]]]


def of_parts(stocks: Stocks) -> dict[str, list[Balance]]:
    return {
        sku: [Balance(sku, point_id, *counts) for point_id, counts in stock.items()]
        for sku, stock in stocks.items()
    }


@given(_terms | _terms_of_sets, _stocks)
def test_the_kept_figures_of_a_bundle_are_the_counted_ones_for_each_purpose(terms: Terms, stocks: Stocks) -> None:
    balances = of_parts(stocks)

    def counted(purpose: Purpose | None = None) -> int:
        return availability(terms, "SET", balances, explain=False, purpose=purpose).available_now

    parts = [
        (
            part.quantity,
            Stock(terms.openings(part.sku), [(b.point_id, b.on_hand, b.free) for b in balances[part.sku]]),
        )
        for part in terms.parts("SET")
    ]
    assert bundle_figures(terms.openings("SET"), parts) == Figures(
        counted(), counted(Purpose.SHIP), counted(Purpose.COLLECT), counted(Purpose.SHOW), terms.zero_reason("SET")
    )


@given(_terms | _terms_of_sets, _stocks)
def test_a_bundle_is_explained_by_figures_that_add_up_to_it(terms: Terms, stocks: Stocks) -> None:
    balances = of_parts(stocks)
    found = availability(terms, "SET", balances, explain=True)
    assert found.inputs is not None
    took = found.inputs.reserved + found.inputs.excluded + found.inputs.unavailable + found.inputs.safety_stock
    assert found.available_now == found.inputs.physical - took
    assert found.available_now == availability(terms, "SET", balances, explain=False).available_now
    assert all(point.limited_by in ("PAN", "SOFA") for point in found.points)


@given(_terms | _terms_of_sets, _stocks)
def test_so_many_bundles_can_be_held_as_are_shown_and_not_one_more(terms: Terms, stocks: Stocks) -> None:
    balances = of_parts(stocks)
    for point in availability(terms, "SET", balances, explain=True).points:
        for wanted in (point.available, point.available + 1):
            book = Book(one for some in balances.values() for one in some)
            fresh = opened("ord_1", "web", 600, NOON)
            line = HoldLine("SET", point.point_id, wanted)
            after, shortfalls, held = reserve(
                book, terms, fresh, [line], Cause("reserve", "t"), allow_partial=False
            )
            assert held == (0 < wanted <= point.available)
            assert bool(shortfalls) == (wanted > point.available)
            moved = {m.position: m.reserved for m in book.movements}
            assert moved == (dict(spread(terms.parts("SET"), line.position, wanted)) if held else {})
            assert after.held() == ({line.position: wanted} if held else {})


@given(_terms)
def test_items_of_one_kind_have_the_same_openings(terms: Terms) -> None:
    if terms.kind_of("PAN") == terms.kind_of("POT"):
        assert terms.openings("PAN") == terms.openings("POT")
    else:
        assert "PAN" in terms.kind_of("PAN")

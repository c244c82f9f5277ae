"""Who is served and who loses, and what may be promised: properties for any deliveries and any queue."""

from collections import Counter
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.inventory.domain import future_holds
from services.inventory.domain.buffers import BufferRules
from services.inventory.domain.catalogue import BufferRule, ItemTerms, PointTerms, PointType
from services.inventory.domain.exclusions import Exclusions
from services.inventory.domain.future_holds import FutureLine, FutureReservation, Source, SourceKind
from services.inventory.domain.holds import Reservation, ReservationState
from services.inventory.domain.image import Terms
from services.inventory.domain.supply import ExpectedDelivery, ExpectedKind, FutureRules, prospects
from tests.services.inventory.shop import NOON
from tests.services.inventory.supply_shop import TODAY

SOURCE, OTHER = Source(SourceKind.DELIVERY, "po-1"), Source(SourceKind.DELIVERY, "po-2")
takes = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([SOURCE, OTHER]), st.integers(1, 5)), max_size=8
)


def queue(taken: list[tuple[str, Source, int]]) -> dict[str, FutureReservation]:
    """Holders with lines numbered in the order of taking."""
    lines: dict[str, list[FutureLine]] = {}
    for nth, (holder, source, units) in enumerate(taken, start=1):
        lines.setdefault(holder, []).append(FutureLine(source, units, nth))
    return {
        holder: FutureReservation(Reservation(holder, "web", ReservationState.CONFIRMED, None), tuple(own))
        for holder, own in lines.items()
    }


@given(takes, st.integers(-2, 40))
def test_what_is_shared_out_is_all_there_is_or_all_that_is_wanted(
    taken: list[tuple[str, Source, int]], units: int
) -> None:
    holders = queue(taken)
    wanted = future_holds.waiting_for(holders, SOURCE)
    for share in (future_holds.first_come, future_holds.last_come):
        found = share(holders, SOURCE, units)
        total = sum(one.quantity for one in future_holds.shares(found))
        assert total == max(0, min(units, wanted))
        after = future_holds.take(holders, found)
        assert future_holds.waiting_for(after, SOURCE) == wanted - total
        assert future_holds.waiting_for(after, OTHER) == future_holds.waiting_for(holders, OTHER)
        assert all((one.life.state is ReservationState.CLOSED) == (not one.lines) for one in after.values())


@given(takes, st.integers(0, 40))
def test_nobody_is_served_before_who_took_earlier(taken: list[tuple[str, Source, int]], units: int) -> None:
    holders = queue(taken)
    given_by_line: Counter[int] = Counter()
    for lines in future_holds.first_come(holders, SOURCE, units).values():
        given_by_line.update(lines)
    in_order = [(nth, units) for nth, (_, source, units) in enumerate(taken, start=1) if source == SOURCE]
    short = [nth for nth, wanted in in_order if given_by_line[nth] < wanted]
    assert all(given_by_line[nth] == 0 for nth, _ in in_order if short and nth > short[0])


deliveries = st.lists(
    st.tuples(
        st.sampled_from(["LYON", "PARIS"]),
        st.integers(1, 9),
        st.integers(0, 9),
        st.integers(-3, 12),
        st.sampled_from(list(ExpectedKind)),
    ),
    max_size=6,
)


@given(deliveries, st.integers(0, 12))
def test_what_may_be_promised_of_a_position_is_what_is_left_there_less_its_protection(
    rows: list[tuple[str, int, int, int, ExpectedKind]], kept: int
) -> None:
    found = [
        ExpectedDelivery(f"po-{i}", "DRESS", point, kind, units, TODAY, TODAY + timedelta(days=days))
        for i, (point, units, _, days, kind) in enumerate(rows)
    ]
    held = {f"po-{i}": min(taken, units) for i, (_, units, taken, _, _) in enumerate(rows)}
    points = dict.fromkeys(("LYON", "PARIS"), PointTerms(PointType.STORE))
    none = BufferRules(())
    terms = Terms("web", frozenset(), {"DRESS": ItemTerms()}, points, Exclusions(()), none, none, NOON)
    kinds = (ExpectedKind.ON_ORDER, ExpectedKind.IN_TRANSIT)
    rules = FutureRules(kinds, 9, 0, (BufferRule(quantity=kept),))
    shown = prospects(terms, rules, found, held, dict.fromkeys(points, TODAY))
    assert len(shown) == len(found)
    for point in points:
        promised = [
            one
            for one in found
            if one.point_id == point and one.kind in kinds and TODAY <= one.until_date <= TODAY + timedelta(days=9)
        ]
        left = sum(one.quantity - held[one.delivery_id] for one in promised)
        total = sum(one.available for one in shown if one.delivery.point_id == point)
        assert total == max(0, left - kept)
    for one in shown:
        assert 0 <= one.available <= one.delivery.outstanding - one.held
        assert not (one.zero_reason and one.available)

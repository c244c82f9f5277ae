"""Figures on a real database, each computed by hand from the seven orders of one day."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument
from kit.times import to_proto
from oms.orders.v1 import figures_service_pb2 as pb
from services.orders.domain.capture import Outcome
from services.orders.figures import Figures, period_of
from services.orders.figures_rpc import FiguresRpc
from services.orders.figures_store import Scope
from tests.services.orders.builders import CHANNEL, NOON, Shop, found, leg, line
from tests.services.orders.test_customers import DAY

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# Friday noon, and the promises of that day end on Monday.
THIS_WEEK, NEXT_WEEK = "2026-11-16", "2026-11-23"
LATER = NOON + 10 * DAY


@pytest.fixture
def figures(orders_db: AsyncEngine) -> Figures:
    return Figures(orders_db)


def scope(start: timedelta = -DAY, **changes: tuple[str, ...]) -> Scope:
    return Scope(NOON + start, NOON + 27 * DAY, LATER, **changes)


async def leave(shop: Shop, work: str, code: str, accepted: timedelta, left: timedelta, units: int = 2) -> None:
    """Accepted, picked with so many units, packed, paid and handed over."""
    await shop.service.accept_offer(shop.asked(), work, "anna", NOON + accepted)
    await shop.service.record_pick(shop.asked(), work, found((1, units)), "anna", NOON + accepted)
    await shop.service.close_parcel(shop.asked(), work, 900, "anna", NOON + accepted)
    await shop.service.record_capture(shop.asked(), work, Outcome("captured", "", "", NOON + accepted))
    await shop.service.hand_over(shop.asked(), work, code, "bob", NOON + left)


async def a_day(shop: Shop, db: AsyncEngine) -> None:
    """Seven orders, all placed and offered at noon, and promised until Monday noon."""
    app = replace(CHANNEL, channel_id="app-fr")
    await shop.service.put_sales_channels([app])
    # In time: accepted after 10 minutes, left after 4 hours, there at the end of its window.
    _, (kept,) = await shop.release("kept", leg((1, 2)))
    await leave(shop, kept, "T1", 10 * MINUTE, 4 * HOUR)
    await shop.scan("e1", "T1", "delivered", NOON + 3 * DAY)
    # Refused after 30 minutes, and silent: their units have no place.
    _, (refused,) = await shop.release("refused", leg((1, 2), point="store-nice"))
    await shop.service.refuse_offer(shop.asked(), refused, "no_staff", "zoe", NOON + 30 * MINUTE)
    _, (silent,) = await shop.release("silent", leg((1, 2)))
    await shop.service.lapse_offer(shop.asked(), silent, NOON + HOUR)
    # Of another brand and channel: accepted after 20 minutes, one of two found, left an hour late, there on day 5.
    order_id = await shop.record("short", line(brand="autre"), channel_id="app-fr")
    (short,) = await shop.accept(order_id, leg((1, 2)))
    await shop.service.release_order(shop.asked(), order_id, NOON + HOUR / 2)
    await shop.service.offer_fulfilment(shop.asked(), short, NOON)
    await leave(shop, short, "T2", 20 * MINUTE, 7 * HOUR, units=1)
    await shop.scan("e2", "T2", "delivered", NOON + 5 * DAY)
    # Left two hours late, and the carrier says nothing: told as the carrier's delay in the end.
    _, (lost,) = await shop.release("slow", leg((1, 2)))
    await leave(shop, lost, "T3", 20 * MINUTE, 8 * HOUR)
    # Nobody has answered; and one that cools off.
    open_id, _ = await shop.release("open", leg((1, 2)))
    await shop.accept(await shop.record("cooling"), leg((1, 2)))
    await shop.service.watch_promises(NOON + 4 * DAY + HOUR, 100)
    async with db.begin() as tx:
        # Where points compete, each offer is a row.
        await tx.execute(
            text(
                """INSERT INTO offer SELECT :work, point, 1, place, state, '{}', :noon, :noon, NULL, '', '', ''
                   FROM (VALUES ('store-lille', 1, 'claimed'),
                                ('store-paris', 2, 'lost')) v (point, place, state)"""
            ),
            {"work": kept, "noon": NOON},
        )
        await tx.execute(
            text("UPDATE orders SET held_for = '{manual}', payment_failed_since = :noon WHERE order_id = :id"),
            {"id": open_id, "noon": NOON},
        )


async def test_a_day_in_figures(shop: Shop, orders_db: AsyncEngine, figures: Figures) -> None:
    await a_day(shop, orders_db)

    stages = await figures.stages(scope())
    assert [(one.channel_id, one.stage, one.orders, one.held, one.late, one.blocked) for one in stages] == [
        ("app-fr", "partially shipped", 1, 0, 1, 0),
        ("web-fr", "delivered", 1, 0, 0, 0),
        ("web-fr", "shipped", 1, 0, 1, 0),
        ("web-fr", "to prepare", 1, 1, 1, 1),
        # Two look for a place, one cools off.
        ("web-fr", "waiting", 3, 0, 1, 0),
    ]

    offers = {one.point_id: one for one in await figures.offers(scope())}
    assert set(offers) == {"store-lille", "store-lyon", "store-nice", "store-paris", ""}
    lyon, nice, all_points = offers["store-lyon"], offers["store-nice"], offers[""]
    assert (lyon.offers, lyon.accepted, lyon.lapsed, lyon.open) == (5, 3, 1, 1)
    # Answers after 10, 20 and 20 minutes.
    assert (lyon.median_seconds, lyon.p95_seconds) == (1200, 1200)
    assert (nice.offers, nice.refused, nice.median_seconds, nice.p95_seconds) == (1, 1, 1800, 1800)
    assert (offers["store-lille"].open, offers["store-paris"].lost, offers["store-paris"].p95_seconds) == (1, 1, 0)
    assert (all_points.offers, all_points.accepted, all_points.refused, all_points.open) == (8, 3, 1, 2)
    # 10, 20, 20 and 30: nine tenths and a half of the way from the first to the last is 28.5.
    assert all_points.median_seconds == 1200
    assert all_points.p95_seconds == pytest.approx(28.5 * 60)

    points, articles = await figures.picks(scope())
    (picked,) = points
    assert (picked.point_id, picked.picks, picked.short_picks) == ("store-lyon", 3, 1)
    assert (picked.units, picked.short_units) == (6, 1)
    assert [(one.point_id, one.sku, one.short_units) for one in articles] == [("store-lyon", "SKU-1", 1)]

    weeks, reasons = await figures.promises(scope())
    assert [
        (one.week, one.channel_id, one.orders, one.orders_kept, one.parcels, one.parcels_kept) for one in weeks
    ] == [
        (NEXT_WEEK, "app-fr", 1, 0, 1, 0),
        # Of two the units have no place; of the others one came in time.
        (NEXT_WEEK, "web-fr", 6, 1, 4, 1),
    ]
    assert [(one.channel_id, one.reason, one.parcels) for one in reasons] == [
        ("app-fr", "hand_over_missed", 1),
        ("web-fr", "hand_over_missed", 2),
        ("web-fr", "delivery_missed", 1),
    ]

    times = await figures.lead_times(scope())
    told = [
        (one.key, one.parcels, one.median_seconds / 3600) for one in (*times.channels, *times.weeks, times.total)
    ]
    assert told == [("app-fr", 1, 7), ("web-fr", 2, 6), (THIS_WEEK, 3, 7), ("", 3, 7)]
    assert times.total.p95_seconds == pytest.approx(7.9 * 3600)


async def test_figures_are_of_what_is_asked_for_and_of_nothing_else(
    shop: Shop, orders_db: AsyncEngine, figures: Figures
) -> None:
    await a_day(shop, orders_db)
    for only in (scope(brands=("autre",)), scope(channel_ids=("app-fr",))):
        assert [one.stage for one in await figures.stages(only)] == ["partially shipped"]
        assert [(one.point_id, one.offers) for one in await figures.offers(only)] == [("store-lyon", 1), ("", 1)]
        points, articles = await figures.picks(only)
        assert [(one.units, one.short_units) for one in points] == [(2, 1)]
        assert len(articles) == 1
        weeks, reasons = await figures.promises(only)
        assert [(one.channel_id, one.orders) for one in weeks] == [("app-fr", 1)]
        assert [one.channel_id for one in reasons] == ["app-fr"]
        assert (await figures.lead_times(only)).total.parcels == 1
    # Work that was refused is not of its point any more, and its order has no parcel of it.
    nice = scope(point_ids=("store-nice",))
    assert await figures.stages(nice) == []
    assert [one.point_id for one in await figures.offers(nice)] == ["store-nice", ""]
    assert await figures.promises(nice) == ([], [])
    lyon, _ = await figures.promises(scope(point_ids=("store-lyon",)))
    assert [(one.channel_id, one.orders, one.parcels) for one in lyon] == [("app-fr", 1, 1), ("web-fr", 4, 4)]
    # A day later nothing was offered, picked or handed over any more, but promises ended.
    after = scope(DAY)
    assert [one.offers for one in await figures.offers(after)] == [0]
    assert await figures.picks(after) == ([], [])
    assert (await figures.lead_times(after)).total.parcels == 0
    assert len((await figures.promises(after))[0]) == 2
    # Nobody is late before the end of the window.
    early = Scope(NOON - DAY, NOON + 27 * DAY, NOON + 3 * DAY - MINUTE)
    assert await figures.promises(early) == ([], [])


async def test_without_orders_every_figure_is_nothing(shop: Shop, figures: Figures) -> None:
    rpc = FiguresRpc(figures)
    at = pb.FigureScope(as_of=to_proto(NOON))
    assert not (await rpc.CountStages(pb.CountStagesRequest(scope=at), None)).stages
    offers = await rpc.CountOffers(pb.CountOffersRequest(scope=at), None)
    assert (list(offers.points), offers.total) == ([], pb.OfferFigure())
    picks = await rpc.CountPicks(pb.CountPicksRequest(scope=at), None)
    assert (list(picks.points), list(picks.articles)) == ([], [])
    promises = await rpc.CountPromises(pb.CountPromisesRequest(scope=at), None)
    assert (list(promises.weeks), list(promises.reasons)) == ([], [])
    assert (await rpc.MeasureLeadTimes(pb.MeasureLeadTimesRequest(scope=at), None)) == pb.MeasureLeadTimesResponse(
        total=pb.LeadTime()
    )


def test_a_period_is_the_last_four_weeks_unless_it_is_said_and_never_more_than_92_days() -> None:
    assert period_of(None, None, NOON) == (NOON - 28 * DAY, NOON)
    assert period_of(None, NOON - DAY, NOON) == (NOON - 29 * DAY, NOON - DAY)
    assert period_of(NOON - 92 * DAY, None, NOON) == (NOON - 92 * DAY, NOON)
    for from_at, field in ((NOON, "scope.from_at"), (NOON - 93 * DAY, "scope.until_at")):
        with pytest.raises(InvalidArgument) as caught:
            period_of(from_at, None, NOON)
        assert caught.value.facts["field"] == field

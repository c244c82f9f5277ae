"""The dashboard: how much stands where, who answers how fast, what is kept of promises. Pictures beside tables."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from kit import times
from kit.errors import OmsError
from oms.inventory.v1 import inventory_service_pb2 as inventory
from services.gateway import access
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.console.chart import Chart, Series, chart_of
from services.gateway.console.periods import period
from services.gateway.guard import ClientsAre
from services.gateway.places import places_of
from services.gateway.routes import figures
from services.gateway.schemas.base import Blank, Id, RequiredText
from services.gateway.schemas.figures import (
    FigureFilters,
    LeadTimesView,
    PeriodFilters,
    PickFiguresView,
    PromiseFiguresView,
    PromiseFigureView,
    StageFigureView,
)
from services.gateway.schemas.finance import UtcDay

dashboard_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

_DAYS = 28
_PERCENT_STEP = 25
# Of a chart: room for "100 %".
_LEFT = 64
# So many lines are told apart; the table has all of them.
_MOST_LINES = 6
_HOUR = 3600
_MOST_SKUS = 500
_LEVELS = 2


class DashboardAsked(FigureFilters):
    """What the page's form says; the last day is a part of the period."""

    channel_id: Annotated[Id | None, Blank] = None
    brand: Annotated[RequiredText | None, Blank] = None
    point_id: Annotated[Id | None, Blank] = None
    from_: Annotated[UtcDay | None, Field(alias="from"), Blank] = None
    to: Annotated[UtcDay | None, Blank] = None

    def period(self, today: date) -> tuple[date, date]:
        """The first day and the day after the last one: the last four weeks, unless it is said."""
        return period(self.from_, self.to, today, _DAYS)


@dataclass(frozen=True, slots=True)
class Kept:
    """Promises of a week or a channel."""

    key: str
    orders: int
    orders_kept: int
    parcels: int
    parcels_kept: int


@dataclass(frozen=True, slots=True)
class Category:
    """Units of a category that were not found, and where most of them."""

    name: str
    short_units: int
    point_id: str


@dashboard_pages.get("/console/dashboard")
async def show(request: Request, clients: ClientsAre, asked: Annotated[DashboardAsked, Query()]) -> Response:
    """All figures of a period, for one channel, brand and store, or for all that the caller may see."""
    caller = session.caller_of(request)
    first, until = asked.period(times.now().date())
    narrow = asked.model_dump(include={"channel_id", "brand", "point_id"}, exclude_none=True)
    of_now = FigureFilters.model_validate(narrow)
    of_period = PeriodFilters.model_validate({**narrow, "from": first.isoformat(), "until": until.isoformat()})
    stages, offers, picks, promises, lead_times = await asyncio.gather(
        figures.stages(of_now, caller, clients),
        figures.offers(of_period, caller, clients),
        figures.picks(of_period, caller, clients),
        figures.promises(of_period, caller, clients),
        figures.lead_times(of_period, caller, clients),
    )
    channels, stores, categories = await asyncio.gather(
        _channels(clients), _stores(request, clients), _categories(clients, picks)
    )
    weeks, of_channels = _by_week(promises), _by_channel(promises)
    return templates.page(
        request,
        "dashboard.html",
        asked=asked,
        first=first,
        last=until - timedelta(days=1),
        brands=sorted(access.brands_seen(caller) or ()),
        channels=channels,
        stores=stores,
        stages=_by_stage(stages.items),
        stage_rows=stages.items,
        offers=offers,
        picks=picks,
        categories=categories,
        weeks=weeks,
        kept=_sum("", promises.weeks),
        kept_of_channels=of_channels,
        kept_chart=_kept_chart(promises, [one.key for one in of_channels]),
        reasons=_reasons(promises),
        lead_times=lead_times,
        lead_chart=_lead_chart(lead_times),
    )


# -- what is drawn ----------------------------------------------------------------------------------------


def _by_stage(rows: Sequence[StageFigureView]) -> list[StageFigureView]:
    """Over all channels, the fullest stage first."""
    sums: dict[str, StageFigureView] = {}
    for row in rows:
        before = sums.get(row.stage)
        sums[row.stage] = StageFigureView(
            channel_id="",
            stage=row.stage,
            orders=row.orders + (before.orders if before else 0),
            held=row.held + (before.held if before else 0),
            late=row.late + (before.late if before else 0),
            blocked=row.blocked + (before.blocked if before else 0),
        )
    return sorted(sums.values(), key=lambda one: (-one.orders, one.stage))


def _sum(key: str, rows: Sequence[PromiseFigureView]) -> Kept:
    return Kept(
        key,
        sum(one.orders for one in rows),
        sum(one.orders_kept for one in rows),
        sum(one.parcels for one in rows),
        sum(one.parcels_kept for one in rows),
    )


def _by_week(promises: PromiseFiguresView) -> list[Kept]:
    weeks = sorted({one.week for one in promises.weeks})
    return [_sum(week, [one for one in promises.weeks if one.week == week]) for week in weeks]


def _by_channel(promises: PromiseFiguresView) -> list[Kept]:
    """That with the most orders first."""
    channels = {one.channel_id for one in promises.weeks}
    sums = [_sum(channel, [one for one in promises.weeks if one.channel_id == channel]) for channel in channels]
    return sorted(sums, key=lambda one: (-one.orders, one.key))


def _kept_chart(promises: PromiseFiguresView, channels: Sequence[str]) -> Chart | None:
    """The share of orders in percent, a line for each channel."""
    weeks = sorted({one.week for one in promises.weeks})
    if not weeks:
        return None
    found = {(one.week, one.channel_id): one for one in promises.weeks}

    def percent(week: str, channel: str) -> float | None:
        one = found.get((week, channel))
        return 100 * one.orders_kept / one.orders if one else None

    series = [
        Series(channel, [percent(week, channel) for week in weeks], f"s{number}")
        for number, channel in enumerate(channels[:_MOST_LINES], 1)
    ]
    return chart_of([date.fromisoformat(week) for week in weeks], series, _PERCENT_STEP, _LEFT)


def _lead_chart(lead_times: LeadTimesView) -> Chart | None:
    """Hours by week: half of the parcels, and nineteen of twenty, left within."""
    if not lead_times.weeks:
        return None
    return chart_of(
        [date.fromisoformat(one.key) for one in lead_times.weeks],
        [
            Series("median", [one.median_seconds / _HOUR for one in lead_times.weeks], "s1"),
            Series("95th percentile", [one.p95_seconds / _HOUR for one in lead_times.weeks], "s2"),
        ],
        left=_LEFT,
    )


def _reasons(promises: PromiseFiguresView) -> list[tuple[str, int]]:
    """Late parcels by reason, the most frequent first."""
    counts: Counter[str] = Counter()
    for one in promises.reasons:
        counts[one.reason] += one.parcels
    return counts.most_common()


# -- what others know -------------------------------------------------------------------------------------


async def _channels(clients: Clients) -> list[str]:
    with suppress(OmsError):
        found = await clients.read(clients.inventory.ListChannels, inventory.ListChannelsRequest())
        return sorted(one.channel_id for one in found.channels)
    return []


async def _stores(request: Request, clients: Clients) -> dict[str, str]:
    """The names of all points, by id."""
    with suppress(OmsError):
        places = await places_of(request, clients).all()
        return {one.point_id: one.name for one in sorted(places.values(), key=lambda one: one.name)}
    return {}


async def _categories(clients: Clients, picks: PickFiguresView) -> list[Category]:
    """What was not found by category, the most first; articles that inventory does not know are "unknown"."""
    names: Mapping[str, str] = {}
    skus = list(dict.fromkeys(one.sku for one in picks.articles))[:_MOST_SKUS]
    if skus:
        with suppress(OmsError):
            found = await clients.read(clients.inventory.ListItems, inventory.ListItemsRequest(skus=skus))
            names = {one.sku: " / ".join(one.category_path[:_LEVELS]) for one in found.items}
    counts: dict[str, Counter[str]] = {}
    for one in picks.articles:
        counts.setdefault(names.get(one.sku) or "unknown", Counter())[one.point_id] += one.short_units
    made = [Category(name, points.total(), points.most_common(1)[0][0]) for name, points in counts.items()]
    return sorted(made, key=lambda one: (-one.short_units, one.name))

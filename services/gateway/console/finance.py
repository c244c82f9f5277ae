"""The page of finance: totals of a period as chart and tables, operations, open differences, and files."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field

from kit import times
from kit.errors import InvalidArgument
from oms.payments.v1 import payments_service_pb2 as payments
from services.gateway.clients import Clients
from services.gateway.console import session, templates
from services.gateway.console.chart import Series, chart_of
from services.gateway.console.periods import period
from services.gateway.guard import ClientsAre
from services.gateway.routes import finance
from services.gateway.schemas.base import Asked, Blank, Currency, Cursor, Id, LongId, Word
from services.gateway.schemas.finance import (
    DifferenceFilters,
    ExportAsked,
    ExportFormat,
    TotalsAsked,
    TotalView,
    UtcDay,
)
from services.gateway.schemas.payments import OperationFilters, OperationKind, OperationState, OperationView
from services.gateway.wire import enum_names, message, shown

finance_pages = APIRouter(route_class=session.PageRoute, include_in_schema=False)

_DAYS = 14
_OPERATIONS = 25
_DIFFERENCES = 20
_KINDS = sorted(enum_names(payments.OperationKind.DESCRIPTOR))
_STATES = sorted(enum_names(payments.OperationState.DESCRIPTOR))
_BY_CHANNEL = "paid_by_channel_reference"
# What is told of a day or a channel, by the kind of its operations; money that a channel has is not ours.
_COLUMNS = {
    ("authorize", False): "authorised",
    ("capture", False): "captured",
    ("refund", False): "refunded",
    ("void", False): "voided",
    ("authorize", True): "paid_by_channel",
    ("refund", True): "asked_of_channel",
    ("refund_reversal", False): "refunds_sent_back",
    ("chargeback", False): "charged_back",
    ("chargeback_reversal", False): "chargebacks_won",
}
_CHARTED = ("authorised", "captured", "refunded")
_ALWAYS = (*_CHARTED, "voided")


class FinanceAsked(Asked):
    """What the page's form says; the last day is a part of the period."""

    from_: Annotated[UtcDay | None, Field(alias="from"), Blank] = None
    to: Annotated[UtcDay | None, Blank] = None
    channel_id: Annotated[Id | None, Blank] = None
    point_id: Annotated[Id | None, Blank] = None
    order_id: Annotated[LongId | None, Blank] = None
    tender_kind: Annotated[Word | None, Blank] = None
    provider: Annotated[Word | None, Blank] = None
    kind: Annotated[OperationKind | None, Blank] = None
    state: Annotated[OperationState | None, Blank] = None
    currency: Annotated[Currency | None, Blank] = None
    cursor: Annotated[Cursor, Blank] = None

    def period(self, today: date) -> tuple[date, date]:
        """The first day and the day after the last one: the last two weeks, unless it is said."""
        return period(self.from_, self.to, today, _DAYS)

    def filters(self, today: date) -> dict[str, Any]:
        """As parameters of the REST face."""
        first, until = self.period(today)
        chosen = self.model_dump(exclude={"from_", "to", "cursor"}, exclude_none=True)
        return {
            "from": _midnight(first).isoformat(),
            "until": _midnight(until).isoformat(),
            **{name: [value] for name, value in chosen.items()},
        }


class FinanceFile(FinanceAsked):
    """The same operations as a file."""

    format: ExportFormat


@dataclass
class Sums:
    """Minor units by column, of one currency."""

    currency: str
    by: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    operations: int = 0

    def add(self, total: TotalView) -> None:
        """Counts it."""
        self.by[_COLUMNS.get((total.kind, total.tender_kind == _BY_CHANNEL), "")] += total.amount.amount_minor
        self.operations += total.operations


@finance_pages.get("/console/finance")
async def show_finance(request: Request, clients: ClientsAre, asked: Annotated[FinanceAsked, Query()]) -> Response:
    """What was authorised, captured and refunded, of which channels, and where it does not agree."""
    finance.check_all_brands(session.caller_of(request))
    today = times.now().date()
    first, until = asked.period(today)
    if not first < until <= first + timedelta(days=400):
        raise InvalidArgument("to", "a period has 1 to 400 days")
    totals, (operations, more), differences = await asyncio.gather(
        finance.totals(
            clients,
            TotalsAsked.model_validate(
                {"from": first.isoformat(), "until": until.isoformat(), "by": ["day", "channel", "tender_kind"]}
            ),
        ),
        _operations(clients, asked, today),
        finance.differences(clients, DifferenceFilters(state=["open"], size=_DIFFERENCES)),
    )
    told = [one for one in totals if asked.channel_id in (None, one.channel_id)]
    chosen = {**asked.model_dump(by_alias=True, mode="json", exclude_none=True, exclude={"cursor"})}
    currencies = _by_currency(told)
    currency = asked.currency or (currencies[0] if currencies else "")
    days = [first + timedelta(days=number) for number in range((until - first).days)]
    by_day = _sums(told, lambda one: one.day)
    rows = [(day, by_day.get((day, currency), Sums(currency))) for day in days]
    series = [Series(name, [sums.by[name] for _, sums in rows]) for name in _CHARTED]
    return templates.page(
        request,
        "finance.html",
        asked=asked,
        first=first,
        last=until - timedelta(days=1),
        columns=[
            name for name in _COLUMNS.values() if name in _ALWAYS or any(one.by[name] for one in by_day.values())
        ],
        currency=currency,
        currencies=currencies,
        chart=chart_of(days, series) if currency else None,
        days=rows,
        channels=_sums(told, lambda one: one.channel_id),
        operations=operations,
        differences=differences,
        kinds=_KINDS,
        states=_STATES,
        more="?" + urlencode({**chosen, "cursor": more}) if more else "",
        files={kind: "?" + urlencode({**chosen, "format": kind}) for kind in ("csv", "parquet")},
    )


@finance_pages.get("/console/finance/export")
async def export(request: Request, clients: ClientsAre, asked: Annotated[FinanceFile, Query()]) -> Response:
    """The operations that the page's filters choose, as a file."""
    chosen = {name: value for name, value in asked.filters(times.now().date()).items() if name != "format"}
    file = ExportAsked.model_validate({**chosen, "format": asked.format})
    return await finance.export(clients, session.caller_of(request), file)


async def _operations(clients: Clients, asked: FinanceAsked, today: date) -> tuple[Sequence[OperationView], str]:
    filters = OperationFilters.model_validate(
        {**asked.filters(today), "cursor": asked.cursor, "size": _OPERATIONS}
    )
    request = message(payments.ListOperationsRequest, {"filter": filters.filter, "page": filters.page})
    found = await clients.read(clients.payments.ListOperations, request)
    return [shown(one, OperationView) for one in found.operations], found.page.next_cursor


def _by_currency(totals: Sequence[TotalView]) -> list[str]:
    """That with the most operations first."""
    count: dict[str, int] = defaultdict(int)
    for one in totals:
        count[one.amount.currency] += one.operations
    return sorted(count, key=lambda code: (-count[code], code))


def _sums(totals: Sequence[TotalView], key_of: Any) -> dict[tuple[Any, str], Sums]:
    """By key and currency, in the order of the totals."""
    found: dict[tuple[Any, str], Sums] = {}
    for one in sorted(totals, key=lambda one: (str(key_of(one)), one.amount.currency)):
        place = (key_of(one), one.amount.currency)
        found.setdefault(place, Sums(one.amount.currency)).add(one)
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)

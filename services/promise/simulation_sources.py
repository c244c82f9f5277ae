"""Where a simulation's orders and stock come from: recorded decisions, files, the replica. Plans nothing."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from services.promise import checks, past_orders_store
from services.promise.domain import simulating
from services.promise.domain.network import BasketLine, PlanRequest, StockSlice
from services.promise.domain.past_orders import LineReader, StockReader, rows
from services.promise.domain.simulating import PastOrder
from services.promise.domain.simulations import OrdersFile, Setup, StockSource
from services.promise.replica import StockReplica
from services.promise.simulation_files import Tell, header, parts, plain, text

# Orders that are held at once.
_PAGE = 50


class Orders(Protocol):
    """Past orders, each with the stock it is planned on."""

    total: int
    skipped: Counter[str]

    def pairs(self) -> AsyncIterator[tuple[PastOrder, StockSlice]]:
        """In the order of their dates."""
        ...

    def notes(self) -> list[str]:
        """What the orders and their stock rest on. Asked after the last one."""
        ...


async def open_orders(
    tx: AsyncConnection, setup: Setup, replica: StockReplica, now: datetime, tell: Tell
) -> Orders:
    """What a setup names. `now`: when orders without a date were placed. Raises FileRefused."""
    stock = None if setup.stock is StockSource.RECORDED else await _Stock.opened(tx, setup, replica, tell)
    if setup.orders is not None:
        assert stock is not None, "a setup of a file has stock"
        return await FiledOrders.opened(tx, setup, setup.orders, stock, now, tell)
    return await RecordedOrders.opened(tx, setup, replica, stock)


# -- stock ----------------------------------------------------------------------------------------------------


class _Stock:
    """The stock that orders are planned on when it is not the one they saw."""

    def __init__(self, tx: AsyncConnection, replica: StockReplica, *, of_file: bool) -> None:
        self._tx = tx
        self._replica = replica
        self._of_file = of_file
        self.skipped: Counter[str] = Counter()
        self._positions = 0
        self._file_name = ""

    @classmethod
    async def opened(cls, tx: AsyncConnection, setup: Setup, replica: StockReplica, tell: Tell) -> "_Stock":
        """Reads the file, if there is one."""
        made = cls(tx, replica, of_file=setup.stock is StockSource.FILE)
        if made._of_file:
            await made._read(setup.stock_file_id, tell)
        return made

    async def _read(self, file_id: str, tell: Tell) -> None:
        points = frozenset(self._replica.slice(()).points)
        async with plain(self._tx, file_id, tell) as (raw, name):
            self._file_name = name
            with text(raw, "utf-8") as opened:
                found = rows(opened)
                reader = StockReader(header(found), points)
                for part in parts(map(reader.read, found)):
                    given = [one for one in part if not isinstance(one, str)]
                    self.skipped.update(one for one in part if isinstance(one, str))
                    added = await past_orders_store.stage_stock(self._tx, given) if given else 0
                    self.skipped["STOCK_DUPLICATE"] += len(given) - added
                    self._positions += added
                    await tell()

    async def of(self, requests: Sequence[PlanRequest]) -> list[tuple[StockSlice, frozenset[str]]]:
        """What each order is planned on, and the SKUs of it whose stock was given."""
        skus = {line.sku for request in requests for line in request.lines}
        given = await past_orders_store.given_units(self._tx, sorted(skus)) if self._of_file else {}
        return [self._of_one(request, given) for request in requests]

    def _of_one(self, request: PlanRequest, given: simulating.Units) -> tuple[StockSlice, frozenset[str]]:
        known = self._replica.slice(line.sku for line in request.lines)
        if not self._of_file:
            return known, frozenset()
        units = {line.sku: given[line.sku] for line in request.lines if line.sku in given}
        return simulating.with_given(known, units, request.channel_id), frozenset(units)

    def note(self) -> str:
        """Which stock it is."""
        if self._of_file:
            return f"Stock is that of the file {self._file_name or 'given'}: {self._positions} positions."
        view = self._replica.view()
        return f"Stock is that of {_moment(view.as_of)} (number {view.sequence} of the feed)."


# -- orders that were recorded --------------------------------------------------------------------------------


class RecordedOrders:
    """Each order by its first decision that kept its quote."""

    def __init__(
        self,
        tx: AsyncConnection,
        setup: Setup,
        replica: StockReplica,
        stock: _Stock | None,
        counted: past_orders_store.RecordedCounts,
    ) -> None:
        self._tx = tx
        self._setup = setup
        self._replica = replica
        self._stock = stock
        self.total = min(counted.first, setup.max_orders or counted.first)
        self.skipped = Counter({"PLANNED_AGAIN": counted.later, "QUOTE_BROKEN": counted.broken})
        if stock is not None:
            self.skipped.update(stock.skipped)

    @classmethod
    async def opened(
        cls, tx: AsyncConnection, setup: Setup, replica: StockReplica, stock: _Stock | None
    ) -> "RecordedOrders":
        """Counts them."""
        counted = await past_orders_store.count_recorded(tx, setup.from_at, setup.until_at)
        return cls(tx, setup, replica, stock, counted)

    async def pairs(self) -> AsyncIterator[tuple[PastOrder, StockSlice]]:
        """In the order in which they were decided. Those recorded since the count are left out."""
        after, left = 0, self.total
        while left and (
            page := await past_orders_store.recorded(
                self._tx, self._setup.from_at, self._setup.until_at, after, min(_PAGE, left)
            )
        ):
            after, left = page[-1][0], left - len(page)
            decisions = [decision for _, decision in page]
            if self._stock is None:
                for decision in decisions:
                    yield simulating.as_seen(
                        decision, self._replica.slice(ln.sku for ln in decision.request.lines)
                    )
                continue
            orders = [simulating.on_other_stock(decision) for decision in decisions]
            stocks = await self._stock.of([order.request for order in orders])
            for order, (stock, _) in zip(orders, stocks, strict=True):
                yield order, stock

    def notes(self) -> list[str]:
        """What they rest on."""
        if self._stock is None:
            return ["Each order is planned on the stock that its decision saw, and within the quote that it kept."]
        return [self._stock.note(), "Orders are planned without the units they held and the quotes they kept."]


# -- orders of a file -----------------------------------------------------------------------------------------


class FiledOrders:
    """The orders of a file, sorted by the database."""

    def __init__(self, tx: AsyncConnection, setup: Setup, terms: OrdersFile, stock: _Stock, now: datetime) -> None:
        self._tx = tx
        self._setup = setup
        self._terms = terms
        self._stock = stock
        self._now = now
        self.total = 0
        self.skipped = Counter(stock.skipped)
        self._assumed: set[str] = set()
        self._assumed_units = self._units = 0

    @classmethod
    async def opened(
        cls, tx: AsyncConnection, setup: Setup, terms: OrdersFile, stock: _Stock, now: datetime, tell: Tell
    ) -> "FiledOrders":
        """Reads the file and sorts its orders. Raises FileRefused."""
        made = cls(tx, setup, terms, stock, now)
        await made._read(tell)
        return made

    async def _read(self, tell: Tell) -> None:
        setup, terms = self._setup, self._terms
        async with plain(self._tx, terms.file_id, tell) as (raw, _):
            with text(raw, terms.encoding) as opened:
                found = rows(opened, terms.delimiter)
                reader = LineReader(terms, header(found), setup.from_at, setup.until_at)
                for part in parts(map(reader.read, found)):
                    lines = [one for one in part if not isinstance(one, str)]
                    self.skipped.update(one for one in part if isinstance(one, str))
                    if lines:
                        await past_orders_store.stage_lines(self._tx, lines)
                    await tell()
        orders, too_long = await past_orders_store.group_orders(self._tx, checks.MAX_LINES)
        self.skipped["ORDER_TOO_LONG"] += too_long
        self.total = min(orders, setup.max_orders or orders)

    async def pairs(self) -> AsyncIterator[tuple[PastOrder, StockSlice]]:
        """In the order of their dates, then of the file."""
        after, left = 0, self.total
        while left and (page := await past_orders_store.staged(self._tx, after, min(_PAGE, left))):
            after, left = page[-1].nth, left - len(page)
            orders = [PastOrder(order.order_id, self._request(order)) for order in page]
            stocks = await self._stock.of([order.request for order in orders])
            for order, (stock, given) in zip(orders, stocks, strict=True):
                yield order, self._with_assumed(order.request, stock, given)

    def _request(self, order: past_orders_store.StagedOrder) -> PlanRequest:
        lines = tuple(BasketLine(n, sku, units) for n, (sku, units) in enumerate(order.lines, start=1))
        return PlanRequest(
            channel_id=self._terms.channel_id,
            destination=order.destination,
            lines=lines,
            mode=self._terms.mode,
            now=order.placed_at or self._now,
        )

    def _with_assumed(self, request: PlanRequest, stock: StockSlice, given: frozenset[str]) -> StockSlice:
        self._units += sum(line.quantity for line in request.lines)
        if self._setup.assumed_items is None:
            return stock
        stock, unknown = simulating.with_assumed(stock, request, self._setup.assumed_items, given)
        self._assumed |= unknown
        self._assumed_units += sum(line.quantity for line in request.lines if line.sku in unknown)
        return stock

    def notes(self) -> list[str]:
        """What they rest on."""
        found = [self._stock.note()]
        if not self._terms.columns.placed_at:
            found.append(
                f"The file has no dates: every order is planned as if it were placed at {_moment(self._now)}."
            )
        if (assumed := self._setup.assumed_items) and self._assumed:
            found.append(
                f"ASSUMED: {len(self._assumed)} articles ({self._assumed_units} of {self._units} ordered units) "
                f"are unknown. Each is taken to weigh {assumed.weight_grams} g and, unless its stock is given, to "
                f"lie at {assumed.percent} % of the points that ship, {assumed.units} units at each in the mean, "
                f"drawn with seed {assumed.seed}; they have no brand: points limited to brands do not send them."
            )
        return found


def _moment(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%d %H:%M UTC")

"""One replay: look at the system, survey the file, create what it sells, send its orders, report.

The file is read twice: the survey finds what it sells and which order numbers come back. No state is kept between
runs: the keys of the orders are enough to go on after an interruption.
"""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from cli.client import AsyncApi, body_of
from cli.replay import report
from cli.replay.items import create_unknown, wait_seen
from cli.replay.options import Job, Wrong
from cli.replay.placing import Placer
from cli.replay.reading import (
    Columns,
    Group,
    OrderFile,
    Returning,
    SourceOrder,
    columns,
    grouped,
    opened,
    read,
)
from cli.replay.report import Accounts, Kind, Outcome, RejectedFile
from cli.replay.sending import Sender

# A command that a signal ended answers this and the signal's number: 130 for Ctrl-C.
_INTERRUPTED = 128


@dataclass
class Survey:
    """What the first reading found: order numbers that come back, and the articles sold with a title of each."""

    returning: set[str] = field(default_factory=set)
    titles: dict[str, str] = field(default_factory=dict)


class Run:
    """One replay from the survey to the report."""

    def __init__(self, job: Job, console: Console, errors: Console) -> None:
        self._job = job
        self._console = console
        self._errors = errors
        self._accounts = Accounts()
        self._stop = asyncio.Event()
        self._signal = 0
        self._created = 0

    async def run(self, api: AsyncApi) -> int:
        """The exit code. Raises Wrong, BadFile, Problem, NoAnswer and TookTooLong, all before an order is sent."""
        async with api:
            sender = Sender(api, self._job.patience_seconds)
            with self._opened():
                began = await self._check_system(sender)
            survey = self._survey()
            await self._create_items(sender, survey)
            placer = Placer(sender, self._job.sale, began)
            with self._stoppable(sender):
                seconds = await self._send(placer, survey.returning)
        return self._report(began, seconds)

    # -- before -------------------------------------------------------------------------------------------

    async def _check_system(self, sender: Sender) -> datetime:
        """Channel, currency and points are what the options say; answers the gateway's time."""
        answered = await sender.send(sender.deadline(), "GET", "/v1/channels", "supply_chain")
        sale, stocking = self._job.sale, self._job.stocking
        found = {one["channel_id"]: one for one in body_of(answered.answer)["items"]}
        if sale.channel_id not in found:
            raise Wrong(f"there is no channel {sale.channel_id}; there are {', '.join(sorted(found))}")
        channel = found[sale.channel_id]
        if channel["currency"] != sale.currency:
            raise Wrong(
                f"the orders of {sale.channel_id} are in {channel['currency']}, the prices of the file in "
                f"{sale.currency}: prices are not converted, choose a channel in {sale.currency}"
            )
        for point_id in stocking.point_ids if stocking else ():
            some = (one["point_id"] for one in channel["activations"] if "ship" in one["purposes"])
            sold_from = [*channel["activated_points"], *some]
            if point_id not in sold_from:
                raise Wrong(f"--at {point_id}: {sale.channel_id} does not sell the stock of such a point")
        return parsedate_to_datetime(answered.answer.headers["Date"])

    def _survey(self) -> Survey:
        found, returning = Survey(), Returning()
        with self._opened() as (file, where), self._progress("reading") as progress:
            task = progress.add_task("", total=self._job.path.stat().st_size, told="")
            limit = _Limit(self._job.limit)
            for group in grouped(file.rows(), where):
                returning.meet(group)
                order = read(group, where, self._job.terms, frozenset())
                if not self._is_outside(order) and limit.takes(group) and not order.faults:
                    for line in order.articles:
                        found.titles[line.sku] = found.titles.get(line.sku) or line.title
                progress.update(task, completed=file.bytes_read)
        found.returning = returning.numbers
        return found

    async def _create_items(self, sender: Sender, survey: Survey) -> None:
        stocking, sale = self._job.stocking, self._job.sale
        if stocking is None:
            return
        with self._errors.status("creating items") if self._errors.is_terminal else ExitStack():
            created = await create_unknown(sender, survey.titles, stocking, self._job.concurrency)
            self._created = created.items
            if created.last_sku:
                where = next(iter(sale.destinations.values()))
                await wait_seen(sender, sale.channel_id, where, created.last_sku)

    # -- the orders ---------------------------------------------------------------------------------------

    async def _send(self, placer: Placer, returning: set[str]) -> float:
        """Sends every order that is fit for it; the seconds that took."""
        begun = time.monotonic()
        with (
            self._opened() as (file, where),
            RejectedFile(self._job.rejected, where.header, self._job.encoding) as rejects,
            self._progress("placing") as progress,
        ):
            task = progress.add_task("", total=self._job.limit or self._job.path.stat().st_size, told="")
            pace = _Pace(self._job.rate)
            orders = self._fit_orders(file, where, returning, rejects)

            async def work() -> None:
                while await pace.turn(self._stop) and (order := next(orders, None)):
                    outcome = await placer.place(order)
                    self._accounts.add(order, outcome)
                    rejects.add(order, outcome)
                    done = self._accounts.orders_read if self._job.limit else file.bytes_read
                    progress.update(task, completed=done, told=self._told(time.monotonic() - begun))

            async with asyncio.TaskGroup() as group:
                for _ in range(self._job.concurrency):
                    group.create_task(work())
        return time.monotonic() - begun

    def _fit_orders(
        self, file: OrderFile, where: Columns, returning: set[str], rejects: RejectedFile
    ) -> Iterator[SourceOrder]:
        """Orders that can be sent; the others are accounted for on the way. Whoever takes one must send it."""
        limit = _Limit(self._job.limit)
        for group in grouped(file.rows(), where):
            order = read(group, where, self._job.terms, returning)
            outside = self._is_outside(order)
            if not outside and not limit.takes(group):
                return
            self._accounts.rows_read += len(group.rows)
            if order.faults or outside:
                outcome = Outcome(Kind.OUTSIDE if outside else Kind.REJECTED)
                self._accounts.add(order, outcome, is_rest=group.is_rest)
                rejects.add(order, outcome)
            else:
                yield order

    def _is_outside(self, order: SourceOrder) -> bool:
        since, until, taken_at = self._job.since, self._job.until, order.taken_at
        if order.faults or taken_at is None:
            return False
        return bool((since and taken_at < since) or (until and taken_at >= until))

    @contextmanager
    def _opened(self) -> Iterator[tuple[OrderFile, Columns]]:
        with opened(self._job.path, self._job.encoding, self._job.delimiter) as file:
            where = columns(file.header(), self._job.mapped)
            if (self._job.since or self._job.until) and "date" not in where.places:
                raise Wrong("--since and --until need a column for date")
            if self._job.terms.countries is not None and "country" not in where.places:
                raise Wrong("--ship-to for a country needs a column for country")
            yield file, where

    @contextmanager
    def _stoppable(self, sender: Sender) -> Iterator[None]:
        """The first Ctrl-C lets what is in flight end; the second one ends everything."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)

        def stop(number: int) -> None:
            self._signal = number
            self._stop.set()
            sender.stop()
            self._errors.print("Stopping when the orders in flight have their outcome...")
            for each in numbers:
                loop.remove_signal_handler(each)

        for number in numbers:
            loop.add_signal_handler(number, stop, number)
        yield
        for number in numbers:
            loop.remove_signal_handler(number)

    # -- telling ------------------------------------------------------------------------------------------

    def _progress(self, what: str) -> Progress:
        return Progress(
            TextColumn(what),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[told]}"),
            TimeElapsedColumn(),
            console=self._errors,
            disable=not self._errors.is_terminal,
            transient=True,
        )

    def _told(self, seconds: float) -> str:
        orders = self._accounts.orders
        known = (Kind.PLACED, Kind.ALREADY_PLACED, Kind.REFUSED, Kind.REJECTED, Kind.UNKNOWN)
        counts = ", ".join(f"{orders[kind]} {kind}" for kind in known if orders[kind])
        return f"{report.rate(self._accounts, seconds):.1f}/s  {counts}"

    def _report(self, began: datetime, seconds: float) -> int:
        accounts, sale = self._accounts, self._job.sale
        if self._job.report:
            facts = {
                "file": self._job.path.name,
                "source": sale.source,
                "channel_id": sale.channel_id,
                "currency": sale.currency,
                "began_at": began.isoformat(),
                "interrupted": bool(self._signal),
                "items_created": self._created,
            }
            report.write_json(self._job.report, report.as_json(accounts, seconds, facts))
        if self._created:
            self._console.print(f"{self._created:,} items created\n")
        report.show(self._console, accounts, seconds)
        self._console.print(f"rows that were not placed: {self._job.rejected}", soft_wrap=True, markup=False)
        if accounts.rows_without_account:
            self._console.print(f"[red]{accounts.rows_without_account} rows are without account: a defect.[/]")
        if self._signal:
            self._console.print("[yellow]Stopped before the end; the same command goes on.[/]")
            return _INTERRUPTED + self._signal
        if accounts.orders[Kind.UNKNOWN]:
            self._console.print("[yellow]Some outcomes are unknown; the same command asks again.[/]")
        return 1 if accounts.orders[Kind.UNKNOWN] or accounts.rows_without_account else 0


class _Pace:
    """At most so many turns a second, evenly."""

    def __init__(self, rate: float) -> None:
        self._gap_seconds = 1 / rate if rate else 0.0
        self._next = time.monotonic()

    async def turn(self, stop: asyncio.Event) -> bool:
        """Returns when it is the caller's turn; False once all are told to stop."""
        wait = self._next - time.monotonic()
        self._next = max(self._next, time.monotonic()) + self._gap_seconds
        if wait > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await stop.wait()
        return not stop.is_set()


class _Limit:
    """Lets the first orders through; 0 lets all."""

    def __init__(self, orders: int) -> None:
        self._left = orders or None

    def takes(self, group: Group) -> bool:
        """Whether the group still belongs to the orders wanted; the rest of one does not count again."""
        if self._left is None:
            return True
        self._left -= not group.is_rest
        return self._left >= 0

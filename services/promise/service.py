"""What promise does, one method a question. Planning runs off the event loop.

Only this, `capacities`, `rulesets` and `simulations` commit.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db
from kit.errors import Conflict, InvalidArgument, Unavailable
from kit.requests import digest
from kit.values.ids import new_id
from services.promise import checks, store
from services.promise.capacities import Capacities, Kept
from services.promise.domain import boxing, engine, listing, personalising, quoting, ranking, recording
from services.promise.domain.calendars import Calendars, HandOver
from services.promise.domain.capacity import ALL_DAY
from services.promise.domain.listing import Listed
from services.promise.domain.network import (
    Appointment,
    Box,
    Carrier,
    Destination,
    ExcludedPoint,
    IsHoliday,
    Limits,
    PlanRequest,
    PostcodeArea,
    StockView,
    Zone,
)
from services.promise.domain.plans import Decision, DeliveryOption, Outcome, Quote
from services.promise.domain.rulesets import Ruleset
from services.promise.domain.takings import LegPlace, Taking
from services.promise.replica import ReplicaStatus, StockReplica
from services.promise.store import Recorded
from services.promise.terms import Terms

QUOTE_LIFE = timedelta(minutes=30)
MAX_CLOSINGS = 100
# Expired quotes are kept a while: a broken promise may be asked about.
QUOTE_MEMORY = timedelta(days=1)
# How often an order is planned when others take the room of its plan meanwhile.
ROUNDS = 6


class PromiseService:
    """Quotes, plans and their records; carriers, boxes and geography. Rulesets: `rulesets.py`."""

    def __init__(
        self,
        database: AsyncEngine,
        replica: StockReplica,
        is_holiday: IsHoliday,
        make_id: Callable[[str], str] = new_id,
    ) -> None:
        self._database = database
        self._single = db.single(database)
        self._at_one_moment = database.execution_options(isolation_level="REPEATABLE READ")
        self._replica = replica
        self._is_holiday = is_holiday
        self._make_id = make_id
        self._reading = asyncio.Lock()
        self._terms: Terms | None = None
        self._calendars = Calendars()
        self._capacities = Capacities(database, replica)
        self._crowd = asyncio.Lock()

    # -- terms ------------------------------------------------------------------------------------------------

    async def put_carriers(self, carriers: Sequence[Carrier]) -> int:
        """Creates or replaces carriers; how many really changed."""
        checks.carriers(carriers)
        async with self._database.begin() as tx:
            await store.raise_terms_version(tx)
            changed = await store.put_carriers(tx, carriers)
        await self.refresh_terms()
        return changed

    async def list_carriers(self) -> list[Carrier]:
        """In id order."""
        async with self._single.connect() as tx:
            return await store.list_carriers(tx)

    async def put_boxes(self, boxes: Sequence[Box]) -> int:
        """Replaces the catalogue of boxes; how many really changed."""
        checks.boxes(boxes)
        async with self._database.begin() as tx:
            await store.raise_terms_version(tx)
            changed = await store.put_boxes(tx, boxes)
        await self.refresh_terms()
        return changed

    async def list_boxes(self) -> list[Box]:
        """In id order."""
        async with self._single.connect() as tx:
            return await store.list_boxes(tx)

    async def choose_box(self, point_id: str, units: Sequence[tuple[str, int]]) -> tuple[list[Box], Box | None]:
        """A point's boxes, the smallest first, and the first that holds these units."""
        boxes = boxing.of_point(await self.list_boxes(), point_id)
        wanted: Counter[str] = Counter()
        for sku, quantity in units:
            wanted[sku] += quantity
        return boxes, boxing.smallest(boxes, self._replica.slice(wanted).items, wanted)

    async def put_geography(self, zones: Sequence[Zone], areas: Sequence[PostcodeArea]) -> int:
        """Creates or replaces zones and postcode areas; how many rows really changed."""
        checks.geography(zones, areas)
        async with self._database.begin() as tx:
            await store.raise_terms_version(tx)
            changed = await store.put_zones(tx, zones) + await store.put_areas(tx, areas)
        await self.refresh_terms()
        return changed

    async def refresh_terms(self) -> Terms:
        """The terms as they are: read again if they changed, so that every process judges by the same ones."""
        async with self._single.connect() as tx:
            version = await store.terms_version(tx)
        # Questions that come together read them once.
        async with self._reading:
            if self._terms is None or version > self._terms.version:
                async with self._at_one_moment.begin() as tx:
                    self._terms = await store.load_terms(tx)
            return self._terms

    # -- quotes -----------------------------------------------------------------------------------------------

    async def quote(self, request: PlanRequest, appointments: Sequence[Appointment] = ()) -> Quote:
        """What can be promised, for every mode (that of `request` does not matter)."""
        return await self._quote(request, appointments)

    async def quote_elsewhere(self, request: PlanRequest) -> Quote:
        """The same near the store of the destination, which cannot do it: others to collect at, or a delivery."""
        here = request.destination
        store = self._replica.slice(()).points.get(here.point_id)
        if store is None:
            raise InvalidArgument("destination.point_id", f"there is no point {here.point_id}", "UNKNOWN_POINT")
        place = (here.country, here.postcode) if here.postcode else (store.country, store.postcode)
        excluded = (*request.exclusions, ExcludedPoint(store.point_id, "elsewhere"))
        return await self._quote(replace(request, destination=Destination(*place), exclusions=excluded), ())

    async def _quote(self, request: PlanRequest, appointments: Sequence[Appointment]) -> Quote:
        self._check(request)
        checks.appointments(appointments)
        terms = await self.refresh_terms()
        ruleset = terms.judge(request.now)
        snapshot = await self._snapshot(request, terms)
        options, not_offered = await asyncio.to_thread(quoting.all_modes, snapshot, request, ruleset, appointments)
        quote = Quote(
            quote_id=self._make_id("quo"),
            expires_at=request.now + QUOTE_LIFE,
            options=options,
            not_offered=not_offered,
            stock=snapshot.stock.view,
        )
        async with self._single.connect() as tx:
            await store.add_quote(tx, quote)
        return quote

    async def quote_listing(self, request: PlanRequest) -> tuple[Sequence[Listed], StockView]:
        """What can be promised of one unit of each article, for every mode. Nothing is kept."""
        checks.listing(request)
        self._check(request)
        terms = await self.refresh_terms()
        snapshot = await self._snapshot(request, terms)
        items = await asyncio.to_thread(listing.page, snapshot, request, terms.judge(request.now))
        return items, snapshot.stock.view

    async def forget_quotes(self, now: datetime) -> int:
        """Removes quotes that expired long ago; how many."""
        async with self._single.connect() as tx:
            return await store.forget_quotes(tx, now - QUOTE_MEMORY)

    # -- decisions --------------------------------------------------------------------------------------------

    async def plan_order(
        self,
        request_id: str,
        order_id: str,
        request: PlanRequest,
        quote_id: str,
        content: bytes,
        replaced: Sequence[LegPlace] = (),
    ) -> Decision:
        """Ranked plans, kept as a decision. `content`: what a repeat of `request_id` must have too.

        With a quote, a plan that ends later or costs the customer more than quoted is none: the answer is
        `quote_broken` with what can be had now. What the best plan needs of capacity is taken with it. `replaced`:
        legs of a promised order that this plan stands for; what they took is given back first.
        """
        checks.required(request_id, "request_id")
        checks.required(order_id, "order_id")
        self._check(request)
        async with self._single.connect() as tx:
            earlier = await store.find_request(tx, request_id)
            quote = await store.find_quote(tx, quote_id) if quote_id and not earlier else None
        if earlier is not None:
            return _same(earlier, request_id, content)
        for round_ in range(ROUNDS):
            # Whoever lost the last room to somebody else waits for a turn, so as not to lose the next one too.
            async with self._crowd if round_ else nullcontext():
                given_back = await self._capacities.replaced(order_id, request, replaced)
                terms = await self.refresh_terms()
                snapshot = await self._snapshot(request, terms, given_back)
                decision = await self._decided(order_id, request, quote_id, quote, terms, snapshot)
                for one in _in_turn(decision) if round_ == ROUNDS - 1 else [decision]:
                    kept = await self._capacities.keep(
                        request_id, digest(content), one, given_back, terms.limits, snapshot.stock.points
                    )
                    if kept is Kept.KEPT:
                        return one
                    if kept is Kept.ANSWERED:
                        return await self._answered(request_id, content)
        raise Unavailable("CAPACITY_CONTENDED", "others took the room of every plan meanwhile; ask again")

    async def _decided(
        self,
        order_id: str,
        request: PlanRequest,
        quote_id: str,
        quote: Quote | None,
        terms: Terms,
        snapshot: engine.Snapshot,
    ) -> Decision:
        # A point that is excluded has refused, kept silent or was short: it is planned again.
        ruleset = terms.judge(request.now, again=bool(request.exclusions))
        decision = Decision(
            decision_id=self._make_id("dec"),
            order_id=order_id,
            request=request,
            quote_id=quote_id,
            ruleset_id=ruleset.ruleset_id,
            ruleset_version=ruleset.version,
            stock=snapshot.stock.view,
            outcome=_NOTHING,
        )
        return await asyncio.to_thread(_decide, decision, snapshot, ruleset, terms.version, quote)

    async def _answered(self, request_id: str, content: bytes) -> Decision:
        """What somebody else answered the same request meanwhile."""
        async with self._single.connect() as tx:
            earlier = await store.find_request(tx, request_id)
        if earlier is None:
            raise AssertionError(f"request {request_id} is kept and is not")
        return _same(earlier, request_id, content)

    # -- competition ------------------------------------------------------------------------------------------

    async def rank_points(
        self, order_id: str, request: PlanRequest, replaced: Sequence[LegPlace], answer_within: timedelta
    ) -> list[ranking.RankedPoint]:
        """The points that could do the work of one leg within the promise, best first. Keeps and takes nothing."""
        checks.required(order_id, "order_id")
        self._check(request)
        given_back = await self._capacities.replaced(order_id, request, replaced)
        terms = await self.refresh_terms()
        snapshot = await self._snapshot(request, terms, given_back)
        ruleset = terms.judge(request.now, again=bool(request.exclusions))
        return await asyncio.to_thread(ranking.rank, snapshot, request, ruleset, answer_within)

    async def closings(self, point_id: str, from_at: datetime, days: int) -> list[datetime]:
        """The end of each of a point's next opening days; fewer than asked for when no more are known."""
        if not 1 <= days <= MAX_CLOSINGS:
            raise InvalidArgument("days", f"1 to {MAX_CLOSINGS}")
        point = self._replica.slice(()).points.get(point_id)
        if point is None:
            raise InvalidArgument("point_id", f"there is no point {point_id}", "UNKNOWN_POINT")
        terms = await self.refresh_terms()
        calendar = self._calendars.under(terms.carriers).of_point(point, self._is_holiday)
        return list(islice(calendar.closings(from_at), days))

    async def move_room(
        self,
        order_id: str,
        place: LegPlace,
        to: tuple[str, str, str],
        hand_over_by: datetime,
        now: datetime,
    ) -> bool:
        """What a leg took goes to another point, carrier and service; False when it has nothing any more.

        Work begins in the next working time of that point, full or not.
        """
        point_id, carrier_id, service_id = to
        point = self._replica.slice(()).points.get(point_id)
        if point is None:
            raise InvalidArgument("to_point_id", f"there is no point {point_id}", "UNKNOWN_POINT")
        terms = await self.refresh_terms()
        calendar = self._calendars.under(terms.carriers).of_point(point, self._is_holiday)
        visit = next(
            calendar.hand_overs(carrier_id, hand_over_by),
            HandOver(calendar.local_day(hand_over_by), hand_over_by, ALL_DAY),
        )
        begin = calendar.begins_at(now, timedelta(minutes=point.handling_minutes), lambda day: False)

        def moved(one: Taking) -> Taking:
            return replace(
                one,
                place=LegPlace(point_id, one.place.lines),
                carrier_id=carrier_id,
                service_id=service_id,
                prepared_on=begin.day if begin else visit.day,
                collected_on=visit.day,
                cut_off_minute=visit.cut_off_minute,
            )

        return await self._capacities.move(order_id, place, moved)

    # -- shared -----------------------------------------------------------------------------------------------

    async def today(self, request: PlanRequest) -> tuple[Terms, engine.Snapshot]:
        """Terms and network as they are now, as far as a question needs them. UNAVAILABLE / STOCK_UNKNOWN."""
        terms = await self.refresh_terms()
        return terms, await self._snapshot(request, terms)

    def replica_status(self, now: datetime) -> ReplicaStatus:
        """How fresh the stock replica is."""
        return self._replica.status(now)

    @property
    def is_ready(self) -> bool:
        """Stock is known; terms are read by the first question."""
        return self._replica.is_ready

    def _check(self, request: PlanRequest) -> None:
        checks.question(request)
        if not self._replica.knows_channel(request.channel_id):
            raise InvalidArgument("channel_id", f"there is no channel {request.channel_id}", "UNKNOWN_CHANNEL")

    async def _snapshot(
        self, request: PlanRequest, terms: Terms, given_back: Sequence[Taking] = ()
    ) -> engine.Snapshot:
        stock = self._replica.slice(line.sku for line in request.lines)
        capacity = await self._capacities.seen(stock, request, terms.limits, given_back)
        return engine.Snapshot(
            stock, terms.carriers, terms.geography, self._is_holiday, self._calendars, capacity, terms.boxes
        )


_NOTHING = Outcome((), (), (), (), proved_optimal=True)


def _same(earlier: Recorded, request_id: str, content: bytes) -> Decision:
    """The first answer, if the question is the first one."""
    if earlier.digest != digest(content):
        raise Conflict(
            "IDEMPOTENCY_CONFLICT",
            "request_id was used before with other content",
            field="request_id",
            request_id=request_id,
        )
    return earlier.decision


def _in_turn(decision: Decision) -> Iterator[Decision]:
    """The decision, then without its best plan, and so on: plans whose room has gone are none."""
    yield decision
    outcome = decision.outcome
    for first in range(1, len(outcome.plans)):
        yield replace(decision, outcome=replace(outcome, plans=outcome.plans[first:], proved_optimal=False))


def _decide(
    decision: Decision, snapshot: engine.Snapshot, ruleset: Ruleset, terms_version: int, quote: Quote | None
) -> Decision:
    """The plans of a decision, within its quote if it has one, and what they rest on."""
    option = quote.option(decision.request.mode, *quoting.choice(decision.request)) if quote is not None else None
    problem = _quote_problem(decision, quote, option) if decision.quote_id else ""
    decided = _planned(decision, snapshot, ruleset, option if not problem else None)
    record = recording.record(
        snapshot,
        decided.request,
        ruleset,
        decided.outcome,
        terms_version=terms_version,
        quoted=option,
        quote_problem=problem or ("NOT_KEPT" if decided.quote_broken else ""),
    )
    return replace(decided, record=record)


def _quote_problem(decision: Decision, quote: Quote | None, option: DeliveryOption | None) -> str:
    """Why a quote promises nothing, if it does not."""
    if quote is None:
        return "UNKNOWN_QUOTE"
    if decision.request.now >= quote.expires_at:
        return "EXPIRED"
    if option is None:
        return "MODE_NOT_QUOTED"
    return "MUST_WAIT" if option.plan.waits_until and not decision.request.may_wait else ""


def _planned(
    decision: Decision, snapshot: engine.Snapshot, ruleset: Ruleset, option: DeliveryOption | None
) -> Decision:
    request = decision.request
    if not decision.quote_id or personalising.incomplete(snapshot.stock.items, request):
        return replace(decision, outcome=engine.plan(snapshot, request, ruleset))
    if option is not None:
        limits = Limits(option.plan.window.end, option.plan.price)
        outcome = engine.plan(snapshot, replace(request, limits=limits), ruleset)
        if outcome.is_complete:
            return replace(decision, request=replace(request, limits=limits), outcome=outcome)
    else:
        # No plan counts without its promise; what was seen is kept all the same.
        outcome = engine.plan(snapshot, request, ruleset)
    options, _ = quoting.all_modes(snapshot, request, ruleset, _appointments(request))
    return replace(
        decision, outcome=replace(outcome, plans=(), unplanned=()), quote_broken=True, new_options=options
    )


def _appointments(request: PlanRequest) -> tuple[Appointment, ...]:
    return (request.appointment,) if request.appointment is not None else ()

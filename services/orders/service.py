"""What orders does, one method per RPC: open a transaction, check the request id, load, decide, save.

Only this module commits. Every change locks its order first; the rules are in domain/, the SQL in store.py.
Nothing here calls another service.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import db, outbox, telemetry
from kit.errors import Conflict, InvalidArgument, NotFound
from kit.feed import Bell
from kit.values.ids import derived_id
from services.orders import documents as doc
from services.orders import judging, reading, store
from services.orders.changing import Answer, Asked, events_of
from services.orders.domain import (
    appointments,
    capture,
    collecting,
    consolidating,
    fraud,
    fulfilment,
    order,
    parcels,
    paying,
    personalising,
    picking,
    pricing,
    settings,
    substituting,
    trials,
    watch,
)
from services.orders.domain.capture import Outcome
from services.orders.domain.content import first_difference, forget_means, normal
from services.orders.domain.fraud_policy import FraudCheck
from services.orders.domain.missing_units import Missing
from services.orders.domain.model import (
    Address,
    Buyer,
    Content,
    Decision,
    Fulfilment,
    Leg,
    LifeCycle,
    Order,
    PersonalText,
    Refusal,
    SalesChannel,
    Slot,
    Units,
    Window,
)
from services.orders.domain.offers import as_offered
from services.orders.domain.states import UNDONE, WORK, FulfilmentState, OfferState, OrderState
from services.orders.domain.substituting import Substitute
from services.orders.identities import Identities
from services.orders.offering import Offering
from services.orders.reading import OrderFilter, Position, TimelineEntry
from services.orders.store import View

MAX_KEY_LENGTH = 255
_STANDING = (OfferState.OPEN, OfferState.CLAIMED)


@dataclass(frozen=True, slots=True)
class Planned:
    """What became of a plan: the state, and the fulfilments that it made; or why the order cannot stand.

    `receipt_number`: of what was taken along.
    """

    state: OrderState
    fulfilments: tuple[Fulfilment, ...]
    cooling_off_until: datetime | None = None
    no_longer_due_minor: int = 0
    captured_minor: int = 0
    currency: str = ""
    refusal: Refusal | None = None
    receipt_number: str = ""


@dataclass(frozen=True, slots=True)
class Work:
    """A fulfilment with where it goes."""

    fulfilment: Fulfilment
    ship_to: Address | None
    channel_id: str
    brands: tuple[str, ...]
    channel_order_number: str
    texts: tuple[PersonalText, ...] = ()
    # Of what its customer collects.
    customer_name: str = field(default="", repr=False)
    # Where it goes to instead of the customer.
    hub_point_id: str = ""
    gift_message: str = field(default="", repr=False)
    # Numbers of the lines instead of which other articles may be given.
    substitutable: frozenset[int] = frozenset()


_PLANNED = TypeAdapter(Planned)


class OrdersService(Offering):
    """The order aggregate: records it, moves it, and decides every race about it."""

    def __init__(self, engine: AsyncEngine, bell: Bell, identities: Identities) -> None:
        super().__init__(engine, bell)
        self._identities = identities

    # -- settings -----------------------------------------------------------------------------------------

    async def put_sales_channels(self, channels: Sequence[SalesChannel]) -> int:
        """How many channels changed. Each must name a life cycle that was published."""
        settings.check_channels(channels)
        async with self._engine.begin() as tx:
            named = [
                (f"channels[{i}].{path}life_cycle_id", life_cycle_id)
                for i, one in enumerate(channels)
                for path, life_cycle_id in (
                    ("", one.life_cycle_id),
                    *((f"trades[{j}].", trade.life_cycle_id) for j, trade in enumerate(one.trades)),
                )
            ]
            known = await reading.known_life_cycles(tx, [life_cycle_id for _, life_cycle_id in named])
            for path, life_cycle_id in named:
                if life_cycle_id not in known:
                    raise InvalidArgument(path, "no such life cycle", reason="UNKNOWN_LIFE_CYCLE")
            return await reading.put_channels(tx, channels)

    async def publish_life_cycle(self, wanted: LifeCycle) -> LifeCycle:
        """The next version, or the latest one if nothing differs from it."""
        settings.check_life_cycle(wanted)
        async with self._engine.begin() as tx:
            latest = await reading.latest_life_cycle(tx, wanted.life_cycle_id)
            if latest and replace(wanted, version=latest.version) == latest:
                return latest
            new = replace(wanted, version=latest.version + 1 if latest else 1)
            await reading.add_life_cycle(tx, new)
            return new

    async def list_life_cycles(self) -> list[LifeCycle]:
        """The latest version of each, in the order of their ids."""
        async with db.single(self._engine).connect() as tx:
            return await reading.list_life_cycles(tx)

    async def get_life_cycle(self, life_cycle_id: str, version: int) -> LifeCycle:
        """A version, or with 0 the latest. NotFound / LIFE_CYCLE_NOT_FOUND."""
        async with db.single(self._engine).connect() as tx:
            found = await reading.find_life_cycle(tx, life_cycle_id, version)
        if found is None:
            raise NotFound("LIFE_CYCLE_NOT_FOUND", "there is no such life cycle, or no such version of it")
        return found

    # -- the order ----------------------------------------------------------------------------------------

    async def record_order(
        self, idempotency_key: str, content: Content, buyer: Buyer, placed_at: datetime, now: datetime
    ) -> tuple[View, bool]:
        """The order of this key, and whether it existed. Conflict / IDEMPOTENCY_CONFLICT for other content."""
        if not 1 <= len(idempotency_key) <= MAX_KEY_LENGTH:
            raise InvalidArgument("idempotency_key", f"a key of 1 to {MAX_KEY_LENGTH} characters is required")
        async with self._engine.begin() as tx:
            met = await store.find_counter(tx, content.channel_id, content.trade, idempotency_key)
            if met is None:
                raise InvalidArgument("channel_id", "there is no such channel", reason="UNKNOWN_CHANNEL")
            if met.order_id:
                return await self._recorded_before(tx, met, content, buyer), True
            pricing.check(content, buyer, met.channel)
            trials.check_content(content, buyer, met.life_cycle)
            order_id = derived_id("ord", content.channel_id, idempotency_key)
            decision = order.record(order_id, normal(content), met.life_cycle, placed_at, now)
            digests = self._identities.of(content, buyer)
            if not await store.record(tx, idempotency_key, decision, buyer, digests):
                twin = await store.find_counter(tx, content.channel_id, content.trade, idempotency_key)
                assert twin is not None, "the channel was there"
                return await self._recorded_before(tx, twin, content, buyer), True
            await outbox.write(tx, events_of(decision))
        self._bell.ring()
        return store.view(decision.order, buyer), False

    async def _recorded_before(
        self, tx: AsyncConnection, met: store.Counter, content: Content, buyer: Buyer
    ) -> View:
        assert met.order_id is not None, "an order has the key"
        first = await store.read(tx, met.order_id)
        if met.content_digest == store.content_digest(content, buyer):
            return first
        recorded, forgotten = first.order.content, forget_means(content)
        sent = forgotten if recorded == forget_means(recorded) else content
        # What was forgotten is told apart by the digest alone.
        unseen = "idempotency_key" if sent is content else "payment"
        field = first_difference((first.buyer, recorded), (buyer, sent)) or unseen
        raise Conflict(
            "IDEMPOTENCY_CONFLICT",
            f"the key was used before with another {field}",
            field=field,
            order_id=met.order_id,
        )

    async def accept_order(
        self,
        asked: Asked,
        order_id: str,
        legs: Sequence[Leg],
        promise: Window | None,
        decision_id: str,
        payment: str,
        as_of: datetime,
        booking_id: str = "",
        slot: Slot | None = None,
        taken: str = "",
        authorised_until: datetime | None = None,
        onward: Leg | None = None,
    ) -> Planned:
        """recorded | action_required -> validated; CANCELLING without fulfilments if the customer was faster.

        With a refusal the order stays as it is until what was begun for it is undone.
        """

        planned = consolidating.with_onward(legs, onward)

        async def decide(tx: AsyncConnection, one: Order) -> Decision:
            appointment = appointments.kept(one.content, booking_id, slot)
            check = await self._check_for_fraud(tx, one, as_of)
            return order.accept(
                one, planned, promise, decision_id, payment, as_of, appointment, check, taken, authorised_until
            )

        return _to_planned(await self.on_order_after_a_look(asked, order_id, decide, _accepted))

    async def _check_for_fraud(self, tx: AsyncConnection, one: Order, as_of: datetime) -> FraudCheck | None:
        """By the rules of its life cycle, of which most have none."""
        if one.life_cycle.fraud is None:
            return None
        buyer = (await store.read(tx, one.order_id)).buyer
        return await judging.judge(tx, self._identities, one, buyer, as_of)

    async def refuse_order(self, asked: Asked, order_id: str, refusal: Refusal, as_of: datetime) -> OrderState:
        """recorded | action_required -> refused."""
        return await self.state_after(asked, order_id, lambda one: order.refuse(one, refusal, as_of))

    async def require_payment_action(
        self, asked: Asked, order_id: str, next_action_url: str, as_of: datetime
    ) -> OrderState:
        """recorded -> action_required."""
        return await self.state_after(
            asked, order_id, lambda one: order.require_payment_action(one, next_action_url, as_of)
        )

    async def release_order(self, asked: Asked, order_id: str, as_of: datetime) -> OrderState:
        """validated -> released, or what a cancellation made of it."""
        return await self.state_after(asked, order_id, lambda one: order.release(one, as_of))

    async def payment_due(self, order_id: str, as_of: datetime) -> paying.Due:
        """From when on an order is to be paid whose means was kept."""
        async with db.single(self._engine).connect() as tx:
            return paying.due((await store.read(tx, order_id)).order, as_of)

    async def record_authorisation(self, asked: Asked, order_id: str, outcome: paying.Outcome) -> OrderState:
        """What became of that; FailedPrecondition / NOT_ACCEPTED."""
        return await self.state_after(asked, order_id, lambda one: paying.record(one, outcome))

    async def reroute_units(
        self,
        asked: Asked,
        order_id: str,
        legs: Sequence[Leg],
        cancelled: Sequence[Units],
        reason: str,
        decision_id: str,
        as_of: datetime,
        replaces: str = "",
        given_up: str = "",
        onward: Leg | None = None,
    ) -> Planned:
        """New places for units that lost theirs, and the money of those that found none."""
        answer = await self.on_order(
            asked,
            order_id,
            lambda one: order.reroute(
                one, legs, cancelled, reason, decision_id, as_of, replaces, given_up, onward
            ),
            _planned,
        )
        return _to_planned(answer)

    async def request_cancellation(
        self, asked: Asked, order_id: str, reason: str, actor: str, as_of: datetime, roles: Sequence[str] = ()
    ) -> OrderState:
        """-> cancelling, with every open fulfilment; FailedPrecondition / TOO_LATE_TO_CANCEL."""
        return await self.state_after(
            asked, order_id, lambda one: order.request_cancellation(one, reason, actor, as_of, roles)
        )

    async def complete_cancellation(self, asked: Asked, order_id: str, as_of: datetime) -> OrderState:
        """cancelling -> cancelled."""
        return await self.state_after(asked, order_id, lambda one: order.complete_cancellation(one, as_of))

    async def close_order(self, asked: Asked, order_id: str, as_of: datetime) -> OrderState:
        """released -> closed or cancelled; FailedPrecondition / NOT_FINISHED."""
        return await self.state_after(asked, order_id, lambda one: order.close(one, as_of))

    async def watch_promises(self, as_of: datetime, limit: int) -> int:
        """How many orders were looked at because nothing happened in time; one transaction each."""
        async with db.single(self._engine).connect() as tx:
            order_ids = await reading.list_watched(tx, as_of, limit)
        for order_id in order_ids:
            with telemetry.about_order(order_id):
                await self._watch_promise(order_id, as_of)
        return len(order_ids)

    async def _watch_promise(self, order_id: str, as_of: datetime) -> None:
        async with self._engine.begin() as tx:
            before = await store.lock_order(tx, order_id)
            # Somebody else may have looked, or something has happened, since it was listed.
            if before.watch_at is None or before.watch_at >= as_of:
                return
            decision = watch.judge(parcels.overdue(before, as_of), as_of)
            await store.save(tx, before, decision)
            await outbox.write(tx, events_of(decision))
        if decision.happenings:
            self._bell.ring()

    # -- reading ------------------------------------------------------------------------------------------

    async def get_order(self, order_id: str) -> View:
        """The whole order."""
        async with self._engine.begin() as tx:
            return await store.read(tx, order_id)

    async def list_orders(self, wanted: OrderFilter, size: int, after: Position | None) -> list[View]:
        """A page of orders, newest first."""
        async with self._engine.begin() as tx:
            return await reading.list_orders(tx, wanted, size, after)

    async def list_reviews(self, wanted: OrderFilter, size: int, after: Position | None) -> list[View]:
        """A page of orders that wait for a fraud review, the earliest deadline first."""
        async with self._engine.begin() as tx:
            return await reading.list_reviews(tx, wanted, size, after)

    async def get_timeline(self, order_id: str) -> list[TimelineEntry]:
        """Everything that happened to an order, the oldest first."""
        async with self._engine.begin() as tx:
            entries = await reading.list_timeline(tx, order_id)
        if entries is None:
            raise store.no_order(order_id)
        return entries

    async def list_unstarted(self, recorded_before: datetime, limit: int) -> list[View]:
        """Recorded orders that nobody acted on."""
        async with self._engine.begin() as tx:
            return await reading.list_unstarted(tx, recorded_before, limit)

    async def list_work(
        self,
        point_ids: Sequence[str],
        states: Sequence[FulfilmentState],
        size: int,
        after: Position | None,
    ) -> list[Fulfilment]:
        """A page of work; without states, what a point still has to do."""
        async with self._engine.begin() as tx:
            return await reading.list_work(tx, point_ids, states or sorted(WORK), size, after)

    async def work_marks(self, point_ids: Sequence[str]) -> dict[str, str]:
        """By point a text that changes with its open work."""
        async with db.single(self._engine).connect() as tx:
            return await reading.work_marks(tx, point_ids)

    async def list_obligations(self, order_ids: Sequence[str], after: str, limit: int) -> list[reading.Obligation]:
        """What the other services must agree with: of these orders, or of those that have not ended."""
        async with db.single(self._engine).connect() as tx:
            return await reading.list_obligations(tx, order_ids, after, limit)

    async def get_fulfilment(self, fulfilment_id: str, point_ids: Sequence[str] = ()) -> Work:
        """One fulfilment with its address; without it, and as its offer, for points that it is only offered to."""
        async with self._engine.begin() as tx:
            view = await store.read_of_fulfilment(tx, fulfilment_id)
        work = view.order.fulfilment(fulfilment_id)
        brands = tuple(sorted(fulfilment.brands(view.order, work)))
        content = view.order.content
        of_order = content.channel_id, brands, content.channel_order_number
        if point_ids and work.point_id not in point_ids:
            mine = [one for one in work.offers if one.point_id in point_ids and one.state in _STANDING]
            if mine:
                return Work(as_offered(work, mine[0]), None, *of_order)
        numbers = {line.line_number for line in work.lines if line.personalisations}
        texts = tuple(one for one in view.buyer.personalisations if one.line_number in numbers)
        if work.joins:
            # What goes to a hub has no business with the customer's address.
            hub_point_id = view.order.fulfilment(work.joins).point_id
            return Work(work, None, *of_order, texts, hub_point_id=hub_point_id)
        name = view.buyer.customer.name if work.is_collected else ""
        return Work(
            work,
            view.buyer.ship_to,
            *of_order,
            texts,
            name,
            gift_message=view.buyer.gift_message,
            substitutable=substituting.substitutable(view.order, work),
        )

    # -- fulfilments --------------------------------------------------------------------------------------

    async def offer_fulfilment(self, asked: Asked, fulfilment_id: str, as_of: datetime) -> Fulfilment:
        """planned -> offered, or cancelled when a cancellation came first."""
        return await self.on_work(asked, fulfilment_id, lambda one, work: fulfilment.offer(one, work, as_of))

    async def lapse_offer(self, asked: Asked, fulfilment_id: str, as_of: datetime) -> Fulfilment:
        """offered -> lapsed if its deadline has passed; else as it is."""
        return await self.on_work(asked, fulfilment_id, lambda one, work: fulfilment.lapse_offer(one, work, as_of))

    async def record_pick(
        self,
        asked: Asked,
        fulfilment_id: str,
        found: Sequence[Units],
        actor: str,
        as_of: datetime,
        reasons: Sequence[Missing] = (),
        given: Sequence[Substitute] = (),
    ) -> Fulfilment:
        """accepted -> picked or short. CANCELLED, PICKED_BY_ANOTHER, and the reasons of substituting."""

        def decide(one: Order, work: Fulfilment) -> Decision:
            picking.check_may_pick(work, actor)
            return fulfilment.record_pick(one, work, found, actor, as_of, reasons, given)

        return await self.on_work(asked, fulfilment_id, decide)

    async def begin_personalisation(
        self, asked: Asked, fulfilment_id: str, actor: str, as_of: datetime
    ) -> Fulfilment:
        """Of picked work; FailedPrecondition / NOT_PICKED, ON_HOLD, NOT_CAPTURED, CANCELLED."""
        return await self.on_work(
            asked, fulfilment_id, lambda one, work: personalising.begin(one, work, actor, as_of)
        )

    async def complete_personalisation(
        self, asked: Asked, fulfilment_id: str, actor: str, as_of: datetime
    ) -> Fulfilment:
        """Of what was begun; FailedPrecondition / NOT_BEGUN, CANCELLED."""
        return await self.on_work(
            asked, fulfilment_id, lambda one, work: personalising.complete(one, work, actor, as_of)
        )

    async def report_spoiled(
        self, asked: Asked, fulfilment_id: str, spoiled: Sequence[Units], actor: str, as_of: datetime
    ) -> Fulfilment:
        """Units of begun work that were damaged; FailedPrecondition / NOT_BEGUN, PAID_ALREADY, CANCELLED."""
        return await self.on_work(
            asked, fulfilment_id, lambda one, work: personalising.spoil(one, work, spoiled, actor, as_of)
        )

    async def close_parcel(
        self, asked: Asked, fulfilment_id: str, weight_grams: int, actor: str, as_of: datetime, box_id: str = ""
    ) -> Fulfilment:
        """picked -> packed."""
        return await self.on_work(
            asked,
            fulfilment_id,
            lambda one, work: fulfilment.close_parcel(one, work, weight_grams, actor, as_of, box_id),
        )

    async def record_capture(self, asked: Asked, fulfilment_id: str, outcome: Outcome) -> Fulfilment:
        """What became of the parcel's money."""

        def decide(one: Order, work: Fulfilment) -> Decision:
            return collecting.after_capture(capture.record(one, work, outcome), fulfilment_id, outcome)

        return await self.on_work(asked, fulfilment_id, decide)

    async def record_capture_of_order(self, asked: Asked, order_id: str, outcome: Outcome) -> OrderState:
        """What became of the money of the whole order; FailedPrecondition / CAPTURED_BY_PARCEL."""
        return await self.state_after(asked, order_id, lambda one: capture.record_of_order(one, outcome))

    async def retry_capture(self, asked: Asked, fulfilment_id: str, actor: str, as_of: datetime) -> Fulfilment:
        """Tries now for a parcel's money; FailedPrecondition / CAPTURE_NOT_FAILED."""
        return await self.on_work(asked, fulfilment_id, lambda one, work: capture.retry(one, work, actor, as_of))

    async def retry_capture_of_order(self, asked: Asked, order_id: str, actor: str, as_of: datetime) -> OrderState:
        """The same for the money of the whole order."""
        return await self.state_after(asked, order_id, lambda one: capture.retry_of_order(one, actor, as_of))

    async def give_up_parcel(
        self, asked: Asked, fulfilment_id: str, reason: str, actor: str, as_of: datetime
    ) -> Fulfilment:
        """picked | packed -> cancelled for want of its money; FailedPrecondition / CAPTURE_NOT_FAILED."""
        return await self.on_work(
            asked, fulfilment_id, lambda one, work: capture.give_up(one, work, reason, actor, as_of)
        )

    async def hand_over(
        self, asked: Asked, fulfilment_id: str, tracking_code: str, actor: str, as_of: datetime
    ) -> Fulfilment:
        """packed -> handed over; FailedPrecondition / NOT_CAPTURED, CANCELLED."""
        return await self.on_work(
            asked,
            fulfilment_id,
            lambda one, work: fulfilment.hand_over(one, work, tracking_code, actor, as_of),
        )


def _accepted(decision: Decision) -> Answer:
    suspected = fraud.is_refused(decision.order) and decision.order.state not in UNDONE
    refusal = fraud.REFUSAL if suspected else decision.refusal
    return _planned(decision) | ({"refusal": doc.to_json(doc.REFUSAL, refusal)} if refusal else {})


def _planned(decision: Decision) -> Answer:
    one = decision.order
    return {
        "state": one.state.value,
        "fulfilments": doc.to_json(doc.FULFILMENTS, decision.created),
        "cooling_off_until": one.cooling_off_until.isoformat() if one.cooling_off_until else None,
        "no_longer_due_minor": decision.no_longer_due_minor,
        "captured_minor": decision.captured_minor,
        "currency": one.content.total.currency,
        "receipt_number": next(iter(decision.issued), ""),
    }


def _to_planned(answer: Mapping[str, Any]) -> Planned:
    return _PLANNED.validate_python(answer)

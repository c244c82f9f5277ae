"""What orders does where points compete for work: rings of offers, answers, claims, and what nobody took."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from opentelemetry import metrics

from kit import db
from kit.errors import FailedPrecondition, Unavailable
from kit.values.ids import derived_id
from services.orders import offers_store
from services.orders.changing import Asked, Changes
from services.orders.domain import fulfilment, offers
from services.orders.domain.model import Decision, Fulfilment, Offer, Order
from services.orders.domain.offers import Candidate
from services.orders.domain.states import OfferState
from services.orders.offers_store import ListedOffer, OfferFilter
from services.orders.reading import Position

# How long an answer waits for somebody else's claim to be settled, and how often it looks.
CLAIM_SECONDS, LOOK_SECONDS = 2.0, 0.02
_GONE = frozenset({OfferState.LOST, OfferState.LAPSED, OfferState.WITHDRAWN})
_answer_seconds = metrics.get_meter("oms.orders").create_histogram(
    "oms.orders.offer.answer",
    unit="s",
    description="From an offer to the answer of its point, by answer",
    explicit_bucket_boundaries_advisory=[10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 86400],
)


class Offering(Changes):
    """The use cases of competition; at most one point ever wins a fulfilment."""

    async def offer_ring(
        self, asked: Asked, fulfilment_id: str, ring: int, candidates: Sequence[Candidate], as_of: datetime
    ) -> Fulfilment:
        """The next ring of points; FailedPrecondition / NOT_COMPETITIVE, NOT_RELEASED, NOT_CAPTURED."""
        async with db.single(self._engine).connect() as tx:
            load = await offers_store.load(tx, {one.leg.point_id for one in candidates})
        return await self.on_work(
            asked,
            fulfilment_id,
            lambda one, work: offers.offer_ring(one, work, ring, candidates, load, as_of),
        )

    async def look_at_offers(self, asked: Asked, fulfilment_id: str, as_of: datetime) -> Fulfilment:
        """Lapses what is over; how it stands then."""
        return await self.on_work(asked, fulfilment_id, lambda one, work: offers.lapse(one, work, as_of))

    async def end_offering(self, asked: Asked, fulfilment_id: str, as_of: datetime) -> Fulfilment:
        """Nobody took it: what the life cycle says is done."""
        return await self.on_work(asked, fulfilment_id, lambda one, work: offers.end(one, work, as_of))

    async def settle_claim(
        self, asked: Asked, fulfilment_id: str, claim_id: str, as_of: datetime, *, held: bool
    ) -> Fulfilment:
        """claimed -> accepted, or refused where the units are not there. NotFound / CLAIM_NOT_FOUND."""
        return await self.on_work(
            asked,
            fulfilment_id,
            lambda one, work: offers.settle(one, work, claim_id, as_of, held=held),
        )

    async def assign_work(
        self, asked: Asked, fulfilment_id: str, point_id: str, actor: str, as_of: datetime
    ) -> Fulfilment:
        """A person gives work that nobody took to a point. FailedPrecondition / NOT_UNCLAIMED, OFFER_CLAIMED."""
        claim_id = _claim_id(asked, fulfilment_id)
        return await self.on_work(
            asked,
            fulfilment_id,
            lambda one, work: offers.assign(one, work, point_id, claim_id, actor, as_of),
            offers.is_within,
        )

    async def list_offers(self, wanted: OfferFilter, size: int, after: Position | None) -> Sequence[ListedOffer]:
        """A page of offers, newest first."""
        async with db.single(self._engine).connect() as tx:
            return await offers_store.list_offers(tx, wanted, size, after)

    # -- answers of points --------------------------------------------------------------------------------

    async def accept_offer(
        self, asked: Asked, fulfilment_id: str, actor: str, as_of: datetime, point_id: str = ""
    ) -> Fulfilment:
        """offered -> accepted or, where its stock is held elsewhere, claimed. FailedPrecondition / OFFER_GONE.

        While somebody else's claim is not settled it waits, for a moment: Unavailable / OFFER_CLAIMED.
        """
        claim_id = _claim_id(asked, fulfilment_id)

        def decide(one: Order, work: Fulfilment) -> Decision:
            if one.life_cycle.competition is None:
                return fulfilment.accept_offer(one, work, actor, as_of)
            mine = offers.meant(work, asked.reach, point_id)
            return offers.accept(one, work, mine, claim_id, actor, as_of)

        work = await self._in_turn(
            asked, fulfilment_id, point_id, lambda: self.on_work(asked, fulfilment_id, decide, offers.is_within)
        )
        taken = offers.claimed(work) or offers.of_point(work, work.point_id)
        if taken and asked.reach.point_ids and taken.point_id not in asked.reach.point_ids:
            # The id of the request was another point's.
            raise FailedPrecondition("OFFER_GONE", "the offer is gone: another point was first", state="lost")
        _measure(taken, "accepted")
        return work

    async def refuse_offer(
        self,
        asked: Asked,
        fulfilment_id: str,
        reason: str,
        actor: str,
        as_of: datetime,
        point_id: str = "",
    ) -> Fulfilment:
        """offered -> refused; FailedPrecondition / OFFER_GONE. Where points compete the others go on."""

        def decide(one: Order, work: Fulfilment) -> Decision:
            if one.life_cycle.competition is None:
                return fulfilment.refuse_offer(one, work, reason, actor, as_of)
            mine = offers.meant(work, asked.reach, point_id)
            return offers.refuse(one, work, mine, reason, actor, as_of)

        work = await self.on_work(asked, fulfilment_id, decide, offers.is_within)
        if not work.offers:
            return work
        mine = offers.meant(work, asked.reach, point_id)
        _measure(mine, "refused")
        return offers.as_offered(work, mine)

    async def _in_turn(
        self, asked: Asked, fulfilment_id: str, point_id: str, act: Callable[[], Awaitable[Fulfilment]]
    ) -> Fulfilment:
        """Once nobody else's claim stands in the way, for CLAIM_SECONDS at most."""
        clock = asyncio.get_running_loop()
        until = clock.time() + CLAIM_SECONDS
        while True:
            try:
                if clock.time() >= until or await self._may_be_won(asked, fulfilment_id, point_id):
                    return await act()
            except Unavailable as error:
                if error.reason != "OFFER_CLAIMED" or clock.time() >= until:
                    raise
            await asyncio.sleep(LOOK_SECONDS)

    async def _may_be_won(self, asked: Asked, fulfilment_id: str, point_id: str) -> bool:
        """False while somebody else's claim is not settled. Raises OFFER_GONE.

        Keeps those who cannot win from the lock of the order, which the winner needs to settle. What it sees
        decides nothing: whoever gets past it may still lose.
        """
        async with db.single(self._engine).connect() as tx:
            standing = await offers_store.standing(tx, fulfilment_id)
        mine = {point_id} if point_id else asked.reach.point_ids
        states = {standing[one] for one in mine & standing.keys()}
        if states and states <= _GONE and not asked.reach.brands:
            first = min(states).value
            raise FailedPrecondition("OFFER_GONE", f"the offer is gone: it is {first}", state=first)
        others = {state for one, state in standing.items() if one not in mine}
        return OfferState.CLAIMED not in others or OfferState.CLAIMED in states


def _claim_id(asked: Asked, fulfilment_id: str) -> str:
    return derived_id("clm", fulfilment_id, asked.request_id)


def _measure(offer: Offer | None, answer: str) -> None:
    if offer and offer.answered_at:
        _answer_seconds.record((offer.answered_at - offer.offered_at).total_seconds(), {"answer": answer})

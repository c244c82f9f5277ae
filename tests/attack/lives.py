"""A random life of one order: what people, points, banks and carriers do to it, and what must be true at its end.

A life is data: a seed, what is ordered, and the troubles that it meets. Each choice comes of the seed, its trouble
and its moment, so a life without one of its troubles goes on as before with the others: a life that fails can be
made smaller.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal
from uuid import uuid4

from kit.errors import FailedPrecondition
from kit.times import now
from oms.booking.v1 import booking_service_pb2 as bkg
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.orders.v1 import collection_service_pb2 as col
from oms.orders.v1 import offers_service_pb2 as ofr
from oms.orders.v1 import orders_service_pb2 as orders
from tests.workflows.faults import Fault
from tests.workflows.world import (
    BESIDE,
    FAR,
    MID,
    NEAR,
    PREPARED,
    PRICE_MINOR,
    RING_SECONDS,
    SHIPPING_MINOR,
    VISA,
    World,
    until,
)
from workflows import policies

POINTS = (NEAR, MID, FAR)
# Money is taken at the shipment, at the preparation, with the order; there is cooling-off; points compete; parcels
# meet at NEAR.
MEETS = "meeting"
CHANNELS = (
    "web",
    "prepared",
    "prepaid",
    "slow",
    "slow",
    "prepaid-slow",
    "contest",
    "contest",
    "asked",
    MEETS,
    MEETS,
)
COOLS_OFF = ("slow", "prepaid-slow")
COMPETES = ("contest", "asked")
TROUBLES = (
    # Less stock than is wanted, perhaps; points that do not take work, do not find units.
    "scarce",
    "refused",
    "short",
    # The means at the placement; a bank that declines; carriers that lose parcels and bring them back.
    "means",
    "declined",
    "carried",
    # The customer cancels all, cancels some, wants something else, another day; customer service stops it.
    "cancelled",
    "fewer",
    "other",
    "moved",
    "held",
    # Who engraves units damages some.
    "spoiled",
    # Steps of the stories fail once, lose their answers or are taken twice.
    "faulty",
)
# Any of these may leave units without a place.
LOSING = frozenset({"scarce", "refused", "short", "declined", "carried", "spoiled"})
FAULTS = (Fault.FAILS_ONCE, Fault.ANSWER_LOST, Fault.TAKEN_TWICE, Fault.TASK_LOST)
STEPS = (
    "accept_order",
    "apply_change",
    "authorize",
    "capture",
    "change_amount",
    "close_order",
    "complete_cancellation",
    "confirm_booking",
    "confirm_hold",
    "declare_doubted",
    "end_offering",
    "issue_stock",
    "look_at_booking",
    "look_at_offers",
    "move_hold",
    "move_room",
    "offer_fulfilment",
    "offer_ring",
    "plan_order",
    "rank_points",
    "read_proposal",
    "record_capture",
    "release_booking",
    "release_capacity",
    "release_hold",
    "release_order",
    "report_short",
    "reroute_units",
    "reserve",
    "settle_change",
    "settle_claim",
    "unwind_payment",
    "void",
    "waiting_hub",
    "work_lines",
)
TOKENS = (VISA, "pm_card_visa_chargeDeclined", "pm_card_authenticationRequired")
FATES = ("delivered",) * 4 + ("in_transit", "delivery_failed", "lost", "damaged", "returning", "returned")
REASONS = ("not_found", "damaged", "no_staff", "no_time", "other")
# Whoever says so has not got the units.
NOT_THERE = ("not_found", "damaged")
OPEN = (
    orders.FULFILMENT_STATE_PLANNED,
    orders.FULFILMENT_STATE_OFFERED,
    orders.FULFILMENT_STATE_ACCEPTED,
    orders.FULFILMENT_STATE_PICKED,
    orders.FULFILMENT_STATE_PACKED,
    orders.FULFILMENT_STATE_READY,
    orders.FULFILMENT_STATE_HANDED_OVER,
    orders.FULFILMENT_STATE_RETURNING,
)
OVER = (orders.ORDER_STATE_REFUSED, orders.ORDER_STATE_CANCELLED, orders.ORDER_STATE_CLOSED)
STANDS = (orders.ORDER_STATE_VALIDATED, orders.ORDER_STATE_RELEASED)
RING = timedelta(seconds=RING_SECONDS + 1)
PATIENCE_SECONDS = 180
# What somebody is told who comes too late, or at a moment when it cannot be.
_TOO_LATE = frozenset(
    {
        "TOO_LATE_TO_CANCEL",
        "TOO_LATE_TO_CHANGE",
        "TOO_LATE_TO_HOLD",
        "TOO_LATE_TO_MOVE",
        "APPOINTMENT_MOVING",
        "SLOT_TOO_EARLY",
        "CHANGE_OPEN",
        "CAPTURE_NOT_SETTLED",
        "HOLD_ENDED",
    }
)


@dataclass(frozen=True)
class Life:
    """`wanted`: units by line, each line an article of its own. `is_met`: at an appointment.

    `is_engraved`: the units of the first line. `collects`: at NEAR, `reserved` if it is paid at the till there.
    """

    seed: int
    channel: str
    wanted: tuple[int, ...]
    troubles: frozenset[str]
    is_met: bool = False
    is_engraved: bool = False
    collects: Literal["", "paid", "reserved"] = ""

    def smaller(self) -> "list[Life]":
        """The same with a little less, each in another way."""
        found = [replace(self, troubles=self.troubles - {one}) for one in sorted(self.troubles)]
        if len(self.wanted) > 1:
            found += [replace(self, wanted=(count,)) for count in self.wanted]
        found += [
            replace(self, wanted=(*self.wanted[:i], count - 1, *self.wanted[i + 1 :]))
            for i, count in enumerate(self.wanted)
            if count > 1
        ]
        if self.is_met:
            found.append(replace(self, is_met=False))
        if self.is_engraved:
            found.append(replace(self, is_engraved=False))
        if self.collects == "reserved":
            found.append(replace(self, collects="paid"))
        return found


def drawn(seed: int) -> Life:
    """A life with about a third of all troubles."""
    chance = random.Random(seed)
    channel = chance.choice(CHANNELS)
    is_met = channel not in (*COOLS_OFF, *COMPETES, MEETS) and chance.random() < 0.4
    several = (2,) if channel == MEETS else (1, 1, 2)
    life = Life(
        seed=seed,
        channel=channel,
        wanted=tuple(chance.randint(1, 3) for _ in range(chance.choice(several))),
        troubles=frozenset(one for one in TROUBLES if chance.random() < 0.35),
        is_met=is_met,
        is_engraved=channel != MEETS and chance.random() < 0.3,
    )
    if is_met or life.is_engraved or channel not in ("web", "prepared", "prepaid") or chance.random() < 0.4:
        return life
    return replace(life, collects=chance.choice(("paid", "paid", "reserved")))


class Living:
    """One life in the world, with what it must come to."""

    def __init__(self, world: World, life: Life) -> None:
        self._world = world
        self._life = life
        self._units: dict[str, dict[str, int]] = {}
        self._slots: list[bkg.Slot] = []
        self._booking_id = ""
        self._order_id = ""
        self._moments: set[str] = set()
        # Holds that a person has put, for how many turns they stay, and whether they are refused then.
        self._holds: dict[str, tuple[int, bool]] = {}
        # Points to which a person gave work that nobody took.
        self._given_to: set[tuple[int, str]] = set()
        # Units that their points do not have any more, by SKU and point: not found, or spoiled.
        self._gone = Counter[tuple[str, str]]()
        # Units that left the stock of their points, and, from other points, that a hub has now.
        self._sold, self._at_hub = Counter[str](), Counter[str]()
        # What the order must come to: units that are wanted at last, those of them that the customer cancelled.
        self._wanted = Counter(dict(enumerate(life.wanted, start=1)))
        self._dropped = Counter[int]()
        self._is_cancelled = False
        self.acts: list[str] = []

    async def live(self) -> None:
        """From the placement to the end, and a look at what is left. Raises whatever is not as it must be."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            placed = await self._place()
            while (order := await self._world.order(self._order_id)).state not in OVER:
                await self._turn(order)
            state = await self._world.ended(self._order_id)
            self.acts.append(f"ended {state}")
            assert placed or state in ("REFUSED", "CANCELLED"), f"{state}, but it was not paid"
            await self._look_back(state)

    # -- choices ----------------------------------------------------------------------------------------

    def _choice(self, trouble: str, moment: str) -> random.Random | None:
        """None without the trouble."""
        if trouble not in self._life.troubles:
            return None
        return random.Random(f"{self._life.seed}/{trouble}/{moment}")

    def _happens(self, trouble: str, moment: str, chance: float) -> random.Random | None:
        choice = self._choice(trouble, moment)
        return choice if choice and choice.random() < chance else None

    # -- placement --------------------------------------------------------------------------------------

    async def _place(self) -> bool:
        """Whether it was paid."""
        life, world = self._life, self._world
        lines = {}
        for number, count in enumerate(life.wanted, start=1):
            # Something else may want one unit more of each.
            units = dict.fromkeys(self._points_of(number), count + 1)
            if choice := self._choice("scarce", f"line {number}"):
                units = {point: choice.randint(0, 2) for point in POINTS}
                units[NEAR] += 1
            sku = await world.stock(units)
            self._units[sku], lines[sku] = units, count
        if life.is_met:
            self._slots = (await world.slots())[1:5]
            self._booking_id = (await world.hold_slot(self._slots[0], channel=life.channel)).booking_id
        means = self._choice("means", "placement")
        token = means.choice(TOKENS) if means else VISA
        recorded = await world.record(
            lines,
            token=token,
            channel=life.channel,
            booking=self._booking_id,
            engraved="Zoé" if life.is_engraved else "",
            collect_at=NEAR if life.collects else "",
            reserved=life.collects == "reserved",
        )
        self._order_id = recorded.order.order_id
        if choice := self._choice("faulty", "steps"):
            for step in choice.sample(STEPS, 6):
                world.faults.plan(self._order_id, step, choice.choice(FAULTS))
        if self._happens("declined", "capture", 0.6):
            world.provider.fault("capture", "decline", order_id=self._order_id)
        placing = asyncio.create_task(world.place(recorded))
        if self._happens("cancelled", "placement", 0.1):
            await self._cancel()
        placement = await placing
        assert placement is not None
        self.acts.append(f"placed: {placement.state} {placement.refusal.reason if placement.refusal else ''}")
        is_paid = placement.state == "validated"
        if placement.state == "action_required" and not self._is_cancelled:
            assert means
            answer = means.choice(("approve", "refuse"))
            await world.customer_confirms(self._order_id, answer)
            self.acts.append(f"the customer: {answer}")
            is_paid = answer == "approve"
        if "scarce" not in life.troubles and not self._is_cancelled:
            assert is_paid or "means" in life.troubles, placement
        return is_paid

    def _points_of(self, number: int) -> Sequence[str]:
        """Who has a line's article, if it is not scarce. What is to meet has no point in common."""
        if self._life.channel != MEETS:
            # Customers collect at BESIDE too.
            return (NEAR, BESIDE, FAR) if self._life.collects else POINTS
        return (NEAR,) if number == 1 else (MID, FAR)

    # -- turns ------------------------------------------------------------------------------------------

    async def _turn(self, order: orders.Order) -> None:
        await self._let_go()
        if order.state in STANDS:
            await self._at("the acceptance", "")
        if order.state == orders.ORDER_STATE_VALIDATED:
            await self._cool_off()
        for index, work in enumerate(order.fulfilments):
            state = orders.FulfilmentState.Name(work.state).removeprefix("FULFILMENT_STATE_").lower()
            if work.state in OPEN and await self._at(f"{index} {state}", work.fulfilment_id):
                # It may be other work by now.
                return
            try:
                await self._work(index, work)
            except FailedPrecondition as error:
                # Somebody was faster, it is held, or the money is not there yet.
                self._note(f"{index} {state}: {error.reason}")
        for choice in order.choices:
            if not choice.kind:
                await self._choose(choice)
        if order.charge.capture_state == "failed":
            await self._unless_too_late(self._world.retry_capture(self._order_id), "CAPTURE_NOT_FAILED")

    def _note(self, act: str) -> None:
        if not self.acts or self.acts[-1] != act:
            self.acts.append(act)

    async def _at(self, moment: str, fulfilment_id: str) -> bool:
        """What people want of the order at this moment, once; whether they wanted anything."""
        if moment in self._moments:
            return False
        self._moments.add(moment)
        number = len(self.acts)
        for trouble, chance, act in (
            ("held", 0.3, self._hold),
            ("fewer", 0.25, self._fewer),
            ("other", 1.0, self._other),
            ("moved", 0.4, self._move),
            ("cancelled", 0.1, self._cancel_at),
        ):
            if choice := self._happens(trouble, moment, chance):
                await act(choice, fulfilment_id)
        return len(self.acts) > number

    async def _cool_off(self) -> None:
        """Time passes, once what was changed has settled."""
        if self._life.channel not in COOLS_OFF or "cooled off" in self._moments:
            return
        order = await self._world.order(self._order_id)
        if order.state == orders.ORDER_STATE_VALIDATED and all(one.settled for one in order.changes):
            self._moments.add("cooled off")
            # Answered once the story is back at its wait: what makes time pass must not overtake it.
            await self._world.story(self._order_id).query("blocked_by")
            await self._world.cools_off(self._order_id)
            self.acts.append("cooled off")

    # -- people -----------------------------------------------------------------------------------------

    async def _unless_too_late(self, act: Awaitable[object], *others: str) -> bool:
        """Whether it was done."""
        try:
            await act
        except FailedPrecondition as error:
            if error.reason not in (*_TOO_LATE, *others):
                raise
            self.acts.append(f"... {error.reason}")
            return False
        return True

    async def _cancel_at(self, _choice: random.Random, _fulfilment_id: str) -> None:
        await self._cancel()

    async def _cancel(self) -> None:
        self.acts.append("cancelled by the customer")
        self._is_cancelled |= await self._unless_too_late(self._world.cancel(self._order_id))

    async def _hold(self, choice: random.Random, fulfilment_id: str) -> None:
        """All of the order, or the work of one point; perhaps with another date; let go, or refused, later."""
        about = fulfilment_id if choice.random() < 0.4 else ""
        ends = choice.randint(0, 4), choice.random() < 0.2
        later = now() + timedelta(days=choice.randint(1, 9))
        is_extended = choice.random() < 0.5
        self.acts.append(f"held: {'the work' if about else 'the order'}")

        async def put() -> None:
            hold = await self._world.hold(self._order_id, fulfilment_id=about)
            self._holds[hold.hold_id] = ends
            if is_extended:
                self.acts.append("extended")
                await self._world.extend(self._order_id, hold.hold_id, later)

        await self._unless_too_late(put())

    async def _let_go(self) -> None:
        for hold_id, (turns, is_refused) in list(self._holds.items()):
            self._holds[hold_id] = turns - 1, is_refused
            if turns:
                continue
            del self._holds[hold_id]
            if is_refused:
                self.acts.append("hold refused")
                if await self._unless_too_late(self._world.let_go(self._order_id, hold_id, refused=True)):
                    self._is_cancelled = True
                    continue
            self.acts.append("let go")
            await self._unless_too_late(self._world.let_go(self._order_id, hold_id))

    async def _fewer(self, choice: random.Random, _fulfilment_id: str) -> None:
        left = self._wanted - self._dropped
        if not left:
            return
        number = choice.choice(sorted(left))
        count = choice.randint(1, left[number])
        self.acts.append(f"{count} of line {number} cancelled")
        if await self._unless_too_late(self._world.cancel_lines(self._order_id, {number: count})):
            self._dropped[number] += count
            order = await self._world.order(self._order_id)
            self._is_cancelled |= order.state in (orders.ORDER_STATE_CANCELLING, orders.ORDER_STATE_CANCELLED)

    async def _other(self, choice: random.Random, fulfilment_id: str) -> None:
        """Once, before anybody works; then again, perhaps while the first is not decided."""
        if fulfilment_id or self._life.channel not in COOLS_OFF:
            return
        for _ in range(choice.randint(1, 2)):
            lines = {sku: choice.randint(0, 4) for sku in self._units}
            lines = {sku: count for sku, count in lines.items() if count} or {next(iter(self._units)): 1}
            wanted = Counter(dict(enumerate(lines.values(), start=1)))
            order = await self._world.order(self._order_id)
            now_wanted = [(line.sku, line.quantity) for line in order.content.lines]
            if now_wanted == list(lines.items()) or not all(one.settled for one in order.changes):
                continue
            self.acts.append(f"{list(lines.values())} wanted instead")
            if not await self._unless_too_late(self._world.propose(self._order_id, lines)):
                continue
            if self._happens("cancelled", f"change {wanted}", 0.2):
                await self._cancel()
                return
            change = await self._decided()
            self.acts.append(f"... {change.state} {change.refusal.reason}")
            if change.state == "applied":
                self._wanted, self._dropped = wanted, Counter()
            elif not {"scarce", "means"} & self._life.troubles:
                assert self._is_cancelled, f"nothing was in the way of it: {change}"

    async def _decided(self) -> orders.OrderChange:
        async def look() -> orders.OrderChange | None:
            newest = (await self._world.order(self._order_id)).changes[-1]
            return newest if newest.settled and newest.state != "proposed" else None

        found = await until(look, "the change is decided")
        assert found
        return found

    async def _move(self, choice: random.Random, _fulfilment_id: str) -> None:
        if self._life.is_met:
            slot = choice.choice(self._slots)
            self.acts.append(f"moved to {slot.date}")
            await self._unless_too_late(self._world.move_appointment(self._order_id, slot))

    # -- points, banks, carriers ------------------------------------------------------------------------

    async def _work(self, index: int, work: orders.Fulfilment) -> None:
        """One act of the point or the carrier, if there is one to do."""
        world = self._world
        if work.state == orders.FULFILMENT_STATE_OFFERED:
            if self._life.channel in COMPETES:
                await self._compete(index, work)
            else:
                await self._answer(index, work)
        elif work.state == orders.FULFILMENT_STATE_ACCEPTED:
            choice = self._happens("short", f"{index}", 0.5)
            missing = choice.randint(1, work.lines[0].quantity) if choice else 0
            received = await self._received(work)
            await world.pick(work, missing)
            sku = work.lines[0].sku
            # What a hub does not find of its own is sold to nobody. What came to it was no stock of its.
            own = min(missing, work.lines[0].quantity - received[sku])
            self._gone[sku, work.point_id] += own
            self._at_hub[sku] -= missing - own
            self.acts.append(f"{index} picked without {missing}")
        elif work.parcel.capture_state == "failed" and (not work.collected or self._life.channel == "prepared"):
            await self._decide_unpaid(index, work)
        elif work.collected:
            await self._collect(index, work)
        elif work.state == orders.FULFILMENT_STATE_PICKED:
            await self._engrave(index, work)
            await world.pack(work)
        elif work.state == orders.FULFILMENT_STATE_PACKED and work.parcel.capture_state in (
            "captured",
            "not_needed",
        ):
            received = await self._received(work)
            await world.hand_over(work)
            self._at_hub.subtract(received)
            self._sold += Counter({line.sku: line.quantity for line in work.lines}) - received
            self.acts.append(f"{index} handed over")
        elif work.state == orders.FULFILMENT_STATE_HANDED_OVER and work.joins:
            await self._come(index, work)
        elif work.state in (orders.FULFILMENT_STATE_HANDED_OVER, orders.FULFILMENT_STATE_RETURNING):
            await self._carry(index, work)
        elif work.HasField("parcel") and work.parcel.HasField("loss") and not work.parcel.loss.decision:
            choice = self._choice("carried", f"loss of {index}")
            assert choice
            decision = choice.choice(("reship", "refund"))
            await world.decide(work, decision)
            self.acts.append(f"{index}: {decision}")

    async def _collect(self, index: int, work: orders.Fulfilment) -> None:
        """It is put aside; the customer shows the code, and takes all, or one of a line. Declined, again."""
        if work.state == orders.FULFILMENT_STATE_PICKED:
            id_ = work.fulfilment_id
            await self._world.collections.MarkReady(
                col.MarkReadyRequest(request_id=f"ready/{id_}", fulfilment_id=id_, actor="store")
            )
            self.acts.append(f"{index} put aside")
        if work.state != orders.FULFILMENT_STATE_READY:
            return
        if work.collection.HasField("handing_since") and work.parcel.capture_state == "pending":
            return
        asked = col.GetCollectionCodesRequest(order_id=self._order_id)
        found = (await self._world.collections.GetCollectionCodes(asked)).codes
        code = next((one.code for one in found if one.fulfilment_id == work.fulfilment_id), "")
        if not code:
            # It was cancelled a moment ago.
            return
        choice = self._happens("fewer", f"{index} at the counter", 0.4)
        line = choice.choice(work.lines) if choice else None
        units = [orders.PlannedLine(line_number=line.line_number, quantity=1)] if line else []
        request = col.CollectRequest(
            request_id=uuid4().hex,
            fulfilment_id=work.fulfilment_id,
            code=code,
            collected_by="customer",
            lines=units,
            actor="store",
        )
        await self._world.collections.Collect(request)
        self._note(f"{index} is collected, {'one of it' if units else 'all'}")

    async def _choose(self, asked: orders.CustomerChoice) -> None:
        """What becomes of what the store does not have."""
        number = sum(one.startswith("chosen") for one in self.acts)
        ways = {("store" if one.point_id else "delivery", one.point_id) for one in asked.options}
        choice = random.Random(f"{self._life.seed}/choice/{number}")
        kind, point = choice.choice(sorted(ways | {("refund", "")}))
        request = col.ChooseRequest(
            request_id=uuid4().hex, order_id=self._order_id, kind=kind, point_id=point, actor="customer"
        )
        self.acts.append(f"chosen: {kind} {point}")
        await self._unless_too_late(self._world.collections.Choose(request), "CHOICE_OVER", "NOT_ASKED")

    async def _received(self, work: orders.Fulfilment) -> Counter[str]:
        """What of the units of a hub came from other points, by SKU."""
        skus = {line.line_number: line.sku for line in work.lines}
        received = Counter[str]()
        for row in (await self._world.order(self._order_id)).ranges if work.consolidates else ():
            if (row.fulfilment_id, row.state) == (work.fulfilment_id, "received"):
                received[skus[row.line_number]] += row.to_unit - row.from_unit
        return received

    async def _come(self, index: int, work: orders.Fulfilment) -> None:
        """A parcel comes to its hub, perhaps with less in it; or the carrier loses it."""
        choice = self._choice("carried", f"to the hub {index}")
        if choice and choice.random() < 0.3:
            await self._world.scan(work, "lost")
            self.acts.append(f"{index} lost on its way to the hub")
            return
        await self._arrive(index, work, choice.randint(0, work.lines[0].quantity) if choice else 0)

    async def _arrive(self, index: int, work: orders.Fulfilment, missing: int) -> None:
        await self._world.arrive(work, missing)
        self._at_hub.update({line.sku: line.quantity for line in work.lines})
        self._at_hub[work.lines[0].sku] -= missing
        self.acts.append(f"{index} came to the hub without {missing}")

    async def _answer(self, index: int, work: orders.Fulfilment) -> None:
        world, reach = self._world, work.fulfilment_id
        choice = self._happens("refused", f"{index}", 0.5)
        # A hub that does not want its work is talked to by people.
        if choice and not work.consolidates:
            reason = choice.choice(REASONS)
            await world.orders.RefuseOffer(
                orders.RefuseOfferRequest(request_id=f"r/{reach}", fulfilment_id=reach, reason=reason)
            )
            self._is_not_there(work, work.point_id, reason)
            self.acts.append(f"{index} refused by {work.point_id}: {reason}")
        else:
            await world.orders.AcceptOffer(orders.AcceptOfferRequest(request_id=f"a/{reach}", fulfilment_id=reach))
            self.acts.append(f"{index} accepted by {work.point_id}")

    def _is_not_there(self, work: orders.Fulfilment, point: str, reason: str) -> None:
        if reason in NOT_THERE:
            self._gone.update({(line.sku, point): line.quantity for line in work.lines})

    async def _engrave(self, index: int, work: orders.Fulfilment) -> None:
        """What is to be engraved, some of which may be damaged by it: it is packed no sooner."""
        engraved = next((line for line in work.lines if line.personalisations), None)
        if engraved is None:
            return
        if not work.HasField("personalising_since"):
            await self._world.begin_engraving(work)
            self.acts.append(f"{index} is being engraved")
            if await self._at(f"{index} engraved", work.fulfilment_id):
                return
        if choice := self._happens("spoiled", f"{index}", 0.6):
            await self._spoil(index, work, choice.randint(1, engraved.quantity))
        if not work.HasField("personalised_at"):
            await self._world.complete_engraving(work)

    async def _spoil(self, index: int, work: orders.Fulfilment, count: int) -> None:
        """Once; not when it is paid already: then the point takes others from its shelf."""
        if f"{index} spoiled" in self._moments or work.HasField("parcel"):
            return
        self._moments.add(f"{index} spoiled")
        engraved = next(line for line in work.lines if line.personalisations)
        await self._world.spoil(work, count, line_number=engraved.line_number)
        self._gone[engraved.sku, work.point_id] += count
        self.acts.append(f"{index}: {count} spoiled")

    async def _compete(self, index: int, work: orders.Fulfilment) -> None:
        """Each point takes it, does not, or keeps silent; when all do, their time passes."""
        world, story = self._world, self._world.work_story(work.fulfilment_id)
        asked = ofr.ListOffersRequest(order_id=self._order_id)
        found = (await world.offers.ListOffers(asked)).offers
        offers = {one.point_id: one.state for one in found if one.fulfilment_id == work.fulfilment_id}
        if ofr.OFFER_STATE_CLAIMED in offers.values():
            self._note(f"{index}: its story settles the claim")
            await world.clock.fast_forward(story, policies.CLAIM_LEASE)
            return
        if work.HasField("unclaimed_since"):
            await self._assign(index, work, sorted(offers))
            return
        points = sorted(point for point, state in offers.items() if state == ofr.OFFER_STATE_OPEN)
        for point in points:
            choice = self._choice("refused", f"{index} at {point}")
            answer = choice.choice(("take", "take", "die", "decline", "decline", "silent")) if choice else "take"
            if answer == "silent":
                continue
            self.acts.append(f"{index} at {point}: {answer}")
            if answer == "decline":
                assert choice
                reason = choice.choice(REASONS)
                await world.decline(work.fulfilment_id, point, reason)
                self._is_not_there(work, point, reason)
                continue
            claim = await world.take(work.fulfilment_id, point)
            if claim:
                await self._at(f"{index} claimed by {point}", work.fulfilment_id)
            if claim and answer != "die":
                await world.settle(claim, held=await world.move(claim))
            return
        if points:
            self._note(f"{index}: no answer of {points}")
            await world.clock.fast_forward(story, RING)

    async def _assign(self, index: int, work: orders.Fulfilment, asked: list[str]) -> None:
        """A person gives it to a point that was asked, if its units are there; else to the planned one."""
        choice = self._choice("refused", f"{index} unclaimed")
        others = [point for point in asked if (index, point) not in self._given_to]
        point = choice.choice(others) if choice and others else work.point_id
        self._given_to.add((index, point))
        self.acts.append(f"{index} given to {point}")
        request = ofr.AssignWorkRequest(
            request_id=f"assign/{work.fulfilment_id}/{point}",
            fulfilment_id=work.fulfilment_id,
            point_id=point,
            actor="eve",
        )
        reply = await self._world.offers.AssignWork(request)
        if reply.HasField("claim"):
            await self._world.settle(reply.claim, held=await self._world.move(reply.claim))

    async def _decide_unpaid(self, index: int, work: orders.Fulfilment) -> None:
        """A bank declined: somebody asks again, or gives the parcel up."""
        again = f"{index}: its money is asked for again"
        if self._happens("declined", f"{index}/{self.acts.count(again)}", 0.4):
            # It may come all the same, when it was asked for again.
            await self._world.give_up(work.fulfilment_id)
            self.acts.append(f"{index} given up")
        else:
            self.acts.append(again)
            await self._world.retry_capture(self._order_id, work.fulfilment_id)

    async def _carry(self, index: int, work: orders.Fulfilment) -> None:
        number = sum(one.startswith(f"{index} scanned") for one in self.acts)
        choice = self._choice("carried", f"{index}/{number}")
        fate = choice.choice(FATES) if choice else "delivered"
        self.acts.append(f"{index} scanned {fate}")
        await self._world.scan(work, fate)

    async def standing(self) -> str:
        """How far it has come, for whoever looks at a failure."""
        if not self._order_id:
            return "not recorded"
        order = await self._world.order(self._order_id)
        works = [f"{orders.FulfilmentState.Name(one.state)[18:]} at {one.point_id}" for one in order.fulfilments]
        blocked = await self._world.story(self._order_id).query("blocked_by")
        return f"{self._order_id}: {orders.OrderState.Name(order.state)}, works {works}, blocked by {blocked!r}"

    # -- what must be true ------------------------------------------------------------------------------

    async def _look_back(self, state: str) -> None:
        order = await self._world.order(self._order_id)
        for index, work in enumerate(order.fulfilments):
            if work.joins and work.state == orders.FULFILMENT_STATE_HANDED_OVER:
                await self._arrive(index, work, 0)
        order = await self._world.order(self._order_id)
        units = _units_by_state(order)
        self._sold += _collected(order)
        delivered, sent = units["delivered"], {sku: self._sold[sku] for sku in self._units}
        self._assert_outcome(order, state, units)
        assert not any(row.state in OPEN for row in order.fulfilments)
        assert all(one.HasField("ended_at") for one in order.holds), "a hold is left open"
        # An order that is cancelled is undone as a whole, with what a change had not given back yet.
        is_undone = order.state == orders.ORDER_STATE_CANCELLED
        assert is_undone or all(one.settled for one in order.changes), "a change is left open"
        brought = sum(
            row.parcel.shipping.amount_minor
            for row in order.fulfilments
            # Money that came although its parcel was given up keeps the fee, and no other parcel brings it again.
            if row.parcel.capture_state == "captured"
        )
        fee = SHIPPING_MINOR if order.HasField("charge") else brought
        is_ours = delivered and self._life.collects != "reserved"
        kept = PRICE_MINOR * delivered.total() + fee if is_ours else 0
        await self._world.assert_settled(self._order_id, kept_minor=kept, sold=sent)
        if kept:
            await self._give_back(min(delivered), kept)
        for sku, points in self._units.items():
            # What is at a hub for no order any more goes to its stock.
            await self._are_left(sku, sum(points.values()) - sent[sku] + self._at_hub[sku])
        rows = (await self._world.inventory.ListBalances(inv.ListBalancesRequest(skus=list(sent)))).balances
        assert Counter({(row.sku, row.point_id): row.unavailable for row in rows if row.unavailable}) == (
            self._gone + _set_apart(order)
        ), "what is sold to nobody"
        if self._life.is_met:
            await self._assert_slots(state)

    async def _are_left(self, sku: str, count: int) -> None:
        async def look() -> bool:
            found = await self._world.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))
            return sum(row.on_hand for row in found.balances) == count

        await until(look, f"{count} of {sku} are left of {self._units[sku]}")

    def _assert_outcome(self, order: orders.Order, state: str, units: dict[str, Counter[int]]) -> None:
        """What was wanted has arrived, but for what somebody did not want, or could not do."""
        has_left = any(row.state in PREPARED and not row.joins for row in order.fulfilments)
        is_kept = has_left and any(row.state != "cancelled" for row in order.ranges)
        if state == "REFUSED":
            assert not has_left
            return
        # What was lost may have been cancelled before it was sent again.
        assert state == ("CLOSED" if is_kept else "CANCELLED")
        if self._is_cancelled:
            assert state == "CANCELLED", "it was cancelled in time"
            return
        in_all = sum(units.values(), Counter[int]())
        assert in_all == self._wanted, f"{in_all} units, {self._wanted} were wanted"
        arrives = self._wanted - self._dropped
        # Who collects may leave some of it there.
        if LOSING & self._life.troubles or self._life.collects:
            assert not units["delivered"] - arrives, f"{units} although only {arrives} were wanted"
        else:
            assert units["delivered"] == arrives, (
                f"{units} although {arrives} were wanted, and nothing was in the way"
            )

    async def _give_back(self, number: int, kept: int) -> None:
        """A unit, then all that is left: to the cent, and no more."""
        line = orders.PlannedLine(line_number=number, quantity=1)
        some = await self._world.refund(self._order_id, kind="goods", lines=[line])
        rest = 0
        if kept > some.amount.amount_minor:
            rest = (await self._world.refund(self._order_id, kind="goods", whole=True)).amount.amount_minor
        assert some.amount.amount_minor + rest == kept
        await self._world.refunds_in(self._order_id, "succeeded")
        await self._world.assert_money(self._order_id, 0)

    async def _assert_slots(self, state: str) -> None:
        """One place is taken where the customer was met, none for what was undone."""
        booked = await self._world.booked(self._booking_id)
        is_met = state == "CLOSED"
        wanted = bkg.BOOKING_STATE_CONFIRMED if is_met else bkg.BOOKING_STATE_RELEASED
        assert booked.state == wanted, bkg.BookingState.Name(booked.state)
        taken = [slot.slot_id for slot in self._slots if await self._world.taken(slot)]
        assert taken == ([booked.slot_id] if is_met else [])


def _set_apart(order: orders.Order) -> Counter[tuple[str, str]]:
    """Units that came back to nobody's shelf: engraved, or in a closed parcel, of work that was cancelled."""
    found = Counter[tuple[str, str]]()
    for work in order.fulfilments:
        if work.state != orders.FULFILMENT_STATE_CANCELLED:
            continue
        for unit in work.put_back.units:
            found[unit.sku, work.point_id] += unit.quantity
        for line in work.lines if work.HasField("personalising_since") else ():
            found[line.sku, work.point_id] += line.quantity if line.personalisations else 0
    return +found


def _collected(order: orders.Order) -> Counter[str]:
    """Units that left the stock of their stores with a customer."""
    works = {work.fulfilment_id for work in order.fulfilments if work.collected}
    skus = {line.line_number: line.sku for line in order.content.lines}
    found = Counter[str]()
    for row in order.ranges:
        if row.state == "delivered" and row.fulfilment_id in works:
            found[skus[row.line_number]] += row.to_unit - row.from_unit
    return found


def _units_by_state(order: orders.Order) -> dict[str, Counter[int]]:
    """Units by state and line."""
    found: dict[str, Counter[int]] = {"delivered": Counter()}
    for row in order.ranges:
        found.setdefault(row.state, Counter())[row.line_number] += row.to_unit - row.from_unit
    return found


# -- failing, and smaller ---------------------------------------------------------------------------------


@dataclass
class Failure:
    """A life that did not come to what it must, and why."""

    life: Life
    error: Exception
    acts: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        acts = "\n  ".join(self.acts)
        return f"{self.life}\n{type(self.error).__name__}: {self.error}\n  {acts}"


async def failure_of(world: World, life: Life) -> Failure | None:
    """Lives it; None when all was as it must be."""
    living = Living(world, life)
    try:
        await living.live()
    except Exception as error:
        return Failure(life, error, [*living.acts, await living.standing()])
    return None


async def shrunk(world: World, failure: Failure) -> Failure:
    """The smallest life that was found to fail as well."""
    while True:
        tried = await asyncio.gather(*(failure_of(world, one) for one in failure.life.smaller()))
        smaller = next((one for one in tried if one), None)
        if smaller is None:
            return failure
        failure = smaller

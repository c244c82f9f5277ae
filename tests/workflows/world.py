"""What an order meets, and what people do to it: the hands of a test.

Every test brings its own SKUs and orders, so lives run side by side on one world.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle
from temporalio.testing import TimeSkipper

from kit.errors import InvalidArgument, NotFound
from kit.times import now, to_proto
from oms.booking.v1 import booking_service_pb2 as bkg
from oms.inventory.v1 import basket_service_pb2 as bsk
from oms.inventory.v1 import inventory_service_pb2 as inv
from oms.inventory.v1 import supply_service_pb2 as sup
from oms.orders.v1 import change_service_pb2 as chg
from oms.orders.v1 import consolidation_service_pb2 as cns
from oms.orders.v1 import offers_service_pb2 as ofr
from oms.orders.v1 import orders_service_pb2 as pb
from oms.orders.v1 import tracking_service_pb2 as trk
from oms.orders.v1 import trial_service_pb2 as tri
from oms.payments.v1 import payments_service_pb2 as pay
from oms.promise.v1 import capacity_service_pb2 as cap
from oms.promise.v1 import promise_service_pb2 as prm
from oms.type.v1 import type_pb2 as types
from services.orders.depositing import Depositing
from services.orders.lockers import Bank
from simulators.payment_provider.webhooks import sign
from tests.simulators.payment_provider import WEBHOOK_SECRET, RunningProvider
from tests.workflows.faults import Faults
from workflows.messages import Placement, Refusal
from workflows.starting import order_workflow_id, place

if TYPE_CHECKING:
    from oms.booking.v1.booking_service_pb2_grpc import BookingServiceAsyncStub
    from oms.inventory.v1.basket_service_pb2_grpc import BasketServiceAsyncStub
    from oms.inventory.v1.inventory_service_pb2_grpc import InventoryServiceAsyncStub
    from oms.inventory.v1.shelf_service_pb2_grpc import ShelfServiceAsyncStub
    from oms.inventory.v1.supply_service_pb2_grpc import SupplyServiceAsyncStub
    from oms.orders.v1.change_service_pb2_grpc import ChangeServiceAsyncStub
    from oms.orders.v1.collection_service_pb2_grpc import CollectionServiceAsyncStub
    from oms.orders.v1.consolidation_service_pb2_grpc import ConsolidationServiceAsyncStub
    from oms.orders.v1.offers_service_pb2_grpc import OffersServiceAsyncStub
    from oms.orders.v1.orders_service_pb2_grpc import OrdersServiceAsyncStub
    from oms.orders.v1.tracking_service_pb2_grpc import TrackingServiceAsyncStub
    from oms.orders.v1.trial_service_pb2_grpc import TrialServiceAsyncStub
    from oms.payments.v1.payments_service_pb2_grpc import PaymentsServiceAsyncStub
    from oms.payments.v1.stored_value_service_pb2_grpc import StoredValueServiceAsyncStub
    from oms.promise.v1.capacity_service_pb2_grpc import CapacityServiceAsyncStub
    from oms.promise.v1.promise_service_pb2_grpc import PromiseServiceAsyncStub
    from oms.promise.v1.ruleset_service_pb2_grpc import RulesetServiceAsyncStub

T = TypeVar("T")

NEAR, MID, FAR = "NEAR", "MID", "FAR"
# In the town of NEAR, where whoever collects can go instead.
BESIDE, ACROSS = "BESIDE", "ACROSS"
MET = "VAN-MET"
HOME = types.Destination(country="FR", postcode="75011")
PRICE_MINOR = 2500
SHIPPING_MINOR = 490
PATIENCE_SECONDS = 60.0
# How long a point has to answer where points compete.
RING_SECONDS = 300
ENGRAVED = inv.PersonalisationField(
    name="engraved_name", max_characters=12, capability="engraving", work_minutes=30
)
VISA = "pm_card_visa"
PREPARED = (
    pb.FULFILMENT_STATE_HANDED_OVER,
    pb.FULFILMENT_STATE_DELIVERED,
    pb.FULFILMENT_STATE_LOST,
    pb.FULFILMENT_STATE_DAMAGED,
    pb.FULFILMENT_STATE_RETURNING,
    pb.FULFILMENT_STATE_RETURNED,
)


async def until(check: Callable[[], Awaitable[T]], what: str = "") -> T:
    """The first true answer of `check`, which is asked less often the longer it takes: who asks is served too."""
    deadline, pause = time.monotonic() + PATIENCE_SECONDS, 0.02
    while not (answer := await check()):
        assert time.monotonic() < deadline, f"never came: {what or check}"
        await asyncio.sleep(pause)
        pause = min(1.3 * pause, 0.15)
    return answer


def _mode(
    booking: str, collect_at: str, *, reserved: bool, sent: bool, locker: bool
) -> "types.DeliveryMode.ValueType":
    if booking:
        return types.DELIVERY_MODE_APPOINTMENT
    if reserved:
        return types.DELIVERY_MODE_E_RESERVATION
    if sent:
        return types.DELIVERY_MODE_SHIP_TO_STORE
    if locker:
        return types.DELIVERY_MODE_STORE_LOCKER
    return types.DELIVERY_MODE_CLICK_AND_COLLECT if collect_at else types.DELIVERY_MODE_HOME_STANDARD


def order_lines(lines: Mapping[str, int], *, free: bool = False) -> list[pb.OrderLine]:
    """Lines of these quantities by SKU; the first bears the delivery fee."""
    return [
        pb.OrderLine(
            line_number=number,
            sku=sku,
            brand="Brume",
            title=sku,
            quantity=quantity,
            net_minor=0 if free else PRICE_MINOR * quantity,
            shipping_minor=SHIPPING_MINOR if number == 1 and not free else 0,
        )
        for number, (sku, quantity) in enumerate(lines.items(), start=1)
    ]


def total_of(rows: Sequence[pb.OrderLine]) -> types.Money:
    """What the lines come to."""
    total = sum(row.net_minor + row.tax_minor + row.shipping_minor for row in rows)
    return types.Money(amount_minor=total, currency="EUR")


@dataclass
class World:
    """Where everything is."""

    client: Client
    clock: TimeSkipper
    task_queue: str
    faults: Faults
    provider: RunningProvider
    inventory: "InventoryServiceAsyncStub"
    baskets: "BasketServiceAsyncStub"
    shelf: "ShelfServiceAsyncStub"
    supply: "SupplyServiceAsyncStub"
    promise: "PromiseServiceAsyncStub"
    rulesets: "RulesetServiceAsyncStub"
    capacity: "CapacityServiceAsyncStub"
    orders: "OrdersServiceAsyncStub"
    changes: "ChangeServiceAsyncStub"
    tracking: "TrackingServiceAsyncStub"
    trials: "TrialServiceAsyncStub"
    collections: "CollectionServiceAsyncStub"
    consolidation: "ConsolidationServiceAsyncStub"
    offers: "OffersServiceAsyncStub"
    payments: "PaymentsServiceAsyncStub"
    stored_value: "StoredValueServiceAsyncStub"
    booking: "BookingServiceAsyncStub"
    # What orders does by itself at an instant, for all orders that wait for one before it.
    watch: Callable[[datetime], Awaitable[None]]
    # What orders asks of these lockers, by their point.
    lockers: Callable[[Mapping[str, Bank]], Depositing]
    # (order id, type) of every event that the stories were told.
    told: set[tuple[str, str]]

    async def stock(
        self, units: Mapping[str, int], *, release_date: str = "", field: inv.PersonalisationField = ENGRAVED
    ) -> str:
        """A new article with this stock by point, known to the planner; a name may be engraved on it."""
        sku = f"SKU-{uuid4().hex[:10]}"
        item = inv.Item(
            sku=sku,
            title=sku,
            brand="Brume",
            weight_grams=400,
            release_date=release_date,
            personalisations=[field],
        )
        await self.inventory.PutItems(inv.PutItemsRequest(items=[item]))
        deltas = [
            inv.StockDelta(sku=sku, point_id=point, quantity=count) for point, count in units.items() if count
        ]
        await self.inventory.AdjustStock(
            inv.AdjustStockRequest(
                request_id=f"receipt/{sku}",
                deltas=deltas,
                cause=inv.Cause(cause="receipt", actor="test", source="test"),
            )
        )

        await self.is_promised(sku, sum(units.values()))
        return sku

    async def expect(self, sku: str, quantity: int, point: str = NEAR, days: int = 5) -> str:
        """A delivery of the article that comes within so many days, known to the planner."""
        delivery = sup.ExpectedDelivery(
            delivery_id=f"po-{uuid4().hex[:10]}",
            sku=sku,
            point_id=point,
            kind=sup.EXPECTED_KIND_ON_ORDER,
            quantity=quantity,
        )
        await self.put_expected(delivery, days)
        return delivery.delivery_id

    async def put_expected(self, delivery: sup.ExpectedDelivery, days: int) -> sup.ExpectedDelivery:
        """The delivery comes in so many days."""
        delivery.from_date = delivery.until_date = (now() + timedelta(days=days)).date().isoformat()
        await self.supply.PutExpectedDeliveries(sup.PutExpectedDeliveriesRequest(deliveries=[delivery]))
        return delivery

    async def expected(self, delivery_id: str) -> sup.ExpectedDelivery:
        asked = sup.ListExpectedDeliveriesRequest(delivery_ids=[delivery_id])
        (found,) = (await self.supply.ListExpectedDeliveries(asked)).deliveries
        return found

    async def bring(self, sku: str, point: str, units: int) -> None:
        """So many more units lie there, and the planner knows."""
        delta = inv.StockDelta(sku=sku, point_id=point, quantity=units)
        cause = inv.Cause(cause="receipt", actor="store", source="test")
        asked = inv.AdjustStockRequest(request_id=uuid4().hex, deltas=[delta], cause=cause)
        await self.inventory.AdjustStock(asked)
        await self.is_promised(sku, units)

    async def receive(self, delivery_id: str, quantity: int, *, close: bool = False) -> None:
        """Units of the delivery arrive; `close`: no more will."""
        request = sup.ReceiveExpectedDeliveryRequest(
            request_id=uuid4().hex,
            delivery_id=delivery_id,
            quantity=quantity,
            actor="dock",
            source="test",
            close=close,
        )
        await self.supply.ReceiveExpectedDelivery(request)

    async def cancel_expected(self, delivery_id: str) -> None:
        """Nothing of the delivery will come."""
        request = sup.CancelExpectedDeliveryRequest(
            request_id=uuid4().hex, delivery_id=delivery_id, reason="the supplier has none"
        )
        await self.supply.CancelExpectedDelivery(request)

    async def adjust(self, sku: str, point: str, quantity: int) -> None:
        """So many units more lie at the point."""
        await self.inventory.AdjustStock(
            inv.AdjustStockRequest(
                request_id=uuid4().hex,
                deltas=[inv.StockDelta(sku=sku, point_id=point, quantity=quantity)],
                cause=inv.Cause(cause="receipt", actor="test", source="test"),
            )
        )

    async def is_promised(self, sku: str, quantity: int, *, is_so: bool = True, may_wait: bool = False) -> None:
        """Returns when the planner, a moment behind the stock, has so many units of the article, or no longer."""

        async def look() -> bool:
            try:
                reply = await self.promise.Quote(
                    prm.QuoteRequest(
                        channel_id="web",
                        destination=types.Destination(country="FR", postcode="75011"),
                        lines=[prm.BasketLine(line_number=1, sku=sku, quantity=quantity)],
                        may_wait=may_wait,
                    )
                )
            except InvalidArgument:
                return False  # it has not heard of the channel yet
            return bool(reply.options) is is_so

        await until(look, f"{quantity} of {sku} at the planner: {is_so}")

    async def lay_aside(self, basket: str, lines: Mapping[str, int]) -> bool:
        """A customer's basket holds these quantities by SKU; False when they are not there."""
        reply = await self.baskets.HoldBasket(
            bsk.HoldBasketRequest(
                request_id=uuid4().hex,
                channel_id="web",
                basket_id=basket,
                lines=[bsk.BasketLine(sku=sku, quantity=quantity) for sku, quantity in lines.items()],
            )
        )
        return reply.held

    async def in_basket(self, basket: str) -> dict[str, int]:
        """What it holds, by SKU."""
        reply = await self.baskets.GetBasket(bsk.GetBasketRequest(channel_id="web", basket_id=basket))
        return {line.sku: line.quantity for line in reply.basket.lines}

    async def slots(self, capacity: int = 1) -> list[bkg.Slot]:
        """Of a pattern of its own, one a day from four days on."""
        pattern = bkg.SlotPattern(
            pattern_id=f"met-{uuid4().hex[:8]}",
            carrier_id="VAN",
            service_id=MET,
            country="FR",
            weekdays=range(1, 8),
            from_minute=540,
            until_minute=660,
            time_zone="Europe/Paris",
            capacity=capacity,
            valid_from="2026-01-01",
        )
        await self.booking.PutSlotPatterns(bkg.PutSlotPatternsRequest(patterns=[pattern], actor="test"))
        first = now().date() + timedelta(days=4)
        asked = bkg.ListSlotsRequest(
            carrier_id="VAN",
            service_id=MET,
            from_date=first.isoformat(),
            until_date=(first + timedelta(days=10)).isoformat(),
        )
        found = (await self.booking.ListSlots(asked)).slots
        return [slot for slot in found if slot.slot_id.startswith(pattern.pattern_id)]

    async def hold_slot(self, slot: bkg.Slot, channel: str = "web", **other: Any) -> bkg.Booking:
        """A customer of the shop is about to order."""
        asked = bkg.HoldSlotRequest(
            request_id=uuid4().hex, slot_id=slot.slot_id, channel_id=channel, destination=HOME, **other
        )
        return (await self.booking.HoldSlot(asked)).booking

    async def booked(self, booking_id: str) -> bkg.Booking:
        return (await self.booking.GetBooking(bkg.GetBookingRequest(booking_id=booking_id))).booking

    async def taken(self, slot: bkg.Slot) -> int:
        return (await self.booking.GetSlot(bkg.GetSlotRequest(slot_id=slot.slot_id))).slot.taken

    async def move_appointment(self, order_id: str, slot: bkg.Slot) -> pb.Appointment:
        """The customer wants another slot; returns when that has an outcome."""
        asked = pb.RequestAppointmentMoveRequest(
            request_id=uuid4().hex,
            order_id=order_id,
            slot=pb.AppointmentSlot(slot_id=slot.slot_id, date=slot.date, window=slot.window),
            actor="customer",
        )
        await self.orders.RequestAppointmentMove(asked)
        return await self.appointment_in(order_id, "booked", "missed")

    async def appointment_in(self, order_id: str, *states: str) -> pb.Appointment:
        """The order's appointment, once it is in one of these states."""

        async def look() -> pb.Appointment | None:
            appointment = (await self.order(order_id)).appointment
            return appointment if appointment.state in states else None

        found = await until(look, f"{order_id}: {states}")
        assert found
        return found

    async def miss(self, booking_id: str) -> None:
        """The carrier comes in time and meets nobody."""
        booked = await self.booked(booking_id)
        await self.booking.RecordMissed(
            bkg.RecordMissedRequest(
                request_id=uuid4().hex,
                booking_id=booking_id,
                reason="not_at_home",
                actor="VAN",
                as_of=booked.window.end,
            )
        )

    async def record(
        self,
        lines: Mapping[str, int],
        *,
        channel: str = "web",
        token: str = VISA,
        key: str = "",
        payment: pb.PaymentTerms | None = None,
        free: bool = False,
        basket: str = "",
        booking: str = "",
        taken: Mapping[str, int] | None = None,
        customer_id: str = "",
        may_wait: bool = False,
        engraved: str = "",
        collect_at: str = "",
        reserved: bool = False,
        sent: bool = False,
        locker: bool = False,
        substitutes: bool = False,
    ) -> pb.RecordOrderResponse:
        """An order of these quantities by SKU, recorded and nothing more. `taken` is taken along from NEAR.

        `collect_at`: the customer collects it there, paid before or, `reserved`, at the till; `sent`: other points
        send it there; `locker`: he opens it there himself.

        `engraved`: on the units of the first line. `substitutes`: other articles may be given instead.
        """
        rows = order_lines(lines, free=free)
        for row in rows:
            row.allow_substitutes = substitutes
        if reserved:
            rows[0].shipping_minor = 0
        if engraved:
            rows[0].personalisations.add(name=ENGRAVED.name, text=engraved)
        rows += [
            pb.OrderLine(
                line_number=number,
                sku=sku,
                brand="Brume",
                title=sku,
                quantity=quantity,
                net_minor=0 if free else PRICE_MINOR * quantity,
                taken_at_point_id=NEAR,
            )
            for number, (sku, quantity) in enumerate((taken or {}).items(), start=len(rows) + 1)
        ]
        content = pb.OrderContent(
            channel_id=channel,
            customer=pb.Customer(
                customer_id=customer_id,
                name="Ada Planted",
                email="ada@planted.example",
                phone="+33600000000",
            ),
            ship_to=pb.Address(
                name="Ada Planted",
                street_lines=["1 rue Plantée"],
                postcode="75011",
                city="Paris",
                country="FR",
            ),
            lines=rows,
            total=total_of(rows),
            mode=_mode(booking, collect_at, reserved=reserved, sent=sent, locker=locker),
            collect_at_point_id=collect_at,
            booking_id=booking,
            payment=None if reserved else payment or pb.PaymentTerms(payment_method_token=token),
            basket_id=basket,
            may_wait=may_wait,
        )
        return await self.orders.RecordOrder(
            pb.RecordOrderRequest(idempotency_key=key or uuid4().hex, content=content, placed_at=to_proto(now()))
        )

    async def place(self, recorded: pb.RecordOrderResponse) -> Placement | None:
        """Starts the story and waits for the outcome of placement.

        On a busy machine the story may have ended before its answer came: then the order says it.
        """
        wait = timedelta(seconds=PATIENCE_SECONDS)
        placement = await place(self.clock.client, recorded.facts, wait, self.task_queue)
        if placement:
            return placement

        async def acted_on() -> pb.Order | None:
            order = await self.order(recorded.order.order_id)
            return None if order.state == pb.ORDER_STATE_RECORDED else order

        order = await until(acted_on, "an outcome of placement")
        assert order is not None
        if order.state == pb.ORDER_STATE_REFUSED:
            return Placement("refused", refusal=Refusal(order.refusal.reason, order.refusal.detail))
        gone = (pb.ORDER_STATE_CANCELLING, pb.ORDER_STATE_CANCELLED)
        if order.state == pb.ORDER_STATE_ACTION_REQUIRED:
            return Placement("action_required", next_action_url=order.next_action_url)
        return Placement("cancelling" if order.state in gone else "validated")

    async def order(self, order_id: str) -> pb.Order:
        return (await self.orders.GetOrder(pb.GetOrderRequest(order_id=order_id))).order

    async def payment(self, order_id: str) -> pay.Payment:
        return (await self.payments.GetPayment(pay.GetPaymentRequest(order_id=order_id))).payment

    def story(self, order_id: str) -> WorkflowHandle[Any, str]:
        return self.client.get_workflow_handle(order_workflow_id(order_id), result_type=str)

    def work_story(self, fulfilment_id: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(f"fulfilment/{fulfilment_id}")

    async def ended(self, order_id: str) -> str:
        """The state that the story ended in."""
        return await asyncio.wait_for(self.story(order_id).result(), PATIENCE_SECONDS)

    # What people do.

    async def has_told(self, order_id: str, event: str) -> None:
        """Waits until the stories have been told of it, and so of all before it."""

        async def look() -> bool:
            return (order_id, event) in self.told

        await until(look, f"{order_id}: {event}")

    async def work_in(
        self, order_id: str, state: "pb.FulfilmentState.ValueType", *, not_in: tuple[str, ...] = ()
    ) -> pb.Fulfilment:
        """The order's first fulfilment that reaches this state."""

        async def look() -> pb.Fulfilment | None:
            rows = (await self.order(order_id)).fulfilments
            return next((row for row in rows if row.state == state and row.fulfilment_id not in not_in), None)

        found = await until(look, f"{order_id}: {pb.FulfilmentState.Name(state)}")
        assert found
        return found

    async def accept(self, order_id: str) -> pb.Fulfilment:
        work = await self.work_in(order_id, pb.FULFILMENT_STATE_OFFERED)
        request = pb.AcceptOfferRequest(
            request_id=f"accept/{work.fulfilment_id}", fulfilment_id=work.fulfilment_id, actor="store"
        )
        return (await self.orders.AcceptOffer(request)).fulfilment

    async def refuse(self, order_id: str, reason: str = "no_time") -> pb.Fulfilment:
        work = await self.work_in(order_id, pb.FULFILMENT_STATE_OFFERED)
        request = pb.RefuseOfferRequest(
            request_id=f"refuse/{work.fulfilment_id}",
            fulfilment_id=work.fulfilment_id,
            reason=reason,
            actor="store",
        )
        return (await self.orders.RefuseOffer(request)).fulfilment

    async def asked_for(self, order_id: str, *points: str) -> str:
        """Waits until these points, and no others, have an open offer of the order; the id of the work."""

        async def look() -> str:
            asked = ofr.ListOffersRequest(order_id=order_id, states=[ofr.OFFER_STATE_OPEN])
            found = (await self.offers.ListOffers(asked)).offers
            return found[0].fulfilment_id if {one.point_id for one in found} == set(points) else ""

        return await until(look, f"{order_id} offered to {points}")

    async def take(self, fulfilment_id: str, point: str) -> pb.Claim | None:
        """A point takes work that several were offered; what is to be settled, if its stock is elsewhere."""
        request = pb.AcceptOfferRequest(
            request_id=f"accept/{fulfilment_id}/{point}",
            fulfilment_id=fulfilment_id,
            actor=point,
            reach=pb.Reach(point_ids=[point]),
        )
        reply = await self.orders.AcceptOffer(request)
        return reply.claim if reply.HasField("claim") else None

    async def move(self, claim: pb.Claim) -> bool:
        """What the gateway does with a claim: its units go to its point; False when they are not there."""
        moves = [
            inv.HoldMove(
                sku=line.sku,
                from_point_id=claim.from_point_id,
                to_point_id=claim.to_point_id,
                quantity=line.quantity,
            )
            for line in claim.lines
        ]
        request = inv.MoveReservationRequest(
            request_id=f"move/{claim.claim_id}", reservation_id=claim.order_id, moves=moves
        )
        return (await self.inventory.MoveReservation(request)).moved

    async def settle(self, claim: pb.Claim, *, held: bool) -> ofr.SettleClaimResponse:
        request = ofr.SettleClaimRequest(
            request_id=f"settle/{claim.claim_id}/{'held' if held else 'not-there'}",
            fulfilment_id=claim.fulfilment_id,
            claim_id=claim.claim_id,
            held=held,
        )
        return await self.offers.SettleClaim(request)

    async def win(self, fulfilment_id: str, point: str) -> bool:
        """A point takes the work, as over the gateway; False when its units are not there."""
        claim = await self.take(fulfilment_id, point)
        if claim is None:
            return True
        held = await self.move(claim)
        return (await self.settle(claim, held=held)).state == ofr.OFFER_STATE_ACCEPTED

    async def decline(self, fulfilment_id: str, point: str, reason: str = "no_time") -> None:
        """A point does not take work that several were offered."""
        request = pb.RefuseOfferRequest(
            request_id=f"refuse/{fulfilment_id}/{point}",
            fulfilment_id=fulfilment_id,
            reason=reason,
            actor=point,
            reach=pb.Reach(point_ids=[point]),
        )
        await self.orders.RefuseOffer(request)

    async def assign(self, fulfilment_id: str, point: str) -> pb.Claim:
        """A person gives work that nobody took to a point that is not the planned one."""

        async def unclaimed() -> bool:
            asked = pb.GetFulfilmentRequest(fulfilment_id=fulfilment_id)
            return (await self.orders.GetFulfilment(asked)).fulfilment.HasField("unclaimed_since")

        await until(unclaimed, f"{fulfilment_id} waits for a person")
        request = ofr.AssignWorkRequest(
            request_id=f"assign/{fulfilment_id}", fulfilment_id=fulfilment_id, point_id=point, actor="eve"
        )
        return (await self.offers.AssignWork(request)).claim

    async def prepare(self, order_id: str) -> None:
        """Whoever has the work picks, packs and hands over; the carrier delivers."""
        work = await self.work_in(order_id, pb.FULFILMENT_STATE_ACCEPTED)
        work = await self.pack(await self.pick(work))
        await self.parcel_paid(work.fulfilment_id)
        await self.deliver(await self.hand_over(work))

    async def pick(self, work: pb.Fulfilment, missing: int = 0) -> pb.Fulfilment:
        """Finds all but `missing` units, which lack from the first line."""
        found = [
            pb.PlannedLine(
                line_number=line.line_number,
                sku=line.sku,
                quantity=line.quantity - (missing if i == 0 else 0),
            )
            for i, line in enumerate(work.lines)
        ]
        request = pb.RecordPickRequest(
            request_id=f"pick/{work.fulfilment_id}",
            fulfilment_id=work.fulfilment_id,
            found=found,
            actor="store",
        )
        return (await self.orders.RecordPick(request)).fulfilment

    async def begin_engraving(self, work: pb.Fulfilment) -> pb.Fulfilment:
        request = pb.BeginPersonalisationRequest(
            request_id=f"engrave/{work.fulfilment_id}", fulfilment_id=work.fulfilment_id, actor="store"
        )
        return (await self.orders.BeginPersonalisation(request)).fulfilment

    async def spoil(self, work: pb.Fulfilment, quantity: int = 1, line_number: int = 0) -> pb.Fulfilment:
        """Units of a line, else of the first, are damaged by it."""
        number = line_number or work.lines[0].line_number
        spoiled = [pb.PlannedLine(line_number=number, quantity=quantity)]
        request = pb.ReportSpoiledRequest(
            request_id=uuid4().hex, fulfilment_id=work.fulfilment_id, spoiled=spoiled, actor="store"
        )
        return (await self.orders.ReportSpoiled(request)).fulfilment

    async def engrave(self, work: pb.Fulfilment) -> pb.Fulfilment:
        await self.begin_engraving(work)
        return await self.complete_engraving(work)

    async def complete_engraving(self, work: pb.Fulfilment) -> pb.Fulfilment:
        request = pb.CompletePersonalisationRequest(
            request_id=f"engraved/{work.fulfilment_id}", fulfilment_id=work.fulfilment_id, actor="store"
        )
        return (await self.orders.CompletePersonalisation(request)).fulfilment

    async def pack(self, work: pb.Fulfilment) -> pb.Fulfilment:
        request = pb.CloseParcelRequest(
            request_id=f"pack/{work.fulfilment_id}",
            fulfilment_id=work.fulfilment_id,
            weight_grams=500,
            actor="store",
        )
        return (await self.orders.CloseParcel(request)).fulfilment

    async def parcel_paid(self, fulfilment_id: str, *states: str) -> None:
        """Waits until the parcel's money has come to one of these states."""

        async def look() -> bool:
            request = pb.GetFulfilmentRequest(fulfilment_id=fulfilment_id)
            parcel = (await self.orders.GetFulfilment(request)).fulfilment.parcel
            return parcel.capture_state in (states or ("captured", "not_needed", "overridden"))

        await until(look, f"{fulfilment_id}: {states}")

    async def hand_over(self, work: pb.Fulfilment, at: datetime | None = None) -> pb.Fulfilment:
        request = pb.HandOverRequest(
            request_id=f"hand-over/{work.fulfilment_id}",
            fulfilment_id=work.fulfilment_id,
            actor="store",
            as_of=to_proto(at) if at else None,
        )
        return (await self.orders.HandOver(request)).fulfilment

    async def deliver(self, work: pb.Fulfilment) -> None:
        await self.scan(work, "delivered")

    async def scan(self, work: pb.Fulfilment, status: str) -> pb.Fulfilment:
        """The carrier says this of the parcel."""
        reply = await self.orders.RecordCarrierEvent(
            pb.RecordCarrierEventRequest(
                request_id=f"{status}/{work.fulfilment_id}",
                carrier_id=work.carrier_id,
                tracking_code=work.parcel.tracking_code,
                status=status,
                occurred_at=to_proto(now()),
            )
        )
        return reply.fulfilment

    async def decide(self, work: pb.Fulfilment, decision: str) -> pb.Fulfilment:
        """Customer service says what becomes of the units of a lost parcel."""
        request = trk.DecideLostParcelRequest(
            request_id=f"decide/{work.fulfilment_id}",
            fulfilment_id=work.fulfilment_id,
            decision=decision,
            actor="service",
        )
        return (await self.tracking.DecideLostParcel(request)).fulfilment

    async def work_at(
        self, order_id: str, point: str, state: "pb.FulfilmentState.ValueType" = pb.FULFILMENT_STATE_OFFERED
    ) -> pb.Fulfilment:
        """The order's newest work at the point, once it is in this state."""

        async def look() -> pb.Fulfilment | None:
            rows = [row for row in (await self.order(order_id)).fulfilments if row.point_id == point]
            return rows[-1] if rows and rows[-1].state == state else None

        found = await until(look, f"{order_id} at {point}: {pb.FulfilmentState.Name(state)}")
        assert found
        return found

    async def send_on(self, order_id: str, point: str) -> pb.Fulfilment:
        """The point prepares and hands over what it has of the order; the parcel is on its way."""
        work = await self.work_at(order_id, point)
        asked = pb.AcceptOfferRequest(
            request_id=f"accept/{work.fulfilment_id}", fulfilment_id=work.fulfilment_id, actor="store"
        )
        work = await self.pack(await self.pick((await self.orders.AcceptOffer(asked)).fulfilment))
        await self.parcel_paid(work.fulfilment_id)
        return await self.hand_over(work)

    async def arrive(self, work: pb.Fulfilment, missing: int = 0) -> pb.Fulfilment:
        """The hub opens a parcel: all is there but `missing` units of its first line."""
        units = [
            cns.ArrivedUnits(line_number=line.line_number, quantity=line.quantity - (0 if i else missing))
            for i, line in enumerate(work.lines)
        ]
        asked = cns.ReceiveParcelRequest(
            request_id=f"arrive/{work.fulfilment_id}",
            fulfilment_id=work.fulfilment_id,
            units=units,
            actor="hub",
        )
        return (await self.consolidation.ReceiveParcel(asked)).fulfilment

    async def hand_over_all(self, order_id: str, missing: int = 0) -> pb.Fulfilment:
        """The point accepts, picks, packs and hands over; the parcel is on its way."""
        work = await self.pack(await self.pick(await self.accept(order_id), missing))
        await self.parcel_paid(work.fulfilment_id)
        return await self.hand_over(work)

    async def ship(self, order_id: str, missing: int = 0) -> None:
        """The point accepts, picks, packs and hands over; the carrier delivers."""
        await self.deliver(await self.hand_over_all(order_id, missing))

    async def cancel(self, order_id: str) -> None:
        await self.orders.RequestCancellation(
            pb.RequestCancellationRequest(
                request_id=f"cancel/{order_id}", order_id=order_id, reason="changed my mind", actor="customer"
            )
        )

    async def cancel_lines(self, order_id: str, units: Mapping[int, int]) -> pb.OrderChange:
        """The customer does not want so many units, by line number."""
        request = chg.CancelLinesRequest(
            request_id=uuid4().hex,
            order_id=order_id,
            lines=[pb.PlannedLine(line_number=number, quantity=count) for number, count in units.items()],
            reason="too many",
            actor="customer",
            roles=["channel"],
        )
        return (await self.changes.CancelLines(request)).change

    async def plan_again(self, order_id: str, point: str = "") -> pb.OrderChange:
        """Customer service does not want the order to wait any more, or its work to be done at this point."""
        request = chg.PlanAgainRequest(request_id=uuid4().hex, order_id=order_id, actor="service", point_id=point)
        return (await self.changes.PlanAgain(request)).change

    async def propose(self, order_id: str, lines: Mapping[str, int], **terms: Any) -> pb.OrderChange:
        """The customer wants these quantities by SKU instead."""
        rows = order_lines(lines)
        request = chg.ProposeChangeRequest(
            request_id=uuid4().hex,
            order_id=order_id,
            lines=rows,
            total=total_of(rows),
            mode=types.DELIVERY_MODE_HOME_STANDARD,
            actor="customer",
            roles=["channel"],
            **terms,
        )
        return (await self.changes.ProposeChange(request)).change

    async def decide_trial(self, order_id: str, returns: Mapping[int, int]) -> pb.Trial:
        """The customer says how many units come back, by line number."""
        lines = [pb.PlannedLine(line_number=number, quantity=count) for number, count in returns.items()]
        request = tri.DecideTrialRequest(
            request_id=uuid4().hex, order_id=order_id, returns=lines, actor="customer"
        )
        return (await self.trials.DecideTrial(request)).trial

    async def give_back(
        self, order_id: str, units: Mapping[int, int], at: str = "", when: datetime | None = None
    ) -> pb.Trial:
        """So many units, by line number, are at a point again, or with a carrier; now, or since then."""
        lines = [pb.PlannedLine(line_number=number, quantity=count) for number, count in units.items()]
        request = tri.GiveUnitsBackRequest(
            request_id=uuid4().hex,
            order_id=order_id,
            lines=lines,
            point_id=at,
            actor="store",
            as_of=to_proto(when) if when else None,
        )
        return (await self.trials.GiveUnitsBack(request)).trial

    async def holds_of(self, sku: str) -> dict[str, int]:
        """Units that are held, by point."""
        balances = (await self.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
        return {row.point_id: row.reserved for row in balances if row.reserved}

    async def change_in(self, order_id: str, state: str) -> pb.OrderChange:
        """The newest change, once it is settled and in this state."""

        async def look() -> pb.OrderChange | None:
            newest = (await self.order(order_id)).changes[-1]
            return newest if newest.settled and newest.state != "proposed" else None

        found = await until(look, f"{order_id}: the change is decided")
        assert found
        assert found.state == state, found
        # Answered once the story is back at its wait: what makes time pass must not overtake it.
        await self.story(order_id).query("blocked_by")
        return found

    async def hold(self, order_id: str, **terms: Any) -> pb.Hold:
        """Customer service stops the order."""
        request = pb.PlaceHoldRequest(
            request_id=uuid4().hex, order_id=order_id, reason="she calls back", actor="service", **terms
        )
        return (await self.orders.PlaceHold(request)).hold

    async def let_go(self, order_id: str, hold_id: str, *, refused: bool = False) -> None:
        """Somebody lets the order, or its work, go on; or decides against it."""
        about: Any = {"request_id": uuid4().hex, "order_id": order_id, "hold_id": hold_id, "reason": "so decided"}
        about |= {"actor": "service", "roles": ["customer_service"]}
        if refused:
            await self.orders.RefuseHold(pb.RefuseHoldRequest(**about))
        else:
            await self.orders.ReleaseHold(pb.ReleaseHoldRequest(**about))

    async def extend(self, order_id: str, hold_id: str, until_: datetime) -> None:
        """Customer service gives a hold another date."""
        about: Any = {"request_id": uuid4().hex, "order_id": order_id, "hold_id": hold_id, "reason": "she is away"}
        about |= {"actor": "service", "roles": ["customer_service"], "until": to_proto(until_)}
        await self.orders.ExtendHold(pb.ExtendHoldRequest(**about))

    async def cools_off(self, order_id: str) -> None:
        """Cooling-off is over, and no more time has passed: work that begins then has all of its own."""
        until_ = (await self.order(order_id)).cooling_off_until.ToDatetime(UTC)
        await self.clock.fast_forward(self.story(order_id), until_ - now())

    async def hold_of(self, order_id: str, kind: str) -> pb.Hold:
        """The open hold of this kind, once there is one."""

        async def look() -> pb.Hold | None:
            holds = (await self.order(order_id)).holds
            return next((one for one in holds if one.kind == kind and not one.HasField("ended_at")), None)

        found = await until(look, f"{order_id}: held for {kind}")
        assert found
        return found

    async def order_paid(self, order_id: str, state: str) -> pb.Charge:
        """Waits until the money of the whole order has come to this state."""

        async def look() -> pb.Charge | None:
            charge = (await self.order(order_id)).charge
            return charge if charge.capture_state == state else None

        found = await until(look, f"{order_id}: {state}")
        assert found
        return found

    async def override(self, order_id: str, fulfilment_id: str = "") -> None:
        """Somebody lets the parcel, or the whole order, go without its money."""
        await self.orders.RecordCapture(
            pb.RecordCaptureRequest(
                request_id=f"override/{order_id}/{fulfilment_id}",
                fulfilment_id=fulfilment_id,
                order_id="" if fulfilment_id else order_id,
                capture_state="overridden",
                reason="a good customer",
                actor="finance",
            )
        )

    async def retry_capture(self, order_id: str, fulfilment_id: str = "") -> None:
        await self.orders.RetryCapture(
            pb.RetryCaptureRequest(
                request_id=uuid4().hex,
                fulfilment_id=fulfilment_id,
                order_id="" if fulfilment_id else order_id,
                actor="service",
            )
        )

    async def give_up(self, fulfilment_id: str) -> None:
        """The parcel's money cannot be had: its units are not sent."""
        await self.orders.GiveUpParcel(
            pb.GiveUpParcelRequest(
                request_id=f"give-up/{fulfilment_id}",
                fulfilment_id=fulfilment_id,
                reason="the card was stolen",
                actor="service",
            )
        )

    async def refund(self, order_id: str, **wish: Any) -> pb.Refund:
        """Customer service gives money back."""
        request = pb.RequestRefundRequest(
            request_id=uuid4().hex,
            order_id=order_id,
            actor="service",
            roles=["customer_service"],
            **{"reason_code": "other", **wish},
        )
        return (await self.orders.RequestRefund(request)).refund

    async def retry_refund(self, refund: pb.Refund) -> None:
        request = pb.RetryRefundRequest(
            request_id=uuid4().hex, order_id=refund.order_id, refund_id=refund.refund_id, actor="service"
        )
        await self.orders.RetryRefund(request)

    async def refunds_in(self, order_id: str, *states: str) -> list[pb.Refund]:
        """The order's refunds, once each of them is in one of these states."""

        async def look() -> pb.Order | None:
            order = await self.order(order_id)
            return order if all(one.state in states for one in order.refunds) else None

        found = await until(look, f"refunds of {order_id}: {states}")
        assert found
        return list(found.refunds)

    async def customer_confirms(self, order_id: str, choice: str) -> None:
        """The customer approves or refuses at the provider, which tells us."""
        await asyncio.to_thread(self.provider.act, order_id, choice)
        await self._tell_payments(order_id)

    async def waits_its_days(self, order_id: str) -> None:
        """The story has waited for as many days as it wants to, and no more time has passed."""

        async def look() -> timedelta | None:
            history = await self.story(order_id).fetch_history()
            timers = [
                one.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
                for one in history.events
                if one.HasField("timer_started_event_attributes")
            ]
            return next((one for one in reversed(timers) if one > timedelta(days=1)), None)

        wait = await until(look, f"{order_id}: waits for days")
        assert wait
        await self.clock.fast_forward(self.story(order_id), wait)

    async def declined(self, order_id: str, times: int) -> None:
        """Waits until so many authorisations were declined, and the order was told of each."""

        async def look() -> bool:
            timeline = (await self.orders.GetTimeline(pb.GetTimelineRequest(order_id=order_id))).entries
            return sum(one.kind == "order.payment_declined" for one in timeline) >= times

        await until(look, f"{order_id}: declined {times} times")

    async def pays_by_link(self, order_id: str) -> None:
        """Customer service sends a link, and the customer pays where it leads."""
        asked = pay.SendPaymentLinkRequest(
            request_id=uuid4().hex, order_id=order_id, lifetime_seconds=3600, actor="service"
        )
        link = (await self.payments.SendPaymentLink(asked)).tender.next_action_url
        opened = await self.payments.OpenPaymentLink(pay.OpenPaymentLinkRequest(token=link.rpartition("/")[2]))
        await asyncio.to_thread(self.provider.pay_page, opened.url)
        await self._tell_payments(order_id)

    async def paid_ahead(self, order_id: str, *statuses: "pay.PaymentStatus.ValueType") -> pay.Payment:
        """The payment, once it has come to one of these."""

        async def look() -> pay.Payment | None:
            payment = await self.payment(order_id)
            return payment if payment.status in statuses else None

        found = await until(look, f"{order_id}: {statuses}")
        assert found
        return found

    async def authorisation_ends(self, order_id: str) -> None:
        """The provider lets go of what it held, and tells us."""
        book = await asyncio.to_thread(self.provider.book, order_id)
        await asyncio.to_thread(self.provider.post, f"/v1/payment_intents/{book['id']}/cancel", {})
        await self._tell_payments(order_id)

    async def _tell_payments(self, order_id: str) -> None:
        for event in await asyncio.to_thread(self.provider.events, order_id):
            payload = json.dumps(event)
            await self.payments.ReceiveProviderEvent(
                pay.ReceiveProviderEventRequest(
                    provider="stripe",
                    payload=payload.encode(),
                    signature=sign(payload, WEBHOOK_SECRET, int(time.time())),
                )
            )

    # What must hold at the end.

    async def assert_settled(self, order_id: str, *, kept_minor: int, sold: Mapping[str, int]) -> None:
        """Holds are zero, money equals what was kept, and what was sold has left the stock that there was."""
        await self.refunds_in(order_id, "succeeded", "superseded")
        order = await self.order(order_id)
        assert {row.state for row in order.ranges} <= {"delivered", "cancelled", "lost", "returned"}
        for sku, units in sold.items():
            balances = (await self.inventory.ListBalances(inv.ListBalancesRequest(skus=[sku]))).balances
            assert sum(row.reserved for row in balances) == 0, "a hold is left"
            moved = (await self.inventory.ListMovements(inv.ListMovementsRequest(sku=sku))).movements
            assert -sum(row.on_hand_delta for row in moved if row.on_hand_delta < 0) == units
        await self.assert_money(order_id, kept_minor)
        await self.assert_room(order)

    async def assert_room(self, order: pb.Order) -> None:
        """The legs that were prepared, and no other, have their place in a day of their point.

        What came to the store where it is collected is put aside there, and not prepared.
        """
        reply = await self.capacity.ListTakings(cap.ListTakingsRequest(order_id=order.order_id))
        came = Counter[str]()
        for row in order.fulfilments:
            if row.state == pb.FULFILMENT_STATE_DELIVERED and row.joins:
                came[row.joins] += sum(line.quantity for line in row.lines)
        prepared = [
            row.point_id
            for row in order.fulfilments
            if row.state in PREPARED
            and not row.taken
            and not (row.collected and 0 < sum(line.quantity for line in row.lines) <= came[row.fulfilment_id])
        ]
        taken = sorted(one.point_id for one in reply.takings)
        assert taken == sorted(prepared), f"room is taken at {taken}, prepared was at {sorted(prepared)}: {order}"

    async def assert_money(self, order_id: str, kept_minor: int) -> None:
        """Captured less refunded is what the customer kept; nothing is left open."""
        try:
            payment = await self.payment(order_id)
        except NotFound:
            payment = pay.Payment()
        if payment.status == pay.PAYMENT_STATUS_PAID_BY_CHANNEL:
            return
        assert payment.status != pay.PAYMENT_STATUS_PENDING
        kept = payment.captured.amount_minor - payment.refunded.amount_minor
        assert kept == kept_minor, f"{order_id}: {kept} is kept, not {kept_minor}"
        assert payment.authorized.amount_minor == payment.captured.amount_minor + payment.voided.amount_minor
        # Whatever was authorised beside it: all of it together is kept once, or was paid by another means.
        books = await asyncio.to_thread(self.provider.books, order_id)
        assert sum(book["captured"] - book["refunded"] for book in books) in (0, kept_minor)

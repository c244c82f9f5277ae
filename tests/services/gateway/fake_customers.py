"""Orders by link: the token `open` has one on its way, others as tests put them."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import grpc

from kit import times
from kit.errors import NotFound
from oms.orders.v1 import customer_service_pb2 as pb
from oms.orders.v1.customer_service_pb2_grpc import CustomerServiceServicer, add_CustomerServiceServicer_to_server
from oms.type.v1 import type_pb2 as types

if TYPE_CHECKING:
    from tests.services.gateway.fakes import World

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def window(start: datetime, hours: float = 10) -> types.Window:
    return types.Window(start=times.to_proto(start), end=times.to_proto(start + timedelta(hours=hours)))


def units(*titles: str, quantity: int = 1) -> list[pb.CustomerUnits]:
    return [pb.CustomerUnits(line_number=i + 1, title=title, quantity=quantity) for i, title in enumerate(titles)]


def customer_order(**changes: Any) -> pb.CustomerOrder:
    """One parcel on its way, as promised."""
    made: Any = pb.CustomerOrder(
        order_id="ord_" + "0" * 32,
        channel_order_number="W-100234",
        channel_name="Web shop",
        brands=["Aubier"],
        customer_status="shipped",
        placed_at=times.to_proto(NOON),
        mode=types.DELIVERY_MODE_HOME_STANDARD,
        city="Lyon",
        country="FR",
        total=types.Money(amount_minor=105_480, currency="EUR"),
        step="on_its_way",
        promised=window(NOON + 2 * DAY),
        expected=window(NOON + 2 * DAY),
        parcels=[
            pb.CustomerParcel(
                stage="on_its_way",
                units=units("Wool coat, midnight blue, 38", "Scarf"),
                carrier_id="colisvite",
                tracking_code="6A123",
                promised=window(NOON + 2 * DAY),
                expected=window(NOON + 2 * DAY),
                handed_over_at=times.to_proto(NOON + DAY),
            )
        ],
    )
    for name, value in changes.items():
        if isinstance(value, list):
            made.ClearField(name)
            getattr(made, name).extend(value)
        elif hasattr(value, "DESCRIPTOR"):
            getattr(made, name).CopyFrom(value)
        else:
            setattr(made, name, value)
    return cast(pb.CustomerOrder, made)


class FakeCustomers(CustomerServiceServicer):
    def __init__(self, world: "World") -> None:
        self._world = world

    async def MakeCustomerLink(self, request: Any, context: Any) -> pb.MakeCustomerLinkResponse:
        self._world.note("MakeCustomerLink", request)
        return pb.MakeCustomerLinkResponse(
            url=f"http://shop.test/track/{request.order_id}.1.x", ends_at=request.ends_at
        )

    async def GetOrderOfLink(self, request: Any, context: Any) -> pb.GetOrderOfLinkResponse:
        self._world.note("GetOrderOfLink", request)
        if request.token not in self._world.linked:
            reason = {"ended": "LINK_ENDED", "erased": "LINK_ERASED"}.get(request.token, "LINK_UNKNOWN")
            raise NotFound(reason, "no order has this link")
        return pb.GetOrderOfLinkResponse(order=self._world.linked[request.token])


def register(world: "World", server: grpc.aio.Server) -> None:
    """Adds it to a server."""
    world.linked["open"] = customer_order()
    add_CustomerServiceServicer_to_server(FakeCustomers(world), server)

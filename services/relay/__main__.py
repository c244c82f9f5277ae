"""Starts the relay: wiring only."""

from contextlib import AsyncExitStack

import grpc
import uvloop

from kit import db, rpc, telemetry, temporal, times
from kit.feed import Bell
from kit.settings import ServiceSettings
from oms.outbox.v1.outbox_service_pb2_grpc import OutboxServiceStub
from oms.relay.v1.relay_service_pb2_grpc import add_RelayServiceServicer_to_server
from services.relay import delivering, routes
from services.relay.delivering import Deliverer
from services.relay.following import Follower, Source
from services.relay.rpc import RelayRpc
from services.relay.service import RelayService
from services.relay.signals import Signals
from services.relay.webhooks import Webhooks

_FORGET_EVERY_SECONDS = 3600


class RelaySettings(ServiceSettings):
    """Where the sources of events and Temporal answer."""

    inventory_address: str
    orders_address: str
    payments_address: str
    booking_address: str
    handover_address: str
    temporal_address: str
    temporal_namespace: str = "default"
    codec_keys: str

    @property
    def sources(self) -> dict[str, str]:
        """The services whose events are delivered, with their addresses."""
        return {
            "inventory": self.inventory_address,
            "orders": self.orders_address,
            "payments": self.payments_address,
            "booking": self.booking_address,
            "handover": self.handover_address,
        }


async def main() -> None:
    """Serves until it is told to stop."""
    settings = RelaySettings.model_validate({})
    telemetry.start("relay")
    bell = Bell()
    async with AsyncExitStack() as stack:
        engine = db.connect(settings.database_url, pool_size=12)
        stack.push_async_callback(engine.dispose)
        locks = db.connect(settings.database_url, pool_size=2 * len(settings.sources))
        stack.push_async_callback(locks.dispose)
        http = await stack.enter_async_context(delivering.client())
        client = await temporal.connect(
            settings.temporal_address, settings.temporal_namespace, settings.codec_keys, lazy=True
        )
        deliverer = Deliverer(engine, http, bell)
        consumers = (Webhooks(engine, bell), Signals(engine, client))
        followers = []
        sources = []
        for name, address in settings.sources.items():
            channel = await stack.enter_async_context(rpc.connect(address))
            source = Source(name, OutboxServiceStub(channel))
            sources.append(source)
            followers += [
                Follower(engine, locks, source, consumer)
                for consumer in consumers
                if consumer.name != Signals.name or name in routes.WAKING_SOURCES
            ]

        def register(server: grpc.aio.Server) -> None:
            add_RelayServiceServicer_to_server(RelayRpc(RelayService(engine, bell), sources), server)

        async def forget() -> None:
            await rpc.periodically(
                "forget_deliveries", _FORGET_EVERY_SECONDS, lambda: deliverer.forget_old(times.now())
            )

        await rpc.serve(
            settings.listen,
            register,
            background=[deliverer.run, forget, *(follower.run for follower in followers)],
        )


if __name__ == "__main__":
    uvloop.run(main())

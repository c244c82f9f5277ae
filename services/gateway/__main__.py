"""Wires the gateway: `python -m services.gateway`. The only reader of its environment."""

import asyncio
from pathlib import Path

import uvicorn
import uvloop

from kit import garbage, telemetry, temporal
from kit.settings import Settings
from services.gateway.app import Options, create_app
from services.gateway.auth import FileKeys, JwksKeys, Keys, TokenVerifier
from services.gateway.clients import Addresses, Clients


class GatewaySettings(Settings):
    """`OMS_...`; tokens are checked with `OMS_JWKS_URL` or, without it, `OMS_JWT_PUBLIC_KEY_FILE`."""

    inventory_address: str
    promise_address: str
    orders_address: str
    payments_address: str
    relay_address: str
    booking_address: str
    handover_address: str
    temporal_address: str
    temporal_namespace: str = "default"
    codec_keys: str
    jwks_url: str | None = None
    jwt_public_key_file: Path | None = None
    jwt_issuer: str = "oms-local"
    jwt_audience: str = "oms"
    placement_wait_seconds: float = 10.0
    quote_cooling_off_seconds: int = 1800


async def main() -> None:
    """Serves until SIGTERM or SIGINT."""
    settings = GatewaySettings()
    telemetry.start("gateway")
    verifier = TokenVerifier(_keys(settings), issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    addresses = Addresses(
        settings.inventory_address,
        settings.promise_address,
        settings.orders_address,
        settings.payments_address,
        settings.relay_address,
        settings.booking_address,
        settings.handover_address,
    )
    client = await temporal.connect(
        settings.temporal_address, settings.temporal_namespace, settings.codec_keys, lazy=True
    )
    options = Options(
        placement_wait_seconds=settings.placement_wait_seconds,
        quote_cooling_off_seconds=settings.quote_cooling_off_seconds,
    )
    app = create_app(Clients(addresses, client), verifier, options)
    host, _, port = settings.listen.rpartition(":")
    config = uvicorn.Config(
        app,
        host=host,
        port=int(port),
        # The logs of kit.telemetry; no line per request: traces tell more, and addresses stay out of logs.
        log_config=None,
        access_log=False,
        log_level="warning",
        server_header=False,
        # Longer than the minute after which load balancers drop what is idle: they are the first to close.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )
    garbage.settle_down()
    await uvicorn.Server(config).serve()


def _keys(settings: GatewaySettings) -> Keys:
    if settings.jwks_url:
        return JwksKeys(settings.jwks_url)
    if settings.jwt_public_key_file:
        return FileKeys(settings.jwt_public_key_file)
    raise SystemExit("set OMS_JWKS_URL or OMS_JWT_PUBLIC_KEY_FILE: tokens cannot be checked without a key")


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())

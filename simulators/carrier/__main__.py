"""Wiring: reads the environment and serves."""

import uvicorn
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit import telemetry
from simulators.carrier.app import create_app


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OMS_", extra="ignore")

    listen: str = "127.0.0.1:9201"
    carrier_state_file: str
    carrier_api_key: str
    carrier_webhook_secret: str
    # Where events are posted, by `{carrier}`; nowhere when it is empty.
    carrier_events_url: str = ""


def main() -> None:
    """Serves until it is told to stop."""
    telemetry.start("carrier")
    settings = _Settings.model_validate({})
    app = create_app(
        file=settings.carrier_state_file,
        api_key=settings.carrier_api_key,
        webhook_secret=settings.carrier_webhook_secret,
        events_url=settings.carrier_events_url,
    )
    host, _, port = settings.listen.rpartition(":")
    uvicorn.run(app, host=host, port=int(port), log_config=None, access_log=False, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()

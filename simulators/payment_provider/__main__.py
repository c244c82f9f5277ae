"""Wiring: reads the environment and serves."""

import uvicorn
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit import telemetry
from simulators.payment_provider.app import Config, create_app


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OMS_", extra="ignore")

    listen: str = "127.0.0.1:9200"
    state_file: str
    payment_provider_api_key: str
    payment_provider_webhook_secret: str
    provider_events_url: str = ""


def main() -> None:
    """Serves until it is told to stop."""
    telemetry.start("payment_provider")
    settings = _Settings.model_validate({})
    app = create_app(
        Config(
            state_file=settings.state_file,
            api_key=settings.payment_provider_api_key,
            webhook_secret=settings.payment_provider_webhook_secret,
            events_url=settings.provider_events_url,
        )
    )
    host, _, port = settings.listen.rpartition(":")
    uvicorn.run(app, host=host, port=int(port), log_config=None, access_log=False, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()

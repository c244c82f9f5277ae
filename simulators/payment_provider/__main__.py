"""Wiring: reads the environment and serves."""

import uvicorn
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit import telemetry
from simulators.payment_provider.app import create_app
from simulators.payment_provider.desk import Account
from simulators.payment_provider.profiles import BASIC, FULL


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OMS_", extra="ignore")

    listen: str = "127.0.0.1:9200"
    state_file: str
    payment_provider_api_key: str
    payment_provider_webhook_secret: str
    provider_events_url: str = ""
    # The account of fewer abilities; there is none without a key.
    basic_provider_api_key: str = ""
    basic_provider_webhook_secret: str = ""
    basic_provider_events_url: str = ""


def main() -> None:
    """Serves until it is told to stop."""
    telemetry.start("payment_provider")
    settings = _Settings.model_validate({})
    accounts = [
        Account(
            FULL,
            settings.state_file,
            settings.payment_provider_api_key,
            settings.payment_provider_webhook_secret,
            settings.provider_events_url,
        )
    ]
    if settings.basic_provider_api_key:
        accounts.append(
            Account(
                BASIC,
                f"{settings.state_file}.basic",
                settings.basic_provider_api_key,
                settings.basic_provider_webhook_secret,
                settings.basic_provider_events_url,
            )
        )
    host, _, port = settings.listen.rpartition(":")
    uvicorn.run(
        create_app(accounts),
        host=host,
        port=int(port),
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
    )


if __name__ == "__main__":
    main()

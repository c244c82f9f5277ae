"""Wiring: reads the environment and serves."""

import uvicorn
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit import telemetry
from simulators.locker.app import create_app


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OMS_", extra="ignore")

    listen: str = "127.0.0.1:9205"
    locker_state_file: str
    locker_api_key: str
    locker_webhook_secret: str
    # Where openings are posted, by `{bank}`; nowhere when it is empty.
    locker_events_url: str = ""
    # Of each bank.
    locker_compartments: int = 12


def main() -> None:
    """Serves until it is told to stop."""
    telemetry.start("locker")
    settings = _Settings.model_validate({})
    app = create_app(
        file=settings.locker_state_file,
        api_key=settings.locker_api_key,
        webhook_secret=settings.locker_webhook_secret,
        events_url=settings.locker_events_url,
        compartments=settings.locker_compartments,
    )
    host, _, port = settings.listen.rpartition(":")
    uvicorn.run(app, host=host, port=int(port), log_config=None, access_log=False, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()

"""Wiring: reads the environment and serves."""

import uvicorn
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit import telemetry
from simulators.warehouse.app import create_app


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OMS_", extra="ignore")

    listen: str = "127.0.0.1:9201"
    warehouse_state_file: str
    warehouse_api_key: str
    warehouse_webhook_secret: str
    warehouse_messages_url: str = ""
    warehouse_pace_seconds: float = 2.0


def main() -> None:
    """Serves until it is told to stop."""
    telemetry.start("warehouse")
    settings = _Settings.model_validate({})
    app = create_app(
        settings.warehouse_state_file,
        settings.warehouse_api_key,
        settings.warehouse_webhook_secret,
        settings.warehouse_messages_url,
        settings.warehouse_pace_seconds,
    )
    host, _, port = settings.listen.rpartition(":")
    uvicorn.run(app, host=host, port=int(port), log_config=None, access_log=False, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()

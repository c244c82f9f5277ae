"""Wiring: reads the environment and serves."""

import uvicorn
from pydantic_settings import BaseSettings, SettingsConfigDict

from kit import telemetry
from simulators.messages.app import create_app


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="OMS_", extra="ignore")

    listen: str = "127.0.0.1:9203"
    smtp_listen: str = "127.0.0.1:9204"
    sms_api_key: str


def main() -> None:
    """Serves until it is told to stop."""
    telemetry.start("messages")
    settings = _Settings.model_validate({})
    smtp_host, _, smtp_port = settings.smtp_listen.rpartition(":")
    app = create_app(api_key=settings.sms_api_key, smtp_host=smtp_host, smtp_port=int(smtp_port))
    host, _, port = settings.listen.rpartition(":")
    uvicorn.run(app, host=host, port=int(port), log_config=None, access_log=False, timeout_graceful_shutdown=3)


if __name__ == "__main__":
    main()

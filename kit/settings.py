"""The environment, read once by each `__main__`: variables `OMS_...`."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every process needs to know: where it listens."""

    model_config = SettingsConfigDict(env_prefix="OMS_", extra="ignore")

    listen: str = "127.0.0.1:0"


class ServiceSettings(Settings):
    """A service with a database of its own."""

    database_url: str

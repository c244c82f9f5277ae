"""Which event goes to which endpoint, and when a failed delivery is tried again. Knows no SQL and no HTTP."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from kit.errors import InvalidArgument

# Waits after the first, second, ... failed attempt: about three days in all, then the delivery is given up.
RETRY_AFTER = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(hours=24),
    timedelta(hours=24),
)
MAX_URL_LENGTH = 2048
MAX_FILTERS = 100
STATES = ("pending", "delivered", "failed")

_EVENT_TYPE = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?")
_CHANNEL_ID = re.compile(r"[A-Za-z0-9._/-]{1,64}")
_GONE = 410


@dataclass(frozen=True, slots=True)
class Event:
    """A CloudEvent of a source, `sequence` its number there. Holds no personal data."""

    sequence: int
    event_id: str
    source: str
    type: str
    subject: str
    occurred_at: datetime
    order_id: str
    traceparent: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where events go. Its secret stays in the database."""

    endpoint_id: str
    url: str
    event_types: Sequence[str]
    channel_ids: Sequence[str]
    enabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint. `position` orders deliveries in time of queueing."""

    position: int
    delivery_id: str
    endpoint_id: str
    event_id: str
    event_type: str
    order_id: str
    state: str
    attempts: int
    last_status_code: int
    last_error: str
    next_attempt_at: datetime
    delivered_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt. `status_code` 0: there was no answer, `error` says why."""

    status_code: int
    error: str

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint took the event."""
        return 200 <= self.status_code < 300

    @property
    def endpoint_gone(self) -> bool:
        """Whether the endpoint wants no event any more (Standard Webhooks: 410 Gone)."""
        return self.status_code == _GONE


def wants(endpoint: Endpoint, event: Event) -> bool:
    """Whether an event passes the endpoint's filters; one without a channel passes no channel filter."""
    if endpoint.channel_ids and event.data.get("channel_id") not in endpoint.channel_ids:
        return False
    return not endpoint.event_types or any(_matches(pattern, event.type) for pattern in endpoint.event_types)


def _matches(pattern: str, event_type: str) -> bool:
    if pattern.endswith(".*"):
        return event_type.startswith(pattern[:-1])
    return event_type == pattern


def line_of(event: Event) -> str:
    """The queue of an event within an endpoint: its order's, else that of what it is about."""
    return event.order_id or event.subject


def next_attempt(failed_tries: int, at: datetime) -> datetime | None:
    """When to try again after the `failed_tries`-th failure since queueing; None when it is given up."""
    if failed_tries > len(RETRY_AFTER):
        return None
    return at + RETRY_AFTER[failed_tries - 1]


def check_endpoint(url: str, event_types: Sequence[str], channel_ids: Sequence[str]) -> None:
    """Raises InvalidArgument naming the field that is wrong."""
    _check_url(url)
    for name, values, form, meaning in (
        ("event_types", event_types, _EVENT_TYPE, "an event type, or a prefix ending in .*"),
        ("channel_ids", channel_ids, _CHANNEL_ID, "a channel id"),
    ):
        if len(values) > MAX_FILTERS:
            raise InvalidArgument(name, f"at most {MAX_FILTERS} entries")
        for i, value in enumerate(values):
            if len(value) > 200 or not form.fullmatch(value):
                raise InvalidArgument(f"{name}[{i}]", f"must be {meaning}")


def _check_url(url: str) -> None:
    if len(url) > MAX_URL_LENGTH or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidArgument("url", f"must be at most {MAX_URL_LENGTH} printable ASCII characters")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidArgument("url", "is not a URL") from None
    if parts.scheme not in ("http", "https") or not host:
        raise InvalidArgument("url", "must be http or https with a host")
    if parts.username is not None or parts.password is not None:
        raise InvalidArgument("url", "must not hold a user name or password; deliveries are signed")
    if parts.fragment:
        raise InvalidArgument("url", "must not have a fragment")

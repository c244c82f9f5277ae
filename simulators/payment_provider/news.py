"""The clock of the simulator, and how its books tell what happened."""

import secrets
import time

from simulators.payment_provider.books import Body, Books

# What things carry for the simulator's own use.
_HIDDEN = frozenset(
    {"authorised", "capture_before", "return_url", "captures", "captured_at", "increments", "off_session"}
    | {"token", "page", "intent_form"}
)


class Clock:
    """The machine's time, and how far a test has moved it on. Not kept over a restart."""

    def __init__(self) -> None:
        self._ahead_seconds = 0

    def __call__(self) -> int:
        """Seconds since 1970."""
        return int(time.time()) + self._ahead_seconds

    def forward(self, seconds: int) -> None:
        """Lets time pass."""
        self._ahead_seconds += seconds


def new_id(prefix: str) -> str:
    """Of something that comes into being."""
    return f"{prefix}_{secrets.token_hex(12)}"


def public(thing: Body) -> Body:
    """As others see it."""
    return {name: value for name, value in thing.items() if name not in _HIDDEN}


def tell(books: Books, now: int, kind: str, thing: Body) -> None:
    """An event about something as it is now, to be sent."""
    books.add_event(
        {
            "id": new_id("evt"),
            "object": "event",
            "api_version": None,
            "created": now,
            "data": {"object": public(thing)},
            "livemode": False,
            "type": kind,
        }
    )

"""What came, in memory: personal data that a restart forgets. The last thousand messages."""

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from itertools import count
from typing import Literal

_KEPT = 1_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail or an SMS. `key`: a mail's Message-ID, an SMS's idempotency key; the same of what came twice."""

    number: int
    way: Literal["mail", "sms"]
    key: str
    sender: str
    to: str
    text: str
    subject: str = ""
    html: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Inbox:
    """Everybody's."""

    def __init__(self) -> None:
        self._arrivals: deque[Arrival] = deque(maxlen=_KEPT)
        self._numbers = count(1)

    def add_mail(self, to: str, mail: EmailMessage) -> None:
        """A mail as it was handed in."""
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        self._arrivals.append(
            Arrival(
                number=next(self._numbers),
                way="mail",
                key=str(mail["Message-ID"] or ""),
                sender=str(mail["From"] or ""),
                to=to,
                text=plain.get_content() if plain else "",
                subject=str(mail["Subject"] or ""),
                html=html.get_content() if html else "",
                headers={name: str(value) for name, value in mail.items()},
            )
        )

    def add_sms(self, key: str, sender: str, to: str, text: str) -> None:
        """An SMS; one that came before, by its key, is the same and comes once."""
        if not any(one.way == "sms" and one.key == key for one in self._arrivals):
            self._arrivals.append(Arrival(next(self._numbers), "sms", key, sender, to, text))

    def list(self, to: str = "", containing: str = "") -> list[Arrival]:
        """Newest first; to this address, and with these words in subject or text, where they are given."""
        return [
            one
            for one in reversed(self._arrivals)
            if to in ("", one.to) and (containing in one.subject or containing in one.text)
        ]

    def clear(self) -> None:
        """Forgets all."""
        self._arrivals.clear()

    def find(self, number: int) -> Arrival | None:
        """One of them."""
        return next((one for one in self._arrivals if one.number == number), None)

"""How messages leave: what is sent, and what a sender says when it was not. Knows no order."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """Something to send, personal data in every part. `key` is the same at each try of the same message.

    `html` and `subject` are of mails only.
    """

    key: str
    to: str = field(repr=False)
    text: str = field(repr=False)
    subject: str = field(default="", repr=False)
    html: str = field(default="", repr=False)
    language: str = ""


class NotSent(Exception):
    """A try that did not work. `reason` is a word or a code, never what the other side said: it quotes addresses.

    `is_final`: this message will never be taken; it is not tried again.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        self.reason = reason
        self.is_final = is_final
        super().__init__(reason)


class Sender(Protocol):
    """One way to customers."""

    async def send(self, message: Message) -> None:
        """Returns when the message was taken. Raises NotSent."""

    async def close(self) -> None:
        """Ends what is open."""

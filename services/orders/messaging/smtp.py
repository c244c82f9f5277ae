"""Mail over SMTP, one connection for each message.

`smtp://user:password@host:587?tls=required`: `tls` is `required` (STARTTLS, and nothing without it), `optional`
(STARTTLS where the server offers it; the default) or `none`. `smtps://host:465` is TLS from the first byte.
"""

from dataclasses import dataclass
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib

from services.orders.messaging import Message, NotSent

_STARTTLS: dict[str, bool | None] = {"required": True, "optional": None, "none": False}
# RFC 5321: the longest path, without its brackets.
_MAX_ADDRESS = 254


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """Where mails are handed in, and how."""

    host: str
    port: int
    username: str | None
    password: str | None
    security: Literal["smtp", "smtps"]
    start_tls: bool | None

    @classmethod
    def at(cls, url: str) -> "SmtpServer":
        """Raises ValueError for an address that is none; it is not quoted, for it may hold a password."""
        parts = urlsplit(url)
        tls = parse_qs(parts.query).get("tls", ["optional"])[0]
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or tls not in _STARTTLS:
            raise ValueError("an SMTP server is smtp://host:port?tls=required|optional|none or smtps://host:port")
        security: Literal["smtp", "smtps"] = "smtps" if parts.scheme == "smtps" else "smtp"
        return cls(
            host=parts.hostname,
            port=parts.port or (465 if security == "smtps" else 587),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            security=security,
            start_tls=False if security == "smtps" else _STARTTLS[tls],
        )


class SmtpSender:
    """Hands mails in at one server."""

    def __init__(self, server: SmtpServer, sender: str, timeout_seconds: float = 15) -> None:
        """`sender`: who the mails are from, `Name <address>` or an address. ValueError when it is none."""
        self._server = server
        self._timeout = timeout_seconds
        name, address = parseaddr(sender)
        self._from = _address(name, address)
        self._domain = address.rpartition("@")[2]

    async def send(self, message: Message) -> None:
        """As `Sender` says. 4xx and a server that is away: for now; 5xx to this address or mail: for ever."""
        try:
            mail = self._mail(message)
        except (ValueError, MessageError):
            # What is said of it quotes it.
            raise NotSent("bad_address", is_final=True) from None
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            timeout=self._timeout,
            use_tls=server.security == "smtps",
            start_tls=server.start_tls,
            username=server.username,
            password=server.password,
        )
        try:
            async with client:
                await client.send_message(mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            raise _refused(error.recipients[0].code) from None
        except aiosmtplib.SMTPDataError as error:
            raise _refused(error.code) from None
        except aiosmtplib.SMTPResponseException as error:
            # It is us whom the server does not want: that is no fault of the address, and may be mended.
            raise NotSent(f"smtp_{error.code}_sender") from None
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise NotSent(type(error).__name__) from None

    async def close(self) -> None:
        """Nothing stays open between two mails."""

    def _mail(self, message: Message) -> EmailMessage:
        """Headers are made of parsed addresses and one line of text each: nobody adds one from outside."""
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._from
        mail["To"] = _address("", message.to)
        mail["Subject"] = " ".join(message.subject.split())
        mail["Message-ID"] = f"<{message.key}@{self._domain}>"
        mail["Auto-Submitted"] = "auto-generated"
        if message.language:
            mail["Content-Language"] = message.language
        mail.set_content(message.text)
        mail.add_alternative(message.html, subtype="html")
        return mail


def _address(name: str, address: str) -> Address:
    """Raises ValueError for what is no single address."""
    is_plain = address.isprintable() and not any(one in address for one in ' ,;:<>()[]\\"')
    if not is_plain or len(address) > _MAX_ADDRESS:
        raise ValueError("no mail address")
    made = Address(display_name=name, addr_spec=address)
    if not made.username or not made.domain:
        raise ValueError("no mail address")
    return made


def _refused(code: int) -> NotSent:
    return NotSent(f"smtp_{code}", is_final=code >= 500)

"""The mailboxes' SMTP server, on the event loop of the pages."""

import asyncio
import logging
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, cast

from aiosmtpd.smtp import SMTP

from simulators.messages.faults import Faults
from simulators.messages.inbox import Inbox

# At its usual level the server writes down from whom and to whom each mail goes.
logging.getLogger("mail.log").setLevel(logging.WARNING)
_MAX_BYTES = 2 * 1024 * 1024
_TAKEN = "250 Message accepted for delivery"


class Mailboxes:
    """Takes every mail, unless a fault is ordered for it."""

    def __init__(self, inbox: Inbox, faults: Faults) -> None:
        self._inbox = inbox
        self._faults = faults

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Any) -> str:
        """aiosmtpd's hook: a mail has come whole."""
        [to] = envelope.rcpt_tos[:1]
        fault = self._faults.take("mail", to)
        kind = fault.kind if fault else ""
        if kind == "refuse_for_now":
            return "451 Try again later"
        if kind == "refuse_for_ever":
            return "550 No such mailbox"
        if fault and kind == "slow":
            await asyncio.sleep(fault.seconds)
        mail = message_from_bytes(envelope.content, EmailMessage, policy=default)
        for address in envelope.rcpt_tos:
            self._inbox.add_mail(address, mail)
        if kind == "drop_after_taking":
            cast("asyncio.Transport", server.transport).abort()
        return _TAKEN


async def serve(mailboxes: Mailboxes, host: str, port: int) -> asyncio.Server:
    """Listens until it is closed."""

    def protocol() -> SMTP:
        return SMTP(mailboxes, data_size_limit=_MAX_BYTES, enable_SMTPUTF8=True, loop=loop)

    loop = asyncio.get_running_loop()
    return await loop.create_server(protocol, host, port)

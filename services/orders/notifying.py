"""Customers are told: what is due is claimed, checked, written, sent outside of any transaction, and settled.

At least once: what was sent, and not settled because the process died, is sent again with the same id. At most
MAX_ATTEMPTS times, with growing pauses; then it has failed, which customer service sees.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from opentelemetry import metrics
from pydantic import TypeAdapter
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import requests, telemetry
from services.orders import documents as doc
from services.orders import notifications_store as notes
from services.orders import store
from services.orders.changing import Asked
from services.orders.codes import Codes
from services.orders.domain.milestones import Way
from services.orders.domain.notifications import (
    GIVEN_UP,
    MAX_ATTEMPTS,
    NO_SENDER,
    Notification,
    NotificationState,
    QuietHours,
    address_of,
    after_failure,
    check_resend,
    why_not,
)
from services.orders.links import Links
from services.orders.messaging import Message, NotSent, Sender, formats, letters

_log = logging.getLogger(__name__)
_outcomes = metrics.get_meter(__name__).create_counter(
    "oms.orders.notifications",
    description="What became of notifications to customers, by milestone, way and outcome",
)
_NOTIFICATION: TypeAdapter[Notification] = doc.NOTIFICATION
# A try that takes longer is given up: all of a batch are over before anybody else may claim them.
TRY_SECONDS = 30.0
CLAIM_LASTS = timedelta(minutes=3)
QUIET = "quiet_hours"


@dataclass(frozen=True, slots=True)
class _Parts:
    """What is needed to send one: to whom, and in which words. Or why, or until when, it is not sent."""

    message: Message | None = None
    reason: str = ""
    put_off_until: datetime | None = None


class Notifying:
    """Sends what is due by the ways that it has, shows what was sent, and sends again."""

    def __init__(
        self,
        engine: AsyncEngine,
        links: Links,
        codes: Codes,
        senders: Mapping[Way, Sender],
        quiet: QuietHours | None = None,
    ) -> None:
        """`senders`: without one for a way, nothing is sent by it. `quiet`: when no SMS is."""
        self._engine = engine
        self._links = links
        self._codes = codes
        self._senders = senders
        self._quiet = quiet

    async def send_due(self, now: datetime, limit: int) -> int:
        """How many were claimed. Several processes may call it at once: each has its own."""
        async with self._engine.begin() as tx:
            claimed = await notes.claim(tx, now, now + CLAIM_LASTS, limit)
        # Those of one order one after the other, as they happened.
        of_orders: dict[str, list[Notification]] = defaultdict(list)
        for one in sorted(claimed, key=lambda one: one.happened_at):
            of_orders[one.order_id].append(one)
        await asyncio.gather(*(self._send_all(each, now) for each in of_orders.values()))
        return len(claimed)

    async def list(self, order_id: str) -> list[Notification]:
        """All of an order, oldest first. NotFound / ORDER_NOT_FOUND."""
        async with self._engine.begin() as tx:
            await store.read(tx, order_id)
            return await notes.list_of_order(tx, order_id)

    async def resend(
        self, asked: Asked, order_id: str, notification_id: str, actor: str, as_of: datetime
    ) -> Notification:
        """sent | failed | dropped -> due. FailedPrecondition / STILL_DUE, NOT_TRUE_ANY_MORE; NotFound."""
        async with self._engine.begin() as tx:
            first = await requests.first_answer(tx, asked.request_id, asked.content)
            if first is not None:
                return _NOTIFICATION.validate_python(first)
            # First the order, as everywhere: what it is cannot change under the check.
            order = await store.lock_order(tx, order_id)
            one = await notes.lock(tx, order_id, notification_id)
            check_resend(order, one)
            again = await notes.send_again(tx, one, actor, as_of)
            await requests.remember(tx, asked.request_id, doc.to_json(_NOTIFICATION, again))
            return again

    async def close(self) -> None:
        """Ends what the senders keep open."""
        for sender in self._senders.values():
            await sender.close()

    async def _send_all(self, several: Sequence[Notification], now: datetime) -> None:
        for one in several:
            await self._send(one, now)

    # -- one of them --------------------------------------------------------------------------------------

    async def _send(self, one: Notification, now: datetime) -> None:
        with telemetry.about_order(one.order_id):
            try:
                if one.attempts > MAX_ATTEMPTS:
                    # Whoever had the last try never said what came of it.
                    await self._settle(one, NotificationState.FAILED, GIVEN_UP, now)
                    return
                parts = await self._parts(one, now)
                if parts.put_off_until:
                    await self._put_off(one, parts.put_off_until)
                elif parts.message is None:
                    await self._settle(one, NotificationState.DROPPED, parts.reason, now)
                else:
                    await self._try(one, parts.message, now)
            except Exception as error:
                # Only its kind is said: its text may quote whom it is about. It is tried again after the claim.
                _log.error("notification %s was not sent: %s", one.notification_id, type(error).__name__)

    async def _parts(self, one: Notification, now: datetime) -> _Parts:
        if one.way not in self._senders:
            return _Parts(reason=NO_SENDER)
        async with self._engine.begin() as tx:
            view = await store.read(tx, one.order_id)
            shop = await notes.shop_name(tx, view.order.content.channel_id)
        if reason := why_not(view.order, view.buyer, one):
            return _Parts(reason=reason)
        if one.way is Way.SMS and self._quiet:
            zone = formats.zone_of(view.buyer.ship_to.country)
            if until := self._quiet.until(now, zone):
                return _Parts(put_off_until=until)
        letter = letters.write(one, view, shop, self._links, self._codes, now)
        to = address_of(view.buyer, one.way)
        if one.way is Way.SMS:
            return _Parts(Message(one.message_id, to, letter.sms, language=letter.language))
        return _Parts(Message(one.message_id, to, letter.text, letter.subject, letter.html, letter.language))

    async def _try(self, one: Notification, message: Message, now: datetime) -> None:
        try:
            async with asyncio.timeout(TRY_SECONDS):
                await self._senders[one.way].send(message)
        except TimeoutError:
            await self._failed(one, NotSent("timeout"), now)
        except NotSent as error:
            await self._failed(one, error, now)
        else:
            await self._settle(one, NotificationState.SENT, "", now)

    async def _failed(self, one: Notification, error: NotSent, now: datetime) -> None:
        again = None if error.is_final else after_failure(one, now)
        _log.warning(
            "notification %s by %s: %s, attempt %s", one.notification_id, one.way.value, error.reason, one.attempts
        )
        if again is None:
            await self._settle(one, NotificationState.FAILED, error.reason, now)
            return
        async with self._engine.begin() as tx:
            await notes.put_off(tx, one, again, error.reason)
        self._count(one, "retried")

    async def _put_off(self, one: Notification, until: datetime) -> None:
        async with self._engine.begin() as tx:
            await notes.put_off(tx, one, until, QUIET, counts=False)

    async def _settle(self, one: Notification, state: NotificationState, reason: str, now: datetime) -> None:
        async with self._engine.begin() as tx:
            await notes.settle(tx, one, state, reason, now)
        self._count(one, state.value)

    def _count(self, one: Notification, outcome: str) -> None:
        _outcomes.add(1, {"milestone": one.milestone.value, "way": one.way.value, "outcome": outcome})

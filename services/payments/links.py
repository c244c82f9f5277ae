"""Opening a payment link: the provider's page of it, or why there is none."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from kit import db
from kit.db import AsyncEngine
from kit.errors import FailedPrecondition, NotFound, Unavailable
from services.payments import books, store
from services.payments.domain import links
from services.payments.domain.links import LinkState
from services.payments.domain.model import Operation, State, Status, Tender
from services.payments.providers import AnswerLost, Page, Provider
from services.payments.runner import Runner

_TOKEN_BYTES = 24


@dataclass(frozen=True, slots=True)
class Opened:
    """`url`: the provider's page, when the link is open."""

    state: LinkState
    url: str = ""


class Links:
    """`address`: of links, without their token."""

    def __init__(
        self,
        engine: AsyncEngine,
        providers: Mapping[str, Provider],
        runner: Runner,
        clock: Callable[[], datetime],
        address: str,
    ) -> None:
        self._engine = engine
        self._providers = providers
        self._runner = runner
        self._clock = clock
        self._address = address

    def make(self) -> tuple[str, str]:
        """The token of a new link, which nobody can guess, and the address that is sent to the customer."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        return token, self._url(token)

    async def open(self, token: str) -> Opened:
        """Raises NotFound / LINK_NOT_FOUND, Unavailable / PROVIDER_UNAVAILABLE."""
        tender, operation = await self._find(token)
        if (state := links.state_of(tender, self._clock())) is not LinkState.OPEN:
            return Opened(state)
        try:
            return await self._open(tender, operation)
        except AnswerLost:
            raise Unavailable("PROVIDER_UNAVAILABLE", "the provider does not answer; open it again") from None

    async def _open(self, tender: Tender, operation: Operation) -> Opened:
        provider = self._providers[tender.provider]
        if tender.provider_payment_id:
            found = await provider.authorisation(tender.provider_payment_id)
            if found is not None and found.outcome is not None and found.outcome.state is State.SUCCEEDED:
                await self._runner.settle(operation, found.outcome, announce=True)
                return Opened(LinkState.PAID)
            if found is None or found.ended:
                operation = await self._runner.begin_attempt(operation)
        outcome = await provider.open_page(tender, operation, self._page(tender, provider))
        if outcome.state is not State.ACTION_REQUIRED:
            raise FailedPrecondition(
                "LINK_NOT_PAYABLE", "the provider refused to make a page", code=outcome.failure_code
            )
        async with self._engine.begin() as tx:
            payment = await store.lock_payment(tx, tender.order_id)
            assert payment is not None  # tenders reference their payment
            current = payment.tender(tender.tender_id)
            if current.status is Status.ACTION_REQUIRED and not current.release_due:
                await books.save(tx, payment, replace(current, provider_payment_id=outcome.reference))
                return Opened(LinkState.OPEN, outcome.next_action_url)
        await provider.release(replace(tender, provider_payment_id=outcome.reference))
        return Opened(links.state_of(current, self._clock()))

    def _page(self, tender: Tender, provider: Provider) -> Page:
        now, abilities = self._clock(), provider.abilities
        assert tender.expires_at is not None  # a link has an end
        latest = now + abilities.page_longest
        earliest = now + abilities.page_shortest
        url = self._url(tender.means.reference)
        return Page(
            title=f"Order {tender.order_id}",
            expires_at=max(earliest, min(latest, tender.expires_at)),
            paid_url=url,
            back_url=url,
        )

    def _url(self, token: str) -> str:
        return f"{self._address}/{token}"

    async def _find(self, token: str) -> tuple[Tender, Operation]:
        async with db.single(self._engine).connect() as tx:
            found = await store.link(tx, token) if token else None
        if found is None:
            raise NotFound("LINK_NOT_FOUND", "no such payment link")
        return found

"""Opening a payment link: the provider's page of it, or why there is none."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from kit import db
from kit.db import AsyncEngine
from kit.errors import FailedPrecondition, NotFound, Unavailable
from services.payments import books, store
from services.payments.domain import links
from services.payments.domain.links import LinkState
from services.payments.domain.model import Operation, State, Tender
from services.payments.domain.outcome import Outcome
from services.payments.providers import AnswerLost, Page, Provider
from services.payments.runner import Runner

_TOKEN_BYTES = 24
_TRIES = 3
_HALF_HOUR = timedelta(minutes=30)


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
        for _ in range(_TRIES):
            tender, operation = await self._find(token)
            if (state := links.state_of(tender, self._clock())) is not LinkState.OPEN:
                return Opened(state)
            try:
                return await self._open(tender, operation)
            except AnswerLost:
                # Or somebody else is opening it: then the page is there at the next look.
                continue
        raise Unavailable("PROVIDER_UNAVAILABLE", "the provider does not answer; open it again")

    async def _open(self, tender: Tender, operation: Operation) -> Opened:
        provider = self._providers[tender.provider]
        if tender.provider_payment_id:
            found = await provider.authorisation(tender.provider_payment_id)
            outcome = found.outcome if found else None
            if outcome and outcome.state is State.SUCCEEDED:
                await self._runner.settle(operation, outcome, announce=True)
                return Opened(LinkState.PAID)
            if outcome and outcome.state is State.ACTION_REQUIRED:
                return Opened(LinkState.OPEN, outcome.next_action_url)
            operation = await self._runner.begin_attempt(operation)
        try:
            outcome = await provider.open_page(tender, operation, self._page(tender, provider))
        except AnswerLost:
            # Nobody knows the address of a page that was made and not answered: the next opening makes another.
            await self._runner.begin_attempt(operation)
            raise
        if outcome.state is not State.ACTION_REQUIRED:
            raise FailedPrecondition(
                "LINK_NOT_PAYABLE", "the provider refused to make a page", code=outcome.failure_code
            )
        return await self._keep(tender, outcome)

    async def _keep(self, tender: Tender, page: Outcome) -> Opened:
        """Remembers the page, unless the link ended or somebody opened it meanwhile."""
        async with self._engine.begin() as tx:
            payment = await store.lock_payment(tx, tender.order_id)
            assert payment is not None  # tenders reference their payment
            current = payment.tender(tender.tender_id)
            is_open = links.state_of(current, self._clock()) is LinkState.OPEN
            if is_open and current.provider_payment_id == tender.provider_payment_id:
                await books.save(tx, payment, replace(current, provider_payment_id=page.reference))
                return Opened(LinkState.OPEN, page.next_action_url)
        await self._providers[tender.provider].release(replace(tender, provider_payment_id=page.reference))
        return await self.open(tender.means.reference)

    def _page(self, tender: Tender, provider: Provider) -> Page:
        assert tender.expires_at is not None  # a link has an end
        abilities = provider.abilities
        # Whoever opens it in the same half hour asks for the same page: the provider makes one.
        since_hour = self._clock().replace(minute=0, second=0, microsecond=0)
        half = since_hour + _HALF_HOUR * ((self._clock() - since_hour) // _HALF_HOUR)
        earliest, latest = half + abilities.page_shortest + _HALF_HOUR, half + abilities.page_longest
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

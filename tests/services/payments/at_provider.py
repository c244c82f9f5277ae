"""What tests of a provider say often: a tender and its operations, without any service of ours."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from kit.times import now
from kit.values.ids import new_id
from services.payments.domain.model import Kind, Means, MeansKind, Operation, State, Tender
from services.payments.domain.outcome import Outcome
from services.payments.providers import AnswerLost, Page, Provider
from services.payments.providers.stripe import StripeProvider
from services.payments.providers.stripe_abilities import BASIC, STRIPE
from tests.simulators.payment_provider import (
    API_KEY,
    BASIC_API_KEY,
    BASIC_WEBHOOK_SECRET,
    WEBHOOK_SECRET,
    RunningProvider,
)


def token(name: str = "pm_card_visa") -> Means:
    return Means(MeansKind.PAYMENT_METHOD_TOKEN, name)


def saved(reference: str) -> Means:
    return Means(MeansKind.SAVED_MEANS, reference)


@asynccontextmanager
async def account(url: str, name: str = "stripe", timeout_seconds: float = 20) -> AsyncIterator[StripeProvider]:
    """One of the simulator's two accounts: "stripe" or "basic"."""
    basic = name == "basic"
    provider = StripeProvider(
        url=url,
        api_key=BASIC_API_KEY if basic else API_KEY,
        webhook_secret=BASIC_WEBHOOK_SECRET if basic else WEBHOOK_SECRET,
        return_url="http://shop.example/back",
        timeout_seconds=timeout_seconds,
        name=name,
        abilities=BASIC if basic else STRIPE,
    )
    yield provider
    await provider.close()


@dataclass
class Payer:
    """A tender as the service would keep it: what the provider answered, and what was booked."""

    provider: Provider
    tender: Tender

    async def authorize(self, amount_minor: int | None = None) -> Outcome:
        """Authorises, or raises what is authorised."""
        operation = self.operation(Kind.AUTHORIZE, amount_minor or self.tender.amount)
        outcome = await self.provider.perform(self.tender, operation)
        self.learn(outcome, operation)
        return outcome

    async def capture(self, amount_minor: int, *, final: bool = False) -> Outcome:
        operation = replace(self.operation(Kind.CAPTURE, amount_minor), final=final)
        outcome = await self.provider.perform(self.tender, operation)
        if outcome.state is State.SUCCEEDED:
            self.tender = replace(self.tender, captured=self.tender.captured + amount_minor)
        return outcome

    async def refund(self, amount_minor: int) -> Outcome:
        return await self.provider.perform(self.tender, self.operation(Kind.REFUND, amount_minor))

    async def void(self) -> Outcome:
        return await self.provider.perform(self.tender, self.operation(Kind.VOID, self.tender.uncaptured))

    async def save(self) -> Outcome:
        outcome = await self.provider.save_means(self.tender, self.operation(Kind.AUTHORIZE, self.tender.amount))
        self.tender = replace(self.tender, provider_payment_id=outcome.reference)
        return outcome

    async def open_page(self, page: Page | None = None) -> Outcome:
        operation = self.operation(Kind.AUTHORIZE, self.tender.amount)
        outcome = await self.provider.open_page(self.tender, operation, page or a_page())
        self.tender = replace(self.tender, provider_payment_id=outcome.reference)
        return outcome

    async def told(self) -> Outcome | None:
        """What the provider says of it now."""
        known = await self.provider.authorisation(self.tender.provider_payment_id)
        assert known is not None
        return known.outcome

    def operation(self, kind: Kind, amount_minor: int) -> Operation:
        operation_id = new_id("pop")
        return Operation(
            operation_id=operation_id,
            request_id=operation_id,
            order_id=self.tender.order_id,
            tender_id=self.tender.tender_id,
            kind=kind,
            state=State.INTENDED,
            amount_minor=amount_minor,
            currency=self.tender.currency,
            cause="a test",
            actor="a test",
            intended_at=now(),
            provider=self.provider.name,
        )

    def learn(self, outcome: Outcome, operation: Operation) -> None:
        """What the service would book of an authorisation."""
        if outcome.state is State.FAILED:
            return
        held = operation.amount_minor if outcome.state is State.SUCCEEDED else 0
        self.tender = replace(
            self.tender,
            provider_payment_id=outcome.reference,
            authorized=self.tender.authorized + held,
            saved_means=outcome.saved_means,
        )


@dataclass
class Counter:
    """Where somebody pays at a provider."""

    provider: StripeProvider
    running: RunningProvider
    order_id: str = field(default_factory=lambda: new_id("ord"))

    def payer(
        self,
        means: Means | str = "pm_card_visa",
        amount: int = 10_000,
        *,
        save_means: bool = False,
        needed_until: datetime | None = None,
    ) -> Payer:
        """Somebody who pays an order with this."""
        return Payer(
            self.provider,
            Tender(
                tender_id=new_id("ten"),
                order_id=self.order_id,
                channel_id="web",
                currency="EUR",
                position=1,
                amount=amount,
                means=token(means) if isinstance(means, str) else means,
                provider=self.provider.name,
                save_means=save_means,
                needed_until=needed_until,
            ),
        )

    async def authorized(self, means: Means | str = "pm_card_visa", amount: int = 10_000) -> Payer:
        """Somebody whose payment is authorised."""
        payer = self.payer(means, amount)
        assert (await payer.authorize()).state is State.SUCCEEDED
        return payer

    async def keeper(self, means: str = "pm_card_visa") -> str:
        """The saved means of somebody who paid with it before."""
        payer = self.payer(means, save_means=True)
        await payer.authorize()
        return payer.tender.saved_means


def a_page(open_for: timedelta = timedelta(hours=2)) -> Page:
    return Page("Order 1001", now() + open_for, "http://shop.example/paid", "http://shop.example/basket")


async def lost_then_found(provider: Provider, tender: Tender, operation: Operation, call: "Call") -> Outcome:
    """Calls until there is an answer, as the service does: the key again, or a look and then another attempt."""
    try:
        return await call(tender, operation)
    except AnswerLost:
        pass
    try:
        return await call(tender, operation)
    except AnswerLost as lost:
        if not lost.ended:
            raise
    found = await provider.look(tender, operation)
    return found or await call(tender, replace(operation, attempt=2))


class Call:
    """One of the calls that carry out an operation."""

    def __init__(self, provider: Provider, name: str) -> None:
        self._provider, self._name = provider, name

    async def __call__(self, tender: Tender, operation: Operation) -> Outcome:
        match self._name:
            case "page":
                # The same content with the same key, also a second later.
                page = replace(a_page(), expires_at=operation.intended_at + timedelta(hours=2))
                return await self._provider.open_page(tender, operation, page)
            case "save":
                return await self._provider.save_means(tender, operation)
            case _:
                return await self._provider.perform(tender, operation)

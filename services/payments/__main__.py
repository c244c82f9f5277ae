"""Wiring: reads the environment, serves, and sweeps."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import grpc
import uvloop
from pydantic import Field

from kit import db, outbox, rpc, telemetry, times
from kit.feed import Bell
from kit.settings import ServiceSettings
from oms.outbox.v1.outbox_service_pb2_grpc import add_OutboxServiceServicer_to_server
from oms.payments.v1.finance_service_pb2_grpc import add_FinanceServiceServicer_to_server
from oms.payments.v1.payments_service_pb2_grpc import add_PaymentsServiceServicer_to_server
from oms.payments.v1.stored_value_service_pb2_grpc import add_StoredValueServiceServicer_to_server
from services.payments.domain.policies import Policies
from services.payments.finance_rpc import FinanceRpc
from services.payments.news import LOST_AFTER
from services.payments.providers import Abilities, Provider
from services.payments.providers.stored_value import StoredValueProvider
from services.payments.providers.stripe import StripeProvider
from services.payments.providers.stripe_abilities import BASIC, STRIPE
from services.payments.providers.till import TillProvider
from services.payments.reconciliation import Reconciliation
from services.payments.rpc import PaymentsRpc
from services.payments.service import PaymentsService
from services.payments.settlements import Settlements
from services.payments.stored_value import StoredValueService
from services.payments.stored_value_codes import CodeBook
from services.payments.stored_value_rpc import StoredValueRpc

_SWEEP_SECONDS = 5
_RECONCILE_SECONDS = 2
_SUM_SECONDS = 60
_FORGET_SECONDS = 600
_EXPIRE_SECONDS = 60
# A file that takes longer to come is no file of a day.
_ORPHAN_AFTER = timedelta(hours=2)


class _Settings(ServiceSettings):
    payment_provider_url: str
    payment_provider_api_key: str
    payment_provider_webhook_secret: str
    payment_provider_timeout_seconds: float = 8
    # An account of fewer abilities, at the same address; there is none without a key.
    basic_provider_api_key: str = ""
    basic_provider_webhook_secret: str = ""
    # Account ("stripe", "basic") by channel; the others are served by "stripe".
    payment_accounts: dict[str, str] = Field(default_factory=dict)
    # Accounts by channel, "*" for any: what they can not refund for good becomes a credit note by itself.
    credit_note_on_failed_refund: dict[str, list[str]] = Field(default_factory=dict)
    # Of the digests of codes: whoever has it and the database could try codes out. It is never changed.
    stored_value_key: str
    # Where the customer's browser comes back to after strong authentication.
    payment_return_url: str = "http://127.0.0.1:8080/"
    # Of payment links, without their token.
    payment_link_address: str = "http://127.0.0.1:8080/pay"


async def _serve(settings: _Settings) -> None:
    engine = db.connect(settings.database_url, pool_size=20)
    bell = Bell()
    code_book = CodeBook(settings.stored_value_key)
    ours: list[Provider] = [StoredValueProvider(engine, bell, code_book), TillProvider()]
    providers: dict[str, Provider] = {one.name: one for one in (*_providers(settings), *ours)}
    policies = _policies(settings, providers)
    service = PaymentsService(
        engine, bell, providers, policies.account, link_address=settings.payment_link_address, policies=policies
    )
    stored_value = StoredValueService(engine, bell, code_book)
    settlements = Settlements(engine, providers)
    reconciliation = Reconciliation(engine)

    def register(server: grpc.aio.Server) -> None:
        add_PaymentsServiceServicer_to_server(PaymentsRpc(service), server)
        add_FinanceServiceServicer_to_server(FinanceRpc(service.history, settlements), server)
        add_StoredValueServiceServicer_to_server(StoredValueRpc(stored_value), server)
        add_OutboxServiceServicer_to_server(outbox.OutboxRpc(engine, bell, "/payments"), server)

    async def sweep() -> None:
        await rpc.periodically(
            "resolve_unknown", _SWEEP_SECONDS, lambda: service.resolve_unknown(times.now() - LOST_AFTER)
        )

    async def reconcile() -> None:
        await rpc.periodically("reconcile", _RECONCILE_SECONDS, reconciliation.run)

    async def sum_days() -> None:
        await rpc.periodically("sum_days", _SUM_SECONDS, service.history.sum_ended_days)

    async def forget_uploads() -> None:
        await rpc.periodically(
            "forget_uploads", _FORGET_SECONDS, lambda: settlements.forget_orphans(times.now() - _ORPHAN_AFTER)
        )

    async def expire() -> None:
        await rpc.periodically("expire_stored_value", _EXPIRE_SECONDS, lambda: stored_value.expire(times.now()))

    async def forget_means() -> None:
        await rpc.periodically("forget_means", _FORGET_SECONDS, service.keeping.forget_means)

    background = [sweep, reconcile, sum_days, forget_uploads, expire, forget_means]
    try:
        await rpc.serve(settings.listen, register, background=background)
    finally:
        for provider in providers.values():
            await provider.close()
        await engine.dispose()


def _providers(settings: _Settings) -> list[Provider]:
    def account(name: str, abilities: Abilities, api_key: str, webhook_secret: str) -> StripeProvider:
        return StripeProvider(
            name=name,
            abilities=abilities,
            url=settings.payment_provider_url,
            api_key=api_key,
            webhook_secret=webhook_secret,
            return_url=settings.payment_return_url,
            timeout_seconds=settings.payment_provider_timeout_seconds,
        )

    secret = settings.payment_provider_webhook_secret
    providers: list[Provider] = [account("stripe", STRIPE, settings.payment_provider_api_key, secret)]
    if settings.basic_provider_api_key:
        secret = settings.basic_provider_webhook_secret
        providers.append(account("basic", BASIC, settings.basic_provider_api_key, secret))
    return providers


def _policies(settings: _Settings, providers: Mapping[str, Provider]) -> Policies:
    policies = Policies("stripe", settings.payment_accounts, settings.credit_note_on_failed_refund)
    if unknown := policies.named() - providers.keys():
        raise ValueError(
            f"OMS_PAYMENT_ACCOUNTS, OMS_CREDIT_NOTE_ON_FAILED_REFUND: no account {', '.join(sorted(unknown))}"
        )
    return policies


def main() -> None:
    """Serves until it is told to stop."""
    telemetry.start("payments")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(_Settings.model_validate({})))


if __name__ == "__main__":
    main()

"""Starts the orders process: its wiring, and the only reader of its environment."""

import asyncio
import re
from datetime import timedelta
from functools import partial
from typing import Annotated

import grpc
import uvloop
from pydantic import AfterValidator, Field
from sqlalchemy.ext.asyncio import AsyncEngine

from kit import db, rpc, telemetry, times
from kit.feed import Bell
from kit.outbox import OutboxRpc
from kit.settings import ServiceSettings
from kit.values.gs1 import is_company_prefix
from oms.orders.v1.bulk_service_pb2_grpc import add_BulkServiceServicer_to_server
from oms.orders.v1.change_service_pb2_grpc import add_ChangeServiceServicer_to_server
from oms.orders.v1.collection_service_pb2_grpc import add_CollectionServiceServicer_to_server
from oms.orders.v1.consolidation_service_pb2_grpc import add_ConsolidationServiceServicer_to_server
from oms.orders.v1.customer_service_pb2_grpc import add_CustomerServiceServicer_to_server
from oms.orders.v1.desk_service_pb2_grpc import add_DeskServiceServicer_to_server
from oms.orders.v1.document_service_pb2_grpc import add_DocumentServiceServicer_to_server
from oms.orders.v1.erasure_service_pb2_grpc import add_ErasureServiceServicer_to_server
from oms.orders.v1.figures_service_pb2_grpc import add_FiguresServiceServicer_to_server
from oms.orders.v1.locker_service_pb2_grpc import add_LockerServiceServicer_to_server
from oms.orders.v1.manifest_service_pb2_grpc import add_ManifestServiceServicer_to_server
from oms.orders.v1.notification_service_pb2_grpc import add_NotificationServiceServicer_to_server
from oms.orders.v1.offers_service_pb2_grpc import add_OffersServiceServicer_to_server
from oms.orders.v1.orders_service_pb2_grpc import add_OrdersServiceServicer_to_server
from oms.orders.v1.picking_service_pb2_grpc import add_PickingServiceServicer_to_server
from oms.orders.v1.tracking_service_pb2_grpc import add_TrackingServiceServicer_to_server
from oms.orders.v1.trial_service_pb2_grpc import add_TrialServiceServicer_to_server
from oms.outbox.v1.outbox_service_pb2_grpc import add_OutboxServiceServicer_to_server
from services.orders.amending import Amending
from services.orders.appointing import Appointments
from services.orders.archiving import Archiving
from services.orders.bulk import Bulk
from services.orders.bulk_rpc import BulkRpc
from services.orders.carriers import Carrier
from services.orders.carriers.signed_json import SignedJsonCarrier
from services.orders.changes_rpc import ChangesRpc
from services.orders.codes import Codes
from services.orders.collecting import Collecting
from services.orders.collecting_rpc import CollectionRpc
from services.orders.consolidating import Consolidating
from services.orders.consolidation_rpc import ConsolidationRpc
from services.orders.customers import Customers
from services.orders.customers_rpc import CustomerRpc
from services.orders.depositing import Depositing
from services.orders.depositing_rpc import LockerRpc
from services.orders.desk import Desk
from services.orders.desk_rpc import DeskRpc
from services.orders.domain.erasing import Retention
from services.orders.domain.milestones import Way
from services.orders.domain.notifications import QuietHours
from services.orders.erasing import Erasing
from services.orders.erasing_rpc import ErasureRpc
from services.orders.figures import Figures
from services.orders.figures_rpc import FiguresRpc
from services.orders.holding import Holding
from services.orders.identities import Identities
from services.orders.invoicing import Documents
from services.orders.invoicing_rpc import DocumentRpc
from services.orders.labelling import Labels
from services.orders.links import Links
from services.orders.lockers import Bank
from services.orders.lockers.signed_json import SignedJsonBank
from services.orders.manifesting import Manifests
from services.orders.manifests_rpc import ManifestRpc
from services.orders.messaging import Sender
from services.orders.messaging.http_sms import HttpSmsSender
from services.orders.messaging.smtp import SmtpSender, SmtpServer
from services.orders.notifications_rpc import NotificationRpc
from services.orders.notifying import Notifying
from services.orders.offers_rpc import OffersRpc
from services.orders.picking import PickLists
from services.orders.picking_rpc import PickingRpc
from services.orders.refunding import Refunds
from services.orders.rpc import OrdersRpc
from services.orders.service import OrdersService
from services.orders.tracking import Tracking
from services.orders.tracking_rpc import TrackingRpc
from services.orders.trying import Trying
from services.orders.trying_rpc import TrialRpc

_SWEEP_SECONDS = 5
_LET_GO_SECONDS = 1
# Between two looks while there is something to let go.
_WAVE_SECONDS = 0.05
_SWEEP_BATCH = 100
_ASK_SECONDS = 60
_LOCKER_SECONDS = 30
_BULK_SECONDS = 1
_BULK_BATCH = 20
_ASK_BATCH = 50
_NOTIFY_SECONDS = 1
# Sent at once; each needs a connection to the database for a moment.
_NOTIFY_BATCH = 4
_ERASE_SECONDS = 3_600
_ERASE_BATCH = 100
_ARCHIVE_SECONDS = 3_600
_ARCHIVE_BATCH = 200
_FORGET_BATCH = 2_000


def _company_prefix(value: str) -> str:
    if not is_company_prefix(value):
        raise ValueError("a GS1 company prefix has 7 to 10 digits")
    return value


def _quiet(value: str) -> str:
    if value and not re.fullmatch(r"([01]?\d|2[0-3])-([01]?\d|2[0-3])", value):
        raise ValueError("two hours from 0 to 23, for example 21-8; or nothing")
    return value


def _retention(value: str) -> str:
    Retention.parse(value)
    return value


class _Settings(ServiceSettings):
    # The carriers that speak as simulators/carrier does: their ids, and where they are, by `{carrier}`.
    carriers: str = ""
    carrier_url: str = ""
    carrier_api_key: str = ""
    carrier_webhook_secret: str = ""
    # After so long without a word, a carrier is asked for a parcel.
    carrier_silence_seconds: int = 86_400
    # The points with lockers that speak as simulators/locker does, and where they are, by `{bank}`.
    locker_banks: str = ""
    locker_url: str = ""
    locker_api_key: str = ""
    locker_webhook_secret: str = ""
    # Of the digests that orders are known by. With another key, orders of before are not known again.
    identity_key: str = Field(min_length=1)
    # Of the links that customers follow and of the codes by which they collect, by comma: new ones are made with
    # the first. And where the links lead.
    link_keys: str = Field(min_length=1)
    public_url: str = Field(min_length=1)
    # Where mails to customers are handed in (messaging/smtp.py), and who they are from; empty: no mail is sent.
    smtp_url: str = ""
    mail_from: str = ""
    # The same of SMS (messaging/http_sms.py); none is sent between these hours of where the goods go.
    sms_url: str = ""
    sms_api_key: str = ""
    sms_from: str = ""
    sms_quiet_hours: Annotated[str, AfterValidator(_quiet)] = "21-8"
    # For how many days an order that is done knows who bought it, from its last change on, and a tax document for
    # whom it is, from its issue on; by country of the destination where that differs.
    retention_days: Annotated[str, AfterValidator(_retention)] = "1095"
    document_retention_days: Annotated[str, AfterValidator(_retention)] = "3650"
    # After so many days without a change, an order that has ended is archived (archiving.py). Longer than whoever
    # reads events may be away, and than anybody repeats a request.
    archive_days: int = Field(default=90, ge=30)
    # The retailer's own, from GS1: the codes on its parcels' labels begin with it.
    gs1_company_prefix: Annotated[str, AfterValidator(_company_prefix)]


class _Parts:
    """What the process is made of."""

    def __init__(self, settings: _Settings, engine: AsyncEngine, bell: Bell) -> None:
        self.engine, self.bell = engine, bell
        self.silence = timedelta(seconds=settings.carrier_silence_seconds)
        keys = settings.link_keys.split(",")
        self.codes = Codes(keys)
        links = Links(keys, settings.public_url)
        self.identities = Identities(settings.identity_key)
        self.service = OrdersService(engine, bell, self.identities)
        self.refunds = Refunds(engine, bell)
        self.appointments = Appointments(engine, bell)
        self.holding = Holding(engine, bell)
        self.amending = Amending(engine, bell, self.identities)
        self.bulk = Bulk(engine, self.service, self.holding, self.amending)
        self.trying = Trying(engine, bell)
        self.collecting = Collecting(engine, bell, self.codes, self.identities)
        self.banks = _banks(settings)
        self.depositing = Depositing(engine, bell, self.codes, self.banks)
        self.carriers = _carriers(settings)
        self.tracking = Tracking(engine, bell, self.carriers)
        self.customers = Customers(engine, links)
        self.labels = Labels(engine, settings.gs1_company_prefix)
        self.pick_lists = PickLists(engine, bell)
        self.manifests = Manifests(engine, bell, settings.gs1_company_prefix)
        self.notifying = Notifying(engine, links, self.codes, _senders(settings), _quiet_hours(settings))
        kept, documents_kept = map(Retention.parse, (settings.retention_days, settings.document_retention_days))
        self.erasing = Erasing(engine, bell, self.identities, kept, documents_kept)
        self.archiving = Archiving(engine, timedelta(days=settings.archive_days))

    async def close(self) -> None:
        for carrier in self.carriers.values():
            await carrier.close()
        for bank in self.banks.values():
            await bank.end()
        await self.notifying.close()
        await self.engine.dispose()


async def main() -> None:
    settings = _Settings.model_validate({})
    telemetry.start("orders")
    parts = _Parts(settings, db.connect(settings.database_url), Bell())
    try:
        await rpc.serve(settings.listen, partial(_register, parts), background=_background(parts))
    finally:
        await parts.close()


def _register(of: _Parts, server: grpc.aio.Server) -> None:
    engine, bell = of.engine, of.bell
    orders = OrdersRpc(of.service, of.refunds, of.holding, of.tracking, of.appointments)
    add_OrdersServiceServicer_to_server(orders, server)
    add_TrackingServiceServicer_to_server(TrackingRpc(of.tracking, of.labels), server)
    add_DocumentServiceServicer_to_server(DocumentRpc(Documents(engine)), server)
    add_OffersServiceServicer_to_server(OffersRpc(of.service), server)
    add_ChangeServiceServicer_to_server(ChangesRpc(of.amending), server)
    add_TrialServiceServicer_to_server(TrialRpc(of.trying), server)
    add_NotificationServiceServicer_to_server(NotificationRpc(of.notifying), server)
    add_CollectionServiceServicer_to_server(CollectionRpc(of.collecting, of.depositing), server)
    add_LockerServiceServicer_to_server(LockerRpc(of.depositing), server)
    add_PickingServiceServicer_to_server(PickingRpc(of.pick_lists), server)
    add_ManifestServiceServicer_to_server(ManifestRpc(of.manifests), server)
    add_BulkServiceServicer_to_server(BulkRpc(of.bulk), server)
    add_DeskServiceServicer_to_server(DeskRpc(Desk(engine, of.identities)), server)
    add_CustomerServiceServicer_to_server(CustomerRpc(of.customers, of.codes), server)
    add_ErasureServiceServicer_to_server(ErasureRpc(of.erasing), server)
    add_FiguresServiceServicer_to_server(FiguresRpc(Figures(engine)), server)
    add_ConsolidationServiceServicer_to_server(ConsolidationRpc(Consolidating(engine, bell)), server)
    add_OutboxServiceServicer_to_server(OutboxRpc(engine, bell, "/orders"), server)


def _background(of: _Parts) -> list[rpc.Background]:
    async def lapse() -> None:
        # What it waits for happens in other processes.
        while await of.holding.lapse_holds(times.now(), _SWEEP_BATCH):  # noqa: ASYNC110
            await asyncio.sleep(_WAVE_SECONDS)

    async def watch() -> None:
        while await of.service.watch_promises(times.now(), _SWEEP_BATCH) == _SWEEP_BATCH:
            pass

    async def decide() -> None:
        while await of.bulk.work(times.now(), _BULK_BATCH) == _BULK_BATCH:
            pass

    async def ask() -> None:
        await of.tracking.ask_silent(of.silence, times.now(), _ASK_BATCH)

    async def look_after_lockers() -> None:
        await of.depositing.sweep(times.now())

    async def send_due() -> None:
        while await of.notifying.send_due(times.now(), _NOTIFY_BATCH) == _NOTIFY_BATCH:
            pass

    async def erase_due() -> None:
        after = None
        while after := await of.erasing.erase_due(times.now(), _ERASE_BATCH, after):
            pass
        while await of.erasing.forget_buyers(times.now(), _ERASE_BATCH) == _ERASE_BATCH:
            pass

    async def archive_due() -> None:
        while await of.archiving.archive_due(times.now(), _ARCHIVE_BATCH) == _ARCHIVE_BATCH:
            pass
        while await of.archiving.forget_due(times.now(), _FORGET_BATCH) == _FORGET_BATCH:
            pass

    return [
        partial(rpc.periodically, "watch_promises", _SWEEP_SECONDS, watch),
        partial(rpc.periodically, "lapse_holds", _LET_GO_SECONDS, lapse),
        partial(rpc.periodically, "send_notifications", _NOTIFY_SECONDS, send_due),
        partial(rpc.periodically, "act_in_bulk", _BULK_SECONDS, decide),
        partial(rpc.periodically, "erase_customers", _ERASE_SECONDS, erase_due),
        partial(rpc.periodically, "archive_orders", _ARCHIVE_SECONDS, archive_due),
        *([partial(rpc.periodically, "ask_carriers", _ASK_SECONDS, ask)] if of.carriers else []),
        *(
            [partial(rpc.periodically, "look_after_lockers", _LOCKER_SECONDS, look_after_lockers)]
            if of.banks
            else []
        ),
    ]


def _carriers(settings: _Settings) -> dict[str, Carrier]:
    return {
        carrier_id: SignedJsonCarrier(
            url=settings.carrier_url.format(carrier=carrier_id),
            api_key=settings.carrier_api_key,
            webhook_secret=settings.carrier_webhook_secret,
        )
        for carrier_id in settings.carriers.split(",")
        if carrier_id
    }


def _banks(settings: _Settings) -> dict[str, Bank]:
    return {
        point_id: SignedJsonBank(
            url=settings.locker_url.format(bank=point_id),
            api_key=settings.locker_api_key,
            webhook_secret=settings.locker_webhook_secret,
        )
        for point_id in settings.locker_banks.split(",")
        if point_id
    }


def _senders(settings: _Settings) -> dict[Way, Sender]:
    senders: dict[Way, Sender] = {}
    if settings.smtp_url:
        senders[Way.MAIL] = SmtpSender(SmtpServer.at(settings.smtp_url), settings.mail_from)
    if settings.sms_url:
        senders[Way.SMS] = HttpSmsSender(
            url=settings.sms_url, api_key=settings.sms_api_key, sender=settings.sms_from
        )
    return senders


def _quiet_hours(settings: _Settings) -> QuietHours | None:
    begin, _, end = settings.sms_quiet_hours.partition("-")
    return QuietHours(int(begin), int(end)) if begin else None


if __name__ == "__main__":
    uvloop.run(main())

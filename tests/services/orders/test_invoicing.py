"""Documents on a real database: numbered without a hole, once for each cause, and never changed."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import InvalidArgument, NotFound
from kit.feed import Bell
from services.orders.domain.capture import Outcome
from services.orders.domain.document import DocumentKind
from services.orders.domain.model import DocumentTerms, RefundKind, RefundWish, Units
from services.orders.domain.states import OrderState
from services.orders.invoicing import Documents
from services.orders.invoicing_store import DocumentFilter
from services.orders.refunding import Refunds
from tests.services.orders.builders import BUYER, COOLED, NOON, PLANTED, Shop, leg, outcome, rows
from tests.trips import round_trips

CAPTURED = Outcome("captured", "", "", NOON)
ISSUERS = 32


@pytest.fixture
def documents(orders_db: AsyncEngine) -> Documents:
    return Documents(orders_db)


@pytest_asyncio.fixture
async def packed(shop: Shop) -> list[str]:
    """Parcels of as many orders, none of them captured."""
    works = []
    for number in range(ISSUERS):
        _, (work,) = await shop.release(f"key-{number}", leg((1, 2)))
        await shop.pack(work, captured=False)
        works.append(work)
    return works


async def _paid(shop: Shop, key: str = "key-1") -> str:
    order_id, (work,) = await shop.release(key, leg((1, 2)))
    await shop.pack(work)
    return order_id


async def test_many_issuers_at_once_leave_no_hole_and_no_twin(
    shop: Shop, documents: Documents, packed: list[str]
) -> None:
    await asyncio.gather(*(shop.service.record_capture(shop.asked(), one, CAPTURED) for one in packed))
    issued = await documents.list_documents(DocumentFilter(), 100, None)
    assert sorted(one.sequence for one in issued) == list(range(1, ISSUERS + 1))
    assert {one.number for one in issued} == {f"WEB-FR-INV-2026-{n:06d}" for n in range(1, ISSUERS + 1)}
    assert len({one.content.order_id for one in issued}) == ISSUERS


async def test_a_number_comes_back_with_the_transaction_that_rolls_back(
    shop: Shop, documents: Documents, packed: list[str], orders_db: AsyncEngine
) -> None:
    """Every second commit fails, whoever comes first."""
    forbid = """
        CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'the disk is full'; END $$;
        CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON document DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (mod(hashtext(NEW.order_id), 2) = 0) EXECUTE FUNCTION fail_at_commit()
    """
    async with orders_db.begin() as tx:
        for statement in forbid.split(";\n        CREATE CONSTRAINT"):
            await tx.execute(
                text(statement if "FUNCTION fail" in statement[:40] else "CREATE CONSTRAINT" + statement)
            )
    try:
        acts = [shop.service.record_capture(shop.asked(), one, CAPTURED) for one in packed]
        failed = [one for one in await asyncio.gather(*acts, return_exceptions=True) if isinstance(one, Exception)]
        issued = await documents.list_documents(DocumentFilter(), 100, None)
        assert 0 < len(failed) < ISSUERS
        assert sorted(one.sequence for one in issued) == list(range(1, ISSUERS - len(failed) + 1))
    finally:
        async with orders_db.begin() as tx:
            await tx.execute(text("DROP TRIGGER fails ON document"))
            await tx.execute(text("DROP FUNCTION fail_at_commit"))
    # Whoever failed comes again, and takes the next numbers.
    await asyncio.gather(*(shop.service.record_capture(shop.asked(), one, CAPTURED) for one in packed))
    issued = await documents.list_documents(DocumentFilter(), 100, None)
    assert sorted(one.sequence for one in issued) == list(range(1, ISSUERS + 1))


async def test_a_capture_that_is_told_twice_is_billed_once(shop: Shop, documents: Documents) -> None:
    order_id, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.pack(work, captured=False)
    asked = shop.asked()
    acts = [shop.service.record_capture(one, work, CAPTURED) for one in (asked, asked, shop.asked(), shop.asked())]
    await asyncio.gather(*acts, return_exceptions=True)
    (one,) = await documents.list_documents(DocumentFilter(order_id=order_id), 10, None)
    assert await documents.get(one.number) == (one, BUYER.ship_to)
    assert (one.content.amount_minor, one.seller.name, one.issued_at) == (6490, "Web shop", NOON)


async def test_a_document_is_told_with_its_number_and_without_what_it_says(
    shop: Shop, orders_db: AsyncEngine
) -> None:
    order_id = await _paid(shop)
    ((subject, data),) = await rows(
        orders_db, "SELECT subject, data FROM outbox WHERE type = 'oms.orders.document.issued'"
    )
    assert subject == "document/WEB-FR-INV-2026-000001"
    assert data == {
        "order_id": order_id,
        "channel_id": "web-fr",
        "number": "WEB-FR-INV-2026-000001",
        "kind": "invoice",
        "cause": data["cause"],
        "amount_minor": 6490,
        "currency": "EUR",
        "issued_on": "2026-11-20",
        "corrects": [],
    }
    told = [one for one in await shop.service.get_timeline(order_id) if one.kind == "document.issued"]
    assert [one.text for one in told] == ["Invoice WEB-FR-INV-2026-000001 was issued for 64.90 EUR."]


async def test_no_document_holds_personal_data(shop: Shop, orders_db: AsyncEngine) -> None:
    await _paid(shop)
    kept = str(await rows(orders_db, "SELECT to_jsonb(d) FROM document d"))
    assert not [word for word in PLANTED if word in kept]


async def test_refunds_and_cancellations_are_credited(
    shop: Shop, documents: Documents, orders_db: AsyncEngine
) -> None:
    refunds = Refunds(orders_db, Bell())
    order_id = await _paid(shop)
    wish = RefundWish(RefundKind.GOODS, "other", "", "carol", lines=(Units(1, "", 1),))
    refund = await refunds.request(shop.asked(), order_id, wish, NOON)
    assert len(await documents.list_documents(DocumentFilter(), 10, None)) == 1, "no money has moved"
    for _ in range(2):
        await refunds.record_outcome(shop.asked(), order_id, refund.refund_id, "succeeded", "", NOON)
    await shop.service.request_cancellation(shop.asked(), order_id, "", "", NOON)
    assert await shop.service.complete_cancellation(shop.asked(), order_id, NOON) == OrderState.CANCELLED
    of_order = await documents.list_documents(DocumentFilter(order_id=order_id), 10, None)
    told = [(one.number, one.content.cause.partition("/")[0], one.content.amount_minor) for one in of_order]
    assert told == [
        ("WEB-FR-INV-2026-000001", "parcel", 6490),
        ("WEB-FR-CN-2026-000002", "cancellation", 3490),
        ("WEB-FR-CN-2026-000001", "refund", 3000),
    ]
    credits = await documents.list_documents(DocumentFilter(kinds=(DocumentKind.CREDIT_NOTE,)), 10, None)
    assert {one.content.corrects for one in credits} == {("WEB-FR-INV-2026-000001",)}


async def test_years_and_days_are_those_of_the_seller_and_follow_the_numbers(
    shop: Shop, documents: Documents
) -> None:
    await shop.open(documents=DocumentTerms("ACME", "Europe/Paris", "Acme SA", ("1 rue de la Paix", "FR00 123")))
    eve = datetime(2026, 12, 31, 22, 59, tzinfo=UTC)
    for key, at in (("a", eve), ("b", eve + timedelta(minutes=2)), ("c", eve - timedelta(hours=3))):
        _, (work,) = await shop.release(key, leg((1, 2)))
        await shop.pack(work, captured=False)
        await shop.service.record_capture(shop.asked(), work, replace(CAPTURED, as_of=at))
    found = await documents.list_documents(DocumentFilter(series=("ACME",)), 10, None)
    told = {one.number: (one.issued_on.isoformat(), one.issued_at) for one in found}
    assert told == {
        "ACME-INV-2026-000001": ("2026-12-31", eve),
        "ACME-INV-2027-000001": ("2027-01-01", eve + timedelta(minutes=2)),
        "ACME-INV-2026-000002": ("2026-12-31", eve),
    }
    assert {one.seller.lines for one in found} == {("1 rue de la Paix", "FR00 123")}


async def test_channels_of_one_seller_number_together(
    shop: Shop, documents: Documents, orders_db: AsyncEngine
) -> None:
    shared = DocumentTerms("ACME")
    await shop.open(documents=shared)
    await shop.open(documents=shared, channel_id="app-fr")
    for key, channel_id in (("a", "web-fr"), ("b", "app-fr")):
        order_id = await shop.record(key, channel_id=channel_id)
        (work,) = await shop.accept(order_id)
        await shop.service.release_order(shop.asked(), order_id, COOLED)
        await shop.service.offer_fulfilment(shop.asked(), work, NOON)
        await shop.pack(work)
    found = await documents.list_documents(DocumentFilter(), 10, None)
    assert {(one.number, one.content.channel_id) for one in found} == {
        ("ACME-INV-2026-000001", "web-fr"),
        ("ACME-INV-2026-000002", "app-fr"),
    }


async def test_what_was_issued_cannot_be_changed_or_removed(shop: Shop, orders_db: AsyncEngine) -> None:
    await _paid(shop)
    for act in ("UPDATE document SET amount_minor = 1", "DELETE FROM document"):
        with pytest.raises(DBAPIError, match="never change"):
            async with orders_db.begin() as tx:
                await tx.execute(text(act))


async def test_documents_are_listed_by_page_period_and_kind(shop: Shop, documents: Documents) -> None:
    for number in range(5):
        await _paid(shop, f"key-{number}")
    first = await documents.list_documents(DocumentFilter(), 3, None)
    rest = await documents.list_documents(DocumentFilter(), 3, (first[-1].issued_at, first[-1].number))
    assert [one.sequence for one in (*first, *rest)] == [5, 4, 3, 2, 1]
    later = NOON + timedelta(seconds=1)
    for wanted, count in (
        (DocumentFilter(from_=NOON, until=later), 5),
        (DocumentFilter(until=NOON), 0),
        (DocumentFilter(from_=later), 0),
        (DocumentFilter(kinds=(DocumentKind.CREDIT_NOTE,)), 0),
        (DocumentFilter(channel_ids=("app-fr",)), 0),
        (DocumentFilter(series=("WEB-FR",)), 5),
    ):
        assert len(await documents.list_documents(wanted, 100, None)) == count
    with pytest.raises(NotFound) as caught:
        await documents.get("WEB-FR-INV-2026-000006")
    assert caught.value.reason == "DOCUMENT_NOT_FOUND"


async def test_terms_are_refused_with_the_channel_that_sends_them(shop: Shop) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await shop.open(documents=DocumentTerms("acme"))
    assert caught.value.facts["field"] == "channels[0].documents.series"


async def test_a_bill_costs_few_round_trips(shop: Shop, orders_db: AsyncEngine) -> None:
    _, (work,) = await shop.release("key-1", leg((1, 2)))
    await shop.pack(work, captured=False)
    told = shop.service.record_capture(shop.asked(), work, CAPTURED)
    assert await round_trips(orders_db, told) <= 9
    assert await outcome(shop.service.record_capture(shop.asked(), work, CAPTURED)) == "done"

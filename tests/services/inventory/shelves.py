"""The small network of the tests of stock, with short words for what its shops say of their shelves."""

from datetime import date, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.inventory.answers import TillAnswer
from services.inventory.business_days import BusinessDays
from services.inventory.counting import Counting
from services.inventory.domain import shelf_commands as commands
from services.inventory.domain.business_day import AdjustmentReport, WriteOffRules
from services.inventory.domain.counts import Count
from services.inventory.domain.declarations import Declaration
from services.inventory.domain.ledger import Balance
from services.inventory.domain.receiving import Receipt, ReceiptLine
from services.inventory.shelf import Shelf
from tests.services.inventory.shop import NOON, Shop, request_id

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
# In Paris: the 20th of November ends at 23:00 UTC.
DAY = date(2026, 11, 20)
NIGHT = datetime.fromisoformat("2026-11-20T23:00:00+00:00")


class ShelfShop(Shop):
    """The service on a real database, and the use cases of shelves beside it."""

    def __init__(self, engine: AsyncEngine, rules: WriteOffRules | None = None) -> None:
        super().__init__(engine)
        self.shelf = Shelf(engine, self.bell)
        self.days = BusinessDays(engine, self.bell, rules)
        self.counting = Counting(engine, self.bell)

    async def sell(
        self,
        quantity: int,
        sku: str = "DRESS",
        point_id: str = "LYON",
        *,
        at: datetime | None = None,
        as_of: datetime = NOON,
        request: str = "",
    ) -> TillAnswer:
        return await self.shelf.record_till_sale(
            commands.RecordTillSale(
                request or request_id(), sku, point_id, quantity, at, "till_7", "ticket 4711", as_of
            )
        )

    async def take_back(
        self,
        quantity: int,
        sku: str = "DRESS",
        point_id: str = "LYON",
        *,
        at: datetime | None = None,
        as_of: datetime = NOON,
        request: str = "",
    ) -> TillAnswer:
        return await self.shelf.record_till_return(
            commands.RecordTillReturn(
                request or request_id(), sku, point_id, quantity, at, "till_7", "ticket 4711", as_of
            )
        )

    async def close_day(
        self,
        point_id: str = "LYON",
        day: date | None = None,
        as_of: datetime = NOON,
        request: str = "",
    ) -> AdjustmentReport:
        return await self.days.close(
            commands.CloseBusinessDay(request or request_id(), point_id, day, "manager_1", as_of)
        )

    async def receive(
        self,
        *lines: ReceiptLine,
        point_id: str = "LYON",
        request: str = "",
        at: datetime | None = None,
        as_of: datetime = NOON,
    ) -> tuple[Receipt, tuple[Balance, ...]]:
        return await self.shelf.record_receipt(
            commands.RecordReceipt(request or request_id(), point_id, "asn/9", lines, "assoc_1", at, as_of)
        )

    async def open_count(
        self,
        *skus: str,
        categories: tuple[str, ...] = (),
        point_id: str = "LYON",
        as_of: datetime = NOON,
        request: str = "",
    ) -> Count:
        return await self.counting.open_count(
            commands.OpenCount(request or request_id(), point_id, skus, categories, "assoc_1", as_of)
        )

    async def count(
        self,
        count_id: str,
        counted: int,
        sku: str = "DRESS",
        *,
        damaged: int = 0,
        at: datetime | None = None,
        as_of: datetime = NOON,
    ) -> Count:
        line = commands.CountedLine(sku, counted, damaged, at)
        return await self.counting.record_count(
            commands.RecordCount(request_id(), count_id, (line,), "assoc_2", as_of)
        )

    async def close_count(self, count_id: str, *, as_of: datetime = NOON, request: str = "") -> Count:
        return await self.counting.close_count(
            commands.CloseCount(request or request_id(), count_id, "manager_1", as_of)
        )

    async def cancel_count(self, count_id: str, as_of: datetime = NOON) -> Count:
        return await self.counting.cancel_count(commands.CancelCount(request_id(), count_id, "manager_1", as_of))

    async def declared(self, point_id: str = "LYON", *, ended: bool = True) -> list[Declaration]:
        return await self.shelf.list_declarations(point_id, "", None, 1000, with_ended=ended)

    async def told(self, kind: str) -> list[dict[str, object]]:
        """What events of a type say, oldest first."""
        async with self.engine.begin() as tx:
            rows = await tx.execute(text("SELECT data FROM outbox WHERE type = :kind ORDER BY id"), {"kind": kind})
            return list(rows.scalars())

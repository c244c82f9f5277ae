"""A small network for the tests of stock, and short words for what they do to it."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.feed import Bell
from services.inventory.answers import Declared, HoldAnswer
from services.inventory.domain import commands
from services.inventory.domain.catalogue import Channel, Edit, Item, PointType, Purpose, StockPoint
from services.inventory.domain.declarations import Reason
from services.inventory.domain.explaining import Availability
from services.inventory.domain.holds import HoldLine, HoldMove
from services.inventory.domain.ledger import Balance, Cause, Position
from services.inventory.service import InventoryService

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EDIT = Edit("tester", NOON)
SKUS = ("DRESS", "PAN", "SOFA")
POINTS = ("LYON", "PARIS", "WAREHOUSE")
WEB = Channel("web", "Web shop", "EUR", POINTS)
_numbers = count(1)
_PICKS_UNLIKE_THE_LEDGER = text(
    """SELECT * FROM (SELECT sku, point_id, sum(found) AS found, sum(missed) AS missed
                      FROM pick GROUP BY sku, point_id) AS kept
       FULL JOIN (SELECT sku, point_id, -sum(on_hand_delta) AS issued, sum(unavailable_delta) AS not_found
                  FROM movement WHERE cause = 'issue' OR starts_with(cause, 'short_pick')
                  GROUP BY sku, point_id) AS told
            USING (sku, point_id)
       WHERE (coalesce(found, 0), coalesce(missed, 0)) <> (coalesce(issued, 0), coalesce(not_found, 0))"""
)


def item(sku: str, *path: str) -> Item:
    return Item(sku, title=sku.title(), category_path=path or ("home", "kitchen"))


def point(point_id: str, kind: PointType = PointType.STORE) -> StockPoint:
    return StockPoint(point_id, point_id.title(), kind, 45.76, 4.84, "FR", "Europe/Paris")


def request_id() -> str:
    return f"req-{next(_numbers)}"


def line(sku: str, quantity: int, point_id: str = "LYON") -> HoldLine:
    return HoldLine(sku, point_id, quantity)


class Shop:
    """The service on a real database, with one channel that sells three items from three points."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self.bell = Bell()
        self.service = InventoryService(engine, self.bell)

    async def open(self, channel: Channel = WEB) -> "Shop":
        await self.service.put_items([item(sku) for sku in SKUS], EDIT)
        stores = [point("LYON"), point("PARIS")]
        await self.service.put_stock_points([*stores, point("WAREHOUSE", PointType.WAREHOUSE)], EDIT)
        await self.service.put_channels([channel], EDIT)
        return self

    async def adjust(
        self,
        quantity: int,
        sku: str = "DRESS",
        point_id: str = "LYON",
        cause: str = "receipt",
        as_of: datetime = NOON,
    ) -> Balance:
        delta = commands.StockDelta(sku, point_id, quantity)
        command = commands.AdjustStock(request_id(), (delta,), Cause(cause, "wms", "doc/1"), as_of)
        return (await self.service.adjust_stock(command))[0]

    async def declare(
        self,
        quantity: int,
        sku: str = "DRESS",
        point_id: str = "LYON",
        *,
        reason: Reason = Reason.DAMAGED,
        as_of: datetime = NOON,
        request: str = "",
    ) -> Declared:
        cause = Cause(reason.value, "assoc_1", "terminal 3")
        return await self.service.declare_unavailable(
            commands.DeclareUnavailable(request or request_id(), sku, point_id, quantity, reason, cause, as_of)
        )

    async def give_back(
        self, quantity: int, sku: str = "DRESS", point_id: str = "LYON", declaration_id: str = ""
    ) -> Declared:
        return await self.service.release_unavailable(
            commands.ReleaseUnavailable(
                request_id(), declaration_id, sku, point_id, quantity, Cause("found", "assoc_1"), NOON
            )
        )

    async def reserve(
        self,
        reservation_id: str,
        *lines: HoldLine,
        seconds: int = 600,
        partial: bool = False,
        request: str = "",
        as_of: datetime = NOON,
        channel_id: str = "web",
        purpose: Purpose | None = None,
    ) -> HoldAnswer:
        return await self.service.reserve(
            commands.Reserve(
                request or request_id(), reservation_id, channel_id, lines, seconds, partial, as_of, purpose
            )
        )

    async def release(self, reservation_id: str, *lines: HoldLine, request: str = "") -> tuple[HoldLine, ...]:
        return await self.service.release(
            commands.Release(request or request_id(), reservation_id, lines, "cancelled", NOON)
        )

    async def issue(self, reservation_id: str, *lines: HoldLine, as_of: datetime = NOON) -> tuple[Balance, ...]:
        return await self.service.issue(commands.Issue(request_id(), reservation_id, lines, "par_1", as_of))

    async def move(self, reservation_id: str, *moves: HoldMove) -> HoldAnswer:
        return await self.service.move_reservation(
            commands.MoveReservation(request_id(), reservation_id, moves, NOON)
        )

    async def report_short(
        self, reservation_id: str, *lines: HoldLine, as_of: datetime = NOON
    ) -> tuple[Balance, ...]:
        return await self.service.report_short(
            commands.ReportShort(request_id(), reservation_id, lines, "assoc_1", as_of)
        )

    async def balance(self, sku: str = "DRESS", point_id: str = "LYON") -> Balance:
        found = await self.service.list_balances([sku], [point_id], Position("", ""), 1)
        return found[0] if found else Balance(sku, point_id)

    async def figure(
        self,
        sku: str = "DRESS",
        channel_id: str = "web",
        *,
        now: datetime = NOON,
        purpose: Purpose | None = None,
        explain: bool = True,
    ) -> Availability:
        found = await self.service.get_availability(channel_id, [sku], now=now, purpose=purpose, explain=explain)
        return found[0]

    async def shown(self, sku: str = "DRESS", channel_id: str = "web", purpose: Purpose | None = None) -> int:
        return (await self.figure(sku, channel_id, purpose=purpose, explain=False)).available_now

    async def assert_sound(self) -> None:
        """SPEC STK-3, no unit held by nobody, and no pick that the ledger does not tell."""
        assert await self.service.find_differences() == []
        async with self.engine.begin() as tx:
            assert (await tx.execute(_PICKS_UNLIKE_THE_LEDGER)).all() == []


def with_rules(channel: Channel = WEB, **parts: object) -> Channel:
    return replace(channel, **parts)  # type: ignore[arg-type]

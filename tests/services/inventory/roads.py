"""Short words for what the tests of transfers do."""

from datetime import datetime

from sqlalchemy import text

from services.inventory.domain import transfer_commands as commands
from services.inventory.domain.lanes import Window
from services.inventory.domain.transfers import Outcome, Quantity, Receipt, Settlement, Transfer
from services.inventory.transfer_answers import TransferAnswer
from services.inventory.transfers import Transfers
from tests.services.inventory.shop import NOON, Shop, request_id


class Roads:
    """Transfers of a shop; what is not said is a transfer from LYON to PARIS at noon."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.transfers = Transfers(shop.engine, shop.bell)

    async def ask(
        self,
        *lines: Quantity,
        origin: str = "LYON",
        destination: str = "PARIS",
        request: str = "",
        lane_id: str = "",
        expected: Window | None = None,
        as_of: datetime = NOON,
    ) -> TransferAnswer:
        return await self.transfers.request(
            commands.RequestTransfer(
                request or request_id(), origin, destination, lines, lane_id, expected, "plan_1", "", as_of
            )
        )

    async def asked(self, *lines: Quantity, **more: str) -> Transfer:
        answer = await self.ask(*lines, **more)  # type: ignore[arg-type]
        assert answer.transfer is not None, answer.shortfalls
        return answer.transfer

    async def dispatch(
        self,
        transfer_id: str,
        *lines: Quantity,
        not_found: bool = False,
        request: str = "",
        expected: Window | None = None,
        as_of: datetime = NOON,
    ) -> Transfer:
        return await self.transfers.dispatch(
            commands.DispatchTransfer(
                request or request_id(), transfer_id, lines, not_found, expected, "assoc_1", as_of
            )
        )

    async def receive(self, transfer_id: str, *lines: Receipt, request: str = "") -> Transfer:
        return await self.transfers.receive(
            commands.ReceiveTransfer(request or request_id(), transfer_id, lines, "assoc_2", NOON)
        )

    async def settle(
        self, transfer_id: str, sku: str, quantity: int, outcome: Outcome, request: str = ""
    ) -> Transfer:
        line = Settlement(sku, quantity, outcome, "nobody saw it")
        return await self.transfers.settle(
            commands.SettleTransfer(request or request_id(), transfer_id, (line,), "plan_1", NOON)
        )

    async def cancel(self, transfer_id: str, request: str = "") -> Transfer:
        return await self.transfers.cancel(
            commands.CancelTransfer(request or request_id(), transfer_id, "plan_1", "not needed", NOON)
        )

    async def events(self) -> list[tuple[str, list[dict[str, object]]]]:
        """Names and lines, oldest first."""
        async with self.shop.engine.begin() as tx:
            rows = await tx.execute(
                text("SELECT type, data FROM outbox WHERE subject LIKE 'transfer/%' ORDER BY id")
            )
            return [(row.type.removeprefix("oms.inventory.transfer."), row.data["lines"]) for row in rows]

    async def declarations(self) -> list[tuple[str, str, int, str]]:
        """SKU, point, what is left, why."""
        async with self.shop.engine.begin() as tx:
            rows = await tx.execute(
                text("SELECT sku, point_id, remaining, reason FROM declaration ORDER BY sku, point_id")
            )
            return [tuple(row) for row in rows]

    async def assert_sound(self) -> None:
        """Balances, ledger, reservations, transfers and declarations agree."""
        await self.shop.assert_sound()
        _, found = await self.transfers.find_differences()
        assert found == []

"""The shelf's use cases: declarations, till sales and returns, receiving (SPEC STK-6, STK-16)."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from kit import outbox
from kit.values.ids import derived_id
from services.inventory import answers, shelf_events
from services.inventory.answers import TillAnswer
from services.inventory.declaring import no_declaration
from services.inventory.domain import receiving, till, validation
from services.inventory.domain.bundles import spread
from services.inventory.domain.declarations import Declaration
from services.inventory.domain.ledger import Balance, Book, Cause, Position
from services.inventory.domain.receiving import Receipt
from services.inventory.domain.shelf_commands import (
    RecordReceipt,
    RecordTillReturn,
    RecordTillSale,
    at,
    check_receipt,
    check_till,
)
from services.inventory.domain.till import Effect
from services.inventory.store import bundles, declarations, ledger, looks
from services.inventory.store import shelf as store
from services.inventory.usecases import UseCases, check, first_answer, must_have_stock, must_know


class Shelf(UseCases):
    """What a shop says is so: none of it is refused for what the books say."""

    async def get_declaration(self, declaration_id: str) -> Declaration:
        """As it stands."""
        check(validation.identifier("declaration_id", declaration_id))
        async with self._engine.begin() as tx:
            found = await declarations.one(tx, declaration_id)
        if found is None:
            raise no_declaration(declaration_id)
        return found

    async def list_declarations(
        self, point_id: str, sku: str, after: tuple[datetime, str] | None, limit: int, *, with_ended: bool
    ) -> list[Declaration]:
        """Of a point, oldest first, after one; no SKU means all."""
        check(validation.name("point_id", point_id), validation.sku("sku", sku) if sku else ())
        async with self._engine.begin() as tx:
            return await declarations.of_point(tx, point_id, sku, after, limit, with_ended=with_ended)

    async def record_till_sale(self, command: RecordTillSale) -> TillAnswer:
        """Units left with a customer: declared ones are used up, reserved ones become short."""
        return await self._record_till(command, "sale", at(command.sold_at, command.as_of))

    async def record_till_return(self, command: RecordTillReturn) -> TillAnswer:
        """Units came back to the shelf; what was short is less so."""
        return await self._record_till(command, "return", at(command.returned_at, command.as_of))

    async def _record_till(
        self, command: RecordTillSale | RecordTillReturn, kind: str, happened_at: datetime
    ) -> TillAnswer:
        check(validation.identifier("request_id", command.request_id), check_till(command))
        position = Position(command.sku, command.point_id)
        act = _sell if isinstance(command, RecordTillSale) else _bring_back
        async with self._change() as tx:
            first = await first_answer(tx, command)
            if first is not None:
                return answers.to_till(first)
            await must_know(tx, command.point_id, {"sku": command.sku})
            parts = (await bundles.of(tx, [command.sku])).get(command.sku, ())
            # A bundle leaves the shelf, and comes back to it, part by part.
            units = dict(spread(parts, position, command.quantity))
            book = await ledger.lock_or_create(tx, units)
            total = Effect()
            for one, quantity in units.items():
                effect = await act(tx, book, one, quantity, command, happened_at)
                total += effect
                await store.add_till_line(
                    tx, kind, one, effect, command.receipt, command.actor, happened_at, command.as_of
                )
                told = TillAnswer(book.balance(one), effect)
                await outbox.write(tx, [shelf_events.till_recorded(kind, told, command.receipt, happened_at)])
            answer = TillAnswer(book.balance(position), total)
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, happened_at),
                answers=[ledger.Answer(command.request_id, answers.from_till(answer))],
            )
        return answer

    async def record_receipt(self, command: RecordReceipt) -> tuple[Receipt, tuple[Balance, ...]]:
        """Goods arrived: on hand at once, the damaged ones declared. The receipt, and the balances afterwards."""
        check(validation.identifier("request_id", command.request_id), check_receipt(command))
        receipt = Receipt(
            derived_id("rcp", command.request_id),
            command.point_id,
            command.reference,
            command.actor,
            at(command.received_at, command.as_of),
            command.as_of,
            command.lines,
        )
        positions = [Position(line.sku, command.point_id) for line in command.lines]
        async with self._change() as tx:
            first = await first_answer(tx, command)
            if first is not None:
                return await store.receipt(tx, receipt.receipt_id), answers.to_balances(first)
            fields = {f"lines[{i}].sku": line.sku for i, line in enumerate(command.lines)}
            await must_know(tx, command.point_id, fields)
            await must_have_stock(tx, fields)
            book = await ledger.lock_or_create(tx, positions)
            counted = await looks.looked_since(tx, positions, receipt.received_at)
            opened = receiving.receive(book, receipt, command.request_id, counted)
            balances = book.balances(positions)
            await declarations.save(tx, opened)
            await store.add_receipt(tx, receipt)
            await outbox.write(tx, [shelf_events.receipt_recorded(receipt)])
            await ledger.write(
                tx,
                movements=ledger.dated(book.movements, receipt.received_at),
                answers=[ledger.Answer(command.request_id, answers.from_balances(balances))],
            )
        return receipt, balances

    async def list_receipts(self, point_id: str, before: int, limit: int) -> Sequence[tuple[int, Receipt]]:
        """Of a point, the newest first, before a number: number, receipt."""
        check(validation.name("point_id", point_id))
        async with self._still.begin() as tx:
            return await store.receipts(tx, point_id, before, limit)


async def _sell(
    tx: AsyncConnection,
    book: Book,
    position: Position,
    quantity: int,
    command: RecordTillSale | RecordTillReturn,
    sold_at: datetime,
) -> Effect:
    looked_at = (await looks.looked_at(tx, [position])).get(position)
    if looked_at and looked_at >= sold_at:
        known = quantity
    else:
        known = await store.match_written_off(tx, position, quantity, sold_at, looked_at)
    declared = (await declarations.open_at(tx, [position]))[position]
    cause = Cause("till_sale", command.actor, command.receipt)
    effect, changed = till.sell(book, position, quantity, declared, cause, command.as_of, known=known)
    await declarations.save(tx, changed)
    return effect


async def _bring_back(
    tx: AsyncConnection,
    book: Book,
    position: Position,
    quantity: int,
    command: RecordTillSale | RecordTillReturn,
    returned_at: datetime,
) -> Effect:
    known = quantity if await looks.looked_since(tx, [position], returned_at) else 0
    cause = Cause("till_return", command.actor, command.receipt)
    return till.bring_back(book, position, quantity, cause, known=known)

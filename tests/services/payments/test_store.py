"""The ledger refuses what would falsify it, and says where totals differ from it."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.errors import InvalidArgument
from services.payments import store
from services.payments.paging import read_cursor
from tests.services.payments.world import World, move


@pytest.mark.parametrize(
    "statement", ["UPDATE entry SET debit_minor = debit_minor + 1", "DELETE FROM entry", "TRUNCATE entry CASCADE"]
)
async def test_the_ledger_is_never_changed(world: World, statement: str) -> None:
    await world.pay()
    with pytest.raises(DBAPIError, match="append-only"):
        async with world.engine.begin() as tx:
            await tx.execute(text(statement))


async def test_entries_that_do_not_balance_are_refused_at_commit(world: World) -> None:
    operation_id = (await world.pay()).operations[0].operation_id
    with pytest.raises(DBAPIError, match="do not balance"):
        async with world.engine.begin() as tx:
            await tx.execute(
                text(
                    "INSERT INTO entry (operation_id, account, debit_minor, credit_minor, currency, recorded_at) "
                    "VALUES (:id, 'order/x/captured', 0, 5, 'EUR', now())"
                ),
                {"id": operation_id},
            )


@pytest.mark.parametrize("change", ["captured = 10001", "voided = 10001", "refunded = 1", "captured = -1"])
async def test_totals_that_cannot_be_are_refused(world: World, change: str) -> None:
    await world.pay()
    with pytest.raises(DBAPIError, match="check"):
        async with world.engine.begin() as tx:
            await tx.execute(text(f"UPDATE tender SET {change}"))


async def test_a_total_that_is_not_its_ledger_s_is_found(world: World) -> None:
    await world.pay()
    await world.service.capture(move(world.order_id, 4_000))
    assert await world.service.differences() == []
    async with world.engine.begin() as tx:
        await tx.execute(text("UPDATE tender SET captured = captured + 7"))
    tender_id = (await world.tender()).tender_id
    assert await world.service.differences() == [
        store.Difference(world.order_id, tender_id, "captured", 4_007, 4_000)
    ]


async def test_what_the_provider_owes_is_what_was_captured_less_what_was_refunded(world: World) -> None:
    await world.pay()
    await world.service.capture(move(world.order_id, 4_000))
    await world.service.refund(move(world.order_id, 1_500))
    async with world.engine.connect() as tx:
        rows = await tx.execute(
            text("SELECT account, sum(debit_minor - credit_minor) FROM entry GROUP BY account ORDER BY account")
        )
        balances = {account: int(balance) for account, balance in rows.all()}
    assert balances["provider/stripe/receivable"] == 2_500
    assert balances["provider/stripe/authorized"] == 6_000
    assert sum(balances.values()) == 0


@pytest.mark.parametrize("cursor", ["?", "é", "bm90IGEgY3Vyc29y", "MjAyNi0wMS0wMVQwMDowMDowMHxwb3A="])
def test_a_cursor_of_another_list_is_refused_by_its_field(cursor: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        read_cursor(cursor)
    assert refusal.value.facts["field"] == "page.cursor"

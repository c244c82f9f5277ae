"""The history of operations: filtered, page by page, as files, and summed by day."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import pytest_asyncio
from pyarrow import parquet
from sqlalchemy import text

from kit.db import AsyncEngine
from kit.errors import InvalidArgument
from oms.payments.v1 import payments_service_pb2 as pb
from services.payments.domain.model import Kind, Operation, State
from services.payments.exporting import NAMES, CsvWriter, ParquetWriter, Writer
from services.payments.filters import number_cursor, read_filter, read_number_cursor
from services.payments.history import History
from services.payments.history_store import Filter
from services.payments.paging import cursor_at, read_cursor
from tests.services.payments.world import World, authorize, move

DAY = date(2026, 11, 20)
MORNING = datetime(2026, 11, 20, 8, tzinfo=UTC)
LATER = datetime(2026, 11, 25, tzinfo=UTC)
_CHANNELS, _POINTS, _CURRENCIES = ("web", "app", "stores"), ("", "st-lyon", "st-nice"), ("EUR", "CHF")


def drawn(number: int) -> Operation:
    """One of many that differ in all that is filtered by."""
    state = State.FAILED if number % 11 == 5 else State.UNKNOWN if number % 97 == 3 else State.SUCCEEDED
    at = MORNING + timedelta(minutes=number // 2)  # two at each instant: the id decides
    return Operation(
        operation_id=f"pop_{number:05d}",
        request_id=f"req_{number}",
        order_id=f"ord_{number // 3}",
        tender_id=f"ten_{number // 3}",
        kind=list(Kind)[number % 4],
        state=state,
        amount_minor=100 + number,
        currency=_CURRENCIES[number % 7 == 1],
        cause="parcel/par_1",
        actor="workflow",
        intended_at=at,
        provider="adyen" if number % 13 == 6 else "stripe",
        settled_at=None if state is State.UNKNOWN else at,
        channel_id=_CHANNELS[number % 3],
        point_id=_POINTS[number % 5 % 3],
        tender_kind="paid_by_channel_reference" if number % 17 == 1 else "payment_method_token",
    )


async def write(engine: AsyncEngine, operations: Sequence[Operation]) -> None:
    """Only the operations: no order needs to be there."""
    columns = list(Operation.__dataclass_fields__)
    async with engine.begin() as tx:
        await tx.execute(text("SET LOCAL session_replication_role = replica"))
        await tx.execute(text("ALTER TABLE operation ENABLE ALWAYS TRIGGER operation_facet_is_kept"))
        await tx.execute(
            text(
                f"""INSERT INTO operation ({", ".join(columns)}, asked_at)
                    VALUES ({", ".join(f":{name}" for name in columns)}, :intended_at)"""
            ),
            [{name: getattr(one, name) for name in columns} for one in operations],
        )


@pytest_asyncio.fixture
async def many(payments_db: AsyncEngine) -> list[Operation]:
    """Newest first."""
    made = [drawn(number) for number in range(300)]
    await write(payments_db, made)
    return sorted(made, key=lambda one: (one.intended_at, one.operation_id), reverse=True)


@pytest.fixture
def history(payments_db: AsyncEngine) -> History:
    return History(payments_db, lambda: LATER)


CASES: dict[str, tuple[Filter, Callable[[Operation], bool]]] = {
    "all": (Filter(), lambda one: True),
    "period": (
        Filter(since=MORNING + timedelta(hours=1), until=MORNING + timedelta(hours=2)),
        lambda one: MORNING + timedelta(hours=1) <= one.intended_at < MORNING + timedelta(hours=2),
    ),
    "orders": (
        Filter(order_id=("ord_1", "ord_7"), kind=(Kind.CAPTURE,)),
        lambda one: one.order_id in ("ord_1", "ord_7") and one.kind is Kind.CAPTURE,
    ),
    "channel and state": (
        Filter(channel_id=("web",), state=(State.FAILED,)),
        lambda one: one.channel_id == "web" and one.state is State.FAILED,
    ),
    "store and tender": (
        Filter(point_id=("st-lyon",), tender_kind=("paid_by_channel_reference",)),
        lambda one: one.point_id == "st-lyon" and one.tender_kind == "paid_by_channel_reference",
    ),
    "rare ones together": (
        Filter(state=(State.UNKNOWN, State.FAILED), currency=("CHF",), provider=("adyen", "stripe")),
        lambda one: one.state in (State.UNKNOWN, State.FAILED) and one.currency == "CHF",
    ),
    "never together": (Filter(provider=("nobody",), kind=(Kind.VOID,)), lambda one: False),
    "rare in a period": (
        Filter(state=(State.UNKNOWN,), until=MORNING + timedelta(hours=2)),
        lambda one: one.state is State.UNKNOWN and one.intended_at < MORNING + timedelta(hours=2),
    ),
}


@pytest.mark.parametrize("walked", [0, 20])
@pytest.mark.parametrize("name", CASES)
async def test_every_page_is_right_whichever_way_it_is_found(
    payments_db: AsyncEngine, many: list[Operation], name: str, walked: int
) -> None:
    history = History(payments_db, walked=walked)
    wanted, fits = CASES[name]
    seen: list[Operation] = []
    after = None
    while True:
        rows, more = await history.list_operations(wanted, after, 25)
        seen += rows
        if not more:
            break
        after = read_cursor(cursor_at(rows[-1].intended_at, rows[-1].operation_id))
    assert seen == [one for one in many if fits(one)]


async def test_what_changes_its_state_is_found_under_the_new_one(world: World) -> None:
    world.provider.fault("create", "timeout_after_success", order_id=world.order_id)
    await world.hasty.authorize(authorize(world.order_id))
    unknown, succeeded = (
        Filter(state=(state,), channel_id=("web",)) for state in (State.UNKNOWN, State.SUCCEEDED)
    )
    history = world.service.history
    assert len((await history.list_operations(unknown, None, 9))[0]) == 1
    await world.rest()
    assert (await history.list_operations(unknown, None, 9))[0] == []
    (found,), _ = await history.list_operations(succeeded, None, 9)
    assert (found.channel_id, found.tender_kind, found.point_id) == ("web", "payment_method_token", "")
    await world.service.capture(replace(move(world.order_id, 4_000), point_id="st-lyon"))
    (captured,), _ = await history.list_operations(Filter(point_id=("st-lyon",)), None, 9)
    assert (captured.kind, captured.channel_id, captured.amount_minor) == (Kind.CAPTURE, "web", 4_000)


def test_a_filter_that_cannot_be_is_refused_by_its_field() -> None:
    for wanted, field in (
        (pb.OperationFilter(tender_kinds=["gold"]), "filter.tender_kinds"),
        (pb.OperationFilter(kinds=[pb.OPERATION_KIND_UNSPECIFIED]), "filter.kinds"),
        (pb.OperationFilter(states=[pb.OPERATION_STATE_UNSPECIFIED]), "filter.states"),
        (pb.OperationFilter(order_ids=["x"] * 101), "filter.order_ids"),
        (pb.OperationFilter(channel_ids=["a\x00"]), "filter.channel_ids"),
    ):
        with pytest.raises(InvalidArgument) as refusal:
            read_filter(wanted)
        assert refusal.value.facts["field"] == field


async def test_a_period_that_ends_before_it_begins_is_refused(history: History) -> None:
    with pytest.raises(InvalidArgument, match="must be after"):
        await history.list_operations(Filter(since=MORNING, until=MORNING), None, 5)
    for until in (DAY, DAY + timedelta(days=401)):
        with pytest.raises(InvalidArgument, match="400"):
            await history.totals(DAY, until, [])


def test_a_number_is_its_own_cursor_and_nothing_else_is_one() -> None:
    assert read_number_cursor(number_cursor(7)) == 7
    for wrong in ("?", "bm8=", number_cursor(-1)):
        with pytest.raises(InvalidArgument):
            read_number_cursor(wrong)


# -- files ------------------------------------------------------------------------------------------------


async def file_of(history: History, wanted: Filter, writer: Callable[[], Writer]) -> bytes:
    return b"".join([part async for part in history.export(wanted, writer)])


async def test_a_csv_file_has_every_operation_once_as_it_is(
    payments_db: AsyncEngine, many: list[Operation]
) -> None:
    content = (
        await file_of(History(payments_db, portion=100), Filter(channel_id=("web", "app")), CsvWriter)
    ).decode()
    rows = list(csv.DictReader(io.StringIO(content)))
    expected = [one for one in many if one.channel_id in ("web", "app")]
    assert [row["operation_id"] for row in rows] == [one.operation_id for one in expected]
    assert tuple(rows[0]) == NAMES
    first = expected[0]
    assert rows[0]["amount_minor"] == str(first.amount_minor)
    assert Decimal(rows[0]["amount"]) * 100 == first.amount_minor
    assert datetime.fromisoformat(rows[0]["intended_at"]) == first.intended_at


async def test_a_parquet_file_has_the_same_with_types(payments_db: AsyncEngine, many: list[Operation]) -> None:
    content = await file_of(History(payments_db, portion=125), Filter(), ParquetWriter)
    file = parquet.ParquetFile(io.BytesIO(content))
    rows = file.read().to_pylist()
    assert file.metadata.num_row_groups == 3
    assert [row["operation_id"] for row in rows] == [one.operation_id for one in many]
    for row, one in zip(rows, many, strict=True):
        assert (row["amount_minor"], row["amount"]) == (one.amount_minor, Decimal(one.amount_minor) / 100)
        assert (row["intended_at"], row["settled_at"]) == (one.intended_at, one.settled_at)
        assert (row["kind"], row["state"], row["point_id"]) == (one.kind, one.state, one.point_id)


@pytest.mark.parametrize("writer", [CsvWriter, ParquetWriter])
async def test_a_file_without_operations_has_its_columns(history: History, writer: Callable[[], Writer]) -> None:
    content = await file_of(history, Filter(), writer)
    if writer is CsvWriter:
        assert content.decode().split() == [",".join(NAMES)]
    else:
        assert parquet.read_table(io.BytesIO(content)).column_names == list(NAMES)


@pytest.mark.parametrize("cause", ["=1+1", "+x", "-x", "@SUM(A1)", "\t=1", '=HYPERLINK("http://x","y")'])
async def test_no_text_becomes_a_formula_in_a_spreadsheet(
    payments_db: AsyncEngine, history: History, cause: str
) -> None:
    await write(payments_db, [replace(drawn(0), cause=cause)])
    (row,) = csv.DictReader(io.StringIO((await file_of(history, Filter(), CsvWriter)).decode()))
    assert row["cause"] == f"'{cause}"


async def test_amounts_have_the_decimal_places_of_their_currency(
    payments_db: AsyncEngine, history: History
) -> None:
    codes = ("JPY", "EUR", "BHD")
    await write(payments_db, [replace(drawn(number), currency=code) for number, code in enumerate(codes)])
    rows = csv.DictReader(io.StringIO((await file_of(history, Filter(), CsvWriter)).decode()))
    assert {row["currency"]: row["amount"] for row in rows} == {"JPY": "100", "EUR": "1.01", "BHD": "0.102"}


# -- totals -----------------------------------------------------------------------------------------------


def summed(operations: Sequence[Operation], key: Callable[[Operation], object]) -> dict[object, tuple[int, int]]:
    found: dict[object, tuple[int, int]] = {}
    for one in operations:
        if one.state is State.SUCCEEDED:
            count, minor = found.get(key(one), (0, 0))
            found[key(one)] = (count + 1, minor + one.amount_minor)
    return found


async def test_totals_are_the_same_from_the_operations_and_from_the_sums_of_days(
    payments_db: AsyncEngine, history: History
) -> None:
    made = [drawn(number) for number in range(400)]
    made = [
        replace(one, intended_at=at, settled_at=at if one.settled_at else None)
        for number, one in enumerate(made)
        for at in [MORNING + timedelta(hours=number)]
    ]
    await write(payments_db, made)
    until = DAY + timedelta(days=20)
    live = await history.totals(DAY, until, ["day", "channel_id"])
    expected = summed(
        made, lambda one: (one.settled_at and one.settled_at.date(), one.channel_id, one.kind, one.currency)
    )
    assert {
        (one.day, one.channel_id, one.kind, one.currency): (one.operations, one.amount_minor) for one in live
    } == expected
    # Four days have ended by then; the last of the operations lies days after them.
    assert await history.sum_ended_days() == 4
    assert await history.sum_ended_days() == 0
    assert await history.totals(DAY, until, ["day", "channel_id"]) == live
    third = DAY + timedelta(days=2)
    assert (await history.totals(third, until, ["day"]))[0].day == third
    whole = await history.totals(DAY, until, [])
    assert {(one.kind, one.currency): (one.operations, one.amount_minor) for one in whole} == summed(
        made, lambda one: (one.kind, one.currency)
    )
    assert (whole[0].day, whole[0].channel_id) == (None, None)


async def test_a_day_is_not_summed_before_its_last_transaction_can_have_ended(
    payments_db: AsyncEngine,
) -> None:
    await write(payments_db, [drawn(0)])
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    assert await History(payments_db, lambda: midnight + timedelta(minutes=9)).sum_ended_days() == 0
    assert await History(payments_db, lambda: midnight + timedelta(minutes=10)).sum_ended_days() == 1


async def test_sums_that_are_not_the_ledger_s_are_found(world: World) -> None:
    await world.pay()
    await world.service.capture(move(world.order_id, 4_000))
    tomorrow = datetime.now(UTC).replace(hour=1, minute=0) + timedelta(days=1)
    assert await History(world.engine, lambda: tomorrow).sum_ended_days() == 1
    assert (await world.service.checking.find_differences(datetime.now(UTC)))[1] == []
    async with world.engine.begin() as tx:
        await tx.execute(text("UPDATE operation_day SET amount_minor = amount_minor + 1 WHERE kind = 'capture'"))
        await tx.execute(text("DELETE FROM operation_day WHERE kind = 'authorize'"))
    _, found = await world.service.checking.find_differences(datetime.now(UTC))
    assert [(one.kind, one.expected, one.found) for one in found] == [
        ("DAY_NOT_LEDGER", "1 of 10000", "0 of 0"),
        ("DAY_NOT_LEDGER", "1 of 4000", "1 of 4001"),
    ]
    assert "authorize" in found[0].subject

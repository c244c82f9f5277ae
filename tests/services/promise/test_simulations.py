"""Simulations on a real database: files and recorded orders, and what they leave behind."""

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound, Unavailable
from services.promise import simulation_store
from services.promise.domain import network as n
from services.promise.domain.compared import Result
from services.promise.domain.simulations import AssumedItems, OrderColumns, Setup, Simulation, State, StockSource
from services.promise.public_holidays import is_public_holiday
from services.promise.replica import StockReplica
from services.promise.service import PromiseService
from services.promise.simulation_work import SimulationWork
from services.promise.simulations import FILE_LIFE, UPLOAD_LIFE, SimulationService
from tests.services.promise.network import NOW, request
from tests.services.promise.simulations import (
    DIRTY,
    LIVE,
    NO_DISTANCE,
    create,
    keep,
    orders_file,
    result_of,
    setup,
    work,
)


@pytest.fixture
def simulations(promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica) -> SimulationService:
    return SimulationService(promise_db, replica)


async def everything(database: AsyncEngine) -> dict[str, list[Any]]:
    """All rows of all tables but those of simulations."""
    async with database.connect() as tx:
        names = await tx.execute(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
        )
        return {
            name: sorted((await tx.execute(text(f"SELECT {name}::text FROM {name}"))).scalars())
            for name in names.scalars()
            if not name.startswith("simulation")
        }


async def place(promise: PromiseService, order_id: str, *units: tuple[str, int], **values: Any) -> None:
    asked = request(*units, **values)
    await promise.plan_order(f"{order_id}/{len(values)}", order_id, asked, "", repr(asked).encode())


def done(simulation: Simulation) -> Result:
    assert simulation.state is State.DONE, (simulation.state, simulation.reason, simulation.detail)
    assert simulation.result is not None
    assert (simulation.planned, simulation.total) == (simulation.result.orders, simulation.result.orders)
    return simulation.result


def skipped(result: Result) -> dict[str, int]:
    return {one.reason: one.count for one in result.skipped}


# -- recorded orders ------------------------------------------------------------------------------------------


async def test_recorded_orders_are_planned_again_on_the_stock_they_saw(
    simulations: SimulationService, promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    for i in range(120):
        await place(promise, f"o{i}", ("x", 1 + i % 3))
    await place(promise, "o0", ("x", 1), exclusions=(n.ExcludedPoint("lille", "refused"),))
    before = await everything(promise_db)
    result = done(await result_of(simulations, promise_db, replica, setup(replace(LIVE, ruleset_id="same"))))
    assert (result.orders, result.as_recorded_orders, result.changed_orders) == (120, 120, 0)
    assert result.live == result.candidate
    assert skipped(result) == {"PLANNED_AGAIN": 1}
    other = done(await result_of(simulations, promise_db, replica, setup(NO_DISTANCE)))
    assert other.changed_orders == 120, "without distance Lyon is as cheap, and its carrier comes later"
    assert {one.point_id: (one.live.units, one.candidate.units) for one in other.points} == {
        "lille": (240, 0),
        "lyon": (0, 240),
    }
    assert other.candidate.objective_minor < other.live.objective_minor
    assert other.candidate.real_cost_minor == other.live.real_cost_minor, "by one yardstick"
    assert await everything(promise_db) == before, "nothing changed but the rows of simulations"


async def test_recorded_orders_may_be_planned_on_the_present_stock_which_they_deplete(
    simulations: SimulationService, promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    """Three of x at each point now; each order saw as many."""
    for i in range(4):
        await place(promise, f"o{i}", ("x", 2))
    seen = done(await result_of(simulations, promise_db, replica, setup()))
    assert seen.live.whole_orders == 4
    asked = setup(stock=StockSource.PRESENT, deplete=True)
    result = done(await result_of(simulations, promise_db, replica, asked))
    assert result.live.units_shipped == 6, "two, two, and the last of each point in two parcels"
    assert result.live.split_orders == 1
    assert result.candidate.units_shipped == 6
    assert (result.candidate.whole_orders, result.candidate.partial_orders) == (2, 2), "one parcel at most"
    assert [one.order_id for one in result.only_live] == ["o2"]


async def test_a_decision_that_broke_its_quote_is_no_order(
    simulations: SimulationService, promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    await promise.plan_order("r", "broken", request(("x", 1)), "quo_unknown", b"")
    await place(promise, "kept", ("x", 1))
    result = done(await result_of(simulations, promise_db, replica, setup()))
    assert (result.orders, skipped(result)) == (1, {"QUOTE_BROKEN": 1})


async def test_only_orders_of_the_time_asked_for_and_only_so_many(
    simulations: SimulationService, promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    for i in range(60):
        await place(promise, f"o{i}", ("x", 1))
    assert done(await result_of(simulations, promise_db, replica, setup(max_orders=55))).orders == 55
    nothing = await result_of(simulations, promise_db, replica, setup(until_at=NOW - timedelta(days=9000)))
    assert (nothing.state, nothing.reason) == (State.FAILED, "NO_ORDERS")


# -- orders of a file -----------------------------------------------------------------------------------------


async def test_a_dirty_file_is_read_sorted_and_planned(
    simulations: SimulationService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    file = await keep(simulations, DIRTY.encode())
    before = await everything(promise_db)
    asked = setup(LIVE, orders=orders_file(file.file_id), stock=StockSource.PRESENT)
    result = done(await result_of(simulations, promise_db, replica, asked))
    assert (result.orders, result.lines, result.units) == (3, 6, 12)
    assert skipped(result) == {
        "BAD_QUANTITY": 1,
        "BAD_ROW": 1,
        "NOT_AN_ARTICLE": 1,
        "NOT_POSITIVE": 1,
        "NO_DESTINATION": 1,
    }
    assert [(one.reason, one.count) for one in result.live.not_shipped] == [("UNKNOWN_ITEM", 6)]
    assert (result.live.whole_orders, result.live.unshipped_orders) == (2, 1)
    assert result.changed_orders == 0
    assert await everything(promise_db) == before


async def test_orders_of_a_file_deplete_the_stock_in_the_order_of_their_dates(
    simulations: SimulationService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    rows = ["no,sku,units,day", "late,x,3,2026-05-09", "early,x,2,2026-05-01", "middle,x,4,2026-05-05"]
    file = await keep(simulations, "\n".join(rows).encode())
    columns = OrderColumns(order="no", sku="sku", quantity="units", placed_at="day")
    everywhere = replace(orders_file("").destinations[0], name="")
    orders = orders_file(file.file_id, columns=columns, destinations=(everywhere,))
    asked = setup(NO_DISTANCE, orders=orders, stock=StockSource.PRESENT, deplete=True)
    result = done(await result_of(simulations, promise_db, replica, asked))
    # Six of x: two for the first, four for the second in two parcels, none for the last.
    assert [one.order_id for one in result.only_live] == ["middle"]
    assert (result.live.units_shipped, result.live.unshipped_orders) == (6, 1)


async def test_unknown_articles_are_assumed_when_asked_for_and_said_so(
    simulations: SimulationService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    file = await keep(simulations, gzip.compress(DIRTY.encode()), gzip=True)
    assumed = AssumedItems(weight_grams=300, units=20, percent=100, seed=7)
    asked = setup(orders=orders_file(file.file_id), stock=StockSource.PRESENT, assumed_items=assumed)
    result = done(await result_of(simulations, promise_db, replica, asked))
    assert result.live.whole_orders == 3
    (note,) = [note for note in result.notes if note.startswith("ASSUMED")]
    for part in ("1 articles (6 of 12 ordered units)", "300 g", "100 %", "20 units", "seed 7"):
        assert part in note


async def test_stock_may_be_given_by_a_file(
    simulations: SimulationService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    orders = await keep(simulations, DIRTY.encode())
    rows = ["sku,point_id,units", "x,lyon,9", "y,lyon,1", "x,lyon,3", "85123A,lyon,6", "x,away,3", "x,lille,none"]
    stock = await keep(simulations, "\n".join(rows).encode())
    asked = setup(
        orders=orders_file(orders.file_id),
        stock=StockSource.FILE,
        stock_file_id=stock.file_id,
        assumed_items=AssumedItems(weight_grams=300, units=1, percent=1),
    )
    result = done(await result_of(simulations, promise_db, replica, asked))
    assert [(one.point_id, one.live.parcels, one.live.units) for one in result.points] == [("lyon", 3, 12)]
    found = skipped(result)
    assert (found["STOCK_DUPLICATE"], found["STOCK_UNKNOWN_POINT"], found["STOCK_BAD_UNITS"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("content", "packed", "reason"),
    [
        (b"a,b\n1,2\n", False, "MISSING_COLUMN"),
        (b"\n\n", False, "EMPTY_FILE"),
        (b"this is no gzip", True, "MALFORMED_GZIP"),
        (gzip.compress(DIRTY.encode())[:-9], True, "MALFORMED_GZIP"),
        (DIRTY.splitlines()[0].encode(), False, "NO_ORDERS"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_the_job_and_says_why(
    simulations: SimulationService,
    promise_db: AsyncEngine,
    replica: StockReplica,
    content: bytes,
    packed: bool,
    reason: str,
) -> None:
    file = await keep(simulations, content, gzip=packed)
    asked = setup(orders=orders_file(file.file_id), stock=StockSource.PRESENT)
    failed = await result_of(simulations, promise_db, replica, asked)
    assert (failed.state, failed.reason, failed.result) == (State.FAILED, reason, None)
    assert failed.detail


async def test_an_order_of_too_many_lines_is_left_out(
    simulations: SimulationService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    header, first, *_ = DIRTY.splitlines()
    rows = [header, first.replace("A1", "short"), *[first.replace("A1", "long")] * 2001]
    file = await keep(simulations, "\n".join(rows).encode())
    asked = setup(orders=orders_file(file.file_id), stock=StockSource.PRESENT)
    result = done(await result_of(simulations, promise_db, replica, asked))
    assert (result.orders, skipped(result)) == (1, {"ORDER_TOO_LONG": 1})


# -- jobs -----------------------------------------------------------------------------------------------------


async def test_the_same_request_is_the_same_job_and_other_content_is_refused(
    simulations: SimulationService,
) -> None:
    made = await create(simulations, setup())
    assert await create(simulations, setup()) == made
    with pytest.raises(Conflict) as refused:
        await create(simulations, setup(name="other"))
    assert refused.value.reason == "IDEMPOTENCY_CONFLICT"
    assert (made.state, made.live.distance_cost_minor_per_kilometre, made.actor) == (State.RECEIVED, 0.5, "paul")
    assert [one.simulation_id for one in await simulations.list_newest(2**62, 5)] == [made.simulation_id]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (setup(replace(NO_DISTANCE, currency="GBP")), "ruleset.currency"),
        (setup(replace(NO_DISTANCE, max_parcels=0)), "ruleset.max_parcels"),
        (setup(name="n" * 201), "name"),
        (setup(from_at=NOW, until_at=NOW), "until_at"),
        (setup(max_orders=-1), "max_orders"),
        (setup(listed_orders=501), "listed_orders"),
        (setup(deplete=True), "deplete"),
        (setup(stock=StockSource.FILE), "stock_file_id"),
        (setup(stock_file_id="sfl_1"), "stock_file_id"),
        (setup(orders=orders_file("sfl_1")), "stock"),
        (setup(assumed_items=AssumedItems(1, 1, 1)), "assumed_items"),
    ],
)
async def test_a_setup_that_makes_no_sense_names_the_field(
    simulations: SimulationService, asked: Setup, field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await create(simulations, asked)
    assert refused.value.facts["field"] == field


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"file_id": ""}, "orders.file_id"),
        ({"channel_id": "nobody"}, "orders.channel_id"),
        ({"columns": replace(orders_file("").columns, sku="")}, "orders.columns.sku"),
        ({"columns": replace(orders_file("").columns, country="", postcode="p")}, "orders.columns.country"),
        ({"destinations": ()}, "orders.destinations"),
        ({"destinations": orders_file("").destinations * 2}, "orders.destinations[1].name"),
        ({"time_zone": "Mars/Olympus"}, "orders.time_zone"),
        ({"delimiter": ";;"}, "orders.delimiter"),
        ({"encoding": "rot13"}, "orders.encoding"),
        ({"encoding": "klingon"}, "orders.encoding"),
    ],
)
async def test_a_file_that_cannot_be_understood_names_the_field(
    simulations: SimulationService, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await create(
            simulations, setup(stock=StockSource.PRESENT, orders=orders_file(**({"file_id": "sfl_1"} | changes)))
        )
    assert refused.value.facts["field"] == field


async def test_a_file_must_be_there(simulations: SimulationService) -> None:
    with pytest.raises(NotFound) as refused:
        await create(simulations, setup(stock=StockSource.PRESENT, orders=orders_file("sfl_none")))
    assert (refused.value.reason, refused.value.facts["field"]) == ("SIMULATION_FILE_NOT_FOUND", "orders.file_id")


async def test_without_a_ruleset_in_force_there_is_nothing_to_compare_with(
    promise_db: AsyncEngine, replica: StockReplica
) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        await create(SimulationService(promise_db, replica), setup())
    assert refused.value.reason == "NO_RULESET"


async def test_the_same_bytes_are_the_same_file_and_forgotten_when_nobody_uses_them(
    simulations: SimulationService, promise_db: AsyncEngine
) -> None:
    first = await keep(simulations, b"a,b\n")
    assert await keep(simulations, b"a,b\n") == first
    packed = await keep(simulations, b"a,b\n", gzip=True)
    assert packed.file_id != first.file_id

    async def breaks_off() -> AsyncIterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await simulations.keep_file("f", breaks_off(), NOW, gzip=False)
    with pytest.raises(InvalidArgument) as refused:
        await keep(simulations, b"")
    assert refused.value.reason == "EMPTY_FILE"
    async with promise_db.connect() as tx:
        uploads = set((await tx.execute(text("SELECT upload_id FROM simulation_content"))).scalars())
    assert uploads == {first.upload_id, packed.upload_id}
    assert await simulations.forget_files(NOW + FILE_LIFE) == 0
    assert await simulations.forget_files(NOW + FILE_LIFE + UPLOAD_LIFE) == 2


async def test_a_job_that_waits_is_cancelled_and_may_be_run_again(
    simulations: SimulationService, promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    await place(promise, "o", ("x", 1))
    made = await create(simulations, setup())
    for _ in range(2):
        cancelled = await simulations.cancel(made.simulation_id, NOW)
        assert (cancelled.state, cancelled.ended_at) == (State.CANCELLED, NOW)
    assert not await work(promise_db, replica).run()
    for _ in range(2):
        again = await simulations.restart(made.simulation_id, NOW)
        assert (again.state, again.reason, again.ended_at) == (State.RECEIVED, "", None)
    assert await work(promise_db, replica).run()
    assert done(await simulations.get(made.simulation_id)).orders == 1
    with pytest.raises(FailedPrecondition, match="SIMULATION_ENDED"):
        await simulations.cancel(made.simulation_id, NOW)
    with pytest.raises(FailedPrecondition, match="SIMULATION_DONE"):
        await simulations.restart(made.simulation_id, NOW)
    with pytest.raises(NotFound):
        await simulations.cancel("sim_none", NOW)


async def test_a_job_that_is_cancelled_while_it_runs_stops_without_a_result(
    simulations: SimulationService, promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    await place(promise, "o", ("x", 1))
    made = await create(simulations, setup())

    async def cancelled_meanwhile() -> StockReplica:
        await simulations.cancel(made.simulation_id, NOW)
        return replica

    assert await SimulationWork(promise_db, cancelled_meanwhile, is_public_holiday).run()
    stopped = await simulations.get(made.simulation_id)
    assert (stopped.state, stopped.result) == (State.CANCELLED, None)


async def test_jobs_are_worked_in_the_order_in_which_they_came(
    simulations: SimulationService, promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    await place(promise, "o", ("x", 1))
    first, second = [await create(simulations, setup(name=name), name) for name in ("first", "second")]
    assert await work(promise_db, replica).run()
    assert (await simulations.get(first.simulation_id)).state is State.DONE
    assert (await simulations.get(second.simulation_id)).state is State.RECEIVED


async def test_a_job_whose_process_died_is_told_as_interrupted(
    simulations: SimulationService, promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    await place(promise, "o", ("x", 1))
    made = await create(simulations, setup())
    async with promise_db.begin() as tx:
        assert await simulation_store.begin(tx, made.simulation_id, NOW)
    assert not await work(promise_db, replica).run()
    died = await simulations.get(made.simulation_id)
    assert (died.state, died.reason, died.result) == (State.INTERRUPTED, "INTERRUPTED", None)
    await simulations.restart(made.simulation_id, NOW)
    assert await work(promise_db, replica).run()
    done(await simulations.get(made.simulation_id))


async def test_stock_that_is_not_told_fails_the_job(
    simulations: SimulationService, promise_db: AsyncEngine
) -> None:
    async def away() -> StockReplica:
        raise Unavailable("STOCK_UNKNOWN", "no stock was told")

    made = await create(simulations, setup())
    assert await SimulationWork(promise_db, away, is_public_holiday).run()
    assert (await simulations.get(made.simulation_id)).reason == "STOCK_UNKNOWN"


async def test_a_defect_fails_its_job_and_not_those_behind_it(
    simulations: SimulationService, promise: PromiseService, promise_db: AsyncEngine, replica: StockReplica
) -> None:
    async def defect() -> StockReplica:
        raise ZeroDivisionError

    await place(promise, "o", ("x", 1))
    first, second = [await create(simulations, setup(name=name), name) for name in ("first", "second")]
    assert await SimulationWork(promise_db, defect, is_public_holiday).run()
    assert (await simulations.get(first.simulation_id)).reason == "INTERNAL"
    assert await work(promise_db, replica).run()
    done(await simulations.get(second.simulation_id))

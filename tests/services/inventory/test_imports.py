"""Files of stock on a real database: what each record does, and that every one is accounted for (SPEC STK-8)."""

import asyncio
import gzip
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from kit.errors import Conflict, FailedPrecondition, InvalidArgument
from services.inventory.domain import commands
from services.inventory.domain.holds import HoldLine
from services.inventory.domain.ledger import Balance, Cause
from services.inventory.store import catalogue
from tests.services.inventory.files import DELTA, MORNING, NOW, Desk, delta, snapshot, timed
from tests.services.inventory.shop import EDIT, NOON, Shop, item, line, request_id


@pytest.fixture
def desk(shop: Shop) -> Desk:
    return Desk(shop)


async def count(shop: Shop, table: str, where: str = "true") -> int:
    async with shop.engine.begin() as tx:
        return int((await tx.execute(text(f"SELECT count(*) FROM {table} WHERE {where}"))).scalar_one())


async def move_at(shop: Shop, at: datetime, quantity: int, sku: str = "DRESS", point_id: str = "LYON") -> None:
    moved = commands.StockDelta(sku, point_id, quantity)
    await shop.service.adjust_stock(
        commands.AdjustStock(request_id(), (moved,), Cause("till_sale", "till", "t/1"), at)
    )


async def test_a_snapshot_sets_what_is_on_hand(desk: Desk) -> None:
    await desk.shop.adjust(5)
    job = await desk.work(snapshot(("DRESS", "LYON", 7), ("PAN", "PARIS", 2)))
    assert (job.state, job.counts.changed, job.counts.read) == ("done", 2, 2)
    assert (await desk.shop.balance()).on_hand == 7
    assert (await desk.shop.balance("PAN", "PARIS")).on_hand == 2


async def test_a_record_that_says_nothing_new_writes_nothing(desk: Desk) -> None:
    await desk.shop.adjust(5)
    before = [await count(desk.shop, table) for table in ("movement", "stock_change")]
    async with desk.shop.engine.begin() as tx:
        row = (await tx.execute(text("SELECT xmin::text FROM balance"))).scalar_one()
    job = await desk.work(snapshot(("DRESS", "LYON", 5), ("PAN", "LYON", 0)))
    assert (job.counts.changed, job.counts.unchanged) == (0, 2)
    assert [await count(desk.shop, table) for table in ("movement", "stock_change")] == before
    async with desk.shop.engine.begin() as tx:
        assert (await tx.execute(text("SELECT xmin::text FROM balance"))).scalar_one() == row


async def test_what_moved_after_the_snapshot_is_applied_again(desk: Desk) -> None:
    await desk.shop.adjust(10)
    await move_at(desk.shop, MORNING - timedelta(minutes=1), -2)
    await move_at(desk.shop, MORNING + timedelta(minutes=1), -3)
    await desk.work(snapshot(("DRESS", "LYON", 9)))
    assert (await desk.shop.balance()).on_hand == 6, "9 in the morning, 3 sold since"


async def test_what_an_earlier_snapshot_corrected_is_not_a_movement(desk: Desk) -> None:
    await desk.shop.adjust(10)
    await desk.work(snapshot(("DRESS", "LYON", 14)), effective_at=MORNING - timedelta(hours=2))
    job = await desk.work(snapshot(("DRESS", "LYON", 12)))
    assert (await desk.shop.balance()).on_hand == 12, "the correction was written after 6:00, and moved no unit"
    assert job.counts.changed == 1


async def test_more_left_than_the_snapshot_counted_leaves_zero_and_is_told(desk: Desk) -> None:
    await desk.shop.adjust(10)
    await move_at(desk.shop, MORNING + timedelta(minutes=1), -4)
    job = await desk.work(snapshot(("DRESS", "LYON", 1)))
    assert (await desk.shop.balance()).on_hand == 0
    assert (job.counts.changed, job.counts.below_zero) == (1, 1)


async def test_reserved_units_that_a_snapshot_misses_are_short_and_told(desk: Desk) -> None:
    await desk.shop.adjust(5)
    await desk.shop.reserve("ord_a", line("DRESS", 4))
    job = await desk.work(snapshot(("DRESS", "LYON", 1)))
    assert await desk.shop.balance() == Balance("DRESS", "LYON", 1, 4, 0, 3)
    async with desk.shop.engine.begin() as tx:
        events = (
            await tx.execute(
                text(
                    "SELECT data FROM outbox WHERE type = 'oms.inventory.stock.adjusted' ORDER BY id DESC LIMIT 1"
                )
            )
        ).scalar_one()
    assert events["source"] == job.job_id
    assert events["lines"] == [{"sku": "DRESS", "quantity": -4, "on_hand": 1, "short": 3}]
    await desk.work(snapshot(("DRESS", "LYON", 3)), effective_at=MORNING + timedelta(hours=1))
    assert await desk.shop.balance() == Balance("DRESS", "LYON", 3, 4, 0, 1)


async def test_absent_positions_are_kept_or_zeroed_as_the_header_says(desk: Desk) -> None:
    await desk.shop.adjust(5)
    await desk.shop.adjust(6, point_id="PARIS")
    await desk.work(snapshot(("PAN", "LYON", 1)), point_ids=("LYON",))
    assert (await desk.shop.balance()).on_hand == 5
    job = await desk.work(
        snapshot(("PAN", "LYON", 1)),
        point_ids=("LYON",),
        absent="zero",
        effective_at=MORNING + timedelta(seconds=1),
    )
    assert (job.counts.read, job.counts.unchanged, job.counts.zeroed) == (1, 1, 1)
    assert (await desk.shop.balance()).on_hand == 0
    assert (await desk.shop.balance(point_id="PARIS")).on_hand == 6, "Paris is not in the scope"


async def test_a_rejected_record_is_not_absent(desk: Desk) -> None:
    await desk.shop.adjust(5)
    await desk.shop.adjust(3, sku="PAN")
    job = await desk.work(snapshot(("DRESS", "LYON", "many"), ("SOFA", "LYON", 1)), absent="zero")
    assert (await desk.shop.balance()).on_hand == 5
    assert (await desk.shop.balance("PAN")).on_hand == 0
    assert job.counts.rejected == 1


async def test_a_record_that_names_no_position_stops_the_zeroing(desk: Desk) -> None:
    await desk.shop.adjust(5)
    job = await desk.work(snapshot(("SOFA", "LYON", 1)) + b"DRESS\n", absent="zero")
    assert (job.state, job.reason, job.counts.changed, job.counts.zeroed) == ("done", "ABSENT_KEPT", 1, 0)
    assert (await desk.shop.balance()).on_hand == 5


async def test_the_scope_may_be_narrowed_to_brands_and_categories(desk: Desk) -> None:
    async with desk.shop.engine.begin() as tx:
        await catalogue.put_items(tx, [replace(item("DRESS", "fashion", "women"), brand="Ondelle")], EDIT)
    for sku in ("DRESS", "PAN"):
        await desk.shop.adjust(5, sku=sku)
    job = await desk.work(
        snapshot(("SOFA", "LYON", 1)), absent="zero", brands=("Ondelle",), categories=("fashion/women",)
    )
    assert await desk.reasons(job.job_id) == {2: "OUT_OF_SCOPE"}
    assert ((await desk.shop.balance()).on_hand, (await desk.shop.balance("PAN")).on_hand) == (0, 5)


async def test_every_record_that_cannot_be_applied_says_why(desk: Desk) -> None:
    job = await desk.work(
        snapshot(
            ("DRESS", "LYON", 1),
            ("DRESS", "LYON", 2),
            ("GHOST", "LYON", 2),
            ("DRESS", "NOWHERE", 2),
            ("DRESS", "PARIS", 2),
            ("DRESS", "LYON", -1),
        ),
        point_ids=("LYON",),
    )
    assert await desk.reasons(job.job_id) == {
        3: "DUPLICATE",
        4: "UNKNOWN_ITEM",
        5: "UNKNOWN_POINT",
        6: "OUT_OF_SCOPE",
        7: "INVALID_QUANTITY",
    }
    assert (await desk.shop.balance()).on_hand == 1, "the first of two counts"


async def test_a_snapshot_that_is_older_than_the_last_is_late(desk: Desk) -> None:
    await desk.work(snapshot(("DRESS", "LYON", 5)), point_ids=("LYON",), absent="zero")
    job = await desk.work(
        snapshot(("DRESS", "LYON", 9), ("PAN", "LYON", 9), ("DRESS", "PARIS", 2)),
        absent="zero",
        effective_at=MORNING - timedelta(minutes=1),
    )
    assert (job.counts.late, job.counts.changed, job.counts.zeroed) == (2, 1, 0)
    assert await desk.reasons(job.job_id) == {2: "LATE", 3: "LATE"}
    assert (await desk.shop.balance()).on_hand == 5


async def test_a_snapshot_of_one_brand_is_not_late_for_that_of_another(desk: Desk) -> None:
    async with desk.shop.engine.begin() as tx:
        await catalogue.put_items(tx, [replace(item("DRESS"), brand="A"), replace(item("PAN"), brand="B")], EDIT)
    await desk.work(snapshot(("DRESS", "LYON", 5)), absent="zero", brands=("A",))
    job = await desk.work(
        snapshot(("PAN", "LYON", 4)), absent="zero", brands=("B",), effective_at=MORNING - timedelta(hours=1)
    )
    assert (job.counts.late, job.counts.changed) == (0, 1)


async def test_a_snapshot_ends_what_was_declared_before_it(desk: Desk) -> None:
    shop = desk.shop
    await shop.adjust(10)
    await shop.declare(3, as_of=MORNING - timedelta(hours=1))
    await shop.declare(2, as_of=MORNING + timedelta(hours=1))
    job = await desk.work(snapshot(("DRESS", "LYON", 10)))
    assert job.counts.changed == 1
    assert await shop.balance() == Balance("DRESS", "LYON", 10, 0, 2, 0)
    assert await count(shop, "declaration", "ended_by = 'snapshot' AND remaining = 0") == 1
    await shop.assert_sound()


async def test_an_absent_position_that_is_zeroed_has_no_declaration_left(desk: Desk) -> None:
    await desk.shop.adjust(3)
    await desk.shop.declare(2)
    await desk.work(snapshot(("PAN", "LYON", 1)), absent="zero")
    assert await desk.shop.balance() == Balance("DRESS", "LYON", 0, 0, 0, 0)


async def test_deltas_are_applied_once_and_in_order(desk: Desk) -> None:
    job = await desk.work(
        delta(
            ("DRESS", "LYON", 5, 1), ("DRESS", "LYON", -2, 3), ("DRESS", "LYON", "+4", 2), ("DRESS", "LYON", 9, 3)
        ),
        DELTA,
    )
    assert (job.counts.changed, job.counts.late) == (3, 1)
    assert await desk.reasons(job.job_id) == {5: "LATE"}
    assert (await desk.shop.balance()).on_hand == 7
    again = await desk.work(delta(("DRESS", "LYON", 100, 3), ("DRESS", "LYON", 1, 4)), DELTA)
    assert (again.counts.changed, again.counts.late) == (1, 1)
    assert (await desk.shop.balance()).on_hand == 8
    other = await desk.work(delta(("DRESS", "LYON", 1, 1)), DELTA, source="wms")
    assert other.counts.changed == 1, "another source counts for itself"


async def test_deltas_may_be_ordered_by_their_instants(desk: Desk) -> None:
    job = await desk.work(
        timed(
            ("DRESS", "LYON", 5, "2026-11-21T07:00:00Z"),
            ("DRESS", "LYON", -1, "2026-11-21T07:00:00+01:00"),
            ("DRESS", "LYON", 1, "2026-11-22T07:00:00Z"),
            ("DRESS", "LYON", 1, "2026-11-21T07:00:00"),
        ),
        DELTA,
    )
    assert await desk.reasons(job.job_id) == {
        3: "STOCK_BELOW_ZERO",
        4: "INVALID_EFFECTIVE_AT",
        5: "INVALID_EFFECTIVE_AT",
    }
    late = await desk.work(timed(("DRESS", "LYON", 5, "2026-11-21T06:59:59Z")), DELTA)
    assert late.counts.late == 1


async def test_a_delta_from_before_the_snapshot_is_late_and_one_after_it_is_applied_again(desk: Desk) -> None:
    await desk.work(timed(("DRESS", "LYON", 5, "2026-11-21T07:00:00Z")), DELTA)
    await desk.work(snapshot(("DRESS", "LYON", 10)), absent="zero")
    assert (await desk.shop.balance()).on_hand == 15, "10 at six, 5 at seven"
    job = await desk.work(timed(("DRESS", "LYON", 3, "2026-11-21T05:00:00Z")), DELTA, source="wms")
    assert (job.counts.late, (await desk.shop.balance()).on_hand) == (1, 15)


async def test_a_delta_that_would_take_what_is_not_there_is_rejected_alone(desk: Desk) -> None:
    await desk.shop.adjust(5)
    await desk.shop.reserve("ord_a", line("DRESS", 4))
    job = await desk.work(
        delta(("DRESS", "LYON", -9, 1), ("DRESS", "LYON", -2, 2), ("DRESS", "LYON", -1, 3), ("PAN", "LYON", 0, 1)),
        DELTA,
    )
    assert await desk.reasons(job.job_id) == {2: "STOCK_BELOW_ZERO", 3: "STOCK_RESERVED"}
    assert (job.counts.changed, job.counts.unchanged) == (1, 1)
    assert (await desk.shop.balance()).on_hand == 4


async def test_the_same_file_with_the_same_header_is_the_same_job(desk: Desk) -> None:
    content = snapshot(("DRESS", "LYON", 7))
    first = await desk.send(content, request_id="one")
    assert (await desk.send(content, request_id="one")).job_id == first.job_id
    assert (await desk.send(content, file_name="copy.csv")).job_id == first.job_id
    assert (await desk.send(content, absent="zero")).job_id != first.job_id
    with pytest.raises(Conflict, match="other content") as refused:
        await desk.send(content, request_id="one", absent="zero")
    assert refused.value.facts["field"] == "request_id"
    assert await count(desk.shop, "import_content") == 2, "copies of a file are not kept"


async def test_a_file_that_failed_may_be_sent_again(desk: Desk) -> None:
    first = await desk.work(b"sku,quantity\nDRESS,1\n")
    assert (first.state, first.reason) == ("failed", "MISSING_COLUMN")
    assert "point_id" in first.detail
    assert (await desk.send(b"sku,quantity\nDRESS,1\n")).job_id != first.job_id


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"point_ids": ()}, "point_ids"),
        ({"point_ids": ("LYON", "NOWHERE")}, "point_ids[1]"),
        ({"point_type": "store"}, "point_type"),
        ({"absent": ""}, "absent"),
        ({"effective_at": None}, "effective_at"),
        ({"effective_at": NOW + timedelta(seconds=1)}, "effective_at"),
        ({"cause": "receipt"}, "cause"),
        ({"kind": "delta"}, "source"),
        ({"kind": "delta", "source": "till"}, "absent"),
        ({"kind": "delta", "source": "till", "absent": "", "cause": "snapshot"}, "cause"),
        ({"kind": "full"}, "kind"),
        ({"format": "xlsx"}, "format"),
        ({"brands": ("A", "A")}, "brands"),
    ],
)
async def test_a_header_that_breaks_a_rule_is_refused_with_its_field(
    desk: Desk, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidArgument) as refused:
        await desk.send(snapshot(("DRESS", "LYON", 1)), **changes)
    assert refused.value.facts["field"] == field
    assert await count(desk.shop, "import_content") == 0


async def test_an_empty_file_is_no_job(desk: Desk) -> None:
    with pytest.raises(InvalidArgument, match="EMPTY_FILE"):
        await desk.send(b"")
    assert (await desk.work(b"sku,point_id,quantity\n", absent="zero")).reason == "EMPTY_FILE"


async def test_points_may_be_named_by_their_type(desk: Desk) -> None:
    job = await desk.work(snapshot(("DRESS", "WAREHOUSE", 1)), point_ids=(), point_type="store")
    assert job.point_ids == ("LYON", "PARIS")
    assert await desk.reasons(job.job_id) == {2: "OUT_OF_SCOPE"}


async def test_a_compressed_file_is_read_and_a_damaged_one_refused(desk: Desk) -> None:
    packed = gzip.compress(snapshot(("DRESS", "LYON", 7)))
    assert (await desk.work(packed, compression="gzip")).counts.changed == 1
    for damaged in (packed[:-9], b"not gzip", packed[:30] + b"\0\0\0" + packed[33:]):
        assert (await desk.work(damaged, compression="gzip")).reason == "MALFORMED_GZIP"


async def test_objects_of_json_are_records_too(desk: Desk) -> None:
    lines = b'{"sku": "DRESS", "point_id": "LYON", "quantity": 3}\n[]\n{"sku": "PAN", "point_id": "LYON"}\n'
    job = await desk.work(lines, format="ndjson")
    assert await desk.reasons(job.job_id) == {2: "MALFORMED_RECORD", 3: "MISSING_FIELD"}
    assert (await desk.shop.balance()).on_hand == 3


async def test_a_job_that_is_stopped_keeps_what_it_wrote(desk: Desk) -> None:
    records = [("DRESS", point, 7) for point in ("LYON", "PARIS", "WAREHOUSE")] + [("PAN", "LYON", 7)]
    job = await desk.send(snapshot(*records))
    runner = desk.runner()
    await runner.step()
    await runner.step()
    stopped = await desk.service.cancel_import(job.job_id, NOW)
    await runner.run()
    job = await desk.ended(job.job_id)
    assert (stopped.state, job.state, job.counts.changed) == ("cancelled", "cancelled", 3)
    assert (await desk.shop.balance("PAN")).on_hand == 0
    assert (await desk.service.cancel_import(job.job_id, NOW)).state == "cancelled"
    done = await desk.work(snapshot(("PAN", "LYON", 1)))
    with pytest.raises(FailedPrecondition, match="IMPORT_ENDED"):
        await desk.service.cancel_import(done.job_id, NOW)


async def test_an_ended_job_keeps_its_result_and_not_its_file(desk: Desk) -> None:
    job = await desk.work(snapshot(("DRESS", "LYON", 7), ("GHOST", "LYON", 1)))
    assert [await count(desk.shop, table) for table in ("import_content", "import_change")] == [0, 0]
    assert await desk.reasons(job.job_id) == {3: "UNKNOWN_ITEM"}


async def test_files_that_no_job_came_of_are_swept(desk: Desk) -> None:
    async with desk.shop.engine.begin() as tx:
        await tx.execute(text("INSERT INTO import_content (upload_id, nth, content) VALUES ('upl_x', 0, 'x')"))
    waiting = await desk.send(snapshot(("DRESS", "LYON", 7)))
    await desk.service.forget_orphans(datetime.now(NOW.tzinfo) + timedelta(minutes=1))
    assert await count(desk.shop, "import_content") == 1
    await desk.runner().run()
    assert (await desk.ended(waiting.job_id)).counts.changed == 1


async def test_two_runners_work_one_job_once(desk: Desk) -> None:
    records = [(sku, point, 7) for sku in ("DRESS", "PAN", "SOFA") for point in ("LYON", "PARIS", "WAREHOUSE")]
    job = await desk.send(snapshot(*records))

    async def work() -> None:
        runner = desk.runner()
        for _ in range(60):
            await runner.step()

    await asyncio.gather(work(), work(), work())
    job = await desk.ended(job.job_id)
    assert (job.state, job.counts.changed) == ("done", 9)
    assert await count(desk.shop, "movement") == 9
    assert await count(desk.shop, "outbox", "type = 'oms.inventory.import.completed'") == 1


async def test_reserves_and_issues_go_on_while_a_file_is_worked(desk: Desk) -> None:
    """Nothing is lost, and what was counted before it left is taken off again."""
    shop = desk.shop
    positions = [(sku, point) for sku in ("DRESS", "PAN", "SOFA") for point in ("LYON", "PARIS", "WAREHOUSE")]
    for sku, point in positions:
        await shop.adjust(20, sku=sku, point_id=point)
    desk.chunk = 2

    async def sell(number: int) -> None:
        sku, point = positions[number % len(positions)]
        held = HoldLine(sku, point, 1)
        assert (await shop.reserve(f"ord_{number}", held)).done
        if number % 2:
            await shop.issue(f"ord_{number}", held)

    # The shop acts at noon of the day before: a snapshot has to be older to apply that again.
    early = NOON - timedelta(hours=1)
    job = await desk.send(snapshot(*((sku, point, 30) for sku, point in positions)), effective_at=early)

    async def work() -> None:
        runner = desk.runner()
        while (await desk.service.get_import(job.job_id)).state != "done":
            await runner.step()

    await asyncio.gather(work(), *(sell(number) for number in range(36)))
    await desk.ended(job.job_id)
    for sku, point in positions:
        balance = await shop.balance(sku, point)
        assert (balance.on_hand, balance.reserved, balance.short) == (20 + 30 - 2, 2, 0), (sku, point)

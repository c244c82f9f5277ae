"""A provider's settlement file against our books: what is found, what waits, what closes, and who resolves."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import text

from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound
from kit.values.ids import new_id
from kit.values.money import Money
from services.payments.domain.model import Operation
from services.payments.domain.reconciling import DifferenceKind, DifferenceState
from services.payments.reconciliation import Reconciliation
from services.payments.settlement_store import Counts, Difference, Settlement
from services.payments.settlements import Header, Settlements
from tests.services.payments.world import World, authorize, move

NAMES = "transaction_id,kind,payment_reference,reference,operation_id,amount,fee,currency,occurred_at"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TODAY = NOON.date()
TOMORROW = TODAY + timedelta(days=1)


@dataclass
class Desk:
    """Who reconciles; `now` is his clock."""

    world: World
    now: datetime
    at_once: int = 2_000

    def __post_init__(self) -> None:
        self.settlements = Settlements(self.world.engine, {"stripe"}, lambda: self.now)
        self.work = Reconciliation(self.world.engine, lambda: self.now, at_once=self.at_once)

    async def take(self, content: str, day: date = TODAY, key: str = "") -> tuple[Settlement, Counts]:
        """The settlement that a file came to, worked."""
        header = Header(key or new_id("req"), "stripe", day, "file.csv", "fiona")

        async def parts() -> AsyncIterator[bytes]:
            for start in range(0, len(content), 50):
                yield content[start : start + 50].encode()

        started, _ = await self.settlements.start(header, parts())
        await self.work.run()
        return await self.settlements.get(started.settlement_id)

    async def differences(self, *states: DifferenceState) -> Sequence[Difference]:
        return await self.settlements.differences(states, "", "", 2**62, 100)

    async def told(self, *states: DifferenceState) -> list[tuple[str, str, str]]:
        """Kind, state and operation of differences, oldest first."""
        found = await self.differences(*states)
        return [(one.kind.value, one.state.value, one.operation_id) for one in reversed(found)]


@pytest.fixture
def world(world: World) -> World:
    """At noon of one day, whenever the tests run."""
    return replace(world, service=world.at(lambda: NOON))


@pytest.fixture
def desk(world: World) -> Desk:
    return Desk(world, NOON + timedelta(days=1))


def line(number: int, operation: Operation | None = None, amount: str = "40.00", **changes: str) -> str:
    values = {
        "transaction_id": f"txn_{number}",
        "kind": "capture",
        "payment_reference": operation.provider_reference if operation else "pi_theirs",
        "reference": "",
        "operation_id": operation.operation_id if operation else "",
        "amount": amount,
        "fee": "0.81",
        "currency": "EUR",
        "occurred_at": f"{TODAY}T12:00:00Z",
    }
    return ",".join((values | changes)[name] for name in NAMES.split(","))


def file(*lines: str) -> str:
    return "\n".join([NAMES, *lines]) + "\n"


async def captures(world: World, count: int) -> list[Operation]:
    """Of 40.00 each, of an order each."""
    made = []
    for number in range(count):
        order_id = f"{world.order_id}-{number}"
        await world.service.authorize(authorize(order_id))
        (operation,) = (await world.service.capture(move(order_id, 4_000))).operations
        made.append(operation)
    return made


async def test_the_provider_s_own_file_of_a_day_leaves_no_difference(world: World, desk: Desk) -> None:
    began = datetime.now(UTC)
    made = await captures(world, 2)
    await world.service.refund(move(made[0].order_id, 1_000))
    # Its clock is the machine's, which may have passed midnight meanwhile.
    days = sorted({began.date(), datetime.now(UTC).date()})
    content = "".join(world.provider.get(f"/v1/settlements/{day}").text for day in days)
    # Its books are older than ours: only what is of this test.
    mine = [row for row in content.splitlines() if any(one.provider_reference in row for one in made)]
    settlement, counts = await desk.take(file(*mine))
    assert (settlement.state, dict(counts.verdicts), counts.missing) == ("done", {"matched": 3}, 0)
    assert counts.fees == [Money(2 * (56 + 25), "EUR")]
    assert await desk.differences() == []


async def test_every_kind_of_difference_is_found(world: World, desk: Desk) -> None:
    fine, other_amount, other_currency, missing = await captures(world, 4)
    settlement, counts = await desk.take(
        file(
            line(1, fine),
            line(2, other_amount, "39.99", operation_id=""),
            line(3, other_currency, currency="CHF"),
            line(4),
            line(5, fine),
            line(6, amount="0", kind="fee", fee="-1.00"),
        )
    )
    assert settlement.state == "done"
    assert dict(counts.verdicts) == {
        "matched": 1,
        "different_amount": 1,
        "different_currency": 1,
        "extra": 2,
        "fee": 1,
    }
    assert counts.missing == 1
    assert counts.fees == [Money(81, "CHF"), Money(4 * 81 - 100, "EUR")]
    assert sorted(await desk.told()) == sorted(
        [
            ("different_amount", "open", other_amount.operation_id),
            ("different_currency", "open", other_currency.operation_id),
            ("extra", "open", ""),
            ("extra", "open", ""),
            ("missing", "waiting", missing.operation_id),
        ]
    )
    by_kind = {one.kind: one for one in await desk.differences()}
    amount = by_kind[DifferenceKind.DIFFERENT_AMOUNT]
    assert (amount.expected, amount.found) == (Money(4_000, "EUR"), Money(3_999, "EUR"))
    assert (amount.order_id, amount.transaction_id) == (other_amount.order_id, "txn_2")
    gone = by_kind[DifferenceKind.MISSING]
    assert (gone.expected, gone.found, gone.order_id) == (Money(4_000, "EUR"), None, missing.order_id)


async def test_what_the_file_of_the_next_day_brings_was_only_waited_for(world: World, desk: Desk) -> None:
    late, lost = await captures(world, 2)
    await desk.take(file(line(1)))
    waiting = [("missing", "waiting", one.operation_id) for one in (late, lost)]
    assert (await desk.told(DifferenceState.WAITING)) == waiting
    desk.now += timedelta(days=1)
    await desk.take(file(line(2, late)), TOMORROW)
    assert await desk.told(DifferenceState.WAITING) == []
    assert [one[0::2] for one in await desk.told(DifferenceState.CLOSED)] == [("missing", late.operation_id)]
    # The file of the next day has come without it: now it is an alarm.
    assert ("missing", "open", lost.operation_id) in await desk.told(DifferenceState.OPEN)
    closed = (await desk.differences(DifferenceState.CLOSED))[0]
    assert (closed.closed_by, closed.reason, closed.closed_at) == ("", "told later", desk.now)
    # And an alarm, too, is closed by a file that tells it.
    await desk.take(file(line(3, lost)), TOMORROW)
    assert [one for one in await desk.told(DifferenceState.OPEN) if one[0] == "missing"] == []


async def test_what_no_later_file_brings_is_an_alarm_after_the_grace(world: World, desk: Desk) -> None:
    (lost,) = await captures(world, 1)
    midnight = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) + timedelta(days=1)
    await desk.take(file(line(1)))
    desk.now = midnight + timedelta(days=2, seconds=-1)
    await desk.work.run()
    assert await desk.told(DifferenceState.WAITING) == [("missing", "waiting", lost.operation_id)]
    desk.now = midnight + timedelta(days=2)
    await desk.work.run()
    assert ("missing", "open", lost.operation_id) in await desk.told(DifferenceState.OPEN)


async def test_what_was_extra_because_our_answer_was_lost_is_closed_once_we_know_it(
    world: World, desk: Desk
) -> None:
    await world.pay()
    world.provider.fault("capture", "timeout_after_success", order_id=world.order_id)
    (lost,) = (await world.hasty.capture(move(world.order_id, 4_000))).operations
    (tender,) = (await world.service.get_payment(world.order_id)).payment.tenders
    reference = tender.provider_payment_id
    told = line(1, operation_id=lost.operation_id, payment_reference=reference, amount="39.00")
    await desk.take(file(told))
    assert await desk.told() == [("extra", "open", "")]
    await world.rest()
    await desk.take(file(line(2, kind="fee", amount="0")), TOMORROW)
    assert await desk.told() == [("extra", "closed", ""), ("different_amount", "open", lost.operation_id)]


async def test_the_same_file_is_the_same_settlement_and_other_bytes_bring_only_what_is_new(
    world: World, desk: Desk
) -> None:
    first, second = await captures(world, 2)
    one, _ = await desk.take(file(line(1, first)), key="a")
    assert (await desk.take(file(line(1, first)), key="a"))[0] == (await desk.take(file(line(1, first)), key="b"))[
        0
    ]
    with pytest.raises(Conflict, match="taken as that of") as conflict:
        await desk.take(file(line(1, first)), TOMORROW)
    assert conflict.value.facts["field"] == "day"
    longer, counts = await desk.take(file(line(1, first), line(2, second)))
    assert longer.settlement_id != one.settlement_id
    assert dict(counts.verdicts) == {"matched": 1}
    listed = await desk.settlements.list("stripe", 2**62, 10)
    assert [found.settlement_id for found, _ in listed] == [longer.settlement_id, one.settlement_id]


async def test_a_file_is_taken_whole_or_not_at_all(world: World, desk: Desk) -> None:
    (made,) = await captures(world, 1)
    refused, counts = await desk.take(file(line(1, made), line(2, amount="1,00")))
    assert (refused.state, refused.reason) == ("failed", "WRONG_FIELD_COUNT")
    assert refused.detail.startswith("line 3:")
    assert (dict(counts.verdicts), await desk.differences()) == ({}, [])
    # Mended, and even as it was, it may come again.
    assert (await desk.take(file(line(1, made), line(2, amount="1,00"))))[0].state == "failed"
    assert (await desk.take(file(line(1, made))))[0].state == "done"
    changed, _ = await desk.take(file(line(1, made, "41.00")))
    assert (changed.state, changed.reason) == ("failed", "TRANSACTION_CHANGED")
    async with world.engine.connect() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM settlement_content"))).scalar() == 0


async def test_lines_of_one_payment_are_judged_together_however_few_at_once(world: World) -> None:
    desk = Desk(world, NOON + timedelta(days=1), at_once=1)
    await world.pay()
    taken = [await world.service.capture(move(world.order_id, minor)) for minor in (1_000, 2_000, 3_000)]
    parts = [operation for movement in taken for operation in movement.operations]
    lines = [
        line(number, part, amount, operation_id="")
        for number, (part, amount) in enumerate(zip(parts, ("30.00", "10.00", "19.00"), strict=True))
    ]
    _, counts = await desk.take(file(line(9), *lines))
    assert dict(counts.verdicts) == {"matched": 2, "different_amount": 1, "extra": 1}
    assert await desk.told(DifferenceState.WAITING) == []


async def test_a_person_resolves_a_difference_once_and_says_why(desk: Desk) -> None:
    await desk.take(file(line(1)))
    (found,) = await desk.differences(DifferenceState.OPEN)
    closed = await desk.settlements.resolve(found.difference_id, "a test payment of theirs", "fiona")
    assert (closed.state, closed.closed_by, closed.closed_at) == (DifferenceState.CLOSED, "fiona", desk.now)
    assert await desk.settlements.resolve(found.difference_id, "a test payment of theirs", "fiona") == closed
    assert list(await desk.differences(DifferenceState.CLOSED)) == [closed]
    for reason, actor in (("another", "fiona"), ("a test payment of theirs", "felix")):
        with pytest.raises(FailedPrecondition, match="closed before"):
            await desk.settlements.resolve(found.difference_id, reason, actor)
    with pytest.raises(NotFound, match="DIFFERENCE_NOT_FOUND"):
        await desk.settlements.resolve("sdf_none", "x", "fiona")
    for reason in ("", " ", "a\nb", "x" * 1_001):
        with pytest.raises(InvalidArgument) as refusal:
            await desk.settlements.resolve(found.difference_id, reason, "fiona")
        assert refusal.value.facts["field"] == "reason"


async def test_a_file_that_cannot_be_of_that_day_or_provider_is_refused_by_its_field(desk: Desk) -> None:
    async def nothing() -> AsyncIterator[bytes]:
        for part in list[bytes]():
            yield part

    for provider, day, field in (
        ("nobody", TODAY, "provider"),
        ("stripe", TODAY + timedelta(days=9), "day"),
        ("stripe", TODAY, "content"),
    ):
        with pytest.raises(InvalidArgument) as refusal:
            await desk.settlements.start(Header(new_id("req"), provider, day, "", "fiona"), nothing())
        assert refusal.value.facts["field"] == field
    with pytest.raises(NotFound, match="SETTLEMENT_NOT_FOUND"):
        await desk.settlements.get("stl_none")

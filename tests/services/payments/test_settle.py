"""What the customer keeps is what is paid, whatever was captured before."""

import pytest

from kit.errors import FailedPrecondition, InvalidArgument, Unavailable
from kit.values.money import Money
from services.payments.commands import Settle
from services.payments.domain.model import State, Status
from services.payments.domain.movement import Movement
from tests.services.payments.test_tenders import AMEX, VISA, by_tender, held, pay
from tests.services.payments.world import World, move, unwind


async def settle(world: World, kept: int, key: str = "") -> Movement | None:
    request_id = f"{world.order_id}/settle{key}"
    return await world.service.settle(Settle(request_id, world.order_id, Money(kept, "EUR"), "settlement", "test"))


@pytest.mark.parametrize(
    ("captured", "kept", "totals"),
    [
        (0, 10_000, (10_000, 10_000, 0, 0)),
        (0, 4_000, (10_000, 4_000, 6_000, 0)),
        (0, 0, (10_000, 0, 10_000, 0)),
        (4_000, 4_000, (10_000, 4_000, 6_000, 0)),
        (4_000, 7_000, (10_000, 7_000, 3_000, 0)),
        (4_000, 1_500, (10_000, 4_000, 6_000, 2_500)),
        (10_000, 0, (10_000, 10_000, 0, 10_000)),
    ],
)
async def test_only_what_is_kept_is_paid(
    world: World, captured: int, kept: int, totals: tuple[int, int, int, int]
) -> None:
    await world.pay(10_000)
    if captured:
        await world.service.capture(move(world.order_id, captured))
    first = await settle(world, kept)
    assert first is None or first.state is State.SUCCEEDED
    again = await settle(world, kept)
    assert (again and again.decisive) == (first and first.decisive)
    assert await world.totals() == totals
    assert (await world.service.get_payment(world.order_id)).payment.status is Status.CLOSED
    await world.assert_books_agree()


async def test_a_settlement_takes_the_tenders_in_their_order(world: World) -> None:
    await pay(world, (VISA, 3_000), (AMEX, None))
    await settle(world, 4_000)
    assert await by_tender(world) == [(3_000, 3_000, 0, 0), (7_000, 1_000, 6_000, 0)]
    assert await held(world) == [0, 0]
    await world.assert_books_agree()


async def test_a_settlement_that_the_bank_refuses_can_be_made_again(world: World) -> None:
    await world.pay(10_000)
    world.provider.fault("capture", "decline", order_id=world.order_id)
    refused = await settle(world, 6_000)
    assert refused is not None
    assert (refused.state, refused.failure_code) == (State.FAILED, "generic_decline")
    done = await settle(world, 6_000, key="/2")
    assert done is not None
    assert done.state is State.SUCCEEDED
    assert await world.totals() == (10_000, 6_000, 4_000, 0)
    await world.rest()
    await world.assert_books_agree()


async def test_a_settlement_waits_for_what_is_not_known_yet(world: World) -> None:
    await world.pay(10_000)
    world.provider.fault("capture", "down", order_id=world.order_id)
    assert (await world.service.capture(move(world.order_id, 2_000))).state is State.UNKNOWN
    with pytest.raises(Unavailable) as refusal:
        await settle(world, 6_000)
    assert refusal.value.reason == "MONEY_IN_FLIGHT"
    await world.rest()
    await settle(world, 6_000)
    assert await world.totals() == (10_000, 6_000, 4_000, 0)


async def test_more_than_is_authorised_cannot_be_kept(world: World) -> None:
    await world.pay(10_000)
    with pytest.raises(FailedPrecondition) as refusal:
        await settle(world, 10_001)
    assert refusal.value.reason == "CAPTURE_EXCEEDS_AUTHORISATION"
    with pytest.raises(InvalidArgument) as negative:
        await settle(world, -1)
    assert negative.value.facts["field"] == "kept.amount_minor"
    await world.service.unwind(unwind(world.order_id))
    with pytest.raises(FailedPrecondition) as closed:
        await settle(world, 1)
    assert closed.value.reason == "PAYMENT_CLOSED"

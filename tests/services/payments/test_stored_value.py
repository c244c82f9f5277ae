"""Stored value: issued, held, spent, given back, refunded, ended, frozen, corrected, guessed at."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from kit.db import AsyncEngine
from kit.errors import Conflict, FailedPrecondition, InvalidArgument, NotFound, TooManyRequests
from kit.values.money import Money
from services.payments.domain import codes
from services.payments.domain.model import Kind, State
from services.payments.domain.outcome import failed
from services.payments.domain.stored_value import InstrumentKind, InstrumentState, Refusal
from services.payments.providers import BadSignature
from services.payments.stored_value_codes import ATTEMPTS_PER_MINUTE
from services.payments.stored_value_store import Wanted
from tests.services.payments.cards import NOON, Cards, issue, steer, voucher


@pytest.fixture
def cards(payments_db: AsyncEngine) -> Cards:
    return Cards(payments_db)


async def test_a_card_pays_parcel_by_parcel_and_keeps_its_rest(cards: Cards) -> None:
    card, code = await cards.issue(5_000)
    order = await cards.held(code, 3_000)
    assert await cards.books(card) == (5_000, 3_000)
    assert (await order.capture(1_000)).state is State.SUCCEEDED
    assert (await order.capture(2_000, final=True)).state is State.SUCCEEDED
    assert await cards.books(card) == (2_000, 0)
    assert await cards.acts(card) == ["issue 5000", "hold 3000", "spend 1000", "spend 2000"]
    again = await cards.held(code, 2_000)
    await again.void()
    assert await cards.books(card) == (2_000, 0)
    await cards.assert_books_agree()


async def test_what_the_last_capture_leaves_is_free_again(cards: Cards) -> None:
    card, code = await cards.issue(5_000)
    order = await cards.held(code, 3_000)
    await order.capture(1_000, final=True)
    assert await cards.books(card) == (4_000, 0)
    assert (await order.capture(1)) == failed(Refusal.EXCEEDS_HOLD)


async def test_thirty_two_orders_spend_a_card_to_exactly_nothing(cards: Cards) -> None:
    card, code = await cards.issue(10_000)
    orders = [cards.paying(code) for _ in range(32)]

    async def buy(order: int) -> int:
        if (await orders[order].authorize(900)).state is not State.SUCCEEDED:
            return 0
        assert (await orders[order].capture(900)).state is State.SUCCEEDED
        return 900

    paid = await asyncio.gather(*map(buy, range(32)))
    assert sum(paid) == 11 * 900
    assert await cards.books(card) == (100, 0)
    assert (await cards.paying(code).authorize(101)) == failed(Refusal.INSUFFICIENT)
    await cards.assert_books_agree()


async def test_an_operation_that_is_repeated_is_done_once_and_answers_the_same(cards: Cards) -> None:
    card, code = await cards.issue(5_000)
    order = cards.paying(code)
    authorizing = order.operation(Kind.AUTHORIZE, 5_000)
    assert await cards.provider.look(order.tender, authorizing) is None
    first, again = await asyncio.gather(*(cards.provider.perform(order.tender, authorizing) for _ in range(2)))
    assert first == again == await cards.provider.look(order.tender, authorizing)
    order.tender = replace(order.tender, provider_payment_id=first.reference)
    declined = order.operation(Kind.CAPTURE, 5_001)
    for kind in (Kind.CAPTURE, Kind.REFUND, Kind.CAPTURE, Kind.VOID):
        operation = order.operation(kind, 2_000)
        done = [await cards.provider.perform(order.tender, operation) for _ in range(3)]
        assert done[0] == done[1] == done[2]
        assert done[0].state is State.SUCCEEDED
    assert await cards.provider.perform(order.tender, declined) == failed(Refusal.EXCEEDS_HOLD)
    assert await cards.provider.perform(order.tender, declined) == failed(Refusal.EXCEEDS_HOLD)
    found = await cards.provider.authorisation(first.reference)
    assert found is not None
    assert (found.operation_id, found.captured, found.refunded, found.ended) == (
        authorizing.operation_id,
        4_000,
        2_000,
        True,
    )
    listed = await cards.provider.authorisations(NOON, NOON + timedelta(seconds=1), 10)
    assert listed == {first.reference: found}
    assert await cards.books(card) == (3_000, 0)


async def test_a_release_gives_back_what_is_held_and_accepts_that_nothing_is(cards: Cards) -> None:
    card, code = await cards.issue(5_000)
    order = await cards.held(code, 5_000)
    await order.capture(2_000)
    for _ in range(2):
        await cards.provider.release(order.tender)
        assert await cards.books(card) == (3_000, 0)
    await cards.provider.release(replace(order.tender, provider_payment_id=""))
    assert await cards.acts(card) == ["issue 5000", "hold 5000", "spend 2000", "give_back 3000"]


@pytest.mark.parametrize(
    ("terms", "asked", "refusal"),
    [
        ({"currency": "USD"}, {}, Refusal.WRONG_CURRENCY),
        ({"channels": ("store-lyon",)}, {}, Refusal.NOT_FOR_CHANNEL),
        ({"customer_ref": "c-1"}, {}, Refusal.NOT_FOR_CUSTOMER),
        ({"customer_ref": "c-1"}, {"customer_ref": "c-2"}, Refusal.NOT_FOR_CUSTOMER),
        ({"customer_ref": "c-1"}, {"customer_ref": "c-1"}, Refusal.NONE),
        ({"channels": ("app", "web")}, {}, Refusal.NONE),
        ({"valid_until": NOON + timedelta(hours=1)}, {}, Refusal.NONE),
        ({}, {"minor": 5_001}, Refusal.INSUFFICIENT),
    ],
)
async def test_a_card_pays_where_for_whom_and_what_its_terms_say(
    cards: Cards, terms: dict[str, object], asked: dict[str, object], refusal: Refusal
) -> None:
    _, code = await cards.issue(5_000, **terms)
    order = cards.paying(code, customer_ref=str(asked.get("customer_ref", "")))
    outcome = await order.authorize(int(str(asked.get("minor", 5_000))))
    assert outcome.failure_code == refusal
    assert (outcome.state is State.SUCCEEDED) == (refusal is Refusal.NONE)


async def test_a_card_ends_but_what_an_order_holds_stays_good(cards: Cards) -> None:
    card, code = await cards.issue(5_000, valid_until=NOON + timedelta(days=1))
    order = await cards.held(code, 2_000)
    cards.later(days=1)
    assert (await cards.paying(code).authorize(1)) == failed(Refusal.EXPIRED)
    assert await cards.service.expire(cards.now) == 1
    assert await cards.service.expire(cards.now) == 0
    assert await cards.books(card) == (2_000, 2_000)
    assert (await order.capture(1_500)).state is State.SUCCEEDED
    refund = await order.refund(500)
    voided = await order.void()
    assert await cards.books(card) == (0, 0)
    assert [await cards.books(one.reference) for one in (refund, voided)] == [(500, 0), (500, 0)]
    note = await cards.service.get(refund.reference)
    assert (note.terms.kind, note.last_four, note.state(cards.now)) == (
        InstrumentKind.CREDIT_NOTE,
        "",
        InstrumentState.ACTIVE,
    )
    assert await cards.acts(voided.reference) == ["issue 500"]
    assert [kind for kind, _ in await cards.events()] == ["issued", "expired", "spent", "issued", "issued"]
    await cards.assert_books_agree()


async def test_a_voucher_is_used_up_by_its_first_order_and_its_rest_is_lost(cards: Cards) -> None:
    card, code = await cards.service.issue(voucher(1_000))
    order = await cards.held(code, 600)
    assert (await cards.paying(code).authorize(100)) == failed(Refusal.INSUFFICIENT)
    await order.capture(200)
    assert await cards.books(card) == (800, 400)
    await order.capture(400)
    assert await cards.books(card) == (0, 0)
    assert (await cards.acts(card))[-1] == "expire 400"
    refund = await order.refund(600)
    assert refund.reference.startswith("svl_")
    assert await cards.books(refund.reference) == (600, 0)
    assert await order.refund(1) == failed(Refusal.EXCEEDS_SPENT)
    assert await cards.books(card) == (0, 0)
    await cards.assert_books_agree()


async def test_a_voucher_whose_order_came_to_nothing_is_as_it_was(cards: Cards) -> None:
    card, code = await cards.service.issue(voucher(1_000))
    await (await cards.held(code, 600)).void()
    assert await cards.books(card) == (1_000, 0)
    await cards.held(code, 1_000)


async def test_a_code_opens_its_card_once_it_is_made_anew_and_the_former_one_nothing(cards: Cards) -> None:
    card, former = await cards.issue(5_000)
    asked = steer(card)
    renewed, code = await cards.service.new_code(asked)
    assert renewed.last_four == codes.read(code)[-4:]
    assert await cards.service.new_code(asked) == (renewed, "")
    assert (await cards.paying(former).authorize(1)) == failed(Refusal.NOT_FOUND)
    await cards.held(code, 5_000)


async def test_an_issue_that_is_repeated_makes_one_card_and_shows_its_code_once(cards: Cards) -> None:
    asked = issue(5_000)
    answers = await asyncio.gather(*(cards.service.issue(asked) for _ in range(4)))
    assert len({card.instrument_id for card, _ in answers}) == 1
    assert sorted(bool(code) for _, code in answers) == [False, False, False, True]
    with pytest.raises(Conflict) as conflict:
        await cards.service.issue(replace(asked, amount=Money(5_001, "EUR")))
    assert conflict.value.facts["field"] == "request_id"
    cards.later(days=400)
    assert (await cards.service.issue(asked))[0] == answers[0][0]


async def test_a_printed_card_keeps_its_code_which_is_never_given_twice(cards: Cards) -> None:
    printed = codes.made_of(4711)
    card, shown = await cards.issue(5_000, code=printed)
    assert (shown, card.last_four) == (codes.read(printed), codes.read(printed)[-4:])
    await cards.held(printed.lower(), 5_000)
    with pytest.raises(FailedPrecondition) as taken:
        await cards.issue(5_000, code=printed)
    assert taken.value.reason == "STORED_VALUE_CODE_TAKEN"


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"currency": "eur"}, "amount.currency"),
        ({"minor": 0}, "amount.amount_minor"),
        ({"valid_until": NOON}, "valid_until"),
        ({"single_use": True}, "single_use"),
        ({"channels": ("web", "web")}, "channels"),
        ({"channels": ("",)}, "channels"),
        ({"customer_ref": "c" * 201}, "customer_ref"),
        ({"cause": ""}, "reason"),
        ({"actor": ""}, "actor"),
        ({"code": "0000-0000-0000-0001"}, "code"),
    ],
)
async def test_a_card_that_cannot_be_is_refused_by_its_field(
    cards: Cards, terms: dict[str, object], field: str
) -> None:
    asked = dict(terms)
    with pytest.raises(InvalidArgument) as refused:
        await cards.issue(int(str(asked.pop("minor", 5_000))), **asked)
    assert refused.value.facts["field"] == field


async def test_a_frozen_card_pays_no_new_order_and_honours_the_old_ones(cards: Cards) -> None:
    card, code = await cards.issue(5_000)
    order = await cards.held(code, 2_000)
    for _ in range(2):
        frozen = await cards.service.freeze(steer(card), frozen=True)
        assert frozen.state(cards.now) is InstrumentState.FROZEN
    assert (await cards.paying(code).authorize(1)) == failed(Refusal.FROZEN)
    await order.capture(2_000)
    await order.refund(500)
    await cards.service.freeze(steer(card), frozen=False)
    await cards.held(code, 3_500)
    assert [act for act in await cards.acts(card) if "freeze" in act] == ["freeze 0", "unfreeze 0"]


async def test_a_person_corrects_what_is_free_and_no_more(cards: Cards) -> None:
    card, code = await cards.issue(5_000)
    await cards.held(code, 2_000)
    asked = steer(card)
    for _ in range(2):
        assert (await cards.service.adjust(asked, Money(-2_000, "EUR"))).balance == 3_000
    with pytest.raises(FailedPrecondition) as refused:
        await cards.service.adjust(steer(card), Money(-1_001, "EUR"))
    assert (refused.value.reason, refused.value.facts["available_minor"]) == ("STORED_VALUE_INSUFFICIENT", 1_000)
    with pytest.raises(InvalidArgument) as mismatch:
        await cards.service.adjust(steer(card), Money(1, "USD"))
    assert mismatch.value.reason == "CURRENCY_MISMATCH"
    with pytest.raises(InvalidArgument):
        await cards.service.adjust(steer(card), Money(0, "EUR"))
    assert (await cards.service.adjust(steer(card), Money(500, "EUR"))).available == 1_500
    with pytest.raises(NotFound):
        await cards.service.adjust(steer("svl_none"), Money(1, "EUR"))
    await cards.assert_books_agree()


async def test_no_worth_is_added_where_it_would_be_lost(cards: Cards) -> None:
    ended, _ = await cards.issue(5_000, valid_until=NOON + timedelta(hours=1))
    used, code = await cards.service.issue(voucher(1_000))
    await (await cards.held(code, 1_000)).capture(1_000)
    cards.later(hours=1)
    for card, reason in ((ended, "STORED_VALUE_EXPIRED"), (used, "STORED_VALUE_INSUFFICIENT")):
        with pytest.raises(FailedPrecondition) as refused:
            await cards.service.adjust(steer(card), Money(1, "EUR"))
        assert refused.value.reason == reason


async def test_a_check_tells_what_a_code_would_pay(cards: Cards) -> None:
    _, code = await cards.issue(5_000, channels=("web",), customer_ref="c-1")
    await cards.held(code, 1_500, "c-1")
    worth = await cards.service.check(code.lower(), "web", "c-1", "EUR")
    assert (worth.available, worth.refusal) == (3_500, Refusal.NONE)
    for channel, customer, currency, refusal in (
        ("app", "c-1", "", Refusal.NOT_FOR_CHANNEL),
        ("web", "c-2", "", Refusal.NOT_FOR_CUSTOMER),
        ("web", "c-1", "USD", Refusal.WRONG_CURRENCY),
    ):
        worth = await cards.service.check(code, channel, customer, currency)
        assert (worth.available, worth.refusal) == (0, refusal)


async def test_guessing_codes_ends_after_some_attempts_of_a_channel_in_a_minute(cards: Cards) -> None:
    _, code = await cards.issue(5_000)
    for chance in range(ATTEMPTS_PER_MINUTE - 1):
        with pytest.raises(NotFound):
            await cards.service.check(codes.made_of(chance), "web", "", "")
    for mistyped in ("0000-0000-0000-0001", "no code"):
        with pytest.raises(NotFound):
            await cards.service.check(mistyped, "web", "", "")
    assert (await cards.paying(codes.made_of(99)).authorize(1)) == failed(Refusal.NOT_FOUND)
    assert (await cards.paying(code).authorize(1)) == failed(Refusal.TOO_MANY_ATTEMPTS)
    with pytest.raises(TooManyRequests):
        await cards.service.check(code, "web", "", "")
    assert (await cards.service.check(code, "app", "", "")).available == 5_000
    cards.later(minutes=1)
    assert (await cards.service.check(code, "web", "", "")).available == 5_000
    await cards.service.expire(cards.now)
    async with cards.engine.connect() as tx:
        kept = await tx.execute(
            text("SELECT count(*) FROM stored_value_guess WHERE minute < :now"), {"now": cards.now}
        )
        assert kept.scalar_one() <= 1


async def test_cards_are_listed_newest_first_by_kind_customer_and_state(cards: Cards) -> None:
    names: dict[str, str] = {}

    async def add(name: str, **terms: object) -> str:
        cards.later(seconds=1)
        card, code = await cards.issue(1_000, **terms)
        names[card.instrument_id] = name
        return code

    await add("plain")
    await add("frozen", customer_ref="c-1")
    await cards.service.freeze(steer(next(one for one in names if names[one] == "frozen")), frozen=True)
    await add("ended", valid_until=cards.now + timedelta(seconds=2))
    await (await cards.held(await add("used", kind=InstrumentKind.CREDIT_NOTE), 1_000)).capture(1_000)
    cards.later(seconds=5)

    async def listed(**wanted: object) -> list[str]:
        rows, _ = await cards.service.listed(replace(Wanted(cards.now), **wanted), 50)  # type: ignore[arg-type]
        return [names[row.instrument_id] for row in rows]

    assert await listed() == ["used", "ended", "frozen", "plain"]
    assert await listed(kind=InstrumentKind.CREDIT_NOTE) == ["used"]
    assert await listed(customer_ref="c-1") == ["frozen"]
    for state, name in (("ACTIVE", "plain"), ("FROZEN", "frozen"), ("EXPIRED", "ended"), ("USED_UP", "used")):
        assert await listed(state=InstrumentState[state]) == [name]
    first, more = await cards.service.listed(Wanted(cards.now), 3)
    assert more
    after = (first[-1].issued_at, first[-1].instrument_id)
    rest, more = await cards.service.listed(Wanted(cards.now, after=after), 3)
    assert ([names[row.instrument_id] for row in rest], more) == (["plain"], False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE stored_value_line SET amount_minor = 1",
        "DELETE FROM stored_value_line",
        "TRUNCATE stored_value_line",
        "UPDATE stored_value SET balance = balance - 1",
        "UPDATE stored_value SET held = held + 1",
        "UPDATE stored_value SET balance = -1",
    ],
)
async def test_the_database_refuses_books_that_do_not_agree(cards: Cards, statement: str) -> None:
    _, code = await cards.issue(5_000)
    await cards.held(code, 1_000)
    with pytest.raises(DBAPIError):
        async with cards.engine.begin() as tx:
            await tx.execute(text(statement))


async def test_a_total_that_is_not_what_its_lines_say_is_found(cards: Cards) -> None:
    card, code = await cards.issue(5_000)
    order = await cards.held(code, 1_000)
    async with cards.engine.begin() as tx:
        await tx.execute(text("SET LOCAL session_replication_role = replica"))
        await tx.execute(text("UPDATE stored_value SET balance = 4999"))
        await tx.execute(text("UPDATE stored_value_hold SET spent = 0, held = 900"))
    found = [
        (one.subject, one.total, one.cached_minor, one.ledger_minor) for one in await cards.service.wrong_totals()
    ]
    assert found == [
        (card.instrument_id, "balance", 4_999, 5_000),
        (order.tender.provider_payment_id, "held", 900, 1_000),
    ]


async def test_it_posts_no_events(cards: Cards) -> None:
    with pytest.raises(BadSignature):
        cards.provider.read_event(b"{}", "")


async def test_no_code_is_kept_anywhere(cards: Cards) -> None:
    card, code = await cards.issue(5_000)
    await (await cards.held(code, 5_000)).capture(5_000)
    await cards.service.new_code(steer(card))
    plain = codes.read(code)
    async with cards.engine.connect() as tx:
        for table in ("stored_value", "stored_value_hold", "stored_value_line", "request", "outbox"):
            for row in await tx.execute(text(f"SELECT t::text AS whole FROM {table} t")):
                assert plain not in row.whole
                assert code not in row.whole

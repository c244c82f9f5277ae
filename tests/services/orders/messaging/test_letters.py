"""The words of notifications: every milestone in every language, and nothing slips through the customer's name."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.values.money import Money
from services.orders import store
from services.orders.codes import Codes
from services.orders.domain.milestones import OF_TRIALS, Milestone, Way
from services.orders.domain.model import (
    Appointment,
    Buyer,
    Charge,
    Collection,
    CustomerChoice,
    Loss,
    Order,
    Parcel,
    Refund,
    RefundKind,
    Slot,
    StatusLabel,
    Trial,
    UnitRange,
    Window,
)
from services.orders.domain.notifications import Notification
from services.orders.domain.states import CaptureState, FulfilmentState, RefundState
from services.orders.links import Links
from services.orders.messaging import formats, letters
from tests.services.orders.builders import BUYER, NOON, PROMISE, accepted, leg, line, recorded, released

LINKS = Links(["a key"], "https://shop.example.com")
CODES = Codes(["a key"])
SHOP = "Ondelle et Cairn SAS"
OF_PARCELS = (
    Milestone.SHIPPED,
    Milestone.OUT_FOR_DELIVERY,
    Milestone.DELIVERY_FAILED,
    Milestone.DELIVERED,
    Milestone.PARCEL_LOST,
    Milestone.SENT_AGAIN,
    Milestone.RETURNING,
    Milestone.READY,
    Milestone.COLLECTION_REMINDER,
    Milestone.COLLECTED,
)


def said(milestone: Milestone, order: Order, subject: str = "", **facts: Any) -> Notification:
    if milestone in OF_PARCELS and order.fulfilments:
        facts["work"] = order.fulfilments[0].fulfilment_id
    return Notification("ntf_1", order.order_id, milestone, subject, Way.MAIL, NOON, facts)


def written(one: Notification, order: Order, buyer: Buyer = BUYER, now: datetime = NOON) -> letters.Letter:
    return letters.write(one, store.view(order, buyer), SHOP, LINKS, CODES, now)


def in_language(language: str, **changes: Any) -> Buyer:
    return replace(BUYER, customer=replace(BUYER.customer, language=language, **changes))


def whole(order_id: str = "ord_" + "0f" * 16) -> Order:
    """An order of which everything can be said."""
    order = released(leg((1, 2)), lines=(line(1, title="Écharpe “Brume” & <b>gants</b>"),))
    work = order.fulfilments[0]
    parcel = Parcel("par_1", 6490, "EUR", 500, NOON, CaptureState.CAPTURED, tracking_code="HE012345678901",
                    handed_over_at=NOON, delivered_at=NOON, failure_reason="recipient_absent")  # fmt: skip
    waits = Collection(NOON, NOON + timedelta(days=7), None)
    paid = RefundKind.GOODS, RefundState.SUCCEEDED, 123456, "EUR"
    refund = Refund("rfd_1", order_id, 1, *paid, 0, (), (), "", "", "", NOON)
    trial = Trial(NOON, NOON + timedelta(days=7), NOON + timedelta(days=5), kept=(UnitRange(1, 0, 1),))
    return replace(
        order,
        order_id=order_id,
        fulfilments=(
            replace(
                work, carrier_id="hexagone", parcel=parcel, state=FulfilmentState.HANDED_OVER, collection=waits
            ),
        ),
        refunds=(refund,),
        trial=trial,
        choices=(
            CustomerChoice(
                "1", work.fulfilment_id, "store-lyon", "short_pick", (), (), NOON, NOON + timedelta(days=2)
            ),
        ),
        charge=Charge(123456),
        next_action_url="https://bank.example/3ds",
        appointment=Appointment("bkg_1", Slot("slot-1", NOON.date(), PROMISE), NOON.date()),
    )


@pytest.mark.parametrize("language", letters.LANGUAGES)
@pytest.mark.parametrize("milestone", list(Milestone))
def test_each_milestone_has_words_in_each_language_and_fits_one_sms(milestone: Milestone, language: str) -> None:
    order = whole()
    facts = {
        "late": True,
        "due_at": (NOON + timedelta(days=30)).isoformat(),
        "lines": [],
        "attempt": 1,
        "choice_id": "1",
    }
    one = said(milestone, order, subject="rfd_1", **facts)
    letter = written(one, order, in_language(language))
    assert letter.language == language
    for text in (letter.subject, letter.text, letter.html, letter.sms):
        assert text.strip()
        assert "{" not in text.replace("{margin", "")
    link = LINKS.url(order.order_id, NOON + letters.LINK_LASTS)
    assert link in letter.text
    assert f'href="{link}"' in letter.html
    assert letter.sms.endswith(link)
    assert formats.gsm(letter.sms) == letter.sms
    assert formats.gsm_length(letter.sms) <= formats.GSM_MAX, letter.sms
    # What does not apply leaves no hole behind.
    bare = letters.write(one, store.view(recorded(), Buyer()), SHOP, LINKS, CODES, NOON)
    assert "None" not in bare.text + bare.subject + bare.sms


def test_the_customer_reads_his_language_or_that_of_where_the_goods_go() -> None:
    english = replace(BUYER, ship_to=replace(BUYER.ship_to, country="GB"))
    assert [letters.language_of(one) for one in (BUYER, english, in_language("en"), in_language("de"))] == [
        "fr",
        "en",
        "en",
        "fr",
    ]


def test_an_acceptance_says_what_was_bought_until_when_it_can_be_changed_and_when_it_comes() -> None:
    order = accepted(recorded(line(1, title="Écharpe Brume"), line(2)), leg((1, 2), (2, 2))).order
    promise = Window(datetime(2026, 12, 1, 8, tzinfo=UTC), datetime(2026, 12, 1, 11, tzinfo=UTC))
    order = replace(order, promise=promise)
    french = written(said(Milestone.ACCEPTED, order), order)
    assert french.subject == "Commande W-1001 : confirmée"
    assert "le mardi 1er décembre entre 9:00 et 12:00" in french.text
    assert "jusqu'au vendredi 20 novembre à 13:30" in french.text
    assert "- 2 x Écharpe Brume\n- 2 x Title 2" in french.text
    assert f"de {formats.money(order.content.total, 'fr')}" in french.text
    assert "Bonjour Zoé Plantée," in french.text
    english = written(said(Milestone.ACCEPTED, order), order, in_language("en"), NOON + timedelta(hours=1))
    assert "on Tuesday 1 December between 9:00 and 12:00" in english.text
    assert "€129.80" in english.text
    assert "change or cancel" not in english.text


def test_the_words_of_a_trade_go_before_the_usual_ones() -> None:
    order = accepted(recorded(), leg((1, 2))).order
    assert "Statut de votre commande : confirmée" in written(said(Milestone.ACCEPTED, order), order).text
    labels = (StatusLabel("validated", "fr", "Confiée à nos artisans"),)
    crafted = replace(order, life_cycle=replace(order.life_cycle, labels=labels))
    assert "Confiée à nos artisans" in written(said(Milestone.ACCEPTED, crafted), crafted).text
    assert "confirmed" in written(said(Milestone.ACCEPTED, crafted), crafted, in_language("en")).text


def test_nothing_that_a_customer_or_a_catalogue_calls_itself_becomes_markup_or_a_header() -> None:
    order = whole()
    evil = in_language("en", name="<script>x</script>\r\nBcc: all@example.org")
    content = replace(order.content, channel_order_number="W-1\r\nBcc: a@b.c")
    order = replace(order, content=content)
    letter = written(said(Milestone.SHIPPED, order), order, evil)
    assert "\n" not in letter.subject
    assert "<script>" not in letter.html
    assert "&lt;script&gt;" in letter.html
    assert "&lt;b&gt;gants&lt;/b&gt;" in letter.html
    assert "<b>gants</b>" in letter.text


def test_a_lost_parcel_says_what_was_decided() -> None:
    order = whole()
    work = order.fulfilments[0]
    assert work.parcel is not None
    parcel = replace(work.parcel, loss=Loss(NOON, "carrier", NOON, "refund"))
    damaged = replace(order, fulfilments=(replace(work, state=FulfilmentState.DAMAGED, parcel=parcel),))
    text = written(said(Milestone.PARCEL_LOST, damaged), damaged, in_language("en")).text
    assert "damaged" in text
    assert "give you back its price" in text


@pytest.mark.parametrize(
    ("window", "language", "text"),
    [
        (("2026-12-01T23:00", "2026-12-02T23:00"), "fr", "le mercredi 2 décembre"),
        (("2026-11-30T23:00", "2026-12-02T23:00"), "fr", "entre le mardi 1er décembre et le mercredi 2 décembre"),
        (("2026-12-01T13:30", "2026-12-01T15:00"), "en", "on Tuesday 1 December between 14:30 and 16:00"),
    ],
)
def test_windows_are_read_by_the_clock_of_where_the_goods_go(
    window: Sequence[str], language: str, text: str
) -> None:
    start, end = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in window)
    assert formats.window(start, end, formats.zone_of("FR"), language) == text


def test_amounts_have_the_places_of_their_currency() -> None:
    assert formats.money(Money(1250, "EUR"), "en") == "€12.50"
    assert formats.money(Money(1250, "JPY"), "en") == "JP¥1,250"
    assert formats.money(Money(1250, "EUR"), "fr") == "12,50\N{NO-BREAK SPACE}€"
    assert formats.zone_of("XX").key == "UTC"


def test_an_sms_is_in_letters_that_it_has_room_for() -> None:
    assert (
        formats.gsm("Bientôt l\N{RIGHT SINGLE QUOTATION MARK}été…\n reçu\N{NARROW NO-BREAK SPACE}€ 你")
        == "Bientot l'été... recu € ?"
    )
    assert formats.gsm_length("€5") == 3


def test_words_of_trials_are_of_trials() -> None:
    order = whole()
    for milestone in OF_TRIALS - {Milestone.TRIAL_SETTLED}:
        assert "27 November" in written(said(milestone, order), order, in_language("en")).subject
    settled = written(said(Milestone.TRIAL_SETTLED, order), order, in_language("en")).text
    assert "What you keep costs €1,234.56." in settled
    assert "- 1 x" in settled


@pytest.mark.parametrize("milestone", [Milestone.READY, Milestone.COLLECTION_REMINDER])
def test_who_collects_is_told_the_code_and_until_when_it_is_kept(milestone: Milestone) -> None:
    order = whole()
    letter = written(said(milestone, order), order, in_language("en"))
    code = CODES.of(order.fulfilments[0])
    assert code in letter.text
    assert code in letter.sms
    assert "Friday 27 November at 13:00" in letter.text

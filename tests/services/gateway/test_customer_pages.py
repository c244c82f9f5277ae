"""The page of an order for its customer: what it says in both languages, to whom, and what may be done on it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import numpy as np
import pytest
import zxingcpp

from kit.errors import FailedPrecondition, Unavailable
from kit.times import from_proto, now, to_proto
from kit.values.money import Money
from oms.orders.v1 import customer_service_pb2 as pb
from oms.orders.v1 import orders_service_pb2 as orders
from oms.type.v1 import type_pb2 as types
from services.gateway.auth import Role
from services.gateway.console import qr
from services.gateway.console.customer import words
from tests.services.gateway.bodies import PARAMETERS
from tests.services.gateway.contrast import hard_to_read
from tests.services.gateway.fake_customers import DAY, NOON, customer_order, units, window
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

PARIS = ZoneInfo("Europe/Paris")
ORDER = PARAMETERS["order_id"]
STYLE = Path(words.__file__).parents[1] / "templates/customer/track.css"
FRENCH = {"Accept-Language": "fr-FR,fr;q=0.9"}


class _Page(HTMLParser):
    """What of a page a screen reader depends on."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.named_by: list[str] = []
        self.headings: list[int] = []
        self.tags: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.tags.append(tag)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.named_by += [found["aria-labelledby"] or ""] if "aria-labelledby" in found else []
        self.headings += [int(tag[1])] if tag in ("h1", "h2", "h3") else []


def everything() -> pb.CustomerOrder:
    """An order of which as much can be said as one page can say."""
    at = to_proto(NOON)
    some, little = (types.Money(amount_minor=amount, currency="EUR") for amount in (990, 100))
    return customer_order(
        late=True,
        expected=window(NOON + 4 * DAY),
        cancelled=units("T-shirt"),
        unplaced=units("Belt"),
        checking=True,
        changing=True,
        may_cancel=True,
        cooling_off_until=at,
        payment="failed",
        refunds=[
            pb.CustomerRefund(kind="goods", amount=some, done=True, at=at),
            pb.CustomerRefund(kind="goodwill", amount=little, at=at),
        ],
        trial=pb.CustomerTrial(days=7, begun_at=at, ends_at=to_proto(now() + 3 * DAY), back=units("Scarf")),
        appointment=pb.CustomerAppointment(state="missed", window=window(NOON)),
        parcels=[
            pb.CustomerParcel(
                stage="attempted", failure_reason="recipient_absent", cause="delivery_missed",
                units=units("Coat <b>"), carrier_id="colisvite", tracking_code="6A1", handed_over_at=at,
                promised=window(NOON + DAY), expected=window(NOON + 4 * DAY),
            ),
            pb.CustomerParcel(
                stage="waiting", units=units("Book", quantity=12), waits_until=to_proto(NOON + 2 * DAY),
                released_at=to_proto(NOON + 3 * DAY), expected=window(NOON + 4 * DAY),
            ),
            pb.CustomerParcel(stage="lost", decision="reship", units=units("Vase")),
            pb.CustomerParcel(stage="preparing", sent_again=True, units=units("Vase")),
            pb.CustomerParcel(stage="taken", units=units("Lamp"), point_id="store-lyon"),
        ],
    )  # fmt: skip


async def test_the_page_says_where_the_order_is_and_when_it_comes(http: httpx.AsyncClient, world: World) -> None:
    answer = await http.get("/track/open")
    assert answer.status_code == 200
    for text in ("Order W-100234", "On its way", "Wool coat", "ColisVite", "6A123", "Lyon (FR)", "€1,054.80"):
        assert text in answer.text
    # As on the clock of where it goes.
    assert "Sunday 22\N{NO-BREAK SPACE}November" in answer.text
    assert "between 13:00 and 23:00" in answer.text
    assert "Europe/Paris" in answer.text
    french = (await http.get("/track/open", headers=FRENCH)).text
    for text in ('lang="fr"', "En route", "entre 13:00 et 23:00", "1\N{NO-BREAK SPACE}054,80\N{NO-BREAK SPACE}€"):
        assert text in french
    asked = (await http.get("/track/open?lang=en", headers=FRENCH)).text
    assert 'lang="en"' in asked
    assert "Livraison à" not in asked


async def test_everything_that_can_be_said_of_an_order_is_said(http: httpx.AsyncClient, world: World) -> None:
    world.linked["all"] = everything()
    page = (await http.get("/track/all")).text
    for text in (
        *("Later than promised", "The carrier is late", "Nobody was there", "tries again", "Coat &lt;b&gt;"),
        *(
            "Release date",
            "Waits for articles that arrive",
            "12&nbsp;",
            "We send its articles again",
            "Sent again",
        ),
        *("From our store", "Still to be planned", "Cancelled", "€9.90", "A gesture of ours", "Under way"),
        *("We take a closer look", "A change of this order", "did not go through", "3</strong> days left"),
        *("Came back", "choose another time", "Cancel this order", "Parcel 1 of 4"),
    ):
        assert text in page, text
    assert "<script" not in page


async def test_a_code_is_shown_as_a_picture_too(http: httpx.AsyncClient, world: World) -> None:
    waiting = everything()
    waiting.parcels.add(stage="to_collect", units=units("Hat"), code="K7M2XQ", keep_until=to_proto(NOON + DAY))
    world.linked["waits"] = waiting
    page = (await http.get("/track/waits")).text
    side, path = qr.path_of("K7M2XQ")
    assert (f'viewBox="0 0 {side} {side}"' in page, f'd="{path}"' in page) == (True, True)
    # As a camera sees it.
    seen = np.full((side, side), 255, dtype=np.uint8)
    for one in path.split("M")[1:]:
        x, y = map(int, one.removesuffix("h1v1h-1z").split())
        seen[y, x] = 0
    (read,) = zxingcpp.read_barcodes(np.kron(seen, np.ones((6, 6), dtype=np.uint8)))
    assert read.text == "K7M2XQ"


@pytest.mark.parametrize("path", ["/track/all", "/track/all?lang=fr", "/track/all/cancel", "/track/nothing"])
async def test_a_page_has_landmarks_one_title_and_no_name_that_leads_nowhere(
    http: httpx.AsyncClient, world: World, path: str
) -> None:
    world.linked["all"] = everything()
    page = _Page((await http.get(path)).text)
    assert (page.tags.count("main"), page.tags.count("header"), page.headings[0]) == (1, 1, 1)
    assert page.headings.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert len(page.ids) == len(set(page.ids))
    assert set(page.named_by) <= set(page.ids)


async def test_an_address_is_a_secret_that_nobody_keeps_lists_or_passes_on(http: httpx.AsyncClient) -> None:
    for path in ("/track/open", "/track/unknown"):
        answer = await http.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex, nofollow"
        assert "set-cookie" not in answer.headers
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy


async def test_the_page_of_an_order_that_was_erased_is_gone(http: httpx.AsyncClient) -> None:
    for language, said in (("en", "This page is gone"), ("fr", "effacées")):
        page = await http.get("/track/erased", params={"lang": language})
        assert (page.status_code, said in page.text) == (410, True)


@pytest.mark.parametrize("token", ["unknown", "ended", "a%20b", "%00", "é", "x" * 400])
async def test_what_is_no_link_gets_a_page_that_says_nothing_more(http: httpx.AsyncClient, token: str) -> None:
    answers = [await http.get(f"/track/{token}"), await http.get(f"/track/{token}/cancel")]
    answers.append(await http.post(f"/track/{token}/cancel"))
    for answer in answers:
        assert answer.status_code == 404
        assert "This link leads nowhere" in answer.text
    assert "Page inconnue" in (await http.get(f"/track/{token}", headers=FRENCH)).text
    endless = await http.get(f"/track/{token}", headers={"Accept-Language": "fr," * 400})
    assert (endless.status_code, "Page inconnue" in endless.text) == (404, True)


async def test_while_orders_is_away_the_page_says_so(http: httpx.AsyncClient, world: World) -> None:
    world.failures["GetOrderOfLink"] = [Unavailable("UNREACHABLE", "away") for _ in range(2)]
    answer = await http.get("/track/open")
    assert (answer.status_code, "cannot be shown" in answer.text) == (503, True)
    assert "retry-after" in answer.headers


async def test_the_page_comes_without_what_others_know(http: httpx.AsyncClient, world: World) -> None:
    world.failures["ListDecisions"] = [Unavailable("UNREACHABLE", "away") for _ in range(2)]
    world.linked["failed"] = customer_order(payment="failed")
    world.failures["GetPayment"] = [Unavailable("UNREACHABLE", "away") for _ in range(2)]
    page = (await http.get("/track/failed")).text
    assert "between 12:00 and 22:00" in page
    assert "UTC" in page
    assert "will send you a new payment link" in page


@pytest.mark.parametrize(
    ("url", "led"),
    [("https://bank.example/confirm", True), ("javascript:alert(1)", False), ("", False)],
)
async def test_a_payment_to_confirm_leads_to_the_bank_and_nowhere_else(
    http: httpx.AsyncClient, world: World, url: str, led: bool
) -> None:
    world.linked["pay"] = customer_order(payment="confirm", payment_url=url, customer_status="action required")
    page = (await http.get("/track/pay")).text
    assert "Please confirm your payment" in page
    assert (f'href="{url}"' in page and bool(url)) is led


async def test_the_words_of_the_life_cycle_come_before_ours(http: httpx.AsyncClient, world: World) -> None:
    label = orders.StatusLabel(status="shipped", language="fr", text="Le coursier arrive")
    world.linked["own"] = customer_order(labels=[label])
    assert '<h1 id="status">Le coursier arrive</h1>' in (await http.get("/track/own?lang=fr")).text
    assert '<h1 id="status">On its way</h1>' in (await http.get("/track/own?lang=en")).text


# -- cancelling -------------------------------------------------------------------------------------------


async def test_a_customer_cancels_after_a_second_thought_and_once(http: httpx.AsyncClient, world: World) -> None:
    world.linked["new"] = customer_order(may_cancel=True)
    assert 'href="/track/new/cancel?lang=en"' in (await http.get("/track/new")).text
    sure = (await http.get("/track/new/cancel?lang=fr")).text
    assert "Voulez-vous annuler" in sure
    assert 'method="post" action="/track/new/cancel?lang=fr"' in sure
    assert world.calls("RequestCancellation") == []
    for _ in range(2):
        done = await http.post("/track/new/cancel?lang=fr")
        assert (done.status_code, done.headers["location"]) == (303, "/track/new?lang=fr&done=cancel")
    first, again = world.calls("RequestCancellation")
    assert first == again
    assert (first.order_id, first.actor, list(first.roles)) == (ORDER, "customer", ["channel"])
    # Said once it is so, whatever an address says.
    assert "is cancelled" not in (await http.get("/track/new?done=cancel&lang=en")).text
    world.linked["new"] = customer_order(customer_status="cancelled", step="")
    assert "Your order is cancelled" in (await http.get("/track/new?done=cancel&lang=en")).text


async def test_who_is_too_late_sees_the_order_as_it_is(http: httpx.AsyncClient, world: World) -> None:
    assert "/cancel" not in (await http.get("/track/open")).text
    led = await http.get("/track/open/cancel?lang=en")
    assert (led.status_code, led.headers["location"]) == (303, "/track/open?lang=en")
    world.failures["RequestCancellation"] = [FailedPrecondition("TOO_LATE_TO_CANCEL", "a parcel has left")]
    late = await http.post("/track/open/cancel?lang=en")
    assert (late.status_code, "too late to cancel" in late.text) == (409, True)
    world.failures["RequestCancellation"] = [Unavailable("UNREACHABLE", "away")]
    away = await http.post("/track/open/cancel?lang=en")
    assert (away.status_code, "Please try again" in away.text) == (503, True)


# -- links ------------------------------------------------------------------------------------------------


async def test_a_link_is_made_by_who_speaks_for_the_customer(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    world.add_order(ORDER, "web-fr")
    path = f"/v1/orders/{ORDER}/customer-link"
    mine = issuer.bearer(Role.CHANNEL, channels=["web-fr"])
    made = await http.post(path, headers=mine)
    assert made.json()["url"].startswith("http://shop.test/track/")
    await http.post(path, headers=mine, json={"days": 7})
    usual, week = (from_proto(one.ends_at) - now() for one in world.calls("MakeCustomerLink"))
    assert (round(usual / DAY), round(week / DAY)) == (90, 7)
    other = await http.post(path, headers=issuer.bearer(Role.CHANNEL, channels=["marketplace"]))
    assert other.status_code == 404
    for days in (0, 367):
        assert (await http.post(path, headers=mine, json={"days": days})).status_code == 422
    assert len(world.calls("MakeCustomerLink")) == 2


# -- words ------------------------------------------------------------------------------------------------


def test_every_word_is_there_in_both_languages_and_differs() -> None:
    english, french = words.words_in("en"), words.words_in("fr")
    same = {name for name, text in english.items() if french[name] == text}
    assert same <= {"total", "refund_goods"}
    assert all(english.values())
    assert all(french.values())


def _windows() -> Iterator[tuple[datetime, datetime, str, str]]:
    def paris(day: int, hour: int, month: int = 3) -> datetime:
        return datetime(2026, month, day, hour, tzinfo=PARIS)

    space = "\N{NO-BREAK SPACE}"
    yield paris(2, 14), paris(2, 18), f"today, Monday 2{space}March, between 14:00 and 18:00", "aujourd'hui"
    yield paris(3, 8), paris(3, 18), f"tomorrow, Tuesday 3{space}March", f"demain, mardi 3{space}mars, entre 08:00"
    # A whole day is told without hours, also the shortest one of the year.
    yield paris(29, 0), paris(30, 0), f"Sunday 29{space}March", f"dimanche 29{space}mars"
    yield paris(3, 0), paris(5, 0), f"from Tuesday 3{space}March to Wednesday 4{space}March", "du mardi 3"
    yield paris(1, 8, 4), paris(2, 18, 4), f"from Wednesday 1{space}April", f"du mercredi 1er{space}avril au jeudi"
    yield datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC), "Friday 1", "vendredi 1er"


@pytest.mark.parametrize(("start", "end", "english", "french"), list(_windows()))
def test_a_window_is_told_as_people_say_it(start: datetime, end: datetime, english: str, french: str) -> None:
    at = datetime(2026, 3, 2, 9, 0, tzinfo=PARIS)
    assert words.Telling("en", PARIS, at).window(start, end).startswith(english)
    assert words.Telling("fr", PARIS, at).window(start, end).startswith(french)


@pytest.mark.parametrize(
    ("amount", "english", "french"),
    [
        (Money(105_480, "EUR"), "€1,054.80", "1 054,80 €"),
        (Money(5, "CHF"), "0.05 CHF", "0,05 CHF"),
        (Money(1250, "JPY"), "¥1,250", "1 250 ¥"),
        (Money(-100, "GBP"), "-£1.00", "-1,00 £"),
    ],
)
def test_a_price_is_written_as_people_write_it(amount: Money, english: str, french: str) -> None:
    assert words.price(amount, "en").replace("\N{NO-BREAK SPACE}", " ") == english
    assert words.price(amount, "fr").replace("\N{NO-BREAK SPACE}", " ") == french


def test_days_are_counted_on_the_calendar_of_the_destination() -> None:
    tell = words.Telling("en", PARIS, datetime(2026, 3, 2, 23, 30, tzinfo=UTC))
    assert tell.days_left(datetime(2026, 3, 3, 20, tzinfo=UTC)) == 0
    assert tell.days_left(datetime(2026, 3, 3, 23, tzinfo=UTC)) == 1
    assert tell.days_left(datetime(2026, 3, 2, 12, tzinfo=UTC)) == 0


@pytest.mark.parametrize(
    ("ink", "behind"),
    [
        *((ink, behind) for ink in ("ink", "muted", "accent") for behind in ("paper", "ground")),
        *(("ink", behind) for behind in ("plain-tint", "warn-tint")),
        *((ink, f"{ink}-tint") for ink in ("good", "warn", "bad")),
        *(("warn", "paper"), ("on-accent", "accent"), ("paper", "bad")),
    ],
)
def test_text_stands_out_from_what_is_behind_it_by_day_and_by_night(ink: str, behind: str) -> None:
    assert hard_to_read(STYLE.read_text(), ink, behind) == []

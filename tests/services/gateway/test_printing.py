"""What is printed, read back: the text of the PDF, and the barcode as a carrier's scanner reads it."""

from typing import Any

import httpx
import pypdfium2
import pytest
import zxingcpp

from kit.errors import FailedPrecondition
from oms.orders.v1 import orders_service_pb2 as orders
from services.gateway import printing
from services.gateway.auth import Role
from services.gateway.printing import Label, Party, Slip, SlipLine, label_pdf, slip_pdf
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer

SSCC = "095204170000000420"
LABEL = Label(
    sender=Party(["Nantes Crébillon", "44000 Nantes", "FR"]),
    receiver=Party(["Łucja Żółć", "Οδός Ερμού 7", "ул. Витоша 3", "10563 Athína", "GR"]),
    carrier="hexagone",
    service="hexagone-home",
    order_number="WEB-4711",
    weight_grams=1640,
    sscc=SSCC,
)


def text_of(content: bytes) -> list[str]:
    """By page."""
    return [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(content)]


def test_a_label_says_who_and_what_way_in_any_letters_of_europe() -> None:
    [text] = text_of(label_pdf(LABEL, "en"))
    wanted = [*LABEL.receiver.lines, "hexagone-home", "Nantes Crébillon", "WEB-4711", "1.640 kg", f"(00) {SSCC}"]
    assert [one for one in wanted if one not in text] == []
    [french] = text_of(label_pdf(LABEL, "fr"))
    assert "Destinataire" in french
    assert "1,640 kg" in french


def test_a_scanner_of_200_dots_an_inch_reads_the_code_as_gs1() -> None:
    page = pypdfium2.PdfDocument(label_pdf(LABEL, "en"))[0]
    [read] = zxingcpp.read_barcodes(page.render(scale=200 / 72).to_pil())
    # ]C1 is Code 128 with FNC1 at its start: GS1-128 (ISO/IEC 15417).
    assert (read.symbology_identifier, read.text) == ("]C1", f"(00){SSCC}")
    assert [round(side / 72 * 25.4) for side in page.get_size()] == [100, 150]


def test_a_long_address_stays_on_the_label_and_readable() -> None:
    long = "7 impasse du Secret, bâtiment C, escalier 4, étage 12, porte gauche au fond du couloir"
    receiver = Party(["A" * 60, long, long, "69002 Lyon", "FR"])
    page = pypdfium2.PdfDocument(label_pdf(Label(**(_fields(LABEL) | {"receiver": receiver})), "en"))[0]
    words = page.get_textpage()
    boxes = [words.get_rect(number) for number in range(words.count_rects())]
    width, height = page.get_size()
    assert all(left > 0 and right < width and low > 0 and high < height for left, low, right, high in boxes)
    [read] = zxingcpp.read_barcodes(page.render(scale=200 / 72).to_pil())
    assert read.text == f"(00){SSCC}"


def _fields(label: Label) -> dict[str, Any]:
    return {name: getattr(label, name) for name in Label.__slots__}


@pytest.mark.parametrize(("count", "pages"), [(1, 1), (20, 1), (21, 2), (55, 3)])
def test_a_slip_has_each_line_once_and_no_price(count: int, pages: int) -> None:
    lines = [SlipLine(f"Article numéro {number}.", f"SKU-{number}.", number) for number in range(1, count + 1)]
    text = text_of(slip_pdf(Slip(LABEL.sender, LABEL.receiver, "WEB-4711", lines), "fr"))
    assert len(text) == pages
    whole = "\n".join(text)
    assert [one.sku for one in lines if whole.count(one.sku) != 1] == []
    assert "EUR" not in whole
    assert whole.count("Merci") == 1
    assert all("WEB-4711" in one for one in text)


def test_a_gift_message_stands_once_below_the_last_line_and_on_its_page() -> None:
    lines = [SlipLine(f"Article numéro {number}.", f"SKU-{number}.", number) for number in range(1, 16)]
    message = "Joyeux anniversaire, " + "ma chère Zoé ! " * 18 + "Léa"
    text = text_of(slip_pdf(Slip(LABEL.sender, LABEL.receiver, "WEB-4711", lines, message), "fr"))
    assert ["Joyeux anniversaire" in one for one in text] == [False, True]
    assert "Léa" in text[1]
    assert "Merci" not in "".join(text)


# -- over REST --------------------------------------------------------------------------------------------


@pytest.fixture
def packed(world: World) -> orders.GetFulfilmentResponse:
    work = world.add_work("ful_1", "store-lyon")
    work.fulfilment.state = orders.FULFILMENT_STATE_PACKED
    work.fulfilment.parcel.weight_grams = 640
    work.channel_order_number = "WEB-4711"
    return work


@pytest.mark.parametrize("paper", ["label", "packing-slip"])
async def test_the_people_of_the_point_and_customer_service_print_it(
    http: httpx.AsyncClient, issuer: Issuer, packed: orders.GetFulfilmentResponse, paper: str
) -> None:
    path = f"/v1/fulfilments/ful_1/{paper}"
    for bearer in (issuer.bearer(Role.STORE, stores=["store-lyon"]), issuer.bearer(Role.CUSTOMER_SERVICE)):
        answer = await http.get(path, params={"lang": "fr"}, headers=bearer)
        assert (answer.status_code, answer.headers["content-type"]) == (200, printing.MEDIA_TYPE)
        assert answer.headers["cache-control"] == "no-store"
        [text] = text_of(answer.content)
        assert [one for one in ("Zoé Plantée", "7 impasse", "WEB-4711", "Lyon") if one not in text] == []
    others = issuer.bearer(Role.STORE, stores=["store-paris"])
    assert (await http.get(path, headers=others)).status_code == 404
    assert (await http.get(path, headers=issuer.bearer(Role.SUPPLY_CHAIN))).status_code == 403


async def test_a_slip_has_the_message_of_a_gift(
    http: httpx.AsyncClient, issuer: Issuer, packed: orders.GetFulfilmentResponse
) -> None:
    packed.gift_message = "Happy birthday, Zoé!"
    store = issuer.bearer(Role.STORE, stores=["store-lyon"])
    [text] = text_of((await http.get("/v1/fulfilments/ful_1/packing-slip", headers=store)).content)
    assert "Happy birthday, Zoé!" in text
    [label] = text_of((await http.get("/v1/fulfilments/ful_1/label", headers=store)).content)
    assert "birthday" not in label


async def test_a_label_is_of_a_closed_parcel_and_a_slip_of_what_was_picked(
    http: httpx.AsyncClient, issuer: Issuer, world: World, packed: orders.GetFulfilmentResponse
) -> None:
    bearer = issuer.bearer(Role.STORE)
    packed.fulfilment.state = orders.FULFILMENT_STATE_ACCEPTED
    world.failures["LabelParcel"] = [FailedPrecondition("NOT_PACKED", "a label is of a closed parcel")]
    label = await http.get("/v1/fulfilments/ful_1/label", headers=bearer)
    slip = await http.get("/v1/fulfilments/ful_1/packing-slip", headers=bearer)
    assert [(one.status_code, one.json()["reason"]) for one in (label, slip)] == [
        (409, "NOT_PACKED"),
        (409, "NOT_PICKED"),
    ]

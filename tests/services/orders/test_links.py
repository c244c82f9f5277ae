from datetime import UTC, datetime, timedelta

import pytest

from kit.errors import NotFound
from services.orders.links import Links

ENDS = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
LINKS = Links(["first", "old"], "https://shop.test/")


def token(links: Links = LINKS, order_id: str = "ord_1") -> str:
    url = links.url(order_id, ENDS)
    assert url.startswith("https://shop.test/track/")
    return url.rpartition("/")[2]


def test_a_link_names_its_order_until_the_end_of_its_hour() -> None:
    assert LINKS.order_of(token(), ENDS) == "ord_1"
    assert LINKS.order_of(token(), ENDS + timedelta(minutes=29, seconds=59)) == "ord_1"
    with pytest.raises(NotFound) as caught:
        LINKS.order_of(token(), ENDS + timedelta(minutes=30))
    assert caught.value.reason == "LINK_ENDED"


def test_a_link_of_an_older_key_holds_until_the_key_is_taken_away() -> None:
    old = token(Links(["old"], "https://shop.test"))
    assert LINKS.order_of(old, ENDS) == "ord_1"
    with pytest.raises(NotFound):
        Links(["first"], "https://shop.test").order_of(old, ENDS)


@pytest.mark.parametrize(
    "forged",
    [
        "",
        ".",
        "ord_1",
        "ord_1.493236",
        token()[:-1],
        token() + "A",
        token().replace("ord_1", "ord_2"),
        token().replace(".4", ".5", 1),
        token(Links(["another"], "https://shop.test")),
        "ord_1.é.é",
    ],
)
def test_no_other_text_is_a_link(forged: str) -> None:
    with pytest.raises(NotFound) as caught:
        LINKS.order_of(forged, ENDS)
    assert caught.value.reason == "LINK_UNKNOWN"

"""The demo retailer's cards: issued once, and worth what the file says."""

from retailers.demo import cards
from services.payments.domain import codes


def test_every_code_is_one_and_stands_once() -> None:
    found = [codes.read(card.code) for card in cards.read()]
    assert all(found)
    assert len(set(found)) == len(found)
    assert len({card.request_id for card in cards.read()}) == len(found)

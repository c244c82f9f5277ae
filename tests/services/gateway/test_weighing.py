"""When the weight of a closed parcel makes who packed it look again."""

import pytest

from services.gateway.console.store.weighing import is_odd


@pytest.mark.parametrize(
    ("parcel", "articles", "odd"),
    [
        (1_000, 1_000, False),
        (900, 1_000, False),
        (899, 1_000, True),
        # In a heavy box.
        (1_800, 1_000, False),
        (1_801, 1_000, True),
        (5, 0, False),
        (0, 1_000, False),
    ],
)
def test_a_parcel_weighs_what_is_in_it_and_a_box(parcel: int, articles: int, odd: bool) -> None:
    assert is_odd(parcel, articles) is odd

"""What makes two requests the same is kept with the first for ever: its form must not change."""

from datetime import UTC, datetime

from services.inventory.domain.commands import AdjustStock, Reserve, StockDelta, content
from services.inventory.domain.holds import HoldLine
from services.inventory.domain.ledger import Cause

NOW, LATER = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)


def test_a_reserve_is_known_again_by_what_it_asks_for() -> None:
    lines = (HoldLine("AUB-TEE", "wh-lyon", 2), HoldLine("CÉLADON", "st-lille", 1))
    first = Reserve("q1", "ord_1", "web", lines, 600, False, NOW)
    assert content(first) == (
        b'["Reserve", {"allow_partial": false, "channel_id": "web", "lines": ['
        b'{"point_id": "wh-lyon", "quantity": 2, "sku": "AUB-TEE"}, '
        b'{"point_id": "st-lille", "quantity": 1, "sku": "C\\u00c9LADON"}], '
        b'"reservation_id": "ord_1", "time_to_live_seconds": 600}]'
    )
    assert content(Reserve("q2", "ord_1", "web", lines, 600, False, LATER)) == content(first)
    assert content(Reserve("q1", "ord_1", "web", lines[:1], 600, False, NOW)) != content(first)


def test_an_adjustment_is_known_again_with_its_cause() -> None:
    one = AdjustStock("q1", (StockDelta("AUB-TEE", "wh-lyon", -3),), Cause("count", "ana", "till"), NOW)
    assert content(one) == (
        b'["AdjustStock", {"cause": {"actor": "ana", "cause": "count", "source": "till"}, '
        b'"deltas": [{"point_id": "wh-lyon", "quantity": -3, "sku": "AUB-TEE"}]}]'
    )

"""Systems as data, and what is believed of what they send."""

from dataclasses import replace
from typing import Any

import pytest

from kit.errors import InvalidArgument, Unauthenticated
from services.handover.domain.model import State
from services.handover.systems import Connection, Line, PreparationOrder, ShipTo
from services.handover.systems.connecting import connect
from tests.services.handover.messages import posted
from tests.services.handover.world import SYSTEM, World
from tests.services.orders.builders import PLANTED, rows


async def test_a_system_is_written_once(world: World) -> None:
    put = world.service.put_systems
    assert await put([SYSTEM], "anna", world.now) == 0
    assert await put([replace(SYSTEM, point_ids=("wh-orleans", "wh-lille"))], "anna", world.now) == 1
    assert await put([replace(SYSTEM, point_ids=("wh-lille", "wh-orleans"))], "anna", world.now) == 0
    [found] = await world.service.list_systems()
    assert found.point_ids == ("wh-lille", "wh-orleans")


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"system_id": "stranger"}, "systems[0].system_id", "UNKNOWN_SYSTEM"),
        ({"name": ""}, "systems[0].name", "INVALID_FIELD"),
        ({"point_ids": ("a", "a")}, "systems[0].point_ids[1]", "POINT_TAKEN"),
        ({"point_ids": ("a", "")}, "systems[0].point_ids[1]", "INVALID_FIELD"),
        (
            {"acknowledge_tolerance_seconds": -1},
            "systems[0].acknowledge_tolerance_seconds",
            "INVALID_FIELD",
        ),
        ({"ship_tolerance_seconds": 10**7}, "systems[0].ship_tolerance_seconds", "INVALID_FIELD"),
    ],
)
async def test_wrong_settings_name_the_field(
    world: World, changes: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidArgument) as wrong:
        await world.service.put_systems([replace(SYSTEM, **changes)], "anna", world.now)
    assert (wrong.value.facts["field"], wrong.value.reason) == (field, reason)


async def test_only_what_is_signed_is_believed_and_it_is_kept_once(world: World) -> None:
    work = await world.offer(2)
    await world.until(work, State.SENT)
    payload, headers = posted(work, "acknowledged")
    receive = world.service.receive
    for forged in (
        (payload.replace(b"acknowledged", b"refused"), headers),
        (payload, {**headers, "webhook-signature": "v1,xyz"}),
        (payload, {**headers, "webhook-signature": "nonsense"}),
        (payload, {**headers, "webhook-timestamp": "0"}),
        (payload, {}),
        (b"\xff\xfe", headers),
        posted(work, "acknowledged", secret="whsec_" + "QUJD" * 8),
    ):
        with pytest.raises(Unauthenticated) as refused:
            await receive("wms", *forged, world.now)
        assert refused.value.reason == "SIGNATURE_INVALID"
    assert await world.messages(work) == []
    assert await receive("wms", payload, headers, world.now) == (1, 0)
    assert await receive("wms", payload, headers, world.now) == (0, 1)


@pytest.mark.parametrize(
    ("what", "data", "field"),
    [
        ("lost", {}, "type"),
        ("picked", {"lines": [{"line_number": 0, "quantity": 1}]}, "data.lines.0.line_number"),
        ("packed", {"weight_grams": -1}, "data.weight_grams"),
        ("acknowledged", {"occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at"),
        ("shipped", {"tracking_code": "a\nb"}, "data.tracking_code"),
    ],
)
async def test_a_message_that_says_nothing_names_the_field(
    world: World, what: str, data: dict[str, Any], field: str
) -> None:
    payload, headers = posted("ful_1", what, **data)
    with pytest.raises(InvalidArgument) as wrong:
        await world.service.receive("wms", payload, headers, world.now)
    assert wrong.value.facts["field"] == field


async def test_no_address_stays_behind(world: World) -> None:
    work = await world.offer(2)
    await world.until(work, State.SENT)
    await world.told(work, "acknowledged")
    await world.look()
    tables = [
        row.tablename
        for row in await rows(world.engine, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    ]
    kept = [str(row) for table in tables for row in await rows(world.engine, f"SELECT * FROM {table}")]
    assert kept
    assert not [word for word in PLANTED if any(word in row for row in kept)]


def test_secrets_and_addresses_are_not_shown_by_accident() -> None:
    to = ShipTo("Zoé", ("7 impasse du Secret",), "69002", "Lyon", "FR")
    order = PreparationOrder("ful_1", "ord_1", "wh", "colis", "standard", (Line(1, "A", "A", 1),), None, None, to)
    connection = Connection("warehouse", "http://wms.example", "key-secret", "whsec_secret")
    shown = f"{order} {connection}"
    assert "Secret" not in shown
    assert "secret" not in shown


async def test_a_kind_that_nobody_speaks_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="fax"):
        connect({"wms": Connection("fax", "", "", "")})

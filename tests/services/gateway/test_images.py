"""Kept images over REST: figures, changes by long poll and as server-sent events, files; and who may read them."""

import csv
import json
import time

import httpx
import pytest

from services.gateway.auth import Role
from services.gateway.routes import images
from tests.services.gateway.fakes import World
from tests.services.gateway.tokens import Issuer, sign

IMAGE = "/v1/channels/web-fr/image"


@pytest.fixture
def shop(issuer: Issuer) -> dict[str, str]:
    return issuer.bearer(Role.CHANNEL, subject="shop", channels=["web-fr"])


async def test_figures_are_read_as_they_are_kept(
    http: httpx.AsyncClient, shop: dict[str, str], world: World
) -> None:
    answer = await http.get(f"{IMAGE}?sku=SKU-1", headers=shop)
    (figure,) = answer.json()["items"]
    assert figure == {
        "sku": "SKU-1",
        "available": 5,
        "ship": 4,
        "collect": 5,
        "show": 6,
        "zero_reason": None,
        "sequence": 1,
        "changed_at": None,
    }
    assert list(world.calls("GetImage")[0].skus) == ["SKU-1"]


async def test_changes_come_with_the_number_to_go_on_from(
    http: httpx.AsyncClient, shop: dict[str, str], world: World
) -> None:
    answer = (await http.get(f"{IMAGE}/changes?after_sequence=1&limit=7&wait_seconds=2.5", headers=shop)).json()
    assert ([one["sku"] for one in answer["items"]], answer["sequence"]) == (["SKU-2", "SKU-3"], 3)
    (asked,) = world.calls("ListImageChanges")
    assert (asked.channel_id, asked.after_sequence, asked.limit, asked.wait_milliseconds) == ("web-fr", 1, 7, 2500)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("after_sequence=-1", "after_sequence"),
        ("after_sequence=now", "after_sequence"),
        ("limit=1001", "limit"),
        ("wait_seconds=21", "wait_seconds"),
        ("since=3", "since"),
    ],
)
async def test_a_wrong_question_names_its_field(
    http: httpx.AsyncClient, shop: dict[str, str], query: str, field: str
) -> None:
    answer = await http.get(f"{IMAGE}/changes?{query}", headers=shop)
    assert answer.status_code == 422
    assert field in answer.text


@pytest.mark.parametrize("part", ["?sku=SKU-1", "/changes", "/stream", ".csv", ".ndjson"])
async def test_a_channel_reads_its_own_image_only(http: httpx.AsyncClient, issuer: Issuer, part: str) -> None:
    other = issuer.bearer(Role.CHANNEL, channels=["app-fr"])
    answer = await http.get(IMAGE + part, headers=other)
    assert (answer.status_code, answer.json()["reason"]) == (403, "CHANNEL_NOT_ALLOWED")


async def test_the_stream_goes_on_after_the_last_event_that_its_reader_had(
    http: httpx.AsyncClient, shop: dict[str, str], world: World
) -> None:
    answer = await http.get(f"{IMAGE}/stream", headers=shop | {"Last-Event-ID": "1"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    event, rest = answer.text.split("\n\n", 1)
    kind, data, last_id = event.split("\n")
    assert (kind, last_id) == ("event: changes", "id: 3")
    assert [one["sku"] for one in json.loads(data.removeprefix("data: "))["items"]] == ["SKU-2", "SKU-3"]
    # Inventory went away: the stream ends in order, and the reader comes again.
    assert rest == ""
    assert [one.after_sequence for one in world.calls("ListImageChanges")] == [1, 3]


async def test_a_stream_that_cannot_begin_is_a_problem_and_no_stream(
    http: httpx.AsyncClient, shop: dict[str, str]
) -> None:
    answer = await http.get(f"{IMAGE}/stream?after_sequence=99", headers=shop)
    assert (answer.status_code, answer.json()["reason"]) == (409, "CURSOR_AHEAD")
    answer = await http.get(f"{IMAGE}/stream", headers=shop | {"Last-Event-ID": "yesterday"})
    assert answer.status_code == 422


async def test_a_stream_lives_no_longer_than_its_token(
    http: httpx.AsyncClient, issuer: Issuer, world: World
) -> None:
    token = sign(issuer.key, roles=["channel"], channels=["web-fr"], exp=int(time.time()))
    answer = await http.get(f"{IMAGE}/stream", headers={"Authorization": f"Bearer {token}"})
    assert answer.text.count("event: changes") == 1
    assert len(world.calls("ListImageChanges")) == 1


async def test_a_whole_image_is_a_file_page_by_page(
    http: httpx.AsyncClient, shop: dict[str, str], world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_PAGE", 2)
    answer = await http.get(f"{IMAGE}.ndjson", headers=shop)
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(row)["sku"] for row in answer.text.splitlines()] == ["SKU-1", "SKU-2", "SKU-3"]
    answer = await http.get(f"{IMAGE}.csv", headers=shop)
    rows = list(csv.DictReader(answer.text.splitlines()))
    assert [(row["sku"], row["available"], row["zero_reason"]) for row in rows] == [
        ("SKU-1", "5", ""),
        ("SKU-2", "0", "EXCLUDED: recall"),
        ("SKU-3", "1", ""),
    ]
    assert [one.after_sequence for one in world.calls("ListImageChanges")] == [0, 2, 0, 2]

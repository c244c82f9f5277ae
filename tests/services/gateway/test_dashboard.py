"""The dashboard and its figures: right numbers from what is counted, and nobody's but the caller's."""

from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest

from kit.errors import Unavailable
from kit.times import from_proto, now
from services.gateway.auth import Role
from services.gateway.console import chart, templates
from services.gateway.console.chart import Series, chart_of
from tests.services.gateway.contrast import contrast, hard_to_read
from tests.services.gateway.fakes import World
from tests.services.gateway.test_console import sign_in
from tests.services.gateway.tokens import Issuer

PAGE = "/console/dashboard"
FIGURES = {
    "stages": "CountStages",
    "offers": "CountOffers",
    "picks": "CountPicks",
    "promises": "CountPromises",
    "lead-times": "MeasureLeadTimes",
}
STYLE = Path(templates.__file__).parent / "templates/style.css"


@pytest.fixture
async def planner(http: httpx.AsyncClient, issuer: Issuer) -> httpx.AsyncClient:
    await sign_in(http, issuer.token(Role.SUPPLY_CHAIN))
    return http


async def test_the_page_shows_every_figure_with_what_it_means(planner: httpx.AsyncClient) -> None:
    page = (await planner.get(PAGE)).text
    for told in (
        # 4 + 9 + 3 open orders; 13 of them at one stage.
        *("<dd>16<small>now", "in preparation</th>", 'data-label="Orders">13</td>'),
        # 16 of 20 orders; 9 of 10, and 7 of 10 in the second week.
        *("80.0\N{NO-BREAK SPACE}%<small>of 20 orders", "90.0\N{NO-BREAK SPACE}%", "70.0\N{NO-BREAK SPACE}%"),
        *("Week of 16 Nov 2026", "hand over missed"),
        *("12\N{NO-BREAK SPACE}min 34\N{NO-BREAK SPACE}s", "2\N{NO-BREAK SPACE}h 1\N{NO-BREAK SPACE}min"),
        # 5 of 40 units; what inventory does not know has no category.
        *("12.5\N{NO-BREAK SPACE}%<small>of 40 units", "unknown</th>", "Lyon</th>"),
        *("1\N{NO-BREAK SPACE}d 1\N{NO-BREAK SPACE}h<small>median of 16 parcels",),
    ):
        assert told in page, told
    # Each picture has its words, each figure its definition.
    assert page.count('<svg class="chart"') == page.count('role="img" aria-label="') == 2
    assert page.count('<section class="card"') == page.count('</h2>\n  <p class="muted">') == 5


async def test_without_orders_the_page_says_so(planner: httpx.AsyncClient, world: World) -> None:
    world.idle = True
    answer = await planner.get(PAGE)
    assert answer.status_code == 200
    for told in (
        "No order is open",
        "No promise ended",
        "Nothing was offered",
        "Nothing was picked",
        "handed over in",
    ):
        assert told in answer.text
    assert "\N{EN DASH}<small>of 0 orders" in answer.text


async def test_what_the_form_says_is_what_is_counted(planner: httpx.AsyncClient, world: World) -> None:
    asked = {
        "from": "2026-11-01",
        "to": "2026-11-07",
        "channel_id": "web-fr",
        "brand": "",
        "point_id": "store-lyon",
    }
    page = (await planner.get(PAGE, params=asked)).text
    assert 'value="2026-11-01"' in page
    assert '<option value="store-lyon" selected>Lyon</option>' in page
    for name in FIGURES.values():
        (call,) = world.calls(name)
        assert (call.scope.channel_ids, call.scope.point_ids, call.scope.brands) == (
            ["web-fr"],
            ["store-lyon"],
            [],
        )
        if name == "CountStages":
            assert not call.scope.HasField("from_at")
            continue
        start, end = from_proto(call.scope.from_at), from_proto(call.scope.until_at)
        assert (start.isoformat()[:10], end - start) == ("2026-11-01", timedelta(days=7))
    usual = (await planner.get(PAGE)).status_code
    period = world.calls("CountOffers")[-1].scope
    assert (usual, from_proto(period.until_at) - from_proto(period.from_at)) == (200, timedelta(days=28))
    # Of today, too.
    assert from_proto(period.until_at) > now()


async def test_categories_are_left_out_while_inventory_is_away(planner: httpx.AsyncClient, world: World) -> None:
    world.failures["ListItems"] = [Unavailable("UNREACHABLE", "away") for _ in range(2)]
    answer = await planner.get(PAGE)
    assert (answer.status_code, "unknown</th>" in answer.text) == (200, True)


@pytest.mark.parametrize(
    ("query", "status"),
    [("?from=2026-13-01", 422), ("?colour=red", 422), ("?point_id=a%20b", 422)],
)
async def test_a_form_that_says_nonsense_gets_no_figures(
    planner: httpx.AsyncClient, world: World, query: str, status: int
) -> None:
    assert (await planner.get(PAGE + query)).status_code == status
    assert world.calls("CountStages") == []


@pytest.mark.parametrize("role", [Role.STORE, Role.CHANNEL, Role.FINANCE, Role.CARRIER])
async def test_the_page_is_for_those_who_steer(http: httpx.AsyncClient, issuer: Issuer, role: Role) -> None:
    await sign_in(http, issuer.token(role))
    assert (await http.get(PAGE)).status_code == 403
    assert PAGE not in (await http.get("/console")).text


@pytest.mark.parametrize(("path", "rpc"), FIGURES.items())
async def test_nobody_sees_the_figures_of_another_brand(
    http: httpx.AsyncClient, issuer: Issuer, world: World, path: str, rpc: str
) -> None:
    aubier = issuer.bearer(Role.SUPPLY_CHAIN, brands=["Aubier"])
    both = issuer.bearer(Role.OPERATOR, brands=["Aubier", "Maris"])
    every = issuer.bearer(Role.CUSTOMER_SERVICE)
    for headers, query, brands in (
        (aubier, "", ["Aubier"]),
        (aubier, "?brand=Aubier", ["Aubier"]),
        (both, "", ["Aubier", "Maris"]),
        (both, "?brand=Maris", ["Maris"]),
        (every, "", []),
        (every, "?brand=Maris", ["Maris"]),
    ):
        answer = await http.get(f"/v1/figures/{path}{query}", headers=headers)
        assert answer.status_code == 200
        assert list(world.calls(rpc)[-1].scope.brands) == brands
    asked = len(world.calls(rpc))
    other = await http.get(f"/v1/figures/{path}?brand=Maris", headers=aubier)
    assert (other.status_code, other.json()["reason"]) == (403, "BRAND_NOT_ALLOWED")
    assert len(world.calls(rpc)) == asked


async def test_figures_as_json_are_those_that_were_counted(http: httpx.AsyncClient, issuer: Issuer) -> None:
    headers = issuer.bearer(Role.OPERATOR)
    found = {path: (await http.get(f"/v1/figures/{path}", headers=headers)).json() for path in FIGURES}
    assert found["stages"]["items"][1] == {
        "channel_id": "web-fr", "stage": "in preparation", "orders": 9, "held": 2, "late": 0, "blocked": 1,
    }  # fmt: skip
    assert found["offers"]["points"][0]["p95_seconds"] == 7260
    assert found["offers"]["total"]["offers"] == 21
    assert "point_id" not in found["offers"]["total"]
    assert [one["sku"] for one in found["picks"]["articles"]] == ["SKU-1", "GONE"]
    assert found["promises"]["weeks"][0]["orders_kept"] == 9
    assert found["promises"]["reasons"] == [{"channel_id": "web-fr", "reason": "hand_over_missed", "parcels": 4}]
    assert found["lead-times"]["total"] == {
        "key": "", "parcels": 16, "median_seconds": 90_000, "p95_seconds": 180_000,
    }  # fmt: skip


# -- how it is drawn --------------------------------------------------------------------------------------


def test_a_line_leaves_out_what_is_not_known_and_goes_up_by_the_steps_it_is_given() -> None:
    weeks = [date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 16)]
    drawn = chart_of(weeks, [Series("web-fr", [100, None, 50], "s1")], 25)
    (line,) = drawn.lines
    assert (line.name, line.style, len(line.dots)) == ("web-fr", "s1", 2)
    assert [mark.value for mark in drawn.grid] == [0, 25, 50, 75, 100]
    assert line.dots[0][1] == drawn.grid[-1].at
    assert line.dots[1] == (drawn.right, drawn.grid[2].at)
    assert drawn.right < chart.WIDTH


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (59.6, "1 min"), (754, "12 min 34 s"), (3600, "1 h"), (90_000, "1 d 1 h"), (86_460, "1 d")],
)
def test_a_duration_is_told_in_its_two_greatest_units(seconds: float, told: str) -> None:
    assert templates.duration(seconds).replace("\N{NO-BREAK SPACE}", " ") == told


@pytest.mark.parametrize("ink", ["ink", "muted", "accent", "good", "warn", "bad"])
@pytest.mark.parametrize("behind", ["paper", "ground"])
def test_text_of_the_console_stands_out_by_day_and_by_night(ink: str, behind: str) -> None:
    assert hard_to_read(STYLE.read_text(), ink, behind) == []


@pytest.mark.parametrize("line", ["s1", "s2", "s3", "s4", "s5", "s6"])
def test_lines_stand_out_from_the_paper(line: str) -> None:
    assert hard_to_read(STYLE.read_text(), line, "paper") == []


def test_contrast_is_what_the_standard_says() -> None:
    assert contrast("#fff", "#000000") == pytest.approx(21)
    assert contrast("#777", "#fff") == pytest.approx(4.48, abs=0.01)
    assert hard_to_read(":root { --a: #777; --b: #fff; }", "a", "b") == ["light: 4.48"]

"""The pure parts of the benchmarks: which way a ratio points, and what is kept. Nothing is timed here."""

import json
from pathlib import Path

import pytest

from benchmarks.figures import BENCHMARKS, FIGURES, of_benchmark, result, write
from benchmarks.meter import Load

LOAD = Load(1.5, 2.0)


@pytest.mark.parametrize(
    ("name", "value", "ratio"),
    [
        ("acceptance_p50_ms", 60, 0.5),
        ("acceptance_p50_ms", 240, 2),
        ("acceptance_ratio", 1, 0.5),
        ("acceptance_ratio", 0.25, 2),
    ],
)
def test_a_ratio_above_one_misses_the_limit_be_it_a_ceiling_or_a_floor(
    name: str, value: float, ratio: float
) -> None:
    assert result(name, [value], LOAD).ratio == ratio


def test_a_value_is_the_median_of_its_repeats_and_says_how_far_they_lie_apart() -> None:
    taken = result("acceptance_p50_ms", [90, 300, 80], LOAD)
    assert (taken.value, taken.spread) == (90, (80, 300))


def test_the_part_of_one_process_has_the_unit_of_the_whole_and_not_its_limit() -> None:
    part = result("acceptance_p50_ms.gateway", [30], LOAD)
    assert (part.name, part.unit, part.limit, part.ratio) == ("acceptance_p50_ms.gateway", "ms", None, None)


def test_a_limit_that_was_measured_takes_the_place_of_none() -> None:
    grown = result("memory_mb_after.worker", [120], LOAD, limit=100)
    assert (grown.limit, grown.ratio) == (100, 1.2)


def test_what_was_measured_is_kept_as_a_list_of_objects(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    write(file, [result("grpc_calls", [18], LOAD), result("accepted_per_second", [40, 50], LOAD)])
    calls, accepted = json.loads(file.read_text())
    assert calls == {
        "name": "grpc_calls",
        "value": 18,
        "unit": "calls",
        "limit": 20,
        "ratio": 0.9,
        "load": 1.5,
        "steal_percent": 2.0,
        "spread": [18, 18],
    }
    assert (accepted["value"], accepted["limit"], accepted["ratio"]) == (45, None, None)


def test_every_figure_is_named_once_and_leads_to_its_benchmark() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    assert {of_benchmark(figure.name) for figure in FIGURES} == set(BENCHMARKS)
    assert of_benchmark("memory") == "memory"
    assert of_benchmark("speed") is None

"""The one table of figures: their names, units and limits; and how a figure is compared, shown and kept.

Measures nothing. What a figure means stands in the docstring of the benchmark that takes it.
"""

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rich.table import Table

from benchmarks.meter import Load


@dataclass(frozen=True)
class Figure:
    """What is measured. `limit` is what it may be `at most`, or must be `at least`; None: it only informs.

    A figure of one process is named `figure.process`; it has the unit of the figure and no limit of its own.
    """

    name: str
    benchmark: str
    unit: str
    limit: float | None = None
    bound: Literal["at most", "at least"] = "at most"


FIGURES = (
    Figure("acceptance_p50_ms", "acceptance", "ms", 120),
    Figure("bare_p50_ms", "acceptance", "ms"),
    Figure("acceptance_ratio", "throughput", "of bare", 0.5, "at least"),
    Figure("accepted_per_second", "throughput", "orders/s"),
    Figure("bare_per_second", "throughput", "workflows/s"),
    Figure("cpu_ms_per_order", "throughput", "ms"),
    Figure("cpu_ms_per_bare", "throughput", "ms"),
    Figure("order_lifecycle_per_second", "lifecycle", "orders/s"),
    Figure("cpu_ms_per_life", "lifecycle", "ms"),
    Figure("history_events_order", "budget", "events", 40),
    Figure("history_events_fulfilment", "budget", "events", 55),
    Figure("grpc_calls", "budget", "calls", 20),
    Figure("grpc_calls_placement", "budget", "calls", 6),
    Figure("history_events_fashion", "trades", "events", 75),
    Figure("history_events_fresh_food", "trades", "events", 65),
    Figure("history_events_heavy_goods", "trades", "events", 100),
    Figure("history_events_luxury", "trades", "events", 75),
    Figure("history_events_pre_order", "trades", "events", 95),
    Figure("offer_single_winner", "offers", "of rounds", 1.0, "at least"),
    Figure("offer_p95_ms", "offers", "ms", 300),
    Figure("offer_p50_ms", "offers", "ms"),
    Figure("offer_rounds", "offers", "rounds"),
    Figure("preorder_release_ratio", "preorders", "of bare", 0.7, "at least"),
    Figure("preorder_interference_ratio", "preorders", "of at rest", 2),
    Figure("preorders_released_per_second", "preorders", "orders/s"),
    Figure("preorders_released", "preorders", "orders"),
    Figure("store_page_p95_ms", "phones", "ms", 150),
    Figure("store_page_p50_ms", "phones", "ms"),
    Figure("store_offer_seen_p95_ms", "phones", "ms", 2000),
    Figure("store_phones_gateway_mib", "phones", "MiB", 400),
    Figure("reserve_spread_ratio", "reserve", "of echo", 0.4, "at least"),
    Figure("reserve_per_second", "reserve", "calls/s"),
    Figure("echo_per_second", "reserve", "calls/s"),
    Figure("reserve_hot_vs_spread", "reserve_hot", "of spread", 0.9, "at least"),
    Figure("reserve_hot_vs_echo", "reserve_hot", "of echo", 0.6, "at least"),
    Figure("reserve_hot_vs_pgbench", "reserve_hot", "of pgbench"),
    Figure("cpu_us_per_reserve", "reserve_hot", "us"),
    Figure("reserve_hot_per_second", "reserve_hot", "calls/s"),
    Figure("pgbench_per_second", "reserve_hot", "updates/s"),
    Figure("image_read_p99_ms", "images", "ms", 50),
    Figure("image_read_ratio", "images", "of echo", 0.5, "at least"),
    Figure("image_read_per_second", "images", "calls/s"),
    Figure("feed_lag_p95_ms", "images", "ms", 1000),
    Figure("feed_lag_p50_ms", "images", "ms"),
    Figure("image_round_seconds", "images", "s"),
    Figure("snapshot_import_ratio", "imports", "of raw", 2.5),
    Figure("snapshot_import_rss_mb", "imports", "MB", 300),
    Figure("snapshot_import_rows", "imports", "rows"),
    Figure("snapshot_import_changed", "imports", "rows"),
    Figure("snapshot_import_seconds", "imports", "s"),
    Figure("raw_import_seconds", "imports", "s"),
    Figure("history_page_ms", "history", "ms", 50),
    Figure("history_page_slowest_ms", "history", "ms"),
    Figure("export_rows_per_second", "history", "rows/s", 10_000, "at least"),
    Figure("export_csv_rows_per_second", "history", "rows/s"),
    Figure("export_parquet_rows_per_second", "history", "rows/s"),
    Figure("export_rss_mb", "history", "MB", 300),
    Figure("ledger_ratio", "ledger", "of raw", 0.3, "at least"),
    Figure("captures_per_second", "ledger", "captures/s"),
    Figure("raw_captures_per_second", "ledger", "captures/s"),
    Figure("route_proved_share_10", "routing", "of baskets", 1.0, "at least"),
    Figure("route_proved_share_50", "routing", "of baskets", 0.99, "at least"),
    Figure("route_proved_share_large", "routing", "of baskets"),
    Figure("route_gap_p95_percent", "routing", "%", 2),
    Figure("route_median_ms", "routing", "ms", 5),
    Figure("route_max_ms", "routing", "ms", 200),
    Figure("route_vs_mip_ratio", "routing", "of solver", 0.05),
    Figure("route_split_share", "routing", "of baskets", 0.4, "at least"),
    Figure("route_baskets", "routing", "baskets"),
    Figure("quote_p95_ms_1", "quotes", "ms", 100),
    Figure("quote_p95_ms_8", "quotes", "ms", 250),
    Figure("quote_p50_ms_1", "quotes", "ms"),
    Figure("quote_engine_share", "quotes", "of the call"),
    Figure("listing_p99_ms", "quotes", "ms", 50),
    Figure("listing_p50_ms", "quotes", "ms"),
    Figure("snapshot_bytes_per_position", "replica", "bytes", 16),
    Figure("snapshot_load_s", "replica", "s", 20),
    Figure("quote_p95_ms_under_changes", "replica", "ms", 150),
    Figure("snapshot_positions", "replica", "positions"),
    Figure("memory_orders", "memory", "orders"),
    Figure("memory_mb_rest", "memory", "MB"),
    Figure("memory_mb_after", "memory", "MB"),
)
_BY_NAME = {figure.name: figure for figure in FIGURES}
# In the order in which they are run: the long one last.
BENCHMARKS = tuple(dict.fromkeys(figure.benchmark for figure in FIGURES))


@dataclass(frozen=True)
class Result:
    """A figure as it was measured.

    `spread` is the least and the greatest of the repeats whose median `value` is. `ratio` is how much of the limit
    is used: up to 1 is within it, whether the limit is a ceiling or a floor.
    """

    name: str
    value: float
    unit: str
    limit: float | None
    ratio: float | None
    load: float
    steal_percent: float
    spread: tuple[float, float]


def result(name: str, values: Sequence[float], load: Load, *, limit: float | None = None) -> Result:
    """The median of some repeats. `limit` replaces that of the table, for one that is measured in the same run."""
    figure = _BY_NAME[name.partition(".")[0]]
    bound = limit if limit is not None else (figure.limit if name == figure.name else None)
    value = statistics.median(values)
    used = None if bound is None else share_of_limit(value, bound, figure.bound)
    spread = (min(values), max(values))
    return Result(name, value, figure.unit, bound, used, load.average, load.steal_percent, spread)


def share_of_limit(value: float, limit: float, bound: str) -> float:
    """0.5 is half of what is allowed, 2 twice as bad as allowed."""
    return value / limit if bound == "at most" else limit / value


def of_benchmark(name: str) -> str | None:
    """The benchmark of this name, or the one that takes the figure of this name."""
    return name if name in BENCHMARKS else figure.benchmark if (figure := _BY_NAME.get(name)) else None


def write(file: Path, results: Iterable[Result]) -> None:
    """All that was measured, as a list of JSON objects."""
    rows = [asdict(one) for one in results]
    file.write_text(json.dumps(rows, indent=2, allow_nan=False) + "\n")


def table(results: Iterable[Result]) -> Table:
    """For people. A ratio above 1 misses its limit."""
    drawn = Table(box=None, header_style="bold")
    drawn.add_column("figure")
    for heading in ("value", "spread", "limit", "ratio", "load", "steal"):
        drawn.add_column(heading, justify="right")
    for one in results:
        low, high = one.spread
        bound = _BY_NAME[one.name.partition(".")[0]].bound
        drawn.add_row(
            one.name,
            f"{_short(one.value)} {one.unit}",
            f"{_short(low)} - {_short(high)}" if low != high else "",
            f"{bound} {_short(one.limit)}" if one.limit is not None else "",
            _judged(one.ratio),
            f"{one.load:.1f}",
            f"{one.steal_percent:.0f} %",
        )
    return drawn


def _judged(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"{ratio:.2f}" if ratio <= 1 else f"[bold red]{ratio:.2f}[/]"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"

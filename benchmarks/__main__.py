"""`python -m benchmarks [NAME...]`: runs all benchmarks, or those that take the figures named, on one system.

Prints one table at the end and writes it to a file as JSON; a figure that misses its limit is shown, not failed.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from benchmarks import (
    acceptance,
    budget,
    figures,
    history,
    images,
    imports,
    ledger,
    lifecycle,
    memory,
    offers,
    phones,
    preorders,
    quotes,
    replica,
    reserve,
    reserve_hot,
    routing,
    throughput,
    trades,
)
from benchmarks.figures import BENCHMARKS, FIGURES, Result
from benchmarks.system import System, running
from deploy.local.process import ProcessFailed

_WIDTH = 120
_TERMINATED = 128 + signal.SIGTERM
_RESULTS = Path(__file__).parent / "results.json"
Measure = Callable[[System], Awaitable[list[Result]]]


class Terminated(Exception):
    """The run was told to end."""


def main(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Benchmarks ({', '.join(BENCHMARKS)}) or figures.")
    ] = None,
    orders: Annotated[int, typer.Option(min=1, help="How many lives the memory is watched for.")] = 10_000,
    rows: Annotated[int, typer.Option(min=20, help="How many positions the imported snapshot has.")] = 1_000_000,
    baskets: Annotated[int, typer.Option(min=100, help="How many baskets are routed.")] = 1_000,
    order_file: Annotated[
        Path | None, typer.Option(help="Where baskets come from (UCI 'Online Retail', CSV or .gz); else drawn.")
    ] = None,
    offer_rounds: Annotated[int, typer.Option(min=1, help="How often twenty stores take the same work.")] = 1_000,
    pre_orders: Annotated[int, typer.Option(min=20, help="How many orders are released at one instant.")] = 5_000,
    results: Annotated[Path, typer.Option(help="Where the figures are written.")] = _RESULTS,
) -> None:
    """Measure the system on this machine. Nothing else should run on it."""
    wanted = [_benchmark(name) for name in names or BENCHMARKS]
    measures: dict[str, Measure] = {
        "acceptance": acceptance.measure,
        "throughput": throughput.measure,
        "lifecycle": lifecycle.measure,
        "budget": budget.measure,
        "trades": trades.measure,
        "offers": lambda system: offers.measure(system, offer_rounds),
        "preorders": lambda system: preorders.measure(system, pre_orders),
        "phones": phones.measure,
        "reserve": reserve.measure,
        "reserve_hot": reserve_hot.measure,
        "images": images.measure,
        "imports": lambda system: imports.measure(system, rows),
        "history": history.measure,
        "ledger": ledger.measure,
        "routing": lambda system: routing.measure(system, baskets, order_file),
        "quotes": quotes.measure,
        "replica": replica.measure,
        "memory": lambda system: memory.measure(system, orders),
    }
    try:
        found = uvloop.run(_run([(name, measures[name]) for name in BENCHMARKS if name in wanted], results))
    except ProcessFailed as failed:
        Console(stderr=True, highlight=False).print(f"{failed}\n{failed.log_tail}", markup=False)
        raise typer.Exit(1) from None
    except Terminated:
        raise typer.Exit(_TERMINATED) from None
    Console(highlight=False, width=_WIDTH).print(figures.table(found), f"\nwritten to {results}", sep="\n")


def _benchmark(name: str) -> str:
    known = figures.of_benchmark(name)
    if known is None:
        also = ", ".join(figure.name for figure in FIGURES)
        raise typer.BadParameter(
            f"{name}: there are the benchmarks {', '.join(BENCHMARKS)} and the figures {also}"
        )
    return known


async def _run(chosen: list[tuple[str, Measure]], results: Path) -> list[Result]:
    console, found = Console(stderr=True, highlight=False), []
    with _stopped_by_sigterm():
        async with running() as system:
            for name, measure in chosen:
                began = time.monotonic()
                found += await measure(system)
                # After each: what was measured is kept, whatever becomes of the next.
                figures.write(results, found)
                console.print(f"{name}: {time.monotonic() - began:.0f} s")
    return found


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """Ended by SIGTERM, what is inside stops its system too, as by Ctrl-C. Raises Terminated then."""
    ours, came = asyncio.current_task(), asyncio.Event()
    assert ours is not None, "there is a task around it"

    def stop() -> None:
        came.set()
        ours.cancel()

    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop)
    try:
        yield
    except asyncio.CancelledError:
        if came.is_set():
            raise Terminated from None
        raise


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()

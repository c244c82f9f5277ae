"""`oms simulate`, `oms simulations` and `oms simulation`: their options, and how they end."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Api, Json
from cli.orders import JsonOption
from cli.replay import options
from cli.replay.options import Wrong
from cli.replay.reading import CHARGE_CODES, DELIVERY_CODES
from cli.simulate import plot, report, setup
from cli.simulate.following import ADDRESS, ROLE, follow, get, send_file
from cli.state import DEFAULT_STATE, StateOption

JsonFile = Annotated[Path | None, typer.Option("--json", metavar="OUT", help="File for all of it; - prints it.")]
PlotFile = Annotated[Path | None, typer.Option("--plot", metavar="OUT.svg", help="File for the charts.")]
SimulationId = Annotated[str, typer.Argument(metavar="ID", help="Of the simulation.")]


def register(app: typer.Typer) -> None:
    app.command()(simulate)
    app.command()(simulations)
    group = typer.Typer(help="Look at a simulation, stop it, run it again.", no_args_is_help=True)
    group.command("show")(show_simulation)
    group.command("cancel")(cancel)
    group.command("restart")(restart)
    app.add_typer(group, name="simulation")


def simulate(
    ruleset: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The candidate in its text form (YAML).")
    ] = None,
    draft: Annotated[str, typer.Option(help="Or the open draft of this ruleset.")] = "",
    orders: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="CSV of order lines, or .gz; without: what the system recorded.",
        ),
    ] = None,
    from_: Annotated[str, typer.Option("--from", help="Only orders from this date or instant on.")] = "",
    to: Annotated[str, typer.Option(help="Only orders before this date or instant.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Only the first orders; 0 for all.")] = 0,
    stock: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="CSV of sku, point_id, units: plan on this stock."),
    ] = None,
    present_stock: Annotated[
        bool, typer.Option("--present-stock", help="Plan recorded orders on the stock that there is now.")
    ] = False,
    deplete: Annotated[
        bool, typer.Option("--deplete", help="What an order took is gone for those after it.")
    ] = False,
    channel: Annotated[str, typer.Option(help="With --orders: the channel that sold them.")] = "",
    ship_to: Annotated[
        list[str] | None,
        typer.Option(
            help="With --orders: country and postcode, for example 'FR 75011'; or for one country of the file, "
            "'Germany=DE 10115', repeated."
        ),
    ] = None,
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="KEY=COLUMN",
            help=f"Where to find {', '.join(setup.DEFAULT_COLUMNS)}; the names of UCI's Online Retail unless "
            "given. KEY= leaves one out. Repeatable.",
        ),
    ] = None,
    time_zone: Annotated[str, typer.Option(help="Zone of dates, for example Europe/London.")] = "UTC",
    date_format: Annotated[str, typer.Option(help="Of strptime, for example '%d/%m/%Y %H:%M'; ISO 8601.")] = "",
    encoding: Annotated[str, typer.Option(help="Of the file of orders.")] = "utf-8",
    delimiter: Annotated[str, typer.Option(help="Between the cells of the file of orders.")] = ",",
    not_articles: Annotated[
        str, typer.Option(help="SKUs that are fees and corrections: their rows are skipped.")
    ] = ",".join((*DELIVERY_CODES, *CHARGE_CODES)),
    mode: Annotated[Literal["home_standard", "home_express"], typer.Option(help="Of delivery.")] = "home_standard",
    unknown_items: Annotated[
        str,
        typer.Option(
            metavar="skip|'assume GRAMS'", help="Articles that the system does not know: not shipped, or assumed."
        ),
    ] = "skip",
    assume_units: Annotated[int, typer.Option(min=1, help="Units of an assumed article at a point, mean.")] = 20,
    assume_percent: Annotated[
        int, typer.Option(min=1, max=100, help="Of the points: how many stock an assumed article.")
    ] = 50,
    seed: Annotated[int, typer.Option(min=0, help="Draws which points do, and how many units they have.")] = 1,
    listed: Annotated[int, typer.Option(min=1, max=500, help="How many changed orders are kept.")] = 50,
    name: Annotated[str, typer.Option(help="For people.")] = "",
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Run a ruleset over past orders beside the one in force, and compare. Nothing is reserved or changed.

    Ctrl-C stops looking; the simulation goes on. Exit code 0 when it is done, 1 when it failed, 130 when it was
    left, 2 when nothing was sent because something does not fit.
    """
    try:
        of_file = orders and setup.orders_file(
            setup.FileOptions(
                channel,
                mode,
                mapped or [],
                ship_to or [],
                time_zone,
                date_format,
                encoding,
                delimiter,
                not_articles,
            )
        )
        if deplete and not (of_file or stock or present_stock):
            raise Wrong("--deplete: recorded orders saw their own stock; give --stock or --present-stock")
        body: Json = {
            "name": name,
            **setup.candidate(ruleset, draft),
            **setup.moments(from_, to, time_zone),
            "max_orders": limit,
            "stock": "file" if stock else "present" if of_file or present_stock else "recorded",
            "deplete": deplete,
            "assumed_items": setup.assumed_items(unknown_items, assume_units, assume_percent, seed),
            "listed_orders": listed,
        }
        _check_outputs(json_file, plot_file)
    except Wrong as wrong:
        Console(stderr=True, highlight=False).print(f"Nothing was sent: {escape(str(wrong))}", soft_wrap=True)
        raise typer.Exit(2) from None
    with asking(state) as api:
        if orders and of_file:
            body["orders"] = {"file_id": send_file(api, orders), **of_file}
        if stock:
            body["stock_file_id"] = send_file(api, stock)
        made = api.post(ADDRESS, ROLE, body)
        ended = _follow(api, made)
    _tell(ended, json_file, plot_file)


def simulations(
    size: Annotated[int, typer.Option(min=1, max=500, help="How many, newest first.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """List simulations, newest first."""
    with asking(state) as api:
        page = api.get(ADDRESS, ROLE, size=size)
    if as_json:
        typer.echo(json.dumps(page, indent=2, ensure_ascii=False))
        return
    found = show.table("simulation", "received", "name", "candidate", "stock", "state", "orders")
    for one in page["items"]:
        found.add_row(
            one["simulation_id"],
            show.moment(one["received_at"]),
            escape(one["setup"]["name"]),
            escape(one["setup"]["ruleset"]["ruleset_id"]),
            one["setup"]["stock"],
            show.status(one["state"]),
            f"{one['planned']} of {one['total']}",
        )
    show.console().print(found)


def show_simulation(
    simulation_id: SimulationId,
    json_file: JsonFile = None,
    plot_file: PlotFile = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show a simulation; one that has not ended is waited for."""
    try:
        _check_outputs(json_file, plot_file)
    except Wrong as wrong:
        typer.echo(str(wrong), err=True)
        raise typer.Exit(2) from None
    with asking(state) as api:
        ended = _follow(api, get(api, simulation_id))
    _tell(ended, json_file, plot_file)


def cancel(simulation_id: SimulationId, state: StateOption = DEFAULT_STATE) -> None:
    """Stop a simulation that waits or runs. It has no result then."""
    _act(simulation_id, "cancel", state)


def restart(simulation_id: SimulationId, state: StateOption = DEFAULT_STATE) -> None:
    """Run a simulation again that was interrupted, cancelled or failed."""
    _act(simulation_id, "restart", state)


def _act(simulation_id: str, act: str, state: Path) -> None:
    with asking(state) as api:
        show.console().print(report.headline(api.post(f"{ADDRESS}/{simulation_id}/{act}", ROLE)))


def _follow(api: Api, simulation: Json) -> Json:
    try:
        return follow(api, simulation)
    except KeyboardInterrupt:
        typer.echo(f"It goes on. Look again with: oms simulation show {simulation['simulation_id']}", err=True)
        raise typer.Exit(130) from None


def _check_outputs(json_file: Path | None, plot_file: Path | None) -> None:
    if json_file and json_file != Path("-"):
        options.writable("--json", json_file)
    if plot_file:
        options.writable("--plot", plot_file)


def _tell(simulation: Json, json_file: Path | None, plot_file: Path | None) -> None:
    """Prints it and writes the files; ends with exit code 1 when it has no result."""
    text = json.dumps(simulation, indent=2, ensure_ascii=False) + "\n"
    if json_file == Path("-"):
        sys.stdout.write(text)
    else:
        report.tell(simulation, show.console())
        if json_file:
            json_file.write_text(text, encoding="utf-8")
    if plot_file and simulation["result"]:
        plot_file.write_text(plot.svg(simulation), encoding="utf-8")
    if simulation["state"] != "done":
        raise typer.Exit(1)

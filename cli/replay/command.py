"""`oms replay FILE`: its options, and how it ends. What it does is in `running`."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape

from cli import show
from cli.client import AsyncApi, Problem, TookTooLong
from cli.replay import options
from cli.replay.options import Job, Wrong
from cli.replay.placing import Sale
from cli.replay.reading import CHARGE_CODES, DEFAULT_COLUMNS, DELIVERY_CODES, BadFile, Terms
from cli.replay.running import Run
from cli.replay.sending import NoAnswer
from cli.state import DEFAULT_STATE, StateOption, running_system


def register(app: typer.Typer) -> None:
    app.command()(replay)


def replay(
    path: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="CSV with a header, or .gz of it.")
    ],
    channel: Annotated[str, typer.Option(help="The channel that places the orders.")],
    currency: Annotated[str, typer.Option(help="What the prices of the file are in; must be the channel's.")],
    ship_to: Annotated[
        list[str],
        typer.Option(
            help="Country and postcode of every order, for example 'FR 75011'; or for one country of the file, "
            "'Germany=DE 10115', repeated. Orders of other countries are then rejected."
        ),
    ],
    mapped: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="KEY=COLUMN",
            help=f"Where to find {', '.join(DEFAULT_COLUMNS)}; the names of UCI's Online Retail unless given. "
            "KEY= leaves one out. Repeatable.",
        ),
    ] = None,
    source: Annotated[str, typer.Option(help="Name of the source, part of the orders' keys; FILE's name.")] = "",
    time_zone: Annotated[str, typer.Option(help="Zone of the file's dates, for example Europe/London.")] = "UTC",
    date_format: Annotated[str, typer.Option(help="Of strptime, for example '%d/%m/%Y %H:%M'; ISO 8601.")] = "",
    encoding: Annotated[str, typer.Option(help="Of the file.")] = "utf-8",
    delimiter: Annotated[str, typer.Option(help="Between the cells of the file.")] = ",",
    delivery_codes: Annotated[str, typer.Option(help="SKUs that are the delivery fee of their order.")] = ",".join(
        DELIVERY_CODES
    ),
    charge_codes: Annotated[
        str, typer.Option(help="SKUs that are other charges: their orders are rejected.")
    ] = ",".join(CHARGE_CODES),
    tax_rate: Annotated[float, typer.Option(min=0, max=100, help="Percent of tax within the prices.")] = 0,
    brand: Annotated[str, typer.Option(help="Of every line, for a channel that sells only some.")] = "",
    mode: Annotated[Literal["home_standard", "home_express"], typer.Option(help="Of delivery.")] = "home_standard",
    payment_token: Annotated[
        str, typer.Option(help="Test token of a means of payment; the channel was paid unless given.")
    ] = "",
    create_items: Annotated[bool, typer.Option("--create-items", help="Create items that are unknown.")] = False,
    stock: Annotated[int, typer.Option(min=0, help="Units of each created item, at each point of --at.")] = 0,
    at: Annotated[str, typer.Option(metavar="POINT[,POINT]", help="Points that receive the stock.")] = "",
    weight_grams: Annotated[int, typer.Option(min=0, help="Of a unit of each created item.")] = 0,
    since: Annotated[str, typer.Option(help="Only orders taken from this date or instant on.")] = "",
    until: Annotated[str, typer.Option(help="Only orders taken before this date or instant.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Only the first orders of the file; 0 for all.")] = 0,
    rate: Annotated[float, typer.Option(min=0, help="Orders a second at most; 0 for no limit.")] = 0,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Orders in flight at once.")] = 8,
    patience: Annotated[
        float, typer.Option(min=1, help="Seconds to try again for the outcome of one order; then it is unknown.")
    ] = 120,
    rejected: Annotated[
        Path | None,
        typer.Option(
            help="File for the rows that were not placed; FILE's name with .rejected.csv, in this folder."
        ),
    ] = None,
    report_file: Annotated[Path | None, typer.Option("--report", help="File for the report as JSON.")] = None,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Place the orders of a CSV file on the running system, as its channel would.

    Ctrl-C stops it when the orders in flight have their outcome; the same command goes on where it stopped, and no
    order is placed twice. Exit code 0 when every outcome is known, 1 when some is not, 130 when it was stopped, 2
    when no order was sent because something does not fit.
    """
    console, errors = show.console(), Console(stderr=True, highlight=False)
    try:
        zone = options.zone(time_zone)
        destinations = options.destinations(ship_to)
        name = source or path.name
        job = Job(
            path=path,
            mapped=options.mapping(mapped or []),
            encoding=options.encoding(encoding),
            delimiter=options.delimiter(delimiter),
            terms=Terms(
                currency,
                zone,
                date_format,
                options.codes(delivery_codes),
                options.codes(charge_codes),
                None if "" in destinations else frozenset(destinations),
            ),
            sale=Sale(
                name, channel, currency, destinations, mode, brand, payment_token, options.basis_points(tax_rate)
            ),
            stocking=options.stocking(name, at, stock, weight_grams, brand) if create_items else None,
            since=options.moment("--since", since, zone),
            until=options.moment("--until", until, zone),
            limit=limit,
            rate=rate,
            concurrency=concurrency,
            patience_seconds=patience,
            rejected=options.writable(
                "--rejected", rejected or Path(f"{path.stem.removesuffix('.csv')}.rejected.csv")
            ),
            report=options.writable("--report", report_file) if report_file else None,
        )
        url = running_system(state).gateway_url
        code = asyncio.run(Run(job, console, errors).run(AsyncApi.of(url, state, concurrency)))
    except (Wrong, BadFile) as wrong:
        errors.print(f"No order was sent: {escape(str(wrong))}", soft_wrap=True)
        raise typer.Exit(2) from None
    except (Problem, NoAnswer, TookTooLong) as failed:
        errors.print(f"No order was sent, the system is not ready for it: {escape(str(failed))}", soft_wrap=True)
        raise typer.Exit(1) from None
    raise typer.Exit(code)

"""The group of commands `oms stock`, and nothing else."""

import typer

from cli.stock import baskets, figures, images, imports, merchandising, pauses, shelf, supply, transfers

stock = typer.Typer(help="Look at stock and change it.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    for module in (figures, images, baskets, imports, transfers, pauses, shelf, supply, merchandising):
        module.register(stock)
    app.add_typer(stock, name="stock")

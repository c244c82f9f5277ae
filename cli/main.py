"""The `oms` command: one module per group of commands, each adding its own to the app."""

import typer

from cli import (
    arrivals,
    bulk,
    capacity,
    changes,
    collecting,
    demo,
    desk,
    doctor,
    documents,
    erasure,
    explain,
    handovers,
    holds,
    life_cycles,
    money,
    notifications,
    offers,
    orders,
    parcels,
    payments,
    personalising,
    reviews,
    rounds,
    slots,
    stored_value,
    system,
    token,
    trials,
)
from cli.replay import command as replay
from cli.rules import command as rules
from cli.simulate import command as simulate
from cli.stock import command as stock

app = typer.Typer(
    name="oms",
    help="Run, look at and play with an order management system.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

for module in (
    system,
    token,
    demo,
    orders,
    offers,
    arrivals,
    money,
    holds,
    parcels,
    reviews,
    rounds,
    desk,
    bulk,
    erasure,
    life_cycles,
    changes,
    trials,
    notifications,
    collecting,
    personalising,
    payments,
    documents,
    stored_value,
    explain,
    replay,
    doctor,
    stock,
    rules,
    capacity,
    handovers,
    slots,
    simulate,
):
    module.register(app)


if __name__ == "__main__":
    app()

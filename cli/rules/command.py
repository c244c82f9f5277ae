"""The group of commands `oms rules`, and nothing else."""

import typer

from cli.rules import changing, looking

rules = typer.Typer(help="Look at what plans are judged by, and change it.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    for module in (looking, changing):
        module.register(rules)
    app.add_typer(rules, name="rules")

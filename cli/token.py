"""`oms token`: a bearer token for the local system."""

from typing import Annotated

import typer

from cli.state import DEFAULT_STATE, StateOption
from deploy.local import tokens
from deploy.local.keys import load_or_make
from deploy.local.state import StateFolder


def register(app: typer.Typer) -> None:
    app.command()(token)


def token(
    role: Annotated[str, typer.Argument(help=f"One of {', '.join(tokens.ROLES)}.")],
    store: Annotated[list[str] | None, typer.Option(help="Only this stock point; may be repeated.")] = None,
    brand: Annotated[list[str] | None, typer.Option(help="Only this brand; may be repeated.")] = None,
    channel: Annotated[list[str] | None, typer.Option(help="Only this channel; may be repeated.")] = None,
    subject: Annotated[str, typer.Option(help="Who it is issued to.")] = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Print a token for ROLE, valid for 12 hours: for all stores, brands and channels, or only those given."""
    if role not in tokens.ROLES:
        raise typer.BadParameter(f"{role}: no such role; one of {', '.join(tokens.ROLES)}")
    keys = load_or_make(StateFolder(state).keys)
    scope = tokens.Scope(
        subject=subject,
        stores=tuple(store or [tokens.ALL]),
        brands=tuple(brand or ()),
        channels=tuple(channel or [tokens.ALL]),
    )
    typer.echo(tokens.sign(keys.jwt_private_file, role, scope))

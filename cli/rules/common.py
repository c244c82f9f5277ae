"""What both kinds of `oms rules` commands are made with."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
import yaml
from rich.markup import escape
from rich.table import Table

from cli import show
from cli.client import Json
from deploy.local.tokens import ALL, Scope

ROLE = "supply_chain"
DEFAULT = "default"

RulesetArgument = Annotated[str, typer.Argument(metavar="[RULESET]", help="Its id.")]
RulesetOption = Annotated[str, typer.Option("--ruleset", help="Its id.")]
FileArgument = Annotated[Path, typer.Argument(help="A ruleset as text; - reads the standard input.")]
WhyOption = Annotated[str, typer.Option("--why", help="Kept with who and when.")]
AsOption = Annotated[str, typer.Option("--as", help="Who acts: the subject of the token.")]


def path(ruleset_id: str, *inside: object) -> str:
    """Of a ruleset in the API."""
    return "/".join(("/v1/rulesets", quote(ruleset_id, safe=""), *map(str, inside)))


def who(subject: str) -> Scope | None:
    """The scope of a token for somebody by name; None for whoever has the role."""
    return Scope(subject=subject, stores=(ALL,), channels=(ALL,)) if subject else None


def text_of(file: Path) -> str:
    """What a file, or the standard input, says."""
    try:
        return sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as broken:
        typer.echo(f"{file}: cannot be read: {broken}", err=True)
        raise typer.Exit(1) from None


def ruleset_of(text: str) -> str:
    """The ruleset that a text names; the default one when it names none or cannot be read."""
    try:
        # Every word as it is written.
        found: Any = yaml.load(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        found = None
    named = found.get("ruleset_id") if isinstance(found, dict) else None
    return named if isinstance(named, str) and named else DEFAULT


def part_of(found: Json, *, draft: bool = False, in_force: bool = False) -> Json:
    """The draft or else what is in force; only one of them if that is asked for. Ends the command without one."""
    part: Json | None = None if in_force else found["draft"]
    if part is None and not draft:
        part = found["in_force"]
    if part is None:
        missing = (
            "no draft" if draft else "nothing in force" if in_force else "neither a draft nor a version in force"
        )
        typer.echo(f"ruleset {found['ruleset_id']} has {missing}", err=True)
        raise typer.Exit(1)
    return part


def print_json(found: object) -> None:
    """The API's own answer."""
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))


def differences(found: list[Json]) -> Table | str:
    """What differs, figure by figure."""
    if not found:
        return "nothing differs"
    table = show.table("figure", "before", "after")
    for one in found:
        table.add_row(*(escape(one[name]) for name in ("path", "before", "after")))
    return table

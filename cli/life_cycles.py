"""`oms life-cycles`: how orders live, as files that are published in versions."""

import difflib
import json
from pathlib import Path
from typing import Annotated, Any, NoReturn
from urllib.parse import quote

import typer
import yaml
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Api, Json, body_of
from cli.orders import JsonOption
from cli.rules.common import text_of
from cli.state import DEFAULT_STATE, StateOption

_ROLE = "supply_chain"
_PATH = "/v1/life-cycles"
_LifeCycleArgument = Annotated[str, typer.Argument(metavar="ID[@VERSION]", help="As fashion, or fashion@2.")]
_SideArgument = Annotated[str, typer.Argument(help="ID, ID@VERSION or a file of YAML.")]

life_cycles = typer.Typer(help="How orders of a channel or a trade live.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    life_cycles.command("list")(list_life_cycles)
    life_cycles.command("show")(show_life_cycle)
    life_cycles.command("publish")(publish)
    life_cycles.command("diff")(diff)
    app.add_typer(life_cycles, name="life-cycles")


def list_life_cycles(as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List the latest version of each."""
    with asking(state) as gateway:
        found = gateway.get(_PATH, _ROLE)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    table = show.table("life cycle", "version", "cooling-off", "offer", "money at", "fraud rules", "labels")
    for one in found["items"]:
        rules = len(one["fraud"]["rules"]) if one["fraud"] else 0
        languages = sorted({label["language"] for label in one["labels"]})
        table.add_row(
            escape(one["life_cycle_id"]),
            str(one["version"]),
            f"{one['cooling_off_seconds']} s",
            f"{one['offer_seconds']} s",
            one["capture_at"],
            str(rules),
            escape(", ".join(languages) or "-"),
        )
    show.console().print(table)


def show_life_cycle(
    life_cycle: _LifeCycleArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE
) -> None:
    """Print a version, the latest unless one is named, as YAML. Edited, it goes back with `publish`."""
    with asking(state) as gateway:
        found = _published(gateway, life_cycle)
    if as_json:
        typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    # Beside the text, which may go to a file.
    typer.echo(f"version {found['version']}", err=True)
    typer.echo(_text(found), nl=False)


def publish(
    file: Annotated[Path, typer.Argument(help="YAML with a life_cycle_id; - reads the standard input.")],
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Publish a file as the next version. Orders that are under way keep theirs."""
    wanted = _read(file)
    life_cycle_id = wanted.pop("life_cycle_id", "")
    if not life_cycle_id:
        _stop(f"{file}: life_cycle_id: say which life cycle it is")
    wanted.pop("version", None)
    with asking(state) as gateway:
        answer = gateway.send("PUT", f"{_PATH}/{quote(str(life_cycle_id), safe='')}", _ROLE, json=wanted)
        if answer.is_error:
            for one in answer.json().get("errors") or ():
                typer.echo(f"{one['field']}: {one['detail'] or one['rule']}", err=True)
        found = body_of(answer)
    typer.echo(f"{found['life_cycle_id']}: version {found['version']}")


def diff(before: _SideArgument, after: _SideArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Compare two of them: published versions, or files that are not published yet."""
    with asking(state) as gateway:
        old, new = (_text(_side(gateway, one)).splitlines(keepends=True) for one in (before, after))
    lines = list(difflib.unified_diff(old, new, before, after))
    typer.echo("".join(lines) if lines else "nothing differs")


def _side(gateway: Api, named: str) -> Json:
    return _read(Path(named)) if Path(named).is_file() else _published(gateway, named)


def _published(gateway: Api, named: str) -> Json:
    life_cycle_id, _, version = named.partition("@")
    if version and not version.isdigit():
        _stop(f"{named}: a version is a number")
    asked: Json = {"version": version} if version else {}
    return gateway.get(f"{_PATH}/{quote(life_cycle_id, safe='')}", _ROLE, **asked)


def _read(file: Path) -> Json:
    try:
        found: Any = yaml.safe_load(text_of(file))
    except yaml.YAMLError as broken:
        _stop(f"{file}: no YAML: {broken}")
    if not isinstance(found, dict):
        _stop(f"{file}: a life cycle has fields")
    return found


def _text(found: Json) -> str:
    """Without what is empty or follows from publishing it: as people would write it."""
    return yaml.safe_dump(_lean(found | {"version": None}), sort_keys=False, allow_unicode=True, width=110)


def _lean(value: Any) -> Any:
    if isinstance(value, dict):
        # A condition without terms of its own (no_email: {}) is one all the same.
        kept = {name: _lean(one) for name, one in value.items() if one or one == {}}
        return {name: kept[name] for name in sorted(kept, key=lambda name: name != "life_cycle_id")}
    return [_lean(one) for one in value] if isinstance(value, list) else value


def _stop(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(1)

"""`oms rules save, edit, discard, publish, withdraw` and `rollback`: each says why."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Api, Json, Problem, body_of
from cli.orders import JsonOption
from cli.rules.common import (
    DEFAULT,
    ROLE,
    AsOption,
    FileArgument,
    RulesetArgument,
    RulesetOption,
    WhyOption,
    differences,
    part_of,
    path,
    print_json,
    ruleset_of,
    text_of,
    who,
)
from cli.state import DEFAULT_STATE, StateOption

AtOption = Annotated[
    str, typer.Option("--at", help="ISO 8601 with an offset: from when on it judges; now unless given.")
]
RevisionOption = Annotated[
    int | None, typer.Option("--revision", min=0, help="Only if nobody changed the ruleset since this one.")
]
VersionArgument = Annotated[int, typer.Argument(min=1, help="The number of a version.")]


def register(rules: typer.Typer) -> None:
    rules.command("save")(save)
    rules.command("edit")(edit)
    rules.command("discard")(discard)
    rules.command("publish")(publish)
    rules.command("withdraw")(withdraw)
    rules.command("rollback")(roll_back)


def save(
    file: FileArgument,
    why: WhyOption,
    revision: RevisionOption = None,
    by: AsOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Save a text as the draft of the ruleset that it names. Nothing is judged by it before it is published.

    A text of `oms rules show` knows what it was taken from: it is refused when somebody changed the ruleset since.
    Another text needs --revision once there is such a ruleset.
    """
    text = text_of(file)
    with asking(state) as gateway:
        found = _save(gateway, text, why, by, revision)
    _tell_draft(found, as_json)


def _save(gateway: Api, text: str, why: str, by: str, revision: int | None = None) -> Json:
    body = {"text": text, "reason": why, "revision": revision}
    return body_of(gateway.send("PUT", path(ruleset_of(text), "draft"), ROLE, who(by), json=body))


def _tell_draft(found: Json, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    console = show.console()
    console.print(f"draft of ruleset {escape(found['ruleset_id'])} saved, revision {found['revision']}")
    console.print(differences(found["draft"]["differences"]))


def edit(
    why: WhyOption,
    ruleset_id: RulesetArgument = DEFAULT,
    by: AsOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Open the draft, or what is in force, in $EDITOR, and save it as the draft.

    A text that is refused is kept in a file, which is named.
    """
    with asking(state) as gateway:
        before: str = part_of(gateway.get(path(ruleset_id), ROLE))["text"]
        file = _open(before, ruleset_id)
        text = text_of(file)
        if text == before:
            file.unlink()
            typer.echo("nothing was changed")
            return
        try:
            saved = _save(gateway, text, why, by)
        except Problem:
            typer.echo(f"The text is kept in {file}", err=True)
            raise
    file.unlink()
    _tell_draft(saved, as_json)


def _open(text: str, ruleset_id: str) -> Path:
    """A file with the text, once its editor is closed. An editor that fails ends the command."""
    with tempfile.NamedTemporaryFile(
        "w", prefix=f"{ruleset_id}-", suffix=".yaml", delete=False, encoding="utf-8"
    ) as file:
        file.write(text)
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        subprocess.run([*shlex.split(editor), file.name], check=True)
    except (OSError, subprocess.CalledProcessError) as failed:
        Path(file.name).unlink()
        typer.echo(f"{editor}: {failed}; set EDITOR to another one", err=True)
        raise typer.Exit(1) from None
    return Path(file.name)


def discard(
    why: WhyOption,
    ruleset_id: RulesetArgument = DEFAULT,
    revision: RevisionOption = None,
    by: AsOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Throw the draft away; its content stays in the history."""
    with asking(state) as gateway:
        body = _act(gateway, ruleset_id, why, revision)
        found = gateway.post(path(ruleset_id, "draft", "discard"), ROLE, body, scope=who(by))
    _tell(found, f"the draft of ruleset {ruleset_id} is discarded", as_json)


def publish(
    why: WhyOption,
    ruleset_id: RulesetArgument = DEFAULT,
    at: AtOption = "",
    revision: RevisionOption = None,
    by: AsOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Publish the draft: it judges from now on, or from an instant on."""
    with asking(state) as gateway:
        body = _act(gateway, ruleset_id, why, revision, at)
        found = gateway.post(path(ruleset_id, "draft", "publish"), ROLE, body, scope=who(by))
    _tell(found, _published(found), as_json)


def withdraw(
    version: VersionArgument,
    why: WhyOption,
    ruleset_id: RulesetOption = DEFAULT,
    revision: RevisionOption = None,
    by: AsOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Take a version back before it judges."""
    with asking(state) as gateway:
        body = _act(gateway, ruleset_id, why, revision)
        found = gateway.post(path(ruleset_id, "versions", version, "withdraw"), ROLE, body, scope=who(by))
    _tell(found, f"version {version} of ruleset {ruleset_id} is withdrawn", as_json)


def roll_back(
    version: VersionArgument,
    why: WhyOption,
    ruleset_id: RulesetOption = DEFAULT,
    at: AtOption = "",
    revision: RevisionOption = None,
    by: AsOption = "",
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Publish an older version again, as a new one."""
    with asking(state) as gateway:
        body = _act(gateway, ruleset_id, why, revision, at)
        found = gateway.post(path(ruleset_id, "versions", version, "roll-back"), ROLE, body, scope=who(by))
    _tell(found, _published(found), as_json)


def _act(gateway: Api, ruleset_id: str, why: str, revision: int | None, at: str = "") -> Json:
    """The body of an act: on the ruleset as it stands, unless a revision is given."""
    if revision is None:
        revision = gateway.get(path(ruleset_id), ROLE)["revision"]
    body: dict[str, Any] = {"revision": revision, "reason": why}
    return body | ({"effective_at": at} if at else {})


def _published(found: Json) -> str:
    state = found["state"]
    one = next(
        one
        for one in (state["in_force"], *state["scheduled"])
        if one and one["ruleset"]["version"] == found["version"]
    )
    since = show.moment(one["effective_at"])
    return f"version {found['version']} of ruleset {state['ruleset_id']} judges from {since} on"


def _tell(found: Json, told: str, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        show.console().print(escape(told))

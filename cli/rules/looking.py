"""`oms rules list, show, check, diff, versions` and `history`: nothing that changes anything."""

from typing import Annotated

import typer
from rich.markup import escape

from cli import show
from cli.asking import asking
from cli.client import Json
from cli.orders import JsonOption
from cli.rules.common import (
    DEFAULT,
    ROLE,
    FileArgument,
    RulesetArgument,
    RulesetOption,
    differences,
    part_of,
    path,
    print_json,
    ruleset_of,
    text_of,
)
from cli.state import DEFAULT_STATE, StateOption

_SIDES = "in_force, draft, or the number of a version."


def register(rules: typer.Typer) -> None:
    rules.command("list")(list_rulesets)
    rules.command("show")(show_ruleset)
    rules.command("check")(check)
    rules.command("diff")(diff)
    rules.command("versions")(versions)
    rules.command("history")(history)


def list_rulesets(as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """List rulesets: the version that judges, what is scheduled and what is drafted."""
    with asking(state) as gateway:
        found = gateway.get("/v1/rulesets", ROLE)
    if as_json:
        print_json(found)
        return
    table = show.table("ruleset", "in force", "since", "scheduled", "draft", "revision")
    for one in found["items"]:
        standing, draft = one["in_force"], one["draft"]
        to_come = ", ".join(f"{_number(each)} on {show.moment(each['effective_at'])}" for each in one["scheduled"])
        by = f"by {draft['saved_by']}: {draft['reason']}" if draft else "-"
        since = show.moment(standing["effective_at"]) if standing else "-"
        row = (one["ruleset_id"], _number(standing) if standing else "-", since, to_come or "-", by)
        table.add_row(*map(escape, row), str(one["revision"]))
    show.console().print(table if found["items"] else "there is no ruleset")


def show_ruleset(
    ruleset_id: RulesetArgument = DEFAULT,
    draft: Annotated[bool, typer.Option("--draft", help="The draft.")] = False,
    in_force: Annotated[bool, typer.Option("--in-force", help="What judges now.")] = False,
    version: Annotated[int | None, typer.Option("--version", min=1, help="A published version.")] = None,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Print a ruleset as text with a sentence on each figure: the draft if there is one, else what is in force.

    Edited, it goes back with `oms rules save`.
    """
    if [draft, in_force, version is not None].count(True) > 1:
        raise typer.BadParameter("one of --draft, --in-force and --version")
    with asking(state) as gateway:
        if version is not None:
            found = gateway.get(path(ruleset_id, "versions", version), ROLE)
        else:
            found = part_of(gateway.get(path(ruleset_id), ROLE), draft=draft, in_force=in_force)
    if as_json:
        print_json(found)
        return
    # Beside the text, which may go to a file.
    typer.echo(f"draft by {found['saved_by']}" if "saved_by" in found else f"version {_number(found)}", err=True)
    typer.echo(found["text"], nl=False)


def check(file: FileArgument, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE) -> None:
    """Check a text as a save would, and tell what differs from what is in force. Exit code 1: it breaks a rule."""
    text = text_of(file)
    with asking(state) as gateway:
        found = gateway.post(path(ruleset_of(text), "check"), ROLE, {"text": text})
    if as_json:
        print_json(found)
        return
    show.console().print(differences(found["differences"]))


def diff(
    before: Annotated[str, typer.Argument(help=_SIDES)] = "in_force",
    after: Annotated[str, typer.Argument(help=_SIDES)] = "draft",
    ruleset_id: RulesetOption = DEFAULT,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Compare two versions, or the draft with what is in force."""
    with asking(state) as gateway:
        found = gateway.get(path(ruleset_id, "differences"), ROLE, before=before, after=after)
    if as_json:
        print_json(found)
        return
    show.console().print(differences(found["items"]))


def versions(
    ruleset_id: RulesetArgument = DEFAULT, as_json: JsonOption = False, state: StateOption = DEFAULT_STATE
) -> None:
    """List published versions, newest first: where each stands, who published it and why."""
    with asking(state) as gateway:
        found = list(gateway.rows(path(ruleset_id, "versions"), ROLE))
    if as_json:
        print_json(found)
        return
    table = show.table("version", "state", "from", "published", "by", "why")
    for one in found:
        why = one["reason"]
        if one["restored_version"]:
            why = f"back to {one['restored_version']}: {why}"
        if one["withdrawn_at"]:
            why += f"; withdrawn by {one['withdrawn_by']}: {one['withdrawn_reason']}"
        when = (show.moment(one["effective_at"]), show.moment(one["published_at"]))
        table.add_row(_number(one), one["state"], *when, escape(one["published_by"]), escape(why))
    show.console().print(table if found else "nothing was published")


def history(
    ruleset_id: RulesetArgument = DEFAULT,
    size: Annotated[int, typer.Option(min=1, max=500, help="How many changes, newest first.")] = 20,
    as_json: JsonOption = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Show who did what, when and why, newest first, with every figure before and after."""
    with asking(state) as gateway:
        found = gateway.get(path(ruleset_id, "changes"), ROLE, size=size)["items"]
    if as_json:
        print_json(found)
        return
    console = show.console()
    for one in found:
        console.print(f"[bold]{one['revision']}[/]  {show.moment(one['changed_at'])}  {escape(_told(one))}")
        console.print(differences(one["differences"]))
        console.print()


def _told(change: Json) -> str:
    """For example `anna rolled back to version 1 as version 3: too many splits`."""
    version, at = change["version"], show.moment(change["effective_at"])
    done = {
        "saved": "saved the draft",
        "discarded": "discarded the draft",
        "published": f"published version {version}, from {at} on",
        "withdrawn": f"withdrew version {version}",
        "rolled_back": f"rolled back to version {change['restored_version']} as version {version}, from {at} on",
    }[change["act"]]
    return f"{change['actor']} {done}: {change['reason']}"


def _number(version: Json) -> str:
    return str(version["ruleset"]["version"])

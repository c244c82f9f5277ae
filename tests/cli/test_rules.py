"""`oms rules`, as a person types them, against answers of the gateway's shape."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.gateway import CannedGateway, serving

RULES = "/v1/rulesets/default"
DIFFERENCE = {"path": "low_cover.days", "before": "14", "after": "none"}
AT = "2026-11-20T12:00:00Z"
VERSION = {
    "ruleset": {"version": 3},
    "text": "# What it is.\nrevision: 7\ncurrency: EUR\n",
    "state": "in_force",
    "effective_at": AT,
    "published_at": AT,
    "published_by": "anna",
    "reason": "[season]",
    "restored_version": 0,
    "withdrawn_at": None,
    "withdrawn_by": "",
    "withdrawn_reason": "",
}
SCHEDULED = VERSION | {"ruleset": {"version": 4}, "state": "scheduled", "effective_at": "2026-12-01T00:00:00Z"}
DRAFT = {
    "ruleset": {"version": 0},
    "text": "revision: 7\ncurrency: CHF\n",
    "saved_at": AT,
    "saved_by": "bert",
    "reason": "try",
    "differences": [DIFFERENCE],
}
STATE = {"ruleset_id": "default", "revision": 7, "in_force": VERSION, "scheduled": [SCHEDULED], "draft": DRAFT}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def gateway(state: Path) -> Iterator[CannedGateway]:
    with serving(state) as gateway:
        gateway.answers["GET", RULES] = 200, STATE
        yield gateway


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "rules.yaml"
    found.write_text("currency: EUR\nmax_parcels: 2\n", encoding="utf-8")
    return found


def oms(state: Path, *arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(app, ["rules", *arguments, "--state", str(state)], **more)


def refused(reason: str, detail: str, status: int = 422) -> tuple[int, Any]:
    return status, {"reason": reason, "detail": detail, "status": status}


# -- looking ----------------------------------------------------------------------------------------------


def test_the_list_tells_what_judges_what_comes_and_who_drafts(state: Path, gateway: CannedGateway) -> None:
    new = {"ruleset_id": "season", "revision": 1, "in_force": None, "scheduled": [], "draft": None}
    gateway.answers["GET", "/v1/rulesets"] = 200, {"items": [STATE, new]}
    _, first, second = oms(state, "list").stdout.splitlines()
    assert first.split()[:2] == ["default", "3"]
    assert "4 on " in first
    assert "by bert: try" in first
    assert second.split() == ["season", "-", "-", "-", "-", "1"]
    gateway.answers["GET", "/v1/rulesets"] = 200, {"items": []}
    assert oms(state, "list").stdout == "there is no ruleset\n"


def test_show_prints_the_text_and_nothing_but_the_text(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", f"{RULES}/versions/2"] = 200, VERSION | {"text": "currency: JPY\n"}
    assert oms(state, "show").stdout == DRAFT["text"]
    assert oms(state, "show").stderr == "draft by bert\n"
    assert oms(state, "show", "default", "--in-force").stdout == VERSION["text"]
    assert oms(state, "show", "--draft").stdout == DRAFT["text"]
    assert oms(state, "show", "--version", "2").stdout == "currency: JPY\n"
    assert json.loads(oms(state, "show", "--json").stdout) == DRAFT
    assert oms(state, "show", "--draft", "--version", "2").exit_code == 2


def test_show_without_a_draft_is_what_is_in_force_and_says_when_there_is_nothing(
    state: Path, gateway: CannedGateway
) -> None:
    gateway.answers["GET", RULES] = 200, STATE | {"draft": None}
    assert oms(state, "show").stdout == VERSION["text"]
    result = oms(state, "show", "--draft")
    assert (result.exit_code, result.stderr) == (1, "ruleset default has no draft\n")
    gateway.answers["GET", RULES] = 200, STATE | {"draft": None, "in_force": None}
    for options, missing in (
        ((), "neither a draft nor a version in force"),
        (("--in-force",), "nothing in force"),
    ):
        result = oms(state, "show", *options)
        assert (result.exit_code, result.stderr) == (1, f"ruleset default has {missing}\n")


def test_check_asks_of_the_ruleset_that_the_text_names(state: Path, gateway: CannedGateway, file: Path) -> None:
    gateway.answers["POST", "/v1/rulesets/001/check"] = 200, {"text": "", "differences": []}
    file.write_text("ruleset_id: 001\n", encoding="utf-8")
    assert oms(state, "check", str(file)).stdout == "nothing differs\n"
    gateway.answers["POST", f"{RULES}/check"] = refused("INVALID_YAML", "line 2: brackets")
    file.write_text("currency: EUR\n[", encoding="utf-8")
    result = oms(state, "check", str(file))
    assert result.exit_code == 1
    assert "INVALID_YAML: line 2: brackets" in result.stderr
    assert gateway.asked[-1].body == {"text": "currency: EUR\n["}
    file.write_bytes(b"\xff")
    assert "cannot be read" in oms(state, "check", str(file)).stderr
    assert "cannot be read" in oms(state, "check", f"{file}.nowhere").stderr


def test_diff_is_told_figure_by_figure(state: Path, gateway: CannedGateway) -> None:
    gateway.answers["GET", f"{RULES}/differences"] = 200, {"items": [DIFFERENCE]}
    assert oms(state, "diff").stdout.splitlines()[1].split() == ["low_cover.days", "14", "none"]
    assert gateway.asked[-1].path == f"{RULES}/differences?before=in_force&after=draft"
    oms(state, "diff", "2", "3")
    assert gateway.asked[-1].path == f"{RULES}/differences?before=2&after=3"


def test_versions_tell_their_state_and_why(state: Path, gateway: CannedGateway) -> None:
    gone = SCHEDULED | {"withdrawn_at": AT, "withdrawn_by": "bert", "withdrawn_reason": "strike"}
    back = VERSION | {"restored_version": 1}
    gateway.answers["GET", f"{RULES}/versions"] = 200, {"items": [gone, back], "next_cursor": None}
    _, first, second = oms(state, "versions").stdout.splitlines()
    assert first.startswith("4 ")
    assert first.endswith("[season]; withdrawn by bert: strike")
    assert second.rstrip().endswith("back to 1: [season]")


def test_history_tells_who_did_what_and_what_changed(state: Path, gateway: CannedGateway) -> None:
    change = {
        "revision": 7,
        "act": "rolled_back",
        "changed_at": AT,
        "actor": "anna",
        "reason": "[too many]",
        "version": 4,
        "effective_at": AT,
        "restored_version": 1,
        "differences": [DIFFERENCE],
    }
    others = [change | {"act": act, "differences": []} for act in ("saved", "discarded", "published", "withdrawn")]
    gateway.answers["GET", f"{RULES}/changes"] = 200, {"items": [change, *others], "next_cursor": None}
    told = oms(state, "history").stdout
    assert "anna rolled back to version 1 as version 4, from " in told
    assert ": [too many]" in told
    assert "low_cover.days" in told
    for words in ("saved the draft", "discarded the draft", "published version 4", "withdrew version 4"):
        assert words in told


# -- changing ---------------------------------------------------------------------------------------------


def test_save_sends_the_text_as_it_is_with_why_and_by_whom(
    state: Path, gateway: CannedGateway, file: Path
) -> None:
    gateway.answers["PUT", f"{RULES}/draft"] = 200, STATE
    result = oms(state, "save", str(file), "--why", "season")
    assert "draft of ruleset default saved, revision 7" in result.stdout
    assert "low_cover.days" in result.stdout
    text = "currency: EUR\nmax_parcels: 2\n"
    assert gateway.asked[-1].body == {"text": text, "reason": "season", "revision": None}
    oms(state, "save", "-", "--why", "season", "--revision", "0", "--as", "anna", input="ruleset_id: default\n")
    assert gateway.asked[-1].body == {"text": "ruleset_id: default\n", "reason": "season", "revision": 0}
    assert oms(state, "save", str(file)).exit_code == 2, "why is needed"


def test_what_is_refused_is_told_and_ends_with_1(state: Path, gateway: CannedGateway, file: Path) -> None:
    gateway.answers["PUT", f"{RULES}/draft"] = refused("RULESET_CHANGED", "revision 8 is by bert", 409)
    result = oms(state, "save", str(file), "--why", "season")
    assert result.exit_code == 1
    assert "RULESET_CHANGED: revision 8 is by bert" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "path", "told"),
    [
        (("discard",), "draft/discard", "the draft of ruleset default is discarded"),
        (("publish",), "draft/publish", "version 4 of ruleset default judges from "),
        (("withdraw", "4"), "versions/4/withdraw", "version 4 of ruleset default is withdrawn"),
        (("rollback", "1"), "versions/1/roll-back", "version 4 of ruleset default judges from "),
    ],
)
def test_an_act_is_on_the_ruleset_as_it_stands_or_on_the_revision_that_is_named(
    state: Path, gateway: CannedGateway, arguments: tuple[str, ...], path: str, told: str
) -> None:
    publishes = path.endswith(("publish", "roll-back"))
    gateway.answers["POST", f"{RULES}/{path}"] = 200, {"version": 4, "state": STATE} if publishes else STATE
    result = oms(state, *arguments, "--why", "season")
    assert told in result.stdout
    assert gateway.asked[-1].body == {"revision": 7, "reason": "season"}
    options = ("--revision", "5", *(("--at", "2026-12-01T00:00:00+01:00") if publishes else ()))
    oms(state, *arguments, "--why", "season", *options)
    at = {"effective_at": "2026-12-01T00:00:00+01:00"} if publishes else {}
    assert gateway.asked[-1].body == {"revision": 5, "reason": "season"} | at


def editor(tmp_path: Path, script: str) -> dict[str, str]:
    """An editor that does this to the file it is given."""
    program = tmp_path / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {"EDITOR": str(program), "VISUAL": str(program)}


def test_edit_opens_the_draft_and_saves_what_became_of_it(
    state: Path, gateway: CannedGateway, tmp_path: Path
) -> None:
    gateway.answers["PUT", f"{RULES}/draft"] = 200, STATE
    result = oms(state, "edit", "--why", "season", env=editor(tmp_path, 'sed -i s/CHF/EUR/ "$1"'))
    assert "saved, revision 7" in result.stdout
    body = {"text": "revision: 7\ncurrency: EUR\n", "reason": "season", "revision": None}
    assert gateway.asked[-1].body == body
    asked = len(gateway.asked)
    result = oms(state, "edit", "--why", "season", env=editor(tmp_path, "true"))
    assert result.stdout == "nothing was changed\n"
    assert len(gateway.asked) == asked + 1


def test_a_text_that_is_refused_is_not_lost(state: Path, gateway: CannedGateway, tmp_path: Path) -> None:
    gateway.answers["PUT", f"{RULES}/draft"] = refused("UNKNOWN_KEY", "line 3: unknown key")
    result = oms(state, "edit", "--why", "season", env=editor(tmp_path, 'echo "curency: EUR" >> "$1"'))
    assert result.exit_code == 1
    assert "line 3: unknown key" in result.stderr
    kept = Path(result.stderr.partition("The text is kept in ")[2].splitlines()[0])
    assert kept.read_text(encoding="utf-8") == f"{DRAFT['text']}curency: EUR\n"
    kept.unlink()


def test_an_editor_that_fails_saves_nothing(state: Path, gateway: CannedGateway, tmp_path: Path) -> None:
    for environment in (editor(tmp_path, "exit 3"), {"VISUAL": str(tmp_path / "nowhere")}):
        result = oms(state, "edit", "--why", "season", env=environment)
        assert result.exit_code == 1
        assert "set EDITOR to another one" in result.stderr
    assert {asked.method for asked in gateway.asked} == {"GET"}

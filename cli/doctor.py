"""`oms doctor`: what in the running system should agree and does not.

A system at work is always between two states somewhere, so a difference counts only if it is found again, the
same, when its order is looked at again a few seconds later.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import httpx
import typer
from rich.markup import escape

from cli import show
from cli.client import Api, Json, Problem
from cli.state import DEFAULT_STATE, StateOption, running_system

# In the order in which they are asked; the words say what each compares.
CHECKS = {
    "stock": "balances with their ledger and with what is held",
    "orders": "open orders with their holds, stock to come, captured money and workflows",
    "holds": "holds with the orders that need them",
    "room": "room that is taken at points with the orders that need it",
    "appointments": "places in delivery slots with the orders that have them",
    "workflows": "running workflows with the orders that need them",
    "stories": "running workflows with their code: whose steps fail, again and again",
    "payments": "payments with their ledger and with the provider",
    "events": "events on their way to workflows and webhooks",
}
# These judge an age, or the whole of a table: looking at single orders again would not say all.
_WHOLE = ("stock", "room", "appointments", "events")
# Orders looked at again in one question: their ids must fit an address.
_AGAIN = 50
_OPERATOR = "operator"

HEALTHY, DIFFERENT, UNKNOWN = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Difference:
    """Two parts of the system that do not agree. `kind` is UPPER_SNAKE; `order_id` may be empty."""

    check: str
    kind: str
    subject: str
    expected: str
    found: str
    order_id: str = ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What two looks must agree in to have seen the same; an age and a count go on by themselves."""
        seen = "" if self.check == "events" else self.found
        return (self.check, self.kind, self.subject, self.expected, seen)


@dataclass(slots=True)
class Examination:
    """What a look at the whole system gave. `unknown` says by check why it could not be made."""

    checked: dict[str, int] = field(default_factory=dict)
    differences: list[Difference] = field(default_factory=list)
    notes: list[Json] = field(default_factory=list)
    unknown: dict[str, str] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """1 when something differs, 2 when nothing does but not everything could be seen."""
        if self.differences:
            return DIFFERENT
        return UNKNOWN if self.unknown else HEALTHY


def examine(
    api: Api,
    *,
    looks: int = 3,
    pause_seconds: float = 3,
    older_than_seconds: int = 60,
    pause: Callable[[float], None] = time.sleep,
) -> Examination:
    """Makes every check. A difference is one that each of `looks` looks finds the same."""
    examination = Examination()
    asked = {"older_than_seconds": older_than_seconds}
    suspects: dict[str, list[Difference]] = {}
    for check in CHECKS:
        try:
            parameters = asked if check == "events" else {}
            checked, suspects[check], notes = _look(api, check, **parameters)
        except (Problem, httpx.HTTPError) as error:
            examination.unknown[check] = str(error) or type(error).__name__
            continue
        examination.checked[check] = checked
        examination.notes += notes
    for _ in range(looks - 1):
        if any(suspects.values()):
            pause(pause_seconds)
        for check, found in suspects.items():
            try:
                suspects[check] = _look_again(api, check, found, asked)
            except (Problem, httpx.HTTPError) as error:
                suspects[check] = []
                examination.unknown[check] = str(error) or type(error).__name__
    examination.differences = [one for found in suspects.values() for one in found]
    return examination


def _look(api: Api, check: str, **parameters: Any) -> tuple[int, list[Difference], list[Json]]:
    checked, differences, notes = 0, list[Difference](), list[Json]()
    while True:
        page = api.get(f"/v1/checks/{check}", _OPERATOR, **parameters)
        checked += page["checked"]
        differences += [_difference(check, one) for one in page["differences"]]
        notes += page["notes"]
        if not page["next_cursor"]:
            return checked, differences, notes
        parameters["cursor"] = page["next_cursor"]


def _look_again(api: Api, check: str, suspects: Sequence[Difference], asked: Json) -> list[Difference]:
    """Those that are found again, the same."""
    if not suspects:
        return []
    found: list[Difference] = []
    if check in _WHOLE or not all(one.order_id for one in suspects):
        found += _look(api, check, **(asked if check == "events" else {}))[1]
    else:
        order_ids = sorted({one.order_id for one in suspects if one.order_id})
        for start in range(0, len(order_ids), _AGAIN):
            found += _look(api, check, order_id=order_ids[start : start + _AGAIN])[1]
    suspected = {one.identity for one in suspects}
    return [one for one in found if one.identity in suspected]


def _difference(check: str, one: Json) -> Difference:
    return Difference(check, one["kind"], one["subject"], one["expected"], one["found"], one["order_id"] or "")


def register(app: typer.Typer) -> None:
    app.command("doctor")(doctor)


def doctor(
    older_than: Annotated[
        int, typer.Option(min=0, max=86_400, help="Seconds that an event may wait before it counts as late.")
    ] = 60,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead.")] = False,
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Check that stock, orders, money, workflows and events of the running system agree with each other.

    Exit code 0 when they do, 1 when something differs, 2 when something could not be asked.
    """
    with Api.of(running_system(state).gateway_url, state) as api:
        examination = examine(api, older_than_seconds=older_than)
    if as_json:
        typer.echo(json.dumps(asdict(examination), indent=2, ensure_ascii=False))
    else:
        _print(examination)
    raise typer.Exit(examination.exit_code)


def _print(examination: Examination) -> None:
    console = show.console()
    checks = show.table("check", "looked at", "", "compares")
    for check, words in CHECKS.items():
        differ = sum(one.check == check for one in examination.differences)
        verdict = f"[red]{differ} differ[/]" if differ else "[green]agree[/]"
        if check in examination.unknown:
            verdict = "[yellow]not known[/]"
        checks.add_row(check, f"{examination.checked.get(check, 0):,}", verdict, words)
    console.print(checks)
    if examination.differences:
        found = show.table("difference", "of", "expected", "found")
        for one in examination.differences:
            found.add_row(f"[red]{one.kind}[/]", *map(escape, (one.subject, one.expected, one.found)))
        console.print()
        console.print(found)
    for check, why in examination.unknown.items():
        console.print(f"\n[yellow]{check} could not be checked:[/] {escape(why)}")
    for note in examination.notes:
        console.print(f"[dim]{escape(note['subject'])}: {escape(note['detail'])}[/]")

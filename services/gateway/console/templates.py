"""Turns values into pages. Owns how amounts and instants are written; escapes everything."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kit.values.money import Money
from services.gateway.auth import Caller
from services.gateway.console import languages
from services.gateway.console.navigation import menu_of
from services.gateway.schemas.base import MoneyView
from services.gateway.schemas.orders import OrderSummary

FOLDER = Path(__file__).parent / "templates"
# Nothing but our own style sheet is loaded, nothing is run, nobody frames us.
_POLICY = "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
# Of pages that run our own script, and talk to nobody but us.
_POLICY_WITH_SCRIPTS = f"{_POLICY}; script-src 'self'; connect-src 'self'; worker-src 'self'"
_SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def _money(value: MoneyView | None) -> str:
    return str(Money(value.amount_minor, value.currency)) if value else ""


def _amount(amount_minor: int, currency: str) -> str:
    return str(Money(amount_minor, currency))


def _examples_of(content: dict[str, Any], document: dict[str, Any]) -> list[Any]:
    """The examples of a body in an OpenAPI document: its own, or those of its schema."""
    if "examples" in content:
        return [example["value"] for example in content["examples"].values()]
    schema = content["schema"]
    for candidate in (schema, *schema.get("anyOf", [])):
        name = candidate.get("$ref", "").rpartition("/")[2]
        if name:
            examples: list[Any] = document["components"]["schemas"][name].get("examples", [])
            return examples
    return []


def _instant(value: datetime | None) -> str:
    return f"{value.astimezone(UTC):%a %d %b %Y, %H:%M} UTC" if value else ""


def _day(value: date) -> str:
    return f"{value:%a %d %b %Y}"


def _short_day(value: date) -> str:
    return f"{value:%d %b}"


def _week(monday: str) -> str:
    return f"Week of {date.fromisoformat(monday):%d %b %Y}"


def _words(value: str | None) -> str:
    return (value or "").replace("_", " ")


def _share(part: int, whole: int) -> str:
    """In percent; nothing of nothing is no share."""
    return f"{100 * part / whole:.1f}\N{NO-BREAK SPACE}%" if whole else "\N{EN DASH}"


def duration(seconds: float) -> str:
    """The two greatest units of days, hours, minutes and seconds."""
    left = round(seconds)
    told: list[str] = []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or told:
            told.append(f"{count}\N{NO-BREAK SPACE}{unit}" if count else "")
    return " ".join(part for part in told[:2] if part) or "0\N{NO-BREAK SPACE}s"


def _customer_words(order: OrderSummary, wanted: list[str]) -> str:
    """What the customer reads of its status, in a language of who looks at it."""
    return languages.words(order.customer_labels, order.customer_status, wanted)


_environment = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters.update(
    money=_money,
    amount=_amount,
    instant=_instant,
    day=_day,
    short_day=_short_day,
    words=_words,
    week=_week,
    share=_share,
    duration=duration,
    customer_words=_customer_words,
    examples_of=_examples_of,
)


def page(request: Request, template: str, status: int = 200, *, scripts: bool = False, **values: Any) -> Response:
    """A page with its menu. `scripts`: it runs our own."""
    caller: Caller | None = getattr(request.state, "caller", None)
    menu = menu_of(caller) if caller else []
    known: dict[str, Any] = {"languages": languages.preferred(request.headers.get("accept-language", ""))}
    known |= {"caller": caller, "menu": menu, "path": request.url.path}
    html = _environment.get_template(template).render(known | values)
    policy = _POLICY_WITH_SCRIPTS if scripts else _POLICY
    return HTMLResponse(html, status, {"Content-Security-Policy": policy, **_SAFETY})


def asset(name: str, media_type: str) -> Response:
    """A file that pages load."""
    headers = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}
    return Response((FOLDER / name).read_text(), media_type=media_type, headers=headers)

"""The work: what becomes of a preparation order, step by step, and what is said of it.

received -> acknowledged -> picked -> packed -> shipped; or refused; or short, when nothing was found; or
cancelled, until it is packed.
"""

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from simulators.warehouse.books import Body, Books
from simulators.warehouse.rules import Rule

Step = Literal["acknowledged", "refused", "picked", "packed", "shipped"]
_NEXT: Mapping[str, Step] = {
    "received": "acknowledged",
    "acknowledged": "picked",
    "picked": "packed",
    "packed": "shipped",
}
_STOPPABLE = frozenset({"received", "acknowledged", "picked"})
_BOX_GRAMS, _UNIT_GRAMS = 120, 350


class Floor:
    """Moves preparation orders on. With a pace of 0 seconds only who asks for a step moves them."""

    def __init__(self, books: Books, pace_seconds: float) -> None:
        self._books = books
        self._pace_seconds = pace_seconds

    def receive(self, order: Body, fingerprint: str, rules: list[Rule]) -> None:
        """A new preparation order."""
        preparation = order | {
            "status": "received",
            "rules": {rule.kind: rule.model_dump(mode="json") for rule in rules},
        }
        self._books.add(preparation, fingerprint)
        self._save(preparation)

    def cancel(self, preparation: Body) -> str:
        """Asked to stop: "cancelled" or "too_late"."""
        rules = preparation["rules"]
        if preparation["status"] in ("cancelled", "refused", "short"):
            return "cancelled"
        if preparation["status"] not in _STOPPABLE or "late" in rules:
            return "too_late"
        if "ship_anyway" not in rules:
            preparation["status"] = "cancelled"
            self._save(preparation)
        return "cancelled"

    def move_on(self, now: float) -> None:
        """The steps whose time has come, each a transaction."""
        due = self._books.due(now)
        for preparation in due:
            refused = "refuse" in preparation["rules"] and preparation["status"] == "received"
            with self._books.transaction():
                self.step(preparation, "refused" if refused else _NEXT[preparation["status"]], {})

    def step(self, preparation: Body, step: Step, said: Body) -> None:
        """Takes one step, whichever it is, and says so; `said` replaces what it would say."""
        facts = self._facts(preparation, step) | said
        if step == "picked":
            preparation["found"] = facts["lines"]
        nothing = step == "picked" and not any(line["quantity"] for line in facts["lines"])
        preparation["status"] = "short" if nothing else step
        self._save(preparation)
        self._tell(preparation, step, facts)

    def _facts(self, preparation: Body, step: Step) -> Body:
        rules: Body = preparation["rules"]
        lines: list[Body] = preparation["lines"]
        if step == "refused":
            return {"reason": rules.get("refuse", {}).get("reason", "no_staff")}
        if step == "picked":
            short = rules.get("short")
            return {"lines": [_found(line, short) for line in lines]}
        if step == "packed":
            units = sum(line["quantity"] for line in preparation.get("found", lines))
            return {"weight_grams": _BOX_GRAMS + _UNIT_GRAMS * units}
        if step == "shipped":
            return {"tracking_code": f"WMS{secrets.token_hex(6).upper()}"}
        return {}

    def _tell(self, preparation: Body, step: Step, facts: Body) -> None:
        rules, now = preparation["rules"], time.time()
        message = _message(preparation["id"], step, facts, now)
        told = [message]
        if "repeat" in rules:
            told.append(message | {"message_id": _message_id()})
        for one in told:
            self._books.add_message(preparation["id"], one)
        if "mute" in rules:
            return
        for one in told * (2 if "duplicate" in rules else 1):
            self._books.add_sending(preparation["id"], one, None if "shuffle" in rules else now)
        if "shuffle" in rules and preparation["status"] not in _NEXT:
            self._books.release_reversed(preparation["id"], now)

    def _save(self, preparation: Body) -> None:
        moves = self._pace_seconds and preparation["status"] in _NEXT and "idle" not in preparation["rules"]
        slower = preparation["rules"].get("slow", {}).get("seconds", 0)
        self._books.save(preparation, time.time() + self._pace_seconds + slower if moves else None)


def _found(line: Body, short: Body | None) -> Body:
    quantity = line["quantity"]
    if short:
        quantity = min(quantity, short["found"].get(str(line["line_number"]), 0))
    return {"line_number": line["line_number"], "quantity": quantity}


def _message(preparation_id: str, step: Step, facts: Body, now: float) -> Body:
    return {
        "message_id": _message_id(),
        "type": f"preparation.{step}",
        "occurred_at": datetime.fromtimestamp(now, UTC).isoformat(),
        "preparation_id": preparation_id,
        "data": facts,
    }


def _message_id() -> str:
    return f"msg_{secrets.token_hex(12)}"

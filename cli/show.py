"""How orders, money and instants look on a terminal. Shows what it is given; asks nothing."""

import os
from collections import defaultdict
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.client import Json
from kit.values.money import Money

_GOOD = ("validated", "released", "closed", "delivered", "captured", "succeeded")
_BAD = ("refused", "cancelled", "cancelling", "failed")
_WIDTH_OF_A_FILE = 140


def console() -> Console:
    """As wide as the terminal; wide enough for every table when the output goes to a file."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=_WIDTH_OF_A_FILE)


def money(amount: Json | None) -> str:
    """For example `124.80 EUR`; a dash for none."""
    return str(Money(amount["amount_minor"], amount["currency"])) if amount else "-"


def moment(instant: str | None) -> str:
    """An instant in the zone of this machine, for example `Mon 23 Nov 17:00 CET`."""
    return datetime.fromisoformat(instant).astimezone().strftime("%a %d %b %H:%M %Z") if instant else "-"


def window(found: Json | None) -> str:
    """A delivery window, for example `Wed 25 Nov 08:00 to 18:00 CET`."""
    if not found:
        return "-"
    start = datetime.fromisoformat(found["start"]).astimezone()
    end = datetime.fromisoformat(found["end"]).astimezone()
    until = end.strftime("%H:%M %Z") if end.date() == start.date() else moment(found["end"])
    return f"{start.strftime('%a %d %b %H:%M')} to {until}"


def expected(order: Json) -> str:
    """Until when an order is there, red while it is late."""
    until = moment((order["current_promise"] or {}).get("end"))
    return f"[red]{until}[/]" if order["late_since"] else until


def status(word: str) -> str:
    """A status with its colour."""
    colour = "green" if word in _GOOD else "red" if word in _BAD else "yellow"
    return f"[{colour}]{escape(word)}[/]"


def customer_words(order: Json) -> str:
    """What the customer reads of its status, in the language of this terminal where the trade has words in it."""
    chosen = next((found for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (found := os.environ.get(name))), "")
    words: str = order.get("customer_labels", {}).get(chosen[:2], order["customer_status"])
    return words


def table(*headings: str) -> Table:
    """A plain table with these columns."""
    return Table(*headings, box=None, pad_edge=False, header_style="dim")


def header(order: Json) -> Table:
    """Who sold it, where it stands and what was promised."""
    found = Table(box=None, show_header=False, pad_edge=False)
    where = order.get("ship_to")
    rows = {
        "order": order["id"],
        "status": f"{status(order['status'])} ({escape(order['fine_status'])})",
        "for the customer": status(customer_words(order)),
        "channel": escape(f"{order['channel_id']} {order['channel_order_number']}"),
        "placed": moment(order["placed_at"]),
        "promised": f"{window(order['promise'])} ({order['mode']})",
        **_lateness(order),
        "to": escape(f"{where['postcode']} {where['city']}, {where['country']}") if where else "-",
        "total": money(order["total"]),
    }
    if order.get("source_placed_at"):
        # Perhaps years ago: with its date in full.
        taken = datetime.fromisoformat(order["source_placed_at"]).astimezone()
        rows["taken by the channel"] = taken.strftime("%Y-%m-%d %H:%M %Z")
    if held := [escape(hold(one)) for one in order.get("holds", ()) if not one["ended_at"]]:
        rows["held"] = "\n".join(held)
    if fraud := order.get("fraud"):
        reasons = "; ".join(f"{one['reason']} ({one['weight']})" for one in fraud["hits"])
        rows["fraud rules"] = escape(f"{fraud['score']}, {fraud['band']}: {reasons}")
    if changes := [escape(change(one)) for one in order.get("changes", ())]:
        rows["changed"] = "\n".join(changes)
    if order.get("charge"):
        rows["paid at once"] = f"{money(order['charge']['amount'])} {_capture(order['charge'])}"
    if order.get("trial"):
        rows["tried at home"] = trial(order["trial"])
    if met := order.get("appointment"):
        refused = f", not moved: {met['refusal']}" if met["refusal"] else ""
        rows["appointment"] = escape(f"{met['status']}: {met['slot']['slot_id']} ({met['booking_id']}){refused}")
    if order["refusal"]:
        rows["refused"] = escape(f"{order['refusal']['reason']}: {order['refusal']['detail']}")
    if order["cancellation_reason"]:
        rows["cancelled"] = escape(order["cancellation_reason"])
    for name, value in rows.items():
        found.add_row(f"[bold]{name}[/]", value)
    return found


def hold(found: Json) -> str:
    """What is held, why and until when; or how it ended."""
    what = f"{found['hold_id']} {found['kind'].replace('_', ' ')}: {found['reason']}"
    if found["ended_at"]:
        return f"{what} ({found['outcome']} {moment(found['ended_at'])})"
    then = (
        f"until {moment(found['until'])}, then {found['default']}" if found["until"] else "until somebody ends it"
    )
    if found["default"] == "wait":
        then = f"expected {moment(found['until'])}"
    where = f", work {found['fulfilment_id']}" if found["fulfilment_id"] else ""
    return f"{what} ({then}{where})"


def change(found: Json) -> str:
    """What became of a change, and what could be had instead."""
    what = f"{found['change_id']} {found['kind']} {found['state']} ({moment(found['asked_at'])}, {found['actor']})"
    if refusal := found["refusal"]:
        what += f": {refusal['reason']}, {refusal['detail']}"
    could = [f"could be had: {window(one['window'])} ({one['mode']})" for one in found["options"]]
    return "\n".join([what, *could])


def trial(found: Json | None) -> str:
    """Until when goods are tried at home, or what became of it."""
    if found is None:
        return "the trial begins when all has arrived"
    if found["settled_at"]:
        kept = sum(one["to_unit"] - one["from_unit"] for one in found["kept"])
        return f"settled {moment(found['settled_at'])}: {kept} unit{'' if kept == 1 else 's'} kept"
    said = f", decided {moment(found['decided_at'])}" if found["decided_at"] else ""
    return f"until {moment(found['ends_at'])}{said}"


def _lateness(order: Json) -> dict[str, str]:
    """What became of the promise; nothing when it stands as it was given."""
    rows: dict[str, str] = {}
    if changes := order["promise_changes"]:
        causes = [one["cause"].replace("_", " ") for one in changes[-1]["parcels"]]
        why = f" ({', '.join(sorted(set(causes)))})" if causes else ""
        rows["expected"] = f"{window(order['current_promise'])}{why}"
    if order["late_since"]:
        rows["late since"] = f"[red]{moment(order['late_since'])}[/]"
    if order["compensation"]:
        rows["due to the customer"] = money(order["compensation"])
    return rows


def lines(order: Json) -> Table:
    """What was ordered, and which units are in which state."""
    found = table("line", "article", "quantity", "paid", "units")
    for line in order["lines"]:
        states: dict[str, list[str]] = defaultdict(list)
        for units in order["units"]:
            if units["line_number"] == line["line_number"]:
                states[units["state"]].append(_units(units))
        told = "; ".join(f"{', '.join(ranges)} {status(state)}" for state, ranges in states.items())
        paid = line["net_minor"] + line["tax_minor"] + line["shipping_minor"]
        amount = money({"amount_minor": paid, "currency": order["total"]["currency"]})
        put_on = "".join(f", {one['name']}: {one['text'] or '-'}" for one in line.get("personalisations", ()))
        article = escape(f"{line['sku']} {line['title']}{put_on}")
        found.add_row(str(line["line_number"]), article, str(line["quantity"]), amount, told)
    return found


def _units(units: Json) -> str:
    first, last = units["from_unit"] + 1, units["to_unit"]
    return f"{first}" if first == last else f"{first} to {last}"


def fulfilments(order: Json) -> Table:
    """Who works on it, and the parcels."""
    found = table("point", "status", "units", "carrier", "leaves by", "parcel", "capture", "tracking")
    for work in order["fulfilments"]:
        parcel = work["parcel"] or {}
        found.add_row(
            work["point_id"],
            status(work["status"]) + _why(work),
            str(sum(line["quantity"] for line in work["lines"])),
            "taken along" if work.get("taken") else f"{work['carrier_id']} {work['service_id']}",
            moment(work["hand_over_by"]),
            money(parcel.get("amount")),
            _capture(parcel) if parcel else "-",
            escape(parcel.get("tracking_code") or "-"),
        )
    return found


def _why(work: Json) -> str:
    """Why it was refused, what becomes of what was lost, why it goes back, or what is to be put on its units."""
    parcel = work["parcel"] or {}
    if work["status"] == "picked" and any(line.get("personalisations") for line in work["lines"]):
        begun = "being personalised" if work["personalising_since"] else "to personalise"
        return " (personalised)" if work["personalised_at"] else f" ({begun})"
    if loss := parcel.get("loss"):
        return f" ({loss['decision'] or 'decide by ' + moment(loss['decide_by'])})"
    why = work["refusal_reason"] or parcel.get("failure_reason")
    return f" ({why.replace('_', ' ')})" if why else ""


def _capture(of: Json) -> str:
    """What became of a capture; of one that failed, why and when it is tried again."""
    if of["capture_state"] != "failed":
        return status(of["capture_state"])
    then = of.get("capture_next_try_at") or of.get("next_try_at")
    why = escape(of.get("capture_reason") or of.get("reason") or "")
    return f"{status('failed')} ({why}), {f'again {moment(then)}' if then else 'waits for a person'}"


def payment(found: Json | None) -> str:
    """What was authorised, captured, voided and refunded, in one line."""
    if not found:
        return "none yet"
    names = ("authorized", "captured", "voided", "refunded")
    amounts = "  ".join(f"{name} {(found[name] or {}).get('amount_minor', 0) / 100:.2f}" for name in names)
    currency = (found["authorized"] or {}).get("currency", "")
    return f"{amounts} {currency} ({status(found['status'] or '-')})"


def timeline(entries: list[Json]) -> Table:
    """What happened, oldest first."""
    found = table("at", "what", "who")
    for entry in entries:
        at = datetime.fromisoformat(entry["at"]).astimezone().strftime("%H:%M:%S.%f")[:-3]
        found.add_row(at, escape(entry["text"]), f"[dim]{escape(entry['actor'])}[/]")
    return found

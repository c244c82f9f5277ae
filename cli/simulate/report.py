"""What a simulation found, on a terminal: tables, bars, and the sentences it rests on. Asks nothing."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli import show
from cli.client import Json
from cli.simulate import plot
from kit.values.money import exponent

_SHOWN_ORDERS = 10
_BAR_WIDTH = 40
# A label, both values and their decimals; a heading has no values.
Figure = tuple[str, float | None, float | None, int]


def tell(simulation: Json, console: Console) -> None:
    """Everything that matters of it; the rest is in its JSON."""
    console.print(headline(simulation))
    result = simulation["result"]
    if result is None:
        return
    console.print(
        f"{result['orders']} orders of {result['lines']} lines and {result['units']} units; "
        f"{result['changed_orders']} would be shipped differently"
    )
    if simulation["setup"]["stock"] == "recorded":
        console.print(f"{result['as_recorded_orders']} are planned today as they were planned then")
    console.print()
    console.print(figures(simulation))
    if missing := _fewer_units(result):
        console.print(f"[yellow]{missing}[/]")
    console.print()
    console.print(loads(result))
    for chart in plot.charts(simulation):
        console.print()
        console.print(f"[bold]{escape(chart.title)}[/]  [blue]in force[/]  [yellow]candidate[/]")
        console.print(_bars(chart))
    _tell_orders(simulation, console)
    if result["skipped"]:
        skipped = ", ".join(f"{one['reason']} {one['count']}" for one in result["skipped"])
        console.print(f"\nskipped: {skipped}")
    console.print()
    for note in result["notes"]:
        console.print(f"[dim]- {escape(note)}[/]", soft_wrap=True)


def headline(simulation: Json) -> str:
    """Which it is and where it stands."""
    why = f" ({escape(simulation['reason'])}: {escape(simulation['detail'])})" if simulation["reason"] else ""
    name = f"  {escape(simulation['setup']['name'])}" if simulation["setup"]["name"] else ""
    return f"[bold]{escape(simulation['simulation_id'])}[/]{name}  {show.status(simulation['state'])}{why}"


def figures(simulation: Json) -> Table:
    """Both rulesets beside each other."""
    live, candidate = plot.names(simulation)
    found = show.table("", escape(live), escape(candidate), "difference")
    for column in found.columns[1:]:
        column.justify = "right"
    currency = simulation["live"]["currency"]
    for label, one, other, decimals in _rows(simulation["result"], currency):
        if one is None or other is None:
            found.add_row(f"[bold]{label}[/]")
        else:
            difference = _difference(one, other, decimals)
            found.add_row(label, f"{one:,.{decimals}f}", f"{other:,.{decimals}f}", difference)
    return found


def _fewer_units(result: Json) -> str:
    """What a lower total may come from; empty when both ship as many units."""
    units = result["candidate"]["units_shipped"] - result["live"]["units_shipped"]
    if not units:
        return ""
    than = "more" if units > 0 else "fewer"
    return (
        f"The candidate ships {abs(units):,} units {than}: totals are of different goods. Compare the orders that "
        "both ship whole."
    )


def _rows(result: Json, currency: str) -> Iterator[Figure]:
    live, candidate, like = result["live"], result["candidate"], result["like_for_like"]
    decimals = exponent(currency)
    unit = 10**decimals

    def both(label: str, name: str, divisor: int = 1, decimals: int = 0) -> Figure:
        return label, live[name] / divisor, candidate[name] / divisor, decimals

    def spread(label: str, name: str, part: str, decimals: int = 0) -> Figure:
        return label, live[name][part], candidate[name][part], decimals

    yield f"real cost, {currency}", None, None, 0
    yield both("total", "real_cost_minor", unit, decimals)
    yield both("  shipping", "shipping_minor", unit, decimals)
    yield both("  preparation", "preparation_minor", unit, decimals)
    yield (
        f"of the {like['orders']} orders that both ship whole",
        like["live_real_cost_minor"] / unit,
        like["candidate_real_cost_minor"] / unit,
        decimals,
    )
    yield "orders", None, None, 0
    yield both("shipped whole", "whole_orders")
    yield both("shipped in part", "partial_orders")
    yield both("not shipped", "unshipped_orders")
    yield both("units not shipped", "units_not_shipped")
    yield from _reasons(live["not_shipped"], candidate["not_shipped"])
    yield both("parcels", "parcels")
    yield both("split orders", "split_orders")
    yield spread("parcels an order, mean", "parcels_per_order", "mean", 2)
    yield spread("parcels an order, p95", "parcels_per_order", "p95")
    yield spread("days to the promise, mean", "promise_days", "mean", 2)
    yield spread("days to the promise, p50", "promise_days", "p50")
    yield spread("days to the promise, p95", "promise_days", "p95")
    yield both("later than promised", "late_orders")
    yield both("carbon, kg CO2e", "carbon_grams_co2e", 1000, 1)
    yield both("plans not proved the best", "not_proved_orders")
    yield "objective, each by its own weights", None, None, 0
    yield both("total", "objective_minor", unit, decimals)
    own = [{cost["name"]: cost["amount_minor"] for cost in side["objective"]} for side in (live, candidate)]
    for name in dict.fromkeys([*own[0], *own[1]]):
        yield f"  {escape(name)}", own[0].get(name, 0) / unit, own[1].get(name, 0) / unit, decimals


def _reasons(live: list[Json], candidate: list[Json]) -> Iterator[Figure]:
    sides = [{one["reason"]: one["count"] for one in side} for side in (live, candidate)]
    for reason in sorted(sides[0].keys() | sides[1].keys()):
        yield f"  {escape(reason)}", sides[0].get(reason, 0), sides[1].get(reason, 0), 0


def _difference(one: float, other: float, decimals: int) -> str:
    text = f"{other - one:+,.{decimals}f}"
    if one and other != one:
        text += f" ({(other - one) / one:+.1%})"
    return text if other != one else "[dim]=[/]"


def loads(result: Json) -> Table:
    """Work of each type of point and of each point."""
    found = show.table(
        "point", "type", "parcels", "candidate", "difference", "units", "candidate", "busiest day", ""
    )
    for column in (2, 3, 4, 5, 6):
        found.columns[column].justify = "right"
    for one in [*result["point_types"], *result["points"]]:
        live, candidate = one["live"], one["candidate"]
        found.add_row(
            escape(one.get("point_id", "(all)")),
            one["point_type"],
            f"{live['parcels']:,}",
            f"{candidate['parcels']:,}",
            _difference(live["parcels"], candidate["parcels"], 0),
            f"{live['units']:,}",
            f"{candidate['units']:,}",
            _busiest(live),
            _busiest(candidate),
        )
    return found


def _busiest(load: Json) -> str:
    return f"{load['busiest_day']}: {load['busiest_day_parcels']}" if load["busiest_day"] else "-"


def _bars(chart: plot.Chart) -> Table:
    found = Table(box=None, show_header=False, pad_edge=False)
    for number, (label, blocks, value) in enumerate(plot.lines(chart, _BAR_WIDTH)):
        colour = "blue" if number % 2 == 0 else "yellow"
        found.add_row(escape(label), f"[{colour}]{blocks}[/]", value)
    return found


def _tell_orders(simulation: Json, console: Console) -> None:
    result, decimals = simulation["result"], exponent(simulation["live"]["currency"])
    for title, orders, count in (
        ("largest differences in real cost", result["changed"], len(result["changed"])),
        ("only the ruleset in force ships whole", result["only_live"], result["only_live_orders"]),
        ("only the candidate ships whole", result["only_candidate"], result["only_candidate_orders"]),
    ):
        if not orders:
            continue
        console.print(f"\n[bold]{title}[/]")
        found = show.table("order", "placed", "in force", "candidate", "difference")
        found.columns[4].justify = "right"
        for order in orders[:_SHOWN_ORDERS]:
            found.add_row(
                escape(order["order_id"]),
                (order["placed_at"] or "")[:10],
                _plan(order["live"], decimals),
                _plan(order["candidate"], decimals),
                f"{order['difference_minor'] / 10**decimals:+,.{decimals}f}",
            )
        console.print(found)
        if count > _SHOWN_ORDERS:
            console.print(f"[dim]and {count - _SHOWN_ORDERS} more[/]")


def _plan(planned: Json, decimals: int) -> str:
    """Where the parcels come from, what they cost and when they arrive."""
    if not planned["legs"]:
        return "not shipped"
    points = " + ".join(f"{leg['point_id']} {leg['units']}" for leg in planned["legs"])
    missing = f", {planned['units_not_shipped']} missing" if planned["units_not_shipped"] else ""
    cost = planned["real_cost_minor"] / 10**decimals
    return escape(f"{points}: {cost:,.{decimals}f}, D+{planned['promise_days']}{missing}")

"""`oms stock show`: the figure as a sum, and each point with its reason."""

import io

from rich.console import Console

from cli.client import Json
from cli.stock.figures import points_table, sum_in_words

INPUTS = {"physical": 27, "reserved": 0, "excluded": 2, "unavailable": 1, "safety_stock": 3}


def point(point_id: str, **given: object) -> Json:
    figures = {"on_hand": 9, "reserved": 1, "unavailable": 0, "safety_stock": 2, "available": 6}
    why = {"safety_stock_rule": "channel: 2", "barred": None, "limited_by": None}
    return {"point_id": point_id, **figures, **why, **given}


def test_a_figure_is_told_as_the_first_input_less_those_that_took_something() -> None:
    told = sum_in_words({"available_now": 21, "inputs": INPUTS})
    assert told == "27 on hand - 2 excluded - 1 unavailable - 3 kept back = 21"


def test_a_point_tells_why_it_is_barred_rather_than_what_it_would_keep_back() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(
        points_table([point("st-lyon"), point("st-lille", available=0, barred="EXCLUDED: [stock-taking]")])
    )
    _, lyon, lille = out.getvalue().splitlines()
    assert lyon.split() == ["st-lyon", "9", "1", "0", "2", "6", "channel:", "2"]
    assert lille.split()[5:] == ["0", "EXCLUDED:", "[stock-taking]"]


def test_a_point_tells_which_part_of_a_bundle_it_has_least_of() -> None:
    out = io.StringIO()
    Console(file=out, width=120).print(points_table([point("st-lyon", limited_by="PAN")]))
    assert out.getvalue().splitlines()[1].split()[6:] == ["PAN:", "channel:", "2"]

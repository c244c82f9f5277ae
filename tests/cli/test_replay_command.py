"""`oms replay` as a person types it: what does not fit is said before anything is sent."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app

EXCERPT = Path(__file__).parent / "data" / "orders.csv"
GOOD = ("--channel", "web-fr", "--currency", "EUR", "--ship-to", "FR 75011")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--map", "colour=x"), "--map colour=x: KEY=COLUMN, where KEY is one of order, sku"),
        (("--map", "sku"), "--map sku: KEY=COLUMN"),
        (("--ship-to", "75011"), "--ship-to 75011: a country"),
        (("--time-zone", "Mars/Olympus"), "--time-zone Mars/Olympus"),
        (("--since", "soon"), "--since soon"),
        (("--encoding", "klingon"), "--encoding klingon"),
        (("--delimiter", "--"), "--delimiter --"),
        (("--tax-rate", "5.555"), "--tax-rate 5.555"),
        (("--create-items", "--stock", "5"), "--stock needs --at"),
        (("--create-items", "--at", "wh-orleans"), "--at needs --stock"),
        (("--report", "/no/such/folder/report.json"), "--report /no/such/folder/report.json"),
        (("--rejected", "/"), "--rejected /"),
    ],
)
def test_an_option_that_makes_no_sense_is_named(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, ["replay", str(EXCERPT), *GOOD, *words, "--state", str(tmp_path)])
    assert done.exit_code == 2, done.output
    assert f"No order was sent: {said}" in done.stderr


def test_without_a_system_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["replay", str(EXCERPT), *GOOD, "--state", str(tmp_path)])
    assert done.exit_code == 1
    assert "oms up" in done.stderr

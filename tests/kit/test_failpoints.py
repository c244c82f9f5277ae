"""A process dies where a test wants it to, once; nobody else is touched, and nothing happens untold."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.conftest import MakeDatabase

_ROOT = Path(__file__).parents[2]

REACH_TWICE = """
from kit import failpoints
with failpoints.acting("Reserve"):
    failpoints.reach("before_answer")
print("passed", flush=True)
failpoints.reach("told")
"""

# Reads, writes and rolls back, then writes three times in one call, in each of the ways there are.
COMMIT = """
import asyncio, os
from sqlalchemy import text
from kit import db, failpoints

ways = {
    1: lambda tx, *statement: tx.execute(*statement),
    2: db.rows,
    3: lambda tx, *statement: db.in_one_trip(tx, statement, ends=True),
}

async def act(engine):
    async with engine.begin() as tx:
        await tx.execute(text("SELECT 1"))
    try:
        async with engine.begin() as tx:
            await tx.execute(text("INSERT INTO mark VALUES (0)"))
            raise ValueError
    except ValueError:
        pass
    for number in ways:
        async with engine.begin() as tx:
            await ways[number](tx, text("INSERT INTO mark VALUES (:number)"), {"number": number})

async def main():
    engine = db.connect(os.environ["OMS_DATABASE_URL"])
    async with engine.begin() as tx:
        await tx.execute(text("CREATE TABLE IF NOT EXISTS mark (number integer)"))
    await failpoints.around("Act", act)(engine)
    await engine.dispose()

asyncio.run(main())
"""


def run(code: str, folder: Path | None, **environment: str) -> subprocess.CompletedProcess[str]:
    told = {name: value for name, value in os.environ.items() if name != "OMS_FAILPOINTS"} | environment
    if folder:
        told["OMS_FAILPOINTS"] = str(folder)
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=told, cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False)


def reached(folder: Path) -> set[str]:
    return {file.name for file in (folder / "reached").iterdir()}


def test_a_process_dies_at_the_point_that_was_armed_and_only_once(tmp_path: Path) -> None:
    armed = tmp_path / "Reserve.before_answer"
    armed.touch()
    killed = run(REACH_TWICE, tmp_path)
    assert (killed.returncode, killed.stdout) == (-signal.SIGKILL, ""), killed.stderr
    assert not armed.exists()

    again = run(REACH_TWICE, tmp_path)
    assert (again.returncode, again.stdout) == (0, "passed\n"), again.stderr
    assert reached(tmp_path) == {"Reserve.before_answer", "told"}


def test_of_two_replicas_that_come_to_an_armed_point_one_dies(tmp_path: Path) -> None:
    (tmp_path / "told").touch()
    told = {**os.environ, "OMS_FAILPOINTS": str(tmp_path)}
    both = [subprocess.Popen([sys.executable, "-c", REACH_TWICE], env=told, cwd=_ROOT) for _ in range(2)]
    assert sorted(process.wait(60) for process in both) == [-signal.SIGKILL, 0]


def test_a_process_that_was_not_told_of_a_folder_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "told").touch()
    passed = run(REACH_TWICE, None)
    assert passed.returncode == 0, passed.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["told"]


@pytest.mark.parametrize(
    ("point", "kept"),
    [
        ("Act.before_commit", []),
        ("Act.before_commit.2", [1]),
        ("Act.before_commit.3", [1, 2]),
        ("Act.before_answer", [1, 2, 3]),
    ],
)
def test_the_commits_of_a_call_are_points_if_they_write(
    tmp_path: Path, point: str, kept: list[int], make_database: MakeDatabase
) -> None:
    database = make_database("relay")
    url = database.url
    psycopg_url = url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(psycopg_url) as connection:
        connection.execute("DROP TABLE IF EXISTS mark")
    (tmp_path / point).touch()
    killed = run(COMMIT, tmp_path, OMS_DATABASE_URL=url)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    with psycopg.connect(psycopg_url) as connection:
        assert [number for (number,) in connection.execute("SELECT number FROM mark ORDER BY 1")] == kept

    whole = run(COMMIT, tmp_path, OMS_DATABASE_URL=url)
    assert whole.returncode == 0, whole.stderr
    assert reached(tmp_path) == {
        "Act.before_commit",
        "Act.before_commit.2",
        "Act.before_commit.3",
        "Act.before_answer",
    }

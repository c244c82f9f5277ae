"""What PostgreSQL does by itself: its own pgbench, with a script of ours on a table of ours, gone at the end."""

import re
import subprocess
import tempfile
from pathlib import Path

import psycopg

from deploy.local.postgres import binaries

_TABLE = "benchmark_hot_row"
_THREADS = 2


def one_hot_row(url: str, sessions: int, seconds: int) -> float:
    """How many transactions a second update one and the same row. `url` is SQLAlchemy's, of any database."""
    plain_url = url.replace("postgresql+psycopg://", "postgresql://", 1)
    with psycopg.connect(plain_url, autocommit=True) as connection, tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "update.sql"
        script.write_text(f"UPDATE {_TABLE} SET reserved = reserved + 1 WHERE id = 1;\n")
        connection.execute(f"CREATE TABLE {_TABLE} (id integer PRIMARY KEY, reserved bigint NOT NULL)")
        try:
            connection.execute(f"INSERT INTO {_TABLE} VALUES (1, 0)")
            command = [binaries() / "pgbench", "-n", "-f", script, "-c", sessions, "-j", _THREADS, "-T", seconds]
            done = subprocess.run(
                [*map(str, command), plain_url], check=True, capture_output=True, text=True, timeout=seconds + 60
            )
        finally:
            connection.execute(f"DROP TABLE {_TABLE}")
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if found is None:
        raise ValueError(f"pgbench said no figure: {done.stdout}")
    return float(found[1])

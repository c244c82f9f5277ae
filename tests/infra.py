"""The real servers behind the tests, and how tests share them.

One PostgreSQL and one Temporal serve a whole run. Each is started by the first test that needs it, in any
worker, and lives in a keeper process (see `keeper.py`). Databases are cloned from one migrated template per
service.
"""

import asyncio
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal
from uuid import uuid4

import psutil
import psycopg
from psycopg import sql

from deploy.local.postgres import create_database
from deploy.local.process import tail
from kit import db

RUN_FOLDER_VARIABLE = "OMS_TEST_RUN_FOLDER"
RUN_PID_VARIABLE = "OMS_TEST_RUN_PID"
KEEP_VARIABLE = "OMS_TEST_KEEP"
START_SECONDS = 60
Migrate = Callable[[str, str], Coroutine[None, None, None]]
ServerKind = Literal["postgres", "temporal"]


# -- the run ----------------------------------------------------------------------------------------------


def open_run() -> None:
    """Called once, by the process that owns the run; the workers inherit what it says in the environment."""
    os.environ[RUN_FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="oms-test-")
    os.environ[RUN_PID_VARIABLE] = str(os.getpid())


def run_folder() -> Path:
    """Where the run's servers keep their data and logs; kept after the run when OMS_TEST_KEEP is set."""
    return Path(os.environ[RUN_FOLDER_VARIABLE])


def close_run() -> None:
    """Stop the servers that were started and forget their data."""
    folder = run_folder()
    del os.environ[RUN_FOLDER_VARIABLE]
    keepers = [psutil.Process(int(file.read_text())) for file in folder.glob("*.pid") if _lives(file)]
    for keeper in keepers:
        keeper.send_signal(signal.SIGTERM)
    psutil.wait_procs(keepers, timeout=15)
    if KEEP_VARIABLE not in os.environ:
        shutil.rmtree(folder, ignore_errors=True)


def server_folder(prefix: str) -> Path:
    """A new folder for the data of a server, gone at the end of the run.

    Not one of pytest's: those are closed to the user that PostgreSQL runs as each time a pytest starts.
    """
    return Path(tempfile.mkdtemp(prefix=f"{prefix}-", dir=os.environ[RUN_FOLDER_VARIABLE]))


def server_address(kind: ServerKind) -> str:
    """Where the run's server listens; starts it when nobody has yet."""
    folder = Path(os.environ[RUN_FOLDER_VARIABLE])
    published = folder / f"{kind}.json"
    with _locked(folder / f"{kind}.lock"):
        if not published.exists():
            _start_keeper(kind, folder, published)
    return str(json.loads(published.read_text())["address"])


def _start_keeper(kind: ServerKind, folder: Path, published: Path) -> None:
    log = folder / f"keeper-{kind}.log"
    with log.open("ab") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.keeper", kind, str(folder), os.environ[RUN_PID_VARIABLE]],
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd=Path(__file__).parents[1],
        )
    (folder / f"{kind}.pid").write_text(str(keeper.pid))
    deadline = time.monotonic() + START_SECONDS
    while not published.exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{kind} did not start: {tail(log)}\n{tail(folder / f'{kind}.log')}")
        time.sleep(0.02)


def _lives(pid_file: Path) -> bool:
    return psutil.pid_exists(int(pid_file.read_text()))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# -- databases --------------------------------------------------------------------------------------------

# Only tables whose file holds anything are emptied (most tests touch few), row by row: to truncate a table makes
# new files of it, of all that refer to it and of their indexes, which costs more than to delete what a test wrote.
# Triggers and foreign keys are off meanwhile: a ledger that refuses to be emptied is emptied all the same. Rows
# that migrations put in are put back.
_EMPTY_ALL = """
SET LOCAL lock_timeout = '10s';
SET LOCAL session_replication_role = replica;
DO $$
DECLARE
    one record;
    filled oid[];
    large text;
BEGIN
    SELECT array_agg(pg_class.oid) INTO filled
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'r' AND nspname NOT IN ('information_schema', 'test_seed')
      AND nspname !~ '^pg_' -- the system's, and temporary ones of sessions that are about to end
      AND relname <> 'alembic_version'
      AND pg_relation_size(pg_class.oid) > 0;
    SELECT string_agg(relation::regclass::text, ', ') INTO large
    FROM unnest(filled) AS relation WHERE pg_relation_size(relation) > 1000000;
    IF large <> '' THEN
        EXECUTE format('TRUNCATE %s CASCADE', large);
    END IF;
    FOR one IN SELECT unnest(filled)::regclass AS name
    LOOP
        EXECUTE format('DELETE FROM %s', one.name);
    END LOOP;
    PERFORM setval(objid::regclass, seqstart, false) FROM pg_depend JOIN pg_sequence ON seqrelid = objid
    WHERE classid = 'pg_class'::regclass AND refobjid = ANY (filled) AND deptype IN ('a', 'i');
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'test_seed'
    LOOP
        EXECUTE format('INSERT INTO public.%I OVERRIDING SYSTEM VALUE SELECT * FROM test_seed.%I '
                       'ON CONFLICT DO NOTHING', one.tablename, one.tablename);
    END LOOP;
END $$;
"""

_SAVE_SEED = """
CREATE SCHEMA test_seed;
DO $$
DECLARE
    one record;
    filled boolean;
BEGIN
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', one.tablename) INTO filled;
        IF filled THEN
            EXECUTE format('CREATE TABLE test_seed.%I AS TABLE public.%I', one.tablename, one.tablename);
        END IF;
    END LOOP;
END $$;
"""


@dataclass(frozen=True)
class Database:
    """One service's database for one test module."""

    name: str
    admin_url: str

    @property
    def url(self) -> str:
        """For SQLAlchemy and `OMS_DATABASE_URL`."""
        return self._plain_url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def _plain_url(self) -> str:
        return self.admin_url.rsplit("/", 1)[0] + f"/{self.name}"

    @cached_property
    def engine(self) -> db.AsyncEngine:
        """For one test after the other: what it has compiled outlives its connections, which each test closes."""
        return db.connect(self.url)

    def clean(self) -> None:
        """Leave in it what its migrations left, and nothing more."""
        # A process of the module that reads in the background may stand in the way: it, or we, are told so.
        for patience in (True, True, True, False):
            try:
                with psycopg.connect(self._plain_url) as connection:
                    connection.execute(_EMPTY_ALL)
                return
            except psycopg.errors.DeadlockDetected:
                if not patience:
                    raise

    def drop(self) -> None:
        """Remove it, whoever is still connected."""
        _administer(self.admin_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)


def clone_database(admin_url: str, service: str, migrate: Migrate = db.migrate) -> Database:
    """A new database with the tables that the service's migrations make."""
    name = f"{service}_{uuid4().hex[:12]}"
    template = _template(admin_url, service, migrate)
    _administer(admin_url, "CREATE DATABASE {} TEMPLATE {}", name, template)
    return Database(name, admin_url)


def _template(admin_url: str, service: str, migrate: Migrate) -> str:
    folder = Path(os.environ[RUN_FOLDER_VARIABLE])
    name, made = f"template_{service}", folder / f"template_{service}.made"
    with _locked(folder / f"template_{service}.lock"):
        if not made.exists():
            _administer(admin_url, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            create_database(admin_url, name)
            template = Database(name, admin_url)
            # In a thread of its own: the fixture that asks may stand inside a running event loop.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, migrate(service, template.url)).result()
            with psycopg.connect(template._plain_url) as connection:
                connection.execute(_SAVE_SEED)
            _close_to_all(admin_url, name)
            made.touch()
    return name


def _close_to_all(admin_url: str, name: str) -> None:
    # A template in use cannot be cloned, and the pool of an env.py may have kept its connection.
    _administer(admin_url, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
    with psycopg.connect(admin_url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,)
        )


def _administer(admin_url: str, statement: str, *names: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

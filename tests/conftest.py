"""What every test may ask for: the run's servers, a clean database per service, seconds per folder.

    async def test_the_last_unit_is_sold_once(inventory_db: AsyncEngine) -> None: ...

`<service>_db` is an engine on the service's own migrated database: cloned per module, emptied per test.
`make_database("inventory").url` is for tests that start a process. See `infra.py` for how they are shared.
`stack` is the full system, every process of it.
"""

import asyncio
import os
import shutil
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from kit import garbage
from tests import infra
from tests.infra import Database
from tests.otlp import Collector, running_collector
from tests.stack import SharedStack, running_stack

STACK_TEST_SECONDS = 240
STACK_FOLDER = "tests/end_to_end/"
STACK_SCOPE = "the full system"
MakeDatabase = Callable[[str], Database]


def pytest_addoption(parser: pytest.Parser) -> None:
    lives = parser.getgroup("random lives", "tests/attack/test_lives.py")
    lives.addoption("--lives", type=int, default=36, help="so many in each world")
    lives.addoption("--lives-seed", type=int, default=20270301, help="others than the usual ones")


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        infra.open_run()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        infra.close_run()


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop that our processes run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session")
def postgres() -> str:
    """The address of the run's PostgreSQL as its superuser (for psycopg)."""
    return infra.server_address("postgres")


@pytest.fixture(scope="session")
def temporal_address() -> str:
    """host:port of the run's Temporal: time skipping allowed, search attributes registered."""
    return infra.server_address("temporal")


@pytest.fixture
def server_folder() -> Path:
    """For the data of a server that the test starts itself (not `tmp_path`: see `infra.server_folder`)."""
    return infra.server_folder("server")


@pytest.fixture(scope="module")
def make_database(postgres: str) -> Iterator[MakeDatabase]:
    """Gives this module's database of a service; the same one each time it is asked."""
    made: dict[str, Database] = {}

    def make(service: str) -> Database:
        if service not in made:
            made[service] = infra.clone_database(postgres, service)
        return made[service]

    yield make
    for database in made.values():
        database.drop()


def _engine_on(service: str) -> Callable[[MakeDatabase], AsyncIterator[AsyncEngine]]:
    @pytest_asyncio.fixture(name=f"{service}_db")
    async def engine(make_database: MakeDatabase) -> AsyncIterator[AsyncEngine]:
        database = make_database(service)
        database.clean()
        yield database.engine
        await database.engine.dispose()

    return engine


inventory_db = _engine_on("inventory")
promise_db = _engine_on("promise")
orders_db = _engine_on("orders")
payments_db = _engine_on("payments")
booking_db = _engine_on("booking")
relay_db = _engine_on("relay")
handover_db = _engine_on("handover")


@pytest.fixture(scope="session")
def collector() -> Iterator[Collector]:
    """What the full system sends of traces and metrics."""
    with running_collector() as running:
        yield running


@pytest.fixture(scope="session")
def stack(collector: Collector) -> Iterator[SharedStack]:
    """The full system with the demo retailer loaded: one for all tests that ask for it (see `stack.py`)."""
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint, "OTEL_METRIC_EXPORT_INTERVAL": "2000"}
    # Not in pytest's folder: another run would close that to the user who owns PostgreSQL's files.
    with running_stack(infra.run_folder() / "stack", environment=told, mortal=True) as running:
        yield running


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's path. Skips where there is none, except in CI, where it must be there."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("CI"):
        pytest.fail("Chromium is not installed")
    pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # The first test on the full system waits for the start of every process.
        if "stack" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(STACK_TEST_SECONDS))
        # Schemathesis leaves the endpoint out of a test's id.
        if item.parent and not item.nodeid.endswith(f"::{item.name}"):
            item._id = item.parent.id.child(item.name)
    # Tests are dealt to the workers by id: of two with the same one, only one would be run.
    times = Counter(item.nodeid for item in items)
    if shared := [nodeid for nodeid, count in times.items() if count > 1]:
        raise pytest.UsageError(f"tests that share an id: {', '.join(shared)}")


def pytest_collection_finish() -> None:
    # As in the processes of the services: a fifth of the run's time, together with their loop.
    garbage.settle_down()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """A file stays on one worker, and so do all files on the full system: there is one of it."""
    return _OneStack(config, log)


class _OneStack(LoadScopeScheduling):  # type: ignore[misc]
    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return STACK_SCOPE if path.startswith(STACK_FOLDER) else path

    def _assign_work_unit(self, node: WorkerController) -> None:
        # It takes longer than any file: begun late, it would go on alone at the end.
        if STACK_SCOPE in self.workqueue:
            self.workqueue.move_to_end(STACK_SCOPE, last=False)
        super()._assign_work_unit(node)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Seconds of test time per folder, dearest first."""
    seconds: dict[str, float] = defaultdict(float)
    counts: dict[str, int] = defaultdict(int)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                folder = report.nodeid.split("::")[0].rpartition("/")[0] or "."
                seconds[folder] += report.duration
                counts[folder] += report.when == "call"
    if seconds:
        terminalreporter.section("seconds per folder")
    for folder in sorted(seconds, key=seconds.__getitem__, reverse=True):
        terminalreporter.line(f"{seconds[folder]:8.1f} s  {counts[folder]:5d} tests  {folder}")

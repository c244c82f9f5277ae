"""The local Temporal: histories are kept for a month, operators can search orders."""

from pathlib import Path

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from deploy.local.process import ManagedProcess, free_port
from deploy.local.temporal import NAMESPACE, RETENTION, SEARCH_ATTRIBUTES, TemporalServer


async def test_the_namespace_keeps_its_settings_over_a_restart(tmp_path: Path) -> None:
    server = TemporalServer(tmp_path / "temporal.db", free_port(), tmp_path / "temporal.log")
    for time in ("first", "second"):
        process = ManagedProcess(server.spec())
        await process.start()
        await process.wait_ready()
        if time == "first":
            await server.configure()
        client = await Client.connect(server.address)
        namespace = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=NAMESPACE))
        assert namespace.config.workflow_execution_retention_ttl.ToTimedelta() == RETENTION
        known = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=NAMESPACE)
        )
        assert set(SEARCH_ATTRIBUTES) <= set(known.custom_attributes)
        await process.stop()

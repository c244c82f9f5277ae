"""Which other systems do work of the demo retailer's points. Put once: after that they belong to the people."""

from pathlib import Path
from typing import Any

import yaml

from kit import rpc
from oms.handover.v1 import handover_service_pb2 as pb
from oms.handover.v1.handover_service_pb2_grpc import HandoverServiceStub

_FILE = Path(__file__).parent / "data" / "handover.yaml"
_TIMEOUT_SECONDS = 60


def read() -> list[pb.System]:
    """The systems. ValueError or KeyError for a mistake in the file."""
    return [_system(entry) for entry in yaml.safe_load(_FILE.read_text(encoding="utf-8"))]


async def load(handover: str) -> int:
    """Puts those that are not there at the service of this address (host:port); how many there are."""
    systems = read()
    async with rpc.connect(handover) as channel:
        stub = HandoverServiceStub(channel)
        known = await stub.ListSystems(pb.ListSystemsRequest(), timeout=_TIMEOUT_SECONDS)
        ids = {one.system_id for one in known.systems}
        if missing := [one for one in systems if one.system_id not in ids]:
            request = pb.PutSystemsRequest(systems=missing, actor="retailers/demo")
            await stub.PutSystems(request, timeout=_TIMEOUT_SECONDS)
    return len(systems)


def _system(entry: dict[str, Any]) -> pb.System:
    return pb.System(
        system_id=entry["system"],
        name=entry["name"],
        point_ids=entry["points"],
        enabled=entry["enabled"],
        acknowledge_tolerance_seconds=60 * entry["acknowledge_tolerance_minutes"],
        ship_tolerance_seconds=60 * entry["ship_tolerance_minutes"],
    )

"""Which adapter speaks to which kind of system. A new kind is a file beside, and a line here."""

from collections.abc import Callable, Mapping

from services.handover.systems import Connection, OtherSystem
from services.handover.systems.warehouse import Warehouse

KINDS: Mapping[str, Callable[[Connection], OtherSystem]] = {"warehouse": Warehouse}


def connect(connections: Mapping[str, Connection]) -> dict[str, OtherSystem]:
    """The systems by id. Raises ValueError for a kind that nobody speaks to."""
    for system_id, connection in connections.items():
        if connection.kind not in KINDS:
            raise ValueError(f"{system_id} is of kind {connection.kind!r}; known are {', '.join(KINDS)}")
    return {system_id: KINDS[one.kind](one) for system_id, one in connections.items()}

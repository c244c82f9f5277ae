"""What a system's settings must be."""

from collections.abc import Collection, Mapping, Sequence

from kit.errors import InvalidArgument
from services.handover.domain.model import System

MAX_SYSTEMS = 100
MAX_POINTS = 1000
MAX_TOLERANCE_SECONDS = 30 * 86_400


def check_systems(systems: Sequence[System], connected: Collection[str], owners: Mapping[str, str]) -> None:
    """Raises InvalidArgument naming the field. `owners`: the system of each point, but of those replaced."""
    if not 1 <= len(systems) <= MAX_SYSTEMS:
        raise InvalidArgument("systems", f"1 to {MAX_SYSTEMS} systems")
    taken = dict(owners)
    seen: set[str] = set()
    for i, system in enumerate(systems):
        where = f"systems[{i}]"
        if system.system_id in seen:
            raise InvalidArgument(f"{where}.system_id", "a system is said once")
        seen.add(system.system_id)
        if system.system_id not in connected:
            raise InvalidArgument(f"{where}.system_id", "there is no connection to it", reason="UNKNOWN_SYSTEM")
        _check_name(f"{where}.name", system.name)
        for name in ("acknowledge_tolerance_seconds", "ship_tolerance_seconds"):
            if not 0 <= getattr(system, name) <= MAX_TOLERANCE_SECONDS:
                raise InvalidArgument(f"{where}.{name}", f"0 to {MAX_TOLERANCE_SECONDS}")
        if len(system.point_ids) > MAX_POINTS:
            raise InvalidArgument(f"{where}.point_ids", f"at most {MAX_POINTS} points")
        for j, point_id in enumerate(system.point_ids):
            _check_name(f"{where}.point_ids[{j}]", point_id)
            if point_id in taken:
                whose = taken[point_id]
                raise InvalidArgument(
                    f"{where}.point_ids[{j}]",
                    f"the point belongs to {whose}",
                    reason="POINT_TAKEN",
                    system_id=whose,
                )
            taken[point_id] = system.system_id


def _check_name(field: str, value: str) -> None:
    if not value or len(value) > 200 or not value.isprintable():
        raise InvalidArgument(field, "1 to 200 printable characters")

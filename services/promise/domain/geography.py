"""Postcodes to zones and places, and distances. Knows no address."""

import math
from collections.abc import Iterable
from typing import Generic, TypeVar

from services.promise.domain.network import Destination, Position, PostcodeArea, Zone

T = TypeVar("T")
# Mean radius of the earth (IUGG), kilometres.
_RADIUS_KILOMETRES = 6371.0088


def distance_kilometres(a: Position, b: Position) -> float:
    """Great-circle distance (haversine)."""
    lat_a, lat_b = math.radians(a.latitude), math.radians(b.latitude)
    half_lat = (lat_b - lat_a) / 2
    half_lon = math.radians(b.longitude - a.longitude) / 2
    chord = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * _RADIUS_KILOMETRES * math.asin(math.sqrt(min(1.0, chord)))


def normalise_postcode(postcode: str) -> str:
    """Upper case, without spaces: "sw1a 1aa" is "SW1A1AA"."""
    return "".join(postcode.split()).upper()


class _Prefixes(Generic[T]):
    """Values by country and postcode prefix."""

    def __init__(self) -> None:
        self._by_country: dict[str, dict[str, list[T]]] = {}

    def add(self, country: str, prefix: str, value: T) -> None:
        self._by_country.setdefault(country, {}).setdefault(normalise_postcode(prefix), []).append(value)

    def longest(self, destination: Destination) -> list[T]:
        """The values of the longest prefix that matches: mostly one."""
        prefixes = self._by_country.get(destination.country, {})
        postcode = normalise_postcode(destination.postcode)
        ends = (prefixes.get(postcode[:end]) for end in range(len(postcode), -1, -1))
        return next((values for values in ends if values), [])


class Geography:
    """Zones and postcode areas, indexed."""

    def __init__(self, zones: Iterable[Zone], areas: Iterable[PostcodeArea]) -> None:
        self._zones: _Prefixes[Zone] = _Prefixes()
        for zone in sorted(zones, key=lambda z: z.zone_id):
            for prefix in sorted(set(map(normalise_postcode, zone.postcode_prefixes))):
                self._zones.add(zone.country, prefix, zone)
        self._areas: _Prefixes[PostcodeArea] = _Prefixes()
        for area in areas:
            self._areas.add(area.country, area.prefix, area)

    def zones(self, destination: Destination) -> list[Zone]:
        """The zone of the longest prefix; several when zones share that prefix (a carrier may name its own)."""
        return self._zones.longest(destination)

    def area(self, destination: Destination) -> PostcodeArea | None:
        """The smallest known area of the postcode."""
        found = self._areas.longest(destination)
        return found[0] if found else None

"""Public holidays by country and subdivision, from the `holidays` library. The domain gets only the lookup."""

from datetime import date
from functools import lru_cache

import holidays

# The library follows the collectivities of 2021; ISO 3166-2 codes of points and postcode areas may be departments.
_OTHER_NAMES = {"FR": {"67": "6AE", "68": "6AE", "GES": None}}


def is_public_holiday(day: date, country: str, subdivision: str) -> bool:
    """Whether it is a public holiday there. An unknown country has none, an unknown subdivision the country's."""
    return day in _of_year(country, subdivision, day.year)


@lru_cache(maxsize=1024)
def _of_year(country: str, subdivision: str, year: int) -> frozenset[date]:
    if country not in _countries():
        return frozenset()
    return frozenset(
        holidays.country_holidays(country, subdiv=_known_subdivision(country, subdivision), years=year)
    )


def _known_subdivision(country: str, subdivision: str) -> str | None:
    """The library's name of an ISO 3166-2 code ("FR-67"), or None when it has no holidays of its own."""
    code = subdivision.removeprefix(f"{country}-")
    name = _OTHER_NAMES.get(country, {}).get(code, code)
    known = holidays.list_supported_countries(include_aliases=True).get(country, [])
    return name if name in known else None


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    return frozenset(holidays.list_supported_countries())

"""Amounts, days and hours as customers read them: in their language, in the zone that the goods go to."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.numbers import format_currency

from kit.values.money import Money, exponent

# Babel's names of our languages, with the customs of the countries that the words are written for.
_LOCALES = {"en": "en_GB", "fr": "fr_FR"}
_LONG_DAY, _SHORT_DAY = "EEEE d MMMM", "EEE d MMM"
# Shorter windows are said with their hours.
_A_DAY = timedelta(hours=12)


@lru_cache(maxsize=1)
def _zones() -> Mapping[str, str]:
    """The most populous zone of each country (ISO 3166-1 alpha-2), from the time zone database."""
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    zones: dict[str, str] = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            country, _, zone = line.split("\t")[:3]
            zones.setdefault(country, zone)
    return zones


def zone_of(country: str) -> ZoneInfo:
    """The zone of a destination; UTC where nobody knows."""
    return ZoneInfo(_zones().get(country, "UTC"))


def money(amount: Money, language: str) -> str:
    """For example "12,50 €" or "€12.50"."""
    value = Decimal(amount.amount_minor).scaleb(-exponent(amount.currency))
    return format_currency(value, amount.currency, locale=_LOCALES[language])


def day(instant: datetime, zone: ZoneInfo, language: str, *, is_short: bool = False) -> str:
    """For example "Tuesday 1 December", or "Tue 1 Dec"."""
    local = instant.astimezone(zone).date()
    pattern = _SHORT_DAY if is_short else _LONG_DAY
    if language == "fr" and local.day == 1:
        pattern = pattern.replace("d", "d'er'")
    return format_date(local, pattern, locale=_LOCALES[language])


def clock(instant: datetime, zone: ZoneInfo, language: str) -> str:
    """For example "16:05"."""
    return format_time(instant.astimezone(zone), "H:mm", locale=_LOCALES[language])


_ON = {"en": "on {0}", "fr": "le {0}"}
_BETWEEN = {"en": "between {0} and {1}", "fr": "entre le {0} et le {1}"}
_DAY_AND_HOURS = {"en": "on {0} between {1} and {2}", "fr": "le {0} entre {1} et {2}"}
_MOMENT = {"en": "{0} at {1}", "fr": "{0} à {1}"}


def window(start: datetime, end: datetime, zone: ZoneInfo, language: str, *, is_short: bool = False) -> str:
    """A window [start, end): its day with the hours of a short one, or its first and its last day."""
    last = max(start, end - timedelta(seconds=1))
    first_day, last_day = (day(one, zone, language, is_short=is_short) for one in (start, last))
    if first_day != last_day:
        return f"{first_day} - {last_day}" if is_short else _BETWEEN[language].format(first_day, last_day)
    if end - start > _A_DAY:
        return first_day if is_short else _ON[language].format(first_day)
    hours = clock(start, zone, language), clock(end, zone, language)
    return f"{first_day} {hours[0]}-{hours[1]}" if is_short else _DAY_AND_HOURS[language].format(first_day, *hours)


def moment(instant: datetime, zone: ZoneInfo, language: str, *, is_short: bool = False) -> str:
    """A day and an hour."""
    when = day(instant, zone, language, is_short=is_short), clock(instant, zone, language)
    return " ".join(when) if is_short else _MOMENT[language].format(*when)


# -- SMS --------------------------------------------------------------------------------------------------

# The alphabet of GSM 03.38; each of the second part counts twice. One SMS holds 160.
_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("^{}\\[~]|€")
_LIKE = {
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "«": '"',
    "»": '"',
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "…": "...",
    "œ": "oe",
}
GSM_MAX = 160


def gsm(text: str) -> str:
    """In letters that an SMS has room for: others cost more than half of it."""
    return "".join(_gsm_letter(one) for one in " ".join(text.split()))


def _gsm_letter(one: str) -> str:
    if one in _GSM or one in _GSM_TWICE:
        return one
    if one in _LIKE:
        return _LIKE[one]
    plain = unicodedata.normalize("NFKD", one)[0]
    return plain if plain in _GSM else "?"


def gsm_length(text: str) -> int:
    """How much of an SMS a text takes that `gsm` gave."""
    return len(text) + sum(one in _GSM_TWICE for one in text)

"""What an item may be: by itself, and because of the others in the catalogue (SPEC STK-2, STK-10, STK-13)."""

import re
from collections.abc import Iterator, Mapping, Sequence

from kit.values import gs1
from kit.values.money import is_currency
from services.inventory.domain import validation
from services.inventory.domain.catalogue import ChannelPrice, Item
from services.inventory.domain.validation import Problem

MAX_PARTS = 50
MAX_PERSONALISATIONS = 20
MAX_SUBSTITUTES = 20
# 30 days of 24 hours.
MAX_WORK_MINUTES = 43_200
MAX_FORMAT = 64
MAX_UNITS_OF_PART = 10_000
MAX_CHARACTERS = 1_000

_FORMAT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_FIELD = re.compile(r"[a-z][a-z0-9_]{0,63}")


def check_items(items: Sequence[Item]) -> Iterator[Problem]:
    """Items of one PutItems."""
    yield from validation.unique("items", "sku", [item.sku for item in items])
    for i, item in enumerate(items):
        yield from _check_item(f"items[{i}]", item)


def _check_item(at: str, item: Item) -> Iterator[Problem]:
    yield from validation.sku(f"{at}.sku", item.sku)
    if item.gtin and not gs1.is_gtin(item.gtin):
        yield Problem(f"{at}.gtin", "not a GTIN-8, -12, -13 or -14 with a right check digit")
    yield from validation.text(f"{at}.title", item.title)
    yield from validation.text(f"{at}.brand", item.brand)
    yield from validation.texts(f"{at}.category_path", item.category_path, forbidden="/")
    for measure in ("weight_grams", "length_millimetres", "width_millimetres", "height_millimetres"):
        if getattr(item, measure) < 0:
            yield Problem(f"{at}.{measure}", "negative")
    yield from validation.texts(f"{at}.tags", item.tags)
    yield from _check_prices(f"{at}.prices", item.prices)
    if item.release_date and not validation.is_date(item.release_date):
        yield Problem(f"{at}.release_date", "not a date of ISO 8601, for example 2027-01-02")
    yield from _check_format(at, item)
    yield from _check_parts(at, item)
    yield from _check_personalisations(at, item)
    yield from _check_substitutes(at, item)


def _check_format(at: str, item: Item) -> Iterator[Problem]:
    if item.reference:
        yield from validation.sku(f"{at}.reference", item.reference)
    if item.format and not item.reference:
        yield Problem(f"{at}.reference", "a format needs the reference that it shares")
    if item.format and not (_FORMAT.fullmatch(item.format) and len(item.format) <= MAX_FORMAT):
        yield Problem(f"{at}.format", "not lower case words with dashes, for example sample or travel-size")


def _check_parts(at: str, item: Item) -> Iterator[Problem]:
    if len(item.parts) > MAX_PARTS:
        yield Problem(f"{at}.parts", f"more than {MAX_PARTS}")
    yield from validation.unique(f"{at}.parts", "sku", [part.sku for part in item.parts])
    for j, part in enumerate(item.parts):
        yield from validation.sku(f"{at}.parts[{j}].sku", part.sku)
        if part.sku == item.sku:
            yield Problem(f"{at}.parts[{j}].sku", "a bundle is no part of itself", "NESTED_BUNDLE")
        if not 1 <= part.quantity <= MAX_UNITS_OF_PART:
            yield Problem(f"{at}.parts[{j}].quantity", f"not between 1 and {MAX_UNITS_OF_PART}")


def _check_substitutes(at: str, item: Item) -> Iterator[Problem]:
    """One that the catalogue does not have yet is no error: nobody can pick it."""
    if len(item.substitutes) > MAX_SUBSTITUTES:
        yield Problem(f"{at}.substitutes", f"more than {MAX_SUBSTITUTES}")
    for j, sku in enumerate(item.substitutes):
        yield from validation.sku(f"{at}.substitutes[{j}]", sku)
        if sku == item.sku:
            yield Problem(f"{at}.substitutes[{j}]", "an item is no substitute of itself")
        if sku in item.substitutes[:j]:
            yield Problem(f"{at}.substitutes[{j}]", "it stands there twice")


def _check_personalisations(at: str, item: Item) -> Iterator[Problem]:
    if len(item.personalisations) > MAX_PERSONALISATIONS:
        yield Problem(f"{at}.personalisations", f"more than {MAX_PERSONALISATIONS}")
    yield from validation.unique(f"{at}.personalisations", "name", [field.name for field in item.personalisations])
    for j, field in enumerate(item.personalisations):
        here = f"{at}.personalisations[{j}]"
        if not _FIELD.fullmatch(field.name):
            yield Problem(f"{here}.name", "not lower case words with underscores, for example engraved_name")
        if not 1 <= field.max_characters <= MAX_CHARACTERS:
            yield Problem(f"{here}.max_characters", f"not between 1 and {MAX_CHARACTERS}")
        if field.capability:
            yield from validation.name(f"{here}.capability", field.capability)
        if not 0 <= field.work_minutes <= MAX_WORK_MINUTES:
            yield Problem(f"{here}.work_minutes", f"not between 0 and {MAX_WORK_MINUTES}")
        yield from _check_prices(f"{here}.surcharges", field.surcharges)


def _check_prices(at: str, prices: Sequence[ChannelPrice]) -> Iterator[Problem]:
    yield from validation.unique(at, "channel_id", [price.channel_id for price in prices])
    for j, price in enumerate(prices):
        yield from validation.name(f"{at}[{j}].channel_id", price.channel_id)
        if price.price.amount_minor < 0:
            yield Problem(f"{at}[{j}].price.amount_minor", "negative")
        if not is_currency(price.price.currency):
            yield Problem(f"{at}[{j}].price.currency", "not an ISO 4217 code")


def check_catalogue(
    items: Sequence[Item], others: Mapping[str, Item], stocked: frozenset[str]
) -> Iterator[Problem]:
    """What items may not be because of others.

    `others`, by SKU, are those that are known among the items, their parts, the bundles they are part of, and the
    formats of their references; `stocked` are those that have, or had, stock.
    """
    new = {item.sku: item for item in items}
    known = dict(others) | new
    formats = {(one.reference, one.format): sku for sku, one in others.items() if sku not in new}
    part_of = {part.sku: bundle.sku for bundle in known.values() for part in bundle.parts}
    for i, item in enumerate(items):
        before = others.get(item.sku)
        if before and before.parts and not item.parts:
            yield Problem(f"items[{i}].parts", "a bundle stays one: give the article another SKU", "IS_BUNDLE")
        if item.parts and item.sku in stocked:
            yield Problem(f"items[{i}].parts", "an item that has had stock never becomes a bundle", "HAS_STOCK")
        if item.parts and item.sku in part_of:
            yield Problem(f"items[{i}].parts", f"it is a part of {part_of[item.sku]} itself", "NESTED_BUNDLE")
        for j, part in enumerate(item.parts):
            if part.sku not in known:
                yield Problem(f"items[{i}].parts[{j}].sku", f"there is no item {part.sku}", "UNKNOWN_ITEM")
            elif known[part.sku].parts:
                yield Problem(f"items[{i}].parts[{j}].sku", f"{part.sku} is a bundle itself", "NESTED_BUNDLE")
        owner = formats.setdefault((item.reference, item.format), item.sku)
        if item.reference and owner != item.sku:
            yield Problem(f"items[{i}].format", f"{owner} is that format of {item.reference}", "FORMAT_TAKEN")

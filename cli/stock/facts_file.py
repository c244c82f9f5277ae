"""A file of facts of articles at points, as the records that the API takes. Reads; asks nobody.

CSV with a row of names, UTF-8, plain or gzip. Only `sku` and `point_id` are needed. A column that is missing and a
cell that is empty say nothing; a dash takes the fact of its column back.
"""

import csv
import gzip
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.client import Json

TAKEN_BACK = "-"
_GZIP = b"\x1f\x8b"
_TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_WHOLE = re.compile(r"[0-9]{1,18}")


class FileProblem(Exception):
    """The file cannot be read, or not to its end."""


@dataclass(frozen=True)
class Row:
    """One line: the record that it is, or why it is none."""

    line: int
    record: Json = field(default_factory=dict)
    problem: str = ""


def rows(file: Path, source: str = "") -> Iterator[Row]:
    """Line by line. `source` stands where the file names none. Raises FileProblem."""
    try:
        with file.open("rb") as raw:
            packed = raw.read(2) == _GZIP
            raw.seek(0)
            plain: Any = gzip.GzipFile(fileobj=raw) if packed else raw
            reader = csv.DictReader(io.TextIOWrapper(plain, encoding="utf-8-sig", newline=""), strict=True)
            # Before anything is sent: a file of something else.
            _check_names(reader.fieldnames or ())
            for cells in reader:
                yield _row(reader.line_num, cells, source)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as broken:
        raise FileProblem(f"{file.name}: {broken}") from None


def _truth(cell: str) -> bool:
    if cell.lower() not in _TRUTHS:
        raise ValueError("yes or no is needed")
    return _TRUTHS[cell.lower()]


def _whole(cell: str) -> int:
    if not _WHOLE.fullmatch(cell):
        raise ValueError("a whole number is needed")
    return int(cell)


def _decimal(places: int) -> Callable[[str], int]:
    """With 3 places `1.25` is 1250: no binary fraction comes near it."""

    def read(cell: str) -> int:
        whole, _, part = cell.partition(".")
        if not _WHOLE.fullmatch(whole) or not re.fullmatch(rf"[0-9]{{0,{places}}}", part):
            raise ValueError(f"a number with at most {places} decimals is needed")
        return int(whole + part.ljust(places, "0"))

    return read


_KEYS = ("sku", "point_id")
# Which field of which fact a column is, and how its cells are read.
_FACTS: Mapping[str, tuple[str, str, Callable[[str], Any]]] = {
    "in_assortment": ("assortment", "in_assortment", _truth),
    "is_replenished": ("plan", "is_replenished", _truth),
    "min_quantity": ("plan", "min_quantity", _whole),
    "target_quantity": ("plan", "target_quantity", _whole),
    "next_date": ("plan", "next_date", str),
    "markdown_date": ("markdown", "from_date", str),
    "markdown_percent": ("markdown", "basis_points", _decimal(2)),
    "daily_sales": ("sales_rate", "daily_thousandths", _decimal(3)),
    "location": ("location", "location", str),
    "walk_order": ("location", "walk_order", _whole),
}
_ORDER: Mapping[str, Callable[[str], Any]] = {"source": str, "source_sequence": _whole, "source_updated_at": str}
COLUMNS = (*_KEYS, *_FACTS, *_ORDER)


def _check_names(names: Iterable[str]) -> None:
    given = list(names)
    if missing := [name for name in _KEYS if name not in given]:
        raise FileProblem(f"there is no column {missing[0]}")
    if unknown := [name for name in given if name not in COLUMNS]:
        raise FileProblem(f"unknown column {unknown[0]!r}; known are {', '.join(COLUMNS)}")


def _row(line: int, cells: Mapping[Any, Any], source: str) -> Row:
    # The reader puts what is too much under None, and None into what is missing.
    if None in cells or None in cells.values():
        return Row(line, problem="not as many cells as there are names")
    said = {name: cell.strip() for name, cell in cells.items() if cell.strip()}
    record: Json = {name: said.get(name, "") for name in _KEYS} | {"source": source}
    try:
        record |= _facts(said)
        record |= {name: _read(said, name, read) for name, read in _ORDER.items() if name in said}
    except ValueError as wrong:
        return Row(line, record, str(wrong))
    return Row(line, record)


def _facts(said: Mapping[str, str]) -> Json:
    """The facts that a line speaks of. ValueError names the cell."""
    found: Json = {}
    for name, (fact, part, read) in _FACTS.items():
        if name in said and said[name] != TAKEN_BACK:
            found.setdefault(fact, {})[part] = _read(said, name, read)
    for name, (fact, _, _) in _FACTS.items():
        if said.get(name) == TAKEN_BACK:
            if found.get(fact):
                raise ValueError(f"{name}: taken back, but another cell says something of it")
            found[fact] = {}
    if found.get("plan"):
        # Who gives quantities refills.
        found["plan"].setdefault("is_replenished", True)
    return found


def _read(said: Mapping[str, str], name: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(said[name])
    except ValueError as wrong:
        raise ValueError(f"{name}: {wrong}") from None

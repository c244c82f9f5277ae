"""Stock positions in little memory: a run of rows of 12 bytes for each SKU; what many rows share stands once.

A run is never changed, only replaced: whoever holds one keeps what it was, in whatever thread.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.promise.domain.columns import StockColumns
from services.promise.domain.network import NO_FACTS, Facts, StockPosition

# `whole`: from its lowest bit the number of its point, the number of its terms, thousandths of a unit a day.
_ROW = np.dtype([("whole", "<u8"), ("free", "<i4")])
_POINT_BITS, _TERMS_BITS, _SALES_BITS = 16, 24, 24
# The most units of the first depths; more are the last (inventory's `picks.Depth`).
_DEPTHS = (1, 2, 5)
# By (category path, point id), for each depth; "" is all articles, all points.
FindRates = Mapping[tuple[str, str], Sequence[float]]


class ChannelTerms(NamedTuple):
    """What a channel keeps back at a position. No purposes: inventory did not say, it may take it for any."""

    channel_id: str
    safety_stock: int
    routing_buffer: int = 0
    purposes: frozenset[str] = frozenset()


class Terms(NamedTuple):
    """What positions share."""

    channels: tuple[ChannelTerms, ...] = ()
    markdown_date: date | None = None
    markdown_percent: int = 0


@dataclass(frozen=True, slots=True)
class Block:
    """Some positions: the first `rows[0]` rows are of `skus[0]`, and so on.

    A row has a point (its place in `point_ids`), terms (their place in `terms`), units and thousandths of a unit
    sold a day.
    """

    skus: Sequence[str]
    rows: Sequence[int]
    point_ids: Sequence[str]
    terms: Sequence[Terms]
    points_of: NDArray[np.uint32]
    terms_of: NDArray[np.uint32]
    free: NDArray[np.int64]
    daily_thousandths: NDArray[np.int64]


class _Shared(NamedTuple):
    """Terms as positions have them: made once."""

    safety_stock: Mapping[str, int]
    routing_buffers: Mapping[str, int]
    purposes: Mapping[str, frozenset[str]]
    markdown_date: date | None
    markdown_percent: int


class StockRows:
    """Positions by SKU. Written by one; what it gave is not changed by what is written later."""

    def __init__(self) -> None:
        self.count = 0
        self._rows: dict[str, bytes] = {}
        # These only grow: a row that somebody holds keeps its meaning.
        self._points: dict[str, int] = {}
        self._point_ids: list[str] = []
        self._terms: dict[Terms, int] = {}
        self._shared: list[_Shared] = []

    def put(self, block: Block) -> None:
        """Adds positions, or replaces them. ValueError, IndexError: the block is no block."""
        fresh = np.empty(len(block.points_of), _ROW)
        if len(block.skus) != len(block.rows) or sum(block.rows) != len(fresh):
            raise ValueError(f"{len(block.skus)} SKUs with {sum(block.rows)} rows, but {len(fresh)} points")
        points = np.array([self._point(one) for one in block.point_ids], np.uint64)[block.points_of]
        terms = np.array([self._terms_number(one) for one in block.terms], np.uint64)[block.terms_of]
        sales = np.clip(block.daily_thousandths, 0, 2**_SALES_BITS - 1).astype(np.uint64)
        fresh["whole"] = points | terms << _POINT_BITS | sales << _POINT_BITS + _TERMS_BITS
        fresh["free"] = np.clip(block.free, -(2**31), 2**31 - 1)
        rows, begin = fresh.tobytes(), 0
        for sku, count in zip(block.skus, block.rows, strict=True):
            end = begin + count * _ROW.itemsize
            self._put(sku, rows[begin:end])
            begin = end

    def of(self, sku: str, category: str, find_rates: FindRates) -> Mapping[str, StockPosition] | None:
        """The positions of a SKU of a category, by point; None when there are none."""
        rows = self._rows.get(sku)
        if rows is None:
            return None
        return _Positions(rows, self._point_ids, self._shared, category, find_rates)

    def _put(self, sku: str, fresh: bytes) -> None:
        known = self._rows.get(sku, b"")
        if known:
            before = np.frombuffer(known, _ROW)
            stays = np.isin(_points(before), _points(np.frombuffer(fresh, _ROW)), invert=True)
            self.count -= len(before) - int(np.count_nonzero(stays))
            known = known if stays.all() else before[stays].tobytes()
        self._rows[sku] = known + fresh
        self.count += len(fresh) // _ROW.itemsize

    def _point(self, point_id: str) -> int:
        number = self._points.setdefault(point_id, len(self._point_ids))
        if number == len(self._point_ids):
            if number == 2**_POINT_BITS:
                raise ValueError(f"more than {2**_POINT_BITS} points")
            self._point_ids.append(point_id)
        return number

    def _terms_number(self, terms: Terms) -> int:
        number = self._terms.setdefault(terms, len(self._shared))
        if number == len(self._shared):
            if number == 2**_TERMS_BITS:
                raise ValueError(f"more than {2**_TERMS_BITS} terms")
            self._shared.append(_share(terms))
        return number


class _Positions(Mapping[str, StockPosition]):
    """Read from its rows when it is looked at: by the thread that plans, not by the one that is asked."""

    __slots__ = ("_alike", "_category", "_find_rates", "_index", "_point_ids", "_rows", "_shared")

    def __init__(
        self,
        rows: bytes,
        point_ids: Sequence[str],
        shared: Sequence[_Shared],
        category: str,
        find_rates: FindRates,
    ) -> None:
        self._rows = np.frombuffer(rows, _ROW)
        self._point_ids = point_ids
        self._shared = shared
        self._category = category
        self._find_rates = find_rates
        self._index: dict[str, int] | None = None
        # Positions that are the same are made once.
        self._alike: dict[tuple[int, int, float], StockPosition] = {}

    def __getitem__(self, point_id: str) -> StockPosition:
        return self._made(point_id, self._numbers()[point_id])

    def get(self, point_id: str, default: Any = None) -> Any:  # The one of Mapping raises and catches.
        number = self._numbers().get(point_id)
        return default if number is None else self._made(point_id, number)

    def __contains__(self, point_id: object) -> bool:
        return point_id in self._numbers()

    def __iter__(self) -> Iterator[str]:
        return iter(self._numbers())

    def __len__(self) -> int:
        return len(self._rows)

    def columns(self, channel_id: str, purpose: str) -> StockColumns:
        """Those that a channel may take for a purpose."""
        kinds, kind_of = np.unique(self._rows["whole"] >> _POINT_BITS & 2**_TERMS_BITS - 1, return_inverse=True)
        terms = [self._position(kind, 0, NO_FACTS.find_rate) for kind in kinds.tolist()]
        able = np.array([one.allows(channel_id, purpose) for one in terms], np.bool_)[kind_of]
        safety_stock = np.array([one.safety_stock.get(channel_id, 0) for one in terms], np.int64)[kind_of]
        buffers = np.array([one.routing_buffers.get(channel_id, 0) for one in terms], np.int64)[kind_of]
        point_ids = self._point_ids
        return StockColumns(
            [point_ids[point] for point in _points(self._rows[able]).tolist()],
            self._rows["free"][able].astype(np.int64),
            safety_stock[able],
            buffers[able],
        )

    def _numbers(self) -> dict[str, int]:
        """Of rows, by point."""
        if self._index is None:
            point_ids = self._point_ids
            points = _points(self._rows).tolist()
            self._index = {point_ids[point]: number for number, point in enumerate(points)}
        return self._index

    def _made(self, point_id: str, number: int) -> StockPosition:
        whole, free = self._rows[number].item()
        find_rate = self._find_rate(point_id, free) if self._find_rates else NO_FACTS.find_rate
        key = (whole >> _POINT_BITS, free, find_rate)
        position = self._alike.get(key)
        if position is None:
            position = self._alike[key] = self._position(*key)
        return position

    def _position(self, rest: int, free: int, find_rate: float) -> StockPosition:
        terms = self._shared[rest & 2**_TERMS_BITS - 1]
        day, percent, daily_thousandths = terms.markdown_date, terms.markdown_percent, rest >> _TERMS_BITS
        facts = NO_FACTS
        if daily_thousandths or day or find_rate != NO_FACTS.find_rate:
            facts = Facts(daily_thousandths / 1_000, day, percent, find_rate)
        return StockPosition(free, terms.safety_stock, terms.routing_buffers, facts, terms.purposes)

    def _find_rate(self, point_id: str, free: int) -> float:
        rates = self._find_rates
        row = rates.get((self._category, point_id)) or rates.get(("", point_id)) or rates["", ""]
        # The books may have more than is free: then it lies deeper, and is found sooner than this says.
        return row[bisect_left(_DEPTHS, free)]


def _points(rows: NDArray[np.void]) -> NDArray[np.uint64]:
    points: NDArray[np.uint64] = rows["whole"] & 2**_POINT_BITS - 1
    return points


def _share(terms: Terms) -> _Shared:
    return _Shared(
        {one.channel_id: one.safety_stock for one in terms.channels},
        {one.channel_id: one.routing_buffer for one in terms.channels if one.routing_buffer},
        {one.channel_id: one.purposes for one in terms.channels if one.purposes},
        terms.markdown_date,
        terms.markdown_percent,
    )

"""What every group of use cases is made with: a transaction that rings the bell, and the check of a request."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from kit import requests
from kit.errors import InvalidArgument, NotFound
from kit.feed import Bell
from services.inventory.domain import commands, validation
from services.inventory.domain.validation import Problem
from services.inventory.store import bundles, catalogue


class Command(Protocol):
    """A state-changing request: its id, and what `commands.content` makes two of them the same by."""

    @property
    def request_id(self) -> str: ...


class UseCases:
    """One method per RPC."""

    def __init__(self, engine: AsyncEngine, bell: Bell) -> None:
        self._engine = engine
        self._bell = bell
        # For reads of several statements that must agree.
        self._still = engine.execution_options(isolation_level="REPEATABLE READ")

    @asynccontextmanager
    async def _change(self) -> AsyncIterator[AsyncConnection]:
        async with self._engine.begin() as tx:
            yield tx
        self._bell.ring()


def check(*problems: Iterable[Problem]) -> None:
    """Raises the first problem as InvalidArgument."""
    for problem in chain(*problems):
        raise InvalidArgument(problem.field, problem.detail, problem.reason)


async def first_answer(tx: AsyncConnection, command: Command) -> Mapping[str, Any] | None:
    """What a repeat of the command is told, or None. Raises Conflict when the id was used with other content."""
    check(validation.identifier("request_id", command.request_id))
    return await requests.first_answer(tx, command.request_id, commands.content(command))


def no_channel(channel_id: str, field: str = "channel_id") -> InvalidArgument:
    """The field names a channel that does not exist."""
    return InvalidArgument(field, f"there is no channel {channel_id}", "UNKNOWN_CHANNEL")


def no_reservation(reservation_id: str) -> NotFound:
    """Nobody ever held anything under this id."""
    return NotFound(
        "RESERVATION_NOT_FOUND", f"there is no reservation {reservation_id}", reservation_id=reservation_id
    )


async def must_have_stock(tx: AsyncConnection, fields: Mapping[str, str]) -> None:
    """None of the items may be a bundle. `fields`: the SKU by the field that names it."""
    found = await bundles.of(tx, list(fields.values()))
    check(
        Problem(field, f"{sku} is a bundle: its parts have stock, it has none", "BUNDLE_HAS_NO_STOCK")
        for field, sku in fields.items()
        if sku in found
    )


async def must_know(tx: AsyncConnection, point_id: str, fields: Mapping[str, str]) -> None:
    """The point and the items must exist. `fields`: the SKU by the field that names it."""
    skus, points = await catalogue.known(tx, sorted(set(fields.values())), [point_id])
    if point_id not in points:
        raise InvalidArgument("point_id", f"there is no point {point_id}", "UNKNOWN_POINT")
    for field, sku in fields.items():
        if sku not in skus:
            raise InvalidArgument(field, f"there is no item {sku}", "UNKNOWN_ITEM")

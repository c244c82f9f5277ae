"""Transfers, their lines and acts; what is in transit; and whether they agree with the stock ledger."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.inventory.domain.lanes import Window
from services.inventory.domain.transfers import (
    Act,
    ActDone,
    ActLine,
    Transfer,
    TransferLine,
    TransferState,
    holder,
)

_COLUMNS = """transfer_id, origin_id, destination_id, state, lane_id, expected_from, expected_until, requested_at,
              dispatched_at, closed_at"""
_LINE_COLUMNS = "sku, quantity, dispatched, received, settled, lost, over, damaged"


@dataclass(frozen=True, slots=True)
class InTransit:
    """Units of one transfer that are on hand nowhere."""

    sku: str
    destination_id: str
    origin_id: str
    transfer_id: str
    quantity: int
    expected: Window | None


@dataclass(frozen=True, slots=True)
class TransferDifference:
    """A quantity of a line that the stock ledger tells otherwise."""

    transfer_id: str
    sku: str
    quantity: str
    line: int
    ledger: int


# -- writes -----------------------------------------------------------------------------------------------


async def insert(tx: AsyncConnection, transfer: Transfer) -> None:
    """A new transfer with its lines, and the reservation that is to hold its units."""
    held = holder(transfer.transfer_id)
    await tx.execute(
        text(
            """INSERT INTO reservation (reservation_id, channel_id, state, expires_at)
               VALUES (:id, :channel_id, :state, NULL)"""
        ),
        {"id": held.reservation_id, "channel_id": held.channel_id, "state": held.state.value},
    )
    await tx.execute(
        text(
            f"""INSERT INTO transfer ({_COLUMNS})
                VALUES (:transfer_id, :origin_id, :destination_id, :state, :lane_id, :expected_from,
                        :expected_until, :requested_at, :dispatched_at, :closed_at)"""
        ),
        _to_row(transfer),
    )
    await _put_lines(tx, transfer)


async def save(tx: AsyncConnection, transfer: Transfer) -> None:
    """A transfer that is locked, as it must be now."""
    await tx.execute(
        text(
            """UPDATE transfer SET state = :state, expected_from = :expected_from,
                   expected_until = :expected_until, dispatched_at = :dispatched_at, closed_at = :closed_at
               WHERE transfer_id = :transfer_id"""
        ),
        _to_row(transfer),
    )
    await _put_lines(tx, transfer)


async def _put_lines(tx: AsyncConnection, transfer: Transfer) -> None:
    await tx.execute(
        text(
            f"""INSERT INTO transfer_line (transfer_id, {_LINE_COLUMNS})
                SELECT :transfer_id, {_LINE_COLUMNS} FROM jsonb_to_recordset(CAST(:lines AS jsonb)) AS given(
                    sku text, quantity bigint, dispatched bigint, received bigint, settled bigint, lost bigint,
                    over bigint, damaged bigint)
                ON CONFLICT (transfer_id, sku) DO UPDATE SET
                    dispatched = EXCLUDED.dispatched, received = EXCLUDED.received, settled = EXCLUDED.settled,
                    lost = EXCLUDED.lost, over = EXCLUDED.over, damaged = EXCLUDED.damaged
                WHERE (transfer_line.dispatched, transfer_line.received, transfer_line.settled,
                       transfer_line.lost, transfer_line.over, transfer_line.damaged)
                      <> (EXCLUDED.dispatched, EXCLUDED.received, EXCLUDED.settled, EXCLUDED.lost, EXCLUDED.over,
                          EXCLUDED.damaged)"""
        ),
        {"transfer_id": transfer.transfer_id, "lines": json.dumps([asdict(line) for line in transfer.lines])},
    )


async def add_act(tx: AsyncConnection, transfer_id: str, done: ActDone) -> None:
    """The next step in the life of a transfer that is locked."""
    await tx.execute(
        text(
            """INSERT INTO transfer_act (transfer_id, nth, act, actor, reason, lines, acted_at)
               SELECT :transfer_id, count(*) + 1, CAST(:act AS text), CAST(:actor AS text), CAST(:reason AS text),
                      CAST(:lines AS jsonb), CAST(:at AS timestamptz)
               FROM transfer_act WHERE transfer_id = :transfer_id"""
        ),
        {
            "transfer_id": transfer_id,
            "act": done.act.value,
            "actor": done.actor,
            "reason": done.reason,
            "lines": json.dumps([asdict(line) for line in done.lines]),
            "at": done.at,
        },
    )


# -- reads ------------------------------------------------------------------------------------------------


async def lock(tx: AsyncConnection, transfer_id: str) -> Transfer | None:
    """The transfer under lock, or None."""
    return await _one(tx, transfer_id, "FOR UPDATE")


async def named(tx: AsyncConnection, transfer_id: str) -> Transfer | None:
    """The transfer as committed, or None."""
    return await _one(tx, transfer_id, "")


async def _one(tx: AsyncConnection, transfer_id: str, locking: str) -> Transfer | None:
    rows = await tx.execute(
        text(f"SELECT {_COLUMNS} FROM transfer WHERE transfer_id = :id {locking}"), {"id": transfer_id}
    )
    found = rows.first()
    # Lines are asked for after the lock is held, in a statement of their own: see ledger.py.
    return None if found is None else (await _with_lines(tx, [found]))[0]


async def acts(tx: AsyncConnection, transfer_id: str) -> list[ActDone]:
    """What was done to a transfer, oldest first."""
    rows = await tx.execute(
        text(
            """SELECT act, actor, reason, acted_at, lines FROM transfer_act
               WHERE transfer_id = :id ORDER BY nth"""
        ),
        {"id": transfer_id},
    )
    return [
        ActDone(Act(row.act), row.actor, row.reason, row.acted_at, tuple(ActLine(**line) for line in row.lines))
        for row in rows
    ]


async def listed(
    tx: AsyncConnection, point_ids: Sequence[str], states: Sequence[TransferState], after: str, limit: int
) -> list[Transfer]:
    """Those that begin or end at these points and are in these states, in id order; empty filters mean all."""
    rows = await tx.execute(
        text(
            f"""SELECT {_COLUMNS} FROM transfer
                WHERE transfer_id > :after
                  AND (:any_point OR origin_id = ANY(CAST(:point_ids AS text[]))
                       OR destination_id = ANY(CAST(:point_ids AS text[])))
                  AND (:any_state OR state = ANY(CAST(:states AS text[])))
                ORDER BY transfer_id LIMIT :limit"""
        ),
        {
            "after": after,
            "any_point": not point_ids,
            "point_ids": list(point_ids),
            "any_state": not states,
            "states": [state.value for state in states],
            "limit": limit,
        },
    )
    return await _with_lines(tx, list(rows))


async def _with_lines(tx: AsyncConnection, rows: Sequence[Any]) -> list[Transfer]:
    if not rows:
        return []
    lines: dict[str, list[TransferLine]] = {row.transfer_id: [] for row in rows}
    found = await tx.execute(
        text(
            f"""SELECT transfer_id, {_LINE_COLUMNS} FROM transfer_line
                WHERE transfer_id = ANY(CAST(:ids AS text[])) ORDER BY transfer_id, sku"""
        ),
        {"ids": list(lines)},
    )
    for transfer_id, *values in found:
        lines[transfer_id].append(TransferLine(*values))
    return [
        Transfer(
            row.transfer_id,
            row.origin_id,
            row.destination_id,
            TransferState(row.state),
            row.lane_id,
            _window(row),
            row.requested_at,
            tuple(lines[row.transfer_id]),
            row.dispatched_at,
            row.closed_at,
        )
        for row in rows
    ]


async def in_transit(
    tx: AsyncConnection, skus: Sequence[str], point_ids: Sequence[str], after: tuple[str, str, str], limit: int
) -> list[InTransit]:
    """Units that are on hand nowhere, in (sku, destination, transfer) order; empty filters mean all."""
    rows = await tx.execute(
        text(
            """SELECT line.sku, destination_id, origin_id, transfer_id,
                      line.dispatched - line.received - line.settled AS quantity, expected_from, expected_until
               FROM transfer_line AS line JOIN transfer USING (transfer_id)
               WHERE line.dispatched > line.received + line.settled
                 AND (line.sku, destination_id, transfer_id)
                     > (CAST(:sku AS text), CAST(:point_id AS text), CAST(:transfer_id AS text))
                 AND (:any_sku OR line.sku = ANY(CAST(:skus AS text[])))
                 AND (:any_point OR destination_id = ANY(CAST(:point_ids AS text[])))
               ORDER BY line.sku, destination_id, transfer_id LIMIT :limit"""
        ),
        {
            **dict(zip(("sku", "point_id", "transfer_id"), after, strict=True)),
            "any_sku": not skus,
            "skus": list(skus),
            "any_point": not point_ids,
            "point_ids": list(point_ids),
            "limit": limit,
        },
    )
    return [
        InTransit(row.sku, row.destination_id, row.origin_id, row.transfer_id, row.quantity, _window(row))
        for row in rows
    ]


async def differences(tx: AsyncConnection) -> tuple[int, list[TransferDifference]]:
    """How many lines there are, and what in them the ledger or the reservation tells otherwise."""
    rows = await tx.execute(
        text(
            """
WITH line AS (
    SELECT transfer_id, sku, dispatched, received, settled - lost AS returned, over, damaged,
           CASE WHEN state = 'requested' THEN quantity ELSE 0 END AS held
    FROM transfer_line JOIN transfer USING (transfer_id)
), told AS (
    SELECT reservation_id AS transfer_id, sku,
           sum(-on_hand_delta) FILTER (WHERE cause = 'transfer_out') AS dispatched,
           sum(on_hand_delta) FILTER (WHERE cause = 'transfer_in') AS received,
           sum(on_hand_delta) FILTER (WHERE cause = 'transfer_return') AS returned,
           sum(on_hand_delta) FILTER (WHERE cause = 'transfer_over') AS over,
           sum(unavailable_delta) FILTER (WHERE cause = 'damaged') AS damaged
    FROM movement WHERE reservation_id LIKE 'trf\\_%'
    GROUP BY reservation_id, sku
), held AS (
    SELECT reservation_id AS transfer_id, sku, sum(reservation_line.quantity) AS held
    FROM reservation_line WHERE reservation_id IN (SELECT transfer_id FROM transfer)
    GROUP BY reservation_id, sku
), compared AS (
    SELECT transfer_id, sku, figure.quantity, coalesce(figure.line, 0) AS line,
           CAST(coalesce(figure.ledger, 0) AS bigint) AS ledger
    FROM line FULL JOIN told USING (transfer_id, sku) FULL JOIN held USING (transfer_id, sku)
    CROSS JOIN LATERAL (VALUES
        ('dispatched', line.dispatched, told.dispatched), ('received', line.received, told.received),
        ('returned', line.returned, told.returned), ('over', line.over, told.over),
        ('damaged', line.damaged, told.damaged), ('held', line.held, held.held)
    ) AS figure(quantity, line, ledger)
    WHERE transfer_id IN (SELECT transfer_id FROM transfer)
)
SELECT transfer_id, sku, quantity, line, ledger FROM compared WHERE line <> ledger
ORDER BY transfer_id, sku, quantity"""
        )
    )
    found = [TransferDifference(*row) for row in rows]
    checked = (await tx.execute(text("SELECT count(*) FROM transfer_line"))).scalar_one()
    return int(checked), found


def _window(row: Any) -> Window | None:
    return Window(row.expected_from, row.expected_until) if row.expected_from else None


def _to_row(transfer: Transfer) -> dict[str, Any]:
    return {
        "transfer_id": transfer.transfer_id,
        "origin_id": transfer.origin_id,
        "destination_id": transfer.destination_id,
        "state": transfer.state.value,
        "lane_id": transfer.lane_id,
        "expected_from": transfer.expected and transfer.expected.start,
        "expected_until": transfer.expected and transfer.expected.end,
        "requested_at": transfer.requested_at,
        "dispatched_at": transfer.dispatched_at,
        "closed_at": transfer.closed_at,
    }

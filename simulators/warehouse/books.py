"""The books of the warehouse in one SQLite file (WAL): preparation orders, and the messages about them.

One connection, used from the event loop only: calls without an `await` between are atomic, and `transaction` makes
them so on disk too.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS preparation (
    id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, step_at REAL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS preparation_step ON preparation (step_at) WHERE step_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS message (
    number INTEGER PRIMARY KEY AUTOINCREMENT, preparation_id TEXT NOT NULL REFERENCES preparation,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS message_preparation ON message (preparation_id, number);
CREATE TABLE IF NOT EXISTS sending (
    number INTEGER PRIMARY KEY AUTOINCREMENT, preparation_id TEXT NOT NULL, body TEXT NOT NULL,
    position INTEGER NOT NULL, due_at REAL, attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS sending_due ON sending (position) WHERE due_at IS NOT NULL;
"""

Body = dict[str, Any]


class Books:
    """Reads and writes; knows no rule. A message is kept for ever, its sendings until they were taken."""

    def __init__(self, file: str) -> None:
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Ends the connection."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing of what is written inside."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def add(self, preparation: Body, fingerprint: str) -> None:
        """A new preparation order; `fingerprint` is that of the request."""
        self._db.execute(
            "INSERT INTO preparation (id, fingerprint, body) VALUES (?, ?, ?)",
            (preparation["id"], fingerprint, json.dumps(preparation)),
        )

    def find(self, preparation_id: str) -> Body | None:
        """A preparation order as last saved."""
        row = self._db.execute("SELECT body FROM preparation WHERE id = ?", (preparation_id,)).fetchone()
        return json.loads(row[0]) if row else None

    def fingerprint(self, preparation_id: str) -> str | None:
        """That of the request that brought it."""
        row = self._db.execute("SELECT fingerprint FROM preparation WHERE id = ?", (preparation_id,)).fetchone()
        return row[0] if row else None

    def save(self, preparation: Body, step_at: float | None) -> None:
        """Replaces it; `step_at` is when it moves on by itself, in seconds since 1970."""
        self._db.execute(
            "UPDATE preparation SET body = ?, step_at = ? WHERE id = ?",
            (json.dumps(preparation), step_at, preparation["id"]),
        )

    def forget(self, preparation_id: str) -> None:
        """As if it had never come."""
        for table, key in (("sending", "preparation_id"), ("message", "preparation_id"), ("preparation", "id")):
            self._db.execute(f"DELETE FROM {table} WHERE {key} = ?", (preparation_id,))

    def all(self) -> list[Body]:
        """Every preparation order, oldest first."""
        return self._bodies("SELECT body FROM preparation ORDER BY rowid")

    def due(self, at: float) -> list[Body]:
        """Those that move on by now, earliest first."""
        return self._bodies("SELECT body FROM preparation WHERE step_at <= ? ORDER BY step_at", at)

    def add_message(self, preparation_id: str, message: Body) -> None:
        """Something that was said of it."""
        self._db.execute(
            "INSERT INTO message (preparation_id, body) VALUES (?, ?)", (preparation_id, json.dumps(message))
        )

    def messages(self, preparation_id: str) -> list[Body]:
        """What was said of it, oldest first."""
        return self._bodies("SELECT body FROM message WHERE preparation_id = ? ORDER BY number", preparation_id)

    def add_sending(self, preparation_id: str, message: Body, due_at: float | None) -> None:
        """A message to send; without `due_at` it is held back."""
        self._db.execute(
            "INSERT INTO sending (preparation_id, body, position, due_at) "
            "VALUES (?, ?, (SELECT coalesce(max(number), 0) FROM sending), ?)",
            (preparation_id, json.dumps(message), due_at),
        )

    def release_reversed(self, preparation_id: str, due_at: float) -> None:
        """What was held back goes out, the last first."""
        self._db.execute(
            "UPDATE sending SET position = -number, due_at = ? WHERE preparation_id = ? AND due_at IS NULL",
            (due_at, preparation_id),
        )

    def sendings(self, at: float, limit: int = 50) -> list[tuple[int, int, Body]]:
        """Number, attempts and body of what is to be sent by now."""
        rows = self._db.execute(
            "SELECT number, attempts, body FROM sending WHERE due_at <= ? ORDER BY position LIMIT ?", (at, limit)
        ).fetchall()
        return [(number, attempts, json.loads(body)) for number, attempts, body in rows]

    def taken(self, number: int) -> None:
        """The receiver has it."""
        self._db.execute("DELETE FROM sending WHERE number = ?", (number,))

    def postpone(self, number: int, due_at: float) -> None:
        """The receiver has not taken it."""
        self._db.execute(
            "UPDATE sending SET due_at = ?, attempts = attempts + 1 WHERE number = ?", (due_at, number)
        )

    def _bodies(self, statement: str, *values: object) -> list[Body]:
        return [json.loads(row[0]) for row in self._db.execute(statement, values).fetchall()]

"""The books of one account in one SQLite file (WAL): intents, refunds, other things, remembered answers, events.

One connection, used from the event loop only: a group of calls without an `await` between is atomic, and
`transaction` makes it so on disk too.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS intent (
    id TEXT PRIMARY KEY, created INTEGER NOT NULL, operation_id TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS intent_operation ON intent (operation_id);
CREATE TABLE IF NOT EXISTS refund (
    id TEXT PRIMARY KEY, intent_id TEXT NOT NULL REFERENCES intent, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS refund_intent ON refund (intent_id);
CREATE TABLE IF NOT EXISTS thing (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, parent TEXT NOT NULL, created INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS thing_kind ON thing (kind, created);
CREATE INDEX IF NOT EXISTS thing_parent ON thing (parent, kind);
CREATE TABLE IF NOT EXISTS deadline (id TEXT PRIMARY KEY, at INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS deadline_at ON deadline (at);
CREATE TABLE IF NOT EXISTS movement (
    number INTEGER PRIMARY KEY AUTOINCREMENT, created INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS movement_created ON movement (created);
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, delivered INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS event_waiting ON event (number) WHERE delivered = 0;
"""

Body = dict[str, Any]
# Later than any second.
NO_END = 2**62


class Books:
    """Reads and writes; knows no rule."""

    def __init__(self, file: str) -> None:
        # Requests and the delivery of events run on one event loop, wherever it was started.
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

    def intent(self, intent_id: str) -> Body | None:
        """One intent as last saved."""
        return self._one("SELECT body FROM intent WHERE id = ?", intent_id)

    def intents(self, created_from: int = 0, created_until: int = NO_END) -> list[Body]:
        """Made in these seconds, newest first."""
        query = "SELECT body FROM intent WHERE created BETWEEN ? AND ? ORDER BY created DESC, id DESC"
        return self._all(query, created_from, created_until)

    def save_intent(self, intent: Body) -> None:
        """Adds or replaces it."""
        self._db.execute(
            "INSERT INTO intent (id, created, operation_id, body) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (
                intent["id"],
                intent["created"],
                intent["metadata"].get("operation_id", ""),
                json.dumps(intent),
            ),
        )

    def refunds(self, intent_id: str) -> list[Body]:
        """Newest first."""
        return self._all("SELECT body FROM refund WHERE intent_id = ? ORDER BY rowid DESC", intent_id)

    def refund(self, refund_id: str) -> Body | None:
        """One refund as last saved."""
        return self._one("SELECT body FROM refund WHERE id = ?", refund_id)

    def save_refund(self, refund: Body) -> None:
        """Adds or replaces it."""
        self._db.execute(
            "INSERT INTO refund (id, intent_id, body) VALUES (?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET body = excluded.body",
            (refund["id"], refund["payment_intent"], json.dumps(refund)),
        )

    def thing(self, kind: str, thing_id: str) -> Body | None:
        """One customer, means, setup intent, page, dispute or reader as last saved."""
        return self._one("SELECT body FROM thing WHERE kind = ? AND id = ?", kind, thing_id)

    def things(self, kind: str, created_from: int = 0, created_until: int = NO_END) -> list[Body]:
        """Of one kind, made in these seconds, newest first."""
        query = (
            "SELECT body FROM thing WHERE kind = ? AND created BETWEEN ? AND ? ORDER BY created DESC, rowid DESC"
        )
        return self._all(query, kind, created_from, created_until)

    def things_of(self, kind: str, parent: str) -> list[Body]:
        """Of one kind and one parent (an intent), newest first."""
        return self._all("SELECT body FROM thing WHERE parent = ? AND kind = ? ORDER BY rowid DESC", parent, kind)

    def save(self, thing: Body, parent: str = "") -> None:
        """Adds or replaces it; `parent` is what it is listed by."""
        self._db.execute(
            "INSERT INTO thing (id, kind, parent, created, body) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (id) DO UPDATE SET body = excluded.body, parent = excluded.parent",
            (thing["id"], thing["object"], parent, thing.get("created", 0), json.dumps(thing)),
        )

    def set_deadline(self, thing_id: str, at: int | None) -> None:
        """When something ends by itself; None: never, or not any more."""
        if at is None:
            self._db.execute("DELETE FROM deadline WHERE id = ?", (thing_id,))
        else:
            self._db.execute("INSERT OR REPLACE INTO deadline (id, at) VALUES (?, ?)", (thing_id, at))

    def due(self, at: int) -> list[str]:
        """What has to end by now, earliest first."""
        rows = self._db.execute("SELECT id FROM deadline WHERE at <= ? ORDER BY at", (at,)).fetchall()
        return [row[0] for row in rows]

    def add_movement(self, movement: Body) -> None:
        """Adds money that moved."""
        self._db.execute(
            "INSERT INTO movement (created, body) VALUES (?, ?)", (movement["created"], json.dumps(movement))
        )

    def movements(self, created_from: int, created_before: int) -> list[Body]:
        """Of these seconds, oldest first."""
        query = "SELECT body FROM movement WHERE created >= ? AND created < ? ORDER BY number"
        return self._all(query, created_from, created_before)

    def answer(self, key: str) -> tuple[str, int, Body] | None:
        """What was answered to this idempotency key: fingerprint of the request, status, body."""
        row = self._db.execute("SELECT fingerprint, status, body FROM answer WHERE key = ?", (key,)).fetchone()
        return (row[0], row[1], json.loads(row[2])) if row else None

    def remember(self, key: str, fingerprint: str, status: int, body: Body) -> None:
        """Keeps an answer for whoever asks again with the key."""
        self._db.execute(
            "INSERT INTO answer (key, fingerprint, status, body) VALUES (?, ?, ?, ?)",
            (key, fingerprint, status, json.dumps(body)),
        )

    def add_event(self, event: Body) -> None:
        """Adds an event to send."""
        self._db.execute("INSERT INTO event (body) VALUES (?)", (json.dumps(event),))

    def waiting_events(self, limit: int = 50) -> list[tuple[int, Body]]:
        """Events not delivered yet, oldest first."""
        rows = self._db.execute(
            "SELECT number, body FROM event WHERE delivered = 0 ORDER BY number LIMIT ?", (limit,)
        ).fetchall()
        return [(row[0], json.loads(row[1])) for row in rows]

    def events(self) -> list[Body]:
        """Every event that ever was, oldest first."""
        return self._all("SELECT body FROM event ORDER BY number")

    def mark_delivered(self, number: int) -> None:
        """The receiver took it."""
        self._db.execute("UPDATE event SET delivered = 1 WHERE number = ?", (number,))

    def _one(self, statement: str, *values: object) -> Body | None:
        row = self._db.execute(statement, values).fetchone()
        return json.loads(row[0]) if row else None

    def _all(self, statement: str, *values: object) -> list[Body]:
        return [json.loads(row[0]) for row in self._db.execute(statement, values).fetchall()]

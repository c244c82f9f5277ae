"""What the banks know, in one SQLite file (WAL): bookings, openings, and what is still to be posted.

Used from one event loop only: a call is atomic.
"""

import json
import sqlite3
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS booking (
    bank TEXT NOT NULL, reference TEXT NOT NULL, compartment TEXT NOT NULL, state TEXT NOT NULL,
    code TEXT NOT NULL DEFAULT '', opened_at TEXT,
    PRIMARY KEY (bank, reference)
);
CREATE UNIQUE INDEX IF NOT EXISTS booking_taken ON booking (bank, compartment) WHERE state <> 'opened';
CREATE TABLE IF NOT EXISTS post (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    bank TEXT NOT NULL, body TEXT NOT NULL, due_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0
);
"""

Body = dict[str, Any]


class Books:
    """Reads and writes; knows no rule. The instants of posts are seconds since 1970."""

    def __init__(self, file: str) -> None:
        # Requests and posts run on one event loop, wherever it was started.
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Ends the connection."""
        self._db.close()

    def booking(self, bank: str, reference: str) -> Body | None:
        """With its code."""
        return self._one("SELECT * FROM booking WHERE bank = ? AND reference = ?", bank, reference)

    def booking_in(self, bank: str, compartment: str) -> Body | None:
        """That which keeps a compartment now."""
        query = "SELECT * FROM booking WHERE bank = ? AND compartment = ? AND state <> 'opened'"
        return self._one(query, bank, compartment)

    def taken(self, bank: str) -> set[str]:
        """The compartments that are kept for somebody."""
        query = "SELECT compartment FROM booking WHERE bank = ? AND state <> 'opened'"
        return {row[0] for row in self._db.execute(query, (bank,))}

    def save(self, booking: Body) -> None:
        """As it is from now on."""
        self._db.execute(
            """INSERT INTO booking VALUES (:bank, :reference, :compartment, :state, :code, :opened_at)
               ON CONFLICT (bank, reference)
               DO UPDATE SET state = :state, code = :code, opened_at = :opened_at""",
            booking,
        )

    def forget(self, bank: str, reference: str) -> None:
        """The compartment is free; what was opened stays known."""
        query = "DELETE FROM booking WHERE bank = ? AND reference = ? AND state <> 'opened'"
        self._db.execute(query, (bank, reference))

    def opened(self, bank: str) -> list[Body]:
        """In the order of their openings."""
        query = "SELECT * FROM booking WHERE bank = ? AND state = 'opened' ORDER BY opened_at"
        return [dict(row) for row in self._db.execute(query, (bank,))]

    def add_post(self, bank: str, event: Body, due_at: float) -> None:
        """To be posted then."""
        row = bank, json.dumps(event), due_at
        self._db.execute("INSERT INTO post (bank, body, due_at) VALUES (?, ?, ?)", row)

    def due_posts(self, now: float) -> list[tuple[int, str, Body, int]]:
        """Number, bank, event and tries of what is to be posted by now."""
        query = "SELECT number, bank, body, tries FROM post WHERE due_at <= ? ORDER BY due_at, number"
        return [(row[0], row[1], json.loads(row[2]), row[3]) for row in self._db.execute(query, (now,))]

    def next_post_at(self) -> float | None:
        """When the next post is due."""
        row = self._db.execute("SELECT min(due_at) FROM post").fetchone()
        return None if row[0] is None else float(row[0])

    def mark_posted(self, number: int) -> None:
        """It was taken."""
        self._db.execute("DELETE FROM post WHERE number = ?", (number,))

    def put_off(self, number: int, due_at: float) -> None:
        """It was not taken, and is posted again then."""
        self._db.execute("UPDATE post SET due_at = ?, tries = tries + 1 WHERE number = ?", (due_at, number))

    def _one(self, query: str, *arguments: str) -> Body | None:
        row = self._db.execute(query, arguments).fetchone()
        return dict(row) if row else None

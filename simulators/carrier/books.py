"""What the carriers know, in one SQLite file (WAL): shipments, their events, and what is still to be posted.

Used from one event loop only: a call is atomic.
"""

import json
import sqlite3
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS shipment (
    carrier TEXT NOT NULL, tracking_code TEXT NOT NULL, reference TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (carrier, tracking_code), UNIQUE (carrier, reference)
);
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    carrier TEXT NOT NULL, tracking_code TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_of_shipment ON event (carrier, tracking_code);
CREATE TABLE IF NOT EXISTS post (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    carrier TEXT NOT NULL, tracking_code TEXT NOT NULL, body TEXT NOT NULL,
    due_at REAL, tries INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS post_due ON post (due_at, number);
"""

Body = dict[str, Any]


class Books:
    """Reads and writes; knows no rule. Instants are seconds since 1970."""

    def __init__(self, file: str) -> None:
        # Requests and posts run on one event loop, wherever it was started.
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Ends the connection."""
        self._db.close()

    def shipment(self, carrier: str, tracking_code: str) -> Body | None:
        """One shipment of a carrier."""
        return self._one(
            "SELECT body FROM shipment WHERE carrier = ? AND tracking_code = ?", carrier, tracking_code
        )

    def shipment_of(self, carrier: str, reference: str) -> Body | None:
        """The shipment that was announced under this reference."""
        return self._one("SELECT body FROM shipment WHERE carrier = ? AND reference = ?", carrier, reference)

    def add_shipment(self, carrier: str, shipment: Body) -> None:
        """A new one."""
        row = carrier, shipment["tracking_code"], shipment["reference"], json.dumps(shipment)
        self._db.execute("INSERT INTO shipment VALUES (?, ?, ?, ?)", row)

    def events(self, carrier: str, tracking_code: str) -> list[Body]:
        """What happened to a shipment, in the order in which it was recorded."""
        query = "SELECT body FROM event WHERE carrier = ? AND tracking_code = ? ORDER BY number"
        return [json.loads(row[0]) for row in self._db.execute(query, (carrier, tracking_code))]

    def add_event(self, carrier: str, event: Body) -> None:
        """Something that happened; it is listed from now on."""
        row = carrier, event["tracking_code"], json.dumps(event)
        self._db.execute("INSERT INTO event (carrier, tracking_code, body) VALUES (?, ?, ?)", row)

    def add_post(self, carrier: str, event: Body, due_at: float | None) -> None:
        """To be posted then; None: after the next event of the shipment."""
        row = carrier, event["tracking_code"], json.dumps(event), due_at
        self._db.execute("INSERT INTO post (carrier, tracking_code, body, due_at) VALUES (?, ?, ?, ?)", row)

    def release_posts(self, carrier: str, tracking_code: str, due_at: float) -> None:
        """What waited for a next event of the shipment waits no longer."""
        self._db.execute(
            "UPDATE post SET due_at = ? WHERE carrier = ? AND tracking_code = ? AND due_at IS NULL",
            (due_at, carrier, tracking_code),
        )

    def due_posts(self, now: float) -> list[tuple[int, str, Body, int]]:
        """Number, carrier, event and tries of what is to be posted by now."""
        query = "SELECT number, carrier, body, tries FROM post WHERE due_at <= ? ORDER BY due_at, number"
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
        body: Body | None = json.loads(row[0]) if row else None
        return body

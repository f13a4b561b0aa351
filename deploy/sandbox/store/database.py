"""The store's memory: one SQLite file that survives a kill."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS carts (token TEXT PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customers (id INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY, updated_at TEXT NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT, webhook_id TEXT NOT NULL UNIQUE, event_id TEXT NOT NULL,
    topic TEXT NOT NULL, order_id INTEGER NOT NULL, triggered_at TEXT NOT NULL, body BLOB NOT NULL,
    state TEXT NOT NULL, copies_left INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, next_at REAL);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (state, next_at);
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, delivery_id INTEGER NOT NULL REFERENCES deliveries (id),
    at REAL NOT NULL, status INTEGER, answer TEXT NOT NULL, milliseconds INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS attempts_of ON attempts (delivery_id);
CREATE TABLE IF NOT EXISTS calls (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, status INTEGER NOT NULL,
    operation TEXT, query TEXT NOT NULL, variables TEXT NOT NULL, cost INTEGER,
    errors TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS switches (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
# Shopify's ids grow by irregular steps; a prime step keeps anyone from counting on neighbours.
FIRST_IDS = {
    "customer": 7_302_510_240_000,
    "data_request": 9_410_240,
    "order": 5_610_240_000_000,
    "line_item": 14_410_240_000_000,
    "refund": 868_410_240_000,
    "refund_line_item": 390_110_240_000,
    "transaction": 6_489_810_240_000,
    "order_edit": 78_410_240_000,
    "adjustment": 199_510_240_000,
    "dispute": 12_410_240_000,
}
ID_STEP = 32_771


class Database:
    """The door to the file; writers go through it one at a time."""

    def __init__(self, path: Path) -> None:
        """Open the file, and make its tables when it is new."""
        self.path = path
        self._writing = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with self.reading() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection for queries."""
        connection = sqlite3.connect(self.path, timeout=15, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous = NORMAL")
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose work is committed whole, or not at all."""
        with self._writing, self.reading() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")


def next_number(connection: sqlite3.Connection, *, name: str, first: int, step: int) -> int:
    """Take the next number of a named counter."""
    row = connection.execute(
        "INSERT INTO counters (name, value) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = value + ? RETURNING value",
        (name, first, step),
    ).fetchone()
    return int(row["value"])


def next_id(connection: sqlite3.Connection, kind: str) -> int:
    """Take the next id of a kind of thing."""
    return next_number(connection, name=kind, first=FIRST_IDS[kind], step=ID_STEP)


def clock() -> float:
    """Return the wall clock, in seconds."""
    return time.time()

"""The one SQLite file behind everything, and its only transaction."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS calendars (
    id TEXT PRIMARY KEY, body TEXT NOT NULL, zone TEXT NOT NULL, version INTEGER NOT NULL,
    oldest_token INTEGER NOT NULL DEFAULT 0, deleted INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS events (
    calendar TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, status TEXT NOT NULL,
    starts INTEGER NOT NULL, ends INTEGER NOT NULL, series TEXT, body TEXT NOT NULL,
    PRIMARY KEY (calendar, id));
CREATE INDEX IF NOT EXISTS events_by_version ON events (calendar, version);
CREATE INDEX IF NOT EXISTS events_by_series ON events (calendar, series);
CREATE TABLE IF NOT EXISTS channels (
    id TEXT PRIMARY KEY, calendar TEXT NOT NULL, resource TEXT NOT NULL, uri TEXT NOT NULL,
    address TEXT NOT NULL, token TEXT, expires_ms INTEGER NOT NULL, number INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS calls (
    number INTEGER PRIMARY KEY AUTOINCREMENT, method TEXT NOT NULL, path TEXT NOT NULL,
    query TEXT NOT NULL, status INTEGER NOT NULL, fault TEXT, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS faults (
    number INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, left INTEGER, until REAL);
"""


@dataclass
class Work:
    """One open transaction: the connection, and the calendars it has written to."""

    db: sqlite3.Connection
    actor: str
    touched: set[str] = field(default_factory=set)

    def next_version(self) -> int:
        """Move the clock of versions on; every write has its own."""
        wanted = time.time_ns() // 1_000_000 * 2000
        sql = "UPDATE clock SET version = max(version + 2000, ?) RETURNING version"
        version: int = self.db.execute(sql, (wanted,)).fetchone()[0]
        return version

    def version(self) -> int:
        """Return the newest version given out."""
        version: int = self.db.execute("SELECT version FROM clock").fetchone()[0]
        return version


class Store:
    """The file, opened by one process, used by many threads."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "google.sqlite3"
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.executescript(SCHEMA)
        self._db.execute("INSERT INTO clock SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM clock)")
        self.after_commit: Callable[[set[str]], None] = lambda calendars: None

    @contextmanager
    def transaction(self, actor: str = "") -> Iterator[Work]:
        """Open the only kind of transaction: all of a request, or nothing of it."""
        work = Work(self._db, actor)
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield work
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        if work.touched:
            self.after_commit(work.touched)


def etag_of(version: int) -> str:
    """Return the etag of a version, quoted as HTTP wants it."""
    return f'"{version}"'


def moment_of(version: int) -> str:
    """Return the instant at which a version was written, to the millisecond."""
    instant = datetime.fromtimestamp(version / 2_000_000, UTC)
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")

"""The book in memory: what is taken per studio and day, and the answers made of it.

PostgreSQL tells every process of each change (LISTEN, see the `tell_book` trigger). Silence is not
trusted: a question is asked on the listening connection every few milliseconds, and its answer
comes after all that was told before. What is kept counts as current only while the last answered
question is younger than `FRESH_SECONDS`, so a booking that was answered is seen by every request
that begins 100 ms later. Without PostgreSQL's answers nothing is kept: the tables are asked.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg
import structlog
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from booking_engine.booking import book
from booking_engine.booking.availability import Search
from booking_engine.booking.book import Taken
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Unavailable
from booking_engine.intervals import from_minutes
from connector.database import Busy, meaning

log = structlog.get_logger(__name__)

FRESH_SECONDS = 0.1
BEAT_SECONDS = 0.03
SILENCE_SECONDS = 2.0
RETRY_SECONDS = 0.5
DEAF_SECONDS = 1.0
STALE_MAX = 5
DAY_MINUTES = 24 * 60
DAYS_MAX = 100_000
ANSWERS_MAX_BYTES = 64 * 1024 * 1024  # anybody may ask anything, sixty days at a time
ANSWER_BYTES = 1_000  # what an answer needs beside its content, about
CHANGED_DAYS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Mark:
    """The state of some days of a studio's book: the same mark later means that nothing changed."""

    studio_id: int
    days: range
    epoch: int
    versions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Ready bytes, right while `mark` is and until `stable_until` (epoch seconds).

    What was asked stands beside, so that the answer can be made again.
    """

    content: bytes
    etag: str
    mark: Mark
    stable_until: float
    shop: str
    search: Search


class LiveBook:
    """One process's memory of the book. Lives on the event loop; nothing here blocks it."""

    def __init__(self, database_url: str, pool: AsyncConnectionPool) -> None:
        self._url = database_url.replace("postgresql+psycopg://", "postgresql://")
        self._pool = pool
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._confirmed_at = float("-inf")
        self._epoch = 0
        self._versions: dict[tuple[int, int], int] = {}
        self._days: dict[tuple[int, int], tuple[int, list[Taken]]] = {}
        self._answers: dict[str, Answer] = {}
        self._answers_bytes = 0
        self._studios: dict[str, Studio] = {}
        self._news = asyncio.Event()
        self.is_ending = False

    async def start(self) -> None:
        """Begin to listen; what cannot be heard yet is read from the tables."""
        self._task = asyncio.create_task(self._listen_for_ever())

    async def stop(self) -> None:
        """Stop listening."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def end(self) -> None:
        """Wake whoever waits for news for the last time: the process is about to stop."""
        self.is_ending = True
        self._tell()

    def is_fresh(self) -> bool:
        """Tell whether what is kept may be believed now."""
        return time.monotonic() - self._confirmed_at < FRESH_SECONDS

    def answer(self, key: str) -> Answer | None:
        """Return the answer that was kept last, right or not."""
        return self._answers.get(key)

    def is_right(self, kept: Answer) -> bool:
        """Tell whether a kept answer may still be given."""
        return self.is_fresh() and kept.stable_until > time.time() and self._is_current(kept.mark)

    def keep(self, key: str, answer: Answer) -> None:
        """Keep an answer for whoever asks the same."""
        former = self._answers.get(key)
        self._answers_bytes += _weight(key, answer) - (_weight(key, former) if former else 0)
        if self._answers_bytes > ANSWERS_MAX_BYTES:
            self._answers.clear()
            self._answers_bytes = _weight(key, answer)
        self._answers[key] = answer

    def studio(self, shop: str) -> Studio | None:
        """Return a kept catalogue; "" is the only studio."""
        return self._studios.get(shop) if self.is_fresh() else None

    def keep_studio(self, shop: str, studio: Studio, epoch: int) -> None:
        """Keep a catalogue that was read while the book was at `epoch`."""
        if epoch == self._epoch:
            self._studios[shop] = studio

    @property
    def epoch(self) -> int:
        """Return how often everything that was kept had to be forgotten."""
        return self._epoch

    def mark(self, studio_id: int, start: int, end: int) -> Mark:
        """Return the state of the days around some minutes; to be taken before they are read."""
        days = range(start // DAY_MINUTES, -(-end // DAY_MINUTES))
        versions = tuple(self._versions.get((studio_id, day), 0) for day in days)
        return Mark(studio_id, days, self._epoch, versions)

    async def taken(self, mark: Mark, *, now: datetime) -> list[Taken]:
        """Return what is taken on the days of a mark, lapsed holds perhaps among it.

        Raises `Unavailable` where the database does not answer.
        """
        kept: dict[int, list[Taken]] = {}
        if self.is_fresh():
            kept = {
                day: self._days[mark.studio_id, day][1] for day in mark.days if self._has(mark, day)
            }
        missing = [day for day in mark.days if day not in kept]
        if missing:
            read = range(missing[0], missing[-1] + 1)
            start, end = read.start * DAY_MINUTES, read.stop * DAY_MINUTES
            rows = await self.read(mark.studio_id, start, end, now=now)
            kept |= self._split(mark, read, rows)
        # What lies on several days is listed on each.
        first = mark.days.start
        return [
            each
            for day in mark.days
            for each in kept[day]
            if day == first or each.start >= day * DAY_MINUTES
        ]

    async def read(self, studio_id: int, start: int, end: int, *, now: datetime) -> list[Taken]:
        """Return what the tables say is taken in these minutes; raises `Unavailable`."""
        return await self._query(
            {
                "studio_id": studio_id,
                "start": from_minutes(start),
                "end": from_minutes(end),
                "now": now,
            }
        )

    async def news(self, mark: Mark, *, until: float) -> None:
        """Wait until the days of a mark change, or until an instant (epoch seconds).

        Where the book is not heard, the waiting is over after a second: the tables will tell.
        """
        while self._is_current(mark) and not self.is_ending:
            left = until - time.time()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(min(left, DEAF_SECONDS)):
                    await self._news.wait()
            except TimeoutError:
                if not self.is_fresh():
                    return

    def _has(self, mark: Mark, day: int) -> bool:
        kept = self._days.get((mark.studio_id, day))
        return kept is not None and kept[0] == mark.versions[day - mark.days.start]

    def _is_current(self, mark: Mark) -> bool:
        if mark.epoch != self._epoch:
            return False
        known = self._versions
        return all(
            known.get((mark.studio_id, day), 0) == version
            for day, version in zip(mark.days, mark.versions, strict=True)
        )

    def _split(self, mark: Mark, days: range, rows: Sequence[Taken]) -> dict[int, list[Taken]]:
        """Sort what was read by day, and keep it for whoever asks next."""
        split: dict[int, list[Taken]] = {day: [] for day in days}
        for each in rows:
            first, last = each.start // DAY_MINUTES, (each.end - 1) // DAY_MINUTES
            for day in range(max(first, days.start), min(last + 1, days.stop)):
                split[day].append(each)
        if mark.epoch == self._epoch:
            if len(self._days) >= DAYS_MAX:
                self._days.clear()
            for day, found in split.items():
                version = mark.versions[day - mark.days.start]
                self._days[mark.studio_id, day] = version, found
        return split

    async def _query(self, values: dict[str, object]) -> list[Taken]:
        # After a restart of the database every pooled connection fails once before it is replaced.
        for _ in range(STALE_MAX):
            try:
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(book.TAKEN, values)
                    return [Taken._make(row) for row in await cursor.fetchall()]
            except psycopg.OperationalError as error:
                meant = meaning(error)
                if isinstance(meant, Busy):  # to ask again at once would make it worse
                    raise meant from error
                failed = error
            except PoolTimeout as error:
                raise Unavailable("the database does not answer") from error
        raise Unavailable("the database does not answer", retry_after_seconds=2) from failed

    async def _listen_for_ever(self) -> None:
        # A cancellation in the middle of a question may come out as an error of the driver's.
        while not self._stopping:
            try:
                await self._listen()
            except (psycopg.Error, OSError, TimeoutError) as error:
                log.warning("book_not_heard", error=type(error).__name__)
            finally:
                self._confirmed_at = float("-inf")
                self._forget()
            await asyncio.sleep(RETRY_SECONDS)

    async def _listen(self) -> None:
        connection = await psycopg.AsyncConnection.connect(
            self._url, autocommit=True, connect_timeout=5
        )
        async with connection:
            connection.add_notify_handler(self._heard)
            await connection.execute("LISTEN book")
            self._forget()
            while True:
                asked_at = time.monotonic()
                async with asyncio.timeout(SILENCE_SECONDS):
                    await connection.execute("SELECT 1")
                self._confirmed_at = asked_at
                await asyncio.sleep(BEAT_SECONDS)

    def _heard(self, notification: psycopg.Notify) -> None:
        """Note a change: `studio first_day last_day`, or a studio alone for its whole catalogue."""
        self._tell()
        studio_id, *days = (int(part) for part in notification.payload.split())
        if len(days) != 2 or days[1] - days[0] > CHANGED_DAYS_MAX:
            self._forget()
            return
        for day in range(days[0], days[1] + 1):
            self._versions[studio_id, day] = self._versions.get((studio_id, day), 0) + 1
        if len(self._versions) > DAYS_MAX:
            self._forget()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _forget(self) -> None:
        self._epoch += 1
        self._versions.clear()
        self._days.clear()
        self._answers.clear()
        self._answers_bytes = 0
        self._studios.clear()


def _weight(key: str, answer: Answer) -> int:
    return len(key) + len(answer.content) + ANSWER_BYTES

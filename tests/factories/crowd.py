"""Many at once: threads that start together, and what became of each."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg
from sqlmodel import Session

from connector import verify
from connector.runtime import Runtime


@dataclass
class Crowd:
    """What came of a race: how often each outcome, how long the slowest took."""

    outcomes: Counter[str] = field(default_factory=Counter)
    unexpected: list[BaseException] = field(default_factory=list)
    slowest: float = 0.0


def race(
    house: Runtime,
    act: Callable[[Session, int], object],
    *,
    count: int,
    refusals: tuple[type[Exception], ...] = (),
) -> Crowd:
    """Run `act` in so many transactions at once, each in its thread, and count how they end."""
    barrier, crowd, lock = threading.Barrier(count), Crowd(), threading.Lock()

    def run(number: int) -> None:
        barrier.wait(10)
        begun = time.monotonic()
        try:
            with house.transaction() as session:
                act(session, number)
            outcome = "done"
        except refusals as error:
            outcome = type(error).__name__
        except Exception as error:  # noqa: BLE001 - the test looks at every one
            outcome = "unexpected"
            crowd.unexpected.append(error)
        with lock:
            crowd.outcomes[outcome] += 1
            crowd.slowest = max(crowd.slowest, time.monotonic() - begun)

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return crowd


def violations(house: Runtime) -> list[verify.Violation]:
    """Return whatever is broken in the whole database."""
    with house.transaction() as session:
        return [each for check in verify.CHECKS for each in verify.violations(session, check)]


def deadlocks(house: Runtime) -> int:
    """Return how often PostgreSQL had to break a deadlock in this database."""
    url = house.settings.database_url.replace("postgresql+psycopg://", "postgresql://")
    with psycopg.connect(url) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchone()
    assert row is not None
    return int(row[0])

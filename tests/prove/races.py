"""Crowds over several processes: who wants the last bay, the only coach, a slot to move to.

Exactly as many win as there is room, everybody else is told so, nothing dead-locks.
"""

import asyncio
import contextlib
import os
import signal
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from sqlalchemy import text

from connector import keys, migrate
from connector.runtime import Runtime
from connector.tables import Role
from sandbox import servers
from tests.factories import houses
from tests.factories.crowd import deadlocks, violations
from tests.factories.studio import TORONTO, apply_demo, demo_text
from tests.prove import lines
from tests.prove.lines import Answer, Line
from tests.prove.stage import PLAIN

GOAL_SECONDS = 0.250
REFUSED = frozenset({"409 slot_taken", "409 coach_unavailable"})
OPTIONS = ("log_lock_waits=on", "max_connections=300")
MOVERS = 5
RIVALS_MAX = 50
CUSTOMER, FILLER, MOVER = 1_000_000, 2_000_000, 3_000_000


@dataclass(frozen=True)
class Race:
    """So many rivals for what is left when so many bays are taken."""

    name: str
    rivals: int
    winners: int = 1
    filled: int = 3
    coach: str | None = None
    movers: int = 0
    hours: tuple[int, ...] = ()


RACES = (
    Race("2 for the last bay", 2, hours=(9, 10)),
    Race("10 for the last bay", 10, hours=(11, 12)),
    Race("50 for the last bay", 50, hours=(13, 14)),
    Race("50 for four bays", 50, winners=4, filled=0, hours=(15, 16)),
    Race("20 for one coach over four bays", 20, filled=0, coach="ana", hours=(17, 18, 19)),
    Race("5 moves against 5 holds", 10, movers=MOVERS, hours=(20, 21)),
)


@dataclass(frozen=True)
class Round:
    """How one round ended: the slowest answer, all answers by status and code, what was wrong."""

    slowest: float
    answers: Counter[str]
    wrong: list[str]


@dataclass
class World:
    """A studio that several processes serve, and the lines to them."""

    house: Runtime
    ports: list[int]
    key: str
    log: Path
    portal: BlockingPortal
    crowd: list[Line] = field(default_factory=list)
    fillers: int = 0
    moving: list[str] = field(default_factory=list)

    def one(
        self, method: str, path: str, body: dict[str, object] | None = None, **query: object
    ) -> Answer:
        """Ask one thing over the first line."""
        asked = lines.request(method, path, self.key, body, **query)
        return self.all([asked])[0]

    def all(self, requests: Sequence[bytes]) -> list[Answer]:
        """Ask everything at once, each over its own line."""
        return self.portal.call(lines.shout, self.crowd, requests)


@contextlib.contextmanager
def world(*, processes: int) -> Iterator[World]:
    """Start PostgreSQL, Redis and so many API processes; all are gone when the block ends."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(houses.own_folder())
        url = stack.enter_context(houses.own_postgres(folder, options=OPTIONS))
        redis_url = stack.enter_context(houses.own_redis(folder))
        servers.create_database(url)
        migrate.upgrade(url.replace("postgresql://", "postgresql+psycopg://"))
        house = houses.make_house(url, redis_url)
        stack.callback(house.engine.dispose)
        key = _furnish(house)
        ports = [servers.free_port() for _ in range(processes)]
        for port in ports:
            stack.enter_context(_serving(folder, port, url, redis_url))
        for port in ports:
            _wait(port, folder)
        # In a thread of its own: whoever runs this may have an event loop running already.
        portal = stack.enter_context(
            start_blocking_portal("asyncio", backend_options={"use_uvloop": True})
        )
        made = World(house, ports, key, folder / "postgres.log", portal)
        made.crowd = portal.call(lines.connect, ports, RIVALS_MAX)
        stack.callback(portal.call, _hang_up, made.crowd)
        _warm(made)
        yield made


def run(world: World, race: Race, rounds: int) -> Iterator[Round]:
    """Run a race so many times, each at a time of its own."""
    for number, start in zip(range(rounds), _starts(race), strict=False):
        yield _round(world, race, number, start)


def aftermath(world: World) -> list[str]:
    """Return what is wrong when all is over: promises, deadlocks, in statistics and in the log."""
    wrong = [str(each) for each in violations(world.house)]
    if dead := deadlocks(world.house):
        wrong.append(f"PostgreSQL broke {dead} deadlocks")
    log = world.log.read_text(errors="replace")
    return wrong + [line for line in log.splitlines() if "deadlock" in line]


def lock_waits(world: World) -> int:
    """Return how often somebody waited for a lock for more than a second."""
    return world.log.read_text(errors="replace").count("still waiting for")


def summary(results: Sequence[Round]) -> list[str]:
    """Say how the rounds of a race ended: rounds, median, p99, max, how many late, all answers."""
    slowest = sorted(each.slowest * 1000 for each in results)
    p99 = slowest[min(len(slowest) - 1, round(len(slowest) * 0.99))]
    figures = [statistics.median(slowest), p99, slowest[-1]]
    late = sum(each > GOAL_SECONDS * 1000 for each in slowest)
    answers: Counter[str] = Counter()
    for each in results:
        answers += each.answers
    words = ", ".join(f"{count} x {code}" for code, count in sorted(answers.items()))
    return [str(len(results)), *(f"{each:.0f}" for each in figures), str(late), words]


def _round(world: World, race: Race, number: int, start: datetime) -> Round:
    """Take all but what is raced for, let the rivals go, count, and free what they won."""
    if race.filled:
        filler = _filler(world)
        held = world.one("POST", "/api/holds", _body(start, race.filled), customer=filler)
        assert held.status == 201, held.body
    answers = world.all(_requests(world, race, start))
    codes = Counter(each.code for each in answers)
    wrong = []
    won = sum(count for code, count in codes.items() if code in ("200", "201"))
    if won != race.winners:
        wrong.append(f"{won} won, there was room for {race.winners}")
    wrong += [f"{code}" for code in codes if code not in REFUSED | {"200", "201"}]
    bays, coaches = _taken(world, start)
    if bays != race.filled + race.winners or coaches != bool(race.coach):
        wrong.append(f"{bays} bays and {coaches} coaches are taken")
    for each in answers:
        if each.status == 201:
            world.one("DELETE", f"/api/holds/{each.json['hold']}")
    slowest = max(each.seconds for each in answers)
    return Round(slowest, codes, [f"{race.name}, round {number}: {each}" for each in wrong])


def _requests(world: World, race: Race, start: datetime) -> list[bytes]:
    """Return what each rival asks; who moves and who holds alternate."""
    coaching = {"coaching": {"minutes": 60, "coach": race.coach}} if race.coach else {}
    wish = _body(start, 1, **coaching)
    asked = [_hold(world, wish, CUSTOMER + each) for each in range(race.rivals - race.movers)]
    body = {"start": start.isoformat()}
    for each, booking in enumerate(_movers(world)[: race.movers]):
        path = f"/api/bookings/{booking}/move"
        moving = lines.request("POST", path, world.key, body, customer=MOVER + each)
        asked.insert(2 * each, moving)
    return asked


def _movers(world: World) -> list[str]:
    """Return bookings that can be moved, each of another customer; made on first use."""
    for each in range(len(world.moving), MOVERS):
        credits = {"kind": "simulator_minutes", "quantity": 60, "reason": "race"}
        given = world.one("POST", "/api/staff/credits", {"customer": MOVER + each, **credits})
        assert given.status == 201, given.body
        first = _body(_at(2, 10 + each), 1)
        booked = world.one("POST", "/api/bookings", first, customer=MOVER + each)
        assert booked.status == 201, booked.body
        world.moving.append(booked.json["id"])
    return world.moving


def _hold(world: World, body: dict[str, object], customer: int) -> bytes:
    return lines.request("POST", "/api/holds", world.key, body, customer=customer)


def _body(start: datetime, bays: int, **more: object) -> dict[str, object]:
    asked = {"service": "simulator", "start": start.isoformat(), "minutes": 60}
    return {**asked, "simulators": bays, **more}


def _starts(race: Race) -> Iterator[datetime]:
    """Yield times that no other race uses: every race has hours of its own on every day."""
    for ahead in range(3, 88):
        for hour in race.hours:
            start = _at(ahead, hour)
            if race.coach is None or start.weekday() in (1, 2, 3):  # Ana's days
                yield start


def _at(days: int, hour: int) -> datetime:
    """Return a full hour so many days from now, on the studio's wall."""
    day = datetime.now(TORONTO).date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, hour, tzinfo=TORONTO)


def _filler(world: World) -> int:
    world.fillers += 1
    return FILLER + world.fillers


def _taken(world: World, start: datetime) -> tuple[int, int]:
    """Return how many bays and how many coaches are taken then, by the table itself."""
    with world.house.transaction() as session:
        rows = session.execute(
            text(
                "SELECT kind FROM allocation JOIN resource ON resource.id = resource_id"
                " WHERE state <> 'released' AND during && tstzrange(:start, :end)"
            ),
            {"start": start, "end": start + timedelta(hours=1)},
        ).all()
    kinds = Counter(row[0] for row in rows)
    return kinds["simulator"], kinds["coach"]


def _furnish(house: Runtime) -> str:
    """Make the demo studio, open on every day, and return a key to it."""
    with house.transaction() as session:
        studio = apply_demo(session, demo_text(**PLAIN))
        now = datetime.now(UTC)
        return keys.add(session, studio_id=studio.id, name="prove", role=Role.OWNER, now=now)


def _serving(
    folder: Path, port: int, database_url: str, redis_url: str
) -> contextlib.AbstractContextManager[object]:
    environment = {
        **os.environ,
        "SIMSTUDIO_DATABASE_URL": database_url,
        "SIMSTUDIO_REDIS_URL": redis_url,
        "SIMSTUDIO_SHOPIFY__CLIENT_ID": "prove",
        "SIMSTUDIO_SHOPIFY__CLIENT_SECRET": "hush",
        "SIMSTUDIO_API__PORT": str(port),
    }
    command = [str(Path(sys.executable).parent / "simstudio"), "serve"]
    # Not SIGINT: in the background of a script that is ignored until a server sets up its own.
    farewell = signal.SIGTERM
    log = folder / f"api-{port}.log"
    return houses.running(command, log, environment=environment, farewell=farewell)


def _wait(port: int, folder: Path) -> None:
    until = time.monotonic() + 60
    while True:
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).is_success:
                return
        assert time.monotonic() < until, (folder / f"api-{port}.log").read_text()
        time.sleep(0.05)


def _warm(world: World) -> None:
    """Let every customer and every process have been there before."""
    start = _at(2, 18)
    for _ in range(2):
        asked = [
            lines.request(
                "POST", "/api/holds", world.key, _body(start, 1), customer=CUSTOMER + each
            )
            for each in range(RIVALS_MAX)
        ]
        for answer in world.all(asked):
            assert answer.status in (201, 409), answer.body
            if answer.status == 201:
                world.one("DELETE", f"/api/holds/{answer.json['hold']}")


async def _hang_up(crowd: Sequence[Line]) -> None:
    for line in crowd:
        line.close()
    await asyncio.sleep(0)

"""One sandbox for all journeys; each journey has customers and days of its own."""

import itertools
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import httpx
import psycopg
import pytest

from sandbox import servers
from tests.factories.sandbox_people import TORONTO, Calendars, Merchant, Visitor
from tests.factories.sandbox_process import SandboxProcess, all_gone, eventually, free_port_pair

FIRST_DAY, LAST_DAY = 5, 88
CLOSED = (12, 25)

NewVisitor = Callable[[], Visitor]
NewDay = Callable[..., date]
_customers = itertools.count(8_100_000_000_001)
_days_taken: set[date] = set()


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder that every user of this machine can get into, as PostgreSQL's own needs."""
    folder = Path(tempfile.mkdtemp(prefix="simstudio-journeys-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_sandbox(place: Path) -> Iterator[Callable[[], SandboxProcess]]:
    """Make a sandbox that is not started yet, on given servers where the environment names them."""
    made: list[str] = []
    given = os.environ.get("SIMSTUDIO_DATABASE_URL")

    def make() -> SandboxProcess:
        options = []
        if given is not None:
            made.append(f"{given.rpartition('/')[0]}/journey_{uuid.uuid4().hex[:12]}")
            servers.create_database(made[-1])
            options += ["--database-url", made[-1]]
        if redis := os.environ.get("SIMSTUDIO_REDIS_URL"):
            options += ["--redis-url", redis]
        return SandboxProcess(place / uuid.uuid4().hex[:8], free_port_pair(), options)

    yield make
    for url in made:
        server, _, name = url.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def own_servers() -> None:
    """Skip where the servers are somebody else's, whose processes are not ours to touch."""
    if {"SIMSTUDIO_DATABASE_URL", "SIMSTUDIO_REDIS_URL"} & set(os.environ):
        pytest.skip("PostgreSQL or Redis was given: its process is not ours to kill")


@pytest.fixture(scope="session")
def sandbox(new_sandbox: Callable[[], SandboxProcess]) -> Iterator[SandboxProcess]:
    """The one sandbox; at the end SIGTERM leaves none of its processes behind."""
    running = new_sandbox()
    running.start()
    yield running
    all_gone(running.stop())


@pytest.fixture(scope="session")
def outside_url(sandbox: SandboxProcess) -> str:
    """Where the shop and Google are."""
    return sandbox.env["SANDBOX_URL"]


@pytest.fixture
def merchant(outside_url: str) -> Iterator[Merchant]:
    """The shop's keeper; afterwards the road is kind again and nothing is on its way."""
    keeper = Merchant(outside_url)
    yield keeper
    keeper.be_kind()
    eventually(keeper.waiting, 0, seconds=60)
    keeper.shop.close()


@pytest.fixture
def calendars(outside_url: str) -> Iterator[Calendars]:
    """Google's calendars; afterwards they behave again."""
    shown = Calendars(outside_url)
    yield shown
    shown.behave()
    shown.google.close()


@pytest.fixture
def new_visitor(outside_url: str) -> Iterator[NewVisitor]:
    """Make customers nobody has seen before."""
    made: list[Visitor] = []

    def make() -> Visitor:
        made.append(Visitor(outside_url, next(_customers)))
        return made[-1]

    yield make
    for visitor in made:
        visitor.shop.close()


@pytest.fixture
def visitor(new_visitor: NewVisitor) -> Visitor:
    """A customer nobody has seen before."""
    return new_visitor()


@pytest.fixture
def staff(sandbox: SandboxProcess) -> Iterator[httpx.Client]:
    """The studio's own, at the API's door."""
    headers = {"Authorization": f"Bearer {sandbox.env['SIMSTUDIO_STAFF_KEY']}"}
    url = sandbox.env["SIMSTUDIO_URL"]
    with httpx.Client(base_url=url, headers=headers, timeout=20, trust_env=False) as client:
        yield client


@pytest.fixture
def new_day() -> NewDay:
    """Give a day to nobody else; `weekday` 0 is a Monday."""

    def give(weekday: int | None = None) -> date:
        today = datetime.now(TORONTO).date()
        days = (today + timedelta(days=ahead) for ahead in range(FIRST_DAY, LAST_DAY))
        day = next(
            day
            for day in days
            if day not in _days_taken
            and (day.month, day.day) != CLOSED
            and weekday in (None, day.weekday())
        )
        _days_taken.add(day)
        return day

    return give


@pytest.fixture
def day(new_day: NewDay) -> date:
    """A day that is nobody else's."""
    return new_day()

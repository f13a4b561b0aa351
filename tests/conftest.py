"""What the whole suite stands on: real servers, one migrated template, a database per need."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import Engine, create_engine
from sqlmodel import Session

from booking_engine.catalog import queries
from connector.runtime import Runtime
from tests.factories import houses
from tests.factories.houses import Servers, make_house
from tests.factories.studio import DEMO_FILE, NOW, apply_demo

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def given_servers() -> Iterator[tuple[str, str]]:
    """PostgreSQL and Redis: those of SIMSTUDIO_DATABASE_URL and SIMSTUDIO_REDIS_URL, or our own."""
    database_url = os.environ.get("SIMSTUDIO_DATABASE_URL")
    redis_url = os.environ.get("SIMSTUDIO_REDIS_URL")
    with contextlib.ExitStack() as stack:
        # Not pytest's own folder: nobody else may enter that.
        folder = stack.enter_context(houses.own_folder())
        if database_url is None:
            database_url = stack.enter_context(houses.own_postgres(folder))
        if redis_url is None:
            redis_url = stack.enter_context(houses.own_redis(folder))
        yield database_url, redis_url


@pytest.fixture(scope="session")
def template(given_servers: tuple[str, str]) -> Iterator[Servers]:
    """A migrated database that is only ever copied."""
    database_url, redis_url = given_servers
    with houses.migrated(database_url) as url:
        yield Servers(url, redis_url)


@pytest.fixture(scope="session")
def new_database(template: Servers) -> Iterator[Callable[[], str]]:
    """Make a fresh migrated database and return its URL; all are dropped at the end."""
    made: list[str] = []

    def make() -> str:
        made.append(houses.copy_of(template.database_url))
        return made[-1]

    yield make
    for url in made:
        houses.drop(url)


@pytest.fixture(scope="session")
def shared_engine(new_database: Callable[[], str]) -> Iterator[Engine]:
    """The database of the tests that roll back."""
    url = new_database().replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, isolation_level="READ COMMITTED")
    yield engine
    engine.dispose()


@pytest.fixture
def session(shared_engine: Engine) -> Iterator[Session]:
    """A session whose every write is undone at the end; commits inside are savepoints."""
    queries.forget()
    with shared_engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        outer.rollback()


@pytest.fixture
def house(template: Servers, new_database: Callable[[], str]) -> Iterator[Runtime]:
    """A process's runtime on a database of its own, with the demo studio; commits are real."""
    queries.forget()
    made = make_house(new_database(), template.redis_url)
    with made.transaction() as session:
        apply_demo(session)
    yield made
    made.engine.dispose()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the machine's own browser, or say why there is none."""
    named = os.environ.get("CHROMIUM")
    path = named or next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser: CHROMIUM is not set and none of {', '.join(BROWSERS)} is on PATH")
    expect.set_options(timeout=8000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


__all__ = ["DEMO_FILE", "NOW", "Servers", "make_house"]

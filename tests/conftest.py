"""What the whole suite stands on: real servers, one migrated template, a database per need."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from sqlalchemy import Engine, create_engine
from sqlmodel import Session

from booking_engine.catalog import queries
from connector import migrate, runtime, settings
from connector.runtime import Runtime
from sandbox import servers
from sandbox.servers import Server
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

# Nothing here has to outlive the machine's power supply.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")


@dataclass(frozen=True)
class Servers:
    """Where PostgreSQL and Redis are; `database_url` names the migrated template."""

    database_url: str
    redis_url: str


@contextlib.contextmanager
def _running(server: Server, log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            server.command,
            stdout=out,
            stderr=out,
            user=server.user,
            cwd="/",
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _named(url: str, name: str) -> str:
    return f"{url.rpartition('/')[0]}/{name}"


@pytest.fixture(scope="session")
def given_servers() -> Iterator[tuple[str, str]]:
    """PostgreSQL and Redis: those of SIMSTUDIO_DATABASE_URL and SIMSTUDIO_REDIS_URL, or our own."""
    given = os.environ.get("SIMSTUDIO_DATABASE_URL"), os.environ.get("SIMSTUDIO_REDIS_URL")
    with contextlib.ExitStack() as stack:
        # Not pytest's own folder: nobody else may enter that, and PostgreSQL is not run by root.
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simstudio-")))
        folder.chmod(0o755)
        database_url, redis_url = given
        if database_url is None:
            postgres = servers.postgres(folder, options=FAST)
            stack.enter_context(_running(postgres, folder / "postgres.log"))
            database_url = postgres.url
            until = datetime.now(UTC).timestamp() + 30
            while not servers.is_answering(database_url):
                assert datetime.now(UTC).timestamp() < until, "PostgreSQL did not start"
        if redis_url is None:
            redis = servers.redis(folder)
            stack.enter_context(_running(redis, folder / "redis.log"))
            redis_url = redis.url
        yield database_url, redis_url


@pytest.fixture(scope="session")
def template(given_servers: tuple[str, str]) -> Iterator[Servers]:
    """A migrated database that is only ever copied."""
    database_url, redis_url = given_servers
    url = _named(database_url, f"template_{uuid.uuid4().hex[:10]}")
    servers.create_database(url)
    migrate.upgrade(url.replace("postgresql://", "postgresql+psycopg://"))
    yield Servers(url, redis_url)
    _drop(url)


@pytest.fixture(scope="session")
def new_database(template: Servers) -> Iterator[Callable[[], str]]:
    """Make a fresh migrated database and return its URL; all are dropped at the end."""
    made: list[str] = []

    def make() -> str:
        url = _named(template.database_url, f"test_{uuid.uuid4().hex[:12]}")
        with _admin(url) as connection:
            name = url.rpartition("/")[2]
            source = template.database_url.rpartition("/")[2]
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        made.append(url)
        return url

    yield make
    for url in made:
        _drop(url)


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


def make_house(database_url: str, redis_url: str, **overrides: object) -> Runtime:
    """Make a runtime for these servers; neighbours are given by overrides."""
    values: dict[str, object] = {
        "database_url": database_url,
        "redis_url": redis_url,
        "shopify": {"client_id": "test", "client_secret": "hush"},
        "database": {"pool_size": 20},
        **overrides,
    }
    return runtime.make(settings.Settings.model_validate(values))


def _admin(url: str) -> psycopg.Connection:
    return psycopg.connect(_named(url, "postgres"), autocommit=True)


def _drop(url: str) -> None:
    with _admin(url) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')


__all__ = ["DEMO_FILE", "NOW"]

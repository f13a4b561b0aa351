"""A sandbox of one's own: `simstudio sandbox` as a process, its children found by their pids."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool
from sqlmodel import Session

from connector.verify import CHECKS, violations

BIN = Path(sys.executable).parent
SIMSTUDIO = str(BIN / "simstudio")
NAMES = {
    "outside": "sandbox.outside",
    "api": "simstudio serve",
    "worker": "simstudio worker",
    "beat": "simstudio beat",
    "redis": "redis-server",
    "postgres": "postgres -D",
}


@dataclass(frozen=True)
class Done:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def words(self) -> str:
        """Return everything it said as one line."""
        return " ".join((self.out + " " + self.err).split())


@dataclass(frozen=True)
class Pid:
    """A process that keeps its identity even when its number is given to another."""

    number: int
    born: str
    command: str

    def is_alive(self) -> bool:
        """Tell whether it still runs; a zombie does not."""
        now = _stat(self.number)
        return now is not None and now[2] == self.born and now[1] not in "ZX"

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """Send it a signal."""
        os.kill(self.number, how)


@dataclass
class SandboxProcess:
    """One `simstudio sandbox` in a folder and on two neighbouring ports."""

    folder: Path
    port: int
    options: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    env: dict[str, str] = field(default_factory=dict, repr=False)

    def start(self, *more: str, seconds: float = 60) -> None:
        """Start it and wait for its `ready`."""
        log = self.folder.with_suffix(".log")
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [*self._command(), *more],
                stdout=out,
                stderr=subprocess.STDOUT,
                env=without_settings(),
                start_new_session=True,
            )
        until = time.monotonic() + seconds
        while "ready" not in log.read_text().splitlines():
            assert self.process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        lines = (self.folder / "env").read_text().splitlines()
        self.env = dict(line.split("=", 1) for line in lines)

    def stop(self, how: signal.Signals = signal.SIGTERM, *, seconds: float = 40) -> list[Pid]:
        """End it with a signal, wait for its end, and return every process it ran."""
        assert self.process is not None
        ran = self.descendants()
        self.process.send_signal(how)
        self.process.wait(seconds)
        return ran

    def refusal(self, *more: str) -> Done:
        """Start it where it should refuse, and return what it says."""
        return finished([*self._command(), *more], without_settings())

    def descendants(self) -> list[Pid]:
        """Return every process below the supervisor."""
        assert self.process is not None
        children: dict[int, list[int]] = {}
        for number in _numbers():
            if (found := _stat(number)) is not None:
                children.setdefault(int(found[0]), []).append(number)
        below: list[int] = []
        ahead = [self.process.pid]
        while ahead:
            found_here = children.get(ahead.pop(), [])
            below += found_here
            ahead += found_here
        return [pid for number in below if (pid := _pid(number)) is not None]

    def child(self, name: str) -> Pid | None:
        """Return the running child of this name (see NAMES), None while it is down."""
        assert self.process is not None
        for number in _numbers():
            found = _stat(number)
            if found is not None and int(found[0]) == self.process.pid and found[1] != "Z":
                pid = _pid(number)
                if pid is not None and NAMES[name] in pid.command:
                    return pid
        return None

    def kill(self, name: str) -> Pid:
        """Kill a child with SIGKILL, as soon as there is one, and return what it was."""
        until = time.monotonic() + 20
        while (found := self.child(name)) is None:
            assert time.monotonic() < until, f"no {name} is running"
            time.sleep(0.05)
        found.kill()
        return found

    def run(self, *words: str, **settings: str) -> Done:
        """Run a `simstudio` command with this sandbox's settings."""
        return finished([SIMSTUDIO, *words], {**without_settings(), **self.env, **settings})

    def violations(self) -> str:
        """Return what the checks of `simstudio verify` find: nothing, where all is well."""
        url = self.env["SIMSTUDIO_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
        engine = create_engine(url, poolclass=NullPool)
        with Session(engine) as session:
            found = [each for check in CHECKS for each in violations(session, check)]
        return "\n".join(each.what for each in found)

    def _command(self) -> list[str]:
        where = ["--port", str(self.port), "--dir", str(self.folder)]
        return [SIMSTUDIO, "sandbox", *where, *self.options]


def finished(command: Sequence[str], environment: Mapping[str, str], seconds: float = 60) -> Done:
    """Run a command to its end."""
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=seconds
    )
    return Done(done.returncode, done.stdout, done.stderr)


def without_settings() -> dict[str, str]:
    """Return this process's environment without the settings of anybody's studio."""
    kept = ("SIMSTUDIO_PG_BIN",)
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SIMSTUDIO_", "SANDBOX_")) or name in kept
    }


def free_port_pair() -> int:
    """Return a port that is free together with the one above it."""
    while True:
        port = random.randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 1))
            return port


def eventually(look: Callable[[], Any], expected: Any, *, seconds: float = 20) -> None:
    """Assert that `look` comes to return what is expected; a server that is away is asked again."""
    until = time.monotonic() + seconds
    found: Any = None
    while True:
        try:
            found = look()
        except httpx.HTTPError as error:
            found = repr(error)
        if found == expected or time.monotonic() > until:
            break
        time.sleep(0.1)
    assert found == expected, f"{found!r} is not {expected!r}"


def all_gone(ran: Sequence[Pid], *, seconds: float = 20) -> None:
    """Assert that none of these processes is alive any more."""
    assert ran
    eventually(lambda: [pid.command for pid in ran if pid.is_alive()], [], seconds=seconds)


def _numbers() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _stat(number: int) -> tuple[str, str, str] | None:
    """Return parent, state and birth of a process."""
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[1], fields[0], fields[19]


def _pid(number: int) -> Pid | None:
    try:
        command = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return None
    found = _stat(number)
    return None if found is None else Pid(number, found[2], command)

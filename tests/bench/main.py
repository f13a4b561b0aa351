"""`make bench`: each hot path as a ratio to what this stack can do at best, in one run.

Servers and the load have a core each where there are two; figures of one run compare, those of two
runs do not.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import ledger
import seeding
from rich.console import Console
from rich.table import Table

from sandbox import servers

HERE = Path(__file__).parent
ROUNDS = 3
SECONDS = 1.5
COLD = "Cache-Control: no-cache\r\n"  # the tables are asked, nothing comes from memory
out = Console(width=120)


def main() -> int:
    """Run the measurements, print the table; exit 1 where a ratio misses its limit."""
    parts = {"availability": _availability, "bookings": _bookings, "ledger": _ledger}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(parts)}; all where none is named")
    chosen = parser.parse_args().part or list(parts)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="simstudio-bench-")))
        folder.chmod(0o755)
        world = stack.enter_context(_world(folder))
        rows = [row for part in chosen for row in parts[part](world)]
    table = Table("what", "per second", "p50 ms", "p99 ms", "ratio", "goal")
    missed = 0
    for what, result, ratio, goal in rows:
        misses = goal is not None and ratio is not None and ratio < goal
        missed += misses
        colour = "red" if misses else "green" if goal else "default"
        table.add_row(
            what,
            f"{result['per_second']:.0f}",
            f"{result['p50_ms']:.2f}",
            f"{result['p99_ms']:.2f}",
            ""
            if ratio is None
            else f"[{colour}]{ratio:.2f}[/{colour}]"
            if colour
            else f"{ratio:.2f}",
            "" if goal is None else f">= {goal:.2f}",
        )
    out.print(table)
    return 1 if missed else 0


class World:
    """Where everything is while the benchmark runs."""

    def __init__(self, ours: str, yardstick: str, seeded: "seeding.Seeded", folder: Path) -> None:
        self.ours, self.yardstick, self.seeded, self.folder = ours, yardstick, seeded, folder

    def load(self, base: str, texts: list[str], *, connections: int, once: bool = False) -> dict:
        """Run the load generator and return what it measured; any error answer ends the run."""
        requests = self.folder / "requests.json"
        requests.write_text(json.dumps(texts))
        command = [sys.executable, str(HERE / "load.py"), base, str(requests)]
        command += ["--connections", str(connections), "--seconds", str(SECONDS)]
        command += ["--once"] if once else []
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, preexec_fn=_on_core(1)
        )
        result = json.loads(done.stdout)
        wrong = {status for status in result["statuses"] if not status.startswith("2")}
        if wrong:
            said = (self.folder / "api.log").read_text()[-1500:]
            raise SystemExit(f"answers with status {wrong} to {texts[0][:60]}\n{said}")
        return result


Row = tuple[str, dict, float | None, float | None]


def _availability(world: World) -> list[Row]:
    day = world.seeded.first_day
    rows: list[Row] = []
    for days in (1, 7, 30):
        path = f"/api/availability?from={day}&days={days}&minutes=60"
        ready = httpx.get(world.ours + path).content
        httpx.put(world.yardstick + "/bare", content=ready)
        start = int(datetime.combine(day, datetime.min.time(), UTC).timestamp())
        ideal_path = f"/ideal/availability?start={start}&days={days}"
        bare, warm, ideal, cold, busy = _interleaved(
            lambda: world.load(world.yardstick, [_get("/bare")], connections=8),
            lambda path=path: world.load(world.ours, [_get(path)], connections=8),
            lambda path=ideal_path: world.load(world.yardstick, [_get(path)], connections=8),
            lambda path=path: world.load(world.ours, [_get(path, COLD)], connections=8),
            lambda path=path: _busy(world, path),
        )
        size = f"{len(ready) / 1000:.0f} kB"
        rows.append((f"bare FastAPI route, {size}", bare, None, None))
        goal = 0.9 if days == 7 else None
        rows.append((f"availability {days} d, warm / bare", warm, _ratio(warm, bare), goal))
        rows.append((f"ideal one-query answer, {days} d", ideal, None, None))
        goal = 0.6 if days == 7 else None
        rows.append((f"availability {days} d, cold / ideal", cold, _ratio(cold, ideal), goal))
        rows.append((f"availability {days} d, book busy / ideal", busy, _ratio(busy, ideal), None))
    return rows


def _bookings(world: World) -> list[Row]:
    rows: list[Row] = []
    for warming in (world.seeded.bookings(50), world.seeded.holds(50)):
        world.load(world.ours, warming, connections=8, once=True)
    for connections in (1, 8):
        ideal, booked, held = _interleaved(
            lambda n=connections: world.load(
                world.yardstick, [_post("/ideal/book", "{}")], connections=n
            ),
            lambda n=connections: world.load(
                world.ours, world.seeded.bookings(), connections=n, once=True
            ),
            lambda n=connections: world.load(
                world.ours, world.seeded.holds(), connections=n, once=True
            ),
        )
        clients = f"{connections} client{'s' if connections > 1 else ''}"
        rows.append((f"ideal booking function, {clients}", ideal, None, None))
        goal = 0.4 if connections == 8 else None
        rows.append((f"credit booking / ideal, {clients}", booked, _ratio(booked, ideal), goal))
        rows.append((f"hold / ideal, {clients}", held, _ratio(held, ideal), None))
    return rows


def _busy(world: World, path: str) -> dict:
    """Ask while somebody writes into the book all the time, so that hardly an answer holds."""
    writer = subprocess.Popen(
        [sys.executable, str(HERE / "seeding.py"), world.seeded.url, str(SECONDS + 1)],
        preexec_fn=_on_core(1),
    )
    try:
        return world.load(world.ours, [_get(path)], connections=8)
    finally:
        writer.wait(30)


def _ledger(world: World) -> list[ledger.Row]:
    return ledger.measure(world.seeded.url, world.folder)


def _interleaved(*measurements) -> list[dict]:
    """Measure in turn, several rounds, and return each one's median."""
    results: list[list[dict]] = [[] for _ in measurements]
    for _ in range(ROUNDS):
        for number, measurement in enumerate(measurements):
            results[number].append(measurement())
    return [
        sorted(each, key=lambda result: result["per_second"])[len(each) // 2] for each in results
    ]


def _ratio(ours: dict, theirs: dict) -> float:
    return ours["per_second"] / theirs["per_second"]


def _get(path: str, header: str = "") -> str:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{header}\r\n"


def _post(path: str, body: str) -> str:
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    )


@contextlib.contextmanager
def _world(folder: Path) -> Iterator[World]:
    postgres, redis = servers.postgres(folder), servers.redis(folder)
    with (
        _process(postgres.command, folder / "postgres.log", user=postgres.user),
        _process(redis.command, folder / "redis.log"),
    ):
        _wait(lambda: servers.is_answering(postgres.url))
        servers.create_database(postgres.url)
        seeded = seeding.seed(postgres.url, redis.url)
        ours, theirs = servers.free_port(), servers.free_port()
        environment = {
            **os.environ,
            **seeding.environment(postgres.url, redis.url),
            "SIMSTUDIO_API__PORT": str(ours),
            "YARDSTICK_DATABASE_URL": postgres.url,
        }
        simstudio = str(Path(sys.executable).parent / "simstudio")
        yardstick = [sys.executable, "-m", "uvicorn", "yardstick:app", "--port", str(theirs)]
        yardstick += ["--app-dir", str(HERE), "--log-level", "warning", "--no-access-log"]
        with (
            _process([simstudio, "serve"], folder / "api.log", environment, core=0),
            _process(yardstick, folder / "yardstick.log", environment, core=0),
        ):
            world = World(f"http://127.0.0.1:{ours}", f"http://127.0.0.1:{theirs}", seeded, folder)
            _wait(lambda: _answers(world.ours + "/healthz") and _answers(world.yardstick + "/bare"))
            yield world


@contextlib.contextmanager
def _process(
    command: list[str],
    log: Path,
    environment: dict[str, str] | None = None,
    *,
    user: str | None = None,
    core: int | None = None,
) -> Iterator[None]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=file,
            stderr=file,
            user=user,
            cwd="/",
            preexec_fn=_on_core(core) if core is not None else None,
        )
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def _on_core(number: int):
    def pin() -> None:
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(0, {cores[number % len(cores)]})

    return pin


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=1).is_success
    except httpx.HTTPError:
        return False


def _wait(is_ready, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not is_ready():
        if time.monotonic() > until:
            raise SystemExit("a server of the benchmark did not start")
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())

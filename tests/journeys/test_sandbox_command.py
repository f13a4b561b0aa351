"""`simstudio sandbox`: what it refuses, how it ends, and what it finds again."""

import shutil
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from connector.cli import app
from tests.factories.sandbox_people import HOUR, TORONTO, Merchant, Visitor, at
from tests.factories.sandbox_process import (
    SIMSTUDIO,
    SandboxProcess,
    all_gone,
    eventually,
    finished,
    free_port_pair,
    without_settings,
)

COMMANDS = [
    [],
    *([name] for name in ("serve", "worker", "beat", "migrate", "apply", "audit", "verify")),
    ["doctor"],
    ["keys"],
    ["keys", "add"],
]
STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGKILL]


@pytest.fixture
def another(new_sandbox: Callable[[], SandboxProcess]) -> Iterator[SandboxProcess]:
    """A sandbox of this test alone, stopped at the end if it still runs."""
    made = new_sandbox()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.stop()


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_explains_itself(words: list[str]) -> None:
    done = CliRunner().invoke(app, [*words, "--help"])

    assert done.exit_code == 0, done.output
    assert "Usage: " in done.output


def test_the_sandbox_explains_itself() -> None:
    done = finished([SIMSTUDIO, "sandbox", "--help"], without_settings())

    assert done.code == 0, done.err
    assert "Usage: " in done.out
    assert "--fresh" in done.out


@pytest.mark.parametrize("which", [0, 1])
def test_a_taken_port_is_named(which: int, sandbox: SandboxProcess, place: Path) -> None:
    port = sandbox.port - 1 + which * 2
    free = SandboxProcess(place / f"taken-{which}", port)

    done = free.refusal()

    taken = sandbox.port if which == 0 else sandbox.port + 1
    assert done.code == 1
    assert f"port {taken} is taken; choose another with --port" in done.words
    assert "Traceback" not in done.words


def test_a_folder_with_other_files_is_left_alone(place: Path) -> None:
    folder = place / "letters"
    folder.mkdir()
    (folder / "letter.txt").write_text("mine")

    plain = SandboxProcess(folder, free_port_pair()).refusal()
    fresh = SandboxProcess(folder, free_port_pair()).refusal("--fresh")

    for done in (plain, fresh):
        assert done.code == 1
        assert "has files that are not ours; name an empty folder with --dir" in done.words
    assert [each.name for each in folder.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("more", [[], ["--fresh"]], ids=["again", "fresh"])
def test_a_second_sandbox_in_the_same_folder_is_refused(
    more: list[str], sandbox: SandboxProcess
) -> None:
    second = SandboxProcess(sandbox.folder, free_port_pair(), sandbox.options)

    done = second.refusal(*more)

    assert done.code == 1
    assert f"another sandbox is running in {sandbox.folder}; stop it first" in done.words
    assert httpx.get(f"{sandbox.env['SIMSTUDIO_URL']}/readyz", trust_env=False).text == "ready"


def test_data_of_another_postgresql_is_not_touched(own_servers: None, place: Path) -> None:
    folder = place / "ancient"
    (folder / "postgres").mkdir(parents=True)
    (folder / "sandbox").touch()
    version = folder / "postgres" / "PG_VERSION"
    version.write_text("9\n")

    done = SandboxProcess(folder, free_port_pair()).refusal()

    assert done.code == 1
    assert "was made by PostgreSQL 9" in done.words
    assert "start with --fresh" in done.words
    assert version.read_text() == "9\n"


def test_a_second_start_finds_its_data_however_the_first_one_ended(
    another: SandboxProcess,
) -> None:
    start = at(datetime.now(TORONTO).date() + timedelta(days=6), 10)
    keys = set()
    for turn, how in enumerate(STOPS):
        another.start()
        keys.add(another.env["SIMSTUDIO_STAFF_KEY"])
        visitor = Visitor(another.env["SANDBOX_URL"], 9001)
        merchant = Merchant(another.env["SANDBOX_URL"])
        if turn == 0:
            merchant.order(9001, {HOUR: 2})
            eventually(visitor.minutes, (120, 0))
            assert visitor.book(start).status_code == 201

        assert visitor.bookings() == [(start, "confirmed")]
        assert visitor.minutes() == (60, 60)
        assert _asked_by_staff(another) == [(start, "confirmed")]
        assert another.violations() == ""
        visitor.shop.close()
        merchant.shop.close()
        all_gone(another.stop(how))
        if how is not signal.SIGKILL:
            assert another.process is not None
            assert another.process.returncode == 0
    assert len(keys) == 1


def test_a_fresh_start_throws_the_data_away_wherever_it_was_put(
    own_servers: None, tmp_path: Path
) -> None:
    hidden = SandboxProcess(tmp_path / "sandbox", free_port_pair())
    start = at(datetime.now(TORONTO).date() + timedelta(days=6), 10)
    hidden.start()
    hold = {"service": "simulator", "start": start, "minutes": 60}
    with _staff(hidden) as staff:
        assert staff.post("/api/holds", json=hold).status_code == 201
    data = _data_of(hidden)
    hidden.stop()

    hidden.start("--fresh")

    with _staff(hidden) as staff:
        free = staff.get("/api/availability", params={"from": start[:10]}).json()["slots"]
    hidden.stop()
    shutil.rmtree(data.parent, ignore_errors=True)
    assert {slot["simulators"] for slot in free} == {4}


def _data_of(running: SandboxProcess) -> Path:
    """Return PostgreSQL's folder, which lies elsewhere where its user cannot get into ours."""
    postgres = running.child("postgres")
    assert postgres is not None
    return Path(postgres.command.partition(" -D ")[2].split()[0])


def _staff(running: SandboxProcess) -> httpx.Client:
    headers = {"Authorization": f"Bearer {running.env['SIMSTUDIO_STAFF_KEY']}"}
    return httpx.Client(base_url=running.env["SIMSTUDIO_URL"], headers=headers, trust_env=False)


def _asked_by_staff(running: SandboxProcess) -> list[tuple[str, str]]:
    with _staff(running) as client:
        found = client.get("/api/bookings", params={"customer": 9001, "when": "all"}).json()
    return [(each["start"], each["status"]) for each in found["bookings"]]

"""`simstudio apply` and `simstudio doctor` on a studio that is open for business."""

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import httpx
import psycopg
import pytest

from connector.verify import CHECKS
from tests.factories.sandbox_people import Visitor, at
from tests.factories.sandbox_process import SandboxProcess, eventually
from tests.factories.studio import DEMO_FILE
from tests.journeys.conftest import NewDay

TUESDAY = 1
CALENDARS = 7


@pytest.fixture
def altered(sandbox: SandboxProcess, tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Write the demo studio with some of its text replaced; the studio is put back at the end."""

    def write(*, without: str | None = None, **replacements: str) -> Path:
        text = DEMO_FILE.read_text()
        if without is not None:
            parts = text.split("\n[[")
            kept = [part for part in parts if f'handle = "{without}"' not in part]
            assert len(kept) == len(parts) - 1
            text = "\n[[".join(kept)
        for old, new in replacements.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "studio.toml"
        path.write_text(text)
        return path

    yield write
    sandbox.run("apply", str(DEMO_FILE))


@pytest.mark.parametrize("more", [[], ["--dry-run"]], ids=["apply", "dry-run"])
def test_a_bay_with_a_booking_to_come_is_not_taken_away(
    more: list[str],
    visitor: Visitor,
    altered: Callable[..., Path],
    staff: httpx.Client,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    hold = visitor.hold(at(day, 10), simulator="bay-2")
    visitor.check_out(hold["cart"])
    eventually(lambda: visitor.bookings(), [(at(day, 10), "confirmed")])
    catalog = staff.get("/api/catalog").json()

    done = sandbox.run("apply", str(altered(without="bay-2")), *more)

    assert done.code == 1
    assert f"simulator bay-2: booking {hold['booking']['code']} on {day}" in done.words
    assert "Nothing was changed." in done.words
    assert staff.get("/api/catalog").json() == catalog
    assert sandbox.violations() == ""


def test_a_coach_with_a_booking_to_come_is_not_taken_away(
    visitor: Visitor,
    altered: Callable[..., Path],
    staff: httpx.Client,
    sandbox: SandboxProcess,
    new_day: NewDay,
) -> None:
    day = new_day(TUESDAY)
    hold = visitor.hold(at(day, 14), coaching={"minutes": 30, "coach": "ana"})
    visitor.check_out(hold["cart"])
    eventually(lambda: visitor.bookings(), [(at(day, 14), "confirmed")])

    done = sandbox.run("apply", str(altered(without="ana")))

    assert done.code == 1
    assert f"coach ana: booking {hold['booking']['code']} on {day}" in done.words
    coaches = staff.get("/api/catalog").json()["coaches"]
    assert [each["handle"] for each in coaches] == ["ana", "ben"]


def test_a_dry_run_prints_the_plan_and_changes_nothing(
    altered: Callable[..., Path], staff: httpx.Client, sandbox: SandboxProcess
) -> None:
    path = altered(**{"Birdie Bay": "Eagle Bay", "hold_minutes = 15": "hold_minutes = 20"})
    catalog = staff.get("/api/catalog").json()

    first = sandbox.run("apply", str(path), "--dry-run")
    again = sandbox.run("apply", str(path), "--dry-run")
    unchanged = sandbox.run("apply", str(DEMO_FILE))

    assert first.code == 0
    assert "name: 'Birdie Bay' -> 'Eagle Bay'" in first.words
    assert "Dry run: nothing was changed." in first.words
    assert again.out == first.out
    assert staff.get("/api/catalog").json() == catalog
    assert (unchanged.code, unchanged.out) == (0, "nothing to do\n")


def test_a_file_with_an_unknown_key_is_refused_with_its_place(
    altered: Callable[..., Path], sandbox: SandboxProcess
) -> None:
    path = altered(step_minutes="stap_minutes")

    done = sandbox.run("apply", str(path))

    assert done.code == 1
    assert "stap_minutes" in done.words
    assert "Nothing was changed." in done.words
    assert "Traceback" not in done.words


def test_the_doctor_finds_a_running_sandbox_well(sandbox: SandboxProcess) -> None:
    done = sandbox.run("doctor")

    lines = done.out.splitlines()
    assert done.code == 0
    assert {line[:4] for line in lines} == {"ok  "}
    assert [line.partition("calendar of")[1] for line in lines].count("calendar of") == CALENDARS


def test_the_doctor_names_the_cure_for_a_redis_that_is_away(sandbox: SandboxProcess) -> None:
    done = sandbox.run("doctor", SIMSTUDIO_REDIS_URL="redis://127.0.0.1:1/0")

    assert done.code == 1
    assert "FAIL Redis does not answer check SIMSTUDIO_REDIS_URL" in done.words


def test_the_doctor_names_the_cure_for_a_wrong_google_token(sandbox: SandboxProcess) -> None:
    done = sandbox.run("doctor", SIMSTUDIO_GOOGLE__TOKEN="wrong")

    assert done.code == 1
    assert done.out.count("FAIL calendar of") == CALENDARS
    assert "SIMSTUDIO_GOOGLE__TOKEN" in done.words


def test_the_doctor_names_the_cure_for_a_wrong_shopify_token(sandbox: SandboxProcess) -> None:
    done = sandbox.run("doctor", SIMSTUDIO_SHOPIFY__ADMIN_TOKEN="wrong")

    assert done.code == 1
    assert "check SIMSTUDIO_SHOPIFY__ADMIN_TOKEN" in done.words


def test_the_doctor_names_the_cure_for_a_database_that_is_away(sandbox: SandboxProcess) -> None:
    url = "postgresql://simstudio@127.0.0.1:1/simstudio"

    done = sandbox.run("doctor", SIMSTUDIO_DATABASE_URL=url)

    assert done.code == 1
    assert "FAIL database does not answer check SIMSTUDIO_DATABASE_URL" in done.words
    assert "Traceback" not in done.words


def test_verify_names_every_promise_and_what_breaks_it(sandbox: SandboxProcess) -> None:
    well = sandbox.run("verify")
    url = sandbox.env["SIMSTUDIO_DATABASE_URL"]
    statement = "INSERT INTO wallet (studio_id, id, created_at) VALUES (1, %s, now())"
    lot = (
        "INSERT INTO lot (studio_id, id, wallet_id, kind, granted, available, held, spent, expired,"
        " revoked, source, paid_minor, priority, granted_at)"
        " VALUES (1, %s, %s, 'simulator_minutes', 60, 60, 0, 0, 0, 0, %s, 0, 50, now())"
    )
    odd = uuid.uuid4()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement, (odd,))
        connection.execute(lot, (odd, odd, f"odd:{odd}"))
        broken = sandbox.run("verify", "--json")
        connection.execute("DELETE FROM lot WHERE id = %s", (odd,))

    assert (well.code, well.out.count("ok  ")) == (0, len(CHECKS))
    assert broken.code == 1
    found = json.loads(broken.out)["violations"]
    assert [str(odd) in each["what"] for each in found] == [True]

"""Fifty customers at once for the last bay, over HTTP and ten times."""

import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import httpx
import pytest

from tests.factories.sandbox_people import Json, at
from tests.factories.sandbox_process import SandboxProcess
from tests.journeys.conftest import NewVisitor

RIVALS, ROUNDS = 50, 10


@pytest.fixture(params=["app proxy", "staff key"])
def door(request: pytest.FixtureRequest, sandbox: SandboxProcess) -> tuple[str, dict[str, str]]:
    """Where rivals knock, and with what."""
    if request.param == "app proxy":
        return f"{sandbox.env['SANDBOX_URL']}/apps/studio/holds", {}
    key = {"Authorization": f"Bearer {sandbox.env['SIMSTUDIO_STAFF_KEY']}"}
    return f"{sandbox.env['SIMSTUDIO_URL']}/api/holds", key


def test_fifty_customers_want_the_last_bay_and_one_gets_it(
    door: tuple[str, dict[str, str]],
    new_visitor: NewVisitor,
    staff: httpx.Client,
    sandbox: SandboxProcess,
    day: date,
) -> None:
    rounds = []
    for turn in range(ROUNDS):
        body = {"service": "simulator", "start": at(day, 9 + turn), "minutes": 60}
        kept = {**body, "simulators": 3}
        assert staff.post("/api/holds", json=kept).status_code == 201
        names = [1_000_000 + day.toordinal() * 1000 + turn * RIVALS + n for n in range(RIVALS)]

        statuses, slowest = _rush(door, body, names)

        rounds.append((sorted(statuses), slowest))
    lines = [
        f"round {n + 1}: slowest {slowest * 1000:.0f} ms" for n, (_, slowest) in enumerate(rounds)
    ]
    sys.stdout.write("\n".join([f"{RIVALS} rivals by {door[0]}", *lines, ""]))
    assert [statuses for statuses, _ in rounds] == [[201] + [409] * (RIVALS - 1)] * ROUNDS
    assert new_visitor().slot(at(day, 9)) is None
    assert sandbox.violations() == ""


def _rush(
    door: tuple[str, dict[str, str]], body: Json, names: list[int]
) -> tuple[list[int], float]:
    """Let every customer ask at once; return the statuses and the slowest answer's seconds."""
    url, headers = door
    gate = threading.Barrier(len(names))
    limits = httpx.Limits(max_connections=None)

    def ask(client: httpx.Client, name: int) -> tuple[int, float]:
        gate.wait()
        began = time.monotonic()
        # The shop knows its customer by a cookie, the studio's own name theirs.
        query = {"customer": name} if headers else {}
        answer = client.post(
            url, params=query, json=body, headers={"Cookie": f"customer={name}", **headers}
        )
        return answer.status_code, time.monotonic() - began

    with (
        httpx.Client(limits=limits, timeout=60, trust_env=False) as client,
        ThreadPoolExecutor(len(names)) as pool,
    ):
        found = list(pool.map(ask, [client] * len(names), names))
    return [status for status, _ in found], max(seconds for _, seconds in found)

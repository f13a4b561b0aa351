"""The running calendar, as fixtures."""

import uuid
from collections.abc import Iterator

import pytest

from tests.sandbox.google_calendar import Server, start


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one calendar for a module's tests."""
    server = start(tmp_path_factory.mktemp("google"))
    yield server
    server.kill()


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """Return the running calendar, without faults and with an empty log."""
    running.http.delete("/sandbox/google/calls")
    yield running
    running.http.delete("/sandbox/google/faults")


@pytest.fixture
def calendar() -> str:
    """Return the id of a calendar nobody has touched yet."""
    return f"bay-{uuid.uuid4().hex}@sandbox.calendar"

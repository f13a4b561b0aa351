"""A calendar server for a module, and a studio that writes to it."""

from collections.abc import Callable, Iterator

import pytest

from connector.runtime import Runtime
from tests.conftest import Servers
from tests.factories.calendars import house_with_calendars
from tests.sandbox.google_calendar import Server, start


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = start(tmp_path_factory.mktemp("google"))
    yield server
    server.kill()


@pytest.fixture
def google(running: Server) -> Iterator[Server]:
    running.http.delete("/sandbox/google/calls")
    yield running
    running.http.delete("/sandbox/google/faults")


@pytest.fixture
def house(template: Servers, new_database: Callable[[], str], google: Server) -> Iterator[Runtime]:
    with house_with_calendars(new_database(), template.redis_url, google) as made:
        yield made

"""The API of a studio: with a database of its own, or one that a module's tests share in turn."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import text

from booking_engine.catalog import queries
from connector.runtime import Runtime
from connector.tables import metadata
from tests.conftest import Servers, make_house
from tests.factories.serving import Served, serve
from tests.factories.studio import apply_demo

CATALOGUE = {"studio", "location", "resource", "service", "product"}
# The ledger refuses to be emptied while its triggers are awake; the live book hears of it by hand.
EMPTY = f"""
    SET LOCAL session_replication_role = replica;
    TRUNCATE {", ".join(sorted(set(metadata.tables) - CATALOGUE))};
    NOTIFY book, '1';
"""


@pytest.fixture
def api(house: Runtime) -> Iterator[Served]:
    with serve(house) as served:
        yield served


@pytest.fixture(scope="module")
def module_api(template: Servers, new_database: Callable[[], str]) -> Iterator[Served]:
    queries.forget()
    house = make_house(new_database(), template.redis_url)
    with house.transaction() as session:
        apply_demo(session)
    with serve(house) as served:
        yield served
    house.engine.dispose()


@pytest.fixture
def shared_api(module_api: Served) -> Served:
    """The API of a studio that is empty again, without the second that a new one takes."""
    queries.forget()
    with module_api.house.transaction() as session:
        session.execute(text(EMPTY))
    module_api.logs.clear()
    return module_api

"""A house that many threads enter at once; afterwards nothing is broken and nothing dead-locked."""

from collections.abc import Callable, Iterator

import pytest

from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from connector.runtime import Runtime
from tests.conftest import Servers, make_house
from tests.factories.crowd import deadlocks, violations
from tests.factories.studio import apply_demo


@pytest.fixture
def house(template: Servers, new_database: Callable[[], str]) -> Iterator[Runtime]:
    queries.forget()
    made = make_house(new_database(), template.redis_url, database={"pool_size": 50})
    with made.transaction() as session:
        apply_demo(session)
    yield made
    broken, dead = violations(made), deadlocks(made)
    made.engine.dispose()
    assert (broken, dead) == ([], 0)


@pytest.fixture
def studio(house: Runtime) -> Studio:
    with house.transaction() as session:
        return queries.load(session, studio_id=queries.only_id(session))

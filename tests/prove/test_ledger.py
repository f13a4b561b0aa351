"""Some of what `make prove ARGS=histories` and `make prove ARGS=ledger-races` do at length."""

from collections.abc import Callable, Iterator

import pytest

from connector.runtime import Runtime
from tests.conftest import Servers, make_house
from tests.factories.studio import apply_demo
from tests.prove import histories, ledger_races


@pytest.fixture
def houses(template: Servers, new_database: Callable[[], str]) -> Iterator[list[Runtime]]:
    """Two houses with the demo studio each."""
    made = [
        make_house(new_database(), template.redis_url, database={"pool_size": 40}) for _ in range(2)
    ]
    for house in made:
        with house.transaction() as session:
            apply_demo(session)
    yield made
    for house in made:
        house.engine.dispose()


def test_a_life_told_badly_ends_like_one_told_well(houses: list[Runtime]) -> None:
    tally = histories.run(*houses, number=15, seed=1)

    assert tally.wrong == []
    assert tally.written_by_second_audit == 0
    assert tally.dropped > tally.states / 5
    assert tally.repaired > 0


def test_a_lost_unit_is_a_difference(houses: list[Runtime]) -> None:
    told, plain = houses
    histories.run(told, plain, number=5, seed=2)
    found = histories.standing(told)
    key = next(iter(found))

    assert histories.differences(found, {**found, key: (9, 9)}) != []


def test_a_crowd_at_the_last_credits_is_served_exactly(houses: list[Runtime]) -> None:
    tally = ledger_races.run(houses[0], rounds=6, seed=1)

    assert tally.wrong == []
    assert tally.outcomes["done"] + tally.outcomes["NotEnoughCredits"] > 60
    assert tally.outcomes["NotEnoughCredits"] > 0

"""Some of the rounds of `make prove ARGS=races`, over two processes."""

from collections.abc import Iterator

import pytest

from tests.prove import races
from tests.prove.races import Race, World

ROUNDS = 3


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with races.world(processes=2) as made:
        yield made


@pytest.mark.timeout(400)
@pytest.mark.parametrize("race", races.RACES, ids=lambda race: race.name)
def test_as_many_win_as_there_is_room_and_the_rest_is_told(world: World, race: Race) -> None:
    results = list(races.run(world, race, ROUNDS))

    assert len(results) == ROUNDS
    assert [each for result in results for each in result.wrong] == []
    assert races.aftermath(world) == []

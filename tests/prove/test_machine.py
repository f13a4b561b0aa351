"""Some of the runs of `make prove ARGS=machine`: whatever happens in whatever order."""

from collections.abc import Callable

import pytest

from connector.runtime import Runtime
from tests.factories.houses import Servers, make_house
from tests.prove import machine
from tests.prove.stage import Stage

RUNS, STEPS, SEED = 5, 15, 3


@pytest.mark.timeout(400)
def test_every_promise_is_kept_whatever_happens(
    template: Servers, new_database: Callable[[], str]
) -> None:
    def open_house() -> Runtime:
        return make_house(new_database(), template.redis_url, database={"pool_size": 3})

    machine.run(open_house, runs=RUNS, steps=STEPS, seed_number=SEED)

    assert Stage.runs >= RUNS
    rules = {rule for rule, _ in Stage.counts}
    assert len(rules) >= 12, f"poor runs: {Stage.counts}"

import os
import time

import pytest

from tests.factories.houses import make_house
from tests.prove import machine
from tests.prove.stage import Stage


@pytest.mark.timeout(580)
def test_x(template, new_database):
    t = time.time()
    try:
        machine.run(
            lambda: make_house(new_database(), template.redis_url, database={"pool_size": 3}),
            runs=int(os.environ.get("RUNS", "5")),
            steps=int(os.environ.get("STEPS", "25")),
            seed_number=int(os.environ.get("SEED", "1")),
        )
    finally:
        print(time.time() - t, Stage.runs, Stage.steps)
        for k, v in sorted(Stage.counts.items()):
            print(k, v)

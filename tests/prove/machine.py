"""The state machine: everything that can happen, in any order, on a real database."""

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from connector.runtime import Runtime
from tests.factories.studio import COACHING, PACKAGE
from tests.prove.customers import CustomerRules
from tests.prove.stage import ASKED, CUSTOMERS, Stage
from tests.prove.studio_rules import StudioRules


class Machine(CustomerRules, StudioRules):
    """All rules together, on a studio that is not empty when they begin."""

    @initialize(packages=st.integers(0, 2), wishes=st.lists(ASKED, min_size=4, max_size=10))
    def open_the_doors(self, packages: int, wishes: list[dict[str, int]]) -> None:
        """Let everybody come with something in their purse, and let some hold and book."""
        for customer in CUSTOMERS:
            for product in [PACKAGE] * packages + [COACHING]:
                self.buy(customer, product)
        for number, drawn in enumerate(wishes):
            self.every_promise_is_kept()
            if number % 2:
                self.book(CUSTOMERS[number % 4], drawn)
            else:
                self.hold(drawn)


def run(open_house: Callable[[], Runtime], *, runs: int, steps: int, seed_number: int) -> None:
    """Run the machine; what it counts is on `Stage`. Raises what a broken promise raises."""
    Stage.open_house = staticmethod(open_house)
    Stage.counts.clear()
    Stage.runs = Stage.steps = 0
    run_state_machine_as_test(
        seed(seed_number)(type("Machine", (Machine,), {})),
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )

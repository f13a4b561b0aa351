"""The ledger's state machine: every verb that moves credits, in any order, on a real database."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, run_state_machine_as_test

from connector.runtime import Runtime
from tests.factories.studio import demo_text
from tests.prove.ledger_desk import DeskVerbs
from tests.prove.ledger_shop import ShopVerbs
from tests.prove.ledger_stage import BOTH, CUSTOMERS, LedgerStage

VERBS = frozenset(
    {
        *("pay", "pay_again", "edit_fewer", "edit_more", "unedit", "refund_part", "refund_money"),
        *("cancel_order", "dispute_opened", "dispute_won", "dispute_lost", "merge", "redact"),
        *("expire", "extend", "book", "move", "cancel", "no_show", "give", "take_back"),
        *("replay", "crash", "wait"),
    }
)


class LedgerMachine(ShopVerbs, DeskVerbs):
    """All verbs together, on a ledger that is not empty when they begin."""

    @initialize(
        shortfall=st.sampled_from(["forgive", "debt"]),
        bought=st.lists(st.sampled_from([(1, 3), (3, 1), (4, 2)]), min_size=2, max_size=4),
    )
    def open_the_doors(self, shortfall: str, bought: list[tuple[int, int]]) -> None:
        """Say whether used and refunded is owed; let some come with something, and book."""
        frozen = "bay_freeze_minutes = 120"
        policy = {frozen: f'{frozen}\nshortfall = "{shortfall}"'}
        self.studio = self.apply(demo_text(**policy) + BOTH)
        for number, (product, quantity) in enumerate(bought):
            self.pay(CUSTOMERS[number], [(44000000000000 + product, quantity)])
            self.the_ledger_is_what_the_paper_says()
            self.book(CUSTOMERS[number], 1 + number, 14, 60, 1)
            self.the_ledger_is_what_the_paper_says()


def run(
    open_house: Callable[[], AbstractContextManager[Runtime]],
    *,
    runs: int,
    steps: int,
    seed_number: int,
) -> None:
    """Run the machine; what it counts is on `LedgerStage`. Raises what a broken promise raises."""
    LedgerStage.open_house = staticmethod(open_house)
    LedgerStage.counts.clear()
    LedgerStage.runs = LedgerStage.steps = 0
    run_state_machine_as_test(
        seed(seed_number)(type("LedgerMachine", (LedgerMachine,), {})),
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )

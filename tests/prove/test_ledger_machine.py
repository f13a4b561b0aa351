"""Some of the runs of `make prove ARGS=ledger`: every verb of the ledger in any order."""

from collections.abc import Iterator

import pytest

from tests.factories import houses
from tests.factories.houses import Servers
from tests.prove import ledger_machine
from tests.prove.ledger_machine import LedgerMachine
from tests.prove.ledger_paper import HOUR, MINUTES, TRIAL
from tests.prove.ledger_stage import LedgerStage

RUNS, STEPS, SEED = 4, 12, 5


@pytest.fixture
def machine(template: Servers) -> Iterator[LedgerMachine]:
    """A machine whose verbs a test says one by one."""
    LedgerStage.open_house = staticmethod(
        lambda: houses.copied(template.database_url, template.redis_url)
    )
    made = LedgerMachine()
    yield made
    made.teardown()


def test_every_promise_is_kept_whatever_happens_to_credits(template: Servers) -> None:
    ledger_machine.run(
        lambda: houses.copied(template.database_url, template.redis_url),
        runs=RUNS,
        steps=STEPS,
        seed_number=SEED,
    )

    assert LedgerStage.runs >= RUNS
    verbs = {verb for verb, _ in LedgerStage.counts}
    assert len(verbs & ledger_machine.VERBS) >= 12, f"poor runs: {LedgerStage.counts}"


def test_a_person_of_many_names_is_forgotten_under_all_of_them(machine: LedgerMachine) -> None:
    same = machine.the_ledger_is_what_the_paper_says
    machine.pay(7002, [(HOUR, 3)])
    same()
    machine.merge(0, 1)
    same()
    machine.redact(7001, 0)
    same()
    machine.edit_fewer(0, 0, 1)
    same()
    machine.pay(7002, [(TRIAL, 1)])
    same()


def test_the_machine_sees_a_credit_that_nobody_noted(machine: LedgerMachine) -> None:
    machine.pay(7001, [(HOUR, 1)])
    machine.the_ledger_is_what_the_paper_says()

    slip = next(iter(machine.paper.slips.values()))
    slip.move("available", "spent", 1)

    with pytest.raises(AssertionError, match=f"7001 has 60 {MINUTES}, on paper 59"):
        machine.the_ledger_is_what_the_paper_says()

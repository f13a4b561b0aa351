"""Some of the days of `make prove`: what is offered can be had, with the fewest moves (C4)."""

from dataclasses import replace

import pytest
from sqlmodel import Session

from tests.factories.catalogue import make_coach, make_studio
from tests.prove import days, stored_days
from tests.prove.days import Tally

DAYS, SEED = 100, 20261120


@pytest.mark.timeout(400)
def test_what_is_offered_is_what_trying_everything_finds(session: Session) -> None:
    *_, tally = stored_days.run(session, numbers=range(DAYS), seed=SEED, every=10)

    assert tally.mismatches == []
    assert (tally.days, tally.held) == (DAYS, 30)
    seen = (tally.feasible, tally.infeasible, tally.with_moves, tally.with_coach)
    assert min(seen) > DAYS // 5, f"poor days: {tally}"


def test_the_comparison_sees_what_must_not_be() -> None:
    """The engine is asked about the same day with a bay more than there is: it offers too much."""
    studio = make_studio(coaches=(make_coach(), make_coach("ben", number=12)))
    tally = Tally()
    for number in range(20):
        day = days.draw(SEED, number, studio)
        fifth = replace(day.studio.simulators[0], id=5, handle="bay-5")
        day.studio = replace(day.studio, simulators=(*day.studio.simulators, fifth))
        days.compare(day, tally)

    assert len(tally.mismatches) > 20


def test_the_order_in_which_sessions_are_listed_changes_nothing() -> None:
    studio = make_studio(coaches=(make_coach(), make_coach("ben", number=12)))
    tally = Tally()
    for number in range(60):
        day = days.draw(SEED, number, studio)
        day.taken.reverse()
        days.compare(day, tally)

    assert tally.mismatches == []

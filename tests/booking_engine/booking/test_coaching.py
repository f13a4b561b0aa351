"""Which coach can coach when, and who is chosen among several."""

import pytest

from booking_engine.booking import coaching
from booking_engine.booking.coaching import Choice, Roster
from tests.factories.catalogue import make_coach

ALL_DAY = [(0, 600)]
ANA, BEN, EVE = (make_coach(name, number=11 + at) for at, name in enumerate(("ana", "ben", "eve")))


@pytest.mark.parametrize(
    ("start", "end", "free"),
    [(0, 100, True), (60, 115, False), (0, 101, False), (160, 200, True), (159, 200, False)],
)
def test_a_coach_has_the_buffer_on_both_sides_of_a_session(
    start: int,
    end: int,
    free: bool,  # noqa: FBT001 - the expectation of a table
) -> None:
    careful = make_coach(buffer_minutes=15)

    roster = Roster(careful, ALL_DAY, [(115, 145)])

    assert roster.is_free(start, end) is free


def test_a_coach_is_free_only_while_working() -> None:
    roster = Roster(ANA, [(0, 60), (90, 150)], [])

    assert roster.is_free(0, 60)
    assert not roster.is_free(30, 120)
    assert roster.first_start(0, 150, 60, 30) == 0
    assert roster.first_start(30, 150, 60, 30) == 90
    assert roster.first_start(30, 120, 60, 30) is None


def test_of_several_coaches_the_one_with_the_fewest_sessions_is_chosen() -> None:
    rosters = [Roster(ANA, ALL_DAY, [(0, 60)]), Roster(BEN, ALL_DAY, [])]

    assert coaching.choose(rosters, start=120, end=180, minutes=60, step=30) == Choice(BEN, 120)


def test_then_the_one_who_has_been_idle_longest_and_then_the_first() -> None:
    rosters = [
        Roster(EVE, ALL_DAY, [(0, 30)]),
        Roster(ANA, ALL_DAY, [(0, 60)]),
        Roster(BEN, ALL_DAY, [(0, 30)]),
    ]

    assert coaching.choose(rosters, start=120, end=180, minutes=60, step=30) == Choice(BEN, 120)


def test_nobody_is_chosen_where_nobody_can() -> None:
    rosters = [Roster(ANA, ALL_DAY, [(100, 160)]), Roster(BEN, [(0, 60)], [])]

    assert coaching.choose(rosters, start=120, end=180, minutes=60, step=30) is None
    assert coaching.choose([], start=120, end=180, minutes=60, step=30) is None

"""The assignment against trying every arrangement of a thousand random days."""

from collections import Counter
from random import Random

from booking_engine.booking.assignment import place, sellable
from tests.factories.days import BAYS, faults, random_day, try_everything

DAYS = 1_000


def test_a_wish_fits_where_some_arrangement_has_room_and_costs_the_fewest_moves() -> None:
    random, wrong, seen = Random(20261120), [], Counter()
    for number in range(DAYS):
        pieces, wish = random_day(random)
        fewest, most = try_everything(pieces, wish)

        placement = place(pieces, BAYS, wish)
        count = sellable(pieces, BAYS, wish.start, wish.end)

        moves = None if placement is None else len(placement.moves)
        unsound = faults(pieces, wish, placement) if placement else []
        if (moves, count, unsound) != (fewest, most, []):
            wrong.append((number, pieces, wish, placement, (fewest, most), count, unsound))
        seen["refused" if fewest is None else "moved" if fewest else "free"] += 1
        seen[f"{most} sellable"] += 1

    assert not wrong, f"{len(wrong)} of {DAYS} days differ, the first: {wrong[0]}"
    assert len(seen) == 8, f"poor days: {seen}"
    assert min(seen.values()) > DAYS // 50, f"poor days: {seen}"


def test_the_order_in_which_sessions_are_listed_changes_nothing() -> None:
    random, wrong = Random(20261122), []
    for number in range(500):
        pieces, wish = random_day(random)
        shuffled = random.sample(pieces, len(pieces))

        one, other = place(pieces, BAYS, wish), place(shuffled, BAYS, wish)

        if (one and len(one.moves)) != (other and len(other.moves)):
            wrong.append((number, one, other))

    assert not wrong, f"{len(wrong)} of 500 days differ, the first: {wrong[0]}"

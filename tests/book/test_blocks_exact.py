"""Emptying a bay: as many as possible leave it, by the fewest moves, as trying everything finds."""

from itertools import product
from random import Random

import pytest

from booking_engine.booking import assignment
from booking_engine.booking.assignment import Piece
from tests.factories.days import BAYS, random_day

BROKEN = 2


def best_of_everything(pieces: list[Piece], hit: set[int]) -> tuple[int, int]:
    """Return the fewest pieces left on the broken bay, and the fewest moves that leave so few."""
    found = []
    for bays in product(*(BAYS if piece.movable else (piece.bay,) for piece in pieces)):
        placed = [piece._replace(bay=bay) for piece, bay in zip(pieces, bays, strict=True)]
        came = any(
            new.bay == BROKEN != old.bay and new.key in hit
            for old, new in zip(pieces, placed, strict=True)
        )
        clash = any(
            one.bay == other.bay and one.start < other.end and other.start < one.end
            for number, one in enumerate(placed)
            for other in placed[:number]
        )
        if came or clash:
            continue
        left = sum(piece.bay == BROKEN and piece.key in hit for piece in placed)
        moves = sum(new.bay != old.bay for old, new in zip(pieces, placed, strict=True))
        found.append((left, moves))
    return min(found)


@pytest.mark.parametrize("seed", range(60))
def test_no_arrangement_leaves_fewer_or_moves_fewer(seed: int) -> None:
    pieces, wish = random_day(Random(seed))
    pieces = pieces[:6]
    hit = {each.key for each in pieces if each.start < wish.end and wish.start < each.end}

    plan = assignment.evacuate(pieces, BAYS, bay=BROKEN, hit=hit)

    assert plan is not None
    assert (len(plan.stranded), len(plan.moves)) == best_of_everything(pieces, hit)
    moved = {move.key: move.bay for move in plan.moves}
    assert all(piece.movable for piece in pieces if piece.key in moved)
    assert not any(moved.get(key) == BROKEN for key in hit)

"""Which bay serves which session, on days small enough to see the answer."""

import pytest

from booking_engine.booking.assignment import Move, Piece, Placement, Wish, depth, place, sellable

BAYS = (1, 2, 3, 4)


# Rule D27, number 9: no bay is free as things stand, yet three of four is the depth throughout.
CROSSED = [
    Piece(ord("a"), 10, 12, 1, movable=True),
    Piece(ord("b"), 14, 18, 1, movable=True),
    Piece(ord("c"), 12, 14, 2, movable=True),
    Piece(3, 10, 18, 3, movable=True),
    Piece(4, 10, 18, 4, movable=True),
]


def test_one_move_makes_room_for_four_hours() -> None:
    placement = place(CROSSED, BAYS, Wish(10, 14))

    assert depth(CROSSED, 10, 14) == 3
    assert sellable(CROSSED, BAYS, 10, 14) == 1
    assert placement is not None
    assert len(placement.moves) == 1


def test_one_move_makes_room_where_only_one_session_may_move() -> None:
    day = [piece._replace(movable=piece.key == ord("c")) for piece in CROSSED]

    assert place(day, BAYS, Wish(10, 14)) == Placement((2,), (Move(ord("c"), 1),))


def test_a_frozen_session_stays_and_so_the_wish_is_refused() -> None:
    day = [
        Piece(1, 10, 12, 1, movable=False),
        Piece(2, 12, 14, 2, movable=False),
    ]

    assert place(day, (1, 2), Wish(10, 14)) is None
    assert place(day, (1, 2), Wish(12, 14)) == Placement((1,), ())


def test_sessions_that_touch_share_a_bay() -> None:
    day = [Piece(1, 10, 12, 1, movable=True), Piece(2, 14, 16, 1, movable=True)]

    assert place(day, (1,), Wish(12, 14)) == Placement((1,), ())
    assert place(day, (1,), Wish(11, 13)) is None


def test_a_bay_asked_for_by_name_is_cleared() -> None:
    day = [Piece(1, 10, 12, 3, movable=True)]

    placement = place(day, BAYS, Wish(10, 12, 1, 3))

    assert placement is not None
    assert placement.bays == (3,)
    assert [move.key for move in placement.moves] == [1]


def test_a_bay_asked_for_by_name_is_refused_where_somebody_is_pinned_to_it() -> None:
    day = [Piece(1, 10, 12, 3, movable=False)]

    assert place(day, BAYS, Wish(11, 12, 1, 3)) is None
    assert place(day, BAYS, Wish(11, 12, 1, 4)) == Placement((4,), ())


def test_of_equal_answers_the_cheapest_bays_are_taken() -> None:
    placement = place([], BAYS, Wish(10, 12, 2), {1: 100, 2: 0, 3: 50, 4: 1})

    assert placement == Placement((2, 4), ())


def test_a_swap_of_two_sessions_is_found() -> None:
    day = [
        Piece(1, 8, 10, 1, movable=False),
        Piece(2, 10, 12, 2, movable=True),
        Piece(3, 12, 14, 1, movable=False),
    ]

    placement = place(day, (1, 2), Wish(8, 14))

    assert placement == Placement((2,), (Move(2, 1),))


@pytest.mark.parametrize(
    ("start", "end", "deepest"), [(8, 10, 1), (10, 12, 2), (11, 12, 2), (12, 14, 1), (14, 20, 0)]
)
def test_depth_is_the_busiest_instant(start: int, end: int, deepest: int) -> None:
    day = [
        Piece(1, 8, 12, 1, movable=True),
        Piece(2, 10, 11, 2, movable=True),
        Piece(3, 11, 14, 3, movable=True),
    ]

    assert depth(day, start, end) == deepest


def test_what_is_sellable_is_what_can_be_placed() -> None:
    day = [Piece(1, 10, 12, 1, movable=False), Piece(2, 12, 14, 2, movable=False)]

    assert depth(day, 10, 14) == 1
    assert sellable(day, (1, 2, 3), 10, 14) == 1
    assert sellable(day, (1, 2, 3), 10, 12) == 2


def test_a_free_bay_is_sellable_though_neighbours_elsewhere_stand_too_close() -> None:
    """A buffer that grew later makes sessions on one bay overlap; other bays are as free."""
    day = [Piece(1, 600, 675, 1, movable=True), Piece(2, 660, 735, 1, movable=True)]

    assert place(day, (1, 2), Wish(600, 735)) == Placement((2,), ())
    assert sellable(day, (1, 2), 600, 735) == 1

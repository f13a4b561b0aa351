"""Random days of four bays, and what trying everything finds out about them."""

from itertools import combinations, compress
from random import Random

from booking_engine.booking.assignment import Piece, Placement, Wish

BAYS = (1, 2, 3, 4)


def random_day(random: Random) -> tuple[list[Piece], Wish]:
    """Return a crowded little day without overlaps, and what somebody wishes of it."""
    movable_share = random.choice([0.5, 0.8, 1.0])
    pieces: list[Piece] = []
    for key in range(random.randint(3, 8)):
        start = random.randrange(0, 9)
        end = start + random.randint(1, 4)
        free = [bay for bay in BAYS if not _clashes(pieces, bay, start, end)]
        if free:
            movable = random.random() < movable_share
            pieces.append(Piece(key, start, end, random.choice(free), movable))
    start = random.randrange(0, 8)
    count = random.choice([1, 1, 1, 2, 2, 3, 4])
    pinned = random.choice(BAYS) if random.random() < 0.25 else None
    random.shuffle(pieces)
    return pieces, Wish(start, start + random.randint(1, 6), count, pinned)


def try_everything(pieces: list[Piece], wish: Wish) -> tuple[int | None, int]:
    """Return the fewest moves that make room for the wish, and the most bays ever free for it.

    Looks at every arrangement; None stands for a wish that none of them has room for.
    """
    beside = [each.start < wish.end and wish.start < each.end for each in pieces]
    fewest, most = len(pieces) + 1, 0
    for bays in _arrangements(pieces):
        free = set(BAYS) - set(compress(bays, beside))
        most = max(most, len(free))
        if len(free) >= wish.count and wish.pinned in (None, *free):
            moves = sum(bay != piece.bay for bay, piece in zip(bays, pieces, strict=True))
            fewest = min(fewest, moves)
    return (None if fewest > len(pieces) else fewest), most


def faults(pieces: list[Piece], wish: Wish, placement: Placement) -> list[str]:
    """Return what is wrong with a placement, in words."""
    moved = {move.key: move.bay for move in placement.moves}
    frozen = {piece.key for piece in pieces if not piece.movable}
    found = [f"{key} is frozen and moved" for key in moved if key in frozen]
    placed = [piece._replace(bay=moved.get(piece.key, piece.bay)) for piece in pieces]
    placed += [Piece(-1, wish.start, wish.end, bay, movable=False) for bay in placement.bays]
    found += [
        f"{one} and {other} overlap"
        for one, other in combinations(placed, 2)
        if one.bay == other.bay and one.start < other.end and other.start < one.end
    ]
    if len(placement.bays) != wish.count:
        found.append(f"{len(placement.bays)} bays for a wish of {wish.count}")
    if wish.pinned is not None and wish.pinned not in placement.bays:
        found.append(f"bay {wish.pinned} was asked for")
    return found


def _arrangements(pieces: list[Piece]) -> list[list[int]]:
    """Return every way to give each piece a bay; what is frozen keeps its own."""
    found: list[list[int]] = [[]]
    for number, piece in enumerate(pieces):
        rivals = [
            rival
            for rival, other in enumerate(pieces[:number])
            if other.start < piece.end and piece.start < other.end
        ]
        found = [
            [*bays, bay]
            for bays in found
            for bay in (BAYS if piece.movable else (piece.bay,))
            if bay not in [bays[rival] for rival in rivals]
        ]
    return found


def _clashes(pieces: list[Piece], bay: int, start: int, end: int) -> bool:
    return any(each.bay == bay and each.start < end and start < each.end for each in pieces)

"""Which bay serves which session. Pure, exact, integers only.

Customers buy bay time, not bay 3: an unfrozen session may move to another bay to make room. A wish
fits if and only if some assignment of every session to the bays exists in which frozen and pinned
sessions stay where they are; `place` finds the one with the fewest moves.

The search sweeps the sessions by start and keeps, per way the bays can be occupied at that instant,
the cheapest way to get there. With `b` bays there are never more ways than arrangements of `b`
sessions on `b` bays, so four bays stay tiny whatever the day looks like.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

# Above this many ways to occupy the bays only the cheapest are followed; up to six bays are exact.
STATES_MAX = 5_000
EXACT_BAYS = 6
MOST_BAYS = 255
MOVE_COST = 1_000_000
STRANDED_COST = 1_000_000_000_000


class Piece(NamedTuple):
    """A session's claim on one bay, in minutes; `end` includes the buffer that follows it."""

    key: int  # the caller's name for it
    start: int
    end: int
    bay: int
    movable: bool


class Move(NamedTuple):
    """One piece that has to change its bay."""

    key: int
    bay: int


@dataclass(frozen=True, slots=True)
class Wish:
    """`count` bays at once for `[start, end)`, one of them perhaps by name."""

    start: int
    end: int
    count: int = 1
    pinned: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """The bays for the wish, and what has to move for it."""

    bays: tuple[int, ...]
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class Evacuation:
    """What has to move to empty a bay, and the pieces (by key) that find no other place."""

    moves: tuple[Move, ...]
    stranded: tuple[int, ...]


# One step of the sweep: when it starts and ends, and the piece, or None for the wish itself.
_Step = tuple[int, int, Piece | None]
# Which bays a step may take of those that are free, and at what cost.
_Options = Callable[[Piece | None, Sequence[int]], Iterator[tuple[tuple[int, ...], int]]]


@dataclass(frozen=True, slots=True)
class _Way:
    """One way to have come here: the last step of a chain, cheapest first."""

    cost: int
    before: "_Way | None"
    piece: Piece | None  # None: the wish itself
    bays: tuple[int, ...]


def depth(pieces: Iterable[Piece], start: int, end: int) -> int:
    """Return how many bays are in use at the busiest instant of `[start, end)`."""
    edges: list[tuple[int, int]] = []
    for piece in pieces:
        if piece.start < end and start < piece.end:
            edges.append((max(piece.start, start), 1))
            edges.append((piece.end, -1))
    deepest = level = 0
    for _, step in sorted(edges):
        level += step
        deepest = max(deepest, level)
    return deepest


def sellable(pieces: Sequence[Piece], bays: Sequence[int], start: int, end: int) -> int:
    """Return how many bays could be sold for the whole of `[start, end)`."""
    over = [piece for piece in pieces if piece.start < end and start < piece.end]
    if not over:
        return len(bays)
    least = len(bays) - len({piece.bay for piece in over})
    most = max(least, len(bays) - (1 if len(over) == 1 else depth(over, start, end)))
    while most > least and place(pieces, bays, Wish(start, end, most)) is None:
        most -= 1
    return most


def place(
    pieces: Sequence[Piece],
    bays: Sequence[int],
    wish: Wish,
    costs: dict[int, int] | None = None,
) -> Placement | None:
    """Find bays for the wish with the fewest moves, then the cheapest bays; None if none fit.

    `costs` orders equal answers: bays that few others can replace cost more (default: by position).
    """
    prices = costs or {bay: position for position, bay in enumerate(bays)}
    free = _free(pieces, bays, wish.start, wish.end)
    if len(free) >= wish.count and (wish.pinned is None or wish.pinned in free):
        chosen = min(_choices(free, wish), key=lambda some: sum(prices[bay] for bay in some))
        return Placement(tuple(sorted(chosen, key=bays.index)), ())
    if len(bays) - depth(pieces, wish.start, wish.end) < wish.count:
        return None
    way = _sweep(
        _steps(_cluster(pieces, wish), wish),
        bays,
        lambda piece, free: _options(piece, wish, free, prices),
    )
    return None if way is None else Placement(*_retrace(way))


def evacuate(
    pieces: Sequence[Piece],
    bays: Sequence[int],
    *,
    bay: int,
    hit: Set[int],
    costs: dict[int, int] | None = None,
) -> Evacuation | None:
    """Empty a bay of the pieces that an outage hits: as many as find a place, by the fewest moves.

    `hit` are the keys of all pieces, on any bay, that overlap the outage: on its bay they want to
    leave, on the others they cannot come. None where the pieces overlap each other as they are.
    """
    prices = costs or {each: position for position, each in enumerate(bays)}
    moves: list[Move] = []
    stranded: list[int] = []
    for cluster in _clusters(pieces):
        if not any(piece.bay == bay and piece.key in hit for piece in cluster):
            continue
        way = _sweep(
            ((piece.start, piece.end, piece) for piece in cluster),
            bays,
            lambda piece, free: _exits(piece, bay, hit, free, prices),
        )
        if way is None:
            return None
        found = _retrace(way)[1]
        moves += found
        left = {move.key for move in found}
        stranded += [
            piece.key
            for piece in cluster
            if piece.bay == bay and piece.key in hit and piece.key not in left
        ]
    return Evacuation(tuple(moves), tuple(stranded))


def _clusters(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Yield the pieces in groups that no overlap in time connects, each in order of start."""
    group: list[Piece] = []
    end = 0
    for piece in sorted(pieces, key=lambda each: (each.start, each.movable, each.end)):
        if group and piece.start >= end:
            yield group
            group = []
        end = max(end, piece.end) if group else piece.end
        group.append(piece)
    if group:
        yield group


def _exits(
    piece: Piece | None, bay: int, hit: Set[int], free: Sequence[int], prices: dict[int, int]
) -> Iterator[tuple[tuple[int, ...], int]]:
    if piece is None:
        return
    is_hit = piece.key in hit
    for each in free:
        if each == piece.bay:
            yield (each,), STRANDED_COST if is_hit and each == bay else 0
        elif piece.movable and not (is_hit and each == bay):
            yield (each,), MOVE_COST + prices[each]


def _free(pieces: Iterable[Piece], bays: Sequence[int], start: int, end: int) -> list[int]:
    taken = {piece.bay for piece in pieces if piece.start < end and start < piece.end}
    return [bay for bay in bays if bay not in taken]


def _choices(free: Sequence[int], wish: Wish) -> Iterator[tuple[int, ...]]:
    for some in combinations(free, wish.count):
        if wish.pinned is None or wish.pinned in some:
            yield some


def _cluster(pieces: Sequence[Piece], wish: Wish) -> list[Piece]:
    """Return the pieces that can matter: those linked to the wish through overlaps in time."""
    start, end = wish.start, wish.end
    inside: set[Piece] = set()
    growing = True
    while growing:
        linked = {piece for piece in pieces if piece.start < end and start < piece.end} - inside
        growing = bool(linked)
        inside |= linked
        start = min([start, *(piece.start for piece in linked if piece.movable)])
        end = max([end, *(piece.end for piece in linked if piece.movable)])
    return sorted(inside, key=lambda piece: (piece.start, piece.movable, piece.end))


def _sweep(steps: Iterable[_Step], bays: Sequence[int], options: _Options) -> _Way | None:
    slot = {bay: number for number, bay in enumerate(bays)}
    ways: dict[tuple[int, ...], _Way] = {(0,) * len(bays): _Way(0, None, None, ())}
    for start, end, piece in steps:
        reached: dict[tuple[int, ...], _Way] = {}
        for busy_until, way in ways.items():
            free = [bay for bay in bays if busy_until[slot[bay]] <= start]
            for chosen, cost in options(piece, free):
                after = _occupy(busy_until, start, [slot[bay] for bay in chosen], end)
                known = reached.get(after)
                if known is None or way.cost + cost < known.cost:
                    reached[after] = _Way(way.cost + cost, way, piece, chosen)
        ways = _cheapest(reached)
        if not ways:
            return None
    return min(ways.values(), key=lambda way: way.cost)


def _steps(pieces: Sequence[Piece], wish: Wish) -> Iterator[_Step]:
    """Yield the pieces and the wish (None) by start; what cannot move comes first."""
    told = False
    for piece in pieces:
        if not told and piece.start >= wish.start and (piece.start > wish.start or piece.movable):
            told = True
            yield wish.start, wish.end, None
        yield piece.start, piece.end, piece
    if not told:
        yield wish.start, wish.end, None


def _options(
    piece: Piece | None, wish: Wish, free: Sequence[int], prices: dict[int, int]
) -> Iterator[tuple[tuple[int, ...], int]]:
    if piece is None:
        for chosen in _choices(free, wish):
            yield chosen, sum(prices[bay] for bay in chosen)
    elif piece.movable:
        for bay in free:
            yield (bay,), 0 if bay == piece.bay else MOVE_COST
    elif piece.bay in free:
        yield (piece.bay,), 0


def _occupy(
    busy_until: tuple[int, ...], now: int, slots: Sequence[int], end: int
) -> tuple[int, ...]:
    return tuple(
        end if number in slots else (until if until > now else 0)
        for number, until in enumerate(busy_until)
    )


def _cheapest(reached: dict[tuple[int, ...], _Way]) -> dict[tuple[int, ...], _Way]:
    if len(reached) <= STATES_MAX:
        return reached
    ranked = sorted(reached.items(), key=lambda item: item[1].cost)
    return dict(ranked[:STATES_MAX])


def _retrace(way: _Way) -> tuple[tuple[int, ...], tuple[Move, ...]]:
    bays: tuple[int, ...] = ()
    moves: list[Move] = []
    step: _Way | None = way
    while step is not None and step.before is not None:
        if step.piece is None:
            bays = step.bays
        elif step.piece.bay != step.bays[0]:
            moves.append(Move(step.piece.key, step.bays[0]))
        step = step.before
    return bays, tuple(reversed(moves))

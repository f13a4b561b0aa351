"""How many bays are in use in every window of some weeks at once. Pure.

Each bay's time is one integer, a bit per cell of the grid on which everything lies; shifting it
over itself compares all windows in a few machine words.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import gcd

from booking_engine.booking.assignment import MOST_BAYS

_BITS = bytes.maketrans(b"01", b"\x00\x01")


# A bay in use for `[start, end)`, in minutes; what follows a session as a buffer included.
Claim = tuple[int, int, int]


def of_windows(
    claims: Iterable[Claim], bays: Sequence[int], *, starts: Sequence[int], minutes: int
) -> Iterator[tuple[int, int]]:
    """Yield how many bays each window of so many minutes touches, and how many it uses at once.

    `starts` are sorted and not empty. Raises `ValueError` beyond `MOST_BAYS` bays.
    """
    if len(bays) > MOST_BAYS:
        raise ValueError(f"at most {MOST_BAYS} bays at one place")
    begins, ends = starts[0], starts[-1] + minutes
    wanted = set(bays)
    inside = [
        (
            bay,
            (start if start > begins else begins) - begins,
            (end if end < ends else ends) - begins,
        )
        for bay, start, end in claims
        if start < ends and begins < end and bay in wanted
    ]
    cell = gcd(minutes, *[start - begins for start in starts])
    cell = gcd(cell, *[edge for _, *edges in inside for edge in edges])
    busy = dict.fromkeys(bays, 0)
    for bay, start, end in inside:
        busy[bay] |= ((1 << (end - start) // cell) - 1) << start // cell
    width, size = minutes // cell, (ends - begins) // cell
    touched = _sum([_spread(bits, width) for bits in busy.values()], size)
    deepest = _sum([_spread(bits, width) for bits in _levels(list(busy.values()))], size)
    last = size - 1
    places = [last - (start - begins) // cell for start in starts]
    return zip(
        [touched[place] for place in places], [deepest[place] for place in places], strict=True
    )


def _levels(busy: Sequence[int]) -> list[int]:
    """Return the cells in which more than 0, 1, 2... bays are in use at once."""
    levels: list[int] = []
    for bits in busy:
        carried = bits
        for number, level in enumerate(levels):
            levels[number], carried = level | carried, level & carried
        if carried:
            levels.append(carried)
    return levels


def _spread(bits: int, width: int) -> int:
    """Mark every cell from which `width` cells onwards one is marked."""
    reach = 1
    while reach < width:
        step = min(reach, width - reach)
        bits |= bits >> step
        reach += step
    return bits


def _sum(bitmaps: Iterable[int], size: int) -> bytes:
    """Return how many bitmaps mark each cell, a byte each, the last cell first."""
    each = (f"{bits:0{size}b}".encode().translate(_BITS) for bits in bitmaps)
    return sum(int.from_bytes(marks, "big") for marks in each).to_bytes(size, "big")

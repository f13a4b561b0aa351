"""Who can go back to the bay that an outage took from them. Pure."""

from collections.abc import Mapping, Sequence, Set
from uuid import UUID

from booking_engine.booking.assignment import Move
from booking_engine.booking.book import Taken


def moves(
    found: Sequence[Taken],
    former: Mapping[UUID, int],
    *,
    bays: Set[int],
    frozen_until: int,
    gap: int,
) -> list[Move]:
    """Return the moves that bring the most allocations back to their former bays, all at once.

    What is frozen stays, and so does whoever finds somebody else in the former place. Nobody's
    former place is another's, so leaving out those who cannot go is all the search there is.
    """
    going = {
        number: former[each.allocation_id]
        for number, each in enumerate(found)
        if each.allocation_id in former
        and former[each.allocation_id] in bays
        and each.resource_id != former[each.allocation_id]
        and each.start >= frozen_until
    }
    while True:
        stuck = {number for number in going if _is_taken(found, going, number, gap)}
        if not stuck:
            return [Move(number, bay) for number, bay in sorted(going.items())]
        going = {number: bay for number, bay in going.items() if number not in stuck}


def _is_taken(found: Sequence[Taken], going: Mapping[int, int], number: int, gap: int) -> bool:
    """Tell whether somebody is in the former place of one who wants to go back."""
    mine, bay = found[number], going[number]
    for other_number, other in enumerate(found):
        # Whoever goes too leaves that place, or stood there beside this one before.
        if other_number in going or other.resource_id != bay:
            continue
        between = gap if other.booking_id is not None else 0
        if mine.start < other.end + between and other.start < mine.end + between:
            return True
    return False

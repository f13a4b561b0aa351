"""The life of a booking: which status may follow which, and at whose hand (product rule D0).

Whatever changes a booking's status asks here first; there is no other way from one to the next.
"""

from collections.abc import Mapping

from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.policies import Actor
from booking_engine.errors import Conflict

Held, Paying, Approving = (
    BookingStatus.HELD,
    BookingStatus.AWAITING_PAYMENT,
    BookingStatus.AWAITING_APPROVAL,
)
Confirmed, CheckedIn = BookingStatus.CONFIRMED, BookingStatus.CHECKED_IN
Completed, NoShow = BookingStatus.COMPLETED, BookingStatus.NO_SHOW
Cancelled, Rejected, Expired = (
    BookingStatus.CANCELLED,
    BookingStatus.REJECTED,
    BookingStatus.EXPIRED,
)

ANYBODY = frozenset(Actor)
STUDIO = frozenset({Actor.STUDIO})
SYSTEM = frozenset({Actor.SYSTEM})
HOUSE = STUDIO | SYSTEM
PRESENT = HOUSE | {Actor.COACH}

# A booking begins held, waiting for a yes, or (paid with credits) confirmed.
BEGINNINGS = frozenset({Held, Approving, Confirmed})

TRANSITIONS: Mapping[tuple[BookingStatus, BookingStatus], frozenset[Actor]] = {
    (Held, Paying): HOUSE | {Actor.CUSTOMER},
    (Held, Approving): HOUSE | {Actor.CUSTOMER},
    (Held, Confirmed): HOUSE | {Actor.CUSTOMER},
    (Held, Expired): HOUSE | {Actor.CUSTOMER},
    (Paying, Approving): HOUSE,
    (Paying, Confirmed): HOUSE,
    (Paying, Expired): HOUSE | {Actor.CUSTOMER},
    (Approving, Confirmed): PRESENT,
    (Approving, Rejected): PRESENT,
    (Approving, Cancelled): HOUSE | {Actor.CUSTOMER},
    (Approving, Expired): SYSTEM,
    (Expired, Confirmed): SYSTEM,  # paid too late, and the slot could still be had (D7)
    (Confirmed, CheckedIn): ANYBODY,
    (Confirmed, Completed): HOUSE,
    (Confirmed, NoShow): PRESENT,
    (Confirmed, Cancelled): ANYBODY,
    (CheckedIn, Completed): HOUSE,
    (CheckedIn, NoShow): STUDIO,
    (CheckedIn, Cancelled): ANYBODY,
    # Sessions complete by themselves; until the mark is final the studio may put it right (D18).
    (Completed, NoShow): STUDIO,
    (NoShow, Completed): STUDIO,
}


class WrongState(Conflict):
    """That status cannot follow the present one, or not at this hand."""

    code = "wrong_state"


def begin(status: BookingStatus) -> BookingStatus:
    """Return the status of a new booking; raises `WrongState` for one that none begins with."""
    if status not in BEGINNINGS:
        raise WrongState(f"no booking begins {status.value}", to=status.value)
    return status


def check(before: BookingStatus, after: BookingStatus, *, actor: Actor) -> None:
    """Raise `WrongState` unless this actor may bring a booking from one status to the other."""
    if actor in TRANSITIONS.get((before, after), frozenset()):
        return
    whom = "" if (before, after) not in TRANSITIONS else f" by the {actor.value}"
    raise WrongState(
        f"a booking that is {before.value} does not become {after.value}{whom}",
        status=before.value,
        to=after.value,
        actor=actor.value,
    )


def change(booking: Booking, after: BookingStatus, *, actor: Actor) -> None:
    """Give a booking its next status; raises `WrongState` and then changes nothing."""
    check(booking.status, after, actor=actor)
    booking.status = after
    booking.revision += 1


def before(after: BookingStatus, *, actor: Actor) -> list[str]:
    """Return the statuses from which an actor may bring a booking to this one, for SQL."""
    return [
        earlier.value
        for (earlier, later), actors in TRANSITIONS.items()
        if later is after and actor in actors
    ]

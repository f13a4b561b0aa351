"""What comes back when a booking is cancelled. Pure (product rule D3)."""

from datetime import datetime, timedelta
from enum import StrEnum

from booking_engine.catalog.studio import Policy

GRACE_AFTER_BOOKING = timedelta(minutes=10)
GRACE_BEFORE_START = timedelta(hours=2)


class Actor(StrEnum):
    """Who does something to a booking."""

    CUSTOMER = "customer"
    COACH = "coach"
    STUDIO = "studio"
    SYSTEM = "system"


def percent_back(
    policy: Policy, *, starts_at: datetime, booked_at: datetime, actor: Actor, now: datetime
) -> int:
    """Return the percentage of credits that a cancellation at `now` gives back.

    The exact boundary of a tier counts for the customer; whoever else cancels gives everything
    back; a customer who has just booked a session that is far enough away does so for free.
    """
    if actor is not Actor.CUSTOMER:
        return 100
    ahead = starts_at - now
    if now - booked_at <= GRACE_AFTER_BOOKING and ahead > GRACE_BEFORE_START:
        return 100
    for tier in policy.cancel:
        if ahead >= timedelta(hours=tier.hours):
            return tier.percent
    return 0

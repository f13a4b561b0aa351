"""A customer's sessions back to back on one bay need no buffer between them (product rule D22).

Who asks anonymously cannot be told so: availability keeps the buffer, booking does not.
"""

from collections.abc import Sequence, Set
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel import Session, col, select

from booking_engine.booking import assignment, book
from booking_engine.booking.assignment import Placement
from booking_engine.booking.book import Span, Taken
from booking_engine.booking.models import Booking
from booking_engine.booking.terms import Terms
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import to_minutes


def own_sessions(
    session: Session, *, studio: Studio, terms: Terms, wallet_id: UUID | None
) -> set[UUID]:
    """Return a customer's bookings within a buffer of a session; none where there is no buffer."""
    gap = timedelta(minutes=studio.policy.buffer_minutes)
    if wallet_id is None or not gap:
        return set()
    return set(
        session.exec(
            select(Booking.id).where(
                col(Booking.studio_id) == studio.id,
                col(Booking.wallet_id) == wallet_id,
                col(Booking.starts_at) < terms.during.end + gap,
                col(Booking.ends_at) > terms.during.start - gap,
            )
        )
    )


def place(
    studio: Studio,
    terms: Terms,
    found: Sequence[Taken],
    span: Span,
    *,
    own: Set[int],
    costs: dict[int, int],
    now: datetime,
) -> Placement | None:
    """Place a session on the bay beside one of the customer's own, None where that cannot be.

    `own` are the places of the customer's sessions in `found`; they stay where they are. A group
    gets one of its bays so, the others like everybody.
    """
    bays, gap = list(costs), studio.policy.buffer_minutes
    if not (own and gap):
        return None
    start, end = to_minutes(terms.during.start), to_minutes(terms.during.end)
    pieces = book.pieces(found, bays=bays, span=span, policy=studio.policy, now=now)
    for bay in bays:
        mine = [
            (number, each)
            for number, each in enumerate(found)
            if number in own and each.resource_id == bay
        ]
        before = {number for number, each in mine if each.end <= start < each.end + gap}
        after = {number: each.start for number, each in mine if end <= each.start < end + gap}
        if not before | after.keys() or (terms.simulator and terms.simulator.id != bay):
            continue
        if after and terms.simulators > 1:
            continue
        near = [
            piece._replace(end=start if piece.key in before else piece.end, movable=False)
            if piece.key in before | after.keys()
            else piece
            for piece in pieces
        ]
        until = min([end + gap, *after.values()])
        wish = assignment.Wish(start, until, terms.simulators, bay)
        placement = assignment.place(near, bays, wish, costs)
        if placement is not None:
            return placement
    return None

"""Offers: freed time is held for one who waits for it, for a while (product rule D19).

An offer is a hold like any other, so nobody else can have its time; only its length and its holder
differ. Callers hold the studio's line (`waitlist.queue`), which is taken before every other lock.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from booking_engine.booking import allocator, bookings, drafts, holds, states
from booking_engine.booking.drafts import Owner
from booking_engine.booking.holds import HoldExpired
from booking_engine.booking.models import Booking, BookingStatus, Hold, HoldStatus
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import Terms
from booking_engine.booking.waitlist_models import OfferStatus, WaitlistEntry, WaitlistOffer
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict
from booking_engine.ledger import credits
from booking_engine.ledger.transfers import Cause

LONGEST = timedelta(minutes=30)
CHECKOUT = timedelta(minutes=15)
LAST_CALL = timedelta(minutes=10)  # before the start; later nobody could make use of an offer
QUIET_FROM, QUIET_UNTIL = 22, 8  # local hours in which nobody is woken ...
QUIET_AHEAD = timedelta(hours=12)  # ... for what is this far away
OF_HOLD = {
    HoldStatus.ACTIVE: OfferStatus.OPEN,
    HoldStatus.CONVERTED: OfferStatus.ACCEPTED,
    HoldStatus.RELEASED: OfferStatus.DECLINED,
    HoldStatus.EXPIRED: OfferStatus.EXPIRED,
}


class NoOffer(Conflict):
    """Nothing is on offer to this entry now."""

    code = "no_offer"


def lasts_until(starts_at: datetime, *, now: datetime) -> datetime:
    """Return when an offer made now ends: after 30 minutes, or half the time that is left."""
    return now + min(LONGEST, (starts_at - now) / 2)


def is_quiet(starts_at: datetime, zone: ZoneInfo, *, now: datetime) -> bool:
    """Tell whether it is night and the session far enough away to let people sleep."""
    hour = now.astimezone(zone).hour
    is_night = hour >= QUIET_FROM or hour < QUIET_UNTIL
    return is_night and starts_at - now >= QUIET_AHEAD


def make(
    session: Session, *, studio: Studio, entry: WaitlistEntry, terms: Terms, now: datetime
) -> WaitlistOffer:
    """Hold a session for an entry; raises `SlotTaken` or `CoachUnavailable`."""
    seats = allocator.seat(session, studio=studio, terms=terms, now=now, wallet_id=entry.wallet_id)
    until = lasts_until(terms.during.start, now=now)
    owner = Owner(entry.wallet_id, BookingStatus.HELD, until)
    booking = bookings.write(session, studio=studio, terms=terms, seats=seats, owner=owner, now=now)
    hold_id = uuid4()
    hold = Hold(
        studio_id=studio.id,
        id=hold_id,
        booking_id=booking.id,
        status=HoldStatus.ACTIVE,
        holder=f"waitlist:{entry.id}",  # nobody's name, so that it counts towards nobody's caps
        cart=holds.cart(terms.basket, currency=studio.currency, hold_id=hold_id),
        expires_at=until,
        frees_at=until,
        created_at=now,
    )
    session.add(hold)
    session.flush()
    offer = WaitlistOffer(
        studio_id=studio.id,
        entry_id=entry.id,
        hold_id=hold_id,
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        created_at=now,
    )
    session.add(offer)
    session.flush()
    return offer


def standing(hold: Hold, *, now: datetime) -> OfferStatus:
    """Return how the offer stands whose hold this is; no job is needed for that to be true."""
    return OF_HOLD[holds.status(hold, now=now)]


def unsettled(
    session: Session, *, studio_id: int, entry_ids: Sequence[UUID] | None = None
) -> Sequence[tuple[WaitlistOffer, Hold]]:
    """Return the offers that were open when last looked at, with their holds as they are."""
    wanted = (
        select(WaitlistOffer, Hold)
        .join(
            Hold,
            (col(Hold.studio_id) == col(WaitlistOffer.studio_id))
            & (col(Hold.id) == col(WaitlistOffer.hold_id)),
        )
        .where(
            col(WaitlistOffer.studio_id) == studio_id,
            col(WaitlistOffer.status) == OfferStatus.OPEN,
        )
        .order_by(col(WaitlistOffer.created_at), col(WaitlistOffer.id))
        .execution_options(populate_existing=True)
    )
    if entry_ids is not None:
        wanted = wanted.where(col(WaitlistOffer.entry_id).in_(entry_ids))
    return [(row[0], row[1]) for row in session.exec(wanted)]


def current(session: Session, *, entry: WaitlistEntry, now: datetime) -> tuple[WaitlistOffer, Hold]:
    """Return the entry's open offer; raises `NoOffer`, or `HoldExpired` where it has lapsed."""
    found = unsettled(session, studio_id=entry.studio_id, entry_ids=[entry.id])
    for offer, hold in found:
        stands = standing(hold, now=now)
        if stands is OfferStatus.OPEN:
            return offer, hold
        if stands is OfferStatus.EXPIRED:
            raise HoldExpired("the offer's time is up; you keep your place in the line")
    raise NoOffer("nothing is on offer to you now")


def of_booking(session: Session, *, studio_id: int, booking_id: UUID) -> WaitlistOffer | None:
    """Return the open offer that holds this booking, None where it is no offer."""
    return session.exec(
        select(WaitlistOffer)
        .join(
            Hold,
            (col(Hold.studio_id) == col(WaitlistOffer.studio_id))
            & (col(Hold.id) == col(WaitlistOffer.hold_id)),
        )
        .where(
            col(WaitlistOffer.studio_id) == studio_id,
            col(WaitlistOffer.status) == OfferStatus.OPEN,
            col(Hold.booking_id) == booking_id,
        )
    ).first()


def let_go(
    session: Session, *, studio_id: int, entry_ids: Sequence[UUID]
) -> Sequence[WaitlistOffer]:
    """Return the offers that these entries declined or let lapse."""
    return session.exec(
        select(WaitlistOffer).where(
            col(WaitlistOffer.studio_id) == studio_id,
            col(WaitlistOffer.entry_id).in_(entry_ids),
            col(WaitlistOffer.status).in_([OfferStatus.DECLINED, OfferStatus.EXPIRED]),
        )
    ).all()


def confirm(
    session: Session, *, studio: Studio, offer: WaitlistOffer, hold: Hold, actor: str, now: datetime
) -> Booking:
    """Turn an open offer into its booking, paid with credits; raises `NotEnoughCredits`."""
    booking = bookings.lock(session, studio_id=studio.id, booking_id=hold.booking_id)
    session.refresh(hold)
    if hold.status is not HoldStatus.ACTIVE or booking.status not in bookings.HOLDING:
        raise HoldExpired("the offer is no longer open")
    cause = Cause("booked", booking.code, actor, now)
    credits.hold(session, need=drafts.need(booking), cause=cause)
    allocator.keep(session, studio_id=studio.id, booking_id=booking.id, until=None)
    states.change(booking, BookingStatus.CONFIRMED, actor=Actor.SYSTEM)
    booking.confirmed_at = now
    hold.status = HoldStatus.CONVERTED
    settle(offer, OfferStatus.ACCEPTED, now=now)
    allocator.tell(session, studio_id=studio.id, booking_id=booking.id, now=now)
    session.flush()
    return booking


def check_out(
    session: Session, *, studio: Studio, offer: WaitlistOffer, hold: Hold, now: datetime
) -> None:
    """Give an open offer 15 minutes more, once, so that its cart can be paid."""
    if offer.checkout_at is not None:
        return
    until = min(hold.expires_at + CHECKOUT, offer.starts_at)
    if not holds.extend(session, studio=studio, hold=hold, until=until, paying=False, now=now):
        raise HoldExpired("the offer is no longer open")
    offer.checkout_at = now
    session.flush()


def give_up(
    session: Session,
    *,
    studio: Studio,
    offer: WaitlistOffer,
    status: OfferStatus,
    now: datetime,
) -> None:
    """Free the time of an open offer: it was declined, or is withdrawn."""
    holds.release(session, studio=studio, hold_id=offer.hold_id, now=now)
    settle(offer, status, now=now)
    session.flush()


def settle(offer: WaitlistOffer, status: OfferStatus, *, now: datetime) -> None:
    """Write down how an offer ended."""
    offer.status = status
    offer.settled_at = now

"""The waitlist: customers queue for time that is taken, and answer what is offered to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, func, or_, select

from booking_engine.booking import offers, terms
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.models import Booking, Hold
from booking_engine.booking.openings import Openings, Window
from booking_engine.booking.terms import CoachingRequest, SessionRequest
from booking_engine.booking.waitlist_models import (
    EntryStatus,
    OfferStatus,
    WaitlistEntry,
    WaitlistOffer,
)
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Conflict, Invalid, NotFound
from booking_engine.intervals import EPOCH, MINUTE, to_minutes
from booking_engine.ledger import wallets

WINDOW_MAX = timedelta(days=14)
# Every open entry may hold a session for half an hour, so nobody has many.
ENTRIES_MAX = 10
SHOWN_MAX = 50


class TooManyEntries(Conflict):
    """The customer waits for as many things as one may."""

    code = "too_many_entries"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a customer waits for: a session that starts between two instants, both included."""

    service: str
    earliest: datetime
    latest: datetime
    minutes: int
    simulators: int = 1
    simulator: str | None = None
    coaching: CoachingRequest | None = None
    location: str | None = None
    auto_book_hours: int | None = None

    def request(self) -> SessionRequest:
        """Return the session at its earliest start, as the engine asks for it."""
        return SessionRequest(
            self.service,
            self.earliest,
            self.minutes,
            self.simulators,
            self.simulator,
            self.coaching,
            self.location,
        )


# Which bookings give a waiting entry what it waits for.
_SATISFYING = text("""
    SELECT entry.id, booking.id
    FROM waitlist_entry entry
    JOIN booking ON booking.studio_id = entry.studio_id AND booking.wallet_id = entry.wallet_id
    WHERE entry.studio_id = :studio_id AND entry.status = 'waiting'
      AND booking.status IN ('confirmed', 'checked_in', 'completed')
      AND booking.location_id = entry.location_id AND booking.service = entry.service
      AND booking.starts_at BETWEEN entry.earliest_at AND entry.latest_at
      AND booking.ends_at - booking.starts_at >= make_interval(mins => entry.minutes)
      AND booking.simulators >= entry.simulators
      AND booking.id <> ALL (entry.besides)
      AND (entry.coaching_minutes IS NULL
           OR booking.coaching_ends_at - booking.coaching_starts_at
              >= make_interval(mins => entry.coaching_minutes))
      AND NOT EXISTS (
          SELECT FROM unnest(ARRAY[entry.simulator_id, entry.coach_id]) AS named (id)
          WHERE named.id IS NOT NULL AND NOT EXISTS (
              SELECT FROM allocation
              WHERE allocation.studio_id = booking.studio_id
                AND allocation.booking_id = booking.id
                AND allocation.resource_id = named.id AND allocation.state = 'confirmed'))
    ORDER BY booking.starts_at, booking.id
""")


_WISH = (
    "location_id",
    "service",
    "earliest_at",
    "latest_at",
    "minutes",
    "simulators",
    "simulator_id",
    "coaching_minutes",
    "coach_id",
    "auto_book_hours",
)


def queue(session: Session, *, studio_id: int) -> None:
    """Queue for the studio's line until the transaction ends; taken before every other lock."""
    session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"),
        {"name": f"waitlist:{studio_id}"},
    )


def join(
    session: Session, *, studio: Studio, wish: Wish, wallet_id: UUID, now: datetime
) -> WaitlistEntry:
    """Enter the line; who waits for just that already keeps that place.

    Raises `Invalid` for what cannot be meant or could never be offered, `TooManyEntries`.
    """
    if wish.latest < wish.earliest:
        raise Invalid("latest comes before earliest")
    if wish.latest - wish.earliest > WINDOW_MAX:
        raise Invalid(f"a window spans at most {WINDOW_MAX.days} days", maximum=WINDOW_MAX.days)
    if wish.coaching is not None and wish.coaching.start is not None:
        raise Invalid("who waits for coaching takes it when it fits into the session")
    entry = _entry(studio, wish, wallet_id, now)
    _refuse_hopeless(studio, entry, now)
    wallets.lock(session, studio_id=studio.id, wallet_id=wallet_id)
    mine = waiting(session, studio_id=studio.id, wallet_id=wallet_id)
    for known in mine:
        if _same_wish(known, entry):
            return known
    if len(mine) >= ENTRIES_MAX:
        raise TooManyEntries(f"you wait for {len(mine)} things already; leave one first")
    session.add(entry)
    session.flush()
    found = satisfying(session, studio_id=studio.id)
    entry.besides = [booking_id for entry_id, booking_id in found if entry_id == entry.id]
    session.flush()
    return entry


def get(session: Session, *, studio_id: int, entry_id: UUID, wallet_id: UUID) -> WaitlistEntry:
    """Return an entry of this wallet; raises `NotFound`."""
    found = session.exec(
        select(WaitlistEntry)
        .where(
            col(WaitlistEntry.studio_id) == studio_id,
            col(WaitlistEntry.id) == entry_id,
            col(WaitlistEntry.wallet_id) == wallet_id,
        )
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        raise NotFound("you have no such place in the line")
    return found


def of_wallet(session: Session, *, studio_id: int, wallet_id: UUID) -> Sequence[WaitlistEntry]:
    """Return a wallet's entries: those that wait first, then by age, newest first."""
    return session.exec(
        select(WaitlistEntry)
        .where(col(WaitlistEntry.studio_id) == studio_id, col(WaitlistEntry.wallet_id) == wallet_id)
        .order_by(
            (col(WaitlistEntry.status) == EntryStatus.WAITING).desc(),
            col(WaitlistEntry.created_at).desc(),
            col(WaitlistEntry.id).desc(),
        )
        .limit(SHOWN_MAX)
    ).all()


def position(session: Session, *, entry: WaitlistEntry) -> int:
    """Return the entry's place among those who wait for overlapping windows; 1 is next."""
    ahead = session.exec(
        select(func.count())
        .select_from(WaitlistEntry)
        .where(
            col(WaitlistEntry.studio_id) == entry.studio_id,
            col(WaitlistEntry.status) == EntryStatus.WAITING,
            col(WaitlistEntry.location_id) == entry.location_id,
            col(WaitlistEntry.earliest_at) <= entry.latest_at,
            col(WaitlistEntry.latest_at) >= entry.earliest_at,
            or_(
                col(WaitlistEntry.created_at) < entry.created_at,
                (col(WaitlistEntry.created_at) == entry.created_at)
                & (col(WaitlistEntry.id) < entry.id),
            ),
        )
    ).one()
    return ahead + 1


def leave(session: Session, *, studio: Studio, entry: WaitlistEntry, now: datetime) -> None:
    """Leave the line, declining what is on offer; an entry that is closed stays as it is."""
    queue(session, studio_id=studio.id)
    settle(session, studio_id=studio.id, now=now)
    session.refresh(entry)
    if entry.status is not EntryStatus.WAITING:
        return
    for offer, _ in offers.unsettled(session, studio_id=studio.id, entry_ids=[entry.id]):
        offers.give_up(session, studio=studio, offer=offer, status=OfferStatus.DECLINED, now=now)
    close(entry, EntryStatus.LEFT, now=now)
    session.flush()


def decline(session: Session, *, studio: Studio, entry: WaitlistEntry, now: datetime) -> None:
    """Decline what is on offer and keep waiting for other times; raises as `accept` does."""
    queue(session, studio_id=studio.id)
    offer, _ = offers.current(session, entry=entry, now=now)
    offers.give_up(session, studio=studio, offer=offer, status=OfferStatus.DECLINED, now=now)


def accept(
    session: Session, *, studio: Studio, entry: WaitlistEntry, actor: str, now: datetime
) -> Booking:
    """Take what is on offer and pay with credits.

    Raises `NoOffer`, `HoldExpired` or `NotEnoughCredits`; then nothing has changed.
    """
    queue(session, studio_id=studio.id)
    offer, hold = offers.current(session, entry=entry, now=now)
    booking = offers.confirm(session, studio=studio, offer=offer, hold=hold, actor=actor, now=now)
    session.refresh(entry)
    close(entry, EntryStatus.BOOKED, booking_id=booking.id, now=now)
    session.flush()
    return booking


def check_out(
    session: Session, *, studio: Studio, entry: WaitlistEntry, now: datetime
) -> tuple[WaitlistOffer, Hold]:
    """Take what is on offer and pay its cart: the hold lasts 15 minutes more, once."""
    queue(session, studio_id=studio.id)
    offer, hold = offers.current(session, entry=entry, now=now)
    offers.check_out(session, studio=studio, offer=offer, hold=hold, now=now)
    return offer, hold


def studios(session: Session) -> Sequence[int]:
    """Return the studios in which anybody waits."""
    return session.exec(
        select(WaitlistEntry.studio_id)
        .where(col(WaitlistEntry.status) == EntryStatus.WAITING)
        .distinct()
    ).all()


def waiting(
    session: Session, *, studio_id: int, wallet_id: UUID | None = None
) -> Sequence[WaitlistEntry]:
    """Return those who wait, of one wallet if it is named, in the order of the line."""
    filters: list[Any] = [
        col(WaitlistEntry.studio_id) == studio_id,
        col(WaitlistEntry.status) == EntryStatus.WAITING,
    ]
    if wallet_id is not None:
        filters.append(col(WaitlistEntry.wallet_id) == wallet_id)
    return session.exec(
        select(WaitlistEntry)
        .where(*filters)
        .order_by(col(WaitlistEntry.created_at), col(WaitlistEntry.id))
        .execution_options(populate_existing=True)
    ).all()


def satisfying(session: Session, *, studio_id: int) -> list[tuple[UUID, UUID]]:
    """Return waiting entries with the bookings that give them what they wait for."""
    return [(row[0], row[1]) for row in session.execute(_SATISFYING, {"studio_id": studio_id})]


def settle(session: Session, *, studio_id: int, now: datetime) -> None:
    """Write down how offers ended whose holds were paid, released or have lapsed."""
    for offer, hold in offers.unsettled(session, studio_id=studio_id):
        stands = offers.standing(hold, now=now)
        if stands is OfferStatus.OPEN:
            continue
        offers.settle(offer, stands, now=now)
        entry = session.get(WaitlistEntry, (studio_id, offer.entry_id), populate_existing=True)
        if stands is OfferStatus.ACCEPTED and entry and entry.status is EntryStatus.WAITING:
            close(entry, EntryStatus.BOOKED, booking_id=hold.booking_id, now=now)
    session.flush()


def close(
    entry: WaitlistEntry, status: EntryStatus, *, now: datetime, booking_id: UUID | None = None
) -> None:
    """Write down how the waiting ended."""
    entry.status = status
    entry.booking_id = booking_id
    entry.closed_at = now


def window(studio: Studio, entry: WaitlistEntry, *, now: datetime) -> Window | None:
    """Return the starts that could still be offered to an entry, None if there are none.

    The lead time is measured when the wish is placed: offers come later, and may come nearer.
    """
    try:
        agreed = terms.resolve(studio, _request(studio, entry))
    except Invalid:
        return None  # what it names is gone from the catalogue; it may come back
    lead = timedelta(minutes=studio.policy.lead_minutes)
    first = max(entry.earliest_at, entry.created_at + lead, now + offers.LAST_CALL)
    found = Window(agreed, -((EPOCH - first) // MINUTE), to_minutes(entry.latest_at))
    return found if found.first <= found.last else None


def _entry(studio: Studio, wish: Wish, wallet_id: UUID, now: datetime) -> WaitlistEntry:
    agreed = terms.resolve(studio, wish.request())
    return WaitlistEntry(
        studio_id=studio.id,
        wallet_id=wallet_id,
        location_id=agreed.location.id,
        service=agreed.service.handle,
        earliest_at=wish.earliest.astimezone(UTC),
        latest_at=wish.latest.astimezone(UTC),
        minutes=agreed.during.minutes,
        simulators=agreed.simulators,
        simulator_id=agreed.simulator.id if agreed.simulator else None,
        coaching_minutes=agreed.coaching_minutes or None,
        coach_id=agreed.coach.id if agreed.coach else None,
        auto_book_hours=wish.auto_book_hours,
        created_at=now,
    )


def _request(studio: Studio, entry: WaitlistEntry) -> SessionRequest:
    """Return the entry's session at its earliest start, in the names of today's catalogue."""
    places = [each.handle for each in studio.locations if each.id == entry.location_id]
    if not places:
        raise Invalid("the location is gone")
    coaching = None
    if entry.coaching_minutes is not None:
        coach = studio.resources[entry.coach_id].handle if entry.coach_id else None
        coaching = CoachingRequest(entry.coaching_minutes, coach)
    bay = studio.resources[entry.simulator_id].handle if entry.simulator_id else None
    return SessionRequest(
        entry.service, entry.earliest_at, entry.minutes, entry.simulators, bay, coaching, *places
    )


def _refuse_hopeless(studio: Studio, entry: WaitlistEntry, now: datetime) -> None:
    """Refuse what not even an empty book could give."""
    found = window(studio, entry, now=now)
    empty = Openings(studio, [], now=now)
    if found is not None and next(empty.starts(found), None) is not None:
        return
    policy = studio.policy
    if entry.latest_at < now + timedelta(minutes=policy.lead_minutes):
        raise terms.TooSoon(f"sessions are wished for at least {policy.lead_minutes} minutes ahead")
    location = studio.location_by_id(entry.location_id)
    last = terms.last_day(policy, location, now)
    if entry.earliest_at.astimezone(location.zone).date() > last:
        raise terms.OutsideHorizon(
            f"sessions are booked at most {policy.horizon_days} days ahead", last_day=str(last)
        )
    if found is not None and next(empty.offered(found), None) is not None:
        raise CoachUnavailable("no coach works at any of those times")
    raise terms.OutsideHours(f"{location.name} has no such session in that window")


def _same_wish(left: WaitlistEntry, right: WaitlistEntry) -> bool:
    return all(getattr(left, name) == getattr(right, name) for name in _WISH)

"""A session booked with credits, or held, in three messages to the database: queue, look, write.

The rules in between are pure. So the same code serves a session of the ORM and a driver that keeps
the event loop free; whoever carries the messages commits. Each message may be sent together with
the one before it whose answer it does not need.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from psycopg.errors import ExclusionViolation
from sqlalchemy import DDL, event
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from booking_engine.booking import allocator, book, drafts
from booking_engine.booking.assignment import Move
from booking_engine.booking.book import SlotTaken, Taken
from booking_engine.booking.drafts import Owner, Seats
from booking_engine.booking.models import BookingStatus
from booking_engine.booking.terms import Terms
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import Interval, from_minutes
from booking_engine.ledger import credits, transfers, wallets
from booking_engine.ledger import lots as rules
from booking_engine.ledger.lots import Funds, Share
from booking_engine.ledger.models import Bucket
from booking_engine.ledger.transfers import Cause
from booking_engine.orm import metadata, new_id

JUST_TAKEN = "somebody else has just taken that time"

# Queue for the wallet or the holder, then for the days (given in order), then read all that is
# decided upon; nothing where the wallet is gone. Made in the database, so that it is one message.
_LOOK_AT_BOOK = f"""
CREATE OR REPLACE FUNCTION look_at_book(
    studio_id bigint, wallet_id uuid, holder text, neighbour uuid, days int[],
    begins timestamptz, ends timestamptz, at timestamptz
) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF look_at_book.holder IS NOT NULL THEN
        PERFORM pg_advisory_xact_lock(hashtextextended(
            concat_ws(':', 'holder', look_at_book.studio_id, look_at_book.holder), 0));
    ELSIF look_at_book.wallet_id IS NOT NULL THEN
        PERFORM FROM wallet
            WHERE studio_id = look_at_book.studio_id AND id = look_at_book.wallet_id
            FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM pg_advisory_xact_lock(look_at_book.studio_id::int, day)
        FROM unnest(look_at_book.days) AS day;
    RETURN json_build_object(
        'taken', (SELECT json_agg(json_build_array({book.COLUMNS}, id, booking_id)) {book.LIVE}),
        'lapsed', EXISTS (
            SELECT FROM allocation
            WHERE studio_id = %(studio_id)s AND state = 'held' AND NOT stranded
              AND blocks_until <= %(now)s AND during && tstzrange(%(start)s, %(end)s)),
        'lots', (SELECT json_agg(json_build_array(
            id, kind, available, priority, paid_minor, order_id, expires_at, granted_at, frozen_at,
            only_for))
            FROM ({rules.SPENDABLE}) AS lot),
        'own', (SELECT json_agg(id) FROM booking
            WHERE studio_id = %(studio_id)s AND wallet_id = look_at_book.neighbour
              AND starts_at < %(end)s AND ends_at > %(start)s),
        'holds', (SELECT json_agg(json_build_array(hold.expires_at,
                extract(epoch FROM booking.ends_at - booking.starts_at)::int / 60)
                ORDER BY hold.expires_at)
            FROM hold JOIN booking
                ON booking.studio_id = hold.studio_id AND booking.id = hold.booking_id
            WHERE hold.studio_id = %(studio_id)s AND hold.holder = look_at_book.holder
              AND hold.status = 'active' AND hold.expires_at > %(now)s)
    )::text;
END
$$
"""  # noqa: S608 - made of the engine's own texts
LOOK_AT_BOOK = _LOOK_AT_BOOK % {  # the function's parameters in the place of the driver's
    "studio_id": "look_at_book.studio_id",
    "wallet_id": "look_at_book.wallet_id",
    "start": "look_at_book.begins",
    "end": "look_at_book.ends",
    "now": "look_at_book.at",
}
LOOK = """
    look_at_book(%(studio_id)s, {wallet_id}, %(holder)s, {neighbour}, %(days)s::int[],
                 %(start)s, %(end)s, %(now)s)
"""
_LOOK = f"SELECT {LOOK.format(wallet_id='%(wallet_id)s', neighbour='%(neighbour)s')}"
event.listen(metadata, "after_create", DDL(LOOK_AT_BOOK.replace("%", "%%")))  # type: ignore[no-untyped-call]

# Whatever was decided, at once: judged by the constraints when all of it is written.
WRITE = f"""
    WITH {transfers.posting(Bucket.AVAILABLE, Bucket.HELD)}, repacked AS (
        UPDATE allocation SET resource_id = step.bay
        FROM unnest(%(moved)s::uuid[], %(bays)s::bigint[]) AS step (id, bay)
        WHERE allocation.studio_id = %(studio_id)s AND allocation.id = step.id
        RETURNING allocation.id
    ), booked AS (
        INSERT INTO booking SELECT * FROM jsonb_populate_record(NULL::booking, %(booking)s::jsonb)
        -- Paid in full, or there is no booking that the rest could belong to.
        WHERE (SELECT count(*) FROM moved) = cardinality(%(lot_ids)s::uuid[])
    ), seated AS (
        INSERT INTO allocation
        SELECT * FROM jsonb_populate_recordset(NULL::allocation, %(allocations)s::jsonb)
    ), promised AS (
        INSERT INTO hold SELECT * FROM jsonb_populate_recordset(NULL::hold, %(holds)s::jsonb)
    ), drawn AS (
        INSERT INTO draw (studio_id, booking_id, lot_id, quantity, held)
        SELECT %(studio_id)s, %(booking_id)s, id, quantity, quantity FROM moved
    ), told AS (
        INSERT INTO outbox_message
            (studio_id, id, topic, key, version, attempts, created_at, due_at)
        SELECT %(studio_id)s, message.id, %(topic)s, message.key, 1, 0, %(at)s, %(at)s
        FROM unnest(%(messages)s::uuid[], %(changed)s::text[]) AS message (id, key)
        WHERE (SELECT count(*) FROM repacked) >= 0  -- the bays come before this
        ON CONFLICT (studio_id, topic, key) WHERE done_at IS NULL
        DO UPDATE SET version = outbox_message.version + 1, attempts = 0,
            due_at = excluded.due_at
    )
    SELECT count(*) FROM moved
"""  # noqa: S608 - made of the engine's own texts


@dataclass(frozen=True, slots=True)
class Asked:
    """What is wanted, and by whom: with a `holder` it is to be held, else paid from the wallet."""

    studio: Studio
    terms: Terms
    wallet_id: UUID | None
    holder: str | None
    actor: str
    now: datetime

    @property
    def days(self) -> list[date]:
        """Return the days for whose locks to queue, in order."""
        return allocator.days_touched(self.studio, self.terms.location, self.terms.during)

    @property
    def span(self) -> book.Span:
        """Return the minutes inside which sessions may be moved."""
        location = self.terms.location
        return book.span_of(book.days_of(self.terms.during, location), location)

    @property
    def around(self) -> Interval:
        """Return all that is read of the book: whoever is moved may be moved onto any of it."""
        margin, span = self.studio.widest_buffer_minutes, self.span
        return Interval(from_minutes(span.start - margin), from_minutes(span.end + margin))

    @property
    def has_buffers(self) -> bool:
        """Tell whether the customer's own sessions beside this one matter: they need no buffer."""
        return self.studio.policy.buffer_minutes > 0

    @property
    def looking(self) -> dict[str, Any]:
        """Return the values of `LOOK`; the wallet may come from the statement around it."""
        start, end = self.around
        return {
            "studio_id": self.studio.id,
            "wallet_id": None if self.holder else self.wallet_id,
            "holder": self.holder,
            "neighbour": self.wallet_id if self.has_buffers else None,
            "days": book.days_queue(self.studio.id, self.days)["days"],
            "start": start,
            "end": end,
            "now": self.now,
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What `LOOK` found: the book around the session, the lots that could pay, the other holds."""

    taken: list[Taken]
    ids: list[tuple[str, str]]  # of the allocation and of its booking, beside `taken`
    has_lapsed: bool
    lots: list[Funds]
    holds: list[tuple[datetime, int]]
    own: set[int]  # the places of the customer's own sessions in `taken`

    @classmethod
    def read(cls, text: str) -> "Seen":
        """Read the answer to `LOOK`."""
        found = json.loads(text)
        taken = found["taken"] or ()
        own = frozenset(found["own"] or ())
        return cls(
            taken=[Taken._make((*each[:-2], None, None)) for each in taken],
            ids=[(each[-2], each[-1]) for each in taken],
            has_lapsed=found["lapsed"],
            lots=[Funds.read(row) for row in found["lots"] or ()],
            holds=[
                (datetime.fromisoformat(until), minutes) for until, minutes in found["holds"] or ()
            ],
            own={number for number, each in enumerate(taken) if each[-1] in own},
        )


@dataclass(frozen=True, slots=True)
class Written:
    """What was decided: the new rows, their columns as attributes, and the values of `WRITE`."""

    booking: Any
    hold: Any
    seats: Seats
    shares: list[Share]
    values: dict[str, Any]


Decide = Callable[[Asked, Seen], Written]


def book_now(asked: Asked, seen: Seen) -> Written:
    """Decide upon a booking that credits pay at once.

    Raises `SlotTaken`, `CoachUnavailable`, `NotEnoughCredits`.
    """
    owner = Owner(asked.wallet_id, BookingStatus.CONFIRMED, None)
    seats, booking, values = _draft(asked, seen, owner)
    shares = credits.share_out(seen.lots, need=drafts.need(booking), now=asked.now)
    cause = Cause("booked", booking.code, asked.actor, asked.now)
    values |= credits.holding(drafts.need(booking), shares, cause)
    values["changed"].append(str(booking.id))
    values["messages"].append(new_id())
    return Written(booking, None, seats, shares, values)


def hold_now(asked: Asked, seen: Seen, *, hold_id: UUID, cart: dict[str, Any]) -> Written:
    """Decide upon a hold; raises `SlotTaken`, `CoachUnavailable`."""
    if asked.holder is None:
        raise ValueError("a hold needs a holder")
    until = asked.now + timedelta(minutes=asked.studio.policy.hold_minutes)
    seats, booking, values = _draft(asked, seen, Owner(asked.wallet_id, BookingStatus.HELD, until))
    hold = drafts.hold_row(booking, hold_id=hold_id, holder=asked.holder, cart=cart, until=until)
    values["holds"] = _json([hold])
    return Written(booking, SimpleNamespace(**hold), seats, [], values)


def carry(session: Session, asked: Asked, decide: Decide) -> Written:
    """Queue, look, decide and write through a session; raises what `decide` raises."""
    session.flush()
    if asked.holder is None and asked.wallet_id is not None:
        wallets.lock(session, studio_id=asked.studio.id, wallet_id=asked.wallet_id)
    seen = _look(session, asked)
    if seen.has_lapsed:
        # Whoever is moved may be moved onto what has lapsed: it is tidied first.
        allocator.lapse(session, studio_id=asked.studio.id, during=asked.around, now=asked.now)
        seen = _look(session, asked)
    written = decide(asked, seen)
    try:
        session.connection().exec_driver_sql(WRITE, written.values)
    except IntegrityError as error:
        if isinstance(error.orig, ExclusionViolation):
            raise SlotTaken(JUST_TAKEN) from error
        raise
    return written


def _look(session: Session, asked: Asked) -> Seen:
    return Seen.read(session.connection().exec_driver_sql(_LOOK, asked.looking).scalar_one())


def _draft(asked: Asked, seen: Seen, owner: Owner) -> tuple[Seats, Any, dict[str, Any]]:
    """Choose the seats, draft the booking, and begin the values of `WRITE`."""
    terms, studio = asked.terms, asked.studio
    seats, moves = allocator.choose(studio, terms, seen.taken, asked.span, asked.now, own=seen.own)
    booking = SimpleNamespace(**drafts.booking_row(studio, terms, seats, owner, asked.now))
    allocations = drafts.allocation_rows(
        booking,
        seats.resources(terms.during),
        pinned=terms.simulator.id if terms.simulator else None,
        owner=owner,
    )
    told = sorted({seen.ids[step.key][1] for step in moves})
    cause = Cause("held", booking.code, asked.actor, asked.now)
    return (
        seats,
        booking,
        {
            **transfers.values(cause, studio_id=studio.id, lot_ids=[], quantities=[], key=""),
            **_moved(seen, moves),
            "booking_id": booking.id,
            "booking": _json(vars(booking)),
            "allocations": _json(allocations),
            "holds": "[]",
            "topic": allocator.BOOKING_CHANGED,
            "changed": told,
            "messages": [new_id() for _ in told],
        },
    )


def _moved(seen: Seen, moves: tuple[Move, ...]) -> dict[str, Any]:
    return {
        "moved": [seen.ids[step.key][0] for step in moves],
        "bays": [step.bay for step in moves],
    }


def _json(value: Any) -> str:
    return json.dumps(value, default=str)

"""What customers and the studio do with credits: book, move, cancel, miss, give, take, expire."""

import copy
from dataclasses import replace
from datetime import datetime, time, timedelta
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlmodel import Session

from booking_engine.booking import attendance, bookings, funding, holds, moves
from booking_engine.booking.models import Booking
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from booking_engine.booking.terms import CoachingRequest
from booking_engine.errors import DomainError, Unfunded
from booking_engine.ledger import goodwill, lapses, wallets
from booking_engine.ledger.goodwill import Correction
from booking_engine.ledger.models import CreditKind
from booking_engine.ledger.transfers import Cause
from tests.factories.studio import TORONTO, make_request
from tests.prove.ledger_paper import DAY, MINUTES, SESSIONS, Paper, Play
from tests.prove.ledger_stage import PICK, WHO, LedgerStage

DAYS, HOURS = st.integers(0, 5), st.sampled_from([9, 11, 13, 14, 15, 16, 18, 20])
KINDS = st.sampled_from([MINUTES, MINUTES, SESSIONS])
SWEEPS = (
    holds.expire_due,
    funding.sweep,
    bookings.begin_and_complete,
    attendance.close_missed,
    lapses.expire_due,
)
BATCH = 200
LATE = timedelta(minutes=15)


class DeskVerbs(LedgerStage):
    """The verbs of customers and staff."""

    @rule(customer=WHO, day=DAYS, hour=HOURS, minutes=st.sampled_from([60, 60, 120]), coached=PICK)
    def book(self, customer: int, day: int, hour: int, minutes: int, coached: int) -> None:
        """Book a session, one in four with a coach, and pay with credits."""
        person, starts_at = self.who(customer), self._start(day, hour)
        needs = {MINUTES: minutes} | ({} if coached % 4 else {SESSIONS: 1})
        shares = self.paper.share_out(person, needs, starts_at, self.now)
        coaching = None if coached % 4 else CoachingRequest(60, None)
        request = make_request(starts_at, minutes, coaching=coaching)
        outcome = self.act(
            lambda session: bookings.book(
                session,
                studio=self.studio,
                request=request,
                wallet_id=self.wallets[person],
                actor="customer",
                now=self.now,
            )
        )
        self.count("book", outcome if isinstance(outcome, DomainError) else "done")
        if isinstance(outcome, Unfunded):
            assert shares is None, f"{person} was refused {needs}, on paper there is {shares}"
        if isinstance(outcome, Booking):
            assert shares is not None, f"{person} has {needs} for nothing"
            play = Play(person, starts_at, needs, self.now, minutes)
            self.paper.plays[outcome.id] = play
            self.paper.hold(play, shares)

    @precondition(lambda self: self.plays(to_come=True))
    @rule(number=PICK, day=DAYS, hour=HOURS)
    def move(self, number: int, day: int, hour: int) -> None:
        """Move a session to another time, at the price of a cancellation where it is not free."""
        booking_id = self._pick(number, to_come=True)
        target = self._start(day, hour)
        moved = self._moved(booking_id, target)
        outcome = self.act(
            lambda session: moves.move(
                session,
                studio=self.studio,
                booking_id=booking_id,
                target=Target(target),
                actor=Actor.CUSTOMER,
                now=self.now,
            )
        )
        self.count("move", outcome if isinstance(outcome, DomainError) else "done")
        if isinstance(outcome, Unfunded):
            assert moved is None, "a move was refused that can be paid"
        if isinstance(outcome, Booking):
            assert moved is not None, "a move was paid by nothing"
            self.paper = moved

    @precondition(lambda self: self.plays(to_come=True))
    @rule(number=PICK, actor=st.sampled_from([Actor.CUSTOMER, Actor.CUSTOMER, Actor.STUDIO]))
    def cancel(self, number: int, actor: Actor) -> None:
        """Cancel a session; where the studio does, all of it comes back, somehow."""
        booking_id = self._pick(number, to_come=True)
        play = self.paper.plays[booking_id]
        outcome = self.act(
            lambda session: bookings.cancel(
                session,
                studio_id=self.studio.id,
                booking_id=booking_id,
                actor=actor,
                reason="prove",
                now=self.now,
            )
        )
        assert not isinstance(outcome, DomainError), outcome
        self.count("cancel", actor.value)
        if actor is Actor.STUDIO:
            self.followed.add(play.person)
            found, paid = self.read(), {each: self.before.lots[each].spent for each in play.draws}
            assert all(found.lots[each].spent == spent for each, spent in paid.items())
        self.paper.give_back(
            play, play.percent(self.now) if actor is Actor.CUSTOMER else 100, self.now
        )
        play.is_live, play.due_at = False, None

    @precondition(lambda self: self.plays(to_come=False))
    @rule(number=PICK)
    def no_show(self, number: int) -> None:
        """Mark that nobody came: what is held is spent."""
        booking_id = self._pick(number, to_come=False)
        play = self.paper.plays[booking_id]
        outcome = self.act(
            lambda session: attendance.mark_no_show(
                session,
                studio=self.studio,
                booking_id=booking_id,
                actor=Actor.STUDIO,
                by="staff:owner",
                now=self.now,
            )
        )
        self.count("no_show", outcome if isinstance(outcome, DomainError) else "done")
        final = play.starts_at + timedelta(minutes=play.minutes) + DAY
        if not isinstance(outcome, DomainError):
            assert play.starts_at + LATE < self.now <= final
            self._begin(play)

    @rule(
        customer=WHO, kind=KINDS, quantity=st.sampled_from([1, 2, 60, 90]), days=st.integers(1, 9)
    )
    def give(self, customer: int, kind: str, quantity: int, days: int) -> None:
        """Let staff give somebody a lot."""
        person, key = self.who(customer), str(uuid4())
        if person in self.paper.erased:
            return
        wanted = Correction(self.studio.id, self.wallets[person], CreditKind(kind), quantity, key)
        ends = goodwill.expiry(self.now.astimezone(TORONTO).date(), TORONTO, days)

        def work(session: Session) -> None:
            wallets.lock(session, studio_id=self.studio.id, wallet_id=wanted.wallet_id)
            goodwill.give(session, wanted, expires_at=ends, cause=self._cause("adjusted", key))

        assert self.act(work) is None
        self.expect([f"make_good:{key}"], person)
        self.count("give")

    @rule(customer=WHO, kind=KINDS, quantity=st.sampled_from([1, 2, 30, 120]))
    def take_back(self, customer: int, kind: str, quantity: int) -> None:
        """Let staff take available credits, in order of use, or not at all."""
        person, key = self.who(customer), str(uuid4())
        wanted = Correction(self.studio.id, self.wallets[person], CreditKind(kind), quantity, key)
        shares = self.paper.share_out(person, {kind: quantity}, self.now, self.now)

        def work(session: Session) -> None:
            wallets.lock(session, studio_id=self.studio.id, wallet_id=wanted.wallet_id)
            goodwill.take_back(session, wanted, cause=self._cause("adjusted", key))

        outcome = self.act(work)
        self.count("take_back", outcome or "done")
        assert (shares is None) == isinstance(outcome, DomainError), f"{outcome!r}, {shares}"
        for source, share in (shares or {}).items():
            self.paper.slips[source].move("available", "revoked", share)
            self.paper.slips[source].taken += share

    @precondition(lambda self: self.paper.slips)
    @rule(number=PICK, days=st.integers(1, 9))
    def extend(self, number: int, days: int) -> None:
        """Let a lot live longer; what the sweep wrote as expired is back."""
        # Those that end first are the ones that somebody asks for.
        ending = sorted(self.paper.slips, key=lambda each: self.paper.slips[each].turn())
        source = ending[number % min(4, len(ending))]
        slip, until, key = self.paper.slips[source], self.now + days * DAY, str(uuid4())

        def work(session: Session) -> int:
            lot = lapses.find(session, studio_id=self.studio.id, lot_id=slip.id)
            cause = self._cause("extended", key)
            return lapses.prolong(session, lot=lot, until=until, key=key, cause=cause)

        outcome = self.act(work)
        self.count("extend", outcome if isinstance(outcome, DomainError) else "done")
        is_longer = slip.expires_at is not None and until > slip.expires_at
        assert is_longer == isinstance(outcome, int), f"{outcome!r} of {slip}"
        if is_longer:
            revived = 0 if slip.is_gone else slip.swept
            assert outcome == revived
            slip.move("expired", "available", revived)
            slip.expires_at, slip.swept = until, slip.swept - revived

    @precondition(lambda self: not self.was_quiet)
    @rule(hours=st.sampled_from([1, 1, 5, 24, 48]))
    def wait(self, hours: int) -> None:
        """Let the clock move: what has expired counts no more, whoever writes it down."""
        self.now += timedelta(hours=hours)
        self.was_quiet = True
        self.count("wait")

    @precondition(lambda self: not self.was_quiet)
    @rule()
    def expire(self) -> None:
        """Write down what the clock has made true."""
        self.sweep()
        self.was_quiet = True
        self.count("expire")

    @precondition(lambda self: not self.was_quiet)
    @rule(statements=st.integers(1, 40))
    def crash(self, statements: int) -> None:
        """Let the process die within the next transaction; then it is done again."""
        self.crash_at, self.was_quiet = statements, True
        self.count("crash", "armed")

    @precondition(lambda self: self.told)
    @rule(number=PICK)
    def replay(self, number: int) -> None:
        """Take an earlier delivery again, once nothing else is due: it writes nothing."""
        self.sweep()
        self.the_ledger_is_what_the_paper_says()
        headers, body = self.told[number % len(self.told)]
        assert not self.receive(headers, body), "one delivery was taken for two"
        waiting = {
            play.person for play in self.paper.plays.values() if self.paper.waits(play.person)
        }
        for _ in range(2 if waiting else 1):
            before = self.read()
            self.take(replace(headers, webhook_id=str(uuid4())), body)
        self.followed |= waiting
        assert self.read() == before, f"{headers.topic} wrote again"
        self.count("replay", headers.topic)

    def sweep(self) -> None:
        """Do all that is due, as the worker does."""
        for each in SWEEPS:
            self.act(lambda session, each=each: each(session, now=self.now, limit=BATCH))
        for play in self.paper.plays.values():
            self.follow_if_waiting(play.person)
        for play in self.paper.plays.values():
            is_due = play.is_live and play.starts_at <= self.now and play.due_at is None
            if is_due and play.person not in self.followed:
                self._begin(play)
        for slip in self.paper.slips.values():
            frozen = slip.is_frozen
            if slip.person not in self.followed and not frozen and not slip.lives(self.now):
                slip.swept += slip.has["available"]
                slip.move("available", "expired", slip.has["available"])

    def _begin(self, play: Play) -> None:
        if not play.is_begun:
            self.paper.give_back(play, 0, self.now)
        play.is_begun = True

    def _moved(self, booking_id: UUID, target: datetime) -> Paper | None:
        """Return the paper as it is once a session has moved; None where that cannot be paid."""
        paper = copy.deepcopy(self.paper)
        play = paper.plays[booking_id]
        percent = play.percent(self.now)
        is_free = play.moves < 1 and play.starts_at - self.now >= DAY
        paper.give_back(play, 100 if is_free else percent, self.now)
        shares = paper.share_out(play.person, play.needs, target, self.now)
        if shares is None:
            return None
        paper.hold(play, shares)
        play.cap, play.moves = min(play.cap, percent), play.moves + 1
        play.starts_at, play.due_at = target, None
        return paper

    def _pick(self, number: int, *, to_come: bool) -> UUID:
        found = self.plays(to_come=to_come)
        return found[-1 - number % len(found)]

    def _start(self, day: int, hour: int) -> datetime:
        today = self.now.astimezone(TORONTO).date()
        return datetime.combine(today + timedelta(days=day), time(hour), TORONTO)

    def _cause(self, reason: str, key: str) -> Cause:
        return Cause(reason, key, "staff:owner", self.now)

"""What customers do with the book: hold, check out, release, book, move, cancel."""

from collections import Counter
from dataclasses import replace
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from booking_engine.booking import bookings, holds, moves
from booking_engine.booking.models import Booking
from booking_engine.booking.moves import Target
from booking_engine.booking.policies import Actor
from tests.prove.facts import HOLDING, LIVE
from tests.prove.oracle import Asked
from tests.prove.paper import Entry
from tests.prove.stage import ASKED, NOT_NOW, PICK, WHO, Stage, burn_of, word


class CustomerRules(Stage):
    """The customers' rules."""

    @rule(drawn=ASKED)
    def hold(self, drawn: dict[str, int]) -> None:
        """Hold a session as somebody whom nobody knows."""
        self.count("hold", self.place(self.asked(drawn)))

    @precondition(lambda self: self.those("held", held=True))
    @rule(number=PICK)
    def open_checkout(self, number: int) -> None:
        """Reach the checkout: the hold may be lengthened and gets its grace."""
        entry = self.entry_of(self.pick(number, "held", held=True))
        outcome = self.act(
            lambda session, studio: holds.checkout_opened(
                session,
                studio=studio,
                hold=holds.get(session, studio_id=studio.id, hold_id=entry.hold),
                now=self.now,
            )
        )
        self.expect(outcome, frozenset())
        self.count("open_checkout")

    @precondition(lambda self: self.those(*HOLDING, "confirmed", held=True))
    @rule(number=PICK)
    def release(self, number: int) -> None:
        """Give a hold back, whatever has become of it."""
        entry = self.entry_of(self.pick(number, *HOLDING, "confirmed", held=True))
        outcome = self.act(
            lambda session, studio: holds.release(
                session, studio=studio, hold_id=entry.hold, now=self.now
            )
        )
        refused = frozenset({"hold_converted"}) if entry.status == "confirmed" else frozenset()
        self.count("release", word(outcome, "released"))
        if self.expect(outcome, refused):
            entry.status = "expired"

    @rule(customer=WHO, drawn=ASKED)
    def book(self, customer: int, drawn: dict[str, int]) -> None:
        """Book with credits."""
        asked = self.asked(drawn)
        expected, fewest = self.refusals(asked), self.room(asked)
        if not expected and not self.paper.affords(customer, burn_of(asked)):
            expected = frozenset({"not_enough_credits"})
        outcome = self.act(
            lambda session, studio: bookings.book(
                session,
                studio=studio,
                request=self.request(asked),
                wallet_id=self.wallets[customer],
                actor=f"customer:{customer}",
                now=self.now,
            )
        )
        self.count("book", word(outcome, "booked"))
        if self.expect(outcome, expected) and isinstance(outcome, Booking):
            self.check_seats(outcome.id, asked, fewest)
            self.paper.confirm(self.note(outcome.id, asked), self.now)

    @precondition(lambda self: self.those(*LIVE))
    @rule(number=PICK, drawn=ASKED, by_customer=st.booleans())
    def move(self, number: int, drawn: dict[str, int], *, by_customer: bool) -> None:
        """Move a booking to another time; free, or for the price of a cancellation (D4)."""
        booking = self.pick(number, *LIVE)
        entry = self.entry_of(booking)
        asked = self._moved(entry, self.asked(drawn).start)
        free = entry.moves < 1 and entry.asked.start - self.minute >= 24 * 60
        percent = entry.percent_back(self.now, by_customer=by_customer)
        expected = self._move_refusals(booking, entry, asked)
        fewest = self.room(asked, frozenset({booking}))
        purses = {each: Counter(purse) for each, purse in self.paper.purses.items()}
        if not expected:
            drawn_from = [each for each in self.before.draws if each.booking == booking]
            back = 100 if free or not by_customer else percent
            self.paper.give_back(entry, drawn_from, back)
            if entry.customer is not None and not self.paper.affords(entry.customer, entry.burn):
                expected = frozenset({"not_enough_credits"})
                self.paper.purses = purses
        actor = Actor.CUSTOMER if by_customer else Actor.STUDIO
        outcome = self.act(
            lambda session, studio: moves.move(
                session,
                studio=studio,
                booking_id=booking,
                target=Target(self.request(asked).start),
                actor=actor,
                now=self.now,
            )
        )
        self.count("move", word(outcome, "moved"))
        if self.expect(outcome, expected):
            self.check_seats(booking, asked, fewest)
            self._rebook(entry, asked)
            if by_customer:
                entry.return_cap = min(entry.return_cap, percent)

    @precondition(lambda self: self.those(*LIVE, "cancelled", "completed"))
    @rule(number=PICK, by_customer=st.booleans())
    def cancel(self, number: int, *, by_customer: bool) -> None:
        """Cancel a booking as its customer or as the studio."""
        booking = self.pick(number, *(self.those(*LIVE) and LIVE), "cancelled", "completed")
        entry = self.entry_of(booking)
        expected: frozenset[str] = frozenset()
        if entry.status == "cancelled":
            expected = frozenset({"already_cancelled"})
        elif entry.status not in LIVE or entry.asked.start <= self.minute:
            expected = frozenset({"not_cancellable"})
        outcome = self.act(
            lambda session, studio: bookings.cancel(
                session,
                studio_id=studio.id,
                booking_id=booking,
                actor=Actor.CUSTOMER if by_customer else Actor.STUDIO,
                reason="machine",
                now=self.now,
            )
        )
        self.count(
            f"cancel by {'customer' if by_customer else 'studio'}", word(outcome, "cancelled")
        )
        if self.expect(outcome, expected):
            percent = entry.percent_back(self.now, by_customer=by_customer)
            drawn = [each for each in self.before.draws if each.booking == booking]
            self.paper.end(entry, drawn, percent)

    def _moved(self, entry: Entry, start: int) -> Asked:
        """Return what a booking asks for at another start: its coaching moves along."""
        into = None
        if entry.asked.coached_at is not None:
            into = start + entry.asked.coached_at - entry.asked.start
        return replace(entry.asked, start=start, coached_at=into)

    def _move_refusals(self, booking: UUID, entry: Entry, asked: Asked) -> frozenset[str]:
        if entry.asked.start <= self.minute:
            return frozenset({"not_cancellable"})
        refused = self.refusals(asked, frozenset({booking}))
        is_same = asked.start == entry.asked.start
        return frozenset({"same_time"}) if is_same and refused != NOT_NOW else refused

    def _rebook(self, entry: Entry, asked: Asked) -> None:
        """Note a move: the new time, funded anew."""
        entry.asked, entry.moves = asked, entry.moves + 1
        status, since = entry.status, entry.confirmed_at
        self.paper.confirm(entry, since or self.now)
        entry.status = status

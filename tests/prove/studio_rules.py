"""What the studio, its clock and its queues do: sweeps, series, waitlist, outages, the desk."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from sqlmodel import Session

from booking_engine.booking import (
    attendance,
    blocks,
    bookings,
    desk,
    holds,
    matching,
    series,
    upkeep,
    waitlist,
)
from booking_engine.booking.blocks import Declared, Outage
from booking_engine.booking.policies import Actor
from booking_engine.booking.series import Owner, Recurrence
from booking_engine.booking.series_models import Series
from booking_engine.booking.terms import CoachingRequest
from booking_engine.booking.waitlist import Wish
from booking_engine.booking.waitlist_models import WaitlistEntry
from booking_engine.catalog import studio_file
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError
from booking_engine.intervals import Interval
from connector import apply
from tests.factories.studio import HOUR
from tests.prove.days import instant
from tests.prove.facts import LIVE
from tests.prove.oracle import Asked
from tests.prove.paper import HELD_LAPSES, Change
from tests.prove.payers import PayerRules
from tests.prove.stage import ASKED, CUSTOMERS, NOT_NOW, PICK, WHO, burn_of, word

MINUTE = timedelta(minutes=1)
NEW: frozenset[Change] = frozenset({(None, "held"), (None, "confirmed")})
PAID: frozenset[Change] = frozenset({("held", "confirmed"), ("awaiting_payment", "confirmed")})
BEGUN: frozenset[Change] = frozenset({(None, "begun")})
OVER: frozenset[Change] = frozenset({("confirmed", "completed"), ("checked_in", "completed")})


class StudioRules(PayerRules):
    """The studio's rules. What a queue or a sweep may do by itself, the paper follows."""

    def __init__(self) -> None:
        super().__init__()
        self.series: list[UUID] = []
        self.waiting: list[UUID] = []
        self.blocks: list[UUID] = []

    @rule(minutes=st.sampled_from([1, 9, 14, 15, 16, 30, 60, 180, 720, 1440]))
    def wait(self, minutes: int) -> None:
        """Let time pass; nobody looks."""
        self.wait_until(self.now + minutes * MINUTE)
        self.count("wait")

    @precondition(lambda self: self.those(*LIVE))
    @rule(number=PICK, into=st.sampled_from([-30, 0, 15, 16, 59, 60, 240]))
    def wait_for_a_session(self, number: int, into: int) -> None:
        """Let time pass until a session begins, or has begun, or is over."""
        start = instant(self.entry_of(self.pick(number, *LIVE)).asked.start)
        self.wait_until(start + into * MINUTE)
        self.count("wait")

    @precondition(lambda self: not self.was_quiet)
    @rule()
    def sweep(self) -> None:
        """Let the workers write down what the clock has made true: begun, completed, lapsed."""
        self._all_of(holds.expire_due)
        self._all_of(bookings.begin_and_complete)
        self.allowed = HELD_LAPSES | BEGUN | OVER
        self.count("sweep")
        self.every_promise_is_kept()
        late = [each for each in self.those(*LIVE) if self._is_late(each)]
        assert late == []

    @precondition(lambda self: self.series)
    @rule(days=st.sampled_from([0, 0, 1, 5]), is_topped_up=st.booleans())
    def tend_series(self, days: int, *, is_topped_up: bool) -> None:
        """Let the workers take, pay and release the dates of series, perhaps after a top-up."""
        for customer in CUSTOMERS if is_topped_up else ():
            self.buy(customer, HOUR)
        self.wait_until(self.now + timedelta(days=days))
        due = self.act(lambda session, _: upkeep.due(session, now=self.now))
        assert not isinstance(due, DomainError), due
        for _, wallet_id in due:
            self._do(upkeep.tend, wallet_id=wallet_id)
        self.allowed = NEW | PAID | HELD_LAPSES
        paid = [
            booking.id
            for booking in self._read().bookings.values()
            if booking.status == "confirmed" and booking.id in self.those("held")
        ]
        self.count("tend_series", "funded" if paid else "tended" if due else "nothing due")

    @precondition(lambda self: self.waiting)
    @rule()
    def serve_line(self) -> None:
        """Let the workers offer freed time to those who wait, or book it for them."""
        served = 0
        while self._do(matching.match):
            served += 1
            assert served < 50
        self.allowed = NEW | HELD_LAPSES
        self.count("serve_line", "served" if served else "nobody")

    @precondition(lambda self: not self.was_quiet)
    @rule(customer=WHO, drawn=ASKED, count=st.sampled_from([1, 2, 3, None]))
    def start_series(self, customer: int, drawn: dict[str, int], count: int | None) -> None:
        """Start a series."""
        owner = Owner(self.wallets[customer], f"customer:{customer}")
        request = self.request(self.asked(drawn))
        made = self._do(series.start, request=request, repeat=Recurrence(1, count), owner=owner)
        if isinstance(made, Series):
            self.series.append(made.id)
            self.allowed = NEW | HELD_LAPSES
        self.count("start_series", word(made, "started"))

    @precondition(lambda self: self.series)
    @rule(number=PICK, all_of_it=st.booleans())
    def end_series(self, number: int, *, all_of_it: bool) -> None:
        """End a series, perhaps with what it has booked."""
        series_id = self.series[number % len(self.series)]
        ended = self._do(series.end, series_id=series_id)
        self.expect(ended, frozenset())
        self.allowed = HELD_LAPSES
        self.count("end_series")
        if all_of_it:
            self.every_promise_is_kept()
            self.expect(
                self._do(series.cancel_bookings, series_id=series_id, actor=Actor.STUDIO),
                frozenset(),
            )
            self._give_back_what_was_cancelled()

    @rule(customer=WHO, drawn=ASKED, span=st.sampled_from([0, 60, 240]), auto=st.booleans())
    def join_line(self, customer: int, drawn: dict[str, int], span: int, *, auto: bool) -> None:
        """Wait for a session."""
        request = self.request(self.asked(drawn))
        coaching = request.coaching and CoachingRequest(
            request.coaching.minutes, request.coaching.coach
        )
        wish = Wish(
            "simulator",
            request.start,
            request.start + span * MINUTE,
            request.minutes,
            request.simulators,
            request.simulator,
            coaching,
            auto_book_hours=2 if auto else None,
        )
        entry = self._do(waitlist.join, wish=wish, wallet_id=self.wallets[customer])
        if isinstance(entry, WaitlistEntry) and entry.id not in self.waiting:
            self.waiting.append(entry.id)
        self.count("join_line", word(entry, "joined"))

    @precondition(lambda self: self.waiting)
    @rule(number=PICK, answer=st.sampled_from(["accept", "accept", "decline", "cart", "leave"]))
    def answer_offer(self, number: int, answer: str) -> None:
        """Answer what is on offer, if anything is: take it, let it go, or leave the line."""
        entry_id = self.waiting[-1 - number % len(self.waiting)]
        outcome = self.act(lambda session, studio: self._answer(session, studio, entry_id, answer))
        self.allowed = PAID | HELD_LAPSES if answer == "accept" else HELD_LAPSES
        self.count(f"offer: {answer}", word(outcome, "done"))

    @precondition(lambda self: not self.was_quiet)
    @rule(drawn=ASKED, is_coach=st.booleans(), minutes=st.sampled_from([60, 240, 720]))
    def break_down(self, drawn: dict[str, int], minutes: int, *, is_coach: bool) -> None:
        """Take a bay or a coach away for a while: who can be moved is, nobody is cancelled."""
        studio, asked = self.studio(), self.asked(drawn)
        bay = studio.simulators[(drawn["bay"] or 0) % len(studio.simulators)]
        resource = studio.coaches[(drawn["coach"] or 0) % 2] if is_coach else bay
        during = Interval.lasting(instant(asked.start), minutes)
        made = self._do(blocks.declare, outage=Outage(resource, during, "drawn"), actor="machine")
        over = frozenset({"invalid"}) if during.end <= self.now else frozenset()
        self.count("break_down", word(made, "declared"))
        if self.expect(made, over) and isinstance(made, Declared):
            self.blocks.append(made.block.id)
            self._check_moved()

    @precondition(lambda self: self.blocks)
    @rule(number=PICK)
    def repair(self, number: int) -> None:
        """End an outage early."""
        lifted = self._do(
            blocks.lift, block_id=self.blocks[number % len(self.blocks)], actor="machine"
        )
        codes = {"lifted", "already_lifted", "block_over"}
        assert word(lifted, "lifted") in codes, lifted
        self.count("repair", word(lifted, "lifted"))
        self._check_moved()

    @precondition(lambda self: not self.was_quiet)
    @rule()
    def change_hours(self) -> None:
        """Give Ana other hours: who is left outside them is listed, and stays booked."""
        self.hours = "late" if self.hours == "usual" else "usual"
        file = studio_file.read(self.text(), name="studio.toml")
        apply.run(self.house, file, now=self.now, dry_run=False)
        assert self._read().taken == self.before.taken
        self.count("change_hours", self.hours)

    @precondition(lambda self: self.those(*LIVE))
    @rule(number=PICK, customer=WHO, bays=st.sampled_from([1, 2, 4]))
    def displace(self, number: int, customer: int, bays: int) -> None:
        """Book at the desk in the place of somebody, who is cancelled and gets all back."""
        victim = self.pick(number, *LIVE)
        entry = self.entry_of(victim)
        asked = Asked(entry.asked.start, entry.asked.minutes, bays)
        order = desk.Order(self.request(asked), displaced=(victim,))
        expected = self.refusals(asked, frozenset({victim}))
        fewest = self.room(asked, frozenset({victim}))
        drawn = [each for each in self.before.draws if each.booking == victim]
        if expected != NOT_NOW and entry.asked.start <= self.minute:
            expected = frozenset({"not_cancellable"})
        if not expected:
            expected = self._cannot_pay(customer, asked, entry.customer, sum(d.held for d in drawn))
        made = self._do(
            desk.book,
            order=order,
            wallet_id=self.wallets[customer],
            actor="staff:owner",
            reason="machine",
        )
        self.count("displace", word(made, "displaced"))
        if self.expect(made, expected) and isinstance(made, desk.Made):
            self.paper.end(entry, drawn, 100)
            self.check_seats(made.booking.id, asked, fewest)
            self.paper.confirm(self.note(made.booking.id, asked), self.now)

    @precondition(lambda self: self.those(*LIVE, "completed"))
    @rule(number=PICK, came=st.booleans(), into=st.sampled_from([-31, -30, 15, 16, 61]))
    def attend(self, number: int, into: int, *, came: bool) -> None:
        """Mark who came and who did not, when that may be marked or a little off."""
        booking = self.pick(number, *LIVE, "completed")
        entry = self.entry_of(booking)
        self.wait_until(instant(entry.asked.start) + into * MINUTE)
        if came:
            made = self._do(attendance.check_in, booking_id=booking, actor=Actor.STUDIO)
        else:
            actor, by = Actor.STUDIO, "staff:owner"
            made = self._do(attendance.mark_no_show, booking_id=booking, actor=actor, by=by)
        self.count("check_in" if came else "no_show", word(made, "marked"))
        if isinstance(made, DomainError):
            assert made.code in {"outside_window", "wrong_state"}, made
        elif came:
            entry.status = "checked_in"
        else:
            self.paper.begin(entry)
            entry.status = "no_show"

    def _do(self, verb: Callable[..., object], **words: object) -> object:
        """Call the engine in a transaction of its own."""
        return self.act(lambda session, studio: verb(session, studio=studio, **words, now=self.now))

    def _all_of(self, sweep: Callable[..., int]) -> None:
        while self.act(lambda session, _: sweep(session, now=self.now, limit=50)) == 50:
            pass

    def _is_late(self, booking: UUID) -> bool:
        entry = self.entry_of(booking)
        is_over = entry.asked.end <= self.minute
        return is_over or (entry.asked.start <= self.minute and not entry.is_begun)

    def _answer(self, session: Session, studio: Studio, entry_id: UUID, answer: str) -> object:
        entry = session.get(WaitlistEntry, (studio.id, entry_id))
        assert entry is not None
        call = {"studio": studio, "entry": entry, "now": self.now}
        if answer == "accept":
            return waitlist.accept(session, actor="customer", **call)
        verbs = {"decline": waitlist.decline, "cart": waitlist.check_out, "leave": waitlist.leave}
        return verbs[answer](session, **call)

    def _cannot_pay(
        self, customer: int, asked: Asked, victim: int | None, back: int
    ) -> frozenset[str]:
        """Return the refusal of somebody who cannot pay; what a victim gets back is theirs."""
        has = self.paper.purses[customer]["simulator_minutes", "available"]
        has += back if victim == customer else 0
        needed = burn_of(asked)["simulator_minutes"]
        return frozenset() if has >= needed else frozenset({"not_enough_credits"})

    def _check_moved(self) -> None:
        """Nobody who chose their bay was moved, and nobody lost or changed anything else."""
        after = {each.id: each for each in self._read().taken if each.booking_id}
        for each in self.before.taken:
            now = after.get(each.id)
            if now is None or now.resource_id == each.resource_id:
                continue
            assert not each.pinned, each
            assert (now.start, now.end) == (each.start, each.end)

    def _give_back_what_was_cancelled(self) -> None:
        found = self._read()
        for booking in found.bookings.values():
            entry = self.entry_of(booking.id)
            if entry.status in LIVE and booking.status == "cancelled":
                drawn = [each for each in self.before.draws if each.booking == booking.id]
                self.paper.end(entry, drawn, 100)

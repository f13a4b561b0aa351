"""The stage of the state machine: a studio on a database of its own, a clock, and the promises.

Rules act through `act` (one transaction each, as the connector opens them); after every step all
facts are read and compared with the paper.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, ClassVar, TypeVar
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlmodel import Session

from booking_engine.booking import availability, holds
from booking_engine.booking.allocator import CoachUnavailable
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.holds import VISITOR_CAPS, Holder
from booking_engine.booking.models import Hold
from booking_engine.booking.terms import CoachingRequest, SessionRequest
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError, Invalid
from connector.runtime import Runtime
from tests.factories.studio import NOW, TORONTO, apply_demo, demo_text, make_wallet
from tests.prove import facts, oracle
from tests.prove.days import instant, minute_of
from tests.prove.facts import Facts
from tests.prove.oracle import Asked, House, Shift
from tests.prove.paper import MINUTES, SESSIONS, Change, Entry, Paper

CUSTOMERS = (7001, 7002, 7003, 7004)
NOT_NOW = frozenset({"too_soon", "outside_hours", "off_grid", "outside_horizon"})
NO_ROOM = frozenset({"slot_taken", "coach_unavailable"})
# Ana's hours as the owner has them, and as the owner changes them; Ben's stay.
ANA = {"usual": (12, 20), "late": (16, 20)}
PLAIN = {
    'closed = [ { from = "2026-12-25T00:00", to = "2026-12-26T00:00", reason = "Christmas" } ]': "",
    'extra = [ { from = "2026-12-05T10:00", to = "2026-12-05T14:00" } ]': "",
    'blocked = [ { from = "2026-12-09T00:00", to = "2026-12-10T00:00", reason = "away" } ]': "",
}

ASKED = st.builds(
    dict,
    ahead=st.sampled_from([1, 1, 2, 2, 0, 3]),
    hour=st.sampled_from([12, 13, 14, 14.5, 15, 16, 17, 17.5, 18, 20]),
    minutes=st.sampled_from([60, 60, 60, 120, 120, 180, 240]),
    bays=st.sampled_from([1, 1, 1, 1, 2, 3, 4]),
    bay=st.sampled_from([None, None, None, 0, 1, 2, 3]),
    coaching=st.sampled_from([0, 0, 30, 60, 60, 90]),
    coach=st.sampled_from([None, 0, 1]),
)

# What finds little to do when it is done again at once: one of these, then something else.
QUIET = frozenset({"buy", "break_down", "change_hours", "start_series", "sweep"})
WHO = st.sampled_from(CUSTOMERS)
PICK = st.integers(0, 99)

T = TypeVar("T")


class Stage(RuleBasedStateMachine):
    """What every rule stands on. `open_house` gives a house on a fresh database."""

    open_house: ClassVar[Callable[[], Runtime]]
    counts: ClassVar[Counter[tuple[str, str]]] = Counter()
    steps: ClassVar[int] = 0
    runs: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        queries.forget()
        self.house = type(self).open_house()
        self.now = NOW
        self.hours = "usual"
        self.was_quiet = False
        self.known: tuple[str, Studio] | None = None
        self.paper = Paper()
        self.allowed: frozenset[Change] = frozenset()
        with self.house.transaction() as session:
            studio = apply_demo(session, self.text())
            self.wallets = {each: make_wallet(session, studio, each).id for each in CUSTOMERS}
        self.paper.purses = {each: Counter() for each in CUSTOMERS}
        self.before: Facts = self._read()
        Stage.runs += 1

    def teardown(self) -> None:
        """Close the house."""
        self.house.engine.dispose()

    def text(self) -> str:
        """Return the studio's file as it is now."""
        begins, ends = ANA[self.hours]
        usual = 'hours = { tue-thu = ["12:00-20:00"] }'
        now = f'hours = {{ tue-thu = ["{begins}:00-{ends}:00"] }}'
        return demo_text(**PLAIN).replace(usual, now)

    @property
    def minute(self) -> int:
        """Return the clock in minutes."""
        return int(self.now.timestamp()) // 60

    def wait_until(self, later: datetime) -> None:
        """Let the clock move, never back."""
        self.now = max(self.now, later)

    def count(self, rule: str, outcome: object = "done") -> None:
        """Count how a rule ended."""
        Stage.counts[rule, str(outcome)] += 1
        self.was_quiet = rule in QUIET

    def act(self, work: Callable[[Session, Studio], T]) -> T | DomainError:
        """Do something in a transaction as a route does; a refusal is returned."""
        try:
            with self.house.transaction() as session:
                return work(session, queries.load(session, studio_id=queries.only_id(session)))
        except DomainError as error:
            return error

    def studio(self) -> Studio:
        """Return the catalogue as it is since the owner's file changed last."""
        if self.known is None or self.known[0] != self.hours:
            with self.house.transaction() as session:
                studio = queries.load(session, studio_id=queries.only_id(session))
            self.known = self.hours, studio
        return self.known[1]

    def asked(self, drawn: dict[str, Any]) -> Asked:
        """Make a request out of what was drawn: soon, on the grid, of what there is."""
        studio = self.studio()
        day = self.now.astimezone(TORONTO).date() + timedelta(days=drawn["ahead"])
        start = minute_of(day, 0) + int(drawn["hour"] * 60)
        coaching = drawn["coaching"] if drawn["coaching"] <= drawn["minutes"] else 0
        coach = None if drawn["coach"] is None else studio.coaches[drawn["coach"]].id
        bay = None if drawn["bay"] is None else studio.simulators[drawn["bay"]].id
        return Asked(start, drawn["minutes"], drawn["bays"], bay, coaching, coach)

    def request(self, asked: Asked) -> SessionRequest:
        """Return what the engine is asked for."""
        resources = self.studio().resources
        coach = resources[asked.coach].handle if asked.coach else None
        coaching = CoachingRequest(asked.coaching, coach) if asked.coaching else None
        bay = resources[asked.bay].handle if asked.bay else None
        start = instant(asked.start)
        return SessionRequest("simulator", start, asked.minutes, asked.bays, bay, coaching)

    def plan(self, minute: int) -> House:
        """Return the plain facts of the studio around an instant."""
        studio, days = self.studio(), [instant(minute).astimezone(TORONTO).date()]
        days = [days[0] + timedelta(days=number) for number in (-1, 0, 1)]
        weekend, (ana, ben) = (5, 6), studio.coaches
        return House(
            TORONTO,
            tuple(bay.id for bay in studio.simulators),
            tuple(
                (minute_of(day, hours[0]), minute_of(day, hours[1]))
                for day in days
                for hours in [(8, 23) if day.weekday() in weekend else (9, 22)]
            ),
            {
                ana.id: Shift(_work(days, (1, 2, 3), ANA[self.hours]), 0),
                ben.id: Shift(_work(days, (0, 4, 5, 6), (9, 17)), 0),
            },
        )

    def refusals(self, asked: Asked, without: frozenset[UUID] = frozenset()) -> frozenset[str]:
        """Return with what codes a request has to be refused now; empty where it may not be."""
        plan = self.plan(asked.start)
        if not oracle.may_start(plan, asked, self.minute):
            return NOT_NOW
        return frozenset() if self.room(asked, without) is not None else NO_ROOM

    def room(self, asked: Asked, without: frozenset[UUID] = frozenset()) -> int | None:
        """Return the fewest moves that make room in the book, those apart who would go."""
        taken = [
            each for each in self.before.taken if each.booking_id not in without or each.stranded
        ]
        return oracle.room(self.plan(asked.start), taken, asked, self.minute).moves

    def expect(self, outcome: object, codes: frozenset[str]) -> bool:
        """Compare an outcome with the refusals that it may have; tell whether it went well."""
        code = outcome.code if isinstance(outcome, DomainError) else None
        assert (code in codes) if codes else code is None, f"{outcome!r}, expected {sorted(codes)}"
        return code is None

    def check_seats(self, booking: UUID, asked: Asked, fewest: int | None) -> None:
        """Compare who was moved for a new booking, and what it took, with the oracle."""
        plan, found = self.plan(asked.start), self._read()
        mine = [each for each in found.taken if each.booking_id == booking]
        moved = oracle.seated(self.before.taken, found.taken, booking)
        known = {each.id: each for each in self.before.taken}
        assert len(moved) == fewest, f"{moved}, {fewest} would do"
        assert all(oracle.may_move(plan, known[each.id], asked, self.minute) for each in moved)
        assert oracle.misfits(plan, asked, mine) == []

    def place(self, asked: Asked) -> str:
        """Hold a session as somebody new, compare it with the oracle, and return how it ended."""
        expected, fewest = self.refusals(asked), self.room(asked)
        holder = Holder(f"visitor:{len(self.paper.entries)}", VISITOR_CAPS)
        outcome = self.act(
            lambda session, studio: holds.place(
                session, studio=studio, request=self.request(asked), holder=holder, now=self.now
            )
        )
        if self.expect(outcome, expected) and isinstance(outcome, Hold):
            self.check_seats(outcome.booking_id, asked, fewest)
            self.note(outcome.booking_id, asked).hold = outcome.id
        return word(outcome, "held")

    def note(self, booking: UUID, asked: Asked) -> Entry:
        """Note a new booking, with the start that its coached part got."""
        found = self._read().bookings[booking]
        return self.paper.add(found, replace(asked, coached_at=found.coached_at))

    def pick(self, number: int, *statuses: str, held: bool = False) -> UUID:
        """Return one of the bookings of a status, the newest for 0."""
        found = self.those(*statuses, held=held)
        return found[-1 - number % len(found)]

    def those(self, *statuses: str, held: bool = False) -> list[UUID]:
        """Return the bookings of a status; perhaps only those that began with a hold."""
        found = self.paper.of_status(*statuses)
        return [each for each in found if self.entry_of(each).hold or not held]

    def entry_of(self, booking: UUID) -> Entry:
        """Return a booking on paper."""
        return self.paper.entries[booking]

    @invariant()
    def every_promise_is_kept(self) -> None:
        """Read everything, compare it with the paper, and prove the promises."""
        found = self._read()
        coaches = frozenset(coach.id for coach in self.studio().coaches)
        wrong = [*self.paper.follow(found, self.allowed, coaches, self.now)]
        wrong += self.paper.differences(found)
        wrong += facts.broken(found, coaches)
        with self.house.transaction() as session:
            wrong += facts.verified(session)
        assert wrong == []
        self.before, self.allowed = found, frozenset()
        Stage.steps += 1

    @invariant()
    def what_is_offered_can_be_held_and_nothing_else(self) -> None:
        """Ask for a day's availability and try one of its starts; what is tried is undone."""
        random = Random(f"{self.minute}:{len(self.paper.entries)}")
        day = self.now.astimezone(TORONTO).date() + timedelta(days=random.choice([1, 1, 2, 0]))
        minutes, bays = random.choice([60, 120, 240]), random.choice([1, 2, 3, 4])
        search = availability.Search("simulator", day, minutes=minutes, simulators=bays)
        asked = Asked(minute_of(day, random.randrange(11, 20)), minutes, bays)
        with self.house.transaction() as session:
            studio = self.studio()
            found = availability.find(session, studio=studio, search=search, now=self.now)
            held = self._may_hold(session, studio, asked)
        offered = asked.start in {slot.start for slot in found.slots}
        assert held == offered, f"{asked}: held {held}, offered {offered}"
        Stage.counts["availability", "offered" if held else "not offered"] += 1

    def _may_hold(self, session: Session, studio: Studio, asked: Asked) -> bool:
        trial, holder = session.begin_nested(), Holder("visitor:sample", VISITOR_CAPS)
        request = self.request(asked)
        try:
            holds.place(session, studio=studio, request=request, holder=holder, now=self.now)
        except (Invalid, SlotTaken, CoachUnavailable):
            return False
        else:
            return True
        finally:
            trial.rollback()

    def _read(self) -> Facts:
        with self.house.transaction() as session:
            return facts.read(session)


def _work(days: list[date], weekdays: tuple[int, ...], hours: tuple[int, int]) -> frozenset[int]:
    return frozenset(
        minute
        for day in days
        if day.weekday() in weekdays
        for minute in range(minute_of(day, hours[0]), minute_of(day, hours[1]))
    )


def burn_of(asked: Asked) -> Counter[str]:
    """Return what a session burns: an hour of every bay is 60 minutes, coaching as agreed."""
    return Counter(
        {
            MINUTES: asked.minutes * asked.bays,
            SESSIONS: {0: 0, 30: 1, 60: 1, 90: 2}[asked.coaching],
        }
    )


def word(outcome: object, well: str) -> str:
    """Return how something ended, for the counts."""
    return outcome.code if isinstance(outcome, DomainError) else well

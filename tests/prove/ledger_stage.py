"""The stage of the ledger's state machine: a house, a clock, the inbox, and what always holds.

Every verb commits for real. After each the whole ledger is compared with the paper; what a verb may
do that the paper does not foretell is followed, for those persons alone, within bounds.
"""

import copy
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant
from sqlalchemy import event
from sqlmodel import Session

from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.errors import DomainError
from connector.runtime import Runtime
from shopify_gateway import deliveries, inbox
from shopify_gateway.deliveries import Headers
from tests.factories.series import broken_promises
from tests.factories.studio import NOW, apply_demo, demo_text, make_wallet
from tests.prove import ledger_facts
from tests.prove.ledger_facts import BUCKETS, Facts, LotRow
from tests.prove.ledger_paper import GRANTS, MINUTES, SESSIONS, TRIAL, Paper, Play, Sale, Slip

CUSTOMERS = (7001, 7002, 7003, 7004)
WHO = st.sampled_from(CUSTOMERS)
PICK = st.integers(0, 99)
MADE_GOOD = "make_good:end:"
BOTH = f"""
[[product]]
variant = {TRIAL}
title = "Trial"
price = "99.99"
grants = {{ simulator_minutes = 120, coaching_sessions = 1 }}
valid_days = 4
"""
T = TypeVar("T")


class Crashed(Exception):
    """The process died in the middle of a transaction."""


class LedgerStage(RuleBasedStateMachine):
    """What every verb stands on. `open_house` opens a house on a fresh database."""

    open_house: ClassVar[Callable[[], AbstractContextManager[Runtime]]]
    counts: ClassVar[Counter[tuple[str, str]]] = Counter()
    steps: ClassVar[int] = 0
    runs: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        queries.forget()
        self.door = type(self).open_house()
        self.house = self.door.__enter__()
        self.now = NOW
        self.paper = Paper()
        self.told: list[tuple[Headers, dict[str, Any]]] = []
        self.persons = {customer: customer for customer in CUSTOMERS}
        self.merged: list[UUID] = []
        self.followed: set[int] = set()
        self.crash_at = 0
        self.is_fresh = self.was_quiet = False
        self.studio = self.apply(demo_text() + BOTH)
        with self.house.transaction() as session:
            self.wallets = {each: make_wallet(session, self.studio, each).id for each in CUSTOMERS}
        self.before = self.read()
        LedgerStage.runs += 1

    def teardown(self) -> None:
        """Close the house."""
        self.door.__exit__(None, None, None)

    def apply(self, text: str) -> Studio:
        """Bring the studio to its file."""
        with self.house.transaction() as session:
            return apply_demo(session, text)

    def count(self, verb: str, outcome: object = "done") -> None:
        """Count a verb, and how it ended."""
        word = outcome.code if isinstance(outcome, DomainError) else str(outcome)
        LedgerStage.counts[verb, word] += 1

    def read(self) -> Facts:
        """Read everything."""
        with self.house.transaction() as session:
            return ledger_facts.read(session)

    def act(self, work: Callable[[Session], T]) -> T | DomainError:
        """Do something in a transaction of its own; one that crashes is done again.

        Returns what the rules refuse, and then nothing has changed.
        """
        before = self.before if self.is_fresh else self.read()
        self.is_fresh, self.was_quiet = False, False
        failed: DomainError | Crashed
        try:
            with self._crashing(), self.house.transaction() as session:
                return work(session)
        except (DomainError, Crashed) as error:
            failed = error
        assert self.read() == before, f"{failed!r} left something behind"
        if isinstance(failed, DomainError):
            return failed
        self.count("crash", "struck")
        return self.act(work)

    @contextmanager
    def _crashing(self) -> Iterator[None]:
        left, self.crash_at = self.crash_at, 0
        if not left:
            yield
            return

        def strike(*_: object) -> None:
            nonlocal left
            left -= 1
            if left == 0:
                raise Crashed

        event.listen(self.house.engine, "before_cursor_execute", strike)
        try:
            yield
        finally:
            event.remove(self.house.engine, "before_cursor_execute", strike)

    def tell(self, topic: str, body: dict[str, Any]) -> str:
        """Take a delivery as the inbox and its worker do, and return what came of it."""
        self.now += timedelta(seconds=1)
        headers = Headers(topic, str(uuid4()), triggered_at=self.now.isoformat())
        self.told.append((headers, copy.deepcopy(body)))
        return self.take(headers, body)

    def take(self, headers: Headers, body: dict[str, Any]) -> str:
        """Take a delivery, perhaps one that was told before."""
        assert self.receive(headers, body)
        outcome = self.act(self._handle)
        assert isinstance(outcome, str), outcome
        return outcome

    def receive(self, headers: Headers, body: dict[str, Any]) -> bool:
        """Write a delivery down; False for one that is here already."""
        raw = json.dumps(body).encode()
        with self.house.transaction() as session:
            return deliveries.receive(
                session, studio_id=self.studio.id, headers=headers, body=raw, now=self.now
            )

    def _handle(self, session: Session) -> str:
        privacy = self.house.settings.privacy
        delivery = deliveries.claim(session, now=self.now, skip=set())
        assert delivery is not None
        outcome = inbox.handle(session, delivery=delivery, privacy=privacy, now=self.now)
        deliveries.finish(delivery, outcome=outcome, now=self.now)
        inbox.forget_erased(session, delivery=delivery, privacy=privacy)
        return outcome

    def who(self, customer: int) -> int:
        """Return the person that a customer is, after every merge."""
        person = self.persons[customer]
        return person if person == customer else self.who(person)

    def ids_of(self, person: int) -> list[int]:
        """Return every id under which the shop may tell of a person."""
        return [each for each in CUSTOMERS if self.who(each) == person]

    def plays(self, *, to_come: bool) -> list[UUID]:
        """Return the sessions that stand: those to come, or those that have begun."""
        return [
            booking
            for booking, play in self.paper.plays.items()
            if play.is_live
            and (play.starts_at > self.now) == to_come
            and (play.due_at is None or play.due_at > self.now)
        ]

    def expect(self, sources: list[str], person: int) -> list[Slip]:
        """Expect new lots, and note them."""
        found = self.read().lots if sources else {}
        missing = set(sources) - found.keys()
        assert not missing, f"there is no lot {missing}"
        return [self.paper.grant(source, found[source], person) for source in sources]

    def follow_if_waiting(self, person: int) -> None:
        """Follow somebody whose sessions wait for money: they are paid as soon as there is some."""
        if self.paper.waits(person):
            self.followed.add(person)

    @invariant()
    def the_ledger_is_what_the_paper_says(self) -> None:
        """Compare everything, and prove the promises."""
        found = self.read()
        with self.house.transaction() as session:
            wrong = [f"verify, {each}" for each in broken_promises(session)]
            wrong += ledger_facts.left_behind(session, self.merged)
        wrong += self._followed(found)
        for person in sorted(self.followed):
            self.paper.follow(person, found)
        self._freeze_erased(found)
        wrong += self._slips(found) + self._sales(found) + self._people(found)
        assert wrong == [], "\n".join(wrong)
        self.before, self.followed, self.is_fresh = found, set(), True
        LedgerStage.steps += 1

    def _freeze_erased(self, found: Facts) -> None:
        """Who was forgotten has nothing to draw on, whatever a dispute says of it."""
        for source, slip in self.paper.slips.items():
            if slip.person in self.paper.erased and source in found.lots:
                slip.is_frozen = found.lots[source].frozen_at is not None

    def _followed(self, found: Facts) -> list[str]:
        """Return what happened to the followed beyond what may happen to anybody."""
        wrong = []
        for source, row in found.lots.items():
            was = self.before.lots.get(source)
            if was is None and source not in self.paper.slips and source.startswith(MADE_GOOD):
                for person in self.followed:
                    if self.wallets[person] == row.wallet_id:
                        self.paper.grant(source, row, person)
            if was is not None and row.spent < was.spent:
                wrong.append(f"{source} had {was.spent} spent, has {row.spent}")
            if was is not None and (row.granted, row.kind) != (was.granted, was.kind):
                wrong.append(f"{source} was {was}, is {row}")
        return wrong

    def _slips(self, found: Facts) -> list[str]:
        """Return every lot that is another one on paper."""
        wrong = []
        for source in found.lots.keys() | self.paper.slips.keys():
            row, slip = found.lots.get(source), self.paper.slips.get(source)
            if row is None or slip is None:
                wrong.append(f"{source} is {row}, on paper {slip}")
                continue
            has = {bucket: getattr(row, bucket) for bucket in BUCKETS}
            if min(has.values()) < 0 or sum(has.values()) != row.granted:
                wrong.append(f"{source} has {has} of {row.granted}")
            stands = (
                {name: each for name, each in has.items() if each},
                row.expires_at,
                row.frozen_at is not None,
                row.withdrawn_at is not None,
                row.wallet_id,
            )
            noted = (
                {name: each for name, each in slip.has.items() if each},
                slip.expires_at,
                slip.is_frozen,
                slip.is_gone,
                self.wallets[slip.person],
            )
            if stands != noted:
                wrong.append(f"{source} of {slip.person} is {stands}, on paper {noted}")
        return wrong

    def _sales(self, found: Facts) -> list[str]:
        """Return every order whose units, lots or debt are not what its present state says."""
        lots: dict[int, list[LotRow]] = defaultdict(list)
        for row in found.lots.values():
            lots[row.order_id or 0].append(row)
        wrong = []
        for sale in self.paper.sales.values():
            for number in range(len(sale.lines)):
                of_line = [r for r in lots[sale.id] if r.line_item_id == sale.line_id(number)]
                wrong += _units(sale, number, of_line)
            debt, used = found.debts.get(sale.id, 0), _used(sale, lots[sale.id])
            if not 0 <= debt <= used:
                wrong.append(f"order {sale.id} is owed {debt}, used are {used}")
            wrong += [each for row in lots[sale.id] for each in self._taken_back(sale, row, found)]
        return wrong

    def _taken_back(self, sale: Sale, row: LotRow, found: Facts) -> Iterator[str]:
        """Yield what a unit of an order has that it may not have."""
        taken = self.paper.slips[row.source].taken if row.source in self.paper.slips else 0
        if row.withdrawn_at is None and row.revoked != taken:
            yield f"{row.source} stands, with {row.revoked} revoked, {taken} of it by people"
        is_erased = self.who(sale.customer) in self.paper.erased
        frozen = row.withdrawn_at is None and sale.dispute == "needs_response"
        if not is_erased and (row.frozen_at is not None) != frozen:
            yield f"{row.source} is frozen since {row.frozen_at}, its dispute is {sale.dispute}"
        if row.withdrawn_at is None or not row.held:
            return
        for booking_id, draws in found.draws.items():
            booking = found.bookings[booking_id]
            proceeds = sale.is_lost or booking.starts_at <= self.now
            if row.id in draws and booking.due_at is None and not proceeds:
                yield f"{row.source} was taken back and pays for {booking}"

    def _people(self, found: Facts) -> list[str]:
        """Return everybody whose name or balance is another one on paper."""
        wrong = []
        for customer in CUSTOMERS:
            person = self.who(customer)
            wallet = None if person in self.paper.erased else self.wallets[person]
            if found.names.get(customer) != wallet:
                wrong.append(f"{customer} is {found.names.get(customer)}, on paper {wallet}")
        for person in {self.who(customer) for customer in CUSTOMERS}:
            for kind in (MINUTES, SESSIONS):
                usable = sum(
                    row.available
                    for row in found.lots.values()
                    if row.wallet_id == self.wallets[person]
                    and row.kind == kind
                    and row.frozen_at is None
                    and (row.expires_at is None or self.now < row.expires_at)
                )
                noted = self.paper.balance(person, kind, self.now)
                if usable != noted or (person in self.paper.erased and usable):
                    wrong.append(f"{person} has {usable} {kind}, on paper {noted}")
        for booking_id, play in self.paper.plays.items():
            wrong += self._session(booking_id, play, found)
        return wrong

    def _session(self, booking_id: UUID, play: Play, found: Facts) -> list[str]:
        row = found.bookings[booking_id]
        over = row.status in ("cancelled", "expired", "rejected")
        stands = not over, row.begun_at is not None, row.due_at, row.starts_at, row.wallet_id
        wallet = self.wallets[play.person]
        noted = play.is_live, play.is_begun, play.due_at, play.starts_at, wallet
        by_id = {lot.id: source for source, lot in found.lots.items()}
        draws = {by_id[lot]: held for lot, held in found.draws.get(booking_id, {}).items()}
        if (stands, draws) == (noted, play.draws):
            return []
        return [f"session {booking_id} is {stands} {draws}, on paper {noted} {play.draws}"]


def _units(sale: Sale, number: int, lots: list[LotRow]) -> list[str]:
    """Return what of a line's units is not as the order says: as many stand as are wanted."""
    line = sale.lines[number]
    units: dict[int, list[LotRow]] = defaultdict(list)
    for row in lots:
        units[row.unit_index or 0].append(row)
    standing = [unit for unit in units.values() if unit[0].withdrawn_at is None]
    wrong = []
    if len(standing) != line.stands:
        wrong.append(f"order {sale.id} line {number}: {len(standing)} stand, wanted {line.stands}")
    for unit in units.values():
        granted = {row.kind: row.granted for row in unit}
        if granted != GRANTS[line.variant] or len({row.withdrawn_at for row in unit}) != 1:
            wrong.append(f"order {sale.id} line {number}: a unit is {unit}")
    return wrong


def _used(sale: Sale, lots: list[LotRow]) -> int:
    """Return what of an order's units that were taken back was used, in minor units.

    What has expired counts where the shop gave the unit back, not where a bank did (D5).
    """
    expired = 0 if sale.is_lost and not sale.is_cancelled and not sale.refunds else 1
    return sum(
        row.paid_minor * (row.spent + row.held + expired * row.expired) // row.granted
        for row in lots
        if row.withdrawn_at is not None
    )

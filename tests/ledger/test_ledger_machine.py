"""Whatever is done with credits in whatever order, the ledger is what a plain account says."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, text
from sqlmodel import Session

from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, goodwill, lapses
from booking_engine.ledger.credits import NotEnoughCredits
from booking_engine.ledger.goodwill import Correction
from booking_engine.ledger.lapses import NotLonger
from booking_engine.ledger.models import CreditKind, Wallet
from booking_engine.ledger.transfers import Overdrawn
from connector import verify
from tests.factories.ledger import (
    BUCKETS,
    COACHED,
    MINUTES,
    buckets,
    grant_lot,
    hold_minutes,
    lot_of,
    make_cause,
)
from tests.factories.studio import NOW, apply_demo, make_wallet

WAYS = st.sampled_from(["revoke", "restore"])
QUANTITIES = {MINUTES: st.sampled_from([30, 45, 60, 600]), COACHED: st.integers(1, 3)}
LOT_CHECKS = [check for check in verify.CHECKS if "lot" in check.name.replace("allocation", "")]


@dataclass
class Account:
    """A lot as a child would keep it on paper."""

    kind: CreditKind
    order: tuple[bool, datetime, int]
    expires_at: datetime | None
    has: dict[str, int]
    swept: int = 0

    def move(self, source: str, target: str, quantity: int) -> None:
        self.has[source] -= quantity
        self.has[target] += quantity

    def lives(self, at: datetime) -> bool:
        return self.expires_at is None or at < self.expires_at


@dataclass
class Paper:
    """All accounts, and what each booking drew from which."""

    lots: dict[str, Account] = field(default_factory=dict)
    draws: dict[UUID, dict[str, int]] = field(default_factory=dict)

    def take(self, kind: CreditKind, quantity: int, at: datetime) -> dict[str, int] | None:
        shares: dict[str, int] = {}
        for source, lot in sorted(self.lots.items(), key=lambda each: each[1].order):
            usable = lot.kind is kind and lot.lives(at)
            share = min(lot.has["available"], quantity) if usable else 0
            if share:
                shares[source] = share
                quantity -= share
        return None if quantity else shares


class LedgerMachine(RuleBasedStateMachine):
    """Random calls on the real ledger, the same on paper, compared after each."""

    session: Session
    studio: Studio

    booked = Bundle("booked")

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.paper = Paper()
        self.savepoint = self.session.begin_nested()
        self.wallet: Wallet = make_wallet(self.session, self.studio)

    def teardown(self) -> None:
        self.savepoint.rollback()
        self.session.expunge_all()

    @rule(
        kind=st.sampled_from([MINUTES, COACHED]), days=st.none() | st.integers(1, 6), data=st.data()
    )
    def grant(self, kind: CreditKind, days: int | None, data: st.DataObject) -> None:
        quantity = data.draw(QUANTITIES[kind])
        number = len(self.paper.lots)
        ends = None if days is None else self.now + timedelta(days=days)
        source = f"lot:{number}"
        for _ in range(2):
            grant_lot(
                self.session,
                self.studio,
                self.wallet,
                source,
                quantity,
                kind=kind,
                expires_at=ends,
                granted_at=self.now,
            )
        order = (ends is None, ends or self.now, number)
        self.paper.lots[source] = Account(
            kind, order, ends, {bucket.value: 0 for bucket in BUCKETS} | {"available": quantity}
        )

    @rule(target=booked, minutes=st.sampled_from([30, 60, 90]), sessions=st.integers(0, 2))
    def hold(self, minutes: int, sessions: int) -> UUID:
        booking, starts_at = uuid4(), self.now + timedelta(days=1)
        needed = {MINUTES: minutes, COACHED: sessions} if sessions else {MINUTES: minutes}
        taken = [self.paper.take(kind, each, starts_at) for kind, each in needed.items()]
        call = (self.session, self.studio, self.wallet, booking, minutes)
        when = {"starts_at": starts_at, "at": self.now}
        self.paper.draws[booking] = {}
        if None in taken:
            with pytest.raises(NotEnoughCredits):
                hold_minutes(*call, sessions=sessions, **when)
            return booking
        hold_minutes(*call, sessions=sessions, **when)
        for shares in taken:
            for source, quantity in (shares or {}).items():
                self.paper.lots[source].move("available", "held", quantity)
                self.paper.draws[booking][source] = quantity
        return booking

    @rule(booking=consumes(booked), percent=st.sampled_from([0, 33, 50, 100]))
    def give_back(self, booking: UUID, percent: int) -> None:
        cause = make_cause(self.now)
        credits.give_back(
            self.session,
            studio_id=self.studio.id,
            booking_id=booking,
            percent=percent,
            cause=cause,
        )
        for source, held in self.paper.draws.pop(booking).items():
            lot = self.paper.lots[source]
            back = -(-held * percent // 100)
            if lot.kind is COACHED:
                back = held if percent >= 50 else 0
            lot.move("held", "available" if lot.lives(self.now) else "expired", back)
            lot.move("held", "spent", held - back)

    @rule(booking=consumes(booked))
    def spend(self, booking: UUID) -> None:
        credits.spend(
            self.session, studio_id=self.studio.id, booking_id=booking, cause=make_cause(self.now)
        )
        for source, held in self.paper.draws.pop(booking).items():
            self.paper.lots[source].move("held", "spent", held)

    @rule(number=st.integers(0, 9), quantity=st.sampled_from([1, 30, 60]), way=WAYS)
    def revoke_or_restore(self, number: int, quantity: int, way: str) -> None:
        source = f"lot:{number}"
        if source not in self.paper.lots:
            return
        account, lot = self.paper.lots[source], lot_of(self.session, source)
        change = credits.restore if way == "restore" else credits.revoke
        ways = ("revoked", "available") if way == "restore" else ("available", "revoked")
        call = {"lot": lot, "quantity": quantity, "key": str(uuid4()), "cause": make_cause()}
        if account.has[ways[0]] < quantity:
            with pytest.raises(Overdrawn), self.session.begin_nested():
                change(self.session, **call)
            return
        change(self.session, **call)
        account.move(*ways, quantity)

    @rule()
    def sweep(self) -> None:
        dead = [
            each
            for each in self.paper.lots.values()
            if each.has["available"] and not each.lives(self.now)
        ]
        assert lapses.expire_due(self.session, now=self.now, limit=100) == len(dead)
        for account in dead:
            account.swept += account.has["available"]
            account.move("available", "expired", account.has["available"])
        assert lapses.expire_due(self.session, now=self.now, limit=100) == 0

    @rule(number=st.integers(0, 9), days=st.integers(1, 9))
    def prolong(self, number: int, days: int) -> None:
        source = f"lot:{number}"
        if source not in self.paper.lots:
            return
        account, until = self.paper.lots[source], self.now + timedelta(days=days)
        lot = lot_of(self.session, source)
        call = {"lot": lot, "until": until, "key": str(uuid4()), "cause": make_cause(self.now)}
        if account.expires_at is None or until <= account.expires_at:
            with pytest.raises(NotLonger):
                lapses.prolong(self.session, **call)
            return
        assert lapses.prolong(self.session, **call) == account.swept
        account.move("expired", "available", account.swept)
        account.expires_at, account.swept = until, 0
        account.order = (False, until, number)

    @rule(kind=st.sampled_from([MINUTES, COACHED]), quantity=st.sampled_from([1, 2, 30, 90]))
    def take_back(self, kind: CreditKind, quantity: int) -> None:
        taken = self.paper.take(kind, quantity, self.now)
        wanted = Correction(self.studio.id, self.wallet.id, kind, quantity, str(uuid4()))
        if taken is None:
            with pytest.raises(Overdrawn):
                goodwill.take_back(self.session, wanted, cause=make_cause(self.now))
            return
        goodwill.take_back(self.session, wanted, cause=make_cause(self.now))
        for source, share in taken.items():
            self.paper.lots[source].move("available", "revoked", share)

    @rule(hours=st.sampled_from([1, 24, 48]))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def the_ledger_is_what_the_paper_says(self) -> None:
        for source, account in self.paper.lots.items():
            shown = {name: quantity for name, quantity in account.has.items() if quantity}
            assert buckets(self.session, source) == shown, source
        for check in LOT_CHECKS:
            assert verify.violations(self.session, check) == []

    @invariant()
    def the_balance_is_what_lives(self) -> None:
        lots = credits.of_wallet(self.session, studio_id=self.studio.id, wallet_id=self.wallet.id)
        for kind, totals in credits.balance(lots, now=self.now).items():
            accounts = [each for each in self.paper.lots.values() if each.kind is kind]
            living = sum(each.has["available"] for each in accounts if each.lives(self.now))
            assert totals == {
                "available": living,
                "held": sum(each.has["held"] for each in accounts),
            }


@pytest.fixture
def machine(shared_engine: Engine) -> Iterator[type[LedgerMachine]]:
    with shared_engine.connect() as connection:
        outer = connection.begin()
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            session.execute(text("SET LOCAL synchronous_commit = off"))
            LedgerMachine.session, LedgerMachine.studio = session, apply_demo(session)
            yield LedgerMachine
        outer.rollback()


def test_the_ledger_adds_up_whatever_happens(machine: type[LedgerMachine]) -> None:
    assert len(LOT_CHECKS) == 4

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=20,
            stateful_step_count=25,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

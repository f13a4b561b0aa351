"""Crowds at one wallet's last credits: exactly as many are served as there is for, nothing is lost.

A round is a wallet with uneven lots, and a crowd that all want some of it at once:
who holds, who gives back what was held before, the sweep of what has expired, and the studio that
takes some back or lets a lot live longer.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

from sqlmodel import Session, col, select

from booking_engine.catalog import queries
from booking_engine.errors import DomainError
from booking_engine.ledger import credits, goodwill, lapses, wallets
from booking_engine.ledger.credits import Grant, Need, NotEnoughCredits
from booking_engine.ledger.goodwill import Correction
from booking_engine.ledger.lapses import NotLonger
from booking_engine.ledger.models import CreditKind, Lot
from booking_engine.ledger.transfers import Cause, Overdrawn
from connector.runtime import Runtime
from tests.factories.crowd import deadlocks, race, violations
from tests.factories.studio import NOW

MINUTES = CreditKind.SIMULATOR_MINUTES
DAY = timedelta(days=1)
CROWDS = (16, 24, 32)
EACH = 60
Act = Callable[[Session, int], object]
REFUSALS: tuple[type[DomainError], ...] = (NotEnoughCredits, Overdrawn, NotLonger)


@dataclass
class Tally:
    """What the crowds did, and what was wrong."""

    rounds: int = 0
    attempts: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_ms: float = 0.0
    deadlocks: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stake:
    """A round: whose wallet, which lots, and which bookings hold some of it beforehand."""

    studio_id: int
    wallet_id: UUID
    lots: tuple[UUID, ...]
    held: tuple[UUID, ...]

    def hold(self, session: Session, booking_id: UUID) -> None:
        """Hold an hour for a booking; raises `NotEnoughCredits`."""
        need = Need(self.studio_id, self.wallet_id, booking_id, {MINUTES: EACH}, NOW + 2 * DAY)
        credits.hold(session, need=need, cause=cause())


def run(house: Runtime, *, rounds: int, seed: int) -> Tally:
    """Let so many crowds go, plain ones and mixed ones in turn; count what happened."""
    draw, tally = random.Random(seed), Tally(rounds=rounds)
    for number in range(rounds):
        crowd = draw.choice(CROWDS)
        room = draw.randint(1, crowd - 1)
        (_plain if number % 2 == 0 else _mixed)(house, tally, number, crowd, room)
    tally.wrong += [f"{each.check}: {each.what}" for each in violations(house)]
    tally.deadlocks = deadlocks(house)
    if tally.deadlocks:
        tally.wrong.append(f"{tally.deadlocks} deadlocks")
    return tally


def cause() -> Cause:
    """Give a reason for a movement."""
    return Cause("race", "race", "race", NOW)


def _plain(house: Runtime, tally: Tally, number: int, crowd: int, room: int) -> None:
    """All want an hour; there is enough for so many of them."""
    stake = _stake(house, number, room, held=0)

    def act(session: Session, _: int) -> None:
        wallets.lock(session, studio_id=stake.studio_id, wallet_id=stake.wallet_id)
        stake.hold(session, uuid4())

    done = _race(house, tally, act, crowd)
    if done != room:
        tally.wrong.append(f"round {number}: {done} of {crowd} were served, there was for {room}")
    _expect(house, tally, number, stake, {"available": 0, "held": room * EACH})


def _mixed(house: Runtime, tally: Tally, number: int, crowd: int, room: int) -> None:
    """Every verb of the ledger at once; in the end everything granted is somewhere."""
    stake = _stake(house, number, room, held=crowd // 4)

    def act(session: Session, each: int) -> None:
        if each % 5 == 4:
            lapses.expire_due(session, now=NOW + DAY, limit=100)
            return
        wallets.lock(session, studio_id=stake.studio_id, wallet_id=stake.wallet_id)
        if each < len(stake.held):
            credits.give_back(
                session,
                studio_id=stake.studio_id,
                booking_id=stake.held[each],
                percent=(0, 50, 100)[each % 3],
                cause=cause(),
            )
        elif each % 5 == 3:
            wanted = Correction(stake.studio_id, stake.wallet_id, MINUTES, 7, f"{number}:{each}")
            goodwill.take_back(session, wanted, cause=cause())
        elif each % 5 == 2:
            lot = lapses.find(session, studio_id=stake.studio_id, lot_id=stake.lots[0])
            until, key = NOW + (3 + each) * DAY, f"{number}:{each}"
            lapses.prolong(session, lot=lot, until=until, key=key, cause=cause())
        else:
            stake.hold(session, uuid4())

    _race(house, tally, act, crowd)
    _expect(house, tally, number, stake, {})


def _stake(house: Runtime, number: int, room: int, *, held: int) -> Stake:
    """Grant enough for so many hours over uneven lots, and as many hours as are held before."""
    with house.transaction() as session:
        studio_id = queries.only_id(session)
        wallet = wallets.of_customer(
            session, studio_id=studio_id, customer_id=50_000 + number, now=NOW
        )
        total = (room + held) * EACH
        sizes = [total // 3, total // 3 - 1, total - total // 3 - (total // 3 - 1)]
        for place, size in enumerate(sizes):
            # The first ends during the mixed rounds; for the plain ones its end is far enough.
            ends = NOW + (DAY if place == 0 and held else 9 * DAY) if place < 2 else None
            wanted = Grant(f"race:{number}:{place}", MINUTES, size, expires_at=ends)
            credits.grant(
                session, studio_id=studio_id, wallet_id=wallet.id, wanted=wanted, cause=cause()
            )
        lots = credits.of_wallet(session, studio_id=studio_id, wallet_id=wallet.id)
        stake = Stake(studio_id, wallet.id, tuple(lot.id for lot in lots), ())
        bookings = tuple(uuid4() for _ in range(held))
        enough = [each for each in bookings if _could_hold(session, stake, each)]
    return Stake(studio_id, wallet.id, stake.lots, tuple(enough))


def _could_hold(session: Session, stake: Stake, booking_id: UUID) -> bool:
    try:
        stake.hold(session, booking_id)
    except NotEnoughCredits:
        return False
    return True


def _race(house: Runtime, tally: Tally, act: Act, crowd: int) -> int:
    ran = race(house, act, count=crowd, refusals=REFUSALS)
    tally.attempts += crowd
    tally.outcomes += ran.outcomes
    tally.slowest_ms = max(tally.slowest_ms, ran.slowest * 1000)
    tally.wrong += [f"surfaced: {error!r}" for error in ran.unexpected]
    return ran.outcomes["done"]


def _expect(
    house: Runtime, tally: Tally, number: int, stake: Stake, wanted: dict[str, int]
) -> None:
    with house.transaction() as session:
        lots = session.exec(
            select(Lot).where(
                col(Lot.studio_id) == stake.studio_id, col(Lot.wallet_id) == stake.wallet_id
            )
        ).all()
    for bucket, quantity in wanted.items():
        found = sum(getattr(lot, bucket) for lot in lots)
        if found != quantity:
            tally.wrong.append(f"round {number}: {found} {bucket}, not {quantity}")
    for lot in lots:
        parts = (lot.available, lot.held, lot.spent, lot.expired, lot.revoked)
        if min(parts) < 0 or sum(parts) != lot.granted:
            tally.wrong.append(f"round {number}: lot {lot.source} has {parts} of {lot.granted}")

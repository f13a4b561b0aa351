"""An outage is declared while others hold, cancel and lift: no bay is ever taken twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from sqlmodel import col, select

from booking_engine.booking import blocks, bookings, holds
from booking_engine.booking.block_models import Block
from booking_engine.booking.book import SlotTaken
from booking_engine.booking.models import Booking
from booking_engine.booking.policies import Actor
from booking_engine.catalog import queries
from connector.runtime import Runtime
from tests.factories.desk import at, blocked, book, break_down, broken_promises, seats
from tests.factories.studio import NOW, make_request

RIVALS = 8


def at_once(*deeds: Callable[[], str]) -> list[str]:
    barrier = Barrier(len(deeds))

    def do(deed: Callable[[], str]) -> str:
        barrier.wait()
        return deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(do, deeds))


def test_holds_and_an_outage_at_once_share_what_bays_there_are(house: Runtime) -> None:
    def hold(number: int) -> str:
        try:
            with house.transaction() as session:
                studio = queries.load(session, studio_id=queries.only_id(session))
                holder = holds.Holder(f"visitor:{number}", holds.VISITOR_CAPS)
                request = make_request(at(15), 60)
                holds.place(session, studio=studio, request=request, holder=holder, now=NOW)
        except SlotTaken:
            return "taken"
        return "held"

    def declare() -> str:
        with house.transaction() as session:
            studio = queries.load(session, studio_id=queries.only_id(session))
            declared = break_down(session, studio, "bay-2", at(14), at(18), now=NOW)
            return f"{len(declared.stranded)} stranded"

    outcomes = at_once(declare, *(lambda number=number: hold(number) for number in range(RIVALS)))

    stranded = int(outcomes[0].split()[0])
    assert outcomes.count("held") == 3 + stranded
    with house.transaction() as session:
        block = session.exec(select(Block)).one()
        whole = ["14:00-18:00"] if not stranded else ["14:00-15:00", "16:00-18:00"]
        assert blocked(session, block.id) == whole
        assert broken_promises(session) == []


def test_cancelling_while_an_outage_is_declared_leaves_no_gap(house: Runtime) -> None:
    for round_number in range(6):
        day = at(10 + round_number)
        with house.transaction() as session:
            studio = queries.load(session, studio_id=queries.only_id(session))
            group = book(session, studio, make_request(day, 60, simulators=4))

        def cancel(group: Booking = group) -> str:
            with house.transaction() as session:
                bookings.cancel(
                    session,
                    studio_id=group.studio_id,
                    booking_id=group.id,
                    actor=Actor.CUSTOMER,
                    reason="race",
                    now=NOW,
                )
            return "cancelled"

        def declare(number: int = round_number) -> str:
            with house.transaction() as session:
                studio = queries.load(session, studio_id=queries.only_id(session))
                begins, ends = at(10 + number), at(11 + number)
                break_down(session, studio, "bay-2", begins, ends, now=NOW)
            return "declared"

        assert at_once(cancel, declare) == ["cancelled", "declared"]

    with house.transaction() as session:
        assert broken_promises(session) == []
        for block in session.exec(select(Block)):
            assert len(blocked(session, block.id)) == 1


def test_two_who_lift_one_block_return_the_sessions_once(house: Runtime) -> None:
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        booking = book(session, studio, make_request(at(15), 60))
        declared = break_down(session, studio, "bay-2", at(14), at(18), now=NOW)

    def lift() -> str:
        try:
            with house.transaction() as session:
                studio = queries.load(session, studio_id=queries.only_id(session))
                lifted = blocks.lift(
                    session, studio=studio, block_id=declared.block.id, actor="x", now=NOW
                )
                return f"{len(lifted.returned)} returned"
        except blocks.AlreadyLifted:
            return "too late"

    assert sorted(at_once(lift, lift)) == ["1 returned", "too late"]
    with house.transaction() as session:
        moved = session.exec(select(Booking).where(col(Booking.id) == booking.id)).one()
        assert seats(session, moved) == ["bay-2"]
        assert broken_promises(session) == []

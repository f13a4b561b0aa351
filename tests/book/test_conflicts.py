"""Changed hours flag the sessions that they leave behind, and never cancel one (A5.6, X13)."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import Session, col, select

from booking_engine.attention import AttentionItem
from booking_engine.booking import conflicts, decisions, desk
from booking_engine.booking.conflicts import Standing
from booking_engine.booking.desk import Order
from booking_engine.booking.models import Booking, BookingStatus
from booking_engine.booking.terms import CoachingRequest
from booking_engine.catalog import queries, studio_file
from booking_engine.catalog.studio import Studio
from booking_engine.intervals import to_minutes
from connector import apply
from connector.runtime import Runtime
from tests.factories.desk import at, book, broken_promises, open_items
from tests.factories.studio import NOW, apply_demo, demo_text, make_request, make_wallet

CLOSED_EARLY = {'mon-fri = ["09:00-22:00"]': 'mon-fri = ["09:00-15:00"]'}
CLOSED_DAY = {
    'reason = "Christmas" } ]': 'reason = "Christmas" },'
    ' { from = "2026-11-25T00:00", to = "2026-11-26T00:00", reason = "a leak" } ]'
}
ANA_LATER = {'tue-thu = ["12:00-20:00"]': 'tue-thu = ["16:00-20:00"]'}
ANA_AWAY = {
    'reason = "away" } ]': 'reason = "away" },'
    ' { from = "2026-11-25T12:00", to = "2026-11-25T16:00", reason = "dentist" } ]'
}
ANA_EXTRA = {
    **ANA_LATER,
    'to = "2026-12-05T14:00" } ]': 'to = "2026-12-05T14:00" },'
    ' { from = "2026-11-25T14:00", to = "2026-11-25T15:00" } ]',
}

Apply = Callable[..., list[str]]


@pytest.fixture
def change(house: Runtime) -> Apply:
    """Apply the demo studio with some text replaced and return what was printed."""

    def run(replacements: dict[str, str] | None = None, *, dry_run: bool = False) -> list[str]:
        file = studio_file.read(demo_text(**(replacements or {})), name="studio.toml")
        return [str(line) for line in apply.run(house, file, now=NOW, dry_run=dry_run)]

    return run


@pytest.fixture
def coached(house: Runtime) -> Booking:
    """An hour with Ana on the Wednesday at 14:00."""
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        request = make_request(at(14), 60, coaching=CoachingRequest(60, "ana"))
        return book(session, studio, request)


def items_of(house: Runtime) -> list[AttentionItem]:
    with house.transaction() as session:
        return open_items(session)


@pytest.mark.parametrize(
    ("replacements", "reasons"),
    [
        (CLOSED_DAY, ["studio_closed"]),
        (ANA_LATER, ["coach_off"]),
        (ANA_AWAY, ["coach_off"]),
        ({**CLOSED_DAY, **ANA_AWAY}, ["studio_closed", "coach_off"]),
        (ANA_EXTRA, []),
        (CLOSED_EARLY, []),
    ],
)
def test_a_session_outside_the_new_hours_is_flagged_and_stays(
    house: Runtime,
    change: Apply,
    coached: Booking,
    replacements: dict[str, str],
    reasons: list[str],
) -> None:
    printed = change(replacements)

    flagged = [line for line in printed if line.startswith("flag")]
    found = items_of(house)
    assert [item.facts["reasons"] for item in found] == ([reasons] if reasons else [])
    assert [coached.code in line for line in flagged] == ([True] if reasons else [])
    with house.transaction() as session:
        kept = session.exec(select(Booking).where(col(Booking.id) == coached.id)).one()
        assert kept.status is BookingStatus.CONFIRMED
        assert broken_promises(session) == []


def test_what_is_flagged_says_what_and_when(
    house: Runtime, change: Apply, coached: Booking
) -> None:
    printed = change(ANA_LATER)

    (item,) = items_of(house)
    assert (item.kind, item.facts["booking"], item.facts["coach"]) == (
        "schedule_conflict",
        str(coached.id),
        "ana",
    )
    assert item.facts["start"] == "2026-11-25T14:00:00-05:00"
    assert printed[-1] == (
        f"flag       booking {coached.code} (2026-11-25 19:00 UTC: Ana does not work then)"
    )


def test_a_second_run_has_nothing_to_do(house: Runtime, change: Apply, coached: Booking) -> None:
    change(ANA_LATER)

    assert change(ANA_LATER) == []
    assert len(items_of(house)) == 1


def test_a_dry_run_prints_and_lists_nothing(
    house: Runtime, change: Apply, coached: Booking
) -> None:
    printed = change(ANA_LATER, dry_run=True)

    assert any(coached.code in line for line in printed)
    assert items_of(house) == []
    assert any(line.startswith("flag") for line in change(ANA_LATER))


def test_hours_that_come_back_take_the_item_off_the_list(
    house: Runtime, change: Apply, coached: Booking
) -> None:
    change(ANA_LATER)
    change()
    assert items_of(house) == []

    change(ANA_LATER)

    assert len(items_of(house)) == 1


@pytest.mark.parametrize("choice", ["keep", "dismiss"])
def test_what_was_kept_is_not_flagged_again(
    house: Runtime, change: Apply, coached: Booking, choice: str
) -> None:
    change(ANA_LATER)
    (item,) = items_of(house)
    settle(house, item.id, choice)

    change()
    change(ANA_LATER)

    assert items_of(house) == []


def test_what_was_kept_is_flagged_for_another_reason(
    house: Runtime, change: Apply, coached: Booking
) -> None:
    change(ANA_LATER)
    (item,) = items_of(house)
    settle(house, item.id, "keep")

    change({**ANA_LATER, **CLOSED_DAY})

    assert [each.facts["reasons"] for each in items_of(house)] == [["studio_closed", "coach_off"]]


def test_cancelling_from_the_list_gives_everything_back(
    house: Runtime, change: Apply, coached: Booking
) -> None:
    change(ANA_LATER)
    (item,) = items_of(house)

    settle(house, item.id, "cancel")

    assert items_of(house) == []
    with house.transaction() as session:
        gone = session.exec(select(Booking).where(col(Booking.id) == coached.id)).one()
        assert (gone.status, gone.ended_by) == (BookingStatus.CANCELLED, "studio")
        assert broken_promises(session) == []


def test_what_staff_booked_against_the_hours_is_theirs(
    house: Runtime, change: Apply, coached: Booking
) -> None:
    with house.transaction() as session:
        studio = queries.load(session, studio_id=queries.only_id(session))
        request = make_request(at(22), 60)
        order = Order(request, frozenset({"outside_hours"}), is_complimentary=True)
        desk.book(
            session,
            studio=studio,
            order=order,
            wallet_id=make_wallet(session, studio).id,
            actor="test",
            reason="a party",
            now=NOW,
        )

    change(ANA_LATER)

    assert [item.facts["code"] for item in items_of(house)] == [coached.code]


def settle(house: Runtime, item_id: UUID, choice: str) -> None:
    with house.transaction() as session:
        decisions.settle(
            session,
            studio=queries.load(session, studio_id=queries.only_id(session)),
            item_id=item_id,
            choice=choice,
            by="staff:owner",
            reason="we talked",
            now=NOW,
        )


@pytest.mark.parametrize(
    ("hours", "minutes", "found"),
    [((9, 0), 60, False), ((8, 30), 60, True), ((21, 0), 60, False), ((21, 30), 60, True)],
)
def test_the_very_edges_of_the_hours_count(
    session: Session, studio: Studio, hours: tuple[int, int], minutes: int, found: Any
) -> None:
    always = apply_demo(
        session, demo_text(**{'mon-fri = ["09:00-22:00"]': 'mon-fri = ["00:00-24:00"]'})
    )
    start = to_minutes(at(*hours))
    standing = Standing(UUID(int=1), "X", studio.locations[0].id, start, start + minutes)

    listed = list(conflicts.find(always, studio, [standing]))

    assert [conflict.reasons for conflict in listed] == ([("studio_closed",)] if found else [])

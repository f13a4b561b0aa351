"""Applying a studio file brings the tables to it, says what changed, and then says nothing."""

from datetime import timedelta

from sqlmodel import Session, select

from booking_engine.catalog import models, plan, queries, studio_file
from booking_engine.catalog.studio_file import StudioFile
from tests.factories.studio import NOW, TORONTO, apply_demo, demo_text

LATER = NOW + timedelta(days=1)
BEN = demo_text()[demo_text().index('[[coach]]\nhandle = "ben"') : demo_text().index("[[service]]")]


def read(**replacements: str) -> StudioFile:
    return studio_file.read(demo_text(**replacements), name="studio.toml")


def revision(session: Session) -> int:
    return session.exec(select(models.Studio.revision)).one()


def test_the_first_run_adds_everything(session: Session) -> None:
    changes = plan.converge(session, file=read(), now=NOW)

    assert {change.verb for change in changes} == {"add"}
    assert [f"{change.what} {change.key}" for change in changes] == [
        "studio birdie-bay.myshopify.com",
        "location main",
        *(f"simulator bay-{number}" for number in (1, 2, 3, 4)),
        "coach ana",
        "coach ben",
        "service simulator",
        *(f"product {variant}" for variant in (44000000000001, 44000000000002, 44000000000003)),
    ]
    assert revision(session) == 1


def test_the_tables_say_what_the_file_says(session: Session) -> None:
    studio = apply_demo(session)

    assert [bay.handle for bay in studio.simulators] == ["bay-1", "bay-2", "bay-3", "bay-4"]
    assert studio.simulators[0].tags == ("left-handed",)
    assert [coach.handle for coach in studio.coaches] == ["ana", "ben"]
    assert studio.coaches[0].hours[1] == ((720, 1200),)
    assert studio.location(None).zone == TORONTO
    assert studio.coaching.sessions == ((30, 1), (60, 1), (90, 2))
    assert [(each.price_minor, each.simulator_minutes) for each in studio.products] == [
        (4500, 60),
        (6000, 0),
        (40000, 600),
    ]
    assert [tier.hours for tier in studio.policy.cancel] == [48, 24]


def test_a_second_run_changes_nothing(session: Session) -> None:
    plan.converge(session, file=read(), now=NOW)

    changes = plan.converge(session, file=read(), now=LATER)

    assert changes == []
    assert revision(session) == 1


def test_what_differs_is_changed_and_told(session: Session) -> None:
    before = apply_demo(session)
    file = read(**{'price = "45.00"': 'price = "48.50"', "lead_minutes = 120": "lead_minutes = 60"})

    changes = plan.converge(session, file=file, now=LATER)

    assert [(change.verb, change.what) for change in changes] == [
        ("change", "studio"),
        ("change", "product"),
    ]
    assert str(changes[1]) == "change     product 44000000000001 (price_minor: 4500 -> 4850)"
    assert revision(session) == 2
    after = queries.load(session, studio_id=before.id)
    assert (after.products[0].price_minor, after.policy.lead_minutes) == (4850, 60)


def test_what_the_file_leaves_out_is_retired_and_not_deleted(session: Session) -> None:
    before = apply_demo(session)
    file = read(**{BEN: ""})

    leaving = plan.retiring(session, file=file)
    changes = plan.converge(session, file=file, now=LATER)
    again = plan.converge(session, file=file, now=LATER + timedelta(days=1))

    assert [row.handle for row in leaving] == ["ben"]
    assert [str(change) for change in changes] == ["retire     coach ben"]
    assert again == []
    after = queries.load(session, studio_id=before.id)
    assert [coach.handle for coach in after.coaches] == ["ana"]
    assert after.resources[before.coaches[1].id].handle == "ben"


def test_what_returns_to_the_file_is_brought_back_as_it_was(session: Session) -> None:
    before = apply_demo(session)
    plan.converge(session, file=read(**{BEN: ""}), now=LATER)

    changes = plan.converge(session, file=read(), now=LATER)

    assert [str(change) for change in changes] == ["bring back coach ben"]
    assert revision(session) == 3
    after = queries.load(session, studio_id=before.id)
    assert after.coaches == before.coaches
    assert plan.retiring(session, file=read()) == []


def test_what_returns_changed_is_brought_back_with_the_change(session: Session) -> None:
    apply_demo(session)
    plan.converge(session, file=read(**{BEN: ""}), now=LATER)

    changes = plan.converge(session, file=read(**{'name = "Ben"': 'name = "Benjamin"'}), now=LATER)

    assert [str(change) for change in changes] == [
        "bring back coach ben (name: 'Ben' -> 'Benjamin')"
    ]


def test_another_shop_is_another_studio(session: Session) -> None:
    first = apply_demo(session)
    second = apply_demo(session, demo_text(**{"birdie-bay.myshopify": "eagle-bay.myshopify"}))

    again = plan.converge(session, file=read(), now=LATER)

    assert second.id != first.id
    assert {bay.id for bay in second.simulators} & {bay.id for bay in first.simulators} == set()
    assert again == []

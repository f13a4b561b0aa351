"""`simstudio apply`: one transaction from the file to the tables, or none."""

from datetime import datetime

from sqlmodel import Session

from booking_engine.booking import disruptions
from booking_engine.catalog import plan, queries
from booking_engine.catalog.plan import Change
from booking_engine.catalog.studio import Studio
from booking_engine.catalog.studio_file import StudioFile
from booking_engine.errors import NotFound
from booking_engine.intervals import from_minutes
from connector.runtime import Runtime


class Stranded(Exception):
    """The file takes away what bookings still to come need; the message names them."""


def run(house: Runtime, wanted: StudioFile, *, now: datetime, dry_run: bool) -> list[Change]:
    """Converge the catalogue and return what changed; raises `Stranded` and changes nothing."""
    with house.transaction() as session:
        lines = [
            f"{row.kind.value} {row.handle}: booking {code} on {starts_at:%Y-%m-%d %H:%M} UTC"
            " needs it; move or cancel that first"
            for row in plan.retiring(session, file=wanted)
            for code, starts_at in disruptions.needing(
                session, studio_id=row.studio_id, resource_id=row.id or 0, now=now
            )
        ]
        if lines:
            raise Stranded("\n".join(lines))
        before = _known(session, wanted)
        changes = plan.converge(session, file=wanted, now=now)
        if before is not None and changes:
            changes += _flagged(session, before, now)
        if dry_run:
            session.rollback()
            queries.forget()  # the catalogue that was read here never came to be
        return changes


def _known(session: Session, wanted: StudioFile) -> Studio | None:
    try:
        studio_id = queries.id_of_shop(session, shop=wanted.studio.shop)
    except NotFound:
        return None
    return queries.load(session, studio_id=studio_id)


def _flagged(session: Session, before: Studio, now: datetime) -> list[Change]:
    """List the sessions that the change leaves outside the hours; somebody decides about each."""
    after = queries.load(session, studio_id=before.id)
    return [
        Change(
            "flag",
            "booking",
            conflict.session.code,
            f" ({from_minutes(conflict.session.start):%Y-%m-%d %H:%M} UTC:"
            f" {disruptions.words(after, conflict)})",
        )
        for conflict in disruptions.flag(session, before=before, after=after, now=now)
    ]

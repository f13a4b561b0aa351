"""`simstudio apply`: one transaction from the file to the tables, or none."""

from datetime import datetime

from booking_engine.booking import bookings
from booking_engine.catalog import plan
from booking_engine.catalog.plan import Change
from booking_engine.catalog.studio_file import StudioFile
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
            for code, starts_at in bookings.needing(
                session, studio_id=row.studio_id, resource_id=row.id or 0, now=now
            )
        ]
        if lines:
            raise Stranded("\n".join(lines))
        changes = plan.converge(session, file=wanted, now=now)
        if dry_run:
            session.rollback()
        return changes

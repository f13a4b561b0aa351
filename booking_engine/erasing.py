"""The one way around the append-only tables, for what the law wants to be gone (product rule D13).

`refuse_change()` in the database lets an UPDATE of the audit trail pass while a person is erased,
and a DELETE while a whole studio is. Both end with the block, and with the transaction at the
latest; nothing else sets this.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

from sqlalchemy import text
from sqlmodel import Session


class Erasing(StrEnum):
    """What is being erased."""

    PERSON = "person"
    STUDIO = "studio"


_SET = text("SELECT set_config('simstudio.erasing', :what, true)")


@contextmanager
def erasing(session: Session, what: Erasing) -> Iterator[None]:
    """Let append-only rows be blanked or deleted inside the block."""
    session.flush()
    session.execute(_SET, {"what": what.value})
    yield
    session.flush()
    session.execute(_SET, {"what": ""})

"""Makes staff keys."""

from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session

from connector import identity
from connector.tables import Role, StaffKey


def add(session: Session, *, studio_id: int, name: str, role: Role, now: datetime) -> str:
    """Make a key and return it; the former key of that name stops working."""
    key = identity.new_key()
    values = {"role": role, "digest": identity.digest(key), "created_at": now, "revoked_at": None}
    statement = insert(StaffKey).values(studio_id=studio_id, name=name, **values)
    session.execute(
        statement.on_conflict_do_update(index_elements=["studio_id", "name"], set_=values)
    )
    return key

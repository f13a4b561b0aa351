"""What the studio's people did, and why: written in the transaction of the deed, never changed."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import DDL, BigInteger, Column, Identity, Index, PrimaryKeyConstraint, Text, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, Session, SQLModel

APPEND_ONLY = """
CREATE OR REPLACE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


class AuditEntry(SQLModel, table=True):
    """One deed: who (role and key), what, about what, for which reason, with which facts."""

    __tablename__ = "audit_entry"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "sequence"),
        Index("ix_audit_entry_studio_id_reference", "studio_id", "reference"),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    sequence: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True)))
    role: str = Field(sa_type=Text)
    key_name: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    facts: dict[str, Any] = Field(sa_type=JSONB)
    at: datetime


# The function is the ledger's; a table's own event would come before there is one.
event.listen(
    SQLModel.metadata,
    "after_create",
    DDL(APPEND_ONLY),  # type: ignore[no-untyped-call]
)


def record(session: Session, entry: AuditEntry) -> None:
    """Append an entry to the trail."""
    session.add(entry)
    session.flush()

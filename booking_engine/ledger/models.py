"""Tables of the ledger: wallets hold lots, transfers move quantity between a lot's buckets."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from booking_engine.orm import EnumText, belongs_to, new_id, one_of

PRIORITY = 50  # of a lot whose product or giver says nothing else


class CreditKind(StrEnum):
    """The two kinds of credit. Simulator time counts minutes, coaching counts sessions."""

    SIMULATOR_MINUTES = "simulator_minutes"
    COACHING_SESSIONS = "coaching_sessions"


class Bucket(StrEnum):
    """Where a lot's quantity is. `issued` is the world outside: every lot begins there."""

    ISSUED = "issued"
    AVAILABLE = "available"
    HELD = "held"
    SPENT = "spent"
    EXPIRED = "expired"
    REVOKED = "revoked"


class AliasKind(StrEnum):
    """By which outside name a wallet is known."""

    CUSTOMER = "customer"
    ORDER = "order"
    EMAIL = "email"  # the keyed hash of an address that the shop has verified
    TEST = "test"  # what test orders grant, apart from everything real


class Wallet(SQLModel, table=True):
    """Where one person's lots sit. Carries no personal data."""

    __tablename__ = "wallet"
    __table_args__: ClassVar[Any] = (PrimaryKeyConstraint("studio_id", "id"),)

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    created_at: datetime
    erased_at: datetime | None = None  # its person asked to be forgotten; nobody uses it any more


class WalletAlias(SQLModel, table=True):
    """A name under which the outside knows a wallet: a customer id, an order without one."""

    __tablename__ = "wallet_alias"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "kind", "value"),
        belongs_to("wallet", "wallet_id"),
        one_of("kind", AliasKind),
        Index("ix_wallet_alias_studio_id_wallet_id", "studio_id", "wallet_id"),
    )

    studio_id: int = Field(sa_type=BigInteger)
    kind: AliasKind = Field(sa_type=EnumText(AliasKind))
    value: str = Field(sa_type=Text)
    wallet_id: UUID


class Lot(SQLModel, table=True):
    """Credits granted together: one paid unit, one kind, one expiry.

    `granted = available + held + spent + expired + revoked`, each >= 0, at every commit.
    """

    __tablename__ = "lot"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "source"),
        belongs_to("wallet", "wallet_id"),
        one_of("kind", CreditKind),
        CheckConstraint("granted > 0", name="granted"),
        CheckConstraint(
            "available >= 0 AND held >= 0 AND spent >= 0 AND expired >= 0 AND revoked >= 0",
            name="buckets_positive",
        ),
        CheckConstraint(
            "granted = available + held + spent + expired + revoked", name="buckets_add_up"
        ),
        CheckConstraint("paid_minor >= 0", name="paid_minor"),
        Index("ix_lot_studio_id_wallet_id_kind", "studio_id", "wallet_id", "kind"),
        Index("ix_lot_studio_id_order_id", "studio_id", "order_id"),
        Index(
            "ix_lot_expires_at",
            "expires_at",
            postgresql_where=text("available > 0 AND expires_at IS NOT NULL"),
        ),
    )

    studio_id: int = Field(sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    wallet_id: UUID
    kind: CreditKind = Field(sa_type=EnumText(CreditKind))
    granted: int = Field(sa_type=BigInteger)
    available: int = Field(default=0, sa_type=BigInteger)
    held: int = Field(default=0, sa_type=BigInteger)
    spent: int = Field(default=0, sa_type=BigInteger)
    expired: int = Field(default=0, sa_type=BigInteger)
    revoked: int = Field(default=0, sa_type=BigInteger)
    # What made it: "shop order:line:unit:kind", or a staff action's key. Granting twice is a no-op.
    source: str = Field(sa_type=Text)
    order_id: int | None = Field(default=None, sa_type=BigInteger)
    line_item_id: int | None = Field(default=None, sa_type=BigInteger)
    unit_index: int | None = None
    paid_minor: int = Field(default=0, sa_type=BigInteger)
    priority: int = PRIORITY
    expires_at: datetime | None = None
    granted_at: datetime
    withdrawn_at: datetime | None = None  # its unit is no longer wanted: refunded, edited away
    # For which sessions it is meant, as its product said when it was granted; NULL means all.
    only_for: dict[str, list[str]] | None = Field(default=None, sa_type=JSONB(none_as_null=True))
    frozen_at: datetime | None = None  # since when its payment is disputed; nothing may be drawn


class Transfer(SQLModel, table=True):
    """One movement between two buckets of a lot. Appended, never changed."""

    __tablename__ = "transfer"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "sequence"),
        UniqueConstraint("studio_id", "key"),
        belongs_to("lot", "lot_id"),
        one_of("from_bucket", Bucket),
        one_of("to_bucket", Bucket),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("from_bucket <> to_bucket", name="moves"),
        Index("ix_transfer_studio_id_lot_id", "studio_id", "lot_id"),
    )

    studio_id: int = Field(sa_type=BigInteger)
    sequence: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True)))
    key: str = Field(sa_type=Text)
    lot_id: UUID
    from_bucket: Bucket = Field(sa_type=EnumText(Bucket))
    to_bucket: Bucket = Field(sa_type=EnumText(Bucket))
    quantity: int = Field(sa_type=BigInteger)
    reason: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    at: datetime


class Draw(SQLModel, table=True):
    """What one lot pays towards one booking, and how much of that is still held."""

    __tablename__ = "draw"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "booking_id", "lot_id"),
        belongs_to("lot", "lot_id"),
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("held >= 0 AND held <= quantity", name="held"),
        Index(
            "ix_draw_studio_id_lot_id_held",
            "studio_id",
            "lot_id",
            postgresql_where=text("held > 0"),
        ),
    )

    studio_id: int = Field(sa_type=BigInteger)
    booking_id: UUID
    lot_id: UUID
    quantity: int = Field(sa_type=BigInteger)
    held: int = Field(sa_type=BigInteger)


class LotExtension(SQLModel, table=True):
    """A lot lives longer: until when before, until when since, why and by whom. Appended only."""

    __tablename__ = "lot_extension"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "sequence"),
        UniqueConstraint("studio_id", "key"),
        belongs_to("lot", "lot_id"),
        CheckConstraint("new_expires_at > old_expires_at", name="never_shortens"),
        Index("ix_lot_extension_studio_id_lot_id", "studio_id", "lot_id"),
    )

    studio_id: int = Field(sa_type=BigInteger)
    sequence: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True)))
    key: str = Field(sa_type=Text)
    lot_id: UUID
    old_expires_at: datetime
    new_expires_at: datetime
    reason: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    at: datetime


# The one way around it: `SET LOCAL simstudio.erasing` to `person` lets the trail's free words be
# blanked, to `studio` lets a whole tenant go (product rule D13; see booking_engine/erasing.py).
APPEND_ONLY = """
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('simstudio.erasing', true) = 'studio'
        OR TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_entry'
            AND current_setting('simstudio.erasing', true) = 'person'
    THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only',
        ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER transfer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""
EXTENSIONS_APPEND_ONLY = """
CREATE OR REPLACE TRIGGER lot_extension_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON lot_extension
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""


def _table(model: type[SQLModel]) -> Table:
    return model.metadata.tables[str(model.__tablename__)]


event.listen(_table(Transfer), "after_create", DDL(APPEND_ONLY))  # type: ignore[no-untyped-call]
# After all tables, because this one may be made before the function is.
event.listen(
    SQLModel.metadata,
    "after_create",
    DDL(EXTENSIONS_APPEND_ONLY),  # type: ignore[no-untyped-call]
)

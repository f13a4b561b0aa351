"""Tables of whose credits they are and were: merges, claims, gifts, people who were forgotten."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    DDL,
    BigInteger,
    CheckConstraint,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    Uuid,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from booking_engine.orm import EnumText, belongs_to, new_id, one_of


class ClaimKind(StrEnum):
    """What proved that an order's credits are a customer's."""

    EMAIL = "email"
    CODE = "code"
    STAFF = "staff"
    GIFT = "gift"


class WalletMerge(SQLModel, table=True):
    """One fact: the wallet of a removed customer went into that of the kept one. Appended only.

    The removed wallet's row is gone, so that nobody can write under it any more; `reference` names
    the delivery that said so. Carries no outside names: those are aliases.
    """

    __tablename__ = "wallet_merge"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "removed"),
        Index("ix_wallet_merge_studio_id_kept", "studio_id", "kept"),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    removed: UUID
    kept: UUID
    reference: str = Field(sa_type=Text)
    at: datetime


class Gift(SQLModel, table=True):
    """A paid unit that was bought for somebody else; its lots lie in a wallet of their own."""

    __tablename__ = "gift"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "order_id", "line_item_id", "unit_index"),
        belongs_to("wallet", "wallet_id"),
        Index(
            "ix_gift_opens_at",
            "opens_at",
            postgresql_where=text("announced_at IS NULL"),
        ),
        Index("ix_gift_studio_id_wallet_id", "studio_id", "wallet_id"),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    order_id: int = Field(sa_type=BigInteger)
    line_item_id: int = Field(sa_type=BigInteger)
    unit_index: int
    wallet_id: UUID
    # Its credits last that many days; None with an expiry that was written when it was bought.
    valid_days: int | None = None
    opens_at: datetime  # when its code is to be handed over
    announced_at: datetime | None = None
    claimed_at: datetime | None = None


class WalletClaim(SQLModel, table=True):
    """What a claim moved from one wallet to another, so that staff can put it back (D10)."""

    __tablename__ = "wallet_claim"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        belongs_to("wallet", "wallet_id"),
        belongs_to("wallet", "former_wallet_id"),
        belongs_to("gift", "gift_id"),
        one_of("kind", ClaimKind),
        CheckConstraint("(reverted_at IS NULL) = (reverted_by IS NULL)", name="reverted"),
        CheckConstraint("(kind = 'gift') = (gift_id IS NOT NULL)", name="gift"),
        Index(
            "uq_wallet_claim_standing",
            "studio_id",
            "order_id",
            unique=True,
            postgresql_where=text("reverted_at IS NULL AND gift_id IS NULL"),
        ),
        Index(
            "uq_wallet_claim_gift_standing",
            "studio_id",
            "gift_id",
            unique=True,
            postgresql_where=text("reverted_at IS NULL AND gift_id IS NOT NULL"),
        ),
        Index("ix_wallet_claim_studio_id_wallet_id", "studio_id", "wallet_id"),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    order_id: int = Field(sa_type=BigInteger)
    gift_id: UUID | None = None
    wallet_id: UUID
    former_wallet_id: UUID
    kind: ClaimKind = Field(sa_type=EnumText(ClaimKind))
    lots: list[UUID] = Field(sa_type=ARRAY(Uuid))
    bookings: list[UUID] = Field(sa_type=ARRAY(Uuid))
    claimed_at: datetime
    claimed_by: str = Field(sa_type=Text)
    reverted_at: datetime | None = None
    reverted_by: str | None = Field(default=None, sa_type=Text)


class ClaimCode(SQLModel, table=True):
    """A code with which somebody takes an order's credits, or a gift, once; kept as a digest."""

    __tablename__ = "claim_code"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "digest"),
        belongs_to("gift", "gift_id"),
        Index("ix_claim_code_studio_id_order_id", "studio_id", "order_id"),
        Index(
            "uq_claim_code_gift_id",
            "studio_id",
            "gift_id",
            unique=True,
            postgresql_where=text("gift_id IS NOT NULL AND withdrawn_at IS NULL"),
        ),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    digest: bytes = Field(sa_type=LargeBinary)
    order_id: int = Field(sa_type=BigInteger)
    gift_id: UUID | None = None
    issued_at: datetime
    expires_at: datetime | None = None
    redeemed_at: datetime | None = None
    withdrawn_at: datetime | None = None


class Tombstone(SQLModel, table=True):
    """A keyed hash of a customer's id or address that was erased: nothing may bring them back."""

    __tablename__ = "tombstone"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "digest"),
        belongs_to("wallet", "wallet_id"),
        Index("ix_tombstone_studio_id_wallet_id", "studio_id", "wallet_id"),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    digest: bytes = Field(sa_type=LargeBinary)
    wallet_id: UUID | None = None  # where late facts of theirs land; none for a mere address
    erased_at: datetime


class PersonExport(SQLModel, table=True):
    """Everything that is kept of a person, for whom they asked; forgotten after 30 days."""

    __tablename__ = "person_export"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "request"),
        belongs_to("wallet", "wallet_id"),
        Index("ix_person_export_created_at", "created_at"),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    request: str = Field(sa_type=Text)
    wallet_id: UUID | None = None
    document: dict[str, Any] = Field(sa_type=JSONB)
    created_at: datetime


class ShopExport(SQLModel, table=True):
    """A part of what a studio had when its shop was erased. The studio itself is gone by then."""

    __tablename__ = "shop_export"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "relation", "part"),
        Index("ix_shop_export_created_at", "created_at"),
    )

    studio_id: int = Field(sa_type=BigInteger)
    relation: str = Field(sa_type=Text)
    part: int
    shop: str = Field(sa_type=Text)
    content: list[dict[str, Any]] = Field(sa_type=JSONB)
    created_at: datetime


APPEND_ONLY = """
CREATE OR REPLACE TRIGGER wallet_merge_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON wallet_merge
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# The function is the ledger's; a table's own event would come before there is one.
event.listen(
    SQLModel.metadata,
    "after_create",
    DDL(APPEND_ONLY),  # type: ignore[no-untyped-call]
)

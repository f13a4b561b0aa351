"""Tables of what Shopify told us: deliveries as they came, orders as they are."""

from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from booking_engine.orm import EnumText, belongs_to, new_id, one_of


class DeliveryState(StrEnum):
    """Where a delivery is: waiting for a worker, done, or given up and visible."""

    PENDING = "pending"
    DONE = "done"
    DEAD = "dead"


class WebhookDelivery(SQLModel, table=True):
    """One POST from Shopify, written before it is understood (the inbox)."""

    __tablename__ = "webhook_delivery"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "id"),
        UniqueConstraint("studio_id", "webhook_id"),
        one_of("state", DeliveryState),
        Index("ix_webhook_delivery_due_at", "due_at", postgresql_where=text("state = 'pending'")),
        Index(
            "ix_webhook_delivery_received_at",
            "received_at",
            postgresql_where=text("body IS NOT NULL"),
        ),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    id: UUID = Field(default_factory=new_id)
    webhook_id: str = Field(sa_type=Text)
    event_id: str | None = Field(default=None, sa_type=Text)
    topic: str = Field(sa_type=Text)
    api_version: str | None = Field(default=None, sa_type=Text)
    triggered_at: str | None = Field(default=None, sa_type=Text)
    body: bytes | None = Field(default=None, sa_type=LargeBinary)  # None once it is forgotten
    state: DeliveryState = Field(sa_type=EnumText(DeliveryState))
    outcome: str | None = Field(default=None, sa_type=Text)
    attempts: int = 0
    last_error: str | None = Field(default=None, sa_type=Text)
    received_at: datetime
    due_at: datetime
    done_at: datetime | None = None


class ShopOrder(SQLModel, table=True):
    """The newest state of an order that we know, without personal data.

    `read_due_at` is set while something said that the order changed and its state must be read
    from the Admin API.
    """

    __tablename__ = "shop_order"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "order_id"),
        belongs_to("wallet", "wallet_id"),
        Index("ix_shop_order_read_due_at", "read_due_at"),
        Index(
            "ix_shop_order_address",
            "studio_id",
            "address",
            postgresql_where=text("address IS NOT NULL"),
        ),
        Index("ix_shop_order_studio_id_wallet_id", "studio_id", "wallet_id"),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    order_id: int = Field(sa_type=BigInteger)
    name: str | None = Field(default=None, sa_type=Text)
    wallet_id: UUID | None = None
    # The keyed hash of the e-mail address, only while no customer is named and nobody has claimed.
    address: bytes | None = Field(default=None, sa_type=LargeBinary)
    updated_at: datetime | None = None
    snapshot: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    outcomes: dict[str, str] = Field(default_factory=dict, sa_type=JSONB)  # by hold id
    disputes: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)  # by dispute id
    read_due_at: datetime | None = None
    read_attempts: int = 0
    last_error: str | None = Field(default=None, sa_type=Text)

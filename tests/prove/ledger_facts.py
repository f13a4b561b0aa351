"""What stands in ledger and book of the only studio, as the ledger's state machine reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from booking_engine.ledger.merging import OWNED

BUCKETS = ("available", "held", "spent", "expired", "revoked")


class LotRow(NamedTuple):
    """A lot as it stands; `swept` is what the sweep wrote as expired and nobody revived."""

    source: str
    id: UUID
    wallet_id: UUID
    kind: str
    granted: int
    available: int
    held: int
    spent: int
    expired: int
    revoked: int
    expires_at: datetime | None
    frozen_at: datetime | None
    withdrawn_at: datetime | None
    paid_minor: int
    granted_at: datetime
    order_id: int | None
    line_item_id: int | None
    unit_index: int | None
    swept: int


class BookingRow(NamedTuple):
    """A booking as it stands."""

    id: UUID
    wallet_id: UUID
    status: str
    starts_at: datetime
    due_at: datetime | None
    begun_at: datetime | None


@dataclass(frozen=True)
class Facts:
    """Everything at one moment; `rows` counts what is only ever appended."""

    lots: dict[str, LotRow]
    bookings: dict[UUID, BookingRow]
    draws: dict[UUID, dict[UUID, int]]  # what each booking holds of which lot
    debts: dict[int | None, int]  # per order
    names: dict[int, UUID]  # customers' wallets
    rows: dict[str, int]


_LOTS = text("""
    SELECT source, id, wallet_id, kind, granted, available, held, spent, expired, revoked,
           expires_at, frozen_at, withdrawn_at, paid_minor, granted_at, order_id, line_item_id,
           unit_index, coalesce(moved.swept, 0)::bigint
    FROM lot LEFT JOIN (
        SELECT lot_id, sum(CASE reason WHEN 'expired' THEN quantity ELSE -quantity END) AS swept
        FROM transfer WHERE reason IN ('expired', 'extended') GROUP BY lot_id
    ) moved ON moved.lot_id = lot.id
    ORDER BY id
""")
_BOOKINGS = text("SELECT id, wallet_id, status, starts_at, due_at, begun_at FROM booking")
_DRAWS = text("SELECT booking_id, lot_id, held FROM draw WHERE held > 0")
_DEBTS = text("SELECT order_id, sum(amount_minor)::bigint FROM debt_entry GROUP BY order_id")
_NAMES = text("SELECT value::bigint, wallet_id FROM wallet_alias WHERE kind = 'customer'")
_APPENDED = ("transfer", "lot", "lot_extension", "debt_entry", "wallet_merge")
_ROWS = text("SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in _APPENDED))
_OWNED_BY = text(
    " UNION ALL ".join(
        f"SELECT '{table}.{column}', count(*) FROM {table} WHERE {column} = ANY(:wallets)"
        for table, column in OWNED
    )
    + " UNION ALL SELECT 'debt_entry', count(*) FROM (SELECT FROM debt_entry"
    " WHERE debtor = ANY(:wallets) GROUP BY debtor HAVING sum(amount_minor) <> 0) owing"
    " UNION ALL SELECT 'wallet', count(*) FROM wallet WHERE id = ANY(:wallets)"
)


def read(session: Session) -> Facts:
    """Read everything."""
    draws: dict[UUID, dict[UUID, int]] = {}
    for booking, lot, held in session.execute(_DRAWS):
        draws.setdefault(booking, {})[lot] = held
    counted: Any = session.execute(_ROWS).one()
    return Facts(
        {row[0]: LotRow(*row) for row in session.execute(_LOTS)},
        {row[0]: BookingRow(*row) for row in session.execute(_BOOKINGS)},
        draws,
        {row[0]: row[1] for row in session.execute(_DEBTS)},
        {row[0]: row[1] for row in session.execute(_NAMES)},
        dict(zip(_APPENDED, counted, strict=True)),
    )


def left_behind(session: Session, wallets: list[UUID]) -> Iterator[str]:
    """Yield whatever still belongs to wallets that went into others."""
    if wallets:
        for what, count in session.execute(_OWNED_BY, {"wallets": wallets}):
            if count:
                yield f"{count} of {what} belong to a wallet that was merged into another"

"""What customers owe the studio in money: rows that are appended, and their sum (D5, D12).

An order that was taken back after its credits were used, or whose money the bank took back, leaves
a debt on the wallet; whoever owes books nothing by themselves until it is settled. Callers hold the
wallet's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlmodel import Field, Session, SQLModel, col, func, select

from booking_engine.errors import Conflict, Forbidden, Invalid
from booking_engine.orm import EnumText, new_id, one_of


class DebtCause(StrEnum):
    """Why the sum changed: what made it, what paid it, or that it moved to another wallet."""

    REFUND = "refund"
    DISPUTE = "dispute"
    SETTLEMENT = "settlement"
    HANDOVER = "handover"


class DebtEntry(SQLModel, table=True):
    """One change of what a wallet owes, in minor units: above zero owed, below zero settled.

    Entries of an order (`order_id`) add up to what that order has left to pay; a settlement names
    in `reference` what paid it and in `actor` who settled.
    """

    __tablename__ = "debt_entry"
    __table_args__: ClassVar[Any] = (
        PrimaryKeyConstraint("studio_id", "sequence"),
        UniqueConstraint("studio_id", "key"),
        one_of("cause", DebtCause),
        CheckConstraint("amount_minor <> 0", name="amount_minor"),
        Index("ix_debt_entry_studio_id_debtor", "studio_id", "debtor"),
        Index(
            "ix_debt_entry_studio_id_order_id",
            "studio_id",
            "order_id",
            postgresql_where=text("order_id IS NOT NULL"),
        ),
    )

    studio_id: int = Field(foreign_key="studio.id", sa_type=BigInteger)
    sequence: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True)))
    key: str = Field(sa_type=Text)
    debtor: UUID  # the wallet; it may be gone since, and then another one owes
    order_id: int | None = Field(default=None, sa_type=BigInteger)
    amount_minor: int = Field(sa_type=BigInteger)
    cause: DebtCause = Field(sa_type=EnumText(DebtCause))
    reference: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    at: datetime


APPEND_ONLY = """
CREATE OR REPLACE TRIGGER debt_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON debt_entry
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

# The function is the transfers'; a table's own event would come before there is one.
event.listen(
    SQLModel.metadata,
    "after_create",
    DDL(APPEND_ONLY),  # type: ignore[no-untyped-call]
)


class DebtOpen(Forbidden):
    """Whoever owes the studio money does not book by themselves."""

    code = "debt_open"


class NothingOwed(Conflict):
    """There is no debt to settle."""

    code = "nothing_owed"


@dataclass(frozen=True, slots=True)
class Settlement:
    """What pays a debt: so much (None: all of it), by what (an order, a receipt), and why."""

    amount_minor: int | None
    reference: str
    actor: str
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OrderDebt:
    """What one order leaves to pay, in minor units, and for which cause."""

    order_id: int
    amount_minor: int
    cause: DebtCause


def owed(session: Session, *, studio_id: int, wallet_id: UUID) -> int:
    """Return what a wallet owes, in minor units; below zero where too much was settled."""
    total = session.exec(
        select(func.coalesce(func.sum(DebtEntry.amount_minor), 0)).where(
            col(DebtEntry.studio_id) == studio_id, col(DebtEntry.debtor) == wallet_id
        )
    ).one()
    return int(total)


def refuse(session: Session, *, studio_id: int, wallet_id: UUID) -> None:
    """Raise `DebtOpen` for a wallet that owes money."""
    amount = owed(session, studio_id=studio_id, wallet_id=wallet_id)
    if amount > 0:
        raise DebtOpen(
            "there is money owed for credits that were used and paid back; settle it at the desk",
            owed_minor=amount,
        )


def bring_to(
    session: Session, *, studio_id: int, wallet_id: UUID, debt: OrderDebt, actor: str, at: datetime
) -> bool:
    """Bring what an order leaves its owner to pay to an amount; False where it stands there.

    What another wallet owes for it, which the order belonged to before, is handed over.
    """
    stands = _sums(session, studio_id, DebtEntry.debtor, col(DebtEntry.order_id) == debt.order_id)
    for former, amount in stands.items():
        if former != wallet_id and amount:
            _hand(session, studio_id, (former, wallet_id), debt.order_id, amount, actor, at)
    total = sum(stands.values())
    if debt.amount_minor == total:
        return False
    session.add(
        DebtEntry(
            studio_id=studio_id,
            key=f"order:{debt.order_id}:{new_id()}",
            debtor=wallet_id,
            order_id=debt.order_id,
            amount_minor=debt.amount_minor - total,
            cause=debt.cause,
            reference=f"order:{debt.order_id}",
            actor=actor,
            reason="used and paid back" if debt.amount_minor > total else "no longer owed",
            at=at,
        )
    )
    session.flush()
    return True


def settle(session: Session, *, studio_id: int, wallet_id: UUID, payment: Settlement) -> int:
    """Write down that a debt was paid or let go, and return what is still owed, in minor units.

    Raises `NothingOwed`, and `Invalid` for more than is owed.
    """
    open_minor = owed(session, studio_id=studio_id, wallet_id=wallet_id)
    if open_minor <= 0:
        raise NothingOwed("that customer owes nothing")
    amount = open_minor if payment.amount_minor is None else payment.amount_minor
    if not 0 < amount <= open_minor:
        raise Invalid(f"between 1 and {open_minor} can be settled", owed_minor=open_minor)
    session.add(
        DebtEntry(
            studio_id=studio_id,
            key=f"settled:{new_id()}",
            debtor=wallet_id,
            amount_minor=-amount,
            cause=DebtCause.SETTLEMENT,
            reference=payment.reference,
            actor=payment.actor,
            reason=payment.reason,
            at=payment.at,
        )
    )
    session.flush()
    return open_minor - amount


def hand_over(
    session: Session, *, studio_id: int, former: UUID, owner: UUID, actor: str, at: datetime
) -> None:
    """Let another wallet owe all that this one owes; both are locked."""
    owes = _sums(session, studio_id, DebtEntry.order_id, col(DebtEntry.debtor) == former)
    for order_id, amount in owes.items():
        if amount:
            _hand(session, studio_id, (former, owner), order_id, amount, actor, at)


def _sums(session: Session, studio_id: int, by: Any, condition: Any) -> dict[Any, int]:
    rows = session.exec(
        select(by, func.sum(DebtEntry.amount_minor))
        .where(col(DebtEntry.studio_id) == studio_id, condition)
        .group_by(by)
    ).all()
    return {row[0]: int(row[1]) for row in rows}


def _hand(
    session: Session,
    studio_id: int,
    wallets: tuple[UUID, UUID],
    order_id: int | None,
    amount: int,
    actor: str,
    at: datetime,
) -> None:
    former, owner = wallets
    for debtor, other, change in ((former, owner, -amount), (owner, former, amount)):
        session.add(
            DebtEntry(
                studio_id=studio_id,
                key=f"handover:{new_id()}",
                debtor=debtor,
                order_id=order_id,
                amount_minor=change,
                cause=DebtCause.HANDOVER,
                reference=f"wallet:{other}",
                actor=actor,
                reason="owed by another wallet now",
                at=at,
            )
        )
    session.flush()


def of_wallet(session: Session, *, studio_id: int, wallet_id: UUID) -> Sequence[DebtEntry]:
    """Return every entry of a wallet, oldest first."""
    return session.exec(
        select(DebtEntry)
        .where(col(DebtEntry.studio_id) == studio_id, col(DebtEntry.debtor) == wallet_id)
        .order_by(col(DebtEntry.sequence))
    ).all()

"""Claims: the credits and coming sessions of an order pass to whoever proves that they are theirs.

An order that names no customer, or another address than the customer's, is claimed by a verified
address, by a one-time code or by staff; staff can put it back for 30 days (product rule D10).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine.errors import Conflict, Gone, NotFound
from booking_engine.ledger import wallets
from booking_engine.ledger.models import Wallet
from booking_engine.ledger.people_models import ClaimKind, Gift, WalletClaim

REVERSIBLE_FOR = timedelta(days=30)
CLAIMABLE_FOR = timedelta(days=730)  # by a verified address alone


class NothingToClaim(NotFound):
    """That order has no credits that could pass to anybody."""

    code = "nothing_to_claim"


class AlreadyClaimed(Conflict):
    """The order's credits were claimed before."""

    code = "already_claimed"


class Entangled(Conflict):
    """Sessions to come are paid with these credits and with others, or were booked since."""

    code = "claim_entangled"


class ClaimFinal(Gone):
    """The claim was put back already, or is too old for that."""

    code = "claim_final"


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims, what proves it, and how the claim names whoever did it."""

    wallet_id: UUID
    kind: ClaimKind
    by: str


_LOTS = text("""
    SELECT id, wallet_id FROM lot
    WHERE studio_id = :studio_id AND order_id = :order_id AND (
        CASE WHEN CAST(:gift_id AS uuid) IS NULL THEN NOT EXISTS (
            SELECT FROM gift WHERE gift.studio_id = lot.studio_id AND gift.order_id = lot.order_id
              AND gift.line_item_id = lot.line_item_id AND gift.unit_index = lot.unit_index)
        ELSE EXISTS (
            SELECT FROM gift WHERE gift.studio_id = lot.studio_id AND gift.id = :gift_id
              AND gift.line_item_id = lot.line_item_id AND gift.unit_index = lot.unit_index)
        END)
    ORDER BY id
""")

# A session to come goes with the credits that pay for it; one that came with them (`known`) goes
# back with them, and with no others.
_BOOKINGS = text("""
    SELECT booking.id, booking.code,
        coalesce(bool_or(draw.held > 0 AND draw.lot_id <> ALL(:lots)), false) AS is_mixed
    FROM booking LEFT JOIN draw
        ON draw.studio_id = booking.studio_id AND draw.booking_id = booking.id
    WHERE booking.studio_id = :studio_id AND booking.wallet_id = :wallet_id
      AND status IN ('held', 'awaiting_payment', 'awaiting_approval', 'confirmed', 'checked_in')
    GROUP BY booking.id, booking.code, booking.order_id
    HAVING bool_or(draw.held > 0 AND (draw.lot_id = ANY(:lots) OR booking.id = ANY(:known)))
        OR booking.order_id = :order_id AND CAST(:gift_id AS uuid) IS NULL
    ORDER BY booking.id
""")

_MOVE = {
    table: text(
        f"UPDATE {table} SET wallet_id = :owner"  # noqa: S608 - one of two names
        " WHERE studio_id = :studio_id AND id = ANY(:ids)"
    )
    for table in ("lot", "booking")
}
_MOVE_ORDER = text("""
    UPDATE shop_order SET wallet_id = :owner, address = NULL
    WHERE studio_id = :studio_id AND order_id = :order_id
""")


def standing(session: Session, *, studio_id: int, order_id: int) -> WalletClaim | None:
    """Return the claim by which an order's credits are somebody's, None where none stands."""
    return session.exec(
        select(WalletClaim).where(
            col(WalletClaim.studio_id) == studio_id,
            col(WalletClaim.order_id) == order_id,
            col(WalletClaim.gift_id).is_(None),
            col(WalletClaim.reverted_at).is_(None),
        )
    ).first()


def of_order(session: Session, *, studio_id: int, order_id: int) -> Sequence[WalletClaim]:
    """Return every claim of an order and of its gifts, oldest first."""
    return session.exec(
        select(WalletClaim)
        .where(col(WalletClaim.studio_id) == studio_id, col(WalletClaim.order_id) == order_id)
        .order_by(col(WalletClaim.id))
    ).all()


def claim(
    session: Session,
    *,
    studio_id: int,
    order_id: int,
    gift: Gift | None = None,
    claimant: Claimant,
    now: datetime,
) -> WalletClaim:
    """Move an order's credits, or those of one gift in it, and the sessions that they pay for.

    Locks the order and both wallets. Raises `NothingToClaim`, `AlreadyClaimed`, `Entangled` and
    `WalletMoved`.
    """
    about = {"studio_id": studio_id, "order_id": order_id, "gift_id": gift.id if gift else None}
    wallets.lock_orders(session, studio_id=studio_id, order_ids=[order_id])
    lots, former = _lots(session, about)
    wallets.lock_all(session, studio_id=studio_id, wallet_ids=[former, claimant.wallet_id])
    if gift is None and standing(session, studio_id=studio_id, order_id=order_id) is not None:
        raise AlreadyClaimed("that order was claimed before")
    if former == claimant.wallet_id:
        raise AlreadyClaimed("those credits are there already")
    for wallet_id in (former, claimant.wallet_id):
        _refuse_erased(session, studio_id, wallet_id)
    if wallets.is_of_tests(session, studio_id=studio_id, wallet_id=former):
        raise NothingToClaim("that is a test order; its credits are not real")
    booked = _bookings(session, about, lots, former)
    made = WalletClaim(
        studio_id=studio_id,
        order_id=order_id,
        gift_id=gift.id if gift else None,
        wallet_id=claimant.wallet_id,
        former_wallet_id=former,
        kind=claimant.kind,
        lots=lots,
        bookings=list(booked),
        claimed_at=now,
        claimed_by=claimant.by,
    )
    session.add(made)
    session.flush()
    _move(session, made, owner=claimant.wallet_id)
    return made


def revert(
    session: Session, *, studio_id: int, claim_id: UUID, by: str, now: datetime
) -> WalletClaim:
    """Put back what a claim moved, for 30 days.

    Raises `NotFound`, `ClaimFinal`, and `Entangled` while a session that was booked since, or that
    other credits pay too, still holds some of it.
    """
    found = session.exec(
        select(WalletClaim)
        .where(col(WalletClaim.studio_id) == studio_id, col(WalletClaim.id) == claim_id)
        .execution_options(populate_existing=True)
    ).first()
    if found is None:
        raise NotFound("there is no such claim")
    wallets.lock_orders(session, studio_id=studio_id, order_ids=[found.order_id])
    session.refresh(found)
    ids = [found.wallet_id, found.former_wallet_id]
    wallets.lock_all(session, studio_id=studio_id, wallet_ids=ids)
    session.refresh(found, with_for_update=True)
    if found.reverted_at is not None:
        raise ClaimFinal("that claim was put back already")
    if now > found.claimed_at + REVERSIBLE_FOR:
        raise ClaimFinal(f"a claim can be put back for {REVERSIBLE_FOR.days} days")
    about = {"studio_id": studio_id, "order_id": found.order_id, "gift_id": found.gift_id}
    booked = _bookings(session, about, found.lots, found.wallet_id, known=found.bookings)
    if newer := sorted(code for each, code in booked.items() if each not in found.bookings):
        raise Entangled(
            f"sessions were booked with these credits since: {', '.join(newer)}; cancel them first",
            bookings=newer,
        )
    found.reverted_at, found.reverted_by = now, by
    session.flush()
    _move(session, found, owner=found.former_wallet_id)
    return found


def _lots(session: Session, about: dict[str, Any]) -> tuple[list[UUID], UUID]:
    rows = session.execute(_LOTS, about).all()
    owners = {row[1] for row in rows}
    if len(owners) != 1:
        raise NothingToClaim("that order has no credits that could be claimed")
    return [row[0] for row in rows], owners.pop()


def _bookings(
    session: Session,
    about: dict[str, Any],
    lots: list[UUID],
    wallet_id: UUID,
    *,
    known: Sequence[UUID] = (),
) -> dict[UUID, str]:
    values = {**about, "lots": lots, "wallet_id": wallet_id, "known": list(known)}
    rows = session.execute(_BOOKINGS, values).all()
    if mixed := sorted(row.code for row in rows if row.is_mixed):
        raise Entangled(
            f"other credits pay for these sessions too: {', '.join(mixed)}; cancel them first",
            bookings=mixed,
        )
    return {row.id: row.code for row in rows}


def _refuse_erased(session: Session, studio_id: int, wallet_id: UUID) -> None:
    wallet = session.get(Wallet, (studio_id, wallet_id), populate_existing=True)
    if wallet is None or wallet.erased_at is not None:
        raise NothingToClaim("that order has no credits that could be claimed")


def _move(session: Session, claimed: WalletClaim, *, owner: UUID) -> None:
    whose = {"studio_id": claimed.studio_id, "owner": owner}
    session.execute(_MOVE["lot"], {**whose, "ids": claimed.lots})
    session.execute(_MOVE["booking"], {**whose, "ids": claimed.bookings})
    if claimed.gift_id is None:
        session.execute(_MOVE_ORDER, {**whose, "order_id": claimed.order_id})
        wallets.name_order(
            session, studio_id=claimed.studio_id, order_id=claimed.order_id, wallet_id=owner
        )
    session.expire_all()

"""One-time codes: whoever has one takes an order's credits, or a gift (product rules D10 and C13).

A code is never kept, only its digest; it can be made again from its row and the studio's key.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import claims, gifts
from booking_engine.booking.claims import AlreadyClaimed, Claimant, Entangled, NothingToClaim
from booking_engine.errors import NotFound
from booking_engine.ledger.people_models import ClaimCode, ClaimKind, Gift, WalletClaim
from booking_engine.ledger.pseudonyms import Pseudonyms, code_digest
from booking_engine.orm import new_id

VALID_FOR = timedelta(days=30)  # a code for an order; a gift's code stays good


class UnknownCode(NotFound):
    """No such code, or one that has done its work: nobody learns which."""

    code = "unknown_code"

    def __init__(self) -> None:
        super().__init__("that code is not known, or was used; check its letters or ask the studio")


_STANDING = text("""
    SELECT EXISTS (
        SELECT FROM lot LEFT JOIN gift
            ON gift.studio_id = lot.studio_id AND gift.order_id = lot.order_id
           AND gift.line_item_id = lot.line_item_id AND gift.unit_index = lot.unit_index
        WHERE lot.studio_id = :studio_id AND lot.order_id = :order_id
          AND lot.withdrawn_at IS NULL AND gift.id IS NOT DISTINCT FROM CAST(:gift_id AS uuid))
""")


def issue(
    session: Session,
    *,
    studio_id: int,
    order_id: int,
    gift_id: UUID | None = None,
    pseudonyms: Pseudonyms,
    now: datetime,
) -> tuple[ClaimCode, str]:
    """Make a code and return it with its row; raises `NothingToClaim`, `AlreadyClaimed`.

    Earlier codes for the same stop working.
    """
    if not _stands(session, studio_id, order_id, gift_id):
        raise NothingToClaim("that order has no credits that could be claimed")
    if gift_id is None and claims.standing(session, studio_id=studio_id, order_id=order_id):
        raise AlreadyClaimed("that order was claimed before")
    for earlier in of_order(session, studio_id=studio_id, order_id=order_id):
        if earlier.gift_id == gift_id and earlier.withdrawn_at is None:
            earlier.withdrawn_at = now
    session.flush()
    row_id = new_id()
    code = pseudonyms.code(studio_id, row_id)
    row = ClaimCode(
        studio_id=studio_id,
        id=row_id,
        digest=code_digest(code),
        order_id=order_id,
        gift_id=gift_id,
        issued_at=now,
        expires_at=now + VALID_FOR if gift_id is None else None,
    )
    session.add(row)
    session.flush()
    return row, code


def of_order(session: Session, *, studio_id: int, order_id: int) -> Sequence[ClaimCode]:
    """Return every code of an order and of its gifts, oldest first."""
    return session.exec(
        select(ClaimCode)
        .where(col(ClaimCode.studio_id) == studio_id, col(ClaimCode.order_id) == order_id)
        .order_by(col(ClaimCode.id))
    ).all()


def of_gifts(
    session: Session, *, studio_id: int, gift_ids: Sequence[UUID]
) -> dict[UUID, ClaimCode]:
    """Return the code of each gift that has one."""
    found = session.exec(
        select(ClaimCode).where(
            col(ClaimCode.studio_id) == studio_id,
            col(ClaimCode.gift_id).in_(gift_ids),
            col(ClaimCode.withdrawn_at).is_(None),
        )
    ).all()
    return {row.gift_id: row for row in found if row.gift_id is not None}


def shown(row: ClaimCode, pseudonyms: Pseudonyms) -> str | None:
    """Return the code of a row; None where the key that made it is no longer set."""
    codes = pseudonyms.codes(row.studio_id, row.id)
    return next((code for code in codes if code_digest(code) == row.digest), None)


def is_good(row: ClaimCode, *, now: datetime) -> bool:
    """Tell whether a code can still be redeemed, as far as it alone says."""
    if row.redeemed_at is not None or row.withdrawn_at is not None:
        return False
    return row.expires_at is None or now < row.expires_at


def redeem(
    session: Session, *, studio_id: int, code: str, wallet_id: UUID, by: str, now: datetime
) -> WalletClaim:
    """Take what a code stands for, once; raises `UnknownCode` for whatever reason it is no good."""
    row = session.exec(
        select(ClaimCode)
        .where(col(ClaimCode.studio_id) == studio_id, col(ClaimCode.digest) == code_digest(code))
        .with_for_update()
    ).first()
    if row is None or not is_good(row, now=now):
        raise UnknownCode
    if not _stands(session, studio_id, row.order_id, row.gift_id):
        raise UnknownCode  # it was refunded
    gift = gifts.get(session, studio_id=studio_id, gift_id=row.gift_id) if row.gift_id else None
    kind = ClaimKind.GIFT if gift else ClaimKind.CODE
    row.redeemed_at = now
    session.flush()
    try:
        return take(
            session,
            studio_id=studio_id,
            order_id=row.order_id,
            gift=gift,
            claimant=Claimant(wallet_id, kind, by),
            now=now,
        )
    except (NothingToClaim, AlreadyClaimed, Entangled):
        raise UnknownCode from None


def take(
    session: Session,
    *,
    studio_id: int,
    order_id: int,
    gift: Gift | None,
    claimant: Claimant,
    now: datetime,
) -> WalletClaim:
    """Claim an order or a gift in it, whose time then begins; raises as `claims.claim` does."""
    made = claims.claim(
        session, studio_id=studio_id, order_id=order_id, gift=gift, claimant=claimant, now=now
    )
    if gift is not None:
        gifts.begin(session, gift=gift, wallet_id=claimant.wallet_id, now=now)
        about = {"gift": str(gift.id)}
        attention.withdraw_about(
            session, studio_id=studio_id, about=about, now=now, kinds=[gifts.READY]
        )
    return made


def put_back(
    session: Session, *, studio_id: int, claim_id: UUID, by: str, now: datetime
) -> WalletClaim:
    """Revert a claim; a gift can be claimed again, with a new code. Raises as `claims.revert`."""
    reverted = claims.revert(session, studio_id=studio_id, claim_id=claim_id, by=by, now=now)
    if reverted.gift_id is not None:
        gift = gifts.get(session, studio_id=studio_id, gift_id=reverted.gift_id)
        gifts.close(session, gift=gift, wallet_id=reverted.former_wallet_id)
        for row in of_order(session, studio_id=studio_id, order_id=reverted.order_id):
            if row.gift_id == reverted.gift_id and row.withdrawn_at is None:
                row.withdrawn_at = now
        session.flush()
    return reverted


def _stands(session: Session, studio_id: int, order_id: int, gift_id: UUID | None) -> bool:
    values = {"studio_id": studio_id, "order_id": order_id, "gift_id": gift_id}
    return bool(session.execute(_STANDING, values).scalar_one())

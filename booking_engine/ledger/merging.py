"""Two customers become one: everything of the removed one's wallet goes into the kept one's (D11).

Lots keep their ids, keys, expiry, order links and transfers: a transfer moves quantity between two
buckets of one lot, so moving credits by transfers would have to end every lot and begin a new one.
Instead the owner is changed, and one appended row (`wallet_merge`) says when and why. The emptied
wallet's row goes: whoever still holds its id finds nothing to lock, and can write nothing under it.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine.ledger import debts
from booking_engine.ledger.models import Wallet
from booking_engine.ledger.people_models import WalletMerge
from booking_engine.ledger.wallets import WalletMoved

# Every column that says whose something is. A test holds this against the tables.
OWNED: tuple[tuple[str, str], ...] = (
    ("booking", "wallet_id"),
    ("gift", "wallet_id"),
    ("lot", "wallet_id"),
    ("person_export", "wallet_id"),
    ("series", "wallet_id"),
    ("shop_order", "wallet_id"),
    ("strike", "wallet_id"),
    ("tombstone", "wallet_id"),
    ("waitlist_entry", "wallet_id"),
    ("wallet_alias", "wallet_id"),
    ("wallet_claim", "former_wallet_id"),
    ("wallet_claim", "wallet_id"),
)


def merge(
    session: Session, *, studio_id: int, kept: UUID, removed: UUID, reference: str, now: datetime
) -> bool:
    """Move all that one wallet owns into another; False where they are one already.

    Both are locked here, in sorted order. Raises `WalletMoved` where one of them is gone.
    """
    if kept == removed:
        return False
    session.flush()
    for wallet_id in sorted((kept, removed)):
        # The one that goes is locked against everybody who refers to it, too.
        _lock(session, studio_id, wallet_id, key_share=wallet_id == kept)
    whose = {"studio_id": studio_id, "kept": kept, "removed": removed}
    for table, column in OWNED:
        session.execute(
            text(
                f"UPDATE {table} SET {column} = :kept"  # noqa: S608 - names of the list above
                f" WHERE studio_id = :studio_id AND {column} = :removed"
            ),
            whose,
        )
    debts.hand_over(
        session, studio_id=studio_id, former=removed, owner=kept, actor="system", at=now
    )
    session.execute(
        text("DELETE FROM wallet WHERE studio_id = :studio_id AND id = :removed"), whose
    )
    session.add(
        WalletMerge(studio_id=studio_id, removed=removed, kept=kept, reference=reference, at=now)
    )
    session.flush()
    session.expire_all()
    return True


def _lock(session: Session, studio_id: int, wallet_id: UUID, *, key_share: bool) -> None:
    found = session.exec(
        select(Wallet.id)
        .where(col(Wallet.studio_id) == studio_id, col(Wallet.id) == wallet_id)
        .with_for_update(key_share=key_share)
    ).first()
    if found is None:
        raise WalletMoved

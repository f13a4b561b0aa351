"""Customers as the shop tells of them: verified addresses, merges, and whose an order is.

Product rules D10 and D11. An address is only ever compared by its keyed hash.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine.booking import claim_codes, claims, erasure, holds, waitlist
from booking_engine.booking.claims import AlreadyClaimed, Claimant, Entangled, NothingToClaim
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import merging, wallets
from booking_engine.ledger.models import Lot, Wallet
from booking_engine.ledger.people_models import ClaimKind, Gift
from booking_engine.ledger.pseudonyms import Pseudonyms
from shopify_gateway.deliveries import UnreadableDelivery
from shopify_gateway.models import ShopOrder
from shopify_gateway.order import Order, customer_number, from_snapshot

VERIFYING_TOPICS = frozenset({"customers/create", "customers/update", "customers/enable"})
MERGE_TOPIC = "customers/merge"
COMPLETED, NOT_COMPLETED = "completed", "not_completed"
_LOCK_ADDRESS = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


@dataclass(frozen=True, slots=True)
class Told:
    """What the shop says about people: where, what, in which delivery, and when we heard it."""

    studio_id: int
    payload: Mapping[str, Any]
    reference: str
    privacy: Pseudonyms
    now: datetime


def admit(
    session: Session, *, studio_id: int, order: Order, privacy: Pseudonyms, now: datetime
) -> Order:
    """Return an order as it may be kept: of somebody who was erased it names no customer.

    What is still to happen to it then happens to the erased wallet (D13). The order is locked, so
    that nobody forgets its customer between this look and what follows.
    """
    if order.customer_id is None:
        return order
    wallets.lock_orders(session, studio_id=studio_id, order_ids=[order.id])
    known = wallets.find_customer(session, studio_id=studio_id, customer_id=order.customer_id)
    digests = privacy.customers(studio_id, order.customer_id)
    erased = None if known else erasure.find(session, studio_id=studio_id, digests=digests)
    if erased is None or erased.wallet_id is None:
        return order
    wallets.name_order(session, studio_id=studio_id, order_id=order.id, wallet_id=erased.wallet_id)
    return replace(order, customer_id=None)


def lock_owner(session: Session, *, row: ShopOrder, order: Order, now: datetime) -> UUID:
    """Return whose an order is: who claimed it, its customer, or nobody yet (a wallet of its own).

    Locks that wallet and every other one in which the order has credits, in sorted order; claims
    queue for the order, which the caller has locked. Raises `WalletMoved` where a merge came in
    between; whoever asks again finds the new owner.
    """
    owner = _owner(session, row, order, now)
    involved = {owner, *_involved(session, row)}
    wallets.lock_all(session, studio_id=row.studio_id, wallet_ids=involved)
    return owner


def freeze_erased(session: Session, *, studio: Studio, order_id: int, now: datetime) -> None:
    """Freeze and list what an order has granted to people who were erased."""
    for wallet_id in erased_owners(session, studio_id=studio.id, order_id=order_id):
        erasure.freeze(session, studio=studio, wallet_id=wallet_id, now=now)


def erased_owners(session: Session, *, studio_id: int, order_id: int) -> Sequence[UUID]:
    """Return the wallets of erased people in which an order has credits, in order."""
    return session.exec(
        select(Lot.wallet_id)
        .join(
            Wallet,
            (col(Wallet.studio_id) == col(Lot.studio_id)) & (col(Wallet.id) == col(Lot.wallet_id)),
        )
        .where(
            col(Lot.studio_id) == studio_id,
            col(Lot.order_id) == order_id,
            col(Wallet.erased_at).is_not(None),
        )
        .distinct()
        .order_by(col(Lot.wallet_id))
    ).all()


def queue_guest(
    session: Session, *, studio_id: int, order: Order, address: str | None, privacy: Pseudonyms
) -> None:
    """Queue for the address of an order without a customer, and for whoever has verified it.

    Taken before the order's own locks: its credits may go to that wallet (see `note_address`), and
    an account with the address that is heard of meanwhile waits, or has been heard of.
    """
    if order.customer_id is not None or not address:
        return
    digests = privacy.addresses(studio_id, address)
    _queue_for(session, studio_id, digests)
    known = wallets.find_address(session, studio_id=studio_id, addresses=digests)
    if known is None:
        return
    wallets.lock_orders(session, studio_id=studio_id, order_ids=[order.id])
    row = session.get(ShopOrder, (studio_id, order.id))
    involved = _involved(session, row) if row is not None else set()
    wallets.lock_all(session, studio_id=studio_id, wallet_ids={known.id, *involved})


def note_address(
    session: Session,
    *,
    studio_id: int,
    order_id: int,
    address: str | None,
    privacy: Pseudonyms,
    now: datetime,
) -> None:
    """Remember, hashed, to which address an order without a customer belongs.

    Whoever has verified that address already has its credits at once. The caller has queued for it.
    """
    row = session.get_one(ShopOrder, (studio_id, order_id))
    if not address or "@" not in address or row.snapshot is None:
        return
    is_unclaimed = from_snapshot(row.snapshot).customer_id is None
    if not is_unclaimed or claims.standing(session, studio_id=studio_id, order_id=order_id):
        return
    digests = privacy.addresses(studio_id, address)
    if erasure.find(session, studio_id=studio_id, digests=digests) is not None:
        return
    row.address = digests[0]
    session.flush()
    known = wallets.find_address(session, studio_id=studio_id, addresses=digests)
    if known is not None:
        _claim_orders(session, studio_id, [row], known.id, now)


def address_in(payload: Mapping[str, Any]) -> str | None:
    """Return the e-mail address on an order or of a customer, None where there is none."""
    named = (payload.get("email") or payload.get("contact_email"), _part(payload).get("email"))
    return next((each for each in named if isinstance(each, str) and "@" in each), None)


def is_erased(
    session: Session, *, studio_id: int, payload: Mapping[str, Any], privacy: Pseudonyms
) -> bool:
    """Tell whether what the shop sent is about somebody who was erased."""
    digests: list[bytes] = []
    address = address_in(payload)
    if address is not None:
        digests += privacy.addresses(studio_id, address)
    for customer in (_part(payload), payload if "verified_email" in payload else {}):
        try:
            number = customer_number(customer)
        except (TypeError, ValueError):
            continue
        digests += privacy.customers(studio_id, number) if number is not None else []
    return erasure.find(session, studio_id=studio_id, digests=digests) is not None


def _part(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    customer = payload.get("customer")
    return customer if isinstance(customer, Mapping) else {}


def hear(session: Session, told: Told) -> str:
    """Take what customers/create, update or enable says: a verified address claims its orders."""
    studio_id, payload, privacy, now = told.studio_id, told.payload, told.privacy, told.now
    customer_id = _number(payload)
    address = payload.get("email")
    is_verified = payload.get("verified_email") is True
    if not is_verified or not isinstance(address, str) or "@" not in address:
        known = wallets.find_customer(session, studio_id=studio_id, customer_id=customer_id)
        if known is not None:
            wallets.drop_address(session, studio_id=studio_id, wallet_id=known.id)
        return "unverified"
    digests = privacy.addresses(studio_id, address)
    erased = [*digests, *privacy.customers(studio_id, customer_id)]
    if erasure.find(session, studio_id=studio_id, digests=erased) is not None:
        return "erased"
    _queue_for(session, studio_id, digests)
    wallet = wallets.of_customer(session, studio_id=studio_id, customer_id=customer_id, now=now)
    waiting = session.exec(
        select(ShopOrder)
        .where(col(ShopOrder.studio_id) == studio_id, col(ShopOrder.address).in_(digests))
        .order_by(col(ShopOrder.order_id))
    ).all()
    done = _claim_orders(session, studio_id, waiting, wallet.id, now)
    session.refresh(wallet)
    if wallet.erased_at is not None:
        return "erased"  # while we queued for them
    wallets.name_address(session, studio_id=studio_id, address=digests[0], wallet_id=wallet.id)
    return "claimed" if done else "verified"


def merged(session: Session, told: Told) -> str:
    """Take what customers/merge says, once it is completed; which one is kept the event knows."""
    studio_id, payload, privacy, now = told.studio_id, told.payload, told.privacy, told.now
    if str(payload.get("status")).lower() != COMPLETED:
        return NOT_COMPLETED
    kept, removed = merge_in(payload)
    waitlist.queue(session, studio_id=studio_id)
    owner = _customer_wallet(session, studio_id, kept, privacy, now)
    former = wallets.find_customer(session, studio_id=studio_id, customer_id=removed)
    if former is None:
        # Nothing of theirs is here yet; what comes late under the old id belongs to the kept one.
        wallets.name_customer(session, studio_id=studio_id, customer_id=removed, wallet_id=owner.id)
        return "named"
    involved = [former.id, *([owner.id] if owner.erased_at is not None else [])]
    theirs = select(ShopOrder.order_id).where(
        col(ShopOrder.studio_id) == studio_id, col(ShopOrder.wallet_id).in_(involved)
    )
    order_ids = session.exec(theirs).all()
    wallets.lock_orders(session, studio_id=studio_id, order_ids=order_ids)
    changed = merging.merge(
        session,
        studio_id=studio_id,
        kept=owner.id,
        removed=former.id,
        reference=told.reference,
        now=now,
    )
    holds.rename_holder(
        session, studio_id=studio_id, former=f"customer:{removed}", holder=f"customer:{kept}"
    )
    return "merged" if changed else "agreed"


def _queue_for(session: Session, studio_id: int, digests: Sequence[bytes]) -> None:
    session.execute(_LOCK_ADDRESS, {"name": f"address:{studio_id}:{digests[0].hex()}"})


def merge_in(payload: Mapping[str, Any]) -> tuple[int, int]:
    """Return the customer who is kept and who is removed; raises `UnreadableDelivery`."""
    return (
        _number({"id": payload.get("admin_graphql_api_customer_kept_id")}),
        _number({"id": payload.get("admin_graphql_api_customer_deleted_id")}),
    )


def _number(customer: Mapping[str, Any]) -> int:
    try:
        found = customer_number(customer)
    except (TypeError, ValueError) as error:
        raise UnreadableDelivery("a customer's id is no number") from error
    if found is None:
        raise UnreadableDelivery("the body names no customer where it should")
    return found


def _customer_wallet(
    session: Session, studio_id: int, customer_id: int, privacy: Pseudonyms, now: datetime
) -> Wallet:
    """Return a customer's wallet, also of one who was erased."""
    known = wallets.find_customer(session, studio_id=studio_id, customer_id=customer_id)
    if known is not None:
        return known
    digests = privacy.customers(studio_id, customer_id)
    erased = erasure.find(session, studio_id=studio_id, digests=digests)
    if erased is not None and erased.wallet_id is not None:
        return session.get_one(Wallet, (studio_id, erased.wallet_id))
    return wallets.of_customer(session, studio_id=studio_id, customer_id=customer_id, now=now)


def _owner(session: Session, row: ShopOrder, order: Order, now: datetime) -> UUID:
    if order.is_test:
        name = f"customer:{order.customer_id}" if order.customer_id else f"order:{order.id}"
        return wallets.of_test(session, studio_id=row.studio_id, name=name, now=now).id
    claimed = claims.standing(session, studio_id=row.studio_id, order_id=order.id)
    if claimed is not None:
        session.refresh(claimed)
        return claimed.wallet_id
    if order.customer_id is None:
        return _nobody_s(session, row, now)
    return wallets.of_customer(
        session, studio_id=row.studio_id, customer_id=order.customer_id, now=now
    ).id


def _nobody_s(session: Session, row: ShopOrder, now: datetime) -> UUID:
    """Return the wallet of an order that names no customer, or that no longer names one."""
    about = {"studio_id": row.studio_id, "order_id": row.order_id}
    if row.wallet_id is None or wallets.find_order(session, **about) is not None:
        return wallets.of_order(session, **about, now=now).id
    return row.wallet_id


def _involved(session: Session, row: ShopOrder) -> set[UUID]:
    """Return every wallet in which an order has credits, or is to have them."""
    of_lots = select(Lot.wallet_id).where(
        col(Lot.studio_id) == row.studio_id, col(Lot.order_id) == row.order_id
    )
    of_gifts = select(Gift.wallet_id).where(
        col(Gift.studio_id) == row.studio_id, col(Gift.order_id) == row.order_id
    )
    known = {row.wallet_id} if row.wallet_id is not None else set()
    return {*session.exec(of_lots).all(), *session.exec(of_gifts).all(), *known}


def _claim_orders(
    session: Session, studio_id: int, rows: Any, wallet_id: UUID, now: datetime
) -> int:
    """Claim the orders of a verified address that are recent enough; returns how many."""
    order_ids = [row.order_id for row in rows]
    wallets.lock_orders(session, studio_id=studio_id, order_ids=order_ids)
    for row in rows:
        session.refresh(row)
    claimable = [row for row in rows if _is_claimable(session, row, wallet_id, now)]
    former = {row.wallet_id for row in claimable if row.wallet_id is not None}
    wallets.lock_all(session, studio_id=studio_id, wallet_ids={*former, wallet_id})
    claimant = Claimant(wallet_id, ClaimKind.EMAIL, "system")
    done = 0
    for order_id in [row.order_id for row in claimable]:
        try:
            claim_codes.take(
                session,
                studio_id=studio_id,
                order_id=order_id,
                gift=None,
                claimant=claimant,
                now=now,
            )
            done += 1
        except (NothingToClaim, AlreadyClaimed, Entangled):
            continue  # not paid yet, or for staff to settle
    return done


def _is_claimable(session: Session, row: ShopOrder, wallet_id: UUID, now: datetime) -> bool:
    if row.snapshot is None:
        return False
    order = from_snapshot(row.snapshot)
    if order.customer_id is not None or order.ordered_at < now - claims.CLAIMABLE_FOR:
        return False
    earlier = claims.of_order(session, studio_id=row.studio_id, order_id=row.order_id)
    # What staff have put back does not come again by itself.
    return not any(each.wallet_id == wallet_id and each.gift_id is None for each in earlier)

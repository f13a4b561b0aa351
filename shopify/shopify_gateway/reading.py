"""Reads orders from the Admin API and converges them: read, close, call, open, write."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

import structlog
from sqlmodel import Session, col, func, select
from sqlmodel.sql.expression import SelectOfScalar

from booking_engine import attention
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Unavailable
from booking_engine.ledger.models import AliasKind, Lot, WalletAlias
from booking_engine.ledger.pseudonyms import Pseudonyms
from shopify_gateway import orders, people
from shopify_gateway.admin import Admin, AdminRefused
from shopify_gateway.models import ShopOrder
from shopify_gateway.order import UnreadableOrder
from shopify_gateway.orders import Posted

log = structlog.get_logger(__name__)

Door = Callable[[], AbstractContextManager[Session]]
AdminDoor = Callable[[Studio], AbstractContextManager[Admin]]

BATCH = 50
LEASE = timedelta(seconds=60)
PATIENT_AFTER = 10
WAIT_SECONDS, LONG_WAIT_SECONDS = 10, 300


def read_due(transaction: Door, admin_of: AdminDoor, *, privacy: Pseudonyms) -> int:
    """Read every order that is due and converge it; returns how many were read."""
    done = 0
    for studio_id, order_id, due_at in _claim(transaction):
        with transaction() as session:
            studio = queries.load(session, studio_id=studio_id)
        try:
            with admin_of(studio) as admin:
                read_one(transaction, admin, studio, order_id, privacy=privacy)
        except (Unavailable, AdminRefused, UnreadableOrder) as error:
            _postpone(transaction, studio_id, order_id, str(error))
            continue
        _settle(transaction, studio_id, order_id, due_at)
        done += 1
    return done


def read_one(
    transaction: Door, admin: Admin, studio: Studio, order_id: int, *, privacy: Pseudonyms
) -> Posted | None:
    """Converge one order to what the Admin API says it is now; None where it has no such order.

    An order that we know and Shopify no longer shows goes to the attention list: beyond 60 days
    the API hides orders from apps without `read_all_orders`, which is no deletion.
    """
    order = admin.order(order_id)
    now = datetime.now(UTC)
    with transaction() as session:
        if order is None:
            attention.raise_item(
                session,
                studio_id=studio.id,
                kind="order_not_readable",
                key=str(order_id),
                detail="Shopify does not show this order; nothing was changed for it",
                now=now,
                facts={"order_id": order_id},
            )
            return None
        known = people.admit(session, studio_id=studio.id, order=order, privacy=privacy, now=now)
        return orders.converge_read(session, studio=studio, order=known, now=now)


def standing_units(session: Session, *, studio_id: int) -> int:
    """Return how many paid units stand in the ledger; those of test orders are not real (D9)."""
    is_test = select(WalletAlias.value).where(
        col(WalletAlias.studio_id) == studio_id,
        col(WalletAlias.wallet_id) == Lot.wallet_id,
        col(WalletAlias.kind) == AliasKind.TEST,
    )
    units = (
        select(Lot.order_id, Lot.line_item_id, Lot.unit_index)
        .where(
            col(Lot.studio_id) == studio_id,
            col(Lot.order_id).is_not(None),
            col(Lot.withdrawn_at).is_(None),
            ~is_test.exists(),
        )
        .distinct()
        .subquery()
    )
    return session.exec(select(func.count()).select_from(units)).one()


def _claim(transaction: Door) -> list[tuple[int, int, datetime]]:
    now = datetime.now(UTC)
    with transaction() as session:
        rows = session.exec(
            select(ShopOrder)
            .where(col(ShopOrder.read_due_at) <= now)
            .order_by(col(ShopOrder.read_due_at))
            .limit(BATCH)
            .with_for_update(skip_locked=True)
        ).all()
        leased_until = now + LEASE
        for row in rows:
            row.read_due_at = leased_until
            row.read_attempts += 1
        return [(row.studio_id, row.order_id, leased_until) for row in rows]


def _settle(transaction: Door, studio_id: int, order_id: int, due_at: datetime) -> None:
    """Clear the mark, unless the order was marked again while it was being read."""
    with transaction() as session:
        row = session.exec(_row(studio_id, order_id).with_for_update()).one()
        if row.read_due_at == due_at:
            row.read_due_at, row.read_attempts, row.last_error = None, 0, None


def _postpone(transaction: Door, studio_id: int, order_id: int, error: str) -> None:
    log.warning("order_not_read", order_id=order_id, detail=error)
    with transaction() as session:
        row = session.exec(_row(studio_id, order_id).with_for_update()).one()
        longest = WAIT_SECONDS if row.read_attempts <= PATIENT_AFTER else LONG_WAIT_SECONDS
        wait = min(2**row.read_attempts, longest)
        row.read_due_at = datetime.now(UTC) + timedelta(seconds=wait)
        row.last_error = error[:2000]


def _row(studio_id: int, order_id: int) -> SelectOfScalar[ShopOrder]:
    return select(ShopOrder).where(
        col(ShopOrder.studio_id) == studio_id, col(ShopOrder.order_id) == order_id
    )

"""Whose lots these are: wallets, and the outside names under which they are found."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete, select

from booking_engine.errors import Unavailable
from booking_engine.ledger.models import AliasKind, Wallet, WalletAlias

_LOCK_ORDER = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


class WalletMoved(Unavailable):
    """The wallet went into another one while we were on our way to it; ask again for its owner."""

    def __init__(self) -> None:
        super().__init__("that customer's credits have just moved", retry_after_seconds=1)


def of_customer(session: Session, *, studio_id: int, customer_id: int, now: datetime) -> Wallet:
    """Return the customer's wallet, made on first sight."""
    return _of(session, studio_id, AliasKind.CUSTOMER, str(customer_id), now)


def of_order(session: Session, *, studio_id: int, order_id: int, now: datetime) -> Wallet:
    """Return the wallet of an order that names no customer, until somebody claims it."""
    return _of(session, studio_id, AliasKind.ORDER, str(order_id), now)


def of_test(session: Session, *, studio_id: int, name: str, now: datetime) -> Wallet:
    """Return the wallet of somebody's test orders: nothing in it is real (D9)."""
    return _of(session, studio_id, AliasKind.TEST, name, now)


def is_of_tests(session: Session, *, studio_id: int, wallet_id: UUID) -> bool:
    """Tell whether a wallet has somebody's test orders: nothing in it is real (D9)."""
    named = select(WalletAlias.value).where(
        col(WalletAlias.studio_id) == studio_id,
        col(WalletAlias.wallet_id) == wallet_id,
        col(WalletAlias.kind) == AliasKind.TEST,
    )
    return session.exec(named).first() is not None


def find_order(session: Session, *, studio_id: int, order_id: int) -> Wallet | None:
    """Return the wallet of an order that named no customer, None where there never was one."""
    return _find(session, studio_id, AliasKind.ORDER, str(order_id))


def name_order(session: Session, *, studio_id: int, order_id: int, wallet_id: UUID) -> None:
    """Let an order be known by this wallet from now on."""
    _name(session, studio_id, AliasKind.ORDER, str(order_id), wallet_id)


def name_customer(session: Session, *, studio_id: int, customer_id: int, wallet_id: UUID) -> None:
    """Let a customer be known by this wallet from now on."""
    _name(session, studio_id, AliasKind.CUSTOMER, str(customer_id), wallet_id)


def name_address(session: Session, *, studio_id: int, address: bytes, wallet_id: UUID) -> None:
    """Let the keyed hash of a verified address be known by this wallet, and by no other one.

    An address that the wallet had before is not its own any more.
    """
    drop_address(session, studio_id=studio_id, wallet_id=wallet_id)
    _name(session, studio_id, AliasKind.EMAIL, address.hex(), wallet_id)


def drop_address(session: Session, *, studio_id: int, wallet_id: UUID) -> None:
    """Forget the address of a wallet."""
    session.exec(
        delete(WalletAlias).where(
            col(WalletAlias.studio_id) == studio_id,
            col(WalletAlias.kind) == AliasKind.EMAIL,
            col(WalletAlias.wallet_id) == wallet_id,
        )
    )


def find_address(session: Session, *, studio_id: int, addresses: Sequence[bytes]) -> Wallet | None:
    """Return the wallet of whoever has verified an address, given as its keyed hashes."""
    found = (_find(session, studio_id, AliasKind.EMAIL, each.hex()) for each in addresses)
    return next((wallet for wallet in found if wallet is not None), None)


def find_customer(session: Session, *, studio_id: int, customer_id: int) -> Wallet | None:
    """Return the customer's wallet if there is one; makes none."""
    return _find(session, studio_id, AliasKind.CUSTOMER, str(customer_id))


def customers_of(session: Session, *, studio_id: int, wallet_ids: Iterable[UUID]) -> list[int]:
    """Return every customer id under which these wallets are known, merged ones included."""
    found = session.exec(
        select(WalletAlias.value).where(
            col(WalletAlias.studio_id) == studio_id,
            col(WalletAlias.kind) == AliasKind.CUSTOMER,
            col(WalletAlias.wallet_id).in_(list(wallet_ids)),
        )
    ).all()
    return sorted(int(value) for value in found)


def lock_orders(session: Session, *, studio_id: int, order_ids: Iterable[int]) -> None:
    """Queue behind everybody who works on these orders of the shop; taken before any wallet."""
    for order_id in sorted(set(order_ids)):
        session.execute(_LOCK_ORDER, {"name": f"order:{studio_id}:{order_id}"})


def lock(session: Session, *, studio_id: int, wallet_id: UUID) -> None:
    """Queue behind every other change of this wallet; taken before days, bookings and lots.

    Raises `WalletMoved` for one that was merged into another.
    """
    found = session.exec(
        select(Wallet.id)
        .where(col(Wallet.studio_id) == studio_id, col(Wallet.id) == wallet_id)
        .with_for_update(key_share=True)
    ).first()
    if found is None:
        raise WalletMoved


def lock_all(session: Session, *, studio_id: int, wallet_ids: Iterable[UUID]) -> None:
    """Lock several wallets, in one order for everybody; raises `WalletMoved`."""
    for wallet_id in sorted(set(wallet_ids)):
        lock(session, studio_id=studio_id, wallet_id=wallet_id)


def lock_free(session: Session, *, wallets: set[tuple[int, UUID]]) -> list[tuple[int, UUID]]:
    """Lock those of the wallets (studio id, wallet id) that nobody works on, and return them."""
    found = session.exec(
        select(Wallet.studio_id, Wallet.id)
        .where(tuple_(col(Wallet.studio_id), col(Wallet.id)).in_(list(wallets)))
        .order_by(col(Wallet.studio_id), col(Wallet.id))
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    return [(row[0], row[1]) for row in found]


def _of(session: Session, studio_id: int, kind: AliasKind, value: str, now: datetime) -> Wallet:
    found = _find(session, studio_id, kind, value)
    if found is not None:
        return found
    wallet = Wallet(studio_id=studio_id, created_at=now)
    session.add(wallet)
    session.flush()
    alias = insert(WalletAlias).values(
        studio_id=studio_id, kind=kind, value=value, wallet_id=wallet.id
    )
    won = session.execute(alias.on_conflict_do_nothing().returning(col(WalletAlias.wallet_id)))
    if won.first() is not None:
        return wallet
    session.delete(wallet)  # a rival named this customer first
    session.flush()
    rival = _find(session, studio_id, kind, value)
    if rival is None:
        raise RuntimeError("an alias that refused to be inserted must be there")
    return rival


def _find(session: Session, studio_id: int, kind: AliasKind, value: str) -> Wallet | None:
    return session.exec(
        select(Wallet)
        .join(
            WalletAlias,
            (col(WalletAlias.studio_id) == col(Wallet.studio_id))
            & (col(WalletAlias.wallet_id) == col(Wallet.id)),
        )
        .where(
            col(WalletAlias.studio_id) == studio_id,
            col(WalletAlias.kind) == kind,
            col(WalletAlias.value) == value,
        )
    ).first()


def _name(session: Session, studio_id: int, kind: AliasKind, value: str, wallet_id: UUID) -> None:
    named = insert(WalletAlias).values(
        studio_id=studio_id, kind=kind, value=value, wallet_id=wallet_id
    )
    session.execute(
        named.on_conflict_do_update(
            index_elements=["studio_id", "kind", "value"], set_={"wallet_id": wallet_id}
        )
    )

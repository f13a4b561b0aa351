"""What can be done with credits: grant, hold, give back, spend, revoke.

Callers hold the wallet's lock (`wallets.lock`), so lots are read and written by one at a time; the
CHECKs on the lot are the second wall.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import Session, col, delete, select

from booking_engine.eligibility import UNKNOWN, Facts
from booking_engine.errors import Unfunded
from booking_engine.ledger import lots as rules
from booking_engine.ledger import transfers
from booking_engine.ledger.lots import Funds, Purse, Share
from booking_engine.ledger.models import Bucket, CreditKind, Draw, Lot, Transfer
from booking_engine.ledger.transfers import WITHDRAWN, Cause, Overdrawn


class NotEnoughCredits(Unfunded):
    """The wallet's eligible lots hold less than the session burns."""

    def __init__(self, needed: dict[CreditKind, int], available: dict[CreditKind, int]) -> None:
        words = ", ".join(
            f"{quantity} {kind.value.replace('_', ' ')} needed, {available[kind]} available"
            for kind, quantity in needed.items()
            if quantity > available[kind]
        )
        super().__init__(words, needed=dict(needed), available=dict(available))
        self.needed = needed
        self.available = available

    @property
    def missing(self) -> dict[CreditKind, int]:
        """Return what would have to be bought, per kind."""
        return {
            kind: max(0, quantity - self.available[kind]) for kind, quantity in self.needed.items()
        }


@dataclass(frozen=True, slots=True)
class Grant:
    """A lot to be: `source` is its key, so granting it twice makes one lot."""

    source: str
    kind: CreditKind
    quantity: int
    expires_at: datetime | None = None
    order_id: int | None = None
    line_item_id: int | None = None
    unit_index: int | None = None
    paid_minor: int = 0
    only_for: dict[str, list[str]] | None = None


def grant(
    session: Session, *, studio_id: int, wallet_id: UUID, wanted: Grant, cause: Cause
) -> bool:
    """Make the lot that `wanted` describes; returns False where it already exists."""
    lot = Lot(
        studio_id=studio_id,
        wallet_id=wallet_id,
        kind=wanted.kind,
        granted=wanted.quantity,
        available=wanted.quantity,
        source=wanted.source,
        order_id=wanted.order_id,
        line_item_id=wanted.line_item_id,
        unit_index=wanted.unit_index,
        paid_minor=wanted.paid_minor,
        only_for=wanted.only_for or None,
        expires_at=wanted.expires_at,
        granted_at=cause.at,
    )
    made = session.execute(
        insert(Lot)
        .values(**lot.model_dump())
        .on_conflict_do_nothing(index_elements=["studio_id", "source"])
        .returning(col(Lot.id))
    ).first()
    if made is None:
        return False
    session.execute(
        insert(Transfer).values(
            studio_id=studio_id,
            key=f"grant:{wanted.source}",
            lot_id=made[0],
            from_bucket=Bucket.ISSUED,
            to_bucket=Bucket.AVAILABLE,
            quantity=wanted.quantity,
            reason=cause.reason,
            reference=cause.reference,
            actor=cause.actor,
            at=cause.at,
        )
    )
    return True


def of_wallet(session: Session, *, studio_id: int, wallet_id: UUID) -> Sequence[Lot]:
    """Return every lot of a wallet, in order of use."""
    found = session.exec(
        select(Lot)
        .where(col(Lot.studio_id) == studio_id, col(Lot.wallet_id) == wallet_id)
        .execution_options(populate_existing=True)
    ).all()
    return rules.in_order_of_use(found)


@dataclass(frozen=True, slots=True)
class Need:
    """What a booking burns, and of which wallet; with orders, only their lots pay.

    `attempt` tells the times apart that one booking is funded.
    """

    studio_id: int
    wallet_id: UUID
    booking_id: UUID
    quantities: dict[CreditKind, int]
    starts_at: datetime
    attempt: int = 1
    order_ids: tuple[int, ...] = ()
    facts: Facts = UNKNOWN


HOLD = f"""
    WITH {transfers.posting(Bucket.AVAILABLE, Bucket.HELD)}
    INSERT INTO draw (studio_id, booking_id, lot_id, quantity, held)
    SELECT %(studio_id)s, %(booking_id)s, id, quantity, quantity FROM moved
    RETURNING lot_id
"""  # noqa: S608 - made of the ledger's own text


def hold(session: Session, *, need: Need, cause: Cause) -> list[Share]:
    """Hold what a booking burns, over as many lots as it takes, in order of use.

    Raises `NotEnoughCredits`, and then nothing is held.
    """
    session.flush()
    connection = session.connection()
    wallet = {"studio_id": need.studio_id, "wallet_id": need.wallet_id}
    owned = [Funds.read(row) for row in connection.exec_driver_sql(rules.SPENDABLE, wallet)]
    shares = share_out(owned, need=need, now=cause.at)
    if shares:
        held = connection.exec_driver_sql(HOLD, holding(need, shares, cause)).all()
        if len(held) != len(shares):
            raise Overdrawn(f"lots of wallet {need.wallet_id} changed while it was locked")
    return shares


def share_out(owned: Sequence[Purse], *, need: Need, now: datetime) -> list[Share]:
    """Choose what of which lots pays, in order of use, the shares by lot id.

    Raises `NotEnoughCredits`. Pure.
    """
    if need.order_ids:
        owned = [lot for lot in owned if lot.order_id in need.order_ids]
    when: dict[str, Any] = {"starts_at": need.starts_at, "now": now, "facts": need.facts}
    available = {kind: rules.spendable(owned, kind, **when) for kind in need.quantities}
    if any(quantity > available[kind] for kind, quantity in need.quantities.items()):
        raise NotEnoughCredits(need.quantities, available)
    shares = [
        share
        for kind, quantity in need.quantities.items()
        for share in rules.share_out(owned, kind, quantity, **when)
    ]
    return sorted(shares, key=lambda share: share.lot_id)


def holding(need: Need, shares: Sequence[Share], cause: Cause) -> dict[str, Any]:
    """Return the values of `HOLD`."""
    return {
        "booking_id": need.booking_id,
        **transfers.values(
            cause,
            studio_id=need.studio_id,
            lot_ids=[share.lot_id for share in shares],
            quantities=[share.quantity for share in shares],
            key=f"hold:{need.booking_id}:{need.attempt}",
        ),
    }


def give_back(
    session: Session,
    *,
    studio_id: int,
    booking_id: UUID,
    percent: int,
    cause: Cause,
    attempt: int = 1,
    kinds: Collection[CreditKind] = tuple(CreditKind),
) -> dict[CreditKind, int]:
    """End a booking's draws: `percent` returns to the lots it came from, the rest is spent.

    Returns what came back per kind. What comes back to a lot that expired meanwhile is written as
    expired at once (D3), what comes back to a unit that the shop took back as revoked (D5). Draws
    of other than these `kinds` stay as they are.
    """
    totals = dict.fromkeys(CreditKind, 0)
    for draw, lot in draws_of(session, studio_id=studio_id, booking_id=booking_id):
        if lot.kind not in kinds:
            continue
        back = rules.returned(draw.held, percent, lot.kind)
        kept = draw.held - back
        key = f"end:{booking_id}:{attempt}:{lot.id}"
        if back:
            _move(session, lot, (Bucket.HELD, Bucket.AVAILABLE), back, f"{key}:back", cause)
            totals[lot.kind] += back if lot.withdrawn_at is None else 0
        if kept:
            _move(session, lot, (Bucket.HELD, Bucket.SPENT), kept, f"{key}:kept", cause)
        if back and lot.withdrawn_at is not None:
            gone = replace(cause, reason=WITHDRAWN)
            _move(session, lot, (Bucket.AVAILABLE, Bucket.REVOKED), back, f"{key}:revoked", gone)
        elif back and not rules.is_live(lot, cause.at):
            _move(session, lot, (Bucket.AVAILABLE, Bucket.EXPIRED), back, f"{key}:expired", cause)
        draw.held = 0
    session.flush()
    return totals


def spend(
    session: Session, *, studio_id: int, booking_id: UUID, cause: Cause, attempt: int = 1
) -> None:
    """Turn what a booking holds into spent: the session has begun."""
    give_back(
        session,
        studio_id=studio_id,
        booking_id=booking_id,
        percent=0,
        cause=cause,
        attempt=attempt,
    )


def forfeit(
    session: Session,
    *,
    studio_id: int,
    wallet_id: UUID,
    quantities: dict[CreditKind, int],
    key: str,
    cause: Cause,
) -> None:
    """Spend available credits without a session, in order of use, as far as there are any."""
    owned = of_wallet(session, studio_id=studio_id, wallet_id=wallet_id)
    known = {lot.id: lot for lot in owned}
    for kind, quantity in quantities.items():
        shares = rules.share_out(owned, kind, quantity, starts_at=cause.at, now=cause.at)
        for share in shares:
            lot = known[share.lot_id]
            name = f"{key}:{share.lot_id}"
            _move(session, lot, (Bucket.AVAILABLE, Bucket.SPENT), share.quantity, name, cause)


def unfund(
    session: Session,
    *,
    studio_id: int,
    booking_id: UUID,
    percent: int,
    cause: Cause,
    attempt: int,
) -> dict[CreditKind, int]:
    """Give a booking's credits back so that it can be funded anew; its draws are forgotten.

    The transfers remember them.
    """
    back = give_back(
        session,
        studio_id=studio_id,
        booking_id=booking_id,
        percent=percent,
        cause=cause,
        attempt=attempt,
    )
    session.exec(
        delete(Draw).where(col(Draw.studio_id) == studio_id, col(Draw.booking_id) == booking_id)
    )
    return back


def forget_draws(session: Session, *, studio_id: int, booking_id: UUID, kind: CreditKind) -> None:
    """Forget a booking's ended draws of a kind: the part that they paid for is no longer in it."""
    of_kind = select(Lot.id).where(col(Lot.studio_id) == studio_id, col(Lot.kind) == kind)
    session.exec(
        delete(Draw).where(
            col(Draw.studio_id) == studio_id,
            col(Draw.booking_id) == booking_id,
            col(Draw.held) == 0,
            col(Draw.lot_id).in_(of_kind),
        )
    )


def revoke(session: Session, *, lot: Lot, quantity: int, key: str, cause: Cause) -> None:
    """Take back unused credits of a lot; raises `Overdrawn` where less is available."""
    _move(session, lot, (Bucket.AVAILABLE, Bucket.REVOKED), quantity, key, cause)


def restore(session: Session, *, lot: Lot, quantity: int, key: str, cause: Cause) -> None:
    """Give revoked credits of a lot back: the unit is wanted again."""
    _move(session, lot, (Bucket.REVOKED, Bucket.AVAILABLE), quantity, key, cause)


def draws_of(session: Session, *, studio_id: int, booking_id: UUID) -> Sequence[tuple[Draw, Lot]]:
    """Return a booking's draws with their lots, by lot id."""
    found = session.exec(
        select(Draw, Lot)
        .join(Lot, (col(Lot.studio_id) == col(Draw.studio_id)) & (col(Lot.id) == col(Draw.lot_id)))
        .where(col(Draw.studio_id) == studio_id, col(Draw.booking_id) == booking_id)
        .order_by(col(Draw.lot_id))
        .execution_options(populate_existing=True)
    ).all()
    return [(row[0], row[1]) for row in found]


def balance(lots: Iterable[Lot], *, now: datetime) -> dict[CreditKind, dict[str, int]]:
    """Return what is available and held per kind, without what expired or frozen lots have left."""
    totals = {kind: {"available": 0, "held": 0} for kind in CreditKind}
    for lot in lots:
        totals[lot.kind]["held"] += lot.held
        if rules.is_usable(lot, now):
            totals[lot.kind]["available"] += lot.available
    return totals


def _move(
    session: Session,
    lot: Lot,
    buckets: tuple[Bucket, Bucket],
    quantity: int,
    key: str,
    cause: Cause,
) -> None:
    transfers.move(
        session,
        studio_id=lot.studio_id,
        lot_id=lot.id,
        buckets=buckets,
        quantity=quantity,
        key=key,
        cause=cause,
    )
    session.refresh(lot)

"""What the studio owes in credits that were sold, month by month, and where the rest went (C20).

A lot is worth what was paid for it. Of its money, what is still owed is `floor(paid x outstanding
/ granted)`, where available and held credits are outstanding; a movement is worth the change of
that. So the movements of a lot add up to what was paid, to the minor unit, whatever their order,
and for any history: opening + sold - used - expired - revoked = closing.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import Session

from booking_engine.ledger.models import Bucket, CreditKind

OUTSTANDING = frozenset({Bucket.AVAILABLE, Bucket.HELD})
AGES = (30, 90, 180, 365)  # days until the expiry

# What test orders granted is no money.
_SOLD = """(
    SELECT id, kind, granted, paid_minor, expires_at FROM lot
    WHERE studio_id = :studio_id AND NOT EXISTS (
        SELECT FROM wallet_alias AS alias
        WHERE alias.studio_id = lot.studio_id AND alias.wallet_id = lot.wallet_id
          AND alias.kind = 'test'
    )
) AS lot"""
_DELTA = """
    quantity * ((to_bucket IN ('available', 'held'))::int
              - (from_bucket IN ('available', 'held'))::int)
"""
_STANDING = f"""
    SELECT lot_id, sum({_DELTA})::bigint AS standing FROM transfer
    WHERE studio_id = :studio_id AND at < :until GROUP BY lot_id
"""  # noqa: S608 - constants of this module

_OPENING = text(f"""
    SELECT kind, sum(standing)::bigint, sum(paid_minor * standing / granted)::bigint
    FROM ({_STANDING}) AS was JOIN {_SOLD} ON lot.id = was.lot_id
    WHERE standing > 0
    GROUP BY kind
""")  # noqa: S608

_MOVED = text(f"""
    WITH was AS ({_STANDING}),
    moved AS (
        SELECT transfer.lot_id, from_bucket, to_bucket, quantity, {_DELTA} AS delta,
               coalesce(was.standing, 0)
                   + sum({_DELTA}) OVER (PARTITION BY transfer.lot_id ORDER BY at, sequence)
                   AS standing
        FROM transfer LEFT JOIN was ON was.lot_id = transfer.lot_id
        WHERE studio_id = :studio_id AND at >= :until AND at < :to
    )
    SELECT kind, from_bucket, to_bucket, sum(quantity)::bigint,
           sum(paid_minor * standing::bigint / granted
               - paid_minor * (standing - delta)::bigint / granted)::bigint,
           sum(paid_minor * quantity / granted)::bigint
    FROM moved JOIN {_SOLD} ON lot.id = moved.lot_id
    GROUP BY kind, from_bucket, to_bucket
""")  # noqa: S608

_CLOSING = text(f"""
    SELECT kind,
           CASE WHEN expires_at IS NULL THEN NULL
                WHEN expires_at <= :asked THEN 0
                ELSE ceil(extract(epoch FROM expires_at - :asked) / 86400)::int END AS days,
           sum(standing)::bigint, sum(paid_minor * standing / granted)::bigint
    FROM ({_STANDING}) AS was JOIN {_SOLD} ON lot.id = was.lot_id
    WHERE standing > 0
    GROUP BY 1, 2
""")  # noqa: S608


@dataclass(slots=True)
class Amount:
    """Credits of one kind, and the money that was paid for them in minor units."""

    credits: int = 0
    money_minor: int = 0

    def add(self, quantity: int, minor: int) -> None:
        """Count some more."""
        self.credits += quantity
        self.money_minor += minor


@dataclass(slots=True)
class Liability:
    """One kind of credit in one stretch of time."""

    opening: Amount = field(default_factory=Amount)
    sold: Amount = field(default_factory=Amount)
    used: Amount = field(default_factory=Amount)
    expired: Amount = field(default_factory=Amount)
    revoked: Amount = field(default_factory=Amount)
    closing: Amount = field(default_factory=Amount)
    ageing: dict[str, Amount] = field(default_factory=lambda: {age: Amount() for age in ages()})

    def outcome(self, bucket: Bucket) -> Amount:
        """Return where a bucket's quantity is counted."""
        return {
            Bucket.ISSUED: self.sold,
            Bucket.SPENT: self.used,
            Bucket.EXPIRED: self.expired,
            Bucket.REVOKED: self.revoked,
        }[bucket]


def ages() -> tuple[str, ...]:
    """Return the names of the ages, the most urgent first."""
    return ("overdue", *(f"within_{days}_days" for days in AGES), "later", "never")


def report(
    session: Session, *, studio_id: int, start: datetime, end: datetime, now: datetime
) -> dict[CreditKind, Liability]:
    """Return what happened from `start` on and before `end`, per kind; closing is read apart.

    What a studio gives and takes back of what it gave counts as credits without money; what is in
    the wallets of test orders does not count. Ages are those of the end, or of now where the end is
    still to come.
    """
    found = {kind: Liability() for kind in CreditKind}
    before = {"studio_id": studio_id, "until": start}
    for kind, quantity, minor in session.execute(_OPENING, before):
        found[CreditKind(kind)].opening.add(quantity, minor)
    for row in session.execute(_MOVED, {**before, "to": end}):
        _count(found[CreditKind(row[0])], (Bucket(row[1]), Bucket(row[2])), row[3:])
    until = {"studio_id": studio_id, "until": end, "asked": min(end, now)}
    for kind, days, quantity, minor in session.execute(_CLOSING, until):
        liability = found[CreditKind(kind)]
        liability.closing.add(quantity, minor)
        liability.ageing[_age(days)].add(quantity, minor)
    return found


def _count(liability: Liability, buckets: tuple[Bucket, Bucket], sums: Any) -> None:
    """Count one kind of movement: what it moved, what that changed of what is owed, its share."""
    quantity, change, share = sums
    source, target = buckets
    if source in OUTSTANDING and target in OUTSTANDING:
        return
    if target in OUTSTANDING:
        sign = 1 if source is Bucket.ISSUED else -1
        liability.outcome(source).add(sign * quantity, sign * change)
    elif source in OUTSTANDING:
        liability.outcome(target).add(quantity, -change)
    else:
        sign = 1 if source is Bucket.ISSUED else -1
        liability.outcome(source).add(sign * quantity, sign * share)
        liability.outcome(target).add(quantity, share)


def _age(days: int | None) -> str:
    if days is None:
        return "never"
    if days == 0:
        return "overdue"
    return next((f"within_{most}_days" for most in AGES if days <= most), "later")

"""`simstudio audit`: the shop's orders as they are, against the ledger as it is; repairs."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from connector import proof
from connector.runtime import Runtime
from shopify_gateway import reading
from shopify_gateway.models import ShopOrder
from shopify_gateway.orders import Posted

# `read_orders` shows 60 days; older orders are hidden, not deleted.
WINDOW = timedelta(days=60)


# Rows that no process of ours takes away: a lot whose transfers do not add up to its buckets, and
# transfers whose lot is gone.
_DAMAGED = text("""
    WITH moved AS (
        SELECT lot_id,
               sum(quantity) FILTER (WHERE from_bucket = 'issued') AS issued,
               sum(quantity) FILTER (WHERE to_bucket = 'available') AS came,
               sum(quantity) FILTER (WHERE from_bucket = 'available') AS went,
               max(split_part(key, ':', 3)) FILTER (WHERE key LIKE 'grant:order:%') AS ordered
        FROM transfer WHERE studio_id = :studio_id GROUP BY lot_id
    )
    SELECT coalesce(lot.order_id, ordered::bigint),
           CASE WHEN lot.id IS NULL THEN 'its lot is gone, the transfers of it are there'
                ELSE 'the transfers of its lot do not add up to what it has' END
    FROM moved FULL JOIN (SELECT * FROM lot WHERE studio_id = :studio_id) AS lot
      ON lot.id = moved.lot_id
    WHERE (lot.order_id IS NOT NULL OR ordered IS NOT NULL)
      AND (lot.id IS NULL OR granted IS DISTINCT FROM issued
           OR available <> coalesce(came, 0) - coalesce(went, 0))
""")


@dataclass(slots=True)
class Report:
    """What the audit of one shop found, and wrote; `inputs` is the hash of what was compared."""

    shop: str
    since: str
    at: str
    orders: int = 0
    units: int = 0
    granted: int = 0
    revoked: int = 0
    differences: int = 0
    found: list[dict[str, str]] = field(default_factory=list)  # order, what
    inputs: str = ""
    signature: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the report for machines."""
        return asdict(self)

    def cells(self) -> list[str]:
        """Return the report as a row of a table."""
        counts = (self.orders, self.units, self.granted, self.revoked, self.differences)
        return [self.shop, *(str(count) for count in counts)]


def since(value: str | None, *, now: datetime) -> datetime:
    """Return where the audit starts; raises `ValueError` that says how to write it."""
    if value is None:
        return now - WINDOW
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f'"{value}" is no instant; write 2026-11-01 or an RFC 3339 time') from None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def run(house: Runtime, start: datetime, *, on_order: Callable[[], None]) -> list[Report]:
    """Audit every studio's orders that were updated since `start`."""
    with house.transaction() as session:
        studios = [
            queries.load(session, studio_id=studio_id) for studio_id in queries.all_ids(session)
        ]
    return [_audit(house, studio, start, on_order) for studio in studios]


def _audit(house: Runtime, studio: Studio, start: datetime, on_order: Callable[[], None]) -> Report:
    report = Report(studio.shop, start.isoformat(), datetime.now(UTC).isoformat())
    with house.transaction() as session:
        damaged = _damaged(session, studio.id)
    found: dict[int, list[str]] = {order_id: [what] for order_id, what in damaged.items()}
    seen: list[int] = []
    with house.admin(studio) as admin:
        for order_id in admin.orders_updated_since(start):
            seen.append(order_id)
            on_order()
            if order_id in damaged:
                continue  # what is missing there has to be put back by hand first
            posted = reading.read_one(
                house.transaction, admin, studio, order_id, privacy=house.settings.privacy
            )
            if posted is not None and posted.changed:
                report.granted += posted.granted + posted.reinstated
                report.revoked += posted.withdrawn
                found[order_id] = [_wrote(posted)]
    with house.transaction() as session:
        report.units = reading.standing_units(session, studio_id=studio.id)
        names, report.inputs = _inputs(session, studio.id, seen, found)
    report.orders, report.differences = len(seen), len(found)
    report.found = [
        {"order": names.get(order_id) or str(order_id), "what": "; ".join(whats)}
        for order_id, whats in sorted(found.items())
    ]
    report.signature = proof.sign(report.as_json(), house.settings.shopify.secrets[0])
    return report


def _damaged(session: Session, studio_id: int) -> dict[int, str]:
    rows = session.execute(_DAMAGED, {"studio_id": studio_id}).all()
    return {row[0]: row[1] for row in rows}


def _wrote(posted: Posted) -> str:
    counts = {
        "granted": posted.granted,
        "reinstated": posted.reinstated,
        "withdrawn": posted.withdrawn,
    }
    said = [f"{count} {what}" for what, count in counts.items() if count]
    said += [f"hold {outcome}" for outcome in posted.outcomes.values()]
    return ", ".join(said) or "brought up to date"


def _inputs(
    session: Session, studio_id: int, seen: Iterable[int], found: Iterable[int]
) -> tuple[dict[int, str | None], str]:
    """Return the names of the orders, and the hash of the states that were compared."""
    rows = session.exec(
        select(ShopOrder.order_id, ShopOrder.name, ShopOrder.snapshot)
        .where(
            col(ShopOrder.studio_id) == studio_id,
            col(ShopOrder.order_id).in_({*seen, *found}),
        )
        .order_by(col(ShopOrder.order_id))
    ).all()
    read = hashlib.sha256()
    for order_id, _, snapshot in rows:
        read.update(json.dumps([order_id, snapshot], sort_keys=True).encode() + b"\n")
    return {row[0]: row[1] for row in rows}, read.hexdigest()

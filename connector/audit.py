"""`simstudio audit`: the shop's orders as they are, against the ledger as it is; repairs."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from booking_engine.catalog import queries
from connector.runtime import Runtime
from shopify_gateway import reading

# `read_orders` shows 60 days; older orders are hidden, not deleted.
WINDOW = timedelta(days=60)


@dataclass(slots=True)
class Report:
    """What the audit of one shop found, and wrote."""

    shop: str
    orders: int = 0
    units: int = 0
    granted: int = 0
    revoked: int = 0
    differences: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the report for machines."""
        return asdict(self)

    def cells(self) -> list[str]:
        """Return the report as a row of a table."""
        return [str(value) for value in asdict(self).values()]


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
    reports = []
    for studio in studios:
        report = Report(studio.shop)
        with house.admin(studio) as admin:
            for order_id in admin.orders_updated_since(start):
                posted = reading.read_one(
                    house.transaction, admin, studio, order_id, privacy=house.settings.privacy
                )
                report.orders += 1
                if posted is not None:
                    report.granted += posted.granted + posted.reinstated
                    report.revoked += posted.withdrawn
                    report.differences += posted.changed
                on_order()
        with house.transaction() as session:
            report.units = reading.standing_units(session, studio_id=studio.id)
        reports.append(report)
    return reports

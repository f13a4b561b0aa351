"""What the desk's own tests say over HTTP again and again, and what they look at afterwards."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlmodel import col, select

from booking_engine.audit_trail import AuditEntry
from tests.factories.desk import broken_promises
from tests.factories.serving import Served, tuesday_at

ANYTHING = {"reason": "rain", "choice": "dismiss"}


def path_of(template: str) -> str:
    """Return a route with ids that nobody has."""
    for name in ("block_id", "booking_id", "claim_id", "export_id", "item_id", "lot_id"):
        template = template.replace(f"{{{name}}}", str(uuid4()))
    template = template.replace("{order_id}", "404")
    return f"/api{template}"


def trail(api: Served) -> list[AuditEntry]:
    """Return what is on record about the desk, oldest first."""
    with api.house.transaction() as session:
        return list(session.exec(select(AuditEntry).order_by(col(AuditEntry.sequence))))


def promises(api: Served) -> list[str]:
    """Return what `simstudio verify` would complain about."""
    with api.house.transaction() as session:
        return broken_promises(session)


def soon(minutes: int) -> str:
    """Return a time so many minutes from now."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    return (now + timedelta(minutes=minutes)).isoformat()


def walk_in(api: Served, minutes: int, **more: Any) -> dict[str, Any]:
    """Book an hour that starts so many minutes from now, for the customer at the desk."""
    api.give(60)
    body = {
        "service": "simulator",
        "start": soon(minutes),
        "minutes": 60,
        "override": {
            "rules": ["too_soon", "outside_hours", "off_grid"],
            "reason": "they stand at the desk",
        },
        **more,
    }
    answer = api.staff(customer=7001).post("/api/staff/bookings", body)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def credits_of(api: Served) -> dict[str, int]:
    """Return the customer's simulator minutes."""
    shown = api.customer().get("/api/credits").json()
    return dict(shown["simulator_minutes"])


def outage(bay: str = "bay-2") -> dict[str, Any]:
    """Return what declares a bay out of order on a Tuesday evening."""
    return {
        "simulator": bay,
        "start": tuesday_at(17).isoformat(),
        "end": tuesday_at(21).isoformat(),
        "reason": "projector",
    }

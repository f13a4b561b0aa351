"""The studio's own people: which role may use which route, and the trail of what they did."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any

from fastapi import Depends, Request
from sqlmodel import col, select

from booking_engine import audit_trail
from booking_engine.audit_trail import AuditEntry
from booking_engine.errors import Forbidden
from connector import identity
from connector.errors import Unauthenticated
from connector.exchange import Exchange, Reading, Writing
from connector.identity import Caller
from connector.tables import Role, StaffKey

MANAGERS = frozenset({Role.OWNER, Role.MANAGER})
DESK = MANAGERS | {Role.RECEPTIONIST}
READERS = DESK | {Role.FINANCE}
MONEY = frozenset({Role.OWNER, Role.FINANCE})

PERMISSIONS: Mapping[tuple[str, str], frozenset[Role]] = {
    ("POST", "/staff/bookings"): DESK,
    ("POST", "/staff/bookings/{booking_id}/check-in"): DESK,
    ("POST", "/staff/bookings/{booking_id}/no-show"): DESK,
    ("POST", "/staff/bookings/{booking_id}/complete"): MANAGERS,
    ("POST", "/staff/bookings/{booking_id}/forgive"): MANAGERS,
    ("GET", "/staff/strikes"): DESK,
    ("POST", "/staff/credits"): MANAGERS,
    ("POST", "/staff/lots/{lot_id}/extend"): MANAGERS,
    ("GET", "/staff/orders/{order_id}/refund-quote"): READERS,
    ("GET", "/staff/reports/liability"): MONEY,
    ("POST", "/staff/orders/{order_id}/dispute"): MANAGERS,
    ("GET", "/staff/debts"): READERS,
    ("POST", "/staff/debts/settle"): MANAGERS | {Role.FINANCE},
    ("POST", "/staff/blocks"): MANAGERS,
    ("GET", "/staff/blocks"): MANAGERS,
    ("POST", "/staff/blocks/{block_id}/lift"): MANAGERS,
    ("POST", "/staff/claims"): DESK,
    ("GET", "/staff/claims"): DESK,
    ("POST", "/staff/claims/{claim_id}/revert"): MANAGERS,
    ("GET", "/staff/exports/{export_id}"): MANAGERS,
    ("GET", "/staff/attention"): READERS,
    ("POST", "/staff/attention/{item_id}/resolve"): MANAGERS,
}


def require(caller: Caller, method: str, path: str) -> None:
    """Raise `Forbidden` for a role that the table does not name, `Unauthenticated` for nobody."""
    if caller.role is None:
        if caller.customer_id is None and caller.visitor is None:
            raise Unauthenticated("this is for the studio's own people: send a staff key")
        raise Forbidden("this is for the studio's own people")
    if caller.role not in PERMISSIONS[method, path]:
        raise Forbidden(f"a {caller.role.value} key may not do that")


@dataclass(frozen=True, slots=True)
class StaffExchange(Exchange):
    """An exchange with one of the studio's own; what they do is written into the trail."""

    role: str = ""
    key_name: str = ""

    def record(
        self,
        action: str,
        reference: object,
        *,
        reason: str | None = None,
        facts: dict[str, Any] | None = None,
    ) -> None:
        """Write into the trail what is done in this transaction."""
        audit_trail.record(
            self.session,
            AuditEntry(
                studio_id=self.studio.id,
                role=self.role,
                key_name=self.key_name,
                action=action,
                reference=str(reference),
                reason=reason or "",
                facts=facts or {},
                at=self.now,
            ),
        )


def _reading(request: Request, exchange: Reading) -> Exchange:
    require(exchange.caller, request.method, request.scope["route"].path)
    return exchange


def _writing(request: Request, exchange: Writing) -> StaffExchange:
    require(exchange.caller, request.method, request.scope["route"].path)
    known = {each.name: getattr(exchange, each.name) for each in fields(exchange)}
    key = request.headers["Authorization"].partition(" ")[2].strip()
    used = select(StaffKey).where(
        col(StaffKey.studio_id) == exchange.studio.id,
        col(StaffKey.digest) == identity.digest(key),
    )
    found = exchange.session.exec(used).one()
    return StaffExchange(**known, role=found.role.value, key_name=found.name)


StaffReading = Annotated[Exchange, Depends(_reading, scope="function")]
StaffWriting = Annotated[StaffExchange, Depends(_writing, scope="function")]

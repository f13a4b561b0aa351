"""Who is calling: Shopify's app proxy, a staff key, or nobody in particular.

Signatures are checked over the raw query string before anything else is read from the request.
"""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from fastapi import Request
from sqlmodel import Session, col, select

from booking_engine.booking import holds, strikes
from booking_engine.booking.holds import Holder
from booking_engine.catalog import queries
from booking_engine.catalog.studio import Studio
from booking_engine.errors import Forbidden, Invalid
from booking_engine.ledger import debts, wallets
from connector.errors import Unauthenticated
from connector.tables import Role, StaffKey
from shopify_gateway import signatures
from shopify_gateway.signatures import ProxyCaller

KEY_PREFIX = "sk_"
# Owner and manager run the studio; a receptionist books for whoever stands at the desk.
ACTS_FOR_CUSTOMERS = frozenset({Role.OWNER, Role.MANAGER, Role.RECEPTIONIST})


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and in which studio. `role` is set for staff, `customer_id` where one is known."""

    studio_id: int
    role: Role | None
    customer_id: int | None
    visitor: str | None  # someone whom the shop vouches for without knowing them

    @property
    def name(self) -> str:
        """Return whose idempotency keys and holds these are."""
        if self.role is not None:
            return f"staff:{self.role.value}:{self.customer_id or ''}"
        if self.customer_id is not None:
            return f"customer:{self.customer_id}"
        return f"visitor:{self.visitor or ''}"


def new_key() -> str:
    """Make a staff key; it is shown once and kept only as a digest."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(key: str) -> bytes:
    """Return what is kept of a staff key."""
    return hashlib.sha256(key.encode()).digest()


@dataclass(frozen=True, slots=True)
class Proof:
    """What a request shows, before anything is looked up: a shop, or a staff key; and for whom."""

    shop: str | None
    key: bytes | None = None  # the digest of a staff key
    customer: str | None = None
    visitor: str | None = None

    def caller(self, studio_id: int, role: Role | None) -> Caller:
        """Return who that is in a studio; raises `Invalid` for a customer that is no number."""
        customer = self.customer
        if customer is not None and not (
            customer.isascii() and customer.isdigit() and len(customer) < 19
        ):
            raise Invalid("customer is a Shopify customer id, a number")
        return Caller(studio_id, role, int(customer) if customer else None, self.visitor)


def prove(request: Request) -> Proof:
    """Return what a request shows; raises `Unauthenticated` for a signature that does not hold."""
    authorization = request.headers.get("Authorization")
    if "signature" in request.query_params:
        proven = proxy_caller(request)
        customer = str(proven.customer_id) if proven.customer_id is not None else None
        return Proof(proven.shop, customer=customer, visitor=_address(request))
    if authorization is None:
        return Proof(request.query_params.get("shop"))
    scheme, _, key = authorization.partition(" ")
    if scheme.lower() != "bearer" or not key.startswith(KEY_PREFIX):
        raise Unauthenticated("write the header as `Authorization: Bearer KEY`")
    return Proof(None, digest(key.strip()), request.query_params.get("customer"))


def identify(request: Request, session: Session) -> Caller:
    """Return who calls; raises `Unauthenticated` for proof that does not hold."""
    proof = prove(request)
    if proof.key is None:
        studio_id = (
            queries.id_of_shop(session, shop=proof.shop)
            if proof.shop is not None
            else queries.only_id(session)
        )
        return proof.caller(studio_id, None)
    found = session.exec(
        select(StaffKey).where(
            col(StaffKey.digest) == proof.key, col(StaffKey.revoked_at).is_(None)
        )
    ).first()
    if found is None:
        raise Unauthenticated("that key is unknown or was revoked")
    return proof.caller(found.studio_id, found.role)


def proxy_caller(request: Request) -> ProxyCaller:
    """Return whom Shopify's app proxy vouches for; raises `Unauthenticated`."""
    try:
        return signatures.proxy_caller(
            request.scope["query_string"].decode("latin-1"),
            secrets=request.app.state.settings.shopify.secrets,
            now_seconds=datetime.now(UTC).timestamp(),
        )
    except signatures.BadSignature as error:
        raise Unauthenticated(str(error)) from None


def _address(request: Request) -> str:
    """Return the visitor's address; the app proxy puts it first into X-Forwarded-For."""
    forwarded = request.headers.get("X-Forwarded-For", "").partition(",")[0].strip()
    return forwarded or (request.client.host if request.client else "unknown")


def studio_of(session: Session, caller: Caller) -> Studio:
    """Return the catalogue of the caller's studio."""
    return queries.load(session, studio_id=caller.studio_id)


def wallet_of(session: Session, caller: Caller, *, now: datetime) -> UUID:
    """Return the wallet of the customer who calls, or for whom staff call.

    Raises `Unauthenticated` where nobody is logged in, `Forbidden` for a role that serves nobody.
    """
    customer_id = require_customer(caller)
    wallet = wallets.of_customer(
        session, studio_id=caller.studio_id, customer_id=customer_id, now=now
    )
    return wallet.id


def booking_wallet_of(session: Session, caller: Caller, *, now: datetime) -> UUID:
    """Return the wallet of a customer who books; raises `DebtOpen` for one who owes money.

    Staff book for them all the same. Else as `wallet_of`.
    """
    wallet_id = wallet_of(session, caller, now=now)
    if caller.role is None:
        debts.refuse(session, studio_id=caller.studio_id, wallet_id=wallet_id)
    return wallet_id


def known_wallet_of(session: Session, caller: Caller) -> UUID | None:
    """Return the customer's wallet for reading, None where they have none yet; makes none."""
    wallet = wallets.find_customer(
        session, studio_id=caller.studio_id, customer_id=require_customer(caller)
    )
    return wallet.id if wallet else None


def require_customer(caller: Caller) -> int:
    """Return the customer whose things are asked for; raises as `wallet_of` does."""
    if caller.role is not None:
        if caller.role not in ACTS_FOR_CUSTOMERS:
            raise Forbidden(f"a {caller.role.value} key does not act for customers")
        if caller.customer_id is None:
            raise Invalid("name the customer whom you act for: ?customer=SHOPIFY_CUSTOMER_ID")
    if caller.customer_id is None:
        raise Unauthenticated("log in first")
    return caller.customer_id


def holder_of(session: Session, caller: Caller, *, now: datetime) -> Holder:
    """Return who holds, and how much they may; raises `Unauthenticated` for mere strangers."""
    found = holder(caller)
    if caller.customer_id is None:
        return found
    return replace(found, wallet_id=booking_wallet_of(session, caller, now=now))


def holder(caller: Caller) -> Holder:
    """Return who holds, their wallet left open; raises as `holder_of` does."""
    if caller.role is not None:
        if caller.role not in ACTS_FOR_CUSTOMERS:
            raise Forbidden(f"a {caller.role.value} key does not hold sessions")
        return Holder(caller.name, holds.STAFF_CAPS)
    if caller.customer_id is not None:
        return Holder(caller.name, holds.CUSTOMER_CAPS)
    if caller.visitor is None:
        raise Unauthenticated("sessions are held through the shop, or with a staff key")
    return Holder(caller.name, holds.VISITOR_CAPS)


def require_unrestricted(
    session: Session, caller: Caller, studio: Studio, *, now: datetime
) -> None:
    """Raise `Restricted` for a customer who missed too many sessions to book by themselves."""
    wallet_id = known_wallet_of(session, caller) if may_be_restricted(caller, studio) else None
    if wallet_id is not None:
        strikes.refuse_restricted(session, studio=studio, wallet_id=wallet_id, now=now)


def may_be_restricted(caller: Caller, studio: Studio) -> bool:
    """Tell whether missed sessions could keep this caller from booking."""
    is_customer = caller.role is None and caller.customer_id is not None
    return is_customer and strikes.bind(studio)


def actor_of(caller: Caller) -> str:
    """Return the caller as the ledger writes it; which customer it was, the wallet knows."""
    return f"staff:{caller.role.value}" if caller.role is not None else "customer"


def require_proof(caller: Caller) -> None:
    """Raise `Unauthenticated` for a stranger whom neither the shop nor a key vouches for."""
    if caller.role is None and caller.visitor is None:
        raise Unauthenticated("ask through the shop, or with a staff key")


def require_desk(caller: Caller) -> None:
    """Raise `Forbidden` for a key that does not serve customers."""
    if caller.role not in ACTS_FOR_CUSTOMERS:
        raise Forbidden("this key does not act for customers")

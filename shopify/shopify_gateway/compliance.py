"""What the law has the shop ask of us: show a person's data, forget a person, forget a shop (D13).

Topics customers/data_request, customers/redact and shop/redact. The answers travel by the
attention list: Shopify wants the merchant to hand an export over, and to decide about money owed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, col, select

from booking_engine import attention
from booking_engine.booking import erasure, waitlist
from booking_engine.catalog import queries
from booking_engine.ledger import wallets
from booking_engine.ledger.pseudonyms import Pseudonyms
from shopify_gateway import people, traces
from shopify_gateway.deliveries import UnreadableDelivery
from shopify_gateway.models import ShopOrder
from shopify_gateway.order import customer_number, from_snapshot, to_snapshot
from shopify_gateway.people import Told
from shopify_gateway.traces import Person

DATA_REQUEST, REDACT, SHOP_REDACT = "customers/data_request", "customers/redact", "shop/redact"
TOPICS = frozenset({DATA_REQUEST, REDACT, SHOP_REDACT})
ANSWER_WITHIN = timedelta(days=30)
# A month of bodies is searched: one that did not end in time would be begun for ever.
_PATIENCE = text("SET LOCAL statement_timeout = '5min'")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a request is about; the shop may tell only some of it."""

    customer_id: int | None
    email: str | None
    phone: str | None
    order_ids: tuple[int, ...]


def read(payload: Mapping[str, Any]) -> Asked:
    """Read a customers/data_request or customers/redact; raises `UnreadableDelivery`."""
    customer = payload.get("customer")
    named = customer if isinstance(customer, Mapping) else {}
    orders = payload.get("orders_to_redact") or payload.get("orders_requested") or []
    try:
        asked = Asked(
            customer_id=customer_number(named),
            email=str(named["email"]) if named.get("email") else None,
            phone=str(named["phone"]) if named.get("phone") else None,
            order_ids=tuple(int(each) for each in orders),
        )
    except (TypeError, ValueError) as error:
        raise UnreadableDelivery("the body names neither customer nor orders") from error
    if not any((asked.customer_id, asked.email, asked.phone, asked.order_ids)):
        raise UnreadableDelivery("the body names nobody")
    return asked


def redact(session: Session, told: Told) -> str:
    """Forget a person: their wallets are erased, their words and addresses go everywhere."""
    studio_id, privacy, now = told.studio_id, told.privacy, told.now
    asked = read(told.payload)
    studio = queries.load(session, studio_id=studio_id)
    session.execute(_PATIENCE)
    waitlist.queue(session, studio_id=studio_id)
    person = _person(session, studio_id, asked, privacy)
    wallets.lock_orders(session, studio_id=studio_id, order_ids=person.order_ids)
    wallets.lock_all(session, studio_id=studio_id, wallet_ids=person.wallet_ids)
    person = _person(session, studio_id, asked, privacy)  # with what came while we queued
    # Before the names go: of somebody who was merged, late orders come under any of them.
    ids = wallets.customers_of(session, studio_id=studio_id, wallet_ids=person.wallet_ids)
    for wallet_id in person.wallet_ids:
        for order_id in _orders_of(session, studio_id, wallet_id):
            wallets.name_order(session, studio_id=studio_id, order_id=order_id, wallet_id=wallet_id)
        erasure.erase(session, studio=studio, wallet_id=wallet_id, now=now)
    _remember(session, told, asked, person, ids)
    _strip_orders(session, studio_id, person)
    traces.wipe(session, studio_id=studio_id, person=person)
    return "erased" if person.wallet_ids else "nothing_kept"


def merged(session: Session, told: Told) -> str:
    """Take what customers/merge says; whoever goes into somebody who was erased is erased too.

    The shop merges nobody whom it has erased, so such a merge came first and was only heard later.
    """
    outcome = people.merged(session, told)
    if outcome == people.NOT_COMPLETED:
        return outcome
    kept, removed = people.merge_in(told.payload)
    digests = told.privacy.customers(told.studio_id, kept)
    if erasure.find(session, studio_id=told.studio_id, digests=digests) is not None:
        redact(session, replace(told, payload={"customer": {"id": removed}}))
    return outcome


def prepare_export(session: Session, told: Told) -> str:
    """Write down everything that is kept of a person, and put it on the studio's list."""
    studio_id, privacy, now = told.studio_id, told.privacy, told.now
    asked = read(told.payload)
    request = told.payload.get("data_request")
    number = request.get("id") if isinstance(request, Mapping) else None
    if not isinstance(number, int):
        raise UnreadableDelivery("the body names no data_request")
    session.execute(_PATIENCE)
    person = _person(session, studio_id, asked, privacy)
    export_id = traces.export(
        session, studio_id=studio_id, person=person, request=str(number), now=now
    )
    if export_id is None:
        return "agreed"
    attention.raise_item(
        session,
        studio_id=studio_id,
        kind="data_request",
        key=str(number),
        detail="a customer asked for their data: hand the export over to them",
        now=now,
        facts={
            "export": str(export_id),
            "data_request": number,
            "until": (now + ANSWER_WITHIN).isoformat(timespec="seconds"),
        },
    )
    return "exported"


def _person(session: Session, studio_id: int, asked: Asked, privacy: Pseudonyms) -> Person:
    """Find what is theirs: the customer's wallet, and those of their orders without a customer."""
    found: list[UUID] = []
    if asked.customer_id is not None:
        wallet = wallets.find_customer(session, studio_id=studio_id, customer_id=asked.customer_id)
        digests = privacy.customers(studio_id, asked.customer_id)
        erased = erasure.find(session, studio_id=studio_id, digests=digests)
        found += [wallet.id] if wallet else []
        found += [erased.wallet_id] if erased and erased.wallet_id else []
    addresses = privacy.addresses(studio_id, asked.email) if asked.email else []
    if asked.customer_id is None:
        known = wallets.find_address(session, studio_id=studio_id, addresses=addresses)
        found += [known.id] if known else []
    unclaimed = session.exec(
        select(ShopOrder).where(
            col(ShopOrder.studio_id) == studio_id,
            col(ShopOrder.order_id).in_(asked.order_ids) | col(ShopOrder.address).in_(addresses),
        )
    ).all()
    for row in unclaimed:
        names_nobody = row.snapshot is None or from_snapshot(row.snapshot).customer_id is None
        own = wallets.find_order(session, studio_id=studio_id, order_id=row.order_id)
        if names_nobody and own is not None and traces.is_of_orders_alone(session, own):
            found.append(own.id)
    wallet_ids = tuple(sorted(set(found)))
    order_ids = {*asked.order_ids, *(row.order_id for row in unclaimed)}
    for wallet_id in wallet_ids:
        order_ids.update(_orders_of(session, studio_id, wallet_id))
    return Person(
        customer_id=asked.customer_id,
        wallet_ids=wallet_ids,
        order_ids=tuple(sorted(order_ids)),
        words=tuple(word for word in (asked.email, asked.phone) if word),
    )


def _remember(
    session: Session, told: Told, asked: Asked, person: Person, ids: Sequence[int]
) -> None:
    """Keep what says that somebody was erased: every customer id of theirs, and the address."""
    studio_id, privacy = told.studio_id, told.privacy
    wallet_id = person.wallet_ids[0] if person.wallet_ids else None
    known = {*ids, *([asked.customer_id] if asked.customer_id is not None else [])}
    digests = [each for number in sorted(known) for each in privacy.customers(studio_id, number)]
    if asked.email:
        digests += privacy.addresses(studio_id, asked.email)
    erasure.remember(
        session, studio_id=studio_id, digests=digests, wallet_id=wallet_id, now=told.now
    )


def _strip_orders(session: Session, studio_id: int, person: Person) -> None:
    """Take the customer's id and the address out of what is kept of their orders."""
    rows = session.exec(
        select(ShopOrder)
        .where(col(ShopOrder.studio_id) == studio_id, col(ShopOrder.order_id).in_(person.order_ids))
        .execution_options(populate_existing=True)
    ).all()
    for row in rows:
        row.address = None
        row.last_error = None
        if row.snapshot is None:
            continue
        order = from_snapshot(row.snapshot)
        names_them = order.customer_id is not None and order.customer_id == person.customer_id
        if names_them or row.wallet_id in person.wallet_ids:
            row.snapshot = to_snapshot(replace(order, customer_id=None))
    session.flush()


def _orders_of(session: Session, studio_id: int, wallet_id: UUID) -> list[int]:
    found = select(ShopOrder.order_id).where(
        col(ShopOrder.studio_id) == studio_id, col(ShopOrder.wallet_id) == wallet_id
    )
    return list(session.exec(found.order_by(col(ShopOrder.order_id))).all())

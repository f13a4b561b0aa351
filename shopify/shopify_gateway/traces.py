"""Where a person has left traces in the database: collected for an export, wiped for an erasure.

Nothing that names a person is kept on purpose, except the raw bodies of deliveries. What people
typed (reasons, errors) may name one all the same, so every column that can hold their words is
looked at. No other: a company can be called `paid`, and that is also what an order is.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session, SQLModel, col, func, select

from booking_engine.erasing import Erasing, erasing
from booking_engine.ledger.merging import OWNED
from booking_engine.ledger.models import AliasKind, Wallet, WalletAlias
from booking_engine.ledger.people_models import PersonExport
from shopify_gateway.models import DeliveryState, WebhookDelivery

GONE = "[erased]"
# Where people's words may stand. All other columns have ids, numbers and words of our own.
TYPED: Mapping[str, tuple[str, ...]] = {
    "attention_item": ("detail", "facts", "resolved_reason"),
    "audit_entry": ("reason", "facts"),
    "block": ("reason",),
    "booking": ("ended_reason",),
    "debt_entry": ("reason",),
    "lot_extension": ("reason",),
    "outbox_message": ("last_error",),
    "person_export": ("document",),
    "shop_order": ("last_error",),
    "webhook_delivery": ("last_error",),
}
# Words of these keys, in what the shop sent about somebody, are theirs.
NAMING = frozenset({"address1", "address2", "company", "contact_email", "email", "name", "phone"})
PERSONAL_PARTS = frozenset(
    {"billing_address", "customer", "default_address", "shipping_address", "addresses"}
)
SHORTEST = 4  # letters; anything shorter would be found inside of other words


@dataclass(frozen=True, slots=True)
class Person:
    """Whom it is about: their ids here and in the shop, and words that name them."""

    customer_id: int | None
    wallet_ids: tuple[UUID, ...]
    order_ids: tuple[int, ...]
    words: tuple[str, ...]

    @property
    def numbers(self) -> list[str]:
        """Return the shop's ids by which a body is known to be about them."""
        customer = [self.customer_id] if self.customer_id is not None else []
        return [str(number) for number in (*customer, *self.order_ids)]


def export(
    session: Session, *, studio_id: int, person: Person, request: str, now: datetime
) -> UUID | None:
    """Write one document with all that is kept of a person; None where it was written before."""
    known = session.exec(
        select(PersonExport.id).where(
            col(PersonExport.studio_id) == studio_id, col(PersonExport.request) == request
        )
    ).first()
    if known is not None:
        return None
    values = {"studio_id": studio_id, "wallets": _with_former(session, studio_id, person)}
    kept: dict[str, Any] = {}
    for table, column in OWNED:
        if column == "wallet_id" and table not in {"person_export", "tombstone"}:
            kept[table] = _rows(session, f"{table}.wallet_id = ANY(:wallets)", table, values)
    mine = "(SELECT id FROM lot WHERE studio_id = :studio_id AND wallet_id = ANY(:wallets))"
    for table in ("transfer", "draw"):
        kept[table] = _rows(session, f"{table}.lot_id IN {mine}", table, values)
    kept["debt_entry"] = _rows(session, "debt_entry.debtor = ANY(:wallets)", "debt_entry", values)
    bodies = [
        {"topic": each.topic, "received_at": each.received_at.isoformat(), "body": _parsed(each)}
        for each in _deliveries(session, studio_id, person)
        if _is_about(_parsed(each), person)
    ]
    made = PersonExport(
        studio_id=studio_id,
        request=request,
        wallet_id=person.wallet_ids[0] if person.wallet_ids else None,
        document={
            "customer": person.customer_id,
            "orders": list(person.order_ids),
            "kept": kept,
            "deliveries": bodies,
        },
        created_at=now,
    )
    session.add(made)
    session.flush()
    return made.id


def wipe(session: Session, *, studio_id: int, person: Person) -> None:
    """Take everything that names a person out of every column that can hold their words."""
    named = _forget_bodies(session, studio_id, person)
    values: dict[str, Any] = {
        "studio_id": studio_id,
        "wallets": _with_former(session, studio_id, person),
        "orders": list(person.order_ids),
        "customer": str(person.customer_id) if person.customer_id is not None else None,
    }
    with erasing(session, Erasing.PERSON):
        for statement in _LINKED:
            session.execute(statement, values)
        words = {word.strip() for word in named if len(word.strip()) >= SHORTEST}
        if words:
            # The longest first: an address is not to leave its second half behind.
            _blank_words(session, studio_id, sorted(words, key=len, reverse=True))
    session.expire_all()


def is_of_orders_alone(session: Session, wallet: Wallet) -> bool:
    """Tell whether a wallet is only known by orders: no customer stands behind it."""
    others = select(func.count()).where(
        col(WalletAlias.studio_id) == wallet.studio_id,
        col(WalletAlias.wallet_id) == wallet.id,
        col(WalletAlias.kind) != AliasKind.ORDER,
    )
    return session.exec(others).one() == 0


# Wallets that went into these, however often: what was written of them then is written of these.
_FORMER = text("""
    WITH RECURSIVE mine AS (
        SELECT unnest(CAST(:wallets AS uuid[])) AS id
        UNION
        SELECT removed FROM wallet_merge JOIN mine ON kept = mine.id
        WHERE wallet_merge.studio_id = :studio_id
    )
    SELECT id FROM mine ORDER BY id
""")

# What people typed about things of this person goes as a whole, whatever it says.
_MINE = """
    SELECT id::text FROM booking WHERE studio_id = :studio_id AND wallet_id = ANY(:wallets)
    UNION ALL SELECT id::text FROM lot
        WHERE studio_id = :studio_id AND wallet_id = ANY(:wallets)
    UNION ALL SELECT id::text FROM wallet_claim
        WHERE studio_id = :studio_id AND wallet_id = ANY(:wallets)
    UNION ALL SELECT id::text FROM claim_code
        WHERE studio_id = :studio_id AND order_id = ANY(CAST(:orders AS bigint[]))
    UNION ALL SELECT unnest(CAST(:wallets AS uuid[]))::text
    UNION ALL SELECT 'order:' || unnest(CAST(:orders AS bigint[]))
"""
_LINKED = tuple(
    text(statement)
    for statement in (
        f"""
        UPDATE audit_entry SET reason = '', facts = facts - 'customer'
        WHERE studio_id = :studio_id
          AND (reference IN ({_MINE}) OR facts ->> 'customer' = :customer)
        """,  # noqa: S608 - a constant of this file
        """
        UPDATE debt_entry SET reason = ''
        WHERE studio_id = :studio_id AND debtor = ANY(:wallets)
        """,
        """
        UPDATE lot_extension SET reason = ''
        WHERE studio_id = :studio_id AND lot_id IN (
            SELECT id FROM lot WHERE studio_id = :studio_id AND wallet_id = ANY(:wallets))
        """,
        f"""
        UPDATE attention_item SET resolved_reason = CASE WHEN resolved_reason IS NULL THEN NULL
                                                    ELSE '{GONE}' END
        WHERE studio_id = :studio_id
          AND (key IN ({_MINE}) OR facts ->> 'booking' IN ({_MINE})
               OR facts ->> 'order_id' = ANY(CAST(CAST(:orders AS bigint[]) AS text[])))
        """,  # noqa: S608 - a constant of this file
        """
        DELETE FROM idempotency_record WHERE studio_id = :studio_id
          AND (caller = 'customer:' || :customer OR caller LIKE 'staff:%:' || :customer)
        """,
        """
        DELETE FROM person_export WHERE studio_id = :studio_id AND wallet_id = ANY(:wallets)
        """,
    )
)


def _forget_bodies(session: Session, studio_id: int, person: Person) -> set[str]:
    """Forget the bodies about a person, and return the words by which they named them.

    One that still waits to be understood is left to that; it is forgotten when it is done.
    """
    words = set(person.words)
    for delivery in _deliveries(session, studio_id, person):
        body = _parsed(delivery)
        if _is_theirs(body, person):
            words.update(_words(body, is_theirs=delivery.topic.startswith("customers/")))
    ours = replace(person, words=tuple(words))
    for delivery in _deliveries(session, studio_id, ours):
        delivery.last_error = None
        if delivery.state is not DeliveryState.PENDING:
            delivery.body = None
    session.flush()
    return words


def _deliveries(session: Session, studio_id: int, person: Person) -> list[WebhookDelivery]:
    """Return the deliveries that name a person in any of their shapes, oldest first.

    One too many does no harm: its body would be forgotten after 30 days anyway.
    """
    spelled = [
        each
        for word in person.words
        for each in {word, json.dumps(word)[1:-1]}
        if len(each) >= SHORTEST
    ]
    numbers = rf"\m({'|'.join(person.numbers)})\M" if person.numbers else None
    found = session.exec(
        select(WebhookDelivery)
        .where(
            col(WebhookDelivery.studio_id) == studio_id,
            col(WebhookDelivery.body).is_not(None),
            text("""
                (encode(body, 'escape') ~ CAST(:numbers AS text)
                 OR EXISTS (SELECT FROM unnest(CAST(:spelled AS text[])) AS word WHERE position(
                        lower(encode(convert_to(word, 'UTF8'), 'escape'))
                        IN lower(encode(body, 'escape'))) > 0))
            """).bindparams(numbers=numbers, spelled=spelled),
        )
        .order_by(col(WebhookDelivery.received_at))
    )
    return list(found.all())


def _with_former(session: Session, studio_id: int, person: Person) -> list[UUID]:
    values = {"studio_id": studio_id, "wallets": list(person.wallet_ids)}
    return [row[0] for row in session.execute(_FORMER, values)]


def _is_about(body: Any, person: Person) -> bool:
    """Tell whether a body may be shown to a person: it is about them, or about an order of theirs.

    One that merely has their address, or a number like theirs, is somebody else's.
    """
    if _is_theirs(body, person):
        return True
    return isinstance(body, Mapping) and body.get("order_id") in person.order_ids


def _is_theirs(body: Any, person: Person) -> bool:
    """Tell whether the words in a body are those of this person and of nobody else."""
    if not isinstance(body, Mapping):
        return False
    customer = body.get("customer")
    known = {str(person.customer_id)} if person.customer_id is not None else set()
    if isinstance(customer, Mapping):
        return str(customer.get("id")) in known
    emails = {str(body.get(key)).lower() for key in ("email", "contact_email") if body.get(key)}
    is_named = bool(emails & {word.lower() for word in person.words})
    return is_named or str(body.get("id")) in {*known, *person.numbers}


def _blank_words(session: Session, studio_id: int, words: list[str]) -> None:
    pattern = re.compile("|".join(re.escape(word) for word in words), re.IGNORECASE)
    values = {"studio_id": studio_id, "words": [word.lower() for word in words]}
    for name, columns in TYPED.items():
        table = SQLModel.metadata.tables[name]
        keys = [column.name for column in table.primary_key]
        for column in columns:
            rows = session.execute(
                text(
                    f"SELECT {', '.join(keys)}, {column} AS said FROM {table.name}"  # noqa: S608 - names of our own tables
                    " WHERE studio_id = :studio_id AND EXISTS (SELECT FROM"
                    " unnest(CAST(:words AS text[])) AS word"
                    f" WHERE position(word IN lower({column}::text)) > 0)"
                ),
                values,
            ).mappings()
            for row in rows.all():
                said = _blanked(row["said"], pattern)
                matches = (table.c[key] == row[key] for key in keys)
                session.execute(table.update().where(*matches).values({column: said}))


def _blanked(said: Any, pattern: re.Pattern[str]) -> Any:
    if isinstance(said, str):
        return pattern.sub(GONE, said)
    if isinstance(said, list):
        return [_blanked(each, pattern) for each in said]
    if isinstance(said, Mapping):
        return {key: _blanked(each, pattern) for key, each in said.items()}
    return said


def _rows(session: Session, where: str, table: str, values: Mapping[str, Any]) -> list[Any]:
    statement = text(
        f"SELECT to_jsonb({table}) FROM {table}"  # noqa: S608 - names of our own tables
        f" WHERE {table}.studio_id = :studio_id AND {where}"
    )
    return [row[0] for row in session.execute(statement, dict(values))]


def _parsed(delivery: WebhookDelivery) -> Any:
    try:
        return json.loads(delivery.body or b"null")
    except ValueError:
        return None


def _words(value: Any, *, is_theirs: bool = False) -> Iterator[str]:
    """Yield the words in what the shop sent that name a person."""
    if isinstance(value, list):
        for each in value:
            yield from _words(each, is_theirs=is_theirs)
    if not isinstance(value, Mapping):
        return
    if is_theirs and value.get("first_name") and value.get("last_name"):
        yield f"{value['first_name']} {value['last_name']}"
    for key, each in value.items():
        if isinstance(each, str) and key in NAMING and (is_theirs or key in {"email", "phone"}):
            yield each
        elif isinstance(each, Mapping | list):
            yield from _words(each, is_theirs=is_theirs or key in PERSONAL_PARTS)

"""`simstudio doctor`: looks at everything that the studio needs, and names the cure."""

from collections.abc import Iterator
from dataclasses import dataclass

import redis
from sqlalchemy import text

from booking_engine.catalog import queries
from booking_engine.catalog.studio import Coach, Simulator, Studio
from booking_engine.errors import Unavailable
from calendar_sync.google import CalendarRefused, EventMissing
from connector import migrate
from connector.runtime import NotConfigured, Runtime
from shopify_gateway.admin import Admin, AdminRefused

SCOPES = frozenset(
    {
        "read_customer_merge",
        "read_customers",
        "read_orders",
        "read_shopify_payments_disputes",
        "write_app_proxy",
    }
)
# What shopify.app.toml subscribes to; a test holds the two against each other. The compliance
# topics are not among them: Shopify shows those to nobody.
TOPICS = [
    "CHECKOUTS_CREATE",
    "CHECKOUTS_UPDATE",
    "CUSTOMERS_CREATE",
    "CUSTOMERS_ENABLE",
    "CUSTOMERS_MERGE",
    "CUSTOMERS_UPDATE",
    "ORDERS_CANCELLED",
    "ORDERS_CREATE",
    "ORDERS_EDITED",
    "ORDERS_PAID",
    "ORDERS_UPDATED",
    "ORDERS_DELETE",
    "REFUNDS_CREATE",
    "DISPUTES_CREATE",
    "DISPUTES_UPDATE",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; a cure where it is not well."""

    what: str
    cure: str = ""

    @property
    def is_well(self) -> bool:
        """Tell whether nothing needs to be done."""
        return not self.cure


def examine(house: Runtime) -> list[Finding]:
    """Return what was found, in the order in which it should be cured."""
    findings = [Finding("settings are complete"), *_database(house)]
    if not all(finding.is_well for finding in findings):
        return findings
    findings.append(_redis(house))
    with house.transaction() as session:
        studios = [queries.load(session, studio_id=each) for each in queries.all_ids(session)]
    if not studios:
        findings.append(Finding("no studio", "run `simstudio apply studio.toml`"))
    for studio in studios:
        findings += [*_shopify(house, studio), *_calendars(house, studio)]
    return findings


def _database(house: Runtime) -> Iterator[Finding]:
    try:
        with house.transaction() as session:
            version = session.execute(text("SHOW server_version_num")).scalar_one()
            current = migrate.is_current(session.connection())
    except Unavailable as error:
        yield Finding("database does not answer", f"check SIMSTUDIO_DATABASE_URL ({error.detail})")
        return
    old = "upgrade to PostgreSQL 16 or newer" if int(version) < 160000 else ""
    yield Finding(f"database is PostgreSQL {int(version) // 10000}", old)
    yield Finding("schema is at its head", "" if current else "run `simstudio migrate`")


def _redis(house: Runtime) -> Finding:
    try:
        with redis.Redis.from_url(
            house.settings.redis_url, socket_timeout=2, socket_connect_timeout=2
        ) as client:
            client.ping()
    except redis.RedisError as error:
        cure = f"check SIMSTUDIO_REDIS_URL ({type(error).__name__}); until then all is slower"
        return Finding("Redis does not answer", cure)
    return Finding("Redis answers")


def _shopify(house: Runtime, studio: Studio) -> Iterator[Finding]:
    try:
        with house.admin(studio) as admin:
            yield from _shop(admin, studio)
    except NotConfigured as error:
        yield Finding(f"{studio.shop}: no Admin API token", str(error))
    except Unavailable as error:
        yield Finding(f"{studio.shop}: the Admin API does not answer", f"try later: {error.detail}")
    except AdminRefused as error:
        cure = f"check SIMSTUDIO_SHOPIFY__ADMIN_TOKEN and the app's scopes ({error})"
        yield Finding(f"{studio.shop}: the Admin API refuses us", cure)


def _shop(admin: Admin, studio: Studio) -> Iterator[Finding]:
    domain, scopes = admin.access()
    wrong = "" if domain == studio.shop else f"the token is of {domain}; studio.toml names another"
    yield Finding(f"{studio.shop}: the Admin API token works", wrong)
    missing = sorted(SCOPES - set(scopes))
    yield Finding(
        f"{studio.shop}: scopes", f"grant {', '.join(missing)} to the app" if missing else ""
    )
    lacking = sorted(set(TOPICS) - set(admin.webhook_topics()))
    yield Finding(
        f"{studio.shop}: webhook subscriptions",
        f"deploy shopify.app.toml; missing: {', '.join(lacking)}" if lacking else "",
    )


def _calendars(house: Runtime, studio: Studio) -> Iterator[Finding]:
    serving: tuple[Simulator | Coach, ...] = (*studio.simulators, *studio.coaches)
    named = [
        ("the owner", studio.owner_calendar),
        *((each.name, each.calendar) for each in serving),
    ]
    for name, calendar in named:
        if calendar is None:
            continue
        yield Finding(f"calendar of {name}: {calendar}", _access(house, calendar))


def _access(house: Runtime, calendar: str) -> str:
    try:
        house.google.check(calendar)
    except EventMissing:
        return "share the calendar with our account, role: make changes to events"
    except CalendarRefused as error:
        return f"check SIMSTUDIO_GOOGLE__CREDENTIALS or SIMSTUDIO_GOOGLE__TOKEN ({error})"
    except Unavailable as error:
        return f"try later: {error.detail}"
    return ""

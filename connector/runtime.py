"""What one process works with, made once from its settings and handed to whoever needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from celery import Celery
from sqlalchemy import Engine

from booking_engine.catalog.studio import Studio
from calendar_sync.google import GoogleCalendar
from connector import broker, database
from connector.database import Door
from connector.limits import Limits
from connector.settings import Settings
from connector.wakeups import Wakeups
from shopify_gateway.admin import Admin


class NotConfigured(Exception):
    """A setting that this work needs is missing; the message says which."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """The doors of a process: the database, the broker, the neighbours."""

    settings: Settings
    engine: Engine
    transaction: Door
    celery: Celery
    wakeups: Wakeups
    google: GoogleCalendar
    limits: Limits

    @contextmanager
    def admin(self, studio: Studio) -> Iterator[Admin]:
        """Open the shop's Admin API; raises `NotConfigured` without a token."""
        shopify = self.settings.shopify
        if shopify.admin_token is None:
            raise NotConfigured("set SIMSTUDIO_SHOPIFY__ADMIN_TOKEN to read from the Admin API")
        admin = Admin(
            url=shopify.admin_endpoint(studio.shop), token=shopify.admin_token.get_secret_value()
        )
        try:
            yield admin
        finally:
            admin.close()


def make(settings: Settings, *, statement_timeout_seconds: int = 8) -> Runtime:
    """Make the runtime of this process; nothing is connected to yet."""
    engine = database.make_engine(settings, statement_timeout_seconds=statement_timeout_seconds)
    celery = broker.make_celery(settings.redis_url)
    google = settings.google
    return Runtime(
        settings=settings,
        engine=engine,
        transaction=database.make_door(engine),
        celery=celery,
        wakeups=Wakeups(celery),
        limits=Limits(settings.redis_url),
        google=GoogleCalendar(
            endpoint=google.endpoint,
            credentials_file=google.credentials,
            token=google.token.get_secret_value() if google.token else None,
        ),
    )

"""The demo studio, and what tests ask of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlmodel import Session

from booking_engine.booking.terms import CoachingRequest, SessionRequest
from booking_engine.catalog import plan, queries, studio_file
from booking_engine.catalog.studio import Studio
from booking_engine.ledger import credits, wallets
from booking_engine.ledger.credits import Grant
from booking_engine.ledger.models import CreditKind, Wallet
from booking_engine.ledger.transfers import Cause

TORONTO = ZoneInfo("America/Toronto")
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)  # a Friday, 10:00 in Toronto
DEMO_FILE = Path(__file__).parents[2] / "deploy" / "sandbox" / "studio.toml"
# What a studio writes whose staff check people in.
TRACKED = {'attendance = "none"': 'attendance = "staff"'}
HOUR = 44000000000001
COACHING = 44000000000002
PACKAGE = 44000000000003


def demo_text(**replacements: str) -> str:
    """Return the demo studio.toml with some of its text replaced: `old="new"` by keyword pairs."""
    text = DEMO_FILE.read_text()
    for old, new in replacements.items():
        assert old in text
        text = text.replace(old, new)
    return text


def apply_demo(session: Session, text: str | None = None) -> Studio:
    """Apply the demo studio (or an altered text of it) and return its catalogue."""
    file = studio_file.read(text or DEMO_FILE.read_text(), name="studio.toml")
    plan.converge(session, file=file, now=NOW)
    session.flush()
    return queries.load(session, studio_id=queries.id_of_shop(session, shop=file.studio.shop))


def toronto(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    """Return a wall-clock time of the studio."""
    return datetime(year, month, day, hour, minute, tzinfo=TORONTO)


def make_request(
    start: datetime | None = None,
    minutes: int = 60,
    *,
    simulators: int = 1,
    simulator: str | None = None,
    coaching: CoachingRequest | None = None,
) -> SessionRequest:
    """Ask for a session; by default an hour on the Wednesday after NOW at 18:00."""
    return SessionRequest(
        "simulator", start or toronto(2026, 11, 25, 18), minutes, simulators, simulator, coaching
    )


def make_wallet(session: Session, studio: Studio, customer_id: int = 7001) -> Wallet:
    """Make a customer's wallet."""
    return wallets.of_customer(session, studio_id=studio.id, customer_id=customer_id, now=NOW)


def make_lot(
    session: Session,
    studio: Studio,
    wallet: Wallet,
    quantity: int = 60,
    *,
    kind: CreditKind = CreditKind.SIMULATOR_MINUTES,
    source: str = "test:1",
    expires_in: timedelta | None = None,
) -> None:
    """Grant a lot to a wallet."""
    credits.grant(
        session,
        studio_id=studio.id,
        wallet_id=wallet.id,
        wanted=Grant(source, kind, quantity, expires_at=NOW + expires_in if expires_in else None),
        cause=Cause("test", "test", "test", NOW),
    )

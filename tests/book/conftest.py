"""A studio and a wallet in it."""

import pytest
from sqlmodel import Session

from booking_engine.catalog.studio import Studio
from booking_engine.ledger.models import Wallet
from tests.factories.studio import apply_demo, make_wallet


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)


@pytest.fixture
def wallet(session: Session, studio: Studio) -> Wallet:
    return make_wallet(session, studio)

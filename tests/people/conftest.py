"""A studio whose customers merge, claim, give and are forgotten."""

import pytest
from sqlmodel import Session

from booking_engine.catalog.studio import Studio
from tests.factories.studio import apply_demo


@pytest.fixture
def studio(session: Session) -> Studio:
    return apply_demo(session)

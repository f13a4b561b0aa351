"""The collected samples of the topics about people are understood, whatever they say."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session

from booking_engine.catalog.studio import Studio
from tests.factories.people import hear

SAMPLES = Path(__file__).parents[3] / "shared/data/shopify/webhooks/official_2026-04"
OUTCOMES = {
    "customers/create": "verified",
    "customers/enable": "verified",
    "customers/update": "verified",
    "customers/merge": "not_completed",
    "customers/data_request": "exported",
    "customers/redact": "nothing_kept",
    "customers/delete": "ignored",
    "shop/redact": "closed",
}


def sample(topic: str) -> dict[str, Any]:
    path = SAMPLES / f"{topic.replace('/', '__')}.json"
    if not path.exists():
        pytest.skip(f"the collected payloads are not here: {SAMPLES}")
    body: dict[str, Any] = json.loads(path.read_text())
    return body


@pytest.mark.parametrize("topic", sorted(OUTCOMES))
def test_an_official_sample_is_understood(session: Session, studio: Studio, topic: str) -> None:
    assert hear(session, studio, topic, sample(topic)) == OUTCOMES[topic]

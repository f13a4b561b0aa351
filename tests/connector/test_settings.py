"""Settings: from the environment, typed, complete, and with their secrets kept."""

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from connector import settings
from connector.cli import app

COMPLETE = {
    "SIMSTUDIO_DATABASE_URL": "postgresql://studio@db/studio",
    "SIMSTUDIO_REDIS_URL": "redis://cache:6379/0",
    "SIMSTUDIO_SHOPIFY__CLIENT_ID": "id",
    "SIMSTUDIO_SHOPIFY__CLIENT_SECRET": "do-not-tell",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in (*COMPLETE, "SIMSTUDIO_SHOP", "SIMSTUDIO_GOOGLE__ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_the_environment_is_read() -> None:
    found = settings.read()

    assert found.database_url == "postgresql+psycopg://studio@db/studio"
    assert found.shopify.secrets == ["do-not-tell"]
    assert found.shopify.admin_endpoint("x.myshopify.com") == (
        "https://x.myshopify.com/admin/api/2026-10/graphql.json"
    )
    assert found.google.endpoint == "https://www.googleapis.com/calendar/v3/"
    assert "do-not-tell" not in repr(found)


def test_a_rotated_secret_is_still_accepted(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SIMSTUDIO_SHOPIFY__PREVIOUS_CLIENT_SECRET", "older")

    assert settings.read().shopify.secrets == ["do-not-tell", "older"]


@pytest.mark.parametrize("name", sorted(COMPLETE))
def test_what_is_missing_is_named(environment: pytest.MonkeyPatch, name: str) -> None:
    environment.delenv(name)

    answer = CliRunner().invoke(app, ["verify"])

    assert answer.exit_code == 2
    assert f"{name}: Field required" in answer.stderr
    assert "do-not-tell" not in answer.output


def test_every_missing_setting_is_named_when_all_are(environment: pytest.MonkeyPatch) -> None:
    for name in COMPLETE:
        environment.delenv(name)

    answer = CliRunner().invoke(app, ["verify"])

    assert answer.exit_code == 2
    for name in COMPLETE:
        assert name in answer.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SIMSTUDIO_DATABASE_URL", "sqlite:///studio.db"),
        ("SIMSTUDIO_DATABASE_URL", "postgresql"),
        ("SIMSTUDIO_GOOGLE__ENDPOINT", "https://google.test/calendar/"),
        ("SIMSTUDIO_GOOGLE__COLOUR", "green"),
        ("SIMSTUDIO_SHOPIFY__CLIENT_SECRETS", "x"),
        ("SIMSTUDIO_API__PORT", "http"),
        ("SIMSTUDIO_API__WORKERS", "0"),
        ("SIMSTUDIO_DATABASE__POOL_SIZE", "-1"),
        ("SIMSTUDIO_LOG_FORMAT", "xml"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_refused(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(name, value)

    with pytest.raises(ValidationError) as refusal:
        settings.read()

    location = "__".join(str(part) for part in refusal.value.errors()[0]["loc"]).upper()
    assert f"SIMSTUDIO_{location}" == name


def test_the_key_of_hashes_is_made_of_the_secret_unless_there_is_one(
    environment: pytest.MonkeyPatch,
) -> None:
    by_default = settings.read().privacy
    environment.setenv("SIMSTUDIO_PRIVACY_KEY", "a key that is kept for ever")

    own = settings.read().privacy

    assert own.keys[1:] == by_default.keys
    assert own.keys[0] not in by_default.keys
    assert b"do-not-tell" not in by_default.keys

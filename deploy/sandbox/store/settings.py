"""What the store is told when it starts."""

import os
from dataclasses import dataclass
from pathlib import Path

from sandbox.store.errors import Refused

API_VERSION = "2026-10"
EXTENSION = Path(__file__).resolve().parents[3] / "shopify" / "extensions" / "studio-booking"


@dataclass(frozen=True)
class Settings:
    """Who the shop is, whom it tells, and the secrets both sides know."""

    connector_url: str
    shop: str
    client_id: str
    client_secret: str
    admin_token: str
    schema: Path | None


def from_environment() -> Settings:
    """Read the settings, or refuse naming the variable that is missing."""
    schema = os.environ.get("SANDBOX_ADMIN_SCHEMA")
    if schema and not Path(schema).is_file():
        raise Refused(f"SANDBOX_ADMIN_SCHEMA names no file: {schema}")
    return Settings(
        connector_url=required("SIMSTUDIO_URL").rstrip("/"),
        shop=required("SIMSTUDIO_SHOP"),
        client_id=required("SIMSTUDIO_SHOPIFY__CLIENT_ID"),
        client_secret=required("SIMSTUDIO_SHOPIFY__CLIENT_SECRET"),
        admin_token=required("SIMSTUDIO_SHOPIFY__ADMIN_TOKEN"),
        schema=Path(schema) if schema else None,
    )


def required(name: str) -> str:
    """Return one environment variable that has to be there."""
    value = os.environ.get(name, "")
    if not value:
        raise Refused(f"{name} is not set")
    return value

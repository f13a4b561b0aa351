"""Settings: environment variables `SIMSTUDIO_...`, one typed class, no default for a secret."""

import hmac
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from booking_engine.ledger.pseudonyms import Pseudonyms

ADMIN_API_VERSION = "2026-10"


def _psycopg_url(value: str) -> str:
    scheme, colon, rest = value.partition("://")
    if not colon or scheme not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ValueError("write it as postgresql://user@host/database")
    return f"postgresql+psycopg://{rest}"


def _calendar_root(value: str) -> str:
    if not value.endswith("/calendar/v3/"):
        raise ValueError("must end in /calendar/v3/")
    return value


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ShopifySettings(_Group):
    """`SIMSTUDIO_SHOPIFY__...`"""

    client_id: str = Field(description="the app's client id")
    client_secret: SecretStr = Field(
        min_length=1, description="the app's client secret; signs what Shopify sends"
    )
    previous_client_secret: SecretStr | None = Field(
        None, description="the secret before a rotation; still accepted while it is set"
    )
    admin_url: str | None = Field(
        None, description="GraphQL endpoint; default: the shop's own, version 2026-10"
    )
    admin_token: SecretStr | None = Field(
        None, description="a fixed Admin API token, in place of an exchange"
    )

    @property
    def secrets(self) -> list[str]:
        """Return the secrets that may have signed a request, the current one first."""
        known = [self.client_secret, self.previous_client_secret]
        return [secret.get_secret_value() for secret in known if secret]

    def admin_endpoint(self, shop: str) -> str:
        """Return where the shop's Admin API is."""
        return self.admin_url or f"https://{shop}/admin/api/{ADMIN_API_VERSION}/graphql.json"


class GoogleSettings(_Group):
    """`SIMSTUDIO_GOOGLE__...`"""

    endpoint: Annotated[str, AfterValidator(_calendar_root)] = Field(
        "https://www.googleapis.com/calendar/v3/", description="where Google Calendar is"
    )
    credentials: str | None = Field(
        None, description="file of a service account, or of an authorised user"
    )
    token: SecretStr | None = Field(None, description="a fixed bearer token, in place of a file")


class ApiSettings(_Group):
    """`SIMSTUDIO_API__...`"""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, description="port to listen on")
    workers: int = Field(1, ge=1, le=64, description="processes of `simstudio serve`")


class DatabaseSettings(_Group):
    """`SIMSTUDIO_DATABASE__...`"""

    pool_size: int = Field(10, ge=1, le=100, description="connections per process, for its threads")
    loop_pool_size: int = Field(
        8, ge=1, le=100, description="connections per API process, for its event loop"
    )
    prepared_statements: bool = Field(
        default=True, description="turn off behind PgBouncer below 1.21 in transaction mode"
    )


class Settings(BaseSettings):
    """Everything that can be set. Unknown names in a group are refused."""

    model_config = SettingsConfigDict(
        env_prefix="SIMSTUDIO_", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    database_url: Annotated[str, AfterValidator(_psycopg_url)] = Field(
        description="PostgreSQL 16 or newer: postgresql://user@host/database"
    )
    redis_url: str = Field(description="Redis 6 or newer: redis://host:6379/0")
    shopify: ShopifySettings
    google: GoogleSettings = Field(default_factory=lambda: GoogleSettings.model_validate({}))
    api: ApiSettings = Field(default_factory=lambda: ApiSettings.model_validate({}))
    database: DatabaseSettings = Field(default_factory=lambda: DatabaseSettings.model_validate({}))
    privacy_key: SecretStr | None = Field(
        None,
        min_length=16,
        description="keys the hashes of addresses and the codes of claims; default: made of the"
        " client secret. Set it before that is rotated twice, and keep it",
    )
    log_format: Literal["json", "console"] = Field("json", description="json, or console")

    @property
    def privacy(self) -> Pseudonyms:
        """Return what makes names unreadable, and recognises them again."""
        own = [self.privacy_key.get_secret_value()] if self.privacy_key else []
        secrets = [*own, *self.shopify.secrets]
        return Pseudonyms(
            tuple(
                hmac.digest(secret.encode(), b"simstudio privacy 1", "sha256") for secret in secrets
            )
        )


def read(**overrides: Any) -> Settings:
    """Read the settings from the environment; raises pydantic's `ValidationError`."""
    return Settings(**overrides)


def variables(path: Sequence[str | int]) -> list[str]:
    """Return the environment variables that a complaint about `path` is about.

    Of a group that is missing altogether these are the ones that it needs.
    """
    named = "__".join(str(part) for part in path).upper()
    group = Settings.model_fields[str(path[0])].annotation if len(path) == 1 else None
    if isinstance(group, type) and issubclass(group, _Group):
        needed = [name for name, part in group.model_fields.items() if part.is_required()]
        return [f"SIMSTUDIO_{named}__{name.upper()}" for name in needed]
    return [f"SIMSTUDIO_{named}"]

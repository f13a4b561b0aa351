"""The sandbox's `env` file: what the processes are told, and what scripts can source."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

SECRETS = {
    "SIMSTUDIO_SHOPIFY__CLIENT_SECRET": "shpss_",
    "SIMSTUDIO_SHOPIFY__ADMIN_TOKEN": "shpat_",
    "SIMSTUDIO_GOOGLE__TOKEN": "ya29.",
}


def read(path: Path) -> dict[str, str]:
    """Return the file's `KEY=VALUE` lines, nothing where there is no file."""
    if not path.exists():
        return {}
    pairs = (line.partition("=") for line in path.read_text().splitlines() if "=" in line)
    return {name: value for name, _, value in pairs}


def write(path: Path, values: Mapping[str, str]) -> None:
    """Write the file, readable by its owner alone, all at once."""
    draft = path.with_suffix(".draft")
    draft.touch(mode=0o600)
    draft.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    draft.replace(path)


def settled(
    known: Mapping[str, str], *, port: int, shop: str, database_url: str, redis_url: str
) -> dict[str, str]:
    """Return the environment of this run: fresh addresses, and the secrets of earlier ones."""
    here, outside = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}"
    kept = {
        name: known.get(name) or prefix + secrets.token_hex(16) for name, prefix in SECRETS.items()
    }
    return {
        "SIMSTUDIO_URL": here,
        "SANDBOX_URL": outside,
        "SIMSTUDIO_DATABASE_URL": database_url,
        "SIMSTUDIO_REDIS_URL": redis_url,
        "SIMSTUDIO_SHOP": shop,
        "SIMSTUDIO_SHOPIFY__CLIENT_ID": "sandbox-client-id",
        "SIMSTUDIO_SHOPIFY__ADMIN_URL": f"{outside}/admin/api/2026-10/graphql.json",
        "SIMSTUDIO_GOOGLE__ENDPOINT": f"{outside}/calendar/v3/",
        "SIMSTUDIO_API__PORT": str(port),
        **kept,
        "SIMSTUDIO_STAFF_KEY": known.get("SIMSTUDIO_STAFF_KEY", ""),
    }


def for_children(values: Mapping[str, str]) -> dict[str, str]:
    """Return a child's whole environment; settings of the caller's own shell do not leak in."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("SIMSTUDIO_") or name == "SIMSTUDIO_PG_BIN"
    }
    return {**own, **values, "PYTHONUNBUFFERED": "1"}

"""The world outside the studio, in one process: the Shopify store and Google Calendar."""

import argparse
import logging
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.google.app import create_app as create_google
from sandbox.store import catalog
from sandbox.store.app import create_app as create_store
from sandbox.store.errors import Refused
from sandbox.store.settings import Settings, from_environment, required

STUDIO = Path(__file__).with_name("studio.toml")
GOOGLE_PATHS = ("/calendar", "/sandbox/google")


def create_app(settings: Settings, *, directory: Path, studio: Path, google_token: str) -> ASGIApp:
    """Put both neighbours behind one address; each keeps its own full paths."""
    store = create_store(settings, directory=directory, studio=studio)
    google_directory = directory / "google"
    google_directory.mkdir(parents=True, exist_ok=True)
    google = create_google(
        google_directory, google_token, catalog.read(studio).timezone, _calendars(studio)
    )

    @asynccontextmanager
    async def both(_app: Starlette) -> AsyncIterator[None]:
        async with store.router.lifespan_context(store), google.router.lifespan_context(google):
            yield

    life = Starlette(lifespan=both)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await life(scope, receive, send)
        elif is_google(scope["path"]):
            await google(scope, receive, send)
        else:
            await store(scope, receive, send)

    return dispatch


def _calendars(studio: Path) -> list[str]:
    """Return the calendars that studio.toml names, so far as they are the sandbox's."""
    with studio.open("rb") as file:
        document = tomllib.load(file)
    parts = [*document.get("coach", ()), *document.get("simulator", ())]
    named = [document["studio"].get("owner_calendar"), *(part.get("calendar") for part in parts)]
    return [name for name in named if name and name.endswith("@sandbox.calendar")]


def is_google(path: str) -> bool:
    """Tell Google's paths from the store's."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in GOOGLE_PATHS)


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(prog="sandbox.outside", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8001, help="port to listen on")
    parser.add_argument("--dir", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--studio", type=Path, default=STUDIO, help="the studio.toml to sell from")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    try:
        settings = from_environment()
        google_token = required("SIMSTUDIO_GOOGLE__TOKEN")
    except Refused as problem:
        sys.exit(f"sandbox.outside: {problem}")
    uvicorn.run(
        create_app(
            settings,
            directory=arguments.dir,
            studio=arguments.studio,
            google_token=google_token,
        ),
        host=arguments.host,
        port=arguments.port,
        log_level="warning",
        proxy_headers=False,
        timeout_graceful_shutdown=2,
    )


if __name__ == "__main__":
    main()

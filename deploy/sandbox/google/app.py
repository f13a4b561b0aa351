"""The application, put together."""

from collections.abc import Iterable
from pathlib import Path

from starlette.applications import Starlette

from sandbox.google import api, calendars, control, page
from sandbox.google.api import Desk
from sandbox.google.channels import Courier
from sandbox.google.store import Store


def create_app(
    state_dir: Path, token: str, owner_zone: str, known: Iterable[str] = ()
) -> Starlette:
    """Return the calendar that keeps its state in a folder and admits one token.

    The `known` calendars are there from the start; others of the sandbox are made when touched.
    """
    store = Store(state_dir)
    with store.transaction() as work:
        for name in known:
            calendars.find(work, name, owner_zone)
    courier = Courier(store)
    store.after_commit = courier.announce
    desk = Desk(store, courier, token, owner_zone)
    return Starlette(routes=[*api.routes(desk), *control.routes(desk), *page.routes(desk)])

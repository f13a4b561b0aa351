"""A real browser in front of a real, if small, HTTP server."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from tests.storefront.scripted_studio import ScriptedStudio

PHONE, DESK = (390, 844), (1280, 900)

OpenPage = Callable[..., Page]


@pytest.fixture
def studio() -> ScriptedStudio:
    """Return a studio at rest."""
    return ScriptedStudio()


@pytest.fixture
def shop_url(studio: ScriptedStudio) -> Iterator[str]:
    """Serve the shop on a free port."""
    server = uvicorn.Server(
        uvicorn.Config(studio.app(), port=0, lifespan="off", log_level="warning")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    server.force_exit = True
    thread.join(timeout=10)


@pytest.fixture(params=[PHONE, DESK], ids=["phone", "desk"])
def viewport(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Return the two sizes that every story is told at."""
    size: tuple[int, int] = request.param
    return size


@pytest.fixture
def open_page(
    browser: Browser, shop_url: str, viewport: tuple[int, int]
) -> Iterator[Callable[..., Page]]:
    """Open the block for a visitor who sits half a world away; fail on any script error."""
    width, height = viewport
    context = browser.new_context(
        viewport={"width": width, "height": height},
        timezone_id="Asia/Tokyo",
        reduced_motion="reduce",
    )
    context.set_default_timeout(8000)
    errors: list[str] = []

    def open_it(*, now: str | None = None) -> Page:
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        if now:
            page.clock.set_fixed_time(now)
        page.goto(shop_url)
        return page

    yield open_it
    context.close()
    assert errors == []


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    """Return the block with its times shown."""
    opened = open_page()
    opened.locator("[data-start]").first.wait_for()
    return opened

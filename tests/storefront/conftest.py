"""A real browser in front of a real, if small, HTTP server."""

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.storefront.scripted_studio import ScriptedStudio

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PHONE, DESK = (390, 844), (1280, 900)

OpenPage = Callable[..., Page]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the machine's own browser, or say why there is none."""
    named = os.environ.get("CHROMIUM")
    path = named or next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser: CHROMIUM is not set and none of {', '.join(BROWSERS)} is on PATH")
    expect.set_options(timeout=8000)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield running
        running.close()


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

"""A customer with a phone, from the product page to the calendar on the owner's wall."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.factories.sandbox_people import Calendars, Visitor, wanted_calendars
from tests.factories.sandbox_process import SandboxProcess, eventually

PHONE, WALL = (390, 844), (1600, 1000)
ROBIN, ROBINS_ID = "Robin Tremblay", 7301452833281
EXTENSION = Path(__file__).parents[2] / "shopify" / "extensions" / "studio-booking"
TEXTS = json.loads((EXTENSION / "locales" / "en.default.json").read_text())["booking"]


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone; afterwards no script has failed on it."""
    errors: list[str] = []
    context = browser.new_context(viewport={"width": PHONE[0], "height": PHONE[1]})
    context.set_default_timeout(10_000)
    opened = context.new_page()
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    context.close()
    assert errors == []


@pytest.fixture
def robin(outside_url: str) -> Iterator[Visitor]:
    """The demo customer whom the page lets one be."""
    visitor = Visitor(outside_url, ROBINS_ID)
    yield visitor
    visitor.shop.close()


def test_a_phone_books_a_session_and_the_calendar_shows_it(
    page: Page,
    robin: Visitor,
    calendars: Calendars,
    sandbox: SandboxProcess,
    outside_url: str,
    tmp_path: Path,
) -> None:
    shop = httpx.get(f"{outside_url}/book", trust_env=False).headers["location"]
    page.goto(f"{outside_url}{shop}")
    page.get_by_label("Shopping as").select_option(ROBIN)

    _pick_a_time(page)
    panel = page.get_by_role("dialog", name=TEXTS["panel"]["title"])
    clock = panel.get_by_role("timer")
    expect(clock).to_have_text(re.compile(r"^1[45]:\d\d$"))
    said = clock.inner_text()
    expect(clock).not_to_have_text(said)
    page.screenshot(path=tmp_path / "held.png")
    panel.get_by_role("button", name=TEXTS["panel"]["add"]).click()
    page.wait_for_url("**/cart")
    expect(page.get_by_role("main")).to_contain_text("$45.00")
    page.screenshot(path=tmp_path / "cart.png", full_page=True)
    page.get_by_role("link", name="Check out").click()
    page.get_by_role("button", name="Pay $45.00 CAD").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you, Robin!")
    page.screenshot(path=tmp_path / "thanks.png", full_page=True)

    eventually(lambda: [status for _, status in robin.bookings()], ["confirmed"])
    assert robin.minutes() == (0, 60)
    (booking,) = robin.get("bookings", when="all").json()["bookings"]
    eventually(lambda: calendars.showing(booking["id"]), wanted_calendars(booking))
    page.set_viewport_size({"width": WALL[0], "height": WALL[1]})
    page.goto(f"{outside_url}/calendar?week={booking['start'][:10]}")
    expect(page.get_by_text(booking["code"]).first).to_be_visible()
    page.screenshot(path=tmp_path / "calendar.png", full_page=True)
    assert sandbox.violations() == ""


def _pick_a_time(page: Page) -> None:
    """Choose the second day on offer and its last time."""
    days = page.get_by_role("group", name=TEXTS["days"]["title"]).get_by_role("button")
    expect(days.nth(2)).to_be_enabled()
    days.nth(2).click()
    named = page.locator("[data-slots]").get_by_role("button")
    named.last.click()

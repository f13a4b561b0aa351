"""The booking block's manners: the keyboard, customers with credits, clocks, languages, layout."""

from playwright.sync_api import Page, expect

from tests.storefront.conftest import OpenPage
from tests.storefront.scripted_studio import ScriptedStudio

DIALOG = "dialog[open]"
SLOTS = "[data-start]"
ATTACK = "<img src=x onerror=\"document.title='stolen'\"><script>document.title='stolen'</script>"
CLS = """() => new Promise((done) => new PerformanceObserver((list) => done(
  list.getEntries().filter((entry) => !entry.hadRecentInput)
    .reduce((sum, entry) => sum + entry.value, 0),
)).observe({ type: 'layout-shift', buffered: true }) || setTimeout(() => done(0), 300))"""


def test_the_keyboard_is_enough(page: Page, studio: ScriptedStudio) -> None:
    page.locator("[data-date]").nth(1).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-date]").nth(2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("[data-date]").nth(2)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    expect(page.locator(SLOTS).first).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.locator(SLOTS).nth(3)).to_be_focused()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    expect(page.locator(SLOTS).last).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Your session is held")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(DIALOG)).to_have_count(0)
    expect(page.locator(SLOTS).nth(1)).to_be_focused()
    expect(page.locator(SLOTS).nth(1)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    expect(page.locator(DIALOG)).to_be_visible()
    assert len(studio.asked_for("hold")) == 1


def test_one_button_of_each_group_is_in_the_tab_order(page: Page) -> None:
    for group in ("[data-days]", "[data-slots]"):
        expect(page.locator(f'{group} button[tabindex="0"]')).to_have_count(1)


def test_a_stranger_is_not_offered_credits(page: Page) -> None:
    page.locator(SLOTS).first.click()

    expect(page.locator(DIALOG)).to_be_visible()
    expect(page.locator("[data-credits]")).to_have_count(0)
    expect(page.get_by_role("button", name="Book with credits")).to_have_count(0)


def test_a_customer_books_with_credits(open_page: OpenPage, studio: ScriptedStudio) -> None:
    studio.customer = {"id": 1}
    page = open_page()
    expect(page.get_by_text("5 hr of simulator · 2 coaching sessions")).to_be_visible()
    page.locator(SLOTS).first.click()

    page.get_by_role("button", name="Book with credits").click()

    panel = page.get_by_role("dialog", name="You are booked")
    expect(panel).to_contain_text("GOLF42")
    expect(panel.get_by_role("link", name="Add to calendar")).to_have_attribute(
        "href", "/apps/studio/bookings/b-1.ics"
    )
    expect(page.locator("[data-credits]")).to_contain_text("4 hr of simulator")
    assert len(studio.bookings) == 1
    assert studio.holds == {}
    assert studio.asked_for("book")[-1] == studio.asked_for("hold")[0]


def test_credits_that_fall_short_leave_the_hold_and_offer_the_rest(
    open_page: OpenPage, studio: ScriptedStudio
) -> None:
    studio.customer = {"id": 1}
    missing = {
        "lines": [{"variant_id": 7, "quantity": 1, "properties": {}}],
        "total_minor": 2000,
        "currency": "CAD",
    }
    studio.refuse("book", 402, "not_enough_credits", needed=60, available=30, cart=missing)
    page = open_page()
    page.locator(SLOTS).first.click()

    page.get_by_role("button", name="Book with credits").click()
    expect(page.get_by_role("alert")).to_contain_text("do not cover")
    page.get_by_role("button", name="Add what is missing, $20 CAD").click()
    page.wait_for_url("**/cart")

    assert list(studio.holds) == ["hold-1"]
    assert [(line["id"], line["properties"]["_hold"]) for line in studio.cart] == [(7, "hold-1")]


def test_a_hold_found_expired_is_said_and_gone(open_page: OpenPage, studio: ScriptedStudio) -> None:
    studio.customer = {"id": 1}
    studio.refuse("book", 410, "hold_expired")
    page = open_page()
    page.locator(SLOTS).first.click()

    page.get_by_role("button", name="Book with credits").click()

    panel = page.get_by_role("dialog", name="The held time ran out")
    expect(panel.get_by_role("alert")).to_contain_text("went back on sale")
    panel.get_by_role("button", name="See other times").click()
    expect(page.locator(SLOTS).first).to_be_focused()
    assert studio.holds == {}


def test_a_booking_that_fails_is_tried_again_with_its_key(
    open_page: OpenPage, studio: ScriptedStudio
) -> None:
    studio.customer = {"id": 1}
    studio.refuse("book", 503, "busy")
    page = open_page()
    page.locator(SLOTS).first.click()

    page.get_by_role("button", name="Book with credits").click()
    expect(page.get_by_role("alert")).to_contain_text("could not reach the studio")
    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("dialog", name="You are booked")).to_be_visible()
    assert studio.booking_keys[0] == studio.booking_keys[1]
    assert len(studio.bookings) == 1


def test_a_session_lost_while_paying_with_credits_is_said(
    open_page: OpenPage, studio: ScriptedStudio
) -> None:
    studio.customer = {"id": 1}
    for _ in range(2):
        studio.refuse("book", 409, "slot_taken")
    page = open_page()
    page.locator(SLOTS).nth(1).click()

    page.get_by_role("button", name="Book with credits").click()

    expect(page.get_by_role("alert")).to_contain_text("taken a moment ago")
    expect(page.locator(DIALOG)).to_have_count(0)
    expect(page.locator(SLOTS).nth(1)).to_be_focused()


def test_names_from_the_studio_stay_text(open_page: OpenPage, studio: ScriptedStudio) -> None:
    studio.coaches = [{"handle": "eve", "name": ATTACK, "locations": ["main"]}]
    page = open_page()

    page.locator('input[value="eve"]').check()
    page.locator(SLOTS).first.click()

    expect(page.locator(DIALOG)).to_contain_text(ATTACK)
    expect(page.locator("studio-booking img")).to_have_count(0)
    assert page.title() == "Birdie Bay"


def test_times_are_the_studios_own_and_doubled_hours_are_told_apart(
    open_page: OpenPage, studio: ScriptedStudio
) -> None:
    studio.hours = range(4)
    page = open_page(now="2026-10-31T16:00:00Z")

    expect(page.get_by_role("heading", name="Sunday, November 1")).to_be_visible()
    expect(page.locator(".sb-slot__time")).to_have_text(
        ["12:00 AM", "1:00 AM GMT-4", "1:00 AM GMT-5", "2:00 AM", "3:00 AM"]
    )
    expect(page.get_by_text("Studio time:")).to_have_text("Studio time: Eastern Time")
    page.locator(SLOTS).nth(2).click()

    expect(page.locator(DIALOG)).to_contain_text(
        "Sun, Nov 1, 1:00 AM GMT-5 – Sun, Nov 1, 2:00 AM GMT-5"
    )
    assert studio.asked_for("hold")[0]["start"] == "2026-11-01T01:00:00-05:00"


def test_paging_stops_at_today_and_at_the_horizon(page: Page, studio: ScriptedStudio) -> None:
    later = page.get_by_role("button", name="Later days")
    earlier = page.get_by_role("button", name="Earlier days")
    expect(earlier).to_be_disabled()

    later.click()
    expect(earlier).to_be_enabled()
    later.click()

    expect(later).to_be_disabled()
    assert [query["days"] for query in studio.asked_for("availability")] == ["7", "7", "7"]


def test_an_older_answer_never_overwrites_a_newer_one(page: Page, studio: ScriptedStudio) -> None:
    studio.slow_minutes = "120"

    page.get_by_label("2 hr").check()
    page.get_by_label("3 hr").check()
    page.wait_for_timeout(900)

    expect(page.locator(SLOTS).first).to_contain_text("$135")


def test_it_speaks_french(open_page: OpenPage, studio: ScriptedStudio) -> None:
    studio.language = "fr"
    page = open_page()

    page.locator(SLOTS).first.click()

    panel = page.get_by_role("dialog", name="Votre séance est gardée")
    expect(panel).to_contain_text("9:00 – 10:00")
    expect(panel).to_contain_text("45\u00a0$ CAD")


def test_nothing_jumps_and_nothing_overflows(page: Page) -> None:
    assert page.evaluate(CLS) < 0.05
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")

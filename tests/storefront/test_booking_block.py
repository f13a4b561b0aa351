"""What a visitor does with the booking block, on a phone and at a desk."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.storefront.conftest import OpenPage
from tests.storefront.scripted_studio import ScriptedStudio

DIALOG = "dialog[open]"
SLOTS = "[data-start]"


def test_a_session_is_chosen_held_and_added_to_the_cart(page: Page, studio: ScriptedStudio) -> None:
    page.get_by_label("2 hr").check()
    page.get_by_role("group", name="Simulators").get_by_label("2", exact=True).check()
    page.get_by_label("Ana", exact=True).check()
    page.get_by_label("1 hr", exact=True).last.check()
    expect(page.locator(SLOTS).first).to_contain_text("$240")
    page.locator("[data-date]").nth(2).click()
    start = page.locator(SLOTS).nth(1).get_attribute("data-start")
    page.locator(SLOTS).nth(1).click()

    panel = page.get_by_role("dialog", name="Your session is held")
    expect(panel).to_contain_text("10:00 AM – 12:00 PM")
    expect(panel).to_contain_text("Ana, 1 hr")
    expect(panel).to_contain_text("$150 CAD")
    expect(panel.get_by_role("timer")).to_have_text(re.compile(r"^1[45]:\d\d$"))
    panel.get_by_role("button", name="Add to cart").click()
    page.wait_for_url("**/cart")

    assert studio.asked_for("hold") == [
        {
            "service": "simulator",
            "location": "main",
            "start": start,
            "minutes": 120,
            "simulators": 2,
            "coaching": {"minutes": 60, "coach": "ana"},
        }
    ]
    assert [(line["id"], line["quantity"]) for line in studio.cart] == [
        (44000000000001, 2),
        (44000000000002, 1),
    ]
    for line in studio.cart:
        assert line["properties"]["_hold"] == "hold-1"
        assert line["properties"]["Coach"] == "Ana"
        assert line["properties"]["Simulators"] == "2"
        assert "10:00 AM – 12:00 PM" in " ".join(line["properties"]["Session"].split())


def test_any_coach_names_the_ones_who_are_free(open_page: OpenPage, studio: ScriptedStudio) -> None:
    studio.coaches.append({"handle": "ben", "name": "Ben", "locations": ["main"]})
    page = open_page()

    page.get_by_label("Any coach").check()
    expect(page.locator(SLOTS).first).to_contain_text("Ana, Ben")
    page.locator(SLOTS).first.click()

    expect(page.locator(DIALOG)).to_contain_text("Ana, 30 min")
    assert studio.asked_for("hold")[0]["coaching"] == {"coach": "any", "minutes": 30}


def test_two_quick_clicks_hold_once(page: Page, studio: ScriptedStudio) -> None:
    page.locator(SLOTS).first.evaluate("slot => { slot.click(); slot.click() }")

    expect(page.locator(DIALOG)).to_be_visible()
    assert len(studio.asked_for("hold")) == 1


def test_a_time_lost_to_another_is_said_and_the_times_are_fresh(
    page: Page, studio: ScriptedStudio
) -> None:
    start = str(page.locator(SLOTS).nth(1).get_attribute("data-start"))
    studio.taken.add(start)
    studio.refuse("hold", 409, "slot_taken")

    page.locator(SLOTS).nth(1).click()

    expect(page.get_by_role("alert")).to_contain_text("taken a moment ago")
    expect(page.locator(f'[data-start="{start}"]')).to_have_count(0)
    expect(page.locator(SLOTS).nth(1)).to_be_focused()
    expect(page.locator(DIALOG)).to_have_count(0)


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (429, "too_many_holds", "already hold as many"),
        (409, "coach_unavailable", "taken a moment ago"),
        (422, "too_soon", "no longer be booked online"),
        (400, "unheard_of", "Something went wrong"),
    ],
)
def test_other_refusals_are_said_in_words(
    page: Page, studio: ScriptedStudio, status: int, code: str, sentence: str
) -> None:
    studio.refuse("hold", status, code)

    page.locator(SLOTS).first.click()

    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.locator(DIALOG)).to_have_count(0)


def test_a_studio_out_of_reach_keeps_the_choice_and_its_key(
    page: Page, studio: ScriptedStudio
) -> None:
    studio.refuse("hold", 503, "busy")

    page.locator(SLOTS).first.click()
    page.get_by_role("button", name="Try again").click()

    expect(page.locator(DIALOG)).to_be_visible()
    first, second = studio.asked_for("hold")
    assert first == second
    assert studio.keys[0] == studio.keys[1]


def test_choosing_anew_after_a_failure_shows_no_stale_times(
    page: Page, studio: ScriptedStudio
) -> None:
    studio.refuse("availability", 502, "broken")
    page.get_by_label("2 hr").check()
    expect(page.get_by_role("alert")).to_contain_text("did not load")
    expect(page.locator(SLOTS).first).to_be_hidden()

    page.locator("[data-date]").nth(2).click()

    expect(page.locator(SLOTS).first).to_contain_text("$90")


def test_times_that_do_not_load_can_be_asked_for_again(
    open_page: OpenPage, studio: ScriptedStudio
) -> None:
    studio.refuse("catalog", 502, "broken")
    studio.refuse("availability", 502, "broken")
    page = open_page()

    page.get_by_role("button", name="Try again").click()
    page.get_by_role("button", name="Try again").click()

    expect(page.locator(SLOTS)).to_have_count(12)


def test_a_hold_that_runs_out_says_so_and_goes_back(page: Page, studio: ScriptedStudio) -> None:
    studio.hold_seconds = 2
    start = page.locator(SLOTS).first.get_attribute("data-start")

    page.locator(SLOTS).first.click()

    panel = page.get_by_role("dialog", name="The held time ran out")
    expect(panel.get_by_role("alert")).to_contain_text("went back on sale")
    expect(panel.get_by_role("button", name="Add to cart")).to_have_count(0)
    panel.get_by_role("button", name="See other times").click()
    expect(page.locator(f'[data-start="{start}"]')).to_be_focused()
    assert studio.asked_for("release") == [{"hold": "hold-1"}]


def test_a_hold_that_runs_out_beside_the_panel_says_so_too(
    page: Page, studio: ScriptedStudio
) -> None:
    studio.hold_seconds = 3
    page.locator(SLOTS).first.click()
    page.keyboard.press("Escape")

    expect(page.get_by_role("alert")).to_contain_text("went back on sale")
    expect(page.get_by_role("button", name="Continue")).to_have_count(0)
    assert studio.asked_for("release") == [{"hold": "hold-1"}]


def test_the_time_left_is_said_now_and_then_and_not_each_second(
    page: Page, studio: ScriptedStudio
) -> None:
    page.clock.install()
    studio.hold_seconds = 63
    page.locator(SLOTS).first.click()
    clock = page.locator(DIALOG).get_by_role("timer")
    said = page.locator(DIALOG).get_by_role("status")
    expect(clock).to_have_attribute("aria-live", "off")

    page.clock.run_for(1000)
    expect(clock).to_have_text(re.compile(r"^1:0[0-2]$"))
    expect(said).to_be_empty()
    page.clock.run_for(8000)

    expect(clock).to_have_text(re.compile(r"^0:5\d$"))
    expect(said).to_have_text("1 min left on your held session.")


def test_changing_ones_mind_gives_the_time_back(page: Page, studio: ScriptedStudio) -> None:
    start = page.locator(SLOTS).nth(4).get_attribute("data-start")
    page.locator(SLOTS).nth(4).click()

    page.get_by_role("button", name="Choose another time").click()

    expect(page.locator(DIALOG)).to_have_count(0)
    expect(page.locator(f'[data-start="{start}"]')).to_be_focused()
    assert studio.holds == {}


def test_another_time_replaces_the_held_one(page: Page, studio: ScriptedStudio) -> None:
    page.locator(SLOTS).first.click()
    page.get_by_role("button", name="Close").click()

    page.locator(SLOTS).nth(2).click()

    expect(page.locator(DIALOG)).to_contain_text("11:00 AM")
    assert list(studio.holds) == ["hold-2"]


def test_a_reload_keeps_the_hold(page: Page, studio: ScriptedStudio) -> None:
    page.locator(SLOTS).first.click()
    expect(page.locator(DIALOG)).to_be_visible()

    page.reload()
    page.get_by_role("button", name="Continue").click()

    panel = page.get_by_role("dialog", name="Your session is held")
    expect(panel).to_contain_text("9:00 – 10:00 AM")
    expect(panel.get_by_role("timer")).to_have_text(re.compile(r"^1[45]:\d\d$"))
    assert len(studio.asked_for("hold")) == 1


@pytest.mark.parametrize("known", ["as expired", "not at all"])
def test_a_hold_that_stands_no_more_is_forgotten(
    page: Page, studio: ScriptedStudio, known: str
) -> None:
    page.locator(SLOTS).first.click()
    expect(page.locator(DIALOG)).to_be_visible()
    if known == "as expired":
        studio.ended.add("hold-1")
    else:
        studio.holds.clear()

    page.reload()
    page.locator(SLOTS).first.wait_for()

    expect(page.get_by_text("we keep it for you")).to_be_visible()
    expect(page.get_by_role("button", name="Continue")).to_have_count(0)
    page.wait_for_function("!sessionStorage.studioBooking")


def test_a_session_in_the_cart_is_not_added_twice(page: Page, studio: ScriptedStudio) -> None:
    page.locator(SLOTS).first.click()
    page.get_by_role("button", name="Add to cart").click()
    page.wait_for_url("**/cart")

    page.goto(page.url.removesuffix("cart"))
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("button", name="Add to cart")).to_have_count(0)
    expect(page.get_by_role("link", name="Go to cart")).to_be_visible()
    page.get_by_role("button", name="Choose another time").click()

    expect(page.locator(DIALOG)).to_have_count(0)
    assert studio.cart == []
    assert studio.holds == {}


def test_a_cart_that_refuses_keeps_the_hold(page: Page, studio: ScriptedStudio) -> None:
    studio.refuse("cart", 422, "sold_out")
    page.locator(SLOTS).first.click()

    page.get_by_role("button", name="Add to cart").click()
    expect(page.get_by_role("alert")).to_contain_text("still held for you")
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url("**/cart")

    assert len(studio.cart) == 1

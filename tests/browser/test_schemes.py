"""Light and dark: as the system has it, or as one has chosen; the choice is kept, and it is all that is kept."""

import pytest
from playwright.sync_api import expect

from harness.pages import eventually, wait_for_data

BRIGHTNESS = """
() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
    return (red + green + blue) / 3;
}
"""


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_scheme_of_the_system_is_taken(scheme, dark, at_work, console):
    page = console(at_work, color_scheme=scheme)
    wait_for_data(page)
    brightness = page.evaluate(BRIGHTNESS)
    assert (brightness < 80) == dark and (brightness > 175) != dark, brightness


def test_a_change_of_the_system_is_followed(at_work, console):
    page = console(at_work, color_scheme="light")
    wait_for_data(page)
    page.emulate_media(color_scheme="dark")
    eventually(page, BRIGHTNESS, lambda brightness: brightness < 80)
    # What one has chosen stays.
    page.get_by_role("combobox", name="Theme").select_option("light")
    eventually(page, BRIGHTNESS, lambda brightness: brightness > 175)
    page.emulate_media(color_scheme="light")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(BRIGHTNESS) > 175


def test_a_choice_outlasts_the_page(at_work, console):
    page = console(at_work, color_scheme="light")
    wait_for_data(page)
    page.get_by_role("combobox", name="Theme").select_option("dark")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    wait_for_data(page)
    assert page.evaluate(BRIGHTNESS) < 80
    assert page.evaluate("Object.keys(localStorage)") == ["sluicegate-theme"]

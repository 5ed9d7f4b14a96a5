"""It fits: a phone needs no scrolling sideways, and who likes it dark gets it dark."""

import pytest

from harness.pages import PAGES, PHONE, wait_for_data

BRIGHTNESS = """
() => {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d");
    canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
    return (red + green + blue) / 3;
}
"""

SIDEWAYS = """
() => {
    const width = document.documentElement.clientWidth;
    const clips = element => getComputedStyle(element).overflowX !== "visible";
    // What is placed absolutely is clipped by none but what it is placed in.
    const above = element => getComputedStyle(element).position === "absolute" ? element.offsetParent : element.parentElement;
    const inside = element => {
        for (let one = above(element); one && one !== document.body; one = above(one)) if (clips(one)) return true;
        return false;
    };
    return [...document.body.querySelectorAll("*")]
        .filter(element => element.getBoundingClientRect().right > width + 1 && !inside(element))
        .map(element => element.outerHTML.slice(0, 120));
}
"""


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_does_not_scroll_sideways(name, at_work, console):
    page = console(at_work, PAGES[name], **PHONE)
    wait_for_data(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 375, f"{width} px wide: {page.evaluate(SIDEWAYS)}"
    assert page.evaluate("innerWidth") == 375, "the page tells the phone to zoom out"


@pytest.mark.parametrize(("scheme", "dark"), [("light", False), ("dark", True)])
def test_the_scheme_of_the_system_is_taken(scheme, dark, at_work, console):
    page = console(at_work, color_scheme=scheme)
    wait_for_data(page)
    brightness = page.evaluate(BRIGHTNESS)
    assert (brightness < 80) == dark and (brightness > 175) != dark, brightness

"""On a phone: no page needs scrolling sideways, and axe-core finds nothing."""

import re

import pytest

from harness.axe import violations
from harness.pages import PAGES, PHONE, wait_for_data

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
def test_a_phone_shows_it_whole(name, at_work, console):
    page = console(at_work, PAGES[name], **PHONE)
    wait_for_data(page)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 375, f"{width} px wide: {page.evaluate(SIDEWAYS)}"
    assert page.evaluate("innerWidth") == 375, "the page tells the phone to zoom out"
    found = violations(page)
    assert not found, "\n".join(found)


def test_a_record_is_read_without_moving_the_table(at_work, console):
    page = console(at_work, PAGES["dead-letters"], **PHONE)
    page.get_by_role("button", name=re.compile("^Details")).first.click()
    record = page.get_by_role("group", name="Record")
    record.wait_for()
    box = record.bounding_box()
    assert 0 <= box["x"] and box["x"] + box["width"] <= 375, box

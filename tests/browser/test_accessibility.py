"""Everybody can read it: axe-core finds nothing on any page, light or dark. `test_phone.py` asks it about narrow ones."""

import pytest

from harness.axe import COLOURS, violations
from harness.pages import PAGES, wait_for_data


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name, at_work, console):
    page = console(at_work, PAGES[name], color_scheme="light", reduced_motion="reduce")
    wait_for_data(page)
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    found += violations(page, COLOURS)
    assert not found, "\n".join(found)


def test_axe_sees_what_is_wrong(at_work, console):
    """The judge itself: a picture without a text and grey on grey are found."""
    page = console(at_work)
    wait_for_data(page)
    page.evaluate("""
        const bad = document.createElement("p");
        bad.append(new Image(), "grey on grey");
        bad.style.color = "#999";
        bad.style.background = "#aaa";
        document.querySelector("main").append(bad);
    """)
    found = "\n".join(violations(page))
    assert "image-alt" in found and "color-contrast" in found, found

"""Everybody can read it: axe-core finds nothing on any page, light or dark, wide or on a phone."""

import pathlib

import axe_playwright_python
import pytest

from harness.pages import PAGES, PHONE, wait_for_data

AXE = (pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


EVERYTHING = "axe.run()"
COLOURS = "axe.run({runOnly: ['color-contrast', 'link-in-text-block']})"


def violations(page, ask: str = EVERYTHING) -> list[str]:
    """What axe-core has against the page as it stands: rule, place, why."""
    page.evaluate(AXE)
    found = page.evaluate(f"{ask}.then(result => result.violations)")
    return [
        f"{rule['id']}: {node['html'][:200]}\n    {node['failureSummary']}"
        for rule in found
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(name, at_work, console):
    page = console(at_work, PAGES[name], color_scheme="light", reduced_motion="reduce")
    wait_for_data(page)
    found = violations(page)
    page.emulate_media(color_scheme="dark")
    found += violations(page, COLOURS)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_on_a_phone(name, at_work, console):
    page = console(at_work, PAGES[name], **PHONE)
    wait_for_data(page)
    found = violations(page)
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

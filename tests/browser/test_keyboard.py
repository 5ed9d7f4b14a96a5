"""Without a mouse: a module is uploaded, activated and taken back with Tab, Enter, Escape and letters."""

import re

import pytest
from playwright.sync_api import expect

from harness.pages import wait_for_data
from harness.pipeline import sales
from harness.surroundings import plugin
from harness.topic import Topic

FOCUSED = """
() => {
    const on = document.activeElement;
    return `${on.tagName.toLowerCase()} «${(on.getAttribute("aria-label") ?? on.textContent).trim().slice(0, 60)}»`;
}
"""

RING = """
() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== "none";
}
"""


@pytest.fixture
def host(serve, folder):
    topic = Topic("keyboard")
    for second in range(20):
        topic.sale(second)
    topic.flush()
    host = serve(folder, [sales(folder, topic)])
    host.wait_for_records("sales", 20)
    return host


def tab_to(page, target, most: int = 120) -> None:
    """Presses Tab until the target has the focus; each step on the way must be seen."""
    expect(target.first).to_be_visible()
    on_the_way = []
    for _ in range(most):
        page.keyboard.press("Tab")
        on_the_way.append(page.evaluate(FOCUSED))
        assert page.evaluate(RING), f"the focus is not seen on {on_the_way[-1]}"
        if target.first.evaluate("it => it === document.activeElement"):
            return
    raise AssertionError(f"Tab does not come to {target}; it came by {on_the_way}")


def module(host) -> str:
    return host.get("/v1/pipelines/sales")["stages"][0]["module"]


def test_upload_activate_and_back(host, console):
    page = console(host)
    wait_for_data(page)
    tab_to(page, page.get_by_role("link", name="Modules", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Modules")
    expect(page.get_by_role("heading", level=1)).to_be_focused()

    with page.expect_file_chooser() as chooser:
        tab_to(page, page.get_by_role("button", name="Choose a file"))
        page.keyboard.press("Enter")
    chooser.value.set_files(plugin("premium-sale"))
    # The name is asked for, and Enter sends it.
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type("dear-sale")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="See where it fits")).to_be_focused()
    page.keyboard.press("Enter")
    activate = page.get_by_role("button", name=re.compile("^Activate dear-sale"))
    tab_to(page, activate)
    page.keyboard.press("Enter")

    question = page.get_by_role("dialog")
    expect(question).to_be_visible()
    assert page.evaluate("document.querySelector('dialog').contains(document.activeElement)"), "the focus is in it"
    # Escape is no.
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    assert module(host) == "valid-sale"
    expect(activate).to_be_focused()

    page.keyboard.press("Enter")
    tab_to(page, question.get_by_role("button", name="Activate"), most=6)
    page.keyboard.press("Enter")
    expect(question).to_have_count(0)
    expect(page.get_by_role("status", name="Outcome")).to_contain_text("runs dear-sale version 1")
    assert module(host) == "dear-sale"

    back = page.get_by_role("button", name=re.compile("Go back to valid-sale"))
    tab_to(page, back)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status", name="Outcome")).to_contain_text("runs valid-sale")
    assert module(host) == "valid-sale"


def test_an_explanation_is_one_focus_away(host, console):
    page = console(host, "#/pipelines/sales")
    wait_for_data(page)
    tab_to(page, page.locator("main").get_by_role("link", name="lag", exact=True))
    expect(page.get_by_role("tooltip")).to_contain_text("not read yet")
    page.keyboard.press("Escape")
    expect(page.get_by_role("tooltip")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Glossary")


def test_the_content_is_one_step_away(host, console):
    page = console(host)
    wait_for_data(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()

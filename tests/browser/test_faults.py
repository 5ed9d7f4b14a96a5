"""Where the page itself cannot do its work there is a sentence, never a blank page."""

import re

import pytest
from playwright.sync_api import expect

from harness.pages import wait_for_data


@pytest.mark.parametrize(
    ("missing", "says"),
    [("EventSource", "server-sent events"), ("AbortController", "fetch"), ("HTMLDialogElement", "dialogs"), ("ResizeObserver", "ResizeObserver")],
)
def test_a_browser_that_lacks_something_is_told_what(missing, says, at_work, console):
    page = console(at_work)
    page.add_init_script(f"delete window.{missing}")
    page.reload()
    expect(page.locator("body")).to_contain_text(re.compile(f"This browser lacks {says}.*, which the console needs"))


def test_a_part_that_does_not_come_is_told(at_work, console):
    page = console(at_work)
    page.route("**/parts/table.js", lambda route: route.abort())
    page.reload()
    expect(page.locator("body")).to_contain_text(re.compile("The console could not start: .*Reload the page"))


def test_a_page_that_cannot_be_drawn_leaves_the_others(at_work, console):
    page = console(at_work)
    page.route("**/v1/pipelines/sales", lambda route: route.fulfill(json={"name": "sales", "stages": 7}))
    page.goto(f"{at_work.url}/#/pipelines/sales")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("This page could not be drawn")
    page.get_by_role("link", name="Modules", exact=True).click()
    wait_for_data(page)
    expect(page.get_by_role("table", name="Modules")).to_be_visible()
    page.go_back()
    expect(heading).to_have_text("This page could not be drawn")
    # It was said on the console of the browser, too.
    assert page.watch.thrown
    page.watch.thrown.clear()
    # The answer that failed is not drawn once more.
    page.unroute_all()
    page.get_by_role("button", name="Draw it again").click()
    expect(heading).to_have_text("sales")


def test_an_address_that_names_nothing_is_told(at_work, console):
    page = console(at_work)
    for route, says in [("nowhere", "The console has no page /nowhere"), ("pipelines/none", "none"), ("modules/none", "none"), ("pipelines/%ff", "%ff")]:
        page.goto(f"{at_work.url}/#/{route}")
        expect(page.get_by_role("main")).to_contain_text(re.compile(rf"{says}.*\."))

"""The pages of the console, by the route in the address, and how a test reads them."""

import re

PAGES = {
    "overview": "#/",
    "pipeline": "#/pipelines/sales",
    "results": "#/pipelines/sales/results",
    "windows": "#/pipelines/sales/windows",
    "dead-letters": "#/pipelines/sales/dead-letters",
    "late-rows": "#/pipelines/sales/late-rows",
    "modules": "#/modules",
    "module": "#/modules/premium-sale",
    "glossary": "#/glossary",
}
"""Of a host that runs `sales` and stores `premium-sale`."""

PHONE = {"viewport": {"width": 375, "height": 740}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


def wait_for_data(page) -> None:
    """Until the page has drawn what the host told it."""
    page.get_by_role("heading", level=1).wait_for()
    page.locator("main").get_by_text(re.compile("^(Waiting for|Connecting to)")).first.wait_for(state="detached")


def table(page, name: str):
    """A table by its caption."""
    return page.get_by_role("table", name=name, exact=True)


def row(page, name: str, text):
    """The rows of a table that have a text."""
    return table(page, name).get_by_role("row").filter(has_text=text)


def as_sentence(message: str):
    """A message of the host as a page shows it: with a capital, and names as code where it has them in backquotes."""
    return re.compile("`?".join(re.escape(part) for part in message.strip().split("`")), re.IGNORECASE)


def eventually(page, script, holds):
    """Waits until what a script gives is as wanted. A wait in the page itself would need `eval`, which the page's policy refuses."""
    for _ in range(200):
        given = page.evaluate(script)
        if holds(given):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"after ten seconds the page still gives {given!r}")

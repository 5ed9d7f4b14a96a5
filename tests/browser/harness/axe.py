"""axe-core, the judge of accessibility."""

import pathlib

import axe_playwright_python

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

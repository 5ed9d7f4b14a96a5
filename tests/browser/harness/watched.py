"""A page that is watched while a test uses it: where it asks, what it violates, what it throws."""

import dataclasses
import urllib.parse

from playwright.sync_api import BrowserContext

VIOLATIONS = """
window.violations = [];
document.addEventListener("securitypolicyviolation", event => {
    window.violations.push(`${event.effectiveDirective} refuses ${event.blockedURI || event.sample}`);
});
"""


@dataclasses.dataclass
class Watch:
    """What a browser did, whatever the test asked it for."""

    origin: str
    foreign: list[str] = dataclasses.field(default_factory=list)
    thrown: list[str] = dataclasses.field(default_factory=list)
    policy: list[str] = dataclasses.field(default_factory=list)
    asked: list[str] = dataclasses.field(default_factory=list, repr=False)

    def over(self, context: BrowserContext) -> None:
        """Watches all pages of a context from now on."""
        context.add_init_script(VIOLATIONS)
        context.on("request", lambda request: self._request(request.url))
        context.on("weberror", lambda error: self.thrown.append(f"{error.error}"))
        context.on("console", self._said)

    def _request(self, url: str) -> None:
        self.asked.append(url)
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("data", "blob") and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.foreign.append(url)

    def _said(self, message) -> None:
        # What the network refuses is the browser's own message, and is wanted where a host is killed.
        if "Content Security Policy" in message.text or "Refused to" in message.text:
            self.policy.append(message.text)
        elif message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.thrown.append(message.text)

    def must_be_clean(self, pages) -> None:
        """Fails if a page asked another origin, violated its policy, or threw."""
        for page in pages:
            self.policy += page.evaluate("window.violations ?? []")
        assert not self.foreign, f"requests leave the host: {self.foreign}"
        assert not self.policy, f"the page violates its own policy: {self.policy}"
        assert not self.thrown, f"the page threw: {self.thrown}"

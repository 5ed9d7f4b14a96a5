"""Pictures of every page of the console in light, in dark and on a phone, while two streams run: for people to look at.

`cargo xtask screenshots [--into DIR]` runs it. A page is called `PAGE-LOOK.png`, as `overview-dark.png`.
"""

import pathlib
import re
import sys
import tempfile
import time

from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright

from harness import surroundings
from harness.host import Host
from harness.pages import PAGES, PHONE, row, wait_for_data
from harness.pipeline import sales
from harness.process import Process
from harness.surroundings import plugin
from harness.topic import Topic, producer

LOOKS = {
    "light": {"viewport": {"width": 1280, "height": 860}, "device_scale_factor": 1.5, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 860}, "device_scale_factor": 1.5, "color_scheme": "dark"},
    "phone": PHONE | {"color_scheme": "light"},
}

BEFORE_SWAP, AFTER_SWAP = 60.0, 90.0
"""Seconds: the charts have a past, and the mark of a swap lies in it."""

WINDOWS_MS = 45_000
"""Four windows and a half."""

HOT_ITEMS = """\
name = "hot-items"

[source]
type = "kafka"
[source.kafka]
brokers = "{brokers}"
topic = "{topic}"

[schema]
event = "string"
user = "int64"
ts = "timestamp(ms)"
auction = {{ type = "int64", nullable = true, pointer = "/bid/auction" }}
price = {{ type = "decimal(18,2)", nullable = true, pointer = "/bid/price" }}
channel = {{ type = "string", nullable = true, pointer = "/bid/channel" }}
extra = {{ type = "string", nullable = true, pointer = "/bid/extra" }}

[event_time]
column = "ts"
max_out_of_orderness = "2s"

[[stages]]
id = "bids"
kind = "filter"
plugin = "{select}"
config = {{ events = "bid" }}

[[stages]]
id = "hot"
kind = "aggregate"
plugin = "{hot}"

[window]
type = "sliding"
size = "10s"
slide = "2s"
key = []

[[sinks]]
id = "results"
type = "parquet"
path = "tables/hot-items"

[checkpoint]
interval = "5s"
path = "chain"
"""


def main(into: pathlib.Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        stage = Stage(pathlib.Path(folder))
        # Root has no sandbox.
        browser = driver.chromium.launch(executable_path=surroundings.chromium(), args=["--no-sandbox"])
        try:
            stage.play()
            for look, options in LOOKS.items():
                for name, route in PAGES.items():
                    picture(browser, stage.host, into / f"{name}-{look}.png", route, options)
                for name, (route, act) in SCENES.items():
                    picture(browser, stage.host, into / f"{name}-{look}.png", route, options, act)
            for file, (route, act, look) in OF_THE_DOCUMENTATION.items():
                picture(browser, stage.host, into / file, route, LOOKS[look], act, whole=False)
        finally:
            browser.close()
            stage.strike()


class Stage:
    """Two streams and a host, as a new user would have them."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        stores, auctions = Topic("sales", 3, shared=True), Topic("auctions", 2, shared=True)
        hot = folder / "hot-items.toml"
        hot.write_text(HOT_ITEMS.format(
            brokers=surroundings.kafka(), topic=auctions.name,
            select=plugin("nexmark-select"), hot=plugin("nexmark-hot-items"),
        ))  # fmt: skip
        # The host runs in the folder.
        places = {"tables": "tables", "chain": "chain"}
        files = [sales(folder, stores, window="10s", idle_after="5s", checkpoint="5s", **places), hot]
        self._programs = [
            producer(stores, folder / "sales.log", rate=2_000),
            Process("the auctions", [
                surroundings.sluicegate(), "produce", "nexmark", "--brokers", surroundings.kafka(),
                "--topic", auctions.name, "--rate", "800",
            ], folder / "auctions.log", cwd=folder),
        ]  # fmt: skip
        self.host = Host(folder, files)

    def play(self) -> None:
        """Until there is something to see: charts with a past, and a module that took another's place."""
        self.host.wait_for_records("sales", 1)
        self.host.wait_for_records("hot-items", 1)
        wait(BEFORE_SWAP)
        self.host.upload("premium-sale", "premium-sale")
        self.host.activate("sales", "valid", "premium-sale")
        wait(AFTER_SWAP)
        for program in self._programs:
            program.must_run()

    def strike(self) -> None:
        for program in [*self._programs, self.host]:
            program.kill()


def wait(seconds: float) -> None:
    print(f"the streams run for {seconds:.0f} s", file=sys.stderr)
    time.sleep(seconds)


def open_dead_letter(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Details")).first.click()


def draw_a_key(page: Page) -> None:
    """Over the windows that the page has seen: after a while there are some."""
    page.wait_for_timeout(WINDOWS_MS)
    page.get_by_role("button", name=re.compile("^Chart of")).first.click()
    page.get_by_role("img").first.wait_for()


def ask_to_activate(page: Page) -> None:
    """What runs is asked for again: the version that was there before fits as well."""
    row(page, "Fit", "valid of sales").get_by_role("button").click()
    page.get_by_role("dialog").wait_for()


def explain(page: Page) -> None:
    page.get_by_role("article", name="sales").get_by_role("link", name="Watermark delay").hover()
    page.get_by_role("tooltip").wait_for()


def refuse(page: Page) -> None:
    page.get_by_label("Module file").set_input_files(
        {"name": "notes.wasm", "mimeType": "application/wasm", "buffer": b"dear diary"}
    )


SCENES = {
    "dead-letter": (PAGES["dead-letters"], open_dead_letter),
    "key": (PAGES["results"], draw_a_key),
    "activate": ("#/modules/valid-sale", ask_to_activate),
    "explained": (PAGES["overview"], explain),
    "refused": (PAGES["modules"], refuse),
}
"""Pages with something done on them."""

FLOATING = (explain, ask_to_activate)
"""What floats over the page is placed on the screen, and a picture of the whole would show it elsewhere."""

OF_THE_DOCUMENTATION = {
    "flow.png": (PAGES["pipeline"], None, "light"),
    "results.png": (PAGES["results"], draw_a_key, "dark"),
    "activate.png": ("#/modules/valid-sale", ask_to_activate, "light"),
}
"""The first screen of three pages: README and docs/console.md show them, from docs/pictures."""


def show_paths_as_in_the_file(route: Route, folder: pathlib.Path) -> None:
    """The host tells whole paths, and those of a temporary folder would be in every picture."""
    if route.request.method != "GET":
        route.continue_()
        return
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace(f"{folder}/", ""))


def picture(
    browser: Browser, host: Host, file: pathlib.Path, route: str, options: dict, act=None, whole: bool = True
) -> None:
    """A page, as high as it is or its first screen, with few colours so that it is small."""
    context = browser.new_context(**options)
    context.route(re.compile("/v1/(?!.*/live)"), lambda route: show_paths_as_in_the_file(route, host.folder))
    page = context.new_page()
    page.goto(f"{host.url}/{route}")
    wait_for_data(page)
    # Live numbers and results have come.
    page.wait_for_timeout(2_500)
    if act:
        act(page)
        page.wait_for_timeout(300)
    page.screenshot(path=file, full_page=whole and act not in FLOATING)
    # An answer that is on its way has nobody to go to.
    context.unroute_all(behavior="ignoreErrors")
    context.close()
    with Image.open(file) as taken:
        few = taken.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(file, optimize=True)
    print(f"{file.name}: {few.width} x {few.height}, {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))

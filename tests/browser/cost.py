"""What the console costs the host: its processor time with a page open against none, in turns, in one run.

`cargo xtask bench console` runs it. Percent are of one core; the browser's own work is not in them.
"""

import os
import pathlib
import statistics
import tempfile
import time

from playwright.sync_api import sync_playwright

from harness import surroundings
from harness.host import Host
from harness.pages import PAGES, wait_for_data
from harness.pipeline import sales
from harness.topic import Topic, producer

RATE = 20_000
"""Events a second."""

ROUNDS, SECONDS, SETTLE = 6, 8.0, 2.0
"""Each page is measured so often, so long; before that it is given time to load."""

OPEN = ["overview", "pipeline", "results", "windows"]


def main() -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = pathlib.Path(name)
        topic = Topic("cost", partitions=3)
        sending = producer(topic, folder / "producer.log", rate=RATE, stores=100)
        host = Host(folder, [sales(folder, topic, window="10s", checkpoint="5s")])
        browser = driver.chromium.launch(executable_path=surroundings.chromium(), args=["--no-sandbox"])
        try:
            host.wait_for_records("sales", 10 * RATE)
            show(measure(host, browser))
        finally:
            browser.close()
            host.kill()
            sending.kill()


def measure(host: Host, browser) -> dict[str, list[tuple[float, float, float]]]:
    """Of each page and each round: percent of a core with it closed and open, and events a second with it open over closed."""
    measured = {name: [] for name in OPEN}
    for _ in range(ROUNDS):
        for name, found in measured.items():
            closed, read_closed = usage(host)
            page = browser.new_page()
            page.goto(f"{host.url}/{PAGES[name]}")
            wait_for_data(page)
            opened, read_opened = usage(host)
            page.close()
            found.append((closed, opened, read_opened / read_closed))
    return measured


def usage(host: Host) -> tuple[float, float]:
    """Percent of a core that the host takes, and events a second that it reads."""
    time.sleep(SETTLE)
    begin, cpu, read = time.monotonic(), cpu_seconds(host.process.id), records(host)
    time.sleep(SECONDS)
    took = time.monotonic() - begin
    return 100 * (cpu_seconds(host.process.id) - cpu) / took, (records(host) - read) / took


def cpu_seconds(process: int) -> float:
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def records(host: Host) -> int:
    return host.get("/v1/pipelines/sales")["records"]["read"]


def show(measured: dict[str, list[tuple[float, float, float]]]) -> None:
    print(f"host at {RATE:,} events a second, percent of a core; medians of {ROUNDS} rounds in turns")
    print(f"{'page':>10} {'closed':>8} {'open':>8} {'more':>8} {'spread':>8} {'events, open over closed':>26}")
    for name, found in measured.items():
        more = [opened - closed for closed, opened, _ in found]
        closed, opened, speed = (statistics.median(values) for values in zip(*found, strict=True))
        spread = max(more) - min(more)
        print(f"{name:>10} {closed:>8.2f} {opened:>8.2f} {statistics.median(more):>+8.2f} {spread:>8.2f} {speed:>26.3f}")


if __name__ == "__main__":
    main()

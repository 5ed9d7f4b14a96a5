"""What the console costs the host: its processor time with a page open against none, in turns, in one run.

`cargo xtask bench console` runs it for all pages. Percent are of one core; the browser's own work is not in them. Each look at an open page stands between two looks at a closed one, so that a machine
that grows busier or quieter shifts both.
"""

import collections
import dataclasses
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

ROUNDS, SECONDS, SETTLE = 10, 5.0, 2.0
"""Each page is measured so often, so long; before that it is given time to load."""

OPEN = ["overview", "pipeline", "results", "windows"]


@dataclasses.dataclass
class Usage:
    """What a host took for a while."""

    percent: float
    """Of one core."""
    events: float
    """That it read in a second."""
    threads: collections.Counter
    """Percent of one core by the name of the thread."""


def main() -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = pathlib.Path(name)
        topic = Topic("cost", partitions=3)
        sending = producer(topic, folder / "producer.log", rate=RATE, stores=100)
        host = Host(folder, [sales(folder, topic, window="10s", checkpoint="5s")])
        browser = driver.chromium.launch(executable_path=surroundings.chromium(), args=["--no-sandbox"])
        try:
            host.wait_for_records("sales", 10 * RATE)
            print(f"host at {RATE:,} events a second, percent of a core, medians of {ROUNDS} looks at each page")
            print(f"{'page':>10} {'closed':>8} {'more':>8} {'± half':>8} {'events, open over closed':>26}  where")
            for page in OPEN:
                show(page, *measure(host, browser, page))
        finally:
            browser.close()
            host.kill()
            sending.kill()


def measure(host: Host, browser, name: str) -> tuple[list[Usage], list[Usage]]:
    """The looks at a closed page, and those at an open one between each two of them."""
    page = browser.new_page()
    closed, opened = [usage(host)], []
    for _ in range(ROUNDS):
        page.goto(f"{host.url}/{PAGES[name]}")
        wait_for_data(page)
        opened.append(usage(host))
        page.goto("about:blank")
        closed.append(usage(host))
    page.close()
    return closed, opened


def usage(host: Host) -> Usage:
    time.sleep(SETTLE)
    process = host.process.id
    begin, cpu, threads, read = time.monotonic(), cpu_seconds(process), by_thread(process), records(host)
    time.sleep(SECONDS)
    took = time.monotonic() - begin
    percent = 100 * (cpu_seconds(process) - cpu) / took
    grown = collections.Counter({name: 100 * (seconds - threads[name]) / took for name, seconds in by_thread(process).items()})
    return Usage(percent, (records(host) - read) / took, grown)


def cpu_seconds(process: int) -> float:
    """By the clock that the kernel keeps for the process, in nanoseconds: `/proc/…/stat` counts in hundredths of a second."""
    return time.clock_gettime((~process << 3) | 2)


def by_thread(process: int) -> collections.Counter:
    """Seconds of the threads that live, by name."""
    seconds = collections.Counter()
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        try:
            seconds[(task / "comm").read_text().strip()] += int((task / "schedstat").read_text().split()[0]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            # It has just ended.
            continue
    return seconds


def records(host: Host) -> int:
    return host.get("/v1/pipelines/sales")["records"]["read"]


def show(name: str, closed: list[Usage], opened: list[Usage]) -> None:
    around = list(zip(opened, closed, closed[1:]))
    more = [look.percent - (before.percent + after.percent) / 2 for look, before, after in around]
    speed = [2 * look.events / (before.events + after.events) for look, before, after in around]
    low, _, high = statistics.quantiles(more, n=4)
    threads = {thread for look in opened for thread in look.threads}
    where = {
        thread: statistics.median(look.threads[thread] - (before.threads[thread] + after.threads[thread]) / 2 for look, before, after in around)
        for thread in threads
    }
    most = sorted(where.items(), key=lambda it: -it[1])[:3]
    print(
        f"{name:>10} {statistics.median(look.percent for look in closed):>8.2f} {statistics.median(more):>+8.2f} "
        f"{(high - low) / 2:>8.2f} {statistics.median(speed):>26.3f}  "
        + ", ".join(f"{thread} {percent:+.2f}" for thread, percent in most if percent >= 0.02),
        flush=True,
    )


if __name__ == "__main__":
    main()

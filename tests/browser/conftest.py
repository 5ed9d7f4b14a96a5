"""Fixtures: one browser for all, one host at work for the tests that only look, and hosts of their own for the others."""

import pathlib

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from harness import surroundings
from harness.host import Host
from harness.pipeline import sales
from harness.process import Process
from harness.topic import Topic, producer
from harness.watched import Watch

expect.set_options(timeout=surroundings.PATIENCE * 1000)


@pytest.fixture(scope="session")
def browser() -> Browser:
    arguments = [
        # Whatever a page tries, no name but the host's leads anywhere.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--disable-background-networking",
        # Containers have a small one.
        "--disable-dev-shm-usage",
        # Root has no sandbox.
        "--no-sandbox",
    ]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=surroundings.chromium(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def folder(request) -> pathlib.Path:
    """An empty folder of this test. It stays until the next run, for whoever looks why a test failed."""
    return surroundings.empty_folder(request.node.name)


@pytest.fixture
def serve():
    """Starts hosts that a test may hurt: `serve(folder, [pipeline, …])`."""
    hosts: list[Host] = []

    def start(*arguments, **more) -> Host:
        hosts.append(Host(*arguments, **more))
        return hosts[-1]

    yield start
    for host in hosts:
        host.kill()


@pytest.fixture
def stream():
    """Starts producers that run as long as the test: `stream(topic, log, …)`."""
    producers: list[Process] = []

    def start(*arguments, **more) -> Process:
        producers.append(producer(*arguments, **more))
        return producers[-1]

    yield start
    for process in producers:
        process.kill()


@pytest.fixture(scope="session")
def at_work() -> Host:
    """A host at work on a stream of sales, for tests that only look: pipeline `sales`, three partitions, eight stores; the
    filter was swapped once."""
    folder = surroundings.empty_folder("at-work")
    topic = Topic("at-work", partitions=3)
    sending = producer(topic, folder / "producer.log")
    host = Host(folder, [sales(folder, topic, window="5s", idle_after="2s")])
    host.wait_for_records("sales", 1)
    host.upload("premium-sale", "premium-sale")
    host.activate("sales", "valid", "premium-sale")
    yield host
    host.kill()
    sending.kill()


@pytest.fixture
def console(browser, request):
    """Opens the console of a host in a context of its own: `console(host, "#/modules", color_scheme="dark")`. Whatever
    the test looks for, the page must not ask anybody else, violate its policy or throw."""
    opened: list[tuple[Watch, Page]] = []
    request.node.opened = opened

    def open_page(host: Host, route: str = "#/", **options) -> Page:
        context = browser.new_context(**options)
        context.set_default_timeout(surroundings.PATIENCE * 1000)
        watch = Watch(host.url)
        watch.over(context)
        page = context.new_page()
        opened.append((watch, page))
        page.watch = watch
        page.goto(f"{host.url}/{route}")
        return page

    yield open_page
    try:
        for watch, page in opened:
            watch.must_be_clean(page.context.pages)
    finally:
        for _, page in opened:
            page.context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Of a failed test, what it had before its eyes: a picture for people, roles and names in the report."""
    report = yield
    if call.when == "call" and report.failed:
        for number, (watch, page) in enumerate(getattr(item, "opened", [])):
            picture = surroundings.folder() / f"{item.name}-{number}.png"
            page.screenshot(path=picture, full_page=True)
            shown = page.locator("body").aria_snapshot()[:6000]
            report.sections.append((f"{page.url}, picture in {picture}", f"{shown}\n{watch}"))
    return report

"""The host goes away while one looks: the page says so and how old it is, keeps what it shows, and recovers by itself."""

import re

import pytest
from playwright.sync_api import expect

from harness.pages import as_sentence, row, table
from harness.pipeline import sales
from harness.surroundings import eventually
from harness.topic import Topic


@pytest.fixture
def host(serve, folder):
    topic = Topic("connection")
    for second in range(40):
        topic.sale(second, partition=second % 2)
    topic.flush()
    host = serve(folder, [sales(folder, topic)])
    host.topic = topic
    host.wait_for_records("sales", 40)
    return host


def lost(page):
    return page.get_by_role("alert").filter(has_text="Connection lost")


def connection(page):
    return page.get_by_role("status", name="Connection")


def test_a_host_that_is_killed_and_comes_back(host, console):
    page = console(host, "#/pipelines/sales")
    expect(connection(page)).to_contain_text("live")
    expect(table(page, "Partitions").get_by_role("row")).to_have_count(3)
    host.kill()
    expect(lost(page)).to_contain_text(re.compile(r"\d+ s old"))
    expect(connection(page)).not_to_contain_text("live")
    # What was there stays to be read, and is told from what is.
    expect(table(page, "Partitions").get_by_role("row")).to_have_count(3)
    expect(page.get_by_role("main")).to_contain_text("was running")
    # A page that has seen nothing yet says what it waits for, and not once more why.
    page.get_by_role("link", name="Modules", exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("Waiting for the modules")
    expect(page.get_by_role("alert").filter(has_text="not reachable")).to_have_count(1)
    page.go_back()

    host.start()
    expect(connection(page)).to_contain_text("live")
    expect(lost(page)).to_have_count(0)
    # It is the new process that is shown.
    for second in range(40, 60):
        host.topic.sale(second, partition=second % 2)
    host.topic.flush()
    host.wait_for_records("sales", 60)
    expect(table(page, "Partitions")).to_contain_text("30")


def test_a_host_that_does_not_answer(host, console):
    page = console(host)
    expect(connection(page)).to_contain_text("live")
    host.process.freeze()
    expect(lost(page)).to_contain_text(re.compile(r"\d+ s old"))
    host.process.thaw()
    expect(connection(page)).to_contain_text("live")
    expect(lost(page)).to_have_count(0)


def test_live_results_go_on_after_a_restart(host, console):
    page = console(host, "#/pipelines/sales/results")
    expect(connection(page)).to_contain_text("live")
    host.kill()
    expect(lost(page)).to_be_visible()
    host.start()
    expect(lost(page)).to_have_count(0)

    def shown():
        # A store of its own each time: the stream of results may be a moment later than the rest.
        host.topic.sale(50, store="store-after")
        host.topic.flush()
        page.wait_for_timeout(200)
        return page.get_by_role("button", name="Chart of store-after").count() > 0

    eventually("the store that came after the restart is shown", shown)


def test_a_pipeline_that_halts_while_one_looks(host, console):
    flow, windows = console(host, "#/pipelines/sales"), console(host, "#/pipelines/sales/windows")
    expect(row(flow, "Partitions", "reads")).to_have_count(2)
    expect(row(windows, "Open windows", "store-1")).to_have_count(1)
    host.topic.make_anew()
    for page in (flow, windows):
        expect(page.get_by_role("main")).to_contain_text("halted")
    problem = host.get("/v1/pipelines/sales")["problem"]
    assert problem, "a pipeline that halted says why"
    expect(flow.get_by_role("main")).to_contain_text(as_sentence(problem))
    expect(row(flow, "Partitions", "not read any more")).to_have_count(2)
    # What was seen stays, and nothing offers to save what is not there.
    expect(windows.get_by_role("main")).to_contain_text("The pipeline has halted: this is the last that this page has seen.")
    expect(row(windows, "Open windows", "store-1")).to_have_count(1)
    expect(windows.get_by_role("button", name="Parquet")).to_have_count(0)
    expect(windows.get_by_role("alert").filter(has_text=re.compile("."))).to_have_count(0)
    # Who comes later has seen nothing, and is told so.
    for route, says in [("", as_sentence(problem)), ("pipelines/sales/results", "this page has seen none of its rows"), ("pipelines/sales/windows", "nothing is open in this host")]:
        page = console(host, f"#/{route}")
        expect(page.get_by_role("main")).to_contain_text(says)

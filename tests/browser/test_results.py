"""Results and open windows: which store sells most, with three stores and with ten thousand."""

import json
import re

import pytest
from playwright.sync_api import expect

from harness.pages import row, table, wait_for_data
from harness.pipeline import sales
from harness.surroundings import eventually
from harness.topic import Topic

KEYS = 10_000


def test_the_store_that_sells_most_is_found(serve, folder, console):
    topic = Topic("results")
    host = serve(folder, [sales(folder, topic)])
    page = console(host, "#/pipelines/sales/results")

    def shown():
        # Live results begin with the next change.
        for store, price in [("store-1", "5.00"), ("store-2", "900.00"), ("store-3", "50.00")]:
            topic.sale(1, store, price)
        topic.flush()
        page.wait_for_timeout(200)
        return row(page, "Results", "store-2").count() > 0

    eventually("live results are shown", shown)
    expect(row(page, "Results", "store-1")).to_contain_text("not yet committed")
    rows = table(page, "Results").get_by_role("row")
    header = table(page, "Results").get_by_role("columnheader", name="revenue")
    expect(header).to_have_attribute("aria-sort", "descending")
    # By number, not by letters.
    expect(rows.nth(1)).to_contain_text("store-2")
    expect(rows.nth(2)).to_contain_text("store-3")
    header.get_by_role("button").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    expect(rows.nth(1)).to_contain_text("store-1")

    page.get_by_role("searchbox", name="Filter by key").fill("store-3")
    expect(rows).to_have_count(2)
    expect(rows.nth(1)).to_contain_text("store-3")
    page.get_by_role("button", name="Chart of store-3").click()
    expect(page.get_by_role("img", name=re.compile("store-3"))).to_be_visible()
    # The same for those who do not see it.
    page.get_by_text("The chart as a table").click()
    expect(row(page, "Chart of store-3 as a table", re.compile(r"22:13:\d\d"))).to_contain_text(re.compile(r"\d+\.00"))


@pytest.fixture
def many(serve, folder):
    topic = Topic("keys")
    for number in range(KEYS):
        topic.sale(1, f"store-{number:05}", f"{number + 1}.00", partition=number % 2)
    topic.flush()
    host = serve(folder, [sales(folder, topic)])
    host.topic = topic
    host.wait_for_records("sales", KEYS)
    return host


def test_ten_thousand_open_windows_stay_readable(many, console):
    page = console(many, "#/pipelines/sales/windows")
    expect(table(page, "Open windows").get_by_role("row").nth(1)).to_be_visible()
    # How many there are is said, though not all are drawn.
    expect(page.get_by_role("main")).to_contain_text("10,000 groups")
    drawn = page.evaluate("document.querySelectorAll('tr').length")
    assert drawn <= 1_000, f"{drawn} rows drawn"
    page.get_by_role("searchbox", name="Filter by key").fill("store-07777")
    expect(row(page, "Open windows", "store-07777")).to_contain_text("7,778.00")


def test_live_results_of_ten_thousand_keys_do_not_stop_the_page(many, console):
    page = console(many, "#/pipelines/sales/results")
    wait_for_data(page)
    for number in range(KEYS):
        many.topic.sale(2, f"store-{number:05}", "1.00", partition=number % 2)
    many.topic.flush()
    many.wait_for_records("sales", 2 * KEYS)
    expect(table(page, "Results").get_by_role("row").nth(1)).to_be_visible()
    drawn = page.evaluate("document.querySelectorAll('tr').length")
    assert drawn <= 1_000, f"{drawn} rows drawn"
    # It answers to hand and eye: another page is drawn.
    page.get_by_role("link", name="Modules", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Modules")


def test_what_the_page_does_not_show_is_said(at_work, console):
    """More groups than it keeps, and more changes than the host sends at once: a stream as a host in haste would send it."""
    page = console(at_work)
    wait_for_data(page)
    window = ["2023-11-14T22:13:00Z", "2023-11-14T22:13:30Z"]
    told = {
        "columns": ["store", "revenue", "window_start", "window_end"], "key_columns": 1, "uncommitted_epoch": 7,
        "rows": [[f"store-{number:05}", f"{number}.00", *window] for number in range(KEYS + 1)], "rows_left_out": 1234,
    }  # fmt: skip
    events = f"event: results\ndata: {json.dumps(told)}\n\nevent: missed\ndata: {json.dumps({'events': 3})}\n\n"
    page.route("**/live?*", lambda route: route.fulfill(content_type="text/event-stream", body=events))
    page.goto(f"{at_work.url}/#/pipelines/sales/results")
    main = page.get_by_role("main")
    expect(main).to_contain_text("1,234 rows are still to come")
    expect(main).to_contain_text("The page keeps the 10,000 groups that changed last.")
    expect(main).to_contain_text("too slow for 3 events")
    expect(table(page, "Results").get_by_role("row").nth(1)).to_contain_text("store-10000")
    page.get_by_role("searchbox", name="Filter by key").fill("store-00000")
    expect(main).to_contain_text("No key has this text.")


def test_a_pipeline_of_raw_rows_says_that_it_has_no_windows(serve, folder, console):
    topic = Topic("raw")
    topic.sale(1)
    topic.flush()
    pipeline = sales(folder, topic)
    text = pipeline.read_text()
    # Without the aggregate, its windows and its late rows.
    start, end = text.index('[[stages]]\nid = "revenue"'), text.index("[[sinks]]")
    pipeline.write_text(text[:start] + text[end:])
    host = serve(folder, [pipeline])
    host.wait_for_records("sales", 1)
    for page_of_it in ["results", "windows"]:
        page = console(host, f"#/pipelines/sales/{page_of_it}")
        expect(page.get_by_role("main")).to_contain_text("raw rows")

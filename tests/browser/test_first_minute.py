"""What a new user asks in the first minute, from the overview on, without a word of documentation."""

import re

import pytest
from playwright.sync_api import expect

from harness.pages import row, table
from harness.pipeline import sales
from harness.surroundings import eventually
from harness.topic import BEGIN, Topic


@pytest.fixture
def topic():
    return Topic("first-minute", partitions=2)


@pytest.fixture
def host(serve, folder, topic):
    """Three stores in both partitions, up to minute one."""
    for second in range(60):
        topic.sale(second, f"store-{second % 3}", f"{1 + second % 3}.00", partition=second % 2)
    topic.flush()
    host = serve(folder, [sales(folder, topic)])
    host.wait_for_records("sales", 60)
    return host


def go(page, pipeline: str, name: str) -> None:
    """By the links beside the name of a pipeline in the overview: one click."""
    page.get_by_role("navigation", name=f"Pages of {pipeline}").get_by_role("link", name=name).click()


def test_which_store_sells_most(host, topic, console):
    page = console(host)
    go(page, "sales", "Results")
    leader = page.get_by_text(re.compile("^Highest revenue"))

    def told():
        # Live results begin with the next change.
        for store, price in [("store-0", "1.00"), ("store-1", "900.00"), ("store-2", "5.00")]:
            topic.sale(61, store, price)
        topic.flush()
        page.wait_for_timeout(200)
        return leader.count() > 0

    eventually("the page says who leads", told)
    expect(leader).to_contain_text("store-1")
    # The next window has just begun: what was in the one before is said too.
    topic.sale(100, "store-2", "7.00")
    topic.sale(100, "store-0", "2.00")
    topic.flush()
    expect(leader).to_contain_text(re.compile(r"store-2, 7\.00 in the newest window.*store-1, .* in the one before", re.DOTALL))


def test_why_a_record_is_not_in_the_table(host, topic, console):
    for partition in (0, 1):
        topic.sale(600, partition=partition)
    topic.flush()
    host.wait_for_records("sales", 62)
    topic.sale(1, store="store-late", price="17.00")
    topic.send(b'{"store":"store-bad","price":"cheap","ts":%d}' % BEGIN)
    topic.flush()
    host.wait_for_records("sales", 64)
    page = console(host)
    go(page, "sales", "Dead letters")
    search = page.get_by_role("searchbox", name="Filter")
    openers = page.get_by_role("button", name=re.compile("^Details"))
    search.fill("store-bad")
    expect(openers).to_have_count(1)
    expect(row(page, "Dead letters", "price")).to_contain_text("cheap")
    # Partition and offset find it as well: in the form of the list, and in that of most tools.
    search.fill(f"{topic.name}/0 @ 32")
    expect(openers).to_have_count(1)
    # What is not among them is looked for among the late rows with one more click.
    search.fill("store-late")
    expect(openers).to_have_count(0)
    expect(table(page, "Dead letters")).to_contain_text("a filter dropped it")
    page.get_by_role("link", name="among the late rows").click()
    expect(page.get_by_role("searchbox", name="Filter")).to_have_value("store-late")
    expect(row(page, "Late rows", "store-late")).to_contain_text("17.00")
    expect(row(page, "Late rows", "store-late")).to_contain_text("past the end of its window")
    page.get_by_role("searchbox", name="Filter").fill("store-none")
    expect(row(page, "Late rows", "store-late")).to_have_count(0)


def test_a_record_far_back_is_found(host, topic, console):
    """Only the newest hundred are shown at first."""
    topic.send(b"the needle")
    for number in range(150):
        topic.send(b"hay %d" % number)
    topic.flush()
    host.wait_for_records("sales", 60 + 151)
    page = console(host, "#/pipelines/sales/dead-letters")
    openers = page.get_by_role("button", name=re.compile("^Details"))
    expect(openers).to_have_count(100)
    page.get_by_role("searchbox", name="Filter").fill("needle")
    expect(openers).to_have_count(0)
    page.get_by_role("button", name="Search older ones").click()
    expect(openers).to_have_count(1)


def test_which_module_runs(host, console):
    page = console(host)
    go(page, "sales", "Flow")
    stage = page.get_by_role("article", name="filter valid")
    expect(stage).to_contain_text("valid-sale")
    expect(stage).to_contain_text("version 1")


def test_why_the_watermark_stands(serve, folder, console, topic):
    for second in range(60):
        topic.sale(second, partition=0)
    topic.flush()
    host = serve(folder, [sales(folder, topic)])
    host.wait_for_records("sales", 60)
    page = console(host)
    said = page.get_by_role("note", name="Watermark")
    # In the overview already.
    expect(said).to_contain_text(f"The watermark stands because partition {topic.name}/1 has no record yet")
    go(page, "sales", "Flow")
    expect(said).to_contain_text(f"{topic.name}/1 has no record yet")
    # It has an old one.
    topic.sale(20, partition=1)
    topic.flush()
    expect(said).to_contain_text(re.compile(rf"{topic.name}/1 has nothing newer than .*22:13:40.*39 s behind the others", re.DOTALL))
    expect(row(page, "Partitions", "holds the watermark back")).to_contain_text(f"{topic.name}/1")
    # Both go on together, and nothing has to be said of either.
    topic.sale(61, partition=0)
    topic.sale(60, partition=1)
    topic.flush()
    expect(said).not_to_contain_text("has nothing newer")
    expect(row(page, "Partitions", "holds the watermark back")).to_have_count(0)


def test_a_bad_module_is_taken_back(host, console):
    host.upload("premium-sale", "premium-sale")
    host.activate("sales", "valid", "premium-sale")
    page = console(host)
    go(page, "sales", "Flow")
    stage = page.get_by_role("article", name="filter valid")
    expect(stage).to_contain_text("premium-sale")
    page.get_by_role("button", name="Go back to valid-sale version 1").click()
    expect(stage).to_contain_text("valid-sale version 1")


def test_one_pipeline_has_room_for_what_becomes_of_its_records(host, topic, console):
    page = console(host)
    place = page.get_by_role("article", name="sales", exact=True)
    fates = place.get_by_role("list", name="What becomes of the records")

    def flows():
        # A filter drops what costs nothing.
        topic.sale(62, price="0.00")
        topic.sale(62)
        topic.flush()
        page.wait_for_timeout(200)
        return fates.count() > 0

    eventually("the overview says what becomes of the records", flows)
    for fate in ["accepted", "left out by valid", "late", "dead letters"]:
        expect(fates.get_by_role("listitem").filter(has_text=fate)).to_have_count(1)
    expect(place.get_by_role("img", name=re.compile("^Left out"))).to_be_visible()

"""Why the watermark stands: the partition that holds it back is named."""

import re

import pytest
from playwright.sync_api import expect

from harness.pages import row, table
from harness.pipeline import sales
from harness.topic import Topic


@pytest.fixture
def host(serve, folder):
    topic = Topic("partitions", partitions=3)
    for partition, second in [(0, 100), (1, 20), (2, 300)]:
        topic.sale(second, partition=partition)
    topic.flush()
    host = serve(folder, [sales(folder, topic)])
    host.topic = topic
    host.wait_for_records("sales", 3)
    return host


def test_the_partition_that_holds_the_watermark_back_is_named(host, console):
    page = console(host, "#/pipelines/sales")
    holding = row(page, "Partitions", "holds the watermark back")
    expect(holding).to_have_count(1)
    expect(holding).to_contain_text(f"{host.topic.name}/1")
    # It goes on, and now another one is the last.
    host.topic.sale(500, partition=1)
    host.topic.flush()
    host.wait_for_records("sales", 4)
    expect(holding).to_contain_text(f"{host.topic.name}/0")
    expect(holding).to_have_count(1)


def test_the_numbers_are_those_of_the_status(host, console):
    page = console(host, "#/pipelines/sales")
    expect(table(page, "Partitions").get_by_role("row")).to_have_count(4)
    # One record each, trusted but for five seconds.
    for number, watermark in [(0, "22:14:55"), (1, "22:13:35"), (2, "22:18:15")]:
        expect(row(page, "Partitions", f"{host.topic.name}/{number}")).to_contain_text(watermark)


def test_the_way_of_a_record_is_drawn(host, console):
    page = console(host, "#/pipelines/sales")
    way = page.get_by_role("list", name="Way of a record")
    for name in [f"source {host.topic.name}", "filter valid", "aggregate revenue", "windows", "sink revenue"]:
        expect(way.get_by_role("article", name=name)).to_be_visible()
    expect(way.get_by_role("article", name="filter valid")).to_contain_text("valid-sale")
    expect(way.get_by_role("article", name="windows")).to_contain_text(re.compile("tumbling windows.*30 s.*by store", re.DOTALL))

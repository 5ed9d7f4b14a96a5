"""Why a record is not in the table: dead letters and late rows, found by reason, shown as text and never run."""

import json
import re

import pytest
from playwright.sync_api import expect

from harness.pages import as_sentence, row, table
from harness.pipeline import sales
from harness.topic import BEGIN, Topic

MARKUP = '<img src=x onerror="window.ran=1"><script>window.ran=2</script>'
ESCAPES = "\x1b[2J\x1b]0;title\x07\x00\u202etxt.exe"


@pytest.fixture
def host(serve, folder):
    topic = Topic("dead", partitions=2)
    for second in range(60):
        topic.sale(second, partition=second % 2)
    topic.flush()
    host = serve(folder, [sales(folder, topic)])
    host.topic = topic
    host.wait_for_records("sales", 60)
    return host


def details(page, text: str):
    """Opens the details of a dead letter."""
    row(page, "Dead letters", text).first.get_by_role("button", name=re.compile("Details")).click()
    return table(page, "Dead letters").locator("tr", has=page.get_by_role("group", name="Record"))


def test_the_reason_of_a_record_is_found(host, console):
    bad = b'{"store":"store-7","price":"cheap","ts":1700000000}'
    host.topic.send(bad, partition=1, headers=[("trace", b"abc-123")])
    host.topic.send(b"no json at all", key=b"key-9")
    host.topic.flush()
    host.wait_for_records("sales", 62)
    page = console(host, "#/pipelines/sales/dead-letters")
    told = host.get("/v1/pipelines/sales/dead-letters")
    assert len(told["rows"]) == 2, told
    for letter in told["rows"]:
        expect(row(page, "Dead letters", as_sentence(letter["reason"]))).to_contain_text(letter["kind"])
        expect(row(page, "Reasons", as_sentence(letter["reason"]))).to_contain_text("1")
    # The record itself, where it lies and what came with it.
    opened = details(page, "price")
    for said in [bad.decode(), "trace", "abc-123", "/1 at offset 30"]:
        expect(opened).to_contain_text(said)
    # It is found by what is in it, too.
    page.get_by_role("searchbox", name="Filter").fill("cheap")
    openers = table(page, "Dead letters").get_by_role("button", name=re.compile("^Details"))
    expect(openers).to_have_count(1)
    expect(openers).to_have_accessible_name(re.compile("/1 at offset 30"))


def test_a_megabyte_of_markup_is_text(host, console):
    filling = MARKUP * (900_000 // len(MARKUP))
    host.topic.send(json.dumps({"store": MARKUP + ESCAPES + filling, "price": "cheap", "ts": BEGIN}))
    host.topic.send((MARKUP + ESCAPES).encode(), headers=[(MARKUP, (MARKUP + ESCAPES).encode())])
    host.topic.send(MARKUP.encode() + b"\xff\xfe\x00")
    host.topic.flush()
    host.wait_for_records("sales", 63)
    page = console(host, "#/pipelines/sales/dead-letters")
    openers = table(page, "Dead letters").get_by_role("button", name=re.compile("Details"))
    expect(openers).to_have_count(3)
    for opener in openers.all():
        opener.click()
        record = page.get_by_role("group", name="Record")
        expect(record).to_be_visible()
        expect(record).to_contain_text(re.compile("<img src=x|3c 69 6d 67"))
        overflow = table(page, "Dead letters").evaluate("it => it.parentElement.scrollWidth - it.parentElement.clientWidth")
        assert overflow <= 1, f"the table is {overflow} pixels wider than its place"
        shown = page.get_by_role("main").inner_text()
        raw = {letter for letter in shown if ord(letter) < 32 and letter not in "\n\t" or letter in "\u202e\x7f"}
        assert not raw, f"control characters are shown raw: {raw!r}"
        assert len(shown) < 50_000, f"{len(shown)} characters at once"
    assert page.evaluate("window.ran") is None, "a script of the data ran"


def test_kinds_are_told_apart(host, console):
    host.topic.send(b"no json at all")
    # A clock that is days ahead of the broker's.
    host.topic.send(json.dumps({"store": "store-1", "price": 1, "ts": BEGIN + 500_000}), timestamp=BEGIN * 1000)
    # Two that no sum has room for: the plugin judges, and refuses the second.
    for second in (58, 59):
        host.topic.sale(second, store="store-huge", price="9999999999999999.99")
    host.topic.flush()
    host.wait_for_records("sales", 64)
    page = console(host, "#/pipelines/sales/dead-letters")
    for kind in ["event_time", "decode", "rejected"]:
        expect(row(page, "Dead letters", kind)).to_have_count(1)
    page.get_by_role("combobox", name="Kind").select_option("decode")
    expect(row(page, "Dead letters", "event_time")).to_have_count(0)
    expect(row(page, "Dead letters", "decode")).to_have_count(1)
    page.get_by_role("combobox", name="Kind").select_option("rejected")
    rejected = row(page, "Dead letters", "the revenue exceeds 18 digits")
    expect(rejected).to_contain_text("revenue")
    opened = details(page, "rejected")
    module = host.get("/v1/pipelines/sales")["stages"][1]["digest"]
    for said in ['"store": "store-huge"', "/0 at offset 33", module[:12]]:
        expect(opened).to_contain_text(said)


def test_an_event_that_is_late_is_found(host, console):
    for partition in (0, 1):
        host.topic.sale(600, partition=partition)
    host.topic.flush()
    host.wait_for_records("sales", 62)
    host.topic.sale(1, store="store-late", price="17.00")
    host.topic.flush()
    host.wait_for_records("sales", 63)
    page = console(host, "#/pipelines/sales/late-rows")
    late = row(page, "Late rows", "store-late")
    expect(late).to_have_count(1)
    expect(late).to_contain_text("17.00")
    # When it happened, and when the window that it missed began.
    expect(late).to_contain_text("22:13:21")
    expect(late).to_contain_text("22:13:00")


def test_delta_tables_are_shown_as_plain_folders_are(serve, folder, console):
    topic = Topic("delta", partitions=1)
    for second in (1, 2, 600):
        topic.sale(second)
    topic.send(b"no json at all")
    topic.flush()
    file = sales(folder, topic)
    text = file.read_text().replace('type = "parquet"', 'type = "delta"')
    for table in ("late", "dead"):
        text = text.replace(f'path = "{folder}/sales/{table}"', f'path = "{folder}/sales/{table}"\nformat = "delta"')
    file.write_text(text)
    host = serve(folder, [file])
    host.wait_for_records("sales", 4)
    topic.sale(3, store="store-late")
    topic.flush()
    host.wait_for_records("sales", 5)
    page = console(host, "#/pipelines/sales")
    sink = page.get_by_role("article", name="sink revenue")
    expect(sink).to_contain_text("sink · delta")
    expect(page.get_by_role("list", name="Way of a record")).to_contain_text(re.compile("late rows.*· delta.*dead letters.*· delta", re.DOTALL))
    for page_of_it, table_name, text in [("dead-letters", "Dead letters", "not JSON"), ("late-rows", "Late rows", "store-late")]:
        page.goto(f"{host.url}/#/pipelines/sales/{page_of_it}")
        expect(row(page, table_name, text)).to_contain_text(re.compile(r"epoch \d"))
        expect(page.get_by_role("main")).to_contain_text(f"Kept in {folder}/sales/{page_of_it.split('-')[0]}")

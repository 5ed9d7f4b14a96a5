"""Two hosts with one pipeline: the page says which one works, and on the other one sends people there."""

import re

import pytest
from playwright.sync_api import expect

from harness import surroundings
from harness.host import Host
from harness.pages import PHONE, row
from harness.pipeline import sales
from harness.topic import Topic


@pytest.fixture(scope="module")
def two_hosts():
    """The leader, and the host that stands by for it. No test changes who leads, or what runs."""
    folder, topic = surroundings.empty_folder("leadership"), Topic("leadership")
    for second in range(60):
        topic.sale(second)
    topic.flush()
    file = sales(folder, topic)
    hosts = [Host(folder, [file], advertises=True)]
    try:
        hosts[0].wait_for_records("sales", 60)
        hosts.append(Host(folder, [file], advertises=True))
        hosts[1].wait_for_role("sales", "standby")
        yield hosts
    finally:
        for host in hosts:
            host.kill()


def test_a_host_that_stands_by_says_for_whom_and_leads_there(two_hosts, console):
    leader, standby = two_hosts
    page = console(leader)
    expect(page.get_by_role("article", name="sales")).to_contain_text(re.compile(r"leader since \d\d:\d\d:\d\d"))
    expect(page.get_by_role("note", name="Leadership")).to_have_count(0)

    name = leader.get("/v1/pipelines/sales")["leadership"]["leader"]
    page = console(standby)
    for route in ["", "pipelines/sales", "pipelines/sales/results", "pipelines/sales/windows", "pipelines/sales/dead-letters", "pipelines/sales/late-rows"]:
        page.goto(f"{standby.url}/#/{route}")
        note = page.get_by_role("note", name="Leadership")
        expect(note).to_contain_text(f"for {name}, which leads sales")
        expect(note.get_by_role("link", name="Open its console")).to_have_attribute("href", f"{leader.url}/#/{route or 'pipelines/sales'}")
        # It knows nothing of the stream, so it does not deny that there is one.
        for denial in ["no epoch committed yet", "no module runs here yet", "Nothing was dead-lettered."]:
            expect(page.get_by_text(denial)).to_have_count(0)
        expect(page.get_by_text(re.compile("^Connecting to the live"))).to_have_count(0)


def test_what_changes_something_is_off_where_a_host_stands_by(two_hosts, console):
    leader, standby = two_hosts
    leader.upload("premium-sale", "premium-sale")
    page = console(standby, "#/modules/premium-sale", **PHONE)
    fit = row(page, "Fit", "valid of sales")
    button = fit.get_by_role("button", name=re.compile("^Activate"))
    if button.count():
        expect(button).to_be_disabled()
    page.goto(f"{standby.url}/#/pipelines/sales")
    expect(page.get_by_role("button", name=re.compile("^Go back"))).to_have_count(0)
    # A page that was open while the lead went: the host sends the request elsewhere, where no page may follow.
    told = page.evaluate("""async () => {
        const { send } = await import("/console/parts/api.js");
        return send("v1/pipelines/sales/releases", { stage: "valid", module: "premium-sale" }).then(() => "activated", failure => failure.message);
    }""")
    assert told.startswith("Another host leads this pipeline now, so nothing was changed"), told
    # The browser's protocol announces where a redirect leads, followed or not. Nothing has arrived there.
    assert leader.get("/v1/pipelines/sales/activations")["activations"] == []
    page.watch.foreign.clear()


def test_an_address_of_a_leader_that_is_none_of_the_web_is_no_link(at_work, console):
    """It comes out of the store. The page itself is asked, of any host."""
    page = console(at_work)
    links = page.evaluate("""async () => {
        const { consoleOf } = await import("/console/parts/leadership.js");
        return ["javascript:alert(1)", "data:text/html,x", "no address", null, "https://host-1/base", "http://host-1:8080/"]
            .map(url => consoleOf(url, "/modules"));
    }""")
    assert links == [None, None, None, None, "https://host-1/base/#/modules", "http://host-1:8080/#/modules"], links

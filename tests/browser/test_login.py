"""With a token: the console asks for it once, and keeps it where no script finds it."""

import json

import pytest
from playwright.sync_api import expect

from harness import surroundings
from harness.host import Host
from harness.pipeline import sales
from harness.topic import Topic

TOKEN = "a-token-of-thirty-two-characters-0001"

REACHABLE = """
() => JSON.stringify({
    local: {...localStorage}, session: {...sessionStorage}, cookie: document.cookie,
    address: location.href, state: history.state,
})
"""


@pytest.fixture(scope="module")
def guarded():
    folder, topic = surroundings.empty_folder("login"), Topic("login")
    topic.sale(0)
    topic.flush()
    host = Host(folder, [sales(folder, topic)], token=TOKEN)
    yield host
    host.kill()


def sign_in(page, token: str = TOKEN) -> None:
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_nothing_is_shown_before_the_token(guarded, console):
    page = console(guarded)
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("sales")


def test_the_token_is_nowhere_where_a_script_finds_it(guarded, console):
    page = console(guarded)
    sign_in(page)
    expect(page.get_by_role("link", name="sales").first).to_be_visible()
    reachable = page.evaluate(REACHABLE)
    assert TOKEN not in reachable, reachable
    assert not [url for url in page.watch.asked if TOKEN in url]
    cookies = page.context.cookies()
    assert cookies and all(cookie["httpOnly"] and cookie["sameSite"] == "Strict" for cookie in cookies), cookies
    assert TOKEN not in json.dumps(cookies), "the cookie is an id, not the token"
    # Whoever comes back within the day is known.
    page.reload()
    expect(page.get_by_role("link", name="sales").first).to_be_visible()


def test_a_wrong_token_is_told_and_asked_for_again(guarded, console):
    page = console(guarded)
    sign_in(page, "another-token-of-thirty-two-characters")
    expect(page.get_by_role("alert")).to_contain_text("token")
    sign_in(page)
    expect(page.get_by_role("link", name="sales").first).to_be_visible()


STREAM = """
() => {
    const stream = new EventSource("v1/pipelines/sales/live");
    window.ended = new Promise((tell) => stream.addEventListener("ended", (event) => {
        stream.close();
        tell(JSON.parse(event.data).code);
    }));
    return new Promise((opened) => { stream.onopen = () => opened(true); });
}
"""


def test_a_live_stream_ends_when_one_signs_out(guarded, console):
    page = console(guarded)
    sign_in(page)
    expect(page.get_by_role("link", name="sales").first).to_be_visible()
    assert page.evaluate(STREAM)
    page.get_by_role("button", name="Sign out").click()
    assert page.evaluate("() => window.ended") == "session"
    expect(page.get_by_label("Token")).to_be_visible()


def test_signing_out_ends_it(guarded, console):
    page = console(guarded)
    sign_in(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Token")).to_be_visible()
    # Who signs out is not told that the session has ended.
    expect(page.get_by_text("does not take this session")).to_have_count(0)
    page.reload()
    expect(page.get_by_label("Token")).to_be_visible()
    expect(page.locator("body")).not_to_contain_text("sales")


def test_a_token_that_was_revoked_while_one_looks_is_asked_for_again(guarded, console):
    page = console(guarded)
    sign_in(page)
    expect(page.get_by_role("link", name="sales").first).to_be_visible()
    try:
        guarded.kill()
        guarded.token = "the-new-token-of-thirty-two-characters"
        guarded.start()
        expect(page.get_by_label("Token")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="the token was taken away")).to_be_visible()
        sign_in(page, guarded.token)
        expect(page.get_by_role("link", name="sales").first).to_be_visible()
        # Only the host can end a session.
        page.route("**/v1/session", lambda route: route.abort())
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("alert").filter(has_text="You are still signed in.")).to_be_visible()
    finally:
        guarded.kill()
        guarded.token = TOKEN
        guarded.start()

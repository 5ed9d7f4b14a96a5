"""The overview: every pipeline with what it does, as numbers that are those of the host."""

import re

from playwright.sync_api import expect

from harness.pages import as_sentence, eventually
from harness.pipeline import sales
from harness.topic import Topic


def line(page, pipeline: str):
    """The place of a pipeline in the overview."""
    return page.get_by_role("article", name=pipeline, exact=True)


def test_a_stream_at_work_fills_it(at_work, console):
    page = console(at_work)
    expect(page).to_have_title(re.compile("Sluicegate"))
    place = line(page, "sales")
    expect(place).to_contain_text("running")
    # 500 records a second come in; whatever the machine, some did in the last seconds.
    expect(place).to_contain_text(re.compile(r"[1-9][\d,.]*\s*k?/s"))
    first = place.inner_text()
    # It goes on by itself.
    expect(place).not_to_have_text(first, use_inner_text=True)


def test_a_problem_stands_there_in_the_words_of_the_status(serve, folder, console):
    topic = Topic("overview-problem")
    topic.sale(0)
    topic.flush()
    good, waiting = sales(folder, topic, "good"), sales(folder, topic, "waiting", filter="not-uploaded-yet")
    host = serve(folder, [good, waiting])
    host.wait_for_records("good", 1)
    page = console(host)
    problem = host.get("/v1/pipelines/waiting")["problem"]
    assert "not-uploaded-yet" in problem, problem
    expect(line(page, "waiting")).to_contain_text(as_sentence(problem))
    expect(line(page, "good")).not_to_contain_text(as_sentence(problem))


def test_it_asks_nobody_but_the_host(at_work, console):
    """The fixture fails a page that asks another origin; here is what it asks its own."""
    page = console(at_work)
    expect(line(page, "sales")).to_contain_text("running")
    assert any(url.endswith("/v1/pipelines") for url in page.watch.asked), page.watch.asked
    assert all(url.startswith(at_work.url) for url in page.watch.asked), page.watch.asked


def test_a_script_from_elsewhere_would_not_run(at_work, console):
    """The policy itself, asked by what it must refuse."""
    page = console(at_work)
    expect(line(page, "sales")).to_contain_text("running")
    page.evaluate("""() => {
        const inline = document.createElement('script');
        inline.textContent = 'window.inline = true';
        document.head.append(inline);
        const image = document.createElement('img');
        image.src = 'http://other.example/pixel';
        image.alt = '';
        document.body.append(image);
        const button = document.createElement('button');
        button.setAttribute('onclick', 'window.attribute = true');
        document.body.append(button);
        button.click();
    }""")
    eventually(page, "window.violations.length", lambda count: count >= 3)
    assert page.evaluate("[window.inline, window.attribute]") == [None, None]
    refused = " ".join(page.evaluate("window.violations"))
    assert "script-src" in refused and "img-src" in refused, refused
    page.evaluate("window.violations.length = 0")
    page.watch.policy.clear()
    page.watch.foreign.clear()
    page.watch.thrown.clear()

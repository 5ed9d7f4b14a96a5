"""A module's way: chosen or dropped, judged, activated, seen on the charts, and taken back. And what is no module."""

import base64
import re

import pytest
from playwright.sync_api import expect

from harness import surroundings
from harness.host import Host
from harness.pages import row, table
from harness.pipeline import sales
from harness.surroundings import plugin
from harness.topic import Topic, producer

DROP = """
([zone, name, base64]) => {
    const bytes = Uint8Array.from(atob(base64), letter => letter.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], name));
    for (const type of ["dragenter", "dragover", "drop"]) {
        zone.dispatchEvent(new DragEvent(type, {bubbles: true, cancelable: true, dataTransfer: dropped}));
    }
}
"""


@pytest.fixture(scope="module")
def host():
    """One for all: whatever is refused changes nothing, and the one test that activates goes back."""
    folder, topic = surroundings.empty_folder("modules"), Topic("modules")
    sending = producer(topic, folder / "producer.log", rate=200)
    host = Host(folder, [sales(folder, topic, idle_after="1s")])
    host.wait_for_records("sales", 1)
    yield host
    host.kill()
    sending.kill()


def field(page):
    return page.get_by_label("Module file")


def runs(host) -> dict:
    """The filter that runs."""
    return host.get("/v1/pipelines/sales")["stages"][0]


def test_a_file_that_is_dropped_is_uploaded(host, console):
    page = console(host, "#/modules")
    expect(field(page)).to_be_attached()
    body = base64.b64encode(plugin("premium-sale").read_bytes()).decode()
    page.evaluate(DROP, [field(page).element_handle(), "Dropped_Sale.wasm", body])
    expect(page.get_by_label("Name")).to_have_value("dropped-sale")
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(row(page, "Modules", "dropped-sale")).to_contain_text("version 1")
    assert host.get("/v1/modules/dropped-sale")["modules"][0]["version"] == 1


def test_a_file_that_is_dropped_beside_the_zone_does_not_replace_the_page(host, console):
    page = console(host, "#/modules")
    expect(field(page)).to_be_attached()
    page.evaluate(DROP, [page.locator("footer").element_handle(), "beside.wasm", ""])
    expect(page.get_by_role("heading", level=1)).to_have_text("Modules")


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        pytest.param("notes.wasm", b"dear diary <img src=x onerror=alert(1)>", "WebAssembly", id="a text"),
        pytest.param("large.wasm", b"\0asm" + bytes(10 << 20), "10 MiB", id="more than ten mebibytes"),
        pytest.param("nothing.wasm", b"", "WebAssembly", id="an empty file"),
    ],
)
def test_what_is_no_module_is_told_before_it_is_sent(name, body, says, host, console, tmp_path):
    page = console(host, "#/modules")
    file = tmp_path / name
    file.write_bytes(body)
    field(page).set_input_files(file)
    said = page.get_by_role("status", name="Upload", exact=True)
    expect(said).to_contain_text(says)
    expect(said).to_contain_text(name)
    expect(page.get_by_role("button", name="Upload", exact=True)).to_have_count(0)
    assert not [url for url in page.watch.asked if url.endswith(f"/v1/modules/{name.removesuffix('.wasm')}")]


def test_a_module_of_exactly_ten_mebibytes_is_taken(host, console, tmp_path):
    module = plugin("premium-sale").read_bytes()
    # What follows in a section that nobody reads: its size in the four bytes of LEB128, its name, zeros.
    rest = (10 << 20) - len(module) - 5
    size = bytes([rest & 127 | 128, rest >> 7 & 127 | 128, rest >> 14 & 127 | 128, rest >> 21])
    file = tmp_path / "large.wasm"
    file.write_bytes(module + b"\0" + size + b"\3pad" + bytes(rest - 4))
    assert file.stat().st_size == 10 << 20
    page = console(host, "#/modules")
    field(page).set_input_files(file)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.get_by_role("status", name="Uploaded")).to_contain_text("large version 1 is stored: a filter")
    expect(row(page, "Modules", "large")).to_contain_text("10 MiB")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        pytest.param(b"\0asm\x01\0\0\0", "not a plugin", id="with nothing in it"),
        pytest.param(b"\0asm\x01\0\0\0" + b"\xff" * 1000, "WebAssembly", id="broken"),
        pytest.param(b"\0asm\x01\0\0\0" + bytes((10 << 20) - 8), "", id="of ten mebibytes"),
    ],
)
def test_a_module_that_is_refused_says_why(body, says, host, console, tmp_path):
    page = console(host, "#/modules")
    file = tmp_path / "refused.wasm"
    file.write_bytes(body)
    field(page).set_input_files(file)
    page.get_by_role("button", name="Upload", exact=True).click()
    refusal = page.get_by_role("alert").filter(has_text="The host refused it.")
    expect(refusal).to_contain_text(says)
    expect(refusal).to_have_text(re.compile(r"refused it\. \w+ .{20,}\."))
    assert "refused" not in [module["name"] for module in host.get("/v1/modules")["modules"]], "nothing was stored"
    # The form stays, so that another name or file can be tried.
    expect(page.get_by_role("button", name="Upload", exact=True)).to_be_enabled()


def test_a_module_of_another_kind_says_why_it_fits_nowhere(host, console):
    host.upload("dedup", "dedup")
    page = console(host, "#/modules/dedup")
    for stage in ["valid", "revenue"]:
        expect(row(page, "Fit", f"{stage} of sales")).to_contain_text(re.compile("does not fit: .*process"))
    expect(page.get_by_role("button", name=re.compile("Activate"))).to_have_count(0)


def test_an_activation_that_is_refused_says_why(host, console):
    """Between the look and the click the pipeline went away."""
    host.upload("premium-sale", "premium-sale")
    page = console(host, "#/modules/premium-sale")
    page.get_by_role("button", name=re.compile("Activate premium-sale")).click()
    refusal = {"error": {"code": "not_running", "message": "pipeline `sales` has halted"}}
    page.route("**/releases", lambda route: route.fulfill(status=409, json=refusal))
    question = page.get_by_role("dialog")
    question.get_by_role("button", name="Activate").click()
    expect(question.get_by_role("alert")).to_contain_text("has halted")
    question.get_by_role("button", name="Cancel").click()
    expect(question).to_have_count(0)
    expect(table(page, "Fit")).to_be_visible()


def test_from_the_file_to_the_mark_and_back(host, console):
    page = console(host, "#/modules")
    before = runs(host)
    field(page).set_input_files(plugin("premium-sale"))
    page.get_by_role("button", name="Upload", exact=True).click()
    # What the host says of it, and where it fits.
    expect(page.get_by_role("status", name="Uploaded")).to_contain_text("a filter, 2 input columns")
    page.get_by_role("link", name="See where it fits").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("premium-sale")
    expect(page.get_by_role("main")).to_contain_text("price")
    expect(row(page, "Fit", "valid of sales")).to_contain_text("fits")
    expect(row(page, "Fit", "revenue of sales")).to_contain_text(re.compile("does not fit: .*filter"))

    row(page, "Fit", "valid of sales").get_by_role("button", name=re.compile("Activate")).click()
    question = page.get_by_role("dialog")
    for said in ["sales", "valid", "valid-sale", before["digest"][:6], "premium-sale version 1"]:
        expect(question).to_contain_text(said)
    question.get_by_role("button", name="Activate").click()
    outcome = page.get_by_role("status", name="Outcome")
    expect(outcome).to_contain_text(re.compile(r"valid of sales runs premium-sale version 1 after epoch \d+"))
    expect(question).to_have_count(0)
    expect(row(page, "Fit", "valid of sales")).to_contain_text("runs here")
    assert runs(host)["module"] == "premium-sale"

    # The charts of the pipeline say when.
    page.get_by_role("link", name="See it on the charts").click()
    charts = page.get_by_role("img", name=re.compile("Marks: .*premium-sale"))
    expect(charts.first).to_be_visible()
    epoch = host.get("/v1/pipelines/sales/activations")["activations"][0]["epoch"]
    expect(outcome).to_contain_text(f"epoch {epoch}")
    expect(row(page, "Activations", "premium-sale")).to_contain_text(str(epoch))

    # And back with one click.
    page.get_by_role("button", name=re.compile("Go back to valid-sale")).click()
    expect(outcome).to_contain_text(re.compile("valid of sales runs valid-sale"))
    expect(page.get_by_role("img", name=re.compile("Marks: .*premium-sale.*; .*valid-sale")).first).to_be_visible()
    assert runs(host)["digest"] == before["digest"], "the first module runs again"
    assert len(host.get("/v1/pipelines/sales/activations")["activations"]) == 2

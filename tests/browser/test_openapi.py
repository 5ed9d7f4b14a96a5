"""The API against its own description: thousands of requests are made from the document, and each answer is compared with it."""

import subprocess

from harness import surroundings
from harness.host import Host
from harness.pipeline import sales
from harness.topic import Topic

CHECKS = ["not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance", "unsupported_method"]
# Modules are bytes that nobody can make from a schema; live results do not end; metrics are not JSON.
LEFT_OUT = ["upload_module", "watch_results", "show_metrics"]
SECONDS = "15"


def test_every_answer_is_one_that_the_document_promises(serve, folder):
    topic = Topic("described")
    topic.sale(1)
    topic.flush()
    host: Host = serve(folder, [sales(folder, topic)])
    host.wait_for_records("sales", 1)
    settings = folder / "schemathesis.toml"
    # A name that exists, so that more than the answer 404 is compared.
    settings.write_text('[parameters]\n"path.pipeline" = "sales"\n')
    command = [surroundings.schemathesis(), "--config-file", str(settings), "run", f"{host.url}/v1/openapi.json", "--url", host.url]
    command += ["--phases", "coverage,fuzzing", "--checks", ",".join(CHECKS), "--max-time", SECONDS, "--generation-deterministic"]
    command += ["--request-timeout", str(surroundings.PATIENCE), "--warnings", "off", "--no-color"]
    for operation in LEFT_OUT:
        command += ["--exclude-operation-id", operation]
    asked = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert asked.returncode == 0, asked.stdout[-8000:] + asked.stderr[-2000:]
    assert " 0 generated" not in asked.stdout and "passed" in asked.stdout, asked.stdout[-2000:]

"""`sluicegate serve`, and its API as a program uses it."""

import json
import pathlib
import socket
import urllib.error
import urllib.request

from harness import surroundings
from harness.process import Process
from harness.surroundings import PATIENCE, eventually


class Host:
    """A host with its pipelines in a folder of its own."""

    def __init__(self, folder: pathlib.Path, pipelines: list[pathlib.Path], token: str | None = None, advertises: bool = False):
        self.folder, self._pipelines, self.token, self._advertises = folder, pipelines, token, advertises
        self.port = _free_port()
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, on the same port and the same folder as before."""
        command = [surroundings.sluicegate(), "serve", *map(str, self._pipelines)]
        command += ["--listen", f"127.0.0.1:{self.port}"]
        if self._advertises:
            command += ["--advertise", self.url]
        if self.token:
            file = self.folder / "token"
            file.write_text(self.token + "\n")
            file.chmod(0o600)
            command += ["--token-file", str(file)]
        self.process = Process("the host", command, self.folder / "host.log", cwd=self.folder)
        eventually("the host listens", self._listens)

    def _listens(self) -> bool:
        self.process.must_run()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self.process.kill()

    def get(self, path: str):
        """The answer to GET, as JSON."""
        return self._ask("GET", path, None, {})

    def upload(self, name: str, plugin: str) -> dict:
        """Uploads a compiled plugin under a name."""
        body = surroundings.plugin(plugin).read_bytes()
        return self._ask("PUT", f"/v1/modules/{name}", body, {"content-type": "application/wasm"})

    def activate(self, pipeline: str, stage: str, module: str) -> dict:
        """Activates the newest version of a module."""
        body = json.dumps({"stage": stage, "module": module}).encode()
        return self._ask("POST", f"/v1/pipelines/{pipeline}/releases", body, {"content-type": "application/json"})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]):
        if self.token:
            headers = headers | {"authorization": f"Bearer {self.token}"}
        request = urllib.request.Request(self.url + path, data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None

    def wait_for_role(self, pipeline: str, role: str) -> None:
        """Waits until the host is that to a pipeline: `leader` or `standby`."""
        eventually(f"the host is {role} of `{pipeline}`", lambda: self.get(f"/v1/pipelines/{pipeline}")["leadership"]["role"] == role)

    def wait_for_records(self, pipeline: str, count: int) -> dict:
        """Waits until a pipeline has read so many records, and committed them; its status."""

        def reached():
            status = self.get(f"/v1/pipelines/{pipeline}")
            assert status["phase"] != "halted", status["problem"]
            return status if status["records"]["read"] >= count else None

        return eventually(f"`{pipeline}` has read {count} records", reached)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

"""A program beside us that ends with us."""

import pathlib
import signal
import subprocess

from harness.surroundings import PATIENCE


class Process:
    """A running program. The kernel kills it when the test run dies."""

    def __init__(self, name: str, command: list[str], log: pathlib.Path, cwd: pathlib.Path):
        self.name, self.log = name, log
        with log.open("ab") as out:
            self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip

    @property
    def id(self) -> int:
        return self._child.pid

    def must_run(self) -> None:
        """Fails, with the end of its log, if it has ended."""
        status = self._child.poll()
        if status is not None:
            raise AssertionError(f"{self.name} ended with {status}:\n{self.said()}")

    def said(self) -> str:
        """The end of what it has logged."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def kill(self) -> None:
        """As a power cut would."""
        self._child.kill()
        self._child.wait(PATIENCE)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self._child.terminate()
        return self._child.wait(PATIENCE)

    def freeze(self) -> None:
        """It answers nobody until [`Process.thaw`]; connections stay."""
        self._child.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._child.send_signal(signal.SIGCONT)

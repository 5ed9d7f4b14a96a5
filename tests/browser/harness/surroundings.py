"""Where everything is: told by `cargo xtask browser` in the environment."""

import os
import pathlib
import shutil
import time


def told(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise SystemExit(f"`{name}` is not set: `cargo xtask browser` sets it and runs these tests")
    return value


def sluicegate() -> str:
    """The binary under test."""
    return told("SLUICEGATE_BIN")


def plugin(name: str) -> pathlib.Path:
    """A compiled plugin."""
    path = pathlib.Path(told("SLUICEGATE_PLUGINS")) / f"{name}.wasm"
    assert path.exists(), f"`{path}` is missing: cargo xtask plugins"
    return path


def folder() -> pathlib.Path:
    """Where logs, tables and the pictures of failures go. Tests that run side by side have one for each worker."""
    return pathlib.Path(told("SLUICEGATE_FOLDER")) / os.environ.get("PYTEST_XDIST_WORKER", "")


def empty_folder(name: str) -> pathlib.Path:
    """A folder of that name, without what an earlier run left in it."""
    own = folder() / "".join(c if c.isalnum() else "-" for c in name)
    shutil.rmtree(own, ignore_errors=True)
    own.mkdir(parents=True)
    return own


def kafka() -> str:
    """`host:port` of the broker. Each test makes topics of its own."""
    return told("SLUICEGATE_KAFKA")


def schemathesis() -> str:
    """The command that makes requests from an OpenAPI document."""
    return told("SLUICEGATE_SCHEMATHESIS")


def chromium() -> str:
    """Debian's browser."""
    path = shutil.which("chromium")
    assert path, "Chromium is missing: apt-get install chromium"
    return path


PATIENCE = 60.0
"""Seconds; longer than anything takes on a busy machine. Who waits this long has failed."""


def eventually(what: str, ask):
    """Asks until the answer is something; fails with `what` and the last answer if it never is."""
    deadline = time.monotonic() + PATIENCE
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {PATIENCE:.0f} s in vain for this: {what}; last: {answer!r}")
        time.sleep(0.05)

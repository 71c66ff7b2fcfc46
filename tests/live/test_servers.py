"""The starters themselves: a server ends with its block, and one that dies says why."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import _pytest.outcomes
import pytest

from tests.live.servers import HOST, free_port, listens, need, running, until

PARENT = """
import socket, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    time.sleep(600)
"""


def _alive(pid: int) -> bool:
    """Whether process *pid* runs; one that is dead and not yet collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_server_ends_with_its_block_and_so_do_its_children(tmp_path: Path) -> None:
    """After the block neither the port answers nor a child process lives."""
    port = free_port()
    command = [sys.executable, "-c", PARENT, str(port)]
    with running(
        "parent", command, folder=tmp_path, port=port, ready=lambda s: listens(s.port)
    ) as one:
        child = int(one.log.read_text().split()[0])
        during = (listens(port), _alive(child))

    assert (during, listens(port)) == ((True, True), False)
    until(lambda: not _alive(child), "the child is gone")


def test_a_server_that_dies_early_fails_with_its_own_words(tmp_path: Path) -> None:
    """The end of the log stands in the failure."""
    command = [sys.executable, "-c", "raise SystemExit('no disk')"]

    with (
        pytest.raises(_pytest.outcomes.Failed, match="short-lived ended with 1:\nno disk"),
        running("short-lived", command, folder=tmp_path, port=1, ready=lambda _: False),
    ):
        raise AssertionError("never reached")


def test_a_missing_tool_skips_and_names_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that is not there skips the test, or fails it where all tools are required."""
    monkeypatch.delenv("TIERWATCH_REQUIRE_TOOLS", raising=False)
    with pytest.raises(_pytest.outcomes.Skipped, match="no_such_tool is missing: install it"):
        need("no_such_tool")

    monkeypatch.setenv("TIERWATCH_REQUIRE_TOOLS", "1")
    with pytest.raises(_pytest.outcomes.Failed, match="no_such_tool is missing: install it"):
        need("no_such_tool")


def test_free_ports_are_free_and_local() -> None:
    """A free port accepts nobody, and the host is this machine only."""
    assert (listens(free_port()), HOST, os.name) == (False, "127.0.0.1", "posix")

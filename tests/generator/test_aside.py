"""What is done aside comes out as if it had been done here, whatever happens to the other process."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from generator.aside import forked, here
from generator.catalog import load_catalog
from generator.render import render


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the command: two cores, and no thread but this one (test runners have more)."""
    monkeypatch.setattr(threading, "active_count", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


def test_work_aside_is_done_by_another_process() -> None:
    """The work runs in a child, whose result is handed over whole, once it is asked for."""
    work = forked(lambda: (os.getpid(), "x" * 10**6))
    other, text = work()

    assert other != os.getpid()
    assert text == "x" * 10**6


def test_an_error_shows_itself_here() -> None:
    """What fails aside fails here in the same words."""

    def fails() -> str:
        raise ValueError("no such thing")

    with pytest.raises(ValueError, match=r"^no such thing$"):
        forked(fails)()


def test_a_process_that_is_killed_is_replaced() -> None:
    """When the child ends without a result, its work is done here."""
    parent = os.getpid()

    def dies_aside() -> str:
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done"

    assert forked(dies_aside)() == "done"


@pytest.mark.parametrize(("threads", "cores"), [(2, 2), (1, 1)])
def test_where_no_process_can_help_the_work_is_done_here(
    monkeypatch: pytest.MonkeyPatch, threads: int, cores: int
) -> None:
    """Beside other threads, and on a single core, nothing is forked."""
    monkeypatch.setattr(threading, "active_count", lambda: threads)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)

    assert forked(os.getpid)() == os.getpid() == here(os.getpid)()


def test_the_same_bytes_either_way() -> None:
    """A catalog renders to the same artifacts with and without help."""
    catalog = load_catalog(Path(__file__).parents[1] / "golden" / "three-services" / "catalog")

    assert render(catalog, forked).artifacts == render(catalog).artifacts

"""What the guard remembers survives crashes; where it does not, nothing is restarted."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from remediation.guard.rules import Word
from remediation.guard.state import StateError, Store
from remediation.model import Restarted
from tests.remediation.guard.stage import Stage


def _spoilt(text: str) -> dict[str, bytes]:
    whole = text.encode()
    data: dict[str, Any] = json.loads(text)
    memory = data["watched"]["prometheus"]
    return {
        "empty": b"",
        "torn": whole[: len(whole) // 2],
        "zeros": b"\0" * len(whole),
        "another form": json.dumps({**data, "version": 2}).encode(),
        "a list": b"[]",
        "not a number": whole.replace(b'"failures": 0', b'"failures": "0"', 1),
        "an endless number": json.dumps({**data, "blocked_until": 1e999}).encode(),
        "a restart that is none": json.dumps(
            {**data, "watched": {"prometheus": {**memory, "restarts": "3"}}}
        ).encode(),
        "a key too many": json.dumps(
            {**data, "watched": {"prometheus": {**memory, "extra": 1}}}
        ).encode(),
        "a key too few": json.dumps({**data, "watched": {"prometheus": {"failures": 0}}}).encode(),
        "deep": b"[" * 100_000,
        "huge": b" " * (1024 * 1024 + 1),
    }


@pytest.mark.parametrize("how", _spoilt('{"watched": {"prometheus": {}}, "version": 1}'))
def test_a_file_that_is_not_ours_blocks_for_an_hour(stage: Stage, how: str) -> None:
    """It is put aside and told; for one window nothing is restarted, and then as ever."""
    stage.silence("prometheus")
    stage.minutes(12)
    stage.played.told.clear()
    spoilt = _spoilt(stage.state.read_text(encoding="utf-8"))[how]
    stage.state.write_bytes(spoilt)

    report = stage.check()

    assert not report.is_fine
    assert report.verdicts["prometheus"].word is Word.LEFT
    aside = stage.state.with_name("guard.json.corrupt")
    assert aside.read_bytes() == spoilt
    assert report.notes == (
        f"{stage.state} was not readable as ours and is called {aside.name} now",
    )
    assert stage.played.told[0] == ("guard", report.notes[0], False)
    assert stage.minutes(60) == []
    assert stage.minutes(4) == ["shop-prometheus"]


def test_every_run_goes_on_from_the_file(stage: Stage) -> None:
    """Whole runs, each with a store of its own: failures and restarts add up across them."""
    stage.silence("prometheus")
    stage.minutes(30)
    found = json.loads(stage.state.read_text(encoding="utf-8"))["watched"]["prometheus"]

    assert (len(found["restarts"]), found["paged"]) == (3, True)
    assert stage.state.stat().st_mode & 0o777 == 0o600


def test_a_restart_is_on_the_disk_before_it_is_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guard that dies inside the restart has counted it: crashes add no restart beyond three."""
    stage.silence("prometheus")

    def die(seen: object) -> Restarted:
        del seen
        stage.played.restarted.append("shop-prometheus")
        raise KeyboardInterrupt

    monkeypatch.setattr(stage.played, "restart", die)
    for _ in range(60):
        with contextlib.suppress(KeyboardInterrupt):
            stage.check()
        stage.played.pass_by(60)

    assert stage.played.restarted == ["shop-prometheus"] * 3


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_what_cannot_be_written_is_not_done(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A full disk at any step: no restart, an error with its cure, and the old file in its place."""
    stage.silence("prometheus")
    stage.minutes(2)
    before = stage.state.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    if call == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    elif call == "replace":
        monkeypatch.setattr(Path, "replace", full)
    else:
        monkeypatch.setattr(os, "fdopen", full)

    with pytest.raises(StateError) as error:
        stage.check()

    assert str(error.value) == (
        f"{stage.state}: no space left on device. Nothing is restarted without it:"
        " make the folder writable."
    )
    assert stage.played.restarted == []
    assert stage.state.read_bytes() == before


def _hold(path: Path, ready: Any, done: Any) -> None:
    with Store(path).locked(5):
        ready.set()
        done.wait(30)


def test_two_guards_never_work_at_once(tmp_path: Path) -> None:
    """While another process holds the lock this one waits, and then says so; afterwards it may."""
    path = tmp_path / "guard.json"
    context = multiprocessing.get_context("fork")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(path, ready, done))
    other.start()
    assert ready.wait(30)
    try:
        with pytest.raises(StateError, match="another guard is at work"), Store(path).locked(0.2):
            pass
    finally:
        done.set()
        other.join(30)
    with Store(path).locked(5):
        pass


def test_a_link_in_place_of_the_file_is_not_followed(tmp_path: Path) -> None:
    """Somebody who may write beside it cannot make the guard write elsewhere."""
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    (tmp_path / "guard.json.lock").symlink_to(victim)

    with pytest.raises(StateError), Store(tmp_path / "guard.json").locked(1):
        pass
    assert victim.read_text(encoding="utf-8") == "mine"

"""A changed configuration is used at once; a wrong one never."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from remediation.config import Config, load_config
from remediation.engine.service import _Watched
from tests.remediation import shop

SHOP = Path(shop.__file__).with_name("shop.yml").read_text(encoding="utf-8")


def _watched(path: Path) -> tuple[_Watched, list[Config]]:
    path.write_text(SHOP, encoding="utf-8")
    used: list[Config] = []
    return _Watched(path, load_config(path), used.append), used


def test_a_change_is_used(tmp_path: Path) -> None:
    """A file that changed is read and used once; an unchanged one only on SIGHUP."""
    watched, used = _watched(tmp_path / "config.yml")
    watched.look(told=False)
    (tmp_path / "config.yml").write_text(SHOP.replace("probation: 2m", "probation: 3m"))
    watched.look(told=False)
    watched.look(told=False)
    watched.look(told=True)

    assert [config.ladder.probation_s for config in used] == [180.0, 180.0]


def test_a_wrong_one_changes_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is wrong is said once, with its line; what was in force stays, and a mended file is used."""
    watched, used = _watched(tmp_path / "config.yml")
    path = tmp_path / "config.yml"
    with caplog.at_level(logging.ERROR):
        path.write_text(SHOP.replace("probation: 2m", "probation: soon"))
        watched.look(told=False)
        watched.look(told=False)
        path.unlink()
        watched.look(told=False)
    path.write_text(SHOP)
    watched.look(told=False)

    assert len(used) == 1
    assert caplog.messages == [
        f"configuration kept as it was: {path}:29: ladder.probation: 'soon' is not a duration longer than none. Write it like '5m'.",
        f"configuration kept as it was: {path}: no such file or directory. Name a file that can be read.",
    ]


def test_what_needs_a_restart_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A change of what is fixed at the start is named; the rest of the file is used all the same."""
    watched, used = _watched(tmp_path / "config.yml")
    changed = SHOP.replace("watchdog: Watchdog", "watchdog: Alive").replace("9744", "9745")
    (tmp_path / "config.yml").write_text(changed)
    with caplog.at_level(logging.WARNING):
        watched.look(told=False)

    assert len(used) == 1
    assert caplog.messages == [
        f"{tmp_path / 'config.yml'}: changes of these need a restart: alertmanager, listen"
    ]

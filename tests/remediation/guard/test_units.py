"""The systemd units are shipped, are understood by systemd, and leave the guard little to break."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
UNITS = ROOT / "remediation" / "guard" / "systemd"


def _unit(name: str) -> ConfigParser:
    parser = ConfigParser(interpolation=None, strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string((UNITS / name).read_text(encoding="utf-8"))
    return parser


def test_the_units_are_package_data() -> None:
    """Whoever installs the wheel has them: a pattern of the package data takes each."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = settings["tool"]["setuptools"]["package-data"]["*"]

    names = sorted(path.name for path in UNITS.iterdir())
    assert names == ["tierwatch-guard.service", "tierwatch-guard.timer"]
    assert [n for n in names if not any(fnmatch(f"systemd/{n}", each) for each in patterns)] == []


def test_the_service_may_do_little() -> None:
    """No capability, no way to gain one, nothing writable but its state; one run, with an end."""
    service = _unit("tierwatch-guard.service")["Service"]

    assert service["Type"] == "oneshot"
    assert (service["CapabilityBoundingSet"], service["NoNewPrivileges"]) == ("", "yes")
    assert (service["ProtectSystem"], service["StateDirectory"]) == ("strict", "tierwatch")
    assert "ReadWritePaths" not in service
    assert service["ExecStart"].split()[1:3] == ["guard", "--config"]
    assert {"TimeoutStartSec", "MemoryMax", "TasksMax", "SystemCallFilter"} <= set(service)
    # The clock reads the boot's ID below /proc/sys.
    assert "ProcSubset" not in service


def test_the_timer_calls_once_a_minute() -> None:
    """Counted from the end of a run, so that two never meet."""
    timer = _unit("tierwatch-guard.timer")

    assert timer["Timer"]["OnUnitInactiveSec"] == "1min"
    assert timer["Install"]["WantedBy"] == "timers.target"


def test_systemd_understands_them(tmp_path: Path) -> None:
    """systemd-analyze, where there is one, has nothing to say about either unit."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is missing: install systemd")
    for path in UNITS.iterdir():
        text = path.read_text(encoding="utf-8")
        # It also looks whether the command is there.
        text = re.sub(r"(?m)^ExecStart=\S+", f"ExecStart={shutil.which('true')}", text)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    units = sorted(map(str, tmp_path.iterdir()))
    run = subprocess.run([tool, "verify", *units], capture_output=True, text=True, check=False)
    said = [line for line in run.stderr.splitlines() if "tierwatch" in line]

    assert said == []


def test_a_mistake_is_seen(tmp_path: Path) -> None:
    """The same judge complains about a key that does not exist: its silence means something."""
    tool = shutil.which("systemd-analyze")
    if tool is None:
        pytest.skip("systemd-analyze is missing: install systemd")
    unit = tmp_path / "tierwatch-guard.service"
    text = (UNITS / unit.name).read_text(encoding="utf-8")
    unit.write_text(text.replace("ProtectHome=", "ProtectHouse="), encoding="utf-8")
    run = subprocess.run([tool, "verify", str(unit)], capture_output=True, text=True, check=False)

    assert "ProtectHouse" in run.stderr

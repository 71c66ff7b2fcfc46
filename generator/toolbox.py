"""Find and run the judges (promtool, amtool, ...): argument lists only, bounded time, no shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from generator.errors import ToolError

# Where `make tools` puts them, from the working folder and from the checkout this code lies in.
_FOLDERS = (Path(".tools/bin"), Path(__file__).resolve().parent.parent / ".tools" / "bin")
_INSTALL = {
    "promtool": "the Debian package prometheus",
    "amtool": "the Debian package prometheus-alertmanager",
    "blackbox_exporter": "the Debian package prometheus-blackbox-exporter",
}
# All generated tests take promtool half a minute on one idle core; others may use the cores, too.
_PATIENCE_S = 600.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tool said. *text* is its standard output and error together."""

    ok: bool
    text: str


def find(tool: str) -> Path | None:
    """Return the path of *tool*, from `make tools` first, then PATH; None if there is none."""
    for folder in _FOLDERS:
        if (folder / tool).exists():
            return (folder / tool).resolve()
    found = shutil.which(tool) or shutil.which(f"prometheus-{tool.replace('_', '-')}")
    return Path(found) if found else None


def install_hint(tool: str) -> str:
    """Return how to get *tool*, as a sentence."""
    package = _INSTALL.get(tool)
    return f"install it with `make tools`{f' or {package}' if package else ''}"


def environment() -> dict[str, str]:
    """
    Return our environment for a judge. All are Go programs, and short: they may let garbage lie.

    promtool spends up to a quarter of its time on collecting what a test group leaves behind; at
    400 its largest file takes 100 MB, as much as the generator.
    """
    return {"GOGC": "400", **os.environ}


def run(tool: Path, arguments: Sequence[str | Path], *, timeout_s: float = _PATIENCE_S) -> Outcome:
    """Run *tool* and return what it said. Raises ToolError when it hangs or cannot be started."""
    try:
        done = subprocess.run(
            [tool, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment(),
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"{tool.name} did not end within {timeout_s:.0f} s") from error
    except OSError as error:
        raise ToolError(f"{tool.name} cannot be started: {error.strerror}") from error
    return Outcome(done.returncode == 0, done.stdout.decode(errors="replace"))

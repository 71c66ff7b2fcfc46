"""
The fake NVIDIA driver (fake.c): build it, tell it what to say, run the real child against it.

`build` compiles one library per set of missing symbols, once; `FakeDriver` is one text file that the
library reads at every call, replaced whole, and the environment of a child that loads it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from exporters.nvml_driver import child_env

_SOURCE = Path(__file__).with_name("fake.c")
_NAME = "libnvidia-ml.so.1"
_FLAGS = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-Wno-format-truncation")


def compiler() -> str | None:
    """Return the C compiler of this machine, None where there is none."""
    return shutil.which("cc") or shutil.which("gcc")


def build(folder: Path, without: Iterable[str] = ()) -> Path:
    """Return the folder of a library that lacks the symbols *without*, built below *folder*."""
    hidden = sorted(without)
    key = hashlib.sha256("\n".join((_SOURCE.read_text(encoding="utf-8"), *hidden)).encode())
    home = folder / key.hexdigest()[:16]
    if not (home / _NAME).exists():
        home.mkdir(parents=True, exist_ok=True)
        script = home / "symbols"
        local = "".join(f"{symbol}; " for symbol in hidden)
        script.write_text(f"{{ {f'local: {local}' if local else ''}}};\n", encoding="ascii")
        versions = (f"-Wl,--version-script={script}",) if hidden else ()
        names = (f"-Wl,-soname,{_NAME}", "-o", str(home / _NAME), str(_SOURCE))
        command = (compiler() or "cc", *_FLAGS, *versions, *names)
        subprocess.run(command, check=True, timeout=60)
    return home


class FakeDriver:
    """What the driver says, as the lines of fake.c; *library* is a folder of `build`."""

    def __init__(self, path: Path, library: Path, lines: Iterable[str] = ()) -> None:
        self._path = path
        self._library = library
        self.lines = list(lines)
        self.say()

    def say(self, *more: str) -> None:
        """Say from now on what was said at first, and *more*, which goes before."""
        text = "\n".join((*more, *self.lines)) + "\n"
        new = self._path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.rename(self._path)

    def env(self) -> dict[str, str]:
        """Return the environment of a child that meets this driver."""
        return {
            **child_env(),
            "LD_LIBRARY_PATH": os.fspath(self._library),
            "NVML_FAKE": os.fspath(self._path),
        }

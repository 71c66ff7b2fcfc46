"""
Put empty stand-ins where a rendered configuration expects secret files.

promtool and amtool open every file that a configuration names, and the real ones exist only
inside the containers. The copy that is judged gets paths of its own; nothing else changes.
"""

from __future__ import annotations

import re
from pathlib import Path

# `bearer_token_file: /etc/...`: every key of Prometheus and Alertmanager that names a secret's file.
_SECRET = re.compile(r"(?m)^(\s*-?\s*[a-z_]*_file: )(['\"]?)(/[^\s'\"]+)\2$")


def stub_secrets(text: str, folder: Path) -> str:
    """Return *text* with every absolute `..._file` moved into *folder*, where a stub is written."""

    def moved(match: re.Match[str]) -> str:
        stub = folder / match.group(3).lstrip("/").replace("/", "_")
        folder.mkdir(parents=True, exist_ok=True)
        stub.write_text("stub\n", encoding="utf-8")
        return f"{match.group(1)}{stub}"

    return _SECRET.sub(moved, text)

"""
Which container are we? What restarts others must never restart itself.

Docker mounts /etc/hostname and its like from a folder that has the container's id in its path; with
the older control groups the id stands there, too. The host name is the first twelve digits of it,
unless somebody chose another.
"""

from __future__ import annotations

import re
import socket
from pathlib import Path

_ID = re.compile(r"/(?:containers|docker|docker-)/?([0-9a-f]{64})(?:/|\.scope|$)")
_SHORT_ID = re.compile(r"[0-9a-f]{12}")
_OURS = ("/etc/hostname", "/etc/resolv.conf", "/etc/hosts")


def own_ids(process: Path = Path("/proc/self"), host: str = "") -> frozenset[str]:
    """Return ids of our own container, whole or their first twelve digits; none outside of one."""
    found = set()
    for line in _lines(process / "mountinfo"):
        fields = line.split()
        # Other mounts may belong to other containers: a host sees all of theirs.
        if len(fields) > 4 and fields[4] in _OURS:
            found.update(_ID.findall(fields[3]))
    for line in _lines(process / "cgroup"):
        found.update(_ID.findall(line.replace("docker-", "docker/")))
    name = host or socket.gethostname()
    if _SHORT_ID.fullmatch(name):
        found.add(name)
    return frozenset(found)


def is_own(id_: str, own: frozenset[str]) -> bool:
    """Whether *id_*, a whole one, is among *own*."""
    return any(id_.startswith(each) for each in own)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []

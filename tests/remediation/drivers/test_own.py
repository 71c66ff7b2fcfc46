"""Which container we run in, from what the kernel shows a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediation.drivers.own import is_own, own_ids

OURS, OTHER = "ab" * 32, "cd" * 32
NEW_GROUPS = f"""\
705 700 254:1 /var/lib/docker/containers/{OURS}/resolv.conf /etc/resolv.conf rw - ext4 /dev/vda1 rw
706 700 254:1 /var/lib/docker/containers/{OURS}/hostname /etc/hostname rw - ext4 /dev/vda1 rw
"""
LOGS_OF_OTHERS = f"""\
{NEW_GROUPS}\
710 700 254:1 /var/lib/docker/containers/{OTHER}/logs /logs ro - ext4 /dev/vda1 rw
"""
A_HOST = f"""\
30 1 254:1 / / rw - ext4 /dev/vda1 rw
99 30 0:50 / /var/lib/docker/containers/{OTHER}/mounts/shm rw - tmpfs shm rw
"""


@pytest.mark.parametrize(
    ("mountinfo", "cgroup", "host", "expected"),
    [
        (NEW_GROUPS, "0::/\n", "remediator", {OURS}),
        (LOGS_OF_OTHERS, "0::/\n", "remediator", {OURS}),
        ("", f"12:pids:/docker/{OURS}\n1:name=systemd:/docker/{OURS}\n", "x", {OURS}),
        ("", f"0::/system.slice/docker-{OURS}.scope\n", "x", {OURS}),
        ("", "", OURS[:12], {OURS[:12]}),
        (A_HOST, "0::/user.slice/session-1.scope\n", "server", set()),
        (None, None, "server", set()),
    ],
    ids=["mounts", "mounts of others", "old groups", "systemd", "host name", "a host", "no proc"],
)
def test_own_ids(
    tmp_path: Path, mountinfo: str | None, cgroup: str | None, host: str, expected: set[str]
) -> None:
    """Our own id is found wherever the kernel shows it, and never another container's."""
    for name, text in (("mountinfo", mountinfo), ("cgroup", cgroup)):
        if text is not None:
            (tmp_path / name).write_text(text)
    found = own_ids(tmp_path, host)

    assert (expected, bool(expected), False) == (
        set(found),
        is_own(OURS, found),
        is_own(OTHER, found),
    )

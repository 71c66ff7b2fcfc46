"""The host's disks: full, full soon, read-only, slow, failing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from alerts.kit import Alert, Record, Scope, Severity

HostAlert = partial(Alert, scope=Scope.HOST, board="hardware")

# What holds no data of ours: memory, images mounted read-only, views of other filesystems.
REAL = (
    'fstype!~"tmpfs|devtmpfs|ramfs|overlay|squashfs|erofs|iso9660|nsfs|tracefs|autofs|fuse.lxcfs"'
)
BY = "by (instance, device, mountpoint)"
ON = "on (instance, device, mountpoint)"
DATA = {"device": "/dev/sda1", "mountpoint": "/data"}
SERIES = 'device="/dev/sda1",fstype="ext4",mountpoint="/data"'
WRITABLE = f"(max {BY} (last_over_time(node_filesystem_readonly{{{REAL}}}[20m])) == 0)"


def _share(name: str, left: str, whole: str) -> Record:
    """Return the record of what share of a filesystem is *left*; the window spans slow scrapes."""
    return Record(
        name=name,
        expr=f"""min {BY} (
  last_over_time({left}{{{REAL}}}[20m])
  / (last_over_time({whole}{{{REAL}}}[20m]) > 0)
)""",
        inputs={
            f'{left}{{instance="a",{SERIES}}}': "250",
            f'{whole}{{instance="a",{SERIES}}}': "1000",
            f'{left}{{instance="a",device="tmpfs",fstype="tmpfs",mountpoint="/run"}}': "1",
            f'{whole}{{instance="a",device="tmpfs",fstype="tmpfs",mountpoint="/run"}}': "1000",
        },
        expect={f'{name}{{device="/dev/sda1",instance="a",mountpoint="/data"}}': 0.25},
    )


SPACE = _share(
    "instance:filesystem_available:ratio",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
)
INODES = _share(
    "instance:inodes_available:ratio", "node_filesystem_files_free", "node_filesystem_files"
)

# Per share: what is left, and of how much.
COUNTED = {
    SPACE.name: ("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
    INODES.name: ("node_filesystem_files_free", "node_filesystem_files"),
}


def _low(name: str, severity: Severity, share: Record, threshold: float, text: str) -> Alert:
    """Return the alert on a filesystem whose *share* left is below *threshold*."""
    left, whole = COUNTED[share.name]
    what = "space" if share is SPACE else "inodes"
    below, above = threshold * 940, threshold * 1060
    return HostAlert(
        name=name,
        severity=severity,
        expr=share.name,
        op="<",
        threshold=threshold,
        where=f"and {ON} {WRITABLE}",
        hold=timedelta(minutes=5),
        family=f"host-disk-{what}",
        summary=f"{{{{ $labels.mountpoint }}}} on {{{{ $labels.instance }}}} has "
        f"{{{{ $value | humanizePercentage }}}} of its {what} left",
        description=f"{{{{ $labels.mountpoint }}}} ({{{{ $labels.device }}}}) on "
        f"{{{{ $labels.instance }}}} has {{{{ $value | humanizePercentage }}}} of its {what} left. "
        + text,
        fires={
            f"{left}{{{SERIES}}}": f"{below:g}",
            f"{whole}{{{SERIES}}}": "1000",
            f"node_filesystem_readonly{{{SERIES}}}": "0",
        },
        quiet={
            f"{left}{{{SERIES}}}": f"{above:g}",
            f"{whole}{{{SERIES}}}": "1000",
            f"node_filesystem_readonly{{{SERIES}}}": "0",
        },
        extra=DATA,
        value=below / 1000,
    )


SPACE_LOW = _low(
    "HostDiskSpaceLow",
    Severity.WARNING,
    SPACE,
    0.15,
    "Databases, logs and images share it.",
)
SPACE_CRITICAL = _low(
    "HostDiskSpaceNearlyGone",
    Severity.CRITICAL,
    SPACE,
    0.05,
    "When it is full, databases stop and files are cut short.",
)
INODES_LOW = _low(
    "HostInodesLow",
    Severity.WARNING,
    INODES,
    0.1,
    "No file can be made without one, however much space there is.",
)
INODES_CRITICAL = _low(
    "HostInodesNearlyGone",
    Severity.CRITICAL,
    INODES,
    0.03,
    "No file can be made without one, however much space there is.",
)


@dataclass(frozen=True, slots=True)
class Horizon:
    """
    How far ahead to predict, from what, and how much must be gone before a prediction counts.

    *guard* is the share left above which nothing is predicted: a large copy onto an empty disk
    is no emergency. *fires* shrinks so that the end comes within *hours*; *quiet* stands still.
    """

    hours: int
    window: str
    guard: float
    hold: timedelta
    fires: str
    quiet: str


DAY = Horizon(24, "6h", 0.4, timedelta(hours=1), "ramp 390000 -430/m", "390000")
HOURS = Horizon(4, "1h", 0.2, timedelta(minutes=15), "ramp 190000 -800/m", "190000")


def _full_soon(name: str, severity: Severity, share: Record, horizon: Horizon) -> Alert:
    """Return the alert on a filesystem whose *share* is used up within *horizon* as things go."""
    left, whole = COUNTED[share.name]
    what = "space" if share is SPACE else "inodes"
    rest = {f"{whole}{{{SERIES}}}": "1000000", f"node_filesystem_readonly{{{SERIES}}}": "0"}
    seconds = horizon.hours * 3600
    return HostAlert(
        name=name,
        severity=severity,
        expr=f"min {BY} (predict_linear({left}{{{REAL}}}[{horizon.window}], {seconds}))",
        op="<",
        threshold=0,
        where=f"and {ON} ({share.name} < {horizon.guard}) and {ON} {WRITABLE}",
        hold=horizon.hold,
        family=f"host-disk-{what}",
        summary=f"{{{{ $labels.mountpoint }}}} on {{{{ $labels.instance }}}} runs out of {what} "
        f"within {horizon.hours} hours",
        description=f"If it goes on as in the last {horizon.window}, {{{{ $labels.mountpoint }}}} "
        f"({{{{ $labels.device }}}}) on {{{{ $labels.instance }}}} has no {what} left in "
        f"{horizon.hours} hours. Something writes faster than anything is cleared away.",
        fires={f"{left}{{{SERIES}}}": horizon.fires, **rest},
        quiet={f"{left}{{{SERIES}}}": horizon.quiet, **rest},
        extra=DATA,
        value=-1,
        tight=False,
        step=timedelta(minutes=10),
    )


FULL_IN_A_DAY = _full_soon("HostDiskFullIn24Hours", Severity.WARNING, SPACE, DAY)
FULL_SOON = _full_soon("HostDiskFullIn4Hours", Severity.CRITICAL, SPACE, HOURS)
INODES_IN_A_DAY = _full_soon("HostInodesGoneIn24Hours", Severity.WARNING, INODES, DAY)

READ_ONLY = HostAlert(
    name="HostFilesystemReadOnly",
    severity=Severity.CRITICAL,
    expr=f"max {BY} (last_over_time(node_filesystem_readonly{{{REAL}}}[1h]))",
    op="==",
    threshold=1,
    # Media that are mounted read-only on purpose have always been so.
    where=f"and {ON} (min {BY} (min_over_time(node_filesystem_readonly{{{REAL}}}[1d])) == 0)",
    hold=timedelta(minutes=1),
    family="host-disk-readonly",
    summary="{{ $labels.mountpoint }} on {{ $labels.instance }} has become read-only",
    description="""The kernel made {{ $labels.mountpoint }} ({{ $labels.device }}) on
        {{ $labels.instance }} read-only, as it does after errors of the disk. Everything that writes
        there fails.""",
    fires={f"node_filesystem_readonly{{{SERIES}}}": "1"},
    quiet={f"node_filesystem_readonly{{{SERIES}}}": "0"},
    extra=DATA,
    value=1,
    tight=False,
    settle=timedelta(0),
    # A day at 30 s would be 5,800 evaluations of every rule of the pack.
    step=timedelta(minutes=30),
)

UNREADABLE = HostAlert(
    name="HostFilesystemUnreadable",
    severity=Severity.WARNING,
    expr=f"max {BY} (last_over_time(node_filesystem_device_error{{{REAL}}}[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=10),
    family="host-disk-unreadable",
    summary="{{ $labels.mountpoint }} on {{ $labels.instance }} cannot be asked for its size",
    description="""node_exporter gets an error for {{ $labels.mountpoint }} ({{ $labels.device }}) on
        {{ $labels.instance }}: a network mount hangs, or the exporter may not look. Its space is
        not watched.""",
    fires={f"node_filesystem_device_error{{{SERIES}}}": "1"},
    quiet={f"node_filesystem_device_error{{{SERIES}}}": "0"},
    extra=DATA,
    value=1,
    tight=False,
)

RECORDS = (SPACE, INODES)
ALERTS = (
    SPACE_LOW,
    SPACE_CRITICAL,
    FULL_IN_A_DAY,
    FULL_SOON,
    INODES_LOW,
    INODES_CRITICAL,
    INODES_IN_A_DAY,
    READ_ONLY,
    UNREADABLE,
)

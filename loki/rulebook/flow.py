"""How lines flow: too many of them, none of one service, none at all."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Scope, Severity
from loki.kit import ALWAYS_ON, Lines, LogRule, count
from loki.rulebook.patterns import ANY

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

_EARLIER = tuple(count(ALWAYS_ON, f"1h offset {hours}h") + " >= 10" for hours in (1, 2, 3))
_LOGS_FLOW = 'sum(count_over_time({service=~".+"} [15m]))'


def _hour(ago: int, lines: int) -> Lines:
    """Return lines spread over the hour that ended *ago* hours ago."""
    return Lines(
        text="working", count=lines, since=(ago + 1) * HOUR - MINUTE, until=ago * HOUR + MINUTE
    )


FLOOD = LogRule(
    name="LogFlood",
    severity=Severity.WARNING,
    expr=f"{count(ANY, '10m')} > 60000",
    hold=timedelta(minutes=10),
    family="log-flood",
    summary="{{ $labels.service }} logs {{ $value | humanize }} lines in 10 minutes",
    description="More than a hundred lines per second for ten minutes, after noise was dropped. They crowd out the rest and shorten what Loki's disk can keep.",
    fires=((Lines(text="x", count=61000),),),
    quiet=((Lines(text="x", count=59000),),),
)


SILENT = LogRule(
    name="ServiceSilent",
    severity=Severity.WARNING,
    # A service counts as one that talks if it did so in each of the three hours before. Without
    # any line from anywhere it is the pipeline that is silent, and LogsStopped says so.
    expr=(
        "("
        + "\nand\n".join(f"({earlier})" for earlier in _EARLIER)
        + f"\nunless\n{count(ANY, '1h')}\n)\nand on ()\n({_LOGS_FLOW})"
    ),
    hold=timedelta(minutes=10),
    family="log-silence",
    summary="{{ $labels.service }} has logged nothing for an hour",
    description="It wrote at least ten lines in each of the three hours before ({{ $value | humanize }} in the last of them) and none since, while others still write. It hangs, lost its work, or logs elsewhere.",
    fires=((_hour(3, 11), _hour(2, 11), _hour(1, 11)),),
    quiet=(
        (_hour(3, 240), _hour(2, 240), _hour(1, 240), Lines(text="still here", count=1)),
        (_hour(3, 9), _hour(2, 240), _hour(1, 240)),
        (_hour(3, 240), _hour(2, 9), _hour(1, 240)),
        (_hour(3, 240), _hour(2, 240), _hour(1, 9)),
        (_hour(1, 500),),
    ),
    group="silence",
)


STOPPED = LogRule(
    name="LogsStopped",
    severity=Severity.WARNING,
    expr='absent_over_time({service=~".+"} [15m])',
    hold=timedelta(minutes=5),
    family="log-pipeline",
    summary="No service has logged anything for 15 minutes",
    description="Not one line of any service has reached Loki: Promtail, the Docker socket proxy or the network between them is down. Alerts on log lines are blind until it is back.",
    scope=Scope.PLATFORM,
    fires=(),
    quiet=((Lines(text="alive", count=1),),),
    group="silence",
)


RULES: tuple[LogRule, ...] = (
    FLOOD,
    SILENT,
    STOPPED,
)

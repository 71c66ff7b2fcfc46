"""Software that says that it fails: bursts of errors, a steady stream of them, a crash."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Severity
from loki.kit import Lines, LogRule, count
from loki.rulebook.patterns import BAD, matching

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

_ERRORS = count(BAD, "5m")
_USUAL = f"4 * ({count(BAD, '1h offset 5m')} / 12)"

ERROR_BURST = LogRule(
    name="LogErrorBurst",
    severity=Severity.WARNING,
    # `unless` and not `and`: a service without an error in the hour before has no right-hand side.
    expr=f"({_ERRORS} > 30)\nunless\n({_ERRORS} <= {_USUAL})",
    hold=timedelta(minutes=2),
    family="log-errors",
    summary="{{ $labels.service }} logged {{ $value | humanize }} errors in 5 minutes",
    description="More than 30 lines of level error or critical within 5 minutes, and more than four times what the hour before had on average.",
    fires=(
        (Lines(text="ERROR: cannot handle request", count=32, level="error"),),
        (
            Lines(text="usual trouble", count=60, level="error", since=HOUR, until=6 * MINUTE),
            Lines(text="sudden trouble", count=33, level="critical"),
        ),
    ),
    quiet=(
        (Lines(text="ERROR: cannot handle request", count=29, level="error"),),
        (Lines(text="just chatty", count=60, level="warning"),),
        (
            Lines(text="always so", count=400, level="error", since=HOUR, until=6 * MINUTE),
            Lines(text="always so", count=40, level="error"),
        ),
    ),
)


ERRORS_SUSTAINED = LogRule(
    name="LogErrorsSustained",
    severity=Severity.INFO,
    expr=f"{count(BAD, '1h')} > 600",
    hold=timedelta(minutes=15),
    family="log-errors",
    summary="{{ $labels.service }} has logged {{ $value | humanize }} errors in an hour",
    description="More than ten lines of level error or critical per minute for an hour: no burst any more, but a state. Find the cause or make the line a warning.",
    fires=((Lines(text="again", count=620, level="error", since=59 * MINUTE, until=MINUTE),),),
    quiet=((Lines(text="again", count=580, level="error", since=59 * MINUTE, until=MINUTE),),),
)


PANIC = LogRule(
    name="LogPanic",
    severity=Severity.WARNING,
    expr=matching(
        r"(?m)^(?:panic: |fatal error: |thread '[^']*' panicked at)|PANIC: |SIGSEGV|(?i)segmentation fault|core dumped|crashed by signal",
        "5m",
    )
    + " > 0",
    hold=timedelta(0),
    family="log-panic",
    summary="{{ $labels.service }} crashed: it wrote a panic or a segmentation fault",
    description="The process said that it died of a bug (Go or Rust panic, PostgreSQL PANIC, Redis crash report, segmentation fault). Docker restarts it; the reason stays.",
    fires=(
        (Lines(text="panic: send on closed channel\ngoroutine 1 [running]:", count=1),),
        (Lines(text="2024-01-01 00:00:00.001 UTC [1] PANIC:  could not write to file", count=1),),
        (Lines(text="1:M 01 Jan 2024 # Redis 7.2.5 crashed by signal: 11", count=1),),
        (Lines(text="Segmentation fault (core dumped)", count=1),),
    ),
    quiet=(
        (Lines(text="do not panic: nothing happened", count=5),),
        (Lines(text='msg="evaluating" query="{} |~ `SIGSEGV`"', count=5),),
        (Lines(text="panic: long ago", count=3, since=20 * MINUTE, until=6 * MINUTE),),
    ),
)


RULES: tuple[LogRule, ...] = (
    ERROR_BURST,
    ERRORS_SUSTAINED,
    PANIC,
)

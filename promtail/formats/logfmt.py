"""
key=value pairs: Prometheus, Alertmanager, the exporters, Loki, Promtail, Grafana, logrus, slog.

Three spellings of the time (`ts`, `time`, `t`) and two of the level. A panic of the Go runtime
is glued into one entry (see `promtail.formats.go`).
"""

from __future__ import annotations

from promtail.kit import (
    HEALTH_NOISE,
    HEALTH_PATH,
    Format,
    Sample,
    drop_if,
    multiline,
    regex,
    timestamp,
)

# `key=` starts an entry, `panic:` and its like too; `goroutine 1 [running]:` and paths do not.
FIRST_LINE = (
    r"^(?:[\w.@-]+=|(?:panic|fatal error|runtime|[Ee]rror|[Ww]arning): |\{|\d{4}[-/]\d\d[-/]\d\d)"
)

# Promtail's own `logfmt` stage writes an error line of its own for every line that it cannot read
# (a quote that never closes), and those lines are collected too: so patterns, which are silent.
PAIRS = (
    regex(r'^(?:[^\n]*?\s)?(?:ts|time|t)="?(?P<zoned>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))'),
    regex(r'^(?:[^\n]*?\s)?(?:level|lvl)="?(?P<level>[A-Za-z]+)'),
)

STAGES = (
    multiline(FIRST_LINE),
    regex(r"^(?:[^\n]*?\s)?path=(?P<path>\S+)"),
    regex(r"^(?:[^\n]*?\s)?status=(?P<status>\d+)"),
    # Grafana with router_logging writes one line per request.
    drop_if(("path", "status"), rf"^{HEALTH_PATH};[123]\d\d$", HEALTH_NOISE),
    *PAIRS,
    timestamp("zoned", "RFC3339Nano", "2006-01-02T15:04:05Z0700"),
)

SAMPLES = (
    Sample(
        claim="slog as Prometheus 3 writes it",
        raw='time=2024-10-24T00:03:07.542+02:00 level=INFO source=/src/main.go:640 msg="Starting Prometheus Server"',
        level="info",
        time="2024-10-23T22:03:07.542Z",
    ),
    Sample(
        claim="go-kit as Prometheus 2 and Loki write it",
        raw='ts=2024-01-01T00:00:00.123Z caller=main.go:1 level=warn msg="slow \\"query\\"" err="context deadline exceeded"',
        level="warning",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="logrus: a quoted time",
        raw='time="2024-01-01T00:00:00Z" level=fatal msg="cannot bind"',
        level="critical",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="Grafana: t, level eror",
        raw='logger=sqlstore t=2024-01-01T00:00:00.123456789Z level=eror msg="Failed"',
        level="error",
        time="2024-01-01T00:00:00.123456789Z",
    ),
    Sample(
        claim="no timestamp: Docker's stays",
        raw="level=debug msg=hello",
        level="debug",
    ),
    Sample(
        claim="a time that is none leaves Docker's",
        raw="time=yesterday level=info msg=hello",
        level="info",
    ),
    Sample(
        claim="a panic is one entry, and critical",
        raw="panic: runtime error: index out of range [3] with length 3\ngoroutine 1 [running]:\nmain.main()\n    /app/main.go:10 +0x1d\nexit status 2",
        level="critical",
    ),
    Sample(
        claim="bearer token and password in a URL are masked",
        raw='level=error ts=2024-01-01T00:00:00Z msg="push failed" url=http://loki:hunter2@loki:3100/push header="Authorization: Bearer abc.def-ghi"',
        level="error",
        time="2024-01-01T00:00:00Z",
        line='level=error ts=2024-01-01T00:00:00Z msg="push failed" url=http://loki:<masked>@loki:3100/push header="Authorization: Bearer <masked>"',
    ),
    Sample(
        claim="a quote that never closes does not stop the pipeline",
        raw='ts=2024-01-01T00:00:00Z level=error msg="truncated in the mid',
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="colours are removed before anything is read",
        raw='time=2024-01-01T00:00:00Z level=\x1b[33mWARN\x1b[0m msg="careful"',
        level="warning",
        time="2024-01-01T00:00:00Z",
        line='time=2024-01-01T00:00:00Z level=WARN msg="careful"',
    ),
    Sample(
        claim="Grafana's own health check is noise",
        raw="logger=context t=2024-01-01T00:00:00Z level=info method=GET path=/api/health status=200 size=71",
        level="",
    ),
    Sample(
        claim="tokens that are counted are no secrets, and unicode stays",
        raw='time=2024-01-01T00:00:00Z level=info msg="generated ✓" tokens=512 eval_tokens=7',
        level="info",
        time="2024-01-01T00:00:00Z",
    ),
)

FORMAT = Format(name="logfmt", title="key=value pairs", stages=STAGES, samples=SAMPLES)

"""
The alerts on log lines: what software says when no metric speaks of it.

Patterns look at the line, whatever its format, since streams are bounded to service and level.
Lines that quote a query are left out everywhere: Loki, Grafana and a ruler log the queries they
run, and a rule would otherwise find its own pattern there and fire on itself for ever.
A crash, a full disk and a broken certificate have metric alerts of their own; these say what the
software itself reports, which is often the cause and often minutes earlier.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Scope, Severity
from loki.kit import ALWAYS_ON, Lines, LogRule, count

ANY = 'service=~".+"'
BAD = 'level=~"error|critical"'
NO_QUERIES = '!~ "(?:query|expr|rule)\\\\w*\\\\\\\\?=" !~ "\\"(?:query|expr)\\\\w*\\""'

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def matching(pattern: str, window: str) -> str:
    """Return the LogQL that counts lines that match *pattern* (RE2, no backtick) per subject."""
    return count(ANY, window, f"{NO_QUERIES} |~ `{pattern}`")


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

OUT_OF_MEMORY = LogRule(
    name="LogOutOfMemory",
    severity=Severity.WARNING,
    expr=matching(
        r"(?i)out of memory|OutOfMemoryError|OutOfMemoryException|\bMemoryError\b|cannot allocate memory|std::bad_alloc|memory allocation of \d+ bytes failed|oom-kill|OOM command not allowed|ENOMEM",
        "5m",
    )
    + " > 0",
    hold=timedelta(0),
    family="log-memory",
    summary="{{ $labels.service }} ran out of memory",
    description="A line says that memory could not be had: of the host, of the container, of the GPU, or of a limit inside the software (Redis maxmemory, Java heap).",
    fires=(
        (Lines(text="java.lang.OutOfMemoryError: Java heap space", count=1, level="critical"),),
        (Lines(text="torch.cuda.OutOfMemoryError: CUDA out of memory", count=1, level="error"),),
        (
            Lines(
                text="OOM command not allowed when used memory > 'maxmemory'",
                count=1,
                level="error",
            ),
        ),
        (Lines(text="fork: Cannot allocate memory", count=1),),
    ),
    quiet=(
        (Lines(text="memory usage is 87 % of 2 GiB", count=20, level="warning"),),
        (Lines(text='caller=metrics.go query="out of memory" status=200', count=5),),
    ),
)

AUTHENTICATION = LogRule(
    name="LogAuthenticationFailures",
    severity=Severity.WARNING,
    expr=matching(
        r"(?i)(?:password )?authentication fail(?:ed|ure)|login (?:failed|refused)|access[_ ]refused|invalid (?:username or password|credentials|api[ _-]?key|password)|WRONGPASS|NOAUTH|unauthori[sz]ed due to|Failed password for|no pg_hba.conf entry",
        "10m",
    )
    + " > 10",
    hold=timedelta(0),
    family="log-authentication",
    summary="{{ $labels.service }} refused {{ $value | humanize }} logins in 10 minutes",
    description="More than ten refused logins in ten minutes: a client with an old password, or somebody who is guessing.",
    fires=(
        (
            Lines(
                text='FATAL:  password authentication failed for user "app"',
                count=11,
                level="error",
            ),
        ),
        (Lines(text="PLAIN login refused: user 'guest'", count=11, level="error"),),
    ),
    quiet=(
        (
            Lines(
                text='FATAL:  password authentication failed for user "app"',
                count=10,
                level="error",
            ),
        ),
        (Lines(text="authentication succeeded", count=50),),
    ),
)

CONNECTIONS_REFUSED = LogRule(
    name="LogConnectionsRefused",
    severity=Severity.WARNING,
    expr=matching(
        r"(?i)connection refused|ECONNREFUSED|could not connect to server|no route to host|EHOSTUNREACH|name or service not known|temporary failure in name resolution|ENOTFOUND|all connection attempts failed|no such host",
        "10m",
    )
    + " > 20",
    hold=timedelta(minutes=5),
    family="log-connections",
    summary="{{ $labels.service }} cannot reach something it needs",
    description="More than twenty lines in ten minutes say that a connection was refused or a name was not found. The line says which; the alert of that service says why.",
    fires=(
        (Lines(text="connect ECONNREFUSED 172.20.0.3:5432", count=22, level="error"),),
        (Lines(text="dial tcp: lookup redis: no such host", count=22, level="warning"),),
    ),
    quiet=((Lines(text="connect ECONNREFUSED 172.20.0.3:5432", count=19, level="error"),),),
)

DISK_FULL = LogRule(
    name="LogDiskFull",
    severity=Severity.CRITICAL,
    expr=matching(
        r"(?i)no space left on device|ENOSPC|disk quota exceeded|MISCONF Redis is configured to save|disk resource limit alarm set|read-only file system",
        "10m",
    )
    + " > 0",
    hold=timedelta(0),
    family="log-disk",
    summary="{{ $labels.service }} cannot write to its disk",
    description="A line says that the disk is full, a quota is used up, or the file system has become read-only. Databases lose writes now.",
    fires=(
        (Lines(text="could not write to file: No space left on device", count=1, level="error"),),
        (Lines(text="free disk space 1MB: disk resource limit alarm set on node x", count=1),),
    ),
    quiet=((Lines(text="disk space is getting low: 12 % free", count=20, level="warning"),),),
)

TLS = LogRule(
    name="LogTlsErrors",
    severity=Severity.WARNING,
    expr=matching(
        r"(?i)certificate (?:has expired|verify failed|is not yet valid|signed by unknown)|x509: |CERTIFICATE_VERIFY_FAILED|self[- ]signed certificate|SSL_ERROR_|SSL routines|unknown certificate authority",
        "15m",
    )
    + " > 5",
    hold=timedelta(0),
    family="log-tls",
    summary="{{ $labels.service }} meets certificates it does not trust",
    description="More than five lines in fifteen minutes say that a certificate has expired or is not trusted, on this side or on the other.",
    fires=((Lines(text="x509: certificate signed by unknown authority", count=6, level="error"),),),
    quiet=(
        (Lines(text="x509: certificate signed by unknown authority", count=5, level="error"),),
        (Lines(text="TLS handshake error from 10.0.0.9:4: EOF", count=40, level="error"),),
    ),
)

CORRUPTION = LogRule(
    name="LogDataCorruption",
    severity=Severity.CRITICAL,
    expr=matching(
        r"(?i)invalid page in block|could not read block|page verification failed|checksum (?:mismatch|verification failed)|(?:index|table|file|segment|wal|database|store) (?:is|seems|appears) (?:to be )?corrupt(?:ed)?|bad file format reading the append only file|corrupted (?:page|index|data|segment|block)",
        "15m",
    )
    + " > 0",
    hold=timedelta(0),
    family="log-corruption",
    summary="{{ $labels.service }} reports damaged data",
    description="A store says that what it reads is not what it wrote. Every further write may spread the damage. Do not restart it before you have a copy.",
    fires=(
        (
            Lines(
                text="invalid page in block 7 of relation base/16384/2619", count=1, level="error"
            ),
        ),
        (Lines(text="WAL segment 3: checksum mismatch", count=1, level="error"),),
    ),
    quiet=((Lines(text="checksums are enabled", count=10),),),
)

DEADLOCKS = LogRule(
    name="LogDeadlocks",
    severity=Severity.INFO,
    expr=matching(r"(?i)deadlock detected|DeadlockDetected|deadlock found", "30m") + " > 3",
    hold=timedelta(0),
    family="log-deadlocks",
    summary="{{ $labels.service }} broke {{ $value | humanize }} deadlocks in 30 minutes",
    description="Transactions wait for each other and the database ends one of them each time. Callers see errors and retry.",
    fires=((Lines(text="ERROR:  deadlock detected", count=4, level="error"),),),
    quiet=((Lines(text="ERROR:  deadlock detected", count=3, level="error"),),),
)

SECRETS = LogRule(
    name="LogSecretsWritten",
    severity=Severity.INFO,
    expr=f"{count(ANY, '1h', f'{NO_QUERIES} |= `<masked>`')} > 0",
    hold=timedelta(0),
    family="log-secrets",
    summary="{{ $labels.service }} writes secrets into its log",
    description="Promtail masked passwords, tokens or keys in this service's lines. They never reached Loki, but Docker's log files on the host hold them in clear.",
    fires=((Lines(text="dsn=postgres://app:<masked>@db/x", count=1),),),
    quiet=((Lines(text="dsn=postgres://app@db/x", count=5),),),
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

_EARLIER = tuple(count(ALWAYS_ON, f"1h offset {hours}h") + " >= 10" for hours in (1, 2, 3))
_LOGS_FLOW = 'sum(count_over_time({service=~".+"} [15m])) > 0'

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
    fires=(
        (
            Lines(text="working", count=240, since=4 * HOUR - MINUTE, until=HOUR + MINUTE),
            Lines(text="older", count=10, since=6 * HOUR, until=5 * HOUR),
        ),
    ),
    quiet=(
        (
            Lines(text="working", count=240, since=4 * HOUR - MINUTE, until=HOUR + MINUTE),
            Lines(text="still here", count=1),
        ),
        (Lines(text="worked once", count=500, since=2 * HOUR - MINUTE, until=HOUR + MINUTE),),
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
    ERROR_BURST,
    ERRORS_SUSTAINED,
    PANIC,
    OUT_OF_MEMORY,
    AUTHENTICATION,
    CONNECTIONS_REFUSED,
    DISK_FULL,
    TLS,
    CORRUPTION,
    DEADLOCKS,
    SECRETS,
    FLOOD,
    SILENT,
    STOPPED,
)

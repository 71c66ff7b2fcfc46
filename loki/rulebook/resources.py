"""Software that says what it lacks: memory, disk, peers, trust, sound data."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Severity
from loki.kit import Lines, LogRule
from loki.rulebook.patterns import matching

MINUTE = timedelta(minutes=1)

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
        (Lines(text="out of memory, long ago", count=3, since=20 * MINUTE, until=6 * MINUTE),),
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
    quiet=(
        (Lines(text="connect ECONNREFUSED 172.20.0.3:5432", count=19, level="error"),),
        (Lines(text="connected to 172.20.0.3:5432", count=40),),
    ),
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
    quiet=(
        (Lines(text="ERROR:  deadlock detected", count=3, level="error"),),
        (Lines(text="ERROR:  duplicate key", count=40, level="error"),),
    ),
)


RULES: tuple[LogRule, ...] = (
    OUT_OF_MEMORY,
    CONNECTIONS_REFUSED,
    DISK_FULL,
    TLS,
    CORRUPTION,
    DEADLOCKS,
)

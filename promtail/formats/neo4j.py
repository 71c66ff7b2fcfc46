"""
Neo4j and other Java software with log4j's `date LEVEL message`: a stack trace is one entry.

`Caused by:` and the exception's own name start in the first column, so an entry starts where a
date or one of the entrypoint's words stands, and nowhere else.
"""

from __future__ import annotations

from promtail.kit import Format, Sample, drop_health_requests, multiline, regex, timestamp

_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.,]\d+"

STAGES = (
    multiline(
        rf"^(?:\[?{_DATE}|Directories in use|Changed password|Installing |Fetching |Warning: |Neo4j )"
    ),
    drop_health_requests(),
    regex(
        rf"^\[?(?P<naive>{_DATE})(?:\s?(?P<zone>Z|[+-]\d\d:?\d\d))?\]?\s+(?:\[[^\]\n]*\]\s+)?"
        r"\[?(?P<level>TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|SEVERE)\b"
    ),
    regex(rf"^\[?(?P<zoned>{_DATE}\s?(?:Z|[+-]\d\d:?\d\d))"),
    timestamp("naive", "2006-01-02 15:04:05", "2006-01-02T15:04:05", utc=True),
    timestamp(
        "zoned",
        "2006-01-02 15:04:05Z0700",
        "2006-01-02 15:04:05Z07:00",
        "2006-01-02T15:04:05Z0700",
        "RFC3339",
    ),
)

SAMPLES = (
    Sample(
        claim="a plain message",
        raw="2024-01-01 00:00:00.000+0000 INFO  Started.",
        level="info",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="an offset is honoured",
        raw="2024-01-01 01:00:00.123+0100 WARN  [bolt-1] Slow checkpoint",
        level="warning",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="a stack trace with its cause is one entry",
        raw="2024-01-01 00:00:00.123+0000 ERROR Failed to start Neo4j on 0.0.0.0:7474.\n"
        "java.lang.RuntimeException: Error starting\n"
        "\tat org.neo4j.server.CommunityBootstrapper.start(CommunityBootstrapper.java:1)\n"
        "Caused by: java.net.BindException: Address already in use\n"
        "\t... 12 more",
        level="error",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="out of memory",
        raw="2024-01-01 00:00:00.123+0000 FATAL java.lang.OutOfMemoryError: Java heap space",
        level="critical",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="log4j's ISO date with a bracketed thread",
        raw="2024-01-01T00:00:00,123Z [main] DEBUG o.x.Y - größer",
        level="debug",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="a time without a zone is UTC",
        raw="2024-01-01 00:00:00.5 INFO Bolt enabled on 0.0.0.0:7687.",
        level="info",
        time="2024-01-01T00:00:00.5Z",
    ),
    Sample(
        claim="the entrypoint has no time and no level",
        raw="Changed password for user 'neo4j'. IMPORTANT: this change will only take effect if performed before the database is started for the first time.",
        level="unknown",
    ),
    Sample(
        claim="an authentication failure",
        raw="2024-01-01 00:00:00.123+0000 WARN  The client is unauthorized due to authentication failure.",
        level="warning",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="a health check that succeeded is noise",
        raw='2024-01-01 00:00:00.123+0000 INFO  10.0.0.1 - "GET /ready HTTP/1.1" 200',
        level="",
    ),
    Sample(
        claim="the password in NEO4J_AUTH's URL and in a setting is masked",
        raw="2024-01-01 00:00:00.123+0000 INFO  connecting bolt://neo4j:hunter2@neo4j:7687 keystore_password=changeit",
        level="info",
        time="2024-01-01T00:00:00.123Z",
        line="2024-01-01 00:00:00.123+0000 INFO  connecting bolt://neo4j:<masked>@neo4j:7687 keystore_password=<masked>",
    ),
    Sample(
        claim="a date that does not exist leaves Docker's time",
        raw="2024-13-45 00:00:00.123+0000 ERROR clock is broken",
        level="error",
    ),
)

FORMAT = Format(name="neo4j", title="Neo4j and Java", stages=STAGES, samples=SAMPLES)

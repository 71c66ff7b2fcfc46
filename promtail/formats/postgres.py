"""
PostgreSQL's stderr log with the image's default prefix `%m [%p] `.

DETAIL, HINT, STATEMENT and CONTEXT repeat the prefix; they are glued to the message they
explain, which PostgreSQL writes in one piece. FATAL ends one session ("the database system is
starting up"), PANIC ends the server: so FATAL counts as error and PANIC as critical.
"""

from __future__ import annotations

from promtail.kit import Format, Sample, drop, multiline, regex, template, timestamp

_PREFIX = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)? [\w+:-]+ \[\d+\][^\n]{0,120}? ?"
_LEVEL = r"LOG|DEBUG[1-5]?|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC"

STAGES = (
    # Continuation lines start with a tab, or with the prefix and DETAIL and its like; a line of
    # the image's entrypoint starts with a letter, a slash or an asterisk.
    multiline(rf"^(?:{_PREFIX}(?:{_LEVEL}):|[^\s\d])"),
    # A TCP probe opens a connection and says nothing.
    drop(
        r"^[^\n]*LOG:  (?:incomplete startup packet|invalid length of startup packet)[^\n]*$",
        "health_check",
    ),
    regex(rf"^{_PREFIX}(?P<level>{_LEVEL}):"),
    # Other zones are written as names (CET) that cannot be told apart: Docker's time stays.
    regex(r"^(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) (?:UTC|GMT|Etc/UTC) "),
    template(
        "level",
        '{{ $l := .level | default "" }}{{ if eq $l "FATAL" }}error'
        '{{ else if hasPrefix "DEBUG" $l }}debug{{ else }}{{ $l }}{{ end }}',
    ),
    timestamp("time", "2006-01-02 15:04:05", utc=True),
)

SAMPLES = (
    Sample(
        claim="a plain message",
        raw="2024-01-01 00:00:00.000 UTC [1] LOG:  database system is ready to accept connections",
        level="info",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="an error with its statement, which has several lines, is one entry",
        raw='2024-01-01 00:00:00.123 UTC [42] ERROR:  relation "users" does not exist at character 15\n'
        "2024-01-01 00:00:00.123 UTC [42] STATEMENT:  SELECT *\n\tFROM users\n\tWHERE name = 'Jürgen'",
        level="error",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="DETAIL and HINT belong to their error",
        raw="2024-01-01 00:00:00.123 UTC [42] ERROR:  deadlock detected\n"
        "2024-01-01 00:00:00.123 UTC [42] DETAIL:  Process 42 waits for ShareLock\n"
        "2024-01-01 00:00:00.123 UTC [42] HINT:  See server log for query details.",
        level="error",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="FATAL is the end of one session",
        raw='2024-01-01 00:00:00.001 UTC [99] FATAL:  password authentication failed for user "sutazai"',
        level="error",
        time="2024-01-01T00:00:00.001Z",
    ),
    Sample(
        claim="PANIC is the end of the server",
        raw='2024-01-01 00:00:00.001 UTC [1] PANIC:  could not write to file "pg_wal/xlogtemp.1": No space left on device',
        level="critical",
        time="2024-01-01T00:00:00.001Z",
    ),
    Sample(
        claim="a password in a logged statement is masked",
        raw="2024-01-01 00:00:00.001 UTC [7] LOG:  statement: ALTER ROLE app WITH PASSWORD 'hunter2' LOGIN",
        level="info",
        time="2024-01-01T00:00:00.001Z",
        line="2024-01-01 00:00:00.001 UTC [7] LOG:  statement: ALTER ROLE app WITH PASSWORD '<masked>' LOGIN",
    ),
    Sample(
        claim="a prefix with user and database",
        raw="2024-01-01 00:00:00.001 UTC [7] app@main WARNING:  there is no transaction in progress",
        level="warning",
        time="2024-01-01T00:00:00.001Z",
    ),
    Sample(
        claim="a zone that is only a name leaves Docker's time",
        raw="2024-01-01 00:00:00.001 CEST [7] NOTICE:  table does not exist, skipping",
        level="info",
    ),
    Sample(
        claim="the entrypoint's lines have neither time nor level",
        raw="/usr/local/bin/docker-entrypoint.sh: running /docker-entrypoint-initdb.d/01-schema.sql",
        level="unknown",
    ),
    Sample(
        claim="a TCP probe is noise",
        raw="2024-01-01 00:00:00.001 UTC [77] LOG:  incomplete startup packet",
        level="",
    ),
    Sample(
        claim="debug levels have numbers",
        raw="2024-01-01 00:00:00.001 UTC [77] DEBUG2:  checkpoint sync",
        level="debug",
        time="2024-01-01T00:00:00.001Z",
    ),
    Sample(
        claim="a connection string in a message is masked",
        raw='2024-01-01 00:00:00.001 UTC [8] ERROR:  could not connect to the publisher: "host=db user=r password=topsecret dbname=x"',
        level="error",
        time="2024-01-01T00:00:00.001Z",
        line='2024-01-01 00:00:00.001 UTC [8] ERROR:  could not connect to the publisher: "host=db user=r password=<masked> dbname=x"',
    ),
)

FORMAT = Format(name="postgres", title="PostgreSQL", stages=STAGES, samples=SAMPLES)

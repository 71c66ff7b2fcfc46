"""
nginx and Kong: access lines (combined, Kong adds the request id) and the error log.

An access line has no level; its status gives one: 5xx error, 4xx warning, else info.
"""

from __future__ import annotations

from promtail.kit import (
    Format,
    Sample,
    drop,
    drop_health_requests,
    multiline,
    regex,
    template,
    timestamp,
)

_LEVELS = "debug|info|notice|warn|error|crit|alert|emerg"

STAGES = (
    multiline(r"^\S"),
    drop_health_requests(),
    # The prober says who it is, whatever path it was given.
    drop(r'^[^\n]*" [123]\d\d [^\n]*"(?:Blackbox[ -]Exporter|Prometheus|kube-probe|curl-health)/', "health_check"),
    regex(rf"^(?P<naive>\d{{4}}/\d\d/\d\d \d\d:\d\d:\d\d) \[(?P<level>{_LEVELS})\]"),
    regex(
        r'^\S+ \S+ .*?\[(?P<zoned>\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "(?:[^"\\]|\\.)*" (?P<status>\d{3})\b'
    ),
    template(
        "level",
        '{{ if .status }}{{ if ge (int .status) 500 }}error{{ else if ge (int .status) 400 }}warning'
        '{{ else }}info{{ end }}{{ else }}{{ .level | default "" }}{{ end }}',
    ),
    timestamp("zoned", "02/Jan/2006:15:04:05 -0700"),
    timestamp("naive", "2006/01/02 15:04:05", utc=True),
)  # fmt: skip

SAMPLES = (
    Sample(
        claim="an access line of nginx",
        raw='10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 200 12 "-" "curl/8"',
        level="info",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="Kong adds the request id; a status of 5xx is an error",
        raw='10.0.0.1 - - [01/Jan/2024:02:00:00 +0200] "POST /api/chat HTTP/1.1" 502 75 "-" "python-httpx/0.27" kong_request_id: "6d2b"',
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="a status of 4xx is a warning; a path in unicode stays",
        raw='10.0.0.1 - bob [01/Jan/2024:00:00:00 +0000] "GET /größe/日本 HTTP/1.1" 404 0 "-" "x"',
        level="warning",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="a health check that succeeded is noise",
        raw='127.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET /status HTTP/1.1" 200 12 "-" "Wget"',
        level="",
    ),
    Sample(
        claim="a health check that failed is not noise",
        raw='127.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET /status HTTP/1.1" 500 12 "-" "Wget"',
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="a probe is noise by its name",
        raw='172.20.0.9 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 302 0 "-" "Blackbox Exporter/0.25.0"',
        level="",
    ),
    Sample(
        claim="the error log",
        raw='2024/01/01 00:00:00 [error] 29#29: *1 connect() failed (111: Connection refused) while connecting to upstream, upstream: "http://172.20.0.5:8000/"',
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="emerg is critical",
        raw="2024/01/01 00:00:00 [emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)",
        level="critical",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="a Lua traceback is part of its error",
        raw="2024/01/01 00:00:00 [error] 2#0: *7 lua entry thread aborted: runtime error: x.lua:1: oops\n stack traceback:\n  [C]: in function 'error'",
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="a token in a query string is masked",
        raw='10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET /x?user=a&token=abc123&y=2 HTTP/1.1" 200 2 "-" "x"',
        level="info",
        time="2024-01-01T00:00:00Z",
        line='10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET /x?user=a&token=<masked>&y=2 HTTP/1.1" 200 2 "-" "x"',
    ),
    Sample(
        claim="bytes that are no request, with escaped quotes",
        raw='10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "\\x16\\x03\\"\\x01" 400 157 "-" "-"',
        level="warning",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="the image's entrypoint has neither time nor level",
        raw="/docker-entrypoint.sh: Configuration complete; ready for start up",
        level="unknown",
    ),
)

FORMAT = Format(name="nginx", title="nginx and Kong", stages=STAGES, samples=SAMPLES)

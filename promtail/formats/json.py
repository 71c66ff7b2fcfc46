"""
One JSON object per line: Caddy, structlog, pino, loguru, log4j's JSON layout, n8n, Langflow in containers.

The line stays as it is (LogQL's `| json` reads it); only time and level are taken from it.
A line that is cut off in the middle is no JSON any more: then both are looked up by pattern.
"""

from __future__ import annotations

from promtail.kit import (
    HEALTH_NOISE,
    HEALTH_PATH,
    Format,
    Sample,
    drop_health_requests,
    drop_if,
    multiline,
    regex,
    template,
    timestamp,
)

_TIME = 'time || timestamp || "@timestamp" || ts || t || asctime || record.time.timestamp'
_LEVEL = "level.name || record.level.name || log.level || level || severity || levelname || lvl"

STAGES = (
    # Objects start a new entry; a traceback printed between them belongs to the one before.
    multiline(r"^\s*[{\[]|^[A-Z]+[: ]|^\d{4}-"),
    {
        "json": {
            "expressions": {
                "time": _TIME,
                "level": _LEVEL,
                "path": "request.uri || req.url || path || url || uri",
                "status": "status || status_code || res.statusCode || response.status",
            }
        }
    },
    drop_if(("path", "status"), rf"^{HEALTH_PATH}(?:\?.*)?;[123]\d\d$", HEALTH_NOISE),
    drop_health_requests(),
    regex(r'^[^\n]*?"(?:level|severity|levelname)"\s*:\s*"(?P<cut_level>\w+)"'),
    regex(r'^[^\n]*?"(?:time|timestamp|@timestamp|ts)"\s*:\s*"(?P<cut_time>[^"]+)"'),
    template("level", '{{ .level | default .cut_level | default "" }}'),
    template("time", '{{ .time | default .cut_time | default "" }}'),
    regex(r"^(?P<seconds>\d{10}(?:\.\d+)?)$", source="time"),
    regex(r"^(?P<millis>\d{13})(?:\.\d+)?$", source="time"),
    regex(r"^(?P<nanos>\d{19})$", source="time"),
    regex(r"^(?P<zoned>\d{4}-\d\d-\d\d[T ][\d:.,]+(?:Z|[+-]\d\d:?\d\d))$", source="time"),
    regex(r"^(?P<naive>\d{4}-\d\d-\d\d[T ][\d:.,]+)$", source="time"),
    timestamp("seconds", "Unix"),
    timestamp("millis", "UnixMs"),
    timestamp("nanos", "UnixNs"),
    timestamp(
        "zoned",
        "RFC3339Nano",
        "2006-01-02T15:04:05Z0700",
        "2006-01-02 15:04:05Z07:00",
        "2006-01-02 15:04:05Z0700",
    ),
    timestamp("naive", "2006-01-02T15:04:05", "2006-01-02 15:04:05", utc=True),
)

SAMPLES = (
    Sample(
        claim="Caddy: seconds with a fraction, level in lower case",
        raw='{"level":"info","ts":1704067200.25,"logger":"http.log","msg":"server running"}',
        level="info",
        time="2024-01-01T00:00:00.25Z",
    ),
    Sample(
        claim="pino: milliseconds and a numeric level",
        raw='{"level":50,"time":1704067200123,"pid":7,"msg":"workflow failed"}',
        level="error",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="loguru: level and time two objects deep",
        raw='{"text":"x","record":{"level":{"name":"WARNING","no":30},"time":{"timestamp":1704067200.5}}}',
        level="warning",
        time="2024-01-01T00:00:00.5Z",
    ),
    Sample(
        claim="Elastic's names, an offset without a colon",
        raw='{"@timestamp":"2024-01-01T02:00:00.123+0200","log.level":"x","log":{"level":"ERROR"},"message":"no"}',
        level="error",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="Python's json logger: a time without a zone is UTC, a comma before the fraction",
        raw='{"asctime":"2024-01-01 00:00:00,123","levelname":"CRITICAL","message":"stop"}',
        level="critical",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="cut off in the middle: time and level are still found",
        raw='{"time":"2024-01-01T00:00:00Z","level":"error","msg":"request body was {\\"a\\": [1, 2,',
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="no timestamp and no level",
        raw='{"msg":"hello","n":1}',
        level="unknown",
    ),
    Sample(
        claim="a level nobody knows stays bounded, unicode stays whole",
        raw='{"level":"Überwichtig","time":"2024-01-01T00:00:00Z","msg":"Größe ✓ 日本語 🚀"}',
        level="unknown",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="password, key and DSN inside the object are masked",
        raw=r'{"level":"info","time":"2024-01-01T00:00:00Z","password":"hun\"ter2","api_key": "abc123","dsn":"postgres://u:p@ss@db:5432/x","tokens":512}',
        level="info",
        time="2024-01-01T00:00:00Z",
        line='{"level":"info","time":"2024-01-01T00:00:00Z","password":"<masked>","api_key": "<masked>","dsn":"postgres://u:<masked>@db:5432/x","tokens":512}',
    ),
    Sample(
        claim="a secret inside JSON inside JSON is masked",
        raw=r'{"level":"debug","time":"2024-01-01T00:00:00Z","body":"{\"token\": \"s3cr3t-value\", \"n\": 1}"}',
        level="debug",
        time="2024-01-01T00:00:00Z",
        line=r'{"level":"debug","time":"2024-01-01T00:00:00Z","body":"{\"token\": \"<masked>\", \"n\": 1}"}',
    ),
    Sample(
        claim="a health check that succeeded is noise",
        raw='{"level":"info","ts":1704067200.25,"request":{"method":"GET","uri":"/healthz?full=1"},"status":200}',
        level="",
    ),
    Sample(
        claim="a health check that failed is not",
        raw='{"level":"error","ts":1704067200,"request":{"method":"GET","uri":"/healthz"},"status":503}',
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="a stack printed after an object belongs to it",
        raw='{"level":"error","time":"2024-01-01T00:00:00Z","msg":"boom"}\n    at run (/app/index.js:1:2)\n    at main (/app/index.js:9:1)',
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
)

FORMAT = Format(name="json", title="JSON objects", stages=STAGES, samples=SAMPLES)

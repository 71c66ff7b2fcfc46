"""The log formats, one module each. A new one is one file and one entry in `FORMATS`."""

from __future__ import annotations

from promtail.formats import (
    go,
    json,
    logfmt,
    neo4j,
    nginx,
    plain,
    postgres,
    rabbitmq,
    redis,
    uvicorn,
)
from promtail.kit import Format

FORMATS: tuple[Format, ...] = (
    json.FORMAT,
    logfmt.FORMAT,
    uvicorn.FORMAT,
    postgres.FORMAT,
    redis.FORMAT,
    nginx.FORMAT,
    rabbitmq.FORMAT,
    neo4j.FORMAT,
    go.FORMAT,
    plain.FORMAT,
)
BY_NAME = {log_format.name: log_format for log_format in FORMATS}

# What is known of no format at all is still readable as this one.
FALLBACK = plain.FORMAT

"""
Python services: uvicorn, gunicorn, logging's usual layouts, loguru, Celery, Streamlit, Jupyter.

A traceback is glued to the record before it and lifts that record to error, because uvicorn
prints it after an access line as often as after `ERROR:`. `INFO:name:msg` (basicConfig) and
uvicorn's access lines have no time of their own.
"""

from __future__ import annotations

from promtail.kit import (
    Format,
    Sample,
    drop_health_requests,
    error_on_traceback,
    multiline,
    regex,
    timestamp,
)

_WORD = r"(?:TRACE|DEBUG|INFO|SUCCESS|WARNING|WARN|ERROR|CRITICAL|FATAL)"
_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?"

FIRST_LINE = (
    rf"^(?:{_WORD}\b|{_DATE}|\[{_DATE}|\[[DIWEC] \d{{4}}-|\d{{1,3}}(?:\.\d{{1,3}}){{3}} |\{{"
    r"|  (?:You can now view|Local URL|Network URL|External URL))"
)

STAGES = (
    multiline(FIRST_LINE),
    drop_health_requests(),
    # LEVEL:     [01-01-2024 00:00:00] ... (ChromaDB 0.5) and LEVEL:logger:message
    regex(rf"^(?P<level>{_WORD})\b:?\s*(?:\[(?P<chroma>\d\d-\d\d-\d{{4}} \d\d:\d\d:\d\d)\])?"),
    # 2024-01-01 00:00:00,000 - name - LEVEL - message; ... LEVEL name: message; ... | LEVEL | ...
    regex(rf"^\[?(?P<naive>{_DATE})\]?(?:[^\n]{{0,80}}?[\s|\[:]{{1,3}}(?P<level>{_WORD})\b)?"),
    regex(rf"^\[?(?P<zoned>{_DATE} ?(?:Z|[+-]\d\d:?\d\d))"),
    # [I 2024-01-01 00:00:00.123 ServerApp] message (Jupyter)
    regex(rf"^\[(?P<level>[DIWEC]) (?P<naive>{_DATE})"),
    # 10.0.0.1 - - [01/Jan/2024:00:00:00 +0000] "GET / HTTP/1.1" 500 (gunicorn, aiohttp)
    regex(r"^[\d.]+ \S+ \S+ \[(?P<clf>\d\d/\w{3}/\d{4}[: ]\d\d:\d\d:\d\d(?: [+-]\d{4})?)\]"),
    # Jupyter's C is critical; everywhere else one letter C would mean nothing.
    {
        "template": {
            "source": "level",
            "template": '{{ if eq (.level | default "") "C" }}critical{{ else }}{{ .level | default "" }}{{ end }}',
        }
    },
    error_on_traceback(),
    timestamp("chroma", "02-01-2006 15:04:05", utc=True),
    timestamp("naive", "2006-01-02 15:04:05", "2006-01-02T15:04:05", utc=True),
    timestamp(
        "zoned",
        "2006-01-02 15:04:05Z07:00",
        "2006-01-02 15:04:05 Z0700",
        "2006-01-02 15:04:05 Z07:00",
        "RFC3339",
    ),
    timestamp("clf", "02/Jan/2006:15:04:05 -0700", "02/Jan/2006 15:04:05", utc=True),
)

_TRACEBACK = (
    "Traceback (most recent call last):\n"
    '  File "/app/main.py", line 7, in ask\n'
    "    return await client.post(url)\n"
    "httpx.ConnectError: All connection attempts failed\n"
    "The above exception was the direct cause of the following exception:\n"
    "Traceback (most recent call last):\n"
    '  File "/app/x.py", line 1, in <module>\n'
    "RuntimeError: größer als erwartet ✗"
)

SAMPLES = (
    Sample(
        claim="uvicorn's access line has a level and no time",
        raw='INFO:     10.0.0.1:50000 - "POST /api/v1/chat HTTP/1.1" 200 OK',
        level="info",
    ),
    Sample(
        claim="a health check that succeeded is noise",
        raw='INFO:     127.0.0.1:50000 - "GET /health HTTP/1.1" 200 OK',
        level="",
    ),
    Sample(
        claim="a health check that failed is not noise",
        raw='INFO:     127.0.0.1:50000 - "GET /health HTTP/1.1" 503 Service Unavailable',
        level="info",
    ),
    Sample(
        claim="an exception with its cause is one entry of level error",
        raw="ERROR:    Exception in ASGI application\n" + _TRACEBACK,
        level="error",
    ),
    Sample(
        claim="a traceback after a harmless line lifts it to error",
        raw="2024-01-01 00:00:00,123 - agent - INFO - calling\n" + _TRACEBACK,
        level="error",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="logging with dashes",
        raw="2024-01-01 00:00:00,000 - Letta.server - WARNING - slow start",
        level="warning",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="Streamlit pads its level with blanks",
        raw="2024-01-01 00:00:00,456 INFO    streamlit.web.server: started",
        level="info",
        time="2024-01-01T00:00:00.456Z",
    ),
    Sample(
        claim="Dify puts the level before the thread",
        raw="2024-01-01 00:00:00.001 ERROR [MainThread] [app.py:1]  - connection lost",
        level="error",
        time="2024-01-01T00:00:00.001Z",
    ),
    Sample(
        claim="Celery puts time and level into one bracket",
        raw="[2024-01-01 00:00:00,007: CRITICAL/MainProcess] Unrecoverable error",
        level="critical",
        time="2024-01-01T00:00:00.007Z",
    ),
    Sample(
        claim="gunicorn gives an offset",
        raw="[2024-01-01 02:00:00 +0200] [7] [INFO] Booting worker with pid: 7",
        level="info",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="loguru's bars and colours",
        raw="\x1b[32m2024-01-01 00:00:00.123\x1b[0m | \x1b[31m\x1b[1mERROR   \x1b[0m | app:run:3 - \x1b[1mfailed\x1b[0m",
        level="error",
        time="2024-01-01T00:00:00.123Z",
        line="2024-01-01 00:00:00.123 | ERROR    | app:run:3 - failed",
    ),
    Sample(
        claim="Jupyter's letter",
        raw="[W 2024-01-01 00:00:00.123 ServerApp] 404 GET /x",
        level="warning",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="ChromaDB writes the day first",
        raw='INFO:     [31-12-2023 23:59:59] 10.0.0.1:1 - "POST /api/v1/add HTTP/1.1" 201',
        level="info",
        time="2023-12-31T23:59:59Z",
    ),
    Sample(
        claim="basicConfig's colons, and a key in a query string",
        raw="DEBUG:httpx:GET https://x.test/v1?q=1&api_key=sk12345&n=2",
        level="debug",
        line="DEBUG:httpx:GET https://x.test/v1?q=1&api_key=<masked>&n=2",
    ),
    Sample(
        claim="a DSN in an exception, and a JWT",
        raw="ERROR:db:cannot reach postgresql+asyncpg://sutazai:s3cret!@postgres:5432/app with eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.c2ln",
        level="error",
        line="ERROR:db:cannot reach postgresql+asyncpg://sutazai:<masked>@postgres:5432/app with <masked>",
    ),
)

FORMAT = Format(name="uvicorn", title="Python services", stages=STAGES, samples=SAMPLES)

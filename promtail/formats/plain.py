"""
Software whose log nobody has described: winston, consoles, shell scripts, one-off tools.

A date at the start is read if its form leaves no doubt; a level is taken from brackets or from
the first word that names one; indented lines belong to the line above.
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

_DATE = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?"

STAGES = (
    multiline(r"^[^\s})\]]"),
    drop_health_requests(),
    regex(rf"^\[?(?P<naive>{_DATE})"),
    regex(rf"^\[?(?P<zoned>{_DATE} ?(?:Z|[+-]\d\d:?\d\d))"),
    regex(r"^[^\n]{0,60}?(?:\[|<|\blevel=)(?P<level>[A-Za-z]{4,8})(?:\]|>|\b)"),
    error_on_traceback(),
    timestamp("naive", "2006-01-02T15:04:05", "2006-01-02 15:04:05", utc=True),
    timestamp(
        "zoned",
        "RFC3339",
        "2006-01-02T15:04:05Z0700",
        "2006-01-02 15:04:05Z07:00",
        "2006-01-02 15:04:05 Z0700",
    ),
)

SAMPLES = (
    Sample(
        claim="winston as Flowise writes it",
        raw="2024-01-01 00:00:00 [INFO]: Flowise Server is listening at :3000",
        level="info",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="a word that names a level counts",
        raw="Error: connect ECONNREFUSED 172.20.0.3:5432",
        level="error",
    ),
    Sample(
        claim="a count of errors does not",
        raw="finished with 0 errors, error_count=0, info about nothing",
        level="info",
    ),
    Sample(
        claim="nothing to read: Docker's time, unknown level",
        raw="Hello, world",
        level="unknown",
    ),
    Sample(
        claim="a JavaScript stack belongs to its error",
        raw="TypeError: Cannot read properties of undefined (reading 'id')\n    at run (/app/dist/x.js:1:2)\n    at process.processTicksAndRejections (node:internal/x:95:5)",
        level="error",
    ),
    Sample(
        claim="a traceback without a record around it is an error",
        raw='Traceback (most recent call last):\n  File "/x.py", line 1, in <module>\n    import nothing',
        level="error",
    ),
    Sample(
        claim="an ISO date with an offset",
        raw="2024-01-01T02:00:00.5+02:00 <warn> disk is getting full",
        level="warning",
        time="2024-01-01T00:00:00.5Z",
    ),
    Sample(
        claim="colours and emoji of a command line tool",
        raw="\x1b[1;32m✔\x1b[0m All done! ✨ 🍰 ✨",
        level="unknown",
        line="✔ All done! ✨ 🍰 ✨",
    ),
    Sample(
        claim="a health check that succeeded is noise",
        raw='::1 - - "GET /healthz HTTP/1.1" 200 2',
        level="",
    ),
    Sample(
        claim="keys of several clouds and a private key are masked",
        raw="using AKIAIOSFODNN7EXAMPLE and sk-proj-abcdefghijklmnop1234 and -----BEGIN RSA PRIVATE KEY-----MIIEow==-----END RSA PRIVATE KEY-----",
        level="unknown",
        line="using <masked> and <masked> and -----BEGIN RSA PRIVATE KEY-----<masked>-----END RSA PRIVATE KEY-----",
    ),
    Sample(
        claim="prose about passwords keeps its words, a password does not",
        raw="invalid token: expired; Password: hunter2, cookie: session=abc; theme=dark",
        level="unknown",
        line="invalid token: expired; Password: <masked>, cookie: <masked>",
    ),
    Sample(
        claim="a date that does not exist leaves Docker's time",
        raw="2024-02-31 25:61:00 [DEBUG]: strange clock",
        level="debug",
    ),
)

FORMAT = Format(name="plain", title="Anything else", stages=STAGES, samples=SAMPLES)

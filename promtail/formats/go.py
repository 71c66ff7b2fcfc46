"""
Go and Rust services whose lines come in several shapes at once: Ollama, Consul, cAdvisor, Qdrant.

slog and logrus pairs, GIN access lines, klog heads, hclog, tracing, the standard log package,
llama.cpp's `name: text`; panics are one entry.
"""

from __future__ import annotations

from promtail.formats.logfmt import PAIRS
from promtail.kit import (
    HEALTH_NOISE,
    HEALTH_PATH,
    Format,
    Sample,
    drop,
    drop_health_requests,
    multiline,
    regex,
    template,
    timestamp,
)

FIRST_LINE = (
    r"^(?:[\w.@-]+=|\[GIN|[IWEF]\d{4} |\d{4}[-/]\d\d[-/]\d\d[T ]|(?:panic|fatal error|runtime|[Ee]rror|[Ww]arning|\w+_\w+): |\{"
    r"|thread '|==>|\s+(?:Version|Node name|Datacenter): )"
)
_GIN = r"^\[GIN\] (?P<slashed>\d{4}/\d\d/\d\d - \d\d:\d\d:\d\d) \| +(?P<status>\d{3}) \|"

STAGES = (
    multiline(FIRST_LINE),
    # HEAD / and GET / are what Ollama's own check and the probe ask.
    drop(
        rf'^\[GIN\] [^|\n]+\| +[123]\d\d \|[^\n]*\| (?:GET|HEAD) +"(?:/|/api/version|{HEALTH_PATH})"\s*$',
        HEALTH_NOISE,
    ),
    drop_health_requests(),
    *PAIRS,
    regex(_GIN),
    # I0326 11:01:06.627503       1 manager.go:324] (klog: no year, Promtail takes the current one)
    regex(r"^(?P<level>[IWEF])(?P<klog>\d{4} \d\d:\d\d:\d\d\.\d+) +\d+ \S+\]"),
    # 2024-01-01T00:00:00.000+0530 [WARN]  agent: ... and 2024-01-01T00:00:00.000000Z  INFO qdrant: ...
    regex(
        r"^(?P<zoned>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))\s+\[?(?P<level>[A-Za-z]+)\]?\s"
    ),
    # 2024/01/01 00:00:00 message (package log)
    regex(r"^(?P<slashed>\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?) "),
    regex(r"^(?P<panic>panic: |fatal error: |thread '[^']*' panicked at)"),
    template(
        "level",
        "{{ if .panic }}critical{{ else if .status }}"
        "{{ if ge (int .status) 500 }}error{{ else if ge (int .status) 400 }}warning{{ else }}info{{ end }}"
        '{{ else }}{{ .level | default "" }}{{ end }}',
    ),
    timestamp("zoned", "RFC3339Nano", "2006-01-02T15:04:05Z0700"),
    timestamp("slashed", "2006/01/02 - 15:04:05", "2006/01/02 15:04:05", utc=True),
    timestamp("klog", "0102 15:04:05.000000", utc=True),
)

SAMPLES = (
    Sample(
        claim="slog as Ollama writes it",
        raw='time=2024-01-01T00:00:00.000Z level=INFO source=routes.go:1 msg="Listening on [::]:11434 (version 0.5.1)"',
        level="info",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="a GIN line takes its level from the status",
        raw='[GIN] 2024/01/01 - 00:00:00 | 500 |   1.204231s |      172.20.0.5 | POST     "/api/generate"',
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="Ollama's health check is noise",
        raw='[GIN] 2024/01/01 - 00:00:00 | 200 |      25.141µs |       127.0.0.1 | HEAD     "/"',
        level="",
    ),
    Sample(
        claim="a model that is missing is a warning, not noise",
        raw='[GIN] 2024/01/01 - 00:00:00 | 404 |     500.1µs |      172.20.0.5 | POST     "/api/generate"',
        level="warning",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="hclog as Consul writes it, with an offset without a colon",
        raw="2022-03-08T22:35:03.815+0530 [WARN]  agent: BootstrapExpect is set to 1; this is the same as Bootstrap mode.",
        level="warning",
        time="2022-03-08T17:05:03.815Z",
    ),
    Sample(
        claim="tracing as Qdrant writes it, colours removed",
        raw="\x1b[2m2024-01-01T00:00:00.123456Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2mqdrant::startup\x1b[0m: Panic occurred in file x.rs",
        level="error",
        time="2024-01-01T00:00:00.123456Z",
        line="2024-01-01T00:00:00.123456Z ERROR qdrant::startup: Panic occurred in file x.rs",
    ),
    Sample(
        claim="a Rust panic is critical",
        raw="thread 'main' panicked at src/main.rs:3:5:\ncalled `Option::unwrap()` on a `None` value\nnote: run with `RUST_BACKTRACE=1`",
        level="critical",
    ),
    Sample(
        claim="a Go panic with its goroutines is one entry",
        raw="panic: send on closed channel\ngoroutine 7 [running]:\nmain.work(0xc000012345)\n    /app/main.go:10 +0x1d\ncreated by main.main\n    /app/main.go:5 +0x1d",
        level="critical",
    ),
    Sample(
        claim="the standard log package has no level",
        raw="2024/01/01 00:00:00 http: TLS handshake error from 10.0.0.1:5: EOF",
        level="error",
        time="2024-01-01T00:00:00Z",
    ),
    Sample(
        claim="llama.cpp's lines stay entries of their own",
        raw="llama_model_loader: loaded meta data with 23 key-value pairs",
        level="unknown",
    ),
    Sample(
        claim="a key in an environment dump and one by its prefix are masked",
        raw='time=2024-01-01T00:00:00.000Z level=INFO msg="server config" env="map[OLLAMA_API_KEY=abcdef HF=hf_abcdefghijklmnopqrstuvwx]"',
        level="info",
        time="2024-01-01T00:00:00Z",
        line='time=2024-01-01T00:00:00.000Z level=INFO msg="server config" env="map[OLLAMA_API_KEY=<masked> HF=<masked>]"',
    ),
    Sample(
        claim="a very long line is cut and says so",
        raw='time=2024-01-01T00:00:00.000Z level=DEBUG msg="' + "x" * 40000 + '"',
        level="debug",
        time="2024-01-01T00:00:00Z",
        line='time=2024-01-01T00:00:00.000Z level=DEBUG msg="'
        + "x" * 32721
        + "... (cut, was 40048 bytes)",
    ),
)

FORMAT = Format(name="go", title="Go and Rust services", stages=STAGES, samples=SAMPLES)

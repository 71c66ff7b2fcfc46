"""
Redis: `1:M 01 Jan 2024 00:00:00.123 * message`, one mark per level (. debug, - verbose, * notice, # warning).

A crash report has lines without a prefix; they are glued to the line before.
"""

from __future__ import annotations

from promtail.kit import Format, Sample, drop, multiline, regex, template, timestamp

_HEAD = r"\d+:[XCSM] \d\d \w{3} \d{4} \d\d:\d\d:\d\d(?:\.\d+)?"

STAGES = (
    multiline(rf"^{_HEAD} [.*#-] "),
    # The logo and the ruler lines around it.
    drop(r"^[\s_.`'\-|,()]+$", "banner"),
    regex(
        r"^\d+:[XCSM] (?P<time>\d\d \w{3} \d{4} \d\d:\d\d:\d\d(?:\.\d+)?) (?P<level>[.*#-]) "
        r"(?P<message>[^\n]*)"
    ),
    # Redis has no mark for errors: what is one is said in the text.
    template(
        "level",
        '{{ $m := .message | default "" }}'
        '{{ if regexMatch "(?i)crashed by signal|BUG REPORT|ASSERTION FAILED|Guru Meditation|out of memory" $m }}'
        "critical"
        '{{ else if regexMatch "(?i)^(?:error |failed |fatal |can\'t |MISCONF|write error)|terminated by signal|failed" $m }}'
        'error{{ else }}{{ .level | default "" }}{{ end }}',
    ),
    timestamp("time", "02 Jan 2006 15:04:05", utc=True),
)

SAMPLES = (
    Sample(
        claim="a notice is info",
        raw="1:M 01 Jan 2024 00:00:00.123 * Ready to accept connections tcp",
        level="info",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="a hash is a warning",
        raw="1:M 01 Jan 2024 00:00:00.123 # WARNING Memory overcommit must be enabled!",
        level="warning",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="a dot is debug",
        raw="1:M 01 Jan 2024 00:00:00.123 . DB 0: 3 keys (0 volatile) in 4 slots HT.",
        level="debug",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="a dash is verbose",
        raw="1:M 01 Jan 2024 00:00:00.123 - Accepted 10.0.0.1:5000",
        level="debug",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="a failed snapshot is an error although its mark says warning",
        raw="1:M 01 Jan 2024 00:00:00.123 # Failed opening the temp RDB file temp-1.rdb (in server root dir /data) for saving: No space left on device",
        level="error",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="a child that saves has another role and its own pid",
        raw="23:C 31 Dec 2023 23:59:59.999 * DB saved on disk",
        level="info",
        time="2023-12-31T23:59:59.999Z",
    ),
    Sample(
        claim="a crash report is one entry, and critical",
        raw="1:M 01 Jan 2024 00:00:00.123 # Redis 7.2.5 crashed by signal: 11, si_code: 1\n------ STACK TRACE ------\nEIP:\nredis-server *:6379(+0x1)[0x55]",
        level="critical",
        time="2024-01-01T00:00:00.123Z",
    ),
    Sample(
        claim="a line of the entrypoint has no time and no level",
        raw="Warning: no config file specified",
        level="warning",
    ),
    Sample(
        claim="the logo is noise",
        raw="                _._                                                  ",
        level="",
    ),
    Sample(
        claim="a blank line is noise",
        raw="   ",
        level="",
    ),
    Sample(
        claim="a password on the command line is masked",
        raw="1:C 01 Jan 2024 00:00:00.123 # Configuration loaded: --requirepass hunter2 --maxmemory 256mb",
        level="warning",
        time="2024-01-01T00:00:00.123Z",
        line="1:C 01 Jan 2024 00:00:00.123 # Configuration loaded: --requirepass <masked> --maxmemory 256mb",
    ),
    Sample(
        claim="a day that does not exist leaves Docker's time; unicode in a client name stays",
        raw="1:M 99 Foo 2024 00:00:00.123 * client 'café ☕' renamed",
        level="info",
    ),
)

FORMAT = Format(name="redis", title="Redis", stages=STAGES, samples=SAMPLES)

"""
One bounded set of levels, whatever software calls them.

`LEVEL_STAGES` end in a template that can give nothing but a member of `LEVELS`; the proof
"every log label is bounded" (promtail.bounds) accepts the label `level` for that reason alone.
"""

from __future__ import annotations

from promtail.kit import Stage, regex, template

UNKNOWN = "unknown"

# Spellings per level: syslog, Python, log4j, slog, zap, Redis' marks, klog's and Jupyter's
# letters, pino's numbers.
SPELLINGS = {
    "critical": (
        "critical", "crit", "fatal", "panic", "alert", "emerg", "emergency", "dpanic", "f", "60",
    ),
    "error": ("error", "err", "eror", "severe", "failure", "e", "50"),
    "warning": ("warning", "warn", "wrn", "w", "#", "40"),
    "info": ("info", "inf", "information", "informational", "notice", "log", "success", "i", "*", "30"),
    "debug": ("debug", "dbg", "trace", "trc", "verbose", "fine", "finer", "finest", "d", "t", ".", "-", "20", "10"),
}  # fmt: skip
LEVELS = (*SPELLINGS, UNKNOWN)

_TABLE = " ".join(
    f'"{spelling}" "{level}"' for level, spellings in SPELLINGS.items() for spelling in spellings
)

# Any value that the table does not know becomes `unknown`; `get` never fails on a missing key.
LEVEL_TEMPLATE = (
    f'{{{{ get (dict {_TABLE}) (.level | default .guess | default "" | lower | trim)'
    f' | default "{UNKNOWN}" }}}}'
)

# Where a format found no level: the first word of the first 200 characters that names one.
# "0 errors" and "error_count=0" must not count, so the word has to end there.
_GUESS = (
    r"(?i)^[^\n]{0,200}?(?:\b(?P<guess>panic|fatal|critical|error|warning|warn|notice|info|debug|trace)\b"
    r"(?:[^_=\w-]|$))"
)
# An exception's own line, or a traceback without a log record around it.
_EXCEPTION = r"(?m)^(?P<exception>Traceback|[\w.]+(?:Error|Exception)(?::|$))"

LEVEL_STAGES: tuple[Stage, ...] = (
    regex(_GUESS),
    regex(_EXCEPTION),
    template("guess", '{{ if .exception }}error{{ else }}{{ .guess | default "" }}{{ end }}'),
    template("level", LEVEL_TEMPLATE),
)

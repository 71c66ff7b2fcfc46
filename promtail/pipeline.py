"""
The stages that every line passes, around those of its format.

One scrape job and one pipeline for all formats: Promtail's Docker target ignores `keep` and
`drop` of relabelling (docs/decisions/0006-one-promtail-job.md), so a job per format would read
every container once per format and send the strangers' lines without labels. The format is
chosen by a label that relabelling sets and that never leaves the host.
"""

from __future__ import annotations

from collections.abc import Iterable

from promtail.kit import Format, Stage, drop, template
from promtail.levels import LEVEL_STAGES
from promtail.masking import MASK_STAGES

# Labels that arrive in Loki. All but `level` are functions of the service, so they add no streams.
SUBJECT_LABELS = ("service", "tier", "kind", "owner")
LABELS = (*SUBJECT_LABELS, "level")

# Labels for the pipeline's own use: they keep the lines of two containers, and stdout and
# stderr, apart while lines are glued together. `labelallow` removes them.
FORMAT_LABEL = "log_format"
CONTAINER_LABEL = "container"
STREAM_LABEL = "log_stream"

NOT_IN_CATALOG = "not_in_catalog"

# A line longer than this is a dump, not a message; the head says what it is. Arbitrary.
MAX_LINE_BYTES = 32768
_CUT = (
    f"{{{{ if gt (len .Entry) {MAX_LINE_BYTES} }}}}{{{{ substr 0 {MAX_LINE_BYTES} .Entry }}}}"
    f"... (cut, was {{{{ len .Entry }}}} bytes){{{{ end }}}}"
)

HEAD: tuple[Stage, ...] = (
    # A container that the catalog does not know has no service: counted, not sent.
    {
        "match": {
            "selector": '{service=""}',
            "action": "drop",
            "drop_counter_reason": NOT_IN_CATALOG,
        }
    },
    {"decolorize": None},
    drop(r"^\s*$", "blank"),
)

# Masking comes before cutting: half a secret would no longer look like one.
TAIL: tuple[Stage, ...] = (
    *MASK_STAGES,
    template("cut", _CUT),
    {"output": {"source": "cut"}},
    *LEVEL_STAGES,
    {"labels": {"level": "level"}},
    {"labelallow": list(LABELS)},
    {
        "metrics": {
            "log_lines_total": {
                "type": "Counter",
                "description": "Log lines sent to Loki, by service and level.",
                # Labels are bounded, so a counter never has to go; by default it would after 5 min.
                "max_idle_duration": "24h",
                "config": {"match_all": True, "action": "inc"},
            },
            "log_bytes_total": {
                "type": "Counter",
                "description": "Bytes of log lines sent to Loki, by service and level.",
                "max_idle_duration": "24h",
                "config": {"match_all": True, "count_entry_bytes": True, "action": "add"},
            },
        }
    },
)


def stages(formats: Iterable[Format]) -> list[Stage]:
    """Return the whole pipeline for *formats*: head, one match per format, tail."""
    return [*HEAD, *(_match(log_format) for log_format in formats), *TAIL]


def _match(log_format: Format) -> Stage:
    selector = f'{{{FORMAT_LABEL}="{log_format.name}"}}'
    return {"match": {"selector": selector, "stages": [dict(stage) for stage in log_format.stages]}}

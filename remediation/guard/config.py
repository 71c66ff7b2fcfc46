"""
The configuration of the guard: read, checked, frozen.

In goes the path of a file of the form guard.schema.json (`tierwatch generate` writes it), out comes a
`GuardConfig`. Everything that is wrong is said at once, each with file, line and cure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporters.config import seconds
from exporters.form import Problem, form_problems, problem, told
from exporters.yaml_read import ConfigError, Document, read_yaml
from remediation.config import Notify

__all__ = ["ConfigError", "GuardConfig", "Watched", "load_guard_config"]

_SCHEMA = Path(__file__).with_name("guard.schema.json")


@dataclass(frozen=True, slots=True)
class Watched:
    """One container that the guard restarts; *url* is empty where Docker's word must do."""

    name: str
    container: str
    url: str
    start_period_s: float
    optional: bool


@dataclass(frozen=True, slots=True)
class GuardConfig:
    """All of it; *watched* in the order in which they are restarted. See the schema."""

    docker: str
    project: str
    hold: Path
    failures: int
    window_s: float
    restarts: int
    ready_within_s: float
    page_after_s: float
    notify: Notify | None
    watched: tuple[Watched, ...]


def load_guard_config(path: Path) -> GuardConfig:
    """
    Return the configuration in *path*.

    Raises:
        ConfigError: One line per problem, sorted by line: `file:line: fact. Cure.`
    """
    document = read_yaml(path)
    problems = list(form_problems(document, _SCHEMA)) or [
        *_twice(document, "name"),
        *_twice(document, "container"),
    ]
    if problems:
        raise ConfigError(told(problems))
    return _config(document.data)


def _twice(document: Document, key: str) -> Iterator[Problem]:
    counts = Counter(each[key] for each in document.data["watched"])
    seen = set()
    for index, each in enumerate(document.data["watched"]):
        value = each[key]
        if counts[value] > 1 and value in seen:
            text = f"watched: {key} {value!r} stands here twice. Keep one of the two."
            yield problem(document, ("watched", index, key), text)
        seen.add(value)


def _config(data: Mapping[str, Any]) -> GuardConfig:
    notify = data.get("notify")
    token = notify.get("token_file") if notify else None
    return GuardConfig(
        docker=data["docker"],
        project=data["project"],
        hold=Path(data["hold"]),
        failures=data["failures"],
        window_s=seconds(data["limit"]["window"]),
        restarts=data["limit"]["restarts"],
        ready_within_s=seconds(data["ready_within"]),
        page_after_s=seconds(data["page_after"]),
        notify=Notify(notify["url"], Path(token) if token else None) if notify else None,
        watched=tuple(
            Watched(
                name=each["name"],
                container=each["container"],
                url=each.get("url", ""),
                start_period_s=seconds(each["start_period"]),
                optional=each["optional"],
            )
            for each in data["watched"]
        ),
    )

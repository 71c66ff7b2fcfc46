"""A request and a response, as the pages of an exporter see them: nothing of sockets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporters.deadline import Deadline

TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """A GET: *path* without the query, *query* with the last value per key, *headers* in small letters."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    deadline: Deadline


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back."""

    status: int
    body: bytes
    content_type: str = TEXT
    headers: Mapping[str, str] = field(default_factory=dict)

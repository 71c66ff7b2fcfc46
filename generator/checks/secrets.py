"""Secrets that stand in clear anywhere in the catalog's files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from generator.checks.draft import Draft
from generator.errors import Finding
from generator.secret_text import find_secret

_CURE = "Put it into a file outside the catalog and name that file; then change the secret."


def check_secrets(draft: Draft) -> Iterator[Finding]:
    """Find texts that hold a password, key or token. The secret itself is never shown."""
    for document in draft.origin.documents:
        for path, text in _texts(document.data, ()):
            found = find_secret(text)
            if found:
                subject = ""
                if path[0] == "services" and len(path) > 1:
                    subject = f"service {path[1]!r}: "
                fact = f"{subject}{found} stands here in clear"
                yield Finding(document.place(*path), fact, _CURE, "secret")


def _texts(data: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every text value inside *data* with its path."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for key, item in data.items():
            yield from _texts(item, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from _texts(item, (*path, index))

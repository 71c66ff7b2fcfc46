"""
Read a secret from a file: one line of a known form, never shown.

Read each time it is needed, so that it can be exchanged while we run. Whether a role has several, and
what it opens, is the caller's business.
"""

from __future__ import annotations

import re
from pathlib import Path

MAX_BYTES = 4096
TOKEN = re.compile(r"[!-~]{1,4096}")


class SecretError(Exception):
    """There is no such secret; *path* and *fact* say why without showing what is in the file."""

    def __init__(self, path: Path, fact: str) -> None:
        self.path, self.fact = path, fact
        super().__init__(f"{path}: {fact}")


def read_secret(path: Path, form: re.Pattern[str] = TOKEN, what: str = "token") -> str:
    """
    Return the one line in *path*; blanks around it do not count.

    Raises:
        SecretError: It cannot be read, or is not one *what* of the *form*.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise SecretError(path, (error.strerror or "cannot be read").lower()) from error
    text = content.strip().decode("latin-1")
    if len(content) > MAX_BYTES or not form.fullmatch(text):
        raise SecretError(path, f"does not hold one {what} on one line")
    return text

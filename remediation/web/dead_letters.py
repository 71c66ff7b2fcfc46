"""
What is kept of a message that can never be processed: size, digest, and a masked beginning.

Enough to find out who sent it and why, and to know it again; never the whole of it, and no secret.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from remediation import records
from remediation.masking import mask_text
from remediation.model import Record

MAX_SAMPLE = 400  # characters
# Masking sees more than is kept: half a secret at the end would not look like one.
_SEEN = 1024
_TAIL = 128


def unreadable(why: str, beginning: bytes, *, size: int, digest: str) -> Record:
    """Return the record of a message of *size* bytes (SHA-256 *digest*) that starts with *beginning*."""
    return records.dead_letter(why, size=size, digest=digest, sample=_sample(beginning))


def left_out(reasons: Sequence[str], count: int, body: bytes) -> Record:
    """Return the record of *count* alerts in *body* that made no sense; the others were accepted."""
    why = f"{count} of its alerts: {'; '.join(reasons)}"
    return unreadable(why, body, size=len(body), digest=hashlib.sha256(body).hexdigest())


def _sample(beginning: bytes) -> str:
    text = beginning[:_SEEN].decode("utf-8", "replace")
    text = "".join(char if char.isprintable() else "?" for char in text)
    if len(beginning) > _SEEN:
        text = text[: _SEEN - _TAIL]
    return mask_text(text)[:MAX_SAMPLE]

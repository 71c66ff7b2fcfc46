"""
Turn records into the one text that is hashed and kept.

Canonical JSON: keys sorted, no spaces, UTF-8 as it is, no NaN, secrets masked. The same record
always gives the same bytes, and what is read back equals what was handed out when it was written.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from remediation.masking import mask, may_hold_secrets
from remediation.model import Record

MAX_BODY_BYTES = 8 * 1024 * 1024  # 1,000 alerts have 0.4 MB, a state with 10,000 alerts 4 MB

# Made once: `json.dumps` makes a new one with every call that asks for more than its defaults.
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
)
_KIND = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class RecordError(ValueError):
    """A record that no journal can hold; the text says why."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A record as it will be hashed and kept: *body* is canonical JSON."""

    kind: str
    body: str


def encode(record: Record) -> Encoded:
    """
    Return *record* as it will be kept, secrets masked; lone surrogates become `?`.

    Raises:
        RecordError: The kind is no name, or the body is not JSON (NaN, sets, endless nesting), or
            longer than MAX_BODY_BYTES.
    """
    if not _KIND.fullmatch(record.kind):
        raise RecordError(f"the kind {record.kind[:80]!r} is no name of small letters")
    try:
        text = _written(dict(record.body))
        if may_hold_secrets(text):
            text = _written(mask(json.loads(text)))
    except (TypeError, ValueError, RecursionError) as error:
        raise RecordError(f"the body of a record {record.kind!r} is not JSON: {error}") from error
    if (size := len(text.encode())) > MAX_BODY_BYTES:
        raise RecordError(
            f"the body of a record {record.kind!r} has {size} bytes; {MAX_BODY_BYTES} are allowed"
        )
    return Encoded(record.kind, text)


def _written(data: Any) -> str:
    # JSON may hold half a surrogate pair, UTF-8 must not.
    return _ENCODER.encode(data).encode("utf-8", "replace").decode()

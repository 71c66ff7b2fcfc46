"""
Make one small test generation and measure it.

The request asks for raw text, so that no template, thinking or tool use of the model decides how
much it must write. Its prompt begins with a number that was never used before: prompts that Ollama
has read already come from its cache, which would make reading look thousands of times too fast.
`keep_alive` is never sent, and of the loading options only a num_ctx that changes nothing
(exporters.ollama_rules).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from exporters.deadline import Deadline
from exporters.ollama_fetch import REASONS, FetchError, Stop, fetch_lines
from exporters.ollama_parse import BodyError, Token, parse_token

BUSY = "unavailable"  # 503: the queue is full; it says nothing of the model
FAILURES = tuple(sorted({*REASONS, "error"} - {BUSY}))  # error: Ollama says that it could not
ENOUGH_TOKENS = 8  # fewer are over before their speed can be measured
_PROMPT = "{nonce:016x} Count from one to one hundred: one, two, three,"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one generation; *reason* None: it worked. Seconds; None: not measured."""

    reason: str | None
    ended_at: float  # Unix time
    seconds: float
    first_token_s: float | None = None
    last: Token | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """Speed of decoding, where enough tokens were made."""
        if self.last is None or self.last.tokens < ENOUGH_TOKENS or self.last.decode_s <= 0:
            return None
        return self.last.tokens / self.last.decode_s


def request(model: str, tokens: int, context: int | None, nonce: int) -> dict[str, Any]:
    """Return the body for /api/generate."""
    options: dict[str, Any] = {"num_predict": tokens, "temperature": 0, "seed": 1}
    if context is not None:
        options["num_ctx"] = context
    prompt = _PROMPT.format(nonce=nonce)
    return {"model": model, "prompt": prompt, "raw": True, "stream": True, "options": options}


def generate(url: str, body: dict[str, Any], timeout_s: float, stop: Stop) -> Result:
    """Ask *url* for a generation and read it to its end; never raises for what Ollama does."""
    started = time.monotonic()
    first: float | None = None
    reason: str | None = "protocol"  # a stream that ends without its last line
    last: Token | None = None
    try:
        for line in fetch_lines(
            url, "/api/generate", Deadline(started + timeout_s), send=body, stop=stop
        ):
            token = parse_token(line)
            if token.error:
                reason = "error"
                break
            first = first if first is not None else time.monotonic() - started
            if token.done:
                reason, last = None, token
                break
    except FetchError as error:
        reason = error.reason
    except BodyError:
        reason = "body"
    return Result(reason, time.time(), time.monotonic() - started, first, last)

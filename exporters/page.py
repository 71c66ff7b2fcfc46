"""
One scrape's metrics, written as the asker wants them: OpenMetrics or text, gzip or plain.

The bytes are kept with the metrics, so that two Prometheus servers that ask at once cost one
rendering. One metric that cannot be written is left out and logged; the rest still goes out.
"""

from __future__ import annotations

import gzip
import logging
import threading
from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder

log = logging.getLogger(__name__)

# Level 1 takes a tenth of the library's level 9 for pages of this size, and is a fifth larger.
GZIP_LEVEL = 1
_MIN_GZIP_BYTES = 512  # below a packet nothing is gained; arbitrary

Encoder = Callable[["_Metrics"], bytes]


class _Metrics:
    """What an encoder of prometheus_client takes for a registry."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class Page:
    """The *metrics* of one collection; asked for bytes by any number of threads."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._bytes: dict[tuple[str, bool], bytes] = {}

    def render(self, accept: str, accept_encoding: str) -> tuple[bytes, str, bool]:
        """Return body, content type and whether it is gzip, for these two request headers."""
        encoder, content_type = choose_encoder(accept)
        with self._lock:
            plain = self._bytes.get((content_type, False))
            if plain is None:
                plain = self._bytes[content_type, False] = self._encode(encoder)
            if len(plain) < _MIN_GZIP_BYTES or not accepts_gzip(accept_encoding):
                return plain, content_type, False
            packed = self._bytes.get((content_type, True))
            if packed is None:
                packed = gzip.compress(plain, compresslevel=GZIP_LEVEL, mtime=0)
                self._bytes[content_type, True] = packed
            return packed, content_type, True

    def _encode(self, encoder: Encoder) -> bytes:
        try:
            return encoder(_Metrics(self._metrics))
        except Exception:
            # A value or label that cannot be written: find it, and let the others out.
            log.exception("a metric cannot be written; it is looked for and left out")
        return encoder(_Metrics([metric for metric in self._metrics if _writable(metric, encoder)]))


def _writable(metric: Metric, encoder: Encoder) -> bool:
    try:
        encoder(_Metrics([metric]))
    except Exception:
        log.exception("left out: %s", metric.name)
        return False
    return True


def accepts_gzip(header: str) -> bool:
    """Whether the Accept-Encoding *header* takes gzip: named, or by `*`, and not with `q=0`."""
    found: dict[str, bool] = {}
    for part in header.lower().split(","):
        coding, _, parameter = part.partition(";")
        quality = parameter.strip().removeprefix("q=").strip()
        found[coding.strip()] = not quality or quality.strip("0.") != ""
    return found.get("gzip", found.get("*", False))

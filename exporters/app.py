"""
The pages of one address: /metrics of one or more exporters, health, readiness, landing page.

Knows requests and responses, nothing of sockets. What it serves is replaced as a whole when the
configuration is read again; a collection under way ends with what it began with.
"""

from __future__ import annotations

import html
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence

from prometheus_client.core import Metric

from exporters.build import build_labels
from exporters.deadline import Deadline
from exporters.frame import Exporter
from exporters.gate import FullError, Gate
from exporters.page import Page
from exporters.selfmetrics import Reloads, SelfMetrics
from exporters.web import Request, Response

log = logging.getLogger(__name__)

TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
DEFAULT_OFFSET_S = 0.5  # as the blackbox exporter's --timeout-offset
_PAGES = {"/metrics": "Metrics", "/-/healthy": "Health of the process", "/-/ready": "Readiness"}


class App:
    """
    Serves *exporters* on one address.

    Args:
        exporters: At least one; their pages become one.
        deadline_s: How long one collection may take at most.
        offset_s: How much earlier than Prometheus's own timeout it must end.
        reloads: What is told of the reading of the configuration; without it, that it went well now.
    """

    def __init__(
        self,
        exporters: Sequence[Exporter],
        *,
        deadline_s: float,
        offset_s: float = DEFAULT_OFFSET_S,
        reloads: Reloads | None = None,
    ) -> None:
        self.exporters = tuple(exporters)
        self.ready = True
        self._deadline_s = deadline_s
        self._offset_s = offset_s
        prefixes = [exporter.prefix for exporter in self.exporters]
        self._self = SelfMetrics(prefixes, reloads or Reloads())
        self._gate = Gate(self._collect)
        self._routes: dict[str, Callable[[Request], Response]] = {
            "/": self._landing,
            "/metrics": self._metrics,
            "/-/healthy": lambda _: Response(200, b"healthy\n"),
            "/-/ready": self._readiness,
        }
        for exporter in self.exporters:
            self._routes |= exporter.routes

    def deadline(self, headers: Mapping[str, str]) -> Deadline:
        """Return when an answer to a request with these *headers* must be ready."""
        asked = _positive(headers.get(TIMEOUT_HEADER, ""))
        if asked is None:
            return Deadline.after(self._deadline_s)
        # With a timeout below twice the offset, half of it is better than nothing.
        return Deadline.after(min(self._deadline_s, max(asked - self._offset_s, asked / 2)))

    def answer(self, request: Request) -> Response:
        """Return the page that *request* asks for; never raises."""
        page = self._routes.get(request.path)
        if page is None:
            return Response(404, b"not found\n")
        try:
            return page(request)
        except FullError as error:
            return Response(503, f"{error}\n".encode(), headers={"Retry-After": "1"})
        except Exception:
            # The frame outlives every page.
            log.exception("the page %s broke", request.path)
            return Response(500, b"this page broke; the log says why\n")

    def _collect(self, deadline: Deadline) -> Page:
        found: list[list[Metric]] = [[] for _ in self.exporters]

        def collect(index: int) -> None:
            found[index] = self.exporters[index].collect(deadline)

        others = [
            threading.Thread(target=collect, args=(index,), daemon=True)
            for index in range(1, len(self.exporters))
        ]
        for thread in others:
            thread.start()
        collect(0)
        for thread in others:
            thread.join()
        return Page([metric for part in found for metric in part] + list(self._self.collect()))

    def _metrics(self, request: Request) -> Response:
        page = self._gate.get(request.deadline)
        accept = request.headers.get("accept", "")
        body, content_type, packed = page.render(accept, request.headers.get("accept-encoding", ""))
        headers = {"Vary": "Accept, Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(200, body, content_type, headers)

    def _readiness(self, _: Request) -> Response:
        return Response(200, b"ready\n") if self.ready else Response(503, b"stopping\n")

    def _landing(self, _: Request) -> Response:
        title = html.escape(" and ".join(exporter.title for exporter in self.exporters))
        paths = {path: _PAGES.get(path, path) for path in sorted(self._routes) if path != "/"}
        links = "".join(
            f'<li><a href="{html.escape(path)}">{html.escape(text)}</a></li>'
            for path, text in paths.items()
        )
        version = html.escape(build_labels()["version"])
        text = (
            f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
            f"<body><h1>{title}</h1><p>Tierwatch {version}</p><ul>{links}</ul></body></html>\n"
        )
        return Response(200, text.encode(), "text/html; charset=utf-8")


def _positive(text: str) -> float | None:
    """Return *text* as a number of seconds; None if it is none, or not above 0."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and number > 0 else None

"""
Test generations, beside the scrapes: a scrape may begin one, later scrapes tell its result.

Without scrapes there are none. One runs per server at a time, on a thread of its own, so no scrape
waits for it; what it found is told until the next, and its age is told too. A failure is forgotten
when the model it was about has left memory. The rules are in exporters.ollama_rules; that they are
kept is shown against a real server.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import cast

from prometheus_client.core import Metric

from exporters import ollama_rules as rules
from exporters.config import Inference
from exporters.deadline import Deadline
from exporters.ollama_ask import Rounds, Server
from exporters.ollama_fetch import Answer, FetchError, Stop, fetch
from exporters.ollama_generate import BUSY, Question, Result, generate
from exporters.ollama_metrics import Page
from exporters.ollama_models import Ps, Tags
from exporters.ollama_names import parse_name
from exporters.ollama_parse import BodyError, Loaded, Shown, parse_ps, parse_show, parse_tags
from exporters.ollama_record import Record

log = logging.getLogger(__name__)

LOOK_AGAIN_S = 0.25  # in which the expires_at of a model that is being loaded moves along
LIST_TIMEOUT_S = 3.0


class ProbeCollector:
    """Begins test generations when they are due and allowed, and tells what came of the last."""

    name = "probe"
    reasons = ()

    def __init__(self, rounds: Rounds) -> None:
        self._rounds = rounds
        self._probes = {s: Probe(s, s.inference) for s in rounds.servers if s.inference}

    def adopt(self, previous: ProbeCollector) -> None:
        """Carry on with servers that are configured as before."""
        for server in self._probes.keys() & previous._probes.keys():
            self._probes[server] = previous._probes.pop(server)

    def close(self) -> None:
        """Break off what is under way."""
        for probe in self._probes.values():
            probe.close()

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield the last results; it tells of failures and has none of its own."""
        page = Page()
        for server, probe in list(self._probes.items()):
            tags = self._rounds.outcome(server, "tags", deadline)
            ps = self._rounds.outcome(server, "ps", deadline)
            probe.consider(
                rules.Lists(
                    tags=cast("Tags | None", tags.value),
                    ps=cast("Ps | None", ps.value),
                    now=time.monotonic(),
                    clock=ps.server_time or time.time(),
                )
            )
            probe.add(page)
        yield from page


class Probe:
    """The test generations of one server's model."""

    def __init__(self, server: Server, inference: Inference) -> None:
        self._server = server
        self._inference = inference
        self._name = parse_name(inference.model)
        self._lock = threading.Lock()
        self._watch = rules.Watch()
        self._record = Record()
        self._skipped_at: dict[str, float] = {}
        self._shown: tuple[str, Shown] | None = None  # by digest
        self._running = False
        self._stop = Stop()

    def close(self) -> None:
        """Break off the generation that is under way."""
        self._stop.stop()

    def consider(self, lists: rules.Lists) -> None:
        """Begin a generation if it is time and nothing stands against it."""
        with self._lock:
            if self._running or self._stop.set.is_set():
                return
            model = rules.find(self._name, lists.ps) if lists.ps is not None else None
            if lists.ps is not None:
                self._watch = rules.look(self._watch, model, lists.now)
                if model is None:
                    self._record.forget_failure()
            if not rules.due(self._watch, self._inference.interval_s, lists.now):
                return
            why = rules.obstacle(self._watch, self._name, lists)
            if why is not None or model is None:
                self._skip(why or "busy", lists.now)
                return
            self._running = True
        name = f"generate {self._server.labels[0]}"
        threading.Thread(target=self._work, args=(model,), name=name, daemon=True).start()

    def _skip(self, why: str, now: float) -> None:
        last = self._skipped_at.get(why)
        if last is None or now - last >= self._inference.interval_s:
            self._skipped_at[why] = now
            self._record.skips[why] += 1

    def _work(self, model: Loaded) -> None:
        try:
            why = self._run(model)
            if why is not None:
                with self._lock:
                    self._skip(why, time.monotonic())
        except Exception:
            log.exception("the test generation of %s broke", self._name.shown)
        finally:
            with self._lock:
                self._running = False

    def _run(self, model: Loaded) -> str | None:
        """Look once more, then ask; return why it was left out after all."""
        try:
            shown = self._show(model)
            before, _ = self._ps()
            if self._stop.set.wait(LOOK_AGAIN_S):
                return "busy"
            tags = parse_tags(self._fetch("/api/tags").body)
            asked = time.monotonic()
            ps, clock = self._ps()
            way_s = time.monotonic() - asked
        except (FetchError, BodyError) as error:
            log.info("no test generation of %s: %s", self._name.shown, error)
            return "busy"
        after = rules.find(self._name, ps)
        lists = rules.Lists(tags, ps, time.monotonic(), clock)
        why = rules.obstacle(self._watch, self._name, lists)
        if why is not None or after is None:
            return why or "not_loaded"
        if after != rules.find(self._name, before) or after != model:
            return "busy"  # being loaded, in use, or another one by now
        if not shown.generates:
            return "unsupported"
        options = rules.load_options(after, shown.context, dict(self._inference.load_options))
        if options is None:
            return "would_reload"
        self._ask(options, way_s)
        return None

    def _ps(self) -> tuple[Ps, float]:
        answer = self._fetch("/api/ps")
        return parse_ps(answer.body), answer.server_time or time.time()

    def _fetch(self, path: str, send: Mapping[str, str] | None = None) -> Answer:
        server = self._server
        return fetch(server.url, path, Deadline.after(LIST_TIMEOUT_S), send=send, auth=server.auth)

    def _show(self, model: Loaded) -> Shown:
        """Return what is shown of *model*, asked once per digest; /api/show loads nothing."""
        if self._shown is None or self._shown[0] != model.digest:
            answer = self._fetch("/api/show", {"model": self._inference.model})
            self._shown = (model.digest, parse_show(answer.body))
        return self._shown[1]

    def _ask(self, options: Mapping[str, int | bool], way_s: float) -> None:
        inference, server = self._inference, self._server
        question = Question(
            url=server.url,
            auth=server.auth,
            model=inference.model,
            options=options,
            tokens=inference.tokens,
            nonce=secrets.randbits(64),
            way_s=way_s,
        )
        result = generate(question, inference.timeout_s, self._stop)
        if self._stop.set.is_set():
            return
        log.info("test generation of %s: %s", self._name.shown, result.reason or "fine")
        if result.load_s >= rules.RELOADED_S:
            log.warning(
                "%s took %.1f s to be ready and was loaded anew, it seems: do its callers send other "
                "loading options than load_options says? No test generations for a day",
                self._name.shown, result.load_s,
            )  # fmt: skip
        with self._lock:
            self._take(result)

    def _take(self, result: Result) -> None:
        busy, now = result.reason == BUSY, time.monotonic()
        self._watch = rules.ended(
            self._watch,
            failed=result.reason is not None,
            load_s=result.load_s,
            timeout_s=self._inference.timeout_s,
            now=now,
        )
        if busy:
            self._watch = replace(self._watch, repeat=False)
            self._skip("busy", now)
            return
        self._watch = replace(self._watch, last_run=now)
        self._record.take(result)

    def add(self, page: Page) -> None:
        """Add the last result and the counters."""
        with self._lock:
            self._record.add(page, self._server.labels, self._name.shown)

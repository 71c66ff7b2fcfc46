"""What is told of test generations: the last result, and sums since the exporter began."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from exporters.ollama_generate import FAILURES, Result
from exporters.ollama_metrics import Page
from exporters.ollama_rules import SKIPS


@dataclass(slots=True)
class Record:
    """The test generations of one model. All counts begin with 0, so that rates can be taken."""

    result: Result | None = None
    last_run: float | None = None  # Unix time
    runs: int = 0
    failures: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAILURES, 0))
    skips: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SKIPS, 0))
    generated: int = 0
    decode_s: float = 0.0
    prompted: int = 0
    prefill_s: float = 0.0

    def take(self, result: Result) -> None:
        """Take note of a generation that ran."""
        self.result, self.last_run = result, result.ended_at
        self.runs += 1
        if result.reason is not None:
            self.failures[result.reason] += 1
        if result.last is not None:
            self.generated += result.last.tokens
            self.decode_s += result.last.decode_s
            self.prompted += result.last.prompt_tokens
            self.prefill_s += result.last.prefill_s

    def forget_failure(self) -> None:
        """Take back a failure: the model that failed has left memory, another may do better."""
        if self.result is not None and self.result.reason is not None:
            self.result = None

    def add(self, page: Page, labels: tuple[str, ...], model: str) -> None:
        """Add it all to *page*, for the server with *labels* and the *model* of this name."""
        for name, value in self._gauges():
            if value is not None:
                page.add(labels, name, value, model)
        counters = (
            ("ollama_probe_runs_total", self.runs),
            ("ollama_probe_generated_tokens_total", self.generated),
            ("ollama_probe_decode_seconds_total", self.decode_s),
            ("ollama_probe_prompt_tokens_total", self.prompted),
            ("ollama_probe_prefill_seconds_total", self.prefill_s),
        )
        for name, count in counters:
            page.add(labels, name, count, model)
        for reason, count in self.failures.items():
            page.add(labels, "ollama_probe_failures_total", count, model, reason)
        for reason, count in self.skips.items():
            page.add(labels, "ollama_probe_skipped_total", count, model, reason)

    def _gauges(self) -> Iterator[tuple[str, float | None]]:
        yield "ollama_probe_last_run_timestamp_seconds", self.last_run
        result = self.result
        if result is None:
            return
        yield "ollama_probe_success", float(result.reason is None)
        yield "ollama_probe_duration_seconds", result.seconds
        yield "ollama_probe_time_to_first_token_seconds", result.first_token_s
        yield "ollama_probe_load_duration_seconds", result.load_s if result.last else None
        yield "ollama_probe_decode_tokens_per_second", result.tokens_per_second

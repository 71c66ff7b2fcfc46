"""
Every metric of the Ollama exporter: name, type, help, labels; and the page they are written on.

The table is the one place where a name stands. generator/kinds/ollama.yml declares the same, and
a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from exporters.config import LABELS

ENDPOINTS = ("version", "tags", "ps")
STATUSES = ("installed", "other_tag", "missing")
MODEL = ("model",)

_CACHED = "; the last test generation, which may be older than this scrape"
_SKIPPED = (
    "Test generations left out, once per interval and reason: not_loaded (or not for long any "
    "more), would_pin (nobody else used the model just now), would_reload (it may have been "
    "loaded with options of its own, or from another file), remote, unsupported (it makes no "
    "text), busy (loading, in use, or the lists hang)"
)

GAUGES: Mapping[str, tuple[str, Sequence[str]]] = {
    "ollama_up": ("1 when /api/version answered within its deadline", ()),
    "ollama_endpoint_up": ("1 when /api/<endpoint> answered in the documented form", ("endpoint",)),
    "ollama_endpoint_duration_seconds": ("How long /api/<endpoint> took", ("endpoint",)),
    "ollama_build_info": ("Version of Ollama, value 1", ("version",)),
    "ollama_native_metrics_available": (
        "1 when Ollama itself answers /metrics, asked every ten minutes; absent while Ollama is silent",
        (),
    ),
    "ollama_cloud_enabled": (
        "1 when Ollama may use cloud models; absent where it does not say; asked every ten minutes",
        (),
    ),
    "ollama_port_expected": ("Port on which the catalog says that Ollama listens", ()),
    "ollama_port_answering": (
        "Port on which Ollama answered, 0 when on none; others are asked when the expected is silent",
        (),
    ),
    "ollama_models_installed": ("Models installed", ()),
    "ollama_models_truncated": ("1 when there are more models than the exporter lists", ()),
    "ollama_model_info": (
        "Facts about an installed model, value 1",
        ("model", "family", "format", "parameter_size", "quantization_level", "digest"),
    ),
    "ollama_model_size_bytes": ("Size of the model on disk", MODEL),
    "ollama_model_modified_timestamp_seconds": ("When the model was pulled or made", MODEL),
    "ollama_model_max_context_tokens": (
        "Longest context that the model can take; asked once per model",
        MODEL,
    ),
    "ollama_model_remote_info": (
        "The model runs elsewhere, value 1",
        ("model", "remote_host"),
    ),
    "ollama_model_expected": ("1: the configuration expects this model", MODEL),
    "ollama_model_expected_status": (
        "1 for the true state: installed, other_tag (not this tag), missing; absent without the list",
        ("model", "status"),
    ),
    "ollama_models_missing": (
        "Expected models that are not installed under their tag; absent when the list failed",
        (),
    ),
    "ollama_models_unexpected": (
        "Installed models that nobody expects; absent when the list failed",
        (),
    ),
    "ollama_models_loaded": ("Models in memory", ()),
    "ollama_model_loaded": (
        "1 while the model is in memory; 0 for installed or expected models that are not",
        MODEL,
    ),
    "ollama_model_memory_bytes": ("Memory of the loaded model, RAM and VRAM", MODEL),
    "ollama_model_vram_bytes": ("VRAM of the loaded model", MODEL),
    "ollama_model_context_tokens": ("Context that the model was loaded with", MODEL),
    "ollama_model_expires_timestamp_seconds": (
        "When the model leaves memory if nobody asks; absent when it is pinned",
        MODEL,
    ),
    "ollama_model_pinned": ("1 when the model never leaves memory by itself", MODEL),
    "ollama_probe_success": (f"1 when the test generation worked{_CACHED}", MODEL),
    "ollama_probe_last_run_timestamp_seconds": ("When the last test generation ended", MODEL),
    "ollama_probe_duration_seconds": (f"How long the test generation took{_CACHED}", MODEL),
    "ollama_probe_time_to_first_token_seconds": (f"Time until the first token{_CACHED}", MODEL),
    "ollama_probe_load_duration_seconds": (
        f"Time that Ollama spent on getting the model ready{_CACHED}",
        MODEL,
    ),
    "ollama_probe_decode_tokens_per_second": (
        f"Speed of making tokens, if 8 or more were made{_CACHED}",
        MODEL,
    ),
}
COUNTERS: Mapping[str, tuple[str, Sequence[str]]] = {
    "ollama_model_loads_observed_total": (
        "Times the model appeared in memory between two scrapes: at least so often",
        MODEL,
    ),
    "ollama_model_unloads_observed_total": (
        "Times the model left memory between two scrapes: at least so often",
        MODEL,
    ),
    "ollama_probe_runs_total": ("Test generations", MODEL),
    "ollama_probe_failures_total": ("Test generations that failed", ("model", "reason")),
    "ollama_probe_skipped_total": (_SKIPPED, ("model", "reason")),
    "ollama_probe_generated_tokens_total": ("Tokens made by test generations", MODEL),
    "ollama_probe_decode_seconds_total": ("Time test generations spent making tokens", MODEL),
    "ollama_probe_prompt_tokens_total": ("Prompt tokens read by test generations", MODEL),
    "ollama_probe_prefill_seconds_total": ("Time test generations spent reading prompts", MODEL),
}


@dataclass(slots=True)
class Page:
    """Metrics of several servers, one family per name, in the order of their first sample."""

    _families: dict[str, Metric] = field(default_factory=dict)

    def add(self, target: tuple[str, ...], name: str, value: float, *labels: str) -> None:
        """Add one sample of *name* for the server with the values *target* of LABELS."""
        self._family(name).add_metric([*target, *labels], value)  # type: ignore[attr-defined]  # both kinds have it

    def _family(self, name: str) -> Metric:
        if name not in self._families:
            if name in COUNTERS:
                text, labels = COUNTERS[name]
                made: Metric = CounterMetricFamily(
                    name.removesuffix("_total"), text, labels=[*LABELS, *labels]
                )
            else:
                text, labels = GAUGES[name]
                made = GaugeMetricFamily(name, text, labels=[*LABELS, *labels])
            self._families[name] = made
        return self._families[name]

    def __iter__(self) -> Iterator[Metric]:
        return iter(self._families.values())

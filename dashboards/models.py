"""Models: which are expected, offered, loaded, and how fast each of them really generates."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.builders import bargauge, stat, states, table, timeseries
from dashboards.frame import CHOSEN, board_path, marks, variables
from dashboards.panels import ANY, UP, Column, Link, Row, above, below
from generator.model import Catalog


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return the board of all models on all Ollama servers."""
    return (
        Board(
            id="models",
            title="Models",
            description="Expected, offered and loaded models; tokens per second. A missing model degrades its users without any process being down.",
            rows=(_expected(catalog), _generation(), _memory()),
            variables=variables('kind="ollama"'),
            annotations=marks(),
        ),
    )  # fmt: skip


def _expected(catalog: Catalog) -> Row:
    wanted = sorted({model for service in catalog.services for model in service.expects_models})
    names = ", ".join(wanted) or "none"
    link = (Link("Its server", board_path("kind-ollama", "var-service=${__data.fields.service}")),)
    return Row(
        "Expected and offered",
        (
            stat("missing", "Missing", f"Models that a service expects and its Ollama does not offer. Expected by the catalog: {names}.",
                 f"sum by (service) (ollama_models_missing{{{CHOSEN}}})", unit="none", steps=ANY),
            stat("unexpected", "Not expected", "Models offered that no service of the catalog names; harmless but for the disk.",
                 f"sum by (service) (ollama_models_unexpected{{{CHOSEN}}})", unit="none"),
            stat("loaded", "Loaded", "Models in memory now.", f"sum by (service) (ollama_models_loaded{{{CHOSEN}}})", unit="none"),
            table("status", "Expected models", "`installed`, `other_tag` (there under another tag) or `missing`. Absent while the list itself could not be read.",
                  f"max by (service, model, status) (ollama_model_expected_status{{{CHOSEN}}}) == 1",
                  columns=(Column("service", "Ollama"), Column("model", "Model"), Column("status", "Status")),
                  width=12, height=8, links=link),
            table("installed", "Installed models", "What each server offers.",
                  f"max by (service, model, family, parameter_size, quantization_level) (ollama_model_info{{{CHOSEN}}})",
                  columns=(Column("service", "Ollama"), Column("model", "Model"), Column("family", "Family"), Column("parameter_size", "Size"), Column("quantization_level", "Quantisation")),
                  sort="Model", width=24, height=8, links=link),
        ),
    )  # fmt: skip


def _generation() -> Row:
    return Row(
        "Generation",
        (
            states("works", "Generation works", "Whether the last short generation of each loaded model succeeded.",
                   (f"min by (service, model) (ollama_probe_success{{{CHOSEN}}})", "{{service}} {{model}}"), steps=UP, width=12),
            timeseries("speed", "Tokens per second", "Decoding speed over the last hour's probes: tokens by time spent decoding.",
                       (f"sum by (service, model) (rate(ollama_probe_generated_tokens_total{{{CHOSEN}}}[1h])) / (sum by (service, model) (rate(ollama_probe_decode_seconds_total{{{CHOSEN}}}[1h])) > 0)", "{{service}} {{model}}"),
                       unit="none", steps=below(5, 1), width=12),
            timeseries("first", "Time to the first token", "As the last probe measured it.",
                       (f"max by (service, model) (ollama_probe_time_to_first_token_seconds{{{CHOSEN}}})", "{{service}} {{model}}"), unit="s", steps=above(5, 30), width=12),
            timeseries("prefill", "Prompt tokens per second", "Reading speed over the last hour's probes.",
                       (f"sum by (service, model) (rate(ollama_probe_prompt_tokens_total{{{CHOSEN}}}[1h])) / (sum by (service, model) (rate(ollama_probe_prefill_seconds_total{{{CHOSEN}}}[1h])) > 0)", "{{service}} {{model}}"),
                       unit="none", steps=below(50, 10), width=12),
        ),
    )  # fmt: skip


def _memory() -> Row:
    return Row(
        "Memory",
        (
            bargauge("in-gpu", "Share in GPU memory", "How much of each loaded model lies on the GPU; below 100 % the rest runs on the CPU, many times slower.",
                     (f"max by (service, model) (ollama_model_vram_bytes{{{CHOSEN}}}) / (max by (service, model) (ollama_model_memory_bytes{{{CHOSEN}}}) > 0)", "{{service}} {{model}}"),
                     unit="percentunit", steps=below(1, 0.5), maximum=1),
            timeseries("memory", "Memory by model", "Size of the models in memory.", (f"max by (service, model) (ollama_model_memory_bytes{{{CHOSEN}}})", "{{service}} {{model}}"), unit="bytes", stacked=True, width=12),
            timeseries("disk", "Disk by model", "Size of the models on disk.", (f"max by (service, model) (ollama_model_size_bytes{{{CHOSEN}}})", "{{service}} {{model}}"), unit="bytes", stacked=True, width=12),
            timeseries("loads", "Loads and unloads", "How many in the last hour.",
                       (f"sum by (service, model) (increase(ollama_model_loads_observed_total{{{CHOSEN}}}[1h]))", "{{model}} loaded"),
                       (f"sum by (service, model) (increase(ollama_model_unloads_observed_total{{{CHOSEN}}}[1h]))", "{{model}} unloaded"), unit="none", steps=above(6, 20), width=12),
        ),
    )  # fmt: skip

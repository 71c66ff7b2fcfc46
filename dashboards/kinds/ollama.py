"""One Ollama server: its endpoints, the models in memory, how generation feels. All models: the board Models."""

from __future__ import annotations

from dashboards.builders import stat, states, timeseries
from dashboards.panels import ANY, UP, YES_NO, Row, above, below

ROWS = {
    "ollama": (
        Row("Server", (
            stat("up", "Answers", "Whether /api/version answered.", "min by (service) (ollama_up{<sel>})", unit="none", steps=UP, words=YES_NO),
            stat("missing", "Models missing", "Expected and not offered.", "sum by (service) (ollama_models_missing{<sel>})", unit="none", steps=ANY),
            stat("loaded", "Models loaded", "Models that lie in its memory now.", "sum by (service) (ollama_models_loaded{<sel>})", unit="none"),
            stat("installed", "Models installed", "Models that lie on its disk.", "sum by (service) (ollama_models_installed{<sel>})", unit="none"),
            states("endpoints", "Endpoints", "version, tags and ps are asked in parallel; a stuck runner shows as ps down while the others answer.",
                   ("min by (service, endpoint) (ollama_endpoint_up{<sel>})", "{{service}} {{endpoint}}"), steps=UP, width=8, height=6),
        )),
        Row("Generation", (
            states("probe", "Generation works", "Whether the last short generation succeeded. Lists may answer while generation is dead.",
                   ("min by (service, model) (ollama_probe_success{<sel>})", "{{service}} {{model}}"), steps=UP, width=12),
            timeseries("tokens", "Tokens per second", "Decoding speed of the last probe.",
                       ("max by (service, model) (ollama_probe_decode_tokens_per_second{<sel>})", "{{service}} {{model}}"), unit="none", steps=below(5, 1), width=12),
            timeseries("first", "Time to the first token", "How long a user waits before anything appears.",
                       ("max by (service, model) (ollama_probe_time_to_first_token_seconds{<sel>})", "{{service}} {{model}}"), unit="s", steps=above(5, 30)),
            timeseries("failures", "Failed probes by reason", "How many in the last hour.",
                       ("sum by (service, model, reason) (increase(ollama_probe_failures_total{<sel>}[1h]))", "{{model}} {{reason}}"), unit="none", steps=ANY),
            timeseries("skipped", "Skipped probes by reason", "A probe never loads a model, never pins one, and waits while the server is busy.",
                       ("sum by (service, model, reason) (increase(ollama_probe_skipped_total{<sel>}[1h]))", "{{model}} {{reason}}"), unit="none"),
        )),
        Row("Memory", (
            timeseries("vram", "GPU memory by model", "How much of each loaded model lies in GPU memory.", ("max by (service, model) (ollama_model_vram_bytes{<sel>})", "{{service}} {{model}}"), unit="bytes", stacked=True),
            timeseries("memory", "Memory by model", "Whole size of each loaded model.", ("max by (service, model) (ollama_model_memory_bytes{<sel>})", "{{service}} {{model}}"), unit="bytes", stacked=True),
            timeseries("churn", "Loads", "Models loaded in the last hour: many mean too little memory for what is asked.",
                       ("sum by (service, model) (increase(ollama_model_loads_observed_total{<sel>}[1h]))", "{{service}} {{model}}"), unit="none", steps=above(6, 20)),
        )),
    ),
}  # fmt: skip

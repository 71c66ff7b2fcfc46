"""
Ollama: models that are expected but missing, generation that is dead or slow, memory that is short.

All series come from our exporter. Lists that failed make model series absent, never 0, so a dead
list raises no false "missing"; a test generation runs only for a model that is loaded and its
result stays until the next. No public rules exist for Ollama (no metrics of its own); compared
with what the reference (exporters, section 8) and operators of it ask for. Left out, and why:
- Ollama down: ServiceDown, by the verdict `ollama_up`. Memory of the container, GPU: their packs.
- models that nobody expects, alone: people try models; with a missing one they are a mismatch.
- requests, queue length, tokens of real users: Ollama tells nobody; the web pack sees its callers.

Longer than other modules: a pack is one list of values, and splitting it would only hide half.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Remedy, Severity
from generator.model import Catalog

BOARD = "models"
UP = "and on (service) (max by (service) (last_over_time(ollama_up[3m])) == 1)"

MODEL_MISSING = Alert(
    name="OllamaExpectedModelMissing",
    severity=Severity.CRITICAL,
    expr='max by (service, model) (last_over_time(ollama_model_expected_status{status="missing"}[3m]))',
    op="==",
    threshold=1,
    hold=timedelta(minutes=5),
    family="ollama-models",
    board=BOARD,
    summary="{{ $labels.service }} does not have the model {{ $labels.model }} that is expected of it",
    description="""Services expect {{ $labels.model }} of {{ $labels.service }}, and it is not installed.
        Each of their requests for it fails, or waits for a download nobody started.""",
    fires={'ollama_model_expected_status{model="tinyllama:latest",status="missing"}': "1"},
    quiet={'ollama_model_expected_status{model="tinyllama:latest",status="missing"}': "0"},
    value=1,
    extra={"model": "tinyllama:latest"},
    tight=False,
)

OTHER_TAG = Alert(
    name="OllamaModelOtherTag",
    severity=Severity.WARNING,
    expr='max by (service, model) (last_over_time(ollama_model_expected_status{status="other_tag"}[3m]))',
    op="==",
    threshold=1,
    hold=timedelta(minutes=5),
    family="ollama-models",
    board=BOARD,
    summary="{{ $labels.service }} has {{ $labels.model }} only under another tag",
    description="""Services expect {{ $labels.model }} of {{ $labels.service }}; the model is there, but
        under another tag. A request that names the tag fails.""",
    fires={'ollama_model_expected_status{model="llama3:8b",status="other_tag"}': "1"},
    quiet={'ollama_model_expected_status{model="llama3:8b",status="other_tag"}': "0"},
    value=1,
    extra={"model": "llama3:8b"},
    tight=False,
)

MISMATCH = Alert(
    name="OllamaModelMismatch",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(ollama_models_missing[3m]))",
    threshold=0,
    where="""and on (service) (
  max by (service) (last_over_time(ollama_models_unexpected[3m])) > 0
)""",
    hold=timedelta(minutes=5),
    family="ollama-mismatch",
    board=BOARD,
    summary="{{ $labels.service }} has other models than its callers expect ({{ $value | humanize }} missing)",
    description="""{{ $labels.service }} lacks {{ $value | humanize }} expected models and has others that
        nobody expects: callers and server were configured for different models.""",
    fires={"ollama_models_missing": "1", "ollama_models_unexpected": "1"},
    quiet={"ollama_models_missing": "0", "ollama_models_unexpected": "1"},
    value=1,
    tight=False,
)

NO_MODELS = Alert(
    name="OllamaHasNoModels",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(ollama_models_installed[3m]))",
    op="==",
    threshold=0,
    where=UP,
    hold=timedelta(minutes=10),
    family="ollama-empty",
    board=BOARD,
    summary="{{ $labels.service }} has not a single model",
    description="""{{ $labels.service }} answers, but no model is installed: its volume is new, not
        mounted, or the models were never pulled.""",
    fires={"ollama_models_installed": "0", "ollama_up": "1"},
    quiet={"ollama_models_installed": "1", "ollama_up": "1"},
    value=0,
    tight=False,
)

# The lists are answered by the server, generation by a runner process: only the runner is dead.
GENERATION_DEAD = Alert(
    name="OllamaGenerationDead",
    severity=Severity.CRITICAL,
    expr="max by (service) (last_over_time(ollama_probe_success[5m]))",
    op="==",
    threshold=0,
    where=UP,
    hold=timedelta(minutes=5),
    keep=timedelta(minutes=2),
    family="ollama-generation",
    board=BOARD,
    remedy=Remedy.RESTART,
    summary="{{ $labels.service }} lists its models but generates nothing",
    description="""{{ $labels.service }} answers its API, but the test generation fails for every model
        that is loaded. Whoever asks for text waits until the deadline.""",
    fires={
        'ollama_probe_success{model="tinyllama:latest"}': "0",
        'ollama_probe_success{model="llama3:8b"}': "0",
        "ollama_up": "1",
    },
    quiet={
        'ollama_probe_success{model="tinyllama:latest"}': "1",
        'ollama_probe_success{model="llama3:8b"}': "0",
        "ollama_up": "1",
    },
    value=0,
    tight=False,
)

MODEL_FAILS = Alert(
    name="OllamaModelFails",
    severity=Severity.WARNING,
    expr="max by (service, model) (last_over_time(ollama_probe_success[5m]))",
    op="==",
    threshold=0,
    where=UP,
    hold=timedelta(minutes=10),
    family="ollama-generation",
    board=BOARD,
    summary="{{ $labels.model }} on {{ $labels.service }} does not generate",
    description="""The test generation of {{ $labels.model }} on {{ $labels.service }} fails. Other
        models may work: the file is broken, or it does not fit the memory.""",
    fires={'ollama_probe_success{model="llama3:8b"}': "0", "ollama_up": "1"},
    quiet={'ollama_probe_success{model="llama3:8b"}': "1", "ollama_up": "1"},
    value=0,
    extra={"model": "llama3:8b"},
    tight=False,
)

FLAKY = Alert(
    name="OllamaGenerationFlaky",
    severity=Severity.WARNING,
    expr="""sum by (service) (increase(ollama_probe_failures_total[1h]))
/ sum by (service) (increase(ollama_probe_runs_total[1h]))""",
    threshold=0.2,
    where="and on (service) (sum by (service) (increase(ollama_probe_runs_total[1h])) > 5)",
    hold=timedelta(minutes=10),
    family="ollama-generation",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the test generations on {{ $labels.service }} fail",
    description="""{{ $value | humanizePercentage }} of the test generations on {{ $labels.service }}
        failed in the last hour. Users see the same: some of their requests end with an error.""",
    fires={
        'ollama_probe_failures_total{model="tinyllama:latest",reason="timeout"}': "13/h",
        'ollama_probe_runs_total{model="tinyllama:latest"}': "60/h",
    },
    quiet={
        'ollama_probe_failures_total{model="tinyllama:latest",reason="timeout"}': "11/h",
        'ollama_probe_runs_total{model="tinyllama:latest"}': "60/h",
    },
    value=13 / 60,
    step=timedelta(minutes=1),
    surge={
        'ollama_probe_failures_total{model="tinyllama:latest",reason="timeout"}': "6000/h",
        'ollama_probe_runs_total{model="tinyllama:latest"}': "6000/h",
    },
)

TOKENS_SLOW = Alert(
    name="OllamaTokensSlow",
    severity=Severity.WARNING,
    # People read about five tokens a second: below that they wait for each word.
    expr="""max by (service, model) (
  last_over_time(ollama_probe_decode_tokens_per_second[5m])
)""",
    op="<",
    threshold=5,
    hold=timedelta(minutes=15),
    family="ollama-speed",
    board=BOARD,
    summary="{{ $labels.model }} on {{ $labels.service }} makes {{ $value | humanize }} tokens per second",
    description="""{{ $labels.model }} generates {{ $value | humanize }} tokens per second: it runs on
        the CPU or in swap, or shares the GPU with too many.""",
    fires={'ollama_probe_decode_tokens_per_second{model="tinyllama:latest"}': "4.6"},
    quiet={'ollama_probe_decode_tokens_per_second{model="tinyllama:latest"}': "5.4"},
    extra={"model": "tinyllama:latest"},
)

FIRST_TOKEN_SLOW = Alert(
    name="OllamaFirstTokenSlow",
    severity=Severity.WARNING,
    expr="""min by (service, model) (
  last_over_time(ollama_probe_time_to_first_token_seconds[5m])
)""",
    threshold=10,
    hold=timedelta(minutes=15),
    family="ollama-speed",
    board=BOARD,
    summary="{{ $labels.model }} on {{ $labels.service }} starts to answer after {{ $value | humanizeDuration }}",
    description="""A one-line prompt to {{ $labels.model }}, already in memory, waits
        {{ $value | humanizeDuration }} for its first token: requests queue, or reading prompts is slow.""",
    fires={'ollama_probe_time_to_first_token_seconds{model="tinyllama:latest"}': "10.8"},
    quiet={'ollama_probe_time_to_first_token_seconds{model="tinyllama:latest"}': "9.2"},
    extra={"model": "tinyllama:latest"},
)

PARTLY_ON_CPU = Alert(
    name="OllamaModelPartlyOnCpu",
    severity=Severity.WARNING,
    expr="""max by (service, model) (last_over_time(ollama_model_vram_bytes[3m]))
/ max by (service, model) (last_over_time(ollama_model_memory_bytes[3m]))""",
    op="<",
    threshold=0.95,
    # 0 means no GPU, or none that Ollama uses: OllamaModelOnCpu.
    where="and on (service, model) (max by (service, model) (last_over_time(ollama_model_vram_bytes[3m])) > 0)",
    hold=timedelta(minutes=10),
    family="ollama-vram",
    board=BOARD,
    summary="Only {{ $value | humanizePercentage }} of {{ $labels.model }} on {{ $labels.service }} fit the GPU",
    description="""VRAM is short: {{ $value | humanizePercentage }} of {{ $labels.model }} lie on the
        GPU, the rest is computed on the CPU, several times slower.""",
    fires={
        'ollama_model_vram_bytes{model="llama3:8b"}': "5400000000",
        'ollama_model_memory_bytes{model="llama3:8b"}': "6000000000",
    },
    quiet={
        'ollama_model_vram_bytes{model="llama3:8b"}': "6000000000",
        'ollama_model_memory_bytes{model="llama3:8b"}': "6000000000",
    },
    value=0.9,
    extra={"model": "llama3:8b"},
)

ON_CPU = Alert(
    name="OllamaModelOnCpu",
    severity=Severity.WARNING,
    expr="max by (service, model) (last_over_time(ollama_model_vram_bytes[3m]))",
    op="==",
    threshold=0,
    where="and on () (max(last_over_time(hw_gpus[5m])) > 0)",
    hold=timedelta(minutes=10),
    family="ollama-vram",
    board=BOARD,
    summary="{{ $labels.model }} on {{ $labels.service }} runs on the CPU although there is a GPU",
    description="""The host has a GPU, but nothing of {{ $labels.model }} is on it: the driver is lost
        inside the container, or other processes hold all VRAM.""",
    fires={'ollama_model_vram_bytes{model="llama3:8b"}': "0", "hw_gpus": "1"},
    quiet={'ollama_model_vram_bytes{model="llama3:8b"}': "6000000000", "hw_gpus": "1"},
    value=0,
    extra={"model": "llama3:8b"},
    tight=False,
)

ENDPOINT_HUNG = Alert(
    name="OllamaEndpointHung",
    severity=Severity.WARNING,
    expr="min by (service, endpoint) (last_over_time(ollama_endpoint_up[3m]))",
    op="==",
    threshold=0,
    where=UP,
    hold=timedelta(minutes=5),
    family="ollama-endpoint",
    board=BOARD,
    summary="/api/{{ $labels.endpoint }} of {{ $labels.service }} does not answer",
    description="""{{ $labels.service }} answers its version, but not /api/{{ $labels.endpoint }}: `ps`
        hangs with a stuck runner, `tags` with a slow or broken model directory.""",
    fires={'ollama_endpoint_up{endpoint="ps"}': "0", "ollama_up": "1"},
    quiet={'ollama_endpoint_up{endpoint="ps"}': "1", "ollama_up": "1"},
    value=0,
    extra={"endpoint": "ps"},
    tight=False,
)

ENDPOINT_SLOW = Alert(
    name="OllamaEndpointSlow",
    severity=Severity.INFO,
    expr="max by (service, endpoint) (avg_over_time(ollama_endpoint_duration_seconds[5m]))",
    threshold=2,
    hold=timedelta(minutes=10),
    family="ollama-endpoint",
    board=BOARD,
    summary="/api/{{ $labels.endpoint }} of {{ $labels.service }} takes {{ $value | humanizeDuration }}",
    description="""A list that needs no model takes {{ $value | humanizeDuration }} on
        {{ $labels.service }}: the server is starved of CPU, or its disk is slow.""",
    fires={'ollama_endpoint_duration_seconds{endpoint="tags"}': "2.15"},
    quiet={'ollama_endpoint_duration_seconds{endpoint="tags"}': "1.85"},
    extra={"endpoint": "tags"},
    surge={'ollama_endpoint_duration_seconds{endpoint="tags"}': "200"},
)

PORT_DRIFT = Alert(
    name="OllamaPortDrift",
    severity=Severity.WARNING,
    expr="""(max by (service) (last_over_time(ollama_port_answering[3m])) > 0)
!= on (service)
max by (service) (last_over_time(ollama_port_expected[3m]))""",
    op="",
    hold=timedelta(minutes=5),
    family="ollama-port",
    board=BOARD,
    summary='{{ $labels.service }} answers on port {{ $value | printf "%.0f" }}, not where its callers look',
    description="""{{ $labels.service }} was found on port {{ $value | printf "%.0f" }}, but the catalog
        says another. Callers with the port of the catalog get no connection.""",
    fires={"ollama_port_answering": "10104", "ollama_port_expected": "11434"},
    quiet={"ollama_port_answering": "11434", "ollama_port_expected": "11434"},
    value=10104,
    tight=False,
)

THRASHING = Alert(
    name="OllamaModelReloads",
    severity=Severity.WARNING,
    expr="sum by (service) (increase(ollama_model_loads_observed_total[30m]))",
    threshold=10,
    hold=timedelta(minutes=5),
    family="ollama-reloads",
    board=BOARD,
    summary="{{ $labels.service }} loaded models {{ $value | humanize }} times in 30 minutes",
    description="""Models push one another out of memory on {{ $labels.service }}: they were loaded
        {{ $value | humanize }} times in 30 minutes. Each load makes a request wait for seconds.""",
    fires={
        'ollama_model_loads_observed_total{model="tinyllama:latest"}': "11.6/h",
        'ollama_model_loads_observed_total{model="llama3:8b"}': "10/h",
    },
    quiet={
        'ollama_model_loads_observed_total{model="tinyllama:latest"}': "8.4/h",
        'ollama_model_loads_observed_total{model="llama3:8b"}': "10/h",
    },
    value=10.8,
)

NO_PROBE = Alert(
    name="OllamaNotProbed",
    severity=Severity.WARNING,
    # Models that are not loaded are never probed, so that probing keeps nothing in memory.
    expr="time() - max by (service) (last_over_time(ollama_probe_last_run_timestamp_seconds[5m]))",
    threshold=1800,
    where="""and on (service) (
  max by (service) (min_over_time(ollama_models_loaded[30m])) > 0
)""",
    hold=timedelta(minutes=5),
    family="ollama-probe",
    board=BOARD,
    summary="Nobody has tested generation on {{ $labels.service }} for half an hour",
    description="""Models are loaded on {{ $labels.service }}, but the exporter has run no test
        generation for half an hour: the alerts on generation are blind.""",
    fires={
        'ollama_probe_last_run_timestamp_seconds{model="tinyllama:latest"}': "now-1900",
        "ollama_models_loaded": "1",
    },
    quiet={
        'ollama_probe_last_run_timestamp_seconds{model="tinyllama:latest"}': "now-1700",
        "ollama_models_loaded": "1",
    },
    value=1900,
    settle=timedelta(0),
)

TRUNCATED = Alert(
    name="OllamaModelListTruncated",
    severity=Severity.INFO,
    expr="max by (service) (last_over_time(ollama_models_truncated[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=10),
    family="ollama-truncated",
    board=BOARD,
    summary="{{ $labels.service }} has more models than the exporter lists",
    description="""{{ $labels.service }} has so many models that the exporter leaves some out. An
        expected model among those would be seen as missing on boards.""",
    fires={"ollama_models_truncated": "1"},
    quiet={"ollama_models_truncated": "0"},
    value=1,
    tight=False,
)


def pack(catalog: Catalog) -> Pack:
    """Return the Ollama pack; whether a GPU is there to miss only our hardware exporter knows."""
    gpus = (ON_CPU,) if any("hw_gpus" in kind.declares for kind in catalog.kinds.values()) else ()
    return Pack(
        name="ollama",
        title="Ollama",
        alerts=(
            MODEL_MISSING,
            OTHER_TAG,
            MISMATCH,
            NO_MODELS,
            GENERATION_DEAD,
            MODEL_FAILS,
            FLAKY,
            TOKENS_SLOW,
            FIRST_TOKEN_SLOW,
            PARTLY_ON_CPU,
            *gpus,
            ENDPOINT_HUNG,
            ENDPOINT_SLOW,
            PORT_DRIFT,
            THRASHING,
            NO_PROBE,
            TRUNCATED,
        ),
    )

"""
What single web applications tell beyond requests, errors and latency; part of the pack `web`.

Each alert belongs to kinds and appears only in a catalog that uses one of them.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.births import counted
from alerts.kit import Alert, Severity
from generator.model import Catalog

HALF_HOUR = timedelta(minutes=30)


def _executions(result: str) -> str:
    series = f"n8n_workflow_{result}_total"
    return (
        f"sum by (service) (\n  {counted(series, HALF_HOUR, 'n8n_process_start_time_seconds')}\n)"
    )


def _executed(failed: str, succeeded: str) -> dict[str, str]:
    return {
        "n8n_workflow_failed_total": failed,
        "n8n_workflow_success_total": succeeded,
        "n8n_process_start_time_seconds": "0",
        "up": "1",
    }


N8N_FAILURES = Alert(
    name="N8nExecutionsFailing",
    severity=Severity.WARNING,
    # Counters appear with the first event: where nothing has succeeded yet, success counts as zero.
    expr=f"""{_executions("failed")}
/
(
  {_executions("failed")}
  + (
    {_executions("success")}
    or 0 * {_executions("failed")}
  )
)""",
    threshold=0.2,
    where=f"and on (service) ({_executions('failed')} > 3)",
    hold=timedelta(minutes=5),
    family="n8n-executions",
    board="kind-n8n",
    summary="{{ $value | humanizePercentage }} of the executions on {{ $labels.service }} fail",
    description="""In the last 30 minutes {{ $value | humanizePercentage }} of the workflow executions
        on {{ $labels.service }} failed: a credential expired, a service they call is down, or a
        workflow was changed.""",
    fires=_executed("21.5/h", "78.5/h"),
    quiet=_executed("18.5/h", "81.5/h"),
    value=0.215,
    surge=_executed("2000/h", "78.5/h"),
)

N8N_QUEUE = Alert(
    name="N8nQueueWaiting",
    severity=Severity.WARNING,
    expr="max by (service) (min_over_time(n8n_scaling_mode_queue_jobs_waiting[10m]))",
    threshold=50,
    hold=timedelta(minutes=5),
    family="n8n-queue",
    board="kind-n8n",
    summary="{{ $value | humanize }} executions wait for a worker of {{ $labels.service }}",
    description="""At least {{ $value | humanize }} executions have been waiting on
        {{ $labels.service }} for ten minutes: its workers are too few, stuck, or gone.""",
    fires={"n8n_scaling_mode_queue_jobs_waiting": "54"},
    quiet={"n8n_scaling_mode_queue_jobs_waiting": "46"},
    surge={"n8n_scaling_mode_queue_jobs_waiting": "500"},
)


def _event_loop(name: str, metric: str, board: str) -> Alert:
    """Return the alert on a Node.js process that does one thing for too long."""
    return Alert(
        name=name,
        severity=Severity.WARNING,
        expr=f"max by (service) (avg_over_time({metric}[5m]))",
        threshold=0.5,
        hold=timedelta(minutes=5),
        family="event-loop",
        board=board,
        summary="The event loop of {{ $labels.service }} is late by {{ $value | humanizeDuration }}",
        description="""{{ $labels.service }} has one thread for all its requests, and it is late by
            {{ $value | humanizeDuration }} (99th percentile): something computes for too long, and
            everybody waits, health checks included.""",
        fires={metric: "0.54"},
        quiet={metric: "0.46"},
        surge={metric: "50"},
    )


N8N_EVENT_LOOP = _event_loop(
    "N8nEventLoopBlocked", "n8n_nodejs_eventloop_lag_p99_seconds", "kind-n8n"
)
FLOWISE_EVENT_LOOP = _event_loop(
    "FlowiseEventLoopBlocked", "flowise_nodejs_eventloop_lag_p99_seconds", "kind-flowise"
)

_PREDICTIONS = (
    "chatflow_prediction_internal",
    "chatflow_prediction_external",
    "agentflow_prediction_internal",
    "agentflow_prediction_external",
)


def _predictions(matcher: str) -> str:
    """Return the runs of all flows per 30 minutes; a counter that has not appeared counts as zero."""
    began = "flowise_process_start_time_seconds"
    first, *rest = (
        f"sum by (service) (\n    {counted(metric + matcher, HALF_HOUR, began)}\n  )"
        for metric in _PREDICTIONS
    )
    zero = "0 * max by (service) (last_over_time(flowise_version_info[5m]))"
    return "\n  + ".join(f"({part} or {zero})" for part in (first, *rest))


def _runs(failed: str, worked: str) -> dict[str, str]:
    return {
        'chatflow_prediction_external{app="FlowiseAI",status="failure"}': failed,
        'chatflow_prediction_external{app="FlowiseAI",status="success"}': worked,
        'flowise_version_info{app="FlowiseAI",version="3.1.3"}': "1",
        'flowise_process_start_time_seconds{app="FlowiseAI"}': "0",
        "up": "1",
    }


FLOWISE_FAILURES = Alert(
    name="FlowisePredictionsFailing",
    severity=Severity.WARNING,
    expr="(\n  " + _predictions('{status="failure"}') + "\n)\n/\n(\n  " + _predictions("") + "\n)",
    threshold=0.2,
    where="and on (service) (\n  " + _predictions('{status="failure"}') + "\n  > 3\n)",
    hold=timedelta(minutes=5),
    family="flowise-predictions",
    board="kind-flowise",
    summary="{{ $value | humanizePercentage }} of the flows on {{ $labels.service }} fail",
    description="""In the last 30 minutes {{ $value | humanizePercentage }} of the chat and agent flows
        on {{ $labels.service }} ended with an error: the model or the vector store behind them is
        down, or a flow was changed.""",
    fires=_runs("21.5/h", "78.5/h"),
    quiet=_runs("18.5/h", "81.5/h"),
    value=0.215,
    surge=_runs("2000/h", "78.5/h"),
)

PILE_UP = Alert(
    name="WebRequestsPileUp",
    severity=Severity.WARNING,
    expr="max by (service) (min_over_time(sutazai_api_active_requests[5m]))",
    # One process serves forty threads by default (anyio); more than that queue.
    threshold=40,
    hold=timedelta(minutes=5),
    family="web-pile-up",
    board="kind-fastapi",
    summary="{{ $labels.service }} works on {{ $value | humanize }} requests at once",
    description="""At least {{ $value | humanize }} requests have been open on {{ $labels.service }} for
        five minutes: they come faster than they are answered, usually because what it calls is slow.""",
    fires={"sutazai_api_active_requests": "43"},
    quiet={"sutazai_api_active_requests": "37"},
    surge={"sutazai_api_active_requests": "400"},
)

CACHE_LARGE = Alert(
    name="StreamlitCacheLarge",
    severity=Severity.INFO,
    expr='sum by (service) (last_over_time(cache_memory_bytes{kind="streamlit"}[3m]))',
    threshold=256 * 1024**2,
    hold=timedelta(minutes=15),
    family="streamlit-cache",
    board="tier",
    summary="{{ $labels.service }} holds {{ $value | humanize1024 }}B in its caches",
    description="""The caches of {{ $labels.service }} hold {{ $value | humanize1024 }}B. They never
        shrink by themselves unless ttl or max_entries says so; the container's limit is next.""",
    fires={
        'cache_memory_bytes{kind="streamlit",cache="get_answer",cache_type="st_cache_data"}': "280000000"
    },
    quiet={
        'cache_memory_bytes{kind="streamlit",cache="get_answer",cache_type="st_cache_data"}': "250000000"
    },
    value=280000000,
)

_PYTHON = ("fastapi", "langflow", "ollama-integration")


def _descriptors(kinds: tuple[str, ...]) -> Alert:
    """Return the alert on file descriptors of the processes of *kinds*, at least one."""
    matcher = f'kind=~"{"|".join(kinds)}"'
    opened = f'process_open_fds{{kind="{kinds[0]}"}}'
    limit = f'process_max_fds{{kind="{kinds[0]}"}}'
    return Alert(
        name="WebFileDescriptorsNearLimit",
        severity=Severity.WARNING,
        expr=f"""max by (service) (
  last_over_time(process_open_fds{{{matcher}}}[3m])
  / last_over_time(process_max_fds{{{matcher}}}[3m])
)""",
        threshold=0.8,
        hold=timedelta(minutes=5),
        family="web-descriptors",
        board="tier",
        summary="{{ $labels.service }} uses {{ $value | humanizePercentage }} of its file descriptors",
        description="""{{ $labels.service }} has opened {{ $value | humanizePercentage }} of the files
            and sockets it may: connections leak. At the limit it takes no more requests.""",
        fires={opened: "860", limit: "1024"},
        quiet={opened: "780", limit: "1024"},
        value=860 / 1024,
    )


# Which kind brings which alerts.
_BY_KIND: tuple[tuple[str, tuple[Alert, ...]], ...] = (
    ("n8n", (N8N_FAILURES, N8N_QUEUE, N8N_EVENT_LOOP)),
    ("flowise", (FLOWISE_FAILURES, FLOWISE_EVENT_LOOP)),
    ("fastapi", (PILE_UP,)),
    ("streamlit", (CACHE_LARGE,)),
)


def app_alerts(catalog: Catalog) -> tuple[Alert, ...]:
    """Return the alerts of the kinds that *catalog* uses; empty if none."""
    own = [alert for kind, alerts in _BY_KIND if kind in catalog.kinds for alert in alerts]
    python = tuple(kind for kind in _PYTHON if kind in catalog.kinds)
    return (*own, *((_descriptors(python),) if python else ()))

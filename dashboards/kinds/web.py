"""Web applications: requests, errors, time, for each by the names that software gives them."""

from __future__ import annotations

from dashboards.builders import Ask, stat, timeseries
from dashboards.panels import ANY, UP, YES_NO, Panel, Row, above


def _process(prefix: str = "") -> Row:
    """Return the row of the process itself; Node's applications put a *prefix* before the names."""
    panels = [
        timeseries("process-memory", "Resident memory", "Memory the process holds.", f"max by (service) ({prefix}process_resident_memory_bytes{{<sel>}})", unit="bytes"),
        timeseries("process-cpu", "CPU", "CPU cores in use.", f"sum by (service) (rate({prefix}process_cpu_seconds_total{{<sel>}}[$__rate_interval]))", unit="none"),
    ]  # fmt: skip
    if prefix:
        panels.append(timeseries("process-lag", "Event loop lag", "p99: how long the single thread keeps everybody waiting.", f"max by (service) ({prefix}nodejs_eventloop_lag_p99_seconds{{<sel>}})", unit="s", steps=above(0.1, 1)))  # fmt: skip
    else:
        panels.append(timeseries("process-fds", "File descriptors", "Open as a share of the limit.", "max by (service) (process_open_fds{<sel>}) / max by (service) (process_max_fds{<sel>})", unit="percentunit", steps=above(0.8, 0.95)))  # fmt: skip
    return Row("Process", tuple(panels))


def _rate(key: str, metric: str, by: str) -> Panel:
    return timeseries(
        key, "Requests", f"Requests per second by {by}.",
        (f"sum by (service, {by}) (rate({metric}{{<sel>}}[$__rate_interval]))", f"{{{{service}}}} {{{{{by}}}}}"), unit="reqps",
    )  # fmt: skip


def _errors(key: str, metric: str, matcher: str) -> Panel:
    return timeseries(
        key, "Server errors", "Share of requests answered with a server error.",
        f"sum by (service) (rate({metric}{{<sel>, {matcher}}}[$__rate_interval])) / (sum by (service) (rate({metric}{{<sel>}}[$__rate_interval])) > 0)",
        unit="percentunit", steps=above(0.01, 0.05),
    )  # fmt: skip


def _time(key: str, metric: str, unit: str, warn: float, bad: float) -> Panel:
    asks: list[Ask] = [
        (f"histogram_quantile({q}, sum by (service, le) (rate({metric}_bucket{{<sel>}}[$__rate_interval])))", f"{{{{service}}}} {name}")
        for q, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    ]  # fmt: skip
    return timeseries(
        key, "Response time", "Half, 95 % and 99 % of requests are faster than this.", *asks,
        unit=unit, steps=above(warn, bad),
    )  # fmt: skip


ROWS = {
    "fastapi": (
        Row("Requests", (
            _rate("requests", "http_requests_total", "handler"),
            _errors("errors", "http_requests_total", 'status=~"5.."'),
            _time("time", "http_request_duration_seconds", "s", 1, 5),
        )),
        Row("The platform's own counters", (
            _rate("jarvis", "jarvis_requests_total", "endpoint"),
            _errors("jarvis-errors", "jarvis_requests_total", 'status_code=~"5.."'),
            _time("jarvis-time", "jarvis_latency_seconds", "s", 1, 5),
            _rate("api", "sutazai_api_requests_total", "endpoint"),
            _errors("api-errors", "sutazai_api_requests_total", 'status=~"5.."'),
            _time("api-time", "sutazai_api_request_duration_seconds", "s", 1, 5),
            timeseries("jarvis-kinds", "Errors by type", "Errors per second as the application counts them.",
                       ("sum by (service, error_type) (rate(jarvis_errors_total{<sel>}[$__rate_interval]))", "{{service}} {{error_type}}"), unit="cps", steps=above(0.01, 0.1)),
            timeseries("active", "In flight", "Requests being answered now.", "sum by (service) (sutazai_api_active_requests{<sel>})", unit="none", steps=above(50, 200)),
        )),
        _process(),
    ),
    "ollama-integration": (
        Row("Requests", (
            _rate("requests", "agent_request_total", "method"),
            _errors("errors", "agent_request_total", 'status=~"error|failed|5.."'),
            _time("time", "agent_processing_duration_seconds", "s", 10, 60),
            _time("queue", "agent_queue_latency_seconds", "s", 1, 10),
            timeseries("error-types", "Errors by type", "Errors per second.", ("sum by (service, error_type) (rate(agent_error_total{<sel>}[$__rate_interval]))", "{{service}} {{error_type}}"), unit="cps", steps=above(0.01, 0.1)),
            timeseries("active", "In flight", "Requests being worked on now.", "sum by (service) (agent_active_requests{<sel>})", unit="none", steps=above(10, 50)),
            stat("health", "Says it is healthy", "Its own word, which may differ from the verdict.", "min by (service) (agent_health_status{<sel>})", unit="none", steps=UP, words=YES_NO),
            stat("idle", "Since the last request", "Time since it was last asked anything.", "time() - max by (service) (agent_last_request_timestamp{<sel>})", unit="s"),
        )),
        _process(),
    ),
    "n8n": (
        Row("Workflows", (
            timeseries("workflows", "Executions", "Started, succeeded and failed per second; absent before the first one.",
                       ("sum by (service) (rate(n8n_workflow_started_total{<sel>}[$__rate_interval]))", "{{service}} started"),
                       ("sum by (service) (rate(n8n_workflow_success_total{<sel>}[$__rate_interval]))", "{{service}} succeeded"),
                       ("sum by (service) (rate(n8n_workflow_failed_total{<sel>}[$__rate_interval]))", "{{service}} failed"), unit="cps"),
            timeseries("failures", "Failed executions", "How many in the last hour.", "sum by (service) (increase(n8n_workflow_failed_total{<sel>}[1h]))", unit="none", steps=ANY),
            stat("active", "Active workflows", "Workflows that are switched on.", "max by (service) (n8n_active_workflow_count{<sel>})", unit="none"),
        )),
        Row("Queue and requests", (
            timeseries("queue", "Jobs", "Waiting and running, in queue mode.",
                       ("max by (service) (n8n_scaling_mode_queue_jobs_waiting{<sel>})", "{{service}} waiting"),
                       ("max by (service) (n8n_scaling_mode_queue_jobs_active{<sel>})", "{{service}} running"), unit="none", steps=above(50, 500)),
            timeseries("jobs-failed", "Jobs failed", "In the last hour, in queue mode.", "sum by (service) (increase(n8n_scaling_mode_queue_jobs_failed{<sel>}[1h]))", unit="none", steps=ANY),
            _time("time", "n8n_http_request_duration_seconds", "s", 1, 5),
        )),
        _process("n8n_"),
    ),
    "flowise": (
        Row("Requests", (
            timeseries("requests", "Requests", "Requests per second.", "sum by (service) (rate(http_requests_total{<sel>}[$__rate_interval]))", unit="reqps"),
            timeseries("errors", "Server errors", "Share of requests answered with 5xx.",
                       'sum by (service) (rate(http_request_duration_ms_count{<sel>, code=~"5.."}[$__rate_interval])) / (sum by (service) (rate(http_request_duration_ms_count{<sel>}[$__rate_interval])) > 0)', unit="percentunit", steps=above(0.01, 0.05)),
            _time("time", "http_request_duration_ms", "ms", 1000, 5000),
        )),
        Row("Predictions", (
            timeseries("chatflows", "Chatflows", "Predictions per second by outcome.",
                       ("sum by (service, status) (rate(chatflow_prediction_internal{<sel>}[$__rate_interval]))", "{{service}} from the UI, {{status}}"),
                       ("sum by (service, status) (rate(chatflow_prediction_external{<sel>}[$__rate_interval]))", "{{service}} by API, {{status}}"), unit="cps", width=12),
            timeseries("agentflows", "Agentflows", "Predictions per second by outcome.",
                       ("sum by (service, status) (rate(agentflow_prediction_internal{<sel>}[$__rate_interval]))", "{{service}} from the UI, {{status}}"),
                       ("sum by (service, status) (rate(agentflow_prediction_external{<sel>}[$__rate_interval]))", "{{service}} by API, {{status}}"), unit="cps", width=12),
        )),
        _process("flowise_"),
    ),
    "langflow": (_process(),),
    "tabbyml": (
        Row("Requests", (
            _rate("requests", "axum_http_requests_total", "endpoint"),
            _errors("errors", "axum_http_requests_total", 'status=~"5.."'),
            _time("time", "axum_http_requests_duration_seconds", "s", 1, 5),
            timeseries("pending", "In flight", "Requests being answered now, by endpoint.", ("sum by (service, endpoint) (axum_http_requests_pending{<sel>})", "{{service}} {{endpoint}}"), unit="none", steps=above(20, 100)),
        )),
    ),
}  # fmt: skip

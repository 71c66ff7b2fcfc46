"""Qdrant: collections, requests, what optimisation and recovery do. Its names have no prefix: the kind selects."""

from __future__ import annotations

from dashboards.builders import stat, timeseries
from dashboards.panels import ANY, Row, above

ROWS = {
    "qdrant": (
        Row("Collections", (
            stat("recovery", "Recovery mode", "1 while Qdrant only answers about collections, after it ran out of memory on start.", "max by (service) (app_status_recovery_mode{<sel>})", unit="none", steps=ANY),
            stat("collections", "Collections", "How many there are.", "max by (service) (collections_total{<sel>})", unit="none"),
            stat("vectors", "Vectors", "In all collections.", "max by (service) (collections_vector_total{<sel>})", unit="short"),
            timeseries("points", "Points", "Points per collection.", ("max by (service, id) (collection_points{<sel>})", "{{id}}"), unit="short", width=12),
        )),
        Row("Requests", (
            timeseries("rest", "REST requests", "Answers per second by endpoint.", ("sum by (service, endpoint) (rate(rest_responses_total{<sel>}[$__rate_interval]))", "{{endpoint}}"), unit="reqps"),
            timeseries("rest-errors", "REST server errors", "Share of answers with 5xx.",
                       'sum by (service) (rate(rest_responses_total{<sel>, status=~"5.."}[$__rate_interval])) / (sum by (service) (rate(rest_responses_total{<sel>}[$__rate_interval])) > 0)', unit="percentunit", steps=above(0.01, 0.05)),
            timeseries("rest-time", "REST response time", "Half and 95 % of requests are faster than this.",
                       ("histogram_quantile(0.5, sum by (service, le) (rate(rest_responses_duration_seconds_bucket{<sel>}[$__rate_interval])))", "{{service}} p50"),
                       ("histogram_quantile(0.95, sum by (service, le) (rate(rest_responses_duration_seconds_bucket{<sel>}[$__rate_interval])))", "{{service}} p95"), unit="s", steps=above(0.5, 2)),
            timeseries("grpc", "gRPC requests", "Answers per second by endpoint.", ("sum by (service, endpoint) (rate(grpc_responses_total{<sel>}[$__rate_interval]))", "{{endpoint}}"), unit="reqps"),
            timeseries("grpc-time", "gRPC response time", "95 % of requests are faster than this.", ("histogram_quantile(0.95, sum by (service, le) (rate(grpc_responses_duration_seconds_bucket{<sel>}[$__rate_interval])))", "{{service}} p95"), unit="s", steps=above(0.5, 2)),
        )),
        Row("Work inside", (
            timeseries("optimizations", "Optimisations running", "Index builds and merges; searches are slower meanwhile.", ("max by (service, id) (collection_running_optimizations{<sel>})", "{{id}}"), unit="none", steps=above(4, 16)),
            timeseries("queue", "Update queue", "Operations waiting to be applied.", ("max by (service, id) (collection_update_queue_length{<sel>})", "{{id}}"), unit="short", steps=above(1000, 10000)),
            timeseries("memory", "Memory", "Allocated and resident.",
                       ("max by (service) (memory_allocated_bytes{<sel>})", "{{service}} allocated"),
                       ("max by (service) (memory_resident_bytes{<sel>})", "{{service}} resident"), unit="bytes"),
            timeseries("fds", "File descriptors", "Open as a share of the limit; every segment needs some.",
                       "max by (service) (process_open_fds{<sel>}) / max by (service) (process_max_fds{<sel>})", unit="percentunit", steps=above(0.8, 0.95)),
        )),
    ),
}  # fmt: skip

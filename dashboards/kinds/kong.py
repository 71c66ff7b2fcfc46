"""Kong: traffic by route, where time is spent, what the upstreams say. Its own `service` label becomes `exported_service`."""

from __future__ import annotations

from dashboards.builders import stat, timeseries
from dashboards.panels import UP, YES_NO, Row, above

ROWS = {
    "kong": (
        Row("Gateway", (
            stat("datastore", "Datastore", "Whether Kong reaches its datastore.", "min by (service) (kong_datastore_reachable{<sel>})", unit="none", steps=UP, words=YES_NO),
            timeseries("requests", "Requests", "Requests per second by route; the prometheus plugin must export status codes.",
                       ("sum by (service, route) (rate(kong_http_requests_total{<sel>}[$__rate_interval]))", "{{route}}"), unit="reqps", width=10),
            timeseries("errors", "Server errors", "Share of requests answered with 5xx, by route.",
                       ('sum by (service, route) (rate(kong_http_requests_total{<sel>, code=~"5.."}[$__rate_interval])) / (sum by (service, route) (rate(kong_http_requests_total{<sel>}[$__rate_interval])) > 0)', "{{route}}"),
                       unit="percentunit", steps=above(0.01, 0.05), width=10),
        )),
        Row("Time", (
            timeseries("latency", "Whole request", "From the first byte in to the last byte out.",
                       ("histogram_quantile(0.5, sum by (service, le) (rate(kong_request_latency_ms_bucket{<sel>}[$__rate_interval])))", "{{service}} p50"),
                       ("histogram_quantile(0.95, sum by (service, le) (rate(kong_request_latency_ms_bucket{<sel>}[$__rate_interval])))", "{{service}} p95"), unit="ms", steps=above(1000, 5000)),
            timeseries("upstream", "Upstream", "What the services behind Kong took, p95 by route.",
                       ("histogram_quantile(0.95, sum by (service, route, le) (rate(kong_upstream_latency_ms_bucket{<sel>}[$__rate_interval])))", "{{route}}"), unit="ms", steps=above(1000, 5000)),
            timeseries("own", "Kong itself", "What Kong and its plugins added, p95.",
                       ("histogram_quantile(0.95, sum by (service, le) (rate(kong_kong_latency_ms_bucket{<sel>}[$__rate_interval])))", "{{service}} p95"), unit="ms", steps=above(50, 200)),
        )),
        Row("Upstreams and resources", (
            timeseries("targets", "Unhealthy targets", "Upstream targets that Kong's own checks hold for unhealthy or cannot resolve.",
                       ('sum by (service, upstream, target) (kong_upstream_target_health{<sel>, state=~"unhealthy|dns_error"})', "{{upstream}} {{target}}"), unit="none", steps=above(0.5, 1)),
            timeseries("bandwidth", "Bandwidth", "Bytes per second, in and out.",
                       ("sum by (service, direction) (rate(kong_bandwidth_bytes{<sel>}[$__rate_interval]))", "{{service}} {{direction}}"), unit="Bps"),
            timeseries("connections", "Connections", "nginx connections by state.", ("sum by (service, state) (kong_nginx_connections_total{<sel>})", "{{service}} {{state}}"), unit="none"),
            timeseries("dict", "Shared memory", "Fullest shared dictionaries, as a share of their size.",
                       ("topk(5, max by (service, shared_dict) (kong_memory_lua_shared_dict_bytes{<sel>}) / max by (service, shared_dict) (kong_memory_lua_shared_dict_total_bytes{<sel>}))", "{{shared_dict}}"), unit="percentunit", steps=above(0.8, 0.95)),
            timeseries("plugin-errors", "Plugin errors", "Errors while collecting these metrics.", "sum by (service) (rate(kong_nginx_metric_errors_total{<sel>}[$__rate_interval]))", unit="cps", steps=above(0.001, 0.1)),
        )),
    ),
}  # fmt: skip

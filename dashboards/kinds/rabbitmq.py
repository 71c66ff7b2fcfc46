"""RabbitMQ: what waits, who consumes, what blocks publishers. `/metrics` is aggregated: there is no queue label."""

from __future__ import annotations

from dashboards.builders import stat, timeseries
from dashboards.panels import ANY, Row, above, below

ROWS = {
    "rabbitmq": (
        Row("Alarms", (
            stat("alarm-memory", "Memory alarm", "1 while publishers are blocked for want of memory.", "max by (service) (rabbitmq_alarms_memory_used_watermark{<sel>})", unit="none", steps=ANY),
            stat("alarm-disk", "Disk alarm", "1 while publishers are blocked for want of disk space.", "max by (service) (rabbitmq_alarms_free_disk_space_watermark{<sel>})", unit="none", steps=ANY),
            stat("consumers", "Consumers", "Consumers connected now.", "sum by (service) (rabbitmq_consumers{<sel>})", unit="none"),
            stat("queues", "Queues", "Queues that exist now.", "sum by (service) (rabbitmq_queues{<sel>})", unit="none"),
            stat("uptime", "Uptime", "Time since the node started.", "min by (service) (rabbitmq_erlang_uptime_seconds{<sel>})", unit="s"),
        )),
        Row("Messages", (
            timeseries("ready", "Messages waiting", "Ready for a consumer, and delivered but not acknowledged.",
                       ("sum by (service) (rabbitmq_queue_messages_ready{<sel>})", "{{service}} ready"),
                       ("sum by (service) (rabbitmq_queue_messages_unacked{<sel>})", "{{service}} unacknowledged"), unit="short", stacked=True),
            timeseries("flow", "Flow", "Received from publishers, routed, delivered and acknowledged, per second.",
                       ("sum by (service) (rate(rabbitmq_global_messages_received_total{<sel>}[$__rate_interval]))", "{{service}} received"),
                       ("sum by (service) (rate(rabbitmq_global_messages_routed_total{<sel>}[$__rate_interval]))", "{{service}} routed"),
                       ("sum by (service) (rate(rabbitmq_global_messages_delivered_total{<sel>}[$__rate_interval]))", "{{service}} delivered"),
                       ("sum by (service) (rate(rabbitmq_global_messages_acknowledged_total{<sel>}[$__rate_interval]))", "{{service}} acknowledged"), unit="cps"),
            timeseries("lost", "Dropped and redelivered", "Messages nobody had bound a queue for, and those delivered again.",
                       ("sum by (service) (rate(rabbitmq_global_messages_unroutable_dropped_total{<sel>}[$__rate_interval]))", "{{service}} unroutable"),
                       ("sum by (service) (rate(rabbitmq_global_messages_redelivered_total{<sel>}[$__rate_interval]))", "{{service}} redelivered"), unit="cps", steps=above(0.1, 1)),
            timeseries("dead", "Dead letters", "Rejected and expired messages per second.",
                       ("sum by (service) (rate(rabbitmq_global_messages_dead_lettered_rejected_total{<sel>}[$__rate_interval]))", "{{service}} rejected"),
                       ("sum by (service) (rate(rabbitmq_global_messages_dead_lettered_expired_total{<sel>}[$__rate_interval]))", "{{service}} expired"), unit="cps", steps=above(0.1, 1)),
            timeseries("publishers", "Publishers and consumers", "Connected at this moment.",
                       ("sum by (service) (rabbitmq_global_publishers{<sel>})", "{{service}} publishers"),
                       ("sum by (service) (rabbitmq_global_consumers{<sel>})", "{{service}} consumers"), unit="none"),
            timeseries("churn", "Connection churn", "Connections opened and closed per second; clients should keep theirs.",
                       ("sum by (service) (rate(rabbitmq_connections_opened_total{<sel>}[$__rate_interval]))", "{{service}} opened"),
                       ("sum by (service) (rate(rabbitmq_connections_closed_total{<sel>}[$__rate_interval]))", "{{service}} closed"), unit="cps", steps=above(1, 10)),
        )),
        Row("Resources", (
            timeseries("memory", "Memory of the limit", "Resident memory as a share of the high watermark; at 100 % publishers are blocked.",
                       "max by (service) (rabbitmq_process_resident_memory_bytes{<sel>}) / max by (service) (rabbitmq_resident_memory_limit_bytes{<sel>})", unit="percentunit", steps=above(0.8, 0.95)),
            timeseries("disk", "Disk space above the limit", "Free space as a multiple of the limit; at 1 publishers are blocked.",
                       "min by (service) (rabbitmq_disk_space_available_bytes{<sel>}) / max by (service) (rabbitmq_disk_space_available_limit_bytes{<sel>})", unit="none", steps=below(3, 1.2)),
            timeseries("fds", "File descriptors", "Open as a share of the limit.",
                       "max by (service) (rabbitmq_process_open_fds{<sel>}) / max by (service) (rabbitmq_process_max_fds{<sel>})", unit="percentunit", steps=above(0.8, 0.95)),
            timeseries("processes", "Erlang processes", "In use as a share of the limit.",
                       "max by (service) (rabbitmq_erlang_processes_used{<sel>}) / max by (service) (rabbitmq_erlang_processes_limit{<sel>})", unit="percentunit", steps=above(0.8, 0.95)),
            timeseries("run-queue", "Run queue", "Erlang processes waiting for a scheduler.", "max by (service) (rabbitmq_erlang_scheduler_run_queue{<sel>})", unit="none", steps=above(10, 100)),
            timeseries("auth", "Failed logins", "Failed authentication attempts in the last five minutes.", "sum by (service) (increase(rabbitmq_auth_attempts_failed_total{<sel>}[5m]))", unit="none", steps=ANY),
        )),
    ),
}  # fmt: skip

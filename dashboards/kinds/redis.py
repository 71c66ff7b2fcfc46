"""Redis: memory against its limit, clients, hits, what is evicted or refused, persistence, streams."""

from __future__ import annotations

from dashboards.builders import stat, timeseries
from dashboards.panels import ANY, UP, YES_NO, Row, above, below

ROWS = {
    "redis": (
        Row("Redis", (
            stat("up", "Answers", "Whether Redis answered the exporter.", "min by (service) (redis_up{<sel>})", unit="none", steps=UP, words=YES_NO),
            stat("snapshot", "Last snapshot", "Whether the last RDB snapshot succeeded; writes are refused while it does not.",
                 "min by (service) (redis_rdb_last_bgsave_status{<sel>})", unit="none", steps=UP, words=YES_NO),
            timeseries("memory-ratio", "Memory of the limit", "Used memory as a share of maxmemory. With an allkeys policy, full is normal: watch evictions instead. Absent without a limit.",
                       "max by (service) (redis_memory_used_bytes{<sel>}) / (max by (service) (redis_memory_max_bytes{<sel>}) > 0)", unit="percentunit", steps=above(0.9, 1)),
            timeseries("memory", "Memory", "Memory of the data and of the process; the gap is fragmentation.",
                       ("max by (service) (redis_memory_used_bytes{<sel>})", "{{service}} used"),
                       ("max by (service) (redis_memory_used_rss_bytes{<sel>})", "{{service}} resident"), unit="bytes"),
        )),
        Row("Work", (
            timeseries("commands", "Commands", "Commands per second.", "sum by (service) (rate(redis_commands_processed_total{<sel>}[$__rate_interval]))", unit="ops"),
            timeseries("latency", "Time per command", "Average time of the ten slowest commands.",
                       ("topk(10, sum by (service, cmd) (rate(redis_commands_duration_seconds_total{<sel>}[$__rate_interval])) / (sum by (service, cmd) (rate(redis_commands_total{<sel>}[$__rate_interval])) > 0))", "{{service}} {{cmd}}"),
                       unit="s", steps=above(0.01, 0.1)),
            timeseries("hits", "Hit ratio", "Share of lookups that found a key.",
                       "sum by (service) (rate(redis_keyspace_hits_total{<sel>}[$__rate_interval])) / (sum by (service) (rate(redis_keyspace_hits_total{<sel>}[$__rate_interval]) + rate(redis_keyspace_misses_total{<sel>}[$__rate_interval])) > 0)",
                       unit="percentunit", steps=below(0.8, 0.5), maximum=1),
            timeseries("clients", "Clients", "Connected, and waiting in a blocking call.",
                       ("max by (service) (redis_connected_clients{<sel>})", "{{service}} connected"),
                       ("max by (service) (redis_blocked_clients{<sel>})", "{{service}} blocked"),
                       ("max by (service) (redis_config_maxclients{<sel>})", "{{service}} limit"), unit="none"),
            timeseries("keys", "Keys", "Keys per database, and those that will expire.",
                       ("sum by (service, db) (redis_db_keys{<sel>})", "{{service}} {{db}}"),
                       ("sum by (service, db) (redis_db_keys_expiring{<sel>})", "{{service}} {{db}} expiring"), unit="short"),
            timeseries("network", "Network", "Bytes received and sent per second.",
                       ("sum by (service) (rate(redis_net_input_bytes_total{<sel>}[$__rate_interval]))", "{{service}} in"),
                       ("sum by (service) (rate(redis_net_output_bytes_total{<sel>}[$__rate_interval]))", "{{service}} out"), unit="Bps"),
        )),
        Row("Trouble", (
            timeseries("evicted", "Keys evicted", "Thrown out for want of memory, per second.", "sum by (service) (rate(redis_evicted_keys_total{<sel>}[$__rate_interval]))", unit="cps", steps=above(1, 100)),
            timeseries("rejected", "Connections refused", "Refused because of maxclients, in the last five minutes.", "sum by (service) (increase(redis_rejected_connections_total{<sel>}[5m]))", unit="none", steps=ANY),
            timeseries("fragmentation", "Fragmentation", "Resident per used memory: above 1.5 memory is wasted, below 1 it is swapped out.",
                       "max by (service) (redis_mem_fragmentation_ratio{<sel>})", unit="none", steps=above(1.5, 3)),
            timeseries("slow", "Slow log", "Entries in the slow log.", "max by (service) (redis_slowlog_length{<sel>})", unit="none", steps=above(64, 128)),
            timeseries("unsaved", "Unsaved changes", "Writes since the last snapshot: lost if the server dies now and there is no append-only file.",
                       "max by (service) (redis_rdb_changes_since_last_save{<sel>})", unit="short"),
            timeseries("saved", "Since the last snapshot", "Time since the last snapshot succeeded.", "time() - max by (service) (redis_rdb_last_save_timestamp_seconds{<sel>})", unit="s", steps=above(86400, 172800)),
        )),
        Row("Streams", (
            timeseries("stream-length", "Stream length", "Messages in the streams that are watched.", ("max by (service, stream) (redis_stream_length{<sel>})", "{{service}} {{stream}}"), unit="short"),
            timeseries("stream-pending", "Pending", "Delivered to a consumer group and not acknowledged.",
                       ("max by (service, stream, group) (redis_stream_group_messages_pending{<sel>})", "{{stream}} {{group}}"), unit="short", steps=above(1000, 10000)),
            timeseries("stream-consumers", "Consumers", "Consumers of each group; none means nobody works.",
                       ("max by (service, stream, group) (redis_stream_group_consumers{<sel>})", "{{stream}} {{group}}"), unit="none", steps=UP),
        ), collapsed=True),
    ),
}  # fmt: skip

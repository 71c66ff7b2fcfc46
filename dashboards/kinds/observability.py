"""The watchers themselves: Prometheus, Alertmanager, Loki, Promtail, Grafana, node exporter, cAdvisor."""

from __future__ import annotations

from dashboards.builders import stat, timeseries
from dashboards.panels import ANY, UP, YES_NO, Row, above, below

_R = "[$__rate_interval]"

ROWS = {
    "prometheus": (
        Row("Configuration and rules", (
            stat("reload", "Configuration loaded", "Whether the last reload succeeded; otherwise the old configuration runs on.", "min by (service) (prometheus_config_last_reload_successful{<sel>})", unit="none", steps=UP, words=YES_NO),
            stat("alertmanagers", "Alertmanagers", "Alertmanagers found; with none every alert is lost.", "min by (service) (prometheus_notifications_alertmanagers_discovered{<sel>})", unit="none", steps=UP),
            timeseries("rule-failures", "Rule failures", "Evaluations that failed in the last five minutes, by group.", ("sum by (service, rule_group) (increase(prometheus_rule_evaluation_failures_total{<sel>}[5m])) > 0", "{{rule_group}}"), unit="none", steps=ANY),
            timeseries("rule-time", "Rule groups, share of their interval", "How much of its interval each of the five slowest groups needs; above 1 evaluations are skipped.",
                       ("topk(5, max by (service, rule_group) (prometheus_rule_group_last_duration_seconds{<sel>} / prometheus_rule_group_interval_seconds{<sel>}))", "{{rule_group}}"), unit="percentunit", steps=above(0.5, 1)),
        )),
        Row("Samples", (
            timeseries("samples", "Samples per second", "Appended to the head.", f"sum by (service) (rate(prometheus_tsdb_head_samples_appended_total{{<sel>}}{_R}))", unit="cps"),
            timeseries("series", "Series", "Active series in the head; a steep rise is a label that should not be one.", "max by (service) (prometheus_tsdb_head_series{<sel>})", unit="short"),
            timeseries("churn", "New series", "Series created per second.", f"sum by (service) (rate(prometheus_tsdb_head_series_created_total{{<sel>}}{_R}))", unit="cps", steps=above(50, 500)),
            timeseries("rejected", "Rejected scrapes and samples", "Over a limit, twice the same moment, out of order; per second.",
                       (f"sum by (service) (rate(prometheus_target_scrapes_exceeded_sample_limit_total{{<sel>}}{_R}))", "over the sample limit"),
                       (f"sum by (service) (rate(prometheus_target_scrapes_sample_duplicate_timestamp_total{{<sel>}}{_R}))", "duplicate"),
                       (f"sum by (service) (rate(prometheus_target_scrapes_sample_out_of_order_total{{<sel>}}{_R}))", "out of order"), unit="cps", steps=above(0.01, 1)),
            timeseries("size", "Storage", "Blocks and write-ahead log on disk, and the limit.",
                       ("max by (service) (prometheus_tsdb_storage_blocks_bytes{<sel>})", "{{service}} blocks"),
                       ("max by (service) (prometheus_tsdb_wal_storage_size_bytes{<sel>})", "{{service}} WAL"),
                       ("max by (service) (prometheus_tsdb_retention_limit_bytes{<sel>})", "{{service}} limit"), unit="bytes"),
            timeseries("reach", "History kept", "Age of the oldest sample.", "time() - max by (service) (prometheus_tsdb_lowest_timestamp_seconds{<sel>} / 1000)", unit="s"),
        )),
        Row("Trouble", (
            timeseries("tsdb", "Storage failures", "Compactions, WAL writes, checkpoints that failed, and corruptions, in the last hour.",
                       ("sum by (service) (increase(prometheus_tsdb_compactions_failed_total{<sel>}[1h]))", "compactions"),
                       ("sum by (service) (increase(prometheus_tsdb_wal_writes_failed_total{<sel>}[1h]))", "WAL writes"),
                       ("sum by (service) (increase(prometheus_tsdb_checkpoint_creations_failed_total{<sel>}[1h]))", "checkpoints"),
                       ("sum by (service) (increase(prometheus_tsdb_wal_corruptions_total{<sel>}[1h]))", "corruptions"), unit="none", steps=ANY),
            timeseries("notifications", "Notifications lost", "Dropped, and errors while sending to Alertmanager, per second.",
                       (f"sum by (service) (rate(prometheus_notifications_dropped_total{{<sel>}}{_R}))", "dropped"),
                       (f"sum by (service, alertmanager) (rate(prometheus_notifications_errors_total{{<sel>}}{_R}))", "errors {{alertmanager}}"), unit="cps", steps=above(0.001, 0.1)),
            timeseries("queries", "Query time", "99 % of query parts are faster.", ('max by (service, slice) (prometheus_engine_query_duration_seconds{<sel>, quantile="0.99"})', "{{slice}}"), unit="s", steps=above(5, 30)),
            timeseries("memory", "Memory", "Memory the process holds in RAM.", "max by (service) (process_resident_memory_bytes{<sel>})", unit="bytes"),
        )),
    ),
    "alertmanager": (
        Row("Alerts", (
            stat("reload", "Configuration loaded", "Whether the last reload succeeded.", "min by (service) (alertmanager_config_last_reload_successful{<sel>})", unit="none", steps=UP, words=YES_NO),
            timeseries("alerts", "Alerts", "Held now, by state.", ("sum by (service, state) (alertmanager_alerts{<sel>})", "{{service}} {{state}}"), unit="none"),
            timeseries("received", "Received", "Alerts received per second, by status.", (f"sum by (service, status) (rate(alertmanager_alerts_received_total{{<sel>}}{_R}))", "{{service}} {{status}}"), unit="cps"),
            stat("silences", "Active silences", "Silences in force now.", 'sum by (service) (alertmanager_silences{<sel>, state="active"})', unit="none"),
        )),
        Row("Notifications", (
            timeseries("sent", "Sent", "Notifications per second, by way.", (f"sum by (service, integration) (rate(alertmanager_notifications_total{{<sel>}}{_R}))", "{{integration}}"), unit="cps"),
            timeseries("failed", "Failed", "Share of notifications that failed, by way.",
                       (f"sum by (service, integration) (rate(alertmanager_notifications_failed_total{{<sel>}}{_R})) / (sum by (service, integration) (rate(alertmanager_notifications_total{{<sel>}}{_R})) > 0)", "{{integration}}"), unit="percentunit", steps=above(0.01, 0.1)),
            timeseries("latency", "Time to send", "95 % of notifications leave faster than this, by way.", (f"histogram_quantile(0.95, sum by (service, integration, le) (rate(alertmanager_notification_latency_seconds_bucket{{<sel>}}{_R})))", "{{integration}}"), unit="s", steps=above(5, 30)),
            timeseries("invalid", "Invalid alerts", "Refused in the last hour.", "sum by (service) (increase(alertmanager_alerts_invalid_total{<sel>}[1h]))", unit="none", steps=ANY),
            timeseries("groups", "Groups", "Aggregation groups; a jump means alerts no longer group.", "max by (service) (alertmanager_dispatcher_aggregation_groups{<sel>})", unit="none"),
        )),
    ),
    "loki": (
        Row("Lines in", (
            timeseries("lines", "Lines", "Received per second.", f"sum by (service) (rate(loki_distributor_lines_received_total{{<sel>}}{_R}))", unit="cps"),
            timeseries("bytes", "Bytes", "Received per second.", f"sum by (service) (rate(loki_distributor_bytes_received_total{{<sel>}}{_R}))", unit="Bps"),
            timeseries("discarded", "Discarded", "Lines refused per second, by reason.", (f"sum by (service, reason) (rate(loki_discarded_samples_total{{<sel>}}{_R}))", "{{reason}}"), unit="cps", steps=above(0.01, 1)),
            timeseries("streams", "Streams", "Active streams; a steep rise is a log label that should not be one.", "sum by (service) (loki_ingester_memory_streams{<sel>})", unit="short", steps=above(2000, 5000)),
        )),
        Row("Requests", (
            timeseries("requests", "Requests", "Per second, by route.", (f"sum by (service, route) (rate(loki_request_duration_seconds_count{{<sel>}}{_R}))", "{{route}}"), unit="reqps"),
            timeseries("errors", "Server errors", "Share of requests answered with 5xx, by route.",
                       (f'sum by (service, route) (rate(loki_request_duration_seconds_count{{<sel>, status_code=~"5.."}}{_R})) / (sum by (service, route) (rate(loki_request_duration_seconds_count{{<sel>}}{_R})) > 0)', "{{route}}"), unit="percentunit", steps=above(0.01, 0.1)),
            timeseries("time", "Query time", "p95 by type of query.", (f"histogram_quantile(0.95, sum by (service, query_type, le) (rate(logql_query_duration_seconds_bucket{{<sel>}}{_R})))", "{{query_type}}"), unit="s", steps=above(5, 30)),
        )),
        Row("Storage and rules", (
            timeseries("flush", "Chunks flushed", "Per second by reason; `full` is good, `idle` means sparse streams.", (f"sum by (service, reason) (rate(loki_ingester_chunks_flushed_total{{<sel>}}{_R}))", "{{reason}}"), unit="cps"),
            timeseries("flush-failures", "Flush failures and panics", "How many in the last hour.",
                       ("sum by (service) (increase(loki_ingester_chunks_flush_failures_total{<sel>}[1h]))", "flush failures"),
                       ("sum by (service) (increase(loki_panic_total{<sel>}[1h]))", "panics"),
                       ("sum by (service) (increase(loki_ingester_wal_disk_full_failures_total{<sel>}[1h]))", "disk full"), unit="none", steps=ANY),
            timeseries("retention", "Since retention last ran", "Old lines are deleted by the compactor; when it stands still the disk fills.", "time() - max by (service) (loki_compactor_apply_retention_last_successful_run_timestamp_seconds{<sel>})", unit="s", steps=above(7200, 86400)),
            timeseries("rules", "Rule failures", "Failed evaluations of LogQL rules in the last five minutes.", ("sum by (service, rule_group) (increase(loki_prometheus_rule_evaluation_failures_total{<sel>}[5m]))", "{{rule_group}}"), unit="none", steps=ANY),
        )),
    ),
    "promtail": (
        Row("Lines", (
            timeseries("docker", "Read from Docker", "Lines per second.", f"sum by (service) (rate(promtail_docker_target_entries_total{{<sel>}}{_R}))", unit="cps"),
            timeseries("sent", "Sent to Loki", "Lines per second.", f"sum by (service) (rate(promtail_sent_entries_total{{<sel>}}{_R}))", unit="cps"),
            timeseries("dropped", "Dropped", "Lines lost per second, by reason.", (f"sum by (service, reason) (rate(promtail_dropped_entries_total{{<sel>}}{_R}))", "{{reason}}"), unit="cps", steps=above(0.01, 1)),
            timeseries("targets", "Targets", "Containers that are read now.", "sum by (service) (promtail_targets_active_total{<sel>})", unit="none", steps=UP),
            timeseries("requests", "Time to send", "p95 of pushes to Loki.", f"histogram_quantile(0.95, sum by (service, le) (rate(promtail_request_duration_seconds_bucket{{<sel>}}{_R})))", unit="s", steps=above(1, 10)),
            timeseries("parsing", "Parsing errors and retries", "In the last five minutes.",
                       ("sum by (service) (increase(promtail_docker_target_parsing_errors_total{<sel>}[5m]))", "parsing errors"),
                       ("sum by (service) (increase(promtail_batch_retries_total{<sel>}[5m]))", "retries"), unit="none", steps=ANY),
        )),
    ),
    "grafana": (
        Row("Grafana", (
            timeseries("requests", "Requests", "Per second, by status.", (f"sum by (service, status_code) (rate(grafana_http_request_duration_seconds_count{{<sel>}}{_R}))", "{{status_code}}"), unit="reqps"),
            timeseries("time", "Response time", "95 % of requests are faster than this.", f"histogram_quantile(0.95, sum by (service, le) (rate(grafana_http_request_duration_seconds_bucket{{<sel>}}{_R})))", unit="s", steps=above(1, 5)),
            timeseries("sources", "Data source errors", "Requests to data sources per second that were not answered with 200.",
                       (f'sum by (service, datasource, code) (rate(grafana_datasource_request_total{{<sel>, code!~"2.."}}{_R}))', "{{datasource}} {{code}}"), unit="reqps", steps=above(0.01, 0.1)),
            timeseries("source-time", "Data source time", "p95 by data source.", (f"histogram_quantile(0.95, sum by (service, datasource, le) (rate(grafana_datasource_request_duration_seconds_bucket{{<sel>}}{_R})))", "{{datasource}}"), unit="s", steps=above(5, 30)),
            stat("boards", "Boards", "Dashboards Grafana knows; compare with what was provisioned.", "max by (service) (grafana_stat_totals_dashboard{<sel>})", unit="none"),
            stat("users", "Active users", "In the last 30 days.", "max by (service) (grafana_stat_active_users{<sel>})", unit="none"),
            timeseries("memory", "Memory", "Memory the process holds in RAM.", "max by (service) (process_resident_memory_bytes{<sel>})", unit="bytes"),
        )),
    ),
    "node-exporter": (
        Row("Load", (
            timeseries("cpu", "CPU", "Share of all cores, by what they do.",
                       (f'sum by (service, mode) (rate(node_cpu_seconds_total{{<sel>, mode!="idle"}}{_R})) / on (service) group_left () count by (service) (node_cpu_seconds_total{{<sel>, mode="idle"}})', "{{mode}}"), unit="percentunit", stacked=True, maximum=1),
            timeseries("load", "Load", "Running and waiting processes, averaged.",
                       ("max by (service) (node_load1{<sel>})", "1 min"), ("max by (service) (node_load5{<sel>})", "5 min"), ("max by (service) (node_load15{<sel>})", "15 min"), unit="none"),
            timeseries("pressure", "Pressure", "Share of time in which something waited for CPU, memory or disk.",
                       (f"max by (service) (rate(node_pressure_cpu_waiting_seconds_total{{<sel>}}{_R}))", "CPU"),
                       (f"max by (service) (rate(node_pressure_memory_waiting_seconds_total{{<sel>}}{_R}))", "memory"),
                       (f"max by (service) (rate(node_pressure_io_waiting_seconds_total{{<sel>}}{_R}))", "disk"), unit="percentunit", steps=above(0.2, 0.5)),
        )),
        Row("Memory", (
            timeseries("memory", "Memory", "Total and available.",
                       ("max by (service) (node_memory_MemTotal_bytes{<sel>})", "total"), ("max by (service) (node_memory_MemAvailable_bytes{<sel>})", "available"), ("max by (service) (node_memory_Cached_bytes{<sel>})", "cached"), unit="bytes"),
            timeseries("swap", "Swap used", "Share of swap in use.", "1 - max by (service) (node_memory_SwapFree_bytes{<sel>}) / (max by (service) (node_memory_SwapTotal_bytes{<sel>}) > 0)", unit="percentunit", steps=above(0.5, 0.8)),
            timeseries("faults", "Major page faults", "Per second: pages that had to come from disk.", f"max by (service) (rate(node_vmstat_pgmajfault{{<sel>}}{_R}))", unit="cps", steps=above(100, 1000)),
        )),
        Row("Disks", (
            timeseries("disk", "Disk used", "Share in use, by mount point.",
                       ('1 - max by (service, mountpoint) (node_filesystem_avail_bytes{<sel>, fstype!~"tmpfs|overlay|squashfs|ramfs"}) / max by (service, mountpoint) (node_filesystem_size_bytes{<sel>, fstype!~"tmpfs|overlay|squashfs|ramfs"})', "{{mountpoint}}"), unit="percentunit", steps=above(0.8, 0.9), maximum=1),
            timeseries("inodes", "Inodes used", "Share in use, by mount point.",
                       ('1 - max by (service, mountpoint) (node_filesystem_files_free{<sel>, fstype!~"tmpfs|overlay|squashfs|ramfs"}) / (max by (service, mountpoint) (node_filesystem_files{<sel>, fstype!~"tmpfs|overlay|squashfs|ramfs"}) > 0)', "{{mountpoint}}"), unit="percentunit", steps=above(0.8, 0.9), maximum=1),
            timeseries("busy", "Disk busy", "Share of time each disk was working.", (f"max by (service, device) (rate(node_disk_io_time_seconds_total{{<sel>}}{_R}))", "{{device}}"), unit="percentunit", steps=above(0.7, 0.95), maximum=1),
            timeseries("throughput", "Disk throughput", "Bytes read and written per second.",
                       (f"sum by (service, device) (rate(node_disk_read_bytes_total{{<sel>}}{_R}))", "{{device}} read"), (f"sum by (service, device) (rate(node_disk_written_bytes_total{{<sel>}}{_R}))", "{{device}} written"), unit="Bps"),
        )),
        Row("Network, clock, limits", (
            timeseries("network", "Network", "Bytes per second by device.",
                       (f'sum by (service, device) (rate(node_network_receive_bytes_total{{<sel>, device!~"lo|veth.*"}}{_R}))', "{{device}} in"), (f'sum by (service, device) (rate(node_network_transmit_bytes_total{{<sel>, device!~"lo|veth.*"}}{_R}))', "{{device}} out"), unit="Bps"),
            timeseries("network-errors", "Network errors", "Per second by device.",
                       (f'sum by (service, device) (rate(node_network_receive_errs_total{{<sel>, device!~"lo|veth.*"}}{_R}))', "{{device}} in"), (f'sum by (service, device) (rate(node_network_transmit_errs_total{{<sel>, device!~"lo|veth.*"}}{_R}))', "{{device}} out"), unit="cps", steps=above(0.1, 10)),
            timeseries("clock", "Clock offset", "Difference from the time server.", "max by (service) (abs(node_timex_offset_seconds{<sel>}))", unit="s", steps=above(0.05, 0.5)),
            timeseries("conntrack", "Connection table", "Entries as a share of the limit.", "max by (service) (node_nf_conntrack_entries{<sel>}) / max by (service) (node_nf_conntrack_entries_limit{<sel>})", unit="percentunit", steps=above(0.75, 0.9)),
            timeseries("fds", "File descriptors", "Allocated as a share of the limit.", "max by (service) (node_filefd_allocated{<sel>}) / max by (service) (node_filefd_maximum{<sel>})", unit="percentunit", steps=above(0.7, 0.9)),
        )),
    ),
    "cadvisor": (
        # Container series carry the service they speak of, so `<sel>` (this kind) fits only cAdvisor's own.
        Row("The machine as cAdvisor sees it", (
            stat("cores", "Cores", "CPU cores of the host.", "max by (service) (machine_cpu_cores{<sel>})", unit="none"),
            stat("memory", "Memory", "Memory of the host.", "max by (service) (machine_memory_bytes{<sel>})", unit="bytes"),
            stat("errors", "Errors", "1 when the last collection of containers failed.", "max by (service) (container_scrape_error{<sel>})", unit="none", steps=ANY),
            timeseries("own-memory", "cAdvisor's own memory", "Memory the process holds in RAM.", "max by (service) (process_resident_memory_bytes{<sel>})", unit="bytes"),
            timeseries("own-cpu", "cAdvisor's own CPU", "Cores in use; cAdvisor is known to be greedy.", f"sum by (service) (rate(process_cpu_seconds_total{{<sel>}}{_R}))", unit="none", steps=above(0.3, 0.5)),
        )),
        Row("All containers, heaviest first", (
            timeseries("heavy-memory", "Memory", "The fifteen containers with the largest working set.", "topk(15, sum by (service) (container_memory_working_set_bytes{}))", unit="bytes", width=12),
            timeseries("heavy-cpu", "CPU", "The fifteen containers that use most cores.", f"topk(15, sum by (service) (rate(container_cpu_usage_seconds_total{{}}{_R})))", unit="none", width=12),
            timeseries("heavy-disk", "Disk", "The fifteen containers that write most bytes per second.", f"topk(15, sum by (service) (rate(container_fs_writes_bytes_total{{}}{_R})))", unit="Bps", width=12),
            timeseries("threads", "Threads of the limit", "Share of the allowed number of threads.", "topk(15, sum by (service) (container_threads{}) / (sum by (service) (container_threads_max{}) > 0))", unit="percentunit", steps=above(0.8, 0.95), width=12),
            timeseries("headroom", "Memory left", "The fifteen containers closest to their limit, share left.",
                       "bottomk(15, 1 - sum by (service) (container_memory_working_set_bytes{}) / (sum by (service) (container_spec_memory_limit_bytes{}) > 0))", unit="percentunit", steps=below(0.2, 0.05), width=12),
        )),
    ),
}  # fmt: skip

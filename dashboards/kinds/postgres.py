"""PostgreSQL: connections, transactions, the cache, what blocks, what grows. Source of the questions: pg_stat views."""

from __future__ import annotations

from dashboards.builders import stat, timeseries
from dashboards.panels import ANY, UP, YES_NO, Row, above, below

ROWS = {
    "postgres": (
        Row("Connections", (
            stat("up", "Answers", "Whether the exporter can log in and query.",
                 "min by (service) (pg_up{<sel>})", unit="none", steps=UP, words=YES_NO),
            stat("scrape-error", "Exporter queries failed", "1 when a query of the last scrape failed: some panels below may be stale.",
                 "max by (service) (pg_exporter_last_scrape_error{<sel>})", unit="none", steps=ANY),
            timeseries("connections-ratio", "Connections of the limit", "Open connections as a share of max_connections; at 100 % new clients are refused.",
                       "sum by (service) (pg_stat_database_numbackends{<sel>}) / max by (service) (pg_settings_max_connections{<sel>})",
                       unit="percentunit", steps=above(0.8, 0.95)),
            timeseries("connections-state", "Connections by state", "`idle in transaction` holds locks and stops vacuum.",
                       ("sum by (service, state) (pg_stat_activity_count{<sel>})", "{{service}} {{state}}"), unit="none", stacked=True),
        )),
        Row("Work", (
            timeseries("commits", "Transactions", "Committed per second.",
                       ("sum by (service, datname) (rate(pg_stat_database_xact_commit{<sel>}[$__rate_interval]))", "{{service}} {{datname}}"), unit="ops"),
            timeseries("rollbacks", "Rolled back", "Share of transactions that were rolled back.",
                       "sum by (service) (rate(pg_stat_database_xact_rollback{<sel>}[$__rate_interval])) / (sum by (service) (rate(pg_stat_database_xact_commit{<sel>}[$__rate_interval]) + rate(pg_stat_database_xact_rollback{<sel>}[$__rate_interval])) > 0)",
                       unit="percentunit", steps=above(0.02, 0.1)),
            timeseries("rows", "Rows", "Rows fetched, inserted, updated, deleted per second.",
                       ("sum by (service) (rate(pg_stat_database_tup_fetched{<sel>}[$__rate_interval]))", "{{service}} fetched"),
                       ("sum by (service) (rate(pg_stat_database_tup_inserted{<sel>}[$__rate_interval]))", "{{service}} inserted"),
                       ("sum by (service) (rate(pg_stat_database_tup_updated{<sel>}[$__rate_interval]))", "{{service}} updated"),
                       ("sum by (service) (rate(pg_stat_database_tup_deleted{<sel>}[$__rate_interval]))", "{{service}} deleted"), unit="rowsps"),
            timeseries("cache", "Buffer cache hits", "Share of blocks found in memory; a working set that fits stays above 99 %.",
                       "sum by (service) (rate(pg_stat_database_blks_hit{<sel>}[$__rate_interval])) / (sum by (service) (rate(pg_stat_database_blks_hit{<sel>}[$__rate_interval]) + rate(pg_stat_database_blks_read{<sel>}[$__rate_interval])) > 0)",
                       unit="percentunit", steps=below(0.95, 0.9), maximum=1),
            timeseries("temporary", "Temporary files", "Bytes per second that sorts and hashes wrote to disk: work_mem is too small for them.",
                       ("sum by (service, datname) (rate(pg_stat_database_temp_bytes{<sel>}[$__rate_interval]))", "{{service}} {{datname}}"), unit="Bps"),
            timeseries("longest", "Oldest transaction", "Age of the oldest open transaction, by state.",
                       ("max by (service, state) (pg_stat_activity_max_tx_duration{<sel>})", "{{service}} {{state}}"), unit="s", steps=above(300, 1800)),
        )),
        Row("Trouble", (
            timeseries("deadlocks", "Deadlocks", "Deadlocks found in the last five minutes.",
                       ("sum by (service, datname) (increase(pg_stat_database_deadlocks{<sel>}[5m]))", "{{service}} {{datname}}"), unit="none", steps=ANY),
            timeseries("locks", "Locks", "Locks held, by mode.",
                       ("sum by (service, mode) (pg_locks_count{<sel>})", "{{service}} {{mode}}"), unit="none", stacked=True),
            timeseries("checkpoints", "Checkpoints", "On schedule, and early because the WAL filled up (max_wal_size too small).",
                       ("sum by (service) (rate(pg_stat_bgwriter_checkpoints_timed_total{<sel>}[$__rate_interval])) * 60", "{{service}} on schedule"),
                       ("sum by (service) (rate(pg_stat_bgwriter_checkpoints_req_total{<sel>}[$__rate_interval])) * 60", "{{service}} early"), unit="cpm"),
        )),
        Row("Size", (
            timeseries("size", "Database size", "Disk space by database. A fresh database of about 8 MB is an empty one: the schema scripts did not run.",
                       ("max by (service, datname) (pg_database_size_bytes{<sel>})", "{{service}} {{datname}}"), unit="bytes"),
            timeseries("dead", "Dead rows", "The ten tables with most dead rows; vacuum should bring them down.",
                       ("topk(10, max by (service, relname) (pg_stat_user_tables_n_dead_tup{<sel>}))", "{{service}} {{relname}}"), unit="short", steps=above(100000, 1000000)),
            timeseries("lag", "Replication lag", "How far this replica is behind; 0 on a primary.",
                       "max by (service) (pg_replication_lag_seconds{<sel>})", unit="s", steps=above(10, 60)),
            timeseries("wal", "WAL on disk", "Size of the write-ahead log; it grows without bound while a replication slot is stuck.",
                       "max by (service) (pg_wal_size_bytes{<sel>})", unit="bytes"),
        )),
    ),
}  # fmt: skip

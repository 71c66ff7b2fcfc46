"""Loki and Promtail against their kinds: one log file on its way from the one to the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from generator.kinds import load_kinds
from tests.live import stack
from tests.live.exposition import page_with
from tests.live.test_declared_metrics import disagreements

pytestmark = pytest.mark.live

KINDS = load_kinds()[0]

LOKI = """
auth_enabled: false
analytics: {{reporting_enabled: false}}
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}}}
common:
  instance_addr: 127.0.0.1
  path_prefix: {folder}
  replication_factor: 1
  ring: {{kvstore: {{store: inmemory}}}}
  storage: {{filesystem: {{chunks_directory: {folder}/chunks, rules_directory: {folder}/rules}}}}
memberlist: {{bind_addr: [127.0.0.1], bind_port: {gossip}}}
schema_config:
  configs: [{{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {{prefix: index_, period: 24h}}}}]
compactor: {{working_directory: {folder}/compactor, retention_enabled: true, delete_request_store: filesystem}}
ruler:
  rule_path: {folder}/loaded
  storage: {{type: local, local: {{directory: {folder}/rules}}}}
  alertmanager_url: http://127.0.0.1:1
"""
RULES = """
groups: [{name: one, interval: 1s, rules: [{alert: Lines, expr: 'sum(rate({app="one"}[1m])) > 0'}]}]
"""
PROMTAIL = """
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_port: 0}}
positions: {{filename: {folder}/positions.yml}}
clients: [{{url: LOKI_URL/loki/api/v1/push}}]
scrape_configs:
  - job_name: files
    static_configs: [{{targets: [localhost], labels: {{app: one, __path__: "{folder}/*.txt"}}}}]
"""


def test_loki_and_promtail_expose_what_is_declared(tmp_path: Path) -> None:
    """Every metric of the kinds loki and promtail is on their pages once lines have arrived."""
    rules = tmp_path / "loki" / "rules" / "fake" / "rules.yml"
    rules.parent.mkdir(parents=True)
    rules.write_text(RULES)
    source = tmp_path / "promtail"
    source.mkdir()
    (source / "one.txt").write_text("first\nsecond\n")
    with stack.loki(tmp_path / "loki", LOKI) as loki:
        with stack.promtail(source, PROMTAIL.replace("LOKI_URL", loki.url)) as shipper:
            shipped = page_with(shipper, "promtail_sent_entries_total")
        stored = page_with(loki, "loki_prometheus_rule_evaluations_total")

    assert disagreements(shipped, KINDS["promtail"]) == []
    assert disagreements(stored, KINDS["loki"]) == []

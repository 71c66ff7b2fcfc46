"""Grafana boards: one module per board, built with grafanalib through `dashboards.kit` alone."""

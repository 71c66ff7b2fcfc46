"""Prometheus' own configuration: jobs, targets, labels, limits, flags; and the blackbox exporter's."""

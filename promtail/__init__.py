"""Promtail: the agent configuration and one module per log format."""

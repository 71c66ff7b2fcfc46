"""Loki: server configuration and LogQL rules."""

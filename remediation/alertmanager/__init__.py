"""Alertmanager: what is active, and silences for announced work."""

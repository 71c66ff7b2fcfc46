"""Remediation: the webhook service, a process of its own that never imports the generator."""

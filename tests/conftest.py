"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# An example that takes long says that others use the cores, and nothing about our code.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")

"""Drivers: what restarts containers. The only part of the remediator that talks to Docker."""

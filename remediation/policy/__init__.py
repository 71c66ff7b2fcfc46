"""Decide: from what is configured, remembered and seen to what is written and at most one restart. Pure."""

"""Who heals the healer: a check for a host timer."""

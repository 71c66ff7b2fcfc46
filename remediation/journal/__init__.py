"""The journal: what was accepted, decided and done, on disk before anybody is told."""

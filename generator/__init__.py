"""Catalog to model to artifacts to disk to proofs: the `tierwatch` command lives here."""

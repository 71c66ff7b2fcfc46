"""
What is true of each kind of software: where its metrics come from, what they are, how it is judged.

In: the YAML files of this folder and of a catalog's own `kinds/` folder. Out: `Kind` values.
The form is described in README.md and in kind.schema.json. This room knows nothing of services:
which service is of which kind, and whether its exporter exists, is the catalog's business.
"""

from __future__ import annotations

from generator.kinds.everywhere import BUILTIN_METRICS
from generator.kinds.load import BUILTIN_DIR, load_kinds
from generator.kinds.words import LOG_FORMATS, PACKS, SCHEMA_FILE

__all__ = ["BUILTIN_DIR", "BUILTIN_METRICS", "LOG_FORMATS", "PACKS", "SCHEMA_FILE", "load_kinds"]

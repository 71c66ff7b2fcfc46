"""The words around the tables of the made pages (`tests.docs.pages`)."""

from __future__ import annotations

CATALOG = """\
# Every key of a catalog

<!-- Made by `make golden` from the two schemas. Do not edit. -->

A catalog is a folder: `platform.yml`, one file per tier (`1-core.yml`, `2-app.yml`, …) and, if needed, kinds of its own in
`kinds/`. Unknown keys are errors. `NAME` stands for a name of your choice, `[]` for an entry of a list; keys in **bold** must
be there. How to use them: [the operator's page](operator.md).

Editors check and complete the files with `# yaml-language-server: $schema=PATH` at their top, where PATH leads to
[catalog.schema.json](../generator/schema/catalog.schema.json) or, for kinds, to
[kind.schema.json](../generator/kinds/kind.schema.json)."""

OWN_KINDS = """\
`kinds/<kind>.yml` in the catalog. Kinds that ship have the same form: [kinds](kinds.md)."""

KINDS = """\
# Kinds of software that ship

<!-- Made by `make golden` from generator/kinds/. Do not edit. -->

What a service's `kind` may be. The verdict is the one series that says whether the service is healthy. A kind that is missing
here is one file in your catalog: [how](operator.md#kinds-of-your-own)."""

NEEDS = """\
Metrics that are off by default, or that only answer where nobody can reach them. A service whose verdict is `probe_success`
is judged by its probe meanwhile; `StackTargetMissing` says that its metrics do not answer."""

ALERTS = """\
# All alerts

<!-- Made by `make golden` from alerts/, loki/rulebook/ and catalog/. Do not edit. -->

Those of the catalog that ships, one section per pack; each name leads to its runbook. Other catalogs get those that they have
the metrics for. `tierwatch explain NAME` shows expression, samples and receivers."""

DECISIONS = """\
# Decisions

<!-- Made by `make golden` from the first line of each page. Do not edit. -->

Choices that had an alternative, each on one page. Numbers are never used twice; gaps are decisions that were dropped."""

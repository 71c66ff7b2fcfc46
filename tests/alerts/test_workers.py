"""Alerts on queues that the shipped catalog does not have are tested as all others are."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from alerts import packs, workers
from generator import rules, ruletests, toolbox
from generator.catalog import load_catalog

ROOT = Path(__file__).parents[2]


def test_celery_alerts_pass_their_own_proof(tmp_path: Path) -> None:
    """The real judge accepts the generated tests of the Celery alerts, though nothing here uses it."""
    catalog = load_catalog(ROOT / "catalog")
    pack = replace(workers.pack(catalog), alerts=workers.CELERY)
    tests = ruletests.pack_tests(pack, catalog)
    for artifact in (*rules.render((pack,), catalog), *tests):
        path = tmp_path / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text)
    promtool = toolbox.find("promtool")
    assert promtool, toolbox.install_hint("promtool")
    done = subprocess.run(
        [promtool, "test", "rules", *(tmp_path / artifact.path for artifact in tests)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_catalog_without_observers_keeps_only_what_needs_none() -> None:
    """Without exporters, probers and queues the packs that apply by themselves have three alerts left."""
    catalog = replace(load_catalog(ROOT / "catalog"), services=(), kinds={})
    named = ("container", "probe", "observer", "workers", "stack")
    kept = [alert.name for name in named for alert in packs.build(name, catalog).alerts]

    assert ["Watchdog", "StackTargetMissing", "StackScrapeSlow"] == kept

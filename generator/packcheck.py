"""Try one pack: `python -m generator.packcheck PACK [ALERT]` renders it and lets promtool judge it."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from alerts import packs
from generator import rules, ruletests

try:
    from generator.catalog import load_catalog
except ImportError:
    load_catalog = None


def minimal():
    from datetime import timedelta as T
    from decimal import Decimal
    from types import SimpleNamespace as N

    from generator.errors import Place
    from generator.kinds import load_kinds
    from generator.model import Catalog, Dependency, HealthClass, Links, Service, Size

    kinds, _ = load_kinds()
    plat = N(
        links=Links(
            "http://grafana:3000",
            "http://runbooks",
            "http://prometheus:9090",
            "http://alertmanager:9093",
        ),
        default_owner="platform",
        disabled_alerts={},
        slo_window=T(days=14),
        default_model="tinyllama",
        fallback_model="tinyllama",
    )

    def S(name, kind, dep=(), slo=None, prof=()):
        return Service(
            name,
            "core",
            kind,
            name,
            "",
            (),
            tuple(Dependency(d, True) for d in dep),
            prof,
            Size("s", 0, Decimal(0)),
            HealthClass("i", T(seconds=10), T(seconds=5), 5, T(seconds=30)),
            False,
            False,
            "platform",
            slo,
            (),
            (),
            (),
            None,
            False,
            "observe",
            "",
            None,
            None,
            "/metrics",
            {},
            (),
            "plain",
            Place("x"),
        )

    services = tuple(S(n, n) for n in sorted(kinds) if n != "backend")
    return Catalog(plat, (), services, kinds)


def main() -> None:
    """Check the pack named on the command line; exit with promtool's status."""
    catalog = (
        load_catalog(Path("catalog"))
        if load_catalog and Path("catalog/platform.yml").exists()
        else minimal()
    )
    pack = packs.build(sys.argv[1], catalog)
    if len(sys.argv) > 2:
        pack = replace(pack, alerts=tuple(a for a in pack.alerts if a.name in sys.argv[2:]))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        tests = ruletests.pack_tests(pack, catalog)
        for artifact in (*rules.render((pack,), catalog), *tests):
            path = root / artifact.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(artifact.text)
        promtool = Path(".tools/bin/promtool")
        rule_file = root / rules.rule_path(pack)
        status = subprocess.run(
            [promtool, "check", "rules", "--lint=all", rule_file], check=False
        ).returncode
        names = [root / artifact.path for artifact in tests]
        if names:
            status += subprocess.run([promtool, "test", "rules", *names], check=False).returncode
        if status:
            kept = Path(tempfile.mkdtemp(prefix="pack-"))
            subprocess.run(["cp", "-r", root / "prometheus", kept], check=False)
            sys.stderr.write(f"rendered files kept in {kept}\n")
    sys.exit(status)


if __name__ == "__main__":
    main()

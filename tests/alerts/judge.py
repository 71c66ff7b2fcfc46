"""Ask promtool whether a pack behaves as a case says; it alone decides, nothing is evaluated here."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alerts.kit import Pack
from generator import rules, toolbox
from generator.model import Catalog
from generator.names import CATALOG_INFO
from generator.yaml_write import dump_yaml

INFO = CATALOG_INFO + '{service="s",tier="t",kind="k",profile="default",owner="o"}'


def group(series: Mapping[str, str], look: Mapping[str, Any]) -> dict[str, Any]:
    """Return a promtool group in which *series* (at 30 s) live, with service `s`, and one *look* at them."""
    return {
        "interval": "30s",
        "input_series": [
            {"series": name, "values": values} for name, values in {INFO: "1x360", **series}.items()
        ],
        "promql_expr_test": [look],
    }


def judge(
    pack: Pack, catalog: Catalog, groups: Sequence[Mapping[str, Any]], folder: Path
) -> tuple[int, str]:
    """Return promtool's exit status and complaints about *pack* under the test *groups*."""
    (rule_file,) = rules.render((pack,), catalog)
    (folder / "rules.yml").write_text(rule_file.text)
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "30s", "tests": list(groups)}
    test = folder / "test.yml"
    test.write_text(dump_yaml(content, "tests/alerts"))
    return promtool(test)


def promtool(*tests: Path) -> tuple[int, str]:
    """Return promtool's exit status and complaints about these test files."""
    tool = toolbox.find("promtool")
    assert tool, toolbox.install_hint("promtool")
    done = subprocess.run(
        [tool, "test", "rules", *tests], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr

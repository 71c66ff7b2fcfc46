"""
Let the real tools judge the rendered tree: promtool, amtool, Loki, Promtail, blackbox exporter.

The tree is copied into a temporary folder with stub secrets, so nothing of the user's is
touched. A tool that is missing is said so, never passed over in silence.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from alerts.routing_check import routing_cases
from generator import toolbox
from generator.errors import ToolError
from generator.render import Rendered
from generator.secrets_stub import stub_secrets

_WORKERS = 2
_SHARES = 4 * _WORKERS


class Verdict(StrEnum):
    """What became of one check."""

    PROVEN = "proven"
    FAILED = "failed"
    UNPROVEN = "not proven"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One check by one tool; *detail* is the tool's own words when it failed, a cure when missing."""

    check: str
    tool: str
    verdict: Verdict
    detail: str = ""


@dataclass(frozen=True, slots=True)
class _Check:
    name: str
    tool: str
    run: Callable[[Path, Path], Iterator[toolbox.Outcome]]
    needs: tuple[str, ...]  # files of the tree; a check without its files does not apply


def judge(rendered: Rendered, pack: str = "") -> tuple[Judgement, ...]:
    """
    Return one judgement per check that applies to *rendered*, in a fixed order.

    With the name of a *pack* only its rules and their tests are judged.
    """
    with tempfile.TemporaryDirectory(prefix="tierwatch-") as name:
        folder = Path(name)
        _copy(rendered, folder)
        checks = _pack_checks(pack) if pack else _checks(rendered)
        checks = tuple(c for c in checks if all((folder / name).exists() for name in c.needs))
        with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            return tuple(pool.map(lambda check: _judge(check, folder), checks))


def _copy(rendered: Rendered, folder: Path) -> None:
    for artifact in rendered.artifacts:
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(stub_secrets(artifact.text, folder / "secrets"), encoding="utf-8")


def _pack_checks(pack: str) -> tuple[_Check, ...]:
    """Return the checks of one pack's rules; `<pack>.yml` and `<pack>-<step>.yml` are its tests."""
    tests = re.compile(rf"{re.escape(pack)}(-[0-9]+[smh])?\.yml")

    def test(tool: Path, folder: Path) -> Iterator[toolbox.Outcome]:
        found = sorted((folder / "prometheus" / "tests").iterdir())
        files = [path for path in found if tests.fullmatch(path.name)]
        yield toolbox.run(tool, ["test", "rules", *files])

    def lint(tool: Path, folder: Path) -> Iterator[toolbox.Outcome]:
        rules = folder / "prometheus" / "rules" / f"{pack}.yml"
        yield toolbox.run(tool, ["check", "rules", "--lint=all", "--lint-fatal", rules])

    needs = (f"prometheus/rules/{pack}.yml",)
    return (
        _Check(f"rules of pack {pack}", "promtool", lint, needs),
        _Check(
            f"unit tests of pack {pack}", "promtool", test, (*needs, f"prometheus/tests/{pack}.yml")
        ),
    )


def _judge(check: _Check, folder: Path) -> Judgement:
    tool = toolbox.find(check.tool)
    if tool is None:
        detail = f"{check.tool} is missing, {toolbox.install_hint(check.tool)}"
        return Judgement(check.name, check.tool, Verdict.UNPROVEN, detail)
    try:
        failures = [outcome.text.strip() for outcome in check.run(tool, folder) if not outcome.ok]
    except ToolError as error:
        return Judgement(check.name, check.tool, Verdict.FAILED, str(error))
    if failures:
        text = "\n".join(failures).replace(f"{folder}/", "")
        return Judgement(check.name, check.tool, Verdict.FAILED, text)
    return Judgement(check.name, check.tool, Verdict.PROVEN)


def _checks(rendered: Rendered) -> tuple[_Check, ...]:
    return (
        _Check("unit tests of all rules", "promtool", _test_rules, ("prometheus/tests",)),
        _Check("prometheus.yml", "promtool", _check_config, ("prometheus/prometheus.yml",)),
        _Check("rule files", "promtool", _check_rules, ("prometheus/rules",)),
        _Check("alertmanager.yml", "amtool", _check_alertmanager, ("alertmanager/alertmanager.yml",)),
        _Check(
            "routing table", "amtool",
            lambda tool, folder: _check_routes(tool, folder, rendered),
            ("alertmanager/alertmanager.yml",),
        ),
        _Check("blackbox.yml", "blackbox_exporter", _check_blackbox, ("blackbox/blackbox.yml",)),
        _Check("Loki's config", "loki", _check_loki, ("loki/config.yml",)),
        _Check("Promtail's config", "promtail", _check_promtail, ("promtail/config.yml",)),
    )  # fmt: skip


def _test_rules(tool: Path, folder: Path) -> Iterator[toolbox.Outcome]:
    files = sorted((folder / "prometheus" / "tests").glob("*.yml"))
    with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
        yield from pool.map(
            lambda share: toolbox.run(tool, ["test", "rules", *share]), shares(files)
        )


def shares(files: Sequence[Path]) -> tuple[tuple[Path, ...], ...]:
    """
    Return *files* in a few shares of about equal size, none empty, for several promtools at once.

    A promtool works through its files one by one. A file's size tells its work only roughly, so
    there are some shares more than workers: who is done first takes the next.
    """
    dealt: list[list[Path]] = [[] for _ in range(_SHARES)]
    sizes = [0] * _SHARES
    for file in sorted(files, key=lambda file: (-file.stat().st_size, file.name)):
        least = sizes.index(min(sizes))
        dealt[least].append(file)
        sizes[least] += file.stat().st_size
    return tuple(tuple(share) for share in dealt if share)


def _check_config(tool: Path, folder: Path) -> Iterator[toolbox.Outcome]:
    yield toolbox.run(tool, ["check", "config", folder / "prometheus" / "prometheus.yml"])


def _check_rules(tool: Path, folder: Path) -> Iterator[toolbox.Outcome]:
    files = sorted((folder / "prometheus" / "rules").glob("*.yml"))
    yield toolbox.run(tool, ["check", "rules", "--lint=all", "--lint-fatal", *files])


def _check_alertmanager(tool: Path, folder: Path) -> Iterator[toolbox.Outcome]:
    yield toolbox.run(tool, ["check-config", folder / "alertmanager" / "alertmanager.yml"])


def _check_routes(tool: Path, folder: Path, rendered: Rendered) -> Iterator[toolbox.Outcome]:
    config = folder / "alertmanager" / "alertmanager.yml"
    for case in routing_cases(rendered.catalog, rendered.routed):
        yield toolbox.run(tool, ["config", "routes", "test", f"--config.file={config}", *case])


def _check_blackbox(tool: Path, folder: Path) -> Iterator[toolbox.Outcome]:
    config = folder / "blackbox" / "blackbox.yml"
    yield toolbox.run(tool, ["--config.check", f"--config.file={config}"])


def _check_loki(tool: Path, folder: Path) -> Iterator[toolbox.Outcome]:
    yield toolbox.run(tool, ["-verify-config", f"-config.file={folder / 'loki' / 'config.yml'}"])


def _check_promtail(tool: Path, folder: Path) -> Iterator[toolbox.Outcome]:
    config = folder / "promtail" / "config.yml"
    yield toolbox.run(tool, ["-check-syntax", f"-config.file={config}"])
    # -check-syntax reads the file without building its stages; a run on no input builds them all.
    dry = ["-dry-run", "-stdin", "-server.disable=true", f"-config.file={config}"]
    yield toolbox.run(tool, dry)

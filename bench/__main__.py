"""
Measure what design 9 puts a bar on: `python -m bench`, or `make bench`.

Every figure comes from fresh processes of one run on one machine, so that their ratios hold even
where the machine is slow or busy; what "linear" means is a ratio, too (docs/bench.md).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.measure import Cost, environment, middle, run
from generator import toolbox
from generator.errors import ObsError
from generator.verify import shares
from tests.input.scale import make_catalog

ROOT = Path(__file__).resolve().parent.parent
_RUNS = 5
_PROMTOOLS = 2  # as `tierwatch verify` runs them
_FINE = (0, 1)  # findings are no matter of speed
# A second of plain Python on one machine is half a second on another: told beside the figures.
_YARDSTICK = "sum(i * i for i in range(5_000_000))"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0, whatever the figures are."""
    options = _parser().parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="tierwatch-bench-") as name:
            figures = measured(options.catalog.resolve(), Path(name), options.services)
    except ObsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if options.json:
        sys.stdout.write(json.dumps(figures, indent=2) + "\n")
    else:
        sys.stdout.write("\n".join(written(figures)) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--catalog", type=Path, default=ROOT / "catalog", metavar="DIR")
    parser.add_argument(
        "--services", type=int, nargs=2, default=(1_000, 10_000), metavar=("SOME", "MANY"),
        help="sizes of the two large catalogs (default: 1000 10000)",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print data instead of a table")
    return parser


def measured(catalog: Path, folder: Path, sizes: Sequence[int]) -> dict[str, Any]:
    """Return all figures as plain data; works in *folder*."""
    out = folder / "platform"
    yardstick = middle([_measured_yardstick() for _ in range(3)])
    made = _made(catalog, out)
    cold = middle([_generate(catalog, out) for _ in range(_RUNS)])
    rendered_anew = middle([_generate(catalog, folder / f"new-{n}") for n in range(3)])
    large = {}
    for size in sizes:
        grown = make_catalog(folder / f"catalog-{size}", size)
        large[size] = _generate(grown, folder / f"rendered-{size}")
    return {
        "counts": made["counts"],
        "yardstick": yardstick.as_data(),
        "platform": cold.as_data(),
        "platform_into_an_empty_folder": rendered_anew.as_data(),
        "rooms": _rooms(catalog, out),
        "large": {str(size): cost.as_data() for size, cost in large.items()},
        "growth": _growth(cold, made["counts"]["services"], large),
        "promtool": _promtool(out),
    }


def _measured_yardstick() -> Cost:
    return run([sys.executable, "-I", "-S", "-c", _YARDSTICK], folder=ROOT)


def _command(catalog: Path, out: Path) -> list[str]:
    generate = [sys.executable, "-m", "generator.cli", "generate"]
    return [*generate, "--catalog", str(catalog), "--out", str(out)]


def _generate(catalog: Path, out: Path) -> Cost:
    return run(_command(catalog, out), folder=ROOT, fine=_FINE)


def _made(catalog: Path, out: Path) -> dict[str, Any]:
    """Return what `generate --format json` says; the run also warms what Python caches."""
    command = [*_command(catalog, out), "--format", "json"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    if done.returncode not in _FINE:
        raise ObsError(done.stderr or done.stdout)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _rooms(catalog: Path, out: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.rooms", str(catalog), str(out)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _growth(platform: Cost, services: int, large: dict[int, Cost]) -> float:
    """
    Return what a service more costs in the largest catalog, over what it costs in the smaller one.

    1 is linear, 10 would be quadratic between 1,000 and 10,000. What the platform itself costs is
    taken off both: most of it is starting up.
    """
    some, many = sorted(large)
    each = [(large[n].cpu_s - platform.cpu_s) / (n - services) for n in (some, many)]
    return round(each[1] / each[0], 2)


def _promtool(out: Path) -> dict[str, Any]:
    """Return what all generated tests cost in as many processes as `verify` uses."""
    tool = toolbox.find("promtool")
    if tool is None:
        return {"missing": f"promtool is missing, {toolbox.install_hint('promtool')}"}
    files = sorted((out / "prometheus" / "tests").glob("*.yml"))
    started = time.perf_counter()
    with ThreadPoolExecutor(max_workers=_PROMTOOLS) as pool:
        costs = list(
            pool.map(
                lambda share: run([str(tool), "test", "rules", *map(str, share)], folder=out),
                shares(files),
            )
        )
    return {
        "files": len(files),
        "cpu_s": round(sum(cost.cpu_s for cost in costs), 2),
        "wall_s": round(time.perf_counter() - started, 2),
    }


def written(figures: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the table."""
    counts = figures["counts"]
    yield ", ".join(f"{counts[word]} {word.replace('_', ' ')}" for word in _COUNTED)
    yield f"{'':<34}{'CPU':>9}{'wall':>9}{'memory':>10}   bar"
    yield _line("yardstick: a loop of 5 million", figures["yardstick"], "")
    yield _line("platform, nothing changes", figures["platform"], "1 s")
    yield _line("platform, into an empty folder", figures["platform_into_an_empty_folder"], "1 s")
    bars = ("", "20 s, 600 MB")
    for (size, cost), bar in zip(figures["large"].items(), bars, strict=True):
        yield _line(f"{int(size):,} services", cost, bar)
    yield f"{'a service more, there / here':<34}{figures['growth']:>9}{'':19}   1 is linear"
    promtool = figures["promtool"]
    if "missing" in promtool:
        yield f"promtool tests: {promtool['missing']}"
    else:
        label = f"promtool tests, {promtool['files']} files"
        yield f"{label:<34}{promtool['cpu_s']:>7.2f} s{promtool['wall_s']:>7.2f} s{'':10}   20 s"
    yield ""
    yield "share of a cold run"
    whole = sum(figures["rooms"].values())
    for room, seconds in figures["rooms"].items():
        yield f"  {room:<12}{seconds * 1000:>6.0f} ms {seconds / whole:>5.0%}"


_COUNTED = ("services", "jobs", "alerts", "recording_rules", "checks", "boards", "panels", "files")


def _line(label: str, cost: dict[str, float], bar: str) -> str:
    return f"{label:<34}{cost['cpu_s']:>7.2f} s{cost['wall_s']:>7.2f} s{cost['rss_mb']:>7.0f} MB   {bar}"


if __name__ == "__main__":
    sys.exit(main())

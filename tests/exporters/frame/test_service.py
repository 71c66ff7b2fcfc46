"""The command as a process: starts, serves, reads its file again, stops, and leaks nothing."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporters.agents import build
from exporters.cli import add_options
from exporters.service import Part, Site
from exporters.web_guard import Guard
from tests.live.servers import HOST, Server, free_port, running, until

COMMAND = [sys.executable, "-m", "generator.cli", "exporter"]
ROOT = Path(__file__).parents[3]
REST_MB, LEAK_MB = 60, 3
SCRAPES = 1000


def _file(path: Path, *services: str, listen: str = "127.0.0.1:1") -> Path:
    """Write a configuration with a TCP target per service; nobody listens there."""
    targets = "".join(
        f"- {{service: {name}, tier: t, kind: k, profile: default, container: c-{name}, probe: tcp,"
        f" url: 'tcp://127.0.0.1:1'}}\n"
        for name in services
    )
    # In one step, as a careful writer does it: a half-written file would be a wrong one.
    new = path.with_suffix(".new")
    new.write_text(f"version: 1\nexporter: agents\nlisten: {listen}\ntargets:\n{targets}")
    new.replace(path)
    return path


@dataclass(frozen=True, slots=True)
class Running:
    """An exporter that runs; *pid* is its process."""

    server: Server
    pid: int

    def services(self) -> list[str]:
        """Return the services on its page."""
        return re.findall(r'\nagent_info\{.*service="(\w+)"', self.server.get())

    def status(self, name: str) -> int:
        """Return a number of /proc/<pid>/status."""
        found = re.search(
            rf"^{name}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text(), re.MULTILINE
        )
        assert found is not None
        return int(found[1])

    def reloads(self) -> tuple[float, float]:
        """Return what it says of the last reading of its file: whether it was good, when one was."""
        page = self.server.get()
        names = "successful", "success_timestamp_seconds"
        good, when = (
            re.search(rf"^agent_exporter_config_last_reload_{name} (\S+)$", page, re.MULTILINE)
            for name in names
        )
        assert good is not None
        assert when is not None
        return float(good[1]), float(when[1])

    def descriptors(self) -> int:
        """Return how many it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


@contextmanager
def _exporter(folder: Path, *arguments: str | Path, port: int | None = None) -> Iterator[Running]:
    port = port or free_port()
    command = [*COMMAND, *map(str, arguments)]
    env = {"PYTHONPATH": str(ROOT)}
    with running(
        "exporter",
        command,
        folder=folder,
        port=port,
        env=env,
        ready=lambda s: s.answers("/-/ready"),
    ) as server:
        yield Running(server, _pid(command))


def _pid(command: Sequence[str]) -> int:
    """Return the process that runs *command*."""
    wanted = b"\0".join(part.encode() for part in command) + b"\0"
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes() == wanted:
                return int(path.parent.name)
    raise AssertionError(f"{command} does not run")


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_file_is_read_again_when_it_changes_or_on_sighup(tmp_path: Path) -> None:
    """Services come and go at once; while the file is wrong, the last good ones stay and the log says why."""
    path, port = _file(tmp_path / "agents.yml", "one", "two"), free_port()
    with _exporter(
        tmp_path, "agents", "--config", path, "--listen", f"{HOST}:{port}", port=port
    ) as exporter:
        first, began = exporter.services(), exporter.reloads()
        _file(path, "two", "three")
        until(lambda: exporter.services() == ["two", "three"], "the change is seen", seconds=15)
        changed = exporter.reloads()
        path.write_text("targets: 5\n")
        until(
            lambda: "configuration kept as it was" in exporter.server.log.read_text(),
            "it is refused",
        )
        kept, refused = exporter.services(), exporter.reloads()
        path.unlink()
        _file(path, "four")
        os.kill(exporter.pid, signal.SIGHUP)
        until(lambda: exporter.services() == ["four"], "SIGHUP is heard", seconds=15)
        last = exporter.reloads()
        log = exporter.server.log.read_text()

    assert (first, kept) == (["one", "two"], ["two", "three"])
    assert [good for good, _ in (began, changed, refused, last)] == [1, 1, 0, 1]
    assert began[1] < changed[1] == refused[1] < last[1] <= time.time()
    assert re.search(rf"{path}:1: targets: 5 is not a list of targets", log)
    assert [
        line for line in log.splitlines() if not re.match(r"ts=\S+ level=\w+ caller=\S+ msg=", line)
    ] == []


def test_another_address_is_said_to_need_a_restart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The address stays the one of the start; everything else of the new file is taken."""
    first, second = free_port(), free_port()
    path = _file(tmp_path / "agents.yml", "one", listen=f"{HOST}:{first}")
    site = Site([Part(build, path)], None, 0.5)
    site.start(Guard(None))
    try:
        _file(path, "two", listen=f"{HOST}:{second}")
        site.reload()
        page = Server("exporter", first, path).get()
    finally:
        site.stop()

    assert 'service="two"' in page
    assert [r.message for r in caplog.records if "restart" in r.message] == [
        f"{HOST}:{second} is served only after a restart"
    ]


def test_counts_survive_a_reload(tmp_path: Path) -> None:
    """A service that stays goes on counting in the same process."""
    path, port = _file(tmp_path / "agents.yml", "one"), free_port()
    with _exporter(
        tmp_path, "agents", "--config", path, "--listen", f"{HOST}:{port}", port=port
    ) as exporter:
        exporter.server.get()
        _file(path, "one", "two")
        until(lambda: exporter.services() == ["one", "two"], "the change is seen", seconds=15)
        page = exporter.server.get()

    found = re.findall(r'\nagent_probes_total\{.*service="(\w+)".*\} (\S+)', page)
    counts = {name: float(count) for name, count in found}
    assert counts["one"] > counts["two"] + 0.5


def test_sigterm_ends_it_after_the_answer_under_way(tmp_path: Path) -> None:
    """The scrape that has begun is answered whole, the process ends with 0, and the port is free."""
    path, port = tmp_path / "agents.yml", free_port()
    with socket.create_server((HOST, 0)) as silent:
        url = f"http://{HOST}:{silent.getsockname()[1]}/"
        path.write_text(
            f"version: 1\nexporter: agents\nlisten: {HOST}:{port}\ndeadline: 1s\ntargets:\n- {{service: a, tier: t, kind: k,"
            f" profile: default, container: c, probe: http, url: '{url}'}}\n"
        )
        process = subprocess.Popen(
            [*COMMAND, "agents", "--config", path], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        server = Server("exporter", port, tmp_path / "log")
        until(lambda: server.answers("/-/ready"), "it serves")
        with socket.create_connection((HOST, port)) as asker:
            asker.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            connection, _ = silent.accept()  # the probe is under way
            process.send_signal(signal.SIGTERM)
            answer = b"".join(iter(lambda: asker.recv(65536), b""))
            connection.close()
        status = process.wait(timeout=20)

    assert status == 0
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b'agent_up{kind="k",profile="default",service="a",tier="t"} 0.0' in answer
    with socket.create_server((HOST, port)):
        pass


def test_a_thousand_scrapes_leak_nothing_and_memory_stays_small(tmp_path: Path) -> None:
    """At rest below 60 MB; after a thousand scrapes as many descriptors and threads, and no more memory."""
    path, port = _file(tmp_path / "agents.yml", *(f"s{n}" for n in range(10))), free_port()
    with _exporter(
        tmp_path, "agents", "--config", path, "--listen", f"{HOST}:{port}", port=port
    ) as exporter:
        for _ in range(SCRAPES // 5):
            exporter.server.get()
        before = (exporter.descriptors(), exporter.status("Threads"))
        memory = exporter.status("VmRSS")
        for _ in range(SCRAPES):
            exporter.server.get()
        until(lambda: exporter.status("Threads") <= before[1], "threads of connections end")
        after = (exporter.descriptors(), exporter.status("Threads"))
        grown = exporter.status("VmRSS") - memory

    # The last connection's thread may still have been there before, so there may be fewer now.
    assert [now <= then for now, then in zip(after, before, strict=True)] == [True, True]
    assert (memory < REST_MB * 1024, grown < LEAK_MB * 1024) == (True, True)


def test_all_serves_each_file_on_its_own_address_or_all_on_one_page(tmp_path: Path) -> None:
    """Without --listen as the files say; with it, one page with the series of all."""
    ports = [free_port(), free_port(), free_port()]
    _file(tmp_path / "agents.yml", "one", listen=f"{HOST}:{ports[0]}")
    target = "service: o, tier: t, kind: ollama, profile: default, container: c"
    (tmp_path / "ollama.yml").write_text(
        f"version: 1\nexporter: ollama\nlisten: {HOST}:{ports[1]}\ntargets:\n- {{{target}, probe: http, url: 'http://{HOST}:1'}}\n"
    )
    with _exporter(tmp_path, "all", "--config", tmp_path, port=ports[0]) as exporter:
        other = Server("ollama", ports[1], exporter.server.log)
        apart = [_prefixes(exporter.server.get()), _prefixes(other.get())]
    listen = f"{HOST}:{ports[2]}"
    with _exporter(
        tmp_path / "together", "all", "--config", tmp_path, "--listen", listen, port=ports[2]
    ) as one:
        together = _prefixes(one.server.get())

    assert apart == [{"agent", "process", "python"}, {"ollama", "process", "python"}]
    assert together == {"agent", "ollama", "process", "python"}


def _prefixes(page: str) -> set[str]:
    return {line.split("_")[0] for line in page.splitlines() if line and not line.startswith("#")}


def test_what_is_wrong_is_said_before_anything_is_served(tmp_path: Path) -> None:
    """Exit status 2 and one line each: a wrong file, another exporter's, a wrong address, a port in use, nothing to run."""
    good, bad = _file(tmp_path / "good.yml", "one"), tmp_path / "bad.yml"
    bad.write_text("version: 1\n")
    with socket.create_server((HOST, 0)) as taken:
        used = f"{HOST}:{taken.getsockname()[1]}"
        cases = {
            f"{bad}:1: the file: exporter, listen, targets is missing. Add it.": ["agents", "--config", bad],
            f"{good}:2: this file is for the exporter agents, not for ollama. Run `tierwatch exporter agents`"
            " with it, or name the file for ollama.": ["ollama", "--config", good],
            "--listen: 'nowhere' is not host:port. Write it like 0.0.0.0:9742.": [
                "agents", "--config", good, "--listen", "nowhere"],
            f"cannot listen on {used}: [Errno 98] Address already in use. Use --listen.": [
                "agents", "--config", good, "--listen", used],
            f"{tmp_path}/none: none of ollama.yml, agents.yml, hardware.yml is there. Name their folder with --config.": [
                "all", "--config", tmp_path / "none"],
            f"{tmp_path}/web.yml: no such file or directory. Name a file that can be read.": [
                "agents", "--config", good, "--web-config", tmp_path / "web.yml"],
        }  # fmt: skip
        runs = {
            message: _run(*arguments, "--log-level", "error")
            for message, arguments in cases.items()
        }

    assert dict.fromkeys(cases, 2) == {m: run.returncode for m, run in runs.items()}
    assert list(cases) == [run.stderr.strip() for run in runs.values()]


@pytest.mark.parametrize("offset", ["-1", "nan", "inf", "-inf", "soon"])
def test_an_offset_that_is_no_length_of_time_is_refused(
    offset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would let scrapes end after Prometheus's timeout, or never: the option is named, with a cure."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    with pytest.raises(SystemExit) as raised:
        parser.parse_args(["agents", f"--timeout-offset={offset}"])

    fact = (
        f"argument --timeout-offset: '{offset}' is no number of seconds from 0. Write it like 0.5."
    )
    assert (raised.value.code, fact in capsys.readouterr().err) == (2, True)
    assert parser.parse_args(["agents", "--timeout-offset=0"]).timeout_offset == 0.0


def test_check_reads_the_files_and_serves_nothing(tmp_path: Path) -> None:
    """Exit status 0 for a good file; --listen is not taken."""
    run = _run(
        "agents", "--config", _file(tmp_path / "good.yml", "one"), "--check", "--log-level", "error"
    )

    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.parametrize("name", ["agents", "ollama"])
def test_a_process_imports_only_what_it_needs(name: str) -> None:
    """No generator's rooms, no test tools, nothing of the other exporters."""
    code = (
        "import sys, importlib, exporters.cli, exporters.service\n"
        f"importlib.import_module('exporters.{name}')\nprint(*sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    loaded = set(run.stdout.split())
    others = {"exporters.agents", "exporters.ollama", "exporters.hardware"} - {f"exporters.{name}"}
    heavy = {"generator", "docker", "grafanalib", "pynvml", "asyncio", "pytest", "jsonschema"}
    assert loaded & (others | heavy) == set()

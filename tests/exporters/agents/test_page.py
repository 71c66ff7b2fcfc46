"""The page as a whole: what it declares, how it counts, what a reload keeps, /probe and /sd."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporters.agents import build
from exporters.agents_probes import MAX_VERSIONS, Probes
from exporters.agents_resolve import Resolver
from exporters.app import App
from exporters.config import LABELS, Address, Config, Dependency, Docker, load_config
from exporters.deadline import Deadline
from exporters.page import Page
from exporters.web import Request
from generator.kinds import load_kinds
from tests.exporters.agents.asking import container_target, http_target, tcp_target, values
from tests.exporters.agents.docker_api import PROJECT, FakeDocker, container, fake_docker
from tests.exporters.attempts import cost, first_good
from tests.exporters.frame.lint import complaints
from tests.live.exposition import parse_exposition
from tests.live.servers import Server, need

ROOT = Path(__file__).parents[3]
DECLARED = load_kinds()[0]["agents-exporter"].declares
# About the exporter itself: these have no subject.
OWN = ("agent_collector_", "agent_exporter_", "agent_docker_up", "process_", "python_info")


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[FakeDocker]:
    """A daemon that knows a container in every sort of trouble."""
    with fake_docker(tmp_path) as found:
        found.put(
            container(
                "shop-good", health={"Status": "unhealthy", "FailingStreak": 2}, OOMKilled=True
            )
        )
        yield found


@pytest.fixture
def everything(fleet: Server, docker: FakeDocker) -> Config:
    """One target of every sort: what they give together is all that the exporter can give."""
    wanted = [Dependency("db", "/services/db", ("up",))]
    return Config(
        Address("127.0.0.1", 0),
        (
            http_target(f"{fleet.url}/dependencies", service="good", dependencies=wanted),
            http_target(f"{fleet.url}/hang", service="hangs"),
            tcp_target(f"tcp://{fleet.address}", service="port"),
            container_target("alone"),
        ),
        deadline_s=0.5,
        docker=Docker(docker.url, PROJECT),
    )


def _page(config: Config, accept: str = "") -> str:
    app = App([build(config)], deadline_s=config.deadline_s)
    page = app._collect(Deadline.after(config.deadline_s))
    for exporter in app.exporters:
        exporter.close()
    return page.render(accept, "")[0].decode()


def test_what_is_exported_is_what_is_declared(everything: Config) -> None:
    """Names, types and labels agree in both directions; every series of a subject names it."""
    exposed = parse_exposition(_page(everything))

    # Without TLS in this setting there is no certificate: the one metric that is not here.
    expected = {name for name in DECLARED if name != "agent_tls_expiry_timestamp_seconds"}
    assert expected == set(exposed)
    assert {name: DECLARED[name].type for name in exposed} == {
        n: e.type for n, e in exposed.items()
    }
    labels = {
        name: set(DECLARED[name].labels) | (set() if name.startswith(OWN) else set(LABELS))
        for name in exposed
    }
    assert labels == {name: found.labels for name, found in exposed.items()}


def test_both_judges_are_content_with_the_page(everything: Config) -> None:
    """Neither promtool finds anything nor the stricter one."""
    text, openmetrics = _page(everything), _page(everything, "application/openmetrics-text")

    said = subprocess.run(
        [need("promtool"), "check", "metrics"],
        input=text,
        text=True,
        capture_output=True,
        check=False,
    )

    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    assert complaints(openmetrics, prefixes=("agent",)) == []


def test_the_rendered_file_gives_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """All targets of the platform are on it, though none of them can be reached here."""
    config = load_config(ROOT / "rendered" / "exporters" / "agents.yml")
    monkeypatch.setattr("socket.getaddrinfo", _no_names)

    page = _page(config)

    asked = [target for target in config.targets if target.probe != "container"]
    assert page.count("\nagent_info{") == len(config.targets)
    assert page.count("\nagent_up{") == len(asked)
    assert complaints(_page(config, "application/openmetrics-text"), prefixes=("agent",)) == []


def _no_names(*_: object, **__: object) -> object:
    raise OSError(-2, "Name or service not known")


def test_counts_go_up_and_a_success_ends_a_row_of_failures(fleet: Server) -> None:
    """Probes, failures by reason, failures in a row and the last success, over five scrapes."""
    good = http_target(f"{fleet.url}/good")
    bad = http_target(f"{fleet.url}/status-503")
    collector = Probes([good], Resolver())
    found = []
    for target in (good, bad, bad, good, bad):
        collector._targets = (target,)
        page = values(collector.collect(Deadline.after(3)))
        found.append(
            (
                page["agent_up{one}"],
                page["agent_probes_total{one}"],
                page["agent_probe_failures_total{one,status}"],
                page["agent_consecutive_failures{one}"],
            )
        )

    last = page["agent_last_success_timestamp_seconds{one}"]
    assert found == [(1, 1, 0, 0), (0, 2, 1, 1), (0, 3, 2, 2), (1, 4, 2, 0), (0, 5, 3, 1)]
    assert time.time() - 30 < last < time.time()


def test_a_reload_keeps_the_counts_of_those_who_stay(fleet: Server) -> None:
    """A service that goes is gone from the page at once, one that comes begins at 0."""
    targets = {
        name: http_target(f"{fleet.url}/good", service=name) for name in ("stays", "goes", "comes")
    }
    before = build(Config(Address("", 0), (targets["stays"], targets["goes"])))
    before.collect(Deadline.after(3))
    after = build(Config(Address("", 0), (targets["stays"], targets["comes"])))
    after.adopt(before)

    found = values(after.collect(Deadline.after(3)), "agent_probes_total", "agent_info")

    assert found == {
        "agent_info{stays,shop-stays,http}": 1,
        "agent_info{comes,shop-comes,http}": 1,
        "agent_probes_total{stays}": 2,
        "agent_probes_total{comes}": 1,
    }


def test_a_version_that_never_stays_the_same_stops_being_told(fleet: Server) -> None:
    """Twenty different ones become label values, further ones do not; known ones still do."""
    collector = Probes([http_target(f"{fleet.url}/dependencies")], Resolver())
    told = []
    for number in [*range(MAX_VERSIONS + 5), 0]:
        record = collector._records["one"]
        record.versions = {str(n) for n in range(min(number, MAX_VERSIONS))}
        told.append(bool(values(collector.collect(Deadline.after(3)), "agent_version_info")))
    known = collector._records["one"].versions

    assert told == [True] * MAX_VERSIONS + [False] * 5 + [True]
    assert known == {"1.7.3"}


def _ask_page(config: Config, path: str, **query: str) -> tuple[int, str, str]:
    app = App([build(config)], deadline_s=config.deadline_s)
    answer = app.answer(Request(path, query, {}, app.deadline({})))
    return answer.status, answer.content_type.split(";")[0], answer.body.decode()


def test_one_target_may_be_asked_alone(everything: Config) -> None:
    """In the names of the blackbox exporter; a name that is not in the file is no target."""
    status, _, good = _ask_page(everything, "/probe", target="good")
    _, _, hangs = _ask_page(everything, "/probe", target="hangs")
    _, _, port = _ask_page(everything, "/probe", target="port")
    refused = [_ask_page(everything, "/probe", target=t)[0] for t in ("", "alone", "http://evil/")]

    def lines(page: str) -> list[str]:
        return [line.split(" ")[0] for line in page.splitlines() if not line.startswith("#")]

    phases = [
        f'probe_http_duration_seconds{{phase="{p}"}}'
        for p in ("resolve", "connect", "processing", "transfer")
    ]
    assert status == 200
    assert lines(good) == [
        "probe_success",
        "probe_duration_seconds",
        "probe_http_status_code",
        *phases,
    ]
    assert ("probe_success 1.0\n" in good, "probe_success 0.0\n" in hangs) == (True, True)
    assert lines(port) == ["probe_success", "probe_duration_seconds"]
    assert refused == [400, 400, 400]


def test_the_discovery_lists_whom_probe_can_ask(everything: Config) -> None:
    """As Prometheus's http_sd_configs wants it: JSON, a list, the subject's labels; [] for nobody."""
    status, content_type, body = _ask_page(everything, "/sd")
    nobody = _ask_page(replace(everything, targets=(container_target("alone"),)), "/sd")

    assert (status, content_type) == (200, "application/json")
    assert [group["targets"] for group in json.loads(body)] == [["good"], ["hangs"], ["port"]]
    assert json.loads(body)[0]["labels"] == {
        "service": "good", "tier": "agents", "kind": "http-agent", "profile": "default",
    }  # fmt: skip
    assert nobody == (200, "application/json", "[]")


def test_a_thousand_series_are_rendered_within_15_ms_of_cpu() -> None:
    """In OpenMetrics, which Prometheus asks for, packed."""
    targets = [http_target(f"http://127.0.0.1:1/{n}", service=f"s{n}") for n in range(60)]
    exporter = build(Config(Address("", 0), tuple(targets)))
    metrics = exporter.collect(Deadline.after(3))
    series = sum(len(metric.samples) for metric in metrics)

    def milliseconds() -> float:
        spent = cost(lambda: Page(metrics).render("application/openmetrics-text", "gzip"))
        return spent.cpu * 1000 * 1000 / series

    assert series > 900
    assert first_good(milliseconds, lambda found: found < 15) < 15


def test_sixty_healthy_targets_take_150_ms_and_30_ms_of_cpu(fleet: Server) -> None:
    """Probes, metrics and page together."""
    targets = [http_target(f"{fleet.url}/good", service=f"s{n}") for n in range(60)]
    exporter = build(Config(Address("", 0), tuple(targets)))
    up: list[float] = []

    def scrape() -> None:
        metrics = exporter.collect(Deadline.after(3))
        Page(metrics).render("application/openmetrics-text", "gzip")
        up[:] = values(metrics, "agent_up").values()

    spent = first_good(
        lambda: cost(scrape, of_process=True),
        lambda found: sum(up) == 60 and found.wall < 0.150 and found.cpu < 0.030,
    )

    assert (len(up), sum(up)) == (60, 60)
    assert (spent.wall < 0.150, spent.cpu < 0.030) == (True, True)

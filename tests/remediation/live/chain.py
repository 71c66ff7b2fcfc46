"""
The whole chain, all of it rendered: Prometheus, blackbox exporter, Alertmanager, proxies, remediator, dockerd.

A small catalog with a kind of its own is rendered by the generator. What comes out is run as it is,
except that every duration is divided by the same number (tests.live.timelapse), and that names become
addresses: scrapes go through a forward proxy that knows where everything really listens.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import yaml

from exporters.config import seconds
from generator.catalog import load_catalog
from generator.render import Rendered, render
from generator.socket_proxy import accesses
from tests.exporters.agents.engine import PROJECT
from tests.live import stack, timelapse
from tests.live.receiver import Receiver, receiving
from tests.live.servers import HOST, Server, free_port
from tests.live.timelapse import SPEED, Api
from tests.remediation.live.process import WEBHOOK
from tests.remediation.live.rig import proxy_binary
from tests.remediation.live.truth import Truth, watching
from tests.remediation.live.yard import PATH, REQUIRES, TIERS, Yard, running_yard
from tests.remediation.proxy.rig import running_proxy

_KIND = f"""\
kind: yard
title: Service of the yard
port: 8080
probes:
  - {{name: http, type: http, port: 8080, path: {PATH}, body: "^ok"}}
verdict: probe_success
health_note: "GET {PATH} answers ok"
log: plain
sources: ["tests/remediation/live/yard.py"]
"""
_PLATFORM = """\
platform: shop
owner: ops
owners: {ops: {}}
notify: {webhook: {url: "https://pager.invalid/hook"}}
"""
_MONITORING = """\
tier: monitoring
services:
  prometheus: {kind: prometheus, image: "prom/prometheus:v2.42.0"}
  alertmanager: {kind: alertmanager, image: "prom/alertmanager:v0.25.0"}
  blackbox-exporter: {kind: blackbox-exporter, image: "prom/blackbox-exporter:v0.23.0"}
  docker-proxy: {kind: docker-socket-proxy, image: "wollomatic/socket-proxy:1"}
  restart-proxy: {kind: docker-socket-proxy, image: "wollomatic/socket-proxy:1"}
  remediator: {kind: remediator, image: "tierwatch:1", depends_on: {restart-proxy: hard, docker-proxy: soft}}
"""
MONITORING = ("prometheus", "alertmanager", "blackbox-exporter", "docker-proxy", "restart-proxy", "remediator")  # fmt: skip
# Keys of the remediator's configuration whose values are durations; a probe's own timeout stays, for a
# busy test machine is no fault of a service.
_DURATIONS = frozenset((
    "poll_interval", "blind_after", "window", "cooldown", "grace", "same_incident", "probation", "spacing",
    "spacing_stateful", "deduplicate", "first", "max", "reset", "start_period", "interval",
))  # fmt: skip


def write_catalog(folder: Path, yard: Yard) -> Path:
    """Write the catalog of *yard* and its monitoring into *folder*."""
    (folder / "kinds").mkdir(parents=True)
    (folder / "kinds" / "yard.yml").write_text(_KIND, encoding="utf-8")
    (folder / "platform.yml").write_text(_PLATFORM, encoding="utf-8")
    for number, tier in enumerate(dict.fromkeys(TIERS.values()), start=1):
        services = {
            name: {
                "kind": "yard", "image": "yard:1", "port": yard.ports[name], "stateful": name == "db",
                "depends_on": dict.fromkeys(REQUIRES[name], "hard"),
            }
            for name in REQUIRES
            if TIERS[name] == tier
        }  # fmt: skip
        text = yaml.safe_dump({"tier": tier, "mode": "act", "services": services})
        (folder / f"{number}-{tier}.yml").write_text(text, encoding="utf-8")
    (folder / "4-monitoring.yml").write_text(_MONITORING, encoding="utf-8")
    return folder


@dataclass(slots=True)
class Names:
    """Where each name and port of the catalog really is; a forward proxy for Prometheus asks it."""

    places: dict[str, str]
    port: int = 0

    @property
    def url(self) -> str:
        """As `proxy_url`."""
        return f"http://{HOST}:{self.port}"

    def real(self, url: str) -> str:
        """Return *url* with every `name:port` in it replaced by the real address."""
        for name, place in self.places.items():
            for before, after in ((f"//{name}/", f"//{place}/"), (_quoted(name), _quoted(place))):
                url = url.replace(before, after)
        return url


def _quoted(place: str) -> str:
    """Return *place* as it stands in the parameter `target` of a probe."""
    return quote(f"//{place}/", safe="")


class _Handler(BaseHTTPRequestHandler):
    names: ClassVar[Names]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Pass the request on to where its name really is."""
        status, body, kind = 502, b"no such name", "text/plain"
        parts = urlsplit(self.path)
        if parts.netloc in self.names.places:
            status, body, kind = _fetch(
                self.names.real(self.path),
                {name: self.headers[name] for name in _PASSED if name in self.headers},
            )
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


# The second tells the blackbox exporter when Prometheus gives up.
_PASSED = ("Accept", "X-Prometheus-Scrape-Timeout-Seconds")


def _fetch(url: str, headers: dict[str, str]) -> tuple[int, bytes, str]:
    try:
        with urlopen(Request(url, headers=headers), timeout=15) as answer:  # noqa: S310
            return answer.status, answer.read(), answer.headers.get("Content-Type", "text/plain")
    except HTTPError as error:
        return error.code, error.read(), "text/plain"
    except OSError:
        return 502, b"no answer", "text/plain"


@contextlib.contextmanager
def forwarding(names: Names) -> Iterator[Names]:
    """Serve as a forward proxy until the block ends."""
    server = ThreadingHTTPServer((HOST, 0), type("Handler", (_Handler,), {"names": names}))
    server.daemon_threads, server.block_on_close = True, False
    names.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield names
    finally:
        server.shutdown()
        server.server_close()


def remediation_config(
    rendered: Rendered, names: Names, doors: Mapping[str, str], port: int
) -> dict[str, Any]:
    """Return the rendered configuration of the remediator: faster, and with real addresses."""
    config = cast(
        "dict[str, Any]", _faster(yaml.safe_load(rendered.files["remediation/config.yml"]))
    )
    config["alertmanager"]["url"] = names.real(f"{config['alertmanager']['url']}/").rstrip("/")
    config["docker"] |= doors
    config["listen"] = f"{HOST}:{port}"
    for service in config["services"]:
        if "url" in service["health"]:
            service["health"]["url"] = names.real(service["health"]["url"])
    return config


def _faster(data: object) -> object:
    if isinstance(data, list):
        return [_faster(each) for each in data]
    if not isinstance(data, dict):
        return data
    return {
        key: _hurried(value) if key in _DURATIONS else _faster(value) for key, value in data.items()
    }


def _hurried(duration: str) -> str:
    wanted = seconds(duration) / SPEED
    return f"{wanted:.0f}s" if wanted >= 10 else f"{wanted * 1000:.0f}ms" if wanted else "0s"


@dataclass(slots=True)
class Chain:
    """Everything but the remediator, at work; *config* is what a remediator is to be given."""

    yard: Yard
    truth: Truth
    prometheus: Api
    alertmanager: Api
    people: Receiver
    config: dict[str, Any]
    port: int
    folder: Path
    tests: int = 0

    def alerts(self) -> set[tuple[str, str]]:
        """Return name and service of the alerts that Prometheus has firing, Watchdog left out."""
        told = self.prometheus.get("/api/v1/alerts")["data"]["alerts"]
        return {
            (one["labels"]["alertname"], one["labels"]["service"])
            for one in told
            if one["state"] == "firing" and one["labels"]["alertname"] != "Watchdog"
        }

    def down(self) -> set[str]:
        """Return the services that an alert calls down, pending ones included."""
        told = self.prometheus.get("/api/v1/alerts")["data"]["alerts"]
        return {
            one["labels"]["service"] for one in told if one["labels"]["alertname"] == "ServiceDown"
        }


@contextlib.contextmanager
def running_chain(folder: Path, prometheus: str, alertmanager: str) -> Iterator[Chain]:
    """Run everything but the remediator, with these tools."""
    port = free_port()
    with contextlib.ExitStack() as on:
        yard = on.enter_context(running_yard(folder))
        for name in MONITORING:
            yard.engine.start(name, "exec sleep 1000000", "--restart", "no")
        truth = on.enter_context(watching(yard.engine))
        catalog = load_catalog(write_catalog(folder / "catalog", yard))
        rendered = render(catalog)
        binary = proxy_binary(folder)
        doors = {
            access.proxy.name: on.enter_context(
                running_proxy(binary, access.flags, yard.engine, folder / access.proxy.name)
            )
            for access in accesses(catalog)
        }
        people = on.enter_context(receiving())
        text = timelapse.notifying(rendered, folder / "alertmanager", people)
        text = text.replace(f"{people.url}/v1/alerts", f"http://{HOST}:{port}/v1/alerts")
        for token in (folder / "alertmanager" / "secrets").glob("*remediator_token"):
            token.write_text(WEBHOOK, encoding="utf-8")
        manager = on.enter_context(stack.alertmanager(folder / "alertmanager", text, alertmanager))
        prober = on.enter_context(
            stack.blackbox_exporter(folder / "blackbox", rendered.files["blackbox/blackbox.yml"])
        )
        places = {f"{name}:{number}": f"{HOST}:{number}" for name, number in yard.ports.items()}
        places |= {f"{name}:2375": door.server.address for name, door in doors.items()}
        places |= {
            "alertmanager:9093": manager.address, "blackbox-exporter:9115": prober.address,
            "remediator:9744": f"{HOST}:{port}",
        }  # fmt: skip
        names = on.enter_context(forwarding(Names(places)))
        server = on.enter_context(
            _prometheus(rendered, folder / "prometheus", names, manager, prometheus)
        )
        places["prometheus:9090"] = server.address
        config = remediation_config(
            rendered,
            names,
            {"read": doors["docker-proxy"].url, "restart": doors["restart-proxy"].url},
            port,
        )
        config["notify"] = {"url": f"{people.url}/direct"}
        assert config["docker"]["project"] == PROJECT
        yield Chain(yard, truth, Api(server), Api(manager), people, config, port, folder)


@contextlib.contextmanager
def _prometheus(
    rendered: Rendered, folder: Path, names: Names, manager: Server, tool: str
) -> Iterator[Server]:
    file = timelapse.scraping(rendered, folder, cast("Any", names), manager)
    with timelapse._prometheus(file, tool) as server:
        yield server

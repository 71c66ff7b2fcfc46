"""The servers that live tests start: monitoring tools, databases and their exporters."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.live.servers import HOST, Server, as_user, free_port, give_to, listens, need, running

_POSTGRES_BIN = "/usr/lib/postgresql/*/bin"
_RABBITMQ = "/usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server"
Command = list[str | Path]
_DEBIAN_TEMPLATES = Path("/usr/share/prometheus/alertmanager/default.tmpl")


@contextlib.contextmanager
def prometheus(folder: Path, config: str = "{}", tool: str = "prometheus") -> Iterator[Server]:
    """Run Prometheus with *config* (YAML text); *tool* prometheus3 is the current major version."""
    binary, port = need(tool), free_port()
    path = _write(folder / "prometheus.yml", config)
    command: Command = [binary, f"--config.file={path}", f"--storage.tsdb.path={folder / 'tsdb'}",
               f"--web.listen-address={HOST}:{port}"]  # fmt: skip
    with running(tool, command, folder=folder, port=port, ready=_http("/-/ready")) as server:
        yield server


@contextlib.contextmanager
def alertmanager(folder: Path, config: str, tool: str = "alertmanager") -> Iterator[Server]:
    """Run Alertmanager with *config* (YAML text), outside any cluster."""
    binary, port = need(tool), free_port()
    path = _write(folder / "alertmanager.yml", config)
    command: Command = [binary, f"--config.file={path}", f"--storage.path={folder / 'data'}",
               "--cluster.listen-address=", f"--web.listen-address={HOST}:{port}"]  # fmt: skip
    if b"/usr/share/prometheus/alertmanager" in binary.read_bytes() and not _has_templates():
        pytest.skip(f"{tool} is Debian's, and its templates are missing: {_DEBIAN_TEMPLATES}")
    with running(tool, command, folder=folder, port=port, ready=_http("/-/ready")) as server:
        yield server


@contextlib.contextmanager
def node_exporter(folder: Path) -> Iterator[Server]:
    """Run the node exporter on this very host."""
    binary, port = need("node_exporter"), free_port()
    command: Command = [binary, f"--web.listen-address={HOST}:{port}"]
    with running("node_exporter", command, folder=folder, port=port, ready=_http("/")) as server:
        yield server


@contextlib.contextmanager
def blackbox_exporter(folder: Path, modules: str) -> Iterator[Server]:
    """Run the blackbox exporter with *modules* (the whole configuration as YAML text)."""
    binary, port = need("blackbox_exporter"), free_port()
    path = _write(folder / "blackbox.yml", modules)
    command: Command = [binary, f"--config.file={path}", f"--web.listen-address={HOST}:{port}"]
    ready = _http("/-/healthy")
    with running("blackbox_exporter", command, folder=folder, port=port, ready=ready) as server:
        yield server


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[Server]:
    """Run a Redis server without persistence."""
    binary, port = need("redis-server"), free_port()
    command: Command = [
        binary,
        "--port",
        str(port),
        "--bind",
        HOST,
        "--dir",
        str(folder),
        "--save",
        "",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with running("redis", command, folder=folder, port=port, ready=_tcp) as server:
        yield server


@contextlib.contextmanager
def redis_exporter(folder: Path, target: Server, streams: str = "") -> Iterator[Server]:
    """Run the Redis exporter for *target*; *streams* are checked as `--check-streams`."""
    binary, port = need("redis_exporter"), free_port()
    command: Command = [binary, f"--redis.addr=redis://{target.address}", f"--check-streams={streams}",
               f"--web.listen-address={HOST}:{port}"]  # fmt: skip
    with running("redis_exporter", command, folder=folder, port=port, ready=_http("/")) as server:
        yield server


@contextlib.contextmanager
def postgres(folder: Path) -> Iterator[Server]:
    """Run a PostgreSQL server with an empty cluster; user postgres needs no password."""
    initdb = need("initdb", f"{_POSTGRES_BIN}/initdb")
    binary, port = need("postgres", f"{_POSTGRES_BIN}/postgres"), free_port()
    data = folder / "data"
    data.mkdir(parents=True)
    give_to("postgres", data)
    become = as_user("postgres")
    subprocess.run(
        [*become, initdb, "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"],
        cwd="/", check=True, capture_output=True,
    )  # fmt: skip
    command: Command = [*become, binary, "-D", data, "-p", str(port), "-c", f"listen_addresses={HOST}",
               "-c", "unix_socket_directories=", "-c", "fsync=off"]  # fmt: skip
    with running("postgres", command, folder=folder, port=port, ready=_tcp) as server:
        yield server


@contextlib.contextmanager
def postgres_exporter(folder: Path, target: Server) -> Iterator[Server]:
    """Run the PostgreSQL exporter for *target*."""
    binary, port = need("postgres_exporter"), free_port()
    source = f"postgresql://postgres@{target.address}/postgres?sslmode=disable"
    command: Command = [binary, f"--web.listen-address={HOST}:{port}"]
    with running(
        "postgres_exporter", command, folder=folder, port=port,
        ready=_http("/"), env={"DATA_SOURCE_NAME": source},
    ) as server:  # fmt: skip
        yield server


@contextlib.contextmanager
def loki(folder: Path, config: str) -> Iterator[Server]:
    """
    Run Loki in one process with *config* (YAML text).

    `{http}`, `{grpc}`, `{gossip}` and `{folder}` in it are filled in.
    """
    binary = need("loki")
    http, grpc, gossip = (free_port() for _ in range(3))
    text = config.format(http=http, grpc=grpc, gossip=gossip, folder=folder)
    command: Command = [binary, f"-config.file={_write(folder / 'loki.yml', text)}"]
    with running("loki", command, folder=folder, port=http, ready=_http("/ready")) as server:
        yield server


@contextlib.contextmanager
def promtail(folder: Path, config: str) -> Iterator[Server]:
    """Run Promtail with *config* (YAML text); `{http}` and `{folder}` in it are filled in."""
    binary, port = need("promtail"), free_port()
    text = config.format(http=port, folder=folder)
    command: Command = [binary, f"-config.file={_write(folder / 'promtail.yml', text)}"]
    with running("promtail", command, folder=folder, port=port, ready=_http("/ready")) as server:
        yield server


@contextlib.contextmanager
def rabbitmq(folder: Path) -> Iterator[Server]:
    """Run a RabbitMQ node with the Prometheus plugin; the port is that of its metrics."""
    binary, epmd_binary = need("rabbitmq-server", _RABBITMQ), need("epmd")
    amqp, port, dist, epmd = (free_port() for _ in range(4))
    config = _write(
        folder / "rabbitmq.conf",
        f"listeners.tcp.1 = {HOST}:{amqp}\n"
        f"prometheus.tcp.ip = {HOST}\nprometheus.tcp.port = {port}\n",
    )
    env = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"live{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(_write(folder / "plugins", "[rabbitmq_prometheus].")),
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_DIST_PORT": str(dist),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": HOST,
    }
    # Left to itself, RabbitMQ starts this name server as a daemon that outlives it.
    names: Command = [epmd_binary, "-address", HOST, "-port", str(epmd)]
    with (
        running("epmd", names, folder=folder, port=epmd, ready=_tcp),
        running("rabbitmq", [binary], folder=folder, port=port, ready=_http("/metrics"), env=env)
        as server,
    ):  # fmt: skip
        yield server


def _has_templates() -> bool:
    return _DEBIAN_TEMPLATES.exists()


def _http(path: str) -> Callable[[Server], bool]:
    return lambda server: server.answers(path)


def _tcp(server: Server) -> bool:
    return listens(server.port)


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path

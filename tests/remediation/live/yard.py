"""
Six real services on a real Docker Engine, each of which breaks and recovers as a test wants.

A service is busybox's httpd on a free port of 127.0.0.1; what it answers hangs on files in a folder
that the test writes to: `ok` (else 503), `hang` (no answer), `broken` (a start cures nothing), `dies`
(a start ends at once), `clings` (a fall of a dependency takes it along until it is restarted). A start
removes `hang` and writes `ok`, as a restart of a real service would cure a leak or a deadlock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.exporters.agents.engine import IMAGE, PROJECT, Engine, running_engine
from tests.live.servers import HOST, free_port

# Dependencies first: db and cache; api and worker need them; web needs the api; mail needs nobody.
REQUIRES: dict[str, tuple[str, ...]] = {
    "db": (),
    "cache": (),
    "api": ("db", "cache"),
    "worker": ("cache",),
    "web": ("api",),
    "mail": (),
}
TIERS = {
    "db": "core",
    "cache": "core",
    "api": "app",
    "worker": "app",
    "web": "edge",
    "mail": "edge",
}
CHECKED = ("api", "mail")  # these have a health check of Docker's own
PATH = "/cgi-bin/health"

_START = """\
trap 'exit 0' TERM
rm -f /state/hang /state/ok
[ -e /state/dies ] && exit 1
[ -e /state/broken ] || touch /state/ok
httpd -f -p {host}:{port} -h /www &
wait
"""
_HEALTH = """\
#!/bin/sh
sick() {{ printf 'Status: 503 sick\\r\\nContent-Type: text/plain\\r\\n\\r\\n%s\\n' "$1"; exit 0; }}
[ -e /state/hang ] && sleep 60
[ -e /state/ok ] || sick 'not ok'
for port in {ports}; do
  /bin/sh /www/ask.sh $port && continue
  [ -e /state/clings ] && rm -f /state/ok
  sick "needs $port"
done
printf 'Content-Type: text/plain\\r\\n\\r\\nok\\n'
"""

# Debian's static busybox has a wget that crashes outside of Debian's own file system.
_ASK = """\
printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' | /bin/busybox timeout 2 /bin/busybox nc {host} $1 \
  | /bin/busybox grep -q ' 200 '
"""


@dataclass(frozen=True, slots=True)
class Yard:
    """The containers, by service; *ports* are where they answer, *folder* has a folder of each."""

    engine: Engine
    folder: Path
    ports: dict[str, int]

    def url(self, service: str) -> str:
        """Where the health of *service* is asked."""
        return f"http://{HOST}:{self.ports[service]}{PATH}"

    def name(self, service: str) -> str:
        """The name of its container."""
        return f"{PROJECT}-{service}"

    def put(self, service: str, *words: str) -> None:
        """Give *service* the files *words*."""
        for word in words:
            (self.folder / service / "state" / word).touch()

    def take(self, service: str, *words: str) -> None:
        """Take the files *words* from *service*."""
        for word in words:
            (self.folder / service / "state" / word).unlink(missing_ok=True)

    def heal(self) -> None:
        """Make everything well, whatever an earlier test has done; nothing is restarted for it."""
        for service in REQUIRES:
            self.take(service, "broken", "dies", "clings", "hang")
        self.engine.docker("start", *map(self.name, REQUIRES))  # no-op for what runs
        for service in REQUIRES:
            self.put(service, "ok")

    def unhealthy(self) -> list[str]:
        """Return those whose health check of Docker's own does not say that they are well."""
        names = [self.name(service) for service in CHECKED]
        says = "{{if .State.Health}}{{.State.Health.Status}}{{else}}healthy{{end}}"
        told = self.engine.docker("inspect", "-f", says, *names).split()
        return [each for each, health in zip(CHECKED, told, strict=True) if health != "healthy"]

    def kill(self, service: str) -> None:
        """End the process of *service* as a crash does: no human at work, no signal of Docker's."""
        # Not waited for: the container may be gone before its answer is.
        self.engine.docker("exec", "-d", self.name(service), "/bin/busybox", "killall", "httpd")


@contextlib.contextmanager
def running_yard(folder: Path) -> Iterator[Yard]:
    """Run a daemon and the services while the block runs."""
    with running_engine(folder / "docker") as engine:
        yield make_yard(engine, folder)


def make_yard(engine: Engine, folder: Path) -> Yard:
    """Start the services on *engine*."""
    yard = Yard(engine, folder / "yard", {service: free_port() for service in REQUIRES})
    for service, needs in REQUIRES.items():
        _prepare(yard, service, needs)
        yard.engine.docker(
            "run", "-d", "--name", yard.name(service), *options(yard, service),
            IMAGE, "/bin/sh", "/www/start.sh",
        )  # fmt: skip
    return yard


def _prepare(yard: Yard, service: str, needs: tuple[str, ...]) -> None:
    home = yard.folder / service
    (home / "state").mkdir(parents=True)
    (home / "www" / "cgi-bin").mkdir(parents=True)
    ports = " ".join(str(yard.ports[name]) for name in needs)
    health = home / "www" / PATH.removeprefix("/")
    health.write_text(_HEALTH.format(ports=ports), encoding="utf-8")
    health.chmod(0o755)
    (home / "www" / "ask.sh").write_text(_ASK.format(host=HOST, path=PATH), encoding="utf-8")
    start = _START.format(host=HOST, port=yard.ports[service])
    (home / "www" / "start.sh").write_text(start, encoding="utf-8")


def options(yard: Yard, service: str) -> list[str]:
    """Return how the container of *service* is made: as Compose does, on the host's network."""
    home = yard.folder / service
    found = [
        "--network", "host", "--restart", "no", "--stop-timeout", "2",
        "--label", f"com.docker.compose.project={PROJECT}",
        "--label", f"com.docker.compose.service={service}",
        "-v", f"{home / 'state'}:/state", "-v", f"{home / 'www'}:/www",
    ]  # fmt: skip
    if service in CHECKED:
        check = f"/bin/sh /www/ask.sh {yard.ports[service]}"
        found += ["--health-cmd", check, "--health-interval", "2s", "--health-timeout", "3s",
                  "--health-retries", "2", "--health-start-period", "1s"]  # fmt: skip
    return found

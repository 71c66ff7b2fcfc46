"""The remediator and its proxies as containers, as generated: what they are, may, and do."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path

import pytest

from tests.live.servers import until
from tests.remediation.containers.images import OURS
from tests.remediation.containers.place import NOBODY, SOCKET_GROUP, Place
from tests.remediation.proxy.rig import events

pytestmark = [pytest.mark.live, pytest.mark.chaos]

GROUPS = {
    "remediator": NOBODY,
    "docker-socket-proxy": SOCKET_GROUP,
    "remediator-socket-proxy": SOCKET_GROUP,
}
NONE = "0000000000000000"
SUBJECT = ("family", "service", "tier", "kind", "owner")
WATCHDOG = dict.fromkeys(SUBJECT, "none") | {
    "alertname": "Watchdog", "severity": "none", "scope": "platform", "role": "root", "remedy": "none",
}  # fmt: skip
DOWN = {
    "alertname": "ServiceDown", "severity": "critical", "scope": "service", "role": "root", "remedy": "restart",
    "family": "availability", "service": "backend", "tier": "app", "kind": "kiosk", "owner": "ops",
}  # fmt: skip
# Of all folders, those where something can be written into a file.
WRITABLE = """
import json, os
found = []
for folder, _, _ in os.walk("/"):
    if folder.startswith(("/proc", "/sys")):
        continue  # the kernel's own
    path = os.path.join(folder, "made")
    try:
        with open(path, "x") as file:
            file.write("something")  # in /dev/mqueue files can be made, but are queues
        found.append(folder)
    except OSError:
        pass
    finally:
        if os.path.exists(path):
            os.unlink(path)
print(json.dumps(sorted(found)))
"""
ASK = """
import http.client, json
answers = []
for host, method, path in {asked!r}:
    connection = http.client.HTTPConnection(host, 2375, timeout=30)
    connection.request(method, path, '{{"Image": "shop/backend:1", "Cmd": ["true"]}}', {{"Content-Type": "application/json"}})
    answers.append(connection.getresponse().status)
print(json.dumps(answers))
"""
REFUSED = (
    ("POST", "/v1.41/containers/create?name=intruder"),
    ("POST", "/v1.41/containers/shop-backend/exec"),
    ("POST", "/v1.41/containers/shop-backend/stop?t=0"),
    ("POST", "/v1.41/containers/shop-backend/kill"),
    ("POST", "/v1.41/containers/shop-alertmanager/restart"),
    ("POST", "/v1.41/containers/shop-remediator-socket-proxy/restart"),
    ("DELETE", "/v1.41/containers/shop-backend?force=1"),
    ("GET", "/v1.41/containers/shop-backend/archive?path=/etc"),
)


@pytest.mark.parametrize("service", GROUPS)
def test_the_process_may_nothing(place: Place, service: str) -> None:
    """The kernel says of the process itself: not root, no capability at all, no way to gain one, filtered calls."""
    told = place.status(service)

    group = GROUPS[service]
    assert {name: told[name] for name in told if name.startswith("Cap")} == dict.fromkeys(
        ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"), NONE
    )
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")
    assert set(told["Uid"].split()) == {str(NOBODY)}
    assert {*told["Gid"].split(), *told["Groups"].split()} == {str(group)}


@pytest.mark.parametrize("service", GROUPS)
def test_the_container_is_bounded_and_healthy(place: Place, service: str) -> None:
    """Docker calls it healthy, mounts its root read-only, bounds its memory and processes, and publishes nothing."""
    found = place.inspect(service)
    host = found["HostConfig"]

    assert found["State"]["Health"]["Status"] == "healthy"
    assert (host["ReadonlyRootfs"], host["Privileged"], host["IpcMode"], host["PortBindings"]) == (
        True, False, "none", {},
    )  # fmt: skip
    assert (host["Memory"], host["PidsLimit"]) == (256 * 2**20, 128)
    assert found["RestartCount"] == 0


def test_only_the_proxies_reach_the_socket(place: Place) -> None:
    """Docker's socket is in the proxies; in the remediator's container there is no socket of any kind."""
    socket = place.engine.url.removeprefix("unix://")
    sources = {
        service: [mount["Source"] for mount in place.inspect(service)["Mounts"]]
        for service in GROUPS
    }
    pid = place.inspect("remediator")["State"]["Pid"]
    found = [
        path
        for path in Path(f"/proc/{pid}/root").rglob("*")
        if path.parts[4:5] not in (("proc",), ("sys",)) and stat.S_ISSOCK(path.lstat().st_mode)
    ]

    assert {service for service in sources if socket in sources[service]} == {
        "docker-socket-proxy", "remediator-socket-proxy",
    }  # fmt: skip
    assert found == []


def test_it_writes_to_its_journal_and_nowhere_else(place: Place) -> None:
    """From within, a file can be made in the journal's volume and in /tmp, and in no other folder there is."""
    assert ["/tmp", "/var/lib/tierwatch"] == place.python(WRITABLE)


def test_the_same_image_without_the_definition_may_more(place: Place) -> None:
    """What is asked above has another answer for the same image run plainly, as root: the definition makes the difference."""
    sleep = "import time; time.sleep(600)"
    place.engine.docker(
        "run", "-d", "--name", "shop-plain", "--network", "none", "--user", "0", "--entrypoint", "python",
        OURS, "-c", sleep,
    )  # fmt: skip
    told, writable = place.status("plain"), place.python(WRITABLE, "plain")

    assert NONE not in (told["CapEff"], told["CapBnd"])
    assert (told["NoNewPrivs"], told["Uid"].split()[0]) == ("0", "0")
    assert {"/", "/usr/local/bin", "/dev/shm"} <= set(writable)


def test_its_tokens_are_its_own(place: Place) -> None:
    """It reads both tokens; on the host nobody but its user does."""
    secrets = place.folder / "secrets" / "remediation"
    inside = place.python(
        "import json, pathlib; folder = pathlib.Path('/etc/remediation/secrets');"
        "print(json.dumps({each.name: each.read_text() for each in folder.iterdir()}))"
    )

    files = [secrets / "operator_token", secrets / "webhook_token"]
    assert inside == {file.name: file.read_text(encoding="utf-8") for file in files}
    assert {(file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) for file in files} == {
        (NOBODY, 0o400)
    }


def test_it_sees_docker_and_alertmanager(place: Place) -> None:
    """Both answer it in time, although another client of the read proxy, before it in the catalog, was never started."""
    read = (
        "import json, urllib.request as u; page = u.urlopen('http://127.0.0.1:9744/metrics').read().decode();"
        "print(json.dumps([line for line in page.splitlines() if line.startswith(('remediation_docker_up ',"
        " 'remediation_alertmanager_up '))]))"
    )
    seen = ["remediation_alertmanager_up 1.0", "remediation_docker_up 1.0"]

    until(lambda: sorted(place.python(read)) == seen, "both are up", instead=place.told)


def test_it_knows_which_container_it_is(place: Place) -> None:
    """It finds its own id, so that it never restarts itself."""
    own = place.python(
        "import json; from remediation.drivers.own import own_ids; print(json.dumps(sorted(own_ids())))"
    )

    id_ = place.inspect("remediator")["Id"]
    assert own == [id_[:12], id_]


@pytest.mark.parametrize("proxy", ["docker-socket-proxy", "remediator-socket-proxy"])
def test_the_proxies_refuse_it_everything_else(place: Place, proxy: str) -> None:
    """Asked from within: looking passes; create, exec, stop, kill, delete and foreign restarts do nothing."""
    before, since = place.inspect("backend"), time.time()
    passes = (proxy, "GET", "/v1.41/containers/shop-backend/json")

    answers = place.python(ASK.format(asked=[passes, *((proxy, *each) for each in REFUSED)]))

    assert answers[0] == 200
    assert set(answers[1:]) <= {403, 405}
    now = place.inspect("backend")
    assert (now["Id"], now["State"]) == (before["Id"], before["State"])
    # The engine's own word; Compose's health checks are execs, too.
    done = {action for action, name in events(place.engine, since) if not action.startswith("exec")}
    assert done == set()
    assert ("exec_create", "shop-backend") not in events(place.engine, since)


def test_a_stranger_on_the_network_is_refused(place: Place) -> None:
    """A container that is no client of the proxy may not even look."""
    told = place.engine.docker(
        "exec", "shop-backend", "/bin/busybox", "sh", "-c",
        "printf 'GET /_ping HTTP/1.0\\r\\n\\r\\n' | /bin/busybox nc remediator-socket-proxy 2375",
    )  # fmt: skip

    assert told.split()[1] == "403"


def test_a_service_that_dies_is_restarted(place: Place) -> None:
    """Told by Alertmanager, the remediator restarts it, which only its proxy lets it do, and notes it in its volume."""
    before, since = place.inspect("backend")["State"], time.time()
    place.kill("backend")
    place.alert(WATCHDOG, DOWN)

    until(
        lambda: len(place.entries("finished")) > 0, "the restart is in the journal",
        instead=place.told,
    )  # fmt: skip
    state = place.inspect("backend")["State"]

    assert (state["Running"], state["StartedAt"] > before["StartedAt"]) == (True, True)
    assert [name for action, name in events(place.engine, since) if action == "restart"] == [
        "shop-backend"
    ]
    assert [entry.body["service"] for entry in place.entries("intended")] == ["backend"]
    assert [entry.body["result"] for entry in place.entries("finished")] == ["succeeded"]


def test_a_new_container_goes_on_with_the_journal(place: Place) -> None:
    """Made anew by Compose, it has the journal of the one before, unbroken, and people are answered in it."""
    old, lives = place.inspect("remediator")["Id"], len(place.entries("started"))
    place.compose(
        "up", "-d", "--wait", "--pull", "never", "--force-recreate", "--no-deps", "remediator"
    )

    def tierwatch(*arguments: str) -> str:
        return place.engine.docker("exec", "shop-remediator", "tierwatch", "remediate", *arguments)

    assert place.inspect("remediator")["Id"] != old
    assert "as it was written" in tierwatch("history", "--verify")
    assert len(place.entries("started")) == lives + 1
    status = json.loads(
        tierwatch("status", "--config", "/etc/tierwatch/config.yml", "--format", "json")
    )
    assert isinstance(status, dict)

"""
More stories on a real engine, with the oldest Alertmanager: humans, silence, lies, loss, blindness.

Each ends with the engine's events: what was not to be restarted was not, what was to be was, once.
"""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from pathlib import Path

import pytest

from remediation.alertmanager.rfc3339 import format_time
from tests.exporters.agents.engine import IMAGE
from tests.live.servers import free_port, need
from tests.remediation.alertmanager import rig as alerts
from tests.remediation.live.process import WEBHOOK, Remediator
from tests.remediation.live.rig import Ground, alertmanager, stopped_process
from tests.remediation.live.voice import labels
from tests.remediation.live.yard import options

pytestmark = [
    pytest.mark.live,
    pytest.mark.chaos,
    pytest.mark.parametrize("ground", ["alertmanager"], indirect=True),
]

LONG_S = 6.0  # many rounds: time enough for a restart that should not come


def test_an_exited_service_is_started(ground: Ground) -> None:
    """The mailer crashes: it is started once, and nobody else is touched."""
    with ground.remediator() as story:
        ground.yard.kill("mail")
        story.until_closed("healed")

        assert story.restarted == ["mail"]
        story.judge(only=["mail"])


def test_an_incurable_service_ends_at_a_human(ground: Ground) -> None:
    """No restart cures the mailer: one at each rung, then it is given up, and left alone for good."""
    with ground.remediator() as story:
        ground.yard.put("mail", "broken", "hang")
        story.until(lambda: bool(story.remediator.entries("gave_up")), "it gives up", seconds=180)
        given_up = story.remediator.entries("gave_up")[0].number
        assert len([e for e in story.remediator.entries("finished") if e.number < given_up]) == 3
        story.watch(LONG_S)

        assert story.restarted == ["mail"] * 3
        assert [e.body["rung"] for e in story.remediator.entries("climbed")] == [
            "dependants",
            "tier",
        ]
        story.judge(only=["mail"])


def test_a_root_that_is_not_cured_keeps_its_dependants(ground: Ground) -> None:
    """The database stays ill after its restarts: those who need it are never touched."""
    with ground.remediator() as story:
        ground.yard.put("db", "broken", "hang")
        story.until(lambda: bool(story.remediator.entries("gave_up")), "it gives up", seconds=180)

        assert story.restarted == ["db"] * 3
        story.judge(only=["db"])


def test_what_a_human_stops_stays_stopped(ground: Ground) -> None:
    """`docker stop` of a sick service, before and in the middle of its incident: it is left alone."""
    with ground.remediator() as story:
        ground.yard.put("worker", "hang")
        story.until(lambda: "worker" in ground.voice.fires, "the alert fires")
        ground.yard.engine.docker("stop", "-t", "1", ground.yard.name("worker"))
        early = len(story.restarted)
        ground.yard.put("mail", "broken", "hang")
        story.until(lambda: "mail" in story.restarted, "the mailer is restarted")
        ground.yard.engine.docker("stop", "-t", "1", ground.yard.name("mail"))
        late = story.restarted.count("mail")
        story.until(
            lambda: story.remediator.decided("mail", "stopped_by_human"), "it knows who stopped it"
        )
        story.watch(LONG_S)

        assert (story.restarted.count("worker"), story.restarted.count("mail")) == (early, late)
        assert "healed" not in story.remediator.closed()
        story.judge(only=["mail", "worker"])


def test_a_lost_webhook_costs_one_poll(ground: Ground) -> None:
    """Alertmanager's messages go nowhere: what its API tells is enough, and heals."""
    with ground.remediator(started=False) as story:
        story.remediator.port = free_port()
        story.remediator.start()
        ground.yard.put("mail", "hang")
        story.until_closed("healed")

        assert story.remediator.entries("received") == []
        assert story.restarted == ["mail"]
        story.judge(only=["mail"])


def test_what_is_over_before_it_is_done_is_not_done(ground: Ground) -> None:
    """Accepted while paused, well again before the pause ends: nothing is restarted."""
    with ground.remediator() as story:
        story.remediator.call("/v1/pause", {"by": "me", "reason": "looking"})
        ground.yard.put("mail", "hang")
        story.until(lambda: story.remediator.decided("mail", "paused"), "it is paused")
        ground.yard.take("mail", "hang")
        story.until(ground.calm, "it is well, its alert is over")
        story.remediator.call("/v1/resume", {"by": "me"})
        story.watch(LONG_S)

        assert story.restarted == []
        story.judge(only=[])


def test_a_silence_after_the_message_holds(ground: Ground) -> None:
    """Silenced between message and act: not restarted while it lasts, restarted when it has ended."""
    with ground.remediator() as story:
        story.remediator.call("/v1/pause", {"by": "me", "reason": "looking"})
        ground.yard.put("mail", "hang")
        story.until(lambda: story.remediator.decided("mail", "paused"), "it is paused")
        now = time.time()
        silence = alerts.silence(
            ground.alertmanager, ("service", "mail"), start=now, end=now + 3600
        )
        story.remediator.call("/v1/resume", {"by": "me"})
        story.until(lambda: story.remediator.decided("mail", "silenced"), "it is silenced")
        story.watch(LONG_S)
        before = story.restarted
        alerts.call(f"{ground.alertmanager.url}/api/v2/silence/{silence}", method="DELETE")
        story.until_closed("healed")

        assert (before, story.restarted) == ([], ["mail"])
        story.judge(only=["mail"])


def test_announced_work_holds(ground: Ground) -> None:
    """Work on a whole tier is announced: nothing in it is restarted until it is over."""
    with ground.remediator() as story:
        hold = {"name": "edge", "for_s": 600, "by": "me", "reason": "new cables"}
        story.remediator.call("/v1/holds", hold)
        ground.yard.put("mail", "hang")
        story.until(lambda: story.remediator.decided("mail", "maintenance"), "it is held")
        story.watch(LONG_S)

        assert story.restarted == []
        story.judge(only=[])


def test_one_signal_alone_does_nothing(ground: Ground) -> None:
    """Prometheus lies about a service that is well, and says nothing of one that is ill: no restart."""
    with ground.remediator() as story:
        ground.voice.claims.add("mail")
        ground.voice.muted.add("worker")
        ground.yard.put("worker", "hang")
        story.until(lambda: story.remediator.decided("mail", "no_evidence"), "nothing agrees")
        story.until(lambda: not ground.voice.healthy("worker"), "the worker is ill")
        story.watch(LONG_S)

        assert story.restarted == []
        story.judge(only=[])


def test_without_a_watchdog_nothing_is_done(ground: Ground) -> None:
    """The Watchdog goes missing: no restart, until it is back."""
    with ground.remediator() as story:
        ground.voice.watchdog = False
        story.until(lambda: bool(story.remediator.call("/v1/status")["blind"]), "it is blind")
        ground.yard.put("mail", "hang")
        story.until(lambda: story.remediator.decided("mail", "blind"), "it says so")
        story.watch(LONG_S)
        before = story.restarted
        ground.voice.watchdog = True
        story.until_closed("healed")

        assert (before, story.restarted) == ([], ["mail"])
        story.judge(only=["mail"])


def test_an_alertmanager_without_memory_proves_nothing(ground: Ground, tmp_path: Path) -> None:
    """It is restarted and has forgotten all: its empty list neither ends an incident nor begins one."""
    hook, port = f"http://127.0.0.1:{ground.port}", free_port()
    with contextlib.ExitStack() as first:
        server = first.enter_context(alertmanager(tmp_path / "1", "alertmanager", hook, port=port))
        ground.voice.alertmanagers = [ground.alertmanager, server]
        with ground.remediator(alertmanager={"url": server.url}) as story:
            ground.yard.put("mail", "broken", "hang")
            story.until(lambda: story.restarted == ["mail"], "it was restarted once")
            ground.voice.speaks = False
            first.close()
            with alertmanager(tmp_path / "2", "alertmanager", hook, port=port):
                story.until(
                    lambda: bool(story.remediator.call("/v1/status")["blind"]), "it is blind"
                )
                ground.yard.take("mail", "broken")
                ground.yard.put("mail", "ok")
                before = story.restarted
                story.watch(LONG_S + 4)
                assert (before, story.remediator.closed()) == (story.restarted, [])
                ground.voice.speaks = True
                story.until_closed("healed")
            story.judge(only=["mail"])
    ground.voice.alertmanagers = [ground.alertmanager]


def test_an_engine_that_hangs_is_waited_for(ground: Ground) -> None:
    """Dockerd is stopped (SIGSTOP) while a service is ill: nothing is done twice, then it heals."""
    pid = int((Path(ground.yard.engine.url.removeprefix("unix://")).parent / "pid").read_text())
    with ground.remediator() as story:
        with stopped_process(pid):
            ground.yard.put("mail", "hang")
            story.until(lambda: story.remediator.decided("mail", "docker_down"), "Docker is down")
            story.watch(LONG_S)
            assert story.remediator.entries("intended") == []
        story.until_closed("healed")

        assert story.restarted == ["mail"]
        story.judge(only=["mail"])


def test_a_closed_door_is_no_cure(ground: Ground) -> None:
    """The proxy for restarts is gone: nothing is restarted, and people are called in the end."""
    door = {"restart": f"tcp://127.0.0.1:{free_port()}"}
    with ground.remediator(doors=door) as story:
        ground.yard.put("mail", "hang")
        story.until(lambda: bool(story.remediator.entries("gave_up")), "it gives up", seconds=180)

        assert story.restarted == []
        results = [str(e.body["result"]) for e in story.remediator.entries("finished")]
        assert set(results) == {"failed"}
        assert len(results) <= 3
        story.judge(only=[])


def test_a_thousand_deliveries_are_one_restart(ground: Ground) -> None:
    """The same message a thousand times, late, old and forged ones among them: one restart."""
    with ground.remediator() as story:
        ground.yard.put("mail", "hang")
        story.until(lambda: bool(story.remediator.entries("received")), "it is accepted")
        told = story.remediator.entries("received")[0].body["alerts"]
        assert isinstance(told, list)
        fingerprint, starts = told[0]["fingerprint"], told[0]["starts_wall"]
        for number in range(1000):
            service = ("mail", "db", "nobody", "$(reboot)")[number % 4]
            mark = fingerprint if service == "mail" else f"{number:016x}"
            _deliver(story.remediator, service, mark, starts - (number % 3) * 86400 * 3)
        story.until_closed("healed")
        story.watch(LONG_S)

        assert story.restarted == ["mail"]
        story.judge(only=["mail"])


def _deliver(remediator: Remediator, service: str, fingerprint: str, starts: float) -> None:
    about = {**labels("mail"), "service": service}
    alert = {
        "status": "firing", "labels": about, "annotations": {}, "fingerprint": fingerprint,
        "startsAt": format_time(starts), "endsAt": "0001-01-01T00:00:00Z",
    }  # fmt: skip
    body = {"version": "4", "groupKey": "x", "status": "firing", "alerts": [alert]}
    request = urllib.request.Request(f"{remediator.url}/v1/alerts", json.dumps(body).encode())  # noqa: S310
    request.add_header("Authorization", f"Bearer {WEBHOOK}")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        assert answer.status == 200


def test_a_dry_run_decides_and_does_nothing(ground: Ground) -> None:
    """With --dry-run it says what it would restart, and the engine is asked for nothing."""
    with ground.remediator("--dry-run") as story:
        ground.yard.kill("db")
        story.until(lambda: story.remediator.decided("db", "observe"), "it would restart it")
        story.watch(LONG_S)

        assert (story.restarted, story.remediator.entries("intended")) == ([], [])
        last = [e.body for e in story.remediator.entries("decided") if e.body["service"] == "db"]
        assert last[-1]["detail"] == "would restart db"


def test_approval_is_asked_for_what_still_runs(ground: Ground) -> None:
    """In mode approve an exited database is started at once, a hung one after a human's yes."""
    tiers = [{"name": name, "order": number, "mode": "approve"}
             for number, name in enumerate(("core", "app", "edge"), start=1)]  # fmt: skip
    with ground.remediator(tiers=tiers) as story:
        ground.yard.kill("cache")
        story.until_closed("healed")
        ground.yard.put("mail", "hang")
        story.until(lambda: story.remediator.decided("mail", "approval"), "it asks")
        story.watch(LONG_S)
        before = story.restarted
        (incident,) = {
            e.body["incident"]
            for e in story.remediator.entries("opened")
            if e.body["root"] == "mail"
        }
        story.remediator.call(f"/v1/approve/{incident}", {"by": "me"})
        story.until_closed("healed", "healed")

        assert (before, story.restarted) == (["cache"], ["cache", "mail"])
        story.judge(only=["cache", "mail"])


def test_one_that_compose_makes_anew_is_left_alone(ground: Ground, tmp_path: Path) -> None:
    """A real `docker-compose up --force-recreate` of a sick service: the new container is not restarted."""
    import subprocess

    yard = ground.yard
    home = yard.folder / "mail"
    service = {
        "image": IMAGE, "container_name": yard.name("mail"), "network_mode": "host",
        "command": ["/bin/sh", "/www/start.sh"], "stop_grace_period": "2s",
        "volumes": [f"{home / 'state'}:/state", f"{home / 'www'}:/www"],
    }  # fmt: skip
    file = tmp_path / "compose.yml"
    file.write_text(json.dumps({"name": "shop", "services": {"mail": service}}), encoding="utf-8")

    def compose(*words: str) -> None:
        command = [str(need("docker-compose")), "-f", str(file), *words]
        run = subprocess.run(
            command, env={"DOCKER_HOST": yard.engine.url, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert run.returncode == 0, run.stderr

    ground.settle()
    yard.engine.docker("rm", "-f", yard.name("mail"))
    compose("up", "-d")
    services = [dict(each) for each in _services(ground)]
    next(each for each in services if each["name"] == "mail")["start_period"] = "20s"
    try:
        with ground.remediator(services=services) as story:
            yard.put("mail", "broken", "hang")
            story.until(lambda: story.remediator.decided("mail", "recreated"), "it was just made")
            compose("up", "-d", "--force-recreate")
            since = time.time()
            story.watch(LONG_S)
            assert ground.truth.services(since) == []
            yard.take("mail", "broken")
            yard.put("mail", "ok")
            story.until(ground.voice.quiet, "it is well")
            story.judge(only=[])
    finally:
        yard.engine.docker("rm", "-f", yard.name("mail"))
        yard.engine.docker(
            "run", "-d", "--name", yard.name("mail"), *options(yard, "mail"),
            IMAGE, "/bin/sh", "/www/start.sh",
        )  # fmt: skip


def _services(ground: Ground) -> list[dict[str, object]]:
    from tests.remediation.live.process import config_of

    found = config_of(
        ground.yard, alertmanager="", read="", restart="", folder=ground.folder, port=ground.port
    )
    return list(found["services"])

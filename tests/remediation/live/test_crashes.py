"""
SIGKILL, at chosen and at random moments, full disks, lost answers: exactly once, nothing lost, within budget.

The process is killed from outside: by its journal (read-only) one sees how far it has come. Seeded.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from remediation.journal.journal import verify
from tests.remediation.alertmanager import rig as alerts
from tests.remediation.alertmanager.raw import answering, http
from tests.remediation.drivers.relay import relaying
from tests.remediation.journal.rigs import mounted
from tests.remediation.live.process import Remediator
from tests.remediation.live.rig import Ground, Story

pytestmark = [pytest.mark.live, pytest.mark.chaos]

# The kinds of entries in the order in which a healing writes them.
STEPS = ("received", "opened", "decided", "intended", "finished", "healthy", "closed")
LOOK_S = 0.005


def _kill_at(remediator: Remediator, kind: str, seconds: float = 90) -> None:
    """SIGKILL the process as soon as its journal holds an entry of *kind*."""
    deadline = time.monotonic() + seconds
    uri = f"{remediator.journal.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)) as connection:
        asked = "SELECT count(*) FROM entry WHERE CAST(kind AS TEXT) = ?"
        while not connection.execute(asked, (kind,)).fetchone()[0]:
            assert time.monotonic() < deadline, f"no entry {kind}"
            time.sleep(LOOK_S)
    remediator.kill()


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_at_every_step_repeats_nothing(ground: Ground, step: str) -> None:
    """Killed right after an entry of each kind: the mailer is restarted once all in all, and heals."""
    with ground.remediator() as story:
        ground.yard.put("mail", "hang")
        _kill_at(story.remediator, step)
        story.remediator.start()
        story.until_closed("healed")
        story.watch(1)

        # Killed between intent and request nothing was asked for: then the next rung did it.
        assert story.restarted == ["mail"]
        story.judge(only=["mail"])
        assert verify(story.remediator.journal).intact


@pytest.mark.parametrize("seed", range(4))
def test_crashes_at_random_moments(ground: Ground, seed: int) -> None:
    """The database dies and the API clings to it, while the process is killed again and again."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    with ground.remediator() as story:
        ground.yard.put("api", "clings")
        ground.yard.kill("db")
        for _ in range(8):
            time.sleep(dice.uniform(0.2, 3.0))  # the fault itself: a moment that nothing chooses
            story.remediator.kill()
            story.remediator.start(wait=False)
        story.until(ground.voice.healthy, "all are well again", seconds=180)
        story.until(lambda: _is_over(story), "all incidents are over", seconds=120)

        assert set(story.restarted) == {"db", "api"}
        assert story.restarted[0] == "db"
        story.judge(only=["db", "api"])
        assert verify(story.remediator.journal).intact


def _is_over(story: Story) -> bool:
    entries = story.remediator.entries()
    opened, closed = (sum(e.kind == kind for e in entries) for kind in ("opened", "closed"))
    return opened == closed > 0 and ground_is_quiet(story)


def ground_is_quiet(story: Story) -> bool:
    """Whether nothing is alerted any more."""
    return story.ground.voice.quiet()


def test_a_failing_service_and_a_failing_healer(ground: Ground) -> None:
    """No restart cures the mailer, and the process is killed every few seconds: its budget holds."""
    with ground.remediator() as story:
        ground.yard.put("mail", "broken", "hang")
        deadline = time.monotonic() + 90
        while not story.remediator.entries("gave_up") and time.monotonic() < deadline:
            time.sleep(4)  # the fault itself
            story.remediator.kill()
            story.remediator.start()
        story.until(
            lambda: (
                bool(story.remediator.entries("gave_up"))
                or story.remediator.decided("mail", "budget")
            ),
            "it gives up, or has no budget left",
            seconds=120,
        )

        assert 1 <= len(story.restarted) <= 3
        story.judge(only=["mail"])


def test_a_storm_outlives_the_process(ground: Ground) -> None:
    """Killed right after the freeze: frozen it starts again, and restarts nothing."""
    with ground.remediator() as story:
        for service in ("db", "cache", "mail"):
            ground.yard.put(service, "broken", "hang")
        _kill_at(story.remediator, "frozen")
        done = story.restarted
        story.remediator.start()
        story.watch(6)

        assert story.remediator.call("/v1/status")["frozen"]
        assert story.restarted == done
        story.judge(only=["db", "cache", "mail"])


def test_a_page_outlives_the_process_that_owed_it(ground: Ground) -> None:
    """The pager is away, the remediator is killed: the next process pages, once, and nobody is paged again."""
    status = ["503 Away"]
    with answering(lambda _: http(b"", status[0])) as pager, ground.remediator(
        notify={"url": pager.url}
    ) as story:  # fmt: skip
        ground.yard.put("mail", "broken", "hang")
        _kill_at(story.remediator, "gave_up", seconds=180)
        status[0] = "200 OK"
        pager.bodies.clear()
        story.remediator.start()
        story.until(lambda: _told(story) == ["page/mail"], "the page has arrived")
        story.remediator.kill()
        story.remediator.start()
        story.watch(1)

        said = [json.loads(body) for body in pager.bodies]
        pages = [each for each in said if each["commonLabels"]["severity"] == "critical"]
        assert [(page["groupLabels"], page["status"]) for page in pages] == [
            ({"alertname": "RemediationGaveUp", "service": "mail"}, "firing")
        ]
        assert _told(story) == ["page/mail"]
        assert story.restarted == ["mail"] * 3


def _told(story: Story) -> list[str]:
    """Return the subjects of what has arrived, without the incident."""
    told = [str(entry.body["subject"]) for entry in story.remediator.entries("told")]
    return [subject.rpartition("/")[0] for subject in told]


@contextmanager
def _small_disk(folder: Path, size: str) -> Iterator[Path]:
    with mounted(folder, "-t", "tmpfs", "-o", f"size={size}", "none") as mount:
        yield mount


def test_a_full_disk_means_503_and_another_delivery(ground: Ground, tmp_path: Path) -> None:
    """What cannot be written is neither accepted nor done; Alertmanager comes again, and it heals."""
    with (
        _small_disk(tmp_path / "small", "3m") as disk,
        ground.remediator(journal=disk / "journal.db") as story,
    ):
        filler = disk / "filler"
        _fill(filler)
        ground.yard.put("mail", "hang")
        story.until(lambda: _unavailable(story.remediator) >= 2, "503, and again")
        before = (story.restarted, _accepted_since(story))
        filler.unlink()
        story.until_closed("healed")

        assert before == ([], 0)
        assert _accepted_since(story) > 0
        assert story.restarted == ["mail"]
        story.judge(only=["mail"])


def _accepted_since(story: Story) -> int:
    """Return how many firings of this test were accepted."""
    told = [alert for e in story.remediator.entries("received") for alert in e.body["alerts"]]
    return sum(alert["firing"] and alert["starts_wall"] >= story.since for alert in told)


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 512):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue


def _unavailable(remediator: Remediator) -> float:
    import urllib.request

    with urllib.request.urlopen(f"{remediator.url}/metrics", timeout=10) as page:  # noqa: S310
        lines = page.read().decode().splitlines()
    name = 'remediation_intake_total{result="unavailable"} '
    return next((float(line.split()[1]) for line in lines if line.startswith(name)), 0.0)


@pytest.mark.parametrize("crash", [False, True])
def test_an_answer_that_is_lost_is_read_off_the_engine(ground: Ground, crash: bool) -> None:
    """The engine restarts and the answer is lost (and we with it): found done, not asked again."""
    with (
        relaying(ground.yard.engine.url, cut="answer") as relay,
        ground.remediator(doors={"restart": relay.url}) as story,
    ):
        ground.yard.put("mail", "hang")
        if crash:
            _kill_at(story.remediator, "intended")
            story.remediator.start()
        story.until_closed("healed")

        assert len(relay.posts) == len(story.restarted) == 1
        results = [e.body["result"] for e in story.remediator.entries("finished")]
        # Killed between intent and request nothing had been asked for: found not done, then done.
        assert results in ([["succeeded"], ["failed", "succeeded"]] if crash else [["succeeded"]])
        story.judge(only=["mail"])


def test_what_was_accepted_is_decided_after_a_crash(ground: Ground) -> None:
    """Killed right after each 2xx: every alert that was accepted is in the journal, and is answered."""
    with ground.remediator() as story:
        story.remediator.call("/v1/pause", {"by": "me", "reason": "looking"})
        for number in range(5):
            count = len(story.remediator.entries("received"))
            alerts.post(
                ground.alertmanager, alerts.labels("Odd", "mail", "edge", number=str(number))
            )
            story.until(
                lambda count=count: len(story.remediator.entries("received")) > count,  # type: ignore[misc]
                "it is accepted",
            )
            story.remediator.kill()
            story.remediator.start()
        alerts.post(
            ground.alertmanager,
            *(alerts.labels("Odd", "mail", "edge", number=str(number)) for number in range(5)),
            startsAt=time.time() - 60, endsAt=time.time() - 1,
        )  # fmt: skip
        story.watch(6)

        assert story.restarted == []
        story.judge(only=[])

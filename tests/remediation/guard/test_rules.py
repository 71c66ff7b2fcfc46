"""When the guard restarts, when it does not, and when it calls somebody: played, minute by minute."""

from __future__ import annotations

from dataclasses import replace

import pytest

from remediation.guard.rules import Reply, Word
from remediation.model import Restarted, Result
from tests.remediation.guard.stage import ALL, MINUTE, START, Stage


def test_nothing_is_done_while_all_is_well(stage: Stage) -> None:
    """An hour in which everything answers: no restart, nobody told, exit 0."""
    assert stage.minutes(60) == []
    assert stage.played.told == []
    assert stage.check().is_fine


def test_the_third_failure_in_a_row_restarts_once(stage: Stage) -> None:
    """Two failures do nothing, the third restarts that container alone; then it is counted anew."""
    stage.silence("prometheus")
    words = []
    for _ in range(4):
        words.append(stage.check().verdicts["prometheus"].word)
        stage.played.pass_by(MINUTE)

    assert words == [Word.FAILING, Word.FAILING, Word.RESTARTED, Word.FAILING]
    assert stage.played.restarted == ["shop-prometheus"]


def test_one_good_answer_starts_the_count_anew(stage: Stage) -> None:
    """Two failures, an answer, two failures: no restart."""
    for silent in (True, True, False, True, True, False):
        stage.played.replies["prometheus"] = Reply(0, "refused") if silent else Reply(200)
        stage.minutes(1)

    assert stage.played.restarted == []


def test_three_an_hour_and_then_a_human(stage: Stage) -> None:
    """What no restart cures is restarted three times in an hour; people are told once, and no more."""
    stage.silence("prometheus")
    restarted = stage.minutes(60)
    told = list(stage.played.told)

    assert restarted == ["shop-prometheus"] * 3
    assert [(name, over) for name, _, over in told] == [("prometheus", False)]
    assert stage.check().verdicts["prometheus"].word is Word.GIVEN_UP


def test_the_window_slides(stage: Stage) -> None:
    """In eight hours of an hourly window there are never more than three restarts within any hour."""
    stage.silence("alertmanager")
    at = []
    for _ in range(8 * 60):
        at += [stage.played.steady] * len(stage.minutes(1))

    assert len(at) > 20
    assert max(sum(1 for b in at if a <= b < a + 3600) for a in at) == 3


def test_it_is_told_when_it_is_over(stage: Stage) -> None:
    """Who was called hears that it is well again; the next time is told anew."""
    for silent in (True, False) * 2:
        stage.played.replies["prometheus"] = Reply(0, "refused") if silent else Reply(200)
        stage.minutes(70)

    assert [(name, over) for name, _, over in stage.played.told] == [
        ("prometheus", False),
        ("prometheus", True),
    ] * 2


def test_a_call_that_does_not_get_through_is_tried_again(stage: Stage) -> None:
    """As long as nobody can be told it is tried at every check; afterwards it is not repeated."""
    stage.silence("prometheus")
    stage.played.is_reachable = False
    stage.minutes(20)
    tried = len(stage.played.told)
    stage.played.is_reachable = True
    stage.minutes(20)

    assert tried > 5
    assert len(stage.played.told) == tried + 1


def test_what_a_human_stopped_is_left_alone(stage: Stage) -> None:
    """Exited under `always`, and Docker does not start it: no restart, no call, exit 1."""
    seen = stage.played.containers["shop-prometheus"]
    assert seen is not None
    stopped = replace(seen.container, state="exited", finished_wall=START)
    stage.played.containers["shop-prometheus"] = replace(seen, container=stopped, left_alone=True)

    assert stage.minutes(60) == []
    assert stage.played.told == []
    assert not stage.check().is_fine


def test_what_our_own_restart_left_stopped_is_started(stage: Stage) -> None:
    """A restart of ours that ended half-way looks like a human's stop and is none: it is tried again."""
    stage.silence("prometheus")
    stage.played.result = Restarted(Result.UNKNOWN, "the answer was lost")
    stage.minutes(3)
    seen = stage.played.containers["shop-prometheus"]
    assert seen is not None
    at = stage.played.wall - MINUTE + 5
    stopped = replace(seen.container, state="exited", finished_wall=at)
    stage.played.containers["shop-prometheus"] = replace(seen, container=stopped, left_alone=True)

    assert stage.minutes(3) == ["shop-prometheus"]


def test_an_exit_that_nobody_wanted_is_restarted(stage: Stage) -> None:
    """Exited, and Docker has given up: the third check restarts it."""
    stage.set("remediator", state="exited", exit_code=137)

    assert stage.minutes(3) == ["shop-remediator"]


@pytest.mark.parametrize("state", ["paused", "created"])
def test_a_humans_doing_is_left_alone(stage: Stage, state: str) -> None:
    """Paused or only created: no restart and no call."""
    stage.set("alertmanager", state=state)

    assert stage.minutes(30) == []
    assert stage.played.told == []


@pytest.mark.parametrize("state", ["restarting", "removing", "dead", "unknown"])
def test_what_a_restart_does_not_cure_calls_a_human(stage: Stage, state: str) -> None:
    """Docker is at it itself, or cannot: no restart; after ten minutes people are told."""
    stage.set("alertmanager", state=state)

    assert stage.minutes(10) == []
    assert stage.played.told == []
    assert stage.minutes(2) == []
    assert [(name, over) for name, _, over in stage.played.told] == [("alertmanager", False)]


def test_a_missing_container_calls_a_human(stage: Stage) -> None:
    """What does not exist cannot be restarted."""
    stage.played.containers["shop-proxy"] = None

    assert stage.minutes(12) == []
    assert [name for name, _, _ in stage.played.told] == ["proxy"]


def test_a_foreign_container_is_never_touched(stage: Stage) -> None:
    """The name leads to somebody else's: no restart, whatever it looks like."""
    stage.silence("prometheus")
    stage.played.drifted = {"prometheus": "shop-prometheus is a container of project 'other'"}

    assert stage.minutes(60) == []
    assert [name for name, _, _ in stage.played.told] == ["prometheus"]


def test_a_fresh_start_has_its_time(stage: Stage) -> None:
    """Within the start period silence is no failure; afterwards it is."""
    stage.set("prometheus", started_wall=START - 25)
    stage.silence("prometheus")
    words = [stage.check().verdicts["prometheus"].word]
    stage.played.pass_by(10)
    words.append(stage.check().verdicts["prometheus"].word)

    assert words == [Word.STARTING, Word.FAILING]


def test_its_own_health_check_may_take_longer(stage: Stage) -> None:
    """A container whose health check is patient for two minutes is given them."""
    stage.set("remediator", started_wall=START, health="starting", patience_s=150.0)

    assert [stage.check().verdicts["remediator"].word, stage.minutes(3)] == [Word.STARTING, []]
    assert stage.check().verdicts["remediator"].word is Word.FAILING


def test_a_server_that_reads_its_log_has_a_quarter_of_an_hour(stage: Stage) -> None:
    """503 for 15 minutes after a start is Prometheus at its log; later it is a failure."""
    stage.set("prometheus", started_wall=START)
    stage.played.replies["prometheus"] = Reply(503)

    assert stage.minutes(15) == []
    assert stage.minutes(3) == ["shop-prometheus"]


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (200, Word.WELL),
        (401, Word.WELL),
        (404, Word.WELL),
        (500, Word.FAILING),
        (503, Word.FAILING),
    ],
)
def test_a_server_that_is_there_is_well(stage: Stage, status: int, word: Word) -> None:
    """Who answers that it wants a password, or knows no such page, is alive; who fails is not."""
    stage.played.replies["prometheus"] = Reply(status)

    assert stage.check().verdicts["prometheus"].word is word


def test_signals_that_disagree_are_no_reason(stage: Stage) -> None:
    """Silent from here, healthy by Docker's check: no restart; after ten minutes people are told."""
    stage.silence("prometheus")
    stage.set("prometheus", health="healthy")

    assert stage.minutes(12) == []
    assert [name for name, _, _ in stage.played.told] == ["prometheus"]


def test_a_guard_that_sees_nothing_does_nothing(stage: Stage) -> None:
    """All that are asked are silent and Docker runs them all: it is the way from here; people are told."""
    stage.silence("prometheus")
    stage.silence("alertmanager")

    assert stage.minutes(12) == []
    assert sorted({name for name, _, _ in stage.played.told}) == ["alertmanager", "prometheus"]


def test_two_that_are_really_down_are_both_restarted(stage: Stage) -> None:
    """One exited and one silent: Docker says that it is not us, so both are restarted, in order."""
    stage.silence("alertmanager")
    stage.set("prometheus", state="exited", exit_code=137)

    assert stage.minutes(3) == ["shop-prometheus", "shop-alertmanager"]


def test_a_way_that_opens_again_is_no_third_failure(stage: Stage) -> None:
    """Failures while nothing was seen do not count: a restart needs three that were."""
    stage.silence("prometheus")
    stage.silence("alertmanager")
    stage.minutes(5)
    stage.played.replies["alertmanager"] = Reply(200)

    assert stage.minutes(2) == []
    assert stage.minutes(1) == ["shop-prometheus"]


def test_unhealthy_by_dockers_word(stage: Stage) -> None:
    """What has no address is judged by its health check."""
    stage.set("proxy", health="unhealthy")

    assert stage.minutes(3) == ["shop-proxy"]


def test_nothing_is_restarted_while_docker_is_silent(stage: Stage) -> None:
    """Docker cannot be asked: everything is down for all we know, nothing is done, people are told."""
    stage.played.trouble = "no answer in time"

    assert stage.minutes(12) == []
    assert sorted(name for name, _, _ in stage.played.told) == sorted(ALL)


def test_a_hold_holds(stage: Stage) -> None:
    """While the file is there nothing is restarted and nobody is called; afterwards it is counted anew."""
    hold = stage.folder / "guard.hold"
    hold.write_text("upgrade\nuntil noon \x07" + "x" * 1000, encoding="utf-8")
    stage.silence("prometheus")

    assert stage.minutes(60) == []
    assert stage.played.told == []
    verdict = stage.check().verdicts["prometheus"]
    assert verdict.word is Word.HELD
    assert "guard.hold says to restart nothing: upgrade until noon xxx" in verdict.detail
    assert len(verdict.detail) < 400
    hold.unlink()
    assert stage.minutes(2) == []
    assert stage.minutes(1) == ["shop-prometheus"]


def test_a_failed_restart_counts_and_is_said(stage: Stage) -> None:
    """What Docker could not do is no cure: exit 1, and it counts towards the three."""
    stage.silence("prometheus")
    stage.played.result = Restarted(Result.FAILED, "Docker could not do it")
    stage.minutes(2)
    report = stage.check()

    assert report.verdicts["prometheus"].word is Word.FAILED
    assert not report.is_fine
    stage.minutes(60)
    assert len(stage.played.restarted) == 3


def test_a_clock_that_is_set_opens_no_budget(stage: Stage) -> None:
    """The wall clock jumps by days, forwards and back: three restarts are three restarts."""
    stage.silence("prometheus")
    stage.minutes(30)
    stage.played.wall += 7 * 86400
    stage.minutes(10)
    stage.played.wall -= 14 * 86400
    stage.minutes(10)

    assert len(stage.played.restarted) == 3


def test_a_dry_run_does_nothing(stage: Stage) -> None:
    """It says what is due, restarts, writes and tells nothing, however often it is called."""
    stage.silence("prometheus")
    stage.minutes(2)
    before = stage.state.read_bytes()
    words = [stage.check(dry_run=True).verdicts["prometheus"].word for _ in range(5)]

    assert words == [Word.RESTART] * 5
    assert (stage.played.restarted, stage.played.told) == ([], [])
    assert stage.state.read_bytes() == before

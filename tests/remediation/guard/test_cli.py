"""`tierwatch guard`: its file is read strictly, and it says what is wrong with place and cure."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import yaml

from remediation.commands import guard as cli_guard
from remediation.guard.config import ConfigError, load_guard_config
from remediation.guard.page import Pager, said
from remediation.notify.message import webhook_body

ROOT = Path(__file__).parents[3]
RENDERED = ROOT / "rendered" / "remediation" / "guard.yml"


def _options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli_guard.add_options(parser)
    return parser.parse_args(arguments)


def test_the_rendered_file_is_read() -> None:
    """What the generator writes is what the guard reads: five containers, in the order of restarts."""
    config = load_guard_config(RENDERED)

    assert [(each.name, each.container, bool(each.url)) for each in config.watched] == [
        ("docker-socket-proxy", "sutazai-docker-socket-proxy", False),
        ("remediator-socket-proxy", "sutazai-remediator-socket-proxy", False),
        ("prometheus", "sutazai-prometheus", True),
        ("alertmanager", "sutazai-alertmanager", True),
        ("remediator", "sutazai-remediator", False),
    ]
    assert (config.failures, config.restarts, config.window_s) == (3, 3, 3600.0)
    assert cli_guard.run(_options("--check", "--config", str(RENDERED))) == 0


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": (
        {"holds": "/x"},
        (
            "guard.yml:14: the file: 'holds' is not known. Known are docker, failures, hold, limit,"
            " notify, page_after, project, ready_within, version, watched."
        ),
    ),
    "no restarts at all": (
        {"limit": {"window": "1h", "restarts": 0}},
        "guard.yml:6: limit.restarts: 0 is not a whole number from 1. Correct it.",
    ),
    "a quoted number": (
        {"failures": "3"},
        "guard.yml:2: failures: '3' is not a whole number from 1. Correct it.",
    ),
    "a relative path": (
        {"hold": "guard.hold"},
        (
            "guard.yml:3: hold: 'guard.hold' is not an absolute path of a file."
            " Write it like '/run/tierwatch/guard.hold'."
        ),
    ),
}
GOOD: dict[str, Any] = {
    "docker": "unix:///var/run/docker.sock", "failures": 3, "hold": "/run/x",
    "limit": {"restarts": 3, "window": "1h"}, "page_after": "10m", "project": "shop",
    "ready_within": "15m", "version": 1,
    "watched": [{"name": "a", "container": "shop-a", "start_period": "0s", "optional": False}],
}  # fmt: skip


@pytest.mark.parametrize(("change", "expected"), WRONG.values(), ids=WRONG)
def test_a_mistake_has_place_and_cure(
    tmp_path: Path, change: dict[str, Any], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit 2 and one line per mistake; nothing is looked at."""
    path = tmp_path / "guard.yml"
    path.write_text(yaml.safe_dump({**GOOD, **change}), encoding="utf-8")

    assert cli_guard.run(_options("--config", str(path))) == 2
    line = capsys.readouterr().err.strip()
    assert expected.partition(": ")[2] == line.partition(": ")[2]
    assert line.startswith(f"{path}:")


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    """A container watched twice would be restarted twice as often."""
    path = tmp_path / "guard.yml"
    path.write_text(
        yaml.safe_dump(
            {**GOOD, "watched": [*GOOD["watched"], {**GOOD["watched"][0], "name": "b"}]}
        ),
        encoding="utf-8",
    )

    with pytest.raises(ConfigError, match="container 'shop-a' stands here twice"):
        load_guard_config(path)


def test_once_and_dry_run_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    """A call that means two things is refused with exit 2."""
    with pytest.raises(SystemExit) as ended:
        _options("--once", "--dry-run")

    assert ended.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_without_anybody_to_tell_telling_is_done() -> None:
    """No address: nothing is sent, and nothing is tried again for ever."""
    assert Pager(None, "shop").tell("prometheus", "down", over=False)


def test_a_token_that_is_none_is_never_shown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A token of several lines would break out of its header: nobody is told, and it is not shown."""
    from remediation.config import Notify

    token = tmp_path / "token"
    token.write_text("s3cret\nX-Evil: 1\n", encoding="utf-8")

    assert not Pager(Notify("http://127.0.0.1:1/x", token), "shop").tell("a", "down", over=False)
    assert "does not hold one token on one line" in caplog.text
    assert "s3cret" not in caplog.text


def test_both_ends_of_a_trouble_are_about_the_same() -> None:
    """Firing and resolved carry one fingerprint and other states, so that a receiver can match them."""
    down, over = (
        webhook_body(said("prometheus", "x", over=each), "shop", 1.0, source="tierwatch-guard")[
            "alerts"
        ][0]
        for each in (False, True)
    )

    assert (down["status"], over["status"]) == ("firing", "resolved")
    assert down["fingerprint"] == over["fingerprint"]
    assert down["annotations"] == {
        "summary": "prometheus is down, and the guard does not restart it", "description": "x",
    }  # fmt: skip

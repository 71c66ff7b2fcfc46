"""Where the remediator tells people, as its configuration says it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from remediation.config import ConfigError, Notify, load_config

SHIPPED = Path(__file__).parents[3] / "rendered" / "remediation" / "config.yml"


def _config(folder: Path, notify: str) -> Path:
    """Write the shipped configuration with *notify* in place of its own; return its path."""
    text = SHIPPED.read_text(encoding="utf-8")
    changed, count = re.subn(r"^notify:\n(  .*\n)+", notify, text, flags=re.MULTILINE)
    assert count == 1
    path = folder / "config.yml"
    path.write_text(changed, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("notify", "expected"),
    [
        ("", None),
        ("notify: {url: http://pager}\n", Notify("http://pager")),
        ("notify: {url: http://pager, token_file: /t}\n", Notify("http://pager", Path("/t"))),
        ("notify: {slack_url_file: /s}\n", Notify("", None, Path("/s"))),
    ],
)
def test_pager_slack_both_or_nobody(tmp_path: Path, notify: str, expected: Notify | None) -> None:
    """Each of the two may be left out, and both."""
    assert expected == load_config(_config(tmp_path, notify)).notify


@pytest.mark.parametrize(
    ("notify", "problems"),
    [
        ("notify: {}\n", ["notify: names nobody. Add url, slack_url_file or both, or remove notify."]),
        (
            "notify: {token_file: /t}\n",
            ["notify: names nobody. Add url, slack_url_file or both, or remove notify.",
             "notify: token_file without url: nobody is shown the token. Add url, or remove it."],
        ),
        (
            "notify: {slack_url_file: /s, token_file: /t}\n",
            ["notify: token_file without url: nobody is shown the token. Add url, or remove it."],
        ),
        (
            "notify: {slack_url: https://hooks.slack.com/services/T/B/x}\n",
            ["notify: 'slack_url' is not known. Known are slack_url_file, token_file, url."],
        ),
        (
            "notify: {url: 'http://ann:secret@pager'}\n",
            [("notify.url: 'http://ann:secret@pager' is not an http(s) address without user and password."
             " Write it like 'http://alertmanager:9093'.")],
        ),
    ],
)  # fmt: skip
def test_what_names_nobody_is_refused(tmp_path: Path, notify: str, problems: list[str]) -> None:
    """A way of telling people that reaches nobody is a mistake, said with its line and its cure."""
    path = _config(tmp_path, notify)
    with pytest.raises(ConfigError) as raised:
        load_config(path)

    line = path.read_text().splitlines().index(notify.strip()) + 1
    assert [f"{path}:{line}: {problem}" for problem in problems] == str(raised.value).splitlines()

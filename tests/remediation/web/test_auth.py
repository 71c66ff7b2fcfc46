"""Tokens: who is whose, rotation, files that are wrong, and what is said about them."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from remediation.web.auth import AGAIN_S, MAX_TOKEN, MIN_TOKEN, Auth, Role
from tests.remediation.web.rig import OPERATOR, WEBHOOK, write_tokens

NEXT = "the-next-token-0123456789"


def put(path: Path, text: str, mode: int = 0o600) -> None:
    """Replace *path* as a careful writer does: a new file, moved over the old one."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(mode)
    new.replace(path)


def test_roles(tmp_path: Path) -> None:
    """Each token has its role, in any spelling of the scheme; everything else has none."""
    auth = write_tokens(tmp_path)
    shown = {
        f"Bearer {WEBHOOK}": Role.WEBHOOK,
        f"bearer  {WEBHOOK} ": Role.WEBHOOK,
        f"Bearer {OPERATOR}": Role.OPERATOR,
        "": None,
        "Bearer": None,
        "Bearer ": None,
        WEBHOOK: None,
        f"Basic {WEBHOOK}": None,
        f"Bearer {WEBHOOK}x": None,
        f"Bearer {WEBHOOK[:-1]}": None,
        f"Bearer {WEBHOOK.upper()}": None,
        "Bearer \udcff\udcfe": None,
    }

    assert {header: auth.role(header) for header in shown} == shown


def test_rotation(tmp_path: Path) -> None:
    """Both tokens are taken while both files are there; the old one ends when it is replaced; no restart."""
    auth = write_tokens(tmp_path)
    steps = []

    def step() -> None:
        steps.append([auth.role_of(token) is Role.WEBHOOK for token in (WEBHOOK, NEXT)])

    step()
    put(tmp_path / "webhook_next", f"{NEXT}\n")
    step()
    put(tmp_path / "webhook", f"{NEXT}\n")
    step()
    (tmp_path / "webhook_next").unlink()
    step()
    (tmp_path / "webhook").unlink()
    step()

    assert steps == [[True, False], [True, True], [False, True], [False, True], [False, False]]


def test_the_files_are_not_looked_at_for_each_request_of_a_flood(tmp_path: Path) -> None:
    """Within the time what was seen counts; a token that is not known yet makes them be looked at at once."""
    write_tokens(tmp_path)
    auth = Auth([tmp_path / "webhook"], [tmp_path / "operator"], again_s=3600.0)
    steps = [auth.role_of(WEBHOOK)]
    put(tmp_path / "webhook", f"{NEXT}\n")
    steps += [auth.role_of(token) for token in (WEBHOOK, NEXT, WEBHOOK)]

    assert steps == [Role.WEBHOOK, Role.WEBHOOK, Role.WEBHOOK, None]
    assert 0 < AGAIN_S <= 0.1


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("", "its token is shorter than 16 characters"),
        ("\n\n", "its token is shorter than 16 characters"),
        ("x" * (MIN_TOKEN - 1), "its token is shorter than 16 characters"),
        ("x" * (MAX_TOKEN + 1), "its token is longer than 512 characters"),
        (f"{WEBHOOK}\n{NEXT}\n", "it holds more than one token on one line"),
        (f"{WEBHOOK} {NEXT}", "it holds more than one token on one line"),
        (f"{WEBHOOK}\u00e9", "it holds characters that no header takes"),
    ],
)
def test_files_without_a_token(tmp_path: Path, text: str, fact: str) -> None:
    """A file without one good token admits nobody, not even who shows its content, and is told of without it."""
    auth = write_tokens(tmp_path)
    put(tmp_path / "webhook", text)
    cure = (
        "Put one token of at least 16 letters and digits into it, like `openssl rand -hex 32` makes"
    )
    missing = f"{tmp_path / 'webhook_next'}: it is not there. {cure}"

    assert auth.role_of(text.strip()) is None
    assert auth.problems() == {
        Role.WEBHOOK: f"webhook token: {tmp_path / 'webhook'}: {fact}. {cure}; {missing}"
    }


def test_no_token_admits_nobody(tmp_path: Path) -> None:
    """Without any file everybody is refused, also who shows nothing or an empty token."""
    auth = Auth([tmp_path / "none"], [])

    assert [auth.role(header) for header in ("", "Bearer ", "Bearer none")] == [None] * 3
    assert set(auth.problems()) == {Role.WEBHOOK, Role.OPERATOR}


def test_a_folder_is_no_token(tmp_path: Path) -> None:
    """What Docker makes of a secret that is missing, a folder, is told of and admits nobody."""
    (tmp_path / "webhook").mkdir()
    auth = Auth([tmp_path / "webhook"], [])

    assert "Is a directory" in auth.problems()[Role.WEBHOOK]


def test_shared_token_is_no_operators(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A token in both roles is Alertmanager's only: nobody can approve with what Alertmanager knows."""
    auth = write_tokens(tmp_path)
    put(tmp_path / "operator", WEBHOOK)

    assert auth.role_of(WEBHOOK) is Role.WEBHOOK
    assert not auth.operator_digest(WEBHOOK)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_token_that_alertmanager_gets_ends_its_sessions(tmp_path: Path) -> None:
    """Who logged in with a token that is the webhook's, too, by now, is an operator no more."""
    auth = write_tokens(tmp_path)
    digest = auth.operator_digest(OPERATOR)
    before = auth.still_operator(digest)
    put(tmp_path / "webhook", OPERATOR)

    assert (before, auth.still_operator(digest)) == (True, False)


@pytest.mark.parametrize(
    ("mode", "word"), [(0o600, ""), (0o440, ""), (0o644, "may read"), (0o620, "may write")]
)
def test_loose_files_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, word: str
) -> None:
    """A file that others may read or write still works, and is warned of once."""
    write_tokens(tmp_path)
    put(tmp_path / "webhook", WEBHOOK, mode)
    auth = Auth([tmp_path / "webhook"], [tmp_path / "operator"])
    with caplog.at_level(logging.WARNING):
        found = [auth.role_of(WEBHOOK) for _ in range(3)]

    assert found == [Role.WEBHOOK] * 3
    assert [word in record.getMessage() for record in caplog.records] == ([True] if word else [])


def test_nothing_logged_is_a_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Reading, changing and losing files logs what happened, never a token."""
    auth = write_tokens(tmp_path)
    with caplog.at_level(logging.DEBUG):
        auth.role_of(WEBHOOK)
        put(tmp_path / "webhook", NEXT)
        auth.role_of(NEXT)
        put(tmp_path / "webhook", "short-secret")
        auth.role_of(NEXT)
    text = caplog.text

    assert text.count("webhook token") == 2
    assert not any(token in text for token in (WEBHOOK, NEXT, "short-secret"))

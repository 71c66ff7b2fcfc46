"""Credentials for a proxy in front of Ollama: sent where they belong, and nowhere else."""

from __future__ import annotations

import logging
from base64 import b64encode
from pathlib import Path

import pytest

from exporters.config import Auth
from exporters.deadline import Deadline
from exporters.ollama_credentials import MAX_BYTES, CredentialsError, authorization
from tests.exporters.ollama.fake import Fake, Memory, model, running_fake
from tests.exporters.ollama.watching import (
    exporter_of,
    inference,
    only,
    samples,
    scrape,
    scrape_until,
    target,
)
from tests.live.servers import free_port

SECRET = "wX3-open.sesame_42"
SUCCESS = "ollama_probe_success{model=tinyllama:latest}"
BASIC = "Basic " + b64encode(f"prometheus:{SECRET}".encode()).decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with the secret, as editors write one: with a line end."""
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    return path


@pytest.mark.parametrize(
    ("username", "header"),
    [("", f"Bearer {SECRET}"), ("prometheus", BASIC)],
    ids=["bearer", "basic"],
)
def test_every_request_carries_them(username: str, header: str, file: Path) -> None:
    """Behind a proxy that wants them everything works, the test generation too; no request is without."""
    have = Fake(
        installed=[model("tinyllama:latest")],
        loaded={"tinyllama:latest": Memory(4096, None)},
        wants=header,
    )
    with running_fake(have):
        where = target(have.url, inference=inference(), auth=Auth(file, username))
        with exporter_of(where) as exporter:
            found = scrape_until(exporter, SUCCESS, 1)

    assert only(found, "ollama_up", "ollama_models_installed", "ollama_models_loaded") == {
        "ollama_up": 1, "ollama_models_installed": 1, "ollama_models_loaded": 1,
    }  # fmt: skip
    assert {path for path, _ in have.asked} == {
        "/api/version", "/api/tags", "/api/ps", "/api/show", "/api/generate", "/api/status", "/metrics",
    }  # fmt: skip
    assert set(have.shown) == {header}


def test_without_the_right_ones_the_server_is_told_as_closed(file: Path) -> None:
    """None and wrong ones are both `unauthorized`; a renewed file is used at the next scrape."""
    have = Fake(wants="Bearer another")
    with running_fake(have):
        with exporter_of(target(have.url)) as exporter:
            nobody = scrape(exporter)
        with exporter_of(target(have.url, auth=Auth(file))) as exporter:
            wrong = scrape(exporter)
            file.write_text("another")
            right = scrape(exporter)

    reason = "ollama_collector_errors_total{collector=version,reason=unauthorized}"
    assert [found["ollama_up"] for found in (nobody, wrong, right)] == [0, 0, 1]
    assert [found[reason] for found in (nobody, wrong, right)] == [1, 1, 1]


def test_a_file_that_is_not_there_is_told_and_nothing_is_asked(tmp_path: Path) -> None:
    """Its own reason; no request is made without the credentials that were asked for."""
    with (
        running_fake(Fake()) as have,
        exporter_of(target(have.url, auth=Auth(tmp_path / "none"))) as exporter,
    ):
        found = scrape(exporter)

    assert found["ollama_up"] == 0
    assert found["ollama_collector_errors_total{collector=tags,reason=credentials}"] == 1
    assert have.asked == []


def test_other_ports_do_not_get_them(file: Path) -> None:
    """When the promised port is silent, whoever listens on another one is asked without credentials."""
    with running_fake(Fake()) as other:
        where = target(
            f"http://127.0.0.1:{free_port()}", other_ports=(other.port,), auth=Auth(file)
        )
        with exporter_of(where) as exporter:
            found = scrape(exporter)

    assert found["ollama_port_answering"] == other.port
    assert (len(other.shown) > 0, set(other.shown)) == (True, {""})


def test_the_secret_is_in_no_page_and_no_log(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither when it works nor when it is refused, at the level that says most."""
    caplog.set_level(logging.DEBUG)
    pages = []
    for wants in (f"Bearer {SECRET}", "Bearer another"):
        with (
            running_fake(Fake(wants=wants)) as have,
            exporter_of(target(have.url, auth=Auth(file))) as exporter,
        ):
            pages.append(str(samples(list(exporter.collect(Deadline.after(3))))))

    assert "ollama_up" in pages[0]
    assert [text for text in (*pages, caplog.text) if SECRET in text] == []


BAD = {
    "empty": b"",
    "a line end only": b"\n",
    "two lines": b"one\ntwo\n",
    "a header in it": b"one\r\nX-Other: two",
    "not ASCII": "schlüssel".encode(),
    "larger than any": b"x" * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_without_a_token_is_refused_without_being_shown(case: str, tmp_path: Path) -> None:
    """What could break a header, or is none, is not sent; the message names the file and not its content."""
    path = tmp_path / "token"
    path.write_bytes(BAD[case])

    with pytest.raises(CredentialsError) as refused:
        authorization(Auth(path))

    assert str(refused.value).startswith(str(path))
    assert [part for part in ("one", "two", "schl", "xxx") if part in str(refused.value)] == []


def test_passwords_may_be_anything_and_tokens_end_without_the_line(tmp_path: Path) -> None:
    """Blanks and letters of any language in a password; one line end of either kind is no part of it."""
    path = tmp_path / "password"
    path.write_bytes("ein Satz, ü\r\n".encode())

    assert authorization(Auth(path, "a")) == "Basic " + b64encode("a:ein Satz, ü".encode()).decode()

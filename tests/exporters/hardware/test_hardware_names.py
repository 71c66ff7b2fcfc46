"""Which container is which service: Docker asked over its socket, seldom, and not waited for."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from exporters import hardware_names
from exporters.config import Docker
from exporters.deadline import Deadline
from exporters.hardware_names import Names, NamesError, parse_containers
from tests.exporters.hardware.conftest import GENEROUS_S, target
from tests.exporters.hardware.docker_list import A, B, C, docker_list, listing
from tests.live.servers import until

TARGETS = (target("ollama"), target("redis"))


def soon() -> Deadline:
    """Return a deadline that no healthy Docker misses."""
    return Deadline.after(GENEROUS_S)


def test_names_come_from_docker_and_are_remembered(tmp_path: Path) -> None:
    """Docker is asked once; a container of another project stays nobody's without asking again."""
    with docker_list(tmp_path, listing(**{A: "sutazai-ollama", B: "sutazai-redis"})) as docker:
        names = Names(TARGETS, Docker(docker.url, "sutazai"))
        found = [names.lookup([A, B, C], soon()) for _ in range(3)]
    assert [({A: TARGETS[0], B: TARGETS[1]}, "")] * 3 == found
    query = "filters=%7B%22label%22%3A%20%5B%22com.docker.compose.project%3Dsutazai%22%5D%7D"
    assert [f"/containers/json?{query}"] == docker.asked


def test_a_container_that_is_new_is_asked_for(tmp_path: Path) -> None:
    """A recreated container has a new id; the old one is forgotten."""
    with docker_list(tmp_path, listing(**{A: "sutazai-ollama"})) as docker:
        names = Names(TARGETS, Docker(docker.url, "sutazai"))
        names.lookup([A], soon())
        docker.body = listing(**{B: "sutazai-ollama"})
        assert ({B: TARGETS[0]}, "") == names.lookup([B], soon())


def test_without_containers_docker_is_not_asked(tmp_path: Path) -> None:
    """Nothing to name, nothing to ask."""
    with docker_list(tmp_path, listing()) as docker:
        names = Names(TARGETS, Docker(docker.url, "sutazai"))
        assert ({}, "") == names.lookup([], soon())
        assert [] == docker.asked


def test_a_docker_that_hangs_costs_little_and_known_names_stay(tmp_path: Path) -> None:
    """While Docker hangs, a scrape waits for a part of its deadline and knows whom it knew."""
    with docker_list(tmp_path, listing(**{A: "sutazai-ollama", B: "sutazai-redis"})) as docker:
        names = Names(TARGETS, Docker(docker.url, "sutazai"))
        names.lookup([A], soon())
        docker.stall.clear()
        began = time.monotonic()
        found = names.lookup([A, C], Deadline.after(20))
        assert time.monotonic() - began < 10
        threads = threading.active_count()
        assert found == names.lookup([A, C], Deadline.after(0.01))
        assert threads == threading.active_count()
        assert ({A: TARGETS[0]}, "Docker has not answered yet") == found
        docker.stall.set()
        until(lambda: names.lookup([A, C], soon())[1] == "", "Docker answers again", seconds=20)


def test_a_docker_that_drips_is_given_up_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole call has one deadline: bytes that keep coming do not stop naming for ever."""
    monkeypatch.setattr(hardware_names, "_TIMEOUT_S", 0.3)
    with docker_list(tmp_path, listing(**{A: "sutazai-ollama"})) as docker:
        docker.drip.set()
        names = Names(TARGETS, Docker(docker.url, "sutazai"))
        found = names.lookup([A], soon())
        docker.drip.clear()
        monkeypatch.undo()
        later = names.lookup([A], soon())
    assert ({}, f"{docker.url}: timed out") == found
    assert ({A: TARGETS[0]}, "") == later


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (403, b"", "answers 403"),
        (500, b'{"message": "broken"}', "answers 500"),
        (200, b"<html>", "Expecting value"),
        (200, b'{"message": "page"}', "the list of containers is no list"),
        (200, b'[{"Id": "x"}]', "a container in the list has no id or no names"),
        (200, b"[7]", "a container in the list has no id or no names"),
    ],
)
def test_what_docker_must_not_answer(tmp_path: Path, status: int, body: bytes, says: str) -> None:
    """A refusal or an answer of another form is told, and names nobody."""
    with docker_list(tmp_path, body) as docker:
        docker.status = status
        names = Names(TARGETS, Docker(docker.url, "sutazai"))
        found, problem = names.lookup([A], soon())
    assert ({}, True) == (found, says in problem)


def test_a_docker_that_is_not_there(tmp_path: Path) -> None:
    """A missing socket, a refused port and no configuration are told as what they are."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    urls = (f"unix://{tmp_path}/none.sock", f"tcp://127.0.0.1:{port}")
    found = [Names(TARGETS, Docker(url, "sutazai")).lookup([A], soon()) for url in urls]
    found.append(Names(TARGETS, None).lookup([A], soon()))
    assert [
        ({}, f"{urls[0]}: [Errno 2] No such file or directory"),
        ({}, f"{urls[1]}: [Errno 111] Connection refused"),
        ({}, "no Docker is configured"),
    ] == found


def test_names_of_links_are_not_the_containers_own() -> None:
    """Of a container's names the one without a second slash is its own."""
    listed = [{"Id": A, "Names": ["/web/db", "/sutazai-db"]}, {"Id": B, "Names": []}]
    assert {A: "sutazai-db"} == parse_containers(listed)
    with pytest.raises(NamesError, match="no list"):
        parse_containers(None)

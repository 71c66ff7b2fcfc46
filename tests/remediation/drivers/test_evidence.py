"""Evidence: what can be seen is kept, secrets are not, and nothing keeps the restart waiting."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from remediation.engine.evidence import (
    MAX_LINE,
    MAX_LINES,
    MAX_LOG_CHARS,
    Evidence,
    lines_of,
    text_of,
)
from tests.remediation.drivers.fake import START, FakeEngine, config_of, stamp

SECRETS = ("hunter2", "s3cr3t", "tiger9", "swordfish", "opensesame", "letmein1", "trustno1")
SHOWN_COMMAND = (
    "redis-server --requirepass <masked> --port 1; psql -c \"ALTER ROLE a PASSWORD '<masked>'\""
)


def piece(text: str, stream: int = 1) -> bytes:
    """Return *text* as a piece of a log whose output is no terminal."""
    return bytes([stream, 0, 0, 0]) + len(text.encode()).to_bytes(4, "big") + text.encode()


@pytest.fixture
def sick(fake: FakeEngine) -> FakeEngine:
    """Have a container that fails and is full of secrets."""
    box = fake.boxes["shop-api"]
    box.state = {
        "ExitCode": 1,
        "Error": "bad url redis://:hunter2@cache",
        "Health": {
            "Status": "unhealthy",
            "FailingStreak": 4,
            "Log": [
                {
                    "Start": "s",
                    "End": "e",
                    "ExitCode": 1,
                    "Output": f"{number} token=s3cr3t refused",
                }
                for number in range(9)
            ],
        },
    }
    box.config = {
        "Image": "shop/api:1",
        "Entrypoint": ["/bin/serve", "--password", "swordfish", "--api-key=opensesame"],
        "Cmd": [
            "sh",
            "-c",
            "redis-server --requirepass letmein1 --port 1; psql -c \"ALTER ROLE a PASSWORD 'trustno1'\"",
        ],
        "Env": ["DB_PASSWORD=tiger9", "PLAIN=tiger9", "LONG=" + "x" * 9000],
        "Labels": {"traefik.auth.secret": "tiger9", "org.title": "api"},
    }
    box.host = {"Memory": 512, "RestartPolicy": {"Name": "no"}, "Binds": ["/tiger9:/x"]}
    box.log = piece("2026 starting\n") + piece("2026 PASSWORD=tiger9 refused\n", stream=2)
    return fake


def test_what_is_kept(sick: FakeEngine) -> None:
    """The whole evidence, as it goes into the journal, has what explains the fault and no secret."""
    found = Evidence(config_of(sick), deadline_s=30).collect("api")

    checks = [
        {"Start": "s", "End": "e", "ExitCode": 1, "Output": f"{number} token=<masked> refused"}
        for number in (6, 7, 8)
    ]
    expected: dict[str, Any] = {
        "service": "api",
        "inspect": {
            "Id": sick.boxes["shop-api"].id, "Image": "shop/api:1", "RestartCount": 0,
            "State": {"Status": "running", "OOMKilled": False, "ExitCode": 1,
                      "Error": "bad url redis://:<masked>@cache",
                      "StartedAt": stamp(START), "FinishedAt": stamp(0)},
            "Health": {"Status": "unhealthy", "FailingStreak": 4, "Log": checks},
            "Entrypoint": ["/bin/serve", "--password", "<masked>", "--api-key=<masked>"],
            "Cmd": ["sh", "-c", SHOWN_COMMAND],
            "Env": ["DB_PASSWORD=<masked>", "PLAIN=<masked>", "LONG=<masked>"],
            "Labels": {
                "com.docker.compose.oneoff": "False", "com.docker.compose.project": "shop",
                "com.docker.compose.service": "api", "org.title": "api",
                "traefik.auth.secret": "<masked>",
            },
            "HostConfig": {"Memory": 512, "NetworkMode": "shop", "RestartPolicy": {"Name": "no"}},
        },
        "log": ["2026 starting", "2026 PASSWORD=<masked> refused"],
        "stats": {"memory_bytes": 1048576, "processes": 3},
    }  # fmt: skip
    assert expected == found
    assert not [secret for secret in SECRETS if secret in json.dumps(found) + text_of(found)]
    assert sick.posts() == []


def test_the_text_for_people(sick: FakeEngine) -> None:
    """A message has the state, what it uses, the last lines, and what could not be had."""
    sick.faults["/containers/shop-api/stats"] = (500, '{"message": "boom"}')
    state = json.dumps(
        {
            "Error": "bad url redis://:<masked>@cache",
            "ExitCode": 1,
            "FinishedAt": stamp(0),
            "OOMKilled": False,
            "StartedAt": stamp(START),
            "Status": "running",
        }
    )

    assert text_of(Evidence(config_of(sick), deadline_s=30).collect("api")) == (
        f"state: {state}\nlog: 2026 starting\nlog: 2026 PASSWORD=<masked> refused\nno stats: 500: boom"
    )


def test_a_proxy_that_refuses_logs_is_told_as_such(sick: FakeEngine) -> None:
    """A refused log is named, with the cure; the rest is there."""
    sick.faults["/containers/shop-api/logs"] = (403, "Forbidden")
    found = Evidence(config_of(sick), deadline_s=30).collect("api")

    says = "the proxy refuses it (403); allow GET /containers/NAME/logs to have it"
    assert ({"log": says}, False) == (found["missing"], "log" in found)
    assert "stats" in found


@pytest.mark.parametrize(
    ("fault", "says"),
    [("hang", "no answer in time"), ("truncate", "IncompleteRead"), ((200, "[]"), None)],
)
def test_evidence_never_fails_and_never_waits(
    sick: FakeEngine, fault: object, says: str | None
) -> None:
    """Whatever Docker does, there is an answer within the deadline, and it says what is missing."""
    for what in ("json", "logs", "stats"):
        sick.faults[f"/containers/shop-api/{what}"] = fault
    began = time.monotonic()
    found = Evidence(config_of(sick), deadline_s=0.5).collect("api")

    assert time.monotonic() - began < 15
    missing = found.get("missing", {})
    assert isinstance(missing, dict)
    if says:
        assert any(says in why for why in missing.values())
    json.dumps(found)


def test_an_unknown_service_has_no_evidence(fake: FakeEngine) -> None:
    """A name that is not configured is not made a path of."""
    found = Evidence(config_of(fake)).collect("../../evil")

    assert ({"service"}, []) == (found.keys() - {"missing"}, [a for a in fake.asked if "evil" in a])


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", []),
        (b"a terminal's log\r\nhas no pieces\r\n", ["a terminal's log", "has no pieces"]),
        (piece("one\n") + piece("cut off")[:-3], ["one", "cut "]),
        (piece("one\n") + b"\1\0\0", ["one"]),
        (piece("\xff\n"), ["\xff"]),
        (b"\1\0\0\0\xff\xff\xff\xffshort", ["short"]),
        (b"\xff\xfe", ["\ufffd\ufffd"]),
        (
            b"".join(piece(f"{n}\n") for n in range(200)),
            [str(n) for n in range(200 - MAX_LINES, 200)],
        ),
        (piece("x" * 10_000), ["x" * MAX_LINE]),
    ],
)
def test_lines_of(raw: bytes, expected: list[str]) -> None:
    """The last lines are kept, bounded, whatever the bytes are."""
    assert expected == lines_of(raw)


def test_the_log_is_bounded_as_a_whole() -> None:
    """Of long lines only so many last ones are kept as fit."""
    found = lines_of(piece("\n".join("y" * 600 for _ in range(50))))

    assert MAX_LOG_CHARS - MAX_LINE <= sum(map(len, found)) <= MAX_LOG_CHARS

"""A night as the page shows it: a storm of nothing, one stuck, one that asks, one on probation."""

from __future__ import annotations

from pathlib import Path

from remediation import records
from remediation.model import Container, Decision, Outcome, Restarted, Result, Rung, Sight
from tests.remediation.web.rig import NOW, FakeDesk, healthy_world


def _decision(outcome: Outcome, reason: str, service: str, **more: object) -> Decision:
    return Decision(outcome, reason, service, **more)  # type: ignore[arg-type]


def night_desk() -> FakeDesk:
    """Return a desk that has been busy for an hour."""
    desk = FakeDesk()
    down = Container("exited", id="1", exit_code=137, oom_killed=True)
    desk.world = healthy_world(
        desk.config,
        postgres=Sight(
            Container("running", "unhealthy"), probe=False, probe_detail="connection refused"
        ),
        backend=Sight(
            Container("running", "starting"), probe=False, probe_detail="no answer in 5 s"
        ),
        crewai=Sight(down),
        langflow=Sight(Container("exited", stopped=True)),
        browser_use=Sight(Container("absent")),
        finrobot=Sight(Container("absent")),
        tensorflow=Sight(Container("absent")),
    )
    _history(desk)
    return desk


def _history(desk: FakeDesk) -> None:
    write = desk.write
    write(records.started("0.1.0", {"core": "approve"}), ago=7200)
    write(records.opened("i-crewai", "crewai", "agents", NOW - 3600), ago=3600)
    for number in range(3):
        action = f"a-{number}"
        decision = _decision(
            Outcome.ACT, "restart", "crewai", tier="agents", incident="i-crewai", restart="crewai"
        )
        write(records.decided(decision), ago=3500 - number * 300)
        write(
            records.intended(action, decision, "agents", Container("exited"), "sutazai-crewai"),
            ago=3499 - number * 300,
        )
        came = Restarted(Result.SUCCEEDED if number < 2 else Result.FAILED, "exit code 137", NOW)
        write(records.finished(action, came, 11.3), ago=3487 - number * 300)
    write(records.climbed("i-crewai", Rung.PAGE), ago=2400)
    write(records.gave_up("i-crewai", "ladder_exhausted", "crewai", "agents"), ago=2399)
    write(records.opened("i-postgres", "postgres", "core", NOW - 700), ago=640)
    write(
        records.decided(
            _decision(
                Outcome.DEFER, "approval", "postgres", tier="core", incident="i-postgres",
                detail="restart postgres: approve i-postgres",
            )
        ),
        ago=600,
    )  # fmt: skip
    write(records.opened("i-ollama", "ollama", "ai", NOW - 500), ago=480)
    action = _decision(
        Outcome.ACT, "restart", "ollama", tier="ai", incident="i-ollama", restart="ollama"
    )
    write(records.intended("a-9", action, "ai", Container("running"), "sutazai-ollama"), ago=300)
    write(records.finished("a-9", Restarted(Result.SUCCEEDED, "", NOW), 4.2), ago=295)
    write(records.healthy("i-ollama"), ago=100)
    write(
        records.decided(
            _decision(
                Outcome.DEFER,
                "verifying",
                "ollama",
                tier="ai",
                incident="i-ollama",
                detail="200 s left",
            )
        ),
        ago=100,
    )
    write(
        records.decided(
            _decision(Outcome.SKIP, "stopped_by_human", "langflow", tier="agents", detail="exited")
        ),
        ago=1800,
    )
    write(records.decided(_decision(Outcome.DEFER, "no_evidence", "kong", tier="mesh")), ago=900)
    write(records.held("utility", 5400, "bob", "moving the mesh workers"), ago=1500)
    write(records.dead_letter("not JSON", size=17, digest="ab" * 32, sample="hello"), ago=50)


def serve_for_people(folder: Path, port: int) -> None:  # pragma: no cover - by hand
    """Serve the night until interrupted: `python -c 'from tests.remediation.web.night import ...'`."""
    import time

    from exporters.config import Address
    from remediation.web.app import make_app
    from remediation.web.metrics import Metrics
    from remediation.web.server import WebServer
    from tests.remediation.web.rig import HOST, write_tokens

    desk = night_desk()
    app = make_app(desk, write_tokens(folder), Metrics(), tail=desk.tail)
    server = WebServer(Address(HOST, port), app)
    server.start()
    while server.alive():
        time.sleep(1)

"""The remediator's configuration: what is wrong is refused at load, all at once, with line and cure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from generator.cli import main
from remediation import records
from remediation.config import ConfigError, load_config
from remediation.model import Mode, Rung
from tests.remediation import shop
from tests.remediation.simulation.sim import Sim, until

SHOP = Path(shop.__file__).with_name("shop.yml")
RENDERED = Path(__file__).parents[3] / "rendered" / "remediation" / "config.yml"

# A replacement in the shop's file, and what has to be said about its line.
WRONG = (
    ("requires: [api]", "requires: [apy]", "service 'web': requires 'apy', which is no service. Remove it, or add it."),
    ("requires: [db, cache]", "requires: [db, web]", "services need each other in a circle: api -> web -> api. Take one of these out."),
    ("tier: edge, container: shop-web", "tier: egde, container: shop-web", "service 'web': no tier 'egde'. Known are app, core, edge."),
    ("container: shop-web", "container: shop-api", "services: container 'shop-api' stands here twice. Keep one of the two."),
    ("name: worker,", "name: api,", "services: name 'api' stands here twice. Keep one of the two."),
    ("order: 2", "order: 1", "tiers: order 1 stands here twice. Keep one of the two."),
    ('stateful: true, oneshot: false, optional: false, requires: [], health: {probe: tcp, url: "tcp://db', 'stateful: "true", oneshot: false, optional: false, requires: [], health: {probe: tcp, url: "tcp://db', "services.0.stateful: 'true' is not true or false. Correct it."),
    ("never_restart: [remediator]", "never_restart: [remediater]", "never_restart: 'remediater' is no service. Correct its name, or remove it."),
    ("{window: 1h, limit: 3}", "{window: 30s, limit: 3}", "budgets: service: a window of 30s is shorter than the spacing of 60s: it limits nothing. Make it longer."),
    ("[service, dependants, tier, page]", "[service, tier, dependants, page]", "ladder: rungs are climbed in the order service, dependants, tier, page. Sort them so."),
    ("[service, dependants, tier, page]", "[service, dependants, tier]", "ladder: the last rung is not page, so nobody would be called. Add page."),
    ("same_incident: 1h", "same_incident: 90s", "ladder: same_incident is shorter than probation: every fault would be new. Raise it."),
    ("retries: 3}, start_period: 20s", "retries: 3}, start_period: 2h", "service 'api': start_period (2h) and health check (3 x (10s + 5s)) may take longer than same_incident (1h): the ladder would begin anew with every fault, and nobody be called. Shorten them, or raise same_incident."),
    ("retries: 3}, start_period: 20s", "retries: 100}, start_period: 36m", "service 'api': start_period (36m) and health check (100 x (10s + 5s)) may take longer than same_incident (1h): the ladder would begin anew with every fault, and nobody be called. Shorten them, or raise same_incident."),
    ("interval: 10s, timeout: 5s, retries: 3}, start_period: 20s", "interval: 10s, timeout: 2h, retries: 3}, start_period: 20s", "service 'api': start_period (20s) and health check (3 x (10s + 2h)) may take longer than same_incident (1h): the ladder would begin anew with every fault, and nobody be called. Shorten them, or raise same_incident."),
    ("spacing_stateful: 10m", "spacing_stateful: 10s", "ladder: spacing_stateful is shorter than spacing: what keeps data would be restarted faster than the rest. Raise it."),
    ("max: 5m", "max: 5s", "ladder: backoff ends at 5s, below its first 10s. Raise max."),
    ("blind_after: 3m", "blind_after: 3s", "alertmanager: blind_after is shorter than poll_interval: always blind. Raise it."),
    ('{probe: tcp, url: "tcp://db:5432"', '{probe: http, url: "tcp://db:5432"', "service 'db': 'tcp://db:5432' does not fit probe http. Begin it with http://."),
    ('{probe: tcp, url: "tcp://db:5432"', '{probe: container, url: "tcp://db:5432"', "service 'db': probe container takes no url. Remove it, or say probe: http."),
    ("mode: approve}", "mode: aprove}", "tiers.0.mode: 'aprove' is not observe, approve or act. Correct it."),
    ("version: 1", "version: 2", "version: 2 is not the number 1. Correct it."),
    ("poll_interval: 30s", "poll_interval: 30", "alertmanager.poll_interval: 30 is not a duration longer than none. Write it like '5m'."),
    ("tiers: 2,", "tiers: 2, teirs: 3,", "storm: 'teirs' is not known. Known are cooldown, grace, roots, share, tiers, window."),
)  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG, ids=[said[:48] for *_, said in WRONG])
def test_what_is_wrong_is_said(tmp_path: Path, old: str, new: str, said: str) -> None:
    """Each mistake gives one line with file, line, fact and cure."""
    text = SHOP.read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path = tmp_path / "config.yml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(ConfigError) as raised:
        load_config(path)

    line = text[: text.index(old)].count("\n") + 1
    assert str(raised.value) == f"{path}:{line}: {said}"


def test_what_is_rarely_meant_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is excepted from restarts: that is allowed, and `--check` says what it means."""
    path = tmp_path / "config.yml"
    text = SHOP.read_text(encoding="utf-8")
    for never, notes in (("[remediator]", 0), ("[]", 1)):
        path.write_text(text.replace("never_restart: [remediator]", f"never_restart: {never}"))
        assert main(["remediate", "serve", "--check", "--config", str(path)]) == 0
        fine, *said = capsys.readouterr().out.splitlines()
        assert fine == f"{path}: fine"
        assert [line.partition(". ")[0] for line in said] == [
            f"{path}: note: never_restart is empty"
        ] * notes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("retries: 3}, start_period: 20s", "retries: 100}, start_period: 35m"),
        ("retries: 3}, start_period: 0s", "retries: 3}, start_period: 2h"),
        ("start_period: 10s, mode: observe}\nbudgets", "start_period: 2h, mode: observe}\nbudgets"),
        ("spacing_stateful: 10m", "spacing_stateful: 60s"),
    ],
    ids=["just as long as same_incident", "a job", "what nothing restarts", "one spacing for all"],
)
def test_what_is_just_right_is_taken(tmp_path: Path, old: str, new: str) -> None:
    """At the limit, and where the limit has no reason, nothing is said."""
    text = SHOP.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "config.yml"
    path.write_text(text.replace(old, new), encoding="utf-8")

    assert load_config(path).services.keys() == load_config(SHOP).services.keys()


@pytest.mark.parametrize(
    ("old", "new", "at"),
    [("start_period: 20s", "start_period: 2h", "start_period: 20s"), ("timeout: 15s", "timeout: 2h", "health:")],
)  # fmt: skip
def test_the_larger_part_is_pointed_at(tmp_path: Path, old: str, new: str, at: str) -> None:
    """Of start period and health check, the line is that of what takes longer."""
    text = RENDERED.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "config.yml"
    path.write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(ConfigError, match="may take longer than same_incident") as raised:
        load_config(path)

    line = text[: text.rindex(at, 0, text.index(old) + len(old))].count("\n") + 1
    assert str(raised.value).startswith(f"{path}:{line}: ")
    assert str(raised.value).count("\n") == 0


@pytest.mark.parametrize(("start_period_s", "called"), [(3540.0, 1), (7200.0, 0)])
def test_why_a_start_may_not_be_longer_than_the_memory(start_period_s: float, called: int) -> None:
    """A service that fails ten minutes after each restart is handed over; with a longer start, never."""
    config = load_config(SHOP)
    mail = replace(config.services["mail"], start_period_s=start_period_s)
    sim = Sim(replace(config, services={**config.services, "mail": mail}))
    for _ in range(5):  # the ladder of the shop has three restarts
        sim.break_("mail", "restart")
        assert until(sim, lambda: sim.healthy("mail") or _called(sim), within_s=3 * 3600)
        sim.advance(600)

    assert _called(sim) == called


def _called(sim: Sim) -> int:
    return sum(entry.kind == records.GAVE_UP for entry in sim.entries)


def test_all_mistakes_are_said_at_once(tmp_path: Path) -> None:
    """Three mistakes are three lines, sorted by place."""
    text = SHOP.read_text(encoding="utf-8")
    for old, new, _ in (WRONG[0], WRONG[3], WRONG[7]):
        text = text.replace(old, new, 1)
    path = tmp_path / "config.yml"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError) as raised:
        load_config(path)

    places = [int(line.split(":")[1]) for line in str(raised.value).splitlines()]
    assert (len(places), places) == (3, sorted(places))


def test_what_is_rendered_is_read() -> None:
    """The file of the catalog that ships: modes, order and exceptions as the design wants them."""
    config = load_config(RENDERED)

    assert {name: tier.mode for name, tier in config.tiers.items()} == {
        "core": Mode.APPROVE,
        **dict.fromkeys(
            ("ai", "mesh", "app", "monitoring", "agents", "specialized", "experimental", "utility"),
            Mode.ACT,
        ),
    }
    assert config.ladder.rungs == tuple(Rung)
    assert {
        "prometheus",
        "alertmanager",
        "remediator",
        "remediator-socket-proxy",
    } <= config.never_restart
    assert config.services["backend"].requires == ("postgres", "redis", "ollama")
    order = config.graph.order
    assert all(
        order.index(r) < order.index(s.name) for s in config.services.values() for r in s.requires
    )

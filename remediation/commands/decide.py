"""
The command `tierwatch remediate decide FILE`: what would be done with this payload, and why.

It takes in the alerts of an Alertmanager message as the remediator would, looks at the world, and
decides with what the journal knows. Nothing is written and nothing is done. `--assume` needs no
Alertmanager and no Docker: the alerts are taken to be active, their services to be unhealthy, and all
others to be well.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from exporters.yaml_read import ConfigError
from remediation import records
from remediation.clock import HostClock, Moment
from remediation.config import Config, load_config
from remediation.journal.errors import JournalError
from remediation.journal.reading import reading, state_entries
from remediation.model import Alert, Alerts, Container, Decision, Entry, Outcome, Sight, World
from remediation.policy.answers import answers, below, undecided
from remediation.policy.decide import Plan, decide
from remediation.policy.situation import SETTLE_S, Situation
from remediation.reasons import REASONS
from remediation.state import State
from remediation.web.intake import Accepted, Limits, Refused, read_message

FINE, WRONG = 0, 2
_CONFIG = Path("rendered/remediation/config.yml")
_LONG_S = 86400.0  # an assumed world has been as it is for a day


def add_options(command: argparse.ArgumentParser) -> None:
    """Give *command* the options that `run` reads."""
    command.add_argument(
        "file", type=Path, metavar="FILE", help="a message of Alertmanager's webhook (JSON)"
    )
    command.add_argument(
        "--config", type=Path, default=_CONFIG, metavar="FILE",
        help=f"what may be healed (default: {_CONFIG})",
    )  # fmt: skip
    command.add_argument(
        "--journal", type=Path, metavar="FILE",
        help="the journal whose incidents and budgets count (default: none: a first day)",
    )  # fmt: skip
    command.add_argument(
        "--assume", action="store_true",
        help="ask nobody: the alerts are active, their services unhealthy, all others well",
    )  # fmt: skip
    command.add_argument("--format", choices=("text", "json"), default="text", help="text or json")


def run(options: argparse.Namespace) -> int:
    """Print the decisions; return the exit status."""
    try:
        config = load_config(options.config)
        state = _state(options.journal)
        accepted = read_message(options.file.read_bytes(), Limits())
    except (ConfigError, JournalError) as error:
        return _wrong(str(error))
    except OSError as error:
        return _wrong(
            f"{options.file}: {(error.strerror or str(error)).lower()}. Name a file that can be read."
        )
    if isinstance(accepted, Refused):
        return _wrong(
            f"{options.file}: {accepted.why}. Give a message of Alertmanager's webhook, version 4."
        )
    now = HostClock(None, state.at).now()
    body = records.received(accepted.alerts, source=accepted.source).body
    # Accepted a moment ago, so that a list that is asked for now can answer it.
    state.apply(Entry(state.through + 1, now.steady - 1, now.wall - 1, records.RECEIVED, body, ""))
    world = assume(config, accepted.alerts, now) if options.assume else _look(config, state)
    now = replace(now, steady=max(now.steady, world.alerts.asked_at if world.alerts else 0.0))
    here = Situation(config, state, world, now)
    _print(here, decide(here, lambda: "new"), accepted, as_json=options.format == "json")
    return FINE


def assume(config: Config, alerts: tuple[Alert, ...], now: Moment) -> World:
    """Return a world in which *alerts* are active, their services unhealthy and all others well."""
    long_ago = now.wall - _LONG_S
    well = Container("running", started_wall=long_ago, created_wall=long_ago)
    firing = tuple(alert for alert in alerts if alert.firing)
    named = {alert.labels.get("service", "") for alert in firing}
    for alert in firing:
        if alert.labels.get("scope") == "tier":
            named.update(config.members(alert.labels.get("tier", "")))
    services = {}
    for name, service in config.services.items():
        sick = name in named
        if service.health.probe == "container" and sick:
            container = replace(well, state="exited", exit_code=1, finished_wall=long_ago)
        else:
            container = well
        services[name] = Sight(container, None if service.oneshot else not sick, "assumed")
    told = Alerts(firing, now.steady, SETTLE_S + _LONG_S, 0.0)
    return World(told, services, docker_up=True, docker_since_wall=long_ago)


def _look(config: Config, state: State) -> World:
    from remediation.alertmanager.client import Alertmanager
    from remediation.drivers.docker import DockerDriver
    from remediation.drivers.dry_run import DryRunDriver
    from remediation.engine.look import Looker
    from remediation.engine.probes import Probes

    source = Alertmanager(config.alertmanager, HostClock(None, state.at))
    driver = DryRunDriver(DockerDriver(config, stops=state.stops))
    return Looker(config, source, driver, Probes(config)).look(state)


def _state(journal: Path | None) -> State:
    state = State()
    if journal is not None:
        with reading(journal) as connection:
            for entry in state_entries(connection):
                state.apply(entry)
    return state


def _print(here: Situation, plan: Plan, accepted: Accepted, *, as_json: bool) -> None:
    # The same one may stand in a message twice: as firing, and as over.
    alerts = {each.key: each for each in accepted.alerts}.values()
    found = answers(here, alerts)
    told = [[each.told for each in below(decision, found)] for decision in plan.decisions]
    left = [*undecided(plan.decisions, alerts), *_left_out(accepted)]
    if as_json:
        data = [
            {**records.decided(each).body, "answers": lines}
            for each, lines in zip(plan.decisions, told, strict=True)
        ]
        sys.stdout.write(json.dumps({"decisions": data, "left_out": left}, indent=2) + "\n")
        return
    if not plan.decisions:
        sys.stdout.write(
            "nothing is asked for: no alert in it fires, or each has been answered before\n"
        )
    for each, lines in zip(plan.decisions, told, strict=True):
        sys.stdout.write("\n  ".join([_line(each, here.config), *lines]) + "\n")
    for line in left:
        sys.stdout.write(f"{line}\n")


def _left_out(accepted: Accepted) -> Iterator[str]:
    """Yield a sentence about each sort of alerts that were not taken in."""
    if accepted.ignored:
        yield f"left out: {accepted.ignored} that ask for no restart"
    if accepted.malformed:
        yield f"left out: {accepted.malformed} that make no sense: {'; '.join(accepted.reasons)}"
    if accepted.truncated:
        yield f"left out: {accepted.truncated} that Alertmanager had cut off"


def _line(decision: Decision, config: Config) -> str:
    what = decision.service or decision.tier or "an alert"
    if decision.outcome is Outcome.ACT:
        container = config.services[decision.restart].container
        verb = f"restart {decision.restart} (container {container}, rung {decision.rung.value})"
    else:
        verb = decision.outcome.value
    why = REASONS.get(decision.reason, decision.reason)
    detail = f" ({decision.detail})" if decision.detail else ""
    return f"{what}: {verb}: {decision.reason}: {why}{detail}"


def _wrong(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return WRONG

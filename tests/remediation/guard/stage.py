"""A stage for the guard: containers, servers and people that are played, and a clock that stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from remediation.clock import Anchor, Moment
from remediation.drivers.seen import Seen
from remediation.guard.check import Report, check
from remediation.guard.config import GuardConfig, Watched
from remediation.guard.outside import Outside
from remediation.guard.rules import Reply
from remediation.guard.state import Store
from remediation.model import Container, DriverError, Restarted, Result

START = 1_800_000_000.0
MINUTE = 60.0
ASKED = ("prometheus", "alertmanager")
ALL = ("proxy", *ASKED, "remediator")
SUCCEEDED = Restarted(Result.SUCCEEDED)
ANCHOR = Anchor("boot", 0.0, START)


def watched(name: str) -> Watched:
    """Return one of ALL; servers of ASKED have an address."""
    url = f"http://127.0.0.1:1/{name}" if name in ASKED else ""
    return Watched(name, f"shop-{name}", url, 30.0, optional=False)


def config(folder: Path) -> GuardConfig:
    """Return what the generator writes, with its files in *folder*."""
    return GuardConfig(
        docker="unix:///nowhere",
        project="shop",
        hold=folder / "guard.hold",
        failures=3,
        window_s=3600.0,
        restarts=3,
        ready_within_s=900.0,
        page_after_s=600.0,
        notify=None,
        watched=tuple(map(watched, ALL)),
    )


def container(**changes: object) -> Seen:
    """Return a container that has run for a day; *changes* are of the container itself."""
    ours = replace(
        Container(state="running", id="1", started_wall=START - 86400, restart_policy="always"),
        **changes,  # type: ignore[arg-type]
    )
    return Seen("", "shop", "", one_off=False, container=ours)


@dataclass
class Played:
    """Docker, the servers, people and the clock; tests change what they say."""

    containers: dict[str, Seen | None] = field(
        default_factory=lambda: {f"shop-{name}": container() for name in ALL}
    )
    replies: dict[str, Reply] = field(default_factory=dict)
    trouble: str = ""
    drifted: Mapping[str, str] = field(default_factory=dict)
    result: Restarted = SUCCEEDED
    restarted: list[str] = field(default_factory=list)
    told: list[tuple[str, str, bool]] = field(default_factory=list)
    is_reachable: bool = True
    steady: float = START
    wall: float = START
    anchor: Anchor = ANCHOR

    def look(self, container: str) -> Seen | None:
        """What Docker says."""
        if self.trouble:
            raise DriverError(self.trouble)
        seen = self.containers[container]
        return None if seen is None else replace(seen, name=container)

    def drift(self, seen: Seen, service: str, container: str) -> str:
        """Whose it is."""
        del seen, container
        return self.drifted.get(service, "")

    def restart(self, seen: Seen) -> Restarted:
        """Write down what would be restarted."""
        self.restarted.append(seen.name)
        return self.result

    def ask(self, url: str) -> Reply:
        """What the server of that name answers."""
        return self.replies.get(url.rpartition("/")[2], Reply(200))

    def tell(self, name: str, text: str, *, over: bool) -> bool:
        """Write down who is told."""
        self.told.append((name, text, over))
        return self.is_reachable

    def now(self) -> Moment:
        """Return the moment that it is on the stage."""
        return Moment(self.steady, self.wall)

    def pass_by(self, seconds: float) -> None:
        """Let time pass."""
        self.steady += seconds
        self.wall += seconds


@dataclass
class Stage:
    """The guard on its stage; every check is a run of its own, over the file in *folder*."""

    folder: Path
    played: Played = field(default_factory=Played)

    @property
    def state(self) -> Path:
        """Where it remembers."""
        return self.folder / "state" / "guard.json"

    def check(self, *, dry_run: bool = False) -> Report:
        """Check once."""
        outside = Outside(
            docker=self.played,
            store=Store(self.state),
            ask=self.played.ask,
            tell=self.played.tell,
            clock=lambda anchor, steady: self.played,  # noqa: ARG005
        )
        return check(config(self.folder), outside, dry_run=dry_run)

    def minutes(self, count: int) -> list[str]:
        """Check once a minute, *count* times; return what was restarted."""
        before = len(self.played.restarted)
        for _ in range(count):
            self.check()
            self.played.pass_by(MINUTE)
        return self.played.restarted[before:]

    def silence(self, name: str) -> None:
        """Let the server *name* not answer any more."""
        self.played.replies[name] = Reply(trouble="refused")

    def set(self, name: str, **changes: object) -> None:
        """Change the container of *name*."""
        self.played.containers[f"shop-{name}"] = container(**changes)

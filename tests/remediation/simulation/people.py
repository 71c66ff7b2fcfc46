"""The people of the shop: they get what they are owed, and notice when it is not true."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from remediation import records
from remediation.engine.engine import Engine
from remediation.notify.message import Message
from remediation.notify.owed import message_of
from remediation.state_parts import Owed
from tests.remediation.simulation.sim import Silent, Sim


@dataclass
class People(Silent):
    """Get what they are owed; each process of the remediator says a thing once."""

    sim: Sim
    got: list[Message] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)
    deaf: bool = False
    _said: tuple[Engine | None, set[tuple[str, int]]] = (None, set())

    def owes(self, owed: Mapping[str, Owed]) -> None:
        """Take what is new, and say so."""
        engine = self.sim.engine
        if engine is None or self.deaf:
            return
        if self._said[0] is not engine:
            self._said = (engine, set())
        for each in list(owed.values()):
            if (each.subject, each.number) not in self._said[1]:
                self._said[1].add((each.subject, each.number))
                self.got.append(message_of(each))
                if each.at == self.sim.now:
                    self._check(self.got[-1])
                engine.accept(records.told(each.subject, each.number))

    def _check(self, message: Message) -> None:
        """Note an end that is not true at the moment it is told."""
        well = message.resolved and "is healthy again" in message.title
        if well and not self.sim.healthy(message.service):
            self.lies.append(message.title)

    def open(self) -> set[tuple[str, str]]:
        """Return what a pager would still show: alert and service."""
        found: dict[tuple[str, ...], Message] = {each.subject: each for each in self.got}
        return {(each.alert, each.service) for each in found.values() if not each.resolved}

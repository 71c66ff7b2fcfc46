"""Names that stand for people and rules: owners, time zones, services that are never restarted."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable, Iterator

from generator.catalog_defaults import TIMEZONE
from generator.checks.draft import Draft
from generator.errors import Finding
from generator.schema_check import suggest


def check_owners(draft: Draft) -> Iterator[Finding]:
    """Find owners that the platform file does not know; nobody would be told."""
    owners = draft.catalog.platform.owners
    default = draft.catalog.platform.default_owner
    if default not in owners:
        place = draft.origin.platform.place("owner")
        yield Finding(place, f"unknown owner {default!r}", _owner_cure(default, owners), "owner")
    for name, document in draft.origin.tiers.items():
        owner = document.data.get("owner")
        if owner is not None and owner not in owners:
            fact = f"tier {name!r}: unknown owner {owner!r}"
            yield Finding(document.place("owner"), fact, _owner_cure(owner, owners), "owner")
    for service in draft.catalog.services:
        if service.name not in draft.origin.services:
            continue
        entry = draft.origin.services[service.name].data["services"][service.name]
        if "owner" in entry and service.owner not in owners:
            fact = f"unknown owner {service.owner!r}"
            yield draft.origin.service_finding(
                service.name, fact, _owner_cure(service.owner, owners), "owner", check="owner"
            )


def check_timezones(draft: Draft) -> Iterator[Finding]:
    """Find quiet hours in time zones that do not exist, and those that start when they end."""
    for tier in draft.catalog.tiers:
        hours = tier.quiet_hours
        if hours is None or tier.name not in draft.origin.tiers:
            continue
        document = draft.origin.tiers[tier.name]
        if hours.timezone != TIMEZONE and not _is_zone(hours.timezone):
            fact = f"tier {tier.name!r}: unknown time zone {hours.timezone!r}"
            cure = "Use a name of the IANA database, such as Europe/Berlin."
            yield Finding(document.place("quiet_hours", "timezone"), fact, cure, "timezone")
        if hours.start_minute == hours.end_minute:
            fact = f"tier {tier.name!r}: quiet_hours end when they start"
            cure = "Give them a length, or remove them."
            yield Finding(document.place("quiet_hours", "end"), fact, cure, "quiet-hours")


def check_never_restart(draft: Draft) -> Iterator[Finding]:
    """Find names in remediation.never_restart that are no services."""
    names = draft.catalog.by_name
    never = draft.catalog.platform.remediation.get("never_restart", [])
    for index, name in enumerate(never if isinstance(never, list) else []):
        if name not in names:
            place = draft.origin.platform.place("remediation", "never_restart", index)
            fact = f"remediation.never_restart names {name!r}, which is no service of this catalog"
            yield Finding(place, fact, suggest(name, list(names)) or "Remove it.", "never-restart")


def _owner_cure(owner: str, owners: Iterable[str]) -> str:
    return suggest(owner, list(owners)) or f"Add '{owner}:' under 'owners' in platform.yml."


def _is_zone(name: str) -> bool:
    """Return whether *name* is a time zone; true where the machine has no list of them."""
    known = zoneinfo.available_timezones()
    return not known or name in known

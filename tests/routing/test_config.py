"""The rendered configuration: whole, accepted by both amtools, and right for catalogs of all sorts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import yaml

from alerts import inhibition, routing, routing_check, routing_table
from alerts.routing_model import Route, is_muted
from alerts.routing_table import RoutedAlert
from generator import toolbox
from generator.artifacts import Artifact
from generator.model import Catalog, Notify, Owner

AlertsOf = Callable[[Catalog], tuple[RoutedAlert, ...]]


def _write(folder: Path, artifacts: tuple[Artifact, ...]) -> Path:
    for artifact in artifacts:
        path = folder / artifact.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(artifact.text, encoding="utf-8")
    return folder / "alertmanager" / "alertmanager.yml"


def _findings(catalog: Catalog, alerts: tuple[RoutedAlert, ...]) -> list[str]:
    config = routing.config(catalog, alerts)
    found = routing_check.check(config, catalog, alerts) + inhibition.check(config, catalog, alerts)
    return [str(finding) for finding in found]


def _with_notify(catalog: Catalog, notify: Notify, **platform: object) -> Catalog:
    changed = replace(catalog.platform, notify=notify, **platform)  # type: ignore[arg-type]
    return replace(catalog, platform=changed)


NOTHING = Notify("", "", "", "", "", "", "", "", "", "")


def test_the_shop_gives_these_files(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...], golden: Callable[[str, str], None]
) -> None:
    """Configuration and table of the shop are, to the byte, what was last read and agreed on."""
    by_path = {artifact.path: artifact.text for artifact in routing.render(catalog, alerts)}

    golden("alertmanager.yml", by_path["alertmanager/alertmanager.yml"])
    golden("routing.yml", by_path["alertmanager/routing.yml"])


def test_what_is_dumped_is_what_is_proven(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...]
) -> None:
    """The file holds exactly the data that the proofs look at."""
    artifact = routing.render(catalog, alerts)[0]

    assert routing.config(catalog, alerts) == yaml.safe_load(artifact.text)


def test_the_shop_and_the_platform_have_no_findings(
    catalog: Catalog,
    alerts: tuple[RoutedAlert, ...],
    platform: Catalog,
    platform_alerts: tuple[RoutedAlert, ...],
) -> None:
    """Proofs 4 and 5 hold for the shop and for the catalog that ships."""
    assert _findings(catalog, alerts) == []
    assert _findings(platform, platform_alerts) == []


def test_amtool_accepts_the_files_and_sends_every_alert_where_the_table_says(
    amtool: Path, tmp_path: Path, platform: Catalog, platform_alerts: tuple[RoutedAlert, ...]
) -> None:
    """Debian's and the current amtool load the platform's files and agree with the whole table."""
    path = _write(tmp_path, routing.render(platform, platform_alerts))
    loaded = toolbox.run(amtool, ["check-config", path])
    assert loaded.ok, loaded.text
    assert "3 templates" in loaded.text or "1 templates" in loaded.text

    cases = list(routing_check.routing_cases(platform, platform_alerts))
    wrong = [
        case
        for case in cases
        if not toolbox.run(amtool, ["config", "routes", "test", f"--config.file={path}", *case]).ok
    ]
    assert wrong == []
    assert len(cases) > 20


def test_keys_younger_than_the_target_are_left_out(
    catalog: Catalog,
    alerts_of: AlertsOf,
    targeted: Callable[[Catalog, str], Catalog],
    tmp_path: Path,
) -> None:
    """A newer target brings named rules and webhook timeouts, which only the current amtool takes."""
    newer = targeted(catalog, "0.30")
    config = routing.config(newer, alerts_of(newer))
    hooks = [hook for r in config["receivers"] for hook in r.get("webhook_configs", ())]

    assert {"10s"} == {hook["timeout"] for hook in hooks}
    assert all(rule["name"] for rule in config["inhibit_rules"])
    path = _write(tmp_path, routing.render(newer, alerts_of(newer)))
    old, current = toolbox.find("amtool"), toolbox.find("amtool-current")
    assert old is not None
    assert not toolbox.run(old, ["check-config", path]).ok
    assert current is None or toolbox.run(current, ["check-config", path]).ok


def test_a_catalog_without_notify_settings_is_valid(
    amtool: Path, catalog: Catalog, alerts: tuple[RoutedAlert, ...], tmp_path: Path
) -> None:
    """With nowhere to send to, all receivers but the remediator are `nobody`, and it loads."""
    silent = _with_notify(catalog, NOTHING)
    config = routing.config(silent, alerts)

    assert [
        config["receivers"][0],
        config["receivers"][1]["name"],
    ] == [{"name": "nobody"}, "remediator"]
    assert _findings(silent, alerts) == []
    assert toolbox.run(
        amtool, ["check-config", _write(tmp_path, routing.render(silent, alerts))]
    ).ok


def test_an_unreachable_default_owner_is_stood_in_for(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...]
) -> None:
    """Without a pager, and with a default owner nobody can reach, the first reachable owner hears."""
    owners = MappingProxyType({"ops": Owner("ops", "", ""), "data": Owner("data", "#data", "")})
    notify = replace(NOTHING, slack_url_file="/etc/alertmanager/secrets/slack")
    lonely = _with_notify(catalog, notify, owners=owners)
    config = routing.config(lonely, alerts)

    assert config["route"]["receiver"] == "page-data"
    assert _findings(lonely, alerts) == []


def test_an_alert_nobody_foresaw_pages(catalog: Catalog, alerts: tuple[RoutedAlert, ...]) -> None:
    """Labels that no alert of ours carries lead to the default owner's pager."""
    tree = Route.read(routing.config(catalog, alerts)["route"])

    assert [leaf.receiver for leaf in tree.leaves({"alertname": "Foreign"})] == ["page-ops"]


def test_quiet_hours_mute_warnings_to_people_and_nothing_else(
    catalog: Catalog, alerts: tuple[RoutedAlert, ...]
) -> None:
    """At midnight in Berlin exactly the warnings of tier app are held back, never the remediator."""
    config = routing.config(catalog, alerts)
    tree = Route.read(config["route"])
    midnight = datetime(2026, 11, 23, 23, 0, tzinfo=UTC)
    heard = {
        (row.labels["severity"], row.labels["tier"], leaf.receiver)
        for row in routing_table.rows(catalog, alerts)
        for leaf in tree.leaves(row.labels)
        if is_muted(config, leaf, midnight)
    }

    assert {("warning", "app", "tell-ops")} == heard


def test_every_secret_stands_in_a_file(catalog: Catalog, alerts: tuple[RoutedAlert, ...]) -> None:
    """The files named in the configuration are those that `secret_files` lists, no more, no less."""
    text = routing.render(catalog, alerts)[0].text
    named = {line.partition(": ")[2] for line in text.splitlines() if "_file: " in line}

    assert set(routing.secret_files(catalog)) == named

"""
The list of a project's containers, and by which names they are then to be asked.

A list says too little of health and starts, but it knows a service's container under another name
than the configured one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from exporters.deadline import Deadline
from remediation.drivers.api import Api
from remediation.drivers.seen import ONE_OFF, PROJECT, SERVICE
from remediation.drivers.wire import ApiError


def read_list(api: Api, project: str, deadline: Deadline) -> dict[str, tuple[str, ...]]:
    """Return the names of the containers of *project*, running or not, by service; ApiError."""
    filters = json.dumps({"label": [f"{PROJECT}={project}"]})
    answer = api.json("/containers/json", deadline, {"all": "1", "filters": filters})
    if not isinstance(answer, list):
        raise ApiError("the list of containers is none")
    found: dict[str, list[str]] = {}
    for each in answer:
        service, name = _service_and_name(each)
        if service and name:
            found.setdefault(service, []).append(name)
    return {service: tuple(sorted(names)) for service, names in found.items()}


def _service_and_name(each: Any) -> tuple[str, str]:
    if not isinstance(each, dict):
        return "", ""
    labels, names = each.get("Labels"), each.get("Names")
    if not isinstance(labels, dict) or not isinstance(names, list) or not names:
        return "", ""
    if str(labels.get(ONE_OFF, "")).lower() == "true":
        return "", ""
    # Links add names like /other/alias; the container's own comes without a second slash.
    own = [str(name) for name in names if str(name).count("/") == 1]
    return str(labels.get(SERVICE, "")), own[0].removeprefix("/") if own else ""


def names_to_ask(
    wanted: Mapping[str, str], listed: Mapping[str, tuple[str, ...]]
) -> dict[str, str]:
    """
    Return by which name the container of each service is to be asked.

    Its configured one from *wanted*; another one only where the service has a container and none has
    that name.
    """
    return {
        service: name
        if name in listed.get(service, (name,)) or any(name in names for names in listed.values())
        else listed[service][0]
        for service, name in wanted.items()
    }

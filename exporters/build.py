"""Which build of the exporters this is, as the labels of `<prefix>_exporter_build_info`."""

from __future__ import annotations

import functools
import os
import platform
from importlib.metadata import PackageNotFoundError, version


@functools.cache
def build_labels() -> dict[str, str]:
    """
    Return version, revision and python_version, in this order.

    The revision is what TIERWATCH_REVISION says, which an image sets when it is built.
    """
    try:
        released = version("tierwatch")
    except PackageNotFoundError:
        released = "unreleased"
    return {
        "version": released,
        "revision": os.environ.get("TIERWATCH_REVISION", "unknown"),
        "python_version": platform.python_version(),
    }

"""
Turn plain data into YAML text, always the same way.

Every rendered YAML file passes through `dump_yaml`, so that two files never differ in style
and the same data gives the same bytes. Reading YAML is `generator.yaml_read`'s business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from generator.artifacts import header

if TYPE_CHECKING:
    _Dumper = yaml.SafeDumper
else:
    # The C dumper is some ten times faster; both write the same text for what we give them.
    _Dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

# libyaml folds lines at this column; nobody wants a folded regular expression or query.
_NEVER_FOLD = 1 << 20


class _BlockDumper(_Dumper):
    """Writes multi-line strings as literal blocks and no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        """Return True: a value used twice is written twice, readers are people."""
        del data
        return True


def _represent_str(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_BlockDumper.add_representer(str, _represent_str)


def dump_yaml(data: object, source: str) -> str:
    """
    Return *data* as YAML text whose first line names its *source* (`catalog/`).

    Keys keep their order. Data is dicts, lists, str, int, float, bool and None.
    Raises yaml.representer.RepresenterError for anything else.
    """
    return header(source) + yaml.dump(
        data,
        Dumper=_BlockDumper,
        sort_keys=False,
        width=_NEVER_FOLD,
        allow_unicode=True,
        default_flow_style=False,
    )

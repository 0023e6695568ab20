# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reading YAML, with libyaml where it is there: eight times faster, and a thousand hosts have a file each."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(text: str) -> Any:
    """Return what a YAML document says, plain values alone.

    Raises:
        yaml.YAMLError: it is none, or says more than plain values.
    """
    return yaml.load(text, Loader=_LOADER)

# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables that an intent names, such as that of a password: the plan holds their names only, so a misspelt one is nobody's mistake before it is used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING, Place, Problem, nearest, show

# A template that is one variable and nothing else.
WHOLE = re.compile(r"\{\{ *([A-Za-z_][A-Za-z0-9_]*) *\}\}")
_SUFFIX = "_variable"
# Not what somebody calls a secret: what Ansible sets itself, and what belongs to the intent.
_NOT_MEANT = ("ansible_", "xgn_")
# Of all the variables of a host some is always a little alike.
_ALIKE = 0.75


def named_variables(written: Any, path: Place = EVERYTHING) -> Iterator[tuple[Place, str]]:
    """Yield place and name of every variable that an intent names.

    Parameters:
        written: the intent as written, or a part of it.
        path: where that part stands.
    """
    if isinstance(written, Mapping):
        for key, value in written.items():
            here = path.at(key)
            if isinstance(key, str) and key.endswith(_SUFFIX) and isinstance(value, str):
                yield here, str(value)
            else:
                yield from named_variables(value, here)
    elif isinstance(written, (list, tuple)):
        for index, item in enumerate(written):
            yield from named_variables(item, path.at(index))


def undefined(path: Place, name: str, defined: Iterable[object]) -> Problem:
    """Return the problem of a name that stands for no variable.

    Parameters:
        path: where the intent names it.
        name: as written there.
        defined: names of the variables that are defined.
    """
    near = nearest(name, (word for word in map(str, defined) if not word.startswith(_NOT_MEANT)), _ALIKE)
    hint = f"did you mean {near!r}?" if near else "define it, usually in an encrypted file of group_vars/all"
    return Problem(path, "is not a defined variable", show(name), hint)

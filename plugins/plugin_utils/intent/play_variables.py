# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The intent out of the variables of a play, as plain values. Ansible is handed in, not imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read import is_intent


def intent_of(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the ``xgn_…`` variables of the intent, templated.

    Parameters:
        variables: the variables of any host; the intent is the same for all.
        template: resolves templates in a value.
    """
    return {str(name): plain(template(value)) for name, value in variables.items() if is_intent(name)}


def plain(value: Any) -> Any:
    """Return a copy made of Python's own types only, without the tags and laziness of Ansible's."""
    if isinstance(value, Mapping):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value

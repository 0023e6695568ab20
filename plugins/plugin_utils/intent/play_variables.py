# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The intent out of the variables of a play, as plain values. Ansible is handed in, not imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.named_variables import WHOLE, undefined
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read import is_intent


class Failures(NamedTuple):
    """What a template may raise.

    Attributes:
        any: the base of all.
        undefined: it uses a variable that is not defined. Its words name the variable; those of others may quote a secret.
    """

    any: type[Exception]
    undefined: type[Exception]


def intent_of(variables: Mapping[str, Any], template: Callable[[Any], Any], failures: Failures) -> tuple[dict[str, Any], list[Problem]]:
    """Return the ``xgn_…`` variables of the intent, templated, and the problem of each template that failed. A null stands in its place.

    Parameters:
        variables: the variables of any host; the intent is the same for all.
        template: resolves templates in a value.
        failures: what it raises.
    """
    problems: list[Problem] = []

    def resolved(value: Any, place: Place) -> Any:
        try:
            return plain(template(value))
        except failures.any as error:
            if isinstance(value, Mapping):
                return {plain(key): resolved(item, place.at(plain(key))) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                return [resolved(item, place.at(index)) for index, item in enumerate(value)]
            problems.append(failed(error, value, place, variables, failures))
            return None

    found = {str(name): resolved(value, Place.of(str(name))) for name, value in variables.items() if is_intent(name)}
    return found, problems


def failed(error: Exception, value: Any, place: Place, variables: Mapping[str, Any], failures: Failures) -> Problem:
    """Return the problem of a template that failed.

    Parameters:
        error: what was raised.
        value: the template.
        place: where it stands.
        variables: those that are defined.
        failures: as of `intent_of`.
    """
    if not isinstance(error, failures.undefined):
        return Problem(place, "cannot be templated or decrypted", hint="see the details with ansible.builtin.debug")
    whole = WHOLE.fullmatch(value) if isinstance(value, str) else None
    if whole and whole[1] not in variables:
        return undefined(place, whole[1], variables)
    return Problem(place, f"uses a variable that is not defined: {' '.join(str(getattr(error, 'message', error)).split())}")

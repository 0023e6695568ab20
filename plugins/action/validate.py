# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.validate: check the variables of a host on the controller, before any host is touched."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, ClassVar

from ansible.errors import AnsibleError, AnsibleUndefinedVariable, AnsibleValueOmittedError
from ansible_collections.xuegao.net.plugins.plugin_utils.common.controller_action import ControllerAction, Options, mistakes
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place, Problem, sentences
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.inventory_hosts import host_without_node
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.named_variables import WHOLE, named_variables, undefined
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.overrides import is_layer
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.read import is_intent
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.overrides import is_reference
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import (
    form_problems,
    own_role_specs,
    role_variables,
    variable_problems,
)

SPECS = own_role_specs()
# What the plan says of a host: there is none; it has its variables; it knows others only; it is retired; the intent was refused.
PLANS = ["none", "ours", "others", "retired", "refused"]


class _Unresolved:
    """Stands where a template failed, so that the place counts as given and as of no type."""


class ActionModule(ControllerAction):
    """Check the variables of the host at hand."""

    OPTIONS: ClassVar[Options] = {"plan": {"type": "str", "choices": PLANS, "default": "none"}}
    # Facts of an earlier run may be kept in a cache.
    VARIABLES = SPECS.options

    def perform(self, options: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
        """Fail with all mistakes when there are any."""
        host = str(known.get("inventory_hostname", "this host"))
        unresolved: dict[Place, list[Problem]] = {}
        templated = {name: self._resolve(value, Place.of(name), known, unresolved) for name, value in role_variables(known, SPECS).items()}
        # A name given by a template may turn out to be null or omitted.
        own = role_variables(templated, SPECS)
        # Without the plan most of what the rules compare is missing.
        found = form_problems(own, SPECS) if options["plan"] == "refused" else variable_problems(own, SPECS)
        # What a rule says about a value that could not be resolved, or about something in it, follows from that.
        problems = [problem for reasons in unresolved.values() for problem in reasons]
        problems += [problem for problem in found if not _below(problem.path, unresolved)]
        if options["plan"] == "none":
            problems += _without_plan(known)
        if options["plan"] == "others" and (stranger := host_without_node(host, known)):
            problems.append(stranger)
        return (
            mistakes(sentences(problems), f"the variables of {host}") if problems else {"msg": "The variables are valid.", "problems": []}
        )

    def _resolve(self, value: Any, path: Place, variables: Mapping[str, Any], unresolved: dict[Place, list[Problem]]) -> Any:
        """Template a value; where that fails, go down to the very place and go on with the rest."""
        try:
            return self._templar.template(value)
        except AnsibleValueOmittedError:
            return None
        except AnsibleError as error:
            if isinstance(value, Mapping):
                return {key: self._resolve(item, path.at(key), variables, unresolved) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                return [self._resolve(item, path.at(index), variables, unresolved) for index, item in enumerate(value)]
            unresolved[path] = _reasons(error, value, path, variables)
            return _Unresolved()


def _reasons(error: AnsibleError, value: Any, path: Place, variables: Mapping[str, Any]) -> list[Problem]:
    """Return what to say of a template that failed. The words of an undefined variable name it; those of other errors may quote a secret."""
    if isinstance(error, AnsibleUndefinedVariable):
        whole = WHOLE.fullmatch(value) if isinstance(value, str) else None
        if whole and whole[1] not in variables:
            # What the plan took over from the intent is corrected there.
            places = [place for place, name in named_variables(_intent_of(variables)) if name == whole[1]] or [path]
            return [undefined(place, whole[1], variables) for place in places]
        hint = f"that stands at {value.strip('{ }')}" if is_reference(value) else ""
        return [Problem(path, f"uses a variable that is not defined: {_one_line(error)}", hint=hint)]
    if SPECS.may_hold_secret(path):
        return [
            Problem(path, "cannot be templated or decrypted", hint="it may hold a secret, so see the details with ansible.builtin.debug")
        ]
    return [Problem(path, f"cannot be templated: {_one_line(error)}")]


def _without_plan(variables: Mapping[str, Any]) -> list[Problem]:
    """Return the problem of overrides where there is nothing that they could lie over."""
    hint = "give the host the roles' variables themselves"
    names = sorted(name for name in variables if is_layer(name) and variables[name])
    return [Problem(Place.of(name), "lies over nothing: there is no xgn_nodes, so nothing is planned", hint=hint) for name in names]


def _intent_of(variables: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in variables.items() if is_intent(name)}


def _below(path: Place, places: Container[Place]) -> bool:
    return any(Place(path.keys[:length]) in places for length in range(1, len(path.keys) + 1))


def _one_line(error: AnsibleError) -> str:
    return " ".join(str(error.message).split())

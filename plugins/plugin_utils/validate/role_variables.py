# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which variables belong to which role, taken from the roles' own argument specs, and the check of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, unknown
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import DIRECTORY, ROLES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import HOLDS_CONTROL, check
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.variable_rules import host_problems

CROSS_ROLE = frozenset({"xgn_uplink_mtu"})
"""Variables beside those of the roles that the rules read."""
# Where something is on the controller says nothing of a host, nor does what allows one step of one run.
_OF_A_RUN = ("_adopt", "_key_registry", "_remove_all")
# Roles that leave nothing on a host. Of their variables those say something of it that come with its plan.
_PLANNED = frozenset({"failover_test_paths", "preflight_node", "verify_reach", "verify_reserves", "verify_routes", "verify_site"})
# What a host is in the plan, and what lies over it there.
_TOLD = frozenset({"preflight_node", "verify_overrides"})


@dataclass(frozen=True)
class RoleSpecs:
    """The options of all roles.

    Attributes:
        roles: role names.
        options: option name to spec, of all roles and entry points together.
        defaults: what the roles give a variable that nobody gives, as it is written there.
        of_steps: names of options that no main entry point has: they come with a task that runs another one.
    """

    roles: frozenset[str]
    options: Mapping[str, Mapping[str, Any]]
    defaults: Mapping[str, Any]
    of_steps: frozenset[str] = frozenset()

    def role_of(self, variable: str) -> str | None:
        """Return the role whose name a variable begins with: the longest one, so that frr_build_x is not frr's."""
        return next((role for role in sorted(self.roles, key=len, reverse=True) if variable.startswith(f"{role}_")), None)

    def names_of(self, role: str) -> list[str]:
        """Return the names of a role's options."""
        return sorted(name for name in self.options if self.role_of(name) == role)

    def options_of(self, *roles: str) -> dict[str, Mapping[str, Any]]:
        """Return the options of some roles."""
        return {name: option for name, option in self.options.items() if self.role_of(name) in roles}

    def says_of_host(self, name: str) -> bool:
        """Tell whether a role's variable says something of a host, and not of a run or of the controller."""
        if name in _PLANNED:
            return True
        role = self.role_of(name)
        if role is not None and not ROLES[role].compared:
            return False
        return not (name.endswith(_OF_A_RUN) or name in self.of_steps)

    def may_be_overridden(self, name: str) -> bool:
        """Tell whether a variable may lie over a plan: not what is said to a run or of the controller, nor what the plan tells of a host and its overrides."""
        return not (name.endswith(_OF_A_RUN) or name in self.of_steps or name in _TOLD)

    def may_hold_secret(self, place: Place) -> bool:
        """Tell whether a value is marked no_log, stands in one that is, or holds such a key."""
        spec: Mapping[str, Any] = {"options": self.options}
        for key in place.keys:
            spec = spec if isinstance(key, int) else spec.get("options", {}).get(key, {})
            if spec.get("no_log"):
                return True
        return _holds_secret(spec)


def _holds_secret(spec: Mapping[str, Any]) -> bool:
    return any(inner.get("no_log") or _holds_secret(inner) for inner in spec.get("options", {}).values())


def own_role_specs() -> RoleSpecs:
    """Read the specs of this collection's roles.

    Call it when Ansible loads a plugin, before it forks a worker for each host: what a worker reads is lost with it.
    """
    return load_role_specs(DIRECTORY)


@lru_cache(maxsize=1)
def load_role_specs(roles: Path) -> RoleSpecs:
    """Read the argument specs and defaults of every role below a directory, once a process.

    Parameters:
        roles: the directory ``roles`` of the collection.

    Raises:
        OSError: the directory or a file cannot be read.
        yaml.YAMLError: a file is no YAML.
    """
    options: dict[str, Mapping[str, Any]] = {}
    main: set[str] = set()
    defaults: dict[str, Any] = {}
    names = set()
    for role in sorted(path for path in roles.iterdir() if path.is_dir()):
        names.add(role.name)
        given = role / "defaults" / "main.yml"
        if given.is_file():
            defaults.update(read_yaml(given.read_text(encoding="utf-8")) or {})
        specs = role / "meta" / "argument_specs.yml"
        if not specs.is_file():
            continue
        for entry_point, spec in read_yaml(specs.read_text(encoding="utf-8"))["argument_specs"].items():
            for name, option in (spec.get("options") or {}).items():
                # What another entry point requires comes with the task that includes it, not from the inventory.
                options.setdefault(name, option if entry_point == "main" else {**option, "required": False})
                main.update({name} if entry_point == "main" else ())
    return RoleSpecs(frozenset(names), options, defaults, frozenset(options) - main)


def role_variables(variables: Mapping[str, Any], specs: RoleSpecs) -> dict[str, Any]:
    """Return those of a host's variables that begin with the name of a role, and the cross-role ones.

    A null at the top counts as not given, as it does for Ansible.
    """
    return {
        name: value for name, value in variables.items() if value is not None and (name in CROSS_ROLE or specs.role_of(name) is not None)
    }


def variable_problems(variables: Mapping[str, Any], specs: RoleSpecs) -> Findings:
    """Check the variables of one host: names, types, and rules.

    Parameters:
        variables: templated variables, as `role_variables` selects them.
        specs: the roles' options.

    Returns:
        Every problem; empty when there is none.
    """
    found = form_problems(variables, specs)
    # A rule that looks at the same text would say it in other words.
    told = {problem.path for problem in found if problem.message == HOLDS_CONTROL}
    found.extend(problem for problem in host_problems(variables) if problem.path not in told)
    return found


def form_problems(variables: Mapping[str, Any], specs: RoleSpecs) -> Findings:
    """Check the names and types of a host's variables alone, without the rules. Parameters and result as of `variable_problems`."""
    known = {name: value for name, value in variables.items() if name in specs.options}
    found = Findings(_unknown_names(variables, specs))
    found.extend(check(known, specs.options))
    return found


def _unknown_names(variables: Mapping[str, Any], specs: RoleSpecs) -> Iterator[Problem]:
    for name in variables:
        role = specs.role_of(name)
        if role is None or name in specs.options:
            continue
        valid = specs.names_of(role)
        if valid:
            yield unknown(Place.of(name), f"unknown variable of role {role}", name, valid, "valid variables")

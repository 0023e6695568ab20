# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action plugin of xuegao.net.validate: check the variables of a host on the controller, before any host is touched."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable, AnsibleValueOmittedError
from ansible.plugins.action import ActionBase
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Findings, Place, Problem, report
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import (
    RoleSpecs,
    load_role_specs,
    role_variables,
    variable_problems,
)

# From the plugin's own place, so that it is right in an installed collection and in a checkout.
_ROLES = Path(__file__).parents[2] / "roles"


@lru_cache(maxsize=1)
def _role_specs() -> RoleSpecs:
    """Read the specs once a process: the play's workers are forked from it for every host."""
    return load_role_specs(_ROLES)


class _Unresolved:
    """Stands where a template failed, so that the place counts as given and as of no type."""


class ActionModule(ActionBase):
    """Check the variables of the host at hand."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the task's result: failed with the report when there is any problem."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        specs = _role_specs()
        problems = Findings()
        templated = {
            name: self._resolve(value, Place.of(name), specs, problems) for name, value in role_variables(variables, specs).items()
        }
        # A name given by a template may turn out to be null or omitted.
        found = variable_problems(role_variables(templated, specs), specs)
        # What a rule says about a value that could not be resolved, or about something in it, follows from that.
        problems.extend([problem for problem in found if not problems.above(problem.path)])
        result["changed"] = False
        result["problems"] = sorted({str(problem) for problem in problems})
        if problems:
            result["failed"] = True
            result["msg"] = report(problems, str(variables.get("inventory_hostname", "")))
        else:
            result["msg"] = "The variables are valid."
        return result

    def _resolve(self, value: Any, path: Place, specs: RoleSpecs, problems: Findings) -> Any:
        """Template a value; where that fails, go down to the very place and go on with the rest."""
        try:
            return self._templar.template(value)
        except AnsibleValueOmittedError:
            return None
        except AnsibleError as error:
            if isinstance(value, Mapping):
                return {key: self._resolve(item, path.at(key), specs, problems) for key, item in value.items()}
            if isinstance(value, (list, tuple)):
                return [self._resolve(item, path.at(index), specs, problems) for index, item in enumerate(value)]
            problems.add(Problem(path, *_reason(error, secret=specs.may_hold_secret(path))))
            return _Unresolved()


def _reason(error: AnsibleError, *, secret: bool) -> tuple[str, str, str]:
    """Return message, value and hint. The words of an undefined variable name it; those of other errors may quote a secret."""
    if isinstance(error, AnsibleUndefinedVariable):
        return f"uses what is not defined: {_one_line(error)}", "", ""
    if secret:
        return "cannot be templated or decrypted", "", "it may hold a secret, so see the details with ansible.builtin.debug"
    return f"cannot be templated: {_one_line(error)}", "", ""


def _one_line(error: AnsibleError) -> str:
    return " ".join(str(error.message).split())

# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The roles' own templates in plain Jinja2, for the planner, and for a file that a role has once for each of its entries."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import DIRECTORY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template


class _Environment(Environment):
    """Looks a name up in a dictionary first: variables are dictionaries, and a failed attribute costs more than all the rest."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return ``obj.attribute`` of a template."""
        if isinstance(obj, dict) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


@cache
def _environment(role: str) -> Environment:
    """Return a role's environment, with the settings Ansible's own template action has."""
    loader = FileSystemLoader(DIRECTORY / role / "templates")
    # The files are configuration, not HTML, so nothing is to be escaped.
    return _Environment(loader=loader, trim_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined, autoescape=False)


@cache
def _template(role: str, name: str) -> Template:
    return _environment(role).get_template(name)


def rendered(role: str, name: str, variables: Mapping[str, Any]) -> str:
    """Return the text of one of a role's templates.

    Parameters:
        role, name: where it is: ``roles/ROLE/templates/NAME``.
        variables: all that it prints.

    Raises:
        jinja2.UndefinedError: it prints what is not among them.
    """
    return _template(role, name).render(variables)


@cache
def defaults(role: str) -> Mapping[str, Any]:
    """Return the defaults of a role, but for those that are templates themselves: they are given per host."""
    found: dict[str, Any] = read_yaml((DIRECTORY / role / "defaults" / "main.yml").read_text(encoding="utf-8")) or {}
    return {name: value for name, value in found.items() if not (isinstance(value, str) and "{{" in value)}

# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables of a host as Ansible gives them to an action: resolved, as values that JSON knows, and which of them come from a vault."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from ansible.errors import AnsibleError
from ansible.parsing.vault import EncryptedString
from ansible.template import trust_as_template
from jinja2 import meta

try:
    # Not for collections to use; without it a value whose whole file is encrypted cannot be told, and nothing else changes.
    from ansible._internal._datatag._tags import Origin, VaultedValue
except ImportError:
    Origin = VaultedValue = None

UNKNOWN = object()
"""Stands for a default that cannot be resolved; equal to no value."""
_VAULT = b"$ANSIBLE_VAULT;"
# To find names in: what filters and tests there are does not matter for that.
_JINJA = jinja2.Environment(autoescape=True)


def simple(value: Any) -> Any:
    """Return a copy that JSON can hold: keys are texts, and so is whatever it does not know, such as a date that YAML made of digits."""
    if isinstance(value, Mapping):
        return {str(key): simple(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [simple(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((simple(item) for item in value), key=str)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    # "not a number" equals nothing, not even itself.
    return float(value) if isinstance(value, float) and math.isfinite(value) else str(value)


class HostValues:
    """The values of one host.

    Parameters:
        variables: all of them, not templated.
        template: resolves templates in the context of the host.
    """

    def __init__(self, variables: Mapping[str, Any], template: Callable[[Any], Any]) -> None:
        self._variables = variables
        self._template = template
        self._vaulted: dict[str, bool] = {}

    def resolved(self, value: Any) -> Any:
        """Return a value with its templates resolved, as `simple` gives it.

        Raises:
            AnsibleError: a template cannot be resolved.
        """
        return simple(self._template(value))

    def referred(self, template: str) -> Any:
        """Return what a template of the plan refers to, as `resolved` does, with the same errors."""
        return self.resolved(trust_as_template(template))

    def default(self, value: Any) -> Any:
        """Return what a role's default is on this host, written as in its ``defaults/main.yml``; `UNKNOWN` where it cannot be resolved here."""
        if not (isinstance(value, str) and "{{" in value):
            return simple(value)
        try:
            return self.referred(value)
        except AnsibleError:
            return UNKNOWN

    def is_vaulted(self, value: Any) -> bool:
        """Tell whether a value, not templated, or a part of it is encrypted where it is written, or refers by name to a variable of which that is true.

        What a lookup brings, or another host has, cannot be told.
        """
        return any(is_encrypted(part) or any(map(self._names_vaulted, _names(part))) for part in _parts(value))

    def _names_vaulted(self, name: str) -> bool:
        if name not in self._vaulted:
            # For one that refers to itself, which Ansible refuses when it resolves it.
            self._vaulted[name] = False
            self._vaulted[name] = self.is_vaulted(self._variables.get(name))
        return self._vaulted[name]


def _parts(value: Any) -> Iterator[Any]:
    """Yield all that a value consists of. What is not made of plain containers, such as the variables of all hosts, is not opened."""
    yield value
    if isinstance(value, dict):
        for item in value.values():
            yield from _parts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _parts(item)


def _names(value: Any) -> frozenset[str]:
    return _names_in(str(value)) if isinstance(value, str) and ("{{" in value or "{%" in value) else frozenset()


@lru_cache(maxsize=4096)
def _names_in(text: str) -> frozenset[str]:
    try:
        return frozenset(meta.find_undeclared_variables(_JINJA.parse(text)))
    except jinja2.TemplateError:
        return frozenset()


def is_encrypted(value: Any) -> bool:
    """Tell whether a text is encrypted where it is written, by itself or with its file. To compare one with anything would decrypt it."""
    if isinstance(value, EncryptedString):
        return True
    if Origin is None or not isinstance(value, str):
        return False
    if VaultedValue.is_tagged_on(value):
        return True
    origin = Origin.get_tag(value)
    return origin is not None and origin.path is not None and _is_encrypted_file(str(origin.path))


@lru_cache(maxsize=1024)
def _is_encrypted_file(path: str) -> bool:
    try:
        with Path(path).open("rb") as stream:
            return stream.read(len(_VAULT)) == _VAULT
    except OSError:
        return False

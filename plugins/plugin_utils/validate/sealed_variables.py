# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The roles' variables of a host without their secrets: what it is recorded to have applied, and what it is to apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Seal
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_values import UNKNOWN, HostValues, is_encrypted
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import CROSS_ROLE, RoleSpecs, role_variables


def sealed_variables(
    host: str,
    variables: Mapping[str, Any],
    values: HostValues,
    specs: RoleSpecs,
    seal: Seal,
    resolve: Callable[[str, Any], Any] | None = None,
) -> dict[str, Any]:
    """Return the roles' variables that say something of a host, with a digest in place of each secret: without defaults, and without what a playbook or
    the command line tells a run.

    A secret is what an option marks ``no_log``, what no option describes, such as a misspelt name, and what refers to a vaulted value.

    Parameters:
        host: inventory name.
        variables: all of its variables, not templated.
        values: resolves them, and tells which come from a vault.
        specs: the roles' options.
        seal: makes the digests.
        resolve: resolves a variable by name and value instead.

    Raises:
        AnsibleError: a template cannot be resolved.
    """
    given: dict[str, Any] = {}
    for name, value in role_variables(variables, specs).items():
        default = specs.defaults.get(name, UNKNOWN)
        # Ansible shows defaults in some plays and not in others; one that is a template may be of use in those alone.
        if not specs.says_of_host(name) or (not is_encrypted(value) and value == default):
            continue
        found = resolve(name, value) if resolve else values.resolved(value)
        # In other words the same as the default, or as nothing.
        if found is not None and (default is UNKNOWN or found != values.default(default)):
            given[name] = _without_vaulted(host, found, value, values, seal)
    return seal.variables(host, given, {**specs.options, **{name: {} for name in CROSS_ROLE}})


def _without_vaulted(host: str, found: Any, written: Any, values: HostValues, seal: Seal) -> Any:
    """Return a resolved value in which everything that comes from a vault is sealed. written: the same, not templated."""
    if isinstance(written, Mapping) and isinstance(found, Mapping):
        parts = {str(key): item for key, item in written.items()}
        return {key: _without_vaulted(host, item, parts.get(key), values, seal) for key, item in found.items()}
    if isinstance(written, (list, tuple)) and isinstance(found, list) and len(written) == len(found):
        return [_without_vaulted(host, item, part, values, seal) for item, part in zip(found, written)]
    return seal.all(host, found) if values.is_vaulted(written) else found

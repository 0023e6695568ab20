# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The roles' variables of a host without their secrets: what it is recorded to have applied, and what it is to apply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Seal
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import RoleSpecs, given_variables


def sealed_variables(
    host: str, variables: Mapping[str, Any], resolve: Callable[[Any], Any], specs: RoleSpecs, seal: Seal
) -> dict[str, Any]:
    """Return the roles' variables that say something of a host, with a digest in place of each secret.

    Parameters:
        host: inventory name.
        variables: all of its variables, not templated.
        resolve: resolves the templates in a value and returns plain values.
        specs: the roles' options.
        seal: makes the digests.
    """
    given = {name: resolve(value) for name, value in given_variables(variables, specs).items()}
    return seal.variables(host, given, specs.options)

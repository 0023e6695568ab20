# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of the interfaces that links bring: at most 15 characters, made from the number of the link."""

from __future__ import annotations

from ansible_collections.xuegao.net.plugins.plugin_utils.common import link_types
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import name_problems
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import EVERYTHING


class InterfaceNameError(ValueError):
    """A link without a name, or a name that its interface cannot have."""


def interface_name(link_type: str, number: int, device: str | None = None) -> str:
    """Return the name of a link's interface.

    Parameters:
        link_type: a name of `link_types.LINK_TYPES`.
        number: id of the link; VNI of a VXLAN; VLAN id of a VLAN.
        device: the NIC beneath, for types whose interfaces have their names from it.

    Raises:
        LinkTypeError: no such type.
        InterfaceNameError: no device, or a name that no interface of that type can have.
    """
    kind = link_types.link_type(link_type)
    if kind.prefix:
        name = f"{kind.prefix}{number}"
    elif not device:
        raise InterfaceNameError(f"a link of type {link_type} needs the device beneath it")
    else:
        name = f"{device}.{number}" if kind.tagged else device
    for problem in name_problems(EVERYTHING, name, kind.names):
        raise InterfaceNameError(str(problem))
    return name

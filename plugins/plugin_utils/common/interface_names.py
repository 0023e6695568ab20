# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Names of the interfaces that links bring: at most 15 characters, made from the number of the link."""

from __future__ import annotations

import re

from ansible_collections.xuegao.net.plugins.plugin_utils.common import link_types
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import NAME_LENGTH, is_reserved_name

# What wg-quick(8) and systemd unit names both take.
_VALID = re.compile(r"[A-Za-z0-9_=+.-]+\Z")


class InterfaceNameError(ValueError):
    """A link without a name, or a name the kernel refuses."""


def interface_name(link_type: str, number: int, device: str | None = None) -> str:
    """Return the name of a link's interface.

    Parameters:
        link_type: a name of `link_types.LINK_TYPES`.
        number: id of the link; VNI of a VXLAN; VLAN id of a VLAN.
        device: the NIC beneath, for types whose interfaces have their names from it.

    Raises:
        LinkTypeError: no such type.
        InterfaceNameError: no device, or more than 15 characters; the message counts them.
    """
    kind = link_types.link_type(link_type)
    if kind.prefix:
        name = f"{kind.prefix}{number}"
    elif not device:
        raise InterfaceNameError(f"a link of type {link_type} needs the device beneath it")
    else:
        name = f"{device}.{number}" if kind.tagged else device
    problem = name_problem(name)
    if problem:
        raise InterfaceNameError(f"{name!r} {problem}")
    return name


def name_problem(name: str, *, existing: bool = False) -> str:
    """Return what is wrong with an interface name, or an empty string.

    Parameters:
        name: the name.
        existing: the interface is there already, which ``lo`` is.
    """
    if len(name) > NAME_LENGTH:
        return f"has {len(name)} characters; the kernel takes at most {NAME_LENGTH}"
    if not _VALID.match(name):
        return "holds other characters than A-Z a-z 0-9 _ = + . -"
    if is_reserved_name(name, existing=existing):
        return "is a reserved name"
    return ""


_PARTS = re.compile(r"(\d+)")


def natural_order(name: str) -> tuple[object, ...]:
    """Return a sort key that puts wg2 before wg10, as FRR prints its interfaces."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in _PARTS.split(name) if part)

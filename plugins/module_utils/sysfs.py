# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Interfaces as the kernel shows them in its file system."""

from __future__ import annotations

import os

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text

NET = "/sys/class/net"


def index_path(name: str) -> str:
    """Give the file with an interface's number. A socket is bound to the interface of that number: one that is made again has another."""
    return os.path.join(NET, name, "ifindex")


def interface_names() -> list[str]:
    """Give the interfaces there are. Where the kernel can bond, a file lies beside them: bonding_masters."""
    return sorted(filter(interface_exists, os.listdir(NET))) if os.path.isdir(NET) else []


def interface_exists(name: str) -> bool:
    """Say whether there is an interface of this name."""
    return os.path.isdir(os.path.join(NET, name))


def interface_index(name: str) -> int:
    """Give the number of an interface; 0, which none has, when there is no such interface."""
    return int(read_text(index_path(name)) or "0")


def interface_flags(name: str) -> int:
    """Give an interface's flags, netdevice(7); 0 when there is no such interface."""
    return int(read_text(os.path.join(NET, name, "flags")) or "0", 16)


def interface_is_up(name: str) -> bool:
    """Say whether an interface is there and up; netdevice(7), IFF_UP."""
    return bool(interface_flags(name) & 1)


def interface_type(name: str) -> str:
    """Give what an interface is as a number of if_arp.h, 1 for an Ethernet; nothing when there is no such interface."""
    return read_text(os.path.join(NET, name, "type")).strip()


def interface_has_master(name: str) -> bool:
    """Say whether an interface is in a VRF or a bridge."""
    return os.path.lexists(os.path.join(NET, name, "master"))


def interface_mtu(name: str) -> int | None:
    """Give the MTU of an interface in bytes; None when there is no such interface."""
    text = read_text(os.path.join(NET, name, "mtu"))
    return int(text) if text else None

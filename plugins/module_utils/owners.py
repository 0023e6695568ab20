# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What somebody else has configured on a host under a name that the collection would write: it is taken over when its owner says so, and not before."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Collection, Iterable, Mapping

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import sysfs, wireguard
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.ownership import Key

FRR_CONF = "/etc/frr/frr.conf"
# Lines that configure nothing: remarks, and those of a frr.conf that the package brings, or that FRR writes of itself.
_SAYS_NOTHING = re.compile(
    r"\s*(?:[!#].*|frr (?:version|defaults) .*|hostname .*|log (?:syslog|file)\b.*|service integrated-vtysh-config|line vty|exit|end"
    r"|(?:no )?(?:ip|ipv6) forwarding|)\s*"
)
# systemd.link(5): how the kernel tells the type of a device; see drivers/net/wireguard/device.c.
_WIREGUARD = re.compile(r"^DEVTYPE=wireguard$", re.MULTILINE)


def owners_interface(name: str, recorded: Collection[Key]) -> list[Key]:
    """Give what somebody else has of a WireGuard interface: its file, or the living interface where there is no file.

    recorded: what the record of role wireguard has.
    """
    path = wireguard.conf_path(name)
    if ("file", path) in recorded or ("interface", name) in recorded:
        return []
    text = read_text(path)
    if text.strip():
        # Versions that kept no record wrote the same first line.
        return [] if text.startswith(wireguard.HEADER) else [("file", path)]
    return [("interface", name)] if _is_wireguard(name) else []


def owners_file(path: str, recorded: Collection[Key]) -> list[Key]:
    """Give a file in which somebody else has configured something. recorded: what the record of the role that writes it has, before its first call."""
    if recorded or all(map(_SAYS_NOTHING.fullmatch, read_text(path).splitlines())):
        return []
    return [("file", path)]


def owners_objects(recorded: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Give what is somebody else's on this host, as words of kind and name, by the role that would write it. recorded: in the same form."""
    known = {role: [_key(words) for words in recorded.get(role, ())] for role in ("wireguard", "frr")}
    names = [os.path.basename(path)[: -len(".conf")] for path in glob.glob(os.path.join(glob.escape(wireguard.DIRECTORY), "*.conf"))]
    names += [name for name in _devices() if name not in names]
    found = {
        "wireguard": [item for name in sorted(names) for item in owners_interface(name, known["wireguard"])],
        "frr": owners_file(FRR_CONF, known["frr"]),
    }
    return {role: ["%s %s" % item for item in items] for role, items in found.items() if items}


def refuse(module: AnsibleModule, names: Iterable[str], recorded: Collection[Key]) -> None:
    """Fail a module that would rewrite WireGuard interfaces of somebody else's, unless its option C(adopt) says that it may."""
    items = [item for name in names for item in owners_interface(name, recorded)]
    if items and not module.params["adopt"]:
        module.fail_json(msg=refusal("wireguard", ["%s %s" % item for item in items]) + " Nothing was changed.")


def refusal(role: str, items: Iterable[str]) -> str:
    """Say why something of somebody else's stays, and how to have it taken over. items: as words of kind and name."""
    return (
        "%s would be rewritten by role %s, and somebody else has made that. The playbook xuegao.net.adopt tells what is there in the role's variables. "
        "When they say all that has to stay: set %s_adopt: true, or xgn_adopt: [%s]; a copy of each file is kept, --check --diff shows first what "
        "changes." % (", ".join(items), role, role, role)
    )


def _key(words: str) -> Key:
    kind, _space, name = words.partition(" ")
    return kind, name


def _is_wireguard(name: str) -> bool:
    return bool(_WIREGUARD.search(read_text(os.path.join(sysfs.NET, name, "uevent"))))


def _devices() -> list[str]:
    """Give the living WireGuard interfaces; one of wireguard-go, a program, looks like any tun device and is not among them."""
    return list(filter(_is_wireguard, sysfs.interface_names()))

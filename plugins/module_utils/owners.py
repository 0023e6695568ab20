# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What somebody else has configured on a host under a name that the collection would write: it is taken over when its owner says so, and not before.

A file is its owner's when it is in no record of ours, no mark of ours is in it or in its name, and it is not as a package of the distribution has brought it.
"""

from __future__ import annotations

import fnmatch
import glob
import hashlib
import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import sysfs, wireguard
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.frr import FRR_CONF
from ansible_collections.xuegao.net.plugins.module_utils.ownership import Key, is_ours

# The option of every module that writes files in the name of a record.
OPTIONS: dict[str, Any] = {"adopt": {"type": "bool", "default": False}}

DPKG = "/var/lib/dpkg"
UNITS = "/etc/systemd/system/"

# Every file that a role writes, as a pattern, by the role. Preflight looks there; a test demands that nothing which a role writes is missing.
WRITTEN: tuple[tuple[str, str], ...] = (
    ("sysctl", "/etc/sysctl.d/90-xgn.conf"),
    ("wireguard", "/etc/wireguard/*.conf"),
    ("wireguard", "/etc/wireguard/*.key"),
    ("wireguard", UNITS + "wg-quick@.service.d/90-xgn.conf"),
    ("wireguard", UNITS + "xgn-wireguard-endpoints.*"),
    ("wireguard", "/usr/local/sbin/xgn-wireguard-endpoints"),
    ("openvpn", "/etc/openvpn/server/*.conf"),
    ("openvpn", "/etc/openvpn/client/*.conf"),
    ("openvpn", "/etc/openvpn/keys/*"),
    ("openvpn", UNITS + "openvpn-*@*.service.d/80-xgn-openvpn.conf"),
    ("l2tp_ipsec", "/etc/swanctl/conf.d/xgn-l2tp.conf"),
    ("l2tp_ipsec", "/etc/xl2tpd/xl2tpd.conf"),
    ("l2tp_ipsec", "/etc/xl2tpd/xgn.nft"),
    ("l2tp_ipsec", "/etc/ppp/xgn-*"),
    ("l2tp_ipsec", "/etc/ppp/ip-up.d/xgn-l2tp"),
    ("l2tp_ipsec", "/etc/ppp/ipv6-up.d/xgn-l2tp"),
    ("l2tp_ipsec", UNITS + "xl2tpd.service"),
    ("l2tp_ipsec", UNITS + "strongswan.service.d/90-xgn.conf"),
    ("l2tp_ipsec", UNITS + "nftables.service.d/90-xgn-l2tp.conf"),
    ("l2tp_ipsec", UNITS + "xgn-l2tp-*.service"),
    ("l2tp_ipsec", "/usr/local/sbin/xgn-l2tp-watch"),
    ("vrf", UNITS + "interface.service"),
    ("vrf", UNITS + "*.d/90-xgn-interface.conf"),
    ("vrf", "/usr/local/sbin/xgn-interface"),
    ("vrf", "/usr/local/lib/xgn-interface/*"),
    ("vrf", "/etc/xgn/interface.json"),
    ("vrf", "/etc/systemd/networkd.conf.d/90-xgn.conf"),
    ("vrf", "/etc/systemd/network/05-xgn.network"),
    ("vrf", "/etc/systemd/network/*.network.d/90-xgn-master.conf"),
    ("vrf", "/etc/NetworkManager/conf.d/90-xgn.conf"),
    ("vrf", "/etc/NetworkManager/conf.d/90-xgn-members.conf"),
    ("vrf", "/etc/NetworkManager/dispatcher.d/90-xgn-interface"),
    ("vrf", "/etc/network/if-up.d/xgn-interface"),
    ("firewall", "/etc/xgn/firewall.nft"),
    ("firewall", "/etc/xgn/firewall.nft.copy"),
    ("firewall", "/usr/local/sbin/xgn-firewall"),
    ("firewall", "/etc/xgn/xgn-firewall.copy"),
    ("firewall", UNITS + "xgn-firewall.service"),
    ("firewall", UNITS + "nftables.service.d/90-xgn.conf"),
    ("frr", FRR_CONF),
    ("frr", "/etc/frr/*.conf"),
    ("frr", "/etc/frr/daemons"),
    ("frr", "/var/log/frr/frr-reload.log"),
    ("frr", UNITS + "frr.service"),
    ("frr", "/usr/local/sbin/xgn-frr-policy"),
    ("docker_macvlan", "/etc/docker/daemon.json"),
    ("docker_macvlan", UNITS + "docker.service.d/90-xgn.conf"),
    ("dns_anycast", "/etc/unbound/*.d/xgn*.conf"),
    ("dns_anycast", "/etc/unbound/*.d/xgn-*.zone"),
    ("dns_anycast", "/etc/unbound/xgn-*.zone"),
    ("dns_anycast", UNITS + "unbound.service"),
    ("dns_anycast", UNITS + "xgn-anycast.*"),
    ("dns_anycast", "/usr/local/sbin/xgn-anycast"),
    ("dns_anycast", "/etc/xgn/anycast.json"),
    ("dns_anycast", "/etc/sysctl.d/90-xgn-anycast.conf"),
    ("dns_anycast", "/etc/sysctl.d/90-xgn-ssh.conf"),
    ("dns_anycast", "/etc/ssh/sshd_config.d/10-xgn.conf"),
    ("dns_anycast", UNITS + "xgn-ssh-*.socket"),
    ("dns_anycast", UNITS + "xgn-ssh-*@.service"),
    ("gobgp", "/etc/gobgpd.conf"),
    ("gobgp", UNITS + "gobgpd.service"),
    ("gobgp", UNITS + "xgn-steering-health.service"),
    ("gobgp", "/etc/sysusers.d/xgn-gobgp.conf"),
    ("gobgp", "/usr/local/sbin/xgn-steering"),
    ("gobgp", "/usr/local/sbin/xgn-steering-health"),
    ("gobgp", "/etc/xgn/steering.json"),
)
ROLES = tuple(dict.fromkeys(role for role, _pattern in WRITTEN))
# Of these a role makes what is missing, and rewrites nothing: keys, the log of FRR's reload, and the daemons' own files beside frr.conf.
_KEPT = ("/etc/wireguard/*.key", "/etc/openvpn/keys/*", "/var/log/frr/frr-reload.log", "/etc/frr/*.conf")
_REWRITTEN = (FRR_CONF, "/etc/frr/vtysh.conf")
# A file that has no room for a mark is ours where the one is that is written with it; it counts where a record got lost, and on hosts of old versions.
_TOGETHER = {
    FRR_CONF: UNITS + "frr.service",
    "/etc/docker/daemon.json": UNITS + "docker.service.d/90-xgn.conf",
}
# Lines that configure nothing: remarks, and those of a frr.conf that the package brings, or that FRR writes of itself.
_SAYS_NOTHING = re.compile(
    r"\s*(?:[!#].*|frr (?:version|defaults) .*|hostname .*|log (?:syslog|file)\b.*|service integrated-vtysh-config|line vty|exit|end"
    r"|(?:no )?(?:ip|ipv6) forwarding|)\s*"
)
# systemd.link(5): how the kernel tells the type of a device; see drivers/net/wireguard/device.c.
_WIREGUARD = re.compile(r"^DEVTYPE=wireguard$", re.MULTILINE)
_MD5 = re.compile("[0-9a-f]{32}")


def owners_interface(name: str, recorded: Collection[Key]) -> list[Key]:
    """Give what somebody else has of a WireGuard interface: its file, or the living interface where there is no file.

    recorded: what the record of role wireguard has.
    """
    path = wireguard.conf_path(name)
    if ("file", path) in recorded or ("interface", name) in recorded:
        return []
    if read_text(path).strip():
        return [("file", path)] if is_owners(path, recorded) else []
    return [("interface", name)] if _is_wireguard(name) else []


def is_owners(path: str, recorded: Collection[Key], text: str | None = None) -> bool:
    """Say whether a file is somebody else's, as far as that shows without a look at the packages.

    Parameters:
        path: of the file, which need not be there.
        recorded: what the record has in whose name it would be written.
        text: what would be written; None where that is not known. A file that is so already is nobody's to take over.
    """
    if ("file", path) in recorded or not os.path.isfile(path) or is_kept(path) or is_ours(path):
        return False
    if os.path.islink(path) and os.path.realpath(path).startswith(("/usr/", "/lib/")):
        # As systemctl(1) makes them for a unit's other names.
        return False
    now = read_text(path)
    if now == text or now.strip() in ("", "{}"):
        return False
    if path.startswith(os.path.dirname(FRR_CONF) + "/") and path.endswith(".conf") and all(map(_SAYS_NOTHING.fullmatch, now.splitlines())):
        return False
    together = _TOGETHER.get(path)
    return together is None or not (("file", together) in recorded or (os.path.isfile(together) and is_ours(together)))


def is_kept(path: str) -> bool:
    """Say whether a role leaves what is in a file that is there already."""
    return path not in _REWRITTEN and any(fnmatch.fnmatch(path, pattern) for pattern in _KEPT)


def is_known(path: str) -> bool:
    """Say whether a file is one that preflight looks at."""
    return any(fnmatch.fnmatch(path, pattern) for _role, pattern in WRITTEN)


def owners_files(module: AnsibleModule, paths: Mapping[str, str | None], recorded: Collection[Key]) -> list[str]:
    """Give those of some files that are somebody else's. paths: with the text that would be written; recorded: as of `is_owners`."""
    found = [path for path, text in paths.items() if is_owners(path, recorded, text)]
    packaged = as_packaged(module, found) if found else set()
    return [path for path in found if path not in packaged]


def as_packaged(module: AnsibleModule, paths: Collection[str]) -> set[str]:
    """Give those of some files that are byte for byte as the package has brought them which they belong to."""
    known: dict[str, set[str]] = {path: set() for path in paths}
    for line in read_text(os.path.join(DPKG, "status")).splitlines():
        # The field Conffiles: path, digest, and a word about some.
        words = line.split() if line.startswith(" /") else []
        if len(words) > 1 and words[0] in known:
            known[words[0]].add(words[1])
    for name in glob.glob(os.path.join(glob.escape(DPKG), "info", "*.md5sums")):
        text = read_text(name)
        for path in known:
            if " " + path[1:] + "\n" in text:
                known[path] |= {line.split()[0] for line in text.splitlines() if line.endswith(" " + path[1:])}
    rpm = module.get_bin_path("rpm") if not os.path.exists(os.path.join(DPKG, "status")) else None
    if rpm:
        # Path, size, time, digest, and more, rpm(8); that of today's packages is of SHA-256. What belongs to no package is told on standard error.
        for path in known:
            lines = module.run_command([rpm, "--query", "--file", path, "--dump"])[1].splitlines()
            known[path] |= {words[3] for words in map(str.split, lines) if len(words) > 3 and words[0] == path}
    return {path for path, digests in known.items() if digests and digests & _digests(path)}


def _digests(path: str) -> set[str]:
    """Give the digests of a file that packages may have of it."""
    with open(path, "rb") as stream:
        data = stream.read()
    # No question of security: what dpkg keeps is compared.
    return {hashlib.new("md5", data, usedforsecurity=False).hexdigest(), hashlib.sha256(data).hexdigest()}


def owners_objects(module: AnsibleModule, recorded: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Give what is somebody else's on this host, as words of kind and name, by the role that would write it. recorded: in the same form."""
    found: dict[str, list[Key]] = {}
    for role in ROLES:
        known = [_key(words) for words in recorded.get(role, ())]
        paths = {path: None for name, pattern in WRITTEN if name == role for path in sorted(glob.glob(pattern))}
        found[role] = [("file", path) for path in owners_files(module, paths, known) if role != "wireguard"]
    made = {name for words in recorded.values() for kind, name in map(_key, words) if kind == "interface"}
    found["openvpn"] += [("interface", name) for name in sysfs.interface_names() if name not in made and _is_tun(name)]
    known = [_key(words) for words in recorded.get("wireguard", ())]
    names = [os.path.basename(path)[: -len(".conf")] for path in glob.glob(os.path.join(glob.escape(wireguard.DIRECTORY), "*.conf"))]
    names += [name for name in _devices() if name not in names]
    found["wireguard"] = [item for name in sorted(names) for item in owners_interface(name, known)]
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


def taken_over(path: str, copy: str, check: bool) -> str:
    """Say that a file of somebody else's is taken over. copy: where what it held is kept; check: nothing is changed yet."""
    return "file %s is somebody else's, and %s taken over: what is there %s kept in %s" % (
        path,
        "would be" if check else "is",
        "would be" if check else "is",
        copy,
    )


def _key(words: str) -> Key:
    kind, _space, name = words.partition(" ")
    return kind, name


def _is_wireguard(name: str) -> bool:
    return bool(_WIREGUARD.search(read_text(os.path.join(sysfs.NET, name, "uevent"))))


def _is_tun(name: str) -> bool:
    """Say whether a program holds an interface, such as openvpn(8); wg-quick's falls back to one, too."""
    return os.path.exists(os.path.join(sysfs.NET, name, "tun_flags")) and not os.path.exists(wireguard.conf_path(name))


def _devices() -> list[str]:
    """Give the living WireGuard interfaces; one of wireguard-go, a program, looks like any tun device and is not among them."""
    return list(filter(_is_wireguard, sysfs.interface_names()))

# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Kernel settings: which file a key of sysctl(8) means, the value in force, and the file for the boot."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Mapping

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text

# What role sysctl writes.
FILE = "/etc/sysctl.d/90-xgn.conf"
# Where sysctl.d(5) has files: of one name, the first counts, and all are read in the order of their names.
DIRECTORIES = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
# `sysctl --system` reads it behind all of them, and on Debian 12 the boot, too, by a link of the last name.
LAST = "/etc/sysctl.conf"
# Shows all that is read, in that order.
READ = "systemd-analyze cat-config sysctl.d; cat " + LAST
# Where the kernel shows its settings.
PROC = "/proc/sys"
IPV6_ROUTES = "/proc/net/ipv6_route"
# RTF_ADDRCONF of Linux' include/uapi/linux/ipv6_route.h.
FROM_ADVERTISEMENT = 0x00040000
FORWARDING = "net.ipv6.conf.all.forwarding"


def sysctl_name(key: str) -> str:
    """Give a key as a path below /proc/sys. sysctl(8) takes two notations, told apart by the first separator.

    After a dot, a ``/`` stands for a dot within a name: ``net.ipv4.conf.eth0/100.rp_filter`` is about interface ``eth0.100``. After a
    slash, the key is the path already: ``net/ipv4/conf/eth0.100/rp_filter``.
    """
    first = re.search(r"[./]", key)
    if first and first.group(0) == ".":
        return key.translate(str.maketrans("./", "/."))
    return key


def sysctl_path(key: str) -> str:
    """Give the file of a key; it need not exist."""
    return f"{PROC}/{sysctl_name(key)}"


def sysctl_value(key: str) -> str:
    """Give the value in force, white space made single, since the kernel prints tabs between numbers.

    Raises OSError when this kernel has no such setting or does not show it.
    """
    with open(sysctl_path(key), encoding="utf-8") as stream:
        return " ".join(stream.read().split())


def router_listeners(table: str = IPV6_ROUTES) -> list[str]:
    """Give the interfaces for which the kernel itself has routes from router advertisements, sorted; a manager that listens in its stead adds others.

    table: the file of the kernel's IPv6 routes; its columns are those of Linux' rt6_info_route() in net/ipv6/route.c.
    """
    try:
        with open(table, encoding="ascii") as stream:
            rows = [line.split() for line in stream]
    except OSError:
        return []
    return sorted({row[9] for row in rows if len(row) == 10 and int(row[8], 16) & FROM_ADVERTISEMENT})


def accepts_when_forwarding(interface: str) -> str:
    """Give the key that lets an interface hear router advertisements although its host forwards (accept_ra 2): Documentation/networking/ip-sysctl.rst."""
    return "net/ipv6/conf/%s/accept_ra" % interface


def settings_text(settings: Mapping[str, str]) -> str:
    """Give the file that sets these values at boot: value by key."""
    return "# Written by Ansible (xuegao.net.sysctl).\n" + "".join("%s = %s\n" % item for item in sorted(settings.items()))


def set_behind(path: str, keys: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Give, of these keys, those that a file behind path sets at boot or when `sysctl --system` is run: file and value by key.

    A pattern such as ``net.ipv4.conf.*.rp_filter`` sets none that a file names: sysctl.d(5). So it does not count here.
    """
    files: dict[str, str] = {}
    for directory in DIRECTORIES:
        for found in glob.glob(os.path.join(glob.escape(directory), "*.conf")):
            files.setdefault(os.path.basename(found), found)
    names = {sysctl_name(key): key for key in keys}
    last = {}
    for file in [*(files[name] for name in sorted(files) if name > os.path.basename(path)), LAST]:
        for line in read_text(file).splitlines():
            key, equals, value = line.strip().partition("=")
            # With - before it, the kernel's refusal is no error.
            name = sysctl_name(key.strip().removeprefix("-").strip())
            if equals and name in names and not key.startswith(("#", ";")):
                last[names[name]] = (file, " ".join(value.split()))
    return last

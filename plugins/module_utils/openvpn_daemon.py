# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""A running OpenVPN daemon: what it says of itself over its management socket, what it was started with, which interface it reads, and its sockets."""

from __future__ import annotations

import glob
import os
import socket
import struct
from dataclasses import dataclass

from ansible_collections.xuegao.net.plugins.module_utils.files import read_text

RUNTIME = "/run/xgn-openvpn"
# Where the kernel shows processes.
PROC = "/proc"
ANSWER_LIMIT_S = 5.0
CONNECTED = "CONNECTED"
DNS_PORT = 53


@dataclass(frozen=True)
class Told:
    """What a daemon says of itself.

    state: OpenVPN's own word, `CONNECTED` when the two ends have agreed on keys; None when it says none. remote: address of the other end. pid: its
    process.
    """

    state: str | None
    remote: str | None
    pid: str


def ask(name: str) -> Told:
    """Ask the daemon of a tunnel for its state through its management socket, which takes root only. Raises OSError when it does not answer."""
    with socket.socket(socket.AF_UNIX) as link:
        link.settimeout(ANSWER_LIMIT_S)
        link.connect(os.path.join(RUNTIME, name, "management"))
        # The kernel knows who listens there (unix(7), SO_PEERCRED): process, user, group.
        pid, _user, _group = struct.unpack("3i", link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        link.sendall(b"state\n")
        text = b""
        # No "quit": openvpn hangs up on it before it has sent the answer.
        while b"\nEND" not in text:
            block = link.recv(4096)
            if not block:
                break
            text += block
    return Told(*parse_state(text.decode("utf-8", "replace")), str(pid))


def parse_state(text: str) -> tuple[str | None, str | None]:
    """Read state and remote of the answer: ``time,state,description,local tunnel address,remote address,remote port,…`` (management-notes.txt)."""
    for line in text.splitlines():
        fields = line.split(",")
        if fields[0].isdigit() and len(fields) > 4:
            return fields[1], fields[4] or None
    return None, None


def started_with(pid: str) -> str | None:
    """Digest of the configuration a daemon was started with, from its environment; None when it does not run or does not say."""
    try:
        with open("%s/%s/environ" % (PROC, pid), "rb") as stream:
            variables = stream.read().split(b"\0")
    except OSError:
        return None
    found = [value for value in variables if value.startswith(b"XGN_CONFIGURATION=")]
    return found[0].partition(b"=")[2].decode() if found else None


def interface_of(pid: str) -> str | None:
    """Name of the interface whose packets a daemon reads, empty when somebody deleted it; None when it has opened none yet.

    The kernel says so of each open /dev/net/tun (tun_chr_show_fdinfo() in Linux' drivers/net/tun.c), by the name that it has now.
    """
    for path in glob.glob("%s/%s/fdinfo/*" % (PROC, pid)):
        try:
            lines = read_text(path).splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith("iff:"):
                return line.partition(":")[2].strip()
    return None


def sockets_of(pid: str) -> list[str]:
    """Internet sockets of a daemon as C(tcp ipv4 1194): transport, family, own port. One that asks for the address of a name is left out.

    The kernel's lists (proc_net(5)) have the addresses as C(ADDRESS:PORT) in hexadecimal digits, and the number of a socket in the tenth column.
    """
    held = set()
    for path in glob.glob("%s/%s/fd/*" % (PROC, pid)):
        try:
            held.add(os.readlink(path))
        except OSError:
            # Closed meanwhile.
            continue
    found = set()
    for transport, suffix, family in (("tcp", "", "ipv4"), ("udp", "", "ipv4"), ("tcp", "6", "ipv6"), ("udp", "6", "ipv6")):
        for line in read_text("%s/%s/net/%s%s" % (PROC, pid, transport, suffix)).splitlines()[1:]:
            columns = line.split()
            if len(columns) > 9 and "socket:[%s]" % columns[9] in held:
                port, other = (int(columns[place].rpartition(":")[2], 16) for place in (1, 2))
                if other != DNS_PORT:
                    found.add("%s %s %d" % (transport, family, port))
    return sorted(found)

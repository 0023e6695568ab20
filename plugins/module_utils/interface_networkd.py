# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""NICs that systemd-networkd configures and this layer puts into a VRF or bridge.

networkd takes a NIC out of a master that its own file does not name: at boot, when it gets to the NIC after interface.service did, and whenever it is
restarted. C(KeepMaster=) (systemd.network(5)) tells it not to; a drop-in beside the NIC's file says so.
"""

from __future__ import annotations

import os

LINKS = "/run/systemd/netif/links"
DROP_INS = "/etc/systemd/network"
NAME = "90-xgn-master.conf"
TEXT = "# Written by xuegao.net: interface.service says which VRF or bridge these interfaces are in.\n[Network]\nKeepMaster=yes\n"
# What a file of networkd's says when networkd itself is to choose the master; KeepMaster= would make it void.
MASTERS = ("VRF=", "Bridge=", "Bond=", "BatmanAdvanced=")


def network_file(index: int) -> str | None:
    """Path of the file with which networkd configures an interface; None when it leaves the interface alone or does not run."""
    try:
        with open(os.path.join(LINKS, str(index)), encoding="utf-8") as stream:
            lines = stream.read().splitlines()
    except OSError:
        return None
    return next((line.partition("=")[2] for line in lines if line.startswith("NETWORK_FILE=")), None)


def needed(path: str) -> str | None:
    """Path of the drop-in that a file of networkd's lacks; None when it is there, or the file names a master itself."""
    drop_in = os.path.join(DROP_INS, os.path.basename(path) + ".d", NAME)
    try:
        with open(path, encoding="utf-8") as stream:
            if any(line.strip().startswith(MASTERS) for line in stream):
                return None
    except OSError:
        return None
    try:
        with open(drop_in, encoding="utf-8") as stream:
            return None if stream.read() == TEXT else drop_in
    except OSError:
        return drop_in


def write(drop_in: str) -> None:
    """Write a drop-in."""
    os.makedirs(os.path.dirname(drop_in), exist_ok=True)
    partial = drop_in + ".new"
    with open(partial, "w", encoding="utf-8") as stream:
        stream.write(TEXT)
    os.chmod(partial, 0o644)
    os.replace(partial, drop_in)

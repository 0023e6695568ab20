# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""What the path to a tunnel's other end takes: the interface that outer packets leave by, its MTU, and whether a packet of the planned size arrives."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import sysfs
from ansible_collections.xuegao.net.plugins.module_utils.icmp_probe import Prober
from ansible_collections.xuegao.net.plugins.module_utils.iproute import json_objects

# Runs a command; returns its exit status and both outputs.
Run = Callable[[list[str]], tuple[int, str, str]]

# So many paths are looked at together, and no more are tried: those of a hub share its uplink, and each takes two sockets and four threads.
TOGETHER = 16
# How long answers are waited for, and how far requests are apart, in s. All paths that are tried are tried at once.
PATIENCE_S = 1.5
_SPACING_S = 0.3
# How long names are waited for, all of them together, in s. A resolver that is silent would be asked for half a minute and more (resolv.conf(5)).
NAMES_S = 3.0
_FAMILIES = {"ipv4": socket.AF_INET, "ipv6": socket.AF_INET6}
YES, NO, UNKNOWN = "yes", "no", "unknown"


def look(run: Run, paths: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is known of the paths that there are, in their order.

    Parameters:
        paths: of each C(interface) (of the tunnel), C(to) (address or name of the other end), C(bytes) (size of the largest outer packet by family); C(from)
            (own outer address), C(vrf) or C(mark) where outer packets leave from, by, or with those.

    Returns:
        C(interface) and C(to); C(address) that it is, C(device), and what that or a router on the way has said to take, C(mtu) in bytes; and whether a
        packet of that size C(passes). The path of a tunnel that is there already is not among them, since verify tells of that; nor one without a route,
        or to a name that nobody knows, or not in time.
    """
    paths = [path for path in paths if not sysfs.interface_exists(path["interface"])]
    addresses = _addresses((path["to"], family) for path in paths for family in path["bytes"])
    with ThreadPoolExecutor(TOGETHER) as threads:
        routed = [(path, _route(run, path, address)) for path in paths if (address := _address(path, addresses))]
        found = [(path, way) for path, way in routed if way]
        answers = list(threads.map(_passes, *zip(*found[:TOGETHER]))) if found else []
    answers += [UNKNOWN] * (len(found) - len(answers))
    return [{"interface": path["interface"], "to": path["to"], **way, "passes": passes} for (path, way), passes in zip(found, answers)]


def _address(path: Mapping[str, Any], addresses: Mapping[tuple[str, str], str]) -> str:
    """Return the address of the other end in the first of the families in question that it has; empty when it has none, or nobody told it in time."""
    for family in path["bytes"]:
        if (path["to"], family) in addresses:
            return addresses[(path["to"], family)]
    return ""


def _addresses(asked: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Return the address of each name in a family, of those that somebody knows in time.

    No call of the C library can be broken off. So each waits in a thread of its own that nobody waits for, and that ends with this program at the latest.
    """
    found: dict[tuple[str, str], str] = {}

    def ask(name: str, family: str) -> None:
        try:
            found[(name, family)] = str(socket.getaddrinfo(name, None, _FAMILIES[family], socket.SOCK_DGRAM)[0][4][0])
        except (OSError, UnicodeError):
            # Nobody knows it in this family, or it is none.
            return

    threads = [threading.Thread(target=ask, args=names, daemon=True) for names in dict.fromkeys(asked)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + NAMES_S
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(found)


def _route(run: Run, path: Mapping[str, Any], address: str) -> dict[str, Any]:
    """Return address, device and the MTU on it in bytes; nothing when no route leads there, or the VRF or the own address is not there yet."""
    command = ["ip", "-json", "route", "get", address]
    for word, key in (("from", "from"), ("vrf", "vrf"), ("mark", "mark")):
        if path.get(key):
            command += [word, str(path[key])]
    status, out, _err = run(command)
    try:
        routes = json_objects(out) if status == 0 else []
    except ValueError:
        return {}
    device = routes[0].get("dev", "") if routes else ""
    own = sysfs.interface_mtu(device) if device else None
    if own is None or device == "lo":
        return {}
    # What the route itself says, or a router on the way has said (RFC 1191).
    told = [metric["mtu"] for metric in routes[0].get("metrics", []) if isinstance(metric.get("mtu"), int)]
    return {"address": address, "device": device, "mtu": min([own, *told])}


def _passes(path: Mapping[str, Any], way: Mapping[str, Any]) -> str:
    """Say whether an echo of the planned size is answered. Where a short one is not either, nobody knows."""
    size = path["bytes"]["ipv6" if ":" in way["address"] else "ipv4"]
    if size > way["mtu"] or path.get("mark"):
        return UNKNOWN
    probers = []
    try:
        for whole in (None, size):
            probers.append(Prober(way["address"], path.get("from"), path.get("vrf"), _SPACING_S, whole))
    except OSError:
        return UNKNOWN
    for prober in probers:
        prober.start()
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and not all(prober.answered for prober in probers):
        time.sleep(0.02)
    for prober in probers:
        prober.stop(0.0)
    short, long = probers
    if long.answered:
        return YES
    # One of several may get lost.
    return NO if len(short.answered) > 1 else UNKNOWN

# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every mistake at once: none hides another, of the same kind or another, unless the other can only be computed from it; and none is told twice.

Each mistake is made in the hybrid network by itself, and each with each other: both together must yield what they yield alone.
"""

from __future__ import annotations

import copy
import itertools
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import check_intent

NETWORK: dict[str, Any] = read_yaml((Path(__file__).parents[2] / "golden" / "hybrid" / "intent.yml").read_text(encoding="utf-8"))
GONE = object()
# One pair in STEP, so that the loop stays short; a prime, so that each mistake meets many others. With 1 all of them pass too.
STEP = 5


class Renamed(NamedTuple):
    """The key is written like this."""

    key: str


# Where, and what stands there instead.
MISTAKES: dict[str, tuple[tuple[Any, ...], Any]] = {
    "node key misspelt": (("xgn_nodes", "hq-core", "uplink", "mtu"), Renamed("mtuu")),
    "node key gone": (("xgn_nodes", "hq-core", "uplink", "device"), GONE),
    "device long": (("xgn_nodes", "cloud-edge", "uplink", "device"), "a-very-long-device"),
    "node address": (("xgn_nodes", "cloud-edge", "uplink", "address"), "100.64.0.3/33"),
    "node address type": (("xgn_nodes", "cloud-node", "uplink", "address"), 5),
    "node site": (("xgn_nodes", "hq-nfv", "site"), "hqq"),
    "node id twice": (("xgn_nodes", "cloud-node", "id"), 1),
    "node id gone": (("xgn_nodes", "hq-nfv", "id"), GONE),
    "node id text": (("xgn_nodes", "hq-nfv", "id"), "2"),
    "node asn reserved": (("xgn_nodes", "cloud-node", "asn"), 65535),
    "node mac": (("xgn_nodes", "cloud-node", "uplink", "mac"), "53:54:00:00:00:44"),
    "node gateway": (("xgn_nodes", "cloud-node", "uplink", "gateway"), "172.17.0.3"),
    "network vlan": (("xgn_nodes", "hq-nfv", "networks", "eth1.10", "vlan"), GONE),
    "network vlan text": (("xgn_nodes", "hq-nfv", "networks", "eth1.10", "vlan"), "ten"),
    "network address": (("xgn_nodes", "cloud-node", "networks", "eth1", "address"), "10.40.0.0/24"),
    "network overlap": (("xgn_nodes", "cloud-edge", "networks", "br0", "address"), "10.40.0.5/32"),
    "network key misspelt": (("xgn_nodes", "hq-core", "networks", "br0", "kind"), Renamed("kidn")),
    "vrf table": (("xgn_vrfs", "NFV", "table"), 254),
    "vrf table twice": (("xgn_vrfs", "NFV", "table"), 200),
    "vrf table text": (("xgn_vrfs", "NFV", "table"), "201"),
    "vrf key": (("xgn_vrfs", "CORE", "tabel"), 3),
    "vrf misspelt": (("xgn_vrfs", "CORE"), Renamed("COER")),
    "site vrf": (("xgn_sites", "cloud", "vrf"), "COER"),
    "site asn": (("xgn_sites", "cloud", "asn"), 64500),
    "site asn text": (("xgn_sites", "hq", "asn"), "65503"),
    "site area": (("xgn_sites", "hq", "area"), "x"),
    "site key": (("xgn_sites", "hq", "igp"), "isis"),
    "pool host bits": (("xgn_pools", "links", "ipv4"), "10.254.0.1/20"),
    "pool key": (("xgn_pools", "loopbacks"), Renamed("loopback")),
    "pool overlap": (("xgn_pools", "links", "ipv4"), "10.255.0.0/20"),
    "pool type": (("xgn_pools", "links"), "10.254.0.0/20"),
    "link end node": (("xgn_links", 0, "ends", 1), "cloud-egde"),
    "link type": (("xgn_links", 1, "type"), "opnvpn"),
    "link key": (("xgn_links", 0, "keepalive"), Renamed("keepalives")),
    "link key of another type": (("xgn_links", 1, "vni"), 7),
    "link reserve": (("xgn_links", 1, "reserve_of"), 77),
    "link id twice": (("xgn_links", 5, "id"), 1),
    "link id gone": (("xgn_links", 2, "id"), GONE),
    "link mtu": (("xgn_links", 4, "mtu"), 9000),
    "link mtu text": (("xgn_links", 4, "mtu"), "1500"),
    "link over": (("xgn_links", 4, "over"), 99),
    "link vrf": (("xgn_links", 5, "vrf"), "NFC"),
    "link uplink": (("xgn_links", 4, "ends", 0, "uplink"), "vcp"),
    "link psk": (("xgn_links", 2, "preshared_key_variable"), "a b"),
    "link device gone": (("xgn_links", 3, "ends", 0, "device"), GONE),
    "link keepalive": (("xgn_links", 0, "keepalive"), 0),
    "links not list": (("xgn_links",), {}),
    "segment member": (("xgn_segments", 0, "members", 1), "cloud-nod"),
    "segment prefix": (("xgn_segments", 0, "ipv4"), "10.100.0.1/24"),
    "segment key": (("xgn_segments", 0, "gatway"), 1),
    "segment uplink": (("xgn_segments", 0, "uplinks", "cloud-edge"), "vcp"),
    "bgp holdtime": (("xgn_bgp", "holdtime"), 9),
    "bgp key": (("xgn_bgp", "multihops"), 3),
    "bgp name": (("xgn_bgp", "password_variable"), "a b"),
    "ospf": (("xgn_ospf", "dead_interval"), 3),
    "ospf text": (("xgn_ospf", "dead_interval"), "40"),
    "bfd": (("xgn_bfd", "timers"), "slow"),
    "mss": (("xgn_firewall", "tcp_mss"), 1490),
    "ssh_from": (("xgn_firewall", "ssh_from"), ["10.0.0.1/8"]),
    "firewall key": (("xgn_firewall", "ssh_form"), []),
    "docker segment": (("xgn_services", "docker", "apps", "segment"), 1101),
    "docker node": (("xgn_services", "docker", "apps", "nodes", 0), "cloud-nod"),
    "container number": (("xgn_services", "docker", "apps", "containers", "igp", "number"), 300),
    "container asn": (("xgn_services", "docker", "apps", "containers", "igp", "bgp", "asn"), 65503),
    "container key": (("xgn_services", "docker", "apps", "containers", "igp", "imag"), "x"),
    "dns address": (("xgn_services", "dns", "address"), "1.1.1.0/24"),
    "dns node": (("xgn_services", "dns", "nodes", 0), "hq-nvf"),
    "dns key": (("xgn_services", "dns", "adress6"), "::1"),
    "steering router": (("xgn_services", "steering", "hq-nfv", "router"), "hq-croe"),
    "steering prefix": (("xgn_services", "steering", "hq-nfv", "prefixes", 0), "10.40.0.1/24"),
    "steering reinject": (("xgn_services", "steering", "hq-nfv", "reinject", "into"), 9),
    "variable": (("xgn_bgpp",), {}),
    "sections": (("xgn_site",), {}),
}
# The second can only be judged with what the first spoils.
COMPUTED = {
    "node address type": {"node gateway", "link mtu"},
    # The section that exists may be the misspelt one.
    "sections": {"node site"},
    # Which VRF a node is in decides which prefixes may overlap; and a VRF of that name would then exist.
    "vrf misspelt": {"network overlap", "vrf table twice", "site vrf"},
    "site vrf": {"network overlap", "vrf misspelt"},
    # It has the number that cannot be read.
    "site asn text": {"container asn"},
    "pool key": {"pool overlap"},
    "pool type": {"mss"},
    # Without a type a link is none.
    "link type": {"link key of another type", "link reserve"},
    "link over": {"link mtu"},
    "link uplink": {"link mtu"},
    "links not list": {"mss", "steering reinject"},
    "segment member": {"docker node"},
    "segment prefix": {"container number"},
    "docker segment": {"docker node", "container number", "container asn"},
}
# Whoever takes a name or a number away leaves two places that name it.
TWO_PLACES = {"vrf misspelt", "link id twice"}


def with_mistakes(*names: str) -> dict[str, Any]:
    raw = copy.deepcopy(NETWORK)
    for path, value in (MISTAKES[name] for name in names):
        inner = raw
        for key in path[:-1]:
            inner = inner[key]
        if value is GONE:
            del inner[path[-1]]
        elif isinstance(value, Renamed):
            inner[value.key] = inner.pop(path[-1])
        else:
            inner[path[-1]] = copy.deepcopy(value)
    return raw


def told(*names: str) -> set[str]:
    """Return the places of what is wrong."""
    return {str(problem.path) for problem in check_intent(with_mistakes(*names))[1]}


@cache
def alone(name: str) -> frozenset[str]:
    return frozenset(told(name))


def apart(first: str, second: str) -> bool:
    one, two = MISTAKES[first][0], MISTAKES[second][0]
    return one[: len(two)] != two[: len(one)]


PAIRS = [pair for pair in itertools.combinations(MISTAKES, 2) if apart(*pair)]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_once(name: str) -> None:
    assert len(alone(name)) == 1 + (name in TWO_PLACES)


@pytest.mark.parametrize("begin", range(4))
def test_no_mistake_hides_another(begin: int) -> None:
    for first, second in itertools.islice(PAIRS, begin * STEP, None, 4 * STEP):
        both = told(first, second)
        for hidden, hider in ((first, second), (second, first)):
            if hidden not in COMPUTED.get(hider, ()):
                assert alone(hidden) <= both, f"{hider} hides {hidden}"
        if {first, second} != {"vrf misspelt", "vrf table twice"}:  # the table is then also that of the other
            assert both <= alone(first) | alone(second), f"{first} and {second} say more together"

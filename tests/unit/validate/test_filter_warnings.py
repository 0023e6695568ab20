"""What filters of others would drop of a plan is told, with whose they are; what they let pass is not, and nothing is refused for it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.link_types import TUNNELS
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import ASKED
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.others_filters import (
    Packet,
    arriving_at,
    fate_of,
    filter_warnings,
    passing_through,
)

ROUTER = {
    "firewall_trusted_interfaces": ["lo", "wg1", "eth1"],
    "firewall_open_ports": [{"protocol": "udp", "port": 51820}, {"protocol": "esp"}],
    "frr_bgp": [{"asn": 65001}],
}


def rule(verdict: str, protocol: str = "", port: int | None = None, some: bool = False, **interfaces: str) -> dict[str, Any]:
    ports = [] if port is None else [{"first": port, "last": port}]
    return {"verdict": verdict, "protocol": protocol, "ports": ports, "iif": "", "oif": "", "some": some, **interfaces}


def chain(hook: str, *rules: dict[str, Any], owners: tuple[str, ...] = ("ufw",), name: str = "INPUT") -> dict[str, Any]:
    return {"table": "ip filter", "owners": list(owners), "chain": name, "hook": hook, "priority": 0, "rules": list(rules)}


def warned(*chains: dict[str, Any], **variables: Any) -> list[str]:
    return filter_warnings({"filters": list(chains)}, {**ROUTER, **variables})


def test_a_policy_drops_what_no_rule_accepts() -> None:
    """Each port and each path by name, and whose filter it is."""
    accepted = [rule("accept", "tcp", 22), rule("accept", iif="wg*")]
    (said,) = warned(chain("input", *accepted, rule("drop")))
    assert said.startswith(
        "a packet filter of ufw (table ip filter, chain INPUT) drops esp, udp port 51820, BGP from eth1, which is planned here. "
    )
    assert "It is not touched. Remedy: " in said
    assert (
        warned(chain("input", *accepted, rule("accept", "esp"), rule("accept", "udp", 51820), rule("accept", "tcp", 179), rule("drop")))
        == []
    )


def test_the_policy_of_docker_drops_what_is_forwarded() -> None:
    rules = [rule("accept", iif="docker0"), rule("accept", iif="wg1", oif="eth1"), rule("drop")]
    (said,) = warned(chain("forward", *rules, owners=("Docker",), name="FORWARD"))
    assert said.startswith(
        "a packet filter of Docker (table ip filter, chain FORWARD) drops what is forwarded from eth1, which is planned here."
    )
    (said,) = warned(chain("forward", *rules, owners=("ufw", "Docker")), firewall_trusted_interfaces=["wg1", "wg2", "eth1"])
    assert (
        "of ufw and Docker " in said
        and "drops what is forwarded from eth1, what is forwarded from wg2, and may drop some of what is" in said
    )


def test_a_ban_concerns_some_of_a_port_alone() -> None:
    ban = rule("drop", "tcp", 22, some=True)
    (said,) = warned(chain("input", ban, owners=("fail2ban",)))
    assert "a packet filter of fail2ban (table ip filter, chain INPUT) may drop some of tcp port 22, which" in said
    (said,) = warned(chain("input", ban, rule("accept", "tcp", 22), owners=()))
    assert said.startswith("a packet filter of somebody else ") and "may drop some of tcp port 22, which" in said
    # What is not planned is nobody's business here.
    assert warned(chain("input", rule("drop", "tcp", 8080))) == []


def test_other_hooks_are_passed_by_both() -> None:
    (said,) = warned(chain("prerouting", rule("drop", iif="eth1")))
    assert "drops BGP from eth1, what is forwarded from eth1, which" in said
    # An uplink, which may be one of several.
    (said,) = warned(chain("ingress", rule("drop", iif="eth0")))
    assert "may drop some of esp, tcp port 22, udp port 51820, which" in said


def test_a_chain_that_drops_nothing_says_nothing() -> None:
    assert warned(chain(""), chain("input"), chain("forward")) == [] == filter_warnings({}, ROUTER)


@pytest.mark.parametrize(
    ("rules", "fate"),
    [
        ([], ""),
        ([rule("drop")], "all"),
        ([rule("accept"), rule("drop")], ""),
        ([rule("drop", "udp")], "all"),
        ([rule("drop", "tcp")], ""),
        ([rule("accept", "udp", 51820, some=True), rule("drop")], "some"),
        # A rule for none of these, such as one for other addresses, counts where nothing accepts them behind it.
        ([rule("drop", some=True), rule("accept", "udp", 51820)], ""),
        ([rule("drop", some=True)], "some"),
        ([rule("drop", some=True), rule("accept", "udp", some=True)], "some"),
        ([rule("accept", iif="lo"), rule("drop", iif="lo")], ""),
        ([rule("accept", iif="wg*"), rule("drop")], "all"),
        ([rule("drop", iif="eth0")], "some"),
        ([rule("accept", iif="eth0"), rule("drop")], "some"),
        ([rule("drop", oif="eth0")], ""),
    ],
)
def test_the_fate_of_a_packet_from_outside(rules: list[dict[str, Any]], fate: str) -> None:
    assert fate_of(Packet("tunnel", "udp", 51820, elsewhere=("lo", "wg1")), rules) == fate


@pytest.mark.parametrize(
    ("rules", "fate"),
    [
        ([rule("drop", iif="wg?")], "all"),
        ([rule("drop", iif="wg2")], ""),
        ([rule("drop", "tcp")], "some"),
        ([rule("drop", port=80)], "some"),
        ([rule("drop", oif="eth*")], "all"),
        ([rule("drop", oif="eth1")], "some"),
        ([rule("accept", oif="eth1"), rule("accept", oif="eth2"), rule("drop")], "some"),
        ([rule("accept", oif="eth*"), rule("drop")], ""),
    ],
)
def test_the_fate_of_what_is_forwarded(rules: list[dict[str, Any]], fate: str) -> None:
    assert fate_of(Packet("forwarded", iif="wg1", oifs=("eth1", "eth2")), rules) == fate


def test_what_is_planned_of_a_host() -> None:
    """With the filter's own variables, and without them what the tunnels need."""
    assert [packet.words for packet in arriving_at({})] == ["tcp port 22"]
    variables = {
        "firewall_ssh_port": "2222",
        "wireguard_interfaces": [{"name": "wg2", "listen_port": 51821}, {"name": "wg10"}],
        "openvpn_tunnels": [
            {"name": "o1", "role": "server", "transport": "tcp", "port": 1194},
            {"name": "o2", "role": "client", "transport": "udp", "port": 1195},
        ],
        "l2tp_ipsec_tunnels": [{"name": "l1"}],
        "vxlan_interfaces": [{"name": "vx1"}],
        "gre_interfaces": [{"name": "g1"}],
        "dns_anycast_addresses": ["192.0.2.53"],
        "frr_ospf": [{}],
        "frr_interfaces": [],
    }
    words = [packet.words for packet in arriving_at(variables)]
    assert words[:10] == [
        *("esp", "gre", "tcp port 53", "tcp port 1194", "tcp port 2222", "udp port 53", "udp port 500", "udp port 4500", "udp port 4789"),
        "udp port 51821",
    ]
    assert words[10:] == [f"OSPF from {name}" for name in ("g1", "l1", "o1", "o2", "vx1", "wg2", "wg10")]
    assert [packet.oifs for packet in passing_through(ROUTER)] == [("wg1",), ("eth1",)]
    assert list(passing_through({"firewall_trusted_interfaces": ["eth1", "lo"]})) == []
    assert {*variables, *(kind.variable for kind in TUNNELS)} <= ASKED

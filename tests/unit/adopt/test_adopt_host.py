"""A running host as variables: what the roles have made is described as what it was made from, and what others made is named or left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from adopt_samples import GOLDEN, KEY, address, link, made_from, part, state
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.host import describe
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs

SPECS = load_role_specs(Path(__file__).resolve().parents[3] / "roles")
OTHER_KEY = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="
DESCRIBED = ("vrf_vrfs", "vrf_interfaces", "vxlan_interfaces", "gre_interfaces", "wireguard_interfaces")


def wanted_of(variables: dict[str, Any]) -> dict[str, Any]:
    """What of a host's variables its state can tell: not who the other end is, nor what the collection makes with a daemon."""
    wanted = {name: variables[name] for name in DESCRIBED if name in variables}
    daemons = {entry["name"] for name in ("openvpn_tunnels", "l2tp_ipsec_tunnels") for entry in variables.get(name, [])}
    interfaces = []
    for entry in wanted.pop("vrf_interfaces", []):
        told = {
            key: value
            for key, value in entry.items()
            if key not in ("mac", "hears_routers", "asks_dhcp") and (key != "mtu" or "kind" in entry)
        }
        if entry["name"] not in daemons and told.keys() - {"name"}:
            interfaces.append(told)
    if interfaces:
        wanted["vrf_interfaces"] = interfaces
    # The rule of a mark is no part of the VRF's device.
    for entry in wanted.get("vrf_vrfs", []):
        entry.pop("fwmark", None)
    for entry in wanted.get("gre_interfaces", []):
        entry["peer"] = entry["remote"]
        entry.pop("peer_interface", None)
    for entry in wanted.get("wireguard_interfaces", []):
        for number, peer in enumerate(entry["peers"]):
            peer.setdefault("public_key", f"{number}{KEY[1:]}")
            peer.pop("interface", None)
            if "preshared_key" in peer:
                peer["preshared_key"] = "{{ adopted_1 }}"
    return comparable(wanted)


def comparable(variables: dict[str, Any]) -> dict[str, Any]:
    given = {name: variables[name] for name in DESCRIBED if name in variables}
    full = with_defaults(given, {name: SPECS.options[name] for name in given})
    for entry in full.get("vxlan_interfaces", []):
        entry.pop("mac", None)
    for entry in full.get("vrf_interfaces", []):
        if entry.get("kind") and entry.get("mtu") == 1500:
            del entry["mtu"]
    return {name: sorted(entries, key=str) for name, entries in full.items()}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/expected/*/variables.yml")), ids=lambda path: f"{path.parts[-4]}-{path.parts[-2]}")
def test_what_the_roles_made_is_what_is_described(path: Path) -> None:
    variables = read_yaml(path.read_text(encoding="utf-8"))
    found = describe(made_from(variables))
    assert comparable(found.variables) == wanted_of(variables)
    made = {entry["name"] for name in ("openvpn_tunnels", "l2tp_ipsec_tunnels") for entry in variables.get(name, [])}
    assert {item.what for item in found.left} <= {f"interface {name}" for name in made}


BY_HAND = """\
[Interface]
# laptops and the branch
Address = 10.8.0.1/24
PrivateKey = (stays here)
ListenPort = 51820
DNS = 192.0.2.53
PostUp = (stays here)

# the branch
[Peer]
# branch
PublicKey = %s
PresharedKey = <secret adopted_2>
AllowedIPs = 10.8.0.2/32,10.20.0.0/16
AllowedIPs = fd00:8::2/128
Endpoint = branch.example.org:51820 # moves
PersistentKeepalive = 25

[Peer]
PublicKey=%s
AllowedIPs = 10.8.0.3/32
"""


def peer(**more: Any) -> dict[str, Any]:
    return {"endpoint": None, "allowed_ips": [], "keepalive": 0, "preshared": False, **more}


def test_what_others_made_is_described_and_what_no_variable_says_is_named() -> None:
    links = {
        "lo": link(1),
        "eth0": link(2, addresses=[address("192.0.2.1/24")]),
        "blue": link(3, "vrf", table=10),
        "br0": link(4, "bridge", master="blue", addresses=[address("10.1.0.1/24"), address("fe80::1/64")]),
        "eth1": link(5, master="br0", mtu=9000),
        "eth1.7": link(6, "vlan", parent="eth1", vlan=7, mtu=1500),
        "eth2": link(7, master="blue", addresses=[address("10.2.0.1/24")]),
        "wg0": link(8, "wireguard", mtu=1420, addresses=[address("10.8.0.1/24")]),
        "wg9": link(9, "wireguard", mtu=1400),
        "docker0": link(10, "bridge", addresses=[address("172.17.0.1/16")]),
        "veth3": link(11, "veth", master="docker0"),
        "tun0": link(12, "tun", master="blue"),
        "gre0": link(13, "gre"),
        "vx7": link(14, "vxlan", arp=False),
        "vx8": link(15, "vxlan"),
        "vx9": link(16, "vxlan"),
        "tg1": link(17, "gre", mtu=1476),
        "tg2": link(18, "gre"),
    }
    vxlan = {"vni": 7, "local": "192.0.2.1", "remotes": ["192.0.2.2"], "port": 4789, "device": None}
    gre = {"local": "192.0.2.1", "remote": "192.0.2.9", "key": 5, "incoming_key": 5, "ttl": 64, "pmtudisc": False, "device": "blue"}
    branch = peer(endpoint="203.0.113.8:40000", allowed_ips=["10.20.0.0/16", "10.8.0.2/32", "fd00:8::2/128"], keepalive=25, preshared=True)
    found = describe(
        state(
            links=links,
            vxlan={"vx7": vxlan, "vx8": {**vxlan, "device": "eth0"}, "vx9": {**vxlan, "remotes": []}},
            gre={"gre0": {**gre, "local": None}, "tg1": gre, "tg2": {**gre, "ttl": 0}},
            routes=[
                {"prefix": "0.0.0.0/0", "table": 10, "type": "unicast", "protocol": "static", "dev": ["eth2"], "via": ["10.2.0.254"]},
                {"prefix": "::/0", "table": 10, "type": "unicast", "protocol": "static", "dev": ["eth2"], "via": ["fe80::1"]},
                {"prefix": "10.3.0.0/24", "table": 10, "type": "unicast", "protocol": "boot", "dev": ["eth2"], "via": ["10.2.0.9"]},
                {"prefix": "0.0.0.0/0", "table": 10, "type": "unreachable", "protocol": "boot", "dev": [], "via": []},
                {"prefix": "10.4.0.0/24", "table": 10, "type": "unicast", "protocol": "bgp", "dev": ["eth2"], "via": ["10.2.0.9"]},
                {"prefix": "0.0.0.0/0", "table": 254, "type": "unicast", "protocol": "dhcp", "dev": ["eth0"], "via": ["192.0.2.254"]},
            ],
            wireguard={
                "wg0": {
                    "listen_port": 51820,
                    "fwmark": 0,
                    "peers": {OTHER_KEY: peer(allowed_ips=["10.8.0.3/32", "10.8.0.4/32"]), KEY: branch},
                },
                "wg9": {
                    "listen_port": 40001,
                    "fwmark": 51,
                    "peers": {KEY: peer(endpoint="203.0.113.9:1", allowed_ips=["::/0"], preshared=True)},
                },
            },
            wireguard_configuration={"files": {"wg0": BY_HAND % (KEY, OTHER_KEY), "old": "[Interface]\n"}, "keys": []},
            frr_configuration={
                "running": "frr version 8.4\nrouter ospf vrf blue\n ospf router-id 10.1.0.1\nexit\n"
                "interface br0\n ip ospf area 0\nexit\ninterface eth2\n ip address 10.2.0.1/24\nexit\n",
                "daemons": ["ospfd"],
            },
            tables=["inet filter", "inet xgn", "inet xgn_l2tp", "ip nat"],
            sysctl={"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "0"},
        )
    )
    assert found.variables == {
        "vrf_vrfs": [{"name": "blue", "table": 10}],
        "vrf_interfaces": [
            {"name": "br0", "kind": "bridge", "vrf": "blue"},
            {"name": "eth1", "bridge": "br0"},
            {"name": "eth1.7", "kind": "vlan", "parent": "eth1", "vlan": 7, "mtu": 1500},
            {"name": "eth2", "vrf": "blue"},
            {"name": "wg0", "unit": "wg-quick@wg0.service"},
            {"name": "wg9", "unit": "wg-quick@wg9.service"},
        ],
        "vrf_default_routes": [
            {"gateway": "10.2.0.254", "interface": "eth2", "vrf": "blue"},
            {"gateway": "fe80::1", "interface": "eth2", "vrf": "blue"},
        ],
        "vxlan_interfaces": [
            {"name": "vx7", "vni": 7, "local": "192.0.2.1", "remotes": ["192.0.2.2"], "port": 4789, "mtu": 1500, "arp": False},
            {"name": "vx8", "vni": 7, "local": "192.0.2.1", "remotes": ["192.0.2.2"], "port": 4789, "mtu": 1500},
        ],
        "gre_interfaces": [
            {
                "name": "tg1",
                "peer": "192.0.2.9",
                "local": "192.0.2.1",
                "remote": "192.0.2.9",
                "key": 5,
                "ttl": 64,
                "pmtudisc": False,
                "mtu": 1476,
                "underlay_vrf": "blue",
            }
        ],
        "wireguard_interfaces": [
            {
                "name": "wg0",
                "mtu": 1420,
                "listen_port": 51820,
                "peers": [
                    {
                        "name": "branch",
                        "public_key": KEY,
                        # Where it was written to begin, not where the peer is by now.
                        "endpoint": "branch.example.org:51820",
                        "allowed_ips": ["10.8.0.2/32", "10.20.0.0/16", "fd00:8::2/128"],
                        "persistent_keepalive": 25,
                        "preshared_key": "{{ adopted_2 }}",
                    },
                    # What lives counts, where the file says something else.
                    {"name": "peer2", "public_key": OTHER_KEY, "allowed_ips": ["10.8.0.3/32", "10.8.0.4/32"]},
                ],
            },
            {
                "name": "wg9",
                "mtu": 1400,
                "listen_port": 40001,
                "fwmark": 51,
                "peers": [
                    {
                        "name": "peer1",
                        "public_key": KEY,
                        "endpoint": "203.0.113.9:1",
                        "allowed_ips": ["::/0"],
                        "preshared_key": "{{ adopted_wg9_1 }}",
                    }
                ],
            },
        ],
        # Those of the network's interfaces, not of the NICs: but for what FRR has set there.
        "frr_interfaces": [
            {"name": "eth2", "addresses": ["10.2.0.1/24"]},
            {"name": "br0", "addresses": ["10.1.0.1/24"]},
            {"name": "wg0", "addresses": ["10.8.0.1/24"]},
        ],
        "frr_ospf": [{"vrf": "blue", "router_id": "10.1.0.1", "interfaces": [{"name": "br0", "area": "0"}]}],
    }
    assert found.secrets == {"adopted_2": "preshared key of branch on wg0", "adopted_wg9_1": "preshared key of peer1 on wg9"}
    assert [item.what for item in found.left] == [
        "interface docker0",
        "interface veth3",
        "interface tun0",
        "interface vx8",
        "interface vx9",
        "interface tg2",
        "route 10.3.0.0/24 in VRF blue",
        "/etc/wireguard/old.conf",
        "/etc/wireguard/wg0.conf, PostUp",
        "/etc/wireguard/wg0.conf, DNS",
        "/etc/wireguard/wg0.conf, Table = auto",
        "interface wg9",
        "net.ipv6.conf.all.forwarding = 0",
        "nft table inet filter",
        "nft table ip nat",
    ]


def test_a_host_that_forwards_nothing_goes_on_so() -> None:
    off = {"net.ipv4.ip_forward": "0", "net.ipv6.conf.all.forwarding": "0"}
    assert describe(state(sysctl=off)).variables == {"sysctl_ip_forward": False}


def test_an_interface_of_wireguards_program_is_described_and_one_that_answers_nobody_is_named() -> None:
    links = {"wg0": link(3, "tun", mtu=1420, addresses=[address("10.8.0.1/24")]), "tun1": link(4, "tun")}
    live = {"wg0": {"listen_port": 51820, "fwmark": 0, "peers": {}}}
    found = describe(state(links=links, wireguard=live, wireguard_configuration={"files": {}, "keys": ["wg0"]}))
    assert found.variables == {
        "vrf_interfaces": [{"name": "wg0", "unit": "wg-quick@wg0.service"}],
        "wireguard_interfaces": [{"name": "wg0", "mtu": 1420, "listen_port": 51820, "peers": []}],
        "frr_interfaces": [{"name": "wg0", "addresses": ["10.8.0.1/24"]}],
    }
    assert [item.what for item in found.left] == ["interface tun1"]
    silent = part(error="wg is not installed")
    assert describe({**state(), "wireguard": silent}).left == []
    assert [item.what for item in describe({**state(links={"wg0": link(3, "wireguard")}), "wireguard": silent}).left] == ["command"]


def test_a_part_that_cannot_be_read_is_named_and_the_others_are_described() -> None:
    broken = {**state(), "frr_configuration": part(error="failed to connect to any daemons"), "tables": part(error="not allowed")}
    found = describe(broken)
    assert found.variables == {}
    assert [str(item) for item in found.left] == ["command: failed to connect to any daemons", "command: not allowed"]
    live = part({"wg0": {"listen_port": 51820, "fwmark": 0, "peers": {}}})
    found = describe({**state(), "links": part(error="no ip"), "wireguard": live})
    assert found.variables == {"wireguard_interfaces": [{"name": "wg0", "listen_port": 51820, "peers": []}]}


def test_a_text_that_ansible_would_run_is_left_out() -> None:
    running = """\
interface eth1
 description {{ lookup('pipe', 'id') }}
 ip address 192.0.2.1/24
exit
router bgp 65001
 neighbor 10.0.0.1 remote-as 65002
 neighbor 10.0.0.1 password <secret adopted_1>
 neighbor 10.0.0.1 description {% raw %}
exit
bgp extcommunity-list standard A seq 5 permit {#
bgp extcommunity-list standard A seq 10 permit rt 1:1
"""
    found = describe(state(frr_configuration={"running": running, "daemons": []}))
    assert found.variables["frr_interfaces"] == [{"name": "eth1", "addresses": ["192.0.2.1/24"]}]
    (neighbor,) = found.variables["frr_bgp"][0]["neighbors"]
    assert (neighbor["password"], "description" in neighbor) == ("{{ adopted_1 }}", False)
    assert found.variables["frr_lines"] == [{"lines": ["bgp extcommunity-list standard A seq 10 permit rt 1:1"]}]
    assert [item.what for item in found.left] == [
        "frr_interfaces / description: {{ lookup('pipe', 'id') }}",
        "frr_bgp / neighbors / description: {% raw %}",
        "frr_lines / lines: bgp extcommunity-list standard A seq 5 permit {#",
    ]

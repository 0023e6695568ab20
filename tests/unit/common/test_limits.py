"""Facts of the domain: what they say, that intent and variables are judged alike, and that the schemas repeat the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_vxlan
from ansible_collections.xuegao.net.plugins.plugin_utils.common import limits
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import intent_options
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, check_intent, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs, role_variables, variable_problems

ROOT = Path(__file__).resolve().parents[3]
SPECS = load_role_specs(ROOT / "roles")
Variables = dict[str, Any]

INTENT: Variables = {
    "xgn_pools": {
        "links": {"ipv4": "10.254.0.0/20"},
        "loopbacks": {"ipv4": "10.255.0.0/24"},
    },
    "xgn_vrfs": {"CORE": {"table": 200}},
    "xgn_nodes": {
        "a": {"id": 1, "asn": 64512, "vrf": "CORE", "uplink": {"device": "eth0", "address": "198.51.100.1/24"}, "networks": {}},
        "b": {"id": 2, "asn": 64513, "vrf": "CORE", "uplink": {"device": "eth0", "address": "198.51.100.2/24"}},
    },
    "xgn_links": [{"id": 1, "type": "wireguard", "ends": [{"node": "a"}, {"node": "b"}]}],
}


def intent_refuses(change: Callable[[Variables], object]) -> list[str]:
    """Return the paths of the mistakes in the small intent after a change."""
    raw = deepcopy(INTENT)
    change(raw)
    return [str(problem.path) for problem in check_intent(raw)[1]]


def variables_refuse(variables: Mapping[str, Any]) -> list[str]:
    """Return the paths of the mistakes in a host's variables."""
    return [str(problem.path) for problem in variable_problems(role_variables(variables, SPECS), SPECS)]


def network(raw: Variables, **keys: Any) -> None:
    """Give node a a network."""
    raw["xgn_nodes"]["a"]["networks"]["eth5"] = {"published": False, **keys}


def test_the_small_intent_is_right() -> None:
    assert intent_refuses(lambda raw: None) == []


# ---- both rooms judge alike ----------------------------------------------------------------------------------------------------------------

RESERVED_ASNS = (23456, 64496, 64511, 65535, 65536, 65551, 65552, 131071, 4294967295)
ASNS = (0, *RESERVED_ASNS, 1, 23455, 64495, 64512, 65534, 131072, 4200000000, 4294967294)


@pytest.mark.parametrize("asn", ASNS)
def test_an_as_number_is_judged_alike(asn: int) -> None:
    planned = "xgn_nodes.a.asn" in intent_refuses(lambda raw: raw["xgn_nodes"]["a"].update(asn=asn))
    neighbor = {"address": "198.51.100.2", "remote_as": asn, "families": [{"family": "ipv4"}]}
    refused = variables_refuse({"frr_bgp": [{"asn": 64999, "router_id": "10.0.0.1", "neighbors": [neighbor]}]})
    assert ("frr_bgp[0].neighbors[0].remote_as" in refused) == planned == (asn == 0 or asn in RESERVED_ASNS)
    assert ("frr_bgp[0].asn" in variables_refuse({"frr_bgp": [{"asn": asn, "router_id": "10.0.0.1"}]})) == planned
    assert ("gobgp_asn" in variables_refuse({"gobgp_asn": asn})) == planned


@pytest.mark.parametrize(
    ("family", "mtu"), [("ipv4", mtu) for mtu in (67, 68, 575, 576, 1279, 65535, 65536)] + [("ipv6", 1279), ("ipv6", 1280)]
)
def test_an_mtu_is_judged_alike(family: str, mtu: int) -> None:
    key, address = ("address", "192.0.2.1/24") if family == "ipv4" else ("address6", "2001:db8::1/64")
    planned = intent_refuses(lambda raw: network(raw, mtu=mtu, **{key: address}))
    assert (planned == ["xgn_nodes.a.networks.eth5.mtu"]) == (not limits.mtu_range((family,)).holds(mtu))
    addresses = {"frr_interfaces": [{"name": "eth5", "addresses": [address]}]}
    refused = variables_refuse({**addresses, "vrf_interfaces": [{"name": "eth5", "mtu": mtu}]})
    assert (refused == ["vrf_interfaces[0].mtu"]) == (planned == ["xgn_nodes.a.networks.eth5.mtu"])
    uplink = intent_refuses(lambda raw: raw["xgn_nodes"]["a"]["uplink"].update({"mtu": mtu, key: address.replace("192.0.2", "198.51.100")}))
    assert ("xgn_nodes.a.uplink.mtu" in uplink) == bool(planned)


@pytest.mark.parametrize("table", [0, 1, 252, 253, 254, 255, 256, 4294967295, 4294967296])
def test_a_table_is_judged_alike(table: int) -> None:
    planned = "xgn_vrfs.CORE.table" in intent_refuses(lambda raw: raw["xgn_vrfs"]["CORE"].update(table=table))
    assert ("vrf_vrfs[0].table" in variables_refuse({"vrf_vrfs": [{"name": "CORE", "table": table}]})) == planned
    assert planned == (not limits.TABLES.holds(table) or table in (253, 254, 255))


@pytest.mark.parametrize(
    ("mac", "wrong"),
    [
        ("02:00:00:00:00:01", False),
        ("FE:ff:FF:ff:FF:ff", False),
        ("02-00-00-00-00-01", True),
        ("02:00:00:00:00", True),
        ("02:00:00:00:00:01\n", True),
        ("01:00:5e:00:00:01", True),
        ("ff:ff:ff:ff:ff:ff", True),
        ("00:00:00:00:00:00", True),
    ],
)
def test_a_mac_address_is_judged_alike(mac: str, wrong: bool) -> None:
    assert ("xgn_nodes.a.uplink.mac" in intent_refuses(lambda raw: raw["xgn_nodes"]["a"]["uplink"].update(mac=mac))) == wrong
    assert ("vrf_interfaces[0].mac" in variables_refuse({"vrf_interfaces": [{"name": "eth5", "mac": mac}]})) == wrong


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("wg0", False), ("a" * 15, False), ("a" * 16, True), (".", True), ("..", True), ("all", True), ("default", True), ("lo", True)],
)
def test_a_name_of_an_interface_is_judged_alike(name: str, wrong: bool) -> None:
    planned = intent_refuses(lambda raw: raw["xgn_links"][0]["ends"][0].update(interface=name))
    assert ("xgn_links[0].ends[0].interface" in planned) == wrong
    assert ("wireguard_interfaces[0].name" in variables_refuse({"wireguard_interfaces": [{"name": name, "listen_port": 1}]})) == wrong


@pytest.mark.parametrize("name", ["CORE", "all", "default", "lo"])
def test_a_name_of_a_vrf_is_judged_alike(name: str) -> None:
    def rename(raw: Variables) -> None:
        raw["xgn_vrfs"] = {name: {"table": 200}}
        for node in raw["xgn_nodes"].values():
            node["vrf"] = name

    assert bool(intent_refuses(rename)) == bool(variables_refuse({"vrf_vrfs": [{"name": name, "table": 200}]})) == (name != "CORE")


def test_an_interface_that_is_there_may_be_the_loopback() -> None:
    assert not limits.is_reserved_name("lo", existing=True)
    assert limits.is_reserved_name("all", existing=True)


@pytest.mark.parametrize(
    ("key", "wrong"),
    [("A" * 43 + "=", False), ("A" * 42 + "B=", True), ("A" * 43, True), ("A" * 43 + "=\n", True), ("é" + "A" * 42 + "=", True)],
)
def test_a_wireguard_key_is_judged_alike(key: str, wrong: bool) -> None:
    def other(raw: Variables) -> None:
        raw["xgn_nodes"]["b"]["managed"] = False
        raw["xgn_links"][0]["ends"][1]["public_key"] = key

    assert ("xgn_links[0].ends[1].public_key" in intent_refuses(other)) == wrong
    peer = {"name": "b", "public_key": key}
    refused = variables_refuse({"wireguard_interfaces": [{"name": "wg0", "listen_port": 1, "peers": [peer]}]})
    assert ("wireguard_interfaces[0].peers[0].public_key" in refused) == wrong


# ---- bugs ----------------------------------------------------------------------------------------------------------------------------------


def test_an_uplink_too_small_for_a_tunnel_is_refused_by_the_planner_with_the_arithmetic() -> None:
    raw = deepcopy(INTENT)
    raw["xgn_nodes"]["a"]["uplink"]["mtu"] = 600
    with pytest.raises(IntentError) as caught:
        make_plan(raw)
    assert str(caught.value).splitlines()[0] == (
        "xgn_links[0]: an MTU of 520 is out of range; 600 - 40 (IPv6) - 8 (UDP) - 32 (WireGuard) = 520; valid: 576 to 65535 bytes"
    )


@pytest.mark.parametrize("mtu", [656, 700, 1492])
def test_what_plans_is_what_validates(mtu: int) -> None:
    raw = deepcopy(INTENT)
    raw["xgn_nodes"]["a"]["uplink"]["mtu"] = mtu
    for variables in make_plan(raw).hosts.values():
        assert variables_refuse(variables) == []


@pytest.mark.parametrize("link_type", ["direct", "vlan"])
def test_a_link_on_a_nic_with_ipv6_needs_1280_bytes_too(link_type: str) -> None:
    def change(raw: Variables) -> None:
        raw["xgn_pools"]["links"]["ipv6"] = "fd00::/64"
        ends = [{"node": name, "device": "eth1"} for name in ("a", "b")]
        raw["xgn_links"][0] = {"id": 1, "type": link_type, "mtu": 1279, "ends": ends} | ({"vlan": 5} if link_type == "vlan" else {})

    assert intent_refuses(change) == ["xgn_links[0].mtu"]


def test_a_docker_network_with_ipv6_needs_1280_bytes() -> None:
    subnets = [{"subnet": "fd00::/64", "gateway": "fd00::1"}]
    refused = variables_refuse({"docker_macvlan_networks": [{"name": "apps", "parent": "vxlan5", "mtu": 1279, "subnets": subnets}]})
    assert "docker_macvlan_networks[0].mtu" in refused


# ---- schemas repeat numbers ----------------------------------------------------------------------------------------------------------------


def options(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield path and spec of every option below one."""
    yield path, spec
    for name, inner in spec.get("options", {}).items():
        yield from options(inner, f"{path}.{name}")
    if "values" in spec:
        yield from options(spec["values"], f"{path}.NAME")


SCHEMA = [found for name, spec in intent_options().items() for found in options(spec, name)]
RANGES = {
    "mtu": limits.mtu_range(),
    "vni": limits.VNIS,
    "vlan": limits.VLANS,
    "port": limits.PORTS,
    "listen_port": limits.PORTS,
    "table": limits.TABLES,
    "key": limits.GRE_KEYS,
    "ttl": limits.TTLS,
}


@pytest.mark.parametrize("key", RANGES)
def test_the_schema_of_the_intent_has_the_same_ranges(key: str) -> None:
    found = {path: spec for path, spec in SCHEMA if path.rpartition(".")[2] == key and spec.get("type") == "int"}
    assert found
    for path, spec in found.items():
        assert (spec["minimum"], spec["maximum"]) == RANGES[key], path


def test_the_vxlan_port_is_the_same_everywhere() -> None:
    intent = {path: spec["default"] for path, spec in SCHEMA if path.endswith("segments.port")}
    role = SPECS.options["vxlan_interfaces"]["options"]["port"]["default"]
    assert {*intent.values(), role, interface_vxlan.PORT} == {limits.VXLAN_PORT}


def test_reserved_as_numbers_do_not_overlap() -> None:
    place = Place.of("asn")
    for asn in RESERVED_ASNS:
        assert len(list(limits.asn_problems(place, asn))) == 1
    for numbers in limits._PRIVATE_ASNS:
        assert not list(limits.asn_problems(place, numbers.low)) and not list(limits.asn_problems(place, numbers.high))

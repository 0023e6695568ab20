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
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers import routeros
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


ANY, UNIT, SECTION = limits.INTERFACE_NAMES, limits.UNIT_NAMES, limits.SECTION_NAMES
# The forms whose names it is.
NAMES = {
    "wg0": {ANY, UNIT, SECTION},
    "a" * 15: {ANY, UNIT, SECTION},
    "a" * 16: set(),
    "wg.0": {ANY, UNIT},
    "wg+0": {ANY},
    "wg=0": {ANY},
    "eth@1": set(),
    "wg#0": set(),
    "wg 0": set(),
    "wg0\n": set(),
    "\u00e4th0": set(),
    "wg/0": set(),
    "": set(),
    ".": set(),
    "..": set(),
    "all": set(),
    "default": set(),
    "lo": set(),
    "gre0": set(),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_an_interface_is_judged_alike(name: str) -> None:
    def end(kind: str, **keys: Any) -> bool:
        def change(raw: Variables) -> None:
            raw["xgn_links"][0] |= {"type": kind, **keys}
            raw["xgn_links"][0]["ends"][0]["interface"] = name

        return "xgn_links[0].ends[0].interface" in intent_refuses(change)

    def refused(variable: str) -> bool:
        return f"{variable}[0].name" in variables_refuse({variable: [{"name": name}]})

    assert end("wireguard") == refused("wireguard_interfaces") == (UNIT not in NAMES[name])
    assert end("openvpn") == refused("openvpn_tunnels") == (UNIT not in NAMES[name])
    assert end("l2tp_ipsec", preshared_key_variable="key") == refused("l2tp_ipsec_tunnels") == (SECTION not in NAMES[name])
    assert end("vxlan") == refused("vxlan_interfaces") == (ANY not in NAMES[name])
    assert end("gre") == refused("gre_interfaces") == (ANY not in NAMES[name])


@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_an_interface_that_is_there_is_judged_alike(name: str) -> None:
    if name:
        planned = "xgn_nodes.a.uplink.device" in intent_refuses(lambda raw: raw["xgn_nodes"]["a"]["uplink"].update(device=name))
        assert planned == (ANY not in NAMES[name] and name != "lo")
    refused = "frr_interfaces[0].name" in variables_refuse({"frr_interfaces": [{"name": name, "addresses": []}]})
    assert refused == (ANY not in NAMES[name] and name != "lo")


@pytest.mark.parametrize(
    "name", ["CORE", "a.b_c-1", "x" * 15, "x" * 16, "1", "_x", "-x", "A+B", "A@B", "A/B", "all", "default", "lo", "gre0"]
)
def test_a_name_of_a_vrf_is_judged_alike(name: str) -> None:
    def rename(raw: Variables) -> None:
        raw["xgn_vrfs"] = {name: {"table": 200}}
        for node in raw["xgn_nodes"].values():
            node["vrf"] = name

    wrong = name not in ("CORE", "a.b_c-1", "x" * 15)
    assert bool(intent_refuses(rename)) == bool(variables_refuse({"vrf_vrfs": [{"name": name, "table": 200}]})) == wrong


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("10.0.0.1", False),
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("0.0.0.0", True),
        ("10.0.0.1/32", True),
        ("10.0.1", True),
        ("010.0.0.1", True),
        ("10", True),
        ("::1", True),
        ("core", True),
    ],
)
def test_a_router_id_is_judged_alike(text: str, wrong: bool) -> None:
    planned = intent_refuses(lambda raw: raw["xgn_nodes"]["a"].update(router_id=text))
    assert planned == (["xgn_nodes.a.router_id"] if wrong else [])
    assert ("frr_bgp[0].router_id" in variables_refuse({"frr_bgp": [{"asn": 64999, "router_id": text}]})) == wrong
    assert ("frr_ospf[0].router_id" in variables_refuse({"frr_ospf": [{"router_id": text}]})) == wrong
    assert ("gobgp_router_id" in variables_refuse({"gobgp_asn": 64999, "gobgp_router_id": text})) == wrong


@pytest.mark.parametrize(("area", "wrong"), [("0.0.0.0", False), ("10.0.0.1", False), ("0", True), ("0.0.0.0/32", True), ("::", True)])
def test_an_ospf_area_is_judged_alike(area: str, wrong: bool) -> None:
    assert ("xgn_sites.hq.area" in intent_refuses(lambda raw: raw.update(xgn_sites={"hq": {"area": area}}))) == wrong
    instance = {"router_id": "10.0.0.1", "interfaces": [{"name": "eth1", "area": area}]}
    assert ("frr_ospf[0].interfaces[0].area" in variables_refuse({"frr_ospf": [instance]})) == wrong


@pytest.mark.parametrize(("hello", "dead", "wrong"), [(10, 40, False), (10, 20, False), (10, 19, True), (10, 10, True), (1, 2, False)])
def test_the_timers_of_ospf_are_judged_alike(hello: int, dead: int, wrong: bool) -> None:
    timers = {"hello_interval": hello, "dead_interval": dead}
    assert ("xgn_ospf.dead_interval" in intent_refuses(lambda raw: raw.update(xgn_ospf=timers))) == wrong
    interface = {"name": "eth1", "area": "0.0.0.0", **timers}
    refused = variables_refuse({"frr_ospf": [{"router_id": "10.0.0.1", "interfaces": [interface]}]})
    assert ("frr_ospf[0].interfaces[0].dead_interval" in refused) == wrong


@pytest.mark.parametrize(
    ("timers", "wrong"),
    [
        ({"keepalive": 3, "holdtime": 9}, ""),
        ({"keepalive": 21845, "holdtime": 65535}, ""),
        ({"keepalive": 4, "holdtime": 9}, "keepalive"),
        ({"keepalive": 3, "holdtime": 8}, "keepalive"),
        ({"keepalive": 1, "holdtime": 2}, "holdtime"),
        ({"keepalive": 3, "holdtime": 65536}, "holdtime"),
        ({"keepalive": -1, "holdtime": 9}, "keepalive"),
        ({"keepalive": 3}, "holdtime"),
        ({"holdtime": 9}, "keepalive"),
    ],
)
def test_the_timers_of_bgp_are_judged_alike(timers: Variables, wrong: str) -> None:
    assert intent_refuses(lambda raw: raw.update(xgn_bgp=timers)) == ([f"xgn_bgp.{wrong}"] if wrong else [])
    neighbor = {"address": "198.51.100.2", "remote_as": 64513, "families": [{"family": "ipv4"}], **timers}
    path = "frr_bgp[0].neighbors[0]"
    refused = variables_refuse({"frr_bgp": [{"asn": 64999, "router_id": "10.0.0.1", "neighbors": [neighbor]}]})
    assert [found for found in refused if found.endswith(("keepalive", "holdtime"))] == ([f"{path}.{wrong}"] if wrong else [])
    if len(timers) == 2:
        box = {"gobgp_asn": 64999, "gobgp_router_id": "10.0.0.1", **{f"gobgp_{key}": value for key, value in timers.items()}}
        assert (f"gobgp_{wrong}" in variables_refuse(box)) == bool(wrong)


def test_only_frr_takes_zero_for_never() -> None:
    neighbor = {"address": "198.51.100.2", "remote_as": 64513, "families": [{"family": "ipv4"}], "keepalive": 0, "holdtime": 0}
    refused = variables_refuse({"frr_bgp": [{"asn": 64999, "router_id": "10.0.0.1", "neighbors": [neighbor]}]})
    assert not [path for path in refused if path.endswith(("keepalive", "holdtime"))]
    box = {"gobgp_asn": 64999, "gobgp_router_id": "10.0.0.1", "gobgp_keepalive": 0, "gobgp_holdtime": 0}
    assert {"gobgp_keepalive", "gobgp_holdtime"} <= set(variables_refuse(box))


@pytest.mark.parametrize(("interval", "restart", "wrong"), [(10, 60, False), (10, 20, False), (10, 19, True)])
def test_the_pings_of_openvpn_are_judged_alike(interval: int, restart: int, wrong: bool) -> None:
    pings = {"ping_interval": interval, "ping_restart": restart}
    assert ("xgn_openvpn.ping_restart" in intent_refuses(lambda raw: raw.update(xgn_openvpn=pings))) == wrong
    assert ("openvpn_tunnels[0].ping_restart" in variables_refuse({"openvpn_tunnels": [{"name": "ovpn1", **pings}]})) == wrong


# What FRR refuses on an interface (lib/prefix.c), and what names a subnet.
NO_HOSTS = ("0.0.0.1/24", "127.0.0.1/24", "224.0.0.1/24", "240.0.0.1/24", "255.255.255.255/32", "192.0.2.0/24", "192.0.2.255/24")
NO_HOSTS6 = ("::/64", "::1/64", "ff02::1/64")
HOSTS = ("192.0.2.1/24", "192.0.2.0/31", "192.0.2.1/31", "223.255.255.1/24", "2001:db8::/64", "2001:db8::1/64")


@pytest.mark.parametrize("text", [*NO_HOSTS, *NO_HOSTS6, *HOSTS])
def test_the_address_of_a_host_is_judged_alike(text: str) -> None:
    key, wrong = "address6" if ":" in text else "address", text not in HOSTS
    assert (f"xgn_nodes.a.networks.eth5.{key}" in intent_refuses(lambda raw: network(raw, **{key: text}))) == wrong
    refused = variables_refuse({"frr_interfaces": [{"name": "eth5", "addresses": [text]}]})
    assert ("frr_interfaces[0].addresses[0]" in refused) == wrong

    def ends(raw: Variables) -> None:
        for end in raw["xgn_links"][0]["ends"]:
            end["ipv6" if ":" in text else "ipv4"] = text

    # Both ends have it, which is wrong of the second one in any case.
    assert any(path.startswith("xgn_links[0].ends[0]") for path in intent_refuses(ends)) == wrong


@pytest.mark.parametrize("text", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "240.0.0.1", "::", "::1", "ff02::1", "192.0.2.77", "2001:db8::77"])
def test_the_address_of_another_router_is_judged_alike(text: str) -> None:
    family, length, wrong = ("ipv6", 128, text != "2001:db8::77") if ":" in text else ("ipv4", 32, text != "192.0.2.77")
    key = "address6" if family == "ipv6" else "address"
    dns = {"nodes": ["a"], "address": "192.0.2.1", key: text}
    planned = intent_refuses(lambda raw: raw.update(xgn_services={"dns": dns}))
    assert (f"xgn_services.dns.{key}" in planned) == wrong
    assert ("dns_anycast_addresses[0]" in variables_refuse({"dns_anycast_addresses": [f"{text}/{length}"]})) == wrong
    neighbor = {"address": text, "remote_as": 64513, "ebgp_multihop": 5, "families": [{"family": family}]}
    refused = variables_refuse({"frr_bgp": [{"asn": 64999, "router_id": "10.0.0.1", "neighbors": [neighbor]}]})
    assert ("frr_bgp[0].neighbors[0].address" in refused) == wrong
    route = {"prefix": "2001:db8:1::/48" if family == "ipv6" else "198.18.0.0/15", "next_hop": text}
    assert ("frr_static_routes[0].next_hop" in variables_refuse({"frr_static_routes": [route]})) == wrong
    box = {"gobgp_asn": 64999, "gobgp_router_id": "10.0.0.1", "gobgp_neighbors": [{"address": text, "remote_as": 64513}]}
    assert ("gobgp_neighbors[0].address" in variables_refuse(box)) == wrong
    assert (f"gobgp_next_hops.{family}" in variables_refuse({**box, "gobgp_next_hops": {family: text}})) == wrong
    own = "2001:db8::1" if family == "ipv6" else "192.0.2.1"
    tunnel = {"gre_interfaces": [{"name": "gre1", "local": own, "remote": text}]}
    assert ("gre_interfaces[0].remote" in variables_refuse(tunnel)) == wrong


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


def test_the_schema_of_the_intent_has_the_same_names() -> None:
    vrfs = intent_options()["xgn_vrfs"]["keys"]
    assert (vrfs["pattern"], vrfs["pattern_text"]) == limits.VRF_NAMES[1:]
    parent = intent_options()["xgn_nodes"]["values"]["options"]["networks"]["values"]["options"]["parent"]
    assert (parent["pattern"], parent["pattern_text"]) == limits.INTERFACE_NAMES[1:]


def test_the_schema_of_the_intent_has_the_same_timers() -> None:
    bgp = intent_options()["xgn_bgp"]["options"]
    assert (bgp["keepalive"]["minimum"], bgp["keepalive"]["maximum"]) == limits.KEEPALIVES
    assert (bgp["holdtime"]["minimum"], bgp["holdtime"]["maximum"]) == limits.HOLDTIMES


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


def test_the_timers_of_bfd_are_the_roles_defaults() -> None:
    """And so are those that a profile leaves to FRR, whoever writes them down for another router."""
    options = SPECS.options["frr_bfd_profiles"]["options"]
    assert {name: option["default"] for name, option in options.items() if "default" in option} == limits.BFD_TIMERS
    assert limits.bfd_timers({"name": "SLOW", "receive_interval": 900, "transmit_interval": None}) == {
        "detect_multiplier": 3,
        "receive_interval": 900,
        "transmit_interval": 300,
    }
    assert limits.bfd_detection({"receive_interval": 900, "detect_multiplier": 4}) == 3600
    variables: Any = {"frr_bfd_profiles": [{"name": "T"}], "frr_bgp": [{"neighbors": [{"address": "192.0.2.1", "bfd_profile": "T"}]}]}
    assert list(routeros._bfd(variables)) == ["/routing bfd configuration add addresses=192.0.2.1 multiplier=3 min-rx=300ms min-tx=300ms"]

"""FRR's running configuration as variables: what the role writes is read back as what it was written from, and the rest is own lines, or named."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import pytest
from adopt_samples import GOLDEN, conf_of, routers
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.configuration import TOP, Configuration
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.description import Description
from ansible_collections.xuegao.net.plugins.plugin_utils.adopt.frr import describe_frr
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.schema import with_defaults
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.render.role_files import rendered_files
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs

SPECS = load_role_specs(Path(__file__).resolve().parents[3] / "roles")
# What frr.conf does not say: how it is installed, by which unit, and what is there for reading alone.
UNSAID = {"frr_hostname", "frr_install_method", "frr_artifact", "frr_after_units", "frr_remove_all", "frr_way_back_seconds", "frr_daemons"}
OPTIONS = {name: spec for name, spec in SPECS.options_of("frr").items() if name not in UNSAID}


def comparable(value: Any, name: str = "") -> Any:
    """The same without what a file of FRR does not hold: the names of secrets, and the order of what is told apart by a key."""
    if isinstance(value, dict):
        return {key: "secret" if key == "password" else comparable(item, key) for key, item in value.items()}
    if isinstance(value, list):
        items = [comparable(item) for item in value]
        # Those that FRR numbers or sorts stand in its order.
        return items if name in ("addresses", "lines", "match", "set", "section") else sorted(items, key=str)
    return value


def described(text: str, running: Collection[str] = (), vrf_of: Mapping[str, str] = MappingProxyType({})) -> Description:
    found = Description()
    describe_frr(text, running, vrf_of, found)
    return found


def vrfs(planned: dict[str, Any]) -> dict[str, str]:
    """VRF by interface, the devices of the VRFs among them."""
    inside = {entry["name"]: entry["vrf"] for entry in planned.get("vrf_interfaces", []) if "vrf" in entry}
    return inside | {entry["name"]: entry["name"] for entry in planned.get("vrf_vrfs", [])}


@pytest.mark.parametrize(("network", "host"), routers())
def test_what_the_role_writes_is_what_is_described(network: str, host: str) -> None:
    planned = read_yaml((GOLDEN / network / "expected" / host / "variables.yml").read_text(encoding="utf-8"))
    found = described(conf_of(network, host), vrf_of=vrfs(planned))
    assert found.left == []
    wanted = {name: value for name, value in planned.items() if name in OPTIONS}
    assert comparable(with_defaults(found.variables, OPTIONS)) == comparable(with_defaults(wanted, OPTIONS))


def test_sections_are_known_by_what_is_in_them_and_by_what_ends_them() -> None:
    text = """\
Building configuration...

Current configuration:
!
interface eth0 vrf CORE
 description uplink
exit
!
router bgp 65001
 !
 address-family ipv4 unicast
  network 192.0.2.0/24
 exit-address-family
 bgp bestpath med missing-as-worst
exit
!
key chain A
 key 1
  key-string <secret adopted_1>
 exit
exit
!
pbr-map EMPTY seq 1
exit
!
interface eth1
!
line vty
!
access-list A seq 5 deny any
!
end
"""
    configuration = Configuration(text)
    assert configuration.rest() == [
        (TOP, ["Building configuration...", "Current configuration:", "access-list A seq 5 deny any"]),
        (("interface eth0",), ["description uplink"]),
        (("router bgp 65001",), ["bgp bestpath med missing-as-worst"]),
        (("router bgp 65001", "address-family ipv4 unicast"), ["network 192.0.2.0/24"]),
        (("key chain A", "key 1"), ["key-string <secret adopted_1>"]),
    ]
    assert configuration.knows(("line vty",)) and configuration.knows(("interface eth1",)) and configuration.knows(("pbr-map EMPTY seq 1",))
    assert configuration.take(TOP, r"access-list (\S+) .*")[0][1] == "A"
    assert not configuration.take(TOP, r"access-list (\S+) .*")
    assert configuration.take_one(("router bgp 65001",), "bgp .*") and not configuration.take_one(TOP, ".*nfiguration.*")


BY_HAND = """\
frr version 8.4.4
frr defaults traditional
hostname edge
log syslog warnings
no ip forwarding
no ipv6 forwarding
service integrated-vtysh-config
!
ip route 192.0.2.0/24 Null0
ip route 192.0.2.0/25 blackhole 200
ip route 198.51.100.0/24 10.0.0.1 wg1 50
ip route 198.51.101.0/24 wg1 nexthop-vrf CORE
ip route 198.51.102.0/24 10.0.0.1 label 16
ipv6 route ::/0 fe80::1 eth0
!
vrf CORE
 ip route 0.0.0.0/0 10.1.0.1
 vni 100
exit-vrf
!
interface wg1
 ip address 10.0.0.2/30
 ip address 10.9.0.1/24 label second
 ip ospf area 0
 ip ospf priority 5
exit
!
router bgp 65001
 bgp router-id 192.0.2.1
 neighbor FRIENDS peer-group
 neighbor FRIENDS remote-as 65009
 neighbor 10.0.0.9 peer-group FRIENDS
 neighbor eth3 interface remote-as external
 neighbor 10.0.0.1 remote-as 65002
 neighbor 10.0.0.1 password <secret adopted_1>
 neighbor 10.0.0.1 bfd
 neighbor 10.0.0.1 timers 5 15
 neighbor 10.0.0.1 timers connect 30
 neighbor 10.0.0.5 remote-as 65001
 timers bgp 10 30
 !
 address-family ipv4 unicast
  network 192.0.2.0/24
  network 192.0.3.0/24 route-map NICE
  redistribute connected
  redistribute static route-map NICE
  neighbor FRIENDS soft-reconfiguration inbound
  neighbor 10.0.0.1 route-map IN in
  neighbor 10.0.0.1 route-map OUT out
  neighbor 10.0.0.1 prefix-list P in
  no neighbor 10.0.0.5 activate
  maximum-paths 4
 exit-address-family
exit
!
router ospf
 network 10.7.0.0/24 area 0
exit
!
ip prefix-list P seq 5 permit any
ip prefix-list P description ours
ipv6 prefix-list P seq 5 deny 2001:db8::/32 ge 48 le 64
!
route-map IN permit 10
 match ip address prefix-list P
 set local-preference 80
 on-match next
exit
!
key chain A
 key 1
  key-string <secret adopted_2>
 exit
exit
!
ip nht resolve-via-default
!
end
"""


def test_what_a_person_wrote_is_described_and_what_no_variable_says_is_named() -> None:
    found = described(BY_HAND, ("zebra", "mgmtd", "bgpd", "ospfd", "ripd", "watchfrr", "staticd"))
    assert found.variables == {
        "frr_log_level": "warnings",
        "frr_forwarding": False,
        "frr_vrfs": ["CORE"],
        "frr_interfaces": [{"name": "wg1", "addresses": ["10.0.0.2/30"]}],
        "frr_static_routes": [
            {"prefix": "192.0.2.0/25", "blackhole": True, "distance": 200},
            {"prefix": "198.51.100.0/24", "next_hop": "10.0.0.1", "interface": "wg1", "distance": 50},
            {"prefix": "198.51.101.0/24", "interface": "wg1", "next_hop_vrf": "CORE"},
            {"prefix": "::/0", "next_hop": "fe80::1", "interface": "eth0"},
            {"prefix": "0.0.0.0/0", "next_hop": "10.1.0.1", "vrf": "CORE"},
        ],
        "frr_prefix_lists": [
            {"name": "P", "entries": [{"seq": 5, "action": "permit", "prefix": "0.0.0.0/0", "le": 32}]},
            {"name": "P", "family": "ipv6", "entries": [{"seq": 5, "action": "deny", "prefix": "2001:db8::/32", "ge": 48, "le": 64}]},
        ],
        "frr_route_maps": [
            {
                "name": "IN",
                "entries": [{"seq": 10, "action": "permit", "match": ["ip address prefix-list P"], "set": ["local-preference 80"]}],
            }
        ],
        "frr_bgp": [
            {
                "asn": 65001,
                "router_id": "192.0.2.1",
                "network_import_check": True,
                "networks": ["192.0.2.0/24"],
                "redistribute": [{"source": "static", "route_map": "NICE"}],
                "neighbors": [
                    {
                        "address": "10.0.0.1",
                        "remote_as": 65002,
                        "keepalive": 5,
                        "holdtime": 15,
                        "password": "{{ adopted_1 }}",
                        # Nobody has switched it off, and it is the default there.
                        "families": [{"family": "ipv4", "route_map_in": "IN", "route_map_out": "OUT"}],
                    },
                    {"address": "10.0.0.5", "remote_as": 65001, "families": []},
                ],
            }
        ],
        "frr_ospf": [{"interfaces": [{"name": "wg1", "area": "0"}]}],
        "frr_daemons": ["ripd"],
        "frr_lines": [
            {"lines": ["ip nht resolve-via-default"]},
            {"section": ["vrf CORE"], "lines": ["vni 100"]},
            {"section": ["interface wg1"], "lines": ["ip ospf priority 5"]},
            {"section": ["router bgp 65001"], "lines": ["neighbor 10.0.0.1 timers connect 30", "timers bgp 10 30"]},
            {"section": ["router bgp 65001", "address-family ipv4 unicast"], "lines": ["neighbor 10.0.0.1 prefix-list P in"]},
            {"section": ["router ospf"], "lines": ["network 10.7.0.0/24 area 0"]},
            {"section": ["route-map IN permit 10"], "lines": ["on-match next"]},
            {"section": ["key chain A", "key 1"], "lines": ["key-string <secret adopted_2>"]},
        ],
        "frr_secrets": {"adopted_2": "{{ adopted_2 }}"},
    }
    assert found.secrets == {
        "adopted_1": "BGP's password of neighbor 10.0.0.1",
        "adopted_2": "FRR / key chain A / key 1 / key-string <secret adopted_2>",
    }
    assert sorted(item.what for item in found.left) == [
        "FRR / interface wg1 / ip address 10.9.0.1/24 label second",
        "FRR / ip prefix-list P description ours",
        "FRR / ip route 192.0.2.0/24 Null0",
        "FRR / ip route 198.51.102.0/24 10.0.0.1 label 16",
        "FRR / router bgp 65001 / address-family ipv4 unicast / maximum-paths 4",
        "FRR / router bgp 65001 / address-family ipv4 unicast / network 192.0.3.0/24 route-map NICE",
        "FRR / router bgp 65001 / address-family ipv4 unicast / redistribute connected",
        "FRR / router bgp 65001 / neighbor 10.0.0.1 bfd",
        "FRR / router bgp 65001 / neighbor 10.0.0.9",
        "FRR / router bgp 65001 / neighbor FRIENDS",
        "FRR / router bgp 65001 / neighbor eth3",
    ]
    assert all(item.why for item in found.left)


def lines_of(text: str) -> dict[Any, list[str]]:
    """What a configuration says in each section."""
    return {section: sorted(lines) for section, lines in Configuration(text).rest()}


def written(host: str, found: Description) -> str:
    """The file that the role writes of a description, without what it writes everywhere."""
    return dict(rendered_files(host, cast(HostVariables, found.variables)))["/etc/frr/frr.conf"]


@pytest.mark.parametrize(("network", "host"), routers())
def test_the_file_of_a_description_is_the_file_that_was_described(network: str, host: str) -> None:
    planned = read_yaml((GOLDEN / network / "expected" / host / "variables.yml").read_text(encoding="utf-8"))
    # Without a password's name, which is another one.
    text = re.sub("<secret [^>]*>", "<secret adopted_1>", conf_of(network, host))
    assert lines_of(re.sub("<secret [^>]*>", "<secret adopted_1>", written(host, described(text, vrf_of=vrfs(planned))))) == lines_of(text)


def test_the_file_of_what_a_person_wrote_says_the_same() -> None:
    """But for what is left, what nobody has to say, and what is on without a word."""
    found = described(BY_HAND, ("zebra", "bgpd", "ospfd", "ripd"))
    # What the role asks a person for.
    found.variables["frr_ospf"][0]["router_id"] = "192.0.2.1"
    before, after = lines_of(BY_HAND), lines_of(written("edge", found))
    bgp = ("router bgp 65001",)
    unicast = (*bgp, "address-family ipv4 unicast")
    more = {(section, line) for section, lines in after.items() for line in lines if line not in before.get(section, [])}
    assert more == {
        (bgp, "no bgp default ipv4-unicast"),
        (unicast, "neighbor 10.0.0.1 activate"),
        (bgp, "neighbor 10.0.0.1 password <secret bgp default 10.0.0.1>"),
        (TOP, "ip prefix-list P seq 5 permit 0.0.0.0/0 le 32"),
        (("router ospf",), "ospf router-id 192.0.2.1"),
    }
    gone = {(section, line) for section, lines in before.items() for line in lines if line not in after.get(section, [])}
    left = {tuple(item.what.split(" / ")[1:]) for item in found.left}
    assert {
        (section, line)
        for section, line in gone
        if (*section, line) not in left and not any(line.startswith(name[-1]) for name in left if name[:-1] == bgp)
    } == {
        (TOP, "frr version 8.4.4"),
        (TOP, "ip prefix-list P seq 5 permit any"),
        (bgp, "neighbor 10.0.0.1 password <secret adopted_1>"),
        (unicast, "no neighbor 10.0.0.5 activate"),
    }


EDGE = """\
frr_static_routes: [{prefix: 203.0.113.0/24, blackhole: true, tag: 77, distance: 200}]
frr_as_path_lists: [{name: NEAR, entries: [{seq: 5, action: permit, regex: "^65002 65002$"}, {seq: 9, action: deny, regex: "_(64496|64497)_"}]}]
frr_community_lists:
  - {name: A, kind: standard, entries: [{seq: 5, action: permit, value: "65000:1 no-export"}]}
  - {name: B, kind: expanded, entries: [{seq: 5, action: deny, value: "65000:(1|2)"}]}
  - {name: A, kind: large, entries: [{seq: 5, action: permit, value: "65000:1:2"}]}
  - {name: B, kind: large_expanded, entries: [{seq: 5, action: permit, value: "^65000:.*"}]}
frr_rpki:
  caches: [{host: cache.example, port: 323, preference: 1}, {host: 192.0.2.9, port: 3323, preference: 2, source: 192.0.2.1}]
  polling_period: 300
frr_route_maps: [{name: M, entries: [{seq: 10, action: permit, match: [rpki valid, as-path NEAR], set: ["community 65000:1 additive"]}]}]
frr_bgp:
  - asn: 65001
    router_id: 192.0.2.1
    aggregates: [{prefix: 10.0.0.0/8, as_set: true, summary_only: true}, {prefix: "2001:db8::/32", route_map: M}]
    neighbors:
      - interface: eth0
        remote_as: 65002
        local_role: rs_client
        strict_role: true
        password: spring
        families:
          - {family: ipv4, route_map_in: M, route_map_out: M, default_originate: true, default_originate_route_map: M}
          - {family: ipv6, route_map_in: M, route_map_out: M, default_originate: true, remove_private_as: true}
  - asn: 65001
    vrf: CORE
    router_id: 192.0.2.1
    imports: [{vrf: default, route_map: M}, {vrf: EDGE, route_map: M}, {vrf: default, family: ipv6}]
frr_ospf6: [{router_id: 192.0.2.1, interfaces: [{name: eth0, area: 0.0.0.0, password: summer}]}]
"""


@pytest.mark.parametrize("cache", ["rpki cache tcp ", "rpki cache "], ids=["FRR 10", "FRR 8"])
def test_what_is_said_of_neighbors_that_are_not_ours_is_described(cache: str) -> None:
    wanted = read_yaml(EDGE)
    text = dict(rendered_files("r1", wanted))["/etc/frr/frr.conf"].replace("rpki cache tcp ", cache)
    found = described(re.sub("<secret [^>]*>", "<secret adopted_1>", text))
    assert found.left == []
    assert comparable(with_defaults(found.variables, OPTIONS)) == comparable(with_defaults(wanted, OPTIONS))

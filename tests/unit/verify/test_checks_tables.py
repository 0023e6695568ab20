"""Whole tables: what must be learned is there by a way that the plan allows, and a route that nobody is known to have is found, however it was set."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any, cast

import pytest
import verify_recorded as recorded
import verify_samples as samples
from ansible_collections.xuegao.net.plugins.module_utils import live_gather_written
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import still_waiting
from ansible_collections.xuegao.net.plugins.module_utils.live_parse import parse_kernel_routes
from ansible_collections.xuegao.net.plugins.module_utils.prefix_rows import of_rows
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import host_checks

State = dict[str, Any]
VARIABLES, REGISTRY, STATES = samples.network(2)
# As ip -N -json route show table all prints them (iproute2 6.1, Linux 6.18), each set by hand with ip route add.
BY_HAND4: list[dict[str, Any]] = [
    {"type": "2", "dst": "10.2.0.0/16", "dev": "wg0", "table": "200", "scope": "254", "flags": []},
    {"type": "9", "dst": "10.3.0.0/16", "table": "200", "flags": []},
    {"type": "6", "dst": "10.4.0.0/16", "table": "200", "flags": []},
    {"dst": "10.5.0.0/16", "dev": "wg0", "table": "200", "protocol": "2", "scope": "253", "flags": []},
    {"dst": "10.6.0.0/16", "gateway": "10.1.1.2", "dev": "wg0", "table": "200", "protocol": "186", "flags": []},
    {"dst": "10.7.0.0/16", "gateway": "10.1.1.2", "dev": "wg0", "table": "200", "protocol": "200", "flags": []},
    {"dst": "10.8.0.0/16", "gateway": "10.1.1.2", "dev": "wg0", "table": "200", "protocol": "4", "flags": []},
    {"dst": "10.9.0.0/16", "gateway": "10.1.1.2", "dev": "wg0", "table": "200", "flags": []},
]
BY_HAND6: list[dict[str, Any]] = [
    {"type": "6", "dst": "2001:db8:3::/48", "dev": "lo", "table": "200", "metric": 1024, "flags": [], "pref": "medium"},
    {"type": "2", "dst": "2001:db8:4::/48", "dev": "wg0", "table": "200", "metric": 1024, "flags": [], "pref": "medium"},
    {"type": "9", "dst": "2001:db8:5::/48", "dev": "lo", "table": "200", "metric": 1024, "flags": [], "pref": "medium"},
    *(
        {"dst": f"2001:db8:{number}::/48", "gateway": "fd00:1::2", "dev": "wg0", "table": "200", "metric": 1024, "flags": [], **protocol}
        for number, protocol in ((6, {"protocol": "186"}), (7, {"protocol": "200"}), (8, {"protocol": "4"}), (9, {}))
    ),
]


def failed(variables: HostVariables, state: State) -> dict[str, str]:
    """Return the details of the failed checks of tables."""
    checks = host_checks("T1", variables, state, REGISTRY)
    return {check.name: check.detail for check in checks if check.status == "failed" and check.name.endswith(" the plan")}


def detail(name: str, variables: HostVariables, state: State) -> tuple[str, str]:
    """Return status and detail of one check."""
    (check,) = [check for check in host_checks("T1", variables, state, REGISTRY) if check.name == name]
    return check.status, check.detail


def with_routes(*routes: dict[str, Any], rib: tuple[dict[str, Any], ...] = (), **parts: Any) -> State:
    """Return the state of T1 with more routes in the kernel and in FRR, and other parts."""
    state = deepcopy(STATES["T1"])
    state["routes"]["data"] += routes
    state["rib"]["data"] += rib
    for name, data in parts.items():
        state[name]["data"] = data
    return state


def given(**more: Any) -> HostVariables:
    return cast(HostVariables, {**VARIABLES["T1"], **more})


@pytest.mark.parametrize("host", ["T1", "T2"])
def test_every_route_of_a_recorded_host_is_accounted_for(host: str) -> None:
    """Debian 13 with FRR 10.3, and Debian 12 with FRR 8.4.4."""
    variables = recorded.variables_of(host)
    state = recorded.state_of(f"{host}_unadvertised", variables)
    told = {check.name: (check.status, check.detail) for check in host_checks(host, variables, state, {})}
    learned = ", 1 learned" if host == "T2" else ""
    status, found = told["Route CORE IPv4 none beside the plan"]
    assert status == "passed", found
    assert sorted(found.split(", ")) == sorted(f"1 end of the VRF, 1 static, 1 of addresses{learned}".split(", "))
    assert told["Route CORE IPv6 none beside the plan"] == ("passed", "1 end of the VRF")
    assert told["Route default IPv4 none beside the plan"] == ("passed", "2 of addresses")
    assert told["Route default IPv6 none beside the plan"] == ("passed", "1 of addresses")


@pytest.mark.parametrize("host", ["T1", "T2"])
@pytest.mark.parametrize(("family", "routes"), [("IPv4", BY_HAND4), ("IPv6", BY_HAND6)])
def test_a_route_set_by_hand_is_found_whatever_it_calls_itself(host: str, family: str, routes: list[dict[str, Any]]) -> None:
    variables = recorded.variables_of(host)
    for route in routes:
        state = recorded.state_of(f"{host}_unadvertised", variables)
        state["routes"]["data"] += parse_kernel_routes(json.dumps([route]), 4 if family == "IPv4" else 6)
        problems = failed(variables, state)
        problems.pop("Route CORE IPv4 all of the plan", None)
        assert list(problems) == [f"Route CORE {family} none beside the plan"], route
        assert route["dst"] in problems.popitem()[1]


def test_a_planned_route_that_somebody_else_set_again_is_found() -> None:
    """With a better metric than FRR's, over the same interface, under FRR's own name."""
    twin = samples.kernel_route("10.2.0.0/24", "unicast", "bgp", "10.254.0.6", "wg0", metric=5)
    problems = failed(VARIABLES["T1"], with_routes(twin))
    assert problems == {
        "Route CORE IPv4 none beside the plan": "found 10.2.0.0/24 via 10.254.0.6 dev wg0 (protocol bgp, and FRR does not have it)"
    }


def test_a_static_route_typed_into_vtysh_is_found() -> None:
    rib = (samples.rib_route("10.9.0.0/16", "static", "10.254.0.2", "wg0"),)
    kernel = samples.kernel_route("10.9.0.0/16", "unicast", "static (frr)", "10.254.0.2", "wg0")
    assert failed(VARIABLES["T1"], with_routes(kernel, rib=rib)) == {
        "Route CORE IPv4 none beside the plan": "found 10.9.0.0/16 via 10.254.0.2 dev wg0 (a static route of FRR that is not planned)"
    }
    # A second next hop for one of the plan's.
    loopback = f"{samples.loopback(2)}/32"
    state = with_routes()
    for part in ("rib", "routes"):
        (route,) = [item for item in state[part]["data"] if item["prefix"] == loopback]
        if part == "rib":
            route["nexthops"].append({**route["nexthops"][0], "ip": "10.1.0.9", "interface": "br0"})
        else:
            route["via"].append("10.1.0.9")
            route["dev"].append("br0")
    assert "a static route of FRR that is not planned" in failed(VARIABLES["T1"], state)["Route CORE IPv4 none beside the plan"]
    # Own lines are planned, too.
    own = given(frr_lines=[{"section": ["vrf CORE"], "lines": ["ip route 10.9.0.0/16 10.254.0.2"]}])
    assert failed(own, with_routes(kernel, rib=rib)) == {}


@pytest.mark.parametrize(("prefix", "device"), [("10.9.0.0/16", ""), ("2001:db8:3::/48", "lo")])
def test_a_planned_blackhole(prefix: str, device: str) -> None:
    """The kernel shows one of IPv6 with an interface that FRR does not have."""
    hop = {"ip": None, "interface": None, "active": True, "recursive": False, "blackhole": True}
    rib = ({**samples.rib_route(prefix, "static", None, ""), "nexthops": [hop]},)
    kernel = samples.kernel_route(prefix, "blackhole", "static (frr)", "", device)
    own = given(frr_static_routes=[*VARIABLES["T1"]["frr_static_routes"], {"vrf": "CORE", "prefix": prefix, "blackhole": True}])
    assert failed(own, with_routes(kernel, rib=rib)) == {}
    (found,) = failed(VARIABLES["T1"], with_routes(kernel, rib=rib)).values()
    assert f"blackhole {prefix}" in found and "(a static route of FRR that is not planned)" in found


def learned_too(prefix: str, hop: str = "10.254.0.2", interface: str = "wg0", protocol: str = "bgp") -> State:
    return with_routes(
        samples.kernel_route(prefix, "unicast", protocol, hop, interface), rib=(samples.rib_route(prefix, protocol, hop, interface),)
    )


def test_a_prefix_that_nobody_is_planned_to_advertise_is_found() -> None:
    assert failed(VARIABLES["T1"], learned_too("10.3.0.0/24")) == {
        "Route CORE IPv4 none beside the plan": "found 10.3.0.0/24 via 10.254.0.2 dev wg0 (by bgp, and nobody is planned to advertise it here)"
    }
    # Without a plan, what the declared instances bring is theirs, and a protocol that is not declared brings nothing.
    alone = given(verify_learned=[])
    assert failed(alone, learned_too("10.3.0.0/24")) == {}
    assert list(failed(alone, learned_too("10.3.0.0/24", protocol="ospf"))) == ["Route CORE IPv4 none beside the plan"]


LEARNED = {"vrf": "CORE", "interfaces": ["wg9"], "reserves": ["wg0"], "prefixes": ["10.2.0.0/24"]}


def test_what_comes_by_a_reserve_is_said_and_what_comes_another_way_is_found() -> None:
    name = "Route CORE IPv4 all of the plan"
    assert detail(name, given(verify_learned=[LEARNED]), with_routes()) == ("passed", "1 learned, 1 of them by reserve wg0: 10.2.0.0/24")
    elsewhere = given(verify_learned=[{**LEARNED, "reserves": []}])
    assert failed(elsewhere, with_routes()) == {
        name: "1 by another way than planned: 10.2.0.0/24 via 10.254.0.2 dev wg0, expected dev wg9",
        "Route CORE IPv4 none beside the plan": "found 10.2.0.0/24 via 10.254.0.2 dev wg0 (by bgp, expected dev wg9)",
    }
    another_router = given(verify_learned=[{**LEARNED, "next_hops": ["10.254.0.3"]}])
    assert list(failed(another_router, with_routes())) == [name, "Route CORE IPv4 none beside the plan"]
    assert failed(given(verify_learned=[{**LEARNED, "next_hops": ["10.254.0.2"]}]), with_routes()) == {}


def test_what_lacks_is_named_and_counted() -> None:
    many = given(verify_learned=[{**LEARNED, "prefixes": ["10.2.0.0/24-10.2.99.0/24", "fd00:2::/64"]}])
    assert failed(many, with_routes()) == {
        "Route CORE IPv4 all of the plan": "missing 99 of 100: 10.2.1.0/24, 10.2.2.0/24, 10.2.3.0/24, 10.2.4.0/24, 10.2.5.0/24, 10.2.6.0/24, "
        "and 93 more, 1 of them by reserve wg0: 10.2.0.0/24",
        "Route CORE IPv6 all of the plan": "missing 1 of 1: fd00:2::/64",
    }


STEERED = {
    "vrf": "CORE",
    "prefixes": ["10.2.0.0/24"],
    "parts": True,
    "protocols": ["bgp"],
    "interfaces": ["wg0"],
    "reason": "steering by box",
}


def test_what_may_be_there_besides() -> None:
    name = "Route CORE IPv4 none beside the plan"
    status, found = detail(name, given(verify_other_routes=[STEERED]), learned_too("10.2.0.128/25"))
    assert (status, "1 for steering by box" in found) == ("passed", True)
    for wrong in (
        {"interfaces": ["br0"]},
        {"protocols": ["ospf"]},
        {"next_hops": ["10.254.0.9"]},
        {"parts": False},
        {"vrf": "OTHER"},
        {"prefixes": ["10.3.0.0/24"]},
    ):
        assert list(failed(given(verify_other_routes=[{**STEERED, **wrong}]), learned_too("10.2.0.128/25"))) == [name], wrong


def test_who_may_bring_the_internet_may_not_bring_a_part_of_our_own() -> None:
    upstream = given(verify_other_routes=[{**STEERED, "prefixes": ["0.0.0.0/0"], "reason": "upstream isp"}])
    assert failed(upstream, learned_too("203.0.113.0/24")) == {}
    assert failed(upstream, learned_too("0.0.0.0/0")) == {}
    for own in ("10.2.0.0/25", "10.1.0.0/25", "10.254.0.0/31"):
        assert list(failed(upstream, learned_too(own))) == ["Route CORE IPv4 none beside the plan"], own


NIC = {**STATES["T1"]["links"]["data"]["eth0"]}


def in_main(prefix: str, protocol: str, device: str = "eth0", hop: str = "192.0.2.7") -> dict[str, Any]:
    return samples.kernel_route(prefix, "unicast", protocol, hop, device, table=254)


@pytest.mark.parametrize(
    ("route", "whose"),
    [
        (in_main("0.0.0.0/0", "boot"), "default of the host's owner"),
        (in_main("::/0", "ra", hop="fe80::1"), "by router advertisements"),
        (in_main("198.51.100.1/32", "dhcp", hop=""), "by DHCP"),
        (in_main("2001:db8:1::/64", "kernel", hop=""), "of addresses"),
        (in_main("fe80::/64", "kernel", hop=""), "of addresses"),
        (in_main("172.17.0.0/16", "kernel", "docker0", ""), "of addresses"),
        (in_main("172.31.0.0/16", "boot", "tun7"), "over interfaces of the host's own programs"),
        (in_main("172.31.0.0/16", "static"), "of the host's network managers"),
        (in_main("172.31.0.0/16", "boot"), "of the host's network managers"),
        (in_main("172.30.0.0/16", "static"), ""),
        (in_main("172.30.0.0/16", "bgp"), ""),
        (in_main("172.18.0.0/16", "kernel", "docker0", ""), ""),
        (in_main("10.2.0.0/16", "kernel", hop=""), ""),
        (in_main("172.31.0.0/16", "static", "wg0"), ""),
        (in_main("172.31.0.0/16", "dhcp", "wg0"), ""),
    ],
)
def test_the_main_table_is_the_owners_as_far_as_he_has_written_it_down(route: dict[str, Any], whose: str) -> None:
    docker = {**NIC, "kind": "bridge", "addresses": [{"address": "172.17.0.1/16", "family": 4, "scope": "global"}]}
    links = {**STATES["T1"]["links"]["data"], "docker0": docker, "tun7": {**NIC, "kind": "tun", "addresses": []}}
    family = "IPv6" if ":" in route["prefix"] else "IPv4"
    status, found = detail(
        f"Route default {family} none beside the plan", VARIABLES["T1"], with_routes(route, links=links, written=["172.31.0.0/16"])
    )
    assert (status == "passed") is bool(whose), found
    assert whose in found


def test_a_network_of_the_default_vrf_is_not_the_owners_to_route() -> None:
    """What he has written down may not lead a prefix of the plan away."""
    plain = given(vrf_interfaces=[], frr_interfaces=[{"name": "br9", "addresses": ["10.20.0.1/16"]}])
    written = ["10.20.7.0/24", "10.0.0.0/8"]
    name = "Route default IPv4 none beside the plan"
    assert detail(name, plain, with_routes(in_main("10.20.7.0/24", "static"), written=written))[0] == "failed"
    assert detail(name, plain, with_routes(in_main("10.0.0.0/8", "static"), written=written))[0] == "passed"


def test_routes_of_an_uplink_in_a_vrf() -> None:
    variables = given(
        vrf_interfaces=[*VARIABLES["T1"]["vrf_interfaces"], {"name": "eth0", "vrf": "CORE"}],
        vrf_default_routes=[{"vrf": "CORE", "gateway": "192.0.2.9", "interface": "eth0"}],
    )
    links = {**STATES["T1"]["links"]["data"], "eth0": {**NIC, "master": "CORE"}}
    name = "Route CORE IPv4 none beside the plan"

    def route(prefix: str, protocol: str, hop: str) -> State:
        moved = [item for item in STATES["T1"]["routes"]["data"] if item["table"] == 200]
        return with_routes(samples.kernel_route(prefix, "unicast", protocol, hop, "eth0"), links=links) | {
            "routes": samples.part([*moved, samples.kernel_route(prefix, "unicast", protocol, hop, "eth0")])
        }

    for prefix, protocol, hop in (
        ("0.0.0.0/0", "boot", "192.0.2.9"),
        ("0.0.0.0/0", "static", "192.0.2.8"),
        ("0.0.0.0/0", "dhcp", "192.0.2.8"),
        ("192.0.2.0/24", "kernel", ""),
    ):
        assert detail(name, variables, route(prefix, protocol, hop))[0] == "passed", (prefix, protocol)
    for prefix, protocol, hop in (("0.0.0.0/0", "boot", "192.0.2.8"), ("198.51.100.0/24", "static", "192.0.2.8")):
        assert detail(name, variables, route(prefix, protocol, hop))[0] == "failed", (prefix, protocol)


def test_one_prefix_in_two_vrfs_is_no_false_alarm() -> None:
    """In another VRF of the plan it may be again; in a table that is not the plan's it may not."""
    other = {
        "vrf_vrfs": [*VARIABLES["T1"]["vrf_vrfs"], {"name": "GUEST", "table": 300}],
        "verify_learned": [*VARIABLES["T1"]["verify_learned"], {"vrf": "GUEST", "interfaces": ["wg7"], "prefixes": ["10.2.0.0/24"]}],
    }
    again = samples.kernel_route("10.2.0.0/24", "unicast", "bgp", "10.253.0.2", "wg7", table=300)
    rib = (samples.rib_route("10.2.0.0/24", "bgp", "10.253.0.2", "wg7", "GUEST"),)
    name = "Route CORE 10.2.0.0/24 in no other table"
    assert detail(name, given(**other), with_routes(again, rib=rib))[0] == "passed"
    assert failed(given(**other), with_routes(again, rib=rib)) == {}
    assert detail(name, given(), with_routes(again, rib=rib))[0] == "failed"
    # Over the link of the wrong VRF it is no more the right route.
    crossed = samples.kernel_route("10.2.0.0/24", "unicast", "bgp", "10.254.0.2", "wg0", table=300)
    assert "Route GUEST IPv4 all of the plan" in failed(given(**other), with_routes(crossed))


def test_a_published_network_as_small_as_a_link_is_no_leak() -> None:
    small = given(verify_learned=[*VARIABLES["T1"]["verify_learned"], {"vrf": "CORE", "interfaces": ["wg0"], "prefixes": ["10.7.0.0/30"]}])
    name = "Route CORE learned no link prefixes"
    assert detail(name, small, learned_too("10.7.0.0/30"))[0] == "passed"
    assert detail(name, small, learned_too("10.7.0.4/30"))[0] == "failed"


def test_a_container_has_the_default_route_that_docker_gave_it() -> None:
    variables = cast(
        HostVariables,
        {
            "verify_roles": ["frr"],
            "frr_interfaces": [{"name": "eth0", "addresses": ["10.100.0.100/24"]}],
            "verify_other_routes": [
                {"prefixes": ["0.0.0.0/0"], "protocols": ["boot"], "interfaces": ["eth0"], "next_hops": ["10.100.0.1"]}
            ],
        },
    )
    link = {"up": True, "kind": None, "master": None, "table": None, "addresses": [{"address": "10.100.0.100/24"}]}
    for hop, status in (("10.100.0.1", "passed"), ("10.100.0.7", "failed")):
        state = {
            "routes": samples.part([in_main("10.100.0.0/24", "kernel", hop=""), in_main("0.0.0.0/0", "boot", hop=hop)]),
            "links": samples.part({"eth0": link}),
            "written": samples.part([]),
            "rib": samples.part([]),
        }
        assert detail("Route default IPv4 none beside the plan", variables, state)[0] == status


def test_where_frr_is_not_compared_its_routes_are_not_judged() -> None:
    variables = given(verify_roles=["vrf"])
    status, found = detail("Route CORE IPv4 none beside the plan", variables, learned_too("10.3.0.0/24"))
    assert (status, "3 of FRR, which is not compared" in found) == ("passed", True)


def test_the_host_waits_for_all_that_is_to_be_learned() -> None:
    state: State = {name: {"data": None} for name in ("bgp", "bfd", "ospf", "ospf6")}
    state["rib"] = {"data": [samples.rib_route("10.2.1.0/24", "bgp", "10.254.0.2", "wg0")]}
    wait = {"routes": [{"vrf": "CORE", "prefix": "10.9.0.0/24"}, {"vrf": "CORE", "prefixes": ["10.2.0.0/24-10.2.2.0/24"]}]}
    assert still_waiting(state, wait) == [f"route CORE {prefix}" for prefix in ("10.9.0.0/24", "10.2.0.0/24", "10.2.2.0/24")]


def test_rows_of_prefixes() -> None:
    assert list(of_rows(["10.0.254.0/24-10.1.1.0/24", "fd00:0:0:ff::/64-fd00:0:0:101::/64", "::/0"])) == [
        *("10.0.254.0/24", "10.0.255.0/24", "10.1.0.0/24", "10.1.1.0/24"),
        *("fd00:0:0:ff::/64", "fd00:0:0:100::/64", "fd00:0:0:101::/64", "::/0"),
    ]


def test_what_the_owner_has_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {
        "interfaces": "auto eth0\niface eth0 inet static\n  address 192.0.2.5/24\n  # up ip route add 10.66.0.0/16 dev eth0\n"
        "  up ip route add 10.1.0.0/16 via 192.0.2.9\n  up route add -net 10.2.0.0 netmask 255.255.0.0 gw 192.0.2.9\n",
        "50-lan.network": "[Match]\nMACAddress=02:00:00:00:00:01\n[Route]\nDestination=2001:db8:1::/48\nGateway=fe80::1\n",
        "lan.nmconnection": "[ipv4]\nroute1=10.3.0.0/16,192.0.2.9,100\npassword=10.99.0.0/16x\n",
        "dhclient.leases": "lease {\n  option rfc3442-classless-static-routes 16,10,4,192,0,2,9,0,192,0,2,1;\n}\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "directory").mkdir()
    monkeypatch.setattr(live_gather_written, "FILES", (f"{tmp_path}/[!d]*", f"{tmp_path}/directory", f"{tmp_path}/missing"))
    monkeypatch.setattr(live_gather_written, "LEASES", f"{tmp_path}/*.leases")
    found = set(live_gather_written.gather_written()["data"])
    assert found >= {"10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "0.0.0.0/0", "2001:db8:1::/48", "192.0.2.0/24"}
    assert found.isdisjoint({"10.66.0.0/16", "10.99.0.0/16", "::/0"})

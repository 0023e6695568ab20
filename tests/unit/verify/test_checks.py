"""Every check passes on a healthy network, and each fails, naming peer, state and expectation, when its subject is broken."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, cast

import pytest
import verify_samples as samples
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import (
    Check,
    gather_arguments,
    host_checks,
    redact,
    unreachable,
)

State = dict[str, Any]
VARIABLES, REGISTRY, STATES = samples.network(2)
PEER = samples.loopback(2)
PEER_KEY = samples.key_of("T2", "wg0")


def checks_of(state: State, variables: HostVariables | None = None, registry: dict[str, dict[str, str]] | None = None) -> list[Check]:
    return host_checks("T1", variables or VARIABLES["T1"], state, REGISTRY if registry is None else registry)


def failed(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.detail for check in checks if check.status == "failed"}


def data(state: State, part: str) -> Any:
    return state[part]["data"]


@pytest.mark.parametrize("count", [2, 20])
def test_a_healthy_network_passes_every_check(count: int) -> None:
    variables, registry, states = samples.network(count)
    for host, state in states.items():
        checks = host_checks(host, variables[host], state, registry)
        assert failed(checks) == {}
        names = [check.name for check in checks]
        assert len(names) == len(set(names)), "names are unique"
        assert all(check.command for check in checks if check.status == "passed")
        assert not [check.name for check in checks if check.status == "skipped"]


def remove_link(name: str) -> Callable[[State], None]:
    return lambda state: data(state, "links").pop(name)


def put(part: str, *path: Any) -> Callable[[State], None]:
    """Set a value deep inside a part; the last item is the value."""

    def change(state: State) -> None:
        target = data(state, part)
        for key in path[:-2]:
            target = target[key]
        target[path[-2]] = path[-1]

    return change


def add_address(name: str, address: str, family: int) -> Callable[[State], None]:
    return lambda state: data(state, "links")[name]["addresses"].append({"address": address, "family": family, "scope": "global"})


def rename_key(state: State) -> None:
    peers = data(state, "wireguard")["wg0"]["peers"]
    peers["wrong-key="] = peers.pop(PEER_KEY)


def drop(part: str, **fields: Any) -> Callable[[State], None]:
    """Remove from a list the items that have these values."""

    def change(state: State) -> None:
        state[part]["data"] = [item for item in data(state, part) if any(item[key] != value for key, value in fields.items())]

    return change


def ping(identity: str, **values: Any) -> Callable[[State], None]:
    return lambda state: next(item for item in data(state, "pings") if item["id"] == identity).update(values)


def of_route(part: str, prefix: str, **values: Any) -> Callable[[State], None]:
    return lambda state: next(item for item in data(state, part) if item["prefix"] == prefix).update(values)


NEIGHBOR = f"BGP CORE neighbor {PEER}"
FAULTS: list[tuple[str, Callable[[State], Any], str, str]] = [
    # what is broken, how, the check that must fail, words its detail must hold
    ("sysctl", put("sysctl", "net.ipv4.ip_forward", "0"), "Kernel net.ipv4.ip_forward", "found 0, expected 1"),
    ("sysctl missing", put("sysctl", "net.core.default_qdisc", None), "Kernel net.core.default_qdisc", "found nothing, expected fq"),
    (
        "another program is installed",
        put("frr_processes", "daemons", "bgpd", "replaced", True),
        "FRR daemons as installed",
        "bgpd: the program was replaced since its start, and the former one runs.",
    ),
    ("watchfrr is behind", put("frr_processes", "unnoticed", [62]), "FRR watchfrr has noticed what ended", "not that of 62;"),
    (
        "another file sets it at boot",
        put("sysctl_behind", "net.ipv4.ip_forward", ["/etc/sysctl.conf", "0"]),
        "Kernel settings at boot",
        "/etc/sysctl.conf sets net.ipv4.ip_forward to 0, expected 1; read behind /etc/sysctl.d/90-xgn.conf",
    ),
    ("vrf gone", remove_link("CORE"), "VRF CORE exists with table 200", "no device CORE"),
    ("vrf table", put("links", "CORE", "table", 201), "VRF CORE exists with table 200", "found 201, expected 200"),
    ("vrf down", put("links", "CORE", "up", False), "VRF CORE exists with table 200", "CORE is down"),
    ("vrf is a bridge", put("links", "CORE", "kind", "bridge"), "VRF CORE exists with table 200", "CORE is a bridge"),
    ("no closing route", drop("routes", prefix="0.0.0.0/0"), "VRF CORE IPv4 lookups end in its table", "no default route"),
    ("closing metric", of_route("routes", "::/0", metric=1024), "VRF CORE IPv6 lookups end in its table", "metric 1024"),
    ("local first", put("rules4", 1, "priority", 0), "VRF rules IPv4 ask the VRF before local", "local at priority 0"),
    (
        "local of another protocol",
        put("rules6", 1, "kernel", False),
        "VRF rules IPv6 ask the VRF before local",
        "systemd-networkd removes it",
    ),
    (
        "a rule past the VRFs",
        lambda state: data(state, "rules4").insert(0, {"priority": 500, "l3mdev": False, "table": 254, "kernel": False, "every": True}),
        "VRF rules IPv4 ask the VRF before local",
        "rule 500 for table 254 comes before l3mdev at 1000",
    ),
    (
        "a route by hand",
        lambda state: data(state, "routes").append(samples.kernel_route("10.9.0.0/16", "unicast", "boot", "10.254.0.2", "wg0")),
        "Route CORE IPv4 none beside the plan",
        "found 10.9.0.0/16 via 10.254.0.2 dev wg0 (protocol boot, set by hand; site removes it)",
    ),
    (
        "an IPv6 route by hand",
        lambda state: data(state, "routes").append(samples.kernel_route("2001:db8::/48", "unicast", "static", "", "wg0")),
        "Route CORE IPv6 none beside the plan",
        "found 2001:db8::/48 dev wg0 (protocol static, neither planned nor written in a file of a network manager)",
    ),
    (
        "a route by hand in the main table",
        lambda state: data(state, "routes").append(samples.kernel_route("10.9.0.0/16", "unicast", "boot", "192.0.2.7", "eth0", table=254)),
        "Route default IPv4 none beside the plan",
        "found 10.9.0.0/16 via 192.0.2.7 dev eth0 (protocol boot, neither planned nor written in a file of a network manager)",
    ),
    (
        "an IPv6 route by hand in the main table",
        lambda state: data(state, "routes").append(samples.kernel_route("2001:db8::/48", "unicast", "200", "", "eth0", table=254)),
        "Route default IPv6 none beside the plan",
        "found 2001:db8::/48 dev eth0 (protocol 200, ",
    ),
    (
        "a prefix that is not learned",
        drop("routes", prefix="10.2.0.0/24"),
        "Route CORE IPv4 all of the plan",
        "missing 1 of 1: 10.2.0.0/24",
    ),
    ("no l3mdev", put("rules6", 0, "l3mdev", False), "VRF rules IPv6 ask the VRF before local", "no l3mdev rule"),
    ("link gone", remove_link("wg0"), "Interface wg0 up", "no interface wg0, expected a wireguard"),
    ("link down", put("links", "br0", "up", False), "Interface br0 up", "br0 is down"),
    ("wrong kind", put("links", "br0", "kind", "dummy"), "Interface br0 up", "br0 is a dummy, expected a bridge"),
    ("not enslaved", put("links", "wg0", "master", None), "Interface wg0 in VRF CORE", "found nothing, expected CORE"),
    ("mtu", put("links", "wg0", "mtu", 1420), "Interface wg0 MTU", "found 1420, expected 1412"),
    ("mac", put("links", "br0", "mac", "02:00:00:00:00:99"), "Interface br0 MAC", "expected 02:00:00:00:00:01"),
    ("address gone", put("links", "wg0", "addresses", []), "Interface wg0 addresses", "missing 10.254.0.1/30"),
    ("address extra", add_address("wg0", "192.0.2.9/24", 4), "Interface wg0 addresses", "extra 192.0.2.9/24"),
    ("v6 extra", add_address("br0", "2001:db8::9/64", 6), "Interface br0 addresses", "extra 2001:db8::9/64"),
    ("port", put("wireguard", "wg0", "listen_port", 1), "WireGuard wg0 listen port", "found 1, expected 51820"),
    ("identity", put("wireguard", "wg0", "public_key", None), "WireGuard wg0 own key as registered", "found nothing, expected "),
    ("peer key", rename_key, "WireGuard wg0 peer T2 key", "(T2), found wrong-key="),
    ("peer not declared", rename_key, "WireGuard wg0 has no other peers", "wrong-key="),
    (
        "allowed ips",
        put("wireguard", "wg0", "peers", PEER_KEY, "allowed_ips", []),
        "WireGuard wg0 peer T2 allowed IPs",
        "missing 0.0.0.0/0",
    ),
    (
        "keepalive",
        put("wireguard", "wg0", "peers", PEER_KEY, "keepalive", 25),
        "WireGuard wg0 peer T2 keepalive",
        "found 25 s, expected 5 s",
    ),
    (
        "psk",
        put("wireguard", "wg0", "peers", PEER_KEY, "preshared", True),
        "WireGuard wg0 peer T2 preshared key",
        "found set, expected not",
    ),
    (
        "no handshake",
        put("wireguard", "wg0", "peers", PEER_KEY, "handshake_age", None),
        "WireGuard wg0 peer T2 handshake",
        "no handshake with T2",
    ),
    ("old handshake", put("wireguard", "wg0", "peers", PEER_KEY, "handshake_age", 181), "WireGuard wg0 peer T2 handshake", "3 min 1 s ago"),
    (
        "file mode",
        put("wireguard_files", "wg0", "mode", "0644"),
        "WireGuard wg0 file is private and sets no address",
        "mode 0644, expected 0600",
    ),
    ("file owner", put("wireguard_files", "wg0", "owner", "1000:0"), "WireGuard wg0 file is private and sets no address", "owner 1000:0"),
    ("file address", put("wireguard_files", "wg0", "address", True), "WireGuard wg0 file is private and sets no address", "Address line"),
    ("file table", put("wireguard_files", "wg0", "table", None), "WireGuard wg0 file is private and sets no address", "Table is not set"),
    ("no file", put("wireguard_files", "wg0", None), "WireGuard wg0 file is private and sets no address", "no readable file"),
    ("no instance", put("bgp", "CORE", {}), f"{NEIGHBOR} established", "is not configured in VRF CORE"),
    ("wrong vrf", lambda s: data(s, "bgp").update(default=data(s, "bgp").pop("CORE")), "BGP CORE instance", "found default"),
    (
        "other as",
        put("bgp", "CORE", PEER, "local_as", 65999),
        "BGP CORE instance",
        "found AS 65999 router ID 10.255.0.1, expected AS 65001",
    ),
    ("router id", put("bgp", "CORE", PEER, "local_router_id", "9.9.9.9"), "BGP CORE instance", "router ID 9.9.9.9"),
    (
        "idle",
        put("bgp", "CORE", PEER, "state", "Active"),
        f"{NEIGHBOR} established",
        f"{PEER} AS 65002 (T2) is Active, expected Established",
    ),
    ("remote as", put("bgp", "CORE", PEER, "remote_as", 1), f"{NEIGHBOR} established", "found AS 1"),
    (
        "stranger",
        lambda s: data(s, "bgp")["CORE"].update({"9.9.9.9": data(s, "bgp")["CORE"][PEER]}),
        "BGP CORE has no other neighbors",
        "9.9.9.9",
    ),
    (
        "other filter",
        put("inbound", "neighbors", 0, "route_map", "ALL"),
        f"{NEIGHBOR} inbound filter",
        "found route map ALL, expected FROM-T2",
    ),
    (
        "no filter",
        put("inbound", "neighbors", 0, "route_map", None),
        f"{NEIGHBOR} inbound filter",
        "found route map none, expected FROM-T2",
    ),
    (
        "no limit",
        put("inbound", "neighbors", 0, "limit", None),
        f"{NEIGHBOR} inbound filter",
        "found at most any number of prefixes, expected 16 restart 5",
    ),
    (
        "limit that only warns",
        put("inbound", "neighbors", 0, "limit", "16 warning-only"),
        f"{NEIGHBOR} inbound filter",
        "found at most 16 warning-only",
    ),
    ("not activated", put("inbound", "neighbors", []), f"{NEIGHBOR} inbound filter", "ipv4 is not activated"),
    (
        "a prefix more",
        put("inbound", "policy", "ip prefix-list FROM-T2 seq 5 permit any", []),
        f"{NEIGHBOR} inbound filter",
        "has `ip prefix-list FROM-T2 seq 5 permit any`, which is not planned",
    ),
    (
        "an entry more",
        put("inbound", "policy", "route-map FROM-T2 permit 5", []),
        f"{NEIGHBOR} inbound filter",
        "has `route-map FROM-T2 permit 5`, which is not planned",
    ),
    (
        "an entry without its condition",
        put("inbound", "policy", "route-map FROM-T2 permit 10", [" set local-preference 5"]),
        f"{NEIGHBOR} inbound filter",
        "`route-map FROM-T2 permit 10` lacks `match ip address prefix-list FROM-T2`",
    ),
    (
        "list gone",
        lambda s: data(s, "inbound")["policy"].pop("ip prefix-list FROM-T2 seq 10 permit 10.2.0.0/24"),
        f"{NEIGHBOR} inbound filter",
        "lacks `ip prefix-list FROM-T2 seq 10 permit 10.2.0.0/24`",
    ),
    ("not valid", put("originated", 0, "data", "valid", False), "BGP CORE originates 10.1.0.0/24", "no neighbor gets it"),
    ("not known", put("originated", 0, "data", "known", False), "BGP CORE originates 10.1.0.0/24", "no own entry for 10.1.0.0/24"),
    ("not asked", lambda s: data(s, "originated").clear(), "BGP CORE originates 10.1.0.0/24", "was not asked for"),
    ("family", put("bgp", "CORE", PEER, "families", {}), f"{NEIGHBOR} address families", "not negotiated ipv4Unicast"),
    ("no password", put("bgp", "CORE", PEER, "password", False), f"{NEIGHBOR} TCP password", "found not set, expected set"),
    ("source", put("bgp", "CORE", PEER, "local_address", "10.254.0.1"), f"{NEIGHBOR} source address", "expected 10.255.0.1"),
    ("bfd down", put("bfd", 0, "status", "down"), f"BFD CORE peer {PEER} up", f"session with {PEER} is down, expected up"),
    ("bfd elsewhere", put("bfd", 0, "vrf", "default"), f"BFD CORE peer {PEER} up", "found it in VRF default"),
    ("bfd timers", put("bfd", 0, "receive", 1000), f"BFD CORE peer {PEER} timers of profile TUNNEL", "receive 1000, expected 300"),
    ("bfd multiplier", put("bfd", 0, "multiplier", 5), f"BFD CORE peer {PEER} timers of profile TUNNEL", "multiplier 5, expected 3"),
    (
        "static gone",
        drop("rib", prefix=f"{PEER}/32"),
        f"Route CORE {PEER}/32 static via 10.254.0.2 dev wg0",
        f"no static route {PEER}/32 via 10.254.0.2 dev wg0",
    ),
    (
        "static inactive",
        of_route("rib", f"{PEER}/32", installed=False),
        f"Route CORE {PEER}/32 static via 10.254.0.2 dev wg0",
        "known to FRR but not installed",
    ),
    (
        "static missed",
        put(
            "frr_missed",
            "routes",
            [{"vrf": "CORE", "line": "", "prefix": f"{PEER}/32", "next_hop": "10.254.0.2", "interface": "wg0"}],
        ),
        f"Route CORE {PEER}/32 static via 10.254.0.2 dev wg0",
        "is inactive in FRR although its interface is up; one of FRR's daemons has missed a change",
    ),
    (
        "stale next hop",
        put("frr_missed", "next_hops", [{"vrf": "CORE", "address": PEER}, {"vrf": "other", "address": "10.0.0.9"}]),
        "BGP CORE next hops",
        f"bgpd takes {PEER} for dead although zebra resolves it",
    ),
    (
        "stale IPv6 next hop",
        put("frr_missed", "next_hops", [{"vrf": "CORE", "address": "fd00:255::2"}]),
        "BGP CORE next hops",
        "bgpd takes fd00:255::2 for dead although zebra resolves it",
    ),
    (
        "config",
        put("frr_config", slice(0, 0), ["+ neighbor 1.2.3.4 remote-as 5"]),
        "FRR configuration runs as in frr.conf",
        "1 lines differ",
    ),
    ("route gone", drop("rib", prefix="10.2.0.0/24"), "Route CORE 10.2.0.0/24 by bgp", "no such route, expected 10.2.0.0/24 by bgp"),
    (
        "route by other",
        of_route("rib", "10.2.0.0/24", protocol="static"),
        "Route CORE 10.2.0.0/24 by bgp",
        "found it by static, expected bgp",
    ),
    ("route not in kernel", drop("routes", prefix="10.2.0.0/24"), "Route CORE 10.2.0.0/24 by bgp", "kernel's table 200 has no 10.2.0.0/24"),
    ("route in main", of_route("routes", "10.2.0.0/24", table=254), "Route CORE 10.2.0.0/24 in no other table", "in table main too"),
    (
        "leak /30",
        lambda s: data(s, "rib").append(samples.rib_route("10.254.9.0/30", "bgp", "10.254.0.2", "wg0")),
        "Route CORE learned no link prefixes",
        "learned 10.254.9.0/30 by bgp",
    ),
    (
        "leak /127",
        lambda s: data(s, "rib").append(samples.rib_route("fd00:254::8/127", "ospf6", "fe80::2", "wg0")),
        "Route CORE learned no link prefixes",
        "learned fd00:254::8/127 by ospf6",
    ),
    (
        "leak default",
        lambda s: data(s, "rib").append(samples.rib_route("10.254.9.0/31", "ospf", "1.2.3.4", "eth0", "default")),
        "Route default learned no link prefixes",
        "learned 10.254.9.0/31 by ospf",
    ),
    (
        "no answer",
        ping("reach 0", received=0, note="From 10.254.0.2: Destination Host Unreachable"),
        "Reach 10.2.0.1 from 10.1.0.1 in VRF CORE",
        "0 of 3",
    ),
    (
        "mtu too small",
        ping("fits 0", received=0),
        "Reach 10.2.0.1 from 10.1.0.1 in VRF CORE with 1412 bytes unfragmented",
        "expected an answer",
    ),
    (
        "mtu too large",
        ping("over 0", received=2),
        "Reach 10.2.0.1 from 10.1.0.1 in VRF CORE not with 1413 bytes",
        "carries more than planned",
    ),
    ("vacuous", ping("fits 0", received=0), "Reach 10.2.0.1 from 10.1.0.1 in VRF CORE not with 1413 bytes", "says nothing"),
    ("ping missing", ping("reach 0", error="ping is not installed"), "Reach 10.2.0.1 from 10.1.0.1 in VRF CORE", "ping is not installed"),
    (
        "unit down",
        put("units", "frr.service", "ActiveState", "failed"),
        "Unit frr.service enabled and active",
        "failed (success), expected active",
    ),
    (
        "unit disabled",
        put("units", "interface.service", "UnitFileState", "disabled"),
        "Unit interface.service enabled and active",
        "expected enabled",
    ),
    ("unit gone", put("units", "frr.service", "LoadState", "not-found"), "Unit frr.service enabled and active", "does not exist"),
    ("unit stale", put("units", "frr.service", "NeedDaemonReload", True), "Unit frr.service enabled and active", "daemon-reload"),
    (
        "no after",
        put("units", "frr.service", "After", []),
        "Boot order interface.service before frr.service",
        "does not name interface.service",
    ),
    (
        "no after tunnel",
        put("units", "interface.service", "After", ["network.target"]),
        "Boot order wg-quick@wg0.service before interface.service",
        "does not name wg-quick@wg0.service",
    ),
    (
        "started early",
        put("units", "frr.service", "ActiveEnterTimestampMonotonic", 10_000_000),
        "Boot times follow the order",
        "frr.service at 10.0 s before interface.service at 14.9 s",
    ),
    (
        "not started",
        put("units", "frr.service", "ActiveEnterTimestampMonotonic", 0),
        "Boot times follow the order",
        "frr.service was not started",
    ),
    (
        "cycle",
        put("ordering_cycles", slice(0, 0), ["Found ordering cycle on frr.service/start"]),
        "Boot without an ordering cycle",
        "ordering cycle",
    ),
    ("verify", put("units_verify", slice(0, 0), ["frr.service: Unknown key"]), "Boot units verify clean", "frr.service: Unknown key"),
    (
        "manager",
        lambda s: data(s, "units").update({"NetworkManager.service": {"ActiveState": "active"}}),
        "Unit NetworkManager.service not running",
        "found active, expected it off",
    ),
]


@pytest.mark.parametrize(("change", "name", "words"), [fault[1:] for fault in FAULTS], ids=[fault[0] for fault in FAULTS])
def test_a_fault_fails_its_check(change: Callable[[State], Any], name: str, words: str) -> None:
    state = deepcopy(STATES["T1"])
    change(state)
    problems = failed(checks_of(state))
    assert name in problems
    assert words in problems[name]


@pytest.mark.parametrize(
    ("managed", "words"),
    [
        ({"eth0": "connected", "wg0": "unmanaged", "CORE": "unmanaged"}, ""),
        ({"eth0": "connected", "wg0": "connected (externally)"}, "it manages wg0 (connected (externally)), expected unmanaged"),
    ],
)
def test_a_network_manager_that_may_run_leaves_ours_alone(managed: dict[str, str], words: str) -> None:
    state = deepcopy(STATES["T1"])
    data(state, "units").update({"NetworkManager.service": {"ActiveState": "active"}})
    state["managed_by_nm"] = {"command": "nmcli device", "data": managed, "error": None}
    problems = failed(checks_of(state, cast(HostVariables, {**VARIABLES["T1"], "preflight_allow_network_manager": True})))
    assert ("NetworkManager leaves our interfaces alone" in problems) is bool(words)
    assert words in "".join(problems.values())
    data(state, "units").pop("NetworkManager.service")
    problems = failed(checks_of(state, cast(HostVariables, {**VARIABLES["T1"], "preflight_allow_network_manager": True})))
    assert "NetworkManager leaves our interfaces alone" not in problems


def test_each_check_has_a_fault() -> None:
    """No check of the sample is left that no fault above makes fail."""
    tested = {fault[2] for fault in FAULTS}
    family = {check.name for check in checks_of(STATES["T1"])} - tested
    # One of several alike is broken above; these are its siblings, and the one that stands for the connection.
    alike = ("Kernel ", "Unit wg-quick", "Interface br0 in", "Interface CORE", "Boot order network-online", "Host reachable")
    assert [name for name in sorted(family) if not name.startswith(alike)] == []


@pytest.mark.parametrize("part", [part for part in STATES["T1"] if part not in ("system", "waited")])
def test_a_part_that_was_not_gathered_fails_its_checks_and_raises_nothing(part: str) -> None:
    state = deepcopy(STATES["T1"])
    state[part] = {"command": "the command", "data": None, "error": "it is not installed"}
    problems = failed(checks_of(state))
    if part not in ("frr_version", "ospf"):
        assert any("could not be read" in detail for detail in problems.values())
    del state[part]
    checks_of(state)


def test_a_registry_without_the_keys_fails_the_keys() -> None:
    problems = failed(checks_of(STATES["T1"], registry={}))
    assert "the registry has no key of T1 wg0" in problems["WireGuard wg0 own key as registered"]
    assert "the registry has no key of T2 wg0" in problems["WireGuard wg0 peer T2 key"]
    assert "WireGuard wg0 has no other peers" in problems


def test_an_explicit_public_key_wins_over_the_registry() -> None:
    variables = deepcopy(VARIABLES["T1"])
    variables["wireguard_interfaces"][0]["peers"][0]["public_key"] = PEER_KEY
    assert failed(checks_of(STATES["T1"], variables, {"T1": REGISTRY["T1"], "T2": {"wg0": "old"}})) == {}


def test_boot_times_are_skipped_after_a_restart() -> None:
    state = deepcopy(STATES["T1"])
    data(state, "units")["wg-quick@wg0.service"]["ActiveEnterTimestampMonotonic"] = 99_000_000
    check = next(item for item in checks_of(state) if item.name == "Boot times follow the order")
    assert check.status == "skipped"
    assert "wg-quick@wg0.service" in check.detail


def test_a_unit_that_was_started_again_says_nothing_of_the_order() -> None:
    """Its time is that of the second start; the others waited for the first."""
    state = deepcopy(STATES["T1"])
    times = {name: data(state, "units")[name] for name in ("wg-quick@wg0.service", "interface.service")}
    times["wg-quick@wg0.service"]["ActiveEnterTimestampMonotonic"] = int(times["interface.service"]["ActiveEnterTimestampMonotonic"]) + 1
    assert next(item for item in checks_of(state) if item.name == "Boot times follow the order").status == "failed"
    times["wg-quick@wg0.service"]["NRestarts"] = 1
    assert next(item for item in checks_of(state) if item.name == "Boot times follow the order").status == "passed"
    # That start may come after the end of the boot, too.
    times["wg-quick@wg0.service"]["ActiveEnterTimestampMonotonic"] = 99_000_000
    check = next(item for item in checks_of(state) if item.name == "Boot times follow the order")
    assert (check.status, "wg-quick@wg0.service started again at 99.0 s" in check.detail) == ("passed", True)


def test_roles_left_out_are_skipped_with_the_reason() -> None:
    variables = VARIABLES["T1"] | {"verify_roles": ["sysctl", "vrf"]}
    checks = checks_of(STATES["T1"], variables)
    skipped = {check.name: check.detail for check in checks if check.status == "skipped"}
    assert skipped["Role wireguard"] == "verify_roles does not name wireguard"
    assert not [check.name for check in checks if check.name.startswith(("WireGuard", "BGP", "BFD"))]
    bare = checks_of(STATES["T1"], {"verify_roles": ["sysctl", "frr"]})
    assert {check.name: check.detail for check in bare if check.status == "skipped"}[
        "Role frr"
    ] == "this host declares nothing for role frr"


def test_an_own_link_that_ospf_repeats_is_no_leak() -> None:
    state = deepcopy(STATES["T1"])
    repeated = {**samples.rib_route("10.254.0.0/30", "ospf", None, "wg0"), "selected": False, "installed": False}
    data(state, "rib").append(repeated)
    assert failed(checks_of(state)) == {}


def test_what_is_asked_of_the_host() -> None:
    asked = gather_arguments(VARIABLES["T1"] | {"verify_wait": 30})
    assert asked["expect"]["bgp"] == [{"vrf": "CORE", "address": PEER}]
    assert asked["expect"]["bfd"] == asked["expect"]["bgp"]
    assert asked["expect"]["routes"] == [{"vrf": "CORE", "prefix": "10.2.0.0/24"}, {"vrf": "CORE", "prefixes": ["10.2.0.0/24"]}]
    assert asked["wait"] == 30
    assert asked["verify_units"] == ["wg-quick@wg0.service", "interface.service", "frr.service"]
    assert [(item["id"], item.get("size"), item.get("df")) for item in asked["pings"]] == [
        ("reach 0", None, None),
        ("fits 0", 1384, True),
        ("over 0", 1385, True),
    ]
    v6 = gather_arguments({"verify_reach": [{"destination": "2001:db8::1", "mtu": 1412}]})
    assert [item.get("size") for item in v6["pings"]] == [None, 1364, 1365]
    assert samples.PASSWORD not in str(asked)


def test_a_host_without_frr_is_not_asked_for_it() -> None:
    asked = gather_arguments({})
    assert (asked["frr"], asked["frr_config"], asked["wait"], asked["pings"]) == (False, False, 0, [])


def test_an_unreachable_host_is_one_failed_check() -> None:
    (check,) = unreachable("T9", "not reachable: connection timed out")
    assert (check.host, check.name, check.status) == ("T9", "Host reachable", "failed")
    assert "connection timed out" in check.detail


def test_secrets_are_covered_even_where_a_program_prints_them() -> None:
    checks = [Check("T1", "FRR configuration", "failed", f"echo {samples.PASSWORD}", f"+ neighbor X password {samples.PASSWORD}")]
    (covered,) = redact(checks, {samples.PASSWORD: "password"})
    assert samples.PASSWORD not in covered.detail + covered.command
    assert covered.detail == "+ neighbor X password <secret password>"

"""Overrides: what may be written over a plan and what not, where a mistake is told, and that the plan holds no secret of theirs."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.entries import ENTRIES
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import sentences
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.overrides import Layer, Rank, Resolver, is_layer, read_layers
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.play_variables import Failures
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.schema_files import intent_options
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import overrides
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.fixed import FIXED, Hold, option_of
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.overrides import Catalog, Overridden, with_overrides
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan, make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.plan_directory import drawing_files, plan_files
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs, variable_problems

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests" / "golden"
SPECS = load_role_specs(ROOT / "roles")
OPTIONS = {name: spec for name, spec in SPECS.options.items() if SPECS.may_be_overridden(name)}


class Failed(Exception):
    """What a template raises."""


class Undefined(Failed):
    """It uses a variable that is not defined."""


def template(value: Any) -> Any:
    """Resolve what the tests write in braces."""
    if isinstance(value, dict):
        return {key: template(item) for key, item in value.items()}
    if isinstance(value, list):
        return [template(item) for item in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    known = {"{{ three }}": 3, "{{ vault_three }}": 3, "{{ partner }}": {"address": "192.0.2.9"}}
    if value not in known:
        raise Undefined(f"{value.strip('{ }')!r} is undefined")
    return known[value]


RESOLVER = Resolver(template, lambda value: isinstance(value, str) and "vault_" in value, Failures(Failed, Undefined))


def read(of_the_run: tuple[str, ...] = (), **variables: Any) -> tuple[list[Layer], list[str]]:
    """Read the variables of a host; returns its layers, and the mistakes of form."""
    layers, problems = read_layers(variables, of_the_run, OPTIONS, RESOLVER)
    return layers, sentences(problems)


def pair() -> Plan:
    return make_plan(read_yaml((GOLDEN / "overrides" / "intent.yml").read_text(encoding="utf-8")))


BARE = pair()


def catalog(beside: Mapping[str, Any] | None = None) -> Catalog:
    own = dict(beside or {})
    return Catalog(
        SPECS.options,
        SPECS.defaults,
        lambda host, variables: variable_problems({**own, **variables}, SPECS),
        lambda host, name, value: name in own and own[name] != value,
    )


def lay(host: str = "hq", of_the_run: tuple[str, ...] = (), beside: Mapping[str, Any] | None = None, **variables: Any) -> Overridden:
    """Lay the overrides of one host over the plan of the pair."""
    layers, problems = read(of_the_run, **variables)
    assert problems == []
    return with_overrides(BARE, {host: layers}, catalog(beside))


def over(host: str = "hq", **variables: Any) -> Overridden:
    return lay(host, xgn_overrides=variables)


def told(found: Overridden) -> tuple[list[str], list[str]]:
    return overrides.sentences(found.mistakes), overrides.sentences(found.remarks)


def hq(found: Overridden) -> dict[str, Any]:
    assert told(found)[0] == []
    return cast(dict[str, Any], found.plan.hosts["hq"])


NEIGHBOR = {
    "address": "10.0.1.9",
    "remote_as": 64999,
    "families": [{"family": "ipv4", "route_map_in": "PUBLISHED", "route_map_out": "PUBLISHED"}],
}


# ---- what may be written over a plan ------------------------------------------------------------------------------------------------------------


def test_a_timer_a_neighbor_and_a_line() -> None:
    found = over(
        frr_bgp=[{"vrf": "CORE", "neighbors": [{"address": "10.255.0.2", "keepalive": "{{ three }}", "holdtime": 9}, NEIGHBOR]}],
        firewall_open_ports=[{"protocol": "udp", "port": 51822, "remove": True}],
    )
    before, after = copy.deepcopy(cast(dict[str, Any], BARE.hosts["hq"])), hq(found)
    assert after.pop("verify_overrides") == [
        "BGP in CORE, neighbor 10.255.0.2, keepalive: 3 added (xgn_overrides)",
        "BGP in CORE, neighbor 10.255.0.2, holdtime: 9 added (xgn_overrides)",
        "BGP in CORE, neighbor 10.0.1.9: added (xgn_overrides)",
        "open port udp 51822: removed (xgn_overrides)",
    ]
    assert list(after) == list(before), "each variable stays in its place"
    before["frr_bgp"][0]["neighbors"][0].update(keepalive=3, holdtime=9)
    before["frr_bgp"][0]["neighbors"].append(NEIGHBOR)
    before["firewall_open_ports"] = []
    assert after == before
    assert found.plan.hosts["branch"] == BARE.hosts["branch"] and told(found)[1] == []


def test_values_are_added_and_removed_and_take_the_place_of_all() -> None:
    assert hq(over(firewall_ssh_from=["203.0.113.0/24"]))["firewall_ssh_from"] == ["192.0.2.0/24", "203.0.113.0/24"]
    assert hq(over(firewall_ssh_from={"remove": ["192.0.2.0/24"], "add": ["::/0"]}))["firewall_ssh_from"] == ["::/0"]
    assert hq(over(firewall_ssh_from=["::/0"], remove=["firewall_ssh_from"]))["firewall_ssh_from"] == ["::/0"]
    assert "firewall_ssh_from" not in hq(over(remove=["firewall_ssh_from"])), "the role's default counts"
    port = {"protocol": "udp", "port": 51822}
    assert hq(over(firewall_open_ports=[{**port, "remove": ["from"], "from": ["::/0"]}]))["firewall_open_ports"] == [
        {**port, "from": ["::/0"]}
    ]
    assert hq(over(firewall_open_ports=[{**port, "remove": ["from"]}]))["firewall_open_ports"] == [port]


def test_what_the_role_takes_by_itself_is_added_to() -> None:
    assert hq(over(frr_after_units=["x.service"]))["frr_after_units"] == ["interface.service", "x.service"]
    assert hq(over(frr_log_level="debugging"))["verify_overrides"] == ["frr_log_level: informational becomes debugging (xgn_overrides)"]


def test_the_address_of_a_lan_is_added_and_that_of_another_node_is_not() -> None:
    found = over(frr_interfaces=[{"name": "eth1", "addresses": ["192.168.0.1/24"]}])
    assert [item["addresses"] for item in hq(found)["frr_interfaces"] if item["name"] == "eth1"] == [["10.0.1.1/24", "192.168.0.1/24"]]
    taken = told(over(frr_interfaces=[{"name": "eth1", "addresses": ["10.0.2.1/32"]}]))[0]
    assert any(line.startswith("hq: frr_interfaces: '10.0.2.1/32' of eth1 is an address of branch in this plan") for line in taken)
    assert hq(over(frr_interfaces=[{"name": "eth1", "addresses": ["fe80::1/64"]}])), "that means something on its own link only"


def test_what_is_written_for_other_hosts_does_nothing_here() -> None:
    layers, _problems = read(xgn_overrides={"frr_log_level": "debugging"})
    found = with_overrides(BARE, {"another": layers, "hq": [], "branch": read(xgn_overrides={})[0]}, catalog())
    assert found.plan.hosts == BARE.hosts and found.plan.overrides == {}


def test_ranks() -> None:
    """xgn_overrides lies over what has a name behind it, what is given to the run over both; each adds to the one beneath."""
    shared = {"frr_log_level": "errors", "firewall_ssh_from": ["203.0.113.0/24"], "sysctl_settings": {"a.b": 1}}
    own = {"frr_log_level": "warnings", "firewall_ssh_from": ["::/0"], "sysctl_settings": {"a.c": 1}}
    run = {"frr_log_level": "debugging", "sysctl_settings": {"a.b": 2}}
    after = hq(lay(of_the_run=("xgn_overrides_a_run",), xgn_overrides=own, xgn_overrides_z=shared, xgn_overrides_a_run=run))
    assert after["frr_log_level"] == "debugging"
    assert after["firewall_ssh_from"] == ["192.0.2.0/24", "203.0.113.0/24", "::/0"]
    assert after["sysctl_settings"] == {"a.b": 2, "a.c": 1}
    assert [line.rpartition(" (")[2] for line in after["verify_overrides"] if line.startswith("frr_log_level")] == [
        "xgn_overrides_z)",
        "xgn_overrides)",
        "xgn_overrides_a_run)",
    ]
    layers, _problems = read(("xgn_overrides_a_run",), xgn_overrides=own, xgn_overrides_z=shared, xgn_overrides_a_run=run)
    assert [(layer.name, layer.rank) for layer in layers] == [
        ("xgn_overrides_z", Rank.SHARED),
        ("xgn_overrides", Rank.HOST),
        ("xgn_overrides_a_run", Rank.RUN),
    ]


def test_two_groups_that_contradict_each_other() -> None:
    one, other = (
        {"frr_log_level": "errors", "firewall_ssh_from": ["::/0"]},
        {"frr_log_level": "debugging", "firewall_ssh_from": ["10.0.0.0/8"]},
    )
    (mistake,) = told(lay(xgn_overrides_a=one, xgn_overrides_b=other))[0]
    assert mistake == (
        "hq: xgn_overrides_b.frr_log_level: 'debugging' contradicts another override; xgn_overrides_a.frr_log_level says something else, and neither lies "
        "over the other; say it once, or in xgn_overrides, which lies over both"
    )
    assert hq(lay(xgn_overrides_a=one, xgn_overrides_b=other, xgn_overrides={"frr_log_level": "warnings"}))["frr_log_level"] == "warnings"
    assert hq(lay(xgn_overrides_a=one, xgn_overrides_b=one))["frr_log_level"] == "errors"
    runs = told(
        lay(
            of_the_run=("xgn_overrides_a", "xgn_overrides_b"),
            xgn_overrides_a=one,
            xgn_overrides_b=other,
            xgn_overrides={"frr_log_level": "alerts"},
        )
    )
    assert len(runs[0]) == 1 and runs[0][0].endswith("neither lies over the other; say it once")


# ---- what is refused ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "path", "option"),
    [
        ({"frr_bgp": [{"vrf": "CORE", "asn": 65009}]}, "frr_bgp[0].asn", "xgn_nodes.hq.asn"),
        ({"frr_bgp": [{"vrf": "CORE", "router_id": "192.0.2.1"}]}, "frr_bgp[0].router_id", "xgn_nodes.hq.router_id"),
        ({"frr_bgp": [{"vrf": "CORE", "remove": True}]}, "frr_bgp[0]", "xgn_links[].routing"),
        ({"remove": ["frr_bgp"]}, "remove", "xgn_links[].routing"),
        ({"frr_bgp": [{"vrf": "CORE", "networks": {"remove": ["10.0.1.0/24"]}}]}, "frr_bgp[0].networks.remove[0]", "xgn_nodes.hq.networks"),
        (
            {"frr_bgp": [{"vrf": "CORE", "neighbors": [{"address": "10.255.0.2", "remove": True}]}]},
            "frr_bgp[0].neighbors[0]",
            "xgn_links[0].routing",
        ),
        ({"frr_bgp": [{"vrf": "CORE", "remove": ["neighbors"]}]}, "frr_bgp[0].remove", "xgn_links[].routing"),
        (
            {"frr_bgp": [{"vrf": "CORE", "neighbors": [NEIGHBOR], "remove": ["neighbors"]}]},
            "frr_bgp[0].neighbors",
            "xgn_links[].routing",
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "neighbors": [{"address": "10.255.0.2", "remote_as": 65009}]}]},
            "frr_bgp[0].neighbors[0].remote_as",
            "xgn_nodes.branch.asn",
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "neighbors": [{"address": "10.255.0.2", "password": "{{ vault_x }}"}]}]},
            "frr_bgp[0].neighbors[0].password",
            "xgn_bgp.password_variable",
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "neighbors": [{"address": "10.255.0.2", "remove": ["bfd_profile"]}]}]},
            "frr_bgp[0].neighbors[0].remove",
            "xgn_links[0].bfd",
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "neighbors": [{"address": "10.255.0.2", "ttl_security_hops": 2}]}]},
            "frr_bgp[0].neighbors[0].ttl_security_hops",
            "xgn_bgp.ttl_security_hops",
        ),
        ({"wireguard_interfaces": [{"name": "wg1", "mtu": 1300}]}, "wireguard_interfaces[0].mtu", "xgn_links[0].mtu"),
        (
            {"wireguard_interfaces": [{"name": "wg1", "listen_port": 1}]},
            "wireguard_interfaces[0].listen_port",
            "xgn_links[0].ends[0].listen_port",
        ),
        ({"wireguard_interfaces": [{"name": "wg1", "remove": True}]}, "wireguard_interfaces[0]", "xgn_links[0]"),
        (
            {"frr_interfaces": [{"name": "wg1", "addresses": {"remove": ["10.254.0.5/30"]}}]},
            "frr_interfaces[0].addresses.remove[0]",
            "xgn_links[0].ends[0].ipv4",
        ),
        ({"frr_interfaces": [{"name": "eth1", "remove": ["addresses"]}]}, "frr_interfaces[0].remove", "xgn_nodes.hq.networks.eth1"),
        ({"frr_interfaces": [{"name": "CORE", "remove": True}]}, "frr_interfaces[0]", "xgn_nodes.hq.loopback"),
        ({"vrf_vrfs": [{"name": "CORE", "table": 7}]}, "vrf_vrfs[0].table", "xgn_vrfs.CORE.table"),
        ({"vrf_interfaces": [{"name": "eth1", "vrf": "X"}]}, "vrf_interfaces[0].vrf", "xgn_nodes.hq.networks.eth1.vrf"),
        ({"vrf_interfaces": [{"name": "wg1", "mtu": 1300}]}, "vrf_interfaces[0].mtu", "xgn_links[0].mtu"),
        ({"firewall_tcp_mss": {"ipv4": 1200}}, "firewall_tcp_mss.ipv4", "xgn_firewall.tcp_mss"),
    ],
)
def test_what_others_are_planned_by_is_changed_in_the_intent(variables: dict[str, Any], path: str, option: str) -> None:
    mistakes = told(over(**variables))[0]
    fitting = [
        line for line in mistakes if line.startswith(f"hq: xgn_overrides.{path}: ") and line.endswith(f"change {option} in its place")
    ]
    assert fitting, mistakes
    assert "vault_x" not in "".join(mistakes)


def test_a_profile_may_be_another_one_and_an_own_neighbor_may_have_all() -> None:
    profile = {"name": "SLOW", "detect_multiplier": 5}
    own = {**NEIGHBOR, "password": "x", "bfd_profile": "SLOW"}
    found = over(
        frr_bfd_profiles=[profile],
        frr_bgp=[{"vrf": "CORE", "neighbors": [{"address": "10.255.0.2", "bfd_profile": "SLOW"}, own]}],
        frr_static_routes=[{"prefix": "10.255.0.2/32", "next_hop": "10.254.0.6", "interface": "wg1", "vrf": "CORE", "distance": 5}],
    )
    assert [item["bfd_profile"] for item in hq(found)["frr_bgp"][0]["neighbors"]] == ["SLOW", "SLOW"]
    assert hq(found)["frr_static_routes"][0]["distance"] == 5


def test_an_entry_that_the_plan_does_not_have_has_to_be_whole() -> None:
    (mistake,) = told(over(frr_bgp=[{"vrf": "CORE", "neighbors": [{"address": "10.255.0.3", "holdtime": 9}]}]))[0]
    assert mistake == (
        "hq: xgn_overrides.frr_bgp[0].neighbors[0]: names no entry of the plan (neighbor 10.255.0.3); correct what tells it from the others; a new one needs "
        "remote_as, families, too"
    )
    deeper = told(over(frr_bgp=[{"vrf": "CORE", "neighbors": [{**NEIGHBOR, "families": [{"family": "ipv4"}]}]}]))[0]
    assert deeper == [f"hq: xgn_overrides.frr_bgp[0].neighbors[0].families[0].route_map_{way}: is required" for way in ("in", "out")]


def test_merged_variables_are_judged_like_any_and_told_where_they_were_written() -> None:
    bad = {**NEIGHBOR, "address": "10.0.1.1"}
    mistakes = told(over(frr_bgp=[{"vrf": "CORE", "neighbors": [bad]}], firewall_ssh_from=["10.0.0.1/8"]))[0]
    assert [line.partition(" is ")[0].partition(" has ")[0] for line in mistakes] == [
        "hq: xgn_overrides.firewall_ssh_from[0]: '10.0.0.1/8'",
        "hq: xgn_overrides.frr_bgp[0].neighbors[0].address: '10.0.1.1'",
    ]
    # What the plan refers to is gone: the place is the plan's, and the reason is said.
    (missing,) = told(over(frr_route_maps=[{"name": "FROM-wg1", "remove": True}]))[0]
    assert missing.startswith("hq: frr_bgp[0].neighbors[0].families[0].route_map_in: ") and missing.endswith(
        "it comes of an override of this host"
    )


def test_what_the_host_has_beside_the_plan_counts() -> None:
    own_map = {"frr_log_level": "debugging", "sysctl_settings": {"a.b": 1}}
    (mistake,) = told(lay(beside=own_map, xgn_overrides={"sysctl_settings": {"a.c": 2}}))[0]
    assert mistake == (
        "hq: xgn_overrides.sysctl_settings: is no variable of the plan, and the host has it among its own variables already; write it there"
    )
    assert told(lay(beside={"sysctl_settings": {"a.c": 2}}, xgn_overrides={"sysctl_settings": {"a.c": 2}}))[0] == [], (
        "the plan that was read before"
    )


def test_what_does_nothing_is_told_and_no_mistake() -> None:
    found = over(
        frr_bgp=[{"vrf": "CORE", "neighbors": [{"address": "10.255.0.2", "ebgp_multihop": 5}, {"address": "10.255.0.9", "remove": True}]}],
        firewall_ssh_from={"add": ["192.0.2.0/24"], "remove": ["::/0"]},
        wireguard_interfaces=[{"name": "wg1"}],
        vrf_interfaces=[{"name": "eth1", "remove": ["mac"]}],
    )
    assert told(found)[0] == []
    assert told(found)[1] == [
        "hq: xgn_overrides.firewall_ssh_from.add[0]: '192.0.2.0/24' says what the plan says already; leave it out",
        "hq: xgn_overrides.firewall_ssh_from.remove[0]: removes nothing: the plan has no such value there; is it left from former times?",
        "hq: xgn_overrides.frr_bgp[0].neighbors[0].ebgp_multihop: 5 says what the plan says already; leave it out",
        "hq: xgn_overrides.frr_bgp[0].neighbors[1]: removes nothing: the plan has no such entry there; is it left from former times?",
        "hq: xgn_overrides.vrf_interfaces[0].remove: removes nothing: the plan has no mac there; is it left from former times?",
        "hq: xgn_overrides.wireguard_interfaces[0]: says nothing of its entry; leave it out",
    ]
    assert found.plan.hosts["hq"] == BARE.hosts["hq"] and found.plan.overrides == {}


def test_a_mistake_of_a_group_is_told_once_with_all_hosts() -> None:
    layers, _problems = read(xgn_overrides_all={"frr_bgp": [{"vrf": "CORE", "asn": 7}]})
    found = with_overrides(BARE, {"hq": layers, "branch": layers}, catalog())
    assert [line.partition(":")[0] for line in overrides.sentences(found.mistakes)] == ["branch", "hq"], (
        "each has an AS number of its own to change"
    )
    layers, _problems = read(xgn_overrides_all={"firewall_tcp_mss": {"ipv4": 1000}})
    found = with_overrides(BARE, {"hq": layers, "branch": layers}, catalog())
    assert [line.partition(":")[0] for line in overrides.sentences(found.mistakes)] == ["hq, branch"]


# ---- form ---------------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "mistakes"),
    [
        ([], ["xgn_overrides: is a list, not a dictionary; the roles' variables by name, such as frr_bgp"]),
        (
            {"frr_bpg": []},
            ["xgn_overrides.frr_bpg: is no variable of role frr that can be overridden; did you mean 'frr_bgp'? Valid variables: "],
        ),
        ({"bgp": []}, ["xgn_overrides.bgp: is no variable of a role; "]),
        ({7: []}, ["xgn_overrides[7]: is no variable of a role; its name begins with that of its role, as in frr_bgp"]),
        ({"vrf_remove_all": True}, ["xgn_overrides.vrf_remove_all: is no variable of role vrf that can be overridden; "]),
        ({"verify_overrides": ["x"]}, ["xgn_overrides.verify_overrides: is no variable of role verify that can be overridden; "]),
        ({"frr_log_level": "loud"}, ["xgn_overrides.frr_log_level: 'loud' is not a valid value; valid values: "]),
        (
            {"frr_log_level": None},
            ["xgn_overrides.frr_log_level: is null; give it a value; to remove what is planned, name it under remove"],
        ),
        (
            {"frr_bgp": {"asn": 1}},
            ["xgn_overrides.frr_bgp: is a dictionary, not a list; each entry with what tells it from the others: vrf"],
        ),
        ({"frr_bgp": None}, ["xgn_overrides.frr_bgp: is null; "]),
        (
            {"frr_bgp": [None, "x"]},
            ["xgn_overrides.frr_bgp[0]: is null, not a dictionary", "xgn_overrides.frr_bgp[1]: is a string, not a dictionary"],
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "neighbors": [{"holdtime": 3}]}]},
            ["xgn_overrides.frr_bgp[0].neighbors[0].address: is missing; an entry is told from the others by address"],
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "neighbors": [{"address": "::1", "holdtim": 3}]}]},
            ["xgn_overrides.frr_bgp[0].neighbors[0].holdtim: unknown key; did you mean 'holdtime'? Valid keys: "],
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "neighbors": [{"address": "::1", "holdtime": "3"}]}]},
            ["xgn_overrides.frr_bgp[0].neighbors[0].holdtime: '3' is not an integer; write it without quotes"],
        ),
        (
            {"frr_bgp": [{"vrf": "CORE"}, {"vrf": "CORE"}]},
            ["xgn_overrides.frr_bgp[1]: is given twice; the same entry stands at xgn_overrides.frr_bgp[0]; write it once"],
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "asn": 1, "remove": True}]},
            ["xgn_overrides.frr_bgp[0].asn: says something of an entry that remove takes away; keep one of them"],
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "remove": ["vrf", "asnn"]}]},
            [
                "xgn_overrides.frr_bgp[0].remove[0]: 'vrf' tells the entry from the others, so it stays; write remove: true to remove the entry",
                "xgn_overrides.frr_bgp[0].remove[1]: 'asnn' is no key here; did you mean 'asn'? Valid keys: ",
            ],
        ),
        (
            {"frr_bgp": [{"vrf": "CORE", "remove": "asn"}]},
            ["xgn_overrides.frr_bgp[0].remove: is a string, not a list of names: true for the whole entry, or the names of its keys"],
        ),
        ({"remove": None}, ["xgn_overrides.remove: is null; "]),
        ({"remove": ["frr_bpg"]}, ["xgn_overrides.remove[0]: 'frr_bpg' is no key here; did you mean 'frr_bgp'? "]),
        (
            {"firewall_ssh_from": "::/0"},
            [
                "xgn_overrides.firewall_ssh_from: is a string, not a list; write the values that are added, or a dictionary with add and remove"
            ],
        ),
        (
            {"firewall_ssh_from": {"ad": []}},
            ["xgn_overrides.firewall_ssh_from.ad: unknown key; did you mean 'add'? Valid keys: add, remove"],
        ),
        ({"firewall_ssh_from": [1]}, ["xgn_overrides.firewall_ssh_from[0]: 1 is not a string; put it in quotes"]),
        (
            {"firewall_ssh_from": {"add": ["::/0"], "remove": ["0::/0"]}},
            ["xgn_overrides.firewall_ssh_from.add[0]: '::/0' is given twice; write it once"],
        ),
        ({"frr_daemons": ["pim"]}, ["xgn_overrides.frr_daemons[0]: 'pim' is not a valid value; valid values: "]),
        ({"firewall_tcp_mss": 5}, ["xgn_overrides.firewall_tcp_mss: is an integer, not a dictionary"]),
        ({"frr_bgp": "{{ nothing }}"}, ["xgn_overrides.frr_bgp: 'nothing' is not a defined variable"]),
    ],
)
def test_every_mistake_of_form_has_its_path(written: Any, mistakes: list[str]) -> None:
    _layers, found = read(xgn_overrides=written)
    assert len(found) == len(mistakes), found
    assert [line[: len(mistake)] for line, mistake in zip(found, mistakes)] == mistakes


def test_all_mistakes_at_once() -> None:
    layers, found = read(
        xgn_overrides={"frr_log_level": "loud", "firewall_ssh_port": "22", "frr_bgp": [{"vrf": "CORE", "asn": "x", "maximum_paths": 4}]}
    )
    assert [line.partition(":")[0] for line in found] == [
        "xgn_overrides.firewall_ssh_port",
        "xgn_overrides.frr_bgp[0].asn",
        "xgn_overrides.frr_log_level",
    ]
    # The rest is read all the same, so that its mistakes are told, too.
    assert hq(with_overrides(BARE, {"hq": layers}, catalog()))["frr_bgp"][0]["maximum_paths"] == 4


def test_names_of_the_variables() -> None:
    assert is_layer("xgn_overrides") and is_layer("xgn_overrides_lab") and not is_layer("xgn_override") and not is_layer(7)
    assert read(xgn_overides={}, xgn_nodes={}, xgn_overrides=None)[1] == [
        "xgn_overides: is no variable of this collection; did you mean 'xgn_overrides'? Valid: xgn_overrides"
    ]
    _layers, found = read(("xgn_overrides",), xgn_overrides={})
    assert found == [
        (
            "xgn_overrides: is given to this run, so that nothing is known of what stands under this name with the hosts; give it another name, such as "
            "xgn_overrides_run, and it lies over that"
        )
    ]


# ---- secrets ------------------------------------------------------------------------------------------------------------------------------------

PASSWORD = "{{ xgn_overrides['frr_bgp'][0]['neighbors'][0]['password'] }}"


@pytest.mark.parametrize("password", ["in clear", "{{ vault_partner }}", {"never": "read"}, 7])
def test_a_secret_is_referred_to_and_never_read(password: Any) -> None:
    found = over(frr_bgp=[{"vrf": "CORE", "neighbors": [{**NEIGHBOR, "password": password}]}])
    assert hq(found)["frr_bgp"][0]["neighbors"][1]["password"] == PASSWORD
    text = json.dumps(found.plan.hosts) + json.dumps(found.plan.overrides)
    assert "in clear" not in text and "vault_partner" not in text


def test_what_comes_from_a_vault_is_one_wherever_it_stands() -> None:
    found = over(
        frr_bgp=[{"vrf": "CORE", "neighbors": [{**NEIGHBOR, "description": "{{ vault_name }}"}]}],
        sysctl_settings={"a.b": "{{ vault_three }}"},
    )
    assert hq(found)["frr_bgp"][0]["neighbors"][1]["description"] == PASSWORD.replace("password", "description")
    assert hq(found)["sysctl_settings"] == {"a.b": "{{ xgn_overrides['sysctl_settings']['a.b'] }}"}
    assert hq(found)["verify_overrides"][-1] == "sysctl_settings: a.b a secret added (xgn_overrides)"


def test_a_template_of_a_whole_part_is_resolved_and_its_secrets_are_not() -> None:
    layers, problems = read(xgn_overrides={"frr_bgp": [{"vrf": "CORE", "neighbors": ["{{ partner }}"]}]})
    assert problems == [] and len(layers) == 1
    resolver = RESOLVER._replace(template=lambda value: {"a": "b", "c": ["d"]} if value == "{{ vault_all }}" else value)
    found, mistakes = read_layers(
        {"xgn_overrides": {"frr_secrets": "{{ vault_all }}", "sysctl_settings": "{{ vault_all }}"}}, (), OPTIONS, resolver
    )
    assert mistakes == []
    assert "'b'" not in repr(found) and "'d'" not in repr(found)
    assert "{{ xgn_overrides['sysctl_settings']['a'] }}" in repr(found)


def test_what_only_looks_like_a_template_does_not_become_one() -> None:
    """The plan's variables are read with their templates, and a text may come from somebody else, by a look-up."""
    resolver = RESOLVER._replace(template=lambda value: "{{ lookup('pipe', 'id') }}" if value == "{{ theirs }}" else value)
    layers, problems = read_layers(
        {"xgn_overrides": {"frr_interfaces": [{"name": "eth1", "description": "{{ theirs }}"}], "firewall_ssh_from": ["{{ theirs }}"]}},
        (),
        OPTIONS,
        resolver,
    )
    assert problems == []
    text = json.dumps(cast(Any, with_overrides(BARE, {"hq": layers}, catalog()).plan.hosts["hq"]))
    assert "lookup" not in text and "{{ xgn_overrides['frr_interfaces'][0]['description'] }}" in text


def test_a_secret_that_only_the_host_knows_is_judged_there() -> None:
    preshared = [
        {"name": "wg9", "peers": [{"name": "x", "public_key": "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHxxQ=", "preshared_key": "no key"}]}
    ]
    assert [line for line in told(over(wireguard_interfaces=preshared))[0] if "preshared_key" in line] == []


# ---- files --------------------------------------------------------------------------------------------------------------------------------------


def test_the_plan_says_what_lies_over_it() -> None:
    found = over(
        frr_log_level="debugging",
        frr_static_routes=[
            {"prefix": "192.0.2.0/24", "blackhole": True, "vrf": "CORE", "distance": 200},
            {"prefix": "203.0.113.0/24", "interface": "eth1", "vrf": "CORE"},
            {"prefix": "198.18.0.0/15", "next_hop": "10.0.1.7", "vrf": "CORE"},
            {"prefix": "198.19.0.0/16", "next_hop": "10.0.1.7", "vrf": "CORE", "distance": 9},
        ],
        frr_bgp=[{"vrf": "CORE", "neighbors": [NEIGHBOR]}],
        frr_bfd_profiles=[{"name": "SLOW"}],
        wireguard_interfaces=[{"name": "wg9", "listen_port": 51999}],
        frr_lines=[{"lines": ["ip nht resolve-via-default"]}],
        firewall_own_chains=[{"chain": "forward", "rules": ["counter"]}],
    )
    assert told(found)[0] == []
    files = dict(plan_files(found.plan))
    assert "| hq | xgn_overrides | frr_log_level: informational becomes debugging |" in files["overrides.md"]
    assert "overrides.md" not in dict(plan_files(BARE))
    assert (
        "ip nht resolve-via-default" in files["hq/files/etc/frr/frr.conf"] and "chain own_forward" in files["hq/files/etc/xgn/firewall.nft"]
    )
    vyos = files["hq/vyos.txt"]
    for line in (
        "set vrf name CORE protocols static route 192.0.2.0/24 blackhole distance '200'",
        "set vrf name CORE protocols static route 203.0.113.0/24 interface eth1",
        "set vrf name CORE protocols static route 198.18.0.0/15 next-hop 10.0.1.7",
        "set vrf name CORE protocols static route 198.19.0.0/16 next-hop 10.0.1.7 distance '9'",
        "# Own lines of frr.conf are not here: they are FRR's",
        "# Own rules of the packet filter are not here: they are nft's",
    ):
        assert line in vyos.splitlines(), line
    page = drawing_files(found.plan)[0]["index.html"]
    assert "<h2>Overrides</h2>" in page and "<td>frr_log_level: informational becomes debugging</td>" in page
    assert "Overrides" not in drawing_files(BARE)[0]["index.html"]


# ---- what is fixed ------------------------------------------------------------------------------------------------------------------------------

# What a plan has and an override may change: it concerns the host alone, or is agreed upon by both sides.
FREE = set(
    """
    docker_macvlan_containers.image docker_macvlan_containers.memory docker_macvlan_containers.memory_swap
    dns_anycast_allow_from dns_anycast_forwarders dns_anycast_ssh_listen dns_anycast_zones dns_anycast_zones.records
    failover_test_paths failover_test_paths.source failover_test_paths.destination failover_test_paths.tunnels failover_test_paths.tunnels.protocol
    failover_test_paths.tunnels.match failover_test_paths.tunnels.unit failover_test_paths.tunnels.port
    firewall_trusted_interfaces firewall_forward firewall_forward.from firewall_forward.destinations firewall_forward.to
    firewall_ssh_from
    firewall_open_ports firewall_open_ports.from firewall_tcp_mss_interfaces
    firewall_strict_interfaces firewall_loose_interfaces firewall_loose_vrfs
    frr_after_units frr_interfaces.description frr_interfaces.link_detect
    firewall_nat firewall_nat.mark
    frr_static_routes frr_static_routes.next_hop_vrf frr_static_routes.distance frr_static_routes.blackhole frr_bgp.aggregates
    frr_prefix_lists frr_prefix_lists.entries frr_prefix_lists.entries.action frr_prefix_lists.entries.prefix frr_prefix_lists.entries.ge
    frr_prefix_lists.entries.le
    frr_route_maps frr_route_maps.entries frr_route_maps.entries.action frr_route_maps.entries.match frr_route_maps.entries.set
    frr_route_maps.entries.description
    frr_as_path_lists frr_as_path_lists.entries frr_as_path_lists.entries.action frr_as_path_lists.entries.regex
    frr_community_lists frr_community_lists.entries frr_community_lists.entries.action frr_community_lists.entries.value
    frr_rpki frr_rpki.caches frr_rpki.caches.preference frr_rpki.polling_period frr_rpki.retry_interval frr_rpki.expire_interval
    frr_bgp.neighbors.local_role frr_bgp.neighbors.strict_role frr_bgp.neighbors.enforce_first_as
    frr_bgp.neighbors.families.default_originate frr_bgp.neighbors.families.remove_private_as
    frr_bfd_profiles frr_bfd_profiles.detect_multiplier frr_bfd_profiles.receive_interval frr_bfd_profiles.transmit_interval
    frr_bgp.redistribute frr_bgp.redistribute.route_map frr_bgp.maximum_paths
    frr_bgp.neighbors.description frr_bgp.neighbors.keepalive frr_bgp.neighbors.holdtime frr_bgp.neighbors.ebgp_multihop frr_bgp.neighbors.passive
    frr_bgp.neighbors.families.route_map_in frr_bgp.neighbors.families.route_map_out frr_bgp.neighbors.families.maximum_prefix
    frr_bgp.neighbors.families.maximum_prefix_restart
    frr_bgp.neighbors.families.next_hop_self frr_bgp.neighbors.families.route_reflector_client
    frr_ospf.interfaces.passive frr_ospf.interfaces.cost frr_ospf.redistribute frr_ospf.redistribute.route_map frr_ospf.install_route_map
    frr_ospf6.interfaces.passive frr_ospf6.interfaces.cost frr_ospf6.redistribute frr_ospf6.redistribute.route_map frr_ospf6.install_route_map
    gobgp_health gobgp_health.command gobgp_health.interval gobgp_health.timeout gobgp_health.fall gobgp_health.rise gobgp_health.user
    gobgp_neighbors.name gobgp_neighbors.ebgp_multihop gobgp_keepalive gobgp_holdtime
    gre_interfaces.ttl gre_interfaces.pmtudisc
    l2tp_ipsec_tunnels.remote l2tp_ipsec_tunnels.remote_id
    openvpn_tunnels.ping_interval openvpn_tunnels.ping_restart openvpn_tunnels.remote openvpn_tunnels.remote_port
    sysctl_hears_routers sysctl_tcp_l3mdev_accept sysctl_udp_l3mdev_accept
    verify_reach verify_reach.mtu verify_routes verify_routes.protocol verify_routes.direct verify_site verify_roles verify_boot_plot verify_reserves
    verify_learned verify_learned.prefixes verify_other_routes verify_other_routes.parts verify_other_routes.reason
    verify_neighbors verify_neighbors.relation verify_neighbors.silent verify_neighbors.optional
    vrf_default_routes vrf_default_routes.onlink
    vrf_interfaces.unit vrf_interfaces.dynamic vrf_interfaces.hears_routers vrf_interfaces.asks_dhcp vrf_interfaces.mac vrf_interfaces.bridge
    vxlan_interfaces.mac vxlan_interfaces.arp
    vrf_vrfs.fwmark wireguard_interfaces.fwmark
    wireguard_interfaces.peers.endpoint wireguard_interfaces.peers.allowed_ips wireguard_interfaces.peers.persistent_keepalive
    """.split()
)


def parts_of(
    value: Any, path: tuple[str, ...] = (), entries: tuple[dict[str, Any], ...] = ()
) -> Iterator[tuple[tuple[str, ...], tuple[dict[str, Any], ...]]]:
    """Yield the names that lead to every option of a plan, with the entries of lists on the way."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield (*path, str(key)), entries
            yield from parts_of(item, (*path, str(key)), entries)
    elif isinstance(value, list):
        for item in value:
            if isinstance(item, Mapping):
                yield from ((inner, around) for inner, around in parts_of(item, path, (*entries, dict(item))))


PLANS = {path.parent.name: make_plan(read_yaml(path.read_text(encoding="utf-8"))) for path in sorted(GOLDEN.glob("*/intent.yml"))}


@pytest.mark.parametrize("network", PLANS)
def test_of_all_that_is_planned_it_is_said_whether_it_may_be_overridden(network: str) -> None:
    """A new option of the planner is either fixed, and by which key of the intent, or free."""
    unsaid = set()
    for variables in PLANS[network].hosts.values():
        for path, _entries in parts_of({name: value for name, value in variables.items() if SPECS.may_be_overridden(name)}):
            keys = ENTRIES[path[-2]].keys if len(path) > 1 and path[-2] in ENTRIES else ()
            if path not in FIXED and ".".join(path) not in FREE and path[-1] not in keys:
                unsaid.add(".".join(path))
    assert unsaid == set()


def test_nothing_is_fixed_and_free() -> None:
    assert {path for path in map(".".join, FIXED) if path in FREE} == set()
    known = {".".join(path) for path in option_paths(SPECS.options)}
    assert {*map(".".join, FIXED), *FREE} <= known


def option_paths(options: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, spec in options.items():
        yield (*path, name)
        yield from option_paths(spec.get("options") or {}, (*path, name))


def is_key_of_the_intent(text: str) -> bool:
    """Tell whether a text such as ``xgn_links[2].ends[0].ipv4`` leads to an option of the intent's schema."""
    spec: Any = {"options": intent_options()}
    for name in re.findall(r"(?<=\[')[^']+(?='\])|[^.\[\]']+(?![^\[]*'\])", re.sub(r"\[\d*\]", "", text)):
        if "values" in spec:
            spec = spec["values"]
        elif name in spec.get("options", {}):
            spec = spec["options"][name]
        else:
            return False
    return True


@pytest.mark.parametrize("network", PLANS)
def test_what_is_fixed_names_a_key_of_the_intent(network: str) -> None:
    plan = PLANS[network]
    for host, variables in plan.hosts.items():
        for path, entries in parts_of(variables):
            if path in FIXED:
                option = option_of(FIXED[path], plan.intent, host, path, entries)
                assert is_key_of_the_intent(option), (host, path, option)


def test_an_intent_that_changes_what_is_named_changes_the_plan_there() -> None:
    """For two of them: the key that is named is the right one."""
    raw = read_yaml((GOLDEN / "overrides" / "intent.yml").read_text(encoding="utf-8"))
    raw["xgn_links"][0]["mtu"] = 1300
    raw["xgn_nodes"]["branch"]["asn"] = 65009
    after = make_plan(raw).hosts["hq"]
    assert after["wireguard_interfaces"][0]["mtu"] == 1300 and after["frr_bgp"][0]["neighbors"][0]["remote_as"] == 65009


def test_a_list_that_has_no_more_is_closed() -> None:
    closed = {path for path, fixed in FIXED.items() if fixed.hold is Hold.CLOSED}
    assert closed == {("dns_anycast_addresses",), ("gobgp_prefixes",)}
    plan = PLANS["hybrid"]
    layers, _problems = read(xgn_overrides={"dns_anycast_addresses": ["9.9.9.9/32"]})
    found = with_overrides(plan, {"hq-nfv": layers}, catalog())
    assert any("change xgn_services.dns.address in its place" in line for line in overrides.sentences(found.mistakes))


def test_a_container_is_planned_by_its_service() -> None:
    layers, _problems = read(xgn_overrides={"frr_bgp": [{"asn": 1}]})
    found = with_overrides(PLANS["hybrid"], {"igp": layers}, catalog())
    assert any("change xgn_services.docker in its place" in line for line in overrides.sentences(found.mistakes))

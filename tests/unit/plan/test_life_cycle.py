# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Life cycle of a network that lives: nodes that leave, are renamed or vanish, and changes of what nodes, links and VRFs are, by what hosts applied."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Moment, Record
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.changes import plan_changes
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.departures import carried_ids
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.life_cycle import Judgement, Run, former_records, judge
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import IntentError, check_intent, make_plan

GOLDEN = Path(__file__).parents[2] / "golden"
APPLIED = Moment("2026-11-29T03:12:05Z", "run-1", "alice@noc", "mine")
LATER = Moment("2026-11-30T03:12:05Z", "run-2", "alice@noc", "mine")

Intent = dict[str, Any]


def golden(name: str) -> Intent:
    raw: Intent = read_yaml((GOLDEN / name / "intent.yml").read_text(encoding="utf-8"))
    return raw


def square() -> Intent:
    """Four routers in a ring, so that each pair has two paths; one neighbor that nobody manages."""
    nodes: Intent = {
        name: {"id": number, "uplink": {"device": "eth0", "address": f"198.51.100.{number}/24"}}
        for number, name in enumerate(("a", "b", "c", "d", "partner"), start=1)
    }
    nodes["partner"]["managed"] = False
    nodes["a"]["networks"] = {"lan1": {"address": "10.1.0.1/24"}}
    ring = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "a")]
    links: list[Intent] = [{"id": number, "type": "wireguard", "ends": list(ends)} for number, ends in enumerate(ring, start=1)]
    key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    links.append({"id": 9, "type": "wireguard", "ends": ["c", {"node": "partner", "public_key": key}]})
    return {
        "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24", "ipv6": "fd00:255::/64"}},
        "xgn_vrfs": {"CORE": {"table": 200}},
        "xgn_sites": {"here": {"vrf": "CORE"}, "there": {"vrf": "CORE", "igp": "ospf"}},
        "xgn_bgp": {"asn_base": 64512},
        "xgn_nodes": {name: {"site": "here", **node} for name, node in nodes.items()},
        "xgn_links": links,
    }


def written(first: str, second: str, number: int) -> list[Intent]:
    """The ends of a link with addresses of their own."""
    return [{"node": name, "ipv4": f"192.0.2.{number + index}/30"} for index, name in enumerate((first, second))]


def applied(raw: Intent, **more: Any) -> dict[str, Record]:
    """What the hosts recorded that applied an intent."""
    return {host: Record(APPLIED, "k", variables, **more) for host, variables in make_plan(raw).hosts.items()}


def changed(raw: Intent, change: Callable[[Intent], object]) -> Intent:
    """An intent with a change."""
    new = copy.deepcopy(raw)
    change(new)
    return new


def judged(raw: Intent, change: Callable[[Intent], object], **run: Any) -> Judgement:
    """What is said of a change of an intent that all hosts have applied."""
    return judge(make_plan(changed(raw, change)), applied(raw), Run(**{"purpose": "apply", **run}))


def refusals(found: Judgement) -> list[str]:
    return [str(problem) for problem in found.refused]


def put(path: str, value: Any) -> Callable[[Intent], None]:
    """Set a value by its path."""

    def change(raw: Intent) -> None:
        *keys, last = path.split(".")
        target: Any = raw
        for key in keys:
            target = target[int(key) if key.isdigit() else key]
        target[int(last) if last.isdigit() else last] = value

    return change


def both(*steps: Callable[[Intent], object]) -> Callable[[Intent], None]:
    def change(raw: Intent) -> None:
        for step in steps:
            step(raw)

    return change


# ---- an unchanged network ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", sorted(path.parent.name for path in GOLDEN.glob("*/intent.yml")))
def test_of_a_network_that_did_not_change_nothing_is_said(network: str) -> None:
    raw = golden(network)
    found = judge(make_plan(raw), applied(raw), Run("apply", hosts=list(make_plan(raw).hosts)))
    assert found == Judgement()
    assert judge(make_plan(raw), {}, Run("apply")) == Judgement(), "nothing is known of a network that nobody has applied"


def test_hosts_that_applied_with_an_older_version_are_known_by_their_variables() -> None:
    """They have no word of what they are in the plan: what cannot be told is not guessed."""
    raw = square()
    records = {
        host: Record(APPLIED, "k", {name: value for name, value in record.variables.items() if name != "preflight_node"})
        for host, record in applied(raw).items()
    }
    new = changed(raw, both(put("xgn_vrfs.CORE.table", 300), put("xgn_links.0.type", "gre"), put("xgn_nodes.d.id", 7)))
    del new["xgn_nodes"]["a"]["networks"]
    found = judge(make_plan(new), {**records, "old": records["a"]}, Run("apply"))
    assert refusals(found) == []
    assert any(line.startswith("VRF CORE: table 200 becomes 300") for line in found.told)


# ---- retired -------------------------------------------------------------------------------------------------------------------------------


def retire(*names: str) -> Callable[[Intent], None]:
    return both(*(put(f"xgn_nodes.{name}.retired", True) for name in names))


def test_a_retired_node_is_as_if_it_had_never_been_for_the_others() -> None:
    """Its links, ends, ports, neighbors and lines are gone, and no number of anybody else changes."""
    raw = square()
    without = copy.deepcopy(raw)
    del without["xgn_nodes"]["b"]
    without["xgn_links"] = [link for link in without["xgn_links"] if "b" not in link["ends"]]
    plan = make_plan(changed(raw, retire("b")))
    assert plan.hosts == make_plan(without).hosts
    assert plan.intent.retired.peers == {"b": {"a", "c"}}
    hosts = json_text(plan.hosts)
    assert "198.51.100.2" not in hosts and "10.255.0.2" not in hosts


def json_text(value: object) -> str:
    return yaml.safe_dump(value)


@pytest.mark.parametrize("pattern", ["full_mesh", "hub_spoke"])
def test_links_of_patterns_segments_and_services_leave_with_their_node(pattern: str) -> None:
    raw = square()
    shape: Intent = {"nodes": ["all"]} if pattern == "full_mesh" else {"hub": "a", "spokes": ["all"]}
    raw["xgn_nodes"].pop("partner")
    raw["xgn_links"] = []
    raw["xgn_patterns"] = [{"type": pattern, "first_id": 100, "link": {"type": "wireguard"}, **shape}]
    raw["xgn_segments"] = [
        {"id": 1000, "members": ["all"], "gateway": "a", "ipv4": "10.100.0.0/24", "macs": {"d": "02:00:00:00:00:0d"}, "insecure": True}
    ]
    container = {"image": "router:1", "bgp": {"asn": 65100}}
    raw["xgn_services"] = {
        "dns": {"address": "192.0.2.53", "nodes": ["here"]},
        "docker": {
            "apps": {"segment": 1000, "nodes": ["c", "d"], "containers": {"in-d": {"node": "d", "number": 100, **container}}},
            "more": {"segment": 1000, "nodes": ["d"], "containers": {}},
        },
        "steering": {"d": {"router": "a", "prefixes": ["10.9.0.0/24"]}},
    }
    if pattern == "full_mesh":
        raw["xgn_services"].pop("steering")
    else:
        # A box speaks no BGP with its router besides.
        raw["xgn_patterns"][0]["link"].update(routing="none")
        raw["xgn_nodes"]["a"]["networks"]["lan1"]["published"] = False
    before, plan = make_plan(raw), make_plan(changed(raw, retire("d")))
    assert set(before.hosts) == {"a", "b", "c", "d", "in-d"} and set(plan.hosts) == {"a", "b", "c"}
    assert plan.intent.retired.containers == {"in-d": "d"} and plan.intent.retired.peers == {"d": {"a", "b", "c"}}
    assert [network["name"] for network in plan.hosts["c"]["docker_macvlan_networks"]] == ["apps"]
    assert plan.hosts["b"]["vxlan_interfaces"][0]["remotes"] == ["198.51.100.1", "198.51.100.3"]
    changes = plan_changes({host: before.hosts[host] for host in plan.hosts}, plan.hosts)
    assert not any("becomes" in line and "remotes" not in line for lines in changes.values() for line in lines), changes
    found = judge(plan, applied(raw), Run("retire", hosts=list(before.hosts)))
    said = found.retirement["d"]["lines"]
    assert "in-d, a router in a container on it, goes with it." in said
    assert ("What it steers is released: 10.9.0.0/24." in said) == (pattern == "hub_spoke")
    assert found.retired.keys() == {"d", "in-d"}


def test_site_waits_for_the_retirement_and_plan_tells_it() -> None:
    raw, change = square(), retire("b")
    (refused,) = refusals(judged(raw, change))
    assert refused.startswith(
        "xgn_nodes.b.retired: is true, and the host still has what it applied at 2026-11-29 03:12:05 UTC; run xuegao.net.retire"
    )
    for purpose in ("plan", "look"):
        told = judged(raw, change, purpose=purpose)
        assert (told.refused, told.warnings) == ([], [refused])
    assert judged(raw, change, purpose="retire").refused == []
    # A node of which nothing is known, or that Ansible never managed, has no host to clean.
    assert judge(make_plan(changed(raw, change)), {}, Run("apply")).refused == []
    assert judged(raw, retire("partner")).refused == []


def test_the_table_of_a_retirement_says_what_goes_where_and_what_is_lost() -> None:
    raw = square()
    found = judged(raw, retire("a", "d"), purpose="retire", hosts=["a", "b", "c", "d"])
    assert found.retirement["a"] == {
        "managed": True,
        "peers": ["b"],
        "lines": [
            "a (id 1) leaves the network.",
            "From its host goes: WireGuard interface wg1, WireGuard interface wg4, VRF CORE, interface lan1, BGP in CORE.",
            "No other node carries 10.1.0.0/24: that is lost.",
        ],
    }
    # One that nobody manages has another path, too, and its owner has to be told all the same.
    raw["xgn_links"].append({**raw["xgn_links"][-1], "id": 10, "ends": ["d", raw["xgn_links"][-1]["ends"][1]]})
    (partner,) = judged(raw, retire("c"), purpose="retire", hosts=["c"]).retirement.values()
    assert partner["peers"] == ["b", "d"] and "Tell the owner of partner: its links with c end." in partner["lines"]
    other = judge(make_plan(changed(raw, retire("partner"))), applied(raw), Run("retire")).retirement["partner"]
    assert (other["managed"], other["peers"]) == (False, ["c", "d"])
    assert "What its host applied is not recorded here; its own record says what goes there." in other["lines"]


def test_a_node_that_is_the_only_path_of_another_is_not_retired() -> None:
    raw = square()
    raw["xgn_links"] = [link for link in raw["xgn_links"] if link["id"] != 4]
    with pytest.raises(IntentError) as refused:
        make_plan(changed(raw, retire("b")))
    # The larger part is where the others are, and a is cut off.
    assert "xgn_nodes.a: loses its path to c in VRF CORE, as b is retired" in str(refused.value)
    assert make_plan(changed(raw, retire("a"))).hosts.keys() == {"b", "c", "d"}


def test_a_host_that_could_not_be_cleaned_is_told_until_it_was_and_its_numbers_stay_its_own() -> None:
    raw = square()
    records = applied(raw)
    records["b"] = Record(APPLIED, "k", records["b"].variables, left=LATER)
    retired = make_plan(changed(raw, retire("b")))
    found = judge(retired, records, Run("apply"))
    assert found.refused == []
    (said,) = found.warnings
    assert said.startswith("b has left the network since 2026-11-30 03:12:05 UTC (run run-2, alice@noc), and its host could not be cleaned")
    assert "xgn_gone=b" in said and found.retired == {"b": said}
    # Its entry is taken out, and somebody else gets its numbers.
    without = copy.deepcopy(raw)
    without["xgn_nodes"]["e"] = without["xgn_nodes"].pop("b")
    for link in without["xgn_links"]:
        link["ends"] = ["e" if end == "b" else end for end in link["ends"]]
    words = refusals(judge(make_plan(without), records, Run("apply")))
    assert [line.partition(";")[0] for line in words] == [
        "xgn_nodes.e.id: 2 was that of b, whose host could not be cleaned",
        "xgn_links[0].id: 1 was that of a link of b, whose host could not be cleaned",
        "xgn_links[1].id: 2 was that of a link of b, whose host could not be cleaned",
    ]
    without["xgn_nodes"]["e"]["id"] = 7
    for link, number in zip(without["xgn_links"][:2], (11, 12)):
        link["id"] = number
    free = judge(make_plan(without), records, Run("apply"))
    assert (free.refused, free.warnings) == ([], [said])
    assert carried_ids(records, without["xgn_nodes"]) == ({2}, {1, 2})


def test_ids_of_patterns_that_a_host_may_still_have_are_named_by_their_pair() -> None:
    raw = square()
    raw["xgn_nodes"].pop("partner")
    raw["xgn_links"] = []
    raw["xgn_patterns"] = [{"type": "hub_spoke", "first_id": 100, "hub": "a", "spokes": ["all"], "link": {"type": "wireguard"}}]
    record = Record(APPLIED, "k", make_plan(raw).hosts["d"], left=LATER)
    new = copy.deepcopy(raw)
    new["xgn_nodes"]["e"] = {**new["xgn_nodes"].pop("d"), "uplink": {"device": "eth0", "address": "198.51.100.40/24"}}
    words = refusals(judge(make_plan(new), {"d": record}, Run("apply")))
    assert words[1].startswith("xgn_patterns[0] (a - e): 104 was that of a link of d")


# ---- gone without a word, and renamed ------------------------------------------------------------------------------------------------------


def renamed(raw: Intent, old: str, new: str) -> Intent:
    found = copy.deepcopy(raw)
    found["xgn_nodes"] = {new if name == old else name: node for name, node in found["xgn_nodes"].items()}
    for link in found["xgn_links"]:
        link["ends"] = [new if end == old else end for end in link["ends"]]
    return found


@pytest.mark.parametrize("purpose", ["plan", "apply", "retire"])
def test_a_node_that_is_gone_without_a_word_is_refused_with_the_ways_to_go_on(purpose: Any) -> None:
    raw = square()
    new = copy.deepcopy(raw)
    del new["xgn_nodes"]["b"]
    new["xgn_links"] = [link for link in new["xgn_links"] if "b" not in link["ends"]]
    (refused,) = refusals(judge(make_plan(new), applied(raw), Run(purpose)))
    assert refused == (
        "xgn_nodes: 'b' is no node any more, and the host still has what it applied at 2026-11-29 03:12:05 UTC; if it was renamed: write its former name there "
        "(was). Else bring it back with retired: true and run xuegao.net.retire; or, when the host is gone for good, run that with --extra-vars xgn_gone=b"
    )
    assert judge(make_plan(new), applied(raw), Run("look")).warnings == [refused]


def test_a_rename_without_a_word_names_the_key_that_says_it() -> None:
    raw = square()
    (refused,) = refusals(judge(make_plan(renamed(raw, "b", "west")), applied(raw), Run("apply")))
    assert "if xgn_nodes.west, which has its id, is its new name: write was: b there." in refused


def test_a_renamed_node_is_compared_with_what_it_applied_under_its_former_name() -> None:
    raw = square()
    new = renamed(raw, "b", "west")
    new["xgn_nodes"]["west"]["was"] = "b"
    plan, records = make_plan(new), applied(raw)
    found = judge(plan, records, Run("apply"))
    assert (found.refused, found.told) == ([], ["west: is the new name of b (xgn_nodes.west.was); keys and records follow"])
    former = former_records(plan, records)
    assert former["west"] is records["b"]
    changes = plan_changes({host: record.variables for host, record in former.items()}, plan.hosts)
    # Of its own variables none changes, and of its neighbors' those that name it.
    assert changes.keys() == {"a", "c"}
    assert all(
        "b becomes west" in line or "peer west: added" in line or "peer b: removed" in line for lines in changes.values() for line in lines
    ), changes
    # Once it has applied them, the key has done its work.
    done = judge(plan, {**records, "west": Record(APPLIED, "k", plan.hosts["west"])}, Run("apply"))
    assert done.told == ["xgn_nodes.west.was: may be taken out, since west has applied its variables under its new name"]


def test_a_former_name_that_nobody_had_and_an_id_that_changed_are_refused() -> None:
    raw = square()
    new = renamed(raw, "b", "west")
    new["xgn_nodes"]["west"]["was"] = "bb"
    words = refusals(judge(make_plan(new), applied(raw), Run("apply")))
    assert words[0].startswith("xgn_nodes: 'b' is no node any more")
    assert words[1] == "xgn_nodes.west.was: 'bb' is no host that has applied anything; recorded: a, b, c, d"
    new["xgn_nodes"]["west"] |= {"was": "b", "id": 7}
    words = refusals(judge(make_plan(new), applied(raw), Run("apply")))
    assert words[0] == "xgn_nodes.west.id: 7 is not that of b, which has 2; a node that is renamed keeps its id"


# ---- changes of identity -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            put("xgn_nodes.c.asn", 65000),
            (
                "c: AS number 64515 becomes 65000 (xgn_nodes.c.asn). All its BGP sessions end, those with b, d, partner, and begin anew with the new number. "
                "Tell the owner of partner."
            ),
        ),
        (
            put("xgn_vrfs.CORE.table", 300),
            (
                "VRF CORE: table 200 becomes 300 (xgn_vrfs.CORE.table) on a, b, c, d. It is deleted and made again there with all that is in it, which is "
                "interrupted for as long. Hosts need not do so together: --limit takes one after the other."
            ),
        ),
        (
            put("xgn_nodes.b.loopback", {"ipv4": "192.0.2.7"}),
            (
                "b: loopback 10.255.0.2/32, fd00:255::2/128 becomes 192.0.2.7/32, fd00:255::2/128 (xgn_nodes.b.loopback, or xgn_pools.loopbacks). All its BGP "
                "sessions end, as the router ID changes, too, those with a, c, and others begin."
            ),
        ),
        (
            put("xgn_nodes.b.router_id", "192.0.2.7"),
            "b: router ID 10.255.0.2 becomes 192.0.2.7 (xgn_nodes.b.router_id). All its BGP sessions are reset, those with a, c.",
        ),
        (
            put("xgn_nodes.a.networks", {"lan1": {"address": "10.7.0.1/24"}}),
            "a: lan1 10.1.0.1/24 becomes 10.7.0.1/24 (xgn_nodes.a.networks.lan1). What is behind it loses its gateway until it has the new one.",
        ),
        (
            put("xgn_links.0.type", "gre"),
            "link 1 (a - b): wireguard becomes gre (xgn_links[0].type). wg1 goes before gre1 is made: its traffic takes another path meanwhile.",
        ),
        (
            put("xgn_links.0.ends", [{"node": "a", "ipv4": "192.0.2.1/30"}, {"node": "b", "ipv4": "192.0.2.2/30"}]),
            (
                "addresses of 1 link (xgn_pools.links, or of the ends): link 1 at a 10.254.0.5/30 becomes 192.0.2.1/30. What runs over them is interrupted "
                "until both ends have the new ones."
            ),
        ),
        (
            both(put("xgn_nodes.a.site", "there"), put("xgn_nodes.b.site", "there"), put("xgn_nodes.b.asn", 64513)),
            "a: site here becomes there (xgn_nodes.a.site). OSPF begins on wg1.",
        ),
    ],
    ids=["asn", "table", "loopback", "router id", "network", "type", "addresses", "site"],
)
def test_a_change_that_one_run_brings_about_is_told_first(change: Callable[[Intent], None], told: str) -> None:
    found = judged(square(), change, hosts=["a", "b", "c", "d"], taking_part=["a", "b", "c", "d"])
    assert refusals(found) == []
    assert found.told[0] == told
    # By a word for the change that stands before its place in the intent.
    assert all(any(line.startswith(f"{change} (") for line in found.told) and len(hosts) > 1 for change, hosts in found.together.items())


def test_another_pool_is_told_by_its_first_links_and_by_every_loopback() -> None:
    change = both(put("xgn_pools.links.ipv4", "10.253.0.0/20"), put("xgn_pools.loopbacks.ipv4", "10.252.0.0/24"))
    found = judged(square(), change, interrupt=True)
    assert [line.partition(" (")[0] for line in found.told] == [
        *(
            f"{name}: loopback 10.255.0.{number}/32, fd00:255::{number}/128 becomes 10.252.0.{number}/32, fd00:255::{number}/128"
            for number, name in enumerate("abcd", 1)
        ),
        "addresses of 5 links",
    ]
    assert "link 1 at a 10.254.0.5/30 becomes 10.253.0.5/30; link 2 at b" in found.told[-1] and "; and 2 more." in found.told[-1]
    # Without a yes, once for each pool, and nothing of it is told as if it were done.
    refused = judged(square(), change)
    assert refused.told == []
    assert [line.partition(":")[0] for line in refusals(refused)] == ["xgn_pools.loopbacks.ipv4", "xgn_pools.links.ipv4"]
    assert refusals(refused)[0] == (
        "xgn_pools.loopbacks.ipv4: 10.252.0.0/24 gives others than the addresses in use: the loopback of a 10.255.0.1/32 becomes 10.252.0.1/32; the loopback of b "
        "10.255.0.2/32 becomes 10.252.0.2/32; the loopback of c 10.255.0.3/32 becomes 10.252.0.3/32; and 1 more; begin it where it began, as 10.255.0.0/24 does: "
        "then nothing gets another address. To renumber all the same, which interrupts what runs over them: --extra-vars xgn_interrupt=true"
    )


@pytest.mark.parametrize(
    ("pool", "before", "after", "way"),
    [
        ("links.ipv4", "10.254.16.0/26", "10.254.16.0/20", ""),
        (
            "links.ipv4",
            "10.254.16.0/26",
            "10.254.0.0/19",
            "begin it where it began, as 10.254.16.0/20 does: then nothing gets another address; no larger one",
        ),
        (
            "links.ipv4",
            "10.254.1.64/26",
            "10.254.0.0/20",
            "begin it where it began, as 10.254.1.64/26 does: then nothing gets another address; no larger one",
        ),
        ("loopbacks.ipv6", "fd00:255::/120", "fd00:255::/64", ""),
        ("loopbacks.ipv6", "fd00:255::1:0/112", "fd00:255::/64", "begin it where it began, as fd00:255::1:0/112 does"),
        ("networks.ipv4", "10.64.0.0/16", "10.64.0.0/14", ""),
        ("networks.ipv4", "10.64.0.0/16", "10.0.0.0/9", "begin it where it began, as 10.64.0.0/10 does"),
        (
            "networks.per_node",
            1,
            4,
            "keep the pool and per_node as they were; what has no place in it gets its IPv4 address written, with address or",
        ),
        ("networks.ipv4_prefix", 24, 26, "keep xgn_pools.networks.ipv4_prefix: 24"),
        ("links.ipv4_prefix", 30, 31, "keep xgn_pools.links.ipv4_prefix: 30"),
    ],
)
def test_a_pool_grows_without_another_address_or_is_refused_with_the_way(pool: str, before: object, after: object, way: str) -> None:
    raw = square()
    raw["xgn_pools"]["networks"] = {"ipv4": "10.64.0.0/16"}
    raw["xgn_nodes"]["a"]["networks"] = {"lan1": {}}
    raw["xgn_nodes"]["b"]["networks"] = {"lan1": {}}
    raw["xgn_pools"]["links"]["ipv4"] = "10.254.0.0/20" if pool != "links.ipv4" else before
    if pool.startswith("links"):
        # The last of them does not fit into the smallest pool.
        raw["xgn_links"].pop()
        raw["xgn_nodes"].pop("partner")
    put(f"xgn_pools.{pool}", before)(raw)
    found = judged(raw, put(f"xgn_pools.{pool}", after), hosts=["a", "b", "c", "d"], taking_part=["a", "b", "c", "d"])
    assert found.told == []
    assert [True for line in refusals(found) if way and f"; {way}" in line] == [True] * bool(way)
    assert len(refusals(found)) == bool(way)
    # The word keeps its promise: with the pool that it names nothing is refused.
    named = re.search(r" as (\S+) does", " ".join(refusals(found)))
    if named:
        assert judged(raw, put(f"xgn_pools.{pool}", named[1])).refused == []
    assert judged(raw, put(f"xgn_pools.{pool}", after), interrupt=True).refused == []


def test_a_link_whose_written_addresses_go_keeps_them_or_says_yes() -> None:
    raw = square()
    raw["xgn_links"] = [{**raw["xgn_links"][0], "ends": written("a", "b", 1)}]
    raw["xgn_nodes"] = {name: raw["xgn_nodes"][name] for name in "ab"}
    (refused,) = refusals(judged(raw, put("xgn_links.0.ends", ["a", "b"])))
    assert "; keep the pool as it was; what has no place in it gets its IPv4 address written, with ipv4 or ipv6 at both ends. To" in refused


def test_another_id_in_a_pool_that_stays_is_told() -> None:
    raw = square()
    raw["xgn_pools"]["networks"] = {"ipv4": "10.64.0.0/16", "per_node": 4}
    raw["xgn_nodes"]["a"]["networks"] = {"lan1": {}}
    raw["xgn_nodes"]["b"]["networks"] = {"lan1": {}}
    found = judged(raw, put("xgn_nodes.b.networks.lan1.id", 2))
    assert refusals(found) == []
    assert found.told == [
        "b: lan1 10.64.8.1/24 becomes 10.64.10.1/24 (xgn_nodes.b.networks.lan1). What is behind it loses its gateway until it has the new one."
    ]


def test_a_site_has_one_as_number_for_all_its_nodes() -> None:
    raw = golden("hybrid")
    found = judged(raw, put("xgn_sites.cloud.asn", 4200000002))
    assert refusals(found) == []
    assert found.told == [
        (
            "cloud-edge: AS number 65502 becomes 4200000002 (xgn_sites.cloud.asn). All its BGP sessions end, those with cloud-node, hq-core, igp, and begin "
            "anew with the new number."
        )
    ]
    found = judged(raw, put("xgn_services.docker.apps.containers.igp.bgp.asn", 65101))
    assert found.told[0].startswith(
        "igp: AS number 65100 becomes 65101 (xgn_services.docker.apps.containers.igp.bgp.asn). Its BGP session with cloud-edge ends"
    )


@pytest.mark.parametrize(
    ("change", "half", "words"),
    [
        (
            put("xgn_nodes.c.asn", 65000),
            ["c"],
            "c: AS number 64515 becomes 65000: b, c, d have to make this change in one run, and this one leaves out b, d",
        ),
        (put("xgn_links.0.type", "gre"), ["a", "c"], "link 1: a, b have to make this change in one run, and this one leaves out b"),
        (
            both(put("xgn_links.0.ends", written("a", "b", 1)), put("xgn_links.1.ends", written("b", "c", 5))),
            ["a"],
            "addresses of 2 links: a, b, c have to make this change in one run",
        ),
        (put("xgn_nodes.b.loopback", {"ipv4": "192.0.2.7"}), ["a"], "b: loopback 10.255.0.2/32, fd00:255::2/128 becomes"),
    ],
    ids=["asn", "type", "addresses", "loopback"],
)
def test_half_of_a_change_is_refused_before_a_host_is_touched(change: Callable[[Intent], None], half: list[str], words: str) -> None:
    hosts = ["a", "b", "c", "d"]
    (refused,) = refusals(judged(square(), change, hosts=hosts, taking_part=half))
    assert refused.startswith(words) and refused.endswith("; run without --limit, or with all of them")
    assert judged(square(), change, hosts=hosts, taking_part=hosts).refused == []
    # Hosts that none of it concerns, and a plan that is only shown.
    assert judged(square(), put("xgn_nodes.c.asn", 65000), hosts=hosts, taking_part=["a"]).refused == []
    assert judged(square(), change, hosts=hosts, taking_part=half, purpose="plan").refused == []


def test_hosts_need_not_change_a_table_together() -> None:
    assert judged(square(), put("xgn_vrfs.CORE.table", 300), hosts=["a", "b", "c", "d"], taking_part=["a"]).refused == []


def test_the_only_path_changes_its_type_with_a_plain_yes_or_in_steps() -> None:
    raw = square()
    raw["xgn_links"] = [link for link in raw["xgn_links"] if link["id"] in (1, 2, 3, 9)]
    change = put("xgn_links.0.type", "openvpn")
    (refused,) = refusals(judged(raw, change))
    assert refused == (
        "xgn_links[0].type: 'openvpn' was wireguard, and no other path joins a and b; both ends would be without each other until the new link is up. To lose "
        "nothing: let link 1 be wireguard, add a link of type openvpn with the id 10 and reserve_of: 1, run xuegao.net.site; then take link 1 and reserve_of "
        "out, and run it again. In one go: --extra-vars xgn_interrupt=true"
    )
    yes = judged(raw, change, interrupt=True)
    assert (yes.refused, yes.told) == (
        [],
        [
            "link 1 (a - b): wireguard becomes openvpn (xgn_links[0].type). wg1 goes before ovpn1 is made: nothing else joins the two, which are interrupted."
        ],
    )
    # Each of the steps is one that goes.
    first = changed(raw, lambda new: new["xgn_links"].append({"id": 10, "type": "openvpn", "ends": ["a", "b"], "reserve_of": 1}))
    second = changed(raw, put("xgn_links.0", {"id": 10, "type": "openvpn", "ends": ["a", "b"]}))
    assert judge(make_plan(first), applied(raw), Run("apply")) == Judgement()
    assert judge(make_plan(second), applied(first), Run("apply")) == Judgement()


def test_a_pattern_changes_its_type_by_way_of_its_reserve() -> None:
    """One sentence for all of its links; each of the steps is one that goes."""
    raw = square()
    raw["xgn_nodes"].pop("partner")
    raw["xgn_links"] = []
    pattern: Intent = {"type": "hub_spoke", "first_id": 100, "hub": "a", "spokes": ["all"]}
    raw["xgn_patterns"] = [{**pattern, "link": {"type": "wireguard"}}]
    (refused,) = set(refusals(judged(raw, put("xgn_patterns.0.link.type", "gre"))))
    assert refused.startswith(
        "xgn_patterns[0].link.type: 'gre' was wireguard, and for some of these links no other path joins the two nodes; both ends"
    )
    assert (
        "give it a reserve of type gre, run xuegao.net.site; then give the pattern type and first_id of its reserve, take that out"
        in refused
    )
    first = changed(raw, put("xgn_patterns.0.reserve", {"first_id": 200, "type": "gre"}))
    second = changed(raw, put("xgn_patterns.0", {**pattern, "first_id": 200, "link": {"type": "gre"}}))
    assert judge(make_plan(first), applied(raw), Run("apply")) == Judgement()
    assert judge(make_plan(second), applied(first), Run("apply")) == Judgement()
    # The links that it is the reserve of are another path.
    assert refusals(judge(make_plan(changed(first, put("xgn_patterns.0.reserve.type", "openvpn"))), applied(first), Run("apply"))) == []


def test_two_links_that_change_their_type_at_once_are_no_path_for_each_other() -> None:
    both_ways = both(*(put(f"xgn_links.{index}.type", "gre") for index in (0, 3)))
    words = refusals(judged(square(), both_ways))
    assert len(words) == 2 and all("no other path joins" in line for line in words)


def test_an_id_that_another_pair_of_nodes_has_now_is_another_link() -> None:
    """It is one link less and one more, which the hosts' changes say."""
    found = judged(square(), put("xgn_links.0", {"id": 1, "type": "gre", "ends": ["a", "c"]}))
    assert (refusals(found), found.told) == ([], [])


def test_a_link_of_a_renamed_node_is_the_same_link() -> None:
    raw = square()
    new = renamed(raw, "b", "west")
    new["xgn_nodes"]["west"]["was"] = "b"
    new["xgn_links"][0]["type"] = "gre"
    found = judge(make_plan(new), applied(raw), Run("apply"))
    assert found.told[1].startswith("link 1 (a - west): wireguard becomes gre (xgn_links[0].type). wg1 goes before gre1 is made")


def test_an_id_never_changes_but_with_a_plain_yes() -> None:
    change = put("xgn_nodes.b.id", 7)
    (refused,) = refusals(judged(square(), change))
    assert refused.startswith("xgn_nodes.b.id: 7 was 2 when b last applied its variables; write 2: an id never changes")
    yes = judged(square(), change, interrupt=True)
    assert set(yes.together) >= {"b: loopback 10.255.0.2/32, fd00:255::2/128 becomes 10.255.0.7/32, fd00:255::7/128"}
    assert yes.refused == [] and yes.told[0].startswith("b: id 2 becomes 7 (xgn_nodes.b.id).")


@pytest.mark.parametrize(
    ("change", "address"),
    [
        (put("xgn_nodes.b.loopback", {"ipv4": "192.0.2.7"}), "10.255.0.2"),
        (put("xgn_links.0.ends", written("a", "b", 1)), "10.254.0.6"),
        (retire("b"), "fd00:255::2"),
    ],
    ids=["loopback", "link", "retired"],
)
def test_an_address_that_ansible_comes_in_by_does_not_go(change: Callable[[Intent], None], address: str) -> None:
    """The host would be out of reach in the middle of the change, and restore itself."""
    (refused,) = refusals(judged(square(), change, purpose="retire", reached_by={"b": address, "a": "198.51.100.1", "c": "c.example"}))
    assert refused == (
        f"'{address}' is the address by which Ansible reaches b, and goes with this plan; give b another ansible_host first, such as the address of its uplink, "
        "which stays"
    )
    assert judged(square(), change, purpose="retire", reached_by={"b": "198.51.100.2"}).refused == []


def test_a_host_that_has_left_holds_nobody_up_by_its_address() -> None:
    raw = square()
    records = applied(raw)
    records["b"] = Record(APPLIED, "k", records["b"].variables, left=LATER)
    run = Run("apply", hosts=["a", "b"], reached_by={"b": "10.255.0.2"})
    assert judge(make_plan(changed(raw, retire("b"))), records, run).refused == []


def test_what_is_told_names_no_variable_of_python() -> None:
    """Of all golden networks: what is said of each change is one sentence for people."""
    for network in ("hybrid", "ospf_region", "segment", "two_vrfs"):
        raw = golden(network)
        records: Mapping[str, Record] = applied(raw)
        new = copy.deepcopy(raw)
        for vrf in new.get("xgn_vrfs", {}).values():
            vrf["table"] += 1000
        if check_intent(new)[1]:
            continue
        for line in judge(make_plan(new), records, Run("apply")).told:
            assert not any(mark in line for mark in ("{", "None", "frozenset", "<")), line

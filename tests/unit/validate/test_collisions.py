"""What two hosts hold at once, or a neighbor has of what the plan gives out: each rule, in both families, and what is no collision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.collisions import ALLOW, ASKED, Looked, collisions

FIRST, SECOND, STRANGER = "02:00:00:00:00:01", "02:00:00:00:00:02", "00:00:5e:00:53:99"


def link(name: str, *addresses: str, mac: str = "", vrf: str = "", refused: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"name": name, "mac": mac, "vrf": vrf, "addresses": list(addresses), "refused": list(refused)}


def neighbor(interface: str, address: str, mac: str = STRANGER) -> dict[str, str]:
    return {"interface": interface, "address": address, "mac": mac}


def route(prefix: str, interface: str, gateway: str = "", vrf: str = "") -> dict[str, str]:
    return {"prefix": prefix, "interface": interface, "gateway": gateway, "vrf": vrf}


def gives(interface: str, *addresses: str, **entry: Any) -> dict[str, Any]:
    """Variables that give an interface its addresses. With more keys it is one of vrf_interfaces, too."""
    found: dict[str, Any] = {"frr_interfaces": [{"name": interface, "addresses": list(addresses)}]}
    return {**found, "vrf_interfaces": [{"name": interface, **entry}]} if entry else found


def looked(
    name: str,
    variables: Mapping[str, Any] | None = None,
    links: tuple[dict[str, Any], ...] = (),
    neighbors: tuple[dict[str, str], ...] = (),
    routes: tuple[dict[str, str], ...] = (),
    former: Mapping[str, Any] | None = None,
    **facts: Any,
) -> Looked:
    held = {"links": list(links), "neighbors": list(neighbors), "routes": list(routes)}
    return Looked(name, {"identity": name, "recorded": {}, "held": held, **facts}, variables or {}, former or {})


def told(*hosts: Looked) -> list[str]:
    found = collisions(hosts)
    assert all("Remedy" in sentence for sentence in found)
    return found


# ---- identities and MACs ------------------------------------------------------------------------------------------------------------------


def test_clones_are_named_together_with_what_to_do() -> None:
    found = told(looked("r1", identity="a"), looked("r2", identity="b"), looked("r3", identity="a"))
    assert len(found) == 1
    assert found[0].startswith("r1, r3 have the same /etc/machine-id")
    assert "systemd-machine-id-setup" in found[0] and "r2" not in found[0]


def test_a_host_without_a_machine_id_is_named_alone() -> None:
    (sentence,) = told(looked("r1", identity=""), looked("r2"))
    assert sentence.startswith("r1: /etc/machine-id is empty")
    # Looked at by an older version, or not at all.
    assert told(Looked("r1", {}, {}, {}), Looked("r2", {}, {}, {})) == []


@pytest.mark.parametrize("prefix", ["10.1.0.{}/24", "fd00:1::{}/64"])
def test_equal_macs_in_one_subnet_are_told_by_live_and_planned_ones(prefix: str) -> None:
    def pair(mac: str, *more: str, vrf: str = "CORE") -> list[str]:
        live = looked("r1", gives("eth1", prefix.format(1), vrf="CORE"), (link("eth1", mac=FIRST),))
        return told(live, looked("r2", gives("eth1", prefix.format(2), *more, vrf=vrf, mac=mac)))

    (sentence,) = pair(FIRST.upper())
    assert sentence.startswith(f"r1 (eth1) and r2 (eth1) have the same MAC {FIRST} in ")
    assert pair(SECOND) == []
    # Another VRF is another domain, and so is each link of its own by link-local addresses.
    assert pair(FIRST, vrf="OTHER") == []
    own = looked("r1", gives("eth1", "fe80::1/64"), (link("eth1", mac=FIRST),))
    assert told(own, looked("r2", gives("eth1", "fe80::2/64"), (link("eth1", mac=FIRST),))) == []


def test_the_planned_mac_counts_in_place_of_the_live_one() -> None:
    first = looked("r1", gives("seg1", "10.1.0.1/24", "fd00:1::1/64", kind="macvlan", mac=SECOND), (link("seg1", mac=FIRST),))
    assert told(first, looked("r2", gives("seg1", "10.1.0.2/24", "fd00:1::2/64"), (link("seg1", mac=FIRST),))) == []
    (sentence,) = told(first, looked("r2", gives("seg1", "10.1.0.2/24", "fd00:1::2/64"), (link("seg1", mac=SECOND),)))
    assert SECOND in sentence, "both families of one interface are one collision"


def test_a_container_has_a_mac_of_its_own() -> None:
    node = {**gives("seg1", "10.1.0.1/24", kind="macvlan", mac=FIRST), **container("10.1.0.9", mac=FIRST)}
    (sentence,) = told(looked("r1", node))
    assert sentence.startswith(f"r1 (seg1) and container web on r1 have the same MAC {FIRST} in 10.1.0.0/24")


def container(address: str, **entry: Any) -> dict[str, Any]:
    family = "ipv6" if ":" in address else "ipv4"
    subnet = "fd00:1::/64" if ":" in address else "10.1.0.0/24"
    return {
        "docker_macvlan_networks": [{"name": "apps", "parent": "vxlan1", "subnets": [{"subnet": subnet}]}],
        "docker_macvlan_containers": [{"name": "web", "network": "apps", family: address, **entry}],
    }


# ---- addresses ----------------------------------------------------------------------------------------------------------------------------

BOTH = pytest.mark.parametrize("own", ["10.1.0.1/24", "fd00:1::1/64"])


@BOTH
def test_an_address_that_another_host_holds_beside_the_plan(own: str) -> None:
    bare = own.partition("/")[0]

    def other(*links: dict[str, Any], **more: Any) -> list[str]:
        return told(looked("r1", gives("eth1", own)), looked("r2", links=links, **more))

    (sentence,) = other(link("eth5", own))
    assert sentence.startswith(f"r1 (eth1) is to have {bare} in the default VRF, and r2 holds it on eth5, which is not of this plan.")
    assert f"{ALLOW}: ['{bare}']" in sentence
    assert other(link("eth5", own, vrf="blue")) == [], "in another VRF"
    # Made by the collection, or given to this host by the plan before: it moves.
    assert other(link("wg0", own), recorded={"wireguard": ["interface wg0"]}) == []
    assert other(link("eth5", own), former=gives("eth5", own)) == []
    assert other(link("wg0", own), variables={"wireguard_interfaces": [{"name": "wg0"}]}) == []
    assert other(link("wg0", own), former={"wireguard_interfaces": [{"name": "wg0"}]}) == []
    assert other(link("br0", own), variables={"vrf_interfaces": [{"name": "br0", "kind": "bridge"}]}) == []
    # On the host itself it moves from one interface to another.
    assert told(looked("r1", gives("eth1", own), (link("eth5", own),))) == []


@BOTH
def test_an_address_in_a_vrf_collides_there_alone(own: str) -> None:
    planned = looked("r1", gives("eth1", own, vrf="CORE"))
    assert told(planned, looked("r2", links=(link("eth5", own),))) == []
    (sentence,) = told(planned, looked("r2", links=(link("eth5", own, vrf="CORE"),)))
    assert "in VRF CORE" in sentence
    # The NIC will be in that VRF.
    assert told(planned, looked("r2", {"vrf_interfaces": [{"name": "eth5", "vrf": "CORE"}]}, (link("eth5", own),)))


@pytest.mark.parametrize("address", ["10.1.0.9", "fd00:1::9"])
def test_the_address_of_a_container_is_one_of_the_plan(address: str) -> None:
    length = 64 if ":" in address else 24
    (sentence,) = told(looked("r1", container(address)), looked("r2", links=(link("eth5", f"{address}/{length}"),)))
    assert sentence.startswith(f"container web on r1 is to have {address}")


@BOTH
def test_an_address_that_a_neighbor_has(own: str) -> None:
    bare = own.partition("/")[0]
    there = (link("eth1", mac=FIRST), link("eth2", mac=SECOND))

    def seen(*neighbors: dict[str, str], vrf: str = "", **more: Any) -> list[str]:
        return told(looked("r1", gives("eth1", own, **({"vrf": vrf} if vrf else {})), there, neighbors, **more))

    (sentence,) = seen(neighbor("eth1", bare))
    assert sentence.startswith(f"r1 (eth1) is to have {bare}, and a neighbor with MAC {STRANGER} has it already on the link of eth1.")
    assert f"`ip neigh flush to {bare}` on r1" in sentence
    assert "the gateway of a route of it" in seen(neighbor("eth1", bare), routes=(route("0.0.0.0/0", "eth1", bare),))[0]
    assert "on the link of eth2" in seen(neighbor("eth2", bare))[0], "routed there until the plan is applied"
    assert seen(neighbor("eth2", bare), vrf="CORE") == []
    assert seen(neighbor("eth1", bare, SECOND)) == [], "its own other interface"
    assert seen(neighbor("eth1", "10.1.0.77"), neighbor("eth1", "fd00:1::77")) == []


@BOTH
def test_a_neighbor_of_the_inventory_is_named_and_one_that_gives_it_away_is_not(own: str) -> None:
    bare = own.partition("/")[0]
    first = looked("r1", gives("eth1", own, vrf="CORE"), (link("eth1", mac=FIRST),), (neighbor("eth1", bare, SECOND),))
    (sentence,) = told(first, looked("r2", links=(link("eth5", own, mac=SECOND),)))
    assert "and r2 (eth5) has it already" in sentence
    assert told(first, looked("r2", links=(link("eth5", own, mac=SECOND),), former=gives("eth5", own))) == []


def test_a_link_local_address_counts_on_its_own_link() -> None:
    def seen(interface: str) -> list[str]:
        return told(
            looked("r1", gives("eth1", "fd00:1::1/64", "fe80::1/64"), (link("eth1", mac=FIRST),), (neighbor(interface, "fe80::1"),))
        )

    assert seen("eth2") == []
    (sentence,) = seen("eth1")
    assert sentence.startswith("r1 (eth1) is to have fe80::1, and a neighbor")
    assert told(looked("r1", gives("eth1", "fe80::1/64")), looked("r2", links=(link("eth5", "fe80::1/64"),))) == []


def test_an_address_that_the_kernel_gave_up_is_somebody_elses() -> None:
    own = "fd00:1::1/64"
    (sentence,) = told(looked("r1", gives("eth1", own), (link("eth1", own, mac=FIRST, refused=(own,)),)))
    assert "and another one on the link has it already on the link of eth1" in sentence
    named = looked("r1", gives("eth1", own), (link("eth1", own, mac=FIRST, refused=(own,)),), (neighbor("eth1", "fd00:1::1"),))
    assert f"a neighbor with MAC {STRANGER}" in told(named)[0]


@pytest.mark.parametrize("address", ["10.1.0.9", "fd00:1::9"])
def test_a_container_that_runs_is_no_stranger(address: str) -> None:
    """Its MAC may be one that Docker chose."""
    near = (neighbor("seg1", address),)
    new = looked("r1", container(address), (link("seg1", mac=FIRST),), near)
    assert len(told(new)) == 1
    assert told(looked("r1", container(address), (link("seg1", mac=FIRST),), near, former=container(address))) == []
    # By its MAC, where the variables give it one, on whatever host it runs.
    assert told(looked("r1", container(address, mac=STRANGER.upper()), (link("seg1", mac=FIRST),), near)) == []


# ---- prefixes -----------------------------------------------------------------------------------------------------------------------------

NETWORKS = pytest.mark.parametrize(
    ("own", "same", "inside", "around", "beside", "gateway"),
    [
        ("10.1.0.1/24", "10.1.0.0/24", "10.1.0.128/25", "10.0.0.0/8", "10.1.1.0/24", "192.0.2.1"),
        ("fd00:1::1/64", "fd00:1::/64", "fd00:1::8000:0/112", "fd00::/16", "fd00:1:0:1::/64", "2001:db8::1"),
    ],
)


@NETWORKS
def test_a_network_of_a_host_that_overlaps_with_the_plan(own: str, same: str, inside: str, around: str, beside: str, gateway: str) -> None:
    def has(*routes: dict[str, str], **more: Any) -> list[str]:
        return told(looked("r1", gives("eth1", own)), looked("r2", routes=routes, **more))

    for prefix in (same, inside, around):
        (sentence,) = has(route(prefix, "docker0"))
        assert sentence.startswith(
            f"r2 has a route of its own, {prefix} on the link of docker0, which overlaps with the plan ({same} of r1 (eth1)):"
        )
    assert has(route(beside, "docker0")) == []
    # Where a gateway leads, the longest prefix wins.
    assert [len(has(route(prefix, "eth0", gateway))) for prefix in (same, inside, around)] == [1, 1, 0]
    assert f"by {gateway} on eth0" in has(route(same, "eth0", gateway))[0]
    assert has(route("0.0.0.0/0", "ppp0"), route("::/0", "ppp0"), route("fe80::/64", "eth0")) == []
    # Another VRF, and what is ours.
    assert has(route(same, "eth5", vrf="blue")) == []
    assert has(route(same, "eth5"), variables={"vrf_interfaces": [{"name": "eth5", "vrf": "blue"}]}) == []
    assert has(route(same, "wg0"), variables={"wireguard_interfaces": [{"name": "wg0"}]}) == []
    assert has(route(same, "br0"), recorded={"vrf": ["interface br0"]}) == []
    assert has(route(same, "eth5"), former=gives("eth5", own)) == []
    assert has(route(same, "eth5"), variables=gives("eth5", own)) == []


@NETWORKS
def test_a_host_in_the_lan_of_another_one_is_no_collision(own: str, same: str, inside: str, around: str, beside: str, gateway: str) -> None:
    def beside_it(routes: tuple[dict[str, str], ...], here: str = "", there: str = "") -> list[str]:
        first = looked("r1", gives("eth1", own), (link("eth1", mac=FIRST),), (neighbor("eth1", gateway, here),) if here else ())
        second = looked(
            "r2", {}, (link("eth0", mac=SECOND),), (neighbor("eth0", gateway, there),) if there else (), (route(same, "eth0"), *routes)
        )
        return told(first, second)

    assert len(beside_it(())) == 1
    assert beside_it((route("0.0.0.0/0", "eth0", own.partition("/")[0]),)) == [], "r1 is its gateway"
    assert beside_it((), here=SECOND) == beside_it((), there=FIRST) == [], "one of them has seen the other"
    assert len(beside_it((), here=STRANGER, there=STRANGER)) == 1
    # Two interfaces of one host are no LAN.
    assert len(told(looked("r1", gives("eth1", own), routes=(route(same, "eth0"), route("::/0", "eth0", own.partition("/")[0]))))) == 1


@pytest.mark.parametrize(("loopback", "lan"), [("10.9.0.1/32", "10.9.0.0/24"), ("fd09::1/128", "fd09::/64")])
def test_many_prefixes_in_one_network_are_one_collision(loopback: str, lan: str) -> None:
    hosts = [
        looked(f"r{number}", gives("CORE", loopback.replace("1/", f"{number}/")) | {"vrf_vrfs": [{"name": "CORE"}]})
        for number in range(1, 9)
    ]
    (sentence,) = told(*hosts, looked("r9", routes=(route(lan, "eth5", vrf="CORE"),)))
    assert "of r1 (CORE), " in sentence and " and 4 more)" in sentence


# ---- what is allowed, and what is looked at -----------------------------------------------------------------------------------------------


def test_what_is_meant_is_allowed_by_the_word_of_the_message() -> None:
    mine = gives("eth1", "10.1.0.1/24", "fd00:1::1/64", vrf="", mac=FIRST)
    theirs = gives("eth1", "10.1.0.2/24", "fd00:1::2/64", vrf="", mac=FIRST)
    hosts: Callable[..., list[str]] = lambda *words: told(  # noqa: E731
        looked("r1", {**mine, ALLOW: list(words)}, identity="a"),
        looked("r2", theirs, (link("eth5", "10.1.0.1/32"), link("eth6", "fd00:1::1/128")), (), (route("fd00::/16", "eth7"),), identity="a"),
        looked("r3", {ALLOW: ["fd00::/16"]}),
    )
    found = hosts()
    words = [sentence.rpartition(f"{ALLOW}: ['")[2].removesuffix("'].") for sentence in found]
    assert words == ["machine-id", FIRST, "10.1.0.1", "fd00:1::1", "fd00::/16"]
    for index, word in enumerate(words[:-1]):
        assert hosts(word.upper()) == found[:index] + found[index + 1 :]
    # What a host has is allowed by that host, and r3 is none of it.
    assert hosts(*words) == found[-1:]


def test_a_host_is_judged_by_all_that_the_rules_ask_for() -> None:
    names: set[str] = set()

    class Asked(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:
            names.add(key)
            return super().get(key, default)

    collisions(
        [
            looked(
                "r1",
                Asked(container("10.1.0.9")),
                (link("eth0", "192.0.2.1/24"),),
                (neighbor("eth0", "192.0.2.9"),),
                (route("192.0.2.0/24", "eth0"),),
            )
        ]
    )
    assert names == ASKED

# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which node learns which published prefix, and why one does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import check_intent
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.propagation import Propagation, learned

Links = list[tuple[str, str, dict[str, Any]]]


def network(nodes: Mapping[str, Mapping[str, Any]], links: Sequence[tuple[str, str, Mapping[str, Any]]], **more: Any) -> dict[str, Any]:
    """Return an intent: each node with a network 10.ID.0.0/24, links by their ends."""
    return {
        "xgn_pools": {"links": {"ipv4": "10.254.0.0/20"}, "loopbacks": {"ipv4": "10.255.0.0/24"}},
        "xgn_nodes": {
            name: {
                "id": number,
                "asn": 64512 + number,
                "uplink": {"device": "eth0", "address": f"198.51.100.{number}/24"},
                "networks": {"br0": {"kind": "bridge", "address": f"10.{number}.0.1/24"}},
                **extra,
            }
            for number, (name, extra) in enumerate(nodes.items(), 1)
        },
        "xgn_links": [
            {"id": number, "type": "wireguard", "ends": [one, two], **extra} for number, (one, two, extra) in enumerate(links, 1)
        ],
        **more,
    }


def of(raw: dict[str, Any]) -> Propagation:
    return learned(check_intent(raw)[0])


def table(found: Propagation, name: str, vrf: str = "") -> dict[str, tuple[tuple[str, ...], str | None]]:
    return {str(prefix): (route.origins, route.protocol) for prefix, route in found[name, vrf].items()}


def gaps(found: Propagation) -> set[tuple[str, str, str, str, str]]:
    return {(str(gap.prefix), gap.learner, gap.reason, gap.holder, gap.beyond) for gap in found.gaps()}


def test_a_chain_of_ases() -> None:
    found = of(network({"a": {}, "b": {}, "c": {}}, [("a", "b", {}), ("b", "c", {})]))
    assert table(found, "a") == {"10.2.0.0/24": (("b",), "bgp"), "10.3.0.0/24": (("c",), "bgp")}
    assert gaps(found) == set()


def test_spokes_of_one_as_need_a_reflector() -> None:
    spokes = {"hub": {"asn": 65000}, "b": {"asn": 65000}, "c": {"asn": 65000}}
    links: Links = [("hub", "b", {}), ("hub", "c", {})]
    found = of(network(spokes, links))
    assert table(found, "b") == {"10.1.0.0/24": (("hub",), "bgp")}
    assert gaps(found) == {("10.2.0.0/24", "c", "reflector", "hub", "c"), ("10.3.0.0/24", "b", "reflector", "hub", "b")}
    assert not gaps(of(network({**spokes, "hub": {"asn": 65000, "route_reflector": True}}, links)))


def test_transit_between_two_borders_of_a_site() -> None:
    """A neighbor of one border learns what a neighbor of the other advertises, through a router that speaks OSPF alone."""
    site = {"site": "hq", "asn": 65000}
    nodes = {"west": {}, "left": site, "inner": site, "right": site, "east": {}}
    links: Links = [("west", "left", {}), ("left", "inner", {}), ("inner", "right", {}), ("right", "east", {})]
    found = of(network(nodes, links, xgn_sites={"hq": {"igp": "ospf"}}))
    assert gaps(found) == set()
    assert table(found, "east") == {f"10.{number}.0.0/24": ((name,), "bgp") for number, name in enumerate(nodes, 1) if name != "east"}
    assert table(found, "inner")["10.1.0.0/24"] == (("west",), "ospf")
    assert table(found, "left")["10.5.0.0/24"] == (("east",), None)
    assert table(found, "left")["10.3.0.0/24"] == (("inner",), "ospf")


def test_two_borders_without_a_common_as() -> None:
    nodes = {"west": {}, "left": {"site": "hq"}, "right": {"site": "hq"}, "east": {}}
    found = of(network(nodes, [("west", "left", {}), ("left", "right", {}), ("right", "east", {})], xgn_sites={"hq": {"igp": "ospf"}}))
    assert gaps(found) == {("10.1.0.0/24", "east", "borders", "right", "east"), ("10.4.0.0/24", "west", "borders", "left", "west")}

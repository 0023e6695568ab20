"""What is accepted from external neighbors and advertised to them: routes are sent through the route maps of the plan, as FRR would read them."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan

NETWORK = Path(__file__).parents[2] / "golden" / "edge" / "intent.yml"
HOSTS: dict[str, Any] = dict(make_plan(read_yaml(NETWORK.read_text(encoding="utf-8"))).hosts)


@dataclass(frozen=True)
class Route:
    """What a route map may look at or change."""

    prefix: str
    path: tuple[int, ...] = ()
    communities: frozenset[str] = frozenset()
    large: frozenset[str] = frozenset()
    preference: int = 100
    metric: int | None = None
    rpki: str = "notfound"


def _listed(host: str, variable: str, name: str, **more: str) -> list[dict[str, Any]]:
    return [
        item
        for item in HOSTS[host].get(variable, [])
        if item["name"] == name and all(item.get(key, "ipv4") == value for key, value in more.items())
    ]


def _in_prefix_list(host: str, family: str, name: str, prefix: str) -> bool:
    (found,) = _listed(host, "frr_prefix_lists", name, family=family)
    network = ipaddress.ip_network(prefix)
    for line in found["entries"]:
        outer = ipaddress.ip_network(line["prefix"])
        low = line.get("ge", outer.prefixlen)
        high = line.get("le", outer.max_prefixlen if "ge" in line else outer.prefixlen)
        if network.version == outer.version and low <= network.prefixlen <= high and network.subnet_of(outer):  # type: ignore[arg-type]
            return bool(line["action"] == "permit")
    return False


def _fits(host: str, words: str, route: Route) -> bool:
    kind, *rest = words.split()
    if kind in ("ip", "ipv6"):
        family = "ipv4" if kind == "ip" else "ipv6"
        return (":" in route.prefix) == (family == "ipv6") and _in_prefix_list(host, family, rest[-1], route.prefix)
    if kind == "as-path":
        (found,) = _listed(host, "frr_as_path_lists", rest[0])
        text = " ".join(map(str, route.path))
        for line in found["entries"]:
            if re.search(line["regex"].replace("_", "(?:^|[ ]|$)"), text):
                return bool(line["action"] == "permit")
        return False
    if kind in ("community", "large-community"):
        wanted, carried = ("large", route.large) if kind.startswith("large") else ("standard", route.communities)
        (found,) = _listed(host, "frr_community_lists", rest[0], kind=wanted)
        return any(set(line["value"].split()) <= carried for line in found["entries"])
    assert kind == "rpki", words
    return route.rpki == rest[0]


def _changed(host: str, words: str, route: Route) -> Route:
    kind, *rest = words.split()
    if kind == "large-comm-list":
        (found,) = _listed(host, "frr_community_lists", rest[0], kind="large")
        return replace(route, large=route.large - {line["value"] for line in found["entries"]})
    if kind in ("community", "large-community"):
        assert rest[-1] == "additive"
        field = "large" if kind.startswith("large") else "communities"
        return replace(route, **{field: getattr(route, field) | set(rest[:-1])})
    if kind == "local-preference":
        return replace(route, preference=int(rest[0]))
    if kind == "metric":
        return replace(route, metric=int(rest[0]))
    assert (kind, rest[0]) == ("as-path", "prepend"), words
    return replace(route, path=(*map(int, rest[1:]), *route.path))


def through(host: str, name: str, route: Route | None) -> Route | None:
    """Return what a route map of a host makes of a route, none where it refuses it."""
    if route is None:
        return None
    (found,) = _listed(host, "frr_route_maps", name)
    for entry in found["entries"]:
        if all(_fits(host, words, route) for words in entry.get("match", [])):
            if entry["action"] == "deny":
                return None
            for words in entry.get("set", []):
                route = _changed(host, words, route)
            return route
    return None


def accepted(neighbor: str, route: Route, host: str = "edge") -> Route | None:
    return through(host, f"IN-{neighbor}", route)


def advertised(neighbor: str, route: Route | None, host: str = "edge") -> Route | None:
    return through(host, f"OUT-{neighbor}", route)


OF_CUSTOMER = Route("44.129.0.0/22", (500004,), large=frozenset({"500004:1:1"}))
ELSEWHERE = Route("8.8.8.0/24", (500002, 15169))
OURS = Route("44.128.1.0/24")


@pytest.mark.parametrize("neighbor", ["transit", "exchange-rs1", "exchange-peer"])
@pytest.mark.parametrize(
    "prefix",
    [
        *("10.1.0.0/16", "192.168.0.0/24", "100.64.0.0/24", "203.0.113.0/24", "169.254.0.0/16", "224.0.0.0/8", "0.0.0.0/8", "127.0.0.0/8"),
        *(
            "44.128.1.0/24",
            "44.128.2.0/24",
            "44.128.1.0/25",
            "44.128.2.128/25",
            "10.255.0.1/32",
            "10.254.0.0/30",
            "8.8.8.8/32",
            "8.8.8.0/25",
            "8.0.0.0/7",
        ),
    ],
)
def test_nobody_outside_brings_bogons_ours_or_hosts(neighbor: str, prefix: str) -> None:
    assert accepted(neighbor, Route(prefix, (500002,))) is None


@pytest.mark.parametrize(
    "prefix", ["fd00:1::/32", "2001:db8::/32", "fe80::/10", "::/8", "2a0f:ffff:1::/48", "2a00:1450::/64", "3000::/4", "::/0"]
)
def test_nor_in_ipv6(prefix: str) -> None:
    assert accepted("exchange-rs1", Route(prefix, (500003,))) is None


def test_what_is_somebodys_is_accepted() -> None:
    assert accepted("transit", Route("2a00:1450::/32", (500002,))) is not None
    assert accepted("exchange-rs1", Route("8.8.8.0/24", (15169,))) is not None


def test_only_an_upstream_brings_a_default_route() -> None:
    for prefix in ("0.0.0.0/0", "::/0"):
        assert accepted("transit", Route(prefix, (500002,))) is not None
        assert accepted("exchange-rs1", Route(prefix, (500003,))) is None
    assert accepted("exchange-peer", Route("0.0.0.0/0", (500006,))) is None


def test_a_customer_comes_first_and_an_upstream_last() -> None:
    of_customer, of_peer, of_server, of_upstream = (
        accepted(name, route)
        for name, route in (("customer", OF_CUSTOMER), ("exchange-peer", ELSEWHERE), ("exchange-rs1", ELSEWHERE), ("transit", ELSEWHERE))
    )
    assert of_customer is not None and of_peer is not None and of_server is not None and of_upstream is not None
    assert of_customer.preference > of_peer.preference > of_server.preference > of_upstream.preference
    kept = accepted("transit-far", Route("8.8.8.0/24", (4200009999,)), "far")
    assert kept is not None and kept.preference == 90


@pytest.mark.parametrize("source", ["transit", "exchange-rs1", "exchange-peer"])
@pytest.mark.parametrize("target", ["transit", "exchange-rs1", "exchange-peer"])
def test_no_route_goes_from_one_to_another_that_is_no_customer(source: str, target: str) -> None:
    brought = accepted(source, ELSEWHERE)
    assert brought is not None
    assert advertised(target, brought) is None
    assert advertised("customer", brought) is not None


@pytest.mark.parametrize("source", ["transit", "exchange-rs1", "exchange-peer"])
def test_not_even_a_customers_prefix_by_a_roundabout_way(source: str) -> None:
    """A customer with two providers: what comes back from the other one must not be advertised as if it came from the customer."""
    brought = accepted(source, replace(OF_CUSTOMER, path=(500002, 500004)))
    assert brought is not None
    assert advertised("transit", brought) is None
    # Nor by another router of ours, which hears of it from this one.
    passed = through("edge", "PUBLISHED", brought)
    assert passed is not None
    assert advertised("transit-far", passed, "far") is None


def test_ours_and_the_customers_go_to_everybody() -> None:
    of_customer = accepted("customer", OF_CUSTOMER)
    assert of_customer is not None
    for name in ("transit", "exchange-rs1"):
        assert advertised(name, OURS) is not None
        assert advertised(name, of_customer) is not None
    assert advertised("transit-far", through("edge", "PUBLISHED", of_customer), "far") is not None
    # By a list of its own.
    assert advertised("exchange-peer", OURS) is not None
    assert advertised("exchange-peer", of_customer) is None


def test_no_private_prefix_of_ours_leaves() -> None:
    for name in ("transit", "exchange-rs1", "exchange-peer", "customer"):
        assert advertised(name, Route("10.255.0.1/32")) is None
        assert advertised(name, Route("10.254.0.4/30")) is None


def test_a_lie_about_where_a_route_came_from_is_taken_off() -> None:
    lie = replace(ELSEWHERE, large=frozenset({"500001:1000:1", "4200000003:1000:2", "500002:7:7"}))
    brought = accepted("transit", lie)
    assert brought is not None
    assert brought.large == {"500001:1000:5", "500001:65:1", "500002:7:7"}


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({}, True),
        ({"prefix": "44.129.9.0/24"}, True),
        ({"prefix": "44.129.9.0/25"}, False),
        ({"prefix": "44.129.1.0/24"}, False),
        ({"prefix": "2a0f:ffff:8000::/48"}, True),
        ({"prefix": "2a0f:ffff:8000::/40"}, False),
        ({"path": (500004, 500005)}, True),
        ({"path": (500004, 500004)}, True),
        ({"path": (500004, 500009)}, False),
        ({"large": frozenset()}, False),
        ({"large": frozenset(), "communities": frozenset({"64998:10"})}, True),
        ({"prefix": "44.128.1.0/24"}, False),
    ],
)
def test_a_customer_brings_what_is_listed(change: dict[str, Any], taken: bool) -> None:
    assert (accepted("customer", replace(OF_CUSTOMER, **change)) is not None) == taken


def test_paths_and_origins_that_are_refused() -> None:
    assert accepted("transit", replace(ELSEWHERE, path=(500002, 500009, 15169))) is None
    assert accepted("transit", replace(ELSEWHERE, rpki="invalid")) is None
    assert accepted("transit", replace(ELSEWHERE, rpki="valid")) is not None
    # Who does not ask for it takes what a cache says nothing of.
    assert accepted("exchange-peer", replace(ELSEWHERE, rpki="invalid")) is not None


def test_what_is_changed_on_the_way_out() -> None:
    sent = advertised("transit", OURS)
    assert sent == replace(OURS, path=(500001, 500001), metric=50, communities=frozenset({"64999:666"}), large=frozenset({"500002:0:666"}))


def test_speakers_bring_hosts_of_their_pool_and_are_told_nothing() -> None:
    assert accepted("speaker-1", Route("10.35.0.7/32", (64700,)), "dc") is not None
    for prefix in ("10.35.0.0/24", "10.35.0.0/25", "10.30.0.7/32", "10.40.0.0/24", "0.0.0.0/0"):
        assert accepted("speaker-1", Route(prefix, (64700,)), "dc") is None
    assert advertised("speaker-1", Route("10.40.0.0/24"), "dc") is None


def test_a_private_neighbor_has_private_prefixes_and_still_none_of_ours() -> None:
    assert accepted("partner", Route("10.64.0.0/16", (64702,)), "dc") is not None
    for prefix in ("10.64.0.0/25", "10.40.0.0/24", "10.36.0.0/16", "0.0.0.0/0"):
        assert accepted("partner", Route(prefix, (64702,)), "dc") is None
    assert advertised("partner", Route("10.40.0.0/24"), "dc") is not None
    assert advertised("partner", Route("0.0.0.0/0"), "dc") is None

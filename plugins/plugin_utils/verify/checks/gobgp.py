# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of a GoBGP box: its instance, its sessions, and that what is to be steered is steered."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict, canonical_address, same_set

_CLIENT = "gobgp --target unix:///run/gobgpd/api.sock"
Routes = list[dict[str, Any]]


def check_gobgp(ledger: Ledger, variables: Variables) -> None:
    """Check everything of role ``gobgp``."""
    if not is_declared("gobgp", variables):
        return
    expected = (variables["gobgp_asn"], variables.get("gobgp_router_id"))
    neighbors = {canonical_address(item["address"]): item for item in variables.get("gobgp_neighbors", [])}

    def instance(found: Mapping[str, Any]) -> Verdict:
        text = "AS {} router ID {}"
        live = (found["asn"], found["router_id"])
        return live == expected, text.format(*live) + ("" if live == expected else f", expected {text.format(*expected)}")

    ledger.judge("GoBGP instance", f"{_CLIENT} global", "gobgp_global", instance)
    ledger.judge("GoBGP neighbors", f"{_CLIENT} neighbor", "gobgp_neighbors", lambda live: same_set(neighbors, live))
    for address, neighbor in neighbors.items():
        who = f"{address} AS {neighbor['remote_as']}" + (f" ({neighbor['name']})" if neighbor.get("name") else "")
        ledger.judge(
            f"GoBGP neighbor {address} established",
            f"{_CLIENT} neighbor {address}",
            "gobgp_neighbors",
            lambda live, a=address, w=who: (bool(live.get(a)), f"{w} is {'established' if live.get(a) else 'not established'}"),
        )
    ledger.judge("Steering not held back", "xgn-steering show", "steering", not_held)
    ledger.judge("Steering advertised as wanted", "xgn-steering show", "steering", as_wanted)
    allowed = list(variables.get("gobgp_prefixes", []))
    ledger.judge("Steering within what may be steered", "xgn-steering show", "steering", lambda live: within(live["advertised"], allowed))


def not_held(live: Mapping[str, Any]) -> Verdict:
    """Test that the health command does not keep the routes back."""
    return live["held"] is None, "advertising" if live["held"] is None else f"held back: {live['held']}"


def as_wanted(live: Mapping[str, Any]) -> Verdict:
    """Test that gobgpd advertises the wanted routes, with their attributes and no others; while held back, none."""
    wanted = {} if live["held"] is not None else _by_prefix(live["wanted"])
    advertised = _by_prefix(live["advertised"])
    problems = [f"{prefix} is not advertised" for prefix in wanted if prefix not in advertised]
    problems += [f"{prefix} is advertised by hand, not by gobgp_route" for prefix in advertised if prefix not in wanted]
    problems += [f"{prefix} has other attributes" for prefix in wanted if prefix in advertised and wanted[prefix] != advertised[prefix]]
    return not problems, "; ".join(problems) or ", ".join(advertised) or "nothing is steered"


def within(advertised: Routes, allowed: list[str]) -> Verdict:
    """Test that every advertised prefix is part of one that may be steered."""
    networks = [ip_network(prefix) for prefix in allowed]
    outside = []
    for route in advertised:
        network = ip_network(route["prefix"])
        if not any(network.version == item.version and network.subnet_of(item) for item in networks):  # type: ignore[arg-type]
            outside.append(route["prefix"])
    if outside:
        return False, f"outside: {', '.join(outside)}; may be steered: {', '.join(allowed) or 'nothing'}"
    return True, f"{len(advertised)} within {', '.join(allowed) or 'nothing'}"


def _by_prefix(routes: Routes) -> dict[str, dict[str, Any]]:
    return {route["prefix"]: {key: value for key, value in route.items() if key != "persistent"} for route in routes}

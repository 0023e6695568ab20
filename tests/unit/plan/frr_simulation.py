# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What FRR makes of the variables of a plan, in the plainest way: all routers in rounds, until nothing changes any more.

Sessions, route maps, prefix lists and redistribution are read from the variables of the hosts, not from the intent. Next hops are not followed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import ip_interface, ip_network
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import Plan

ROUNDS = 100
Instance = tuple[str, str]
"""Host and VRF."""


@dataclass(frozen=True)
class Known:
    """A route in BGP. Local ones have no sender."""

    sender: str = ""
    external: bool = True
    path: tuple[int, ...] = ()
    preference: int = 100
    distance: int = 20
    tag: int = 0
    passed: frozenset[str] = frozenset()

    @property
    def rank(self) -> tuple[Any, ...]:
        return (not self.sender, self.preference, -len(self.path), self.external, self.sender)


@dataclass(frozen=True)
class Selected:
    """A route in the table."""

    distance: int
    protocol: str
    tag: int = 0


class Frr:
    """All routers of a plan."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.hosts: Mapping[str, Mapping[str, Any]] = {**plan.hosts, **plan.peers}
        self.instances = {(host, entry.get("vrf", "")): entry for host, data in self.hosts.items() for entry in data.get("frr_bgp", [])}
        self.maps = {host: {item["name"]: item["entries"] for item in data.get("frr_route_maps", [])} for host, data in self.hosts.items()}
        self.lists = {
            host: {(item["name"], item.get("family", "ipv4")): item["entries"] for item in data.get("frr_prefix_lists", [])}
            for host, data in self.hosts.items()
        }
        self.vrfs = self._interfaces()
        self.connected = self._connected()
        self.at = {
            (vrf, address): host
            for host, data in self.hosts.items()
            for interface in data.get("frr_interfaces", [])
            for vrf in [self.vrfs.get((host, interface["name"]), "")]
            for address in (text.partition("/")[0] for text in interface["addresses"])
            if not address.startswith("fe80")
        }
        self.areas = self._areas()
        self.bgp: dict[Instance, dict[str, Known]] = {key: {} for key in self.instances}
        self.table: dict[Instance, dict[str, Selected]] = {}
        for _round in range(ROUNDS):
            before = (self.bgp, self.table)
            self.table = self._tables()
            self.bgp = self._exchange()
            if (self.bgp, self.table) == before:
                return
        raise AssertionError("never comes to rest")

    def _interfaces(self) -> dict[tuple[str, str], str]:
        """Return the VRF of each interface, by host and name."""
        found: dict[tuple[str, str], str] = {}
        for node in self.plan.intent.nodes.values():
            found[node.name, node.vrf or "lo"] = node.vrf
            found.update(((node.name, network.interface), network.vrf) for network in node.networks)
        for link in self.plan.intent.links:
            found.update(((end.node.name, end.interface), link.vrf) for end in link.ends)
        for segment in self.plan.intent.segments:
            found.update(((node.name, segment.interface_of(node)), segment.vrf) for node in segment.members)
        return found

    def _connected(self) -> dict[Instance, set[str]]:
        found: dict[Instance, set[str]] = defaultdict(set)
        for host, data in self.hosts.items():
            for interface in data.get("frr_interfaces", []):
                vrf = self.vrfs.get((host, interface["name"]), "")
                found[host, vrf].update(str(ip_interface(text).network) for text in interface["addresses"] if not text.startswith("fe80"))
        dns = self.plan.intent.settings.services.dns
        anycast = [str(ip_network(text)) for text in dns.addresses().values()] if dns is not None else []
        for name in self.plan.intent.dns_nodes:
            # On an interface that FRR is not told of.
            found[name, self.plan.intent.nodes[name].vrf].update(anycast)
        return found

    def _areas(self) -> dict[tuple[str, str, str], set[str]]:
        """Return those that OSPF connects with a host, by host, VRF and family."""
        speaks = {
            (host, entry.get("vrf", ""), family, interface["name"])
            for host, data in self.hosts.items()
            for family, key in (("ipv4", "frr_ospf"), ("ipv6", "frr_ospf6"))
            for entry in data.get(key, [])
            for interface in entry["interfaces"]
            if not interface.get("passive")
        }
        found: dict[tuple[str, str, str], set[str]] = {(host, vrf, family): {host} for host, vrf, family, _name in speaks}
        for link in self.plan.intent.links:
            for family in ("ipv4", "ipv6"):
                keys = [(end.node.name, link.vrf, family, end.interface) for end in link.ends]
                if all(key in speaks for key in keys):
                    (one, two) = (key[:3] for key in keys)
                    together = found[one] | found[two]
                    for name in together:
                        found[name, link.vrf, family] = together
        return found

    def _passes(self, host: str, route_map: str, prefix: str, tag: int) -> list[str] | None:
        """Return what a route map sets; none where it refuses."""
        family = "ipv4" if ip_network(prefix).version == 4 else "ipv6"
        for entry in self.maps[host][route_map]:
            if all(self._matches(host, line, prefix, family, tag) for line in entry.get("match", [])):
                return list(entry.get("set", [])) if entry["action"] == "permit" else None
        return None

    def _matches(self, host: str, line: str, prefix: str, family: str, tag: int) -> bool:
        words = line.split()
        if words[0] == "tag":
            return tag == int(words[1])
        if (words[0] == "ip") != (family == "ipv4"):
            return False
        wanted = ip_network(prefix)
        for entry in self.lists[host].get((words[-1], family), []):
            outer = ip_network(entry["prefix"])
            low = entry.get("ge", outer.prefixlen)
            high = entry.get("le", wanted.max_prefixlen if "ge" in entry else outer.prefixlen)
            if wanted.subnet_of(outer) and low <= wanted.prefixlen <= high:  # type: ignore[arg-type]
                return bool(entry["action"] == "permit")
        return False

    def _ospf(self, host: str, vrf: str) -> dict[str, int]:
        """Return the routes that OSPF installs at a host, with their tags; what routers themselves are on before what they bring from elsewhere."""
        found: dict[str, int] = {}
        for family, key in (("ipv4", "frr_ospf"), ("ipv6", "frr_ospf6")):
            own = next((entry for entry in self.hosts[host].get(key, []) if entry.get("vrf", "") == vrf), None)
            if own is None or (host, vrf, family) not in self.areas:
                continue
            inside: dict[str, int] = {}
            outside: dict[str, list[int]] = defaultdict(list)
            for other in self.areas[host, vrf, family] - {host}:
                for prefix, tag in self._told(other, vrf, family, key):
                    if tag is None:
                        inside[prefix] = 0
                    else:
                        outside[prefix].append(tag)
            brought = {prefix: min(tags) for prefix, tags in outside.items()} | inside
            found |= {
                prefix: tag for prefix, tag in brought.items() if self._passes(host, own["install_route_map"], prefix, tag) is not None
            }
        return found

    def _told(self, host: str, vrf: str, family: str, key: str) -> Iterator[tuple[str, int | None]]:
        entry = next(entry for entry in self.hosts[host][key] if entry.get("vrf", "") == vrf)
        names = {interface["name"] for interface in entry["interfaces"]}
        for interface in self.hosts[host]["frr_interfaces"]:
            for text in interface["addresses"] if interface["name"] in names else ():
                if not text.startswith("fe80") and (ip_interface(text).version == 4) == (family == "ipv4"):
                    yield str(ip_interface(text).network), None
        for source in entry.get("redistribute", []):
            for prefix, route in self.table.get((host, vrf), {}).items():
                if route.protocol == source["source"] and (ip_network(prefix).version == 4) == (family == "ipv4"):
                    changes = self._passes(host, source["route_map"], prefix, route.tag)
                    if changes is not None:
                        yield prefix, next((int(change.split()[1]) for change in changes if change.startswith("tag ")), 0)

    def _tables(self) -> dict[Instance, dict[str, Selected]]:
        found: dict[Instance, dict[str, Selected]] = {}
        keys = {*self.connected, *self.instances, *((host, vrf) for host, vrf, _family in self.areas)}
        for host, vrf in keys:
            routes: dict[str, list[Selected]] = defaultdict(list)
            for prefix in self.connected[host, vrf]:
                routes[prefix].append(Selected(0, "connected"))
            for prefix, tag in self._ospf(host, vrf).items():
                routes[prefix].append(Selected(110, "ospf", tag))
            for prefix, route in self.bgp.get((host, vrf), {}).items():
                if route.sender:
                    routes[prefix].append(Selected(route.distance, "bgp", route.tag))
            found[host, vrf] = {prefix: min(items, key=lambda item: item.distance) for prefix, items in routes.items()}
        return found

    def _exchange(self) -> dict[Instance, dict[str, Known]]:
        heard: dict[Instance, dict[str, list[Known]]] = {key: defaultdict(list) for key in self.instances}
        for (host, vrf), instance in self.instances.items():
            for prefix in instance.get("networks", []):
                heard[host, vrf][str(ip_network(prefix))].append(Known())
            for source in instance.get("redistribute", []):
                wanted = {"ospf": ("ospf", 4), "ospf6": ("ospf", 6)}.get(source["source"], (source["source"], 0))
                for prefix, route in self.table[host, vrf].items():
                    version = ip_network(prefix).version
                    meant = route.protocol == wanted[0] and wanted[1] in (0, version)
                    if meant and self._passes(host, source["route_map"], prefix, route.tag) is not None:
                        heard[host, vrf][prefix].append(Known(tag=route.tag))
            for neighbor, family, theirs in self._sessions(host, vrf, instance):
                for prefix, known in self.bgp[neighbor].items():
                    if (ip_network(prefix).version == 4) == (family["family"] == "ipv4"):
                        taken = self._hear(host, instance, family, neighbor, theirs, prefix, known)
                        if taken is not None:
                            heard[host, vrf][prefix].append(taken)
        return {key: {prefix: max(items, key=lambda item: item.rank) for prefix, items in found.items()} for key, found in heard.items()}

    def _sessions(self, host: str, vrf: str, instance: Mapping[str, Any]) -> Iterator[tuple[Instance, Any, Any]]:
        """Yield the instance at the other end of each session, and what either end says of it."""
        for neighbor in instance["neighbors"]:
            name = self.at.get((vrf, neighbor["address"]), "")
            other = self.instances.get((name, vrf))
            if other is None or other["asn"] != neighbor["remote_as"]:
                # A container has its address in its default VRF.
                other, vrf_there = next(
                    ((item, there) for (at, there), item in self.instances.items() if self.at.get((there, neighbor["address"])) == at),
                    (None, ""),
                )
                name = self.at.get((vrf_there, neighbor["address"]), "")
            else:
                vrf_there = vrf
            for back in other["neighbors"] if other is not None else ():
                if self.at.get((vrf, back["address"])) == host and back["remote_as"] == instance["asn"]:
                    for mine in neighbor["families"]:
                        for theirs in back["families"]:
                            if mine["family"] == theirs["family"] and _same(neighbor, back):
                                yield (name, vrf_there), mine, theirs

    def _hear(self, host: str, instance: Any, mine: Any, neighbor: Instance, theirs: Any, prefix: str, route: Known) -> Known | None:
        name, vrf = neighbor
        sender = self.instances[neighbor]
        internal = sender["asn"] == instance["asn"]
        if route.sender == host or self._passes(name, theirs["route_map_out"], prefix, route.tag) is None:
            return None
        changes = self._passes(host, mine["route_map_in"], prefix, 0)
        if changes is None:
            return None
        if internal:
            if not route.external:
                clients = {
                    self.at.get((vrf, entry["address"]), "")
                    for entry in sender["neighbors"]
                    for family in entry["families"]
                    if family.get("route_reflector_client")
                }
                if not {host, route.sender} & clients:
                    return None
                route = replace(route, passed=route.passed | {name, route.sender})
            if host in route.passed:
                return None
            found = replace(route, sender=name, external=False, distance=200, tag=0)
        else:
            path = (sender["asn"], *route.path)
            if instance["asn"] in path:
                return None
            found = Known(name, True, path)
        given = {word: int(value) for word, value in (change.rsplit(" ", 1) for change in changes) if "next-hop" not in word}
        return replace(
            found,
            preference=given.get("local-preference", found.preference),
            distance=given.get("distance", found.distance),
            tag=given.get("tag", found.tag),
        )

    def learned(self, host: str, vrf: str) -> dict[str, str]:
        """Return what a host has in its table from a routing protocol, with the protocol."""
        return {prefix: route.protocol for prefix, route in self.table.get((host, vrf), {}).items() if route.protocol in ("bgp", "ospf")}


def _same(one: Any, two: Any) -> bool:
    """Tell whether two neighbors may be the two ends of one session: both between loopbacks, or both over a link; of one family."""
    return ("update_source" in one) == ("update_source" in two) and (":" in one["address"]) == (":" in two["address"])

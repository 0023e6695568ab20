# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is accepted from which neighbor, and how many prefixes of it.

A node that is trusted, as managed ones are without a word, may advertise all that the plan publishes: it hands on what it has from others, over whatever
path is left. Any other neighbor is held to what lies behind it by the plan's graph, reserves among it. What it brings is the same whatever is down, so no
failover changes a filter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import FrrPrefixListEntry
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import BITS, FAMILIES
from ansible_collections.xuegao.net.plugins.plugin_utils.intent.model import Intent, Node
from ansible_collections.xuegao.net.plugins.plugin_utils.plan import policies
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.policies import Lines

# Protocols that hand on what they have from others.
_ROUTED = ("bgp", "ospf")
# Smallest figures: of a neighbor that is held to its own, and of one that may bring the whole network.
LEAST, _LEAST_OF_ALL = 16, 1024
# So many parts of one prefix are steered at once at most, where it has more.
_PARTS = 10_000
_Joined = Mapping[str, Iterable[str]]


class Maximum(TypedDict):
    """How many prefixes a session lives with, and the minutes until it begins anew."""

    maximum_prefix: int
    maximum_prefix_restart: int


class Inbound:
    """What each node accepts from each of its neighbors, computed when it is asked for.

    Parameters:
        intent: the numbered intent.

    Attributes:
        origins: what comes into the network at each node.
    """

    def __init__(self, intent: Intent) -> None:
        self.origins = policies.origins(intent)
        self._intent = intent
        self._joined: dict[str, dict[str, set[str]]] = {}
        self._sides: dict[tuple[str, str], set[str]] = {}
        everything = policies.lines_of(origin for found in self.origins.values() for origin in found)
        self._most = {family: most_of(everything[family], _LEAST_OF_ALL) for family in FAMILIES}

    def behind(self, node: Node, neighbor: Node, vrf: str) -> list[Node]:
        """Return the neighbor, and those of whom a node hears through it alone: a path leads to them from it, and the node reaches them by none on
        which every router is trusted. In the order of the intent.

        Parameters:
            node: who accepts.
            neighbor: from whom; one that is restricted.
            vrf: that of their session.
        """
        joined = self._joined_in(vrf)
        if (node.name, vrf) not in self._sides:
            self._sides[node.name, vrf] = _reached(node.name, joined, lambda name: not self._intent.nodes[name].restricted)
        side = self._sides[node.name, vrf]
        found = _reached(neighbor.name, joined, lambda name: name not in side)
        return [other for other in self._intent.nodes.values() if other.name in found]

    def lines(self, node: Node, neighbor: Node, vrf: str) -> Lines:
        """Return the lines of the prefix list of what a node accepts from a restricted neighbor. Parameters as of `behind`."""
        return policies.lines_of(
            origin for other in self.behind(node, neighbor, vrf) for origin in self.origins[other.name] if origin.vrf == vrf
        )

    def reached(self, node: Node, vrf: str) -> list[Node]:
        """Return the nodes that a node exchanges routes of a VRF with, directly or through others, itself first."""
        found = _reached(node.name, self._joined_in(vrf), lambda _name: True)
        return [node, *(other for other in self._intent.nodes.values() if other.name in found and other is not node)]

    def published(self, node: Node, vrf: str) -> list[policies.Origin]:
        """Return what the plan publishes in a VRF as far as a node hears of it, or brings it itself."""
        return [origin for other in self.reached(node, vrf) for origin in self.origins[other.name] if origin.vrf == vrf]

    def maximum(self, family: str, lines: Lines | None = None) -> Maximum:
        """Return how many prefixes are accepted over a session.

        A neighbor that is held to some prefixes cannot bring more of them unless its filter got lost; the others can, if one of them hands on what it must
        not. The figure is twice what is planned, as a power of two: a network more or less seldom changes it.

        Parameters:
            family: of the prefixes.
            lines: the neighbor's prefix list; none for one that may advertise all that the plan publishes.
        """
        settings = self._intent.settings.bgp
        most = self._most[family] if lines is None else most_of(lines[family])
        return {
            "maximum_prefix": most if settings.maximum_prefix is None else settings.maximum_prefix,
            "maximum_prefix_restart": settings.maximum_prefix_restart,
        }

    def _joined_in(self, vrf: str) -> dict[str, set[str]]:
        if vrf not in self._joined:
            joined: dict[str, set[str]] = {}
            for link in self._intent.links:
                if link.vrf == vrf and link.routing in _ROUTED:
                    first, second = (end.node.name for end in link.ends)
                    joined.setdefault(first, set()).add(second)
                    joined.setdefault(second, set()).add(first)
            self._joined[vrf] = joined
        return self._joined[vrf]


def _reached(start: str, joined: _Joined, passes: Callable[[str], bool]) -> set[str]:
    """Return a node and those it is joined to by a chain of nodes that all pass a test, the last one too."""
    found, left = {start}, [start]
    while left:
        fresh = {name for name in joined.get(left.pop(), ()) if name not in found and passes(name)}
        found |= fresh
        left += fresh
    return found


def most_of(lines: Iterable[FrrPrefixListEntry], least: int = LEAST) -> int:
    """Return the power of two that is twice what some lines permit or more, and not less than a number."""
    planned = sum(map(_permitted, lines))
    return max(least, 1 << (2 * planned - 1).bit_length())


def _permitted(line: FrrPrefixListEntry) -> int:
    """Return how many prefixes a line permits; of a prefix with its parts not more than are steered at once."""
    if "le" not in line and "ge" not in line:
        return 1
    length = int(line["prefix"].rpartition("/")[2])
    longest = line.get("le", BITS[6 if ":" in line["prefix"] else 4])
    return min((2 << longest - length) - (1 << line.get("ge", length) - length), _PARTS)

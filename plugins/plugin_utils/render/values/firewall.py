# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the template of role firewall prints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypedDict, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import EVERYTHING, FAMILIES, LOOPBACK_DEVICE

# Where the own chains hook in. What any chain of a hook drops is dropped, whatever the others accept.
_HOOKS = {
    "public": "",
    "input": "type filter hook input priority filter; policy accept;",
    "forward": "type filter hook forward priority filter; policy accept;",
    "output": "type filter hook output priority filter; policy accept;",
    "prerouting": "type filter hook prerouting priority mangle; policy accept;",
    "postrouting": "type filter hook postrouting priority mangle; policy accept;",
    "dstnat": "type nat hook prerouting priority dstnat; policy accept;",
    "srcnat": "type nat hook postrouting priority srcnat; policy accept;",
}
OWN_CHAINS = tuple(_HOOKS)
OWN_PREFIX = "own_"
"""Names of chains of a person begin with it."""
# Passed on the way through a chain of the role's, where there is a filter.
_PASSED = ("public", "forward")
_SOURCE_WORDS = {"ipv4": "ip saddr", "ipv6": "ip6 saddr"}
_DESTINATION_WORDS = {"ipv4": "ip daddr", "ipv6": "ip6 daddr"}
_ADDRESS_WORDS = {"ipv4": "ipv4_addr", "ipv6": "ipv6_addr"}
# A household has a /64 of IPv6.
_SOURCES = {"ipv4": "ip saddr", "ipv6": "ip6 saddr & ffff:ffff:ffff:ffff::"}
SSH_PER_MINUTE, SSH_BURST = 60, 300
"""New connections to SSH of a source: so many at once, which a run without ControlPersist stays below, and then so many a minute."""
# A source that is forgotten has its burst anew, so it is known until that has filled up again.
_SSH_MEMORY = f"{-(-SSH_BURST // SSH_PER_MINUTE)}m"
CHECKS = {
    "strict": ("firewall_strict_interfaces", "fib saddr . iif oif missing"),
    "loose": ("firewall_loose_interfaces", "fib saddr oif missing"),
    "loose_vrfs": ("firewall_loose_vrfs", "fib saddr . iif oif missing"),
}
"""How the source of a packet is looked at, by the set of the table that names where: the variable with those names, and nft's words for a source that is none.

Prerouting sees what arrives in a VRF twice, from the interface and then from the VRF's device, by which every route of the VRF counts as leaving. Without
``iif``, kernels before 6.16 look into the main table whatever the VRF.
"""
# Never routed, and alike on every interface.
LINK_LOCAL = "ip6 saddr fe80::/10 accept"


class OwnChain(TypedDict):
    """A chain of a person: its name in the table, the line that makes it a base chain or nothing, and its rules."""

    name: str
    hook: str
    rules: list[str]


class FirewallValues(TypedDict):
    """What `firewall_values` returns.

    Attributes:
        trusted: the interfaces that are, each once, `LOOPBACK_DEVICE` first; empty where nothing is filtered.
        vrfs: the VRFs that are forwarded in.
        planned: the interfaces that the variables name and do not trust, such as uplinks: no bridge of somebody else.
        inside: as nft matches neither the one nor the other.
        accepted: the rules of what public interfaces accept, a line each.
        fallback: those of them that stay where the file cannot be loaded: SSH.
        limited: the families in which SSH may be reached from everywhere, by the word for their addresses in nft.
        ssh_memory: how long a source is known whose connections are counted.
        forwarded: the rules of what is forwarded, a line each.
        ways: names of the interfaces and VRFs on which sources are looked at, by their set; of none where there is no name.
        sources: the rules of that, a line each.
        nat: of each chain what makes it a base chain, and the rules by which what leaves a VRF by an uplink is marked and translated and its answers find back.
        proof: what nft lists once the file is loaded whole.
        tunnels: each name once.
        tcp_mss: largest MSS by family; empty where no tunnel needs it.
        own_chains: those of a person.
        own_public, own_forward: whether one of them is passed before the role drops what it accepts nowhere.
    """

    trusted: list[str]
    vrfs: list[str]
    planned: list[str]
    inside: str
    accepted: list[str]
    fallback: list[str]
    limited: dict[str, str]
    ssh_memory: str
    forwarded: list[str]
    ways: dict[str, list[str]]
    sources: list[str]
    nat: dict[str, list[str]]
    proof: str
    tunnels: list[str]
    tcp_mss: dict[str, int]
    own_chains: list[OwnChain]
    own_public: bool
    own_forward: bool


def firewall_values(variables: HostVariables) -> FirewallValues:
    """Return what the templates of role firewall print.

    Parameters:
        variables: those of the role; what is not given counts as empty, but for ``firewall_ssh_port`` where an interface is trusted.
    """
    tunnels = variables.get("firewall_tcp_mss_interfaces", [])
    given = cast(Mapping[str, int], variables.get("firewall_tcp_mss", {}))
    mss = {family: given[family] for family in FAMILIES if family in given}
    listed = variables.get("firewall_trusted_interfaces", [])
    filters = bool(listed)
    trusted = list(dict.fromkeys([LOOPBACK_DEVICE, *listed])) if filters else []
    vrfs = list(dict.fromkeys(vrf for entry in variables.get("firewall_forward", []) if (vrf := entry.get("vrf")))) if filters else []
    chains = {entry["chain"]: entry["rules"] for entry in variables.get("firewall_own_chains", [])}
    own: list[OwnChain] = [
        {"name": f"{OWN_PREFIX}{name}", "hook": "" if filters and name in _PASSED else _HOOKS[name], "rules": rules}
        for name, rules in chains.items()
    ]
    limited = _limited(variables) if filters else {}
    ways = ways_of(variables)
    planned = _planned(variables, trusted) if filters else []
    known, everybody = _ssh(variables)
    return {
        "trusted": trusted,
        "vrfs": vrfs,
        "planned": planned,
        "inside": "@trusted iifname != @vrfs" if vrfs else "@trusted",
        "accepted": [*known, *_limits(variables, limited), *everybody, *_accepted(variables)] if filters else [],
        "fallback": [*known, *everybody] if filters else [],
        "limited": limited,
        "ssh_memory": _SSH_MEMORY,
        "forwarded": list(_forwarded(variables, trusted, planned)) if filters else [],
        "ways": ways,
        "sources": [LINK_LOCAL, *(f"iifname @{name} {CHECKS[name][1]} counter drop" for name in ways)] if ways else [],
        "nat": nat_chains(variables),
        "proof": "chain inet xgn public" if filters else "table inet xgn",
        "tunnels": list(dict.fromkeys(tunnels)) if mss else [],
        "tcp_mss": mss if tunnels else {},
        "own_chains": own,
        "own_public": filters and "public" in chains,
        "own_forward": filters and "forward" in chains,
    }


def ways_of(variables: HostVariables) -> dict[str, list[str]]:
    """Return where sources are looked at: the names of each set of `CHECKS` that has any, each name once."""
    given = cast(Mapping[str, list[str]], variables)
    return {name: list(dict.fromkeys(names)) for name, (variable, _words) in CHECKS.items() if (names := given.get(variable))}


def nat_chains(variables: HostVariables) -> dict[str, list[str]]:
    """Return the chains of ``firewall_nat``, each with the line that hooks it in and its rules; none where there is nothing to translate.

    An answer has the address of a host of the VRF again before it is routed, but it has arrived elsewhere. So a connection keeps the mark of its VRF, and its
    answers, errors of routers on the way among them, get it before the kernel looks for their route.
    """
    entries = variables.get("firewall_nat", [])
    if not entries:
        return {}
    chains = {"exits": [_HOOKS["forward"].replace("priority filter", "priority mangle")], "answers": [_HOOKS["prerouting"]]}
    translated = []
    for entry in entries:
        way = f'iifname "{entry["vrf"]}" oifname "{entry["interface"]}"'
        chains["exits"].append(f"{way} ct state new ct mark set {entry['mark']}")
        chains["answers"].append(f'iifname "{entry["interface"]}" ct direction reply ct mark {entry["mark"]} meta mark set ct mark')
        families = entry.get("families", list(FAMILIES))
        only = f"meta nfproto {families[0]} " if len(families) == 1 else ""
        translated += [f"{way} {only}masquerade"] if families else []
    return {**chains, "nat": [_HOOKS["srcnat"], *translated]} if translated else chains


def _ssh(variables: HostVariables) -> tuple[list[str], list[str]]:
    """Return the rules of SSH: of prefixes, which nobody counts, and of everybody; none of them where nothing is filtered."""
    prefixes = variables.get("firewall_ssh_from", [])
    match = f"tcp dport {variables.get('firewall_ssh_port')}"
    everything = [prefix for prefix in prefixes if prefix in EVERYTHING.values()]
    listed = [prefix for prefix in prefixes if prefix not in everything]
    return list(_rules(match, listed)) if listed else [], list(_rules(match, everything)) if everything or not listed else []


def _planned(variables: HostVariables, trusted: list[str]) -> list[str]:
    names = [*variables.get("firewall_strict_interfaces", []), *variables.get("firewall_loose_interfaces", [])]
    for entry in variables.get("firewall_forward", []):
        names += [*([device] if (device := entry.get("interface")) else []), *entry["to"]]
    return [name for name in dict.fromkeys(names) if name not in trusted]


def _limited(variables: HostVariables) -> dict[str, str]:
    prefixes = variables.get("firewall_ssh_from", [])
    return {family: _ADDRESS_WORDS[family] for family in FAMILIES if not prefixes or EVERYTHING[family] in prefixes}


def _limits(variables: HostVariables, limited: Iterable[str]) -> Iterator[str]:
    """Yield the rules that drop the connections to SSH of who makes too many: an address of IPv4, a network of IPv6."""
    for family in limited:
        source = f"{{ {_SOURCES[family]} limit rate over {SSH_PER_MINUTE}/minute burst {SSH_BURST} packets }}"
        yield f"tcp dport {variables['firewall_ssh_port']} ct state new update @ssh_{family} {source} counter drop"


def _forwarded(variables: HostVariables, trusted: list[str], planned: list[str]) -> Iterator[str]:
    for entry in variables.get("firewall_forward", []):
        device, prefixes = entry.get("interface"), entry.get("from", [])
        source = "@trusted" if device is None else f'"{device}"'
        vrf = entry.get("vrf")
        # What arrives in a VRF comes from the VRF's device.
        arrival = f'iifname "{vrf}" meta sdifname {source}' if vrf else f"iifname {source}"
        goals = "{ %s }" % ", ".join(f'"{name}"' for name in entry["to"])
        way, destinations = f"{arrival} oifname {goals}", entry.get("destinations", [])
        if prefixes or not destinations:
            yield from _rules(way, prefixes)
        if destinations:
            yield from _rules(way, destinations, _DESTINATION_WORDS)
    # Frames within a bridge come by where br_netfilter is loaded.
    for names, kind in (([name for name in trusted if name != LOOPBACK_DEVICE], ""), (planned, 'meta iifkind "bridge" ')):
        if names:
            pairs = ", ".join(f'"{name}" . "{name}"' for name in names)
            yield f"iifname . oifname {{ {pairs} }} {kind}accept"


def _accepted(variables: HostVariables) -> Iterator[str]:
    for entry in variables.get("firewall_open_ports", []):
        prefixes = entry.get("from", [])
        if entry["protocol"] == "esp":
            yield from _rules("meta l4proto esp", prefixes)
            yield from _rules("meta ipsec exists udp dport 1701", prefixes)
        elif "port" not in entry:
            yield from _rules(f"meta l4proto {entry['protocol']}", prefixes)
        else:
            yield from _rules(f"{entry['protocol']} dport {entry['port']}", prefixes)


def _rules(match: str, prefixes: list[str], words: Mapping[str, str] = _SOURCE_WORDS) -> Iterator[str]:
    """Yield a rule for each family that has prefixes, which are sources when not told otherwise; one for all when there are none."""
    if not prefixes:
        yield f"{match} accept"
    for family in FAMILIES:
        own = [prefix for prefix in prefixes if (":" in prefix) == (family == "ipv6")]
        if own:
            yield f"{words[family]} {{ {', '.join(own)} }} {match} accept"

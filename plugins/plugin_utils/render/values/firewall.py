# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the template of role firewall prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypedDict, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.limits import FAMILIES

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
_SOURCE_WORDS = {"ipv4": "ip saddr", "ipv6": "ip6 saddr"}


class OwnChain(TypedDict):
    """A chain of a person: its name in the table, the line that makes it a base chain or nothing, and its rules."""

    name: str
    hook: str
    rules: list[str]


class FirewallValues(TypedDict):
    """What `firewall_values` returns.

    Attributes:
        public_interfaces, tunnels: each name once.
        accepted: the rules of what public interfaces accept, a line each.
        fallback: those of them that stay where the file cannot be loaded: SSH.
        proof: what nft lists once the file is loaded whole.
        tcp_mss: largest MSS by family; empty where no tunnel needs it.
        own_chains: those of a person.
        jumps: whether what public interfaces do not accept goes through one of them.
    """

    public_interfaces: list[str]
    accepted: list[str]
    fallback: list[str]
    proof: str
    tunnels: list[str]
    tcp_mss: dict[str, int]
    own_chains: list[OwnChain]
    jumps: bool


def firewall_values(variables: HostVariables) -> FirewallValues:
    """Return what the template of role firewall prints.

    Parameters:
        variables: those of the role; what is not given counts as empty, but for ``firewall_ssh_port`` where there is a public interface.
    """
    tunnels = variables.get("firewall_tcp_mss_interfaces", [])
    given = cast(Mapping[str, int], variables.get("firewall_tcp_mss", {}))
    mss = {family: given[family] for family in FAMILIES if family in given}
    public = variables.get("firewall_public_interfaces", [])
    own: list[OwnChain] = [
        {"name": f"{OWN_PREFIX}{entry['chain']}", "hook": _HOOKS[entry["chain"]], "rules": entry["rules"]}
        for entry in variables.get("firewall_own_chains", [])
    ]
    return {
        "public_interfaces": list(dict.fromkeys(public)),
        "accepted": [*_ssh(variables), *_accepted(variables)] if public else [],
        "fallback": list(_ssh(variables)) if public else [],
        "proof": "chain inet xgn public" if public else "table inet xgn",
        "tunnels": list(dict.fromkeys(tunnels)) if mss else [],
        "tcp_mss": mss if tunnels else {},
        "own_chains": own,
        "jumps": bool(public) and any(chain["name"] == f"{OWN_PREFIX}public" for chain in own),
    }


def _ssh(variables: HostVariables) -> Iterator[str]:
    yield from _rules(f"tcp dport {variables['firewall_ssh_port']}", variables.get("firewall_ssh_from", []))


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


def _rules(match: str, prefixes: list[str]) -> Iterator[str]:
    """Yield a rule for each family that has prefixes; from anywhere when there are none."""
    if not prefixes:
        yield f"{match} accept"
    for family in FAMILIES:
        own = [prefix for prefix in prefixes if (":" in prefix) == (family == "ipv6")]
        if own:
            yield f"{_SOURCE_WORDS[family]} {{ {', '.join(own)} }} {match} accept"

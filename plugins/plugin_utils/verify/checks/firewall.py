# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of the packet filter: the live table is that of the plan, it is loaded before the network, and the MSS is set both ways."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.firewall import CHECKS, firewall_values, nat_chains, ways_of
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.checks.units import ordered
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict

UNIT = "xgn-firewall.service"
BEFORE = ("network-pre.target", "sysinit.target")
"""What the filter is loaded before: the first interface, and whatever listens, sockets of systemd's included."""
FALLBACK = "\tchain fallback {"
SHOWN_LINES = 4
WAYS = {"strict": "by their one way", "loose": "routed", "loose_vrfs": "routed"}


def check_firewall(ledger: Ledger, variables: Variables) -> None:
    """Check the packet filter of a host that has one."""
    if not is_declared("firewall", variables):
        return
    command = "nft list table inet xgn"
    ledger.judge("Firewall table as planned", command, "filter", same_table)
    for target in BEFORE:
        ledger.judge(
            f"Firewall {UNIT} before {target}",
            f"systemctl show --property=After {target}",
            "units",
            lambda live, t=target: ordered(UNIT, t, live),
        )
    for chain in firewall_values({"firewall_ssh_port": 22, **variables})["own_chains"]:
        ledger.judge(
            f"Firewall own rules of chain {chain['name']}",
            f"nft list chain inet xgn {chain['name']}",
            "filter",
            lambda live, name=chain["name"]: own_rules(name, live),
        )
    # What comes and goes with its session is judged by the checks of its tunnel.
    fleeting = {item["name"] for item in variables.get("vrf_interfaces", []) if item.get("dynamic")}
    for interface in variables.get("firewall_trusted_interfaces", []):
        if interface not in fleeting:
            ledger.judge(
                f"Firewall trusted interface {interface} exists",
                f"ip link show dev {interface}",
                "links",
                lambda live, i=interface: (i in live, "found" if i in live else "no such interface; one that was renamed is public"),
            )
    for way, names in ways_of(variables).items():
        for name in names:
            ledger.judge(
                f"Firewall sources on {name} {WAYS[way]}",
                "nft list chain inet xgn sources",
                "filter",
                lambda live, w=way, n=name: looked_at(w, n, live),
            )
    for entry in variables.get("firewall_nat", []):
        own = nat_chains({"firewall_nat": [entry]})
        ledger.judge(
            f"Firewall NAT of VRF {entry['vrf']} on {entry['interface']}",
            command,
            "filter",
            lambda live, chains=own: translated(chains, live),
        )
    if variables.get("firewall_tcp_mss_interfaces"):
        for family, size in sorted((variables.get("firewall_tcp_mss") or {}).items()):
            if size is not None:
                ledger.judge(
                    f"Firewall MSS {family} {size} in both directions",
                    command,
                    "filter",
                    lambda live, f=family, s=size: clamped(f, s, live),
                )


def same_table(found: Mapping[str, str]) -> Verdict:
    """Test that the live table is listed as the declared one; the detail names the first lines that differ."""
    live, declared = found["live"], found["declared"]
    if live == declared:
        return True, f"{len(live.splitlines())} lines, as declared"
    if not live:
        return False, "there is no table inet xgn, so nothing is filtered"
    if FALLBACK in live:
        return (
            False,
            "the fallback is loaded: /etc/xgn/firewall.nft and its copy are broken, and from outside only SSH is accepted; site repairs it",
        )
    lines = [line.strip() for line in difflib.ndiff(live.splitlines(), declared.splitlines()) if line[:2] in ("- ", "+ ")]
    shown = [("found " if line[0] == "-" else "missing ") + " ".join(line[1:].split()) for line in lines[:SHOWN_LINES]]
    return False, "; ".join(shown) + (f" and {len(lines) - SHOWN_LINES} more" if len(lines) > SHOWN_LINES else "")


def own_rules(name: str, found: Mapping[str, str]) -> Verdict:
    """Test that a chain of a person has the rules that it should have, in their order."""
    live, declared = (_rules_of(name, found[key]) for key in ("live", "declared"))
    if live is None:
        return False, f"there is no chain {name}"
    missing = [rule for rule in declared or [] if rule not in live]
    if missing:
        return False, f"missing {'; '.join(missing)}"
    return live == declared, f"{len(live)} rules, as declared" if live == declared else f"found {'; '.join(live)}"


def looked_at(way: str, name: str, found: Mapping[str, str]) -> Verdict:
    """Test that packets are dropped on an interface, or in a VRF, whose source is none for it: the chain stands in prerouting, has the rule, and the set
    of the rule has the name.
    """
    live = found["live"]
    chain = re.search(r"^\tchain sources \{\n\t\ttype filter hook prerouting (.*?)^\t\}", live, re.MULTILINE | re.DOTALL)
    if chain is None:
        return False, "there is no chain for it in prerouting"
    # From nft 1.1.2 on, a look whether there is a route may be listed as "check".
    words = re.escape(CHECKS[way][1]).replace("oif\\ missing", r"(oif|check)\ missing")
    if not re.search(rf"iifname @{way} {words} counter packets \d+ bytes \d+ drop|iifname @{way} {words} counter drop", chain[1]):
        return False, "the rule for it is missing"
    members = re.search(rf"^\tset {way} \{{\n(.*?)^\t\}}", live, re.MULTILINE | re.DOTALL)
    listed = members is not None and f'"{name}"' in members[1]
    return listed, "looked at" if listed else f"not in set {way}"


def translated(chains: Mapping[str, list[str]], found: Mapping[str, str]) -> Verdict:
    """Test that what leaves a VRF by an uplink is marked and translated, and that its answers get the mark before they are routed.

    Parameters:
        chains: of `nat_chains`, with what belongs to the one uplink.
    """
    missing = []
    for name, (hook, *rules) in chains.items():
        live = [_plain(line) for line in _rules_of(name, found["live"], hooks=True) or []]
        # nft names some priorities by their number.
        if not any(line.startswith(hook.partition(" priority")[0]) for line in live):
            missing.append(f"chain {name}")
        else:
            missing += [f"{rule} in chain {name}" for rule in rules if _plain(rule) not in live]
    return not missing, f"missing {'; '.join(missing)}" if missing else "marked, translated, and answers find back"


def _plain(rule: str) -> str:
    """Return a rule with its marks as decimal numbers: nft lists them as hexadecimal ones."""
    return re.sub(r"\b0x[0-9a-f]+\b", lambda number: str(int(number[0], 16)), rule)


def _rules_of(name: str, table: str, *, hooks: bool = False) -> list[str] | None:
    """Return the rules of a chain as nft lists it, and what makes it a base chain only if that is asked for."""
    found = re.search(rf"^\tchain {re.escape(name)} \{{\n(.*?)^\t\}}", table, re.MULTILINE | re.DOTALL)
    lines = [] if found is None else [line.strip() for line in found[1].splitlines()]
    return None if found is None else [line for line in lines if line and (hooks or not line.startswith("type "))]


def clamped(family: str, size: int, found: Mapping[str, Any]) -> Verdict:
    """Test that SYN packets of a family get the MSS when they enter a tunnel and when they leave one."""
    missing = [
        f"{hook} ({word})"
        for hook, word in (("prerouting", "iifname"), ("postrouting", "oifname"))
        if not re.search(
            # nft before and since 1.1 print the mask in two ways.
            rf"{word} @tunnels meta nfproto {family} tcp flags (syn / syn,rst|& \(syn \| rst\) == syn) tcp option maxseg size set {size}\b",
            found["live"],
        )
    ]
    return not missing, f"no rule for it in {', '.join(missing)}" if missing else "in prerouting and postrouting"

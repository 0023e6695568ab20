# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Packet filters of others on a host: whose they are, and what of new packets they let pass or drop. They are read, and never touched.

A packet passes only what each base chain of its hook lets pass: another one's accept is not the last word, its drop is, whichever comes first (nft(8)).
So what the table of role firewall accepts may still be dropped by ufw, firewalld, Docker, or somebody's own rules. Rules are read as far as protocol,
destination port and interfaces go; of one that asks for more it is known that it concerns some of the packets.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text

SYS_MODULE = "/sys/module"
MODULES = "/lib/modules"
LEGACY = {"ip": "/proc/net/ip_tables_names", "ip6": "/proc/net/ip6_tables_names"}
PROGRAMS = {"ip": "iptables", "ip6": "ip6tables"}
# Tables that iptables has, whichever of its two kinds.
_IPTABLES = ("filter", "mangle", "nat", "raw", "security")
# The hooks that a packet for this host, or one that it forwards, passes.
_HOOKS = ("ingress", "prerouting", "input", "forward")
# By what a table or a chain is called.
_OWNERS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("ufw", r"ufw6?-"),
        ("firewalld", r"firewalld(_|$)"),
        ("Docker", r"DOCKER|docker"),
        ("fail2ban", r"f2b-|fail2ban"),
        ("libvirt", r"LIBVIRT_|libvirt"),
        ("Kubernetes", r"KUBE-|kube-|cali-|CILIUM_|FLANNEL-"),
        ("Podman", r"NETAVARK|netavark|CNI-"),
        ("LXD or Incus", r"lxd|incus"),
        ("wg-quick", r"wg-quick-"),
    )
)
OWNERS = tuple(name for name, _pattern in _OWNERS)
# What of a long list is told; whoever has more has rules that a program writes.
_LONGEST = 300
_DEEPEST = 20
# Characters of names; others are told as a question mark.
_STRANGE = re.compile(r"[^A-Za-z0-9_./*-]")


@dataclass(frozen=True)
class Match:
    """Which new packets a rule concerns.

    Attributes:
        protocol: of the packets; empty for any.
        ports: first and last of the destination ports; none for any.
        iif, oif: interface that they arrive on and leave by, with a star at its end for all that begin so; empty for any.
        some: of these only some, as the rule asks for more than that.
        invalid: only packets that belong to no connection which this host has seen begin.
    """

    protocol: str = ""
    ports: tuple[tuple[int, int], ...] = ()
    iif: str = ""
    oif: str = ""
    some: bool = False
    invalid: bool = False


@dataclass(frozen=True)
class Rule:
    """One rule. verdict: ``accept``, ``drop``, ``return``, ``jump``, ``goto``, or empty for one that decides nothing; target: chain of the last two."""

    match: Match
    verdict: str = ""
    target: str = ""


@dataclass
class Chain:
    """One chain with its rules. hook, priority, policy: of a base chain that filters; empty of any other."""

    rules: list[Rule] = field(default_factory=list)
    hook: str = ""
    priority: int = 0
    policy: str = "accept"


# Chains by name, by family and name of their table.
Tables = dict[str, dict[str, Chain]]


def others_filters(module: AnsibleModule, ours: Collection[str]) -> list[dict[str, Any]]:
    """Return the tables of others, with what their base chains do with new packets.

    Parameters:
        module: runs programs. Nothing is run where the kernel has no tables, so that none of its modules is loaded by this.
        ours: family and name of the tables that are recorded as ours.

    Returns:
        For each base chain of the hooks that matter, and once for a table without one: C(table) (family and name), C(owners) (names), C(chain), C(hook)
        (both empty without one), C(priority), C(rules) (in their order, each with C(verdict), C(protocol), C(ports) (C(first) and C(last)), C(iif),
        C(oif), C(some)). A chain that drops nothing has no rules.
    """
    tables = _read(module)
    found = []
    for table in sorted(tables):
        if table not in ours and not table.partition(" ")[2].startswith("xgn"):
            found += list(_told(table, tables[table]))
    return found


def _told(table: str, chains: Mapping[str, Chain]) -> Iterator[dict[str, Any]]:
    """Yield what is told of one table."""
    bases = [(name, chain) for name, chain in chains.items() if chain.hook in _HOOKS]
    for name, chain in bases or [("", Chain())]:
        rules, seen = decided(chains, name) if name else ([], set(chains))
        owners = owners_of([table.rpartition(" ")[2], *seen]) or owners_of(chains)
        yield {
            "table": " ".join(_STRANGE.sub("?", word) for word in table.split(" ")),
            "owners": owners,
            "chain": _STRANGE.sub("?", name),
            "hook": chain.hook,
            "priority": chain.priority,
            "rules": rules,
        }


def owners_of(names: Iterable[str]) -> list[str]:
    """Return whose tables and chains of these names are, as far as that is known."""
    texts = list(names)
    return [owner for owner, pattern in _OWNERS if any(pattern.match(text) for text in texts)]


def decided(chains: Mapping[str, Chain], base: str) -> tuple[list[dict[str, Any]], set[str]]:
    """Return what a base chain decides about new packets, those it jumps to included, and the names of all these chains. Without a drop there is no rule."""
    found: list[tuple[Match, str]] = []
    seen: set[str] = set()

    def walk(name: str, under: Match, depth: int) -> bool:
        """Go through a chain; returns whether no packet is left to the one that called it."""
        seen.add(name)
        some_left = False
        for rule in chains[name].rules if name in chains and depth < _DEEPEST else ():
            met = both(under, rule.match)
            if len(found) >= _LONGEST:
                break
            if met is None or met.protocol == _NEVER or (met.invalid and chains[base].hook != "forward"):
                continue
            # Of what has not left the chain yet.
            every = met == under
            met = replace(met, some=met.some or some_left)
            ended = rule.verdict in ("accept", "drop")
            if ended:
                found.append((met, rule.verdict))
            elif rule.verdict in ("jump", "goto"):
                ended = walk(rule.target, met, depth + 1)
            if every and (ended or rule.verdict in ("return", "goto")):
                return ended and not some_left
            # Where to these packets go back is no matter here: the rules below do not see them.
            some_left = some_left or rule.verdict in ("return", "goto")
        return False

    ended = walk(base, Match(), 0)
    if len(found) >= _LONGEST:
        found.append((Match(some=True), "drop"))
    elif not ended and chains[base].policy == "drop":
        found.append((Match(), "drop"))
    if not any(verdict == "drop" for _match, verdict in found):
        return [], seen
    return [_entry(match, verdict) for match, verdict in dict.fromkeys(found)], seen


def _entry(match: Match, verdict: str) -> dict[str, Any]:
    return {
        "verdict": verdict,
        "protocol": _STRANGE.sub("?", match.protocol),
        "ports": [{"first": first, "last": last} for first, last in match.ports],
        "iif": _STRANGE.sub("?", match.iif),
        "oif": _STRANGE.sub("?", match.oif),
        "some": match.some,
    }


def both(one: Match, two: Match) -> Match | None:
    """Return what is met by two rules, of which the first leads to the second; None for nothing."""
    if one.protocol and two.protocol and one.protocol != two.protocol:
        return None
    ports = one.ports or two.ports
    if one.ports and two.ports:
        pairs = [(max(a[0], b[0]), min(a[1], b[1])) for a in one.ports for b in two.ports]
        ports = tuple(pair for pair in pairs if pair[0] <= pair[1])
        if not ports:
            return None
    iif, oif = _name(one.iif, two.iif), _name(one.oif, two.oif)
    if iif is None or oif is None:
        return None
    return Match(one.protocol or two.protocol, ports, iif, oif, one.some or two.some, one.invalid or two.invalid)


def _name(one: str, two: str) -> str | None:
    """Return the interface that both names allow, the narrower one; None for none."""
    if not one or not two:
        return one or two
    if fnmatch.fnmatchcase(one, two):
        return one
    return two if fnmatch.fnmatchcase(two, one) else None


# ---- reading -------------------------------------------------------------------------------------------------------------------------------


def _read(module: AnsibleModule) -> Tables:
    """Return all tables of the kernel, those of iptables in its words where its program is there."""
    tables: Tables = {}
    if _has_nf_tables():
        nft = module.get_bin_path("nft")
        if nft:
            # Without elements of named sets, of which there may be many.
            tables = _printed(module, [nft, "--json", "--terse", "list", "ruleset"], of_nft)
        for family, name in PROGRAMS.items():
            program = module.get_bin_path("%s-nft-save" % name)
            if program and (nft is None or any("%s %s" % (family, table) in tables for table in _IPTABLES)):
                tables.update(_printed(module, [program], partial(of_iptables, family=family)))
    for family, name in PROGRAMS.items():
        program = module.get_bin_path("%s-legacy-save" % name)
        if program and read_text(LEGACY[family]).strip():
            found = _printed(module, [program], partial(of_iptables, family=family))
            tables.update({"legacy " + table: chains for table, chains in found.items()})
    return tables


def _printed(module: AnsibleModule, command: list[str], read: Callable[[str], Tables]) -> Tables:
    """Return the tables that a program prints. That they cannot be read is no reason to end a run, and told."""
    status, out, err = module.run_command(command)
    reason = (err or out).strip()
    if status == 0:
        try:
            return read(out)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = "%s prints what is not known (%s)" % (os.path.basename(command[0]), error)
    module.warn("packet filters of others cannot be read: %s" % reason)
    return {}


def _has_nf_tables() -> bool:
    """Say whether the kernel has nf_tables now: one that has it as a module would load it for the question. Of a container's kernel nobody knows."""
    tree = os.path.join(MODULES, os.uname().release)
    loaded = os.path.isdir(os.path.join(SYS_MODULE, "nf_tables"))
    return loaded or not os.path.isdir(tree) or "/nf_tables.ko" in read_text(os.path.join(tree, "modules.builtin"))


def of_iptables(text: str, family: str) -> Tables:
    """Return the tables of a text of iptables-save(8). family: ``ip`` or ``ip6``."""
    tables: Tables = {}
    chains: dict[str, Chain] = {}
    kind = ""
    for line in text.splitlines():
        if line.startswith("*"):
            kind = line[1:].strip()
            chains = tables.setdefault("%s %s" % (family, kind), {})
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            hook = {"INPUT": "input", "FORWARD": "forward", "PREROUTING": "prerouting"}.get(name, "") if policy != "-" else ""
            priority = {"raw": -300, "mangle": -150, "security": 50}.get(kind, 0)
            chains[name] = Chain([], hook if kind != "nat" else "", priority, policy.lower() if policy != "-" else "accept")
        elif line.startswith("-A "):
            words = shlex.split(line)
            chains.setdefault(words[1], Chain()).rules.append(_rule_of_words(words[2:]))
    return tables


# Options of iptables that ask for nothing, or for what stands beside them: how many words follow.
_NOTHING = {"-m": 1, "--match": 1, "--comment": 1, "--reject-with": 1, "-c": 2}


def _rule_of_words(words: list[str]) -> Rule:
    """Return a rule of iptables, given as its words without the chain's name."""
    match, verdict, target = Match(), "", ""
    at = 0
    while at < len(words):
        word, value = words[at], words[at + 1] if at + 1 < len(words) else ""
        at += 1 + _NOTHING.get(word, 1 if value and not value.startswith("-") and value != "!" else 0)
        if word in ("-j", "-g"):
            verdict, target = _verdict_of(value, word)
            # What else is said belongs to the target.
            break
        if word == "!":
            match = replace(match, some=True)
            # The option that it turns round, with its word.
            at += 1
        elif word in ("-p", "--protocol"):
            match = replace(match, protocol=value)
        elif word == "-i":
            match = replace(match, iif=value.replace("+", "*"))
        elif word == "-o":
            match = replace(match, oif=value.replace("+", "*"))
        elif word in ("--dport", "--dports"):
            match = replace(match, ports=tuple(_range(part) for part in value.split(",")))
        elif word in ("--ctstate", "--state"):
            match = _in_states(match, value.lower().split(","))
        elif word not in _NOTHING:
            match = replace(match, some=True)
    return Rule(match, verdict, target)


def _verdict_of(target: str, option: str) -> tuple[str, str]:
    known = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "drop", "TARPIT": "drop", "RETURN": "return"}
    if target in known:
        return known[target], ""
    # Extensions, such as LOG and MARK, are no chains; nothing is found behind their names.
    return "goto" if option == "-g" else "jump", target


def _range(text: str) -> tuple[int, int]:
    first, _colon, last = text.partition(":")
    return int(first or 0), int(last or (65535 if _colon else first))


def _in_states(match: Match, states: Collection[str]) -> Match:
    """Return what a rule concerns that asks for states of connections: of new packets none, all, or those that belong to none."""
    if "new" in states:
        return match
    return replace(match, some=True, invalid=True) if "invalid" in states else replace(match, protocol=_NEVER)


# No packet has it: the rule concerns answers alone.
_NEVER = "none"


def of_nft(text: str) -> Tables:
    """Return the tables of what ``nft --json list ruleset`` prints."""
    tables: Tables = {}
    for item in json.loads(text).get("nftables", []):
        if "table" in item:
            tables.setdefault("%s %s" % (item["table"]["family"], item["table"]["name"]), {})
        elif "chain" in item:
            chain = item["chain"]
            filters = {"hook": chain.get("hook", ""), "policy": chain.get("policy", "accept")} if chain.get("type") == "filter" else {}
            tables.setdefault("%s %s" % (chain["family"], chain["table"]), {})[chain["name"]] = Chain(
                priority=int(chain.get("prio", 0)), **filters
            )
        elif "rule" in item:
            rule = item["rule"]
            chains = tables.setdefault("%s %s" % (rule["family"], rule["table"]), {})
            chains.setdefault(rule["chain"], Chain()).rules.extend(_rules_of(rule.get("expr", [])))
    return tables


def _rules_of(expressions: Iterable[Any]) -> Iterator[Rule]:
    """Yield the rules that one of nft's amounts to: several, where it asks for one of several protocols, or has a map of verdicts."""
    matches = [Match()]
    for expression in expressions:
        # A statement without an operand is a word.
        (kind, value), *_more = expression.items() if isinstance(expression, dict) else [(str(expression), None)]
        value = {} if value is None else value
        if kind == "match":
            matches = [met for match in matches for met in _asked(match, value)]
        elif kind in ("accept", "drop", "return"):
            yield from (Rule(match, kind) for match in matches)
        elif kind == "reject" or (kind == "xt" and value.get("type") == "target" and value.get("name") == "REJECT"):
            yield from (Rule(match, "drop") for match in matches)
        elif kind in ("jump", "goto"):
            yield from (Rule(match, kind, str(value["target"])) for match in matches)
        elif kind == "vmap":
            yield from (rule for match in matches for rule in _of_map(match, value))
        elif kind in ("limit", "xt", "queue", "quota", "ct count", "connlimit", "set"):
            # A limit is over at some time; a target of xtables that is none of the above decides nothing.
            matches = [replace(match, some=True) for match in matches]


def _of_map(match: Match, value: Any) -> Iterator[Rule]:
    """Yield a rule for each entry of a map of verdicts; what a named map holds is not known."""
    data = value.get("data")
    entries = data.get("set", []) if isinstance(data, dict) else []
    for key, verdict in entries:
        ((kind, target),) = verdict.items()
        said = str(target["target"]) if isinstance(target, dict) else ""
        for met in _asked(match, {"op": "==", "left": value.get("key"), "right": key}):
            yield Rule(met, "drop" if kind == "reject" else kind, said)
    if not entries:
        yield Rule(replace(match, some=True), "drop")


def _asked(match: Match, value: Mapping[str, Any]) -> list[Match]:
    """Return what a rule concerns that asks for one thing more, as one or several of which any is enough."""
    left, right = value.get("left"), value.get("right")
    listed = right["set"] if isinstance(right, dict) and "set" in right else right if isinstance(right, list) else [right]
    some = [replace(match, some=True)]
    if value.get("op") not in ("==", "in") or not isinstance(left, dict):
        return some
    meta, payload = left.get("meta") or {}, left.get("payload") or {}
    if (left.get("ct") or {}).get("key") == "state":
        return [_in_states(match, [str(state) for state in listed])]
    if meta.get("key") == "l4proto" or payload.get("field") in ("protocol", "nexthdr"):
        return [met for name in listed for met in [both(match, Match(protocol=str(name)))] if met is not None]
    if meta.get("key") in ("iifname", "iif", "oifname", "oif") and all(
        isinstance(name, str) and not name.startswith("@") for name in listed
    ):
        arrives = meta["key"].startswith("iif")
        asked = [Match(iif=str(name)) if arrives else Match(oif=str(name)) for name in listed]
        return [met for one in asked for met in [both(match, one)] if met is not None]
    if payload.get("field") == "dport":
        ranges = [_numbers(part) for part in listed]
        protocol = "" if payload.get("protocol") == "th" else str(payload.get("protocol"))
        if all(ranges):
            met = both(match, Match(protocol, tuple(pair for pair in ranges if pair)))
            return [met] if met is not None else []
    return some


def _numbers(part: Any) -> tuple[int, int] | None:
    """Return first and last port of an entry; None for what is no number, such as a named set."""
    if isinstance(part, int):
        return part, part
    ends = part.get("range") if isinstance(part, dict) else None
    return (int(ends[0]), int(ends[1])) if ends and all(isinstance(end, int) for end in ends) else None

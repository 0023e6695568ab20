# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Drain: a router, or single links of it, asks its neighbors to send traffic another way before something is done to it.

BGP by graceful shutdown (RFC 8326): what is advertised carries the community, what is received has the lowest preference. OSPF by the stub router's
metric (RFC 6987), and what is redistributed into it by the largest external metric (RFC 2328, LSInfinity). All of it stands in the running
configuration only: frr.conf says how it is without, so a reload, a restart, a reboot and the next run of role frr end it.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import frr_sessions
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError, Runner, output
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.frr import FRR_CONF as FRR_CONF
from ansible_collections.xuegao.net.plugins.module_utils.iproute import json_objects
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

POLL_S = 1.0

# RFC 2328: LSInfinity is 0xffffff; FRR takes one less for what is redistributed. RFC 6987: MaxLinkMetric.
EXTERNAL_METRIC = 0xFFFFFF - 1
LINK_METRIC = 0xFFFF
MAP_PREFIX = "XGN-DRAIN-"
# What the name of a route map begins with that asks the one of before, for what comes in.
DRAINED_IN = MAP_PREFIX + "IN-"
# ospf6d has the command of the stub router since RFC 6987's predecessor (RFC 3137) was written down in it.
STUB_ROUTER = {"ospf": "max-metric router-lsa administrative", "ospf6": "stub-router administrative"}

# Where the kernel counts what it forwards, by family, without what the host itself sends.
SNMP, SNMP6, NET = "/proc/net/snmp", "/proc/net/snmp6", "/sys/class/net"
# What crosses a link beside the traffic: BFD, which sends up to a third more often than its interval says (RFC 5880, 6.8.7), and keepalives and hellos.
BFD_JITTER = 4 / 3
KEEPALIVES_PER_S = 5

BGP = re.compile(r"^router bgp (?P<asn>\S+)(?: vrf (?P<vrf>\S+))?$")
OSPF = re.compile(r"^router (?P<protocol>ospf6?)(?: vrf \S+)?$")
FAMILY = re.compile(r"^ address-family (?P<family>ipv[46] unicast)$")
ACTIVATED = re.compile(r"^ {2}neighbor (?P<address>\S+) activate$")
POLICY = re.compile(r"^ {2}neighbor (?P<address>\S+) route-map (?P<name>\S+) (?P<direction>in|out)$")
LIMIT = re.compile(r"^ {2}neighbor (?P<address>\S+) maximum-prefix (?P<limit>.+)$")
REDISTRIBUTE = re.compile(r"^ redistribute (?P<source>\S+)(?: metric \d+)?(?P<rest>.*)$")


@dataclass
class Family:
    """What an address family of one BGP instance says of its neighbors: those that are activated, their policies by neighbor and direction, and the words
    behind ``maximum-prefix``.
    """

    activated: set[str] = field(default_factory=set)
    policies: dict[tuple[str, str], str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)


@dataclass
class Instance:
    """One BGP instance: first line of its block, VRF (``default`` for the default VRF), families by name."""

    header: str
    vrf: str
    families: dict[str, Family] = field(default_factory=dict)


def bgp_instances(text: str) -> list[Instance]:
    """Read the BGP instances of a configuration."""
    found: list[Instance] = []
    instance: Instance | None = None
    family: Family | None = None
    for line in text.splitlines():
        header, start = BGP.match(line), FAMILY.match(line)
        if header:
            instance, family = Instance(line, header["vrf"] or "default"), None
            found.append(instance)
        elif line and not line.startswith((" ", "!")):
            instance = family = None
        elif instance is not None and start:
            family = instance.families.setdefault(start["family"], Family())
        elif line == " exit-address-family":
            family = None
        elif family is not None:
            activated, policy, limit = ACTIVATED.match(line), POLICY.match(line), LIMIT.match(line)
            if activated:
                family.activated.add(activated["address"])
            elif policy:
                family.policies[policy["address"], policy["direction"]] = policy["name"]
            elif limit:
                family.limits[limit["address"]] = limit["limit"]
    return found


def router_commands(text: str) -> list[str]:
    """Commands that drain the whole router. text: the running configuration. Empty where it is drained, or routes with nobody."""
    commands: list[str] = []
    for header, lines in _blocks(text):
        if BGP.match(header):
            wanted = [] if " bgp graceful-shutdown" in lines else [" bgp graceful-shutdown"]
        else:
            ospf = OSPF.match(header)
            if ospf is None:
                continue
            stub = " " + STUB_ROUTER[ospf["protocol"]]
            wanted = [] if stub in lines else [stub]
            for line in lines:
                match = REDISTRIBUTE.match(line)
                dear = match and " redistribute %s metric %d%s" % (match["source"], EXTERNAL_METRIC, match["rest"])
                if dear and dear != line:
                    wanted.append(dear)
        if wanted:
            commands += [header, *wanted, "exit"]
    return commands


def link_commands(text: str, neighbors: Iterable[tuple[str, str]], interfaces: Sequence[str]) -> list[str]:
    """Commands that drain single links.

    Parameters:
        text: the running configuration.
        neighbors: VRF (``default`` for the default VRF) and address of the BGP neighbors that are reached over the links.
        interfaces: the links' interfaces, for OSPF.

    Empty where they are drained, or have no session.
    """
    over, sessions = set(neighbors), []
    maps: dict[str, list[str]] = {}
    for instance in bgp_instances(text):
        lines = []
        for family_name, family in instance.families.items():
            inside = []
            for address in sorted(family.activated):
                if (instance.vrf, address) not in over:
                    continue
                for direction in ("in", "out"):
                    former = family.policies.get((address, direction))
                    if former is None or former.startswith(MAP_PREFIX):
                        continue
                    name = MAP_PREFIX + direction.upper() + "-" + former
                    maps[name] = _map(name, former)
                    inside.append("  neighbor %s route-map %s %s" % (address, name, direction))
            if inside:
                lines += [" address-family " + family_name, *inside, " exit-address-family"]
        if lines:
            sessions += [instance.header, *lines, "exit"]
    return [line for lines in maps.values() for line in lines] + sessions + _costs(text, interfaces)


def _map(name: str, former: str) -> list[str]:
    """A route map that asks another one, and then makes the route the last choice at both ends.

    ``set`` comes before ``call`` within one entry, so the called map would win: two entries.
    """
    first = ["route-map %s permit 10" % name, " call " + former, " on-match next", "exit"]
    return [*first, "route-map %s permit 20" % name, " set community graceful-shutdown additive", " set local-preference 0", "exit"]


def _costs(text: str, interfaces: Sequence[str]) -> list[str]:
    commands = []
    for header, lines in _blocks(text):
        name = header.partition("interface ")[2].split(" ")[0]
        if not header.startswith("interface ") or name not in interfaces:
            continue
        wanted = [
            " %s cost %d" % (word, LINK_METRIC)
            for word in ("ip ospf", "ipv6 ospf6")
            if any(line.startswith(" %s area " % word) for line in lines) and " %s cost %d" % (word, LINK_METRIC) not in lines
        ]
        if wanted:
            commands += [header, *wanted, "exit"]
    return commands


def end_commands(text: str, configured: str) -> list[str]:
    """Commands that end every drain, of the router and of its links.

    Parameters:
        text: the running configuration.
        configured: frr.conf, which says how it is without.

    Empty where nothing is drained.
    """
    commands: list[str] = []
    former = dict(_blocks(configured))
    for header, lines in _blocks(text):
        before = former.get(header, [])
        ospf = OSPF.match(header)
        if BGP.match(header):
            inside = [" no bgp graceful-shutdown"] if " bgp graceful-shutdown" in lines else []
        elif ospf:
            stub = STUB_ROUTER[ospf["protocol"]]
            inside = [" no " + stub] if " " + stub in lines else []
            dear = [
                match["source"] for match in map(REDISTRIBUTE.match, lines) if match and " metric %d" % EXTERNAL_METRIC in match.group()
            ]
            inside += [line for line in before for match in [REDISTRIBUTE.match(line)] if match and match["source"] in dear]
        elif header.startswith("interface "):
            inside = []
            for word in ("ip ospf", "ipv6 ospf6"):
                dearest = " %s cost %d" % (word, LINK_METRIC)
                if dearest in lines and dearest not in before:
                    inside += [line for line in before if line.startswith(" %s cost " % word)] or [" no %s cost" % word]
        else:
            continue
        if inside:
            commands += [header, *inside, "exit"]
    return commands + _former_policies(text)


def _former_policies(text: str) -> list[str]:
    """Commands that give the neighbors of drained links their own policies again, and remove the others."""
    commands: list[str] = []
    for instance in bgp_instances(text):
        lines = []
        for family_name, family in instance.families.items():
            inside = []
            for (address, direction), name in sorted(family.policies.items()):
                prefix = MAP_PREFIX + direction.upper() + "-"
                if name.startswith(prefix):
                    inside.append("  neighbor %s route-map %s %s" % (address, name[len(prefix) :], direction))
            if inside:
                lines += [" address-family " + family_name, *inside, " exit-address-family"]
        if lines:
            commands += [instance.header, *lines, "exit"]
    names = {header.split()[1] for header, _lines in _blocks(text) if header.startswith("route-map " + MAP_PREFIX)}
    return commands + ["no route-map " + name for name in sorted(names)]


def _blocks(text: str) -> list[tuple[str, list[str]]]:
    """First lines of the blocks of a configuration, each with the lines inside."""
    blocks: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith(" ") and blocks:
            blocks[-1][1].append(line)
        elif line and not line.startswith(("!", "exit")):
            blocks.append((line, []))
    return blocks


def forwarded() -> int:
    """Packets that this host has forwarded so far, both families."""
    columns: list[str] = []
    total = 0
    for line in read_text(SNMP).splitlines():
        words = line.split()
        if words[:1] == ["Ip:"]:
            if columns:
                total += int(words[columns.index("ForwDatagrams")])
            columns = words
    for line in read_text(SNMP6).splitlines():
        words = line.split()
        if words[:1] == ["Ip6OutForwDatagrams"]:
            total += int(words[1])
    return total


def passed(interfaces: list[str]) -> int:
    """Packets that have left by the interfaces so far, or that the host has forwarded when none is given."""
    if not interfaces:
        return forwarded()
    return sum(int(read_text("%s/%s/statistics/tx_packets" % (NET, name)).strip() or 0) for name in interfaces)


class Router:
    """The running FRR. run: runs a command. Its methods raise CommandError when vtysh fails."""

    def __init__(self, run: Runner) -> None:
        self.run = run

    def running(self) -> str:
        """Give its running configuration."""
        return output(self.run, "vtysh", "-c", "show running-config")

    def configure(self, commands: list[str]) -> None:
        """Give it lines of configuration."""
        lines = [part for line in commands for part in ("-c", line)]
        output(self.run, "vtysh", "-c", "configure terminal", *lines)

    def neighbors_over(self, running: str, interfaces: list[str]) -> list[tuple[str, str]]:
        """Give VRF and address of the BGP neighbors that the kernel reaches by one of the interfaces. running: the running configuration."""
        instances = bgp_instances(running)
        neighbors = {(item.vrf, address) for item in instances for family in item.families.values() for address in family.activated}
        found = []
        for vrf, address in sorted(neighbors):
            if address in interfaces:
                # One that is found on the link itself.
                found.append((vrf, address))
                continue
            command = ["ip", "-json", "route", "get", address, *(["vrf", vrf] if vrf != "default" else [])]
            status, out, err = self.run(command)
            if status == 0 and any(route.get("dev") in interfaces for route in json_objects(out)):
                found.append((vrf, address))
        return found

    def idle_rate(self, addresses: set[str]) -> int:
        """Packets a second that the sessions with these neighbors need themselves."""
        peers = json.loads(output(self.run, "vtysh", "-c", "show bfd peers json") or "[]")
        intervals = [peer.get("transmit-interval", 0) for peer in peers if peer.get("peer") in addresses]
        return KEEPALIVES_PER_S + round(sum(1000 / int(interval) for interval in intervals if interval) * BFD_JITTER)


def rate(interfaces: list[str], seconds: float) -> int:
    """Packets a second that pass, measured for some seconds."""
    before, started = passed(interfaces), time.monotonic()
    time.sleep(seconds)
    return round((passed(interfaces) - before) / (time.monotonic() - started))


def wait_until_idle(interfaces: list[str], idle: int, seconds: int) -> int:
    """Wait until no more than idle packets a second pass; returns how many pass in the end, 0 when the traffic has moved."""
    left = wait_until(lambda: rate(interfaces, POLL_S), lambda found: found <= idle, seconds, 0)
    return left if left > idle else 0


def routes(module: AnsibleModule) -> bool:
    """Say whether this host has an FRR to drain."""
    return module.get_bin_path("vtysh") is not None and os.path.exists(FRR_CONF)


@contextmanager
def drained(module: AnsibleModule, interfaces: list[str], seconds: int) -> Iterator[list[str]]:
    """Keep traffic off links while they are interrupted, and end that when their sessions are back, or have not come in time.

    Gives a line for each link, for people; empty where nothing was drained: without an FRR that runs, without a session over the links, with seconds 0, in
    check mode, or where somebody has drained something already, whose drain it would end. seconds: how long to wait for the traffic to move, and for the
    sessions. Raises CommandError when FRR refuses what ends the drain.
    """
    router = Router(module.run_command)
    commands: list[str] = []
    over: list[tuple[str, str]] = []
    told: list[str] = []
    if interfaces and seconds and not module.check_mode and routes(module):
        try:
            running = router.running()
            if not end_commands(running, read_text(FRR_CONF)):
                over = router.neighbors_over(running, interfaces)
                commands = link_commands(running, over, interfaces)
        except CommandError:
            # One that does not answer sends nothing another way; what is wrong with it, role frr says.
            commands = []
    if not commands:
        yield told
        return
    before = frr_sessions.established(module) & {"%s %s" % neighbor for neighbor in over}
    try:
        router.configure(commands)
        left = wait_until_idle(interfaces, router.idle_rate({address for _vrf, address in over}), seconds)
        way = "has no other way: %d packets a second still pass" % left if left else "goes another way meanwhile"
        told += ["%s: drain; traffic %s" % (name, way) for name in interfaces]
        yield told
        frr_sessions.wait_for(module, before, seconds)
    finally:
        router.configure(end_commands(router.running(), read_text(FRR_CONF)))

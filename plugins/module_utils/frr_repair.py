# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find on this host what a daemon of FRR has missed (module_utils.frr_rib), and put it right with as little disturbance as possible.

What works is never touched: a static route is taken out and put in again only where it is not in force, and staticd is started again only when that does
not help; a next hop that is dead in BGP is told to bgpd anew by zebra, and its session is reset only when that does not help.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from ansible_collections.xuegao.net.plugins.module_utils import frr_rib
from ansible_collections.xuegao.net.plugins.module_utils.commands import Runner, output
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.frr_rib import DEFAULT_VRF, NextHop, StaticRoute
from ansible_collections.xuegao.net.plugins.module_utils.live_parse import parse_links
from ansible_collections.xuegao.net.plugins.module_utils.live_parse_frr import parse_rib, split_vtysh
from ansible_collections.xuegao.net.plugins.module_utils.trial import trial_file
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

# What is only on its way between daemons is there by then, also on a busy host; a route may wait for an address that the kernel tries out.
NEXT_HOP_SECONDS = 5
ROUTE_SECONDS = 15
REPAIR_SECONDS = 15
# A session that was reset may wait for its connect timer; its next hop does not.
RESET_SECONDS = 30
POLL_SECONDS = 0.5
PID_FILE = "/run/frr/%s.pid"
STOP_SECONDS = 10


@dataclass(frozen=True)
class Missed:
    """What is wrong: static routes that are not in force, and next hops that only BGP takes for dead."""

    routes: frozenset[StaticRoute] = frozenset()
    next_hops: frozenset[NextHop] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.routes or self.next_hops)

    def __and__(self, other: Missed) -> Missed:
        return Missed(self.routes & other.routes, self.next_hops & other.next_hops)

    def told(self, ending: str) -> list[str]:
        """Give a line for each; ending: what was or will be done."""
        lines = [
            "static route %s is inactive in FRR although its interface is up; %s" % (route, ending)
            for route in sorted(self.routes, key=str)
        ]
        return lines + [
            "BGP next hop %s is dead in bgpd although zebra resolves it; %s" % (named(hop), ending) for hop in sorted(self.next_hops)
        ]


def named(hop: NextHop) -> str:
    """Give address and VRF of a next hop for a reader."""
    vrf, address = hop
    return address if vrf == DEFAULT_VRF else "%s in VRF %s" % (address, vrf)


class Rib:
    """FRR's routes and next hops on this host, compared with what frr.conf wants."""

    def __init__(self, run: Runner, vtysh: str, text: str) -> None:
        """Look with run at what text, a configuration, asks for. vtysh: path of vtysh."""
        self.run = run
        self.vtysh = vtysh
        self.routes = frr_rib.static_routes(text)
        self.bgp = _has_bgp(text)

    def leave_out_new(self, former: str) -> None:
        """Look only at what the configuration former has, too."""
        known = set(frr_rib.static_routes(former))
        self.routes = [route for route in self.routes if route in known]
        self.bgp = self.bgp and _has_bgp(former)

    def missed(self) -> Missed:
        """Look once: one call of vtysh, and more only when something looks wrong. Raises CommandError and ValueError when FRR cannot be asked."""
        if not (self.routes or self.bgp):
            return Missed()
        commands = [frr_rib.TRACKED4, frr_rib.TRACKED6, frr_rib.STATIC4, frr_rib.STATIC6, *([frr_rib.BGP_NEXT_HOPS] if self.bgp else [])]
        seen = self.show(commands)
        tracked = {**frr_rib.parse_tracked(seen[frr_rib.TRACKED4]), **frr_rib.parse_tracked(seen[frr_rib.TRACKED6])}
        stale = frr_rib.stale_next_hops(frr_rib.parse_bgp_next_hops(seen[frr_rib.BGP_NEXT_HOPS]), tracked) if self.bgp else []
        rib = frr_rib.read_statics(seen[frr_rib.STATIC4], seen[frr_rib.STATIC6])
        known = frr_rib.by_prefix(rib)
        doubtful = [route for route in self.routes if not frr_rib.in_force(route, known)]
        if doubtful:
            links = parse_links(output(self.run, "ip", "-json", "-details", "address", "show"))
            doubtful = [route for route in doubtful if frr_rib.can_work(route, links, tracked)]
        if doubtful:
            # A route of another protocol may be better.
            rib += [entry for text in self.show(map(show_route, doubtful)).values() for entry in parse_rib(text)]
            known = frr_rib.by_prefix(rib)
            doubtful = [route for route in doubtful if not frr_rib.in_force(route, known)]
        return Missed(frozenset(doubtful), frozenset(stale))

    def lasting(self) -> Missed:
        """Look, and where something is wrong, look on until it is over; returns what was wrong all the time. Raises as `missed`."""
        left = self.missed()

        def look() -> Missed:
            nonlocal left
            left = left & self.missed()
            return left

        if left:
            wait_until(look, lambda found: not found, NEXT_HOP_SECONDS, POLL_SECONDS)
        if left.routes:
            wait_until(look, lambda found: not found.routes, ROUTE_SECONDS - NEXT_HOP_SECONDS, POLL_SECONDS)
        return left

    def repair(self, missed: Missed) -> tuple[list[str], Missed]:
        """Put right what `lasting` has found, and look.

        Returns:
            What was done, a line each, and what is still wrong. Routes come first, since next hops are resolved by them.

        Raises:
            CommandError, ValueError: as `missed`.
        """
        done: list[str] = []
        if missed.routes:
            self.give_again(missed.routes)
            left = self.wait(lambda found: not missed.routes & found.routes, REPAIR_SECONDS)
            done += Missed(missed.routes - left.routes).told("given to FRR again")
            missed = missed & left
        if missed.routes:
            self.start_staticd_again()
            left = self.wait(lambda found: not missed.routes & found.routes, REPAIR_SECONDS)
            done += Missed(missed.routes - left.routes).told("staticd was started again")
            missed = missed & left
        if missed.next_hops:
            self.tell_again(missed.next_hops)
            left = self.wait(lambda found: not missed.next_hops & found.next_hops, REPAIR_SECONDS)
            done += Missed(frozenset(), missed.next_hops - left.next_hops).told("zebra told bgpd of it again")
            missed = missed & left
        if missed.next_hops:
            for vrf, address in sorted(missed.next_hops):
                # It fails for a next hop that is no neighbor; what counts is what is seen afterwards.
                self.run([self.vtysh, "-c", "clear bgp %s%s" % ("" if vrf == DEFAULT_VRF else "vrf %s " % vrf, address)])
            left = self.wait(lambda found: not missed.next_hops & found.next_hops, RESET_SECONDS)
            done += Missed(frozenset(), missed.next_hops - left.next_hops).told("the session with it was reset")
            missed = missed & left
        return done, missed

    def wait(self, enough: Callable[[Missed], bool], seconds: int) -> Missed:
        """Look until it is enough or the time is over; returns what is wrong then."""
        return wait_until(self.missed, enough, seconds, POLL_SECONDS)

    def give_again(self, routes: Iterable[StaticRoute]) -> None:
        """Take static routes out of FRR and put them in. All out first: staticd registers a next hop anew when the last route over it is gone."""
        ordered = [route for route in self.routes if route in set(routes)]
        self.configure(["no " + route.line for route in ordered], ordered)
        self.configure([route.line for route in ordered], ordered)

    def start_staticd_again(self) -> None:
        """Let staticd begin anew, as a last resort: it can count a next hop as registered that zebra knows nothing of, and then asks for it no more.

        Static routes are away until it runs, a fraction of a second; no session is touched.
        """
        # Whether it helped is seen in the routes.
        start_again(self.run, self.vtysh, "staticd")

    def tell_again(self, hops: Iterable[NextHop]) -> None:
        """Make zebra tell bgpd of next hops once more: it does so when the route to one changes.

        Where that is a static route for this very address, it is given again. Anywhere else a host route over the same next hops comes and goes, and packets
        take the way that they took before.
        """
        detours: list[tuple[NextHop, list[str]]] = []
        own: list[StaticRoute] = []
        for hop in sorted(hops):
            vrf, address = hop
            host = "%s/%d" % (address, ip_address(address).max_prefixlen)
            mine = [route for route in self.routes if (route.vrf, route.prefix) == (vrf, host)]
            own += mine
            if not mine:
                detours.append((hop, self.detour(hop, host)))
        if own:
            self.give_again(own)
        lines = [line for _hop, lines in detours for line in lines]
        vrfs = [hop for hop, lines in detours for _line in lines]
        if lines:
            self.configure(lines, vrfs)
            try:
                self.wait(lambda found: not found.next_hops & set(vrfs), REPAIR_SECONDS)
            finally:
                self.configure(["no " + line for line in lines], vrfs)

    def detour(self, hop: NextHop, host: str) -> list[str]:
        """Give the lines of static routes to the host over the next hops by which zebra reaches it now."""
        command = "show %s route%s %s json" % (word(hop[1]), "" if hop[0] == DEFAULT_VRF else " vrf " + hop[0], hop[1])
        entries = [entry for entry in parse_rib(self.show([command])[command]) if entry["selected"]]
        ways = [item for entry in entries for item in entry["nexthops"] if item["active"] and not item["recursive"] and item["interface"]]
        return [" ".join(filter(None, [word(hop[1]), "route", host, way["ip"], way["interface"]])) for way in ways]

    def configure(self, lines: Sequence[str], places: Sequence[StaticRoute | NextHop]) -> None:
        """Give lines to FRR, each in the VRF of its place. A line that is refused stops none of the others; the caller looks."""
        text = ""
        for line, place in zip(lines, places):
            vrf = place.vrf if isinstance(place, StaticRoute) else place[0]
            text += line + "\n" if vrf == DEFAULT_VRF else "vrf %s\n %s\nexit-vrf\n" % (vrf, line)
        with trial_file("routes.conf", text) as path:
            self.run([self.vtysh, "-f", path])

    def show(self, commands: Iterable[str]) -> dict[str, str]:
        """Run show commands in one call of vtysh; returns the output of each. Raises CommandError."""
        wanted = list(dict.fromkeys(commands))
        said = output(self.run, self.vtysh, "-E", *[word for command in wanted for word in ("-c", command)])
        return {**dict.fromkeys(wanted, ""), **split_vtysh(said, wanted)}


def start_again(run: Runner, vtysh: str, daemon: str) -> None:
    """End a daemon and start it anew. The reload starts it within frr.service, as it does with any daemon that is missing, and not within this login."""
    number = read_text(PID_FILE % daemon).strip()
    if not number.isdigit():
        return
    # watchfrr would start it too.
    run([vtysh, "-c", "watchfrr ignore " + daemon])
    try:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(number), signal.SIGINT)
        wait_until(lambda: os.path.isdir("/proc/" + number), lambda running: not running, STOP_SECONDS, POLL_SECONDS / 5)
        run(["systemctl", "reload", "frr.service"])
    finally:
        run([vtysh, "-c", "no watchfrr ignore " + daemon])


def _has_bgp(text: str) -> bool:
    return any(line.startswith("router bgp ") for line in text.splitlines())


def show_route(route: StaticRoute) -> str:
    """Give the command that shows all routes to the prefix of a static one."""
    return "show %s route%s %s json" % (word(route.prefix), "" if route.vrf == DEFAULT_VRF else " vrf " + route.vrf, route.prefix)


def word(address: str) -> str:
    """Give FRR's word for the family of an address or prefix."""
    return "ipv6" if ":" in address else "ip"

"""The pairs of the matrix, what happens to them, and what of a machine must stay as it is."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "tests" / "vm" / "managers" / "inventory"
RESULTS = ROOT / "build" / "managers.json"
# The uplink of the first one is by DHCP and router advertisements, that of the other has fixed addresses.
HOSTS = {"left": "10.255.0.2", "right": "10.255.0.1"}
UPLINKS = {"left": "dhcp", "right": "static"}
# So many default routes each has at least: one a family that its provider serves, or its file names.
DEFAULT_ROUTES = {"left": 2, "right": 1}
PROVIDER = "provider"
SUITES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
MANAGERS = ("networkd", "netplan", "cloud-init", "ifupdown", "NetworkManager")
SYSTEMS = tuple(f"{suite}-{manager}" for suite in SUITES for manager in MANAGERS)
# The newest systemd, FRR and kernel tools that Debian has: what it says is a warning, and fails nothing.
EARLY = ("testing-networkd",)
COMMAND_SECONDS = 180
# A boot, and a session whose connect timer has to run down.
BACK_SECONDS = 150
POLL_SECONDS = 1.0

_POSTINST = "/var/lib/dpkg/info/systemd.postinst configure \"$(dpkg-query --show --showformat='${Version}' systemd)\""
_NETWORKD = {
    "networkctl reload": "networkctl reload",
    "networkctl reconfigure, uplink": "networkctl reconfigure eth0",
    "networkctl reconfigure, member": "networkctl reconfigure eth1",
    "networkd restarted": "systemctl restart systemd-networkd",
}
_NETPLAN = {"netplan apply": "netplan apply", **_NETWORKD}
RENEWAL = "lease renewed, router's lifetime over"
BOOTS = ("reboot", "reboot as another instance")
EVENTS: Mapping[str, Mapping[str, str]] = {
    "networkd": _NETWORKD,
    "netplan": _NETPLAN,
    # It writes netplan's file anew.
    "cloud-init": {**_NETPLAN, BOOTS[1]: "sed -i s/first/second/ /var/lib/cloud/seed/nocloud/meta-data; systemctl reboot"},
    "ifupdown": {
        "ifdown and ifup, member": "ifdown eth1; ifup eth1",
        "ifdown and ifup, uplink": "ifdown eth0; ifup eth0",
        "networking restarted": "systemctl restart networking",
    },
    "NetworkManager": {
        "NetworkManager reloads": "nmcli general reload; nmcli connection reload",
        "nmcli device reapply, uplink": "nmcli device reapply eth0",
        "nmcli connection up, uplink": "nmcli connection up eth0",
        "NetworkManager restarted": "systemctl restart NetworkManager",
    },
}
# Behind those of the manager, on every system.
EVERYWHERE = {
    "udevadm trigger": "udevadm trigger && udevadm settle",
    "udevadm trigger, NICs added": "udevadm trigger --action=add --subsystem-match=net && udevadm settle",
    "sysctl --system": "sysctl --system",
    "systemd upgraded": f"systemctl daemon-reexec && {_POSTINST} && systemctl try-restart systemd-udevd systemd-networkd",
    # Half of a lease of 120 s, and the 40 s that a router is one without another advertisement: lab/seed.py.
    RENEWAL: "sleep 75",
    BOOTS[0]: "systemctl reboot",
}
# These take the uplink down, or the machine: what runs over it may begin anew.
INTERRUPTING = ("ifdown and ifup, uplink", "networking restarted", *BOOTS)


def manager_of(system: str) -> str:
    """Give the manager of a system."""
    return system.partition("-")[2]


def events_of(system: str) -> dict[str, str]:
    """Give command by name of what happens to a machine of this system, in this order."""
    return {**EVENTS[manager_of(system)], **EVERYWHERE}


@dataclass(frozen=True)
class Seen:
    """A machine's state: what must be equal, and since when its sessions are up, in seconds since 1970."""

    parts: Mapping[str, Any]
    sessions: Mapping[str, int] = field(default_factory=dict)

    def differences(self, other: Seen) -> list[str]:
        """Say what is otherwise now; other: what was before."""
        names = [name for name in other.parts if self.parts.get(name) != other.parts[name]]
        return [f"{name}: {_difference(other.parts[name], self.parts.get(name))}" for name in names]

    def reset(self, other: Seen) -> list[str]:
        """Name the sessions that began anew. FRR counts back from now in whole seconds."""
        return [peer for peer, since in other.sessions.items() if abs(self.sessions.get(peer, 0) - since) > 2]


def _difference(before: Any, now: Any) -> str:
    if isinstance(before, list) and isinstance(now, list):
        return ", ".join([f"lost {item}" for item in before if item not in now] + [f"new {item}" for item in now if item not in before])
    return f"was {before}, is {now}"


# One call: it answers while the machine may be losing its network, and each part is of the same moment.
LOOK = (
    "for family in -4 -6; do ip -N -json -details $family rule show; echo; ip -N -json $family route show table 200; echo; "
    "ip -N -json $family route show default; echo; done; ip -json -details address show; echo; wg show all allowed-ips | wc --lines; "
    "vtysh -c 'show bgp vrf CORE neighbors json' | tr -d '\\n'; echo; sysctl --all 2>/dev/null | grep -E 'forward|l3mdev|keep_addr' "
    # On NICs of its own NetworkManager has it off. Whether a host forwards IPv6 `all` says, ip-sysctl of the kernel.
    "| grep -vE 'ipv6.conf.(eth0|mgmt0).forwarding' | tr '\\n' ';'; echo; "
    "ping -c 1 -W 2 -I CORE {far} >/dev/null && echo reached || echo silent"
)


def seen(text: str) -> Seen:
    """Read what LOOK prints."""
    lines = [line for line in text.splitlines() if line.strip()]
    rules4, vrf4, default4, rules6, vrf6, default6, links, tunnels, bgp, settings, ping = lines
    addresses = [
        f"{link['ifname']} {entry['local']}/{entry['prefixlen']}"
        for link in json.loads(links)
        for entry in link["addr_info"]
        if entry["scope"] == "global" and link["ifname"] != "lo"
    ]
    disconnected = {link["ifname"] for link in json.loads(links) if "NO-CARRIER" in link["flags"]}
    parts = {
        "rules": [_rule(family, rule) for family, each in ((4, rules4), (6, rules6)) for rule in json.loads(each)],
        "routes of the VRF": sorted(
            _route(route) for each in (vrf4, vrf6) for route in json.loads(each) if not _by_chance(route, disconnected)
        ),
        "default route": [f"{route.get('gateway')} {route['dev']}" for each in (default4, default6) for route in json.loads(each)[:1]],
        "interfaces": sorted(
            f"{link['ifname']} master {link.get('master')} mtu {link['mtu']} mac {link.get('address')} {'up' if 'UP' in link['flags'] else 'down'}"
            for link in json.loads(links)
        ),
        "addresses": sorted(addresses),
        "tunnels": tunnels,
        "settings": sorted(settings.split(";")),
        "far end": ping,
    }
    neighbors = json.loads(bgp)
    up = {
        name: peer["bgpTimerUpEstablishedEpoch"]
        for name, peer in neighbors.items()
        if isinstance(peer, dict) and peer.get("bgpState") == "Established"
    }
    return Seen({**parts, "sessions": sorted(up)}, up)


def _rule(family: int, rule: Mapping[str, Any]) -> str:
    return f"IPv{family} {rule.get('priority')} {'l3mdev' if 'l3mdev' in rule else rule.get('table')} protocol {rule.get('protocol')}"


def _by_chance(route: Mapping[str, Any], disconnected: Collection[str]) -> bool:
    """Tell whether the kernel made a route because a bridge without ports was up for a moment before it noticed that nothing is connected."""
    return route.get("dev") in disconnected and route["dst"].startswith(("fe80:", "ff00:"))


def _route(route: Mapping[str, Any]) -> str:
    # The identity of a next hop changes when the route is made anew.
    return f"{route.get('type', '')} {route['dst']} {route.get('gateway', '')} {route.get('dev', '')} {route.get('protocol', '')}"


class Pair:
    """The two machines of a system, and their provider."""

    def __init__(self, system: str, topology: str = "") -> None:
        self.name = system
        self.topology = topology or f"managers-{system}"
        self.connection = ROOT / "build" / "lab" / self.topology / "connection.yml"

    def lab(self, *arguments: str) -> None:
        """Run a verb of the lab."""
        subprocess.run([sys.executable, "-m", "lab", *arguments], cwd=ROOT, check=True)

    def attempt(self, host: str, command: str, seconds: float = COMMAND_SECONDS) -> subprocess.CompletedProcess[str]:
        """Run a command on a machine, whatever comes of it; status 124 when it does not end."""
        line = [sys.executable, "-m", "lab", "ssh", self.topology, host, command]
        try:
            return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(line, 124, "", f"no end after {seconds:.0f} s")

    def look(self, host: str) -> Seen | None:
        """See a machine's state; None while it does not answer, or not wholly."""
        done = self.attempt(host, LOOK.replace("{far}", HOSTS[host]), 30)
        try:
            return seen(done.stdout)
        except (ValueError, KeyError):
            return None

    def settled(self, host: str) -> Seen:
        """Wait until the session is up, a router has advertised itself, and the state stays as it is, and give that."""
        deadline, last = time.monotonic() + BACK_SECONDS, None
        while time.monotonic() < deadline:
            found = self.look(host)
            whole = (
                found
                and found.sessions
                and found.parts["far end"] == "reached"
                and len(found.parts["default route"]) >= DEFAULT_ROUTES[host]
            )
            if found and last and whole and not found.differences(last):
                return found
            last = found
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"{self.name}, {host}: no settled state after {BACK_SECONDS} s: {last}")

    def outcomes(self, event: str, command: str) -> dict[str, tuple[str, str]]:
        """Let something happen to both machines at once, and say by host what became of it: kept, back or lost, and the particulars."""
        with ThreadPoolExecutor(len(HOSTS)) as pool:
            before = dict(zip(HOSTS, pool.map(self.settled, HOSTS), strict=True))
            results = pool.map(lambda host: self._outcome(host, event, command, before[host]), HOSTS)
            return dict(zip(HOSTS, results, strict=True))

    def leases(self) -> int:
        """How often the provider has given or renewed a lease."""
        return int(self.attempt(PROVIDER, "journalctl --unit=lab-provider --grep=DHCPACK --output=cat | wc --lines").stdout)

    def _outcome(self, host: str, event: str, command: str, before: Seen) -> tuple[str, str]:
        # The machine is left to itself: a connection that breaks must not end what it does.
        self.attempt(host, f"systemd-run --quiet --collect --unit=xgn-event sh -c '{command.replace(chr(39), chr(34))}'")
        if event in BOOTS:
            time.sleep(10)
        else:
            self._wait_for_the_end(host)
        begin = time.monotonic()
        first: list[str] | None = None
        wrong = ["it does not answer"]
        while time.monotonic() - begin < BACK_SECONDS:
            now = self.look(host)
            wrong = now.differences(before) if now else ["it does not answer"]
            if first is None:
                first = wrong
            if now and not wrong:
                reset = now.reset(before)
                if reset and event not in INTERRUPTING:
                    return "lost", f"the session with {', '.join(reset)} began anew; {'; '.join(first)}"
                return ("back", f"{time.monotonic() - begin:.0f} s: {'; '.join(first)}") if first else ("kept", "")
            time.sleep(POLL_SECONDS)
        return "lost", "; ".join(wrong)

    def _wait_for_the_end(self, host: str) -> None:
        for _second in range(COMMAND_SECONDS):
            if self.attempt(host, "systemctl is-active xgn-event", 30).stdout.strip() not in ("active", "activating"):
                return
            time.sleep(POLL_SECONDS)


def table(results: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Iterator[str]:
    """Print results, by system and event, as a table."""
    events = list(dict.fromkeys(event for each in results.values() for event in each))
    width = max(map(len, events), default=0)
    yield " " * width + "  " + "  ".join(results)
    for event in events:
        cells = (f"{each[event]['outcome'] if event in each else '-':<{len(system)}}" for system, each in results.items())
        yield f"{event:<{width}}  " + "  ".join(cells).rstrip()


def keep(system: str, host: str, event: str, outcome: str, detail: str) -> None:
    """Add a result to build/managers.json."""
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    known.setdefault(f"{system} {UPLINKS[host]}", {})[event] = {"outcome": outcome, "detail": detail}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")

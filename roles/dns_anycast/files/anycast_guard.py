# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Keep an anycast address on this host exactly as long as the resolver behind it answers.

Routing redistributes the address while it is there. So this daemon asks the resolver all the time: through the anycast address itself while that is
set, through an address that stays while it is not. Unanswered, the address goes, and the network turns to another instance. On a planned stop
(SIGTERM) it goes while the resolver still runs; a local route lets the late questions in until the network has turned away. A resolver that is dead
by then gets no such time: it would only keep the questions from the other instance.

A configuration that cannot be read, such as one that a power cut has torn, is told, and no address is set until it can be read again: those that were
set by a guard before are known from what it last read, and are taken away.

Role ``dns_anycast`` installs this file as it is, as ``/usr/local/sbin/xgn-anycast``; the standard library is all it needs.

    xgn-anycast run        guard; what systemd runs
    xgn-anycast withdraw   take the addresses and local routes away, whatever the state; what systemd runs when the guard is gone
    xgn-anycast ask        ask once through each address, print the result, exit 1 if one did not answer
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any

CONFIG = "/etc/xgn/anycast.json"
# What the guard last read. systemd makes its directory, and keeps it over a restart.
LAST = "/run/xgn-anycast/last.json"
DEFAULTS: Mapping[str, Any] = {
    "addresses": [],  # with prefix length
    "interface": "lo",
    "vrf": None,
    "probe": "127.0.0.1",  # asked while the anycast address is not set; in a VRF the guard sets it on the interface
    "question": "anycast.xgn.invalid",  # a TXT record
    "interval": 0.5,  # seconds between two questions
    "timeout": 0.5,  # seconds until one counts as unanswered
    "fall": 3,  # so many unanswered in a row take the address away
    "rise": 3,  # so many answered in a row bring it back
    "grace": 5.0,  # seconds for the network to turn away before a planned stop goes on
}
DNS_PORT = 53
TXT, IN = 16, 1
# A local route of ours beside the kernel's own for the same address.
DRAIN_METRIC = 1000
# From the last accepted question to the end of a planned stop.
LAST_S = 0.5
# An address that goes again soon after it came must stay away longer each time.
FLAP_S, HOLD_FIRST_S, HOLD_MOST_S = 10.0, 2.0, 60.0
# RTMGRP_IPV4_IFADDR and RTMGRP_IPV6_IFADDR (linux/rtnetlink.h).
ADDRESS_GROUPS = 0x10 | 0x100


def question_of(name: str, identity: int) -> bytes:
    """Write a DNS question for a TXT record (RFC 1035, 4.1), recursion desired."""
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in name.rstrip(".").split("."))
    return struct.pack("!6H", identity, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", TXT, IN)


def is_answer(packet: bytes, question: bytes) -> bool:
    """Say whether a packet answers the question: its identity, a response without error, and at least one record."""
    if len(packet) < len(question):
        return False
    identity, flags, _questions, answers = struct.unpack("!4H", packet[:8])
    asked = struct.unpack("!H", question[:2])[0]
    return bool(identity == asked and flags & 0x8000 and not flags & 0x000F and answers and packet[12 : len(question)] == question[12:])


class Watch:
    """Whether one address should be set, by what became of the questions.

    Parameters:
        fall, rise: so many in a row change the verdict.
    """

    def __init__(self, fall: int, rise: int) -> None:
        """Start as withdrawn."""
        self.fall = fall
        self.rise = rise
        self.up = False
        self.streak = 0
        self.since = 0.0
        self.hold = 0.0
        self.until = 0.0

    def note(self, answered: bool, now: float) -> bool:
        """Take one result in; returns whether the verdict changed. ``now`` is a monotonic time in seconds."""
        if answered == self.up:
            self.streak = 0
            if self.up and now - self.since > HOLD_MOST_S:
                self.hold = 0.0
            return False
        self.streak += 1
        if self.up:
            if self.streak < self.fall:
                return False
            # Gone soon after it came: something answers here and not there. Do not beat the network with it.
            self.hold = min(HOLD_MOST_S, self.hold * 2 or HOLD_FIRST_S) if now - self.since < FLAP_S else 0.0
            self.until = now + self.hold
        elif self.streak < self.rise or now < self.until:
            return False
        self.up, self.streak, self.since = not self.up, 0, now
        return True


class AddressChanges:
    """Tells when some address of this host has changed (rtnetlink(7)), so that nobody has to list them every half second."""

    def __init__(self) -> None:
        """Subscribe; until the first question everything counts as changed."""
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self.socket.setblocking(False)
        self.socket.bind((0, ADDRESS_GROUPS))
        self.changed = True

    def since_last(self) -> bool:
        """Say whether an address may have changed since this was asked last."""
        changed, self.changed = self.changed, False
        while True:
            try:
                self.socket.recv(65536)
            except BlockingIOError:
                return changed
            except OSError as error:
                # There were more messages than fit.
                if error.errno != errno.ENOBUFS:
                    raise
            changed = True


class Guard:
    """The addresses of this host and what is done with them."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        """Take a configuration; see DEFAULTS."""
        self.config = {**DEFAULTS, **config}
        self.watches = {address: Watch(self.config["fall"], self.config["rise"]) for address in self.config["addresses"]}

    # ---- the kernel ----

    def present(self) -> set[str]:
        """Return which of the addresses are set on the interface."""
        listing = subprocess.run(
            ["ip", "-json", "address", "show", "dev", self.config["interface"]],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=10,
        )
        if listing.returncode:
            return set()
        found = {
            f"{item['local']}/{item['prefixlen']}" for link in json.loads(listing.stdout or "[]") for item in link.get("addr_info", [])
        }
        return found & set(self.config["addresses"])

    def advertise(self, address: str) -> bool:
        """Set an address; returns whether that worked."""
        nodad = ["nodad"] if ":" in address else []
        return ip("address", "replace", address, "dev", self.config["interface"], *nodad)

    def withdraw(self, addresses: Iterable[str]) -> None:
        """Take addresses away."""
        for address in addresses:
            ip("address", "delete", address, "dev", self.config["interface"])

    def drain(self, addresses: Iterable[str], verb: str) -> None:
        """Accept questions (verb ``replace``) or no longer (``delete``) that come for an address although it is gone."""
        table = local_table(self.config["vrf"])
        for address in addresses:
            family = "-6" if ":" in address else "-4"
            route = ["local", address, "dev", self.config["interface"], "table", table, "metric", str(DRAIN_METRIC)]
            ip(family, "route", verb, *route, quiet=verb == "delete")

    def prepare(self) -> None:
        """Set the address that is asked while the others are not set. A VRF has no loopback of its own."""
        if self.config["vrf"]:
            ip("address", "replace", self.config["probe"] + "/32", "dev", self.config["interface"], "scope", "link")

    # ---- the resolver ----

    def ask(self) -> dict[str, bool]:
        """Ask once for each address, all at the same time; says which were answered in time."""
        waiting: dict[socket.socket, tuple[str, bytes]] = {}
        answered = dict.fromkeys(self.watches, False)
        for address, watch in self.watches.items():
            bare = address.partition("/")[0]
            server, vrf = bare if watch.up else self.config["probe"], self.config["vrf"]
            question = question_of(self.config["question"], secrets.randbelow(65536))
            probe = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, socket.SOCK_DGRAM)
            try:
                probe.setblocking(False)
                if vrf:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, vrf.encode())
                probe.connect((server, DNS_PORT))
                probe.send(question)
            except OSError:
                probe.close()
                continue
            waiting[probe] = (address, question)
        deadline = time.monotonic() + self.config["timeout"]
        while waiting and (left := deadline - time.monotonic()) > 0:
            for probe in select.select(list(waiting), [], [], left)[0]:
                address, question = waiting[probe]
                try:
                    answered[address] = is_answer(probe.recv(4096), question)
                except OSError:
                    # Refused: nobody listens there.
                    answered[address] = False
                del waiting[probe]
                probe.close()
        for probe in waiting:
            probe.close()
        return answered

    def served(self) -> set[str]:
        """Return the addresses that are answered; one question lost on a busy host is none that counts."""
        found: set[str] = set()
        for _try in range(self.config["fall"]):
            found |= {address for address, answered in self.ask().items() if answered}
            if found == set(self.watches):
                break
        return found

    def step(self, present: set[str]) -> None:
        """Ask, and bring each address in line with what became of it; ``present`` are the addresses that are set."""
        now = time.monotonic()
        for address, answered in self.ask().items():
            watch = self.watches[address]
            if watch.note(answered, now):
                say(f"{address}: {'answered, advertised' if watch.up else 'not answered, withdrawn'}")
            if watch.up and address not in present:
                self.advertise(address)
            elif not watch.up and address in present:
                self.withdraw([address])


def local_table(vrf: str | None) -> str:
    """Return the table in which the kernel keeps local routes: that of the VRF, or ``local``."""
    if vrf:
        shown = subprocess.run(
            ["ip", "-json", "-details", "link", "show", "dev", vrf],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=10,
        )
        for link in json.loads(shown.stdout or "[]"):
            return str(link["linkinfo"]["info_data"]["table"])
    return "local"


def ip(*arguments: str, quiet: bool = False) -> bool:
    """Run ip(8); returns whether it succeeded, and says why not unless ``quiet``."""
    done = subprocess.run(["ip", *arguments], capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=10)
    if done.returncode and not quiet:
        say(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.returncode == 0


def say(text: str) -> None:
    """Write a line to the journal."""
    print(text, flush=True)


def notify(text: str) -> None:
    """Tell systemd something (sd_notify(3))."""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stream, contextlib.suppress(OSError):
            stream.connect("\0" + path[1:] if path.startswith("@") else path)
            stream.send(text.encode())


def load(path: str = CONFIG) -> dict[str, Any]:
    """Read a configuration. Raises ValueError or OSError when it is torn, or none."""
    with open(path, encoding="utf-8") as stream:
        config = json.load(stream)
    if not isinstance(config, dict):
        raise ValueError(f"{path}: holds no settings")
    unknown = set(config) - set(DEFAULTS)
    if unknown:
        raise ValueError(f"{path}: unknown keys {', '.join(sorted(unknown))}")
    for key, value in config.items():
        default = DEFAULTS[key]
        kinds = (str, type(None)) if default is None else (int, float) if isinstance(default, float) else (type(default),)
        if not isinstance(value, kinds) or isinstance(value, bool):
            raise ValueError(f"{path}: {key} is {value!r}")
    if not config.get("addresses"):
        raise ValueError(f"{path}: names no address")
    return config


def load_or_last(path: str) -> tuple[dict[str, Any], str]:
    """Read the configuration, or what a guard last read of it where it is torn. Returns it, and why it is not the present one, empty if it is."""
    try:
        return load(path), ""
    except (OSError, ValueError) as error:
        reason = f"the configuration cannot be read: {error}"
    try:
        return load(LAST), reason
    except (OSError, ValueError):
        # Nobody has set an address since the boot.
        return {}, reason


def remember(config: Mapping[str, Any]) -> None:
    """Keep what was read, for a guard that cannot read it any more."""
    # Run by hand, there is no directory for it.
    with contextlib.suppress(OSError):
        with open(LAST + ".new", "w", encoding="utf-8") as stream:
            json.dump(dict(config), stream)
        os.replace(LAST + ".new", LAST)


def run(path: str = CONFIG) -> int:
    """Guard until SIGTERM; SIGHUP reads the configuration again."""
    wishes = {"stop": False, "reload": False}

    def stop(_signal: int, _frame: FrameType | None) -> None:
        wishes["stop"] = True

    def reread(_signal: int, _frame: FrameType | None) -> None:
        wishes["reload"] = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGHUP, reread)
    config, torn = load_or_last(path)
    guard = Guard(config)
    # What a guard before this one left behind is not known to be answered.
    guard.withdraw(guard.present())
    if torn:
        say(f"{torn}; no address is set until it can be read")
        guard = Guard({**config, "addresses": []})
    else:
        remember(config)
        guard.prepare()
    changes, present = AddressChanges(), set[str]()
    notify("READY=1\nSTATUS=asking")
    while not wishes["stop"]:
        started = time.monotonic()
        if wishes["reload"]:
            wishes["reload"] = False
            guard, torn = reloaded(guard, path)
            changes.changed = True
        if changes.since_last():
            present = guard.present()
        guard.step(present)
        shown = torn or ", ".join(f"{address} {'advertised' if watch.up else 'withdrawn'}" for address, watch in guard.watches.items())
        notify(f"WATCHDOG=1\nSTATUS={shown}")
        left = guard.config["interval"] - (time.monotonic() - started)
        if left > 0 and not wishes["stop"]:
            time.sleep(left)
    leave(guard)
    return 0


def reloaded(old: Guard, path: str) -> tuple[Guard, str]:
    """Return a guard with the new configuration, which keeps what it knows of addresses that stay where they are, and why it is the old one, empty if not."""
    try:
        config = load(path)
    except (OSError, ValueError) as error:
        say(f"the configuration stays as it is: {error}")
        return old, "" if old.watches else f"the configuration cannot be read: {error}"
    remember(config)
    new = Guard(config)
    same_place = new.config["interface"] == old.config["interface"]
    gone = [address for address in old.present() if not same_place or address not in new.watches]
    old.withdraw(gone)
    new.prepare()
    for address, watch in new.watches.items():
        if same_place and address in old.watches:
            watch.up, watch.since = old.watches[address].up, old.watches[address].since
    return new, ""


def leave(guard: Guard) -> None:
    """Turn the network away, answer what still comes, then go."""
    present = guard.present()
    if not present:
        return
    # systemd also stops the guard when it starts a dead resolver again: late questions would wait for nobody.
    served = guard.served() & present
    guard.drain(served, "replace")
    guard.withdraw(present)
    say(f"{', '.join(sorted(present))}: withdrawn, {'for a planned stop' if served else 'the resolver does not answer'}")
    if served:
        notify("STOPPING=1\nSTATUS=withdrawn; waiting for the network to turn away")
        time.sleep(guard.config["grace"])
        guard.drain(served, "delete")
        # Hosts behind this one come here as long as they are accepted: what came last is answered before the resolver is stopped.
        time.sleep(LAST_S)


def main(arguments: list[str]) -> int:
    """Do what the command line says."""
    verb = arguments[0] if len(arguments) == 1 else ""
    if verb == "run":
        return run()
    if verb == "withdraw":
        config, torn = load_or_last(CONFIG)
        if torn:
            say(torn)
        guard = Guard(config)
        guard.withdraw(guard.present())
        guard.drain(guard.watches, "delete")
        return 0
    if verb == "ask":
        config, torn = load_or_last(CONFIG)
        if torn:
            print(f"{torn}; no address is set until it can be read", file=sys.stderr)
            return 2
        guard = Guard(config)
        present = guard.present()
        for address, watch in guard.watches.items():
            watch.up = address in present
        answered = guard.ask()
        report = {address: {"set": address in present, "answered": answered[address]} for address in guard.watches}
        print(json.dumps(report))
        return 0 if all(answered.values()) else 1
    usage = str(__doc__).rpartition("\n\n")[2].rstrip()
    print(usage, file=sys.stderr)
    return 2


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

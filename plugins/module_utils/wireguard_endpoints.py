# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Endpoints of WireGuard whose name has got another address.

wg(8) looks a name up once, when an interface gets its peers; the kernel knows addresses alone. A peer whose provider gives it another address, and who does
not initiate itself, is lost then until somebody sets its endpoint again. A timer runs this program: it looks up the names of the peers from which nothing
comes any more, and sets the endpoint of those whose name has another address. A healthy peer is left alone, wherever it has roamed to.

Role C(wireguard) installs this file as it is, as C(/usr/local/sbin/xgn-wireguard-endpoints). It needs the standard library and wg(8).

    xgn-wireguard-endpoints NAME...   look at the peers of these interfaces once; what systemd runs
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

CONFIGURATION = "/etc/wireguard"
STATE = "/run/xgn-wireguard-endpoints/state.json"
NONE = "(none)"
# A peer with which anything is exchanged has a handshake every 120 s (REKEY_AFTER_TIME of the WireGuard paper, 6.1), and 15 s later at the latest after some
# attempts; reresolve-dns.sh of wireguard-tools waits as long. In seconds.
STALE_S = 135
# What holds data is answered within 10 s (KEEPALIVE_TIMEOUT, 6.5), and a handshake is at once.
ANSWER_S = 15.0
# A packet without data (5.4.6: 16 bytes of header, 16 of the tag), which nobody has to answer.
KEEPALIVE_BYTES = 32
LOOKUPS = 16
WG_S = 10.0
# Priorities of sd-daemon(3): the journal keeps what is at least a notice of this unit.
NOTICE, WARNING = "<5>", "<4>"


@dataclasses.dataclass(frozen=True)
class Peer:
    """A peer as wg(8) prints it: endpoint as address and port, None for none; handshake in seconds since 1970, 0 for never; bytes; seconds, 0 for off."""

    endpoint: str | None
    handshake: int
    received: int
    sent: int
    keepalive: int


@dataclasses.dataclass(frozen=True)
class Look:
    """What is kept of a peer from one look to the next.

    received: bytes, the same since nothing came any more. sent: bytes at the latest look, and at its time. owed: when something had been sent, without
    any answer yet, that has to be answered; None for nothing. lost: since when nothing comes, or another address of its name was due; None for a healthy
    one. Times are monotonic, in seconds.
    """

    received: int
    sent: int
    at: float
    owed: float | None = None
    lost: float | None = None


def named_peers(text: str) -> dict[str, str]:
    """Give the endpoints of a file for wg-quick that are names, as ``name:port`` by public key."""
    found: dict[str, str] = {}
    key = ""
    for line in text.splitlines():
        word, _equals, value = line.partition("#")[0].partition("=")
        word, value = word.strip().lower(), value.strip()
        if word.startswith("["):
            key = ""
        elif word == "publickey":
            key = value
        elif word == "endpoint" and key and is_name(value.rpartition(":")[0]):
            found[key] = value
    return found


def is_name(host: str) -> bool:
    """Say whether an endpoint's host is a name, and no address: one of IPv6 stands in brackets."""
    if host.startswith("["):
        return False
    try:
        socket.inet_pton(socket.AF_INET, host)
    except OSError:
        return bool(host)
    return False


def parse_peers(text: str) -> dict[str, Peer]:
    """Read the peers of ``wg show NAME dump`` by public key. The first line, which has the private key, is left alone."""
    peers = {}
    for line in text.splitlines()[1:]:
        fields = line.split("\t")
        if len(fields) != 8:
            raise ValueError("a peer of `wg show NAME dump` has %d fields, expected 8" % len(fields))
        public, _preshared, endpoint, _allowed, handshake, received, sent, keepalive = fields
        peers[public] = Peer(
            endpoint=None if endpoint == NONE else endpoint,
            handshake=int(handshake),
            received=int(received),
            sent=int(sent),
            keepalive=0 if keepalive == "off" else int(keepalive),
        )
    return peers


def look(former: Look | None, peer: Peer, now: float) -> Look:
    """Take in what a peer has received and sent; former: of the look before. now: monotonic, in seconds."""
    if former is None or peer.received != former.received or peer.sent < former.sent:
        return Look(peer.received, peer.sent, now)
    # Keepalives that were due since then, and one on either side of the time.
    free = ((now - former.at) / peer.keepalive + 2) * KEEPALIVE_BYTES if peer.keepalive else 0
    owed = former.owed if former.owed is not None else now if peer.sent - former.sent > free else None
    return Look(peer.received, peer.sent, now, owed)


def is_lost(peer: Peer, seen: Look, now: float, clock: float) -> bool:
    """Say whether nothing comes from a peer any more. now: monotonic; clock: seconds since 1970."""
    unanswered = seen.owed is not None and now - seen.owed >= ANSWER_S
    return unanswered or clock - peer.handshake > STALE_S


def resolve(endpoint: str) -> list[str] | str:
    """Look up the addresses of ``name:port``, in the order in which they are to be tried, with the port; a text says why there are none."""
    host, _colon, port = endpoint.rpartition(":")
    try:
        # As wg(8) asks.
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP)
    except (OSError, UnicodeError) as error:
        return str(error)
    addresses = []
    for family, _type, _protocol, _name, place in found:
        address, number = str(place[0]), int(place[1])
        addresses.append(("[%s]:%d" if family == socket.AF_INET6 else "%s:%d") % (address, number))
    return list(dict.fromkeys(addresses))


def run(*command: str) -> str | None:
    """Run a command; returns its output, None when it failed, and says so."""
    try:
        # There is no AnsibleModule in a service.
        done = subprocess.run(command, capture_output=True, check=False, timeout=WG_S)  # pylint: disable=ansible-bad-function
    except (OSError, subprocess.TimeoutExpired) as error:
        say(WARNING, "%s: %s" % (" ".join(command[:3]), error))
        return None
    if done.returncode:
        say(WARNING, "%s: %s" % (" ".join(command[:3]), done.stderr.decode("utf-8", "replace").strip()))
        return None
    return done.stdout.decode("utf-8", "replace")


def say(priority: str, text: str) -> None:
    """Tell the journal."""
    sys.stdout.write("%s%s\n" % (priority, text))


def read_state(path: str) -> dict[str, Look]:
    """What was kept, by interface and public key; nothing after a boot, and of a file that cannot be read."""
    try:
        with open(path, encoding="utf-8") as stream:
            return {name: Look(*item) for name, item in json.load(stream).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def write_state(path: str, looks: Mapping[str, Look]) -> None:
    """Keep what was seen for the next look."""
    with open(path + ".new", "w", encoding="utf-8") as stream:
        json.dump({name: dataclasses.astuple(seen) for name, seen in looks.items()}, stream)
    os.replace(path + ".new", path)


def declared(interfaces: Iterable[str], directory: str) -> dict[str, dict[str, str]]:
    """Give the names of the peers of each interface, as `named_peers` does. One without a file has none."""
    found = {}
    for name in interfaces:
        try:
            with open(os.path.join(directory, name + ".conf"), encoding="utf-8", errors="replace") as stream:
                found[name] = named_peers(stream.read())
        except OSError as error:
            say(WARNING, str(error))
    return found


def next_endpoint(current: str | None, addresses: list[str], is_due: bool) -> str | None:
    """The address that a lost peer is to be tried at; None where it stays at the one it has. is_due: it has been tried there long enough."""
    if not addresses:
        return None
    if current not in addresses:
        return addresses[0]
    following = addresses[(addresses.index(current) + 1) % len(addresses)]
    return following if is_due and following != current else None


def set_endpoints(wanted: Mapping[tuple[str, str], tuple[Peer, str, bool]]) -> bool:
    """Set the endpoints whose name has another address.

    wanted: peer, ``name:port``, and whether another one of several addresses is due, by interface and public key. Returns whether wg(8) took them.
    """
    names = sorted({endpoint for _peer, endpoint, _is_due in wanted.values()})
    with ThreadPoolExecutor(LOOKUPS) as pool:
        answers = dict(zip(names, pool.map(resolve, names)))
    good = True
    for (interface, key), (peer, endpoint, is_due) in wanted.items():
        addresses = answers[endpoint]
        if isinstance(addresses, str):
            say(WARNING, "%s: nothing comes from %s, and its name has no address: %s" % (interface, endpoint, addresses))
            continue
        chosen = next_endpoint(peer.endpoint, addresses, is_due)
        if chosen is None:
            continue
        if run("wg", "set", interface, "peer", key, "endpoint", chosen) is None:
            good = False
            continue
        say(NOTICE, "%s: nothing comes from %s; endpoint %s, before %s" % (interface, endpoint, chosen, peer.endpoint or "none"))
    return good


def main(interfaces: list[str], state: str = STATE, directory: str = CONFIGURATION) -> int:
    """Look at the peers once."""
    now, clock = time.monotonic(), time.time()
    former, looks = read_state(state), {}
    lost: dict[tuple[str, str], tuple[Peer, str, bool]] = {}
    there = run("wg", "show", "interfaces")
    good = there is not None
    for interface, names in declared(interfaces, directory).items():
        # One that is down has no peers; its unit looks the names up when it makes it.
        text = run("wg", "show", interface, "dump") if interface in (there or "").split() and names else ""
        good = good and text is not None
        for key, peer in parse_peers(text or "").items():
            if key not in names:
                continue
            place = "%s %s" % (interface, key)
            looks[place] = look(former.get(place), peer, now)
            if is_lost(peer, looks[place], now, clock):
                before = former[place].lost if place in former else None
                is_due = before is not None and now - before >= STALE_S
                looks[place] = dataclasses.replace(looks[place], lost=now if before is None or is_due else before)
                lost[interface, key] = (peer, names[key], is_due)
    write_state(state, looks)
    return 0 if set_endpoints(lost) and good else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

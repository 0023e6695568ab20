# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""Steering routes of a GoBGP box: which are wanted, which are advertised, and what to do about the difference.

One program with two uses. The module C(gobgp_route) imports it, and role C(gobgp) installs it unchanged as
/usr/local/sbin/xgn-steering, which gobgpd.service runs at its start and xgn-steering-health (steering_health.py) when health changes.
It needs Python 3 and the client C(gobgp), which speaks gRPC with the daemon.

    xgn-steering show           print the wanted and the advertised routes as JSON
    xgn-steering replay         advertise what is wanted and withdraw what is not
    xgn-steering start          the same for a daemon that has just started; with a health command, nothing before it has succeeded
    xgn-steering hold REASON    withdraw everything; what is wanted stays wanted
    xgn-steering resume         advertise it again

A wanted route is kept in one of two files: a persistent one outlives the daemon, any other is forgotten with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Any

SETTINGS = "/etc/xgn/steering.json"
SOCKET = "/run/gobgpd/api.sock"
STATE = "/var/lib/gobgpd"
# Goes with the daemon, like the routes themselves: it lies in the runtime directory of gobgpd.service.
VOLATILE = "/run/gobgpd/routes.json"
PERSISTENT = STATE + "/routes.json"
# Beside each of the two, of the same content: whichever is whole counts.
COPY = ".copy"
# There while the health command fails, and from the daemon's start until it has succeeded; outlives a boot.
HELD = STATE + "/held"
# How a sentence about a route begins that is wanted and stays unadvertised.
REFUSED = "not advertised, since it may not be steered: "

FAMILIES = ("ipv4", "ipv6")
# Names that the client takes, IANA's registry of well-known communities.
COMMUNITIES = {
    "blackhole": 65535 << 16 | 666,
    "no-advertise": 65535 << 16 | 65282,
    "no-export": 65535 << 16 | 65281,
    "no-export-subconfed": 65535 << 16 | 65283,
    "no-peer": 65535 << 16 | 65284,
}
NAMES = {number: name for name, number in COMMUNITIES.items()}

# SessionState of gobgp.proto.
ESTABLISHED = 6

# The client gives up connecting after 1 s, which a busy machine may need: try again for this long.
CLIENT_SECONDS = 10
# A daemon that has just started refuses routes until it has read its configuration.
START_SECONDS = 30
BUSY = ("context deadline exceeded", "connection refused", "hasn't started yet", "Unavailable")


class SteeringError(Exception):
    """A step failed; the text says why and what to do."""


# ---- routes --------------------------------------------------------------------------------------------------------------------------------


def family_of(prefix: str) -> str:
    """C(ipv4) or C(ipv6)."""
    return "ipv6" if ":" in prefix else "ipv4"


def community_number(text: str) -> int:
    """Value of a community written as C(65503:100) or by its well-known name. Raises ValueError when it is none."""
    if text in COMMUNITIES:
        return COMMUNITIES[text]
    high, colon, low = text.partition(":")
    if not colon or not (high.isdecimal() and low.isdecimal()) or int(high) > 65535 or int(low) > 65535:
        raise ValueError(text)
    return int(high) << 16 | int(low)


def community_text(number: int) -> str:
    """The reverse of community_number."""
    return NAMES.get(number) or "%d:%d" % (number >> 16, number & 65535)


def live_route(prefix: str, attributes: list[dict[str, Any]]) -> dict[str, Any]:
    """A route as the rest of this program writes it, from a path of C(gobgp -j global rib): attribute types of RFC 4271 and others."""
    route: dict[str, Any] = {"prefix": prefix, "communities": [], "large_communities": []}
    for attribute in attributes:
        kind = attribute.get("type")
        if kind in (3, 14):
            route["next_hop"] = attribute["nexthop"]
        elif kind == 4:
            route["med"] = attribute["metric"]
        elif kind == 5:
            route["local_pref"] = attribute["value"]
        elif kind == 8:
            route["communities"] = [community_text(number) for number in sorted(attribute["communities"])]
        elif kind == 32:
            values = sorted((item["ASN"], item["LocalData1"], item["LocalData2"]) for item in attribute["value"])
            route["large_communities"] = ["%d:%d:%d" % item for item in values]
    return route


def same(wanted: dict[str, Any], live: dict[str, Any] | None) -> bool:
    """Whether a route is advertised with the attributes that are wanted."""
    return live is not None and {key: value for key, value in wanted.items() if key != "persistent"} == live


def sentence(route: dict[str, Any]) -> str:
    """A route on one line, for diffs and logs."""
    words = [route["prefix"], "next-hop %s" % route.get("next_hop", "?")]
    words += ["%s %s" % (key.replace("_", "-"), route[key]) for key in ("local_pref", "med") if key in route]
    words += ["%s %s" % (key.replace("_", "-"), ",".join(route[key])) for key in ("communities", "large_communities") if route[key]]
    if route.get("persistent"):
        words.append("persistent")
    return " ".join(words)


def permitted(prefix: str, prefixes: list[str]) -> bool:
    """Whether a prefix is one of those that may be steered, or a part of one."""
    network = ip_network(prefix)
    return any(family_of(item) == family_of(prefix) and network.subnet_of(ip_network(item)) for item in prefixes)  # type: ignore[arg-type]


# ---- files ---------------------------------------------------------------------------------------------------------------------------------


def read_json(path: str, default: Any) -> Any:
    """Content of a JSON file, or default when there is none. Raises SteeringError when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as stream:
            return json.load(stream)
    except FileNotFoundError:
        return default
    except (OSError, ValueError) as error:
        remedy = "run role gobgp again, which writes it anew" if path == SETTINGS else "remove it; what it held has to be steered again"
        raise SteeringError("%s cannot be read: %s. Remedy: %s" % (path, error, remedy)) from error


def write_text(path: str, text: str) -> None:
    """Replace a file in one step, readable for everybody: root and the daemon's user both write here.

    Not by `files.write_atomically`: on a host this is a program that has nothing else of the collection.
    """
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".")
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        os.fchmod(stream.fileno(), 0o644)
        stream.write(text)
        stream.flush()
        # A power cut leaves the old or the new one.
        os.fsync(stream.fileno())
    os.replace(temporary, path)


def settings() -> dict[str, Any]:
    """What role C(gobgp) wrote. Raises SteeringError when it has not been here."""
    found: dict[str, Any] | None = read_json(SETTINGS, None)
    if found is None:
        raise SteeringError("%s is missing, so this host is no steering box yet. Remedy: apply role gobgp" % SETTINGS)
    return found


def kept_routes(path: str) -> list[dict[str, Any]]:
    """What a file of wanted routes holds, or its copy where somebody has torn it. Raises SteeringError when neither can be read."""
    failure = None
    for place in (path, path + COPY):
        try:
            found = read_json(place, None)
        except SteeringError as error:
            failure = failure or error
            continue
        if isinstance(found, list):
            return found
    if failure is not None:
        raise failure
    return []


def wanted_routes() -> dict[str, dict[str, Any]]:
    """The wanted routes by prefix."""
    found: dict[str, dict[str, Any]] = {}
    for path, persistent in ((VOLATILE, False), (PERSISTENT, True)):
        for route in kept_routes(path):
            found[route["prefix"]] = {**route, "persistent": persistent}
    return found


def keep_wanted(routes: dict[str, dict[str, Any]]) -> None:
    """Write down which routes are wanted. Raises OSError."""
    for path, persistent in ((VOLATILE, False), (PERSISTENT, True)):
        kept = [
            {key: value for key, value in routes[prefix].items() if key != "persistent"}
            for prefix in sorted(routes)
            if routes[prefix]["persistent"] == persistent
        ]
        if kept != kept_routes(path):
            for place in (path, path + COPY):
                write_text(place, json.dumps(kept, indent=1, sort_keys=True) + "\n")


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Keep the module, the daemon's start and the health command apart."""
    try:
        handle = os.open(STATE, os.O_RDONLY)
    except FileNotFoundError as error:
        raise SteeringError("%s is missing: gobgpd has not run on this host yet. `systemctl status gobgpd` says why" % STATE) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def held(configured: dict[str, Any]) -> str | None:
    """Why nothing may be advertised now, or None."""
    if not configured.get("health"):
        return None
    try:
        with open(HELD, encoding="utf-8") as stream:
            return stream.read().strip()
    except FileNotFoundError:
        return None


# ---- the daemon ----------------------------------------------------------------------------------------------------------------------------


def client(*words: str, starting: bool = False) -> str:
    """Output of C(gobgp WORDS). Raises SteeringError with what the client said, after trying for a while when nobody answers.

    starting: the daemon is on its way; without it, one that is not there at all is an error at once.
    """
    deadline = time.monotonic() + (START_SECONDS if starting else CLIENT_SECONDS)
    while True:
        status, said = run_client(words)
        if status == 0:
            return said
        away = not os.path.exists(SOCKET)
        busy = starting if away else any(word in said for word in BUSY)
        if not busy or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    if away:
        said = "gobgpd does not run, there is no %s. `systemctl status gobgpd` and `journalctl -u gobgpd` say why" % SOCKET
    # The client adds its whole usage to an error.
    said = " ".join(line for line in said.splitlines() if not line.startswith((" ", "\t", "usage")))
    raise SteeringError("gobgp %s: %s" % (" ".join(words), said))


def run_client(words: tuple[str, ...]) -> tuple[int, str]:
    """Exit status and output of one call. Raises SteeringError when there is no client."""
    command = ("gobgp", "--target", "unix://" + SOCKET) + words
    try:
        run = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace", timeout=30, check=False
        )
    except FileNotFoundError as error:
        raise SteeringError("gobgp is not installed. Remedy: apply role gobgp, or install the package gobgpd") from error
    except subprocess.TimeoutExpired:
        return -1, "no answer within 30 s"
    return run.returncode, run.stdout if run.returncode == 0 else (run.stderr + run.stdout).strip()


def advertised(starting: bool = False, families: Iterable[str] = FAMILIES) -> dict[str, dict[str, Any]]:
    """The routes in gobgpd's table by prefix. Its policy accepts only routes of its own. Raises SteeringError.

    families: which to read; each costs a call of the client.
    """
    found = {}
    for family in families:
        text = client("-j", "global", "rib", "-a", family, starting=starting)
        for prefix, paths in (json.loads(text or "{}") or {}).items():
            if paths:
                found[prefix] = live_route(prefix, paths[0]["attrs"])
    return found


def established() -> list[str]:
    """Addresses of the routers that have a session with this box. Raises SteeringError."""
    neighbors = json.loads(client("-j", "neighbor") or "[]") or []
    return sorted(item["conf"]["neighbor_address"] for item in neighbors if item["state"].get("session_state") == ESTABLISHED)


def advertise(route: dict[str, Any]) -> None:
    """Advertise a route, or replace it by one with other attributes. Raises SteeringError."""
    words = ["global", "rib", "add", "-a", family_of(route["prefix"]), route["prefix"], "nexthop", route["next_hop"]]
    for key, word in (("med", "med"), ("local_pref", "local-pref")):
        if key in route:
            words += [word, str(route[key])]
    for key, word in (("communities", "community"), ("large_communities", "large-community")):
        if route[key]:
            words += [word, ",".join(route[key])]
    client(*words)


def withdraw(prefix: str) -> None:
    """Withdraw a route. Raises SteeringError."""
    client("global", "rib", "del", "-a", family_of(prefix), prefix)


def bring_in_line(wanted: dict[str, dict[str, Any]], live: dict[str, dict[str, Any]]) -> list[str]:
    """Advertise and withdraw until gobgpd's table is what is wanted, and read it back.

    wanted, live: routes by prefix. Returns one sentence a step. Raises SteeringError also where the client reported success
    and the table says otherwise: it does so for what gobgpd's policy refuses.
    """
    done = []
    for prefix in sorted(live.keys() - wanted.keys()):
        withdraw(prefix)
        done.append("withdrawn: " + sentence(live[prefix]))
    for prefix in sorted(wanted):
        if not same(wanted[prefix], live.get(prefix)):
            advertise(wanted[prefix])
            done.append("advertised: " + sentence(wanted[prefix]))
    if done:
        now = advertised(families={family_of(prefix) for prefix in [*wanted, *live]})
        lost = [prefix for prefix in sorted(wanted) if not same(wanted[prefix], now.get(prefix))]
        left = sorted(now.keys() - wanted.keys())
        if lost or left:
            raise SteeringError(
                "gobgpd reported success, yet its table is another: not advertised as asked %s, not withdrawn %s. Its policy may refuse them: "
                "`gobgp global policy`" % (", ".join(lost) or "none", ", ".join(left) or "none")
            )
    return done


def wanted_now(configured: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """The routes that are wanted now, and those of them that may be steered, by prefix."""
    wanted = {} if held(configured) is not None else wanted_routes()
    return wanted, {prefix: route for prefix, route in wanted.items() if permitted(prefix, configured["prefixes"])}


def differing(configured: dict[str, Any]) -> list[str]:
    """Prefixes that `replay` would advertise or withdraw. Raises SteeringError."""
    allowed, live = wanted_now(configured)[1], advertised()
    return sorted({*(live.keys() - allowed.keys()), *(prefix for prefix, route in allowed.items() if not same(route, live.get(prefix)))})


def replay(configured: dict[str, Any], starting: bool = False) -> list[str]:
    """Bring gobgpd in line with the files. Call it locked. Returns one sentence a step. Raises SteeringError."""
    wanted, allowed = wanted_now(configured)
    done = [REFUSED + sentence(wanted[prefix]) for prefix in sorted(wanted.keys() - allowed.keys())]
    return done + bring_in_line(allowed, advertised(starting))


def hold(configured: dict[str, Any], reason: str) -> list[str]:
    """Withdraw everything and keep it so until `resume`. Call it locked. Raises SteeringError."""
    write_text(HELD, reason + "\n")
    return replay(configured)


def resume(configured: dict[str, Any]) -> list[str]:
    """Advertise again what is wanted. Call it locked. Raises SteeringError."""
    if os.path.exists(HELD):
        os.unlink(HELD)
    return replay(configured)


def say(lines: list[str]) -> None:
    """Print at once: the journal is where this is read."""
    for line in lines:
        print(line, flush=True)  # pylint: disable=ansible-bad-function


def main() -> int:
    """Run one of the verbs."""
    verb, words = (sys.argv[1:2] or [""])[0], sys.argv[2:]
    try:
        configured = settings()
        if verb == "show" and not words:
            live = advertised()
            shown = {
                "held": held(configured),
                "wanted": [*wanted_routes().values()],
                "advertised": [live[prefix] for prefix in sorted(live)],
            }
            say([json.dumps(shown, indent=1)])
            return 0
        with locked():
            if verb == "replay" and not words:
                say(replay(configured))
            elif verb == "start" and not words:
                if configured.get("health"):
                    write_text(HELD, "gobgpd has just started, and the health command has yet to succeed\n")
                say(replay(configured, starting=True))
            elif verb == "hold" and words:
                say(hold(configured, " ".join(words)))
            elif verb == "resume" and not words:
                say(resume(configured))
            else:
                print("usage: xgn-steering show|replay|start|hold REASON|resume", file=sys.stderr)  # pylint: disable=ansible-bad-function
                return 64
    except SteeringError as error:
        print(error, file=sys.stderr)  # pylint: disable=ansible-bad-function
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Prefix lists and route maps: whether each of FRR's daemons has them all, and how one that has not gets them.

Every routing daemon keeps a copy of its own, and since FRR 10 mgmtd keeps zebra's. What mgmtd refuses at a busy start, or does not hand on at a reload
(frr#18340, frr#21469), zebra lacks, and zebra denies every route of a protocol whose filter it does not know. The running configuration is that of all
daemons merged, so it still shows the route map of the others, and frr-reload.py finds nothing to do.

It needs nothing but Python: role frr also copies it to hosts, where the unit runs it after each start and reload.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

ROUTING = ("bgpd", "ospfd", "ospf6d")
# Which of the two is given zebra's policy depends on FRR's version.
FOR_ZEBRA = ("mgmtd", "zebra")
LISTS = ("ip prefix-list ", "ipv6 prefix-list ")
# What bgpd alone has; by what matches and changes name them.
OF_BGP = {
    "match as-path ": ("bgp as-path access-list ",),
    "match community ": ("bgp community-list ", "bgp community-list standard ", "bgp community-list expanded "),
    "match large-community ": ("bgp large-community-list standard ", "bgp large-community-list expanded "),
    "set comm-list ": ("bgp community-list ", "bgp community-list standard ", "bgp community-list expanded "),
    "set large-comm-list ": ("bgp large-community-list standard ", "bgp large-community-list expanded "),
}
BGP_LISTS = ("bgp as-path access-list ", "bgp community-list ", "bgp large-community-list ")
# In an entry of a route map, what every daemon knows. Of the rest each shows only what is its own: prefix-len, for one, is zebra's.
COMMON = (" match ip address prefix-list ", " match ipv6 address prefix-list ")
ATTEMPTS = 5
PAUSE_SECONDS = 1.0
COMMAND_SECONDS = 60

# Runs a command and returns exit status, output and errors, as AnsibleModule.run_command does.
Runner = Callable[[list[str]], tuple[int, str, str]]


class PolicyError(Exception):
    """A daemon could not be asked; the text is what vtysh said."""


def policy_of(text: str) -> dict[str, list[str]]:
    """Give the lists and the entries of route maps of a configuration: each one's first line, with the lines inside."""
    found: dict[str, list[str]] = {}
    inside: list[str] | None = None
    for line in map(str.rstrip, text.splitlines()):
        if line.startswith((*LISTS, *BGP_LISTS)):
            found[line], inside = [], None
        elif line.startswith("route-map "):
            inside = found.setdefault(line, [])
        elif inside is not None and line.startswith(" "):
            inside.append(line)
        else:
            inside = None
    return found


def of_route_map(policy: dict[str, list[str]], name: str) -> dict[str, list[str]]:
    """Give of a policy the entries of one route map and the lines of the lists that it names, as `policy_of` does."""
    entries = {first: inside for first, inside in policy.items() if first.startswith("route-map %s " % name)}
    # ` match ip address prefix-list NAME` names the lines that begin with `ip prefix-list NAME `.
    lists = tuple(
        "%s prefix-list %s " % (line.split()[1], line.split()[-1])
        for inside in entries.values()
        for line in inside
        if line.startswith(COMMON)
    )
    lists += tuple(
        "%s%s " % (words, line.split()[2])
        for inside in entries.values()
        for line in inside
        for naming, beginnings in OF_BGP.items()
        if line.startswith(" " + naming)
        for words in beginnings
    )
    return {first: inside for first, inside in policy.items() if first in entries or first.startswith(lists)}


def lacking(text: str, own: str) -> list[str]:
    """Give what a daemon's own configuration lacks of the policy in text, a line each."""
    has = policy_of(own)
    lines = []
    for first, inside in policy_of(text).items():
        if first.startswith(BGP_LISTS):
            # The running configuration of all daemons is bgpd's own here.
            continue
        if first not in has:
            lines.append(first)
        else:
            lines += [f"{first}: {line.strip()}" for line in inside if line.startswith(COMMON) and line not in has[first]]
    return lines


def lacking_anywhere(run: Runner, vtysh: str, text: str) -> dict[str, list[str]]:
    """Ask each running daemon for its own configuration.

    Parameters:
        run: runs a command.
        vtysh: path of vtysh.
        text: what frr.conf says.

    Returns:
        By daemon, what it lacks; daemons that lack nothing are left out.

    Raises:
        PolicyError: vtysh fails.
    """
    if not policy_of(text):
        return {}
    running = set(_vtysh(run, [vtysh, "-c", "show daemons"]).split())
    own = {name: _vtysh(run, [vtysh, "-d", name, "-c", "show running-config"]) for name in (*FOR_ZEBRA, *ROUTING) if name in running}
    of_zebra = [own.pop(name) for name in FOR_ZEBRA if name in own]
    if of_zebra:
        own[next(name for name in FOR_ZEBRA if name in running)] = "\n".join(of_zebra)
    found = {name: lacking(text, said) for name, said in own.items()}
    return {name: lines for name, lines in found.items() if lines}


def give_again(run: Runner, vtysh: str, text: str, attempts: int = ATTEMPTS, pause: float = PAUSE_SECONDS) -> tuple[list[str], list[str]]:
    """Give the policy once more to each daemon that lacks a part of it, and look again. It only adds: no session is touched.

    Parameters:
        run, vtysh, text: as for `lacking_anywhere`.
        attempts: how often.
        pause: seconds between giving and looking.

    Returns:
        What daemons lacked at first, and what they still lack; lines of C(DAEMON lacks WHAT).

    Raises:
        PolicyError: vtysh fails.
    """
    first = missing = lacking_anywhere(run, vtysh, text)
    for _attempt in range(attempts):
        if not missing:
            break
        # Not by `trial.trial_file`: on a host this is a program that has nothing else of the collection.
        with tempfile.NamedTemporaryFile("w", prefix="xgn-frr-policy-", encoding="utf-8") as file:
            for line, inside in policy_of(text).items():
                if line.startswith(BGP_LISTS):
                    continue
                file.write("\n".join([line, *inside, *(["exit"] if line.startswith("route-map ") else [])]) + "\n")
            file.flush()
            for name in missing:
                for target in FOR_ZEBRA if name in FOR_ZEBRA else (name,):
                    # Its exit status says nothing, and one of the two may not run: what counts is what the daemon shows afterwards.
                    run([vtysh, "-d", target, "-f", file.name])
        time.sleep(pause)
        missing = lacking_anywhere(run, vtysh, text)
    return told(first), told(missing)


def told(missing: dict[str, list[str]]) -> list[str]:
    """Give one line for each thing that a daemon lacks."""
    return [f"{name} lacks {line}" for name, lines in missing.items() for line in lines]


def _vtysh(run: Runner, command: list[str]) -> str:
    status, out, err = run(command)
    if status != 0:
        # Not its output, which may be a configuration with passwords.
        raise PolicyError(f"{' '.join(command)}: {err.strip() or f'exit status {status}'}")
    return out


def main() -> int:
    """On a host: compare with the file named on the command line, and give again what is missing; 1 when something is still missing."""

    def run(command: list[str]) -> tuple[int, str, str]:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=COMMAND_SECONDS, check=False
        )
        return done.returncode, done.stdout, done.stderr

    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    try:
        first, left = give_again(run, "/usr/bin/vtysh", text)
    except (PolicyError, subprocess.TimeoutExpired) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    sys.stdout.writelines([f"{line}; given again\n" for line in first] + [f"{line} still\n" for line in left])
    return 1 if left else 0


if __name__ == "__main__":
    raise SystemExit(main())

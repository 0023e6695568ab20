# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gather the live state of a router by running its own programs; nothing is changed.

Each part of the state is ``{"command": str, "data": ..., "error": str | None}``: the line a person can paste to see the same,
what was read, and why it could not be read (then ``data`` is None). A missing program is an error of its part, never an exception.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils import live_parse as parse
from ansible_collections.xuegao.net.plugins.module_utils import live_parse_frr as frr_parse
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.frr import FRR_CONF
from ansible_collections.xuegao.net.plugins.module_utils.frr_policy import PolicyError, lacking_anywhere, told
from ansible_collections.xuegao.net.plugins.module_utils.frr_repair import Rib
from ansible_collections.xuegao.net.plugins.module_utils.sysctl import sysctl_value
from ansible_collections.xuegao.net.plugins.module_utils.systemd import show_command
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

# Distribution packages and source builds put FRR's programs here, outside of an ssh session's PATH.
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/lib/frr:/usr/local/lib/frr"
PING_WAIT = 2
POLL_PAUSE = 1.0
UNIT_PROPERTIES = (
    "Id,LoadState,ActiveState,SubState,UnitFileState,Result,After,NeedDaemonReload,FragmentPath,ActiveEnterTimestampMonotonic,NRestarts"
)
BGP = "show bgp vrf all neighbors json"
BFD = "show bfd peers json"
RIB4 = "show ip route vrf all json"
RIB6 = "show ipv6 route vrf all json"
OSPF = "show ip ospf vrf all neighbor json"
OSPF6 = "show ipv6 ospf6 vrf all neighbor json"
VERSION = "show version"


class Finished:
    """What a command printed: ``rc`` (-1 when it did not start or end), ``out``, ``err`` and ``problem`` (text or None)."""

    def __init__(self, rc: int, out: str, err: str, problem: str | None = None) -> None:
        self.rc = rc
        self.out = out
        self.err = err
        self.problem = problem


def run(command: Sequence[str], timeout: float = 30) -> Finished:
    """Run a command in the C locale without a terminal; never raises for a missing program or a timeout (in seconds)."""
    environment = dict(os.environ, LC_ALL="C", PATH=SEARCH, VTYSH_PAGER="cat", SYSTEMD_PAGER="", SYSTEMD_COLORS="0")
    try:
        # Several run side by side, each with its own time limit.
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env=environment,
            check=False,
        )
    except FileNotFoundError:
        return Finished(-1, "", "", f"{command[0]} is not installed")
    except subprocess.TimeoutExpired:
        return Finished(-1, "", "", f"{command[0]} did not end within {timeout:.0f} s")
    except OSError as error:
        return Finished(-1, "", "", f"{command[0]}: {error}")
    return Finished(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def part(command: str, data: Any = None, error: str | None = None) -> dict[str, Any]:
    """Build one part of the state."""
    return {"command": command, "data": data, "error": error}


class Gatherer:
    """Collects the parts. ``runner`` and ``clock`` are given by tests; on a host they are `run` and time.time."""

    def __init__(self, runner: Callable[..., Finished] = run, clock: Callable[[], float] = time.time) -> None:
        self.run = runner
        self.clock = clock

    def read(self, command: Sequence[str], reader: Callable[[str], Any], shown: str | None = None, timeout: float = 30) -> dict[str, Any]:
        """Run one command and read its standard output with ``reader``; an exit status other than 0 is the part's error."""
        line = shown or " ".join(shlex.quote(word) for word in command)
        done = self.run(command, timeout=timeout)
        if done.problem or done.rc != 0:
            return part(line, error=done.problem or first_line(done.err or done.out) or f"exit status {done.rc}")
        return interpret(line, done.out, reader)

    def network(self) -> dict[str, dict[str, Any]]:
        """Give parts ``links``, ``routes`` (both families), ``rules4`` and ``rules6``."""
        routes = []
        for version in (4, 6):
            command = ["ip", "-N", "-json", f"-{version}", "route", "show", "table", "all"]
            routes.append(self.read(command, partial(parse.parse_kernel_routes, version=version)))
        errors = [item["error"] for item in routes if item["error"]]
        merged = part("ip route show table all; ip -6 route show table all", error="; ".join(errors) or None)
        if not errors:
            merged["data"] = routes[0]["data"] + routes[1]["data"]
        return {
            "links": self.read(["ip", "-json", "-details", "address", "show"], parse.parse_links, "ip -details address show"),
            "routes": merged,
            "rules4": self.read(["ip", "-N", "-json", "-details", "-4", "rule", "show"], parse.parse_rules, "ip rule show"),
            "rules6": self.read(["ip", "-N", "-json", "-details", "-6", "rule", "show"], parse.parse_rules, "ip -6 rule show"),
        }

    def wireguard(self, names: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Give parts ``wireguard`` (live) and ``wireguard_files`` (mode and shape of the named interfaces' conf files)."""
        live = self.read(["wg", "show", "all", "dump"], lambda text: parse.parse_wireguard(text, self.clock()), "wg show all")
        files = {name: configuration_file(f"/etc/wireguard/{name}.conf") for name in names}
        return {"wireguard": live, "wireguard_files": part("stat /etc/wireguard/*.conf", data=files)}

    def sysctl(self, keys: Sequence[str]) -> dict[str, Any]:
        """Give the live values of kernel settings, white space made single; None where the kernel has no such key."""
        values: dict[str, str | None] = {}
        for key in keys:
            try:
                values[key] = sysctl_value(key)
            except OSError:
                values[key] = None
        return part("sysctl " + " ".join(keys), data=values)

    def units(self, names: Sequence[str], verify: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Give parts ``units``, ``managed_by_nm`` (state by device), ``boot`` (when the boot was finished, µs), ``ordering_cycles`` and ``units_verify``."""
        result: dict[str, dict[str, Any]] = {}
        result["units"] = self.read(show_command(names, UNIT_PROPERTIES), parse.parse_units)
        known = result["units"]["data"]
        result["managed_by_nm"] = part("nmcli device", data={})
        # Where nobody can say that it does not run, it is asked.
        if known is None or known.get("NetworkManager.service", {}).get("ActiveState") == "active":
            command = ["nmcli", "--terse", "--escape", "no", "--fields", "DEVICE,STATE", "device"]
            result["managed_by_nm"] = self.read(command, parse.parse_nm_devices)
        finish = "FinishTimestampMonotonic"
        result["boot"] = self.read(
            show_command([], finish),
            lambda text: {"finished": int(dict(line.partition("=")[::2] for line in text.split())[finish])},
        )
        # Messages from before journald ran come over the kernel's log and have no _PID; the identifier covers both.
        command = ["journalctl", "--boot", "--quiet", "--no-pager", "--output=cat", "--identifier=systemd", "--grep=ordering cycle"]
        done = self.run(command, timeout=60)
        line = " ".join(shlex.quote(word) for word in command)
        if done.problem or (done.rc not in (0, 1)) or (done.rc == 1 and done.err.strip()):
            result["ordering_cycles"] = part(line, error=done.problem or first_line(done.err) or f"exit status {done.rc}")
        else:
            result["ordering_cycles"] = part(line, data=[text for text in done.out.splitlines() if text.strip()])
        if verify:
            command = ["systemd-analyze", "verify", "--man=no", *verify]
            done = self.run(command, timeout=90)
            shown = " ".join(command)
            lines = [text.strip() for text in (done.err + done.out).splitlines() if text.strip()]
            result["units_verify"] = part(shown, error=done.problem) if done.problem else part(shown, data=lines)
        return result

    def boot_plot(self) -> dict[str, Any]:
        """Give the boot's timeline as an SVG text."""
        return self.read(["systemd-analyze", "plot"], lambda text: text[text.index("<svg") :], timeout=90)

    def frr(self, originated: Sequence[Mapping[str, str]] = (), directory: str = "/run/frr") -> dict[str, dict[str, Any]]:
        """Give parts ``frr_version, bgp, originated, bfd, rib, ospf, ospf6``, with as few calls of vtysh as its habit to stop at an error allows.

        ``originated`` names prefixes, each with ``vrf`` and ``prefix``, of which BGP's own entry is looked at.
        """
        own = {(item["vrf"], item["prefix"]): own_entry(item["vrf"], item["prefix"]) for item in originated}
        commands = [VERSION, BGP, BFD, RIB4, RIB6, *own.values()]
        # A daemon that does not run has no neighbors, and vtysh does not know its commands.
        igps = {"ospf": ("ospfd", OSPF, frr_parse.parse_ospf), "ospf6": ("ospf6d", OSPF6, frr_parse.parse_ospf6)}
        commands += [command for daemon, command, _reader in igps.values() if os.path.exists(os.path.join(directory, daemon + ".vty"))]
        outputs, errors = self.vtysh(commands)

        def read(command: str, reader: Callable[[str], Any]) -> dict[str, Any]:
            line = f"vtysh -c '{re.sub(' json$', '', command)}'"
            if command in errors:
                return part(line, error=errors[command])
            return interpret(line, outputs[command], reader)

        rib4, rib6 = read(RIB4, frr_parse.parse_rib), read(RIB6, frr_parse.parse_rib)
        rib = part("vtysh -c 'show ip route vrf all' -c 'show ipv6 route vrf all'", error=rib4["error"] or rib6["error"])
        if rib["error"] is None:
            rib["data"] = rib4["data"] + rib6["data"]
        entries = [{"vrf": vrf, "prefix": prefix, **read(command, frr_parse.parse_own_entry)} for (vrf, prefix), command in own.items()]
        result = {
            "originated": part("vtysh -c 'show bgp vrf all'", data=entries),
            "frr_version": read(VERSION, frr_parse.parse_frr_version),
            "bgp": read(BGP, frr_parse.parse_bgp),
            "bfd": read(BFD, frr_parse.parse_bfd),
            "rib": rib,
        }
        for name, (_daemon, command, reader) in igps.items():
            result[name] = read(command, reader) if command in commands else part(f"vtysh -c '{command[:-5]}'", data=[])
        return result

    def vtysh(self, commands: Sequence[str]) -> tuple[dict[str, str], dict[str, str]]:
        """Run show commands; returns the outputs and, for those that failed, the errors, both by command."""
        outputs: dict[str, str] = {}
        errors: dict[str, str] = {}
        left = list(commands)
        while left:
            arguments = ["vtysh", "-E"]
            for command in left:
                arguments += ["-c", command]
            done = self.run(arguments, timeout=60)
            parts = frr_parse.split_vtysh(done.out, left)
            if done.problem or not parts:
                reason = done.problem or first_line(done.err or done.out) or "vtysh printed nothing"
                errors.update(dict.fromkeys(left, reason))
                break
            outputs.update(parts)
            if done.rc != 0:
                # The last one that was echoed is the one that failed; go on behind it.
                failed = [command for command in left if command in parts][-1]
                reason = first_line(done.err) or first_line(outputs.pop(failed)) or f"exit status {done.rc}"
                errors[failed] = reason
                left = left[left.index(failed) + 1 :]
            else:
                errors.update({command: "vtysh did not run it" for command in left if command not in parts})
                left = []
        return outputs, errors

    def frr_config(self, path: str = FRR_CONF) -> dict[str, Any]:
        """Give the lines in which the running configuration and the file differ, secrets hidden."""
        command = ["frr-reload.py", "--test", path]
        line = f"/usr/lib/frr/{' '.join(command)}"
        done = self.run(command, timeout=180)
        if done.problem or done.rc != 0:
            text = done.problem or last_line(done.err or done.out) or f"exit status {done.rc}"
            return part(line, error=frr_parse.hide_secrets(text))
        return part(line, data=frr_parse.parse_reload_test(done.out) + self.lacking_policy(path))

    def running_config(self, reader: Callable[[str], Any]) -> dict[str, Any]:
        """Read FRR's running configuration with ``reader``; of the text itself nothing is kept, since it holds passwords."""
        return self.read(["vtysh", "-c", "show running-config"], reader, "vtysh -c 'show running-config'", timeout=60)

    def rpki(self) -> dict[str, Any]:
        """Give the RPKI caches. See `live_parse_frr.parse_rpki`."""
        return self.read(["vtysh", "-c", "show rpki cache-connection"], frr_parse.parse_rpki)

    def inbound(self) -> dict[str, Any]:
        """Give what BGP neighbors may bring. See `live_parse_frr.parse_inbound`."""
        return self.read(["vtysh", "-d", "bgpd", "-c", "show running-config"], frr_parse.parse_inbound)

    def ask(self, command: list[str]) -> tuple[int, str, str]:
        """Run a command as AnsibleModule.run_command does."""
        done = self.run(command)
        return done.rc, done.out, done.problem or done.err

    def frr_missed(self, path: str = FRR_CONF) -> dict[str, Any]:
        """Give what daemons of FRR have missed: ``routes`` (``{vrf, line, prefix, next_hop, interface}``) and ``next_hops`` (``{vrf, address}``).

        See module_utils.frr_rib. What is only on its way is waited for.
        """
        line = "vtysh -c 'show bgp vrf all nexthop' -c 'show ip nht vrf all' -c 'show ipv6 nht vrf all'"
        try:
            with open(path, encoding="utf-8") as file:
                missed = Rib(self.ask, "vtysh", file.read()).lasting()
        except (OSError, CommandError, ValueError) as error:
            return part(line, error=frr_parse.hide_secrets(first_line(str(error))))
        routes = [
            {"vrf": route.vrf, "line": route.line, "prefix": route.prefix, "next_hop": route.next_hop, "interface": route.interface}
            for route in sorted(missed.routes, key=str)
        ]
        return part(
            line, data={"routes": routes, "next_hops": [{"vrf": vrf, "address": address} for vrf, address in sorted(missed.next_hops)]}
        )

    def lacking_policy(self, path: str) -> list[str]:
        """Give what single daemons lack of the file's prefix lists and route maps: the comparison above knows only all of them together."""
        try:
            with open(path, encoding="utf-8") as file:
                return [f"+ {line}" for line in told(lacking_anywhere(self.ask, "vtysh", file.read()))]
        except FileNotFoundError:
            return []  # then frr-reload.py has said so
        except (OSError, PolicyError) as error:
            return [f"+ {frr_parse.hide_secrets(str(error))}"]

    def pings(self, requests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Ping all at once; one result per request, in order, with the request's ``id`` and the command line."""
        if not requests:
            return []
        with ThreadPoolExecutor(max_workers=min(32, len(requests))) as pool:
            return list(pool.map(self.ping, requests))

    def ping(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Run one ping; ``error`` is the reason when ping itself could not run."""
        command = ping_command(request)
        count = int(request.get("count") or 3)
        for _try in range(2):
            done = self.run(command, timeout=PING_WAIT * 2 + count * 1.5 + 10)
            result: dict[str, Any] = {"id": request["id"], "command": " ".join(command), "error": done.problem}
            result.update(parse.parse_ping(done.out + "\n" + done.err))
            # One packet passed and one was too long: another path was taken between the two. What counts is the one that is taken now.
            if not (result["received"] and result["too_long"]):
                break
        return result

    def until_up(
        self, wait: Mapping[str, Any], seconds: float, originated: Sequence[Mapping[str, str]] = ()
    ) -> tuple[dict[str, dict[str, Any]], float]:
        """Read FRR's state until every expected session is up and route installed, or the time is over.

        ``wait`` has lists ``bgp`` and ``bfd`` of ``{vrf, address}``, ``routes`` of ``{vrf, prefix}``, ``ospf`` and ``ospf6`` of interface names.
        ``originated`` is as in `frr`. Returns the last state and the seconds waited.
        """
        started = time.monotonic()
        state = wait_until(lambda: self.frr(originated), lambda found: not still_waiting(found, wait), seconds, POLL_PAUSE)
        return state, round(time.monotonic() - started, 1)


def still_waiting(state: Mapping[str, dict[str, Any]], wait: Mapping[str, Any]) -> list[str]:
    """Name what is not up yet. A daemon that cannot be asked is waited for as well: it may be starting."""
    bgp = state["bgp"]["data"] or {}
    bfd = state["bfd"]["data"] or []
    rib = state["rib"]["data"] or []
    up = {(item["vrf"], frr_parse.bfd_neighbor(item)) for item in bfd if item["status"] == "up"}
    installed = {(route["vrf"], route["prefix"]) for route in rib if route["installed"]}
    missing = []
    for item in wait.get("bgp") or []:
        if bgp.get(item["vrf"], {}).get(item["address"], {}).get("state") != "Established":
            missing.append(f"BGP {item['vrf']} {item['address']}")
    for item in wait.get("bfd") or []:
        if (item["vrf"], item["address"]) not in up:
            missing.append(f"BFD {item['vrf']} {item['address']}")
    for item in wait.get("routes") or []:
        if (item["vrf"], item["prefix"]) not in installed:
            missing.append(f"route {item['vrf']} {item['prefix']}")
    for igp in ("ospf", "ospf6"):
        full = {item["interface"] for item in state[igp]["data"] or [] if item["full"]}
        missing += [f"{igp} {name}" for name in wait.get(igp) or [] if name not in full]
    return missing


def own_entry(vrf: str, prefix: str) -> str:
    """Build the command that shows BGP's entry for a prefix."""
    return f"show bgp vrf {vrf} ipv{6 if ':' in prefix else 4} unicast {prefix} json"


def ping_command(request: Mapping[str, Any]) -> list[str]:
    """Build the command line of a ping; ``size`` is the payload in bytes, ``df`` forbids fragments."""
    command = ["ping", "-n", "-c", str(request.get("count") or 3), "-i", "0.3", "-W", str(PING_WAIT)]
    # A VRF as -I binds the socket to it; `ip vrf exec` would leave a control group behind.
    for name in ("vrf", "source"):
        if request.get(name):
            command += ["-I", str(request[name])]
    if request.get("df"):
        command += ["-M", "do"]
    if request.get("size") is not None:
        command += ["-s", str(request["size"])]
    return [*command, str(request["destination"])]


def configuration_file(path: str) -> dict[str, Any] | None:
    """Say of a WireGuard configuration file its mode, owner and which settings it has, not their values; None if there is none."""
    try:
        status = os.stat(path)
        with open(path, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
    except OSError:
        return None
    keys = {match.lower() for match in re.findall(r"(?m)^\s*([A-Za-z]+)\s*=", text)}
    table = re.search(r"(?im)^\s*Table\s*=\s*(\S+)", text)
    return {
        "mode": f"{status.st_mode & 0o7777:04o}",
        "owner": f"{status.st_uid}:{status.st_gid}",
        "address": "address" in keys,
        "table": table.group(1).lower() if table else None,
    }


def system() -> dict[str, Any]:
    """Give facts of the host itself: ``kernel, os, python, hostname, time (s since 1970), uptime (s)``."""
    name = ""
    try:
        with open("/etc/os-release", encoding="utf-8") as stream:
            name = dict(line.rstrip().partition("=")[::2] for line in stream).get("PRETTY_NAME", "").strip('"')
        with open("/proc/uptime", encoding="utf-8") as stream:
            uptime = float(stream.read().split()[0])
    except (OSError, ValueError):
        uptime = 0.0
    return {
        "kernel": platform.release(),
        "os": name,
        "python": platform.python_version(),
        "hostname": platform.node(),
        "time": int(time.time()),
        "uptime": int(uptime),
    }


def interpret(line: str, text: str, reader: Callable[[str], Any]) -> dict[str, Any]:
    """Read a text; what the reader cannot read becomes the part's error, with the beginning of the text."""
    try:
        return part(line, data=reader(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return part(line, error=f"unexpected output ({error}): {frr_parse.hide_secrets(first_line(text))}")


def first_line(text: str) -> str:
    """Give the first line that says something, at most 300 characters."""
    return next((line.strip()[:300] for line in text.splitlines() if line.strip()), "")


def last_line(text: str) -> str:
    """Give the last line that says something, at most 300 characters."""
    return first_line("\n".join(reversed(text.splitlines())))

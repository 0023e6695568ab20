# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

"""The way back of a host: puts files and live state back as they were before a run's first change, unless the controller confirms in time.

Modules import it for what both sides must see alike; `way_back` also copies it to the host, where it runs without Ansible. It needs Python 3 only.

    program.py wait   wait for the deadline in /run/xgn/way-back, which every module call moves, and restore then; ends when all is confirmed
    program.py boot   restore the files of a host that was switched off meanwhile, before anything reads them

What was there is kept in /var/lib/xgn/way-back/armed: a snapshot of the live state, a journal of what was about to be changed, a line each, written
before the change, and the former files. It goes only when all of it is restored, and restoring twice does no harm: a power cut loses nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import ipaddress
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

BASE = "/var/lib/xgn/way-back"
RUN = "/run/xgn/way-back"
UNITS = "/etc/systemd/system"
NET = "/sys/class/net"
SERVICE = "xgn-way-back.service"
BOOT_UNIT = "xgn-way-back-boot.service"
BOOT_WANTED_BY = "sysinit.target.wants"

POLL_S = 0.5
# The waiting starts before what it waits for is in place.
GRACE_S = 15.0
COMMAND_S = 90
# frr-reload.py gives lines one by one: a large configuration takes minutes, and half of one is neither the former nor what was tried.
RELOAD_S = 900
# A router with a whole Internet table: its routes are not kept for comparison, its sessions are.
PREFIXES_MAX = 50_000
# A session that was up for a shorter time may come and go by itself.
MATURE_MS = 60_000
# Room on the disk, and FRR's running configuration as it was; both below `armed`.
RESERVE, FRR_RUNNING = "reserve", "frr.running"

# Stages of restoring live state. What carries comes before what is carried, and a packet filter before what listens behind it.
TUNNELS, INTERFACES, LINKS, FILTER, FRR, SERVICES = 10, 20, 30, 40, 50, 60

# Routes that somebody or something set who does not set them again: neither the kernel's own nor a routing daemon's.
PROTOCOLS = ("boot", "static", "dhcp")
FAMILIES = ("-4", "-6")
ROUTE_TYPES = {"unicast", "unreachable", "blackhole", "prohibit", "throw", "local", "broadcast", "multicast", "anycast"}
# What ip(8) prints of a route's state, and would not take.
STATE_WORDS = {"linkdown", "dead", "offload", "rt_offload", "trap", "rt_trap", "notify", "\\"}
STATE_PAIRS = {"error", "expires"}

# What makes a former file live that some role writes and no module of ours has more to say of: beginning of its path, stage, command. Run once each.
MADE_LIVE: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("/etc/swanctl/", TUNNELS, ("systemctl", "reload", "strongswan.service")),
    ("/etc/xl2tpd/", TUNNELS, ("systemctl", "restart", "xl2tpd.service")),
    ("/etc/ppp/xgn-", TUNNELS, ("systemctl", "restart", "xl2tpd.service")),
    # Before the routes and rules that such a start takes away are set again.
    ("/etc/systemd/network", LINKS - 1, ("systemctl", "restart", "systemd-networkd.service")),
    ("/etc/NetworkManager/", LINKS - 1, ("systemctl", "restart", "NetworkManager.service")),
    ("/etc/frr/daemons", FRR - 1, ("systemctl", "reload", "frr.service")),
    ("/etc/docker/daemon.json", SERVICES, ("systemctl", "reload", "docker.service")),
    ("/etc/unbound/", SERVICES, ("systemctl", "restart", "unbound.service")),
    ("/etc/xgn/anycast.json", SERVICES, ("systemctl", "restart", "xgn-anycast.service")),
    ("/etc/gobgpd.conf", SERVICES, ("systemctl", "reload", "gobgpd.service")),
)
# Programs of ours: put back last, since the steps need those that know what was tried. One that was taken away comes back first: they need it, too.
PROGRAMS = "/usr/local/"
# A new private key is used by nothing once its configuration is gone, and peers may have learned the public one already.
KEYS = (("/etc/wireguard/", ".key"), ("/etc/openvpn/", ".pem"))

FRR_CONF = "/etc/frr/frr.conf"
RELOAD_PROGRAMS = ("/usr/lib/frr/frr-reload.py", "/usr/libexec/frr/frr-reload.py", "/usr/sbin/frr-reload.py")

# Runs a command and returns exit status, output and errors, as AnsibleModule.run_command does; status 127 for a program that is not there.
Runner = Callable[[list[str]], tuple[int, str, str]]


def armed() -> str:
    """Directory of what is kept; it exists while a way back is armed."""
    return os.path.join(BASE, "armed")


def tried() -> str:
    """Directory of what a run tried and a restoring took away, with report.json."""
    return os.path.join(BASE, "tried")


def is_restoring() -> bool:
    """Say whether the host has begun to restore."""
    return os.path.exists(os.path.join(armed(), "restoring"))


def run(command: Sequence[str]) -> tuple[int, str, str]:
    """Run a command of the host; see Runner."""
    limit = RELOAD_S if command[0] in RELOAD_PROGRAMS else COMMAND_S
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(command), capture_output=True, encoding="utf-8", errors="replace", timeout=limit, check=False
        )
    except FileNotFoundError:
        return 127, "", "%s is not installed" % command[0]
    except subprocess.TimeoutExpired:
        return 124, "", "no end after %d s" % limit
    return done.returncode, done.stdout, done.stderr


# ---- files ---------------------------------------------------------------------------------------------------------------------------------


def sync(path: str) -> None:
    """Make a file, or the names in a directory, outlive a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace(path: str, content: bytes, mode: int, uid: int = -1, gid: int = -1) -> None:
    """Replace a file in one step, so that a power cut leaves the old or the new one. Raises OSError."""
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=directory, prefix=".%s." % os.path.basename(path))
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, mode)
        os.chown(temporary, uid, gid)
        os.replace(temporary, path)
        sync(directory)
    except BaseException:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        raise


def read(path: str) -> bytes | None:
    """Content of a file; None where there is none."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None


def journal() -> list[dict[str, Any]]:
    """What was about to be changed, in order. A last line without an end is one that a power cut met, before its change."""
    text = (read(os.path.join(armed(), "journal")) or b"").decode("utf-8")
    return [json.loads(line) for line in text.split("\n")[:-1] if line]


def snapshot() -> dict[str, Any]:
    """The live state as it was."""
    found: dict[str, Any] = json.loads(read(os.path.join(armed(), "snapshot.json")) or b"{}")
    return found


@contextlib.contextmanager
def locked(wait: bool = True) -> Iterator[bool]:
    """Hold what decides between confirming and restoring. wait: until it is free; otherwise the value says whether it was."""
    os.makedirs(RUN, mode=0o755, exist_ok=True)
    with open(os.path.join(RUN, "lock"), "w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def forget() -> None:
    """Forget what is kept. The name goes first, so that nothing half removed is ever restored."""
    done = armed() + ".done"
    shutil.rmtree(done, ignore_errors=True)
    if os.path.isdir(armed()):
        os.rename(armed(), done)
        sync(BASE)
    for path in (os.path.join(UNITS, BOOT_WANTED_BY, BOOT_UNIT), os.path.join(UNITS, BOOT_UNIT)):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    shutil.rmtree(done, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(os.path.join(RUN, "deadline"))


# ---- the live state ------------------------------------------------------------------------------------------------------------------------


def take_snapshot(runner: Runner) -> dict[str, Any]:
    """Read the live state that a restoring compares with. runner: runs a command."""
    return {
        "routes": {family: routes(runner, family) for family in FAMILIES},
        "rules": {family: rules(runner, family) for family in FAMILIES},
        "links": links(runner),
        "tables": tables(runner),
        "symlinks": symlinks(),
        "active": sorted(active_units(runner)),
        "sessions": sorted(sessions(runner, MATURE_MS)),
        "prefixes": prefixes(runner),
    }


def routes(runner: Runner, family: str) -> list[str]:
    """Routes of `PROTOCOLS` in all tables, as ip(8) takes them."""
    found = []
    for protocol in PROTOCOLS:
        out = runner(["ip", "-oneline", family, "route", "show", "table", "all", "proto", protocol])[1]
        # strongSwan sets those of its table itself.
        found += [route_words(line, protocol) for line in out.splitlines() if line.strip() and " table 220" not in line]
    return found


def route_words(line: str, protocol: str) -> str:
    """A line of `ip -oneline route show` without what is state of the moment, and with its protocol, which ip(8) leaves out for C(boot)."""
    words: list[str] = []
    skip = False
    for word in line.replace("\\", " ").split():
        if skip:
            skip = False
        elif word in STATE_PAIRS:
            skip = True
        elif word not in STATE_WORDS:
            words.append(word)
    if "proto" not in words:
        # Behind the destination, which a type may precede; and before the first next hop.
        place = 2 if words[0] in ROUTE_TYPES else 1
        words[place:place] = ["proto", protocol]
    return " ".join(words)


def rules(runner: Runner, family: str) -> list[str]:
    """The rules, as `ip rule add` takes them; that of the VRFs is the kernel's own."""
    found = []
    for line in runner(["ip", family, "rule", "show"])[1].splitlines():
        preference, colon, words = line.partition(":")
        if colon and "[l3mdev-table]" not in words:
            found.append("preference %s %s" % (preference.strip(), " ".join(word for word in words.split() if word != "[detached]")))
    return found


def links(runner: Runner) -> dict[str, dict[str, Any]]:
    """Each interface with its master, MTU, MAC address (of hardware only: others get theirs from what makes them), state and addresses."""
    found: dict[str, dict[str, Any]] = {}
    # Not by `iproute.json_objects`: this program runs on a host that has nothing else of the collection.
    for item in json.loads(runner(["ip", "-json", "-details", "address", "show"])[1] or "[]"):
        if "ifname" not in item:
            continue
        found[item["ifname"]] = {
            "master": item.get("master"),
            "mtu": item.get("mtu"),
            "mac": None if item.get("linkinfo", {}).get("info_kind") or item["ifname"] == "lo" else item.get("address"),
            "up": "UP" in item.get("flags", []),
            "table": item.get("linkinfo", {}).get("info_data", {}).get("table") if _kind(item) == "vrf" else None,
            "addresses": [address_words(entry) for entry in item.get("addr_info", []) if _is_kept(entry)],
        }
    return found


def _kind(item: dict[str, Any]) -> str | None:
    kind: str | None = item.get("linkinfo", {}).get("info_kind")
    return kind


def _is_kept(entry: dict[str, Any]) -> bool:
    return "local" in entry and entry.get("scope") == "global" and not (entry.get("temporary") or entry.get("tentative"))


def address_words(entry: dict[str, Any]) -> str:
    """An address of `ip -json address`, as `ip address add` takes it."""
    words = [entry["local"], "peer", "%s/%d" % (entry["address"], entry["prefixlen"])] if "address" in entry else []
    words = words or ["%s/%d" % (entry["local"], entry["prefixlen"])]
    if entry.get("broadcast"):
        words += ["broadcast", entry["broadcast"]]
    return " ".join(words)


def tables(runner: Runner) -> dict[str, str]:
    """Listing of each nftables table of ours, by family and name."""
    found = {}
    for line in runner(["nft", "list", "tables"])[1].splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == "table" and (words[2] == "xgn" or words[2].startswith("xgn_")):
            name = "%s %s" % (words[1], words[2])
            found[name] = runner(["nft", "-s", "list", "table", words[1], words[2]])[1]
    return found


def symlinks() -> dict[str, str]:
    """What is enabled, masked or linked by name: the links below /etc/systemd/system and where each leads."""
    found = {}
    for directory, _directories, names in os.walk(UNITS):
        for name in [*names, *_directories]:
            path = os.path.join(directory, name)
            if os.path.islink(path) and name != BOOT_UNIT:
                found[path] = os.readlink(path)
    return found


def active_units(runner: Runner) -> set[str]:
    """Services, sockets and timers that run."""
    command = ["systemctl", "list-units", "--state=active", "--type=service,socket,timer,path", "--plain", "--no-legend", "--no-pager"]
    return {line.split()[0] for line in runner(command)[1].splitlines() if line.strip()}


def sessions(runner: Runner, age_ms: int = 0) -> set[str]:
    """VRF and neighbor of the BGP sessions that are established, for a time at least; empty where FRR does not run."""
    status, out, _err = runner(["vtysh", "-c", "show bgp vrf all summary json"])
    try:
        instances: dict[str, Any] = json.loads(out) if status == 0 else {}
    except ValueError:
        return set()
    return {
        "%s %s" % (vrf, neighbor)
        for vrf, families in instances.items()
        if isinstance(families, dict)
        for summary in families.values()
        if isinstance(summary, dict)
        for neighbor, peer in summary.get("peers", {}).items()
        if peer.get("state") == "Established" and peer.get("peerUptimeMsec", age_ms) >= age_ms
    }


def prefixes(runner: Runner) -> dict[str, list[str]] | None:
    """Destinations in the main table (as C(default)) and in each VRF's; None where there are more than `PREFIXES_MAX`."""
    vrfs = {str(item["table"]): name for name, item in links(runner).items() if item["table"]}
    names = {"254": "default", **vrfs}
    found: dict[str, list[str]] = {name: [] for name in names.values()}
    for family in FAMILIES:
        lines = runner(["ip", "-N", "-oneline", family, "route", "show", "table", "all"])[1].splitlines()
        if len(lines) > PREFIXES_MAX:
            return None
        for line in lines:
            words = line.split()
            place = 1 if words and words[0] in ROUTE_TYPES else 0
            table = words[words.index("table") + 1] if "table" in words else "254"
            # An unreachable default ends the lookup in a VRF; it leads nowhere.
            if table in names and place == 0 and len(words) > 1:
                found[names[table]].append(normal(words[0], family))
    return found


def normal(prefix: str, family: str = "") -> str:
    """A prefix in one notation. family: of C(default), as ip(8) takes it."""
    if prefix == "default":
        return "::/0" if family == "-6" else "0.0.0.0/0"
    try:
        return str(ipaddress.ip_network(prefix, strict=False))
    except ValueError:
        return prefix


# ---- restoring -----------------------------------------------------------------------------------------------------------------------------


class Restoring:
    """One restoring. reason: why, in a sentence. at_boot: only files are put back, since nothing has read them yet."""

    def __init__(self, reason: str, at_boot: bool) -> None:
        self.reason, self.at_boot = reason, at_boot
        self.entries, self.before = journal(), snapshot()
        self.restored: list[str] = []
        self.failures: list[str] = []
        # A second attempt finds former files in place: what was tried is kept already.
        self.again = is_restoring()

    def everything(self) -> bool:
        """Restore; returns whether every file is as it was. What fails of the live state is told and does not stop the rest."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(armed(), RESERVE))
        replace(os.path.join(armed(), "restoring"), self.reason.encode("utf-8"), 0o600)
        if not self.again:
            shutil.rmtree(tried(), ignore_errors=True)
        links_before = self.before.get("symlinks", {})
        links_now = symlinks()
        added = [path for path in links_now if links_before.get(path) != links_now[path]]
        removed = [path for path in links_before if path not in links_now]
        units = {entry["unit"]: entry["stage"] for entry in self.entries if "unit" in entry}
        for path in added + removed:
            if ".wants/" in path or ".requires/" in path:
                units.setdefault(os.path.basename(path), SERVICES)
        active = set(self.before.get("active", []))
        if self.at_boot:
            # The boot's jobs were made of what was tried; while the file is there, systemd takes one back.
            for path in added:
                if ".wants/" in path and path not in links_before:
                    self.do(["systemctl", "stop", "--no-block", os.path.basename(path)])
        else:
            self.stop([unit for unit in units if unit not in active])
        whole = self.files(programs=False)
        self.symlinks(added, links_before)
        if any(path.startswith((UNITS, "/usr/lib/systemd", "/run/systemd")) for path in self.restored + added + removed):
            self.do(["systemctl", "daemon-reload"])
        if self.at_boot:
            for path in removed:
                if ".wants/" in path:
                    self.do(["systemctl", "start", "--no-block", os.path.basename(path)])
        else:
            self.live(units, active)
        return self.files(programs=True) and whole

    def do(self, command: Sequence[str]) -> bool:
        """Run a command; one that fails is told."""
        status, out, err = run(command)
        if status:
            self.failures.append("%s: %s" % (" ".join(command), (err or out).strip()))
        return status == 0

    def stop(self, units: list[str]) -> None:
        """Stop what did not run, while the files that its stopping needs are there. The last started goes first."""
        running = active_units(run)
        for unit in reversed([unit for unit in units if unit in running]):
            self.do(["systemctl", "stop", unit])

    def files(self, programs: bool) -> bool:
        """Put files back. programs: those of ours that are there, or all others. At boot all of them, since nothing runs."""
        whole, seen = True, set()
        for entry in self.entries:
            path = entry.get("file")
            if path is None or path in seen:
                continue
            late = path.startswith(PROGRAMS) and os.path.lexists(path)
            if late is not programs and not self.at_boot:
                continue
            seen.add(path)
            if entry["saved"] is None and any(path.startswith(begin) and path.endswith(end) for begin, end in KEYS):
                continue
            try:
                self.file(path, entry)
            except OSError as error:
                whole = False
                self.failures.append("%s: %s" % (path, error.strerror or error))
        return whole

    def file(self, path: str, entry: dict[str, Any]) -> None:
        """Put one file back as it was, and what was tried aside. Raises OSError."""
        link = entry.get("link")
        before = read(os.path.join(armed(), "files", entry["saved"])) if entry["saved"] else None
        now = None if os.path.islink(path) else read(path)
        if (os.readlink(path) if os.path.islink(path) else None) == link and now == before:
            if now is not None:
                os.chmod(path, entry["mode"])
                os.chown(path, entry["uid"], entry["gid"])
            if self.again:
                # The attempt that was interrupted has put it back, and may not have come to making it live.
                self.restored.append(path)
            return
        if now is not None and not os.path.exists(tried() + path):
            try:
                aside(path, now)
            except OSError as error:
                # The former state is worth more than what was tried.
                if error.errno != errno.ENOSPC:
                    raise
                shutil.rmtree(tried(), ignore_errors=True)
        if before is None:
            if os.path.lexists(path):
                os.unlink(path)
            if link is not None:
                os.symlink(link, path)
            sync(os.path.dirname(path))
        else:
            replace(path, before, entry["mode"], entry["uid"], entry["gid"])
        self.restored.append(path)

    def symlinks(self, added: list[str], before: dict[str, str]) -> None:
        """Make enabled what was enabled, and nothing else."""
        for path in added:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        for path, target in before.items():
            if not os.path.lexists(path):
                try:
                    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
                    os.symlink(target, path)
                    sync(os.path.dirname(path))
                except OSError as error:
                    self.failures.append("%s: %s" % (path, error.strerror))

    def live(self, units: dict[str, int], active: set[str]) -> None:
        """Restore the live state, stage by stage."""
        for entry in self.entries:
            if "sysctl" in entry:
                self.setting(entry["sysctl"], entry["value"])
        running = active_units(run)
        steps: list[tuple[int, Callable[[], object]]] = [
            *((INTERFACES + 1, functools.partial(self.delete_link, entry["link"])) for entry in self.entries if "link" in entry),
            (LINKS, self.links),
            (LINKS + 1, self.routes),
            (LINKS + 2, self.rules),
            (FILTER, self.tables),
        ]
        if FRR_CONF in self.restored or os.path.exists(os.path.join(armed(), FRR_RUNNING)):
            steps.append((FRR, self.frr))
        gone = [(stage, unit) for unit, stage in units.items() if unit in active and unit not in running]
        steps += [(stage, functools.partial(self.do, ["systemctl", "start", unit])) for stage, unit in gone]
        done: set[tuple[str, ...]] = set()
        for begin, stage, command in MADE_LIVE:
            if command not in done and command[-1] in running & active and any(path.startswith(begin) for path in self.restored):
                done.add(command)
                steps.append((stage, functools.partial(self.do, command)))
        for entry in self.entries:
            if "command" in entry:
                steps.append((entry["stage"], functools.partial(self.do, entry["command"])))
            if "wireguard" in entry:
                steps.append((TUNNELS, functools.partial(self.wireguard, entry["wireguard"], active)))
        for _stage, step in sorted(steps, key=lambda item: item[0]):
            try:
                step()
            except (OSError, ValueError, KeyError) as error:
                # One that breaks off, as on a full disk, must not take the others with it.
                self.failures.append("%s: %s" % (getattr(step, "__name__", "a step"), error))

    def setting(self, path: str, value: str) -> None:
        """Set a kernel setting again."""
        try:
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(value)
        except OSError as error:
            self.failures.append("%s: %s" % (path, error.strerror))

    def delete_link(self, name: str) -> None:
        """Delete an interface that a module was about to make, where it did."""
        if name not in self.before.get("links", {}) and os.path.isdir(os.path.join(NET, name)):
            self.do(["ip", "link", "delete", "dev", name])

    def links(self) -> None:
        """Masters, MTU, MAC address, state and addresses of the interfaces that were there and are."""
        now = links(run)
        for name, before in self.before.get("links", {}).items():
            link = now.get(name)
            if link is None:
                continue
            other = before["mac"] and link["mac"] and before["mac"] != link["mac"]
            # Not every driver takes another one while the interface is up; it is set up again below.
            if other and run(["ip", "link", "set", "dev", name, "address", before["mac"]])[0]:
                self.do(["ip", "link", "set", "dev", name, "down"])
                self.do(["ip", "link", "set", "dev", name, "address", before["mac"]])
                link["up"] = False
            if before["master"] != link["master"]:
                self.do(["ip", "link", "set", "dev", name, *(["master", before["master"]] if before["master"] else ["nomaster"])])
            if before["mtu"] != link["mtu"]:
                self.do(["ip", "link", "set", "dev", name, "mtu", str(before["mtu"])])
            if before["up"] and not link["up"]:
                self.do(["ip", "link", "set", "dev", name, "up"])
        # Anew: an interface that is moved to another VRF loses its IPv6 addresses.
        now = links(run)
        for name, before in self.before.get("links", {}).items():
            for address in before["addresses"] if name in now else []:
                if address not in now[name]["addresses"]:
                    self.do(["ip", "address", "replace", *address.split(), "dev", name])

    def routes(self) -> None:
        """Routes that are missing, then those that are too many: there is no moment without a default route."""
        for family in FAMILIES:
            before = self.before.get("routes", {}).get(family, [])
            now = routes(run, family)
            for line in before:
                if line not in now:
                    self.do(["ip", family, "route", "replace", *line.split()])
            for line in routes(run, family):
                # A lease that was renewed meanwhile is no work of ours.
                if line not in before and " proto dhcp" not in line:
                    self.do(["ip", family, "route", "delete", *line.split()])

    def rules(self) -> None:
        """Rules that are missing, then those that are too many."""
        for family in FAMILIES:
            before = self.before.get("rules", {}).get(family, [])
            now = rules(run, family)
            for verb, lines in (("add", [x for x in before if x not in now]), ("delete", [x for x in now if x not in before])):
                for line in lines if before else []:
                    self.do(["ip", family, "rule", verb, *line.split()])

    def tables(self) -> None:
        """The nftables tables of ours, each in one transaction."""
        before, now = self.before.get("tables", {}), tables(run)
        for name, text in before.items():
            if now.get(name) != text:
                path = os.path.join(armed(), "table.nft")
                replace(path, ("table %s\ndelete table %s\n%s" % (name, name, text)).encode("utf-8"), 0o600)
                self.do(["nft", "-f", path])
        for name in now:
            if name not in before:
                self.do(["nft", "delete", "table", *name.split()])

    def wireguard(self, name: str, active: set[str]) -> None:
        """A WireGuard interface as its former file says: the living one keeps its peers, one that is gone is made."""
        unit, conf = "wg-quick@%s.service" % name, "/etc/wireguard/%s.conf" % name
        text = (read(conf) or b"").decode("utf-8")
        if unit not in active or not text:
            return
        if not os.path.isdir(os.path.join(NET, name)) or unit not in active_units(run):
            self.do(["systemctl", "restart", unit])
            return
        status, out, err = run(["wg-quick", "strip", conf])
        # An empty file would take the interface's identity away.
        if status or "PrivateKey" not in out:
            self.failures.append("wg-quick strip %s fails" % conf)
            return
        path = os.path.join(armed(), name + ".stripped")
        replace(path, out.encode("utf-8"), 0o600)
        status = run(["wg", "syncconf", name, path])[0]
        if status:
            # Not what it says: that may quote a key.
            self.failures.append("wg syncconf %s: exit status %d" % (name, status))

    def frr(self) -> None:
        """Make the running configuration the former one, with what stood in no file; that of the former frr.conf where it was not kept."""
        program = next((path for path in RELOAD_PROGRAMS if os.path.exists(path)), None)
        vtysh = shutil.which("vtysh")
        if program is None or vtysh is None or not os.path.exists(FRR_CONF):
            return
        command = [program, "--stdout", "--bindir", os.path.dirname(vtysh), "--confdir", os.path.dirname(FRR_CONF)]
        running, file = read(os.path.join(armed(), FRR_RUNNING)), read(FRR_CONF) or b""
        owner, path = os.stat(FRR_CONF), FRR_CONF
        if running is not None:
            path = FRR_CONF + ".restored"
            replace(path, running, 0o640, owner.st_uid, owner.st_gid)
        pending = run([*command, "--test", path])[1]
        # An interface that lives cannot be deleted from a configuration: it is emptied.
        words = [line.split() for line in pending.splitlines() if line.startswith("no interface ")]
        emptied = [item[2] for item in words if len(item) > 2 and os.path.isdir(os.path.join(NET, item[2]))]
        if emptied:
            text = file if running is None else running
            text += "".join("interface %s\nexit\n!\n" % name for name in emptied).encode("utf-8")
            path = FRR_CONF + ".restored"
            replace(path, text, 0o640, owner.st_uid, owner.st_gid)
        # It writes the lines that it adds, passwords among them, into a file below /run/frr, where everybody may look.
        mask = os.umask(0o077)
        status = run([*command, "--reload", path])[0]
        os.umask(mask)
        if path != FRR_CONF:
            os.unlink(path)
            if read(FRR_CONF) != file:
                # For any other file than frr.conf, frr-reload.py writes the running configuration into that one, in vtysh's own form.
                replace(FRR_CONF, file, owner.st_mode & 0o7777, owner.st_uid, owner.st_gid)
        if status:
            # Not what it says: that may quote passwords.
            self.failures.append("frr-reload.py --reload %s: exit status %d" % (FRR_CONF, status))
        policy = "/usr/local/sbin/xgn-frr-policy"
        if os.path.exists(policy):
            self.do([policy, FRR_CONF])

    def report(self) -> None:
        """Leave what was done beside what was tried."""
        found = {
            "reason": self.reason,
            "run": self.before.get("run", ""),
            "at_boot": self.at_boot,
            "restored": sorted(self.restored),
            "failures": self.failures,
        }
        found["when"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        try:
            os.makedirs(tried(), mode=0o700, exist_ok=True)
            replace(os.path.join(tried(), "report.json"), (json.dumps(found, indent=1) + "\n").encode("utf-8"), 0o600)
        except OSError as error:
            sys.stderr.write("report: %s\n" % error)
        for line in self.failures:
            sys.stderr.write(line + "\n")


def aside(path: str, content: bytes) -> None:
    """Keep what was tried, for root only. Raises OSError."""
    directory = tried()
    for part in os.path.dirname(path).split("/"):
        directory = os.path.join(directory, part) if part else directory
        os.makedirs(directory, mode=0o700, exist_ok=True)
    replace(tried() + path, content, 0o600)


def restore(reason: str, at_boot: bool = False) -> int:
    """Restore what is kept, and forget it; returns an exit status, 1 when a file could not be put back and all is kept for another attempt."""
    with locked():
        if not os.path.isdir(armed()):
            return 0
        restoring = Restoring(reason, at_boot)
        whole = restoring.everything()
        restoring.report()
        if whole:
            forget()
        return 0 if whole else 1


# ---- waiting -------------------------------------------------------------------------------------------------------------------------------


def clock() -> float:
    """Seconds since the boot, those asleep too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def deadline() -> float | None:
    """When the host restores by itself, on `clock`; None where nothing was said."""
    try:
        return float(read(os.path.join(RUN, "deadline")) or b"")
    except ValueError:
        return None


def set_deadline(seconds: float) -> None:
    """Let the host restore by itself that many seconds from now. It lies in /run: cheap, and gone with the boot that its clock counts from."""
    os.makedirs(RUN, mode=0o755, exist_ok=True)
    path = os.path.join(RUN, "deadline.%d.%d" % (os.getpid(), threading.get_ident()))
    with open(path, "w", encoding="ascii") as stream:
        stream.write("%.3f" % (clock() + seconds))
    os.replace(path, os.path.join(RUN, "deadline"))


def wait() -> int:
    """Wait until all is confirmed or the deadline is over, and restore then."""
    os.makedirs(RUN, mode=0o755, exist_ok=True)
    replace(os.path.join(RUN, "waiting"), b"%d\n" % os.getpid(), 0o644)
    began = clock()
    while True:
        if is_restoring():
            # One that was interrupted.
            return restore((read(os.path.join(armed(), "restoring")) or b"").decode("utf-8"))
        if os.path.isdir(armed()):
            left = (deadline() or began + GRACE_S) - clock()
            if left <= 0:
                return restore("the controller did not confirm the changes in time")
        elif clock() - began > GRACE_S or read(os.path.join(RUN, "deadline")) is None:
            return 0
        time.sleep(POLL_S)


def main() -> int:
    """Command line; see the text at the top."""
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb == "wait":
        return wait()
    if verb == "boot":
        # Within the boot in which it was armed there is somebody who waits: this one was only started along with something else.
        if os.path.exists(os.path.join(RUN, "deadline")):
            return 0
        return restore("the host was switched off or rebooted before the changes were confirmed", at_boot=True)
    sys.stderr.write("use: program.py wait | boot\n")
    return 2


if __name__ == "__main__":
    raise SystemExit(main())

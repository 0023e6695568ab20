"""The controller's own place on a wire, where an administrator's machine would stand: what its runs change there can lock it out.

A program of vdeplug with libslirp has the address and leads ports of 127.0.0.1 to the ssh of the machines on that wire. It needs no root, and it is no way
from the wire to anywhere.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable

from lab import process
from lab.errors import LabError
from lab.hypervisor import DESCRIPTOR, Part, start_part
from lab.paths import LabPaths
from lab.ports import free_port, is_free
from lab.topology import Controller, Topology

LOG_LINES = 15
ETHERNET_MTU = 1500


def ensure(topology: Topology, paths: LabPaths, anew: bool, taken: Iterable[int] = ()) -> dict[str, int]:
    """Have the controller stand where ``topology`` says; return the port of 127.0.0.1 that leads to each machine's ssh there.

    Parameters:
        topology: what is wanted.
        paths: the lab's files.
        anew: the wires were started anew, and whoever stood on them has to come again.
        taken: ports of others.

    Raises:
        LabError: the program does not start; with its own words.
    """
    wanted = topology.controller
    if wanted is None:
        stop(paths)
        paths.controller.unlink(missing_ok=True)
        return {}
    known, command = _recorded(paths)
    if (
        not anew
        and known.keys() == wanted.reaches.keys()
        and command == list(_part(topology, wanted, paths, known).command)
        and _runs(paths)
    ):
        return known
    stop(paths)
    chosen: dict[str, int] = {}
    for name in wanted.reaches:
        port = known.get(name)
        used = {*taken, *chosen.values()}
        chosen[name] = port if port is not None and port not in used and is_free(port) else free_port(used)
    part = _part(topology, wanted, paths, chosen)
    paths.controller.write_text(json.dumps({"ports": chosen, "command": part.command}, indent=1) + "\n", encoding="utf-8")
    paths.controller_log.unlink(missing_ok=True)
    if not start_part(part, paths.controller_log, str(paths.controller_pid)):
        raise LabError("the controller's place on the wire does not start:", process.tail(paths.controller_log, LOG_LINES))
    return chosen


def _recorded(paths: LabPaths) -> tuple[dict[str, int], list[str]]:
    """The ports by machine and the command line of the program that `ensure` started last; nothing where there was none."""
    try:
        found = json.loads(paths.controller.read_text(encoding="utf-8"))
        return found["ports"], found["command"]
    except (FileNotFoundError, ValueError, KeyError):
        return {}, []


def stop(paths: LabPaths) -> None:
    """Take the controller from its wire; no error if it is on none."""
    process.stop(paths.controller_pid, str(paths.controller_pid))


def _runs(paths: LabPaths) -> bool:
    return process.is_running(paths.controller_pid, str(paths.controller_pid))


def _part(topology: Topology, wanted: Controller, paths: LabPaths, chosen: dict[str, int]) -> Part:
    """The program, connected to the wire process."""
    interface = ipaddress.IPv4Interface(wanted.address)
    machines = {address.partition("/")[0] for vm in topology.vms.values() for nic in vm.nics for address in nic.addresses}
    # libslirp answers for a name server as well, by default at an address that a machine may have.
    server = next(
        address for address in reversed(list(interface.network.hosts())) if str(address) not in machines and address != interface.ip
    )
    forwards = ",".join(f"127.0.0.1:{port}:{wanted.reaches[name]}:22" for name, port in chosen.items())
    # What is longer than the wire carries vanishes there without a word.
    mtu = topology.wires[wanted.wire].mtu or ETHERNET_MTU
    slirp = f"slirp:///v4/addr={interface.ip}/vnameserver={server}/mtu={mtu}/mru={mtu}/disable_host_loopback/tcpfwd={forwards}"
    return Part(
        "the controller's place on the wire",
        ("vde_plug", "--pidfile", str(paths.controller_pid), slirp, f"seqpacket://{DESCRIPTOR}"),
        paths.controller_pid,
        writes_pid=True,
        socket=paths.controller_socket,
    )

"""Start the wire process of a lab, and ask it things."""

from __future__ import annotations

import json
import socket
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab import process
from lab.errors import LabError
from lab.hypervisor import Hypervisor
from lab.paths import PACKAGE_DIR, LabPaths
from lab.topology import Topology
from lab.wire import CONTROL_BYTES

START_LIMIT_S = 10.0
REPLY_LIMIT_S = 5.0
POLL_S = 0.05
LOG_LINES = 15


def wire_config(topology: Topology, paths: LabPaths, hypervisor: Hypervisor) -> dict[str, Any]:
    """Return what `lab.wire` is to connect."""
    wires: dict[str, Any] = {name: {"conditions": asdict(conditions), "ports": []} for name, conditions in topology.wires.items()}
    management: dict[str, Any] = {}
    for vm in topology.vms.values():
        files = paths.vm(vm.name)
        management[vm.name] = hypervisor.management_ports(files)
        for index, nic in enumerate(vm.nics):
            wires[nic.wire]["ports"].append(hypervisor.wire_port(files, index))
    if topology.controller is not None:
        wires[topology.controller.wire]["ports"].append({"socket": str(paths.controller_socket)})
    return {"control": str(paths.wire_control), "pid_file": str(paths.wire_pid), "wires": wires, "management": management}


def is_running(paths: LabPaths) -> bool:
    """Tell whether the lab's wire process runs."""
    return process.is_running(paths.wire_pid, str(paths.wire_config))


def ensure_wires(topology: Topology, paths: LabPaths, hypervisor: Hypervisor) -> bool:
    """Have the wire process run with exactly the topology's wires; return whether it had to be started.

    Running machines of QEMU need no restart: their sockets keep their places. Those of User Mode Linux do.

    Raises:
        LabError: the process does not come up; with the end of its log.
    """
    text = json.dumps(wire_config(topology, paths, hypervisor), indent=1, sort_keys=True) + "\n"
    current = paths.wire_config.read_text(encoding="utf-8") if paths.wire_config.is_file() else ""
    if text == current and is_running(paths):
        return False
    stop_wires(paths)
    paths.wire_config.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "lab.wire", str(paths.wire_config)]
    child = process.start_detached(command, paths.wire_log, cwd=PACKAGE_DIR.parent)
    deadline = time.monotonic() + START_LIMIT_S
    while not is_running(paths):
        if child.poll() is not None or time.monotonic() > deadline:
            raise LabError("the wire process does not start:", process.tail(paths.wire_log, LOG_LINES))
        time.sleep(POLL_S)
    return True


def stop_wires(paths: LabPaths) -> bool:
    """Stop the wire process; return whether there was one."""
    return process.stop(paths.wire_pid, str(paths.wire_config))


def request(control: Path, message: dict[str, Any]) -> dict[str, Any]:
    """Send a message to the wire process and return its answer: the wire's state.

    Parameters:
        control: the control socket.
        message: ``{"wire": name}`` and optionally "set" (conditions to change), "clear" (true: back to the
            topology's conditions), "capture" (path of a pcap file, or null to end it).

    Raises:
        LabError: no answer, or a refusal.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(REPLY_LIMIT_S)
        try:
            connection.connect(str(control))
            connection.send(json.dumps(message).encode())
            reply = connection.recv(CONTROL_BYTES)
        except OSError as error:
            raise LabError(f"the wires do not answer ({error}); is the lab up?") from None
    answer: dict[str, Any] = json.loads(reply) if reply else {"error": "the wire process closed the connection"}
    if "error" in answer:
        raise LabError(str(answer["error"]))
    return answer

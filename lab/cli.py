"""The verbs of ``python -m lab``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from lab import kernel, lab, process, snapshot, vm, wire_client
from lab.conditions import Conditions
from lab.connection import ssh_command
from lab.errors import LabError
from lab.paths import ARCHIVE_DIR, LABS_DIR, RECIPE_DIR, TOPOLOGY_DIR, LabPaths, image_cache_dir, kernel_cache_dir, lab_paths
from lab.probe import banner_shows, wait_for_ssh
from lab.progress import Progress
from lab.recipe import Recipe, load_archive_recipe, load_recipe, recipe_names
from lab.topology import Topology, load_topology

STATUS_BANNER_LIMIT_S = 5.0
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit status: 0, 1 for a failure, 2 for wrong usage, 130 when interrupted."""
    # SIGTERM (a stopped CI job, timeout(1)) ends the program as tidily as Ctrl-C.
    signal.signal(signal.SIGTERM, _interrupt)
    options = _parser().parse_args(arguments)
    try:
        if owner := os.environ.get(process.OWNER):
            process.end_with(owner)
        status: int = options.run(options)
        return status
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; the same command goes on, with what is whole already", file=sys.stderr)
        return INTERRUPTED


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Any, description: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=description, description=description)
        sub.set_defaults(run=run)
        return sub

    sub = verb("up", _up, "build images, start wires and machines, write connection.yml; leave alone what is right")
    sub.add_argument("topology")
    sub = verb("down", _down, "stop and remove everything of a lab")
    sub.add_argument("topology", nargs="?")
    sub.add_argument("--keep", action="store_true", help="keep disks and snapshots: up or restore go on from there")
    sub.add_argument("--all", action="store_true", help="all labs of this checkout")
    sub = verb("status", _status, "show the machines and wires of a lab")
    sub.add_argument("topology")
    sub = verb("ssh", _ssh, "log in to a machine as root, or run a command there")
    sub.add_argument("topology")
    sub.add_argument("vm")
    sub.add_argument("command", nargs=argparse.REMAINDER)
    sub = verb("power", _power, "pull or press: reset and off give the guest no warning")
    sub.add_argument("topology")
    sub.add_argument("vm")
    sub.add_argument("action", choices=("reset", "off", "on"))
    sub.add_argument("--wait", action="store_true", help="after reset or on: wait until ssh answers")
    sub = verb("snapshot", _snapshot, "keep the disks of all machines as they are now")
    sub.add_argument("topology")
    sub.add_argument("name")
    sub = verb("restore", _restore, "bring all machines back to a snapshot, and boot them the way they ran then")
    sub.add_argument("topology")
    sub.add_argument("name")
    sub.add_argument("--off", action="store_true", help="do not boot them")
    sub = verb("wire", _wire, "change how a wire treats frames and print its state as JSON")
    sub.add_argument("topology")
    sub.add_argument("wire")
    cut = sub.add_mutually_exclusive_group()
    cut.add_argument("--cut", dest="cut", action="store_true", default=None, help="drop every frame silently")
    cut.add_argument("--restore", dest="cut", action="store_false", help="undo --cut")
    sub.add_argument("--delay-ms", type=float, metavar="N", help="one-way delay")
    sub.add_argument("--loss-percent", type=float, metavar="N")
    sub.add_argument("--duplicate-percent", type=float, metavar="N", help="so many frames arrive twice")
    sub.add_argument("--reorder-percent", type=float, metavar="N", help="so many frames arrive behind later ones")
    sub.add_argument("--rate-kbit", type=int, metavar="N", help="limit for each sending NIC, 0 for none")
    sub.add_argument("--mtu", type=int, metavar="N", help="longer IP packets vanish, 0 for no limit")
    sub.add_argument("--drop-udp", type=int, nargs="*", metavar="PORT", help="these UDP ports, and no others")
    sub.add_argument("--drop-tcp", type=int, nargs="*", metavar="PORT", help="these TCP ports, and no others")
    sub.add_argument("--clear", action="store_true", help="first go back to the topology's own conditions")
    sub = verb("kernel", _kernel, "build the kernel for machines under User Mode Linux, or take a ready one, unless it is there")
    sub.add_argument("--take", type=Path, metavar="FILE", help="a ready kernel, as .xz; its checksum must be the one that is known")
    sub = verb("capture", _capture, "write every frame that enters a wire to a pcap file, until Ctrl-C")
    sub.add_argument("topology")
    sub.add_argument("wire")
    sub.add_argument("file", type=Path)
    sub.add_argument("--seconds", type=float, help="end after this time")
    return parser


def _load(name: str) -> tuple[Topology, dict[str, Recipe], LabPaths]:
    topology = load_topology(name, TOPOLOGY_DIR, recipe_names(RECIPE_DIR), recipe_names(ARCHIVE_DIR))
    recipes = {machine.image: load_recipe(machine.image, RECIPE_DIR) for machine in topology.vms.values()}
    return topology, recipes, lab_paths(name)


def _up(options: argparse.Namespace) -> int:
    topology, recipes, paths = _load(options.topology)
    archives = {name: load_archive_recipe(name, ARCHIVE_DIR) for name in topology.archives}
    with Progress() as progress, lab.exclusive(LABS_DIR, progress):
        lab.up(topology, recipes, archives, image_cache_dir(), kernel_cache_dir(), paths, progress)
    return 0


def _down(options: argparse.Namespace) -> int:
    if options.all == bool(options.topology):
        raise LabError("name one topology, or --all")
    # The topology's file is not needed: a lab must go away even if its file is wrong or gone.
    names = lab.all_labs() if options.all else [_plain(options.topology)]
    with Progress() as progress, lab.exclusive(LABS_DIR, progress):
        for name in names:
            lab.down(lab_paths(name), options.keep, progress)
    return 0


def _plain(name: str) -> str:
    """Return ``name`` if it is a directory's name and not a path that leads elsewhere."""
    if name != Path(name).name or name in (".", ".."):
        raise LabError(f"{name!r} is not a topology's name")
    return name


def _status(options: argparse.Namespace) -> int:
    topology, _, paths = _load(options.topology)
    rows = [("MACHINE", "IMAGE", "MEMORY", "RUNS WITH", "STATE", "SSH", "ADDRESSES")]
    for name, machine in topology.vms.items():
        record = vm.read_record(paths.vm(name))
        running = vm.is_running(paths.vm(name))
        answers = running and record is not None and banner_shows(record.ssh_port, STATUS_BANNER_LIMIT_S)
        addresses = [f"eth{i} {a}" for i, nic in enumerate(machine.nics) for a in nic.addresses or ("-",)]
        state = "running" if running else "off" if record else "absent"
        ssh = f"127.0.0.1:{record.ssh_port}{'' if answers else ' (silent)'}" if record and running else "-"
        way = record.definition.hypervisor if record else "-"
        rows.append((name, machine.image, f"{machine.memory_mib} MiB", way, state, ssh, ", ".join(addresses)))
    _print_table(rows)
    print()
    wires = [("WIRE", "STATE", "FRAMES", "CONDITIONS")]
    alive = wire_client.is_running(paths)
    for wire in topology.wires:
        if not alive:
            wires.append((wire, "off", "-", "-"))
            continue
        state_of = wire_client.request(paths.wire_control, {"wire": wire})
        conditions = ", ".join(f"{key}={value}" for key, value in state_of["conditions"].items() if value)
        wires.append((wire, "running", str(state_of["frames"]["received"]), conditions or "perfect"))
    _print_table(wires)
    if kept := snapshot.names(paths):
        print(f"\nSnapshots: {', '.join(kept)}")
    return 0


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _machine(options: argparse.Namespace) -> tuple[LabPaths, vm.Record]:
    """Return the lab's files and the record of the machine that the command names."""
    paths = lab_paths(_plain(options.topology))
    record = vm.read_record(paths.vm(_plain(options.vm)))
    if record is None:
        names = sorted(path.name for path in paths.vms_dir.iterdir()) if paths.vms_dir.is_dir() else []
        raise LabError(f"there is no machine {options.vm} in the lab {options.topology}; there are: {', '.join(names) or 'none'}")
    return paths, record


def _ssh(options: argparse.Namespace) -> int:
    paths, record = _machine(options)
    command = ssh_command(paths, record.ssh_port) + options.command
    return subprocess.call(command)


def _power(options: argparse.Namespace) -> int:
    paths, record = _machine(options)
    files = paths.vm(options.vm)
    with Progress() as progress, lab.exclusive(LABS_DIR, progress):
        if options.action == "off":
            progress.done(options.vm, "switched off" if vm.power_off(files) else "was off already")
        elif options.action == "on" and vm.is_running(files):
            progress.done(options.vm, "was on already")
        else:
            topology, recipes, _ = _load(options.topology)
            # Whatever runs is ended first.
            lab.start_one(topology, recipes, image_cache_dir(), kernel_cache_dir(), paths, options.vm)
            progress.done(options.vm, "reset" if options.action == "reset" else "switched on")
        if options.wait and options.action != "off":
            wait_for_ssh(options.vm, paths, record.ssh_port, progress, threading.Event())
    return 0


def _snapshot(options: argparse.Namespace) -> int:
    topology, _, _ = _load(options.topology)
    paths = lab.lab_is_up(options.topology)
    with Progress() as progress, lab.exclusive(LABS_DIR, progress):
        lab.save(topology, kernel_cache_dir(), paths, _plain(options.name), progress)
    return 0


def _restore(options: argparse.Namespace) -> int:
    topology, recipes, paths = _load(options.topology)
    with Progress() as progress, lab.exclusive(LABS_DIR, progress):
        lab.restore(topology, kernel_cache_dir(), paths, _plain(options.name), progress)
        if not options.off:
            lab.power_on(topology, recipes, image_cache_dir(), kernel_cache_dir(), paths, progress)
    return 0


def _wire(options: argparse.Namespace) -> int:
    paths = lab.lab_is_up(_plain(options.topology))
    wanted = {key: value for key in (entry.name for entry in fields(Conditions)) if (value := getattr(options, key)) is not None}
    message = {"wire": options.wire, "clear": options.clear, "set": wanted}
    print(json.dumps(wire_client.request(paths.wire_control, message), indent=2))
    return 0


def _capture(options: argparse.Namespace) -> int:
    paths = lab.lab_is_up(_plain(options.topology))
    target = os.path.abspath(options.file)
    wire_client.request(paths.wire_control, {"wire": options.wire, "capture": target})
    print(f"capturing to {options.file}" + ("" if options.seconds else "; Ctrl-C ends it"), file=sys.stderr)
    try:
        time.sleep(options.seconds if options.seconds is not None else threading.TIMEOUT_MAX)
    except KeyboardInterrupt:
        pass
    finally:
        wire_client.request(paths.wire_control, {"wire": options.wire, "capture": None})
    return 0


def _kernel(options: argparse.Namespace) -> int:
    recipe, cache = kernel.load_kernel_recipe(), kernel_cache_dir()
    with Progress() as progress:
        if options.take is not None:
            made = kernel.take_kernel(recipe, options.take, cache, progress)
        else:
            made = kernel.build_kernel(recipe, cache, progress, threading.Event())
    print(f"kernel {made.release}, {made.origin}: {made.binary} ({made.binary.stat().st_size / 1e6:.1f} MB)")
    return 0

"""Bring a whole lab up and down."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lab import accel, controller, image, keys, preflight, process, snapshot, vm, wire_client
from lab.build import take_lock
from lab.connection import write_inventory, write_on_the_wire
from lab.errors import LabError
from lab.hypervisor import Hypervisor
from lab.parallel import in_parallel
from lab.paths import LABS_DIR, RECORDS, LabPaths, VmPaths, lab_paths
from lab.ports import free_port
from lab.probe import wait_for_ssh
from lab.progress import Progress
from lab.recipe import ArchiveRecipe, Recipe
from lab.seed import seed_archive, seed_files
from lab.topology import Topology

# sun_path in <sys/un.h>, less the final NUL.
SOCKET_PATH_BYTES = 107


@contextlib.contextmanager
def exclusive(labs_dir: Path, progress: Progress) -> Iterator[None]:
    """Let no two verbs change labs at once; the second waits."""
    labs_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(labs_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        take_lock(descriptor, progress, "lab", "waiting for another lab command to end", threading.Event())
        yield
    finally:
        os.close(descriptor)


def up(
    topology: Topology,
    recipes: Mapping[str, Recipe],
    archives: Mapping[str, ArchiveRecipe],
    cache: Path,
    kernels: Path,
    paths: LabPaths,
    progress: Progress,
) -> None:
    """Bring the lab to the state that ``topology`` describes; what is so already is left alone.

    Parameters:
        topology: what is wanted.
        recipes: image name -> recipe, for every image that the topology uses.
        archives: name -> recipe, for every archive that the topology asks for.
        cache: directory of the images and archives.
        kernels: directory of the kernels for User Mode Linux.
        paths: the lab's files.
        progress: where to tell how far it is.

    Raises:
        LabError: with everything that is wrong.
    """
    missing = [recipe for recipe in recipes.values() if not image.is_built(recipe, cache)]
    start_mib = [machine.memory_mib for machine in topology.vms.values() if not vm.is_running(paths.vm(machine.name))]
    unmade = [recipe for recipe in archives.values() if not image.archive_of(recipe, cache).is_file()]
    preflight.check(start_mib, len(missing), cache, paths.state, len(unmade), accel.forced())
    builders = {f"image {recipe.name}": _builder(recipe, cache, progress) for recipe in missing}
    builders |= {f"archive {recipe.name}": _archiver(recipe, cache, progress) for recipe in unmade}
    if builders:
        in_parallel(builders)
    images = {name: image.image_of(recipe, cache) for name, recipe in recipes.items()}

    _prepare_state(topology, paths)
    for name in _recorded_vms(paths) - set(topology.vms):
        vm.remove(paths.vm(name))
        progress.done(name, "removed, it is no longer in the topology")
    progress.step("lab", "trying how machines can run here")
    accelerator = accel.choose(next(iter(images.values())), cache, kernels)
    progress.done("lab", f"machines run with {accelerator}")
    started = wire_client.ensure_wires(topology, paths, accelerator.hypervisor)
    progress.done("wires", "started" if started else "already running")
    if started and not accelerator.hypervisor.outlives_wires:
        for name in _recorded_vms(paths):
            if vm.power_off(paths.vm(name)):
                progress.done(name, "stopped, its wires were made anew")

    ports = _start_all(topology, images, accelerator.hypervisor, kernels, paths, progress)
    on_the_wire = controller.ensure(topology, paths, anew=started, taken=ports.values())
    _tell_ways(paths, ports, on_the_wire)
    in_parallel({name: _waiter(name, port, paths, progress) for name, port in ports.items()})
    hosts = {name: port for name, port in ports.items() if topology.vms[name].managed}
    write_inventory(paths, hosts, {name: image.archive_of(recipe, cache) for name, recipe in archives.items()})
    progress.done("lab", f"up; inventory: {os.path.relpath(paths.connection)}")


def down(paths: LabPaths, keep: bool, progress: Progress) -> None:
    """Stop everything of a lab, and remove it unless its disks are to be kept; no error if there is nothing."""
    if not paths.state.is_dir():
        progress.done(paths.state.name, "is not up")
        return
    if not keep:
        # First of all: nobody shall use what is about to vanish.
        paths.connection.unlink(missing_ok=True)
    names = sorted(_recorded_vms(paths))
    in_parallel({name: _ender(paths.vm(name)) for name in names})
    for name in names:
        if not keep:
            vm.remove(paths.vm(name))
        progress.done(name, "switched off" if keep else "removed")
    controller.stop(paths)
    if wire_client.stop_wires(paths):
        progress.done("wires", "stopped")
    shutil.rmtree(paths.runtime, ignore_errors=True)
    if not keep:
        shutil.rmtree(paths.state)
    progress.done(paths.state.name, "down")


def all_labs(labs_dir: Path = LABS_DIR) -> list[str]:
    """Return the names of all labs that have a state, running or not."""
    return sorted(path.name for path in labs_dir.iterdir() if path.is_dir()) if labs_dir.is_dir() else []


def start_one(topology: Topology, recipes: Mapping[str, Recipe], cache: Path, kernels: Path, paths: LabPaths, name: str) -> None:
    """Power on one machine of a lab that has been up, the way it ran before; its disk is kept.

    Raises:
        LabError: it was never created, or does not start.
    """
    files = paths.vm(name)
    record = vm.read_record(files)
    if record is None:
        raise LabError(f"{name} was never started; run: python -m lab up {topology.name}")
    recipe = recipes[topology.vms[name].image]
    machine_image = image.image_of(recipe, cache)
    if not image.is_built(recipe, cache) or machine_image.identity != record.definition.image:
        raise LabError(f"{name}: the image {recipe.name} is another one than its disk stands on; run: python -m lab up {topology.name}")
    hypervisor = accel.hypervisor(record.definition.hypervisor, kernels)
    port = vm.start(topology.vms[name], files, machine_image, hypervisor, record, _other_ports(paths, name))
    if port != record.ssh_port:
        raise LabError(f"{name}: its ssh port was taken meanwhile; run: python -m lab up {topology.name}")


def power_on(topology: Topology, recipes: Mapping[str, Recipe], cache: Path, kernels: Path, paths: LabPaths, progress: Progress) -> None:
    """Power on every machine of a lab that has been up, and wait until all answer. Raises `LabError`."""
    for name in topology.vms:
        start_one(topology, recipes, cache, kernels, paths, name)
        progress.step(name, "started")
    ports = {name: record.ssh_port for name in topology.vms if (record := vm.read_record(paths.vm(name))) is not None}
    in_parallel({name: _waiter(name, port, paths, progress) for name, port in ports.items()})


def save(topology: Topology, kernels: Path, paths: LabPaths, name: str, progress: Progress) -> None:
    """Keep the disks of all machines as the snapshot ``name``; running machines stand still for a moment. Raises `LabError`."""
    progress.step("lab", f"taking the snapshot {name}")
    snapshot.save(paths, name, _hypervisors(topology, kernels, paths))
    progress.done("lab", "taken")


def restore(topology: Topology, kernels: Path, paths: LabPaths, name: str, progress: Progress) -> None:
    """Bring all disks back to the snapshot ``name``; the machines are off then. Every wire is in its own conditions. Raises `LabError`."""
    if not paths.state.is_dir():
        raise LabError(f"there is no lab {topology.name}; run: python -m lab up {topology.name}")
    hypervisors = {key: accel.hypervisor(value.hypervisor, kernels) for key, value in snapshot.definitions(paths, name).items()}
    progress.step("lab", f"restoring the snapshot {name}")
    in_parallel({machine: _ender(paths.vm(machine)) for machine in hypervisors})
    snapshot.put_back(paths, name, hypervisors)
    paths.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    anew = wire_client.ensure_wires(topology, paths, next(iter(hypervisors.values())))
    ports = {name: record.ssh_port for name in hypervisors if (record := vm.read_record(paths.vm(name))) is not None}
    _tell_ways(paths, ports, controller.ensure(topology, paths, anew, ports.values()))
    if not anew:
        for wire in topology.wires:
            wire_client.request(paths.wire_control, {"wire": wire, "clear": True})
    progress.done("lab", "disks are back")


def _tell_ways(paths: LabPaths, ports: Mapping[str, int], on_the_wire: Mapping[str, int]) -> None:
    """Write the machines' host keys for the ports that lead to them, and the inventory of those that the controller reaches over a wire."""
    host_keys = [(port, keys.public_key(paths.vm(name).host_key)) for name, port in (*ports.items(), *on_the_wire.items())]
    paths.known_hosts.write_text(keys.known_hosts(host_keys), encoding="ascii")
    write_on_the_wire(paths, on_the_wire)


def _hypervisors(topology: Topology, kernels: Path, paths: LabPaths) -> dict[str, Hypervisor]:
    """Return how each machine runs, as recorded."""
    found = {}
    for name in topology.vms:
        record = vm.read_record(paths.vm(name))
        if record is None:
            raise LabError(f"{name} was never started; run: python -m lab up {topology.name}")
        found[name] = accel.hypervisor(record.definition.hypervisor, kernels)
    return found


def _ender(files: VmPaths) -> Callable[[threading.Event], object]:
    return lambda stop: vm.power_off(files)


def _prepare_state(topology: Topology, paths: LabPaths) -> None:
    """Create the directories and the client key."""
    paths.state.mkdir(parents=True, exist_ok=True)
    for variable in RECORDS:
        paths.record(variable).mkdir(exist_ok=True)
    (paths.state / "runtime_dir").write_text(f"{paths.runtime}\n", encoding="utf-8")
    paths.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    if paths.runtime.stat().st_uid != os.getuid():
        raise LabError(f"{paths.runtime} belongs to somebody else; remove it or set XDG_RUNTIME_DIR")
    for machine in topology.vms.values():
        longest = paths.vm(machine.name).management_socket("machine")
        if len(os.fsencode(longest)) > SOCKET_PATH_BYTES:
            raise LabError(f"{longest} is too long for a socket; set XDG_RUNTIME_DIR to a shorter directory")
    keys.ensure_key(paths.client_key, f"lab {topology.name}")


def _start_all(
    topology: Topology,
    images: Mapping[str, image.Image],
    hypervisor: Hypervisor,
    kernels: Path,
    paths: LabPaths,
    progress: Progress,
) -> dict[str, int]:
    """Start every machine that does not run as defined; return machine -> ssh port."""
    ports: dict[str, int] = {}
    for name, machine in topology.vms.items():
        files = paths.vm(name)
        keys.ensure_key(files.host_key, name)
        seed = seed_archive(
            seed_files(
                topology,
                machine,
                files.host_key.read_text(encoding="ascii"),
                keys.public_key(files.host_key),
                keys.public_key(paths.client_key),
            )
        )
        definition = vm.Definition.of(machine, files, images[machine.image], seed, hypervisor)
        record = vm.read_record(files)
        if record is not None and record.definition == definition and vm.is_running(files):
            ports[name] = record.ssh_port
            progress.done(name, "already running")
            continue
        if vm.power_off(files):
            progress.done(name, "stopped, its definition has changed")
        taken = {*ports.values(), *_other_ports(paths, name)}
        if record is None or not record.definition.same_disk(definition):
            vm.create(files, images[machine.image], seed, hypervisor)
            _forget(paths, name)
            record = vm.Record(definition, free_port(taken))
        elif record.definition.hypervisor != hypervisor.name:
            progress.step(name, f"converting its disk from {record.definition.hypervisor.upper()}'s form")
            vm.convert(files, images[machine.image], accel.hypervisor(record.definition.hypervisor, kernels), hypervisor)
        elif not hypervisor.disk(files).is_file():
            hypervisor.make_disk(files, images[machine.image])
            _forget(paths, name)
        record = vm.Record(definition, record.ssh_port)
        ports[name] = vm.start(machine, files, images[machine.image], hypervisor, record, taken)
        progress.step(name, "started")
    return ports


def _forget(paths: LabPaths, name: str) -> None:
    """Remove what is recorded of a machine whose disk is new: it is another host, with other keys."""
    for variable in RECORDS:
        (paths.record(variable) / f"{name}.txt").unlink(missing_ok=True)


def _recorded_vms(paths: LabPaths) -> set[str]:
    return {path.name for path in paths.vms_dir.iterdir()} if paths.vms_dir.is_dir() else set()


def _other_ports(paths: LabPaths, name: str) -> set[int]:
    """Return the recorded ports of all machines but ``name``, running or not."""
    records = (vm.read_record(paths.vm(other)) for other in _recorded_vms(paths) - {name})
    return {record.ssh_port for record in records if record is not None}


def _builder(recipe: Recipe, cache: Path, progress: Progress) -> Callable[[threading.Event], object]:
    return lambda stop: image.build(recipe, cache, progress, stop)


def _archiver(recipe: ArchiveRecipe, cache: Path, progress: Progress) -> Callable[[threading.Event], object]:
    return lambda stop: image.build_archive(recipe, cache, progress, stop)


def _waiter(name: str, port: int, paths: LabPaths, progress: Progress) -> Callable[[threading.Event], object]:
    return lambda stop: wait_for_ssh(name, paths, port, progress, stop)


def lab_is_up(name: str) -> LabPaths:
    """Return the files of the lab ``name``.

    Raises:
        LabError: it is not up.
    """
    paths = lab_paths(name)
    if not paths.connection.is_file() or not process.is_running(paths.wire_pid, str(paths.wire_config)):
        raise LabError(f"the lab {name} is not up; run: python -m lab up {name}")
    return paths

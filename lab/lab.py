"""Bring a whole lab up and down."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from lab import accel, image, keys, preflight, process, vm, wire_client
from lab.connection import write_inventory
from lab.errors import LabError
from lab.paths import KEY_KINDS, LABS_DIR, LabPaths, lab_paths
from lab.probe import wait_for_ssh
from lab.progress import Progress
from lab.recipe import ArchiveRecipe, Recipe
from lab.seed import seed_archive, seed_files
from lab.topology import Topology

# sun_path in <sys/un.h>, less the final NUL.
SOCKET_PATH_BYTES = 107
LOCK_POLL_S = 0.5


@contextlib.contextmanager
def exclusive(labs_dir: Path, progress: Progress) -> Iterator[None]:
    """Let no two verbs change labs at once; the second waits."""
    labs_dir.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(labs_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                progress.step("lab", "waiting for another lab command to end")
                threading.Event().wait(LOCK_POLL_S)
        yield
    finally:
        os.close(descriptor)


def up(
    topology: Topology,
    recipes: Mapping[str, Recipe],
    archives: Mapping[str, ArchiveRecipe],
    cache: Path,
    paths: LabPaths,
    progress: Progress,
) -> None:
    """Bring the lab to the state that ``topology`` describes; what is so already is left alone.

    Parameters:
        topology: what is wanted.
        recipes: image name -> recipe, for every image that the topology uses.
        archives: name -> recipe, for every archive that the topology asks for.
        cache: directory of the images and archives.
        paths: the lab's files.
        progress: where to tell how far it is.

    Raises:
        LabError: with everything that is wrong.
    """
    missing = [recipe for recipe in recipes.values() if not image.is_built(recipe, cache)]
    start_mib = [machine.memory_mib for machine in topology.vms.values() if not vm.is_running(paths.vm(machine.name))]
    unmade = [recipe for recipe in archives.values() if not image.archive_of(recipe, cache).is_file()]
    preflight.check(start_mib, len(missing), cache, paths.state, len(unmade))
    builders = {f"image {recipe.name}": _builder(recipe, cache, progress) for recipe in missing}
    builders |= {f"archive {recipe.name}": _archiver(recipe, cache, progress) for recipe in unmade}
    if builders:
        _in_parallel(builders)
    images = {name: image.image_of(recipe, cache) for name, recipe in recipes.items()}

    _prepare_state(topology, paths)
    for name in _recorded_vms(paths) - set(topology.vms):
        vm.remove(paths.vm(name))
        progress.done(name, "removed, it is no longer in the topology")
    started = wire_client.ensure_wires(topology, paths)
    progress.done("wires", "started" if started else "already running")
    accelerator = accel.choose(next(iter(images.values())), cache)
    progress.done("lab", f"guests run with {accelerator.name.upper()}: {accelerator.reason}")

    ports = _start_all(topology, images, accelerator, paths, progress)
    host_keys = [(port, keys.public_key(paths.vm(name).host_key)) for name, port in ports.items()]
    paths.known_hosts.write_text(keys.known_hosts(host_keys), encoding="ascii")
    _in_parallel({name: _waiter(name, port, paths, progress) for name, port in ports.items()})
    write_inventory(paths, ports, {name: image.archive_of(recipe, cache) for name, recipe in archives.items()})
    progress.done("lab", f"up; inventory: {os.path.relpath(paths.connection)}")


def down(paths: LabPaths, progress: Progress) -> None:
    """Stop and remove everything of a lab; no error if there is nothing."""
    if not paths.state.is_dir():
        progress.done(paths.state.name, "is not up")
        return
    # First of all: nobody shall use what is about to vanish.
    paths.connection.unlink(missing_ok=True)
    for name in sorted(_recorded_vms(paths)):
        ran = vm.remove(paths.vm(name))
        progress.done(name, "stopped and removed" if ran else "removed")
    if wire_client.stop_wires(paths):
        progress.done("wires", "stopped")
    shutil.rmtree(paths.runtime, ignore_errors=True)
    shutil.rmtree(paths.state)
    progress.done(paths.state.name, "down")


def all_labs(labs_dir: Path = LABS_DIR) -> list[str]:
    """Return the names of all labs that have a state, running or not."""
    return sorted(path.name for path in labs_dir.iterdir() if path.is_dir()) if labs_dir.is_dir() else []


def start_one(topology: Topology, recipes: Mapping[str, Recipe], cache: Path, paths: LabPaths, name: str) -> None:
    """Power on one machine of a lab that has been up; its disk is kept.

    Raises:
        LabError: it was never created, or QEMU does not start.
    """
    files = paths.vm(name)
    record = vm.read_record(files)
    if record is None:
        raise LabError(f"{name} was never started; run: python -m lab up {topology.name}")
    machine_image = image.image_of(recipes[topology.vms[name].image], cache)
    accelerator = accel.choose(machine_image, cache)
    port = vm.start(topology.vms[name], files, machine_image, accelerator, record, _other_ports(paths, name))
    if port != record.ssh_port:
        raise LabError(f"{name}: its ssh port was taken meanwhile; run: python -m lab up {topology.name}")


def _prepare_state(topology: Topology, paths: LabPaths) -> None:
    """Create the directories and the client key."""
    paths.state.mkdir(parents=True, exist_ok=True)
    for kind in KEY_KINDS:
        paths.keys(kind).mkdir(exist_ok=True)
    (paths.state / "runtime_dir").write_text(f"{paths.runtime}\n", encoding="utf-8")
    paths.runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
    if paths.runtime.stat().st_uid != os.getuid():
        raise LabError(f"{paths.runtime} belongs to somebody else; remove it or set XDG_RUNTIME_DIR")
    for machine in topology.vms.values():
        longest = paths.vm(machine.name).port_socket(len(machine.nics))
        if len(os.fsencode(longest)) > SOCKET_PATH_BYTES:
            raise LabError(f"{longest} is too long for a socket; set XDG_RUNTIME_DIR to a shorter directory")
    keys.ensure_key(paths.client_key, f"lab {topology.name}")


def _start_all(
    topology: Topology,
    images: Mapping[str, image.Image],
    accelerator: accel.Accelerator,
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
        definition = vm.Definition.of(machine, files, images[machine.image], seed, accelerator)
        record = vm.read_record(files)
        if record is not None and record.definition == definition and vm.is_running(files):
            ports[name] = record.ssh_port
            progress.done(name, "already running")
            continue
        if vm.power_off(files):
            progress.done(name, "stopped, its definition has changed")
        taken = {*ports.values(), *_other_ports(paths, name)}
        if record is None or not record.definition.same_disk(definition) or not files.overlay.is_file():
            vm.create(files, images[machine.image], seed)
            record = vm.Record(definition, vm.free_port(taken))
        record = vm.Record(definition, record.ssh_port)
        ports[name] = vm.start(machine, files, images[machine.image], accelerator, record, taken)
        progress.step(name, "started")
    return ports


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


def _in_parallel(tasks: Mapping[str, Callable[[threading.Event], object]]) -> None:
    """Run all tasks, each in a thread, and raise all their `LabError`s as one.

    The event that each gets is set when the user interrupts, and the interrupt is raised again when all have ended.
    """
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=len(tasks)) as pool:
        futures = [pool.submit(task, stop) for task in tasks.values()]
        try:
            wait(futures)
        except BaseException:
            stop.set()
            raise
    errors = [error for future in futures if (error := future.exception()) is not None]
    for error in errors:
        if not isinstance(error, LabError):
            raise error
    if errors:
        raise LabError(*(problem for error in errors if isinstance(error, LabError) for problem in error.problems))


def lab_is_up(name: str) -> LabPaths:
    """Return the files of the lab ``name``.

    Raises:
        LabError: it is not up.
    """
    paths = lab_paths(name)
    if not paths.connection.is_file() or not process.is_running(paths.wire_pid, str(paths.wire_config)):
        raise LabError(f"the lab {name} is not up; run: python -m lab up {name}")
    return paths

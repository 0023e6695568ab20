"""Start and stop the Docker engine of this checkout's tests.

A daemon that is there already is used if it can run the tests' containers. Otherwise a private one is started, in
namespaces of its own (network, mounts, processes): the machine's network rules, mounts and containers stay as they are,
and everything of the engine ends with the one process that holds the namespaces.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from lab import process
from lab.errors import LabError
from lab.progress import Progress

from . import client, oci_runtime
from .docker import Docker, find_program
from .images import Recipe, build, load_recipes
from .paths import CALLBACKS_DIR, EnginePaths, engine_paths, image_cache_dir
from .trial import why_unusable

ANSWER_LIMIT_S = 60
STOP_LIMIT_S = 15
POLL_S = 0.2
LOG_LINES = 25
CGROUP_ROOT = Path("/sys/fs/cgroup")
# First process in the namespaces: hides a containerd of the machine, starts the daemon, hands it the signal to stop, and
# reaps orphans. Its argument "$0" is the engine's tag, by which the process is recognised.
INIT = """
set -eu
ip link set lo up
mkdir -p /run/containerd
mount -t tmpfs xgn-containerd /run/containerd
"$@" &
daemon=$!
trap 'kill -TERM $daemon' TERM
while kill -0 $daemon 2>/dev/null; do wait $daemon || :; done
"""


@dataclass(frozen=True)
class Engine:
    """An engine that runs.

    Parameters:
        docker: how to talk to it.
        private: whether it is ours, and not one that was there before.
    """

    docker: Docker
    private: bool

    def environment(self, paths: EnginePaths) -> dict[str, str]:
        """Return the variables that molecule and its tools need to find it, and Ansible what makes it faster."""
        # Ansible and pytest lie beside the interpreter, also where the virtual environment is not activated.
        places = (str(paths.bin), str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))
        return {"DOCKER_HOST": self.docker.host, "PATH": ":".join(places), "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS_DIR)}


def start(progress: Progress, paths: EnginePaths | None = None, *, build_images: Collection[str] = ()) -> Engine:
    """Make sure that the images are built and an engine runs that holds them.

    Parameters:
        progress: where it is shown.
        paths: the engine's files.
        build_images: the images that can build from source which are needed.

    Raises:
        LabError: no engine can be had; with the reason.
    """
    paths = paths or engine_paths()
    recipes = [recipe for recipe in load_recipes() if recipe.kind == "debian" or recipe.image in build_images]
    tarballs = {recipe: build(recipe, image_cache_dir(), progress) for recipe in recipes}
    with _locked(paths):
        engine = _recorded(paths)
        if engine is not None:
            _load(engine.docker, tarballs, progress)
            return engine
        # Nothing answers: what lies there is left by an interrupted start or a killed engine.
        _remove(paths)
        paths.runtime.mkdir(mode=0o700)
        refusals = []
        # One after the other: the private daemon is started only if no other can be used.
        for attempt in (lambda: _existing(paths), lambda: _private(paths, progress)):
            candidate: Engine | str | None = attempt()
            if isinstance(candidate, str):
                refusals.append(candidate)
                continue
            if candidate is None:
                continue
            _load(candidate.docker, tarballs, progress)
            reason = why_unusable(candidate.docker, recipes[0].image, f"{paths.tag}-trial")
            if reason is None:
                _record(paths, candidate)
                progress.done("engine", f"{'private' if candidate.private else 'existing'} daemon at {candidate.docker.host}")
                return candidate
            refusals.append(f"{candidate.docker.host}: {reason}")
        _remove(paths)
        raise LabError("no Docker engine can run the tests' containers:", *refusals)


def stop(paths: EnginePaths | None = None) -> bool:
    """Stop the private engine and remove all it left; return whether there was one."""
    paths = paths or engine_paths()
    with _locked(paths):
        return _remove(paths)


def status(paths: EnginePaths | None = None) -> Engine | None:
    """Return the engine of this checkout, if one answers."""
    return _recorded(paths or engine_paths())


def _existing(paths: EnginePaths) -> Engine | None:
    """Return the daemon that DOCKER_HOST or Docker's default names, if it answers."""
    program = find_program("docker")
    if program is None:
        return None
    docker = Docker(program, os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    if not docker.answers():
        return None
    _link_client(paths, program)
    return Engine(docker, private=False)


def _private(paths: EnginePaths, progress: Progress) -> Engine | str:
    """Start a private daemon, or return why that is impossible."""
    if os.geteuid() != 0:
        return "a private daemon needs root"
    programs = {name: find_program(name) for name in ("dockerd", "runc", "unshare", "ip", "mount")}
    missing = [name for name, path in programs.items() if path is None]
    if missing:
        return f"a private daemon needs {', '.join(missing)}: install the packages docker.io, iproute2 and util-linux"
    progress.step("engine", "starting a private daemon")
    _write_config(paths, str(programs["runc"]))
    init = process.start_detached(
        [
            *(str(programs["unshare"]), "--net", "--mount-proc", "--mount", "--pid", "--fork", "--kill-child", "--"),
            *("/bin/sh", "-c", INIT, paths.tag, str(programs["dockerd"]), f"--config-file={paths.config}"),
        ],
        paths.log,
    )
    paths.pid_file.write_text(f"{init.pid}\n", encoding="ascii")
    docker = _wait_for_answer(paths, init)
    if docker is None:
        return f"the private daemon does not answer; its log ends with:\n{process.tail(paths.log, LOG_LINES)}"
    _write_client(paths, docker.client, init.pid)
    return Engine(docker, private=True)


def _wait_for_answer(paths: EnginePaths, init: subprocess.Popen[bytes]) -> Docker | None:
    """Wait until the daemon answers one of the machine's clients; an old or a new client may not fit it."""
    host = f"unix://{paths.socket}"
    found = (Path("/usr/bin/docker"), find_program("docker"))
    clients = list(dict.fromkeys(path for path in found if path is not None and path.exists()))
    if not clients:
        raise LabError("the docker client is missing: install the package docker.io (Debian 13: docker-cli)")
    deadline = time.monotonic() + ANSWER_LIMIT_S
    while time.monotonic() < deadline and init.poll() is None:
        if paths.socket.exists():
            for client in clients:
                docker = Docker(client, host)
                if docker.answers():
                    return docker
        time.sleep(POLL_S)
    return None


def _write_config(paths: EnginePaths, runc: str) -> None:
    """Write what the private daemon needs; a configuration of the machine's own Docker is not read."""
    lacking = oci_runtime.missing(oci_runtime.STATUS.read_text(encoding="ascii"))
    if lacking:
        paths.oci_runtime.write_text(oci_runtime.script(runc, lacking), encoding="utf-8")
        paths.oci_runtime.chmod(0o755)
    config = {
        "hosts": [f"unix://{paths.socket}"],
        "data-root": str(paths.runtime / "data"),
        "exec-root": str(paths.runtime / "exec"),
        "pidfile": str(paths.runtime / "dockerd.pid"),
        "runtimes": {"xgn": {"path": str(paths.oci_runtime) if lacking else runc}},
        "default-runtime": "xgn",
        # systemd of the machine cannot manage processes of another PID namespace.
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "cgroup-parent": f"/{paths.tag}",
        # Containers talk to each other over bridges; nothing leaves, so nothing needs rules or translation.
        "iptables": False,
        "ip-masq": False,
        "userland-proxy": False,
    }
    paths.config.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _link_client(paths: EnginePaths, program: Path) -> None:
    """Make this client the one that Ansible and testinfra find."""
    paths.bin.mkdir(exist_ok=True)
    (paths.bin / "docker").symlink_to(program)


def _write_client(paths: EnginePaths, program: Path, holder: int) -> None:
    """Make a client of the private daemon, who spares it most of its work, the one that Ansible and testinfra find."""
    paths.bin.mkdir(exist_ok=True)
    # The holder itself has stayed in the machine's own process namespace.
    (inside,) = Path(f"/proc/{holder}/task/{holder}/children").read_text(encoding="ascii").split()
    (paths.bin / "docker").write_text(client.script(program, paths.runtime / "exec", int(inside)), encoding="utf-8")
    (paths.bin / "docker").chmod(0o755)


def _load(docker: Docker, tarballs: dict[Recipe, Path], progress: Progress) -> None:
    for recipe, tarball in tarballs.items():
        if not docker.has_image(recipe.image, recipe.digest):
            progress.step("engine", f"importing {recipe.image}")
            docker.import_image(tarball, recipe.image, recipe.digest)


def _record(paths: EnginePaths, engine: Engine) -> None:
    content = {"client": str(engine.docker.client), "host": engine.docker.host, "private": engine.private}
    paths.state.write_text(json.dumps(content) + "\n", encoding="utf-8")


def _recorded(paths: EnginePaths) -> Engine | None:
    try:
        content = json.loads(paths.state.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    engine = Engine(Docker(Path(content["client"]), content["host"]), content["private"])
    return engine if engine.docker.answers() else None


def _remove(paths: EnginePaths) -> bool:
    """End the private daemon, if one runs, and remove its files."""
    if not paths.runtime.exists():
        return False
    if paths.runtime.stat().st_uid != os.geteuid():
        raise LabError(f"{paths.runtime} belongs to another user")
    running = process.find(paths.pid_file, paths.tag)
    if running is not None:
        with running:
            _end(paths, running)
    _remove_cgroups(paths.tag)
    shutil.rmtree(paths.runtime)
    return running is not None


def _end(paths: EnginePaths, running: process.Running) -> None:
    """End containers and daemon in good order; whatever is left dies with the holder of the PID namespace."""
    engine = _recorded(paths)
    # Never the containers of a daemon that is not ours.
    if engine is not None and engine.private:
        containers = engine.docker.run("ps", "--all", "--quiet").stdout.split()
        if containers:
            engine.docker.run("rm", "--force", *containers)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text(encoding="ascii").split()
    for child in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGTERM)
    if not running.ended(STOP_LIMIT_S):
        running.stop()


def _remove_cgroups(tag: str) -> None:
    """Remove the control groups that a killed daemon left; they hold no process any more."""
    for top in (CGROUP_ROOT / tag, *CGROUP_ROOT.glob(f"*/{tag}")):
        for directory, _names, _files in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)


@contextlib.contextmanager
def _locked(paths: EnginePaths) -> Iterator[None]:
    """Let one start or stop at a time through."""
    descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)

"""Where the lab keeps its things."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

PACKAGE_DIR = Path(__file__).resolve().parent
TOPOLOGY_DIR = PACKAGE_DIR / "topologies"
RECIPE_DIR = PACKAGE_DIR / "images"
ARCHIVE_DIR = PACKAGE_DIR / "archives"
KERNEL_DIR = PACKAGE_DIR / "kernels"
LABS_DIR = PACKAGE_DIR.parent / "build" / "lab"
# What the product records of the hosts on the controller, which for a lab does not belong beside the inventory: variable that names the directory, and
# the directory's name.
RECORDS = {"openvpn_key_registry": "openvpn_keys", "wireguard_key_registry": "wireguard_keys", "xgn_applied_directory": "applied"}


def image_cache_dir() -> Path:
    """Return the directory that holds built images; it is shared by every checkout of the user."""
    return _cache_dir() / "images"


def kernel_cache_dir() -> Path:
    """Return the directory that holds kernels for User Mode Linux, built or taken; shared like the images."""
    return _cache_dir() / "kernels"


def _cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "xuegao-net"


def runtime_dir_for(state_dir: Path) -> Path:
    """Return a short directory for the sockets of the lab in ``state_dir``.

    A unix socket's path must stay below 108 bytes, which a deep checkout would break; so the sockets live apart,
    told from other labs' by a hash of the state directory.
    """
    tag = hashlib.sha256(str(state_dir).encode()).hexdigest()[:10]
    base = os.environ.get("XDG_RUNTIME_DIR")
    if base and len(base) < 40 and Path(base).is_dir():
        return Path(base) / f"xgn-lab-{tag}"
    return Path("/tmp") / f"xgn-lab-{os.getuid()}-{tag}"


@dataclass(frozen=True)
class VmPaths:
    """Files of one virtual machine below the lab's state directory."""

    directory: Path
    runtime: Path
    name: str

    @property
    def overlay(self) -> Path:
        """The machine's own disk under QEMU, a qcow2 overlay over the image."""
        return self.directory / "overlay.qcow2"

    @property
    def cow(self) -> Path:
        """The machine's own disk under User Mode Linux: what differs from the image."""
        return self.directory / "disk.cow"

    @property
    def seed(self) -> Path:
        """The tar archive that makes this machine different from others."""
        return self.directory / "seed.tar"

    @property
    def console(self) -> Path:
        """Everything the guest wrote to its serial console."""
        return self.directory / "console.log"

    @property
    def log(self) -> Path:
        """What the programs that run the machine say themselves."""
        return self.directory / "machine.log"

    @property
    def marker(self) -> str:
        """Text that the command lines of this machine's processes hold, and no others."""
        return f"{self.directory}{os.sep}"

    @property
    def pid_file(self) -> Path:
        """The process id of the machine."""
        return self.directory / "machine.pid"

    @property
    def management_pid_file(self) -> Path:
        """The process id of the program that leads to the machine's ssh, where that is one of its own."""
        return self.directory / "management.pid"

    @property
    def definition(self) -> Path:
        """What the machine was created from, to notice changes."""
        return self.directory / "definition.json"

    @property
    def host_key(self) -> Path:
        """The guest's private ssh host key; the public one lies beside it."""
        return self.directory / "ssh_host_ed25519_key"

    @property
    def qmp(self) -> Path:
        """QEMU's control socket."""
        return self.runtime / f"{self.name}.qmp"

    def management_socket(self, end: str) -> Path:
        """The wire process's socket for one end of the management network: "machine", or the "network" behind it."""
        return self.runtime / f"{self.name}.m{end[0]}"

    def nic_socket(self, index: int) -> Path:
        """The datagram socket on which QEMU receives frames for the wire NIC ``index``."""
        return self.runtime / f"{self.name}.{index}"

    def port_socket(self, index: int) -> Path:
        """The wire process's socket for the wire NIC ``index``."""
        return self.runtime / f"{self.name}.{index}w"


@dataclass(frozen=True)
class LabPaths:
    """Files of one lab."""

    state: Path
    runtime: Path

    @property
    def connection(self) -> Path:
        """The Ansible inventory with the connection variables."""
        return self.state / "connection.yml"

    @property
    def on_the_wire(self) -> Path:
        """The Ansible inventory of the machines that the controller reaches over a wire; it goes behind `connection`."""
        return self.state / "on_the_wire.yml"

    @property
    def controller(self) -> Path:
        """Which ports lead to which machine over the wire that the controller stands on, and the program that does it."""
        return self.state / "controller.json"

    @property
    def controller_pid(self) -> Path:
        """The process id of the program that stands on that wire."""
        return self.state / "controller.pid"

    @property
    def controller_log(self) -> Path:
        """What it says."""
        return self.state / "controller.log"

    @property
    def controller_socket(self) -> Path:
        """The wire process's socket for it."""
        return self.runtime / "controller"

    def record(self, variable: str) -> Path:
        """Directory in which the product may record something of this lab's hosts; variable: one of RECORDS."""
        return self.state / RECORDS[variable]

    @property
    def client_key(self) -> Path:
        """The private ssh key that opens every machine of the lab."""
        return self.state / "ssh" / "client_key"

    @property
    def known_hosts(self) -> Path:
        """The machines' ssh host keys."""
        return self.state / "ssh" / "known_hosts"

    @property
    def wire_config(self) -> Path:
        """What the wire process connects."""
        return self.state / "wires.json"

    @property
    def wire_pid(self) -> Path:
        """The process id of the wire process, written by itself."""
        return self.state / "wires.pid"

    @property
    def wire_log(self) -> Path:
        """Standard output and error of the wire process."""
        return self.state / "wires.log"

    @property
    def wire_control(self) -> Path:
        """The wire process's control socket."""
        return self.runtime / "control"

    @property
    def snapshots_dir(self) -> Path:
        """Directory with one directory for each snapshot."""
        return self.state / "snapshots"

    @property
    def vms_dir(self) -> Path:
        """Directory with one directory for each machine."""
        return self.state / "vms"

    def vm(self, name: str) -> VmPaths:
        """Return the files of the machine ``name``."""
        return VmPaths(self.vms_dir / name, self.runtime, name)


def lab_paths(name: str, labs_dir: Path = LABS_DIR) -> LabPaths:
    """Return the files of the lab ``name``.

    The runtime directory is recorded at the first use, because XDG_RUNTIME_DIR may differ from one call to the next.
    """
    state = labs_dir / name
    record = state / "runtime_dir"
    if record.is_file():
        runtime = Path(record.read_text(encoding="utf-8").strip())
        # A user's runtime directory is gone after a reboot, if nobody has logged in since.
        if runtime.parent.is_dir():
            return LabPaths(state, runtime)
    return LabPaths(state, runtime_dir_for(state))

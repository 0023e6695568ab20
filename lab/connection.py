"""How to reach the machines: for Ansible as an inventory, for a person as an ssh command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from lab.paths import RECORDS, LabPaths


def inventory(paths: LabPaths, ports: Mapping[str, int], archives: Mapping[str, Path]) -> dict[str, Any]:
    """Return the Ansible inventory of the lab: connection variables, and where on this controller something is.

    Parameters:
        paths: the lab's files.
        ports: machine -> port of 127.0.0.1 that leads to its ssh.
        archives: name -> path of each root file system for containers; it becomes variable ``NAME_archive``.
    """
    return {
        "all": {
            "hosts": _hosts(paths, ports),
            "vars": {
                **{variable: str(paths.record(variable)) for variable in RECORDS},
                # Emulated machines on a busy controller; the default is for real ones.
                "xgn_way_back_seconds": 600,
                **{f"{name}_archive": str(path) for name, path in archives.items()},
            },
        }
    }


def write_inventory(paths: LabPaths, ports: Mapping[str, int], archives: Mapping[str, Path] = MappingProxyType({})) -> None:
    """Write `inventory` to the lab's connection.yml, all at once."""
    _write(paths.connection, inventory(paths, ports, archives))


def write_on_the_wire(paths: LabPaths, ports: Mapping[str, int]) -> None:
    """Write the inventory of the machines that the controller reaches over the wire it stands on; none without such a place."""
    if ports:
        _write(paths.on_the_wire, {"all": {"hosts": _hosts(paths, ports)}})
    else:
        paths.on_the_wire.unlink(missing_ok=True)


def _hosts(paths: LabPaths, ports: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    return {
        name: {
            "ansible_host": "127.0.0.1",
            "ansible_port": port,
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(paths.client_key),
            "ansible_ssh_common_args": " ".join(_host_key_options(paths)),
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        for name, port in ports.items()
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    """Write an inventory, all at once."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(
        "# Written by python -m lab up; do not edit.\n" + yaml.safe_dump(content, sort_keys=False, width=1000), encoding="utf-8"
    )
    fresh.rename(path)


def ssh_command(paths: LabPaths, port: int) -> list[str]:
    """Return the ssh command that logs in as root; add a command for the guest to it."""
    return [
        "ssh", "-F", "none", "-p", str(port), "-i", str(paths.client_key),
        "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR",
        *_host_key_options(paths), "root@127.0.0.1",
    ]  # fmt: skip


def _host_key_options(paths: LabPaths) -> list[str]:
    return ["-o", f"UserKnownHostsFile={paths.known_hosts}", "-o", "StrictHostKeyChecking=yes"]

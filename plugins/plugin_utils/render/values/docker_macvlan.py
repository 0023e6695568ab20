# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the template of role docker_macvlan prints, and the networks and containers as community.docker takes them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import (
    DockerMacvlanContainer,
    DockerMacvlanNetwork,
    DockerMacvlanNetworkSubnet,
    HostVariables,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.plain_values import plain
from ansible_collections.xuegao.net.plugins.plugin_utils.render.unit_record import record_command

# Of the characters of an interface, those that a part of a path has not in the name of a unit.
_NOT_OF_UNITS = re.compile("[^A-Za-z0-9_.]|^[.]")
# What keeps the daemon away from the network. Forwarding is set by role sysctl before Docker starts, and is nobody else's affair.
QUIET = {"iptables": False, "ip6tables": False, "ip-forward": False, "bridge": "none"}
# A system container runs systemd and is a router.
_SYSTEM_CAPABILITIES = ["NET_ADMIN", "SYS_ADMIN"]
_SYSTEM_SYSCTLS = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1", "net.ipv6.conf.all.disable_ipv6": "0"}
# systemd writes below /sys/fs/cgroup, which Docker mounts read-only in a container that is not privileged. cgroup v1 has a tree for systemd alone.
_TREES = {"1": "/sys/fs/cgroup/systemd", "2": "/sys/fs/cgroup"}
_INIT = "for tree in {tree}; do mount -o remount,bind,rw $tree || exit 1; done; exec /sbin/init"


class Subnet(TypedDict):
    """One entry of ``ipam_config``."""

    subnet: str
    gateway: NotRequired[str]
    iprange: NotRequired[str]


class Network(TypedDict):
    """A network to make; ``hash`` tells whether a living one was made from the same."""

    name: str
    parent: str
    subnets: list[Subnet]
    ipv6: bool
    hash: NotRequired[str]


class Container(TypedDict):
    """A container with the role's defaults; empty texts and lists are what Docker itself decides. ``hash`` as of a network."""

    name: str
    image: str
    attachment: dict[str, str]
    mac: str
    memory: str
    memory_swap: str
    privileged: bool
    capabilities: list[str]
    sysctls: dict[str, Any]
    volumes: list[str]
    env: dict[str, Any]
    command: list[str]
    system: bool
    hash: NotRequired[str]


class DockerMacvlanValues(TypedDict):
    """What `docker_macvlan_values` returns.

    Attributes:
        config: the daemon's.
        parents: units of the networks' parents, sorted, each once.
        record: the command that records what the daemon reads.
        systems: system containers; those that are it by default first.
        networks: what the role makes.
        containers: what the role makes; only once it is known how this host mounts cgroups, and so is the next.
        compared: what module docker_differences compares with the living objects.
    """

    config: dict[str, Any]
    parents: list[str]
    record: str
    systems: list[str]
    networks: list[Network]
    containers: NotRequired[list[Container]]
    compared: NotRequired[dict[str, list[dict[str, str]]]]


def docker_macvlan_values(
    variables: HostVariables, cgroup_version: str | None = None, archives: Sequence[Mapping[str, Any]] = ()
) -> DockerMacvlanValues:
    """Return what role docker_macvlan needs of its variables.

    Parameters:
        variables: those of the role, ``docker_macvlan_data_root`` among them; what else is not given counts as empty.
        cgroup_version: ``1`` or ``2``, as Docker says.
        archives: what module stat returned of each image's archive: ``item``, the image, and ``stat``.

    Raises:
        ValueError: another version of cgroups.
    """
    networks, containers = variables.get("docker_macvlan_networks", []), variables.get("docker_macvlan_containers", [])
    systems = [item for item in containers if item.get("system", True)]
    found: DockerMacvlanValues = {
        "config": {
            **QUIET,
            "data-root": variables["docker_macvlan_data_root"],
            # Containers outlive a restart of the daemon.
            "live-restore": True,
            **variables.get("docker_macvlan_daemon", {}),
        },
        "parents": [_device_unit(name) for name in sorted({item["parent"] for item in networks}, key=str.lower)],
        "record": record_command(["/etc/docker/daemon.json"]),
        "systems": [item["name"] for item in sorted(systems, key=lambda item: "system" in item)],
        "networks": [made_network(item) for item in networks],
    }
    if cgroup_version is not None:
        _tree(cgroup_version)
        found["containers"] = [made_container(item, cgroup_version) for item in containers]
        found["compared"] = {
            "images": [_image(archive) for archive in archives],
            "networks": [{"name": item["name"], "hash": item["hash"]} for item in found["networks"]],
            "containers": [{"name": item["name"], "hash": item["hash"], "image": item["image"]} for item in found["containers"]],
        }
    return found


def made_container(item: DockerMacvlanContainer, cgroup_version: str) -> Container:
    """Return a container as it is made on a host with this version of cgroups. Raises ValueError for a version that is none."""
    tree, found = _tree(cgroup_version), container_definition(item)
    if found["system"]:
        found["command"] = ["/bin/sh", "-c", _INIT.format(tree=tree)]
    found["hash"] = _hash(found)
    return found


def _tree(cgroup_version: str) -> str:
    if cgroup_version not in _TREES:
        raise ValueError(f"unknown version {cgroup_version!r} of cgroups; valid: {', '.join(_TREES)}")
    return _TREES[cgroup_version]


def container_definition(item: DockerMacvlanContainer) -> Container:
    """Return a container with the role's defaults, but for the command of a system container."""
    system = item.get("system", True)
    attachment = {"name": item["network"]}
    if "ipv4" in item:
        attachment["ipv4_address"] = item["ipv4"]
    if "ipv6" in item:
        attachment["ipv6_address"] = item["ipv6"]
    return {
        "name": item["name"],
        "image": item["image"],
        "attachment": attachment,
        "mac": item.get("mac", ""),
        "memory": item.get("memory", "512m"),
        "memory_swap": item.get("memory_swap", "768m"),
        "privileged": item.get("privileged", False),
        "capabilities": [*item.get("capabilities", []), *(_SYSTEM_CAPABILITIES if system else [])],
        "sysctls": {**(_SYSTEM_SYSCTLS if system else {}), **item.get("sysctls", {})},
        "volumes": item.get("volumes", []),
        "env": item.get("env", {}),
        "command": item.get("command", []),
        "system": system,
    }


def made_network(item: DockerMacvlanNetwork) -> Network:
    """Return a network as it is made."""
    subnets = [_subnet(subnet) for subnet in item["subnets"]]
    ipv6 = any(":" in subnet["subnet"] for subnet in subnets)
    found: Network = {"name": item["name"], "parent": item["parent"], "subnets": subnets, "ipv6": ipv6}
    found["hash"] = _hash(found)
    return found


def _subnet(item: DockerMacvlanNetworkSubnet) -> Subnet:
    found: Subnet = {"subnet": item["subnet"]}
    if "gateway" in item:
        found["gateway"] = item["gateway"]
    if "ip_range" in item:
        found["iprange"] = item["ip_range"]
    return found


def _device_unit(interface: str) -> str:
    """Return systemd's unit of an interface, escaped as unit names are (systemd.unit(5)): a hyphen would stand for a slash of the path."""
    escaped = _NOT_OF_UNITS.sub(lambda found: f"\\x{ord(found[0]):02x}", interface)
    return f"sys-subsystem-net-devices-{escaped}.device"


def _hash(definition: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a definition's JSON text. Living objects carry it as a label: another text makes them anew."""
    return hashlib.sha256(json.dumps(plain(definition), sort_keys=True).encode()).hexdigest()


def _image(archive: Mapping[str, Any]) -> dict[str, str]:
    # An archive that is not there is told by the step that would load it.
    missing = f"missing: {archive['item']['archive']}"
    return {"name": archive["item"]["name"], "sha256": archive["stat"].get("checksum", missing)}

# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read Docker's networks and containers over its API, the daemon's file, and the packet filter it must leave alone. Nothing is changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.docker_api import LABEL, Docker, DockerError, full_name
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer, first_line, part
from ansible_collections.xuegao.net.plugins.module_utils.loaded import digest_of_text
from ansible_collections.xuegao.net.plugins.module_utils.waiting import wait_until

CONFIG = "/etc/docker/daemon.json"
PATIENCE_S = 20
POLL_S = 1.0
# What systemd says of itself once it has booted (systemctl(1), is-system-running).
BOOTED = ("running", "degraded", "maintenance")


def gather_docker(gatherer: Gatherer, systems: Sequence[str], wait: float = 0, docker: Docker | None = None) -> dict[str, dict[str, Any]]:
    """Give parts ``docker`` and ``packet_filter`` (the chains of iptables, both families).

    ``docker`` is ``root, live_restore, cgroup_version, config`` (of daemon.json), ``networks`` by name (``driver, parent, subnets, gateways,
    declared``, the hash of what it was made from) and ``containers`` by name
    (``declared, running, error, image, current`` (id of the image the name means now)``, networks`` with addresses``, macs, memory, memory_swap, restart,
    privileged, capabilities, sysctls, volumes, environment`` (digests of its values by name)``, systemd``). ``systems`` names the containers
    whose systemd is asked, for ``wait`` seconds while they boot.
    """
    api = docker or Docker(timeout=PATIENCE_S)
    try:
        found = part("docker inspect", data=read_docker(api))
    except (DockerError, ValueError, KeyError, TypeError) as error:
        found = part("docker inspect", error=str(error))
    else:
        running = [name for name in systems if found["data"]["containers"].get(name, {}).get("running")]
        with ThreadPoolExecutor(max_workers=8) as pool:
            states = pool.map(lambda name: systemd_state(gatherer, name, wait), running)
        for name, state in zip(running, states):
            found["data"]["containers"][name]["systemd"] = state
    return {"docker": found, "packet_filter": read_chains(gatherer)}


def systemd_state(gatherer: Gatherer, name: str, wait: float) -> str:
    """What systemd in a container says of itself, ``running``, ``degraded`` and so on, when it has booted or after ``wait`` seconds."""

    def look() -> str:
        done = gatherer.run(["docker", "exec", name, "systemctl", "is-system-running"], timeout=PATIENCE_S)
        return first_line(done.out or done.problem or done.err) or "silent"

    return wait_until(look, lambda state: state in BOOTED, wait, POLL_S)


def read_docker(api: Docker) -> dict[str, Any]:
    """Read all of it. Raises DockerError when the daemon does not answer."""
    info = api.get("/info")
    images = api.images()
    containers = {}
    for item in api.get("/containers/json", all="1"):
        details = api.get("/containers/%s/json" % item["Id"])
        if details is not None:
            containers[details["Name"].lstrip("/")] = container(details, images)
    return {
        "root": info.get("DockerRootDir"),
        "live_restore": info.get("LiveRestoreEnabled"),
        "cgroup_version": info.get("CgroupVersion"),
        "config": json.loads(read_text(CONFIG) or "{}"),
        "networks": {item["Name"]: network(item) for item in api.get("/networks")},
        "containers": containers,
    }


def network(item: dict[str, Any]) -> dict[str, Any]:
    """What a check needs of a network."""
    pools = (item.get("IPAM") or {}).get("Config") or []
    return {
        "driver": item.get("Driver"),
        "parent": (item.get("Options") or {}).get("parent"),
        "subnets": sorted(pool["Subnet"] for pool in pools),
        "gateways": sorted(pool["Gateway"] for pool in pools if pool.get("Gateway")),
        "declared": (item.get("Labels") or {}).get(LABEL),
    }


def container(item: dict[str, Any], images: dict[str, str]) -> dict[str, Any]:
    """What a check needs of a container."""
    limits = item["HostConfig"]
    attached = item["NetworkSettings"]["Networks"] or {}
    return {
        "declared": (item["Config"].get("Labels") or {}).get(LABEL),
        "running": item["State"]["Running"],
        "error": item["State"].get("Error") or item["State"]["Status"],
        "image": item["Image"],
        "name_of_image": item["Config"]["Image"],
        "current": images.get(full_name(item["Config"]["Image"])),
        "networks": {
            name: sorted(address for address in (entry.get("IPAddress"), entry.get("GlobalIPv6Address")) if address)
            for name, entry in attached.items()
        },
        "macs": sorted(entry["MacAddress"].lower() for entry in attached.values() if entry.get("MacAddress")),
        "memory": limits.get("Memory"),
        "memory_swap": limits.get("MemorySwap"),
        "restart": (limits.get("RestartPolicy") or {}).get("Name"),
        "privileged": limits.get("Privileged"),
        "capabilities": sorted(name.removeprefix("CAP_") for name in limits.get("CapAdd") or []),
        "sysctls": limits.get("Sysctls") or {},
        "volumes": sorted(limits.get("Binds") or []),
        "environment": environment(item["Config"].get("Env") or []),
        "systemd": None,
    }


def environment(settings: Sequence[str]) -> dict[str, str]:
    """Digests of the values of an environment by name: the values may be secrets, and stay here. settings: as C(NAME=VALUE)."""
    return {name: digest_of_text(value) for name, _equals, value in (text.partition("=") for text in settings)}


def read_chains(gatherer: Gatherer) -> dict[str, Any]:
    """Give the chains of iptables and ip6tables as ``iptables TABLE CHAIN POLICY``."""
    chains = []
    for program in ("iptables", "ip6tables"):
        done = gatherer.run([program + "-save"], timeout=PATIENCE_S)
        if done.problem or done.rc != 0:
            return part("iptables-save; ip6tables-save", error=done.problem or done.err.strip() or "exit status %d" % done.rc)
        table = ""
        for line in done.out.splitlines():
            if line.startswith("*"):
                table = line[1:]
            elif line.startswith(":"):
                chains.append(" ".join([program, table, *line[1:].split()[:2]]))
    return part("iptables-save; ip6tables-save", data=chains)

# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of Docker: a daemon that leaves the network alone, networks on their parents, containers with their addresses and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import DockerMacvlanContainer, DockerMacvlanNetwork
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.docker_macvlan import QUIET, container_definition
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.ledger import Ledger, Variables, Verdict, canonical_address, same, same_set

Live = Mapping[str, Any]
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def docker_asked(variables: Variables) -> dict[str, Any] | None:
    """Return what module ``live_state`` is asked of Docker; nothing on a host that declares nothing for it."""
    if not is_declared("docker_macvlan", variables):
        return None
    return {"containers": [item["name"] for item in variables.get("docker_macvlan_containers", []) if container_definition(item)["system"]]}


def check_docker(ledger: Ledger, variables: Variables) -> None:
    """Check the daemon, every network, and every container."""
    if not is_declared("docker_macvlan", variables):
        return
    root = variables.get("docker_macvlan_data_root", "/data/docker")
    ledger.judge("Docker leaves the network alone", "cat /etc/docker/daemon.json; docker network ls", "docker", _alone)
    ledger.judge("Docker has no chain in the packet filter", "iptables-save; ip6tables-save", "packet_filter", _no_chain)
    ledger.judge("Docker data directory", "docker info", "docker", lambda live: same(root, live["root"]))
    ledger.judge("Docker live-restore", "docker info", "docker", lambda live: same(True, live["live_restore"]))
    for item in variables.get("docker_macvlan_networks", []):
        _check_network(ledger, item)
    for declared in variables.get("docker_macvlan_containers", []):
        _check_container(ledger, declared)


def _alone(live: Live) -> Verdict:
    """Test the daemon's file, and that Docker's own bridge does not exist."""
    wrong = [f"{key} is {live['config'].get(key)}, expected {value}" for key, value in QUIET.items() if live["config"].get(key) != value]
    if "bridge" in live["networks"]:
        wrong.append("the network bridge exists: the daemon was not restarted with bridge none")
    return not wrong, "; ".join(wrong) or "no bridge, no rules, no forwarding of its own"


def _no_chain(chains: list[str]) -> Verdict:
    found = [chain for chain in chains if chain.split()[2].startswith("DOCKER")]
    if found:
        return (
            False,
            f"found {', '.join(found)}, expected none: rules of a daemon that ran without iptables false stay until they are removed",
        )
    return True, ", ".join(f"{chain.split()[0]} FORWARD {chain.split()[3]}" for chain in chains if chain.split()[2] == "FORWARD") or "empty"


def _check_network(ledger: Ledger, item: DockerMacvlanNetwork) -> None:
    name, parent = item["name"], item["parent"]

    def network(live: Live) -> Verdict:
        found = live["networks"].get(name)
        return same("nothing" if found is None else f"macvlan on {parent}", "nothing" if found is None else _described(found))

    def exists(live: Live) -> Verdict:
        return (False, f"no network {name}, expected macvlan on {parent}") if name not in live["networks"] else network(live)

    show = f"docker network inspect {name}"
    ledger.judge(f"Docker network {name} on {parent}", show, "docker", exists)
    subnets = [entry["subnet"] for entry in item["subnets"] if entry.get("subnet")]
    gateways = [entry["gateway"] for entry in item["subnets"] if entry.get("gateway")]
    for title, wanted in (("subnets", subnets), ("gateways", gateways)):
        ledger.judge(
            f"Docker network {name} {title}",
            show,
            "docker",
            lambda live, w=wanted, t=title: same_set(w, live["networks"].get(name, {}).get(t, [])),
        )
    if item.get("mtu"):
        ledger.judge(
            f"Docker network {name} MTU",
            f"ip link show dev {parent}",
            "links",
            lambda links: same(item["mtu"], links.get(parent, {}).get("mtu")),
        )


def _described(found: Mapping[str, Any]) -> str:
    return f"{found['driver']} on {found['parent']}"


def _check_container(ledger: Ledger, item: DockerMacvlanContainer) -> None:
    name, show = item["name"], f"docker inspect {item['name']}"
    made = container_definition(item)

    def of(live: Live) -> Mapping[str, Any]:
        found: Mapping[str, Any] = live["containers"].get(name, {})
        return found

    def running(live: Live) -> Verdict:
        found = of(live)
        if not found:
            return False, f"no container {name}"
        if not found["running"]:
            return False, f"found {found['error']}, expected running"
        if found["current"] not in (None, found["image"]):
            return False, f"runs another image than {item['image']} means now"
        return True, f"running {found['name_of_image']}"

    ledger.judge(f"Docker container {name} running", f"docker ps --filter name={name}", "docker", running)
    if made["system"]:
        ledger.judge(
            f"Docker container {name} systemd",
            f"docker exec {name} systemctl is-system-running",
            "docker",
            lambda live: same("running", of(live).get("systemd")),
        )
    wanted = [f"{item['network']} {canonical_address(item[key])}" for key in ("ipv4", "ipv6") if item.get(key)]
    ledger.judge(f"Docker container {name} addresses", show, "docker", lambda live: _addresses(wanted, item["network"], of(live)))
    for key, limit in (("memory", made["memory"]), ("memory_swap", made["memory_swap"])):
        ledger.judge(
            f"Docker container {name} {key.replace('_', ' and ')}",
            show,
            "docker",
            lambda live, k=key, w=limit: same(_bytes(w), of(live).get(k), " bytes"),
        )
    ledger.judge(f"Docker container {name} restarts always", show, "docker", lambda live: same("always", of(live).get("restart")))
    if not made["privileged"]:
        ledger.judge(f"Docker container {name} not privileged", show, "docker", lambda live: same(False, of(live).get("privileged")))


def _addresses(wanted: list[str], network: str, found: Mapping[str, Any]) -> Verdict:
    """Test that a container is on its network only, with its fixed addresses."""
    live = found.get("networks", {})
    if set(live) != {network}:
        return False, f"found on {', '.join(sorted(live)) or 'no network'}, expected on {network} only"
    if not wanted:
        return True, f"on {network}"
    return same_set(wanted, [f"{network} {address}" for address in live[network]])


def _bytes(text: str) -> int:
    """Return a size as Docker writes it, 512m, in bytes."""
    unit = text[-1].lower()
    return int(text[:-1]) * _UNITS[unit] if unit in _UNITS else int(text)

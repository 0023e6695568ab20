# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Checks of Docker: a daemon that leaves the network alone, networks on their parents, containers as declared, limits and rights included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible_collections.xuegao.net.plugins.module_utils.loaded import digest_of_text
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import DockerMacvlanContainer, DockerMacvlanNetwork
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import is_declared
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.docker_macvlan import (
    QUIET,
    container_definition,
    made_container,
    made_network,
)
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
    ledger.judge(
        f"Docker network {name} made of its declaration",
        show,
        "docker",
        lambda live: _made_of(made_network(item)["hash"], live["networks"].get(name, {})),
    )
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
    ledger.judge(
        f"Docker container {name} made of its declaration",
        show,
        "docker",
        lambda live: _made_of(made_container(item, live["cgroup_version"])["hash"], of(live)),
    )
    if made["system"]:
        ledger.judge(
            f"Docker container {name} systemd",
            f"docker exec {name} systemctl is-system-running",
            "docker",
            lambda live: same("running", of(live).get("systemd")),
        )
    wanted = [f"{item['network']} {canonical_address(item[key])}" for key in ("ipv4", "ipv6") if item.get(key)]
    ledger.judge(f"Docker container {name} addresses", show, "docker", lambda live: _addresses(wanted, item["network"], of(live)))
    if made["mac"]:
        wanted_mac = made["mac"].replace("-", ":").lower()
        ledger.judge(f"Docker container {name} MAC", show, "docker", lambda live: same_set([wanted_mac], of(live).get("macs", [])))
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
    capabilities = [text.upper().removeprefix("CAP_") for text in made["capabilities"]]
    ledger.judge(
        f"Docker container {name} capabilities", show, "docker", lambda live: same_set(capabilities, of(live).get("capabilities", []))
    )
    sysctls = [f"{key}={value}" for key, value in made["sysctls"].items()]
    ledger.judge(
        f"Docker container {name} kernel settings",
        show,
        "docker",
        lambda live: same_set(sysctls, [f"{key}={value}" for key, value in of(live).get("sysctls", {}).items()]),
    )
    ledger.judge(
        f"Docker container {name} volumes",
        show,
        "docker",
        lambda live: same_set(_mounts(made["volumes"]), _mounts(of(live).get("volumes", []))),
    )
    if made["env"]:
        ledger.judge(f"Docker container {name} environment", show, "docker", lambda live: _environment(made["env"], of(live)))


def _made_of(wanted: str, found: Mapping[str, Any]) -> Verdict:
    """Test that what lives was made from what is declared now: role docker_macvlan makes it anew when that has changed."""
    if not found:
        return False, "it is not there"
    return (True, "yes") if found["declared"] == wanted else (False, "made of another declaration: one run of site makes it anew")


def _mounts(volumes: Iterable[str]) -> list[str]:
    """Return what is mounted, as Docker lists it; a volume without a name it does not list."""
    return [text if text.count(":") > 1 else text + ":rw" for text in volumes if ":" in text]


def _environment(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Verdict:
    """Test that an environment has what is declared. Of its values only digests come here, and none of them is told."""
    live = found.get("environment", {})
    missing = sorted(name for name in wanted if name not in live)
    other = sorted(name for name, value in wanted.items() if name in live and live[name] != digest_of_text(str(value)))
    wrong = [*(["missing " + ", ".join(missing)] if missing else []), *(["another value of " + ", ".join(other)] if other else [])]
    return not wrong, "; ".join(wrong) or f"as declared: {', '.join(sorted(wanted))}"


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

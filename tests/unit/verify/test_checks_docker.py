"""Docker: what its API answers is read as it is, every check passes on what is declared, and each fails when its subject is broken."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import live_gather_docker as gather
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.render.values.docker_macvlan import made_container, made_network
from ansible_collections.xuegao.net.plugins.plugin_utils.verify.host_checks import gather_arguments, host_checks

VARIABLES: HostVariables = {
    "verify_roles": ["docker_macvlan"],
    "docker_macvlan_networks": [
        {"name": "apps", "parent": "vxlan1000", "mtu": 1500, "subnets": [{"subnet": "10.100.0.0/24", "gateway": "10.100.0.1"}]}
    ],
    "docker_macvlan_containers": [
        {
            "name": "igp",
            "image": "router",
            "network": "apps",
            "ipv4": "10.100.0.9",
            "mac": "02-00-00-00-00-0A",
            "capabilities": ["cap_net_raw"],
            "volumes": ["/srv/igp:/srv", "logs:/var/log:ro", "/scratch"],
            "env": {"TOKEN": "correct-horse", "MODE": "igp"},
        }
    ],
}
NETWORK, CONTAINER = VARIABLES["docker_macvlan_networks"][0], VARIABLES["docker_macvlan_containers"][0]
ANSWERS: dict[str, Any] = {
    "/info": {"DockerRootDir": "/data/docker", "LiveRestoreEnabled": True, "CgroupVersion": "2"},
    "/images/json": [{"Id": "sha256:aa", "RepoTags": ["router:latest"]}, {"Id": "sha256:bb", "RepoTags": None}],
    "/networks": [
        {"Name": "none", "Driver": "null", "Options": {}, "IPAM": {"Config": None}},
        {
            "Name": "apps",
            "Driver": "macvlan",
            "Options": {"parent": "vxlan1000"},
            "IPAM": {"Config": [{"Subnet": "10.100.0.0/24", "Gateway": "10.100.0.1"}]},
            "Labels": {"net.xuegao.declared": made_network(NETWORK)["hash"]},
        },
    ],
    "/containers/json": [{"Id": "c1"}],
    "/containers/c1/json": {
        "Name": "/igp",
        "Image": "sha256:aa",
        "Config": {
            "Image": "router",
            "Labels": {"net.xuegao.declared": made_container(CONTAINER, "2")["hash"]},
            "Env": ["PATH=/bin", "TOKEN=correct-horse", "MODE=igp"],
        },
        "State": {"Running": True, "Status": "running", "Error": ""},
        "HostConfig": {
            "Memory": 512 << 20,
            "MemorySwap": 768 << 20,
            "RestartPolicy": {"Name": "always"},
            "Privileged": False,
            # Docker writes them with their prefix, and volumes with their mode.
            "CapAdd": ["CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"],
            "Sysctls": {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1", "net.ipv6.conf.all.disable_ipv6": "0"},
            "Binds": ["/srv/igp:/srv:rw", "logs:/var/log:ro"],
        },
        "NetworkSettings": {"Networks": {"apps": {"IPAddress": "10.100.0.9", "GlobalIPv6Address": "", "MacAddress": "02:00:00:00:00:0a"}}},
    },
}
SAVED = "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD ACCEPT [0:0]\nCOMMIT\n"


class Api:
    """Answers like Docker."""

    def get(self, path: str, **_query: str) -> Any:
        return ANSWERS[path]

    def images(self) -> dict[str, str]:
        return {tag: item["Id"] for item in ANSWERS["/images/json"] for tag in item["RepoTags"] or []}


def runner(command: list[str], timeout: float) -> Finished:
    return Finished(0, "running\n" if command[0] == "docker" else SAVED, "")


def state() -> dict[str, Any]:
    """Return the live state that fits the variables."""
    found = gather.gather_docker(Gatherer(runner=runner), ["igp"], docker=Api())  # type: ignore[arg-type]
    assert found["docker"]["error"] is None
    config = {"iptables": False, "ip6tables": False, "ip-forward": False, "bridge": "none"}
    found["docker"]["data"]["config"] = config
    return {**found, "links": {"command": "ip", "data": {"vxlan1000": {"mtu": 1500}}, "error": None}}


def failures(live: dict[str, Any]) -> dict[str, str]:
    """Return detail by name of Docker's checks that failed."""
    checks = host_checks("node", VARIABLES, live)
    return {check.name: check.detail for check in checks if check.status == "failed" and check.name.startswith("Docker")}


@pytest.mark.parametrize(
    ("wait", "expected", "asked"), [(5, "running", 3), (0, "Failed to connect to bus", 1)], ids=["while it boots", "not at all"]
)
def test_a_container_that_boots_is_waited_for(monkeypatch: pytest.MonkeyPatch, wait: int, expected: str, asked: int) -> None:
    answers = [Finished(1, "", "Failed to connect to bus\n"), Finished(1, "starting\n", ""), Finished(0, "running\n", "")]
    calls = iter(answers)
    monkeypatch.setattr(gather, "POLL_S", 0.0)
    gatherer = Gatherer(runner=lambda command, timeout: next(calls))
    assert gather.systemd_state(gatherer, "igp", wait) == expected
    assert len(list(calls)) == len(answers) - asked


def test_a_container_that_never_boots_is_given_up() -> None:
    gatherer = Gatherer(runner=lambda command, timeout: Finished(1, "starting\n", ""))
    assert gather.systemd_state(gatherer, "igp", 1.5) == "starting"


def test_arguments() -> None:
    assert gather_arguments(VARIABLES)["wait"] == 60
    assert gather_arguments(VARIABLES)["docker"] == {"containers": ["igp"]}
    assert gather_arguments(VARIABLES | {"verify_roles": []})["docker"] is None
    assert gather_arguments(VARIABLES)["verify_units"] == ["docker.service"]


def test_as_declared() -> None:
    names = [check.name for check in host_checks("node", VARIABLES, state()) if check.name.startswith("Docker")]
    assert len(names) == len(set(names)) == 22
    assert failures(state()) == {}


def igp(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda live: live["docker"]["data"]["containers"]["igp"].update(values)


FAULTS: list[tuple[str, Callable[[dict[str, Any]], Any], str]] = [
    ("Docker leaves the network alone", lambda s: s["docker"]["data"]["config"].pop("iptables"), "iptables is None, expected False"),
    ("Docker leaves the network alone", lambda s: s["docker"]["data"]["networks"].update(bridge={}), "the network bridge exists"),
    (
        "Docker has no chain in the packet filter",
        lambda s: s["packet_filter"]["data"].append("iptables nat DOCKER -"),
        "found iptables nat DOCKER",
    ),
    ("Docker data directory", lambda s: s["docker"]["data"].update(root="/var/lib/docker"), "found /var/lib/docker, expected /data/docker"),
    ("Docker live-restore", lambda s: s["docker"]["data"].update(live_restore=False), "expected True"),
    ("Docker network apps on vxlan1000", lambda s: s["docker"]["data"]["networks"].pop("apps"), "no network apps"),
    ("Docker network apps on vxlan1000", lambda s: s["docker"]["data"]["networks"]["apps"].update(parent="eth0"), "found macvlan on eth0"),
    ("Docker network apps subnets", lambda s: s["docker"]["data"]["networks"]["apps"].update(subnets=[]), "missing 10.100.0.0/24"),
    ("Docker network apps gateways", lambda s: s["docker"]["data"]["networks"]["apps"].update(gateways=[]), "missing 10.100.0.1"),
    ("Docker network apps MTU", lambda s: s["links"]["data"]["vxlan1000"].update(mtu=1450), "found 1450, expected 1500"),
    ("Docker container igp running", lambda s: s["docker"]["data"]["containers"].clear(), "no container igp"),
    ("Docker container igp running", igp(running=False, error="exited"), "found exited, expected running"),
    ("Docker container igp running", igp(current="sha256:cc"), "another image"),
    ("Docker container igp systemd", igp(systemd="degraded"), "found degraded, expected running"),
    ("Docker container igp addresses", igp(networks={"apps": ["10.100.0.7"]}), "missing apps 10.100.0.9"),
    ("Docker container igp addresses", igp(networks={"apps": [], "bridge": []}), "expected on apps only"),
    ("Docker container igp memory", igp(memory=0), "found 0 bytes, expected 536870912 bytes"),
    ("Docker container igp memory and swap", igp(memory_swap=-1), "expected 805306368 bytes"),
    ("Docker container igp restarts always", igp(restart="no"), "found no, expected always"),
    (
        "Docker network apps made of its declaration",
        lambda s: s["docker"]["data"]["networks"]["apps"].update(declared=None),
        "another declaration",
    ),
    ("Docker network apps made of its declaration", lambda s: s["docker"]["data"]["networks"].clear(), "it is not there"),
    ("Docker container igp made of its declaration", igp(declared="0" * 64), "another declaration"),
    ("Docker container igp made of its declaration", lambda s: s["docker"]["data"].update(cgroup_version="1"), "another declaration"),
    ("Docker container igp made of its declaration", lambda s: s["docker"]["data"]["containers"].clear(), "it is not there"),
    ("Docker container igp MAC", igp(macs=["02:00:00:00:00:0b"]), "missing 02:00:00:00:00:0a"),
    ("Docker container igp capabilities", igp(capabilities=["NET_ADMIN", "NET_RAW", "SYS_ADMIN", "SYS_PTRACE"]), "extra SYS_PTRACE"),
    ("Docker container igp kernel settings", igp(sysctls={}), "missing net.ipv4.ip_forward=1"),
    (
        "Docker container igp volumes",
        igp(volumes=["/srv/igp:/srv:ro", "logs:/var/log:ro"]),
        "missing /srv/igp:/srv:rw; extra /srv/igp:/srv:ro",
    ),
    (
        "Docker container igp environment",
        igp(environment=gather.environment(["TOKEN=battery-staple"])),
        "missing MODE; another value of TOKEN",
    ),
    ("Docker container igp not privileged", igp(privileged=True), "found True, expected False"),
]


@pytest.mark.parametrize(("name", "change", "words"), FAULTS, ids=[f"{fault[0]}-{index}" for index, fault in enumerate(FAULTS)])
def test_a_fault_fails_its_check(name: str, change: Callable[[dict[str, Any]], Any], words: str) -> None:
    live = deepcopy(state())
    change(live)
    assert words in failures(live)[name]


def test_no_value_of_an_environment_leaves_its_host() -> None:
    assert "correct-horse" not in repr(state())

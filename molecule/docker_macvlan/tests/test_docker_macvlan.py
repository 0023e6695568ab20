"""Role docker_macvlan: an engine that leaves the network alone, and containers on two hosts in one layer-2 network over VXLAN."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from host_state import link, wait_for

UNITS = ["docker.service", "interface.service"]
DAEMON = {
    "iptables": False,
    "ip6tables": False,
    "ip-forward": False,
    "bridge": "none",
    "data-root": "/data/docker",
    "live-restore": True,
    "shutdown-timeout": 10,
}
# Two system containers boot at the same time, on two cores that others use too.
BOOT_LIMIT_S = 120


def inside(host: Any, container: str, command: str) -> Any:
    """Run a command in a container. On a busy machine runc now and then loses the process that it starts, which says nothing of the container."""
    for _ in range(3):
        found = host.run(f"docker exec {container} {command}")
        if "OCI runtime exec failed" not in found.stdout:
            break
    return found


def inspect(host: Any, name: str) -> dict[str, Any]:
    """Return what Docker knows about a container."""
    (found,) = json.loads(host.check_output("docker inspect %s", name))
    assert isinstance(found, dict)
    return found


def test_daemon(host: Any) -> None:
    """The daemon runs with what is declared, from its first start on: no bridge was ever made, no rule written."""
    assert json.loads(host.file("/etc/docker/daemon.json").content_string) == DAEMON
    unit = host.service("docker.service")
    assert unit.is_enabled
    assert unit.is_running
    info = json.loads(host.check_output("docker info --format '{{json .}}'"))
    assert (info["DockerRootDir"], info["LiveRestoreEnabled"]) == ("/data/docker", True)
    assert not host.interface("docker0").exists
    assert not host.file("/var/lib/docker").exists
    assert host.check_output("docker network ls --quiet --filter name=bridge") == ""


def test_packet_filter_is_untouched(host: Any) -> None:
    """No chain of Docker's; what side_effect.yml has put there is still there."""
    rules = host.check_output("iptables --list-rules").splitlines()
    assert "DOCKER" not in "".join(rules)
    assert [rule for rule in rules if rule.startswith("-P")] == ["-P INPUT ACCEPT", "-P FORWARD ACCEPT", "-P OUTPUT ACCEPT"]
    assert host.check_output("sysctl --values net.ipv4.ip_forward") == "1"


def test_order(host: Any) -> None:
    """Docker starts after the interface layer and after the parent's device."""
    after = host.check_output("systemctl show --property=After --value docker.service").split()
    assert {"interface.service", "sys-subsystem-net-devices-vxlan1000.device"} <= set(after)
    verified = host.run("systemd-analyze verify --man=no docker.service interface.service")
    assert "ordering cycle" not in verified.stderr


def test_system_container_runs_systemd(host: Any) -> None:
    """systemd is up, without privileges beyond the two capabilities."""
    wait_for(lambda: inside(host, "igp", "systemctl is-system-running").stdout.strip(), "running", BOOT_LIMIT_S)
    found = inspect(host, "igp")["HostConfig"]
    assert found["Privileged"] is False
    assert sorted(found["CapAdd"]) in (["NET_ADMIN", "SYS_ADMIN"], ["CAP_NET_ADMIN", "CAP_SYS_ADMIN"])
    assert (found["Memory"], found["MemorySwap"]) == (512 << 20, 768 << 20)
    assert found["RestartPolicy"]["Name"] == "always"
    assert inside(host, "igp", "cat /proc/1/comm").stdout.strip() == "systemd"
    assert inside(host, "igp", "cat /proc/sys/net/ipv4/ip_forward").stdout.strip() == "1"
    mounts = inside(host, "igp", "cat /proc/mounts").stdout
    assert "tmpfs /run tmpfs" in mounts
    assert "tmpfs /tmp tmpfs" in mounts


def test_container_of_an_application(host: Any) -> None:
    """The other container runs its command, with the capability that it was given and no other beside Docker's usual ones."""
    found = inspect(host, "app")
    assert found["Config"]["Cmd"] == ["sleep", "infinity"]
    assert [name.removeprefix("CAP_") for name in found["HostConfig"]["CapAdd"]] == ["NET_RAW"]
    assert found["HostConfig"]["Memory"] == 64 << 20


def test_addresses(host: Any, own: int) -> None:
    """Each container has its fixed address, the network's gateway, and no other interface."""
    for name, address in (("igp", f"10.100.0.{own}"), ("app", f"10.100.0.{own + 100}")):
        (interface,) = [link for link in json.loads(inside(host, name, "ip -json address show").stdout) if link["ifname"] != "lo"]
        assert [entry["local"] for entry in interface["addr_info"] if entry["family"] == "inet"] == [address]
        assert interface["mtu"] == 1500
        (route,) = json.loads(inside(host, name, "ip -json route show default").stdout)
        assert route["gateway"] == "10.100.0.1"


def test_containers_of_two_hosts_reach_each_other(host: Any, peer: int) -> None:
    """A full packet that must not be fragmented goes from here through the VXLAN to the container of the other host; the neighbor is on the link."""
    ping = f"ping -c 1 -W 2 -M do -s 1472 10.100.0.{peer}"
    wait_for(lambda: inside(host, "igp", ping).rc, 0, BOOT_LIMIT_S)
    assert inside(host, "igp", f"ping -c 1 -W 2 -M do -s 1473 10.100.0.{peer}").failed
    (neighbor,) = json.loads(inside(host, "igp", f"ip -json neighbor show 10.100.0.{peer}").stdout)
    assert neighbor["lladdr"] not in host.check_output("ip link")
    assert inside(host, "app", f"ping -c 1 -W 2 10.100.0.{peer + 100}").rc == 0


def test_interface_beside_the_containers(host: Any, own: int) -> None:
    """The host's macvlan interface is as declared, also after the VXLAN beneath was deleted, which took it along."""
    found = link(host, "seg1000")
    assert (found["linkinfo"]["info_kind"], found["linkinfo"]["info_data"]["mode"], found["link"]) == ("macvlan", "bridge", "vxlan1000")
    assert (found["mtu"], found["address"]) == (1500, f"02:00:00:00:10:{own}")
    assert "UP" in found["flags"]
    assert "NOARP" in link(host, "vxlan1000")["flags"]
    assert host.run("/usr/local/sbin/xgn-interface check").rc == 0


def status_of(host: Any, command: str) -> int:
    return int(host.run(command).rc)


def test_the_host_and_containers_reach_each_other(host: Any, own: int, peer: int) -> None:
    """Its own ones, which a parent never reaches, and one of the other host; full packets, and the neighbor is on the link."""
    address = f"10.100.0.{own - 11}"
    host.check_output("ip address replace %s/24 dev seg1000", address)
    for last in (own, own + 100, peer):
        ping = f"ping -c 1 -W 2 -M do -s 1472 10.100.0.{last}"
        wait_for(partial(status_of, host, ping), 0, BOOT_LIMIT_S)
        assert host.run(f"ping -c 1 -W 2 -M do -s 1473 10.100.0.{last}").failed
    for name in ("igp", "app"):
        assert inside(host, name, f"ping -c 1 -W 2 {address}").rc == 0
        (neighbor,) = json.loads(inside(host, name, f"ip -json neighbor show {address}").stdout)
        assert neighbor["lladdr"] == f"02:00:00:00:10:{own}"


def test_nothing_undeclared(host: Any) -> None:
    """What was declared once and is no longer, is gone."""
    assert sorted(host.check_output("docker ps --all --format '{{.Names}}'").split()) == ["app", "igp"]
    networks = host.check_output("docker network ls --format '{{.Name}}'").split()
    assert sorted(networks) == ["apps", "host", "none"]
    assert not host.file("/var/lib/xgn/images").exists

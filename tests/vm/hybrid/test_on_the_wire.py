"""The controller where an administrator's machine stands: what a run changes between the two can lock it out.

It reaches the routers by their uplinks, the node behind cloud-edge by a jump host, and hq-nfv, which has no uplink, by its loopback address in the VRF of
hq-core. The lab's own way in is the emergency door of these tests alone.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from controller import LOGS, environment
from hybrid_network import CONNECTION, CONTAINER, HOSTS, ROOT, RULESET, Network, wait_for

from hybrid.runs import INVENTORY, changed, play, succeed

pytestmark = pytest.mark.leaves_traces
ON_THE_WIRE = CONNECTION.with_name("on_the_wire.yml")
# Where the controller stands (lab/topologies/test_hybrid.yml), and where each host answers.
CONTROLLER = "100.64.0.9"
ANSWERS = {"hq-core": "100.64.0.1", "cloud-edge": "100.64.0.3", "cloud-node": "172.16.0.4", "hq-nfv": "10.255.0.2"}
# What a jump host runs to open the way to the one behind it.
JUMPS = {"cloud-node": ("cloud-edge", "-W %h:%p"), "hq-nfv": ("hq-core", "ip vrf exec CORE nc %h %p")}
OTHER_PORT = 51999
WAY_BACK_S = 60
# Restoring itself: FRR's reload and the start of services, on a busy emulated machine.
RESTORING_S = 120
LOOK = f"ip -o link show | sed 's/^[0-9]*: //; s/ qdisc.*//' | sort; ip rule; ip -4 route show default; {RULESET}"


@pytest.fixture(scope="module")
def behind(network: Network) -> Path:
    """An inventory of the hosts behind others."""
    doors = yaml.safe_load(CONNECTION.read_text(encoding="utf-8"))["all"]["hosts"]
    routers = yaml.safe_load(ON_THE_WIRE.read_text(encoding="utf-8"))["all"]["hosts"]

    def way(jump: dict[str, Any], command: str) -> str:
        options = (
            f"-F none -i {jump['ansible_ssh_private_key_file']} -o IdentitiesOnly=yes -o LogLevel=ERROR {jump['ansible_ssh_common_args']}"
        )
        return f"ssh {options} -p {jump['ansible_port']} root@{jump['ansible_host']} {command}"

    ways = {name: way(routers[jump], command) for name, (jump, command) in JUMPS.items()}
    hosts = {
        name: {
            **doors[name],
            "ansible_host": ANSWERS[name],
            "ansible_port": 22,
            "ansible_ssh_common_args": (
                f'{doors[name]["ansible_ssh_common_args"]} -o HostKeyAlias=[127.0.0.1]:{doors[name]["ansible_port"]} -o ProxyCommand="{proxy}"'
            ),
        }
        for name, proxy in ways.items()
    }
    path = LOGS / "hybrid-behind.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": hosts}}, width=1000), encoding="utf-8")
    return path


@pytest.fixture
def ways(behind: Path) -> list[str]:
    """Arguments of a run that comes by the wire."""
    return ["--inventory", str(ON_THE_WIRE), "--inventory", str(behind)]


@pytest.fixture
def connections(ways: list[str]) -> Callable[[], dict[str, list[str]]]:
    """What a new connection to each host that answers says of itself: the addresses of client and server."""

    def ask() -> dict[str, list[str]]:
        inventories = ["--inventory", str(INVENTORY), "--inventory", str(CONNECTION), *ways]
        run = subprocess.run(
            ["ansible", *inventories, ",".join(HOSTS), "--module-name", "ansible.builtin.raw", "--args", "echo way:$SSH_CONNECTION"],
            cwd=ROOT,
            env=environment() | {"ANSIBLE_SSH_ARGS": "-o ControlMaster=no -o ControlPath=none", "ANSIBLE_TIMEOUT": "20"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        found = re.findall(r"^(\S+) \| .*\n(?:.*\n)*?way:(\S+) \d+ (\S+) 22", run.stdout, re.MULTILINE)
        return {host: [client, server] for host, client, server in found}

    return ask


def test_every_host_is_reached_where_people_reach_it(connections: Callable[[], dict[str, list[str]]]) -> None:
    """By none of the lab's own NICs."""
    found = connections()
    assert {host: server for host, (_client, server) in found.items()} == ANSWERS
    assert (found["hq-core"][0], found["cloud-edge"][0]) == (CONTROLLER, CONTROLLER)


def test_a_run_that_comes_this_way_has_nothing_to_do(ways: list[str]) -> None:
    """The same hosts, the same plan."""
    assert changed(succeed("site", "wire-second", *ways)) == dict.fromkeys((*HOSTS, CONTAINER), 0)


def test_what_the_way_consists_of_is_changed(
    network: Network, ways: list[str], connections: Callable[[], dict[str, list[str]]], tmp_path: Path
) -> None:
    """Size and keepalive of the tunnel, its port, and the filter, while the run itself travels through them."""
    own = yaml.safe_load((INVENTORY / "group_vars" / "all" / "intent.yml").read_text(encoding="utf-8"))
    tunnel, *others = own["xgn_links"]
    ends = [{"node": node, "listen_port": OTHER_PORT} for node in tunnel["ends"]]
    links = [{**tunnel, "ends": ends, "keepalive": 4, "mtu": 1380}, *others]
    intent = tmp_path / "intent.yml"
    firewall = {**own["xgn_firewall"], "ssh_from": ["100.64.0.0/24", "172.16.0.0/24"]}
    intent.write_text(yaml.safe_dump({"xgn_links": links, "xgn_firewall": firewall}), encoding="utf-8")
    given = ["--extra-vars", f"@{intent}"]
    done = succeed("site", "wire-change", *ways, *given)
    assert changed(done)["hq-core"] > 0 and changed(done)["cloud-edge"] > 0
    assert network.on["hq-core"].output("cat /sys/class/net/wg1/mtu").strip() == "1380"
    assert {host: server for host, (_client, server) in connections().items()} == ANSWERS
    assert changed(succeed("site", "wire-change-again", *ways, *given)) == dict.fromkeys((*HOSTS, CONTAINER), 0)
    succeed("verify", "wire-verify", *ways, *given, "--extra-vars", f"xgn_report_directory={tmp_path}")
    succeed("site", "wire-change-back", *ways)


def locked_out(network: Network) -> dict[str, dict[str, Any]]:
    """What locks the controller out of each host: SSH from elsewhere alone; the NIC it comes in by in a VRF; the way to the jump host's client gone."""
    return {
        "hq-core": {"firewall_ssh_from": ["203.0.113.1/32"]},
        "cloud-edge": {"vrf_interfaces": [{"name": "eth0", "vrf": "CORE"}]},
        "cloud-node": {"firewall_ssh_from": ["203.0.113.1/32"]},
    }


def test_who_locks_himself_out_is_let_in_again(
    network: Network, ways: list[str], connections: Callable[[], dict[str, list[str]]], tmp_path: Path
) -> None:
    """Three hosts at once, each by something else; the fourth is cut off with its jump host. Nobody but the hosts does anything."""
    succeed("plan", "wire-plan")
    planned = json.loads((LOGS / "hybrid-plan" / "current" / "plan.json").read_text(encoding="utf-8"))
    wrong = locked_out(network)
    for host, variables in wrong.items():
        if "vrf_interfaces" in variables:
            variables["vrf_interfaces"] = [*planned[host]["vrf_interfaces"], *variables["vrf_interfaces"]]
    names = sorted({name for variables in wrong.values() for name in variables})
    cases = {host: {name: wrong.get(host, {}).get(name, planned[host].get(name, [])) for name in names} for host in planned}
    given = tmp_path / "wrong.yml"
    extra = {"cases": cases, "xgn_way_back_seconds": WAY_BACK_S, **{name: f"{{{{ cases[inventory_hostname].{name} }}}}" for name in names}}
    given.write_text(json.dumps(extra), encoding="utf-8")
    before = {name: network.on[name].output(LOOK) for name in HOSTS}
    run = play("site", "wire-locked-out", *ways, "--limit", ",".join(wrong), "--extra-vars", f"@{given}")
    ended = time.monotonic()
    assert run.returncode != 0
    wait_for(lambda: {host: server for host, (_client, server) in connections().items()}, ANSWERS, WAY_BACK_S + RESTORING_S)
    print(f"\nfigure: locked out of three hosts: all reached {time.monotonic() - ended:.0f} s after the run ended")
    for name in wrong:
        network.on[name].close()
    assert {name: network.on[name].output(LOOK) for name in HOSTS} == before
    assert changed(succeed("site", "wire-after", *ways)) == dict.fromkeys((*HOSTS, CONTAINER), 0)

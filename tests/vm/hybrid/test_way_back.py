"""A change that cuts a router off, or takes its routes away: the host helps itself within the limit, and the others do not notice."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from controller import environment
from hybrid_network import CONNECTION, ROOT, RULESET, Network, wait_for

from hybrid.runs import INVENTORY, PLAN, changed, play, succeed

pytestmark = pytest.mark.leaves_traces
SECONDS = 60
# Restoring itself: FRR's reload and the start of services, on a busy emulated machine.
RESTORING = 120
ARMED = "/var/lib/xgn/way-back/armed"
STATE = (
    f"ip -4 route show default; ip rule; {RULESET}; "
    "ip -o link show | sed 's/^[0-9]*: //; s/ qdisc .*master/ master/; s/ state.*//';"
    " find /etc/frr /etc/xgn \\( -name frr.conf -o -name '*.json' -o -name '*.nft' \\) -exec sha256sum {} + | sort"
)
NOT_PLANNED = "203.0.113.1/32"

Variables = dict[str, Any]


def wrong_filter(_plan: Variables) -> Variables:
    """SSH from nowhere, on the NIC that it comes in by."""
    return {"firewall_ssh_from": [NOT_PLANNED]}


def wrong_vrf(plan: Variables) -> Variables:
    """The NIC that SSH comes in by, in a VRF."""
    return {"vrf_interfaces": [*plan["vrf_interfaces"], {"name": "mgmt0", "vrf": "CORE"}]}


def wrong_policy(plan: Variables) -> Variables:
    """Nothing is accepted from any neighbor, though every session is up."""
    maps = [{**item, "entries": [{**entry, "action": "deny"} for entry in item["entries"]]} for item in plan["frr_route_maps"]]
    return {"frr_route_maps": maps}


# What each host gets, and what the run says of it.
WRONG = {
    # The filter comes first: a slow run finds that the host has helped itself already.
    "hq-core": (wrong_filter, "(no new connection from the controller to hq-core was possible|has restored what was there before)"),
    "hq-nfv": (wrong_vrf, "has restored what was there before"),
    "cloud-edge": (wrong_policy, "this did not come back"),
}
UNTOUCHED = "cloud-node"


def variables_of(plan: Variables) -> Variables:
    """Extra variables that give each host its wrong values, and every other one what is planned for it."""
    wrong = {host: change(plan[host]) for host, (change, _told) in WRONG.items()}
    names = sorted({name for values in wrong.values() for name in values})
    cases = {host: {name: wrong.get(host, {}).get(name, plan[host].get(name, [])) for name in names} for host in plan}
    return {"cases": cases, **{name: f"{{{{ cases[inventory_hostname].{name} }}}}" for name in names}}


def reachable(network: Network, name: str) -> bool:
    """Whether a new connection can be made."""
    program, *options, target = network.on[name].command
    # ssh takes the first of two values.
    own = ["-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", "ConnectTimeout=5"]
    return subprocess.run([program, *own, *options, target, "true"], capture_output=True, check=False, timeout=60).returncode == 0


def test_hosts_that_were_cut_off_are_back(network: Network, plan: Variables, tmp_path: Path) -> None:
    """Three hosts at once, each by something else. Nobody but the host does anything; the fourth does not notice."""
    before = {name: shell.output(STATE) for name, shell in network.on.items()}
    sessions = set(network.sessions())
    variables = tmp_path / "wrong.yml"
    variables.write_text(json.dumps({**variables_of(plan), "xgn_way_back_seconds": SECONDS}), encoding="utf-8")
    run = play("site", "way-back", "--limit", ",".join(WRONG), "--extra-vars", f"@{variables}")
    ended = time.monotonic()
    assert run.returncode != 0
    for host, (_change, told) in WRONG.items():
        assert re.search(rf"fatal: \[{host}\][\s\S]*{told}", run.stdout), host
        wait_for(partial(reachable, network, host), True, SECONDS + RESTORING)
        print(f"\n{host}: reachable {time.monotonic() - ended:.0f} s after the run")
    for host in WRONG:
        shell = network.on[host]
        shell.close()
        wait_for(partial(shell.succeeds, f"test -e {ARMED}"), False, SECONDS + RESTORING)
        report = json.loads(shell.output("cat /var/lib/xgn/way-back/tried/report.json"))
        assert report["failures"] == [], (host, report)
        assert shell.output("stat -c %a /var/lib/xgn/way-back/tried/report.json").strip() == "600", host
    assert {name: shell.output(STATE) for name, shell in network.on.items()} == before
    assert not network.on[UNTOUCHED].succeeds("test -e /var/lib/xgn/way-back/tried")
    wait_for(lambda: sessions <= set(network.sessions()), True)


def test_a_wrong_gateway_and_a_controller_that_dies(network: Network, tmp_path: Path) -> None:
    """The right default route is back, by the file and live; the next run converges and has nothing to do."""
    node = network.on["cloud-node"]
    variables = tmp_path / "wrong.yml"
    variables.write_text(
        json.dumps({"vrf_default_routes": [{"gateway": "172.16.0.66", "interface": "eth0"}], "xgn_way_back_seconds": SECONDS}),
        encoding="utf-8",
    )
    inventories = ["--inventory", str(INVENTORY), "--inventory", str(CONNECTION)]
    arguments = ["--limit", "cloud-node", "--extra-vars", f"xgn_plan_directory={PLAN}", "--extra-vars", f"@{variables}"]
    controller = subprocess.Popen(
        ["ansible-playbook", *inventories, "xuegao.net.site", *arguments],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: "172.16.0.66" in node.output("ip route show default"), True)
    finally:
        controller.send_signal(signal.SIGKILL)
        controller.wait()
    wait_for(lambda: node.succeeds(f"test -e {ARMED}"), False, SECONDS + RESTORING)
    assert node.output("ip route show default").split()[:5] == ["default", "via", "172.16.0.3", "dev", "eth0"]
    assert "172.16.0.66" not in node.output("cat /etc/xgn/interface.json")
    assert "172.16.0.66" in node.output("cat /var/lib/xgn/way-back/tried/etc/xgn/interface.json")
    succeed("site", "after-the-dead-controller", "--limit", "cloud-node")
    assert changed(succeed("site", "once-more", "--limit", "cloud-node"))["cloud-node"] == 0

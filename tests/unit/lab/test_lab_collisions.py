"""The machines of the lab, as it starts them, hold nothing that the plans of its networks give out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.collisions import Looked, collisions

from lab.paths import ARCHIVE_DIR, RECIPE_DIR, TOPOLOGY_DIR
from lab.recipe import recipe_names
from lab.topology import Vm, load_topology

ROOT = Path(__file__).resolve().parents[3]


def fact(machine: Vm) -> dict[str, Any]:
    """What module host_facts finds on a machine before anything is applied."""
    links, routes = [], []
    for index, nic in enumerate(machine.nics):
        name = f"eth{index}"
        links.append({"name": name, "mac": nic.mac, "vrf": "", "addresses": list(nic.addresses), "refused": []})
        ways = [(address, "") for address in nic.addresses] + [(item.to, item.via) for item in nic.routes if item.to != "default"]
        routes += [{"prefix": prefix, "interface": name, "gateway": gateway, "vrf": ""} for prefix, gateway in ways]
    return {"identity": machine.name, "recorded": {}, "held": {"links": links, "neighbors": [], "routes": routes}}


def plan_of(inventory: str) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for path in sorted((ROOT / "inventories" / inventory / "group_vars").rglob("*.yml")):
        text = path.read_text(encoding="utf-8")
        written.update({} if text.startswith("$ANSIBLE_VAULT") else yaml.safe_load(text) or {})
    return dict(make_plan({name: value for name, value in written.items() if name.startswith("xgn_")}).hosts)


@pytest.mark.parametrize("name", ["gre", "hybrid", "t1_t2"])
def test_nothing_collides(name: str) -> None:
    hosts = plan_of(name)
    vms = load_topology(name, TOPOLOGY_DIR, recipe_names(RECIPE_DIR), recipe_names(ARCHIVE_DIR)).vms
    found = {host: fact(vms[host]) for host in hosts if host in vms}
    assert found
    assert collisions([Looked(host, found.get(host, {}), variables, {}) for host, variables in hosts.items()]) == []
    # The same machines, had one of them what another one is to have.
    one, other = list(found)[:2]
    address = hosts[one]["frr_interfaces"][0]["addresses"][0]
    taken = {"name": "eth9", "mac": "", "vrf": hosts[one]["vrf_interfaces"][0].get("vrf", ""), "addresses": [address], "refused": []}
    found[other]["held"]["links"].append(taken)
    assert collisions([Looked(host, found.get(host, {}), variables, {}) for host, variables in hosts.items()])

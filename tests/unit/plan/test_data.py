# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tests that are data: golden networks, bad intents, and the pair of routers. Adding a test is adding files."""

from __future__ import annotations

import csv
import importlib.util
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.contract import HostVariables
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import entries_of
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan
from ansible_collections.xuegao.net.plugins.plugin_utils.render.peers.vyos import vyos_commands
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import (
    RoleSpecs,
    load_role_specs,
    variable_problems,
)

ROOT = Path(__file__).parents[3]


def script(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"update_{path.parent.name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GOLDEN = script(ROOT / "tests" / "golden" / "update.py")
ERRORS = script(ROOT / "tests" / "errors" / "intent" / "update.py")
CASES = sorted((ROOT / "tests" / "errors" / "intent").glob("*.yml"))
# Stand-ins, since the plan holds references to secrets and the rules look at the secrets themselves.
SECRET = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def names(path: Path) -> str:
    return path.stem if path.is_file() else path.name


def test_there_are_enough() -> None:
    assert len(GOLDEN.networks()) >= 12
    assert len(CASES) >= 80


@pytest.mark.parametrize("network", GOLDEN.networks(), ids=names)
def test_golden(network: Path) -> None:
    assert GOLDEN.files_of(network) == GOLDEN.expected_of(network), "if this is what you meant: python tests/update_expected.py"


@pytest.mark.parametrize("case", CASES, ids=names)
def test_bad_intent(case: Path) -> None:
    message = ERRORS.message(case)
    assert message, "the intent is accepted"
    assert message == case.with_suffix(".txt").read_text(encoding="utf-8"), "if this is what you meant: python tests/update_expected.py"


def test_no_bad_intent_is_answered_with_a_secret() -> None:
    assert "s3cret" not in ERRORS.message(ROOT / "tests" / "errors" / "intent" / "secret_in_the_intent.yml")


def read(path: Path) -> Any:
    return read_yaml(path.read_text(encoding="utf-8"))


def pair() -> Any:
    return make_plan(read(ROOT / "tests" / "golden" / "t1_t2" / "intent.yml"))


@pytest.mark.parametrize("host", ["T1", "T2"])
def test_the_sources_pair_has_exactly_its_plain_variables(host: str) -> None:
    written = ROOT / "tests" / "golden" / "t1_t2" / "role_variables"
    expected = {**read(written / "group_vars" / "all.yml"), **read(written / "host_vars" / f"{host}.yml")}
    del expected["bgp_password"]
    # It knew no limit.
    for neighbor in expected["frr_bgp"][0]["neighbors"]:
        neighbor["families"] = [{**family, "maximum_prefix": 1024, "maximum_prefix_restart": 5} for family in neighbor["families"]]
    # What a host is in the plan says nothing to its roles. The source has no filter.
    planned = {name: value for name, value in pair().hosts[host].items() if name != "preflight_node" and not name.startswith("firewall_")}
    assert planned == expected


@pytest.mark.parametrize("host", ["T1", "T2"])
def test_vyos_output_holds_the_sources_lines(host: str) -> None:
    plan = pair()
    keys = read(ROOT / "tests" / "golden" / "t1_t2" / "public_keys.yml")
    lines = vyos_commands(plan.intent.nodes[host], plan.hosts[host], plan.intent, keys)
    source = (ROOT / "tests" / "golden" / "t1_t2" / f"source_{host}.txt").read_text(encoding="utf-8").splitlines()
    assert len(source) >= 16
    assert [line for line in source if line not in lines] == []


@pytest.fixture(scope="module")
def specs() -> RoleSpecs:
    return load_role_specs(ROOT / "roles")


@pytest.mark.parametrize("network", GOLDEN.networks(), ids=names)
def test_every_host_is_accepted_by_the_roles(network: Path, specs: RoleSpecs) -> None:
    plan = make_plan(read(network / "intent.yml"))
    for host, variables in {**plan.hosts, **plan.peers}.items():
        assert refusals(variables, specs) == [], host


def refusals(variables: Mapping[str, Any], specs: RoleSpecs) -> list[str]:
    """Return what the roles say against the variables of a host: every one of them belongs to a role, and holds what its spec allows."""
    nobodys = [f"{name}: no role has such a variable" for name in variables if name not in specs.options]
    return nobodys + [str(problem) for problem in variable_problems(revealed(variables), specs)]


def misspell(value: dict[str, Any], old: str, new: str) -> None:
    value[new] = value.pop(old)


@pytest.mark.parametrize(
    ("place", "change"),
    [
        ("wireguard_interfacs", lambda host: misspell(host, "wireguard_interfaces", "wireguard_interfacs")),
        # No role's name stands before it.
        ("wiregard_interfaces", lambda host: misspell(host, "wireguard_interfaces", "wiregard_interfaces")),
        ("xgn_uplink", lambda host: host.update(xgn_uplink=1492)),
        ("wireguard_interfaces[0].listen_prt", lambda host: misspell(host["wireguard_interfaces"][0], "listen_port", "listen_prt")),
        ("vrf_interfaces[0].knd", lambda host: host["vrf_interfaces"][0].update(knd="dummy")),
        ("vrf_interfaces[0].kind", lambda host: host["vrf_interfaces"][0].update(kind="dumy")),
    ],
    ids=["variable", "role", "of_no_role", "key", "further_key", "value"],
)
def test_a_misspelt_variable_is_refused(place: str, change: Callable[[dict[str, Any]], object], specs: RoleSpecs) -> None:
    variables = pair().hosts["T1"]
    assert refusals(variables, specs) == []
    change(variables)
    assert any(line.startswith(f"{place}: ") for line in refusals(variables, specs))


def revealed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "stand-in" if key == "password" else revealed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [revealed(item) for item in value]
    return SECRET if isinstance(value, str) and re.fullmatch(r"\{\{ \w+ \}\}", value) else value


def test_a_third_site_is_one_node_and_one_link() -> None:
    intent = read(ROOT / "inventories" / "hybrid" / "group_vars" / "all" / "intent.yml")
    before = make_plan(intent)
    intent["xgn_nodes"]["branch"] = {"id": 99, "asn": 65505, "vrf": "CORE", "uplink": {"device": "eth1", "nat": True}}
    intent["xgn_links"].append({"id": 99, "type": "wireguard", "ends": ["hq-core", "branch"]})
    after = make_plan(intent)
    assert set(after.hosts) - set(before.hosts) == {"branch"}
    # Nobody but the new neighbor changes.
    assert [host for host in before.hosts if before.hosts[host] != after.hosts[host]] == ["hq-core"]


@pytest.mark.parametrize(
    ("network", "gateway", "containers"),
    [("hybrid", "cloud-edge", ["igp"]), ("container_router", "edge", ["full", "quiet"])],
    ids=["hybrid", "container_router"],
)
def test_a_container_and_its_gateway_agree(network: str, gateway: str, containers: list[str]) -> None:
    """Each reaches the other by its address and AS number, with the same secret and watchdog, and what one may advertise is what the other accepts."""
    hosts = make_plan(read(ROOT / "tests" / "golden" / network / "intent.yml")).hosts
    (edge,) = hosts[gateway]["frr_bgp"]
    for name in containers:
        (own,) = hosts[name]["frr_bgp"]
        here = [session for session in edge["neighbors"] if session["description"] == name]
        assert len(here) == len(own["neighbors"]) == 2
        addresses = [address.partition("/")[0] for address in hosts[name]["frr_interfaces"][0]["addresses"]]
        for there, back, address in zip(here, own["neighbors"], addresses):
            assert (there["address"], there["remote_as"]) == (address, own["asn"])
            assert (back["description"], back["remote_as"]) == (gateway, edge["asn"])
            for key in ("password", "bfd_profile", "keepalive", "holdtime"):
                assert there.get(key) == back.get(key), key
            assert there["families"][0]["route_map_in"] == back["families"][0]["route_map_out"] == f"CONTAINER-{name}"
        for variable in ("frr_prefix_lists", "frr_route_maps"):
            assert policies(hosts[name], variable, name) == policies(hosts[gateway], variable, name)
        told = [entry["prefix"] for item in policies(hosts[name], "frr_prefix_lists", name) for entry in item["entries"]]
        assert told == own.get("networks", [])


def policies(variables: HostVariables, variable: str, container: str) -> list[dict[str, Any]]:
    return [item for item in entries_of(variables, variable) if item["name"] == f"CONTAINER-{container}"]


def test_a_container_more_changes_no_other_line() -> None:
    intent = read(ROOT / "inventories" / "hybrid" / "group_vars" / "all" / "intent.yml")
    before = make_plan(intent).hosts
    written = intent["xgn_services"]["docker"]["apps"]["containers"]
    written["second"] = {"node": "cloud-node", "image": "router:1", "number": 101, "bgp": {"asn": 65101, "networks": ["10.102.0.1/24"]}}
    after = make_plan(intent).hosts
    for host, variables in before.items():
        old = [entry["seq"] for item in variables["frr_prefix_lists"] for entry in item["entries"]]
        new = [entry["seq"] for item in after[host]["frr_prefix_lists"] for entry in item["entries"] if entry["prefix"] != "10.102.0.0/24"]
        assert new == old, host
    others = [host for host in before if host not in ("cloud-edge", "cloud-node")]
    same = ("frr_interfaces", "frr_bgp", "frr_route_maps")
    assert all(before[host].get(name) == after[host].get(name) for host in others for name in same)


def test_the_link_table_is_complete() -> None:
    files = GOLDEN.files_of(ROOT / "tests" / "golden" / "full_mesh")
    rows = list(csv.DictReader(io.StringIO(files["links.csv"])))
    assert [row["id"] for row in rows] == ["1", "2", "3", "7", "8", "9"]
    assert rows[0]["addresses a"] == "10.254.0.2/31" and rows[0]["addresses b"] == "10.254.0.3/31"

"""Whether a host uses a role is said in YAML, too: site, the roles' own tasks and role preflight say the same as the registry, variable by variable."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.plugins.test import core
from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import DECLARING, ROLES, Role
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.host_requirements import (
    ASKED,
    JUDGED,
    SUPPORTED_FAMILIES,
    host_requirements,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.others_filters import filter_warnings
from ansible_collections.xuegao.net.plugins.plugin_utils.validate.role_variables import load_role_specs
from jinja2 import Template
from jinja2.nativetypes import NativeEnvironment

ROOT = Path(__file__).resolve().parents[3]
OPTIONS = load_role_specs(ROOT / "roles").options
TELLING = [role for role in ROLES.values() if role.declares]
# What a host may say of a subject: nothing, that there is none, and something. Of each variable that counts for any role.
HOSTS: dict[str, dict[str, Any]] = {"nothing": {}}
for _name in sorted(DECLARING):
    _filled: Any = 64512 if OPTIONS[_name]["type"] == "int" else [{"name": "x"}]
    _empty: Any = None if OPTIONS[_name]["type"] == "int" else []
    HOSTS[f"no {_name}"] = {_name: _empty}
    HOSTS[_name] = {_name: _filled}
    for _role in ROLES.values():
        if _role.absent and _name in _role.declares:
            HOSTS[f"{_name}, {_role.absent[1]}"] = {_name: _filled, _role.absent[0]: _role.absent[1]}

ENVIRONMENT = NativeEnvironment()
ENVIRONMENT.tests.update(core.TestModule().tests())


@functools.cache
def load(path: str) -> Any:
    return read_yaml((ROOT / path).read_text(encoding="utf-8"))


@functools.cache
def compiled(text: str) -> Template:
    return ENVIRONMENT.from_string(text)


def holds(condition: str | list[str] | bool, context: Mapping[str, Any]) -> bool:
    """Evaluate a condition of a task."""
    if isinstance(condition, list):
        return all(holds(part, context) for part in condition)
    return bool(compiled(f"{{{{ {condition} }}}}").render(context))


def context_of(role: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a role's tasks know: its defaults, the host's variables, and whether it is wanted."""
    given, own = (
        load(path) or {} if (ROOT / path).is_file() else {} for path in (f"roles/{role}/{kind}/main.yml" for kind in ("defaults", "vars"))
    )
    context, wanted = {"ansible_facts": {"xgn_host": {"recorded": {}}}, **given, **variables}, f"__{role}_wanted"
    return context | ({wanted: compiled(own[wanted].strip()).render(context)} if wanted in own else {})


def tasks(items: list[dict[str, Any]], *outer: str) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield the tasks of a list with all conditions that hold for each."""
    for item in items:
        when = item.get("when", [])
        conditions = [*outer, *(when if isinstance(when, list) else [when])]
        if "block" in item:
            yield from tasks(item["block"], *conditions)
        else:
            yield item, conditions


def works(role: str, variables: Mapping[str, Any]) -> bool:
    """Tell whether a role makes anything of these variables."""
    context = context_of(role, variables)
    for task, conditions in tasks(load(f"roles/{role}/tasks/main.yml")):
        other = task.get("ansible.builtin.import_role", {}).get("name", "")
        if other and works(other.removeprefix("xuegao.net."), variables):
            return True
        if not other and task.get("ansible.builtin.import_tasks") != "remove.yml" and holds(conditions, context):
            return True
    return False


def removes(role: str, variables: Mapping[str, Any], recorded: bool) -> bool:
    """Tell whether a role takes away what it made, given that it has recorded something."""
    host = {"recorded": {role: ["file /etc/x"]} if recorded else {}}
    context = context_of(role, variables) | {"ansible_facts": {"xgn_host": host}}
    found = [
        conditions
        for task, conditions in tasks(load(f"roles/{role}/tasks/main.yml"))
        if task.get("ansible.builtin.import_tasks") == "remove.yml"
    ]
    return any(holds(conditions, context) for conditions in found)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("role", TELLING, ids=lambda role: role.name)
def test_a_role_makes_something_exactly_when_the_registry_says_so(role: Role, host: str) -> None:
    # The roles of two types of links are made by role vrf, which is asked as one.
    maker = ROLES["vrf"] if role.name in ("vxlan", "gre") else role
    declared = maker.is_declared(HOSTS[host])
    assert works(role.name, HOSTS[host]) == (declared or role.everywhere)
    assert removes(role.name, HOSTS[host], recorded=True) == (role.removes and not declared)
    assert not removes(role.name, HOSTS[host], recorded=False)


@pytest.mark.parametrize("host", HOSTS)
def test_site_takes_a_host_to_a_role_exactly_when_the_registry_says_so(host: str) -> None:
    (build,) = [play for play in load("playbooks/site.yml") if play["name"] == "Build the network"]
    tasks = [task for block in build["tasks"] for task in block.get("block", [])]
    included = {task["ansible.builtin.include_role"]["name"]: task for task in tasks if "ansible.builtin.include_role" in task}
    assert "xuegao.net.firewall" in included
    for name, task in included.items():
        role = name.removeprefix("xuegao.net.")
        if "tasks_from" not in task["ansible.builtin.include_role"]:
            assert holds(task["when"], {"__site_recorded": {}, **HOSTS[host]}) == ROLES[role].is_declared(HOSTS[host]), role
            assert holds(task["when"], {"__site_recorded": {role: ["file /etc/x"]}, **HOSTS[host]})


@pytest.mark.parametrize("host", HOSTS)
def test_a_role_says_whether_it_is_wanted_as_the_registry_does(host: str) -> None:
    names = [role.name for role in TELLING if f"__{role.name}_wanted" in context_of(role.name, {})]
    assert {"vrf", "frr", "firewall"} <= set(names)
    for name in names:
        assert context_of(name, HOSTS[host])[f"__{name}_wanted"] == ROLES[name].is_declared(HOSTS[host]), name


def test_a_router_in_a_container_has_frr_when_it_declares_something_for_it() -> None:
    (play,) = [play for play in load("playbooks/site.yml") if play["name"] == "Configure the routers in containers"]
    tasks = [task for block in play["tasks"] for task in block.get("block", [])]
    conditions = [task["when"] for task in tasks if "xuegao.net.frr" in str(task.get("ansible.builtin.import_role"))]
    assert conditions == ["__frr_wanted"] * 2


class Asked(dict[str, Any]):
    """A host's variables that tell which of them was asked for, of which these are there."""

    def __init__(self, **there: Any) -> None:
        super().__init__()
        self.there, self.names = there, set[str]()

    def get(self, key: str, default: Any = None) -> Any:
        self.names.add(key)
        return self.there.get(key, default)


def test_a_host_is_judged_by_all_that_the_rules_ask_for() -> None:
    """A variable that is left out counts as empty: what is still wanted would need a plain yes to stay, or a kernel go unjudged."""
    features = dict.fromkeys(JUDGED, "missing")
    host = {
        "os_family": "Debian",
        "systemd": True,
        "network_manager": True,
        "kernel": "4.15.0",
        "kernel_features": features,
        "filtered": False,
    }
    # With BGP in a VRF the kernel's sockets are asked about, too, and with a first filter what it leaves open.
    found = (Asked(frr_bgp=[{"vrf": "CORE"}]), Asked(firewall_trusted_interfaces=["lo"]))
    for asked in found:
        host_requirements({**host, "recorded": {role: ["unit x.service"] for role in ROLES}}, asked)
        filter_warnings(host, asked)
    assert set().union(*(asked.names for asked in found)) == ASKED


@pytest.mark.parametrize("family", SUPPORTED_FAMILIES)
def test_the_package_that_tells_is_one_that_the_role_installs(family: str) -> None:
    """The way back of a run that installs is given more time."""
    for role in ROLES.values():
        path = ROOT / f"roles/{role.name}/vars/main.yml"
        own = read_yaml(path.read_text(encoding="utf-8")) if path.is_file() else {}
        packages = own.get(f"__{role.name}_packages", [])
        if isinstance(packages, str):
            facts = {"xgn_host": {"os_family": family, "distribution_version": "13"}}
            packages = ENVIRONMENT.from_string(packages.strip()).render(ansible_facts=facts)
        assert bool(packages) == bool(role.packages), role.name
        assert not packages or len(set(role.packages) & set(packages)) == 1, role.name

"""The registry of roles: the roles on disk, their order in playbooks/site.yml, and what role verify may be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from ansible_collections.xuegao.net.plugins.plugin_utils.common.roles import COMPARED, ROLES, lacks_packages, missing_packages
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

ROOT = Path(__file__).resolve().parents[3]
INCLUSION = ("ansible.builtin.import_role", "ansible.builtin.include_role")


def specs_of(name: str) -> dict[str, object]:
    """Return the options of every entry point of a role."""
    text = (ROOT / "roles" / name / "meta" / "argument_specs.yml").read_text(encoding="utf-8")
    points = read_yaml(text)["argument_specs"].values()
    return {option: spec for point in points for option, spec in (point.get("options") or {}).items()}


def test_the_roles_are_those_on_disk() -> None:
    assert sorted(ROLES) == sorted(path.name for path in (ROOT / "roles").iterdir() if path.is_dir())


def test_site_runs_them_in_that_order() -> None:
    plays = read_yaml((ROOT / "playbooks" / "site.yml").read_text(encoding="utf-8"))
    (build,) = [play for play in plays if play["name"] == "Build the network"]
    (run,) = build["tasks"]
    # The first and the last step take the host for the run and give it back; so does the last one after a failure, behind that of a batch.
    first, *tasks, last = run["block"]
    back, release = run["always"]
    assert [task["ansible.builtin.import_role"]["tasks_from"] for task in (first, last, release)] == ["begin", "end", "release"]
    assert back["ansible.builtin.include_role"]["tasks_from"] == "back"
    steps = {
        task[kind]["name"].removeprefix("xuegao.net."): (kind, task)
        for task in tasks
        for kind in INCLUSION
        if kind in task and task[kind].get("tasks_from", "requirements") == "requirements"
    }
    ran = list(steps)
    others = [task["name"] for task in tasks if not any(task in step for step in steps.values())]
    assert others == [
        "Note what this run begins",
        "See whether something has to be installed anywhere",
        "See what is up before this batch",
        "See whether the batch has changes to confirm",
        "Confirm the network over a new connection",
        "Do what is left to do",
        "See whether the batch has changes to confirm",
        "Confirm over a new connection",
    ]
    assert ran == [name for name in ROLES if name in ran]
    for name, (kind, task) in steps.items():
        # A condition on an import is one on each of the role's tasks, so that each is skipped, and printed.
        assert (kind == "ansible.builtin.include_role") == ("when" in task), name
        assert ("always" in task.get("tags", [])) == ("when" in task), f"--tags would not reach the tasks of {name}"
    # Role vrf makes VXLANs and GRE tunnels; the last three are run by playbooks of their own or by roles.
    assert set(ROLES) - set(ran) == {"vxlan", "gre", "frr_build", "failover_test", "verify"}


def test_role_verify_names_those_that_are_compared() -> None:
    option = specs_of("verify")["verify_roles"]
    assert isinstance(option, dict)
    assert set(option["choices"]) == {item.name for item in COMPARED}


def test_each_role_that_makes_something_on_a_host_has_variables_that_tell() -> None:
    """Else a host that is no node, and uses that role alone, would be refused."""
    assert {item.name for item in ROLES.values() if not item.declares} == {*("preflight", "sysctl", "frr_build", "failover_test", "verify")}
    for item in ROLES.values():
        # Role vrf makes the interfaces of two others.
        owners = [item.name, *(("vxlan", "gre") if item.name == "vrf" else ())]
        assert set(item.declares) <= {name for owner in owners for name in specs_of(owner) if name.startswith(ROLES[owner].prefix)}
        assert not item.optional or item.declares, "of a role that makes the same everywhere there is something to say"
        assert not item.removes or item.declares
        assert not item.absent or item.absent[1] in cast(dict[str, Any], specs_of(item.name)[item.absent[0]])["choices"]


def test_all_that_stands_in_frr_conf_is_declared() -> None:
    """Role frr has no variable of its own for whether it is used: each of its lists is a part of frr.conf, and what it says of RPKI."""
    lists = {name for name, spec in cast(dict[str, dict[str, Any]], specs_of("frr")).items() if spec["type"] == "list"}
    assert set(ROLES["frr"].declares) == (lists | {"frr_rpki"}) - {"frr_after_units", "frr_daemons"}


def test_what_a_role_removes_needs_a_variable_that_says_so_and_site_takes_the_host_to_it() -> None:
    assert {item.name for item in ROLES.values() if item.removes} == {
        item.name for item in ROLES.values() if item.remove_all in specs_of(item.name)
    }
    plays = read_yaml((ROOT / "playbooks" / "site.yml").read_text(encoding="utf-8"))
    (build,) = [play for play in plays if play["name"] == "Build the network"]
    roles = [(task, task["ansible.builtin.include_role"]) for task in build["tasks"][0]["block"] if "ansible.builtin.include_role" in task]
    assert len(roles) > 5
    for task, role in roles:
        if "tasks_from" not in role:
            assert f"or '{role['name'].removeprefix('xuegao.net.')}' in __site_recorded" in task["when"]


def test_a_run_that_installs_takes_longer() -> None:
    """Only what the host's variables ask for counts, under any of its names; nothing is known of a host before it has been looked at."""
    host = {"xgn_host": {"packages": ["frr", "moby-engine"]}}
    assert not lacks_packages(
        {"ansible_facts": host, "frr_interfaces": [{"name": "lo"}], "docker_macvlan_networks": [{"name": "apps"}], "openvpn_tunnels": []}
    )
    assert lacks_packages({"ansible_facts": host, "frr_interfaces": [{"name": "lo"}], "openvpn_tunnels": [{"name": "ovpn1"}]})
    assert not lacks_packages({"openvpn_tunnels": [{"name": "ovpn1"}]})
    assert lacks_packages({"ansible_facts": {"xgn_host": {"packages": ["wireguard-tools"]}}}), (
        "site installs FRR on every host, whatever it declares"
    )
    assert not lacks_packages({"ansible_facts": host, "firewall_trusted_interfaces": ["eth0"], "firewall_state": "absent"})


def test_what_a_host_lacks_is_named_with_what_ansible_needs_to_install_it() -> None:
    def named(*packages: str, family: str = "Debian", **variables: Any) -> list[str]:
        return missing_packages({"ansible_facts": {"xgn_host": {"os_family": family, "packages": list(packages)}}, **variables})

    assert named("frr", "python3") == []
    assert named("frr", gobgp_asn=65001) == ["gobgpd", "python3-apt"]
    assert named("python3-apt", docker_macvlan_networks=[{}]) == ["frr", "docker.io"]
    # That one is built from source.
    assert named("python3-apt", frr_install_method="source") == []
    assert named(family="RedHat") == [] and missing_packages({}) == []

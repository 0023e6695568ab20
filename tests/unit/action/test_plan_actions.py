"""Actions plan and assign_ids: what they return, what check mode leaves alone, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible_collections.xuegao.net.plugins.action import assign_ids, plan
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

Act = Callable[..., dict[str, Any]]
PAIR = Path(__file__).parents[2] / "golden" / "t1_t2" / "intent.yml"
QUICK = {"rendered": False, "vyos": False, "drawing": False}


def pair() -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(PAIR.read_text(encoding="utf-8"))
    return found


def without_the_links_id() -> dict[str, Any]:
    raw = pair()
    del raw["xgn_links"][0]["id"]
    return raw


# ---- plan ------------------------------------------------------------------------------------------------------------


def test_a_plan_is_written_once(act: Act, tmp_path: Path) -> None:
    directory = tmp_path / "plan"
    first = act(plan.ActionModule, {"directory": str(directory), **QUICK}, pair())
    assert (first["changed"], first["hosts"], first["peers"]) == (True, ["T1", "T2"], [])
    assert first["msg"] == f"2 hosts, 1 links; written to {directory}/current"
    assert first["current"] == f"{directory}/current" and Path(first["directory"]) == (directory / "current").resolve()
    again = act(plan.ActionModule, {"directory": str(directory), **QUICK}, pair())
    assert (again["changed"], again["directory"]) == (False, first["directory"])


def test_check_mode_plans_and_writes_nothing(act: Act, tmp_path: Path) -> None:
    told = act(plan.ActionModule, {"directory": str(tmp_path / "plan"), **QUICK}, pair(), check=True)
    assert told["changed"] and told["changes"] == {"T1": ["new host"], "T2": ["new host"]}
    assert told["msg"] == "2 hosts, 1 links; not written: check mode"
    assert not (tmp_path / "plan").exists()


def test_two_inventories_do_not_share_a_directory(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "inventories/two"):
        (tmp_path / name).mkdir(parents=True)
    found = []
    for source in ("one", "inventories/two"):
        result = act(plan.ActionModule, QUICK, {**pair(), "ansible_inventory_sources": [str(tmp_path / source)]})
        found.append(result["current"])
    assert found == [f"{tmp_path}/build/plan/one/current", f"{tmp_path}/build/plan/inventories/two/current"]


def test_mistakes_are_a_list_and_nothing_is_written(act: Act, tmp_path: Path) -> None:
    refused = act(plan.ActionModule, {"directory": str(tmp_path / "plan"), **QUICK}, pair() | {"xgn_nods": {}, "xgn_vrfs": {"CORE": {}}})
    assert refused["failed"]
    assert len(refused["problems"]) >= 2
    assert any(problem.startswith("xgn_nods") for problem in refused["problems"])
    assert refused["msg"].startswith(f"{len(refused['problems'])} mistakes") and not any(
        problem.strip() in refused["msg"] for problem in refused["problems"]
    )
    assert not (tmp_path / "plan").exists()


def test_without_graphviz_there_is_a_warning(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    given = pair() | {"bgp_password": "swordfish", "xgn_firewall": {"ssh_from": ["192.0.2.0/24"]}}
    done = act(plan.ActionModule, {"directory": str(tmp_path / "plan"), **QUICK, "drawing": True}, given)
    assert len(done["warnings"]) == 1 and "Graphviz is not installed" in done["warnings"][0]


def test_a_secret_is_missed_by_hosts_of_this_run_alone(act: Act, tmp_path: Path) -> None:
    """A slice of the inventory lacks what stands with the hosts of the others, and says so at most."""
    arguments = {"directory": str(tmp_path / "plan"), **QUICK, "needs_secrets": True}
    missed = "xgn_bgp.password_variable: 'bgp_password' is not a defined variable"
    refused = act(plan.ActionModule, arguments, pair() | {"hostvars": {"T1": {}, "T2": {}}})
    assert refused["failed"] and refused["problems"][0].startswith(missed)
    assert not act(plan.ActionModule, arguments, pair() | {"hostvars": {"T1": {"bgp_password": "swordfish"}}}).get("failed")
    elsewhere = act(plan.ActionModule, arguments, pair() | {"hostvars": {"another": {}}})
    assert not elsewhere.get("failed") and any(warning.startswith(missed) for warning in elsewhere["warnings"])


def test_a_directory_that_cannot_be_written_is_named(act: Act, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(AnsibleError, match=rf"cannot write the plan to {tmp_path}/file/plan: "):
        act(plan.ActionModule, {"directory": str(tmp_path / "file" / "plan"), **QUICK}, pair())


def test_public_keys_come_from_beside_the_inventory(act: Act, tmp_path: Path) -> None:
    (tmp_path / "wireguard_keys").mkdir()
    key = tmp_path / "wireguard_keys" / "T1.txt"
    public = "iM9lZkm7vH/qrK7gZTDDKUj3/hOzK8SSLMS2zOE+ujg="
    key.write_text(f"wg0: {public}\n", encoding="utf-8")
    variables = {**pair(), "inventory_dir": str(tmp_path)}
    act(plan.ActionModule, {"directory": str(tmp_path / "plan"), **QUICK, "vyos": True}, variables)
    assert public in (tmp_path / "plan" / "current" / "T2" / "vyos.txt").read_text(encoding="utf-8")
    # A registry is written from what hosts say, and the files for others' routers are written from it.
    for torn in ("wg0: [\0", f'wg0: "{public}\\nset system login user x"\n'):
        key.write_text(torn, encoding="utf-8")
        warned = act(plan.ActionModule, {"directory": str(tmp_path / "plan"), **QUICK, "vyos": True}, variables)["warnings"]
        assert any("T1.txt: expected lines" in line for line in warned), warned
        written = (tmp_path / "plan" / "current" / "T2" / "vyos.txt").read_text(encoding="utf-8")
        assert public not in written and "set system login user x" not in written
    key.unlink()
    variables["xgn_nodes"]["T1"]["was"] = "../T1"
    with pytest.raises(AnsibleError, match=r"'\.\./T1' is no name of a host that a file can have"):
        act(plan.ActionModule, {"directory": str(tmp_path / "plan"), **QUICK, "vyos": True}, variables)


def rollout(act: Act, tmp_path: Path, written: Any, intent: dict[str, Any] | None = None, **known: Any) -> dict[str, Any]:
    known = {"ansible_play_hosts_all": ["T1", "T2"], "groups": {"all": ["T1", "T2", "box"], "containers": ["box"]}, **known}
    return act(plan.ActionModule, {"directory": str(tmp_path / "plan"), **QUICK, "rollout": written}, {**(intent or pair()), **known})


def test_a_rollout_has_batches_of_the_hosts_of_this_run(act: Act, tmp_path: Path) -> None:
    found = rollout(act, tmp_path, {"canary": "T2"})["rollout"]
    assert found == {
        "batches": [{"hosts": ["T2"], "containers": []}, {"hosts": ["T1"], "containers": []}],
        "neighbors": {"T1": ["T2"], "T2": ["T1"]},
        "settle_seconds": 10,
    }
    alone = rollout(act, tmp_path, {"canary": "T2"}, ansible_play_hosts_all=["T1"])
    assert alone["rollout"]["batches"] == [{"hosts": ["T1"], "containers": []}]
    assert "xgn_rollout.canary: T2 is not in this run, so T1 goes first" in alone["warnings"]


def test_a_misspelt_rollout_does_not_change_all_hosts_at_once(act: Act, tmp_path: Path) -> None:
    refused = rollout(act, tmp_path, "", xgn_rolout={"canary": "T1"}, xgn_remove_all=[])
    assert refused["problems"] == ["xgn_rolout: unknown variable; did you mean 'xgn_rollout'?\n"]


@pytest.mark.parametrize("written", [None, False, ""])
def test_what_stands_for_no_rollout(act: Act, tmp_path: Path, written: Any) -> None:
    assert "rollout" not in rollout(act, tmp_path, written)


def test_mistakes_of_a_rollout_are_told_with_those_of_the_intent(act: Act, tmp_path: Path) -> None:
    """A router in a container goes with its node, so it is no canary."""
    refused = rollout(act, tmp_path, {"canary": "box"}, pair() | {"xgn_vrfs": {"CORE": {}}})
    assert refused["failed"] and len(refused["problems"]) == 2
    assert refused["problems"][0] == "xgn_rollout.canary: 'box' is no host that can go first; valid hosts: T1, T2\n"
    only = rollout(act, tmp_path, {"canary": "T1", "batches": ["0%"]})
    assert only["failed"] and [line.split(":")[0] for line in only["problems"]] == ["xgn_rollout.batches[0]"]
    assert not (tmp_path / "plan").exists()


# ---- assign_ids ------------------------------------------------------------------------------------------------------


@pytest.fixture
def inventory(tmp_path: Path) -> Path:
    """An inventory whose link has no id, in one of the files that Ansible reads for group all."""
    directory = tmp_path / "group_vars" / "all"
    directory.mkdir(parents=True)
    (directory / "intent.yml").write_text(PAIR.read_text(encoding="utf-8").replace("{id: 0, type", "{type"), encoding="utf-8")
    (directory / "notes.txt").write_text("xgn_links: [not read]\n", encoding="utf-8")
    return tmp_path


def test_a_missing_id_is_written(act: Act, inventory: Path) -> None:
    intent = inventory / "group_vars" / "all" / "intent.yml"
    before = intent.read_text(encoding="utf-8")
    variables = {**without_the_links_id(), "inventory_dir": str(inventory)}
    told = act(assign_ids.ActionModule, {}, variables, check=True)
    assert told["changed"] and told["assigned"] == {"xgn_links[0].id": 1}
    assert intent.read_text(encoding="utf-8") == before
    done = act(assign_ids.ActionModule, {}, variables)
    assert (done["changed"], done["assigned"], done["msg"]) == (True, {"xgn_links[0].id": 1}, "1 id written.")
    assert done["diff"] == [
        {"before_header": str(intent), "after_header": str(intent), "before": before, "after": intent.read_text(encoding="utf-8")}
    ]
    assert read_yaml(intent.read_text(encoding="utf-8"))["xgn_links"][0]["id"] == 1


def test_every_entry_has_its_id(act: Act, inventory: Path) -> None:
    done = act(assign_ids.ActionModule, {}, {**pair(), "inventory_dir": str(inventory)})
    assert (done["changed"], done["msg"], done["diff"]) == (False, "Every entry has its id.", [])


def test_an_entry_that_stands_elsewhere_is_named(act: Act, tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    other = tmp_path / "group_vars" / "all.yml"
    other.write_text("xgn_nodes: {}\n", encoding="utf-8")
    refused = act(assign_ids.ActionModule, {}, {**without_the_links_id(), "inventory_dir": str(tmp_path)})
    assert refused["failed"] and not refused["changed"]
    assert (
        refused["msg"]
        == f"No id was written for xgn_links[0]: not found in {other}. Remedy: name the file with option files, or write the id by hand."
    )
    other.unlink()
    refused = act(assign_ids.ActionModule, {}, {**without_the_links_id(), "inventory_dir": str(tmp_path)})
    assert refused["msg"].startswith("No id was written for xgn_links[0]: not found in any file.")


@pytest.mark.parametrize(("text", "words"), [("a: [", "not valid YAML"), (None, "No such file")])
def test_a_file_that_cannot_be_read_is_named(act: Act, tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "intent.yml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(AnsibleError, match=rf"intent\.yml: .*{words}"):
        act(assign_ids.ActionModule, {"files": [str(path)]}, without_the_links_id())

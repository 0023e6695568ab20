"""Nodes that leave, are renamed or vanish, as the actions see them: what is kept beside the inventory follows, and a plan is refused or told."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.xuegao.net.plugins.action import (
    assign_ids,
    departure,
    key_registry,
    plan,
    run_begin,
    run_end,
    run_note,
    validate,
    verify_checks,
)
from ansible_collections.xuegao.net.plugins.module_utils.applied import is_same
from ansible_collections.xuegao.net.plugins.plugin_utils.common import applied
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import Moment, Record, known_record, record_file, write_record
from ansible_collections.xuegao.net.plugins.plugin_utils.common.former_names import former_name
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import RUN
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan

Act = Callable[..., dict[str, Any]]
HYBRID = Path(__file__).parents[2] / "golden" / "hybrid" / "intent.yml"
PAIR: dict[str, Any] = read_yaml((Path(__file__).parents[2] / "golden" / "t1_t2" / "intent.yml").read_text(encoding="utf-8"))
APPLIED = Moment("2026-11-29T03:12:05Z", "run-1", "alice@noc", "mine")
FORMER, NEW = "iM9lZkm7vH/qrK7gZTDDKUj3/hOzK8SSLMS2zOE+ujg=", "bLvNfwEmtDrMdNy3Inwv7U+W3QMgu0iXouoJqPCHGzo="
SECRETS = {"bgp_password": "swordfish1", "ospf_key": "swordfish2", "ipsec_key": "swordfish3"}


def hybrid() -> dict[str, Any]:
    found: dict[str, Any] = read_yaml(HYBRID.read_text(encoding="utf-8"))
    return found


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / ".applied"


@pytest.fixture
def applied_hybrid(records: Path) -> Path:
    """The records of hosts that have all applied the hybrid network."""
    for host, variables in make_plan(hybrid()).hosts.items():
        write_record(records, host, Record(APPLIED, "", variables))
    return records


def planned(act: Act, records: Path, intent: dict[str, Any], purpose: str, check: bool = True, **more: Any) -> dict[str, Any]:
    shown = {"rendered": False, "vyos": False, "drawing": False}
    arguments = {"directory": str(records.parent / "plan"), "applied": str(records), "purpose": purpose, **shown}
    hosts: dict[str, Any] = {host: dict(SECRETS) for host in ("hq-core", "hq-nfv", "cloud-edge", "cloud-node", "igp")}
    for host, own in more.pop("own", {}).items():
        hosts[host] |= own
    return act(plan.ActionModule, {**arguments, **more}, {**intent, **SECRETS, "hostvars": hosts}, check=check)


def retired(*names: str) -> dict[str, Any]:
    intent = hybrid()
    for name in names:
        intent["xgn_nodes"][name]["retired"] = True
    return intent


# ---- what a plan says ----------------------------------------------------------------------------------------------------------------------


def test_site_is_refused_until_the_node_was_retired_and_the_steps_are_named(act: Act, applied_hybrid: Path) -> None:
    refused = planned(act, applied_hybrid, retired("hq-nfv"), "apply", check=False)
    assert refused["failed"] and refused["msg"] == "1 mistake in the intent. No host was touched."
    (sentence,) = refused["problems"]
    assert sentence.startswith("xgn_nodes.hq-nfv.retired: is true") or "retired: is true" in sentence
    assert "run xuegao.net.retire" in sentence
    assert not (applied_hybrid.parent / "plan").exists()
    told = planned(act, applied_hybrid, retired("hq-nfv"), "look")
    assert not told.get("failed") and any("run xuegao.net.retire" in warning for warning in told["warnings"])
    assert "run xuegao.net.retire" in told["retired"]["hq-nfv"]


def test_the_run_that_retires_gets_the_table_of_all_that_goes(act: Act, applied_hybrid: Path) -> None:
    found = planned(act, applied_hybrid, retired("hq-nfv"), "retire")
    assert not found.get("failed") and "hq-nfv" not in found["hosts"]
    assert found["retirement"].keys() == {"hq-nfv"} and found["retirement"]["hq-nfv"]["peers"] == ["hq-core"]
    table = found["farewell"]
    assert table[0] == "hq-nfv (id 2) leaves the network."
    assert "No other node carries 10.10.0.0/24, fd00:10::/64: that is lost." in table
    assert "What it steers is released: 10.40.0.0/24." in table
    assert "hq-core: interface eth1.100: removed" in table and not any(line.startswith("hq-nfv:") for line in table)
    # A host of the inventory that leaves is none of which a letter is wrong.
    assert not any("is a host of the inventory and no node" in warning for warning in found.get("warnings", []))


def test_a_segment_is_left_whole_or_its_node_stays(act: Act, applied_hybrid: Path) -> None:
    refused = planned(act, applied_hybrid, retired("cloud-node"), "retire")
    assert [problem.partition(";")[0] for problem in refused["problems"]] == [
        "xgn_segments[0].members: has none left but cloud-edge, as the others are retired"
    ]


def test_a_node_that_left_is_told_by_every_plan_and_not_put_away(act: Act, applied_hybrid: Path) -> None:
    left = replace(known_record(applied_hybrid, "hq-nfv"), left=APPLIED)
    write_record(applied_hybrid, "hq-nfv", left)
    intent = hybrid()
    del intent["xgn_nodes"]["hq-nfv"]
    intent["xgn_links"] = [link for link in intent["xgn_links"] if link["id"] not in (3, 5)]
    intent["xgn_services"]["dns"]["nodes"] = ["cloud-edge"]
    del intent["xgn_services"]["steering"]
    for _each in range(2):
        told = planned(act, applied_hybrid, intent, "plan", check=False)
        assert any(warning.startswith("hq-nfv has left the network since") for warning in told["warnings"]), told
        assert "hq-nfv" not in told["changes"]
    assert known_record(applied_hybrid, "hq-nfv") == left and record_file(applied_hybrid, "hq-nfv").exists()


def test_a_node_without_a_word_is_refused_and_its_record_stays(act: Act, applied_hybrid: Path) -> None:
    intent = hybrid()
    intent["xgn_nodes"]["west"] = intent["xgn_nodes"].pop("hq-nfv")
    text = json.dumps({key: value for key, value in intent.items() if key != "xgn_nodes"}).replace("hq-nfv", "west")
    intent |= json.loads(text)
    refused = planned(act, applied_hybrid, intent, "plan", check=False)
    assert refused["failed"] and "write was: hq-nfv there" in refused["problems"][0]
    intent["xgn_nodes"]["west"]["was"] = "hq-nfv"
    told = planned(act, applied_hybrid, intent, "apply", check=False)
    assert not told.get("failed")
    assert "west: is the new name of hq-nfv (xgn_nodes.west.was); keys and records follow" in told["diff"]["prepared"]
    # Its host is compared with what it applied under its former name; nothing of it is new.
    assert "new host" not in told["changes"]["west"] and "Nothing is recorded" not in told["diff"]["prepared"]
    assert "west" in told["diff"]["prepared"].splitlines()[0], "it stands among those that applied something"
    assert record_file(applied_hybrid, "hq-nfv").exists(), "it goes when its host has applied its variables under the new name"


def test_what_changes_its_identity_stands_before_all_else(act: Act, applied_hybrid: Path) -> None:
    intent = hybrid()
    intent["xgn_sites"]["cloud"]["asn"] = 65510
    told = planned(act, applied_hybrid, intent, "apply")
    lines = told["diff"]["prepared"].splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("cloud-edge: AS number 65502 becomes 65510"))
    assert all(line.startswith(("Compared with", "Whether secrets")) for line in lines[:place])
    assert told["identity"] == [lines[place]]
    (refused,) = planned(act, applied_hybrid, intent, "apply", check=False, own={"hq-core": {"ansible_host": "10.255.0.1"}}).get(
        "problems", [""]
    )
    assert refused == "", "an address that stays is one to come in by"
    intent["xgn_pools"]["loopbacks"]["ipv4"] = "10.252.0.0/24"
    (refused,) = planned(act, applied_hybrid, intent, "apply", own={"hq-core": {"ansible_host": "10.255.0.1"}})["problems"]
    assert refused.startswith("'10.255.0.1' is the address by which Ansible reaches hq-core")


# ---- what is kept of those who leave -------------------------------------------------------------------------------------------------------


def depart(act: Act, records: Path, state: str, *hosts: str, check: bool = False, **known: Any) -> dict[str, Any]:
    arguments = {"hosts": list(hosts), "state": state, "directory": str(records), "key_registries": [str(records.parent / "keys")]}
    return act(departure.ActionModule, arguments, known, check)


@pytest.fixture
def keys(records: Path) -> Path:
    directory = records.parent / "keys"
    directory.mkdir()
    (directory / "cloud-node.txt").write_text("wg1: KEY\n", encoding="utf-8")
    return directory


def test_a_host_that_is_left_is_noted_once(act: Act, applied_hybrid: Path) -> None:
    before = known_record(applied_hybrid, "cloud-node")
    assert depart(act, applied_hybrid, "left", "cloud-node", check=True)["changed"]
    assert known_record(applied_hybrid, "cloud-node") == before
    done = depart(act, applied_hybrid, "left", "cloud-node", "never-applied", tower_job_id=7)
    assert (done["changed"], done["msg"]) == (True, "cloud-node, never-applied: noted as left as it is")
    first = known_record(applied_hybrid, "cloud-node")
    assert first.left and (first.left.run, first.left.by.endswith("(AWX job 7)")) == (RUN.run, True)
    assert replace(first, left=None) == before and known_record(applied_hybrid, "never-applied").left
    again = depart(act, applied_hybrid, "left", "cloud-node")
    assert (again["changed"], again["msg"], known_record(applied_hybrid, "cloud-node")) == (False, "nothing to note", first)


def test_a_cleaned_host_is_struck_out_with_the_containers_that_it_ran(act: Act, applied_hybrid: Path, keys: Path) -> None:
    assert depart(act, applied_hybrid, "cleaned", "cloud-node", check=True)["changed"]
    assert record_file(applied_hybrid, "cloud-node").exists() and (keys / "cloud-node.txt").exists()
    assert depart(act, applied_hybrid, "cleaned", "cloud-node")["changed"]
    assert {path.stem for path in applied_hybrid.glob("*.txt")} == {"hq-core", "hq-nfv", "cloud-edge"}
    assert list(keys.iterdir()) == []
    assert not depart(act, applied_hybrid, "cleaned", "cloud-node")["changed"]


def test_one_that_is_gone_is_one_that_left(act: Act, applied_hybrid: Path) -> None:
    refused = depart(act, applied_hybrid, "gone", "cloud-node", **hybrid())
    assert refused["failed"] and "cloud-node belongs to the network. Remedy: write retired: true" in refused["msg"]
    refused = depart(act, applied_hybrid, "gone", "clod-node", **retired("cloud-node"))
    assert refused["failed"] and "nothing is recorded of clod-node" in refused["msg"]
    assert record_file(applied_hybrid, "cloud-node").exists()
    assert depart(act, applied_hybrid, "gone", "cloud-node", **retired("cloud-node"))["changed"]
    assert not record_file(applied_hybrid, "cloud-node").exists()


def test_what_cannot_be_written_is_told(act: Act, applied_hybrid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(applied, "write_atomically", full)
    refused = depart(act, applied_hybrid, "left", "cloud-node")
    assert refused["failed"] and "what is kept of cloud-node beside the inventory cannot be changed: [Errno 28]" in refused["msg"]


# ---- renamed -------------------------------------------------------------------------------------------------------------------------------


class Host:
    """A managed host that keeps what it applied."""

    def __init__(self) -> None:
        self.applied: dict[str, Any] = {}

    def answer(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if name == "xuegao.net.host_leave":
            changed = "record" in arguments and not is_same(self.applied, arguments["record"])
            self.applied = arguments.get("record", self.applied)
            return {"changed": changed, "lost": False, "taken_by": None, "applied": self.applied, "released": True}
        return {"ansible_facts": {}, "applied": self.applied, "taken": True, "other": None}


def run(act: Act, records: Path, host: Host, name: str, check: bool = False, **more: Any) -> dict[str, Any]:
    """A run of everything on T1, which has a name."""
    own = json.loads(json.dumps(make_plan(PAIR).hosts["T1"]).replace("{{ bgp_password }}", "swordfish"))
    known = {"inventory_hostname": name, "ansible_inventory_sources": ["mine"], "ansible_run_tags": ["all"], **own, **more}
    begun = act(run_begin.ActionModule, {"directory": str(records)}, known, check, host.answer)
    act(run_note.ActionModule, {"directory": str(records), "begun": begun}, known, check)
    arguments = {"directory": str(records), "begun": begun, "complete": True, "key_registries": [str(records.parent / "keys")]}
    return act(run_end.ActionModule, arguments, known, check, host.answer)


NODES = {"west": {"was": "T1", "id": 1}, "T2": {"id": 2}, "templated": {"was": "{{ other }}"}, "odd": "{{ node }}"}


@pytest.mark.parametrize("more", [{}, {"frr_log_level": "debugging"}], ids=["as before", "changed"])
def test_records_and_keys_follow_a_new_name_once_it_has_been_applied(act: Act, records: Path, more: dict[str, Any]) -> None:
    host, keys = Host(), records.parent / "keys"
    keys.mkdir()
    (keys / "T1.txt").write_text("wg0: KEY\n", encoding="utf-8")
    run(act, records, host, "T1")
    former = known_record(records, "T1")
    run(act, records, host, "west", check=True, xgn_nodes=NODES, **more)
    assert known_record(records, "T1") == former and (keys / "T1.txt").exists() and not record_file(records, "west").exists()
    (keys / "west.txt").write_text("wg0: KEY\n", encoding="utf-8")
    done = run(act, records, host, "west", xgn_nodes=NODES, **more)
    assert not done.get("warnings") and {path.name for path in keys.iterdir()} == {"west.txt"}
    record = known_record(records, "west")
    assert record.applied and (record.later, record.variables.get("frr_log_level")) == (None, more.get("frr_log_level"))
    assert not record_file(records, "T1").exists()
    # The word stays in the intent for a while.
    assert run(act, records, host, "west", xgn_nodes=NODES, **more)["changed"] is False
    assert known_record(records, "west") == record


def test_a_run_that_begins_under_a_new_name_is_noted_beside_what_was_applied_under_the_former_one(act: Act, records: Path) -> None:
    """A run that is killed then: the next plan is compared with what the host applied."""
    run(act, records, Host(), "T1")
    known = {"inventory_hostname": "west", "ansible_inventory_sources": ["mine"], "xgn_nodes": NODES}
    act(run_note.ActionModule, {"directory": str(records), "begun": {"begins": "began"}}, known)
    found, former = known_record(records, "west"), known_record(records, "T1")
    assert found.later and replace(found, later=None, what="") == former


def test_the_former_name_counts_as_long_as_the_new_one_is_not_recorded(act: Act, records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies, or cannot write, leaves what is there."""
    host = Host()
    run(act, records, host, "T1")
    before = known_record(records, "T1")
    assert known_record(records, "west", "T1") == before

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(applied, "write_atomically", full)
        done = run(act, records, host, "west", xgn_nodes=NODES)
    assert any("cannot be recorded beside the inventory" in warning for warning in done["warnings"])
    assert known_record(records, "T1") == before


def test_a_peer_is_known_by_the_key_of_its_former_name(act: Act, tmp_path: Path) -> None:
    interfaces = [{"name": "wg0", "peers": [{"name": "west"}]}, {"name": "wg1", "peers": [{"name": "templated"}]}]
    (tmp_path / "T1.txt").write_text(f"wg0: {FORMER}\n", encoding="utf-8")
    known, asked = {"xgn_nodes": NODES}, {"path": str(tmp_path), "kind": "wireguard", "resolve": interfaces}
    found = act(key_registry.ActionModule, asked, known)
    assert found["public_keys"]["wg0"] == {"west": FORMER} and [item["peer"] for item in found["missing"]] == ["templated"]
    (tmp_path / "west.txt").write_text(f"wg0: {NEW}\n", encoding="utf-8")
    assert act(key_registry.ActionModule, asked, known)["public_keys"]["wg0"] == {"west": NEW}
    names = {name: former_name(name, known) for name in (*NODES, "nobody")}
    assert names == {"west": "T1", "T2": "", "templated": "", "odd": "", "nobody": ""}
    assert former_name("west", {}) == ""


def test_one_key_under_the_new_name_loses_none_of_those_under_the_former_one(act: Act, tmp_path: Path) -> None:
    """As a rotation records it, one tunnel after the other, before site has come to its end."""
    first, second, following, third = (":".join([pair] * 32) for pair in ("A1", "B2", "C3", "D4"))
    (tmp_path / "T1.txt").write_text(f"ovpn2: {first}\novpn3: [{second}, {following}]\n", encoding="utf-8")
    arguments = {"path": str(tmp_path), "kind": "openvpn", "host": "west", "record": {"ovpn2": [first, third]}, "accept": True}
    act(key_registry.ActionModule, arguments, {"xgn_nodes": NODES})
    asked = [{"name": name, "peers": [{"name": "west"}]} for name in ("ovpn2", "ovpn3")]
    found = act(key_registry.ActionModule, {"path": str(tmp_path), "kind": "openvpn", "resolve": asked}, {"xgn_nodes": NODES})
    assert found["accepted"] == {"ovpn2": {"west": [first, third]}, "ovpn3": {"west": [second, following]}}


# ---- the others ----------------------------------------------------------------------------------------------------------------------------


def test_ids_of_hosts_that_may_come_back_are_not_given_again(act: Act, records: Path, tmp_path: Path) -> None:
    raw = copy.deepcopy(PAIR)
    raw["xgn_nodes"]["new"] = {"asn": 65600}
    raw["xgn_links"].append({"type": "gre", "insecure": True, "ends": ["T1", "T2"]})
    directory = tmp_path / "group_vars" / "all"
    directory.mkdir(parents=True)
    (directory / "intent.yml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    highest = max(node["id"] for node in PAIR["xgn_nodes"].values())
    identity = {"id": highest + 1, "links": [{"id": 1, "type": "gre", "peer": "T1", "interface": "gre1"}]}
    write_record(records, "old", Record(APPLIED, "", {"preflight_node": identity}, left=APPLIED))
    told = act(assign_ids.ActionModule, {"applied": str(records)}, {**raw, "inventory_dir": str(tmp_path)}, check=True)
    assert told["assigned"] == {"xgn_nodes.new.id": highest + 2, "xgn_links[1].id": 2}


def test_a_host_that_leaves_needs_no_variables(act: Act) -> None:
    known = {"inventory_hostname": "hq-nfv", **retired("hq-nfv")}
    assert act(validate.ActionModule, {"plan": "others"}, known)["failed"]
    assert not act(validate.ActionModule, {"plan": "retired"}, known).get("failed")
    assert act(validate.ActionModule, {"plan": "retired"}, {**known, "vrf_vrfs": "none"})["failed"], (
        "what stands with the host is judged all the same"
    )


@pytest.mark.parametrize(("left", "status"), [("", "passed"), ("hq-nfv has left the network", "failed")])
def test_verify_says_of_a_retired_host_whether_it_is_clean(act: Act, tmp_path: Path, left: str, status: str) -> None:
    """Without a remote call: such a host may be gone."""
    known = {"inventory_hostname": "hq-nfv", "group_names": ["hq"]}
    result = act(verify_checks.ActionModule, {"key_registry": str(tmp_path), "retired": left}, known)
    (check,) = result["ansible_facts"][verify_checks.FACT]["checks"]
    assert (check["name"], check["status"]) == ("Retired host cleaned", status)
    assert left in check["detail"]

"""Actions run_begin, run_note and run_end, and what action plan makes of what they record: one story, told by the three of them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible import context
from ansible.errors import AnsibleError
from ansible.module_utils.common.collections import ImmutableDict
from ansible_collections.xuegao.net.plugins.action import plan, run_begin, run_end, run_note
from ansible_collections.xuegao.net.plugins.module_utils.applied import is_same
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import known_record, record_file
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_values import HostValues
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import RUN, claim
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan

Act = Callable[..., dict[str, Any]]
PAIR: dict[str, Any] = read_yaml((Path(__file__).parents[2] / "golden" / "t1_t2" / "intent.yml").read_text(encoding="utf-8"))
FACTS: dict[str, Any] = {
    **dict.fromkeys(("os_family", "distribution", "distribution_version", "machine", "kernel"), "x"),
    **{name: {} for name in ("kernel_features", "artifacts", "commands", "recorded", "owners")},
    **{name: [] for name in ("packages", "settled", "interfaces", "listeners", "others_behind")},
    **dict.fromkeys(("network_manager", "systemd", "container", "filtered"), False),
}
OTHER = {
    **claim({"ansible_inventory_sources": ["mine"]}),
    "run": "other",
    "by": "bob@noc-2",
    "since": "2026-11-29T03:12:05Z",
    "place": "another kernel",
    "left": 3000,
}


class Machine:
    """A managed host: what it keeps, who has it, and which calls it got."""

    def __init__(self) -> None:
        self.applied: dict[str, Any] = {}
        self.other: dict[str, Any] | None = None
        # Whether the note of the run is gone.
        self.forgot = False
        self.facts: dict[str, Any] = {"xgn_host": FACTS}
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def answer(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((name, arguments))
        if name == "xuegao.net.host_leave":
            lost = "run" in arguments and (self.other is not None or self.forgot)
            changed = "record" in arguments and not lost and not is_same(self.applied, arguments["record"])
            if changed:
                self.applied = arguments["record"]
            answer = {"changed": changed, "lost": lost, "taken_by": self.other, "applied": self.applied, "invocation": {}}
            return {**answer, **({"released": True} if "run" in arguments else {})}
        assert name == "xuegao.net.host_facts"
        lock = arguments.get("lock")
        taken = lock is not None and (self.other is None or lock.get("instead_of") == self.other["run"] or lock["by_force"])
        found = {"ansible_facts": self.facts, "applied": self.applied, "invocation": {}}
        return {**found, "taken": taken, "other": self.other if lock else None}

    def names(self) -> list[str]:
        return [name.rpartition(".")[2] for name, _arguments in self.calls]


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return tmp_path / ".applied"


def variables(**more: Any) -> dict[str, Any]:
    """The variables of T1 in a run of everything, as Ansible has them once the plan is read; a password is resolved as it would be."""
    planned = json.loads(json.dumps(make_plan(PAIR).hosts["T1"]).replace("{{ bgp_password }}", more.pop("password", "swordfish")))
    base = {"inventory_hostname": "T1", "ansible_inventory_sources": ["mine"], "ansible_run_tags": ["all"], "ansible_skip_tags": []}
    return {**base, **planned, **more}


def begin(act: Act, machine: Machine, records: Path, known: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
    return act(run_begin.ActionModule, {"directory": str(records), **more}, known, check, machine.answer)


def end(
    act: Act, machine: Machine, records: Path, known: dict[str, Any], begun: dict[str, Any], complete: bool = True, check: bool = False
) -> Any:
    return act(run_end.ActionModule, {"directory": str(records), "begun": begun, "complete": complete}, known, check, machine.answer)


def note(act: Act, records: Path, known: dict[str, Any], begun: dict[str, Any], check: bool = False) -> dict[str, Any]:
    return act(run_note.ActionModule, {"directory": str(records), "begun": begun}, known, check)


def start(act: Act, machine: Machine, records: Path, known: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The beginning of a run, up to its first change."""
    begun = begin(act, machine, records, known, **more)
    note(act, records, known, begun)
    return begun


def apply(act: Act, machine: Machine, records: Path, known: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A run that goes well."""
    result: dict[str, Any] = end(act, machine, records, known, start(act, machine, records, known, **more))
    return result


def compare(act: Act, records: Path, tmp_path: Path, intent: dict[str, Any], **hosts: dict[str, Any]) -> dict[str, Any]:
    """What plan says; hosts: the hosts of the inventory with their own variables."""
    arguments = {"directory": str(tmp_path / "plan"), "applied": str(records), "rendered": False, "vyos": False, "drawing": False}
    return act(plan.ActionModule, arguments, {**intent, "bgp_password": "x", "hostvars": hosts}, check=True)


# ---- the record ------------------------------------------------------------------------------------------------------


def test_what_was_applied_is_recorded_on_both_sides_and_once(act: Act, machine: Machine, records: Path) -> None:
    first = apply(act, machine, records, variables())
    assert (first["changed"], first["msg"]) == (True, "recorded as applied")
    record = known_record(records, "T1")
    assert record.applied and (record.applied.run, record.later) == (RUN.run, None)
    assert machine.applied["run"] == RUN.run and machine.applied["inventory"] == record.applied.inventory
    assert machine.names() == ["host_facts", "host_leave"]
    text = record_file(records, "T1").read_text(encoding="utf-8") + json.dumps(machine.calls)
    assert "swordfish" not in text and "<secret " in text
    again = apply(act, machine, records, variables())
    assert (again["changed"], again["msg"]) == (False, "recorded as applied before")
    assert known_record(records, "T1") == record
    assert "record" not in machine.calls[-1][1], "the host is given back and nothing else"


def test_defaults_and_the_controllers_own_paths_are_no_part_of_it(act: Act, machine: Machine, records: Path) -> None:
    """Ansible shows a role's defaults in the play that imports the role, and in no other."""
    apply(act, machine, records, variables())
    shown = variables(
        frr_log_level="informational", frr_hostname="{{ inventory_hostname_short }}", wireguard_key_registry="/home/alice/keys"
    )
    assert run_end.SPECS.defaults["frr_log_level"] == "informational"
    assert not apply(act, machine, records, shown)["changed"]
    assert apply(act, machine, records, variables(frr_log_level="debugging"))["changed"]


@pytest.mark.parametrize(
    "partial",
    [{"ansible_run_tags": ["frr"]}, {"ansible_skip_tags": ["frr"]}],
    ids=["--tags", "--skip-tags"],
)
def test_a_part_is_not_recorded_as_applied(act: Act, machine: Machine, records: Path, tmp_path: Path, partial: dict[str, Any]) -> None:
    apply(act, machine, records, variables())
    before = known_record(records, "T1")
    changed = variables(frr_log_level="debugging", **partial)
    done = apply(act, machine, records, changed)
    assert not done["changed"] and done["msg"].startswith("not recorded as applied: only a part was applied (--")
    after = known_record(records, "T1")
    assert (after.applied, after.variables) == (before.applied, before.variables)
    words = compare(act, records, tmp_path, PAIR, T1={"bgp_password": "swordfish"})["diff"]["prepared"]
    assert f"T1: a later run {after.what}, at " in words and "may have parts of it already" in words
    apply(act, machine, records, variables(frr_log_level="debugging"))
    assert known_record(records, "T1").later is None


def test_a_run_that_starts_in_the_middle_is_a_part(act: Act, machine: Machine, records: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(start_at_task="Make the keys"))
    assert "--start-at-task 'Make the keys'" in apply(act, machine, records, variables())["msg"]
    assert known_record(records, "T1").applied is None and machine.applied == {}


def test_a_host_that_failed_is_given_back_and_recorded_as_begun(act: Act, machine: Machine, records: Path, tmp_path: Path) -> None:
    begun = start(act, machine, records, variables())
    released = end(act, machine, records, variables(), begun, complete=False)
    assert released["token"] == begun["token"] and not released["changed"]
    assert machine.calls[-1] == ("xuegao.net.host_leave", {"run": RUN.run})
    record = known_record(records, "T1")
    assert record.applied is None and record.later and machine.applied == {}
    words = compare(act, records, tmp_path, PAIR, T1={})["diff"]["prepared"]
    assert "Nothing is recorded as applied by T1, T2" in words
    assert "T1: a run began to change it and has not come to its end, at " in words


def test_what_a_failed_run_began_is_over_with_the_next_that_comes_to_its_end(act: Act, machine: Machine, records: Path) -> None:
    apply(act, machine, records, variables())
    applied = known_record(records, "T1")
    start(act, machine, records, variables(frr_log_level="debugging"))
    assert known_record(records, "T1").later
    # Back to what it was: the host keeps its record, which is right again.
    assert not apply(act, machine, records, variables())["changed"], "nothing was changed on the host"
    assert known_record(records, "T1") == applied


def test_check_mode_takes_and_writes_nothing(act: Act, machine: Machine, records: Path) -> None:
    begun = begin(act, machine, records, variables(), check=True)
    note(act, records, variables(), begun, check=True)
    done = end(act, machine, records, variables(), {**begun, "taken": False}, check=True)
    assert (done["changed"], done["msg"]) == (True, "not written: check mode")
    assert not records.exists() and machine.names() == ["host_facts"]


def test_a_container_is_recorded_with_one_call_and_only_when_it_differs(act: Act, machine: Machine, records: Path) -> None:
    begun = start(act, machine, records, variables(), look=False)
    assert machine.calls == [] and known_record(records, "T1").later
    assert end(act, machine, records, variables(), begun)["changed"]
    assert machine.names() == ["host_leave"] and "run" not in machine.calls[0][1]
    assert not end(act, machine, records, variables(), begin(act, machine, records, variables(), look=False))["changed"]
    assert machine.names() == ["host_leave"]


def test_a_record_that_is_lost_comes_back_from_the_host(act: Act, machine: Machine, records: Path) -> None:
    """A checkout that is thrown away, as AWX does: the host says when it applied this."""
    apply(act, machine, records, variables())
    machine.applied = {**machine.applied, "at": "2026-01-01T00:00:00Z", "by": "carol@noc", "run": "january"}
    record_file(records, "T1").unlink()
    (records / ".key").unlink()
    known = len(machine.calls)
    assert not apply(act, machine, records, variables())["changed"], "the host is as it was"
    record = known_record(records, "T1")
    assert record.applied and (record.applied.run, record.applied.by) == ("january", "carol@noc")
    assert "record" not in machine.calls[-1][1] and len(machine.calls) == known + 2, "no call more than for an unchanged host"


def test_a_reinstalled_host_has_applied_nothing(act: Act, machine: Machine, records: Path) -> None:
    apply(act, machine, records, variables())
    machine.applied = {}
    start(act, machine, records, variables())
    assert known_record(records, "T1").later, "as far as the host goes, it is about to change"
    assert apply(act, machine, records, variables())["changed"] and machine.applied


def test_what_another_controller_applied_is_not_replaced_silently(act: Act, machine: Machine, records: Path, tmp_path: Path) -> None:
    apply(act, machine, records, variables())
    apply(act, machine, tmp_path / "elsewhere", variables(frr_log_level="debugging"))
    machine.applied = {**machine.applied, "run": "another"}
    for check, verb in ((True, "would replace"), (False, "replaces")):
        begun = begin(act, machine, records, variables(), check=check)
        (warning,) = begun["warnings"]
        assert f"applied something else there at {machine.applied['at'][:10]}" in warning and warning.endswith(f"This run {verb} it.")


def test_a_directory_that_cannot_be_written_does_not_stop_the_network(act: Act, machine: Machine, tmp_path: Path) -> None:
    """A read-only checkout: the host's own record is written, and it is said what is missing here."""
    (tmp_path / "file").touch()
    records = tmp_path / "file" / "applied"
    begun = begin(act, machine, records, variables())
    assert "that this run changes it cannot be noted" in note(act, records, variables(), begun)["warnings"][0]
    done = end(act, machine, records, variables(), begun)
    assert all("cannot be recorded beside the inventory" in warning for warning in done["warnings"]) and done["warnings"]
    assert machine.applied["run"] == RUN.run


# ---- one run at a time -----------------------------------------------------------------------------------------------


def test_a_host_that_is_taken_is_told_with_remedy_and_nothing_is_noted(act: Act, machine: Machine, records: Path) -> None:
    machine.other = OTHER
    begun = begin(act, machine, records, variables())
    assert not begun["taken"] and not begun.get("failed")
    assert begun["held"] == (
        "T1 is taken: bob@noc-2 has worked there since 2026-11-29 03:12:05 UTC (run other, inventory mine). This run stops, and changes nothing more there. Remedy: "
        "wait for the end of that run. If it is dead, its note expires in 50 minutes; to take the host over now: --extra-vars xgn_break_lock=true"
    )
    note(act, records, variables(), begun)
    assert not records.exists(), "not even a key"
    assert end(act, machine, records, variables(), begun, complete=False).get("failed") is None
    assert machine.names() == ["host_facts"], "nothing to give back"


def test_check_mode_goes_on_and_says_who_is_there(act: Act, machine: Machine, records: Path) -> None:
    machine.other = OTHER
    begun = act(
        run_begin.ActionModule,
        {"directory": str(records)},
        variables(),
        True,
        lambda name, arguments: {**machine.answer(name, arguments), "taken": False},
    )
    assert begun["held"] == "" and begun["warnings"][0].endswith("Without --check this run would stop here.")


def test_a_dead_run_of_this_controller_is_replaced_without_a_word(act: Act, machine: Machine, records: Path) -> None:
    machine.other = {**claim({"ansible_inventory_sources": ["mine"]}), "run": "killed", "ticks": RUN.ticks + 1, "left": 3000}
    begun = begin(act, machine, records, variables())
    assert begun["taken"] and begun["held"] == "" and "warnings" not in begun
    assert machine.names() == ["host_facts", "host_facts"]


def test_a_lock_that_is_broken_is_told(act: Act, machine: Machine, records: Path) -> None:
    machine.other = OTHER
    begun = begin(act, machine, records, variables(), break_lock=True)
    assert begun["taken"] and begun["warnings"][0].endswith("This run has taken it over.")


def test_whoever_lost_the_host_is_told_and_records_nothing(act: Act, machine: Machine, records: Path) -> None:
    begun = begin(act, machine, records, variables())
    machine.other = OTHER
    done = end(act, machine, records, variables(), begun)
    assert (done["changed"], done["msg"]) == (False, "not recorded as applied: the host was taken away")
    assert "bob@noc-2 has taken this host meanwhile" in done["warnings"][0]
    assert known_record(records, "T1").applied is None


def test_a_run_that_applies_nothing_notes_nothing(act: Act, machine: Machine, records: Path) -> None:
    assert begin(act, machine, records, variables(), applies="nothing")["taken"]
    assert not begin(act, machine, records, variables(), lock=False)["taken"]
    assert not records.exists()
    start(act, machine, records, variables(), applies="part")
    assert known_record(records, "T1").what == "changed a part of it"


def test_what_a_host_answers_is_handed_on(act: Act, records: Path) -> None:
    def broken(_name: str, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {"failed": True, "msg": "no Python"}

    begun = act(run_begin.ActionModule, {"directory": str(records)}, variables(), False, broken)
    assert (begun["failed"], begun["msg"]) == (True, "no Python")
    done = act(run_end.ActionModule, {"directory": str(records), "begun": {"taken": True}, "complete": True}, variables(), False, broken)
    assert (done["failed"], done["msg"]) == (True, "no Python")
    assert "token" not in done, "so that the step after a failure gives the host back"
    assert known_record(records, "T1").applied is None


# ---- what a plan is compared with ------------------------------------------------------------------------------------


def test_a_plan_is_compared_with_what_was_applied_and_not_with_what_was_planned(
    act: Act, machine: Machine, records: Path, tmp_path: Path
) -> None:
    own = {"bgp_password": "swordfish"}
    apply(act, machine, records, variables())
    other = json.loads(json.dumps(PAIR))
    other["xgn_nodes"]["T1"]["asn"] = 65504
    for _time in range(2):
        # Planned, and written: the second time it is what was planned last.
        arguments = {"directory": str(tmp_path / "plan"), "applied": str(records), "rendered": False, "vyos": False, "drawing": False}
        told = act(plan.ActionModule, arguments, {**other, **own, "hostvars": {"T1": own, "T2": own}})
        assert any("asn: 65503 becomes 65504" in sentence for sentence in told["changes"]["T1"])
        assert told["changes"]["T2"] == ["new host"]
    moment = known_record(records, "T1").applied
    assert moment
    words = told["diff"]["prepared"].splitlines()
    assert (
        words[0].startswith("Compared with what T1 applied at 2")
        and f"(run {RUN.run}, {moment.by}, inventory {moment.inventory})." in words[0]
    )
    assert words[1] == "Nothing is recorded as applied by T2: all of the plan is new there."
    same = compare(act, records, tmp_path, PAIR, T1=own)
    assert "T1" not in same["changes"]


def test_a_secret_that_changed_is_told_without_its_value(act: Act, machine: Machine, records: Path, tmp_path: Path) -> None:
    apply(act, machine, records, variables(password="swordfish"))
    told = compare(act, records, tmp_path, PAIR, T1={"bgp_password": "hunter2hunter2"})
    (sentence,) = told["changes"]["T1"]
    assert sentence.endswith("password: changed")
    assert "swordfish" not in json.dumps(told) and "hunter2" not in json.dumps(told) and "<secret" not in json.dumps(told)
    assert "T1" not in compare(act, records, tmp_path, PAIR, T1={"bgp_password": "swordfish"})["changes"]
    (records / ".key").unlink()
    told = compare(act, records, tmp_path, PAIR, T1={"bgp_password": "hunter2hunter2"})
    assert "T1" not in told["changes"]
    assert "Whether secrets of T1 changed cannot be told: they, or the key of their digests, are not here." in told["diff"]["prepared"]


def test_what_stands_with_a_host_counts_as_well(act: Act, machine: Machine, records: Path, tmp_path: Path) -> None:
    own: dict[str, Any] = {"bgp_password": "swordfish"}
    apply(act, machine, records, variables(frr_log_level="debugging"))
    assert compare(act, records, tmp_path, PAIR, T1=own)["changes"]["T1"] == ["frr_log_level: debugging removed"]
    assert "T1" not in compare(act, records, tmp_path, PAIR, T1={**own, "frr_log_level": "debugging"})["changes"]
    # A slice of the inventory has no such host, and cannot say.
    assert "T1" not in compare(act, records, tmp_path, PAIR, T2=own)["changes"]


def test_a_host_that_is_no_longer_planned_is_told(act: Act, machine: Machine, records: Path, tmp_path: Path) -> None:
    own = {name: value for name, value in variables().items() if name != "preflight_node"}
    apply(act, machine, records, {**own, "inventory_hostname": "T9"})
    told = compare(act, records, tmp_path, PAIR, T1={}, T2={})
    assert told["changes"]["T9"] == ["no longer in the inventory: what it last applied is still there"]
    assert record_file(records, "T9").exists(), "check mode"
    for expected in (True, False):
        arguments = {"directory": str(tmp_path / "plan"), "applied": str(records), "rendered": False, "vyos": False, "drawing": False}
        told = act(plan.ActionModule, arguments, {**PAIR, "bgp_password": "x", "hostvars": {"T1": {}, "T2": {}}})
        assert ("T9" in told["changes"]) is expected, "said once"
    back = known_record(records, "T9")
    assert back.applied, "it comes back with its host"
    apply(act, machine, records, {**own, "frr_log_level": "debugging", "inventory_hostname": "T9"})
    assert not (records / ".left" / "T9.txt").exists()


def test_a_host_of_the_inventory_that_is_no_node_is_compared_by_its_own_variables(
    act: Act, machine: Machine, records: Path, tmp_path: Path
) -> None:
    own = {"frr_log_level": "debugging", "sysctl_ip_forward": False}
    apply(act, machine, records, {"inventory_hostname": "T9", "ansible_run_tags": ["all"], **own})
    assert "T9" not in compare(act, records, tmp_path, PAIR, T9=own)["changes"]
    told = compare(act, records, tmp_path, PAIR, T9={**own, "frr_log_level": "errors"})
    assert told["changes"]["T9"] == ["frr_log_level: debugging becomes errors"]
    assert (
        "T9" not in compare(act, records, tmp_path, PAIR, T8={}, T9=own)["diff"]["prepared"].split("Nothing is recorded")[1].splitlines()[0]
    )


def test_a_damaged_record_is_a_warning(act: Act, records: Path, tmp_path: Path) -> None:
    records.mkdir()
    record_file(records, "T1").write_text("{", encoding="utf-8")
    told = compare(act, records, tmp_path, PAIR)
    assert any("T1.txt is no record of what a host applied" in warning for warning in told["warnings"])
    assert told["changes"]["T1"] == ["new host"]


def test_where_nothing_changes_it_is_said(act: Act, machine: Machine, records: Path, tmp_path: Path) -> None:
    for host in ("T1", "T2"):
        planned = json.loads(json.dumps(make_plan(PAIR).hosts[host]).replace("{{ bgp_password }}", "swordfish"))
        known = {"inventory_hostname": host, "ansible_run_tags": ["all"], "ansible_inventory_sources": ["mine"], **planned}
        apply(act, Machine(), records, known)
    own = {"bgp_password": "swordfish"}
    told = compare(act, records, tmp_path, PAIR, T1=own, T2=own)
    assert told["changes"] == {} and told["diff"]["prepared"].endswith("\nNo host changes.\n")


def test_a_host_that_lies_about_itself_begins_no_run(act: Act, machine: Machine, records: Path) -> None:
    """What it calls a fact would be a variable, and this collection's own are read on the controller."""
    for lie in ({"xgn_host": {**FACTS, "machine": "../x"}}, {"xgn_host": FACTS, "frr_bgp": []}, {"ansible_connection": "local"}):
        machine.facts = lie
        with pytest.raises(AnsibleError, match="T1 answers with facts of another form than it must have"):
            begin(act, machine, records, variables())


@pytest.mark.parametrize("step", [run_begin, run_note, run_end], ids=lambda step: step.__name__.rpartition(".")[2])
def test_a_fact_in_place_of_a_variable_ends_each_step(act: Act, machine: Machine, records: Path, step: Any) -> None:
    begun = start(act, machine, records, variables())
    known = variables(ansible_facts={"frr_log_level": "debugging"})
    own: dict[Any, dict[str, Any]] = {run_begin: {}, run_note: {"begun": begun}, run_end: {"begun": begun, "complete": True}}
    with pytest.raises(
        AnsibleError, match="T1 answers with facts of another form than it must have: frr_log_level: is a variable of yours"
    ):
        act(step.ActionModule, {"directory": str(records), **own[step]}, known, False, machine.answer)


def test_what_a_host_says_cannot_mislead_who_reads_it(act: Act, machine: Machine, records: Path) -> None:
    """A host may have been broken into: it can claim to be taken, and nothing else comes of what it says."""
    machine.other = {
        "run": "a\x1b[2J",
        "by": "root\nok: [T1]",
        "since": ["x"],
        "pid": "1; rm",
        "ticks": None,
        "left": "soon",
        "place": RUN.place,
    }
    begun = begin(act, machine, records, variables())
    assert begun["held"].startswith("T1 is taken: root ok: [T1] has worked there since None (run a?[2J, inventory None).")
    machine.other = None
    machine.applied = {"variables": "x" * 5000, "at": "\x07", "by": {"name": "x"}, "run": 7}
    begun = begin(act, machine, records, variables())
    assert (begun["applied"]["at"], len(begun["applied"]["variables"]), "by" in begun["applied"]) == ("?", 200, False)
    assert end(act, machine, records, variables(), begun)["changed"]


def test_what_a_run_is_told_is_no_part_of_a_host(act: Act, machine: Machine, records: Path, tmp_path: Path) -> None:
    """Neither what a playbook tells the role, nor what the command line tells one run: a second run without it changes nothing."""
    told = {"preflight_lock_minutes": 5, "preflight_needs_mpls": True, "verify_wait": 1, "frr_drain_seconds": 3, "xgn_remove_all": ["frr"]}
    told |= {
        "__preflight_look": False,
        "__preflight_applies": "part",
        "vrf_remove_all": True,
        "openvpn_rotate_until": "made",
        "frr_build_jobs": 2,
    }
    apply(act, machine, records, variables(), look=False)
    assert not apply(act, machine, records, variables(**told), look=False)["changed"]
    own = {"bgp_password": "swordfish"}
    assert "T1" not in compare(act, records, tmp_path, PAIR, T1={**own, **told}, T2=own)["changes"]
    assert apply(act, machine, records, variables(verify_reach=[]), look=False)["changed"], "what comes with the plan does say something"


def test_values_that_json_does_not_know(act: Act, machine: Machine, records: Path) -> None:
    """YAML makes a date of digits and numbers of keys. None of it is a reason to fail, least of all behind the first step."""
    odd = {"sysctl_settings": {1: "a", "b": datetime.date(2026, 1, 1), None: float("nan"), (1, 2): {3, 1}}}
    assert apply(act, machine, records, variables(**odd))["changed"]
    assert not apply(act, machine, records, variables(**odd))["changed"]
    record = known_record(records, "T1")
    assert record.variables["sysctl_settings"] == {"1": "a", "b": "2026-01-01", "None": "nan", "(1, 2)": [1, 3]}


def test_a_variable_that_cannot_be_resolved_ends_the_run_before_the_host_is_taken(
    act: Act, machine: Machine, records: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_arguments: object) -> None:
        raise AnsibleError("undefined")

    monkeypatch.setattr(HostValues, "resolved", fails)
    with pytest.raises(AnsibleError, match="undefined"):
        begin(act, machine, records, variables())
    assert machine.calls == []


def test_a_record_that_cannot_be_read_is_told_and_not_written_over(act: Act, machine: Machine, records: Path) -> None:
    apply(act, machine, records, variables())
    record_file(records, "T1").write_text("half a rec", encoding="utf-8")
    changed = variables(frr_log_level="debugging")
    begun = begin(act, machine, records, changed)
    assert "T1: what it last applied cannot be read" in begun["warnings"][0] and "Remedy: " in begun["warnings"][0]
    assert "cannot be noted beside the inventory" in note(act, records, changed, begun)["warnings"][0]
    assert record_file(records, "T1").read_text(encoding="utf-8") == "half a rec"
    assert end(act, machine, records, changed, begun)["changed"]
    assert known_record(records, "T1").variables["frr_log_level"] == "debugging", "whoever comes to the end knows what is there"


def test_who_applied_something_else_is_told_without_a_record_here_as_well(act: Act, machine: Machine, records: Path) -> None:
    apply(act, machine, records, variables())
    machine.applied = {**machine.applied, "run": "january", "by": "carol@noc", "variables": "something else"}
    record_file(records, "T1").unlink()
    (warning,) = begin(act, machine, records, variables())["warnings"]
    assert warning.startswith("T1: carol@noc applied something else there at ") and warning.endswith("This run replaces it.")
    # What is recorded here is what it replaces: the plan has told.
    apply(act, machine, records, variables())
    assert "warnings" not in begin(act, machine, records, variables(frr_log_level="debugging"))


def test_with_another_key_an_unchanged_host_is_unchanged_and_its_record_stays(act: Act, machine: Machine, records: Path) -> None:
    """Two operators without a common key, or a job of AWX with a new one each time."""
    apply(act, machine, records, variables())
    before = record_file(records, "T1").read_bytes()
    (records / ".key").unlink()
    assert not apply(act, machine, records, variables())["changed"]
    assert record_file(records, "T1").read_bytes() == before
    assert apply(act, machine, records, variables(frr_log_level="debugging"))["changed"]


def test_a_container_whose_record_is_not_here_is_unchanged(act: Act, machine: Machine, records: Path) -> None:
    apply(act, machine, records, variables(), look=False)
    kept = machine.applied
    for path in records.iterdir():
        path.unlink()
    again = apply(act, machine, records, variables(), look=False)
    assert (again["changed"], again["msg"]) == (False, "recorded as applied before")
    assert machine.applied == kept
    record = known_record(records, "T1")
    assert record.applied and record.applied.at == kept["at"] and record.later is None
    for path in records.iterdir():
        path.unlink()
    begun = begin(act, machine, records, variables(), look=False, check=True)
    assert not end(act, machine, records, variables(), begun, check=True)["changed"], "nothing is known of it here"


def test_whoever_lost_the_host_to_nobody_is_told_too(act: Act, machine: Machine, records: Path) -> None:
    begun = start(act, machine, records, variables())
    machine.forgot = True
    for complete in (True, False):
        done = end(act, machine, records, variables(), begun, complete)
        assert "the note of this run is no longer on this host" in done["warnings"][0] and not done["changed"]
    assert machine.applied == {} and known_record(records, "T1").applied is None
    assert known_record(records, "T1").later


def test_an_expired_note_is_told_unless_its_run_is_known_to_be_over(act: Act, machine: Machine, records: Path) -> None:
    def late(other: dict[str, Any]) -> dict[str, Any]:
        return act(
            run_begin.ActionModule,
            {"directory": str(records)},
            variables(),
            False,
            lambda name, arguments: {**machine.answer(name, arguments), "taken": True, "other": other},
        )

    (warning,) = late({**OTHER, "left": -120})["warnings"]
    assert "bob@noc-2 has worked there" in warning and "Its note expired 2 minutes ago, so this run has taken it over." in warning
    assert "warnings" not in late({**claim({"ansible_inventory_sources": ["mine"]}), "run": "killed", "ticks": RUN.ticks + 1, "left": -120})


def test_warnings_of_the_modules_are_kept(act: Act, machine: Machine, records: Path) -> None:
    def answer(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return {**machine.answer(name, arguments), "warnings": [f"from {name}"]}

    begun = act(run_begin.ActionModule, {"directory": str(records)}, variables(), False, answer)
    assert begun["warnings"] == ["from xuegao.net.host_facts"]
    machine.other = OTHER
    for complete in (True, False):
        done = act(run_end.ActionModule, {"directory": str(records), "begun": begun, "complete": complete}, variables(), False, answer)
        assert len(done["warnings"]) == 2 and done["warnings"][0] == "from xuegao.net.host_leave"


def test_a_failed_last_call_that_gave_the_host_back_is_not_made_again(act: Act, machine: Machine, records: Path) -> None:
    begun = begin(act, machine, records, variables())
    failed = {"failed": True, "msg": "what this host applied cannot be kept: No space left on device"}
    arguments = {"directory": str(records), "begun": begun, "complete": True}
    done = act(run_end.ActionModule, arguments, variables(), False, lambda _name, _arguments: failed)
    assert done["failed"] and "token" not in done
    done = act(run_end.ActionModule, arguments, variables(), False, lambda _name, _arguments: {**failed, "released": True})
    assert done["failed"] and done["token"] == begun["token"]
    assert known_record(records, "T1").applied is None


def test_a_default_in_other_words_is_a_default_on_both_sides(act: Act, machine: Machine, records: Path, tmp_path: Path) -> None:
    own = {"bgp_password": "swordfish", "frr_log_level": run_end.SPECS.defaults["frr_log_level"]}
    apply(act, machine, records, variables(frr_log_level=own["frr_log_level"], frr_hostname=run_end.SPECS.defaults["frr_hostname"]))
    assert not {"frr_log_level", "frr_hostname"} & set(known_record(records, "T1").variables)
    assert "T1" not in compare(act, records, tmp_path, PAIR, T1=own, T2={})["changes"]

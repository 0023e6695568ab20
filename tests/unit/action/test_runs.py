"""Actions run_begin and run_end, and what action plan makes of what they record: one story, told by the three of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from ansible_collections.xuegao.net.plugins.action import plan, run_begin, run_end
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import known_record, record_file
from ansible_collections.xuegao.net.plugins.plugin_utils.common.this_run import RUN, claim
from ansible_collections.xuegao.net.plugins.plugin_utils.plan.plan import make_plan

Act = Callable[..., dict[str, Any]]
PAIR: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "golden" / "t1_t2" / "intent.yml").read_text(encoding="utf-8"))
OTHER = {**claim({}, "mine"), "run": "other", "by": "bob@noc-2", "since": "2026-11-29T03:12:05Z", "place": "another kernel", "left": 3000}


class Machine:
    """A managed host: what it keeps, who has it, and which calls it got."""

    def __init__(self) -> None:
        self.applied: dict[str, Any] = {}
        self.other: dict[str, Any] | None = None
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def answer(self, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((name, arguments))
        if name == "xuegao.net.host_leave":
            if "record" in arguments and self.other is None:
                self.applied = arguments["record"]
            return {"changed": "record" in arguments and self.other is None, "taken_by": self.other, "invocation": {}}
        assert name == "xuegao.net.host_facts"
        lock = arguments.get("lock")
        taken = lock is not None and (self.other is None or lock.get("instead_of") == self.other["run"] or lock["by_force"])
        found = {"ansible_facts": {"xgn_host": {}}, "applied": self.applied, "invocation": {}}
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


def apply(act: Act, machine: Machine, records: Path, known: dict[str, Any]) -> dict[str, Any]:
    """A run that goes well."""
    result: dict[str, Any] = end(act, machine, records, known, begin(act, machine, records, known))
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
    begun = begin(act, machine, records, variables())
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
    begin(act, machine, records, variables(frr_log_level="debugging"))
    assert known_record(records, "T1").later
    # Back to what it was: the host keeps its record, which is right again.
    assert apply(act, machine, records, variables())["changed"]
    assert known_record(records, "T1") == applied


def test_check_mode_takes_and_writes_nothing(act: Act, machine: Machine, records: Path) -> None:
    begun = begin(act, machine, records, variables(), check=True)
    done = end(act, machine, records, variables(), {**begun, "taken": False}, check=True)
    assert (done["changed"], done["msg"]) == (True, "not written: check mode")
    assert not records.exists() and machine.names() == ["host_facts"]


def test_a_container_is_recorded_with_one_call_and_only_when_it_differs(act: Act, machine: Machine, records: Path) -> None:
    begun = begin(act, machine, records, variables(), look=False)
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
    assert apply(act, machine, records, variables())["changed"]
    record = known_record(records, "T1")
    assert record.applied and (record.applied.run, record.applied.by) == ("january", "carol@noc")
    assert "record" not in machine.calls[-1][1] and len(machine.calls) == known + 2, "no call more than for an unchanged host"


def test_a_reinstalled_host_has_applied_nothing(act: Act, machine: Machine, records: Path) -> None:
    apply(act, machine, records, variables())
    machine.applied = {}
    begin(act, machine, records, variables())
    assert known_record(records, "T1").later, "as far as the host goes, it is about to change"
    assert apply(act, machine, records, variables())["changed"] and machine.applied


def test_what_another_controller_applied_is_not_replaced_silently(act: Act, machine: Machine, records: Path, tmp_path: Path) -> None:
    apply(act, machine, records, variables())
    apply(act, machine, tmp_path / "elsewhere", variables(frr_log_level="debugging"))
    for check, verb in ((True, "would replace"), (False, "replaces")):
        begun = begin(act, machine, records, variables(), check=check)
        (warning,) = begun["warnings"]
        assert f"applied something else there at {machine.applied['at'][:10]}" in warning and warning.endswith(f"This run {verb} it.")


def test_a_directory_that_cannot_be_written_does_not_stop_the_network(act: Act, machine: Machine, tmp_path: Path) -> None:
    """A read-only checkout: the host's own record is written, and it is said what is missing here."""
    (tmp_path / "file").touch()
    records = tmp_path / "file" / "applied"
    begun = begin(act, machine, records, variables())
    assert "that this run changes it cannot be noted" in begun["warnings"][0]
    done = end(act, machine, records, variables(), begun)
    assert all("cannot be recorded beside the inventory" in warning for warning in done["warnings"]) and done["warnings"]
    assert machine.applied["run"] == RUN.run


# ---- one run at a time -----------------------------------------------------------------------------------------------


def test_a_host_that_is_taken_is_told_with_remedy_and_nothing_is_noted(act: Act, machine: Machine, records: Path) -> None:
    machine.other = OTHER
    begun = begin(act, machine, records, variables())
    assert not begun["taken"] and not begun.get("failed")
    assert begun["held"] == (
        "T1 is taken: bob@noc-2 has worked there since 2026-11-29 03:12:05 UTC (run other, inventory mine). This run stops, and has changed nothing there. Remedy: "
        "wait for the end of that run. If it is dead, its note expires in 50 minutes; to take the host over now: --extra-vars xgn_break_lock=true"
    )
    assert not record_file(records, "T1").exists()
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
    machine.other = {**claim({}, "mine"), "run": "killed", "ticks": RUN.ticks + 1, "left": 3000}
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
    assert done["msg"] == "not recorded as applied: another run has taken the host"
    assert "bob@noc-2 has taken this host meanwhile" in done["warnings"][0]
    assert known_record(records, "T1").applied is None


def test_a_run_that_applies_nothing_notes_nothing(act: Act, machine: Machine, records: Path) -> None:
    assert begin(act, machine, records, variables(), applies="nothing")["taken"]
    assert not begin(act, machine, records, variables(), lock=False)["taken"]
    assert not records.exists()
    begin(act, machine, records, variables(), applies="part")
    assert known_record(records, "T1").what == "changed a part of it"


def test_what_a_host_answers_is_handed_on(act: Act, records: Path) -> None:
    def broken(_name: str, _arguments: dict[str, Any]) -> dict[str, Any]:
        return {"failed": True, "msg": "no Python"}

    begun = act(run_begin.ActionModule, {"directory": str(records)}, variables(), False, broken)
    assert (begun["failed"], begun["msg"]) == (True, "no Python")
    done = act(run_end.ActionModule, {"directory": str(records), "begun": {"taken": True}, "complete": True}, variables(), False, broken)
    assert (done["failed"], done["msg"]) == (True, "no Python")
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
    apply(act, machine, records, {**variables(), "inventory_hostname": "T9"})
    told = compare(act, records, tmp_path, PAIR)
    assert told["changes"]["T9"] == ["no longer in the plan"]


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
    assert begun["held"].startswith("T1 is taken: root?ok: [T1] has worked there since None (run a?[2J, inventory None).")
    machine.other = None
    machine.applied = {"variables": "x" * 5000, "at": "\x07", "by": {"name": "x"}, "run": 7}
    begun = begin(act, machine, records, variables())
    assert (begun["applied"]["at"], len(begun["applied"]["variables"]), "by" in begun["applied"]) == ("?", 200, False)
    assert end(act, machine, records, variables(), begun)["changed"]

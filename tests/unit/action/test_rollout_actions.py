"""Actions still_up and rollout: what was up and is not, and what became of the hosts of a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import verify_samples as samples
import yaml
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible_collections.xuegao.net.plugins.action import rollout, still_up
from ansible_collections.xuegao.net.plugins.module_utils import waiting
from ansible_collections.xuegao.net.plugins.plugin_utils.report.rollout import host_state, rollout_table, turn_of

Act = Callable[..., dict[str, Any]]
VARIABLES, _REGISTRY, STATES = samples.network(2)
SESSION = f"BGP CORE neighbor {samples.loopback(2)} established"

# ---- still_up --------------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long would have been waited, in seconds: waiting takes no time."""
    found: list[float] = []
    monkeypatch.setattr(waiting, "time", SimpleNamespace(monotonic=lambda: sum(found), sleep=found.append))
    return found


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "T1").mkdir()
    (tmp_path / "T1" / "variables.yml").write_text(yaml.safe_dump(VARIABLES["T1"]), encoding="utf-8")
    return tmp_path


def without_session() -> dict[str, Any]:
    bgp = STATES["T1"]["bgp"]
    peers = {address: {**peer, "state": "Active"} for address, peer in bgp["data"]["CORE"].items()}
    return {**STATES["T1"], "bgp": {**bgp, "data": {"CORE": peers}}}


def look(act: Act, directory: Path, answers: list[Any], host: str = "T1", **more: Any) -> dict[str, Any]:
    """Look at a host that answers these, one after the other, and the last one from then on."""

    def answer(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert name == "xuegao.net.live_state"
        # Nobody but the host itself changes these, and they take time.
        assert (arguments["units"], arguments["frr_config"], arguments["docker"], arguments["wait"]) == ([], False, None, 0)
        assert not [ping for ping in arguments["pings"] if ping["id"].startswith("over")]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(found, Exception):
            raise found
        return dict(found)

    return act(still_up.ActionModule, {"host": host, "directory": str(directory), **more}, {}, answer=answer)


def test_what_is_up_is_told(act: Act, directory: Path) -> None:
    result = look(act, directory, [{"state": STATES["T1"]}])
    assert (result["reached"], result["changed"], result["msg"]) == (True, False, "")
    assert SESSION in result["up"]
    # The age of a handshake goes up by itself.
    assert not [name for name in result["up"] if "handshake" in name]


def test_what_is_up_still_costs_one_call(act: Act, directory: Path, naps: list[float]) -> None:
    before = look(act, directory, [{"state": STATES["T1"]}])["up"]
    result = look(act, directory, [{"state": STATES["T1"]}], before=before)
    assert (result.get("failed"), naps) == (None, [])


def test_what_comes_back_in_time_is_waited_for(act: Act, directory: Path, naps: list[float]) -> None:
    before = look(act, directory, [{"state": STATES["T1"]}])["up"]
    answers = [{"state": without_session()}, AnsibleConnectionFailure("timed out"), {"state": STATES["T1"]}]
    assert not look(act, directory, answers, before=before, seconds=60).get("failed")
    assert len(naps) == 2


def test_what_does_not_come_back_is_named_with_what_was_found(act: Act, directory: Path, naps: list[float]) -> None:
    before = look(act, directory, [{"state": STATES["T1"]}])["up"]
    result = look(act, directory, [{"state": without_session()}], before=before, seconds=10)
    assert result["failed"] and sum(naps) == 10
    (line,) = [line for line in result["lost"] if line.startswith(SESSION)]
    assert "is Active, expected Established" in line
    assert result["msg"].startswith("On T1 this was up before the batch, and is not 10 s after it:\n- ")


def test_what_was_not_up_need_not_be(act: Act, directory: Path) -> None:
    before = look(act, directory, [{"state": without_session()}])["up"]
    assert SESSION not in before
    assert not look(act, directory, [{"state": without_session()}], before=before).get("failed")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (AnsibleConnectionFailure("timed out"), "T1 cannot be reached: timed out"),
        (AnsibleError("no interpreter"), "the live state of T1 cannot be read: no interpreter"),
        ({"unreachable": True, "msg": "gone"}, "T1 cannot be reached: gone"),
        ({"failed": True, "msg": "broken"}, "the live state of T1 cannot be read: broken"),
        ({"module_stderr": "Killed"}, "the live state of T1 cannot be read: Killed"),
    ],
)
def test_a_host_that_does_not_answer(act: Act, directory: Path, answer: Any, reason: str) -> None:
    """Before a batch that says nothing; afterwards it is a loss."""
    before = look(act, directory, [answer])
    assert (before["reached"], before["msg"], before["up"], before.get("failed")) == (False, reason, [], None)
    after = look(act, directory, [answer], before=[SESSION], seconds=0)
    assert after["failed"] and after["lost"] == [reason]


def test_of_a_host_that_is_no_node_only_that_it_answers_is_known(act: Act, directory: Path) -> None:
    before = look(act, directory, [{"state": STATES["T1"]}], host="build1")
    assert before["reached"] and "Host reachable" in before["up"] and SESSION not in before["up"]


# ---- rollout ---------------------------------------------------------------------------------------------------------

BATCHES = [
    {"hosts": ["s1"], "containers": ["c1"]},
    {"hosts": [], "containers": ["c2"]},
    {"hosts": ["a", "b", "c", "d"], "containers": []},
    {"hosts": ["z"], "containers": []},
]
PLAN = {
    "batches": BATCHES,
    "neighbors": {"s1": ["a", "b"], "a": ["z"], "b": ["s1"], "c": [], "d": [], "z": ["a"], "c1": ["a"], "c2": ["a"]},
}
DONE = {"__preflight_begun": {"token": "2"}, "__preflight_ended": {"token": "2"}}
# Looked at before the first batch: taken, and given back.
UNTOUCHED = {"__preflight_begun": {"token": "1"}}


def step(act: Act, name: str, host: str, hostvars: Mapping[str, Any]) -> dict[str, Any]:
    every = [item for batch in BATCHES for kind in batch.values() for item in kind]
    known = {"inventory_hostname": host, "hostvars": {item: hostvars.get(item, UNTOUCHED) for item in every}}
    return act(rollout.ActionModule, {"plan": PLAN, "step": name}, known)


def cells(lines: list[str]) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines[1:]]


def test_the_batches_and_who_is_looked_at(act: Act) -> None:
    """A batch without machines of this run has its containers alone; containers come behind all machines."""
    result = step(act, "plan", "s1", {})
    assert result["_ansible_verbose_always"] and not result.get("failed")
    assert cells(result["msg"]) == [
        ["1", "to come", "s1, c1"],
        ["1", "looked at", "a, b"],
        ["2", "to come", "c2"],
        ["2", "looked at", "a"],
        ["3", "to come", "a, b, c, d"],
        ["3", "looked at", "z, s1"],
        ["4", "to come", "z"],
        ["4", "looked at", "a"],
    ]


def test_a_batch_begins_behind_one_that_was_done(act: Act) -> None:
    assert cells(step(act, "begin", "s1", {})["msg"])[0] == ["1", "now", "s1"]
    result = step(act, "begin", "b", {"s1": DONE})
    assert not result.get("failed")
    assert cells(result["msg"])[0] == ["1", "done", "s1"]


def test_a_batch_does_not_begin_behind_one_that_was_not_done(act: Act) -> None:
    broken = {"s1": DONE, "a": DONE, "b": {**UNTOUCHED, "__preflight_back": {"restored": True}}, "c": DONE, "d": DONE}
    result = step(act, "begin", "z", broken)
    assert result["failed"]
    first, *table = result["msg"].splitlines()
    assert first == "Batch 3 was not done on all of its hosts, so this run ends, and changes nothing more."
    assert cells(table) == [
        ["1", "done", "s1"],
        ["1", "untouched", "c1"],
        ["2", "untouched", "c2"],
        ["3", "done", "a, c, d"],
        ["3", "went back", "b"],
        ["4", "untouched", "z"],
    ]
    # Nor do the containers of the first one.
    assert step(act, "begin", "c1", {"s1": DONE})["failed"]


def test_the_end_of_a_run(act: Act) -> None:
    everybody = {name: DONE for batch in BATCHES for kind in batch.values() for name in kind}
    result = step(act, "end", "s1", everybody)
    assert not result.get("failed") and {row[1] for row in cells(result["msg"])} == {"done"}
    broken = step(act, "end", "s1", {**everybody, "c2": UNTOUCHED})
    assert broken["failed"] and broken["msg"].startswith("Batch 2 was not done")


def test_what_stops_says_what_became_of_each_host(act: Act) -> None:
    result = step(act, "stop", "a", {"s1": DONE, "a": {**UNTOUCHED, "__preflight_back": {"restored": True}}})
    assert not result.get("failed")
    assert cells(result["msg"])[3:5] == [["3", "went back", "a"], ["3", "not reached; what it changed, it puts back by itself", "b, c, d"]]


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (DONE, "done"),
        ({**DONE, "__preflight_begun": {"token": "3"}, "__preflight_back": {"restored": False}}, "had changed nothing"),
        (UNTOUCHED, "not reached; what it changed, it puts back by itself"),
        ({**UNTOUCHED, "__preflight_back": {"unreachable": True}}, "not reached; what it changed, it puts back by itself"),
        ({**UNTOUCHED, "__preflight_back": {"restored": True, "failures": []}}, "went back"),
        ({**UNTOUCHED, "__preflight_back": {"restored": True, "failures": ["x"]}}, "went back, but not all of it"),
        ({**UNTOUCHED, "__preflight_back": {"failed": True}}, "went back, but not all of it"),
        ({**UNTOUCHED, "__preflight_back": {"restored": False}}, "had changed nothing"),
        (
            {**UNTOUCHED, "__preflight_back": {"restored": False}, "__preflight_confirmed": {"changed": False}},
            "keeps what it had confirmed",
        ),
        ({**UNTOUCHED, "__preflight_back": {"restored": True}, "__preflight_confirmed": {"failed": True}}, "went back"),
        (
            {**UNTOUCHED, "__preflight_back": {"restored": True}, "__preflight_confirmed": {"changed": False}},
            "keeps what it had confirmed, the rest went back",
        ),
    ],
)
def test_what_became_of_a_host(found: dict[str, Any], state: str) -> None:
    assert host_state(found) == state


def test_a_thousand_names_are_wrapped() -> None:
    lines = rollout_table((2, "done", f"long-name-of-a-router-{number}") for number in range(1000))
    assert max(map(len, lines)) <= 110 and lines[1].startswith("2      done   long-name-of-a-router-0, ")
    assert all(line.startswith(" " * 14 + "long-name") for line in lines[2:])


def test_a_host_of_no_batch() -> None:
    with pytest.raises(ValueError, match="x is in no batch of this run"):
        turn_of([(1, ("a",))], "x")

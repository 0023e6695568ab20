"""Action key_registry: what is recorded stays, what is asked for is found or named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.xuegao.net.plugins.action.key_registry import ActionModule
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import UNKNOWN_KEY

Act = Callable[..., dict[str, Any]]
INTERFACES = [
    {"name": "wg0", "peers": [{"name": "T2"}, {"name": "branch", "interface": "wg7"}]},
    {"name": "wg1", "peers": [{"name": "printer", "public_key": "GIVEN"}]},
]


def recorded(registry: Path, host: str) -> Any:
    return yaml.safe_load((registry / f"{host}.txt").read_text(encoding="utf-8"))


def test_keys_are_recorded_once_and_others_stay(act: Act, tmp_path: Path) -> None:
    registry = tmp_path / "keys"
    first = act(ActionModule, {"path": str(registry), "host": "T1", "record": {"wg0": "A", "wg1": None}})
    assert first["changed"] and first["diff"]["before"] == "" and "wg0: A" in first["diff"]["after"]
    assert recorded(registry, "T1") == {"wg0": "A"}
    assert (registry / "T1.txt").stat().st_mode & 0o777 == 0o644
    assert not act(ActionModule, {"path": str(registry), "host": "T1", "record": {"wg0": "A"}})["changed"]
    act(ActionModule, {"path": str(registry), "host": "T1", "record": {"wg1": "B"}})
    assert recorded(registry, "T1") == {"wg0": "A", "wg1": "B"}
    assert not act(ActionModule, {"path": str(registry), "host": "T1", "record": {}})["changed"]
    assert [path.name for path in registry.iterdir()] == ["T1.txt"], "nothing half-written"


def test_check_mode_tells_and_writes_nothing(act: Act, tmp_path: Path) -> None:
    told = act(ActionModule, {"path": str(tmp_path / "keys"), "host": "T1", "record": {"wg0": "A"}}, check=True)
    assert told["changed"] and "wg0: A" in told["diff"]["after"]
    assert not (tmp_path / "keys").exists()


def test_a_peers_own_key_comes_first_and_the_registry_second(act: Act, tmp_path: Path) -> None:
    act(ActionModule, {"path": str(tmp_path), "host": "T2", "record": {"wg0": "B"}})
    found = act(ActionModule, {"path": str(tmp_path), "resolve": INTERFACES})
    assert found["public_keys"] == {"wg0": {"T2": "B"}, "wg1": {"printer": "GIVEN"}}
    assert found["accepted"] == {"wg0": {"T2": ["B"]}, "wg1": {"printer": ["GIVEN"]}}
    assert found["missing"] == [{"peer": "branch", "interface": "wg0", "remote_interface": "wg7"}]
    assert found["changed"] is False


def test_a_key_that_is_rotated_has_another_beside_it(act: Act, tmp_path: Path) -> None:
    """Peers accept both; when it is over, one is left, as it was before."""
    asked = [{"name": "ovpn2", "peers": [{"name": "cloud"}]}, {"name": "ovpn5", "peers": [{"name": "partner", "public_key": ["X", "Y"]}]}]
    for recorded_now, written in ((["A", "B"], ["A", "B"]), (["B"], "B"), ([], "B")):
        act(ActionModule, {"path": str(tmp_path), "host": "cloud", "record": {"ovpn2": recorded_now}})
        assert recorded(tmp_path, "cloud") == {"ovpn2": written}
        found = act(ActionModule, {"path": str(tmp_path), "resolve": asked})
        assert found["accepted"] == {
            "ovpn2": {"cloud": written if isinstance(written, list) else [written]},
            "ovpn5": {"partner": ["X", "Y"]},
        }
        assert found["public_keys"] == {"ovpn2": {"cloud": written[0]}, "ovpn5": {"partner": "X"}}


def test_all_keys_that_are_not_known_are_named(act: Act, tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail) as refused:
        act(ActionModule, {"path": str(tmp_path), "resolve": INTERFACES, "must_resolve": True})
    for line in ("- peer T2, interface wg0\n", "- peer branch, interface wg7\n", f"Not in the registry {tmp_path}"):
        assert line in str(refused.value)


def test_check_mode_goes_on_without_keys(act: Act, tmp_path: Path) -> None:
    """Before the first run there are none."""
    found = act(ActionModule, {"path": str(tmp_path), "resolve": INTERFACES, "must_resolve": True}, check=True)
    assert found["public_keys"]["wg0"] == {"T2": UNKNOWN_KEY, "branch": UNKNOWN_KEY}


@pytest.mark.parametrize(
    "content", [b"- a list\n", b"wg0: [1]\n", b"1: A\n", b"wg0: []\n", b"wg0:\n", b"wg0: A\nwg1: [", b"wg0: A\0", b"\xff\xfe"]
)
def test_a_torn_file_is_named_and_written_anew_by_who_knows_the_keys(act: Act, tmp_path: Path, content: bytes) -> None:
    """Whoever only needs them takes them for unknown, so that the host is asked."""
    file = tmp_path / "T2.txt"
    file.write_bytes(content)
    named = f"{file}: expected lines `interface: public key`. What it held counts as not recorded; a run that reaches T2 records it anew."
    found = act(ActionModule, {"path": str(tmp_path), "resolve": INTERFACES})
    assert (found["warnings"], [item["peer"] for item in found["missing"]]) == ([named], ["T2", "branch"])
    with pytest.raises(AnsibleActionFail) as refused:
        act(ActionModule, {"path": str(tmp_path), "resolve": INTERFACES, "must_resolve": True})
    assert "- peer T2, interface wg0" in str(refused.value) and named in str(refused.value)
    told = act(ActionModule, {"path": str(tmp_path), "host": "T2", "record": {"wg0": "B"}})
    assert (told["changed"], told["warnings"], recorded(tmp_path, "T2")) == (True, [named], {"wg0": "B"})
    again = act(ActionModule, {"path": str(tmp_path), "host": "T2", "record": {"wg0": "B"}})
    assert not again["changed"] and "warnings" not in again


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "one of the following is required: record, resolve"),
        ({"record": {}, "resolve": []}, "mutually exclusive"),
        ({"record": {}}, "missing parameter.s. required by 'record': host"),
    ],
)
def test_either_record_or_resolve(act: Act, tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(AnsibleError, match=words):
        act(ActionModule, {"path": str(tmp_path), **arguments})

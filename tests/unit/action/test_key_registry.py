"""Action key_registry: what is recorded stays, what is asked for is found or named, and what a host says is a key or nothing."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible_collections.xuegao.net.plugins.action import key_registry
from ansible_collections.xuegao.net.plugins.action.key_registry import ActionModule
from ansible_collections.xuegao.net.plugins.module_utils.wireguard import UNKNOWN_KEY
from ansible_collections.xuegao.net.plugins.plugin_utils.common.key_registry import KINDS
from ansible_collections.xuegao.net.plugins.plugin_utils.common.problems import Place
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml
from hypothesis import given, settings
from hypothesis import strategies as st

Act = Callable[..., dict[str, Any]]
A, B, GIVEN = (base64.b64encode(hashlib.sha256(name.encode()).digest()).decode() for name in ("A", "B", "given"))
FINGERPRINT = ":".join(f"{number:02X}" for number in range(32))
FIRST, NEXT, THIRD, FOURTH = (":".join([pair] * 32) for pair in ("A1", "B2", "C3", "D4"))
INTERFACES = [
    {"name": "wg0", "peers": [{"name": "T2"}, {"name": "branch", "interface": "wg7"}]},
    {"name": "wg1", "peers": [{"name": "printer", "public_key": GIVEN}]},
]
GOOD = {"wireguard": A, "openvpn": FINGERPRINT}
# What a host that was broken into may answer in place of a key: a line more in the files of its peers, another option, or nothing of use.
LIES: tuple[Any, ...] = (
    f"{FINGERPRINT}\nscript-security 2\nup /tmp/x",
    f"{A}\nPostUp = reboot",
    f"{A} ",
    f"{A}\n",
    "</peer-fingerprint>",
    "{{ lookup('pipe', 'reboot') }}",
    "A" * 44,
    "",
    "x" * 100_000,
    ["wg0"],
    {"a": A},
    7,
    True,
)


def record(act: Act, registry: Path, host: str, keys: Any, kind: str = "wireguard", check: bool = False, **more: Any) -> dict[str, Any]:
    return act(ActionModule, {"path": str(registry), "kind": kind, "host": host, "record": keys, **more}, check=check)


def resolve(act: Act, registry: Path, interfaces: Any, kind: str = "wireguard", check: bool = False, **more: Any) -> dict[str, Any]:
    return act(ActionModule, {"path": str(registry), "kind": kind, "resolve": interfaces, **more}, check=check)


def recorded(registry: Path, host: str) -> Any:
    return read_yaml((registry / f"{host}.txt").read_text(encoding="utf-8"))


def test_keys_are_recorded_once_and_others_stay(act: Act, tmp_path: Path) -> None:
    registry = tmp_path / "keys"
    first = record(act, registry, "T1", {"wg0": A, "wg1": None})
    assert first["changed"] and first["diff"]["before"] == "" and f"wg0: {A}" in first["diff"]["after"]
    assert recorded(registry, "T1") == {"wg0": A}
    assert (registry / "T1.txt").stat().st_mode & 0o777 == 0o644
    assert not record(act, registry, "T1", {"wg0": A})["changed"]
    record(act, registry, "T1", {"wg1": B})
    assert recorded(registry, "T1") == {"wg0": A, "wg1": B}
    assert not record(act, registry, "T1", {})["changed"]
    assert [path.name for path in registry.iterdir()] == ["T1.txt"], "nothing half-written"


def test_check_mode_tells_and_writes_nothing(act: Act, tmp_path: Path) -> None:
    told = record(act, tmp_path / "keys", "T1", {"wg0": A}, check=True)
    assert told["changed"] and f"wg0: {A}" in told["diff"]["after"]
    assert not (tmp_path / "keys").exists()


def test_a_peers_own_key_comes_first_and_the_registry_second(act: Act, tmp_path: Path) -> None:
    record(act, tmp_path, "T2", {"wg0": B})
    found = resolve(act, tmp_path, INTERFACES)
    assert found["public_keys"] == {"wg0": {"T2": B}, "wg1": {"printer": GIVEN}}
    assert found["accepted"] == {"wg0": {"T2": [B]}, "wg1": {"printer": [GIVEN]}}
    assert found["missing"] == [{"peer": "branch", "interface": "wg0", "remote_interface": "wg7"}]
    assert found["changed"] is False


def test_a_key_that_is_rotated_has_another_beside_it(act: Act, tmp_path: Path) -> None:
    """Peers accept both; when it is over, one is left, as it was before."""
    asked = [
        {"name": "ovpn2", "peers": [{"name": "cloud"}]},
        {"name": "ovpn5", "peers": [{"name": "partner", "public_key": [THIRD, FOURTH]}]},
    ]
    for told, written in (([FIRST, NEXT], [FIRST, NEXT]), ([NEXT], NEXT), ([], NEXT)):
        record(act, tmp_path, "cloud", {"ovpn2": told}, "openvpn")
        assert recorded(tmp_path, "cloud") == {"ovpn2": written}
        found = resolve(act, tmp_path, asked, "openvpn")
        assert found["accepted"] == {
            "ovpn2": {"cloud": written if isinstance(written, list) else [written]},
            "ovpn5": {"partner": [THIRD, FOURTH]},
        }
        assert found["public_keys"] == {"ovpn2": {"cloud": told[0] if told else NEXT}, "ovpn5": {"partner": THIRD}}


def test_all_keys_that_are_not_known_are_named(act: Act, tmp_path: Path) -> None:
    with pytest.raises(AnsibleActionFail) as refused:
        resolve(act, tmp_path, INTERFACES, must_resolve=True)
    for line in ("- peer T2, interface wg0\n", "- peer branch, interface wg7\n", f"Not in the registry {tmp_path}"):
        assert line in str(refused.value)


def test_check_mode_goes_on_without_keys(act: Act, tmp_path: Path) -> None:
    """Before the first run there are none."""
    found = resolve(act, tmp_path, INTERFACES, must_resolve=True, check=True)
    assert found["public_keys"]["wg0"] == {"T2": UNKNOWN_KEY, "branch": UNKNOWN_KEY}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"- a list\n", ""),
        (b"wg0: [1]\n", "; T2.wg0: 1 is no text"),
        (b"wg0: {a: b}\n", "; T2.wg0: a dictionary is no text"),
        (f"1: {A}\n".encode(), r"; T2\[1\]: is no name of an interface"),
        (b"wg0: []\n", "; T2.wg0: has 0 keys; an interface has one, and a second one while it is rotated"),
        (b"wg0:\n", "; T2.wg0: has 0 keys; an interface has one, and a second one while it is rotated"),
        (
            f"wg0: [{A}, {B}, {GIVEN}]\n".encode(),
            "; T2.wg0: has 3 keys; an interface has one, and a second one while it is rotated",
        ),
        (f"wg0: {A}\nwg1: [".encode(), ""),
        (f"wg0: {A}\0".encode(), ""),
        (b"\xff\xfe", ""),
        (b"wg0: A\n", "; T2.wg0: 'A' is no WireGuard key"),
        (f'wg0: "{A}\\nPostUp = x"\n'.encode(), r"; T2.wg0: '.*\\nPostUp = x' is no WireGuard key"),
        (f"a b: {A}\n".encode(), r"; T2\['a b'\]: 'a b' must be 1 to 15"),
    ],
)
def test_a_torn_file_is_named_and_written_anew_by_who_knows_the_keys(act: Act, tmp_path: Path, content: bytes, words: str) -> None:
    """Whoever only needs them takes them for unknown, so that the host is asked. Nothing that has not the form of a key comes out of a file."""
    file = tmp_path / "T2.txt"
    file.write_bytes(content)
    found = resolve(act, tmp_path, INTERFACES)
    (named,) = found["warnings"]
    assert named.startswith(f"{file}: expected lines `interface: public key`") and re.search(words, named)
    assert named.endswith(". What it held counts as not recorded; a run that reaches T2 records it anew.")
    assert [item["peer"] for item in found["missing"]] == ["T2", "branch"]
    with pytest.raises(AnsibleActionFail) as refused:
        resolve(act, tmp_path, INTERFACES, must_resolve=True)
    assert "- peer T2, interface wg0" in str(refused.value) and named in str(refused.value)
    told = record(act, tmp_path, "T2", {"wg0": B})
    assert (told["changed"], told["warnings"], recorded(tmp_path, "T2")) == (True, [named], {"wg0": B})
    again = record(act, tmp_path, "T2", {"wg0": B})
    assert not again["changed"] and "warnings" not in again


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "one of the following is required: record, resolve"),
        ({"record": {}, "resolve": []}, "mutually exclusive"),
        ({"record": {}}, "missing parameter.s. required by 'record': host"),
        ({"record": {}, "kind": "rsa"}, "value of kind must be one of: wireguard, openvpn"),
    ],
)
def test_either_record_or_resolve(act: Act, tmp_path: Path, arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(AnsibleError, match=words):
        act(ActionModule, {"path": str(tmp_path), "kind": "wireguard", **arguments})


# ---- what a host says ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lie", [lie for lie in LIES if lie], ids=lambda lie: repr(lie)[:40])
def test_a_host_that_lies_about_its_key_is_named_and_recorded_nowhere(act: Act, tmp_path: Path, kind: str, lie: Any) -> None:
    with pytest.raises(AnsibleActionFail) as refused:
        record(act, tmp_path, "liar", {"wg0": GOOD[kind], "wg1": lie}, kind)
    text = str(refused.value)
    assert "liar said what is no public key, and no peer is given it. liar.wg1: " in text
    assert "\n" not in text and len(text) < 500
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["wg0\nPostUp", "../T2", "wg 0", "-x", "", "a" * 16, 5])
def test_a_host_that_lies_about_the_name_of_an_interface(act: Act, tmp_path: Path, name: Any) -> None:
    with pytest.raises(AnsibleActionFail, match="liar said what is no public key"):
        record(act, tmp_path, "liar", {name: A})
    assert list(tmp_path.iterdir()) == []


def test_each_kind_is_no_key_of_the_other(act: Act, tmp_path: Path) -> None:
    for kind, other in (("wireguard", "openvpn"), ("openvpn", "wireguard")):
        assert record(act, tmp_path / kind, "T1", {"ovpn2": GOOD[kind]}, kind)["changed"]
        with pytest.raises(AnsibleActionFail, match="T1 said what is no public key"):
            record(act, tmp_path / other, "T1", {"ovpn2": GOOD[kind]}, other)


@settings(max_examples=200)
@given(st.text(min_size=1), st.sampled_from(sorted(KINDS)))
def test_whatever_is_recorded_is_one_word_in_one_line(text: str, kind: str) -> None:
    if not list(KINDS[kind](Place.of(kind), text)):
        assert text.split() == [text] and text.isascii() and text.isprintable()


@pytest.mark.parametrize("host", ["../T2", "a/b", ".hidden", "a\nb"])
def test_a_host_cannot_have_its_file_elsewhere(act: Act, tmp_path: Path, host: str) -> None:
    with pytest.raises(AnsibleActionFail, match="is no name of a host that a file can have"):
        record(act, tmp_path / "keys", host, {"wg0": A})
    with pytest.raises(AnsibleActionFail, match="is no name of a host that a file can have"):
        resolve(act, tmp_path / "keys", [{"name": "wg0", "peers": [{"name": host}]}])


def test_two_peers_with_one_key_would_be_one(act: Act, tmp_path: Path) -> None:
    """A host may tell the key of another one: what is meant for that one would go to it, on an interface that both share."""
    record(act, tmp_path, "T2", {"wg0": B})
    record(act, tmp_path, "liar", {"wg0": B})
    with pytest.raises(AnsibleActionFail, match="T2 and liar, peers of wg0, have the same public key 335w5"):
        resolve(act, tmp_path, [{"name": "wg0", "peers": [{"name": "T2"}, {"name": "liar"}]}])
    assert resolve(
        act, tmp_path, [{"name": "wg0", "peers": [{"name": "T2"}]}, {"name": "wg1", "peers": [{"name": "liar", "interface": "wg0"}]}]
    )


def test_a_key_of_the_variables_has_its_form_too(act: Act, tmp_path: Path) -> None:
    peer = {"name": "printer", "public_key": f"{A}\nPostUp = x"}
    with pytest.raises(AnsibleActionFail, match=r"wg1\.printer: .* is no WireGuard key"):
        resolve(act, tmp_path, [{"name": "wg1", "peers": [peer]}])


# ---- another key ---------------------------------------------------------------------------------------------------------------------------


def said(monkeypatch: pytest.MonkeyPatch, **extra_vars: Any) -> None:
    """What somebody has written behind --extra-vars."""
    monkeypatch.setattr(key_registry, "load_extra_vars", lambda _loader: extra_vars)


@pytest.mark.parametrize("check", [False, True])
def test_another_key_stops_the_run_and_is_named(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: bool) -> None:
    record(act, tmp_path, "T1", {"wg0": A, "wg1": A})
    said(monkeypatch, xgn_accept_keys="T2")
    with pytest.raises(AnsibleActionFail) as refused:
        record(act, tmp_path, "T1", {"wg0": B, "wg1": A, "wg2": B}, check=check)
    text = str(refused.value)
    assert f"- wg0: recorded {A}, now {B}\n" in text
    assert "wg1:" not in text and "wg2:" not in text, "what is as recorded, or is new, is no other key"
    assert "--extra-vars xgn_accept_keys=T1" in text
    assert recorded(tmp_path, "T1") == {"wg0": A, "wg1": A}
    assert resolve(act, tmp_path, [{"name": "wg9", "peers": [{"name": "T1", "interface": "wg0"}]}])["public_keys"] == {"wg9": {"T1": A}}


@pytest.mark.parametrize("accepted", [["T1"], "T1", "T2,T1", "T2 T1", ["T2", "T1"]])
def test_what_somebody_accepts_is_recorded(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accepted: Any) -> None:
    record(act, tmp_path, "T1", {"wg0": A})
    with monkeypatch.context() as command_line:
        said(command_line, xgn_accept_keys=accepted)
        assert record(act, tmp_path, "T1", {"wg0": B})["changed"]
    assert recorded(tmp_path, "T1") == {"wg0": B}
    assert not record(act, tmp_path, "T1", {"wg0": B})["changed"], "once it is recorded nobody has to accept it again"


def test_a_rotation_in_two_phases_is_no_other_key(act: Act, tmp_path: Path) -> None:
    """Site goes on wherever it was broken off: what is in use was recorded before it was used."""
    for told in ([FIRST], [FIRST, NEXT]):
        record(act, tmp_path, "T1", {"ovpn2": told}, "openvpn", accept=True)
    kept = (tmp_path / "T1.txt").read_bytes()
    for told in ([FIRST, NEXT], [NEXT, FIRST], [NEXT], [FIRST]):
        (tmp_path / "T1.txt").write_bytes(kept)
        found = record(act, tmp_path, "T1", {"ovpn2": told}, "openvpn")
        assert "warnings" not in found and recorded(tmp_path, "T1") == {"ovpn2": told if len(told) > 1 else told[0]}
    record(act, tmp_path, "T1", {"ovpn2": [FIRST, THIRD]}, "openvpn", accept=True)
    assert recorded(tmp_path, "T1") == {"ovpn2": [FIRST, THIRD]}, "the next rotation"


def test_what_lies_beside_a_recorded_key_is_given_to_nobody(act: Act, tmp_path: Path) -> None:
    """Whoever answers as a host could name its key, which is no secret, and one of his own beside it."""
    record(act, tmp_path, "T1", {"ovpn2": FIRST}, "openvpn")
    found = record(act, tmp_path, "T1", {"ovpn2": [FIRST, NEXT]}, "openvpn")
    assert found["changed"] is False and recorded(tmp_path, "T1") == {"ovpn2": FIRST}
    assert found["warnings"] == [
        f"T1: ovpn2 has {NEXT} beside its key, which no rotation has recorded, and no peer is given it. The next rotation goes on with it."
    ]
    for told in ([NEXT, FIRST], [NEXT], [NEXT, THIRD]):
        with pytest.raises(AnsibleActionFail, match=f"- ovpn2: recorded {FIRST}, now {NEXT}\n"):
            record(act, tmp_path, "T1", {"ovpn2": told}, "openvpn")
    with pytest.raises(AnsibleActionFail, match=r"T1 said what is no public key, and no peer is given it. T1.ovpn2: has 3 keys"):
        record(act, tmp_path, "T1", {"ovpn2": [FIRST, NEXT, THIRD]}, "openvpn", accept=True)
    assert recorded(tmp_path, "T1") == {"ovpn2": FIRST}


def test_a_host_that_was_renamed_has_the_keys_of_its_former_name(act: Act, tmp_path: Path) -> None:
    record(act, tmp_path, "T1", {"wg0": A, "wg1": A})
    renamed = {"xgn_nodes": {"west": {"was": "T1"}}}
    arguments = {"path": str(tmp_path), "kind": "wireguard", "host": "west"}
    with pytest.raises(AnsibleActionFail, match="west has another public key than "):
        act(ActionModule, {**arguments, "record": {"wg0": B}}, renamed)
    act(ActionModule, {**arguments, "record": {"wg0": A}}, renamed)
    assert recorded(tmp_path, "west") == {"wg0": A, "wg1": A}


def test_a_rotation_accepts_what_it_rotates(act: Act, tmp_path: Path) -> None:
    record(act, tmp_path, "T1", {"wg0": A})
    assert record(act, tmp_path, "T1", {"wg0": B}, accept=True)["changed"]
    assert recorded(tmp_path, "T1") == {"wg0": B}


def test_no_variable_of_a_host_is_an_acceptance(act: Act, tmp_path: Path) -> None:
    """A fact is a variable as well, and a fact is what the host says."""
    record(act, tmp_path, "T1", {"wg0": A})
    arguments = {"path": str(tmp_path), "kind": "wireguard", "host": "T1", "record": {"wg0": B}}
    with pytest.raises(AnsibleActionFail, match="T1 has another public key"):
        act(ActionModule, arguments, {"inventory_hostname": "T1", "xgn_accept_keys": "T1"})
    facts = {"inventory_hostname": "T1", "ansible_facts": {"xgn_accept_keys": "T1"}}
    with pytest.raises(
        AnsibleActionFail, match="T1 answers with facts of another form than it must have: xgn_accept_keys: is a variable of yours"
    ):
        act(ActionModule, arguments, facts)
    assert recorded(tmp_path, "T1") == {"wg0": A}


def test_acceptance_is_no_leave_to_lie(act: Act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(act, tmp_path, "T1", {"wg0": A})
    said(monkeypatch, xgn_accept_keys="T1")
    for accept in (False, True):
        with pytest.raises(AnsibleActionFail, match="T1 said what is no public key"):
            record(act, tmp_path, "T1", {"wg0": f"{B}\nPostUp = x"}, accept=accept)
    assert recorded(tmp_path, "T1") == {"wg0": A}

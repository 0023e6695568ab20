"""The record of what a host applied: read back as it was written, without a secret, whole or not at all."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.plugin_utils.common.applied import (
    Digests,
    Moment,
    Record,
    Seal,
    digests,
    is_sealed,
    known_record,
    note_later,
    read_record,
    record_file,
    recorded_hosts,
    seal_of,
    unsealed,
    write_record,
)
from ansible_collections.xuegao.net.plugins.plugin_utils.common.inventory_name import applied_directory
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

MOMENT = Moment("2026-11-29T03:12:05Z", "20261129T031205Z-4711-noc", "alice@noc", "inventories/hybrid")
LATER = Moment("2026-11-30T03:12:05Z", "20261130T031205Z-815-noc", "bob@noc", "inventories/hybrid")
OPTIONS: dict[str, Any] = {
    "frr_bgp": {
        "type": "list",
        "elements": "dict",
        "options": {"asn": {}, "neighbors": {"type": "list", "elements": "dict", "options": {"address": {}, "password": {"no_log": True}}}},
    },
    "frr_log_level": {"type": "str"},
    "l2tp_ipsec_psk": {"no_log": True},
    "docker_registry": {"type": "dict", "options": {"token": {"no_log": True}}},
}
VARIABLES: dict[str, Any] = {
    "frr_bgp": [{"asn": 65001, "neighbors": [{"address": "10.0.0.1", "password": "swordfish"}]}],
    "l2tp_ipsec_psk": "swordfish",
    "docker_registry": {"token": "hunter2"},
    "frr_log_level": "warnings",
}


def test_secrets_are_sealed_at_every_depth() -> None:
    sealed = Seal(b"key").variables("r1", VARIABLES, OPTIONS)
    text = json.dumps(sealed)
    assert "swordfish" not in text and "hunter2" not in text
    password = sealed["frr_bgp"][0]["neighbors"][0]["password"]
    assert is_sealed(password) and password == sealed["l2tp_ipsec_psk"] != sealed["docker_registry"]["token"]
    assert (sealed["frr_log_level"], sealed["frr_bgp"][0]["asn"]) == ("warnings", 65001)
    assert unsealed(sealed)["frr_bgp"][0]["neighbors"] == [{"address": "10.0.0.1", "password": "<secret>"}]
    assert VARIABLES["l2tp_ipsec_psk"] == "swordfish"
    # Nobody knows what stands in a name that no option has, at any depth.
    unknown = Seal(b"key").variables(
        "r1", {"pks": {"a": ["swordfish", 7]}, "frr_bgp": [{"neighbors": [{"pasword": "swordfish"}]}]}, OPTIONS
    )
    assert "swordfish" not in json.dumps(unknown) and all(is_sealed(item) for item in unknown["pks"]["a"])


def test_a_digest_needs_the_key_and_the_host() -> None:
    seal = Seal(b"key")
    assert seal.secret("r1", "swordfish") == Seal(b"key").secret("r1", "swordfish")
    assert len({seal.secret("r1", "swordfish"), seal.secret("r2", "swordfish"), Seal(b"other").secret("r1", "swordfish")}) == 3
    assert Seal(None).secret("r1", "swordfish") == "<secret>" and Seal(None).id == ""
    assert seal.id and seal.id != Seal(b"other").id and seal.id not in seal.secret("r1", "swordfish")
    assert not is_sealed("swordfish") and not is_sealed(7) and not is_sealed("<secret of a kind>")


@pytest.mark.parametrize(
    ("kept", "same"),
    [
        (Digests("v", "s", "k"), True),
        (Digests("other", "s", "k"), False),
        (Digests("v", "other", "k"), False),
        (Digests("v", "other", "another key"), True),
    ],
    ids=["the same", "a variable", "a secret", "not to be told"],
)
def test_digests_are_compared_as_far_as_they_can_be(kept: Digests, same: bool) -> None:
    assert Digests("v", "s", "k").same_as(vars(kept)) is same
    assert not Digests("v", "s", "k").same_as({})


def test_a_changed_secret_shows_in_the_digest_of_secrets_alone() -> None:
    seal = Seal(b"key")
    first, second = (digests(seal.variables("r1", {**VARIABLES, "l2tp_ipsec_psk": psk}, OPTIONS), seal.id) for psk in ("one", "two"))
    assert first.variables == second.variables and first.secrets != second.secrets and first.key == second.key


def test_a_record_is_read_back(tmp_path: Path) -> None:
    record = Record(MOMENT, "k", {"frr_log_level": "warnings"})
    write_record(tmp_path / "applied", "r1.example", record)
    assert read_record(tmp_path / "applied", "r1.example") == record
    assert read_record(tmp_path / "applied", "r2") is None
    assert recorded_hosts(tmp_path / "applied") == ["r1.example"] and recorded_hosts(tmp_path / "nowhere") == []
    assert record_file(tmp_path / "applied", "r1.example").stat().st_mode & 0o777 == 0o644
    note_later(tmp_path / "applied", "r1.example", LATER, "began")
    assert read_record(tmp_path / "applied", "r1.example") == Record(MOMENT, "k", {"frr_log_level": "warnings"}, LATER, "began")
    assert {path.name for path in (tmp_path / "applied").iterdir()} == {"r1.example.txt", ".gitignore"}


@pytest.mark.parametrize("text", ["", '{"applied": null', "[]", '{"applied": {"at": "x"}}', '{"variables": {}}'])
def test_a_damaged_record_is_named_and_stays_until_it_is_known_what_was_applied(tmp_path: Path, text: str) -> None:
    record_file(tmp_path, "r1").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"r1\.txt is no record of what a host applied\. Remedy: "):
        read_record(tmp_path, "r1")
    assert known_record(tmp_path, "r1") == Record()
    with pytest.raises(ValueError, match=r"r1\.txt is no record"):
        note_later(tmp_path, "r1", LATER, "began")
    assert record_file(tmp_path, "r1").read_text(encoding="utf-8") == text
    write_record(tmp_path, "r1", Record(MOMENT))
    assert read_record(tmp_path, "r1") == Record(MOMENT)


def test_a_record_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_record(tmp_path, "r1", Record(MOMENT))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_record(tmp_path, "r1", Record(LATER))
    assert {path.name for path in tmp_path.iterdir()} == {"r1.txt", ".gitignore"} and read_record(tmp_path, "r1") == Record(MOMENT)


def test_what_a_killed_run_left_is_no_record_and_stays_out_of_version_control(tmp_path: Path) -> None:
    write_record(tmp_path, "r1", Record(MOMENT))
    for name in (".r1.txt.x0_abcde", ".key.x0_abcde"):
        (tmp_path / name).touch()
    assert recorded_hosts(tmp_path) == ["r1"]
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    shown = subprocess.run(["git", "-C", str(tmp_path), "status", "--short", "-uall"], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["??", ".gitignore", "??", "r1.txt"]


def test_an_emptied_key_is_made_anew_and_a_colleagues_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = seal_of(tmp_path, make=True)
    (tmp_path / ".key").write_bytes(b"")
    assert seal_of(tmp_path, make=False).id == ""
    second = seal_of(tmp_path, make=True)
    assert second.id and second.id != first.id

    def refused(_path: Path) -> bytes:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", refused)
        assert seal_of(tmp_path, make=True).id == ""
    assert seal_of(tmp_path, make=True).id == second.id


def test_where_the_file_system_has_neither_locks_nor_links_a_key_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_arguments: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refused)
    monkeypatch.setattr(os, "link", refused)
    assert seal_of(tmp_path, make=True).id == seal_of(tmp_path, make=False).id != ""


def test_the_key_stays_out_of_version_control(tmp_path: Path) -> None:
    assert seal_of(tmp_path, make=False).id == ""
    assert list(tmp_path.iterdir()) == [], "looking makes no key"
    seal = seal_of(tmp_path, make=True)
    assert seal.id and seal_of(tmp_path, make=False).id == seal.id == seal_of(tmp_path, make=True).id
    assert (tmp_path / ".key").stat().st_mode & 0o777 == 0o600
    write_record(tmp_path, "r1", Record(MOMENT))
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    shown = subprocess.run(["git", "-C", str(tmp_path), "status", "--short", "-uall"], capture_output=True, text=True, check=True).stdout
    assert shown.split() == ["??", ".gitignore", "??", "r1.txt"]


def test_two_runs_that_make_a_key_at_once_have_one(tmp_path: Path) -> None:
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.append(seal_of(tmp_path, make=True).id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 8 and len(set(ids)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".gitignore", ".key"]


@pytest.mark.starts_ansible
def test_ansible_takes_no_record_for_an_inventory(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {r1: }}\n", encoding="utf-8")
    seal_of(applied_directory([str(tmp_path)], tmp_path), make=True)
    write_record(applied_directory([str(tmp_path)], tmp_path), "r9", Record(MOMENT, "k", {"all": {"hosts": {"r9": None}}}))
    done = subprocess.run(["ansible-inventory", "-i", str(tmp_path), "--list", "--yaml"], capture_output=True, text=True, check=True)
    assert done.stderr == "" and set(read_yaml(done.stdout)["all"]["children"]["ungrouped"]["hosts"]) == {"r1"}

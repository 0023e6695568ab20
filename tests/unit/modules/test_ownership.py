"""The record of what is ours: written before, forgotten after, repaired when it is damaged; and what is removed by it, in order."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import live_gather_ownership, ownership, removal, sysfs, way_back_program
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.module_utils.live_gather_ownership import gather_ownership
from ansible_collections.xuegao.net.plugins.modules import config_files, recorded_objects

from .managed_host import Host

OWNERS = "of the owner\n"
UNIT = "xgn-test.service"


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    """Where the files go."""
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc"


def record_of(host: Host, name: str = "test") -> dict[str, Any]:
    """A record as it is on disk: what is known of each object, by kind and name."""
    path = Path(ownership.directory()) / f"{name}.json"
    objects = json.loads(path.read_text(encoding="utf-8"))["objects"]
    return {f"{item['kind']} {item['name']}": item for item in objects}


def write(host: Host, texts: dict[Path, str], check: bool = False, **more: Any) -> dict[str, Any]:
    listed = [{"path": str(path), "content": text} for path, text in texts.items()]
    return host.run(config_files, {"files": listed, "record": "test", **more}, check=check)


def remove(host: Host, check: bool = False, yes: bool = True) -> dict[str, Any]:
    return host.run(recorded_objects, {"role": "test", "remove_all": yes}, check=check)


class Killed(BaseException):
    """The run ends here, as with a power cut."""


class Services:
    """systemctl of a host: which units run and which start at boot."""

    def __init__(self, host: Host, active: set[str], enabled: set[str]) -> None:
        self.active, self.enabled = set(active), set(enabled)
        host.program("systemctl", self.systemctl)

    def systemctl(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        verb, unit = command[1], command[-1]
        if verb == "show":
            units = [word for word in command[2:] if not word.startswith("-")]
            states = [(self.active, "active", "inactive"), (self.enabled, "enabled", "disabled")]
            blocks = [[yes if name in found else no for found, yes, no in states] for name in units]
            return 0, "\n".join(f"LoadState=loaded\nActiveState={active}\nUnitFileState={enabled}\n" for active, enabled in blocks), ""
        if verb == "is-active":
            return (0 if unit in self.active else 3), "", ""
        if verb == "is-enabled":
            return 0, "enabled\n" if unit in self.enabled else "disabled\n", ""
        verbs: dict[str, Callable[[str], None]] = {"start": self.active.add, "stop": self.active.discard}
        verbs |= {"enable": self.enabled.add, "disable": self.enabled.discard}
        if verb in verbs:
            verbs[verb](unit)
        return 0, "", ""


# ---- the record ----------------------------------------------------------------------------------------------------------------------------


def test_a_file_is_recorded_before_it_is_written(host: Host, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is killed before the file has its name leaves a record of it."""

    def killed(source: str, target: str) -> None:
        if str(target).startswith(str(etc)):
            raise Killed
        os.rename(source, target)

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(Killed):
        write(host, {etc / "a.conf": "secret word\n"})
    assert list(record_of(host)) == [f"file {etc}/a.conf"]
    assert not (etc / "a.conf").exists()


def test_the_content_of_a_file_that_others_write_is_not_recorded(host: Host, etc: Path) -> None:
    """As that of a log, which is made empty with its mode: verify would call it changed."""
    files = [{"path": str(etc / "log"), "content": "", "keep": True}]
    host.run(config_files, {"files": files, "record": "test"})
    assert record_of(host)[f"file {etc}/log"]["asked"] is None


def test_no_content_stands_in_a_record_and_nobody_else_reads_it(host: Host, etc: Path) -> None:
    write(host, {etc / "a.conf": "password\n"})
    place = Path(ownership.directory())
    assert place.stat().st_mode & 0o777 == 0o700
    for path in place.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        assert "password" not in path.read_text(encoding="utf-8")
    plain = hashlib.sha256(b"password\n").hexdigest()
    assert record_of(host)[f"file {etc}/a.conf"]["asked"] not in (None, plain)


@pytest.mark.parametrize("damage", ["", '{"version": 1, "obj', "[]", None], ids=["emptied", "half", "other", "deleted"])
def test_a_damaged_record_is_told_and_repaired_by_the_next_run(host: Host, etc: Path, damage: str | None) -> None:
    write(host, {etc / "a.conf": "one\n"})
    path = Path(ownership.directory()) / "test.json"
    whole = path.read_text(encoding="utf-8")
    if damage is None:
        path.unlink()
    else:
        path.write_text(damage, encoding="utf-8")
    result = write(host, {etc / "a.conf": "one\n"})
    assert not result["changed"]
    assert [text for text in host.warnings if str(path) in text and ".copy" in text]
    assert path.read_text(encoding="utf-8") == whole


def test_what_versions_without_records_made_is_taken_in(host: Host, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (etc / "old.conf").write_text("# Written by Ansible (xuegao.net.test).\n", encoding="utf-8")
    (etc / "owners.conf").write_text(OWNERS, encoding="utf-8")
    monkeypatch.setattr(ownership, "MADE_BEFORE", (("test", f"{etc}/*.conf", (("unit", "x-{stem}.service"),)),))
    assert ownership.recorded(host.warnings.append) == {"test": [f"file {etc}/old.conf", "unit x-old.service"]}
    Services(host, active={"x-old.service"}, enabled={"x-old.service"})
    assert remove(host)["actions"] == ["unit x-old.service: stop, disable", f"file {etc}/old.conf: remove"]
    assert [path.name for path in etc.iterdir()] == ["owners.conf"]
    assert ownership.recorded(host.warnings.append) == {}


def test_a_unit_of_the_package_that_may_have_run_before_a_version_without_records_runs_on(
    host: Host, etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without our files; what was there before is not known."""
    unit = "strongswan.service"
    rule = next(rule for rule in ownership.MADE_BEFORE if ("unit", unit) in rule[2])
    monkeypatch.setattr(ownership, "MADE_BEFORE", (("test", f"{etc}/xgn-l2tp.conf", rule[2]),))
    (etc / "xgn-l2tp.conf").write_text("ours\n", encoding="utf-8")
    services = Services(host, active={unit}, enabled={unit})
    assert remove(host)["actions"][0] == f"unit {unit}: stop, start again as it was before"
    assert (services.active, services.enabled, list(etc.iterdir())) == ({unit}, {unit}, [])


def test_an_owners_file_that_is_named_like_ours_is_not_taken_in(host: Host, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where our files get their names from variables; a file that has but one name is ours without a mark, too."""
    (etc / "xgn-office.zone").write_text(OWNERS, encoding="utf-8")
    (etc / "xgn-ours.zone").write_text("; Written by Ansible (xuegao.net.test).\n", encoding="utf-8")
    (etc / "xgn-program").write_text("#!/usr/bin/python3\n", encoding="utf-8")
    monkeypatch.setattr(ownership, "MADE_BEFORE", (("test", f"{etc}/xgn-*.zone", ()), ("test", f"{etc}/xgn-program", ())))
    assert ownership.recorded(host.warnings.append) == {"test": [f"file {etc}/xgn-ours.zone", f"file {etc}/xgn-program"]}
    remove(host)
    assert [path.name for path in etc.iterdir()] == ["xgn-office.zone"]
    assert ownership.record_names() == ["test"]


def test_the_programs_of_the_interface_layer_have_no_mark() -> None:
    pattern = next(rule[1] for rule in ownership.MADE_BEFORE if rule[1].endswith("*.py"))
    assert ownership.is_made_by(pattern, pattern.replace("*", "iproute"))


@pytest.mark.parametrize(
    ("path", "ours"),
    [
        ("/etc/xgn/firewall.nft", True),
        ("/etc/systemd/system/xgn-anycast.service", True),
        ("/etc/sysctl.d/90-xgn.conf", True),
        ("/etc/unbound/xgn-example.test.zone", True),
        ("/etc/wireguard/xgn-1.conf", False),
        ("/etc/nothing/wg-xgn.conf", False),
    ],
)
def test_whose_a_file_is_by_its_name(path: str, ours: bool) -> None:
    assert ownership.is_ours(path) == ours


# ---- config_files --------------------------------------------------------------------------------------------------------------------------


def test_what_is_no_longer_listed_goes_and_what_was_there_before_comes_back(host: Host, etc: Path) -> None:
    Services(host, active=set(), enabled=set())
    (etc / "owners.conf").write_text(OWNERS, encoding="utf-8")
    (etc / "owners.conf").chmod(0o640)
    texts = {etc / "owners.conf": "ours\n", etc / "new" / "deep" / "ours.conf": "ours\n", etc / "stays.conf": "ours\n"}
    assert write(host, texts, adopt=True)["changed"]
    predicted = write(host, {etc / "stays.conf": "ours\n"}, check=True)
    assert (etc / "owners.conf").read_text(encoding="utf-8") == "ours\n"
    result = write(host, {etc / "stays.conf": "ours\n"})
    assert result["actions"] == predicted["actions"]
    assert set(result["changed_paths"]) == {str(etc / "owners.conf"), str(etc / "new/deep/ours.conf")}
    assert ((etc / "owners.conf").read_text(encoding="utf-8"), (etc / "owners.conf").stat().st_mode & 0o777) == (OWNERS, 0o640)
    # With the directories that were made for it.
    assert not (etc / "new").exists()
    assert list(record_of(host)) == [f"file {etc}/stays.conf"]
    assert not write(host, {etc / "stays.conf": "ours\n"})["changed"]


def test_a_unit_that_is_no_longer_listed_stops_before_its_file_goes(host: Host, etc: Path) -> None:
    services = Services(host, active=set(), enabled=set())
    write(host, {etc / UNIT: "ours\n"}, units=[UNIT])
    services.active, services.enabled = {UNIT}, {UNIT}
    assert not write(host, {etc / UNIT: "ours\n"}, units=[UNIT])["changed"]
    assert write(host, {})["actions"] == [f"unit {UNIT}: stop, disable", f"file {etc}/{UNIT}: remove"]
    assert (services.active, services.enabled) == (set(), set())


def test_the_diff_shows_nothing_of_a_file_that_only_root_may_read(host: Host, etc: Path) -> None:
    (etc / "key.conf").write_text(OWNERS, encoding="utf-8")
    (etc / "key.conf").chmod(0o600)
    host.run(
        config_files, {"files": [{"path": str(etc / "key.conf"), "content": "ours\n", "mode": "0600"}], "record": "test", "adopt": True}
    )
    result = write(host, {})
    assert OWNERS.strip() not in json.dumps(result) and removal.NOT_SHOWN.strip() in json.dumps(result)


def test_the_diff_shows_nothing_of_a_file_that_comes_back_and_that_only_root_may_read(host: Host, etc: Path) -> None:
    """Though everybody may read ours."""
    (etc / "key.conf").write_text(OWNERS, encoding="utf-8")
    (etc / "key.conf").chmod(0o600)
    host.run(config_files, {"files": [{"path": str(etc / "key.conf"), "content": "ours\n"}], "record": "test", "adopt": True})
    assert OWNERS.strip() not in json.dumps(write(host, {}))


# ---- recorded_objects ----------------------------------------------------------------------------------------------------------------------


def test_the_last_object_needs_a_plain_yes(host: Host, etc: Path) -> None:
    services = Services(host, active=set(), enabled=set())
    write(host, {etc / "a.conf": "one\n"}, units=[UNIT])
    services.active = {UNIT}
    said = remove(host, yes=False)["msg"]
    assert f"would go: unit {UNIT}, file {etc}/a.conf." in said and "set test_remove_all: true, or xgn_remove_all: [test]" in said
    assert (etc / "a.conf").exists()
    assert remove(host, check=True)["changed"] and (etc / "a.conf").exists()
    assert remove(host)["changed"] and not (etc / "a.conf").exists()
    # With nothing recorded there is nothing to ask.
    calls = len(host.calls)
    assert not remove(host, yes=False)["changed"] and len(host.calls) == calls


def test_files_that_nothing_uses_go_without_a_yes(host: Host, etc: Path) -> None:
    """As a drop-in for units of which there is none, which older versions left on every host."""
    Services(host, active=set(), enabled=set())
    write(host, {etc / "a.conf": "one\n"})
    assert remove(host, yes=False)["changed"] and not (etc / "a.conf").exists()


def test_a_service_that_ran_before_runs_again_with_its_own_file(host: Host, etc: Path) -> None:
    services = Services(host, active={UNIT}, enabled={UNIT})
    (etc / "service.conf").write_text(OWNERS, encoding="utf-8")
    write(host, {etc / "service.conf": "ours\n"}, units=[UNIT], adopt=True)
    assert remove(host)["actions"] == [
        f"unit {UNIT}: stop, start again as it was before",
        f"file {etc}/service.conf: put back what was there before",
    ]
    assert (services.active, services.enabled) == ({UNIT}, {UNIT})
    assert (etc / "service.conf").read_text(encoding="utf-8") == OWNERS


def test_a_service_that_its_package_starts_is_as_before_the_package(host: Host, etc: Path) -> None:
    services = Services(host, active=set(), enabled=set())
    host.run(recorded_objects, {"role": "test", "state": "noted", "units": {"test": [UNIT]}})
    services.active, services.enabled = {UNIT}, {UNIT}
    write(host, {etc / "service.conf": "ours\n"}, units=[UNIT])
    remove(host)
    assert (services.active, services.enabled) == (set(), set())


def test_objects_go_in_an_order_in_which_nothing_misses_another(
    host: Host, etc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Services(host, active={UNIT}, enabled=set())
    for name, mtu in (("tun0", 1500), ("eth8", 9000), ("eth9", 1400)):
        (tmp_path / "net" / name).mkdir(parents=True)
        (tmp_path / "net" / name / "mtu").write_text(f"{mtu}\n", encoding="utf-8")
    (tmp_path / "net/eth9/master").symlink_to("../CORE")
    monkeypatch.setattr(sysfs, "NET", str(tmp_path / "net"))
    host.program("ip")
    host.prints("nft", {"-s list table": "table inet xgn_test {}\n"})
    record = ownership.Record("test", host.warnings.append)
    record.note_file(str(etc / "a.conf"), "one\n")
    record.note("table", "inet xgn_test")
    # In a VRF, whose MTU somebody has changed since; and in none, with the MTU that it was given.
    record.note("interface", "eth9", lambda: {"nic": True, "mtu": 1500}, '["interfaces", {"mtu": 9000}]')
    record.note("interface", "eth8", lambda: {"found": True, "mtu": 1500}, '["interfaces", {"mtu": 9000}]')
    record.note("interface", "tun0")
    record.note("unit", UNIT)
    record.save()
    (etc / "a.conf").write_text("one\n", encoding="utf-8")
    assert remove(host)["actions"] == [
        f"unit {UNIT}: stop",
        "interface eth8: MTU 1500, as it was before",
        "interface eth9: take down",
        "interface tun0: delete",
        "table inet xgn_test: delete",
        f"file {etc}/a.conf: remove",
    ]
    assert record_of(host) == {}


def test_a_unit_whose_package_is_gone_is_not_started_again(host: Host, etc: Path) -> None:
    services = Services(host, active={UNIT}, enabled={UNIT})
    write(host, {etc / "a.conf": "ours\n"}, units=[UNIT])
    services.active.clear()
    known = services.systemctl

    def systemctl(command: list[str], data: str | None) -> tuple[int, str, str]:
        if command[1] == "start":
            return 5, "", f"Unit {UNIT} not found."
        status, out, err = known(command, data)
        return status, out.replace("LoadState=loaded", "LoadState=not-found"), err

    host.program("systemctl", systemctl)
    assert "msg" not in remove(host) and record_of(host) == {}


def test_a_host_without_systemd_has_nothing_to_reload(host: Host, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "UNIT_FILES", f"{etc}/")
    write(host, {etc / UNIT: "ours\n"}, units=[UNIT])
    assert remove(host)["changed"] and host.calls == [] and record_of(host) == {}


def test_a_copy_that_is_gone_is_no_reason_to_keep_ours(host: Host, etc: Path) -> None:
    (etc / "a.conf").write_text(OWNERS, encoding="utf-8")
    write(host, {etc / "a.conf": "ours\n"}, adopt=True)
    next(path for path in Path(ownership.ROOT, "before").rglob("*") if path.is_file()).unlink()
    assert remove(host)["changed"] and not (etc / "a.conf").exists()


@pytest.mark.parametrize(
    ("before", "done"),
    [
        (None, ["ip -4 route delete default via 192.0.2.1 dev eth0 metric 0"]),
        ({"gateway": "192.0.2.9", "dev": "eth0", "onlink": False}, ["ip -4 route replace default via 192.0.2.9 dev eth0 metric 0"]),
        ({"found": True}, []),
    ],
    ids=["none before", "another before", "found"],
)
def test_a_default_route_gives_way_to_what_was_there_before(host: Host, before: dict[str, Any] | None, done: list[str]) -> None:
    """And `verify` sees it until then, but for one that was found."""
    live = json.dumps([{"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"}])
    show = "ip -json -4 route show table main default"
    host.prints("ip", {show.removeprefix("ip "): live})
    record = ownership.Record("test", host.warnings.append)
    record.note("route", "IPv4 default", lambda: before, json.dumps({"gateway": "192.0.2.1", "interface": "eth0"}))
    record.save()

    def run(command: list[str], timeout: float = 30) -> Finished:
        return Finished(0, live if command[0] == "ip" else "", "")

    assert gather_ownership(Gatherer(run))["data"]["objects"][0]["alive"] == bool(done)
    assert remove(host)["changed"] == bool(done) and host.changed(show) == done
    assert record_of(host) == {}


def test_what_cannot_be_removed_stays_recorded(host: Host, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "interface_exists", lambda _name: True)
    host.program("ip", lambda _command, _data: (1, "", "busy"))
    record = ownership.Record("test", host.warnings.append)
    record.note("interface", "tun0")
    record.save()
    assert "busy. What is left is still recorded" in remove(host)["msg"]
    assert list(record_of(host)) == ["interface tun0"]


# ---- the way back --------------------------------------------------------------------------------------------------------------------------


def tree(*places: Path) -> dict[str, tuple[bytes, int]]:
    """Content and mode of each file, without the key of the digests, which stays."""
    files = [path for place in places for path in sorted(place.rglob("*")) if path.is_file() and path.name != "digest-key"]
    return {str(path): (path.read_bytes(), path.stat().st_mode & 0o777) for path in files}


@pytest.mark.parametrize("later", ["written", "removed", "all removed"])
def test_the_record_goes_back_with_the_files_of_which_it_speaks(
    host: Host, etc: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch, later: str
) -> None:
    """Also what was there before them, which the record holds: a later removal puts it back."""
    services = Services(host, active=set(), enabled=set())
    host.program("systemd-run")
    monkeypatch.setattr(way_back_program, "run", lambda command: host.run_command(command) if command[0] == "systemctl" else (0, "", ""))
    (etc / "owners.conf").write_text(OWNERS, encoding="utf-8")
    (etc / "second.conf").write_text(OWNERS, encoding="utf-8")
    write(host, {etc / "owners.conf": "ours\n", etc / UNIT: "ours\n"}, units=[UNIT], adopt=True)
    services.active, services.enabled = {UNIT}, {UNIT}
    before = tree(etc, Path(ownership.ROOT))
    if later == "written":
        texts = {etc / "owners.conf": "other\n", etc / "second.conf": "ours\n"}
        changed = write(host, texts, units=[UNIT, "xgn-other.service"], adopt=True, way_back_seconds=60)
    elif later == "removed":
        changed = write(host, {}, way_back_seconds=60)
    else:
        changed = host.run(recorded_objects, {"role": "test", "remove_all": True, "way_back_seconds": 60})
    assert changed["changed"] and changed["ansible_facts"]["xgn_way_back"]["armed"]
    assert tree(etc, Path(ownership.ROOT)) != before
    assert way_back_program.restore("nobody confirmed") == 0
    assert tree(etc, Path(ownership.ROOT)) == before
    assert remove(host)["changed"]
    assert {path.name: path.read_text(encoding="utf-8") for path in etc.iterdir()} == {"owners.conf": OWNERS, "second.conf": OWNERS}


def test_a_record_that_is_as_it_was_arms_nothing(host: Host, etc: Path, way_back: Path) -> None:
    write(host, {etc / "a.conf": "one\n"})
    calls = len(host.calls)
    assert "ansible_facts" not in write(host, {etc / "a.conf": "one\n"}, way_back_seconds=60)
    assert not way_back.exists() and len(host.calls) == calls


def test_what_is_removed_is_noted_for_the_way_back_at_its_stage(
    host: Host, etc: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    units = ["wg-quick@wg1.service", "interface.service", UNIT]
    Services(host, active=set(units), enabled=set())
    host.program("systemd-run")
    setting = etc / "ip_forward"
    setting.write_text("1", encoding="utf-8")
    monkeypatch.setattr(removal, "sysctl_path", lambda _key: str(setting))
    monkeypatch.setattr(removal, "sysctl_value", lambda _key: "1")
    record = ownership.Record("test", host.warnings.append)
    for unit in units:
        record.note("unit", unit)
    record.note("sysctl", "net.ipv4.ip_forward", lambda: {"value": "0"}, "1")
    record.save()
    host.run(recorded_objects, {"role": "test", "remove_all": True, "way_back_seconds": 60})
    lines = [json.loads(line) for line in (way_back / "armed/journal").read_text(encoding="utf-8").splitlines()]
    assert {entry["unit"]: entry["stage"] for entry in lines if "unit" in entry} == {
        "wg-quick@wg1.service": way_back_program.TUNNELS,
        "interface.service": way_back_program.INTERFACES,
        UNIT: way_back_program.SERVICES,
    }
    assert {"sysctl": str(setting), "value": "1"} in lines and setting.read_text(encoding="utf-8") == "0"


# ---- the live state ------------------------------------------------------------------------------------------------------------------------


def test_what_is_left_over_is_gathered(host: Host, etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(host, {etc / "a.conf": "one\n", etc / "b.conf": "two\n", etc / "c.conf": "three\n"})
    (etc / "b.conf").write_text("by hand\n", encoding="utf-8")
    (etc / "c.conf").unlink()
    record = ownership.Record("test", host.warnings.append)
    record.note("unit", UNIT)
    record.note("table", "inet xgn_test")
    record.save()
    monkeypatch.setattr(ownership, "MADE_BEFORE", (("other.part", f"{etc}/xgn-*", ()),))
    monkeypatch.setattr(live_gather_ownership, "PLACES", (f"{etc}/90-xgn*",))
    (etc / "xgn-by-the-program").write_text("# Written by Ansible (xuegao.net.other).\n", encoding="utf-8")
    (etc / "xgn-corp.conf").write_text(OWNERS, encoding="utf-8")
    (etc / "90-xgn-planted").write_text("", encoding="utf-8")
    Path(ownership.directory(), "other.part.json").write_text('{"objects": []}', encoding="utf-8")

    def run(command: list[str], timeout: float = 30) -> Finished:
        out = (
            "table inet xgn_test\ntable inet xgn_planted\ntable ip nat\n" if command[0] == "nft" else "ActiveState=active\nUnitFileState=\n"
        )
        return Finished(0, out, "")

    data = gather_ownership(Gatherer(run))["data"]
    assert [(item["name"], item["alive"], item["changed"]) for item in data["objects"]] == [
        (str(etc / "a.conf"), True, False),
        (str(etc / "b.conf"), True, True),
        (str(etc / "c.conf"), False, True),
        (UNIT, True, False),
        ("inet xgn_test", True, False),
        # Not by a module; so it is of the role whose files have such names.
        (str(etc / "xgn-by-the-program"), True, False),
    ]
    assert data["objects"][-1]["role"] == "other"
    assert data["unrecorded"] == [f"file {etc}/90-xgn-planted", "table inet xgn_planted"]
    assert data["damaged"] == []

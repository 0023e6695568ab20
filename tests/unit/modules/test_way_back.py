"""The way back as modules lay, keep to and confirm it."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import way_back as laying
from ansible_collections.xuegao.net.plugins.module_utils import way_back_program as program
from ansible_collections.xuegao.net.plugins.modules import config_files, host_facts, kernel_settings
from ansible_collections.xuegao.net.plugins.modules import way_back as confirming
from ansible_collections.xuegao.net.plugins.plugin_utils.common.yaml_reading import read_yaml

from .managed_host import Host


def write(host: Host, path: Path, text: str, seconds: int = 60, check: bool = False, run: str = "") -> dict[str, Any]:
    """Call a module that changes a file. Owners are the tests' own."""
    files = [{"path": str(path), "content": text, "mode": "0644"}]
    return host.run(config_files, {"files": files, "way_back_seconds": seconds, "way_back_run": run}, check=check)


@pytest.fixture(autouse=True)
def systemd(host: Host) -> None:
    host.program("systemctl")
    host.program("systemd-run")


def entries(base: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (base / "armed/journal").read_text(encoding="utf-8").splitlines()]


def test_the_first_change_arms_and_keeps_the_file(host: Host, tmp_path: Path, way_back: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    result = write(host, path, "new")
    fact = result["ansible_facts"]["xgn_way_back"]
    assert (fact["armed"], fact["seconds"], path.read_text(encoding="utf-8")) == (True, 60, "new")
    (entry,) = entries(way_back)
    assert (entry["file"], (way_back / "armed/files" / entry["saved"]).read_text(encoding="utf-8")) == (str(path), "old")
    assert 55 < (program.deadline() or 0) - program.clock() < 61
    assert sum(call.startswith("systemd-run") for call in host.calls) == 1
    compile((way_back / "program.py").read_text(encoding="utf-8"), "program.py", "exec")
    assert (tmp_path / "units/sysinit.target.wants" / program.BOOT_UNIT).is_symlink()
    unit = (tmp_path / "units" / program.BOOT_UNIT).read_text(encoding="utf-8")
    before = {word for line in unit.splitlines() if line.startswith("Before=") for word in line.partition("=")[2].split()}
    # All that reads files of ours at a boot.
    assert {"systemd-networkd.service", "nftables.service", "xgn-firewall.service", "xgn-l2tp-guard.service"} <= before


def test_an_unchanged_host_arms_nothing(host: Host, tmp_path: Path, way_back: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    os.chown(path, 0, 0)
    result = write(host, path, "old")
    assert (result["changed"], "ansible_facts" in result, way_back.exists(), host.calls) == (False, False, False, [])


def test_check_mode_arms_nothing(host: Host, tmp_path: Path, way_back: Path) -> None:
    assert write(host, tmp_path / "file", "new", check=True)["changed"]
    assert not way_back.exists()


def test_without_seconds_nothing_is_armed_and_nothing_is_changed_beside_what_nobody_has_confirmed(
    host: Host, tmp_path: Path, way_back: Path
) -> None:
    """Keys that are made anew on a host that goes back to the former ones would end its tunnels."""
    assert "ansible_facts" not in write(host, tmp_path / "one", "new", seconds=0)
    assert not way_back.exists()
    run = write(host, tmp_path / "two", "new")["ansible_facts"]["xgn_way_back"]["run"]
    assert "changes of another run that nobody has confirmed" in write(host, tmp_path / "three", "new", seconds=0)["msg"]
    assert not (tmp_path / "three").exists()
    assert write(host, tmp_path / "three", "new", seconds=0, run=run)["ansible_facts"]["xgn_way_back"]["armed"]
    assert [entry["file"] for entry in entries(way_back)] == [str(tmp_path / "two"), str(tmp_path / "three")]


def test_a_call_that_changes_nothing_puts_the_end_off(host: Host, tmp_path: Path, way_back: Path) -> None:
    """Others make this host wait between two changes of its own."""
    write(host, tmp_path / "file", "new")
    program.set_deadline(5)
    result = write(host, tmp_path / "file", "new")
    assert (result["changed"], "ansible_facts" in result) == (False, False)
    assert (program.deadline() or 0) - program.clock() > 50
    program.set_deadline(800)
    write(host, tmp_path / "file", "new")
    assert (program.deadline() or 0) - program.clock() > 700, "what was given for packages is not taken back"


def test_of_a_link_is_kept_where_it_leads(host: Host, tmp_path: Path, way_back: Path) -> None:
    """A masked unit leads to /dev/null, which anybody may write to."""
    path = tmp_path / "masked.service"
    path.symlink_to("/dev/null")
    write(host, path, "new")
    (entry,) = entries(way_back)
    assert entry == {"file": str(path), "saved": None, "link": "/dev/null"}
    assert program.restore("too late") == 0
    assert os.readlink(path) == "/dev/null"


def test_a_restoring_that_broke_off_is_gone_on_with(host: Host, tmp_path: Path, way_back: Path) -> None:
    write(host, tmp_path / "file", "new")
    (way_back / "armed/restoring").write_text("too late", encoding="utf-8")
    host.calls.clear()
    assert "is restoring" in write(host, tmp_path / "file", "other")["msg"]
    assert sum(call.startswith("systemd-run") for call in host.calls) == 1


def test_room_is_kept_for_a_restoring(host: Host, tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What fills the disk after the arming does not hold it up: the room goes first."""
    write(host, tmp_path / "file", "new")
    room = way_back / "armed" / program.RESERVE
    assert room.stat().st_blocks * 512 >= laying.RESERVE_BYTES
    real = program.replace

    def replace(path: str, *arguments: Any) -> None:
        if room.exists():
            full()
        real(path, *arguments)

    monkeypatch.setattr(program, "replace", replace)
    assert program.restore("too late") == 0
    assert not (tmp_path / "file").exists()


def test_a_second_run_keeps_the_last_confirmed_state(host: Host, tmp_path: Path, way_back: Path) -> None:
    path = tmp_path / "file"
    path.write_text("confirmed", encoding="utf-8")
    write(host, path, "never confirmed")
    (way_back / "armed/journal").open("a", encoding="utf-8").write('{"file": "/etc/ha')  # a death in the middle of a line
    write(host, path, "nor this")
    write(host, tmp_path / "other", "new")
    assert [entry["file"] for entry in entries(way_back)] == [str(path), str(tmp_path / "other")]
    assert (way_back / "armed/files/000000").read_text(encoding="utf-8") == "confirmed"


@pytest.mark.parametrize("lacks", ["systemd-run fails", "no systemd-run", "disk full"])
def test_nothing_is_changed_when_there_is_no_way_back(
    host: Host, tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch, lacks: str
) -> None:
    if lacks == "systemd-run fails":
        host.program("systemd-run", lambda _command, _data: (1, "", "no bus"))
    elif lacks == "no systemd-run":
        del host._programs["systemd-run"]
    else:
        monkeypatch.setattr(laying, "write_atomically", full)
    result = write(host, tmp_path / "file", "new")
    assert "nothing was changed" in result["msg"]
    assert not (tmp_path / "file").exists()
    assert not (way_back / "armed").exists()
    assert not list((tmp_path / "units").rglob(program.BOOT_UNIT))


def full(*_arguments: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_later_leaves_the_file_and_what_is_kept(
    host: Host, tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old", encoding="utf-8")
    write(host, tmp_path / "first", "new")
    monkeypatch.setattr(program, "replace", full)
    result = write(host, path, "new")
    assert f"{path} cannot be kept for a way back, so it was not changed" in result["msg"]
    assert "unless it is run again within 60 s, the host restores" in result["msg"]
    assert (path.read_text(encoding="utf-8"), len(entries(way_back))) == ("old", 1)


def test_a_host_that_restores_is_left_alone(host: Host, tmp_path: Path, way_back: Path) -> None:
    write(host, tmp_path / "first", "new")
    (way_back / "armed/restoring").touch()
    assert "is restoring what was there before" in write(host, tmp_path / "second", "new")["msg"]
    assert not (tmp_path / "second").exists()
    assert "came too late" in host.run(confirming, {})["msg"]


def test_a_setting_is_kept_with_its_former_value(host: Host, tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    setting = tmp_path / "ip_forward"
    setting.write_text("0\n", encoding="utf-8")
    for name in ("sysctl_path",):
        monkeypatch.setattr(kernel_settings, name, lambda _key: str(setting))
    monkeypatch.setattr(kernel_settings, "sysctl_value", lambda _key: setting.read_text(encoding="utf-8").strip())
    host.run(kernel_settings, {"path": str(tmp_path / "90.conf"), "settings": {"net.ipv4.ip_forward": 1}, "way_back_seconds": 60})
    assert {"sysctl": str(setting), "value": "0"} in entries(way_back)
    assert setting.read_text(encoding="utf-8") == "1"


# ---- way_back ------------------------------------------------------------------------------------------------------------------------------

CONF = """router bgp 65001
 neighbor 192.0.2.66 remote-as 65002
exit
router bgp 65001 vrf CORE
 neighbor 10.0.0.1 remote-as 65002
 neighbor 10.0.0.2 remote-as 65002
 neighbor 10.0.0.2 shutdown
exit
"""


class Router:
    """FRR and the kernel's routes: neighbors of VRF CORE that are established, and destinations in its table."""

    def __init__(self, host: Host, tmp_path: Path) -> None:
        self.up, self.routes, self.conf = ["10.0.0.1", "10.0.0.2", "10.0.0.3"], ["10.40.0.0/24", "10.50.0.0/24"], tmp_path / "frr.conf"
        self.age: dict[str, int] = {}
        self.conf.write_text(CONF, encoding="utf-8")
        host.program("vtysh", lambda _command, _data: (0, self.summary(), ""))
        host.program("ip", self.ip)

    def summary(self) -> str:
        return json.dumps(
            {
                "CORE": {
                    "ipv4Unicast": {
                        "peers": {name: {"state": "Established", "peerUptimeMsec": self.age.get(name, 90_000)} for name in self.up}
                    }
                }
            }
        )

    def ip(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if "-N" in command and "-4" in command:
            return 0, "".join(f"{prefix} via 10.0.0.1 dev wg1 table 200 proto 186\n" for prefix in self.routes), ""
        if "address" in command:
            return 0, json.dumps([{"ifname": "CORE", "linkinfo": {"info_kind": "vrf", "info_data": {"table": 200}}}]), ""
        return 0, "", ""


ROUTES = [{"prefix": "10.40.0.0/24", "vrf": "CORE"}, {"prefix": "10.60.0.0/24", "vrf": "CORE"}]


def test_changes_are_kept_when_all_that_is_planned_is_back(host: Host, tmp_path: Path, way_back: Path) -> None:
    """Neither a session that is taken out or shut down now, nor a route that is planned no more or was not there, has to be."""
    router = Router(host, tmp_path)
    write(host, tmp_path / "file", "new")
    router.up, router.routes = ["10.0.0.1"], ["10.40.0.0/24"]
    arguments = {"routes": ROUTES, "frr_conf": str(router.conf)}
    assert not host.run(confirming, arguments, check=True)["changed"]
    result = host.run(confirming, arguments)
    assert (result["changed"], result["ansible_facts"]) == (False, {"xgn_way_back": {"armed": False}})
    assert (host.calls[-1], (way_back / "armed").exists(), host.naps) == (f"systemctl stop {program.SERVICE}", False, [])
    assert not list((tmp_path / "units").rglob(program.BOOT_UNIT))
    assert "it has restored what was there before" in host.run(confirming, arguments)["msg"]


@pytest.mark.parametrize(("told", "waits"), [(True, True), (False, False)], ids=["told", "not_told"])
def test_a_policy_is_judged_when_it_is_in_force(host: Host, tmp_path: Path, way_back: Path, told: bool, waits: bool) -> None:
    """FRR takes up a changed route map seconds later; before that one that refuses everything has lost no route."""
    router = Router(host, tmp_path)
    write(host, tmp_path / "file", "new")
    if told:
        (way_back / "armed" / program.FRR_RUNNING).write_text(CONF, encoding="utf-8")
    assert host.run(confirming, {"routes": ROUTES, "frr_conf": str(router.conf)})["ansible_facts"] == {"xgn_way_back": {"armed": False}}
    assert (sum(host.naps) > confirming.POLICY_S - 2) is waits
    assert sum(host.naps) <= confirming.POLICY_S


def test_a_policy_that_was_told_long_ago_is_not_waited_for(host: Host, tmp_path: Path, way_back: Path) -> None:
    router = Router(host, tmp_path)
    write(host, tmp_path / "file", "new")
    (way_back / "armed" / program.FRR_RUNNING).write_text(CONF, encoding="utf-8")
    os.utime(router.conf, (0, 0))
    host.run(confirming, {"routes": ROUTES, "frr_conf": str(router.conf)})
    assert sum(host.naps) == 0


def test_a_session_that_comes_and_goes_by_itself_need_not_be_there(host: Host, tmp_path: Path, way_back: Path) -> None:
    router = Router(host, tmp_path)
    router.age = {"10.0.0.2": 3000}
    write(host, tmp_path / "file", "new")
    assert program.snapshot()["sessions"] == ["CORE 10.0.0.1", "CORE 10.0.0.3"]
    router.age["10.0.0.1"] = 1000
    router.up.remove("10.0.0.2")
    assert host.run(confirming, {"routes": ROUTES, "frr_conf": str(router.conf)})["ansible_facts"] == {"xgn_way_back": {"armed": False}}


def test_more_routes_than_are_looked_at_are_not_called_missing(
    host: Host, tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A router gets a neighbor with a whole Internet table."""
    router = Router(host, tmp_path)
    write(host, tmp_path / "file", "new")
    monkeypatch.setattr(program, "PREFIXES_MAX", 1)
    assert host.run(confirming, {"routes": ROUTES, "frr_conf": str(router.conf)})["ansible_facts"] == {"xgn_way_back": {"armed": False}}


def test_what_does_not_come_back_is_told_and_restored(host: Host, tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router = Router(host, tmp_path)
    write(host, tmp_path / "file", "new")
    router.up, router.routes = [], ["10.50.0.0/24"]
    monkeypatch.setattr(program, "run", lambda _command: (0, "", ""))

    def waiting(command: list[str], _data: str | None) -> tuple[int, str, str]:
        # What systemd would run: its deadline is over.
        assert program.wait() == 0
        return 0, "", ""

    host.program("systemd-run", waiting)
    result = host.run(confirming, {"routes": ROUTES, "frr_conf": str(router.conf), "wait_seconds": 5})
    assert result["missing"] == ["BGP session with 10.0.0.1 in VRF CORE", "route to 10.40.0.0/24 in VRF CORE"]
    assert (
        f"The host has restored what was there before. Restored: {tmp_path / 'file'}. What was tried lies in {way_back}/tried"
        in result["msg"]
    )
    assert (sum(host.naps), (tmp_path / "file").exists()) == (5, False)


def test_what_the_other_end_has_yet_to_change_is_not_waited_for(host: Host, tmp_path: Path) -> None:
    """A router in a container that learns of its neighbor's new AS number behind all machines."""
    router = Router(host, tmp_path)
    write(host, tmp_path / "file", "new")
    router.up, router.routes = [], []
    result = host.run(confirming, {"routes": ROUTES, "frr_conf": str(router.conf), "expects": False})
    assert (result["ansible_facts"], sum(host.naps)) == ({"xgn_way_back": {"armed": False}}, 0)


def test_a_host_is_told_to_go_back(host: Host, tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though nothing is missing there, its batch went wrong. The second call finds that it has been done."""
    monkeypatch.setattr(program, "run", lambda _command: (0, "", ""))
    assert host.run(confirming, {"restore": True}) == {"changed": False, "restored": False, "failures": [], "invocation": ANY}
    run = write(host, tmp_path / "file", "new")["ansible_facts"]["xgn_way_back"]["run"]
    assert not host.run(confirming, {"restore": True}, check=True)["changed"]
    host.program("systemd-run", lambda *_: (program.wait(), "", ""))
    result = host.run(confirming, {"restore": True})
    assert (result["changed"], result["restored"], result["failures"]) == (True, True, [])
    assert result["ansible_facts"] == {"xgn_way_back": {"armed": False}}
    assert not (tmp_path / "file").exists()
    again = host.run(confirming, {"restore": True, "way_back_run": run})
    assert (again["changed"], again["restored"]) == (False, True)
    assert not host.run(confirming, {"restore": True, "way_back_run": "another"})["restored"]


def test_a_host_that_went_back_too_early_says_so_when_it_is_told_to(
    host: Host, tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step that came after that has failed for it, which is said once."""
    monkeypatch.setattr(program, "run", lambda command: (1, "", "no") if command[0] == "ip" else (0, "", ""))
    run = write(host, tmp_path / "file", "new")["ansible_facts"]["xgn_way_back"]["run"]
    snapshot = json.loads((way_back / "armed/snapshot.json").read_text(encoding="utf-8"))
    lost = {**snapshot, "routes": {"-4": ["192.0.2.0/24 proto static dev eth0"], "-6": []}}
    (way_back / "armed/snapshot.json").write_text(json.dumps(lost), encoding="utf-8")
    program.restore("too late")
    assert "in the middle of this run" in write(host, tmp_path / "file", "new", run=run)["msg"]
    result = host.run(confirming, {"restore": True, "way_back_run": run})
    failure = "ip -4 route replace 192.0.2.0/24 proto static dev eth0: no"
    assert (result["changed"], result["restored"], result["failures"]) == (False, True, [failure])
    assert host.warnings == [f"not all of what was there before could be restored: {failure}"]


def test_a_long_step_is_given_its_time(host: Host, tmp_path: Path, way_back: Path) -> None:
    assert not host.run(confirming, {"hold_seconds": 900})["changed"]
    assert program.deadline() is None
    write(host, tmp_path / "file", "new")
    host.run(confirming, {"hold_seconds": 900})
    assert 890 < (program.deadline() or 0) - program.clock() < 901
    # The next module says again how long.
    write(host, tmp_path / "file", "newer")
    assert (program.deadline() or 0) - program.clock() < 61


def test_a_second_run_confirms_what_the_first_has_left(host: Host, tmp_path: Path, way_back: Path) -> None:
    """It may change nothing itself, and the host would restore the state that both runs have found wrong."""
    host.program("dpkg-query")
    assert "xgn_way_back" not in host.run(host_facts, {})["ansible_facts"]
    write(host, tmp_path / "file", "new")
    assert "xgn_way_back" not in host.run(host_facts, {}, check=True)["ansible_facts"]
    found = host.run(host_facts, {})["ansible_facts"]["xgn_way_back"]
    assert (found["armed"], found["seconds"]) == (True, 60)
    assert 890 < (program.deadline() or 0) - program.clock() < 901
    host.run(confirming, {})
    assert "xgn_way_back" not in host.run(host_facts, {})["ansible_facts"]


def test_a_host_that_has_restored_in_the_middle_of_a_run_takes_no_more_of_it(
    host: Host, tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of a run would be there, and the end would confirm it."""
    monkeypatch.setattr(program, "run", lambda _command: (0, "", ""))
    files = [{"path": str(tmp_path / "file"), "content": "new"}]
    first = host.run(config_files, {"files": files, "way_back_seconds": 60})
    second = {"files": files, "way_back_seconds": 60, "way_back_run": first["ansible_facts"]["xgn_way_back"]["run"]}
    program.restore("too late")
    assert "in the middle of this run the host has restored" in host.run(config_files, second)["msg"]
    assert not (tmp_path / "file").exists()
    assert host.run(config_files, second)["changed"]


def test_each_module_that_changes_a_host_is_in_the_action_group() -> None:
    """Otherwise a playbook's module_defaults would leave it out, and its changes would have no way back."""
    root = Path(__file__).resolve().parents[3]
    group = read_yaml((root / "meta/runtime.yml").read_text(encoding="utf-8"))["action_groups"]["host"]
    changing = {path.stem for path in (root / "plugins/modules").glob("*.py") if "HostChange" in path.read_text(encoding="utf-8")}
    assert sorted(group) == sorted(changing | {"way_back"})

"""What guards the way in: the packet filter and sshd's addresses, each changed with a way back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import ownership
from ansible_collections.xuegao.net.plugins.module_utils.ownership import Record
from ansible_collections.xuegao.net.plugins.modules import nft_table, ssh_listen

from .managed_host import Host

# ---- nft_table -----------------------------------------------------------------------------------------------------------------------------


class Filter:
    """nft of a host: its live table, and one that lists a file as it is."""

    def __init__(self, host: Host, live: str = "") -> None:
        self.live, self.refuses = live, ""
        host.program("nft", self.nft)
        host.program("unshare", lambda command, _data: (0, Path(command[-2]).read_text(encoding="utf-8"), ""))
        host.program("systemd-run")
        host.program("systemctl")

    def nft(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if command[1:] == ["list", "tables"]:
            return 0, "table ip theirs\n" + ("table inet xgn\n" if self.live else ""), ""
        if "list" in command:
            return (0, self.live, "") if self.live else (1, "", "Error: No such file or directory")
        if "-c" in command:
            return (1, "", f"{command[-1]}:1: {self.refuses}") if self.refuses else (0, "", "")
        self.live = Path(command[-1]).read_text(encoding="utf-8") if "-f" in command else ""
        return 0, "", ""


OLD, NEW = "table inet xgn { old }\n", "table inet xgn { new }\n"


def load(host: Host, path: Path, check: bool = False, **more: Any) -> dict[str, Any]:
    return host.run(nft_table, {"path": str(path), "content": NEW, "way_back_seconds": 60, **more}, check=check)


def test_a_table_is_loaded_once_with_a_way_back(host: Host, tmp_path: Path, way_back: Path) -> None:
    live, path = Filter(host, OLD), tmp_path / "xgn.nft"
    first = load(host, path)
    armed = first["ansible_facts"]["xgn_way_back"]["armed"]
    assert (first["changed"], armed, live.live, path.read_text(encoding="utf-8")) == (True, True, NEW, NEW)
    assert json.loads((way_back / "armed/snapshot.json").read_text(encoding="utf-8"))["tables"] == {"inet xgn": OLD}
    # Laid before the filter closes.
    timer = next(index for index, call in enumerate(host.calls) if call.startswith("systemd-run"))
    assert timer < host.calls.index(f"nft -f {path}")
    assert not load(host, path)["changed"]


def test_a_rule_deleted_by_hand_is_repaired_though_the_file_is_right(host: Host, tmp_path: Path) -> None:
    live, path = Filter(host, OLD), tmp_path / "xgn.nft"
    path.write_text(NEW, encoding="utf-8")
    result = load(host, path, way_back_seconds=0)
    assert [item["before_header"] for item in result["diff"]] == ["table inet xgn"]
    assert (live.live, "ansible_facts" in result) == (NEW, False)


def test_a_copy_lies_beside_the_file_and_goes_with_it(host: Host, tmp_path: Path) -> None:
    live, path, copy = Filter(host, NEW), tmp_path / "xgn.nft", tmp_path / "xgn.nft.copy"
    path.write_text(NEW, encoding="utf-8")
    path.chmod(0o644)
    arguments: dict[str, Any] = {"copy": str(copy), "record": "firewall.table", "way_back_seconds": 0}
    first, second = (load(host, path, **arguments) for _run in range(2))
    assert ([item["before_header"] for item in first["diff"]], second["changed"]) == ([str(copy)], False)
    assert copy.read_text(encoding="utf-8") == NEW and live.live == NEW
    assert Record("firewall.table", host.warnings.append).names("file") == [str(path), str(copy)]
    assert load(host, path, **arguments, state="absent")["changed"]
    assert not path.exists() and not copy.exists()


def test_a_torn_record_is_written_again_where_nothing_else_is_to_be_done(host: Host, tmp_path: Path) -> None:
    """verify says that the next run does so."""
    Filter(host, OLD)
    path = tmp_path / "xgn.nft"
    for _run in range(2):
        load(host, path, record="firewall.table", way_back_seconds=0)
    record = Path(ownership.directory()) / "firewall.table.json"
    whole = record.read_text(encoding="utf-8")
    record.write_text("", encoding="utf-8")
    assert not load(host, path, record="firewall.table", way_back_seconds=0)["changed"]
    assert record.read_text(encoding="utf-8") == whole
    assert any("firewall.table.json is damaged" in line for line in host.warnings)


def test_a_refused_table_changes_nothing(host: Host, tmp_path: Path) -> None:
    live, path = Filter(host, OLD), tmp_path / "xgn.nft"
    live.refuses = "syntax error"
    assert load(host, path)["msg"] == f"nft refuses the new rules, and nothing was changed:\n{path}:1: syntax error"
    assert (live.live, path.exists()) == (OLD, False)


def test_without_a_timer_nothing_is_loaded(host: Host, tmp_path: Path, way_back: Path) -> None:
    live, path = Filter(host, OLD), tmp_path / "xgn.nft"
    host.program("systemd-run", lambda _command, _data: (1, "", "no bus"))
    assert "so nothing was changed: no bus. Remedy: " in load(host, path)["msg"]
    assert (live.live, path.exists(), [item.name for item in way_back.iterdir()]) == (OLD, False, ["program.py"])


def test_check_mode_loads_nothing(host: Host, tmp_path: Path, way_back: Path) -> None:
    live, path = Filter(host, OLD), tmp_path / "xgn.nft"
    assert load(host, path, check=True)["changed"]
    assert (live.live, path.exists(), way_back.exists()) == (OLD, False, False)


def test_a_table_is_taken_away_with_its_file(host: Host, tmp_path: Path) -> None:
    live, path = Filter(host, OLD), tmp_path / "xgn.nft"
    path.write_text(OLD, encoding="utf-8")
    assert load(host, path, state="absent")["changed"]
    assert (live.live, path.exists(), host.calls[-1]) == ("", False, "nft delete table inet xgn")
    assert not load(host, path, state="absent")["changed"]


def test_a_host_without_nft(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "xgn.nft"
    assert load(host, path, check=True)["changed"]
    assert "Remedy: install the package nftables" in load(host, path)["msg"]
    assert not load(host, path, state="absent")["changed"]


# ---- ssh_listen ----------------------------------------------------------------------------------------------------------------------------

WANTED = ["192.0.2.1:22"]


class Sshd:
    """sshd, whose configuration is one file. ``obeys``: whether a reload makes it listen where that says."""

    def __init__(self, host: Host, path: Path) -> None:
        self.path, self.obeys, self.refuses, self.also = path, True, "", ""
        self.listens = "0.0.0.0:22"
        host.program("sshd", self.sshd)
        host.program("systemctl", self.systemctl)
        host.program("systemd-run")
        host.program("ss", lambda _command, _data: (0, self.sockets(), ""))

    def sshd(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if command[1] == "-t":
            return (255, "", self.refuses) if self.refuses else (0, "", "")
        return 0, f"port 22\nlistenaddress {self.address()}\n{self.also}", ""

    def address(self) -> str:
        return self.path.read_text(encoding="utf-8").split()[1] if self.path.exists() else "0.0.0.0:22"

    def systemctl(self, command: list[str], _data: str | None) -> tuple[int, str, str]:
        if command[1] == "reload-or-restart" and self.obeys:
            self.listens = self.address()
        return 0, "77\n" if command[1] == "show" else "enabled\n", ""

    def sockets(self) -> str:
        # The client's forwarded port belongs to another process; the socket in a VRF to a unit of its own.
        return (
            f'LISTEN 0 128 {self.listens} 0.0.0.0:* users:(("sshd",pid=77,fd=3))\n'
            'LISTEN 0 128 127.0.0.1:8080 0.0.0.0:* users:(("sshd",pid=78,fd=3))\n'
            'LISTEN 0 128 0.0.0.0%CORE:22 0.0.0.0:* users:(("systemd",pid=1,fd=3),("sshd",pid=77,fd=9))\n'
        )


def listen(host: Host, path: Path, check: bool = False, **more: Any) -> dict[str, Any]:
    files = [{"path": str(path), "content": f"ListenAddress {WANTED[0]}\n"}]
    return host.run(ssh_listen, {"files": files, "addresses": WANTED, "way_back_seconds": 60, **more}, check=check)


def test_addresses_are_changed_once_with_a_way_back(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "10-xgn.conf"
    sshd = Sshd(host, path)
    first = listen(host, path)
    assert (first["changed"], first["ansible_facts"]["xgn_way_back"]["armed"], sshd.listens) == (True, True, WANTED[0])
    assert first["diff"][1] == {
        "before_header": "sshd listens",
        "after_header": "sshd listens",
        "before": "0.0.0.0:22\n",
        "after": "192.0.2.1:22\n",
    }
    assert not listen(host, path)["changed"]


def test_another_mode_and_a_torn_record_are_repaired(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "10-xgn.conf"
    Sshd(host, path)
    listen(host, path, record="dns_anycast.ssh", way_back_seconds=0)
    record = Path(ownership.directory()) / "dns_anycast.ssh.json"
    whole = record.read_text(encoding="utf-8")
    path.chmod(0o666)
    record.write_text(whole[:20], encoding="utf-8")
    first, second = (listen(host, path, record="dns_anycast.ssh", way_back_seconds=0) for _run in range(2))
    assert (first["changed"], second["changed"], path.stat().st_mode & 0o777) == (True, False, 0o644)
    assert record.read_text(encoding="utf-8") == whole


def test_check_mode_leaves_sshd_alone(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "10-xgn.conf"
    sshd = Sshd(host, path)
    assert listen(host, path, check=True)["changed"]
    assert (path.exists(), sshd.listens, host.changed("systemctl show", "ss ")) == (False, "0.0.0.0:22", [])


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"refuses": "Bad configuration option"}, "sshd refuses its configuration: Bad configuration option."),
        ({"also": "listenaddress 0.0.0.0:22\n"}, "sshd's configuration as a whole leads to 0.0.0.0:22, 192.0.2.1:22 instead."),
        ({"obeys": False}, "sshd listens on 0.0.0.0:22 instead of 192.0.2.1:22."),
    ],
)
def test_what_does_not_work_is_undone_at_once(host: Host, tmp_path: Path, way_back: Path, fault: dict[str, Any], reason: str) -> None:
    path = tmp_path / "10-xgn.conf"
    sshd = Sshd(host, path)
    for name, value in fault.items():
        setattr(sshd, name, value)
    result = listen(host, path)
    assert result["msg"].startswith(reason)
    assert result["msg"].endswith("The former addresses are in force.")
    assert (path.exists(), sshd.listens, (way_back / "armed").exists()) == (False, "0.0.0.0:22", False)


def test_a_socket_that_is_not_enabled_is_a_change(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "10-xgn.conf"
    sshd = Sshd(host, path)
    listen(host, path)
    host.prints("systemctl", {"is-enabled": "disabled\n", "show": "77\n"})
    assert sshd.listens == WANTED[0]
    result = listen(host, path, sockets=["xgn-ssh-CORE.socket"])
    assert (result["changed"], result["diff"]) == (True, [])
    assert "systemctl enable --quiet xgn-ssh-CORE.socket" in host.calls


@pytest.mark.parametrize("obeys", [True, False])
def test_a_recorded_socket_that_is_no_longer_given_goes_or_comes_back_with_a_refusal(host: Host, tmp_path: Path, obeys: bool) -> None:
    sshd, unit = Sshd(host, tmp_path / "10-xgn.conf"), "xgn-ssh-CORE.socket"
    assert listen(host, sshd.path, sockets=[unit], record="test")["changed"]
    sshd.listens, sshd.obeys = "0.0.0.0:22", obeys
    result = listen(host, sshd.path, record="test")
    calls = [call for call in host.calls if call.endswith(unit)]
    assert f"systemctl disable --now --quiet {unit}" in calls
    text = (Path(ownership.directory()) / "test.json").read_text(encoding="utf-8")
    assert (unit in text, result.get("failed", False)) == (not obeys, not obeys)
    assert (calls[-1] == f"systemctl enable --now --quiet {unit}") is not obeys

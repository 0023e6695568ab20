"""The program that restores: what is put back, in which order, and what a death in the middle leaves."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import frr
from ansible_collections.xuegao.net.plugins.module_utils import way_back_program as program

WG = "wg-quick@wg1.service"


class Kernel:
    """The commands of a host. Those that read answer from ``answers``, by beginning; those that change are noted, or fail when in ``broken``."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.calls: list[str] = []
        self.broken: set[str] = set()

    def run(self, command: list[str]) -> tuple[int, str, str]:
        line = " ".join(command)
        for begin in sorted(self.answers, key=len, reverse=True):
            if line.startswith(begin):
                return 0, self.answers[begin], ""
        if not {"show", "list", "list-units"} & set(command):
            self.calls.append(line)
        return (1, "", "refused") if line in self.broken else (0, "", "")


class Kept:
    """A way back that is armed. ``root`` stands for the host's file system, which the journal's paths lie in."""

    def __init__(self, tmp_path: Path, **snapshot: Any) -> None:
        self.root, self.armed = tmp_path / "root", tmp_path / "way-back" / "armed"
        self.root.mkdir()
        (self.armed / "files").mkdir(parents=True)
        (self.armed / "snapshot.json").write_text(json.dumps(snapshot), encoding="utf-8")
        (self.armed / "journal").write_text("", encoding="utf-8")

    def note(self, **entry: Any) -> None:
        with (self.armed / "journal").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")

    def file(self, name: str, before: str | None, now: str | None) -> Path:
        """A file as it was and is."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        saved = None if before is None else name.replace("/", "-")
        if before is not None and saved is not None:
            (self.armed / "files" / saved).write_text(before, encoding="utf-8")
        if now is not None:
            path.write_text(now, encoding="utf-8")
        owner = self.root.stat()
        self.note(file=str(path), saved=saved, mode=0o640, uid=owner.st_uid, gid=owner.st_gid)
        return path


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kernel:
    """A host whose programs are fakes and whose directories are the test's."""
    for name, place in (("BASE", "way-back"), ("RUN", "run"), ("UNITS", "units"), ("NET", "net")):
        monkeypatch.setattr(program, name, str(tmp_path / place))
    for place in ("units/multi-user.target.wants", "net", "run"):
        (tmp_path / place).mkdir(parents=True)
    found = Kernel()
    monkeypatch.setattr(program, "run", found.run)
    return found


def report(tmp_path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((tmp_path / "way-back/tried/report.json").read_text(encoding="utf-8"))
    return found


def test_files_are_as_they_were_and_what_was_tried_lies_aside(kernel: Kernel, tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    changed, made, removed = kept.file("changed", "old", "new"), kept.file("d/made", None, "new"), kept.file("removed", "old", None)
    same = kept.file("same", "old", "old")
    assert program.restore("too late") == 0
    assert [path.read_text(encoding="utf-8") for path in (changed, removed, same)] == ["old"] * 3
    assert (changed.stat().st_mode & 0o777, made.exists()) == (0o640, False)
    tried = tmp_path / "way-back/tried"
    aside = Path(str(tried) + str(made))
    assert (aside.read_text(encoding="utf-8"), aside.stat().st_mode & 0o777, aside.parent.stat().st_mode & 0o777) == ("new", 0o600, 0o700)
    found = report(tmp_path)
    assert (found["reason"], found["restored"]) == ("too late", sorted(map(str, (changed, made, removed))))
    assert not kept.armed.exists()
    assert program.restore("again") == 0


def test_a_death_in_the_middle_is_gone_on_with(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second attempt ends it, and what was tried stays aside."""
    kept = Kept(tmp_path)
    first, second = kept.file("first", "old", "new"), kept.file("second", "old", "new")
    real, done = program.replace, []

    def replace(path: str, *arguments: Any) -> None:
        if path == str(second):
            raise KeyboardInterrupt
        done.append(path)
        real(path, *arguments)

    monkeypatch.setattr(program, "replace", replace)
    with pytest.raises(KeyboardInterrupt):
        program.restore("too late")
    assert (first.read_text(encoding="utf-8"), second.read_text(encoding="utf-8"), kept.armed.exists()) == ("old", "new", True)
    monkeypatch.setattr(program, "replace", real)
    # As the one who waits finds it when it is started again.
    assert program.wait() == 0
    assert second.read_text(encoding="utf-8") == "old"
    assert [Path(str(tmp_path / "way-back/tried") + str(path)).read_text(encoding="utf-8") for path in (first, second)] == ["new", "new"]
    assert report(tmp_path)["reason"] == "too late"


def test_a_second_attempt_makes_live_what_the_first_has_put_back(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path, active=["docker.service"])
    kernel.answers["systemctl list-units"] = "docker.service loaded active running x\n"
    path = kept.file("daemon.json", "old", "old")
    monkeypatch.setattr(program, "MADE_LIVE", ((str(path), program.SERVICES, ("systemctl", "reload", "docker.service")),))
    (kept.armed / "restoring").write_text("too late", encoding="utf-8")
    program.restore("too late")
    assert kernel.calls == ["systemctl reload docker.service"]


def test_a_step_that_breaks_off_does_not_take_the_others_with_it(kernel: Kernel, tmp_path: Path) -> None:
    kept = Kept(tmp_path, tables={"inet xgn": "table inet xgn { old }\n"})
    kept.note(stage=program.SERVICES, command=["systemctl", "reload-or-restart", "ssh.service"])
    kernel.answers["ip -json -details address show"] = "half of a docu"
    assert program.restore("too late") == 0
    assert kernel.calls == [f"nft -f {kept.armed}/table.nft", "systemctl reload-or-restart ssh.service"]
    assert len(report(tmp_path)["failures"]) == 1


def test_frr_gets_its_former_running_configuration_with_what_stood_in_no_file(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf, reload = tmp_path / "frr.conf", tmp_path / "frr-reload.py"
    conf.write_text("hostname r1\n", encoding="utf-8")
    reload.write_text("", encoding="utf-8")
    monkeypatch.setattr(program, "FRR_CONF", str(conf))
    monkeypatch.setattr(program, "RELOAD_PROGRAMS", (str(reload),))
    monkeypatch.setattr("shutil.which", lambda _name: "/usr/bin/vtysh")
    kept = Kept(tmp_path)
    (kept.armed / program.FRR_RUNNING).write_text("hostname r1\nip route 0.0.0.0/0 192.0.2.1\n", encoding="utf-8")
    given = []
    masks = []

    def run(command: list[str]) -> tuple[int, str, str]:
        masks.append(os.umask(0o022))
        os.umask(masks[-1])
        if "--reload" in command:
            given.append(Path(command[-1]).read_text(encoding="utf-8"))
            # As frr-reload.py does for any other file.
            conf.write_text("as vtysh shows it\n", encoding="utf-8")
        return kernel.run(command)

    monkeypatch.setattr(program, "run", run)
    program.restore("too late")
    assert given == ["hostname r1\nip route 0.0.0.0/0 192.0.2.1\n"]
    # What it writes below /run/frr has passwords; nothing else is made otherwise than before.
    assert masks.count(0o077) == 1 and os.umask(masks[0]) == masks[0]
    assert not (tmp_path / "frr.conf.restored").exists()
    assert conf.read_text(encoding="utf-8") == "hostname r1\n"


def test_a_file_that_cannot_be_put_back_keeps_all(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path)
    one, other = kept.file("one", "old", "new"), kept.file("other", "old", "new")
    real = program.replace

    def replace(path: str, *arguments: Any) -> None:
        if path == str(one):
            raise OSError(28, "No space left on device")
        real(path, *arguments)

    monkeypatch.setattr(program, "replace", replace)
    assert program.restore("too late") == 1
    assert (other.read_text(encoding="utf-8"), kept.armed.exists()) == ("old", True)
    assert report(tmp_path)["failures"] == [f"{one}: No space left on device"]
    monkeypatch.setattr(program, "replace", real)
    assert program.restore("too late") == 0
    assert one.read_text(encoding="utf-8") == "old"


def test_half_a_line_of_the_journal_is_no_change(kernel: Kernel, tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    path = kept.file("changed", "old", "new")
    with (kept.armed / "journal").open("a", encoding="utf-8") as stream:
        stream.write('{"file": "/etc/pas')
    assert program.restore("too late") == 0
    assert path.read_text(encoding="utf-8") == "old"


def test_a_new_private_key_stays(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path)
    key, conf = kept.file("wireguard/wg1.key", None, "key"), kept.file("wireguard/wg1.conf", None, "conf")
    monkeypatch.setattr(program, "KEYS", ((str(kept.root / "wireguard"), ".key"),))
    program.restore("too late")
    assert (key.exists(), conf.exists()) == (True, False)


def test_live_state_is_restored_stage_by_stage(kernel: Kernel, tmp_path: Path) -> None:
    """A new unit is stopped before its files go; tunnels, interfaces, filter, services follow; programs are last."""
    links = tmp_path / "units/multi-user.target.wants"
    (links / "new.service").symlink_to("/etc/systemd/system/new.service")
    lost = links / "lost.service"
    kept = Kept(
        tmp_path,
        symlinks={str(lost): "/lib/systemd/system/lost.service"},
        active=["lost.service", WG],
        tables={"inet xgn": "table inet xgn { old }\n"},
    )
    kept.note(stage=program.SERVICES, command=["systemctl", "reload-or-restart", "ssh.service"])
    kept.note(stage=program.INTERFACES, command=["/usr/local/sbin/xgn-interface", "apply", "--previous", "x"])
    kept.note(unit=WG, stage=program.TUNNELS)
    kept.note(link="ovpn9")
    (tmp_path / "net/ovpn9").mkdir()
    kernel.answers["systemctl list-units"] = "new.service loaded active running x\n"
    kernel.answers["nft list tables"] = "table inet xgn\ntable inet xgn_new\ntable ip theirs\n"
    kernel.answers["nft -s list table inet xgn"] = "table inet xgn { new }\n"
    program.restore("too late")
    assert kernel.calls == [
        "systemctl stop new.service",
        "systemctl daemon-reload",
        f"systemctl start {WG}",
        "/usr/local/sbin/xgn-interface apply --previous x",
        "ip link delete dev ovpn9",
        f"nft -f {kept.armed}/table.nft",
        "nft delete table inet xgn_new",
        "systemctl start lost.service",
        "systemctl reload-or-restart ssh.service",
    ]
    assert (lost.is_symlink(), (links / "new.service").is_symlink()) == (True, False)


def test_a_program_that_was_taken_away_is_there_when_a_step_needs_it(
    kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As that of the interfaces when the last VRF went. One that was only replaced stays until the steps are done."""
    kept = Kept(tmp_path)
    monkeypatch.setattr(program, "PROGRAMS", f"{kept.root}/usr/local/")
    gone, other = kept.file("usr/local/sbin/gone", "old", None), kept.file("usr/local/sbin/other", "old", "new")
    kept.note(stage=program.INTERFACES, command=["apply"])
    seen = []

    def run(command: list[str]) -> tuple[int, str, str]:
        seen.append((gone.exists(), other.read_text(encoding="utf-8")))
        return kernel.run(command)

    monkeypatch.setattr(program, "run", run)
    program.restore("too late")
    assert seen[-1] == (True, "new") and "apply" in kernel.calls
    assert (gone.read_text(encoding="utf-8"), other.read_text(encoding="utf-8")) == ("old", "old")
    assert report(tmp_path)["restored"] == [str(gone), str(other)]


def test_at_boot_only_files_and_jobs(kernel: Kernel, tmp_path: Path) -> None:
    links = tmp_path / "units/multi-user.target.wants"
    (links / "new.service").symlink_to("/etc/systemd/system/new.service")
    lost = links / "lost.service"
    kept = Kept(tmp_path, symlinks={str(lost): "/lib/lost.service"}, active=["lost.service"], tables={"inet xgn": "x"})
    path = kept.file("changed", "old", "new")
    kept.note(stage=program.SERVICES, command=["systemctl", "reload-or-restart", "ssh.service"])
    assert program.restore("rebooted", at_boot=True) == 0
    assert path.read_text(encoding="utf-8") == "old"
    assert kernel.calls == [
        "systemctl stop --no-block new.service",
        "systemctl daemon-reload",
        "systemctl start --no-block lost.service",
    ]


def test_in_the_same_boot_the_boots_unit_does_nothing(kernel: Kernel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Kept(tmp_path)
    path = kept.file("changed", "old", "new")
    program.set_deadline(60)
    monkeypatch.setattr("sys.argv", ["program.py", "boot"])
    assert (program.main(), path.read_text(encoding="utf-8")) == (0, "new")


DEFAULT = "default via 192.0.2.1 dev eth0 \n"


def test_a_wrong_gateway_and_a_wrong_vrf(kernel: Kernel, tmp_path: Path) -> None:
    """The NIC goes back to its VRF with the addresses it lost there; the right default route is there before the wrong one goes."""

    def address(master: str | None, *addresses: dict[str, Any]) -> str:
        link = {"ifname": "eth0", "mtu": 1500, "address": "52:54:00:00:00:01", "flags": ["UP"], "addr_info": list(addresses)}
        return json.dumps([{**link, "master": master} if master else link])

    four = {"local": "192.0.2.9", "prefixlen": 24, "scope": "global", "broadcast": "192.0.2.255"}
    six = {"local": "2001:db8::9", "prefixlen": 64, "scope": "global"}
    routes, read = "ip -oneline -4 route show table all proto boot", "ip -json -details address show"
    kernel.answers = {
        routes: DEFAULT,
        read: address(None, four, six),
        "ip -4 rule show": "32765:\tfrom all lookup local\n1000:\tfrom all lookup [l3mdev-table]\n",
    }
    Kept(tmp_path, **program.take_snapshot(kernel.run))
    kernel.calls.clear()
    kernel.answers[routes] = "default via 192.0.2.66 dev eth0 \n"
    kernel.answers[read] = address("BLUE", four)
    kernel.answers["ip -4 rule show"] = "0:\tfrom all lookup local\n"
    program.restore("too late")
    assert kernel.calls == [
        "ip link set dev eth0 nomaster",
        "ip address replace 2001:db8::9/64 dev eth0",
        "ip -4 route replace default proto boot via 192.0.2.1 dev eth0",
        "ip -4 route delete default proto boot via 192.0.2.66 dev eth0",
        "ip -4 rule add preference 32765 from all lookup local",
        "ip -4 rule delete preference 0 from all lookup local",
    ]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("default via 10.0.0.1 dev eth0 src 10.0.0.9 metric 1024 ", "default proto dhcp via 10.0.0.1 dev eth0 src 10.0.0.9 metric 1024"),
        ("unreachable default table 200 metric 4278198272 linkdown", "unreachable default proto dhcp table 200 metric 4278198272"),
        (
            "10.1.0.0/16 \\\tnexthop via 10.0.0.1 dev a weight 1 \\\tnexthop via 10.0.0.2 dev b weight 1",
            "10.1.0.0/16 proto dhcp nexthop via 10.0.0.1 dev a weight 1 nexthop via 10.0.0.2 dev b weight 1",
        ),
        (
            "default via fe80::1 dev eth0 metric 1024 expires 1700sec pref medium",
            "default proto dhcp via fe80::1 dev eth0 metric 1024 pref medium",
        ),
    ],
)
def test_routes_as_ip_takes_them(line: str, words: str) -> None:
    assert program.route_words(line, "dhcp") == words


def test_it_knows_the_configuration_of_frr_by_the_same_path() -> None:
    """It lies on hosts by itself and imports nothing of ours."""
    assert program.FRR_CONF == frr.FRR_CONF

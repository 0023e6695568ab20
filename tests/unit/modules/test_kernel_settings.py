"""Kernel settings: which file a key means, what is written, and when nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import ownership, removal, sysctl
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Gatherer
from ansible_collections.xuegao.net.plugins.modules import kernel_settings, recorded_objects

from .managed_host import Host


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/ip_forward", "net/ipv4/ip_forward"),
        # sysctl(8), and what systemd-sysctl makes of the file at boot
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net.ipv4.conf.a/b/c.rp_filter", "net/ipv4/conf/a.b.c/rp_filter"),
        ("hostname", "hostname"),
    ],
)
def test_every_notation_of_a_key(key: str, name: str) -> None:
    assert sysctl.sysctl_name(key) == name
    assert sysctl.sysctl_path(key) == "/proc/sys/" + name


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A kernel with a few settings."""
    root = tmp_path / "proc"
    for name, value in (
        ("net/ipv4/ip_forward", "0\n"),
        ("net/ipv4/conf/eth0.100/rp_filter", "0\n"),
        ("net/ipv4/tcp_rmem", "4096\t131072\t6291456\n"),
        ("net/core/default_qdisc", "pfifo_fast\n"),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(value, encoding="utf-8")
    monkeypatch.setattr(sysctl, "PROC", str(root))
    # Nor files of the machine that the tests run on.
    monkeypatch.setattr(sysctl, "DIRECTORIES", ())
    monkeypatch.setattr(sysctl, "LAST", str(tmp_path / "none"))
    return root


def test_module_and_verification_mean_the_same_file(host: Host, proc: Path, tmp_path: Path) -> None:
    key = "net.ipv4.conf.eth0/100.rp_filter"
    result = host.run(kernel_settings, {"path": str(tmp_path / "xgn.conf"), "settings": {key: 2}})
    assert result["live_changed"] == [key]
    assert (proc / "net/ipv4/conf/eth0.100/rp_filter").read_text(encoding="utf-8") == "2"
    assert Gatherer().sysctl([key])["sysctl"]["data"] == {key: "2"}
    # systemd-sysctl reads the key as it was given.
    assert f"{key} = 2\n" in (tmp_path / "xgn.conf").read_text(encoding="utf-8")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The first and the last directory of settings, and no other file that is read behind them."""
    found = (tmp_path / "etc", tmp_path / "lib")
    for place in found:
        place.mkdir()
    monkeypatch.setattr(sysctl, "DIRECTORIES", tuple(map(str, found)))
    monkeypatch.setattr(sysctl, "LAST", str(tmp_path / "sysctl.conf"))
    return found


KEY = "net.ipv4.ip_forward"


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, {}),
        ({"etc/50-a.conf": f"{KEY}=0", "lib/90-xgn.con": f"{KEY}=0", "etc/90-xgn.conf": f"{KEY} = 1"}, {}),
        ({"etc/99-a.conf": f"  {KEY}  =  0 "}, {KEY: ("etc/99-a.conf", "0")}),
        ({"lib/99-a.conf": "-net/ipv4/ip_forward=0"}, {KEY: ("lib/99-a.conf", "0")}),
        # Of one name the first counts, also where it is empty, as a link to /dev/null is.
        ({"etc/99-a.conf": "", "lib/99-a.conf": f"{KEY}=0"}, {}),
        ({"etc/99-a.conf": f"{KEY}=0", "lib/99-b.conf": f"{KEY}=2"}, {KEY: ("lib/99-b.conf", "2")}),
        ({"etc/99-a.conf": f"{KEY}=0", "sysctl.conf": f"{KEY}=2"}, {KEY: ("sysctl.conf", "2")}),
        ({"etc/99-a.conf": f"#{KEY}=0\n; {KEY}=0\n{KEY}\n-{KEY}\nnet.ipv4.*=0\nnet.ipv4.ip_forwarding=0"}, {}),
    ],
)
def test_a_file_that_is_read_behind_ours_is_found(
    places: tuple[Path, Path], tmp_path: Path, files: dict[str, str], found: dict[str, tuple[str, str]]
) -> None:
    """As sysctl.d(5) says which is read when."""
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    behind = sysctl.set_behind("/etc/sysctl.d/90-xgn.conf", [KEY, "net.core.default_qdisc"])
    assert behind == {key: (str(tmp_path / name), value) for key, (name, value) in found.items()}


def test_a_run_names_the_file_that_would_have_the_last_word(host: Host, proc: Path, places: tuple[Path, Path]) -> None:
    """Not one that agrees."""
    (places[0] / "99-local.conf").write_text(f"{KEY} = 0\nnet.core.default_qdisc = fq\n", encoding="utf-8")
    settings = {KEY: 1, "net.core.default_qdisc": "fq"}
    host.run(kernel_settings, {"path": str(places[0] / "90-xgn.conf"), "settings": settings})
    assert len(host.warnings) == 1 and host.warnings[0].startswith(f"{places[0]}/99-local.conf sets {KEY} to 0, and is read behind ")


def test_the_second_time_nothing_changes(host: Host, proc: Path, tmp_path: Path) -> None:
    settings = {"net.ipv4.ip_forward": 1, "net.ipv4.tcp_rmem": "4096  131072 6291456"}
    first = host.run(kernel_settings, {"path": str(tmp_path / "xgn.conf"), "settings": settings})
    second = host.run(kernel_settings, {"path": str(tmp_path / "xgn.conf"), "settings": settings})
    assert (first["changed"], first["live_changed"]) == (True, ["net.ipv4.ip_forward"])
    assert (second["changed"], second["live_changed"]) == (False, [])


def test_what_drifted_is_repaired_though_the_file_is_right(host: Host, proc: Path, tmp_path: Path) -> None:
    arguments = {"path": str(tmp_path / "xgn.conf"), "settings": {"net.ipv4.ip_forward": 1}}
    host.run(kernel_settings, arguments)
    (proc / "net/ipv4/ip_forward").write_text("0\n", encoding="utf-8")
    result = host.run(kernel_settings, arguments)
    assert result["changed"]
    assert result["diff"][1] == {
        "before_header": "live",
        "after_header": "live",
        "before": "net.ipv4.ip_forward = 0\n",
        "after": "net.ipv4.ip_forward = 1\n",
    }
    assert (proc / "net/ipv4/ip_forward").read_text(encoding="utf-8") == "1"


def test_a_setting_that_is_left_to_others_stays_and_is_forgotten(host: Host, proc: Path, tmp_path: Path) -> None:
    arguments, key = {"path": str(tmp_path / "xgn.conf"), "record": "sysctl"}, "net.ipv4.ip_forward"
    host.run(kernel_settings, {**arguments, "settings": {key: 1}})
    host.run(kernel_settings, {**arguments, "settings": {}, "left": [key]})
    host.run(kernel_settings, {**arguments, "settings": {}})
    assert (proc / "net/ipv4/ip_forward").read_text(encoding="utf-8") == "1"


def test_another_notation_is_the_same_setting(host: Host, proc: Path, tmp_path: Path) -> None:
    arguments, live = {"path": str(tmp_path / "xgn.conf"), "record": "sysctl"}, proc / "net/ipv4/ip_forward"
    for key in ("net.ipv4.ip_forward", "net/ipv4/ip_forward"):
        host.run(kernel_settings, {**arguments, "settings": {key: 1}})
        assert live.read_text(encoding="utf-8") == "1"
    host.run(kernel_settings, {**arguments, "settings": {}})
    assert live.read_text(encoding="utf-8") == "0"


def test_a_setting_that_another_record_gives_stays(host: Host, proc: Path, tmp_path: Path) -> None:
    key, live = "net.ipv4.ip_forward", proc / "net/ipv4/ip_forward"
    for name in ("sysctl", "other"):
        host.run(kernel_settings, {"path": str(tmp_path / f"{name}.conf"), "record": name, "settings": {key: 1}})
    host.run(kernel_settings, {"path": str(tmp_path / "sysctl.conf"), "record": "sysctl", "settings": {}})
    assert live.read_text(encoding="utf-8") == "1"


def test_settings_that_two_records_of_a_role_give_go_with_the_last_and_records_are_read_once(
    host: Host, proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many settings there are."""
    settings = {"net.ipv4.ip_forward": 1, "net.ipv4.conf.eth0/100.rp_filter": 2}
    for name in ("some.a", "some.b", "other"):
        given = settings if name != "other" else {"net.core.default_qdisc": "fq"}
        host.run(kernel_settings, {"path": str(tmp_path / f"{name}.conf"), "record": name, "settings": given})
    read: list[str] = []

    def record(name: str, *rest: Any) -> ownership.Record:
        read.append(name)
        return ownership.Record(name, *rest)

    monkeypatch.setattr(removal, "Record", record)
    host.run(recorded_objects, {"role": "some", "remove_all": True})
    assert {(proc / sysctl.sysctl_name(key)).read_text(encoding="utf-8") for key in settings} == {"0"}
    assert (proc / "net/core/default_qdisc").read_text(encoding="utf-8") == "fq"
    assert sorted(read) == ["other", "some.a", "some.b"]


def test_a_former_value_that_the_kernel_refuses_is_said(host: Host, proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = {"path": str(tmp_path / "xgn.conf"), "record": "sysctl"}
    host.run(kernel_settings, {**arguments, "settings": {"net.ipv4.ip_forward": 1}})

    def refuse(_removal: object, _change: object, _key: str) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(removal.Removal, "_sysctl", refuse)
    assert "The kernel refuses the former value of a setting" in host.run(kernel_settings, {**arguments, "settings": {}})["msg"]


def test_check_mode_only_tells(host: Host, proc: Path, tmp_path: Path) -> None:
    result = host.run(kernel_settings, {"path": str(tmp_path / "xgn.conf"), "settings": {"net.ipv4.ip_forward": 1}}, check=True)
    assert (result["changed"], result["live_changed"]) == (True, ["net.ipv4.ip_forward"])
    assert result["diff"][0]["after"].endswith("net.ipv4.ip_forward = 1\n")
    assert (proc / "net/ipv4/ip_forward").read_text(encoding="utf-8") == "0\n"
    assert not (tmp_path / "xgn.conf").exists()


def test_an_unknown_key_stops_before_anything_is_written(host: Host, proc: Path, tmp_path: Path) -> None:
    result = host.run(kernel_settings, {"path": str(tmp_path / "xgn.conf"), "settings": {"net.ipv4.ip_forward": 1, "net.ipv4.nonsense": 1}})
    assert "has no such setting: net.ipv4.nonsense. Nothing was changed." in result["msg"]
    assert (proc / "net/ipv4/ip_forward").read_text(encoding="utf-8") == "0\n"
    assert not (tmp_path / "xgn.conf").exists()


@pytest.mark.parametrize("key", ["net.core.default_qdisc", "net/core/default_qdisc"])
def test_what_the_kernel_keeps_is_read_back(host: Host, proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    """Some settings take a value and keep another; and a discipline needs its module first, however its key is written."""
    host.program("modprobe")
    monkeypatch.setattr(kernel_settings, "sysctl_value", lambda _key: "pfifo_fast")
    result = host.run(kernel_settings, {"path": str(tmp_path / "xgn.conf"), "settings": {key: "fq"}})
    assert (
        result["msg"]
        == f"{key} was set to 'fq', and the kernel keeps 'pfifo_fast'. Remedy: write what it keeps, or look for what sets it back."
    )
    assert host.calls == ["modprobe --quiet sch_fq"]


def test_a_file_that_others_cannot_read_or_that_is_no_text_is_put_right(host: Host, proc: Path, tmp_path: Path) -> None:
    path, arguments = tmp_path / "xgn.conf", {"path": str(tmp_path / "xgn.conf"), "settings": {"net.ipv4.ip_forward": 1}}
    host.run(kernel_settings, arguments)
    path.chmod(0o600)
    assert [host.run(kernel_settings, arguments)["changed"] for _run in (1, 2)] == [True, False]
    path.write_bytes(b"\xff\x00\xfe")
    assert [host.run(kernel_settings, arguments)["changed"] for _run in (1, 2)] == [True, False]


ROUTES = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 00000400 00000001 00000000 00450003     eth0\n"
    "fd000000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     eth1\n"
)


@pytest.fixture
def uplink(proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose eth0 has its default route from a router advertisement."""
    for name, value in (("net/ipv6/conf/all/forwarding", "0\n"), ("net/ipv6/conf/eth0/accept_ra", "1\n")):
        (proc / name).parent.mkdir(parents=True, exist_ok=True)
        (proc / name).write_text(value, encoding="utf-8")
    table = tmp_path / "ipv6_route"
    table.write_text(ROUTES, encoding="ascii")
    monkeypatch.setattr(kernel_settings, "router_listeners", lambda: sysctl.router_listeners(str(table)))
    return table


FORWARD = {"net.ipv6.conf.all.forwarding": 1}
LISTENS = "net/ipv6/conf/eth0/accept_ra"


def test_an_uplink_goes_on_hearing_routers_when_its_host_forwards(host: Host, uplink: Path, proc: Path, tmp_path: Path) -> None:
    """That is set first, and stays when no advertisement has come yet after a boot."""
    path = tmp_path / "xgn.conf"
    arguments = {"path": str(path), "settings": FORWARD}
    assert host.run(kernel_settings, arguments, check=True)["live_changed"] == [LISTENS, *FORWARD]
    assert host.run(kernel_settings, arguments)["live_changed"] == [LISTENS, *FORWARD]
    assert f"{LISTENS} = 2\n" in path.read_text(encoding="utf-8")
    uplink.unlink()
    assert not host.run(kernel_settings, arguments)["changed"]
    assert (proc / LISTENS).read_text(encoding="utf-8") == "2"


@pytest.mark.parametrize(
    "arguments",
    [
        {"settings": {"net.ipv6.conf.all.forwarding": 0}},
        {"settings": {**FORWARD, "net.ipv6.conf.eth0.accept_ra": 1}},
        {"settings": FORWARD, "left": ["net.ipv6.conf.eth0.accept_ra"]},
    ],
)
def test_it_is_left_alone_where_nothing_forwards_or_somebody_has_said_otherwise(
    host: Host, uplink: Path, proc: Path, tmp_path: Path, arguments: dict[str, Any]
) -> None:
    host.run(kernel_settings, {"path": str(tmp_path / "xgn.conf"), **arguments})
    assert (proc / LISTENS).read_text(encoding="utf-8").strip() == "1"


@pytest.mark.parametrize(("live", "kept"), [("1", "2"), ("2", "2"), ("0", "0")])
def test_an_uplink_that_is_to_have_its_route_from_routers(
    host: Host, uplink: Path, proc: Path, tmp_path: Path, live: str, kept: str
) -> None:
    """It is ready for the first advertisement; where a manager listens in the kernel's stead (accept_ra 0), or the NIC is not there yet, nothing is set."""
    uplink.unlink()
    (proc / LISTENS).write_text(f"{live}\n", encoding="utf-8")
    arguments = {"path": str(tmp_path / "xgn.conf"), "settings": FORWARD, "hears_routers": ["eth0", "eth9"]}
    host.run(kernel_settings, arguments)
    assert (proc / LISTENS).read_text(encoding="utf-8").strip() == kept
    assert not host.run(kernel_settings, arguments)["changed"]

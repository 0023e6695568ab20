"""Modules that every role uses: facts, files, interfaces, the live state, and a cut tunnel."""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import (
    frr_drain,
    held,
    host_change,
    interface_managers,
    others_filters,
    owners,
    ownership,
    sysfs,
)
from ansible_collections.xuegao.net.plugins.module_utils import interface_layer as layer
from ansible_collections.xuegao.net.plugins.module_utils import listeners as reached
from ansible_collections.xuegao.net.plugins.module_utils.commands import CommandError
from ansible_collections.xuegao.net.plugins.module_utils.files import read_text
from ansible_collections.xuegao.net.plugins.module_utils.live_gather import Finished, Gatherer
from ansible_collections.xuegao.net.plugins.modules import config_files, failover_cut, host_facts, interface_layer, live_state
from ansible_collections.xuegao.net.plugins.plugin_utils.common.host_answers import checked_facts

from .managed_host import Host

# ---- host_facts ----------------------------------------------------------------------------------------------------------------------------

DEBIAN = 'PRETTY_NAME="Debian"\nID=debian\nVERSION_ID="13"\n'


def facts(
    host: Host, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], seen: dict[str, Any] | None = None, **arguments: Any
) -> dict[str, Any]:
    """The facts of a host with these files. seen: where others' files and filters are looked for; nowhere when not given."""
    monkeypatch.setattr(host_facts, "read_text", lambda path: files.get(path, ""))
    # Not what this machine has.
    monkeypatch.setattr(others_filters, "_has_nf_tables", lambda: seen is not None)
    monkeypatch.setattr(others_filters, "LEGACY", {"ip": "/nonexistent", "ip6": "/nonexistent"})
    monkeypatch.setattr(owners, "WRITTEN", (seen or {}).get("WRITTEN", ()))
    monkeypatch.setattr(host_facts, "platform", SimpleNamespace(release=lambda: "6.1", machine=lambda: "x86_64"))
    result = host.run(host_facts, arguments)
    assert not result["changed"]
    found: dict[str, Any] = result["ansible_facts"]["xgn_host"]
    return found


def test_the_mtus_that_connections_of_network_manager_give(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """It leaves some NICs alone from then on, and nobody would give them that MTU at the next boot."""
    answers: dict[str, str | tuple[int, str]] = {"--terse": "u-1:eth0\nu-2:eth1\nu-3:lo\n"}
    for uuid, text in (("u-1", "auto\n"), ("u-2", "9000\n"), ("u-3", "")):
        answers[f"--get-values 802-3-ethernet.mtu connection show uuid {uuid}"] = text
    host.prints("nmcli", answers)
    assert facts(host, monkeypatch, {})["connection_mtus"] == {}
    monkeypatch.setattr(host_facts, "running", lambda: [interface_managers.NETWORK_MANAGER])
    found = facts(host, monkeypatch, {})
    assert found["network_manager"] is True and found["connection_mtus"] == {"eth1": 9000}


def test_facts_of_a_debian(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.prints("dpkg-query", {"": "ii  frr 10.3+xgn.debian13.0\nrc  gone 1\nhi  held 2\n"})
    host.program("nft")
    modules = {"/lib/modules/6.1/modules.builtin": "kernel/vrf.ko\n", "/lib/modules/6.1/modules.dep": "kernel/vxlan.ko.xz: kernel/udp.ko\n"}
    found = facts(host, monkeypatch, {"/etc/os-release": DEBIAN, **modules}, commands=["nft", "wg"])
    assert (found["os_family"], found["distribution"], found["distribution_version"]) == ("Debian", "debian", "13")
    assert found["packages"] == ["frr", "held"]
    assert found["artifacts"] == {"frr": "10.3+xgn.debian13.0"}
    assert found["commands"] == {"nft": "nft", "wg": None}
    features = {name: found["kernel_features"][name] for name in ("vrf", "vxlan")}
    assert features == {"vrf": "loaded" if os.path.isdir("/sys/module/vrf") else "builtin", "vxlan": features["vxlan"]}
    assert features["vxlan"] in ("module", "loaded")


@pytest.mark.parametrize(
    ("release", "family"),
    [
        ("ID=ubuntu\nID_LIKE=debian\n", "Debian"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "RedHat"),
        ("ID=fedora\n", "RedHat"),
        ("ID=arch\n", "arch"),
        ("", ""),
    ],
)
def test_a_distribution_belongs_to_a_family(monkeypatch: pytest.MonkeyPatch, release: str, family: str) -> None:
    monkeypatch.setattr(host_facts, "read_text", lambda _path: release)
    assert host_facts.os_family(host_facts.os_release()) == family


def test_a_family_without_a_query_has_no_packages(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    assert facts(host, monkeypatch, {"/etc/os-release": "ID=arch\n"})["packages"] == []
    assert host.calls == []


def test_what_is_others_is_told(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Their files under names that roles write, and their packet filters; what is recorded is ours."""
    files = [tmp_path / "xl2tpd.conf", tmp_path / "daemon.json"]
    for path in files:
        path.write_text("by hand\n", encoding="utf-8")
    record = ownership.Record("firewall.table", host.warnings.append)
    record.note("table", "inet mine")
    record.save()
    tables = [{"table": {"family": "inet", "name": name}} for name in ("mine", "theirs")]
    host.program("nft", lambda _command, _data: (0, json.dumps({"nftables": tables}), ""))
    monkeypatch.setattr(owners, "DPKG", str(tmp_path))
    seen = {"WRITTEN": (("l2tp_ipsec", str(files[0])), ("docker_macvlan", str(files[1])))}
    found = facts(host, monkeypatch, {"/etc/os-release": "ID=arch\n"}, seen)
    assert found["owners"] == {"l2tp_ipsec": [f"file {files[0]}"], "docker_macvlan": [f"file {files[1]}"]}
    assert [item["table"] for item in found["filters"]] == ["inet theirs"]


def test_without_a_module_tree_what_is_not_loaded_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_facts, "read_text", lambda _path: "")
    monkeypatch.setattr(host_facts, "KERNEL_FEATURES", ("no_such_feature",))
    assert host_facts.kernel_features("6.1") == {"no_such_feature": "unknown"}


def test_what_is_reached_from_outside_has_the_form_it_must_have(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st\n"
    # What the kernel prints on a little-endian machine.
    little = SimpleNamespace(pack=lambda form, *words: struct.pack(form.replace("=", "<"), *words))
    monkeypatch.setattr(reached, "struct", little)
    files = {
        "/etc/os-release": DEBIAN,
        "/proc/net/tcp": head
        + "   0: 00000000:0050 00000000:0000 0A\n   1: 0100007F:0019 00000000:0000 0A\n   2: 00000000:01BB 01020304:0001 01\n",
        "/proc/net/tcp6": head
        + f"   0: {'0' * 32}:0050 {'0' * 32}:0000 0A\n   1: 0000000000000000FFFF00000100007F:0051 {'0' * 32}:0000 0A\n",
        "/proc/net/udp": head + "   0: 097AA8C0:0035 00000000:0000 07\n   1: 00000000:9C40 00000000:0000 07\n",
        "/proc/net/route": "Iface Destination Gateway Flags RefCnt Use Metric Mask\nvmbr0 00000000 01020304 0003 0 0 0 00000000\n"
        + "".join(f"{name} 0001010A 00000000 0001 0 0 0 00FFFFFF\n" for name in ("vmbr0", "eth1", "eth2", "dummy0")),
        "/proc/net/ipv6_route": f"{'0' * 32} 00 {'0' * 32} 00 fe80{'0' * 28} 400 1 0 3 eth0\n{'0' * 32} 00 {'0' * 32} 00 {'0' * 32} ffffffff 1 0 200200 lo\n",
        "/proc/net/if_inet6": "".join(
            f"{'0' * 31}1 02 40 {scope} 80 {name}\n" for name, scope in (("eth0", "00"), ("eth2", "20"), ("eth3", "00"), ("lo", "10"))
        ),
        # eth1 forwards IPv4 alone, eth2 nothing of what it has a network of, eth3 IPv6.
        **{f"/proc/sys/net/ipv4/conf/{name}/forwarding": "1\n" for name in ("vmbr0", "eth1", "dummy0", "eth3")},
        **{f"/proc/sys/net/ipv6/conf/{name}/forwarding": "1\n" for name in ("eth0", "eth2", "eth3")},
    }
    kinds = {
        "virbr0": "1",
        "docker0": "1",
        "vmbr0": "1",
        "wg7": "65534",
        "dummy0": "1",
        "lo": "772",
        **{f"eth{index}": "1" for index in range(4)},
    }
    for name, kind in kinds.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "flags").write_text("0x1083\n" if name == "dummy0" else "0x1003\n", encoding="utf-8")
        (tmp_path / name / "type").write_text(f"{kind}\n", encoding="utf-8")
        if "br" in name or name == "docker0":
            (tmp_path / name / "brif").mkdir()
    for name in ("virbr0", "vmbr0"):
        (tmp_path / name / "brif" / "vnet0").touch()
    monkeypatch.setattr(sysfs, "NET", str(tmp_path))
    monkeypatch.setattr(
        reached, "read_text", lambda path: files[path] if path in files else read_text(path) if str(tmp_path) in path else ""
    )
    host.prints("dpkg-query", {"": ""})
    found = facts(host, monkeypatch, files)
    assert found["listeners"] == [
        {"protocol": "tcp", "address": "0.0.0.0", "port": 80},
        {"protocol": "tcp", "address": "::", "port": 80},
        {"protocol": "udp", "address": "192.168.122.9", "port": 53},
    ]
    assert (found["others_behind"], found["filtered"]) == (["eth1", "eth3", "virbr0", "wg7"], False)
    assert checked_facts("T1", {"xgn_host": json.loads(json.dumps(found))})
    assert reached.others_behind(forwarding=False) == ["virbr0", "wg7"], "it was a role that lets it forward"


def ip_prints(host: Host, **answers: str) -> None:
    """Install an ip that knows two NICs, of which one is in a VRF and a bridge port."""
    addresses = [
        {"ifname": "lo", "link_type": "loopback", "address": "00:00:00:00:00:00"}
        | {"addr_info": [{"family": "inet", "local": "127.0.0.1", "prefixlen": 8, "scope": "host"}]},
        {"ifname": "CORE", "address": "02:00:00:00:00:09", "linkinfo": {"info_kind": "vrf", "info_data": {"table": 200}}, "addr_info": []},
        {"ifname": "br0", "address": "02:00:00:00:00:08", "master": "CORE", "linkinfo": {"info_kind": "bridge"}, "addr_info": []},
        {"ifname": "eth0", "address": "02:00:00:00:00:01"}
        | {
            "addr_info": [
                {"family": "inet", "local": "192.0.2.2", "prefixlen": 24, "scope": "global"},
                {"family": "inet6", "local": "fd00::2", "prefixlen": 64, "scope": "global", "dadfailed": True, "tentative": True},
            ]
        },
        {"ifname": "eth1", "address": "02:00:00:00:00:02", "master": "br0", "addr_info": []},
        {"ifname": "gre1", "link_type": "gre", "address": "192.0.2.2", "addr_info": []},
    ]
    neighbors = [
        {"dst": "192.0.2.1", "dev": "eth0", "lladdr": "02:00:00:00:00:05", "state": ["STALE"]},
        {"dst": "fe80::1", "dev": "eth0", "lladdr": "02:00:00:00:00:05", "router": None, "state": ["REACHABLE"]},
        {"dst": "192.0.2.7", "dev": "eth0", "state": ["FAILED"]},
        {"dst": "192.0.2.8", "dev": "eth0", "lladdr": "02:00:00:00:00:06", "state": ["PERMANENT"]},
    ]
    routes = {
        "4 kernel": [{"dst": "192.0.2.0/24", "dev": "eth0"}, {"type": "2", "dst": "192.0.2.2", "dev": "eth0", "table": "255"}],
        "4 boot": [{"dst": "default", "gateway": "192.0.2.1", "dev": "eth0"}, {"dst": "10.9.0.0/16", "dev": "eth1", "table": "200"}],
        "4 static": [
            {"dst": "10.8.0.0/16", "nexthops": [{"gateway": "192.0.2.1", "dev": "eth0"}, {"gateway": "192.0.2.9", "dev": "eth0"}]},
            {"dst": "10.7.0.0/16", "dev": "br0", "table": "200"},
            {"type": "6", "dst": "10.6.0.0/16"},
            {"dst": "10.5.0.0/16", "dev": "eth0", "table": "77"},
        ],
        "6 ra": [{"dst": "fd00::/64", "dev": "eth0"}, {"dst": "fd01::/64", "dev": "eth0", "expires": -5}],
    }
    said = {"-json -details address show": json.dumps(addresses), "-json neighbor show": json.dumps(neighbors)}
    numbers = {"kernel": 2, "boot": 3, "static": 4, "ra": 9}
    for key, found in routes.items():
        version, maker = key.split()
        said[f"-json -N -{version} route show table all proto {numbers[maker]}"] = json.dumps(found)
    host.prints("ip", {**said, **answers})


def test_what_a_host_holds_has_the_form_it_must_have(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.prints("dpkg-query", {"": ""})
    ip_prints(host)
    ids = {"/etc/machine-id": "4f" * 16 + "\n"}
    monkeypatch.setattr(held, "read_text", lambda path: ids.get(path, ""))
    found = facts(host, monkeypatch, {"/etc/os-release": DEBIAN})
    assert checked_facts("T1", {"xgn_host": json.loads(json.dumps(found))})
    links = {entry["name"]: entry for entry in found["held"]["links"]}
    assert {name: entry["vrf"] for name, entry in links.items()} == dict.fromkeys(("CORE", "br0", "eth1"), "CORE") | dict.fromkeys(
        ("eth0", "gre1", "lo"), ""
    )
    assert (links["eth0"]["addresses"], links["eth0"]["refused"]) == (["192.0.2.2/24", "fd00::2/64"], ["fd00::2/64"])
    assert (links["lo"]["addresses"], links["gre1"]["mac"], links["lo"]["mac"]) == ([], "", "")
    assert [(entry["address"], entry["mac"]) for entry in found["held"]["neighbors"]] == [
        ("192.0.2.1", "02:00:00:00:00:05"),
        ("fe80::1", "02:00:00:00:00:05"),
    ]
    assert [(entry["prefix"], entry["interface"], entry["gateway"], entry["vrf"]) for entry in found["held"]["routes"]] == [
        ("192.0.2.0/24", "eth0", "", ""),
        # What somebody set by hand in a VRF goes by itself, and 10.9.0.0/16 is not among them.
        ("0.0.0.0/0", "eth0", "192.0.2.1", ""),
        ("10.8.0.0/16", "eth0", "192.0.2.1", ""),
        ("10.7.0.0/16", "br0", "", "CORE"),
        ("fd00::/64", "eth0", "", ""),
    ]
    assert len([call for call in host.calls if call.startswith("ip ")]) == 10
    # Equal for equal ids, and not the id.
    assert found["identity"] == held.identity() and ids["/etc/machine-id"].strip() not in found["identity"]
    for text in ("", "uninitialized\n"):
        ids["/etc/machine-id"] = text
        assert held.identity() == ""


@pytest.mark.parametrize("said", ["no json", (1, "Operation not permitted")])
def test_a_host_that_cannot_tell_what_it_holds_says_so(host: Host, monkeypatch: pytest.MonkeyPatch, said: Any) -> None:
    host.prints("dpkg-query", {"": ""})
    ip_prints(host, **{"-json neighbor show": said})
    assert "held" not in facts(host, monkeypatch, {"/etc/os-release": DEBIAN})
    (warning,) = host.warnings
    assert warning.startswith("what this host holds cannot be read")


# ---- config_files --------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def me(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests is root, and nobody else exists."""

    def ids(name: str) -> SimpleNamespace:
        if name != "root":
            raise KeyError(f"name not found: {name!r}")
        return SimpleNamespace(pw_uid=os.getuid(), gr_gid=os.getgid())

    monkeypatch.setattr(config_files, "pwd", SimpleNamespace(getpwnam=ids))
    monkeypatch.setattr(config_files, "grp", SimpleNamespace(getgrnam=ids))


def files(host: Host, item: dict[str, Any], check: bool = False, **more: Any) -> dict[str, Any]:
    return host.run(config_files, {"files": [item], **more}, check=check)


@pytest.mark.usefixtures("me")
def test_a_file_is_written_once_and_its_secret_is_not_shown(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("password former\n", encoding="utf-8")
    item = {"path": str(path), "content": "password <secret one>\n", "mode": "0600"}
    first = files(host, item, secrets={"one": "swordfish"})
    second = files(host, item, secrets={"one": "swordfish"})
    assert [result["changed_paths"] for result in (first, second)] == [[str(path)], []]
    assert (path.read_text(encoding="utf-8"), path.stat().st_mode & 0o777) == ("password swordfish\n", 0o600)
    assert (first["diff"][0]["before"], first["diff"][0]["after"]) == ("password <former secret>\n", "password <secret one>\n")
    assert "swordfish" not in json.dumps([first, second])


@pytest.mark.usefixtures("me")
def test_a_mode_alone_is_changed_without_writing(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("text\n", encoding="utf-8")
    path.chmod(0o644)
    inode = path.stat().st_ino
    result = files(host, {"path": str(path), "content": "text\n", "mode": "0640"})
    assert (result["changed"], path.stat().st_mode & 0o777, path.stat().st_ino) == (True, 0o640, inode)
    assert result["diff"][0]["after"].startswith("mode 0640")


@pytest.mark.usefixtures("me")
def test_one_refused_file_stops_all(host: Host, tmp_path: Path) -> None:
    host.program("check", lambda command, _data: (1, "", f"{command[1]}:1: bad"))
    items = [{"path": str(tmp_path / "a"), "content": "a"}, {"path": str(tmp_path / "b"), "content": "b", "validate": "check %s"}]
    result = host.run(config_files, {"files": items})
    assert result["msg"] == f"The program that reads it refuses a new file, and nothing was written:\n{tmp_path / 'b'}: b:1: bad"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ansible-tmp"]


@pytest.mark.usefixtures("me")
def test_a_check_sees_a_private_file_of_the_same_name(host: Host, tmp_path: Path) -> None:
    seen: list[tuple[str, int, str]] = []

    def check(command: list[str], _data: str | None) -> tuple[int, str, str]:
        path = Path(command[1])
        seen.append((path.name, path.stat().st_mode & 0o777, path.read_text(encoding="utf-8")))
        return 0, "", ""

    host.program("check", check)
    assert files(host, {"path": str(tmp_path / "zone"), "content": "text", "validate": "check %s"})["changed"]
    assert seen == [("zone", 0o600, "text")]


@pytest.mark.usefixtures("me")
def test_check_mode_writes_nothing_even_where_owner_and_check_are_yet_to_come(host: Host, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.touch()
    item = {"path": str(tmp_path / "a"), "content": "a", "owner": "frr", "validate": "absent-program %s"}
    result = files(host, item, check=True, absent=[str(gone)])
    assert result["changed_paths"] == [str(tmp_path / "a"), str(gone)]
    assert (gone.exists(), (tmp_path / "a").exists()) == (True, False)
    assert "its owner is to be frr:root" in files(host, item, absent=[str(gone)])["msg"]


@pytest.mark.usefixtures("me")
@pytest.mark.usefixtures("me")
@pytest.mark.parametrize(
    ("reason", "remedy"),
    [
        (
            errno.EPERM,
            "Operation not permitted. Remedy: it, or its directory, is immutable: `lsattr -d` shows it, and `chattr -i` takes it back.",
        ),
        (errno.EROFS, "Read-only file system. Remedy: its file system is read-only"),
        (errno.ENOSPC, "No space left on device. Remedy: make room there"),
        (errno.EIO, "Input/output error."),
    ],
)
def test_a_file_that_the_kernel_lets_nobody_change_is_named(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reason: int, remedy: str
) -> None:
    path = tmp_path / "x.conf"

    def refuse(*_arguments: object, **_named: object) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(host_change, "write_atomically", refuse)
    result = files(host, {"path": str(path), "content": "x\n"})
    assert result["failed"] and result["msg"].startswith(f"{path} cannot be written: {remedy}"), result


@pytest.mark.usefixtures("me")
def test_what_cannot_be_removed_or_given_a_mode_is_named(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text("x\n", encoding="utf-8")
    path.chmod(0o600)

    def refuse(*_arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(host_change, "os", SimpleNamespace(path=os.path, unlink=refuse, chmod=refuse, chown=refuse))
    gone = host.run(config_files, {"absent": [str(path)]})
    given = files(host, {"path": str(path), "content": "x\n", "mode": "0644"})
    assert gone["msg"].startswith(f"{path} cannot be removed: Operation not permitted. Remedy: ")
    assert given["msg"].startswith(f"{path} cannot be given its mode and owner: Operation not permitted. Remedy: ")
    assert path.exists()


def test_a_kept_file_stays_and_an_absent_one_goes(host: Host, tmp_path: Path) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    for path in (kept, gone):
        path.write_text("theirs", encoding="utf-8")
        path.chmod(0o644)
    result = files(host, {"path": str(kept), "content": "ours", "keep": True}, absent=[str(gone), str(tmp_path / "never")])
    assert (result["changed_paths"], kept.read_text(encoding="utf-8"), gone.exists()) == ([str(gone)], "theirs", False)


@pytest.mark.usefixtures("me")
def test_a_placeholder_without_a_secret(host: Host, tmp_path: Path) -> None:
    result = files(host, {"path": str(tmp_path / "a"), "content": "<secret two>"}, secrets={"one": "x"})
    assert result["msg"] == f"{tmp_path / 'a'} was not written: it has the placeholder <secret two>, and secrets has no such name."


# ---- interface_layer -----------------------------------------------------------------------------------------------------------------------

DECLARED = {"vrfs": [{"name": "CORE", "table": 200}], "interfaces": [{"name": "wg0", "vrf": "CORE"}]}


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A kernel without interfaces, and an interface layer that says what the test says."""
    says: dict[str, Any] = {"commands": ["ip link add CORE type vrf table 200"], "missing": [], "dry": []}

    def apply(_declared: Any, _previous: Any, dry_run: bool = False) -> tuple[list[str], list[str]]:
        says["dry"].append(dry_run)
        if isinstance(says["commands"], Exception):
            raise says["commands"]
        return says["commands"], says["missing"]

    monkeypatch.setattr(layer.Kernel, "read", lambda *_arguments, **_named: [])
    # Whatever the machine has that the tests run on.
    monkeypatch.setattr(interface_managers, "ROOT", str(tmp_path / "root"))
    monkeypatch.setattr(layer, "apply", apply)
    return says


def interfaces(host: Host, tmp_path: Path, check: bool = False) -> dict[str, Any]:
    return host.run(interface_layer, {**DECLARED, "path": str(tmp_path / "interface.json")}, check=check)


def test_the_declared_state_is_kept_for_the_boot(host: Host, kernel: dict[str, Any], tmp_path: Path) -> None:
    first = interfaces(host, tmp_path)
    assert (first["changed"], first["commands"]) == (True, kernel["commands"])
    assert json.loads((tmp_path / "interface.json").read_text(encoding="utf-8")) == DECLARED
    kernel["commands"] = []
    assert not interfaces(host, tmp_path)["changed"]


def test_a_host_that_declares_nothing_and_never_did_gets_no_file_and_no_way_back(
    host: Host, kernel: dict[str, Any], tmp_path: Path, way_back: Path
) -> None:
    result = host.run(interface_layer, {"path": str(tmp_path / "interface.json"), "way_back_seconds": 60})
    assert (result["changed"], kernel["dry"], host.calls) == (False, [], [])
    assert not (tmp_path / "interface.json").exists() and not way_back.exists()


def test_a_prediction_neither_changes_nor_writes(host: Host, kernel: dict[str, Any], tmp_path: Path) -> None:
    kernel["missing"] = ["wg0"]
    result = interfaces(host, tmp_path, check=True)
    assert (result["changed"], result["missing"], kernel["dry"]) == (True, ["wg0"], [True])
    assert not (tmp_path / "interface.json").exists()


def test_an_interface_that_nobody_made_is_an_error(host: Host, kernel: dict[str, Any], tmp_path: Path) -> None:
    kernel["missing"] = ["wg0"]
    assert interfaces(host, tmp_path)["msg"].startswith("Declared interfaces do not exist: wg0. The others are as declared.")
    assert not (tmp_path / "interface.json").exists()


def test_a_torn_state_file_is_written_anew(host: Host, kernel: dict[str, Any], tmp_path: Path) -> None:
    """Emptied, half written, no object, other mode: read at boot, when it is too late."""
    path = tmp_path / "interface.json"
    kernel["commands"] = []
    for damage in ("", '{"vrfs": [', "[]"):
        path.write_text(damage, encoding="utf-8")
        host.warnings.clear()
        assert (interfaces(host, tmp_path)["changed"], len(host.warnings)) == (True, 1)
        assert json.loads(path.read_text(encoding="utf-8")) == DECLARED
    path.chmod(0o600)
    assert [interfaces(host, tmp_path)["changed"] for _run in (1, 2)] == [True, False]


def test_a_default_route_is_recorded_with_what_it_replaces_until_it_leaves(
    host: Host, kernel: dict[str, Any], tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way back and the run in which it leaves know what was there before. One that nobody recorded stays."""
    host.program("systemctl")
    host.program("systemd-run")
    seen: list[Any] = []

    def apply(_declared: Any, previous: Any, dry_run: bool = False) -> tuple[list[str], list[str]]:
        seen.append(previous)
        return ["ip route replace"], []

    monkeypatch.setattr(layer, "apply", apply)
    live = [{"dst": "default", "gateway": "192.0.2.9", "dev": "eth0", "protocol": "static", "flags": ["onlink"]}]
    monkeypatch.setattr(layer.Kernel, "read", lambda _kernel, *words, **_named: live if words[:2] == ("-4", "route") else [])
    routes = [{"gateway": "192.0.2.1", "interface": "eth0"}, {"gateway": "2001:db8::1", "interface": "eth0"}]
    in_vrf = {"gateway": "192.0.2.2", "interface": "eth1", "vrf": "CORE"}
    path = tmp_path / "interface.json"
    arguments = {"path": str(path), "vrfs": DECLARED["vrfs"], "way_back_seconds": 60}
    host.run(interface_layer, {**arguments, "default_routes": [*routes, in_vrf]})
    before = {"gateway": "192.0.2.9", "dev": "eth0", "protocol": "static", "onlink": True}
    objects = ownership.Record("vrf.layer", host.warnings.append).objects
    assert {name: known["before"] for (kind, name), known in objects.items() if kind == "route"} == {
        "IPv4 default": before,
        "IPv6 default": None,
    }
    tried = json.loads((way_back / "armed/interface.json").read_text(encoding="utf-8"))
    assert tried["default_routes"] == [{**routes[0], "former": before}, routes[1], in_vrf]
    # Though the file that says so was lost.
    path.write_text("{}", encoding="utf-8")
    host.run(interface_layer, arguments)
    assert seen[-1]["default_routes"] == [{**routes[0], "former": before}, routes[1]]
    assert not [name for kind, name in ownership.Record("vrf.layer", host.warnings.append).objects if kind == "route"]
    path.write_text(json.dumps({"default_routes": routes[:1]}), encoding="utf-8")
    host.run(interface_layer, {**arguments, "default_routes": routes[:1]})
    assert seen[-1]["default_routes"] == [{**routes[0], "former": {"found": True}}]


def test_a_link_is_drained_before_its_interface_is_made_again(
    host: Host, kernel: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is in use again afterwards; where nothing changes, FRR is not asked."""
    seen: list[tuple[list[str], int, list[bool]]] = []

    @contextmanager
    def record(_module: object, interrupted: list[str], seconds: int) -> Iterator[list[str]]:
        seen.append((interrupted, seconds, list(kernel["dry"])))
        yield ["vxlan7: drain"] if interrupted else []

    monkeypatch.setattr(frr_drain, "drained", record)
    live = {"ifname": "vxlan7", "linkinfo": {"info_kind": "vxlan", "info_data": {"id": 7, "local": "172.16.0.3", "remote": "172.16.0.4"}}}
    monkeypatch.setattr(layer.Kernel, "read", lambda _kernel, *words, **_named: [live] if words[:2] == ("-details", "link") else [])
    declared = {"name": "vxlan7", "vni": 8, "local": "172.16.0.3", "remotes": ["172.16.0.4"]}
    arguments = {"vxlans": [declared], "drain_seconds": 7, "path": str(tmp_path / "interface.json")}
    assert host.run(interface_layer, arguments)["drained"] == ["vxlan7: drain"]
    assert seen == [(["vxlan7"], 7, [True])] and kernel["dry"] == [True, False]
    kernel["commands"] = []
    assert host.run(interface_layer, arguments)["drained"] == [] and seen[1][0] == []


def test_what_cannot_be_reached_is_said_in_its_own_words(host: Host, kernel: dict[str, Any], tmp_path: Path) -> None:
    kernel["commands"] = layer.InterfaceLayerError("CORE lives with table 100")
    assert interfaces(host, tmp_path)["msg"] == "CORE lives with table 100"


def test_a_change_of_interfaces_has_a_way_back_before_the_kernel_changes(
    host: Host, kernel: dict[str, Any], tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The layer is told what was tried, so that it takes down what is new; a drop-in of networkd and the record are kept like a file of ours."""
    host.program("systemctl")
    host.program("systemd-run")
    drop_in = tmp_path / "90-xgn.conf"
    kernel["commands"] = ["ip link set dev eth0 master CORE", f"write {drop_in}"]
    kept: list[str] = []

    def apply(_declared: Any, _previous: Any, dry_run: bool = False) -> tuple[list[str], list[str]]:
        if not dry_run:
            kept.extend((way_back / "armed/journal").read_text(encoding="utf-8").splitlines())
        return kernel["commands"], []

    monkeypatch.setattr(layer, "apply", apply)
    host.run(interface_layer, {**DECLARED, "path": str(tmp_path / "interface.json"), "way_back_seconds": 60})
    tried = way_back / "armed/interface.json"
    command = ["/usr/local/sbin/xgn-interface", "apply", "--previous", str(tried)]
    record = [{"file": f"{ownership.directory()}/vrf.layer.json{end}", "saved": None} for end in ("", ".copy")]
    assert [json.loads(line) for line in kept] == [{"file": str(drop_in), "saved": None}, {"stage": 20, "command": command}, *record]
    assert json.loads(tried.read_text(encoding="utf-8")) == DECLARED


@pytest.mark.parametrize("check", [True, False])
def test_an_interface_of_somebody_elses_is_not_deleted_unless_that_is_said(
    host: Host, kernel: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    """One that cannot become what is declared, such as a VLAN with another number. What was declared here before is ours to make again."""
    monkeypatch.setattr(sysfs, "NET", str(tmp_path / "net"))
    for name in ("eth0.5", "br0"):
        (tmp_path / "net" / name).mkdir(parents=True)
    kernel["commands"] = ["ip link delete dev eth0.5", "ip link set br0 up"]
    declared = {"interfaces": [{"name": "eth0.5", "kind": "vlan", "parent": "eth0"}, {"name": "br0", "kind": "bridge"}]}
    path = tmp_path / "xgn" / "interface.json"
    refused = host.run(interface_layer, {**declared, "path": str(path)}, check=check)
    assert refused["msg"].startswith("interface eth0.5 would be rewritten by role vrf, and somebody else has made that. ")
    assert kernel["dry"] == [True] and not path.exists() and ownership.record_names() == []
    assert "failed" not in host.run(interface_layer, {**declared, "path": str(path), "adopt": True}, check=check)
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(declared), encoding="utf-8")
    assert "failed" not in host.run(interface_layer, {**declared, "path": str(path)}, check=check)


def test_an_interface_that_lived_before_it_was_declared_is_recorded_as_found(
    host: Host, kernel: dict[str, Any], tmp_path: Path, way_back: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a later run nor the way back deletes it, unlike one that is declared already when the record begins."""
    seen: list[Any] = []

    def apply(_declared: Any, previous: Any, dry_run: bool = False) -> tuple[list[str], list[str]]:
        seen.append(previous)
        return ["ip link set dev br0 up"], []

    host.program("systemctl")
    host.program("systemd-run")
    monkeypatch.setattr(layer, "apply", apply)
    monkeypatch.setattr(sysfs, "NET", str(tmp_path / "net"))
    for name in ("br0", "br1"):
        (tmp_path / "net" / name).mkdir(parents=True)
        (tmp_path / "net" / name / "mtu").write_text("1500\n", encoding="utf-8")
    found, ours, new = ({"name": name, "kind": "bridge"} for name in ("br0", "br1", "br2"))
    path = tmp_path / "xgn" / "interface.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"interfaces": [ours]}), encoding="utf-8")
    host.run(interface_layer, {"interfaces": [found, ours, new], "path": str(path), "way_back_seconds": 60})
    objects = ownership.Record("vrf.layer", host.warnings.append).objects
    assert {name: known["before"] for (kind, name), known in objects.items() if kind == "interface"} == {
        "br0": {"found": True, "mtu": 1500},
        "br1": None,
        "br2": None,
    }
    tried = json.loads((way_back / "armed/interface.json").read_text(encoding="utf-8"))
    assert tried["interfaces"] == [{**found, "found": True, "former_mtu": 1500}, ours, new]
    host.run(interface_layer, {"interfaces": [ours], "path": str(path)})
    assert seen[-1]["interfaces"][0] == {**found, "found": True, "former_mtu": 1500}


def test_what_a_network_manager_is_told_is_recorded_until_it_is_gone(host: Host, kernel: dict[str, Any], tmp_path: Path) -> None:
    """So `verify` sees that somebody has deleted it."""
    networkd = tmp_path / "root/usr/lib/systemd/systemd-networkd"
    networkd.parent.mkdir(parents=True)
    networkd.touch()

    def recorded() -> dict[tuple[str, str], dict[str, Any]]:
        return ownership.Record("vrf.layer", host.warnings.append).objects

    assert not interfaces(host, tmp_path, check=True).get("failed") and not recorded()
    interfaces(host, tmp_path)
    told = ("file", interface_managers.NETWORKD_CONF)
    assert recorded()[told]["asked"] == ownership.digest(layer.told(DECLARED)[told[1]] or "")
    # Nobody has to read it any more: it stays recorded while it is there.
    networkd.unlink()
    conf = tmp_path / "root" / told[1][1:]
    conf.parent.mkdir(parents=True)
    conf.touch()
    interfaces(host, tmp_path)
    assert told in recorded()
    conf.unlink()
    interfaces(host, tmp_path)
    assert told not in recorded() and ("file", str(tmp_path / "interface.json")) in recorded()


# ---- live_state ----------------------------------------------------------------------------------------------------------------------------


def test_only_what_is_asked_for_is_read(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def run(command: list[str], timeout: float = 0) -> Finished:
        calls.append(" ".join(command))
        return Finished(0, "[]" if command[0] == "ip" else "", "")

    monkeypatch.setattr(live_state, "Gatherer", lambda: Gatherer(runner=run))
    result = host.run(live_state, {"frr": False, "sysctls": ["kernel.ostype"]}, check=True)
    assert not result["changed"]
    state = result["state"]
    assert set(state) == {
        "links",
        "ownership",
        "pings",
        "routes",
        "rules4",
        "rules6",
        "sysctl",
        "sysctl_behind",
        "system",
        "waited",
        "wireguard",
        "wireguard_files",
    }
    assert state["sysctl"]["data"] == {"kernel.ostype": "Linux"}
    assert {call.split()[0] for call in calls} == {"ip", "nft", "wg"}
    host.run(live_state, {"frr": False, "units": ["frr.service"], "l2tp": True, "vxlan": True, "listening": True})
    assert {call.split()[0] for call in calls} == {"ip", "wg", "bridge", "journalctl", "nft", "ss", "swanctl", "systemctl"}


def test_a_program_that_is_missing_is_the_error_of_its_part(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = Finished(-1, "", "", "it is not installed")
    monkeypatch.setattr(live_state, "Gatherer", lambda: Gatherer(runner=lambda *_arguments, **_named: missing))
    state = host.run(live_state, {})["state"]
    assert (state["wireguard"]["data"], state["wireguard"]["error"]) == (None, "it is not installed")
    assert state["bgp"]["error"] == "it is not installed"


# ---- failover_cut --------------------------------------------------------------------------------------------------------------------------


class Cut(failover_cut.Cut):
    """A cut, made of a module that only has what it needs."""

    def __init__(self, host: Host, **given: Any) -> None:
        params = {"method": "packets", "tunnel": "wg0", "unit": None, "match": ["udp sport 51820"], **given}
        super().__init__(SimpleNamespace(params=params, run_command=host.run_command))


def test_a_cut_has_its_way_back_before_it_is_made(host: Host) -> None:
    for program in ("systemd-run", "systemctl", "nft"):
        host.program(program)
    cut = Cut(host)
    cut.make(90)
    made = [call.split()[0] for call in host.calls]
    assert made == ["systemctl", "systemd-run", "nft"]
    assert "--on-active=90s" in host.calls[1]
    assert host.calls[1].endswith("nft delete table inet xgn_failover")
    assert "udp sport 51820 counter drop" in str(host.inputs[2])
    cut.restore()
    cut.restore()
    assert host.calls[3:] == ["nft delete table inet xgn_failover", "systemctl stop xgn-failover-restore.timer"]


def test_without_a_way_back_nothing_is_cut(host: Host) -> None:
    host.program("systemctl")
    host.program("systemd-run", lambda _command, _data: (1, "", "no bus"))
    with pytest.raises(CommandError, match="no bus"):
        Cut(host, method="daemon", unit="openvpn-client@ovpn2.service").make(90)
    assert host.changed("systemctl stop xgn-failover-restore.timer", "systemd-run") == []


def test_a_tunnel_that_cannot_be_restored_is_an_error_unless_the_timer_did(host: Host) -> None:
    timer = [0]
    host.program("systemd-run")
    host.program("systemctl", lambda _command, _data: (timer[0], "", ""))
    host.program("nft", lambda command, _data: (1 if "delete" in command else 0, "", "no such table"))
    cut = Cut(host)
    cut.make(90)
    with pytest.raises(ValueError, match="the cut cannot be undone: no such table"):
        cut.restore()
    cut.make(90)
    timer[0] = 5
    cut.restore()


def test_check_mode_cuts_nothing(host: Host) -> None:
    arguments = {"tunnel": "wg0", "method": "packets", "destination": "192.0.2.1"}
    assert host.run(failover_cut, arguments, check=True)["changed"]
    assert host.calls == []

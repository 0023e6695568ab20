"""What somebody else has configured is found, refused, and taken over when that is said; what is ours, or says nothing, is not his."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible_collections.xuegao.net.plugins.module_utils import openvpn, owners, sysfs, wireguard
from ansible_collections.xuegao.net.plugins.module_utils.frr import FRR_CONF
from ansible_collections.xuegao.net.plugins.modules import (
    config_files,
    docker_engine,
    frr_config,
    gobgp_config,
    interface_layer,
    kernel_settings,
    nft_table,
    openvpn_tunnels,
    ssh_listen,
    wireguard_interfaces,
)

from .managed_host import Host

PACKAGED = """\
# default to using syslog. /etc/rsyslog.d/45-frr.conf places the log in
# /var/log/frr/frr.log
#
log syslog informational
"""
WRITTEN_BY_FRR = """\
frr version 10.3
frr defaults traditional
hostname edge
log syslog informational
no ipv6 forwarding
service integrated-vtysh-config
!
line vty
!
end
"""
CONFIGURED = WRITTEN_BY_FRR.replace("line vty", "router bgp 65001\n neighbor 192.0.2.1 password secret\nexit")


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with two WireGuard interfaces of somebody's, one with a file and one without, an own file, and an own FRR.

    Everything that a role writes lies below the directory that is returned, the packages' digests in its ``dpkg``.
    """
    root = str(tmp_path)
    monkeypatch.setattr(owners, "WRITTEN", tuple((role, root + pattern) for role, pattern in owners.WRITTEN))
    monkeypatch.setattr(owners, "FRR_CONF", root + FRR_CONF)
    monkeypatch.setattr(owners, "_KEPT", tuple(root + pattern for pattern in owners._KEPT))
    monkeypatch.setattr(owners, "_REWRITTEN", tuple(root + path for path in owners._REWRITTEN))
    monkeypatch.setattr(owners, "_TOGETHER", {root + path: root + other for path, other in owners._TOGETHER.items()})
    monkeypatch.setattr(owners, "DPKG", root + "/dpkg")
    monkeypatch.setattr(wireguard, "DIRECTORY", root + "/etc/wireguard")
    monkeypatch.setattr(sysfs, "NET", root + "/net")
    put(tmp_path / "dpkg" / "status", "")
    put(tmp_path / "etc/wireguard/wg1.conf", "[Interface]\n")
    put(tmp_path / "etc/wireguard/ours.conf", f"{wireguard.HEADER}\n[Interface]\n")
    put(tmp_path / "etc/wireguard/empty.conf", "\n")
    for name, text in (
        ("wg1", "DEVTYPE=wireguard\n"),
        ("ours", "DEVTYPE=wireguard\n"),
        ("wg2", "DEVTYPE=wireguard\n"),
        ("eth0", "INTERFACE=eth0\n"),
    ):
        put(tmp_path / "net" / name / "uevent", text)
    # A kernel that can bond has this beside the interfaces.
    put(tmp_path / "net" / "bonding_masters", "bond0\n")
    put(tmp_path / "etc/frr/frr.conf", CONFIGURED)
    return tmp_path


def put(path: Path, text: str) -> Path:
    """Write a file of somebody's, with the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


class Module:
    """What the guard asks of a module. rpm: what rpm(8) prints; None where there is none."""

    def __init__(self, rpm: str | None = None) -> None:
        self.rpm = rpm

    def get_bin_path(self, name: str) -> str | None:
        """Find a program."""
        return None if self.rpm is None else "/usr/bin/" + name

    def run_command(self, _command: list[str]) -> tuple[int, str, str]:
        """Run rpm(8)."""
        return 0, self.rpm or "", ""


def module(rpm: str | None = None) -> AnsibleModule:
    """Such a module."""
    found: Any = Module(rpm)
    return found


def test_a_list_of_bonds_is_no_interface(places: Path) -> None:
    assert sysfs.interface_names() == ["eth0", "ours", "wg1", "wg2"]


def test_all_that_is_owners_is_found(places: Path) -> None:
    """By the role that would write it; what is recorded is ours."""
    files = {
        "openvpn": "etc/openvpn/server/office.conf",
        "l2tp_ipsec": "etc/xl2tpd/xl2tpd.conf",
        "docker_macvlan": "etc/docker/daemon.json",
        "dns_anycast": "etc/systemd/system/unbound.service",
        "vrf": "etc/systemd/system/interface.service",
        "gobgp": "etc/gobgpd.conf",
    }
    for path in files.values():
        put(places / path, "somebody's\n")
    put(places / "etc/frr/daemons", "bgpd=yes\n")
    conf, daemons = (f"file {places}/etc/frr/{name}" for name in ("frr.conf", "daemons"))
    found = {role: [f"file {places / path}"] for role, path in files.items()}
    found |= {"wireguard": [f"file {places}/etc/wireguard/wg1.conf", "interface wg2"], "frr": [conf, daemons]}
    assert owners.owners_objects(module(), {}) == found
    assert owners.owners_objects(module(), found) == {}
    assert owners.owners_objects(module(), {**found, "frr": [conf]}) == {"frr": [daemons]}


def test_an_interface_that_a_program_holds_is_its_owners(places: Path) -> None:
    """As far as no record has it, whichever role's, and it is not one of wg-quick's."""
    for name in ("o1", "wg1", "ours"):
        put(places / "net" / name / "tun_flags", "0x1001\n")
    assert owners.owners_objects(module(), {"vrf": ["interface ours"]})["openvpn"] == ["interface o1"]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("etc/systemd/system/gobgpd.service", "# Written by Ansible (xuegao.net.gobgp).\n"),
        ("etc/sysctl.d/90-xgn.conf", "net.ipv4.ip_forward = 1\n"),
        ("etc/docker/daemon.json", "{}\n"),
        ("etc/docker/daemon.json", " \n"),
        ("etc/frr/vtysh.conf", "! the package's\nservice integrated-vtysh-config\n"),
        # Kept as they are.
        ("etc/frr/bgpd.conf", "router bgp 65001\n"),
        ("etc/openvpn/keys/office.pem", "key\n"),
        ("var/log/frr/frr-reload.log", "line\n"),
    ],
)
def test_what_is_marked_or_empty_or_stays_is_nobodys(places: Path, path: str, text: str) -> None:
    put(places / path, text)
    assert not owners.owners_files(module(), {str(places / path): None}, ())


def test_a_mask_and_another_name_of_a_packages_unit_are_nobodys(places: Path) -> None:
    """The first goes with a repair, as systemd's own words; the second systemctl(1) makes."""
    units = places / "etc/systemd/system"
    units.mkdir(parents=True)
    (units / "unbound.service").symlink_to("/dev/null")
    (units / "xl2tpd.service").symlink_to("/usr/bin/env")
    (units / "frr.service").symlink_to(put(places / "mine", "[Unit]\n"))
    paths = {str(units / name): None for name in ("unbound.service", "xl2tpd.service", "frr.service")}
    assert owners.owners_files(module(), paths, ()) == [str(units / "frr.service")]


def test_what_would_be_written_is_nobodys(places: Path) -> None:
    path = str(put(places / "etc/gobgpd.conf", "[global]\n"))
    assert owners.owners_files(module(), {path: None}, ()) == owners.owners_files(module(), {path: "[other]\n"}, ()) == [path]
    assert owners.owners_files(module(), {path: "[global]\n"}, ()) == []


@pytest.mark.parametrize("name", ["etc/frr/frr.conf", "etc/docker/daemon.json"])
def test_a_file_without_room_for_a_mark_is_ours_beside_one_that_is(places: Path, name: str) -> None:
    """Whoever lost the record, or kept none."""
    path = put(places / name, "router bgp 65001\n")
    beside = Path(owners._TOGETHER[str(path)])
    assert owners.is_owners(str(path), ())
    put(beside, "# Written by Ansible (xuegao.net.frr).\n")
    assert not owners.is_owners(str(path), ())
    if beside.name == "frr.service":
        put(beside, "[Unit]\n")
        assert owners.is_owners(str(path), ())
        assert not owners.is_owners(str(path), [("file", str(beside))])


def test_a_file_as_its_package_has_brought_it_is_nobodys(places: Path) -> None:
    """By dpkg's digests of conffiles and of other files, or by rpm's; one that was edited is somebody's."""
    text = "zebra=no\n"
    path = str(put(places / "etc/frr/daemons", text))
    old, new = (hashlib.new("md5", data.encode(), usedforsecurity=False).hexdigest() for data in ("old\n", text))
    status = places / "dpkg" / "status"
    assert owners.owners_files(module(), {path: None}, ()) == [path]
    put(status, f"Package: frr\nConffiles:\n {path} {old}\n /etc/other {new}\n")
    assert owners.owners_files(module(), {path: None}, ()) == [path]
    put(status, f"Package: frr\nConffiles:\n {path} {new} obsolete\n")
    assert owners.owners_files(module(), {path: None}, ()) == []
    put(status, "")
    digests = put(places / "dpkg/info/frr.md5sums", f"{old}  usr/x\n{new}  {path[1:]}\n")
    assert owners.owners_files(module(), {path: None}, ()) == []
    put(digests, f"{new}  usr/x\n{old}  {path[1:]}\n")
    assert owners.owners_files(module(), {path: None}, ()) == [path]
    digests.unlink()
    status.unlink()
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert owners.owners_files(module(f"{path} 9 0 {digest} 0100640 frr frr 1 0 0 X\n"), {path: None}, ()) == []
    assert owners.owners_files(module(f"/etc/other 9 0 {digest} 0100640 frr frr 1 0 0 X\n"), {path: None}, ()) == [path]


@pytest.mark.parametrize(("text", "is_owners"), [("", False), (PACKAGED, False), (WRITTEN_BY_FRR, False), (CONFIGURED, True)])
def test_a_file_that_configures_nothing_is_nobodys(places: Path, text: str, is_owners: bool) -> None:
    path = put(places / "etc/frr/frr.conf", text)
    assert owners.is_owners(str(path), ()) is is_owners
    path.unlink()
    assert not owners.is_owners(str(path), ())


def test_a_role_writes_no_file_beside_one_of_the_owners_until_it_is_adopted(host: Host, places: Path) -> None:
    path, daemons, other = places / "etc/frr/frr.conf", places / "etc/frr/daemons", places / "other"
    put(daemons, "bgpd=yes\n")

    def write(adopt: bool, check: bool = False) -> dict[str, Any]:
        files: list[dict[str, Any]] = [
            {"path": str(other), "content": "text\n"},
            {"path": str(daemons), "content": "bgpd=no\n"},
            {"path": str(path), "content": "! empty\n", "keep": True},
        ]
        return host.run(
            config_files,
            {"record": "frr", "adopt": adopt, "files": [{**item, "owner": "root", "group": "root"} for item in files]},
            check=check,
        )

    for check in (True, False):
        refused = write(adopt=False, check=check)
        # All of them at once.
        assert refused["msg"].startswith(f"file {daemons}, file {path} would be rewritten by role frr, and somebody else has made that. ")
        assert refused["msg"].endswith(" Nothing was written.") and not other.exists()
        assert "password" not in refused["msg"]
    kept = host.temporary.parent / "var-lib-xgn/before/frr"
    assert write(adopt=True, check=True)["changed"] and not other.exists()
    assert [text.partition(str(kept))[0] for text in host.warnings] == [
        f"file {name} is somebody else's, and would be taken over: what is there would be kept in " for name in (daemons, path)
    ]
    host.warnings.clear()
    written = write(adopt=True)
    assert written["changed"] and other.exists()
    assert {"before_header": str(daemons), "after_header": str(daemons), "before": "bgpd=yes\n", "after": "bgpd=no\n"} in written["diff"]
    assert path.read_text(encoding="utf-8") == CONFIGURED
    # Copies are kept where it is said, and from now on they are ours.
    copies = [Path(text.partition(" is kept in ")[2]) for text in host.warnings]
    assert [copy.read_text(encoding="utf-8") for copy in copies] == ["bgpd=yes\n", CONFIGURED]
    assert all(copy.parent == kept for copy in copies)
    host.warnings.clear()
    assert not write(adopt=False).get("failed") and host.warnings == []


TUNNEL = {"name": "office", "role": "server", "config": "dev office\n", "dropin": "[Service]\n", "mtu": 1400}
ROUTER: dict[str, Any] = {"content": "[global]\n", "asn": 65001, "router_id": "192.0.2.1"}
# Each module that writes for a record: what it is given, with PATH for the file, and the role whose yes it needs.
WRITERS: list[tuple[ModuleType, dict[str, Any], str]] = [
    (config_files, {"files": [{"path": "PATH", "content": "ours\n"}], "record": "vrf"}, "vrf"),
    (docker_engine, {"config": {"bridge": "none"}, "dropin": "[Unit]\n"}, "docker_macvlan"),
    (frr_config, {"path": "PATH", "content": "hostname edge\n", "record": "frr"}, "frr"),
    (gobgp_config, {"path": "PATH", **ROUTER, "record": "gobgp.daemon"}, "gobgp"),
    (interface_layer, {"path": "PATH", "vrfs": [{"name": "CORE", "table": 10}]}, "vrf"),
    (kernel_settings, {"path": "PATH", "settings": {}, "record": "sysctl"}, "sysctl"),
    (nft_table, {"path": "/nowhere/ours.nft", "copy": "PATH", "content": "table inet xgn {}\n", "record": "firewall.table"}, "firewall"),
    (openvpn_tunnels, {"tunnels": [TUNNEL]}, "openvpn"),
    (ssh_listen, {"files": [{"path": "PATH", "content": "ListenAddress 192.0.2.1\n"}], "record": "dns_anycast.ssh"}, "dns_anycast"),
    (
        wireguard_interfaces,
        {"interfaces": [{"name": "office", "mtu": 1400, "peers": []}], "public_keys": {}},
        "wireguard",
    ),
]


@pytest.mark.parametrize("check", [True, False], ids=["check mode", "a run"])
@pytest.mark.parametrize(("written", "arguments", "role"), WRITERS, ids=[item[0].__name__.rpartition(".")[2] for item in WRITERS])
def test_each_module_refuses_before_it_looks_at_anything_else(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: ModuleType, arguments: dict[str, Any], role: str, check: bool
) -> None:
    """On a host without any program: what is run before the refusal would be an error."""
    path = put(tmp_path / "etc" / "office.conf", '{"debug": true, "by": "hand"}\n')
    monkeypatch.setattr(docker_engine, "CONFIG", str(path))
    monkeypatch.setattr(openvpn, "conf_path", lambda _name, _role: str(path))
    monkeypatch.setattr(wireguard, "DIRECTORY", str(path.parent))
    given: dict[str, Any] = {key: str(path) if value == "PATH" else value for key, value in arguments.items()}
    if "files" in given:
        given["files"] = [{**item, "path": str(path)} for item in given["files"]]
    result = host.run(written, given, check=check)
    assert result["msg"].startswith(f"file {path} would be rewritten by role {role}, and somebody else has made that. ")
    assert f"xgn_adopt: [{role}]" in result["msg"] and "Nothing was" in result["msg"]
    assert path.read_text(encoding="utf-8") == '{"debug": true, "by": "hand"}\n'
    assert host.calls == [] and host.warnings == []

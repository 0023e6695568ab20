"""What somebody else has configured is found, refused, and taken over when that is said; what is ours, or says nothing, is not his."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import owners, sysfs, wireguard
from ansible_collections.xuegao.net.plugins.modules import config_files

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
    """A host with two WireGuard interfaces of somebody's, one with a file and one without, an own file, and an own FRR."""
    monkeypatch.setattr(wireguard, "DIRECTORY", str(tmp_path / "wireguard"))
    monkeypatch.setattr(sysfs, "NET", str(tmp_path / "net"))
    monkeypatch.setattr(owners, "FRR_CONF", str(tmp_path / "frr.conf"))
    (tmp_path / "wireguard").mkdir()
    (tmp_path / "wireguard" / "wg1.conf").write_text("[Interface]\n", encoding="utf-8")
    (tmp_path / "wireguard" / "ours.conf").write_text(f"{wireguard.HEADER}\n[Interface]\n", encoding="utf-8")
    (tmp_path / "wireguard" / "empty.conf").write_text("\n", encoding="utf-8")
    for name, text in (
        ("wg1", "DEVTYPE=wireguard\n"),
        ("ours", "DEVTYPE=wireguard\n"),
        ("wg2", "DEVTYPE=wireguard\n"),
        ("eth0", "INTERFACE=eth0\n"),
    ):
        (tmp_path / "net" / name).mkdir(parents=True)
        (tmp_path / "net" / name / "uevent").write_text(text, encoding="utf-8")
    # A kernel that can bond has this beside the interfaces.
    (tmp_path / "net" / "bonding_masters").write_text("bond0\n", encoding="utf-8")
    (tmp_path / "frr.conf").write_text(CONFIGURED, encoding="utf-8")
    return tmp_path


def test_a_list_of_bonds_is_no_interface(places: Path) -> None:
    assert sysfs.interface_names() == ["eth0", "ours", "wg1", "wg2"]


def test_all_that_is_owners_is_found(places: Path) -> None:
    file = f"file {places / 'wireguard' / 'wg1.conf'}"
    assert owners.owners_objects({}) == {"wireguard": [file, "interface wg2"], "frr": [f"file {places / 'frr.conf'}"]}
    assert owners.owners_objects({"wireguard": [file, "interface wg2"], "frr": ["unit frr.service"]}) == {}


@pytest.mark.parametrize(("text", "is_owners"), [("", False), (PACKAGED, False), (WRITTEN_BY_FRR, False), (CONFIGURED, True)])
def test_a_file_that_configures_nothing_is_nobodys(places: Path, text: str, is_owners: bool) -> None:
    (places / "frr.conf").write_text(text, encoding="utf-8")
    assert bool(owners.owners_file(str(places / "frr.conf"), ())) is is_owners
    (places / "frr.conf").unlink()
    assert owners.owners_file(str(places / "frr.conf"), ()) == []


def test_a_role_writes_no_file_beside_one_of_the_owners_until_it_is_adopted(host: Host, places: Path) -> None:
    path, other = places / "frr.conf", places / "other"

    def write(adopt: bool, check: bool = False) -> dict[str, Any]:
        files: list[dict[str, Any]] = [
            {"path": str(other), "content": "text\n"},
            {"path": str(path), "content": "! empty\n", "keep": True, "adopt": adopt},
        ]
        return host.run(
            config_files, {"record": "frr", "files": [{**item, "owner": "root", "group": "root"} for item in files]}, check=check
        )

    for check in (True, False):
        refused = write(adopt=False, check=check)
        assert refused["msg"].startswith(f"file {path} would be rewritten by role frr, and somebody else has made that. ")
        assert refused["msg"].endswith(" Nothing was written.") and not other.exists()
        assert "password" not in refused["msg"]
    assert write(adopt=True)["changed"] and other.exists()
    assert path.read_text(encoding="utf-8") == CONFIGURED
    # A copy is kept, and from now on it is ours.
    (copy,) = host.temporary.parent.glob("var-lib-xgn/before/frr/*-frr.conf")
    assert copy.read_text(encoding="utf-8") == CONFIGURED
    assert not write(adopt=False).get("failed")

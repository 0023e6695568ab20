# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""networkd keeps its hands off the master of a NIC that is in a VRF or bridge."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_layer, interface_networkd


@pytest.fixture
def nic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with which networkd configures interface 3; it has none for interface 4, which it leaves alone."""
    links, files = tmp_path / "links", tmp_path / "network"
    links.mkdir()
    files.mkdir()
    path = files / "50-nic.network"
    path.write_text("[Match]\nName=eth1\n[Network]\nDHCP=no\n", encoding="utf-8")
    (links / "3").write_text(f"# comment\nADMIN_STATE=configured\nNETWORK_FILE={path}\nCARRIER_STATE=carrier\n", encoding="utf-8")
    (links / "4").write_text("ADMIN_STATE=unmanaged\n", encoding="utf-8")
    monkeypatch.setattr(interface_networkd, "LINKS", str(links))
    monkeypatch.setattr(interface_networkd, "DROP_INS", str(files))
    return path


def test_the_drop_in_is_written_once(nic: Path) -> None:
    kernel = interface_layer.Kernel()
    drop_in = nic.parent / "50-nic.network.d" / "90-xgn-master.conf"
    interface_layer._keep_master(interface_layer.Kernel(dry_run=True), {"index": 3})
    assert not drop_in.exists()
    interface_layer._keep_master(kernel, {"index": 3})
    assert kernel.commands == [f"write {drop_in}"]
    assert "KeepMaster=yes" in drop_in.read_text(encoding="utf-8")
    assert drop_in.stat().st_mode & 0o777 == 0o644
    interface_layer._keep_master(kernel, {"index": 3})
    assert len(kernel.commands) == 1


def test_what_networkd_leaves_alone_is_left_alone(nic: Path) -> None:
    kernel = interface_layer.Kernel()
    for link in ({"index": 4}, {"index": 5}, {"index": None}, {}):
        interface_layer._keep_master(kernel, link)
    assert kernel.commands == []


def test_a_master_that_networkd_chooses_stays_its_own(nic: Path) -> None:
    with nic.open("a", encoding="utf-8") as stream:
        stream.write("VRF=OTHER\n")
    assert interface_networkd.needed(str(nic)) is None

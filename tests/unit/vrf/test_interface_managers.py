# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What networkd, NetworkManager and ifupdown are told before the first interface, rule or route is changed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_layer, interface_managers
from ansible_collections.xuegao.net.plugins.module_utils.interface_managers import DROP_IN, NETWORK_MANAGER, NETWORKD, File

CORE = {"name": "CORE", "table": 200}
MEMBER: dict[str, Any] = {"vrfs": [CORE], "interfaces": [{"name": "eth1", "vrf": "CORE"}]}
LINKS = {"eth0": {"index": 2}, "eth1": {"index": 3}, "CORE": {"index": 9}}
RESTART = "systemctl restart systemd-networkd.service"
# What follows of the drop-in of a NIC in CORE.
TABLES = "\n[DHCPv4]\nRouteTable=200\n\n[IPv6AcceptRA]\nRouteTable=200\n"
CONF = "/etc/systemd/networkd.conf.d/90-xgn.conf"
NIC = "/etc/systemd/network/50-nic.network"
DROP_IN_OF_NIC = f"{NIC}.d/{DROP_IN}"


class Managers:
    """A host with network managers: its files lie below root."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.ran: list[str] = []
        # By unit: when its process started, and its age, in s.
        self.started: dict[str, tuple[str, float]] = {}
        self.routes: list[dict[str, Any]] = []
        monkeypatch.setattr(interface_managers, "ROOT", str(root))
        monkeypatch.setattr(
            interface_managers, "_started", lambda units: {unit: self.started[unit] for unit in units if unit in self.started}
        )
        monkeypatch.setattr(interface_layer.Kernel, "read", lambda _kernel, *arguments: list(self.routes))
        monkeypatch.setattr(interface_layer, "IPV6_SETTING", str(root / "proc/%s.%s"))
        monkeypatch.setattr(subprocess, "run", self._run)

    def _run(self, command: tuple[str, ...], **_options: Any) -> subprocess.CompletedProcess[str]:
        self.ran.append(" ".join(command))
        if command[1] == "restart":
            self.started[command[2]] = (self.started[command[2]][0] + "1", 0.0)
        return subprocess.CompletedProcess(command, 0, "", "")

    def file(self, path: str, text: str = "") -> Path:
        place = self.root / path[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place

    def text(self, path: str) -> str:
        return (self.root / path[1:]).read_text(encoding="utf-8")

    def networkd(self, text: str = "[Match]\nName=eth1\n[Network]\nDHCP=no\n", version: int = 257) -> None:
        """networkd runs, and configures eth1 from one file; eth0 it leaves alone."""
        self.started[NETWORKD] = ("100", 1000.0)
        self.file("/usr/lib/systemd/systemd-networkd")
        self.file(f"/usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-{version}.so")
        self.uses(3, self.file(NIC, text))
        self.file("/run/systemd/netif/links/2", "ADMIN_STATE=unmanaged\n")

    def uses(self, index: int, path: Path) -> None:
        self.file(f"/run/systemd/netif/links/{index}", f"# comment\nADMIN_STATE=configured\nNETWORK_FILE={path}\nCARRIER_STATE=carrier\n")

    def network_manager(self) -> None:
        self.started[NETWORK_MANAGER] = ("200", 1000.0)
        self.file("/run/NetworkManager/NetworkManager.pid")

    def tell(self, declared: dict[str, Any] = MEMBER, tidy: bool = False, dry_run: bool = False, links: Any = None) -> list[str]:
        kernel = interface_layer.Kernel(dry_run)
        interface_layer._tell_managers(kernel, links or LINKS, declared, tidy)
        assert self.ran == ([] if dry_run else [line for line in kernel.commands if line.split()[0] not in ("write", "remove")])
        self.ran.clear()
        return kernel.commands


@pytest.fixture
def managers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Managers:
    return Managers(tmp_path, monkeypatch)


def test_a_host_without_a_manager_is_told_nothing(managers: Managers) -> None:
    assert managers.tell() == []
    assert list(managers.root.iterdir()) == []


def test_networkd_reads_what_is_not_its_own_before_anything_changes(managers: Managers) -> None:
    managers.networkd()
    written = [f"write {path}" for path in (CONF, "/etc/systemd/network/05-xgn.network", DROP_IN_OF_NIC)]
    assert managers.tell(dry_run=True) == [*written, RESTART]
    assert not (managers.root / CONF[1:]).exists()
    assert managers.tell() == [*written, RESTART]
    assert managers.text("/etc/systemd/network/05-xgn.network").endswith("[Match]\nName=CORE\n\n[Link]\nUnmanaged=yes\n")
    assert managers.text(DROP_IN_OF_NIC).endswith(f"[Network]\nKeepMaster=yes\n{TABLES}")
    assert (managers.root / DROP_IN_OF_NIC[1:]).stat().st_mode & 0o777 == 0o644
    assert managers.tell() == []


def test_a_run_that_dies_between_file_and_daemon_is_made_up_for(managers: Managers) -> None:
    managers.networkd()
    managers.tell()
    (managers.root / "run/xgn-interface.read").unlink()
    # Nobody noted what it read, and its process is older than the files.
    managers.started[NETWORKD] = ("100", 1000.0)
    assert managers.tell() == [RESTART]
    # It started behind them, as at a boot.
    (managers.root / "run/xgn-interface.read").unlink()
    managers.started[NETWORKD] = ("300", -10.0)
    assert managers.tell() == []


def test_another_tunnel_is_told_without_a_restart(managers: Managers) -> None:
    managers.networkd()
    managers.tell()
    more = {**MEMBER, "interfaces": [*MEMBER["interfaces"], {"name": "wg1", "vrf": "CORE", "unit": "wg-quick@wg1.service"}]}
    assert managers.tell(more) == ["write /etc/systemd/network/05-xgn.network", "networkctl reload"]
    assert "Name=CORE wg1\n" in managers.text("/etc/systemd/network/05-xgn.network")
    assert managers.tell(more) == []


@pytest.mark.parametrize(("version", "told"), [(252, False), (256, True), (257, True)])
def test_next_hops_are_named_where_systemd_knows_the_word(managers: Managers, version: int, told: bool) -> None:
    """An older one would complain about the line at each start."""
    managers.networkd(version=version)
    managers.tell()
    assert ("ManageForeignNextHops=no" in managers.text(CONF)) is told
    assert "ManageForeignRoutes=no\nManageForeignRoutingPolicyRules=no\n" in managers.text(CONF)


@pytest.mark.parametrize("master", ["VRF=OTHER", "  Bridge=br7"])
def test_a_master_that_networkd_chooses_stays_its_own(managers: Managers, master: str) -> None:
    managers.networkd()
    managers.file(f"{NIC}.d/10-owner.conf", f"[Network]\n{master}\n")
    assert f"write {DROP_IN_OF_NIC}" not in managers.tell()


def test_what_networkd_makes_itself_stays_managed(managers: Managers) -> None:
    managers.networkd()
    managers.file("/etc/systemd/network/20-lan.netdev", "[NetDev]\nName=br-lan\nKind=bridge\n")
    managers.tell({"interfaces": [{"name": "br-lan", "kind": "bridge"}, {"name": "br0", "kind": "bridge"}]})
    assert "Name=br0\n" in managers.text("/etc/systemd/network/05-xgn.network")


def test_addresses_of_frr_and_what_is_set_on_a_nic_outlive_its_configuration(managers: Managers) -> None:
    managers.networkd()
    declared = {
        "vrfs": [CORE],
        "interfaces": [{"name": "eth1", "vrf": "CORE", "mtu": 2000, "mac": "52:54:00:00:00:44"}],
        "default_routes": [{"gateway": "192.0.2.1", "interface": "eth1"}, {"gateway": "2001:db8::1", "interface": "eth1", "vrf": "CORE"}],
        "addressed": ["CORE", "eth1"],
    }
    managers.tell(declared)
    assert managers.text(DROP_IN_OF_NIC).partition("\n")[2] == (
        "[Link]\nMTUBytes=2000\nMACAddress=52:54:00:00:00:44\n\n[Network]\nKeepMaster=yes\nKeepConfiguration=static\n"
        f"{TABLES}\n"
        "[Route]\nGateway=192.0.2.1\nMetric=0\n\n[Route]\nGateway=2001:db8::1\nMetric=1\nTable=200\n"
    )


def test_a_file_for_several_nics_is_told_only_what_fits_all(managers: Managers) -> None:
    managers.networkd()
    managers.uses(2, managers.root / NIC[1:])
    declared = {
        **MEMBER,
        "interfaces": [{"name": "eth1", "vrf": "CORE", "mtu": 2000}],
        "default_routes": [{"gateway": "192.0.2.1", "interface": "eth1"}],
    }
    managers.tell(declared)
    assert managers.text(DROP_IN_OF_NIC).partition("\n")[2] == "[Network]\nKeepMaster=yes\n"


def test_networkd_takes_a_gateway_outside_of_every_subnet(managers: Managers) -> None:
    managers.networkd()
    routes = [{"gateway": "172.31.1.1", "interface": "eth1", "onlink": True}, {"gateway": "fe80::1", "interface": "eth1"}]
    managers.tell({"default_routes": routes})
    assert managers.text(DROP_IN_OF_NIC).partition("\n")[2] == (
        "[Route]\nGateway=172.31.1.1\nMetric=0\nGatewayOnLink=yes\n\n[Route]\nGateway=fe80::1\nMetric=1\n"
    )


def test_an_uplink_goes_on_hearing_routers(managers: Managers) -> None:
    """Once it has heard one, as the next boot looks before the first advertisement comes."""
    managers.networkd()
    managers.routes = [{"dst": "default", "gateway": "fe80::1", "dev": "eth1"}]
    uplink = {"default_routes": [{"gateway": "192.0.2.1", "interface": "eth1"}]}
    managers.tell(uplink)
    assert "[Network]\nIPv6AcceptRA=yes\n" in managers.text(DROP_IN_OF_NIC)
    managers.routes = []
    assert managers.tell(uplink) == []


def test_an_uplink_that_has_its_route_from_routers_hears_the_first_one_too(managers: Managers) -> None:
    managers.networkd()
    assert managers.tell({"interfaces": [{"name": "eth1"}]}) == [f"write {CONF}", RESTART]
    managers.tell({"interfaces": [{"name": "eth1", "hears_routers": True}]})
    assert managers.text(DROP_IN_OF_NIC).partition("\n")[2] == "[Network]\nIPv6AcceptRA=yes\n"


def test_the_owners_word_on_routers_stands(managers: Managers) -> None:
    managers.networkd("[Match]\nName=eth1\n[Network]\nIPv6AcceptRA=no\nKeepConfiguration=yes\n")
    managers.routes = [{"dst": "default", "gateway": "fe80::1", "dev": "eth1"}]
    managers.tell({**MEMBER, "addressed": ["eth1"]})
    assert managers.text(DROP_IN_OF_NIC).partition("\n")[2] == f"[Network]\nKeepMaster=yes\n{TABLES}"


def test_what_a_nic_learns_goes_into_the_table_of_its_vrf(managers: Managers) -> None:
    """With VRF= in its file networkd does that by itself; a bridge has no table."""
    managers.networkd("[Match]\nName=eth1\n[Network]\nDHCP=yes\n")
    managers.tell()
    assert managers.text(DROP_IN_OF_NIC).endswith("\n\n[DHCPv4]\nRouteTable=200\n\n[IPv6AcceptRA]\nRouteTable=200\n")
    managers.tell({**MEMBER, "interfaces": [{"name": "eth1", "bridge": "br0"}]})
    assert "RouteTable" not in managers.text(DROP_IN_OF_NIC)


def test_what_was_told_of_a_nic_goes_with_its_reason(managers: Managers) -> None:
    managers.networkd()
    managers.tell()
    without = {"vrfs": [CORE]}
    assert managers.tell(without) == []
    assert managers.tell(without, tidy=True) == [f"remove {DROP_IN_OF_NIC}", "networkctl reload"]
    assert not (managers.root / DROP_IN_OF_NIC[1:]).exists()


def test_what_is_told_can_be_recorded(managers: Managers, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drop-in follows what lives at each boot, so of it no text is known."""
    managers.networkd()
    monkeypatch.setattr(interface_layer.Kernel, "links", lambda _kernel: LINKS)
    unmanaged = "/etc/systemd/network/05-xgn.network"
    found = interface_layer.told(MEMBER)
    assert found[DROP_IN_OF_NIC] is None and not (managers.root / CONF[1:]).exists()
    managers.tell()
    assert found == {CONF: managers.text(CONF), unmanaged: managers.text(unmanaged), DROP_IN_OF_NIC: None}
    assert interface_layer.told({}) == {}


def test_nothing_goes_while_networkd_has_not_come_to_all_nics(managers: Managers) -> None:
    managers.networkd()
    managers.tell()
    managers.file("/run/systemd/netif/links/3", "ADMIN_STATE=pending\n")
    assert managers.tell(tidy=True) == []


def test_network_manager_leaves_ours_alone_and_calls_for_the_rest(managers: Managers) -> None:
    managers.network_manager()
    declared: dict[str, Any] = {
        "vrfs": [CORE],
        "interfaces": [{"name": "eth1", "vrf": "CORE"}, {"name": "wg0", "vrf": "CORE", "unit": "wg-quick@wg0.service"}],
        "default_routes": [{"gateway": "192.0.2.1", "interface": "eth0"}],
    }
    folder = "/etc/NetworkManager"
    files = [f"{folder}/conf.d/90-xgn.conf", f"{folder}/conf.d/90-xgn-members.conf", f"{folder}/dispatcher.d/90-xgn-interface"]
    assert managers.tell(declared) == [*(f"write {path}" for path in files), "systemctl restart NetworkManager.service"]
    assert managers.text(files[0]).endswith("[keyfile]\nunmanaged-devices+=interface-name:=CORE;interface-name:=wg0\n")
    assert managers.text(files[1]).endswith("[keyfile]\nunmanaged-devices+=interface-name:=eth1\n")
    hook = managers.root / files[2][1:]
    assert hook.stat().st_mode & 0o777 == 0o755
    assert subprocess_status(hook) == 0
    assert managers.tell(declared) == []
    more = {**declared, "interfaces": [*declared["interfaces"], {"name": "br0", "kind": "bridge"}]}
    assert managers.tell(more) == [f"write {files[0]}", "systemctl reload NetworkManager.service"]


@pytest.mark.parametrize("declared", [MEMBER, {"addressed": ["eth1"]}])
def test_a_nic_that_network_manager_has_without_ipv6_gets_it_back(managers: Managers, declared: dict[str, Any]) -> None:
    """It goes on being off when NetworkManager lets go of the NIC, and the kernel would refuse FRR's IPv6 addresses."""
    managers.file("/proc/default.disable_ipv6", "0\n")
    managers.file("/proc/default.addr_gen_mode", "0\n")
    off, by_itself = managers.file("/proc/eth1.disable_ipv6", "1\n"), managers.file("/proc/eth1.addr_gen_mode", "1\n")
    other = managers.file("/proc/eth0.disable_ipv6", "1\n")
    assert managers.tell(declared) == []
    managers.network_manager()
    given = [f"write 0 to {by_itself}", f"write 0 to {off}"]
    assert managers.tell(declared, dry_run=True)[-2:] == given
    assert off.read_text(encoding="utf-8") == "1\n"
    assert managers.tell(declared)[-3:] == ["systemctl restart NetworkManager.service", *given]
    assert off.read_text(encoding="utf-8") == by_itself.read_text(encoding="utf-8") == "0"
    assert managers.tell(declared) == []
    assert other.read_text(encoding="utf-8") == "1\n"
    managers.file("/proc/default.disable_ipv6", "1\n")
    off.write_text("1\n", encoding="utf-8")
    assert managers.tell(declared) == [], "a host without IPv6 stays one"


def test_what_network_manager_was_told_goes_with_its_reason(managers: Managers) -> None:
    managers.network_manager()
    managers.tell()
    folder = "/etc/NetworkManager"
    members, hook = f"{folder}/conf.d/90-xgn-members.conf", f"{folder}/dispatcher.d/90-xgn-interface"
    without = {"vrfs": [CORE]}
    assert managers.tell(without) == []
    assert managers.tell(without, tidy=True) == [f"remove {members}", f"remove {hook}", "systemctl reload NetworkManager.service"]
    assert not (managers.root / members[1:]).exists()
    assert managers.tell(without, tidy=True) == []
    managers.tell()
    uplink = {"default_routes": [{"gateway": "192.0.2.1", "interface": "eth0"}]}
    gone = [f"remove {folder}/conf.d/90-xgn.conf", f"remove {members}"]
    assert managers.tell(uplink, tidy=True) == [*gone, "systemctl reload NetworkManager.service"]


def test_a_manager_that_does_not_run_keeps_what_it_was_told(managers: Managers) -> None:
    managers.network_manager()
    managers.tell()
    (managers.root / "run/NetworkManager/NetworkManager.pid").unlink()
    (managers.root / "run/NetworkManager").rmdir()
    del managers.started[NETWORK_MANAGER]
    assert managers.tell(tidy=True) == []
    two = {**MEMBER, "interfaces": [*MEMBER["interfaces"], {"name": "eth2", "vrf": "CORE"}]}
    assert managers.tell(two, tidy=True) == ["write /etc/NetworkManager/conf.d/90-xgn-members.conf"]
    folder = "/etc/NetworkManager"
    gone = [f"remove {folder}/conf.d/90-xgn-members.conf", f"remove {folder}/dispatcher.d/90-xgn-interface"]
    assert managers.tell({"vrfs": [CORE]}, tidy=True) == gone


def test_networkd_and_ifup_are_told_nothing_of_what_is_gone(managers: Managers) -> None:
    managers.networkd()
    managers.file("/usr/sbin/ifup")
    managers.tell()
    nic = {"default_routes": [{"gateway": "192.0.2.1", "interface": "eth0"}]}
    unmanaged = "/etc/systemd/network/05-xgn.network"
    assert managers.tell(nic, tidy=True) == [f"remove {unmanaged}", f"remove {DROP_IN_OF_NIC}", "networkctl reload"]
    assert managers.tell({"vrfs": [CORE]}, tidy=True) == [
        f"write {unmanaged}",
        "remove /etc/network/if-up.d/xgn-interface",
        "networkctl reload",
    ]


def test_ifup_calls_the_layer_for_a_nic(managers: Managers) -> None:
    managers.file("/usr/sbin/ifup")
    hook = "/etc/network/if-up.d/xgn-interface"
    assert managers.tell({"vrfs": [CORE]}) == []
    assert managers.tell() == [f"write {hook}"]
    assert managers.tell() == []
    (managers.root / hook[1:]).chmod(0o644)
    assert managers.tell() == [f"write {hook}"]
    assert subprocess_status(managers.root / hook[1:]) == 0


def subprocess_status(script: Path) -> int:
    """The status of a hook on a host where the layer is not installed."""
    return os.waitstatus_to_exitcode(os.spawnv(os.P_WAIT, "/bin/sh", ["sh", str(script), "eth1", "up"]) << 8)


def test_a_host_tells_when_its_managers_started(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = f"Id=systemd-networkd.service\nMainPID={os.getpid()}\n\nId=NetworkManager.service\nMainPID=0\n"
    run: Callable[..., Any] = lambda command, **_options: subprocess.CompletedProcess(command, 0, shown, "")  # noqa: E731
    monkeypatch.setattr(subprocess, "run", run)
    found = interface_managers._started([NETWORKD, NETWORK_MANAGER])
    assert list(found) == [NETWORKD]
    assert int(found[NETWORKD][0]) > 0 and found[NETWORKD][1] >= 0
    assert interface_managers._started([]) == {}


def test_a_file_is_written_in_one_step(managers: Managers) -> None:
    file = File("/etc/systemd/network/05-xgn.network", "text\n")
    interface_managers.write(file)
    assert not interface_managers.differs(file)
    assert [path.name for path in (managers.root / "etc/systemd/network").iterdir()] == ["05-xgn.network"]

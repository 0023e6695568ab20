"""Role vrf: the declared interface layer, live, at boot, and whenever a unit makes its interface again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from host_state import link

UNITS = ["interface.service", "port.service"]
FILES = {
    "/etc/xgn/interface.json": 0o644,
    "/usr/local/sbin/xgn-interface": 0o755,
    "/etc/systemd/system/interface.service": 0o644,
    "/etc/systemd/system/port.service.d/90-xgn-interface.conf": 0o644,
    "/etc/systemd/networkd.conf.d/90-xgn.conf": 0o644,
}
UNREACHABLE_METRIC = 4278198272


@pytest.mark.parametrize("path", FILES)
def test_file(host: Any, path: str) -> None:
    """The role's files belong to root and have the mode they need."""
    file = host.file(path)
    assert (file.user, file.group, file.mode) == ("root", "root", FILES[path])


def test_bridge(host: Any) -> None:
    """The declared bridge is there, up, with its MTU and MAC."""
    bridge = link(host, "br-lan")
    assert bridge["linkinfo"]["info_kind"] == "bridge"
    assert (bridge["mtu"], bridge["address"]) == (1400, "02:00:00:00:00:11")
    assert "UP" in bridge["flags"]
    assert "master" not in bridge


def test_interface_of_a_unit(host: Any) -> None:
    """An interface that a unit makes gets what is declared, also when the unit makes it again."""
    assert link(host, "port0")["mtu"] == 1300
    index = link(host, "port0")["ifindex"]
    restart = host.run("systemctl restart port.service")
    assert restart.succeeded, restart.stderr
    again = link(host, "port0")
    assert again["ifindex"] != index
    assert again["mtu"] == 1300
    assert "UP" in again["flags"]


def test_nothing_undeclared(host: Any) -> None:
    """What was declared once and is no longer, is gone."""
    assert not host.interface("br-old").exists


def test_unit(host: Any) -> None:
    """interface.service has run, will run at boot, after the unit that makes an interface, and is a sound unit."""
    unit = host.service("interface.service")
    assert unit.is_enabled
    assert unit.is_running
    after = host.check_output("systemctl show --property=After --value interface.service").split()
    assert "port.service" in after
    verified = host.run("systemd-analyze verify --man=no interface.service port.service")
    assert verified.succeeded, verified.stderr
    assert verified.stderr == ""


def test_applier_has_nothing_to_do(host: Any) -> None:
    """The applier finds the live state as declared."""
    check = host.run("xgn-interface check")
    assert (check.rc, check.stdout, check.stderr) == (0, "", "")


def test_applier_repairs_drift(host: Any) -> None:
    """The applier tells what it would do, does it, and then has nothing to do."""
    host.check_output("ip link delete dev br-lan")
    check = host.run("xgn-interface check")
    assert check.rc == 2
    assert "ip link add dev br-lan type bridge" in check.stdout.splitlines()
    apply = host.run("xgn-interface apply")
    assert apply.rc == 0, apply.stderr
    test_bridge(host)
    test_applier_has_nothing_to_do(host)


def test_dummy(host: Any, needs_kernel: Callable[[str], None]) -> None:
    """A dummy interface is made like a bridge."""
    needs_kernel("dummy")
    dummy = link(host, "dum0")
    assert (dummy["linkinfo"]["info_kind"], dummy["mtu"]) == ("dummy", 1280)


def test_vrf(host: Any, needs_kernel: Callable[[str], None]) -> None:
    """The VRFs are there with their tables, and their tables end in an unreachable default."""
    needs_kernel("vrf")
    for name, table in (("CORE", 200), ("MGMT", 201)):
        vrf = link(host, name)
        assert (vrf["linkinfo"]["info_kind"], vrf["linkinfo"]["info_data"]["table"]) == ("vrf", table)
        for family in ("-4", "-6"):
            routes = json.loads(host.check_output(f"ip -json {family} route show table {table} type unreachable"))
            assert [(route["dst"], route["metric"]) for route in routes] == [("default", UNREACHABLE_METRIC)]


def test_vrf_member(host: Any, needs_kernel: Callable[[str], None]) -> None:
    """The member is enslaved, and the rule of the local table is behind that of the VRFs."""
    needs_kernel("vrf")
    assert link(host, "br-core")["master"] == "CORE"
    for family in ("-4", "-6"):
        rules = json.loads(host.check_output(f"ip -json {family} rule show"))
        assert [rule["priority"] for rule in rules if rule["table"] == "local"] == [32765]

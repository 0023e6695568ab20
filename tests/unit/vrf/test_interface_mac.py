# Copyright: xuegao.net maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A MAC address for a NIC whose driver takes none while it is up. The kernel's part is played."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.xuegao.net.plugins.module_utils import interface_mac

MAC = "52:54:00:00:00:44"
SET = f"link set dev eth0 address {MAC}"
LINKS = {
    "eth0": {"parent": None, "up": True},
    "eth0.5": {"parent": "eth0", "up": True},
    "eth0.6": {"parent": "eth0", "up": False},
    "eth1": {"parent": None, "up": True},
}
ROUTES: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("-4", "eth0"): [
        {"dst": "default", "gateway": "172.16.0.254", "protocol": "static", "flags": ["onlink"], "metric": 5},
        {"dst": "172.16.0.0/24", "protocol": "kernel", "prefsrc": "172.16.0.4"},
        {"dst": "10.0.0.0/8", "gateway": "172.16.0.1", "protocol": "bgp", "table": "200"},
        {"dst": "172.16.0.254", "protocol": "dhcp", "prefsrc": "172.16.0.4", "table": "200"},
        {"dst": "172.16.0.4", "type": "local", "protocol": "static", "table": "local"},
    ],
    ("-6", "eth0.5"): [{"dst": "fd00:9::/64", "gateway": "fe80::1", "protocol": "ra", "metric": 1024}],
}


class Kernel:
    """Takes the address, or only while the NIC is down."""

    def __init__(self, live: bool) -> None:
        self.live, self.up = live, True
        self.commands: list[str] = []

    def read(self, *arguments: str) -> list[dict[str, Any]]:
        return ROUTES.get((arguments[0], arguments[-1]), [])

    def attempt(self, refusal: str, *arguments: str) -> bool:
        if arguments[0] == "link" and not self.live and self.up:
            return False
        self.commands.append(" ".join(arguments))
        return True

    def change(self, *arguments: str) -> None:
        self.commands.append(" ".join(arguments))
        self.up = {"up": True, "down": False}.get(arguments[-1], self.up)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's word on addresses of interfaces that go down."""
    for name in ("eth0", "eth0.5"):
        (tmp_path / name).write_text("0\n")
    monkeypatch.setattr(interface_mac, "KEEP", f"{tmp_path}/%s")
    return tmp_path


def test_a_driver_that_takes_it_is_not_disturbed(settings: Path) -> None:
    kernel = Kernel(live=True)
    interface_mac.change(kernel, LINKS, "eth0", MAC)
    assert kernel.commands == [SET]


def test_a_driver_that_does_not_is_taken_down_for_a_moment_and_gets_its_routes_back(settings: Path) -> None:
    """Those of the VLAN on it, too; not the kernel's own, nor a routing daemon's. The gateway's own route comes before the one that needs it."""
    kernel = Kernel(live=False)
    interface_mac.change(kernel, LINKS, "eth0", MAC)
    assert kernel.commands == [
        "link set dev eth0 down",
        SET,
        "link set dev eth0 up",
        "-4 route append 172.16.0.254 dev eth0 table 200 protocol dhcp src 172.16.0.4",
        "-4 route append default dev eth0 table main protocol static via 172.16.0.254 metric 5 onlink",
        "-6 route append fd00:9::/64 dev eth0.5 table main protocol ra via fe80::1 metric 1024",
    ]


def test_addresses_are_kept_and_the_setting_is_as_before(settings: Path) -> None:
    seen: list[str] = []

    class Watching(Kernel):
        def change(self, *arguments: str) -> None:
            if arguments[-1] == "down":
                seen.extend((settings / name).read_text() for name in ("eth0", "eth0.5"))
            super().change(*arguments)

    interface_mac.change(Watching(live=False), LINKS, "eth0", MAC)
    assert seen == ["1", "1"]
    assert [(settings / name).read_text() for name in ("eth0", "eth0.5")] == ["0", "0"]


def test_it_comes_up_again_though_the_address_is_refused(settings: Path) -> None:
    class Refusing(Kernel):
        def change(self, *arguments: str) -> None:
            if "address" in arguments:
                raise ValueError("refused")
            super().change(*arguments)

    kernel = Refusing(live=False)
    with pytest.raises(ValueError, match="refused"):
        interface_mac.change(kernel, LINKS, "eth0", MAC)
    assert kernel.commands == ["link set dev eth0 down", "link set dev eth0 up"]

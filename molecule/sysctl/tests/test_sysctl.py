"""Role sysctl: one file, and a live kernel that agrees with it."""

from __future__ import annotations

from typing import Any

import pytest

PATH = "/etc/sysctl.d/90-xgn.conf"
EXPECTED = {
    "net.ipv4.conf.all.rp_filter": "2",
    "net.ipv4.fib_multipath_hash_policy": "1",
    "net.ipv4.ip_forward": "1",
    "net.ipv4.tcp_congestion_control": "bbr",
    "net.ipv4.tcp_l3mdev_accept": "0",
    "net.ipv4.tcp_mtu_probing": "1",
    "net.ipv4.udp_l3mdev_accept": "1",
    "net.ipv6.conf.all.forwarding": "1",
    "net.ipv6.fib_multipath_hash_policy": "1",
}


def test_file(host: Any) -> None:
    """The file holds exactly the wanted settings, and belongs to root."""
    file = host.file(PATH)
    lines = [line for line in file.content_string.splitlines() if not line.startswith("#")]
    assert lines == [f"{key} = {value}" for key, value in EXPECTED.items()]
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)


@pytest.mark.parametrize("key", EXPECTED)
def test_live_value(host: Any, key: str) -> None:
    """The kernel has the value of the file."""
    assert host.check_output(f"sysctl --values {key}") == EXPECTED[key]


def test_boot_brings_the_same_values(host: Any) -> None:
    """systemd-sysctl, which applies the file at boot, takes it without complaint and gets the same values."""
    host.check_output("sysctl --write net.ipv4.ip_forward=0 net.ipv4.tcp_mtu_probing=0")
    boot = host.run("/usr/lib/systemd/systemd-sysctl %s", PATH)
    assert boot.succeeded, boot.stderr
    assert boot.stderr == ""
    for key, value in EXPECTED.items():
        assert host.check_output(f"sysctl --values {key}") == value, key
